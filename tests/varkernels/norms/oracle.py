"""Norms by rational numbers and mpmath, value by value: nothing here is taken from the package but the formats."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format

__all__ = ["DIGITS", "Answer", "Gradients", "gradients", "is_nearest", "outputs", "rows_of"]

DIGITS = 80


class Answer(NamedTuple):
    """b + a / sqrt(v)."""

    a: Fraction
    v: Fraction
    b: Fraction

    def number(self) -> Any:
        with mpmath.workdps(DIGITS):
            a, v, b = (mpmath.mpf(each.numerator) / each.denominator for each in self)
            return b + a / mpmath.sqrt(v)

    def above(self, value: Fraction) -> int:
        """The sign of what the answer is above a value: by squares."""
        rest = value - self.b
        left, right = self.a * abs(self.a), rest * abs(rest) * self.v
        return (left > right) - (left < right)


def _steps(value: Any, fmt: Format) -> tuple[Fraction, Fraction]:
    """The points halfway to the neighbours of a number of a format; beyond the largest as if exponents had no end."""
    if np.isinf(value):
        edge = fmt.largest + Fraction(2) ** (fmt.emax - fmt.precision)
        return (edge, edge * 4) if value > 0 else (-edge * 4, -edge)
    exact = Fraction(float(value))
    found = []
    for towards in (-np.inf, np.inf):
        near = np.nextafter(np.asarray(value), np.asarray(towards, fmt.dtype))
        end = exact + (1 if towards > 0 else -1) * Fraction(2) ** (fmt.emax - fmt.precision + 1)
        found.append((exact + (Fraction(float(near)) if np.isfinite(near) else end)) / 2)
    return found[0], found[1]


def is_nearest(value: Any, answer: Answer, fmt: Format) -> bool:
    """Whether a number of a format is the nearest to an answer, ties to even."""
    low, high = _steps(value, fmt)
    below, above = answer.above(low), answer.above(high)
    if below > 0 and above < 0:
        return True
    if np.isinf(value):
        return (below >= 0) if value > 0 else (above <= 0)
    bits = int(np.asarray(value).reshape(1).view(f"u{fmt.dtype.itemsize}")[0])
    return (below == 0 or above == 0) and bits & 1 == 0


def rows_of(norm: str, shape: tuple[int, ...], groups: int = 2) -> list[list[int]]:
    """The places of each row's values in a flat array with the channels as the second axis."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    if norm == "batch":
        parts: Iterable[NDArray[Any]] = np.moveaxis(places, 1, 0)
    elif norm in ("layer", "rms"):
        parts = places
    else:
        cut = groups if norm == "group" else shape[1]
        parts = places.reshape(shape[0] * cut, -1)
    return [part.ravel().tolist() for part in parts]


def parameter_of(norm: str, shape: tuple[int, ...]) -> list[int]:
    """The place of each value's parameter."""
    if norm in ("layer", "rms"):
        places = np.arange(int(np.prod(shape[1:]))).reshape(1, *shape[1:])
    else:
        places = np.arange(shape[1]).reshape(1, shape[1], *(1,) * (len(shape) - 2))
    return np.broadcast_to(places, shape).ravel().tolist()


def exact(values: Any) -> list[Fraction]:
    return [Fraction(float(each)) for each in np.asarray(values).ravel()]


def _statistics(x: list[Fraction], row: list[int], norm: str, epsilon: Fraction) -> tuple[Fraction, Fraction]:
    mean = sum((x[k] for k in row), Fraction(0)) / len(row) if norm != "rms" else Fraction(0)
    return mean, sum(((x[k] - mean) ** 2 for k in row), Fraction(0)) / len(row) + epsilon


def outputs(x: Any, norm: str, weight: Any, bias: Any, epsilon: Fraction, groups: int = 2) -> list[Answer | None]:
    """Each output; None where v is 0."""
    values, place = exact(x), parameter_of(norm, x.shape)
    w, b = (exact(each) if each is not None else None for each in (weight, bias))
    found: list[Answer | None] = [None] * len(values)
    for row in rows_of(norm, x.shape, groups):
        mean, v = _statistics(values, row, norm, epsilon)
        for k in row if v else ():
            scale, shift = w[place[k]] if w else Fraction(1), b[place[k]] if b else Fraction(0)
            found[k] = Answer(scale * (values[k] - mean), v, shift)
    return found


class Gradients(NamedTuple):
    dx: list[Answer]
    dweight: list[Any]
    terms: list[Any]
    dbias: list[Fraction]


def gradients(x: Any, dy: Any, norm: str, weight: Any, epsilon: Fraction, groups: int = 2) -> Gradients:
    """dx as answers; dweight and the absolute values of its terms, added, by mpmath; dbias as rational numbers."""
    values, given, place = exact(x), exact(dy), parameter_of(norm, x.shape)
    w = exact(weight) if weight is not None else None
    g = [each * (w[place[k]] if w else 1) for k, each in enumerate(given)]
    dx: list[Any] = [None] * len(values)
    count = max(place) + 1
    with mpmath.workdps(DIGITS):
        dweight, terms, dbias = [mpmath.mpf(0)] * count, [mpmath.mpf(0)] * count, [Fraction(0)] * count
        for row in rows_of(norm, x.shape, groups):
            mean, v = _statistics(values, row, norm, epsilon)
            middle = sum(g[k] for k in row) / len(row) if norm != "rms" else Fraction(0)
            crossed = sum(g[k] * (values[k] - mean) for k in row) / len(row) / v
            for k in row:
                d = values[k] - mean
                dx[k] = Answer(g[k] - middle - d * crossed, v, Fraction(0))
                term = Answer(given[k] * d, v, Fraction(0)).number()
                dweight[place[k]] += term
                terms[place[k]] += abs(term)
                dbias[place[k]] += given[k]
    return Gradients(dx, dweight, terms, dbias)
