"""What is a computed variance worth? Variance kernels scored against exact ground truth.

The names below are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varkernels import Algorithm, algorithms, compose, moments, register

    from . import truth
    from .api.features import feature_moments
    from .api.functions import mean, mean_var, std, var
    from .api.streaming import Moments
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
    "feature_moments",
    "mean",
    "mean_var",
    "moments",
    "register",
    "run",
    "std",
    "sync_batch",
    "truth",
    "var",
    "view",
]

__version__ = "0.1.0"

_HOME = {
    "Algorithm": "varkernels",
    "Moments": "varstudy.api.streaming",
    "algorithms": "varkernels",
    "compose": "varkernels",
    "moments": "varkernels",
    "register": "varkernels",
    "cases": "varstudy.featuremaps",
    "feature_moments": "varstudy.api.features",
    "mean": "varstudy.api.functions",
    "mean_var": "varstudy.api.functions",
    "run": "varstudy.study",
    "std": "varstudy.api.functions",
    "sync_batch": "varstudy.reductions",
    "var": "varstudy.api.functions",
    "view": "varstudy.reductions",
}
# Names that are modules of this package. No name in _HOME may be one: importing the module would replace it.
_MODULES = ("truth",)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        # Kept, so that the next look-up is an ordinary one.
        return globals().setdefault(name, getattr(importlib.import_module(_HOME[name]), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
