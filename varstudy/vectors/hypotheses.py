"""What known faults would answer, computed in float64 with the one rounding that each is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import BFLOAT16, FLOAT16, FORMATS, Format
from varkernels.norms.geometry import Geometry, geometry_of

from ..survey.findings.properties import EpsilonPlace
from .cases import Case

__all__ = ["Predicted", "condition", "predictions"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a hypothesis answers. slack : its relative uncertainty, as of an unknown order of roundings."""

    name: str
    values: Floats
    slack: float = 0.0


def _narrow(fmt: Format, values: Any) -> Floats:
    return fmt.rounded(values).astype(np.float64)


class _Rows:
    """A case in float64, in the shape of its geometry."""

    def __init__(self, case: Case) -> None:
        arrays = {name: each.array().astype(np.float64) for name, each in case.inputs.items()}
        self.shape = arrays["x"].shape
        norm = "layer" if case.norm == "variance" else case.norm
        self.geometry: Geometry = geometry_of(norm, None, case.groups or 1, self.shape)
        self.centred = norm != "rms"
        self.x = arrays["x"].reshape(self.geometry.shape)
        self.dy = arrays.get("dy", arrays["x"]).reshape(self.geometry.shape)
        given = [arrays.get(name) for name in ("weight", "bias")]
        self.w, self.b = (
            d if a is None else a.reshape(self.geometry.parameter) for a, d in zip(given, (1.0, 0.0), strict=True)
        )
        self.n = int(np.prod([self.geometry.shape[a] for a in self.geometry.axes]))
        self.mean = self.means(self.x) if self.centred else np.zeros(self.geometry.kept)
        self.var = self.means((self.x - self.mean) ** 2)
        self.epsilon = case.epsilon

    def means(self, values: Any) -> Floats:
        found: Floats = values.mean(axis=self.geometry.axes, keepdims=True)
        return found

    def y(self, deviation: Any = None, divisor: Any = None, w: Any = None, b: Any = None) -> Floats:
        """w (x - mean) / divisor + b."""
        d = self.x - self.mean if deviation is None else deviation
        s = np.sqrt(self.var + self.epsilon) if divisor is None else divisor
        found: Floats = d / s * (self.w if w is None else w) + (self.b if b is None else b)
        return found.reshape(self.shape)


def _divisor(place: EpsilonPlace, var: Floats, epsilon: float) -> Floats:
    found: Floats = np.vectorize(lambda v: place.divisor(float(v), epsilon), otypes=[np.float64])(var)
    return found


def _outputs(rows: _Rows, storage: Format) -> Iterator[Predicted]:
    x, mean, var, epsilon = rows.x, rows.mean, rows.var, rows.epsilon
    s = np.sqrt(var + epsilon)
    if rows.n > 1 and rows.centred:
        yield Predicted("n - 1 in place of n", rows.y(divisor=np.sqrt(var * rows.n / (rows.n - 1) + epsilon)))
    yield Predicted("epsilon outside the root", rows.y(divisor=_divisor(EpsilonPlace.ADDED, var, epsilon)))
    yield Predicted("a lost epsilon", rows.y(divisor=_divisor(EpsilonPlace.NONE, var, 0.0)))
    for place in (EpsilonPlace.VARIANCE_FLOOR, EpsilonPlace.DEVIATION_FLOOR):
        yield Predicted(f"epsilon as the {place}", rows.y(divisor=_divisor(place, var, epsilon)))
    yield Predicted("the variance as the divisor, without a root", rows.y(divisor=var + epsilon))
    for fixed in (1e-5, 1e-6, 1e-3):
        yield Predicted(f"an epsilon of {fixed:g} whatever is asked for", rows.y(divisor=np.sqrt(var + fixed)))
    for fmt in (FLOAT16, BFLOAT16):
        u = float(fmt.unit_roundoff)
        yield Predicted(f"epsilon rounded to {fmt}", rows.y(divisor=np.sqrt(var + _narrow(fmt, epsilon))))
        yield Predicted(f"1 / s rounded to {fmt}", rows.y(divisor=1 / _narrow(fmt, 1 / s)))
        yield Predicted(f"the variance rounded to {fmt}", rows.y(divisor=np.sqrt(_narrow(fmt, var) + epsilon)), u / 64)
        if rows.centred:
            near = _narrow(fmt, mean)
            yield Predicted(f"the mean rounded to {fmt}", rows.y(x - near))
            both = np.sqrt(rows.means((x - near) ** 2) + epsilon)
            yield Predicted(f"the mean rounded to {fmt} before the variance", rows.y(x - near, both))
    if storage in (FLOAT16, BFLOAT16) and rows.centred:
        yield Predicted(f"x - mean rounded to {storage}", rows.y(_narrow(storage, x - mean)))
    if storage is FLOAT16:
        kept = np.where(np.abs(x) < float(storage.smallest_normal), 0.0, x)
        d = kept - rows.means(kept) * rows.centred
        yield Predicted(
            "an input whose subnormal numbers are flushed to zero", rows.y(d, np.sqrt(rows.means(d * d) + epsilon))
        )
    if storage in (FLOAT16, BFLOAT16):
        staged = _narrow(storage, _narrow(storage, (x - mean) / s) * rows.w) + rows.b
        yield Predicted(
            "xhat rounded to storage before scale and bias: the profile 'two-stage'", staged.reshape(rows.shape)
        )
    yield Predicted("a lost bias", rows.y(b=0.0))
    yield Predicted("a lost weight", rows.y(w=1.0))
    yield Predicted("1 + weight in place of weight", rows.y(w=1.0 + rows.w))
    if rows.centred:
        yield Predicted("RMS norm: the mean is not subtracted", rows.y(x, np.sqrt(rows.means(x * x) + epsilon)))
        yield Predicted("the mean is not subtracted", rows.y(x))
    else:
        yield Predicted(
            "layer norm: the mean is subtracted",
            rows.y(x - rows.means(x), np.sqrt(rows.means((x - rows.means(x)) ** 2) + epsilon)),
        )
    yield Predicted("truncation of the output", _truncated(rows.y(), storage))


def _truncated(values: Floats, fmt: Format) -> Floats:
    """Rounded towards 0."""
    near = fmt.rounded(values)
    below = np.nextafter(near, near.dtype.type(0)) if fmt is not BFLOAT16 else _towards_zero(near)
    return np.where(np.abs(near.astype(np.float64)) > np.abs(values), below.astype(np.float64), near.astype(np.float64))


def _towards_zero(values: NDArray[Any]) -> NDArray[Any]:
    bits = values.view(np.uint16)
    return np.where(bits & 0x7FFF > 0, bits - 1, bits).astype(np.uint16).view(values.dtype)


def _gradients(rows: _Rows) -> Iterator[Predicted]:
    s = np.sqrt(rows.var + rows.epsilon)
    h, g = (rows.x - rows.mean) / s, rows.dy * rows.w
    level = rows.means(g) if rows.centred else 0.0
    slope = rows.means(g * h)
    terms: dict[str, Callable[[], Any]] = {
        "dx without the terms with means": lambda: g / s,
        "dx without mean(g)": lambda: (g - h * slope) / s,
        "dx without xhat mean(g xhat)": lambda: (g - level) / s,
        "dx without the weight": lambda: (
            (rows.dy - rows.means(rows.dy) * rows.centred - h * rows.means(rows.dy * h)) / s
        ),
        "dx with n - 1 in place of n": lambda: (
            (g - level * rows.n / (rows.n - 1) - h * slope * rows.n / (rows.n - 1)) / s
        ),
        "dx not divided by s": lambda: g - level - h * slope,
    }
    for name, found in terms.items():
        yield Predicted(name, np.asarray(found()).reshape(rows.shape))


def _variances(rows: _Rows, correction: int) -> Iterator[Predicted]:
    m2 = (rows.var * rows.n).reshape(-1)
    for other in (0, 1):
        if other != correction:
            yield Predicted(
                f"n - {other} whatever is asked for" if other else "n whatever is asked for", m2 / (rows.n - other)
            )
    yield Predicted("a standard deviation", np.sqrt(m2 / (rows.n - correction)))
    yield Predicted("a mean of squares: the mean is not subtracted", rows.means(rows.x**2).reshape(-1))


def condition(case: Case) -> float:
    """The largest |mean| / deviation of a row that varies; 0 without such rows."""
    if "x" not in case.inputs:
        return 0.0
    with np.errstate(all="ignore"):
        rows = _Rows(case)
        found = np.abs(rows.mean) / np.sqrt(rows.var + rows.epsilon)
    return float(np.max(found[np.isfinite(found)], initial=0.0))


def predictions(case: Case, output: str) -> list[Predicted]:
    """What each hypothesis answers for an output of a case, not rounded to storage."""
    if "x" not in case.inputs:
        return []
    with np.errstate(all="ignore"):
        rows = _Rows(case)
        if output == "variance":
            return list(_variances(rows, case.correction))
        if output == "dx":
            return list(_gradients(rows)) if rows.n > 1 else []
        return list(_outputs(rows, FORMATS[case.dtype])) if output == "y" else []
