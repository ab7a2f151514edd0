"""The limits of a user's own input, and those of merged statistics."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from varkernels.arithmetic import in_default_arithmetic
from varkernels.formats import format_of
from varkernels.norms.answers import ExactArray
from varkernels.norms.backward import norm_backward
from varkernels.norms.forward import layer_of, norm_forward
from varkernels.norms.geometry import LAYERS
from varkernels.norms.row_statistics import number_of

from .._io.matching import nearest
from .limits import Limit, stored
from .profiles import setting_of
from .propagation import ErrorsOfRows, backward_limits, forward_limit, statistics_limits

__all__ = ["merge_limits", "tolerance"]

_NORMS = (*LAYERS, "variance")


@in_default_arithmetic
def tolerance(
    x: Any,
    norm: str = "layer",
    *,
    profile: str = "single",
    layout: str | None = None,
    groups: int = 32,
    weight: Any = None,
    bias: Any = None,
    epsilon: Any = 1e-5,
    dy: Any = None,
    corrections: tuple[Any, ...] = (0, 1),
    formula: str = "two_pass",
    order: str = "running",
) -> dict[str, Limit]:
    """The exact answers of a norm of your input, and how far from them a correct kernel may be.

    Parameters
    ----------
    x : array in float16, bfloat16, float32 or float64; (rows, n) for the variance.
    norm : ``layer``, ``rms``, ``group``, ``instance``, ``batch`` or ``variance``.
    profile : ``single``: float32 inside (float64 for float64), parallel sums, one rounding at the end. ``running``: the
        same with one running sum. ``two-stage``: xhat is rounded to storage before scale and bias. ``low-precision``:
        everything in the storage format, statistics by `formula` and `order`.
    layout, groups, weight, bias, epsilon : as for `varstudy.norm_forward`.
    dy : the gradient of the output, for the limits of the gradients.
    corrections : of the variance, subtracted from n.
    formula, order : an algorithm of `varstudy.algorithms`, for the low-precision profile.

    Returns
    -------
    Limits by name: "y"; or "dx", "dweight" and "dbias" with dy; or "mean", "variance" and "variance 1". Batch norm has
    "y" and the statistics.

    Raises
    ------
    TypeError, ValueError
        As for `varstudy.norm_forward` and `norm_backward`; or the norm or the profile is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from varstudy.testing import tolerance
    >>> x = np.array([[300.0, 301, 302, 306, 307]], np.float16)
    >>> y = ((x - x.mean()) / x.std()).astype(np.float16)  # the mean is rounded to float16
    >>> bool((tolerance(x, "layer")["y"].ratio(y) > 1).any())
    True
    """
    if norm not in _NORMS:
        raise ValueError(f"norm={norm!r} is unknown: " + nearest(str(norm), _NORMS, f"use one of {', '.join(_NORMS)}"))
    with np.errstate(all="ignore"):
        small = number_of(epsilon)
        layer = layer_of(
            x, "layer" if norm == "variance" else norm, layout, groups, small, None, None, weight=weight, bias=bias
        )
        setting = setting_of(profile, format_of(layer.x.dtype), formula, order)
        found: dict[str, Limit] = {}
        if norm in ("batch", "variance"):
            known = layer_of(x, layer.geometry.norm, layout, groups, Fraction(1), None, None)
            found = statistics_limits(known, setting, Fraction(1), tuple(map(Fraction, corrections)))
            found = {name: _flat(each) for name, each in found.items()}
            if norm == "variance":
                return found
        rows = ErrorsOfRows(layer, setting, float(small))
        shape = layer.geometry.shape
        given: dict[str, Any] = {"layout": layout, "groups": groups, "weight": weight, "epsilon": small}
        if dy is not None:
            exact = norm_backward(x, dy, norm, **given)
            names = {name: getattr(exact, name) for name in ("dx", "dweight", "dbias")}
            return backward_limits(rows, np.asarray(dy).reshape(shape), names)
        y = norm_forward(x, norm, bias=bias, **given)
        limit = forward_limit(rows, y.reshape(shape))
        return {"y": Limit(y, limit.limit.reshape(y.high.shape)), **found}


def _flat(limit: Limit) -> Limit:
    return Limit(limit.exact.reshape((-1,)), limit.limit.reshape(-1))


def merge_limits(counts: Any, means: Any, variances: Any) -> dict[str, Limit]:
    """The exact mean and population variance of parts that are merged, and their limits.

    With P parts, B the variance between them, W the mean variance within and M the largest |mean|: the mean errs by at
    most dm = phi(4 P) M, the variance by phi(6 P) (B + W) + 4 sqrt(B) dm + dm^2.

    Parameters
    ----------
    counts : array (parts,) of whole numbers. means, variances : arrays (parts, C), float32 or float64.
    """
    fmt = format_of(means.dtype)
    setting = setting_of("single", fmt)
    parts, total = len(counts), Fraction(int(sum(counts.tolist())))
    exact: list[tuple[Fraction, Fraction, Fraction]] = []
    for m, v in zip(means.T.astype(float).tolist(), variances.T.astype(float).tolist(), strict=True):
        weights = [Fraction(int(n)) / total for n in counts.tolist()]
        mean = sum((w * Fraction(each) for w, each in zip(weights, m, strict=True)), Fraction(0))
        within = sum((w * Fraction(each) for w, each in zip(weights, v, strict=True)), Fraction(0))
        between = sum((w * (Fraction(each) - mean) ** 2 for w, each in zip(weights, m, strict=True)), Fraction(0))
        exact.append((mean, within + between, between))
    between_ = np.array([float(each[2]) for each in exact])
    dm = setting.phi(4 * parts) * np.abs(means.astype(np.float64)).max(axis=0)
    whole = np.array([float(each[1]) for each in exact])
    dv = setting.phi(6 * parts) * whole + 4 * np.sqrt(between_) * dm + dm**2
    return {
        name: stored(_pairs([each[k] for each in exact], setting.storage), error + setting.eta, fmt)
        for k, (name, error) in enumerate({"mean": dm, "variance": dv}.items())
    }


def _pairs(values: list[Fraction], fmt: Any) -> ExactArray:
    high = np.array([value.numerator / value.denominator for value in values])
    low = np.array([float(value - Fraction(h)) for value, h in zip(values, high.tolist(), strict=True)])
    return ExactArray(fmt.rounded(high), high, low, fmt)
