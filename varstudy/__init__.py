"""What is a computed variance worth? Variance kernels scored against exact ground truth.

The names below are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varkernels import Algorithm, Moments, algorithms, compose, moments, register

    from . import truth
    from .featuremaps import cases
    from .reductions import sync_batch, view
    from .study import run

__all__ = [
    "Algorithm",
    "Moments",
    "__version__",
    "algorithms",
    "cases",
    "compose",
    "moments",
    "register",
    "run",
    "sync_batch",
    "truth",
    "view",
]

__version__ = "0.1.0"

_HOME = {
    "Algorithm": "varkernels",
    "Moments": "varkernels",
    "algorithms": "varkernels",
    "compose": "varkernels",
    "moments": "varkernels",
    "register": "varkernels",
    "cases": "varstudy.featuremaps",
    "run": "varstudy.study",
    "sync_batch": "varstudy.reductions",
    "view": "varstudy.reductions",
}
# Names that are modules of this package. No name in _HOME may be one: importing the module would replace it.
_MODULES = ("truth",)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
