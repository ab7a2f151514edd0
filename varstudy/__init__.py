"""How many digits of your variance are correct? Variance kernels scored against exact ground truth.

The names below are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varkernels import Algorithm, algorithms, compose, moments, register
    from varkernels.norms.backward import norm_backward
    from varkernels.norms.forward import norm_forward
    from varkernels.norms.response import response_norm_forward
    from varkernels.norms.weight import weight_norm_forward
    from varkernels.stats.features import feature_moments
    from varkernels.stats.functions import mean, mean_var, std, var
    from varkernels.stats.rolling import rolling_var
    from varkernels.stats.streaming import Moments
    from varkernels.sync import sync_batch
    from varkernels.views import view

    from .study.featuremaps import cases
    from .study.ground_truth import truth
    from .study.runner import run
    from .study.verdict import check
    from .survey.porting import port

__all__ = [
    "Algorithm",
    "Moments",
    "__version__",
    "algorithms",
    "cases",
    "check",
    "compose",
    "feature_moments",
    "mean",
    "mean_var",
    "moments",
    "norm_backward",
    "norm_forward",
    "port",
    "register",
    "response_norm_forward",
    "rolling_var",
    "run",
    "std",
    "sync_batch",
    "truth",
    "var",
    "view",
    "weight_norm_forward",
]

__version__ = "0.1.0"

_HOME = {
    "Algorithm": "varkernels",
    "Moments": "varkernels.stats.streaming",
    "algorithms": "varkernels",
    "compose": "varkernels",
    "moments": "varkernels",
    "register": "varkernels",
    "cases": "varstudy.study.featuremaps",
    "check": "varstudy.study.verdict",
    "feature_moments": "varkernels.stats.features",
    "mean": "varkernels.stats.functions",
    "mean_var": "varkernels.stats.functions",
    "norm_backward": "varkernels.norms.backward",
    "norm_forward": "varkernels.norms.forward",
    "response_norm_forward": "varkernels.norms.response",
    "rolling_var": "varkernels.stats.rolling",
    "port": "varstudy.survey.porting",
    "run": "varstudy.study.runner",
    "std": "varkernels.stats.functions",
    "sync_batch": "varkernels.sync",
    "var": "varkernels.stats.functions",
    "truth": "varstudy.study.ground_truth",
    "view": "varkernels.views",
    "weight_norm_forward": "varkernels.norms.weight",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        # Kept, so that the next look-up is an ordinary one.
        return globals().setdefault(name, getattr(importlib.import_module(_HOME[name]), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
