"""The user's own arrays: .npy, .npz and .safetensors files, checked before they are trusted."""

from .conversion import Loaded
from .loading import MAX_UNPACKED, load, load_all, names
from .problem import FileProblem

__all__ = ["MAX_UNPACKED", "FileProblem", "Loaded", "load", "load_all", "names"]
