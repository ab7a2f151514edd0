"""The arguments of var, std, mean and mean_var other than x, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..exact.rounding_one import correction_ratio

__all__ = ["NAN_POLICIES", "NOT_GIVEN", "NO_CORRECTION", "UNNAMED", "Request", "refuse_nan"]

# The default of `correction`: not given, which differs from a zero that was given; it prints as 0.0.
NOT_GIVEN = float("0")
# The default of `method`, likewise: not named, which is another algorithm on a GPU, where 'exact' has no kernel.
UNNAMED = "".join(("ex", "act"))
NO_CORRECTION = (0, 1)
NAN_POLICIES = ("propagate", "raise", "omit")


class Request:
    """The arguments other than x, checked.

    wants : some of "mean", "var", "std". correction : numerator and denominator.
    """

    def __init__(
        self,
        wants: tuple[str, ...],
        axis: Any,
        correction: Any,
        ddof: Any,
        keepdims: bool,
        dtype: Any,
        method: str,
        where: ArrayLike,
        nan_policy: str,
        weights: ArrayLike | None,
    ) -> None:
        if ddof is not None:
            if correction is NOT_GIVEN:
                correction = ddof
            elif ddof != 0:
                raise ValueError("ddof and correction can't be provided simultaneously.")
        if nan_policy not in NAN_POLICIES:
            raise ValueError(f"nan_policy={nan_policy!r} must be one of {', '.join(map(repr, NAN_POLICIES))}")
        if not isinstance(method, str):
            raise TypeError(f"method={method!r} is no name: use 'exact' or another algorithm's name")
        if not isinstance(keepdims, (bool, np.bool_, int)):
            raise TypeError(f"keepdims={keepdims!r} must be True or False")
        if weights is not None and method != "exact":
            raise ValueError(f"weights need the method 'exact', not {method!r}")
        self.wants = wants
        self.axis = axis
        self.correction = NO_CORRECTION if correction is NOT_GIVEN else correction_ratio(correction)
        self.keepdims = bool(keepdims)
        self.dtype = dtype
        self.method = method
        self.where = where
        self.weights = weights
        self.omit = nan_policy == "omit"
        self.refuse = nan_policy == "raise"


def refuse_nan() -> None:
    raise ValueError("The input contains nan values")
