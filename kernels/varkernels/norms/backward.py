"""The exact gradients of a normalisation layer.

With d = x - mean, r = 1 / sqrt(v), h = d r, g = w dy, and means over the n values of a row,

    dx = r (g - mean(g) - h mean(g h)) = r (g - mean(g) - d K),    K = (sum(g x) - mean sum(g)) / (n v),
    dweight = sum(dy h),    dbias = sum(dy)

RMS norm has d = x and no mean(g); with given statistics dx = r g. K is rational, from exact sums. In pairs, with
u = 2^-53, the difference g - mean(g) errs by 8 u^2 (|g - mean(g)| + |rest of mean(g)|), t = d K by 14 u^2 |t| +
3 u^2 |K rest|, the bracket z by another 3 u^2 |z|, and the product with r by 11 u^2 |r z|. So dx errs by at most

    2^-100 |r| (|g - mean(g)| + |rest of mean(g)| + |t| + |K rest| + |z|),

and is rounded like an output (`forward`). A term dy h of dweight errs by 20 u^2 of it and 3 u^2 |dy r rest|, and the
terms are added exactly: dweight errs by at most 2^-100 sum |dy| (|h| + |r rest|). dbias is the exact sum, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arithmetic import in_default_arithmetic
from ..formats import Format
from ..stats.inputs import array_of, result_format
from .answers import ExactArray, Filled
from .forward import BLOCK, Layer, layer_of, number_at
from .geometry import blocks, cut
from .pairs import LOWEST, SAFE, Floats, Pair, expansion, plus, product, safe, scaled, times
from .settling import approximate
from .summing import Leftover, total_arrays, totals

__all__ = ["NormGradients", "norm_backward"]


@dataclass(frozen=True, eq=False)
class NormGradients:
    """The gradients of sum(y dy).

    Attributes
    ----------
    dx : of the input, each correctly rounded. dweight : of the weight; high + low errs by less than 2^-99 of the sum of
        the terms' absolute values. dbias : of the bias, each correctly rounded.
    """

    dx: ExactArray
    dweight: ExactArray
    dbias: ExactArray


@dataclass(frozen=True)
class _Correction:
    """What dx has of the whole row: mean(g) as centre + rest, and K as a pair; and both exact, row by row.

    `known` : where there are such numbers. `safe` : where the pairs have them with small relative errors.
    """

    centre: Floats
    rest: Pair
    k: Pair
    known: Any
    safe: Any
    mean: list[Fraction | None]
    factor: list[Fraction | None]


class _Backward:
    """A layer and the gradient of its output."""

    def __init__(self, layer: Layer, dy: Any) -> None:
        self.layer, self.dy = layer, dy
        self.narrow = layer.narrow and dy.dtype.itemsize <= 4
        self.kept = layer.geometry.kept

    def gradient_out(self, piece: tuple[slice, ...]) -> Floats:
        found: Floats = self.dy[piece].astype(np.float64)
        return found

    def weighted(self, piece: tuple[slice, ...]) -> Pair:
        """g, exact where it is safe."""
        dy, w = self.gradient_out(piece), self.layer.weight
        return (dy, np.zeros(1)) if w is None else product(dy, np.broadcast_to(cut(w, piece), dy.shape))

    def middle(self, piece: tuple[slice, ...]) -> Any:
        """Where all products of a value, its weight and its gradient have exact errors."""
        given = [self.layer.values(piece), self.gradient_out(piece)]
        given += [] if self.layer.weight is None else [cut(self.layer.weight, piece)]
        able: Any = np.True_
        for size in map(np.abs, given):
            able = able & ((size == 0) | ((size >= 2.0**-280) & (size <= 2.0**280)))
        return able

    def g(self, at: tuple[int, ...]) -> Fraction:
        return number_at(self.layer.weight, at, 1) * number_at(self.dy, at)

    def _apart(
        self, piece: tuple[slice, ...], parts: list[Floats], able: Any, exact: Callable[[tuple[int, ...]], Fraction]
    ) -> tuple[list[Floats], Leftover]:
        """Terms without those that are finite and not safe, which are left over exact."""
        if able is None:
            return parts, []
        away = ~np.broadcast_to(able, parts[0].shape) & np.isfinite(self.layer.values(piece))
        away &= np.isfinite(self.gradient_out(piece)) & np.broadcast_to(cut(self.layer.rows.known, piece), away.shape)
        if self.layer.weight is not None:
            away &= np.isfinite(cut(self.layer.weight, piece))
        if not away.any():
            return parts, []
        begins = [part.start or 0 for part in piece]
        places = [tuple(k + b for k, b in zip(p, begins, strict=True)) for p in np.argwhere(away).tolist()]
        return [np.where(away, 0.0, part) for part in parts], [(at, exact(at)) for at in places]

    def sums_of_g(self, piece: tuple[slice, ...]) -> tuple[list[Floats], Leftover]:
        g = self.weighted(piece)
        parts = [each for each in g if each.shape == g[0].shape]
        return self._apart(piece, parts, None if self.narrow else self.middle(piece), self.g)

    def sums_of_gx(self, piece: tuple[slice, ...]) -> tuple[list[Floats], Leftover]:
        x, dy, w = self.layer.values(piece), self.gradient_out(piece), self.layer.weight
        if self.narrow:  # 48 bits
            return ([x * dy] if w is None else list(product(x * dy, np.broadcast_to(cut(w, piece), x.shape)))), []
        g = self.weighted(piece)
        parts = [*product(g[0], x), *product(g[1], x)]
        return self._apart(piece, parts, self.middle(piece), lambda at: self.g(at) * number_at(self.layer.x, at))

    def sums_of_dbias(self, piece: tuple[slice, ...]) -> tuple[list[Floats], Leftover]:
        return [self.gradient_out(piece)], []

    def sums_of_dweight(self, piece: tuple[slice, ...]) -> tuple[list[Floats], Leftover]:
        rows, dy = self.layer.rows, self.gradient_out(piece)
        d = rows.deviations(self.layer.values(piece), piece)
        r = (cut(rows.r[0], piece), cut(rows.r[1], piece))
        h = times(d, r)
        parts = list(scaled(h, dy))
        able = cut(rows.safe, piece) & safe(d[0]) & safe(h[0]) & safe(dy)

        def exact(at: tuple[int, ...]) -> Fraction:
            return approximate(number_at(self.dy, at) * self.layer.deviation(at), rows.v(self.layer.row(at)))

        plain = self.narrow and bool(cut(rows.safe | ~rows.known, piece).all())
        return self._apart(piece, parts, None if plain else able, exact)

    def correction(self) -> _Correction:
        """The sums over rows that dx needs."""
        rows, geometry = self.layer.rows, self.layer.geometry
        centred, n = geometry.norm != "rms", rows.count
        size = rows.known.size
        sums = totals(geometry.shape, geometry.axes, self.sums_of_g) if centred else [Fraction(0)] * size
        products = totals(geometry.shape, geometry.axes, self.sums_of_gx)
        means: list[Fraction | None] = [None] * size
        factors: list[Fraction | None] = [None] * size
        table = np.full((size, 5), np.nan)
        for k, able in enumerate(rows.known.ravel().tolist()):
            total, crossed = sums[k], products[k]
            if able and total is not None and crossed is not None:
                means[k] = mean = total / n
                factors[k] = factor = (crossed - rows.mean(k) * total) / (n * rows.v(k))
                table[k] = (*_expansion(mean, 3), *_expansion(factor, 2))
        columns = [np.ascontiguousarray(each).reshape(self.kept) for each in table.T]
        known = np.array([each is not None for each in factors], dtype=np.bool_).reshape(self.kept)
        sure = rows.safe & safe(columns[3]) & (np.abs(columns[0]) <= SAFE)
        sure &= np.isfinite(columns[2]) & np.isfinite(columns[4])
        return _Correction(columns[0], (columns[1], columns[2]), (columns[3], columns[4]), known, sure, means, factors)


def _expansion(value: Fraction, terms: int) -> list[float]:
    return expansion(value.numerator, value.denominator, 0, terms, LOWEST)


def _input_gradient(back: _Backward, fmt: Format, trained: bool) -> ExactArray:
    layer = back.layer
    rows, centred = layer.rows, trained and layer.geometry.norm != "rms"
    row = back.correction() if trained else None

    def exact(at: tuple[int, ...]) -> tuple[Fraction, Fraction, Fraction]:
        k, a = layer.row(at), back.g(at)
        if row is not None:
            a -= (row.mean[k] or 0) + layer.deviation(at) * (row.factor[k] or 0)
        return a, rows.v(k), Fraction(0)

    filled = Filled(layer.geometry.shape, fmt, exact)
    known = rows.known if row is None else row.known
    if layer.weight is not None:
        known = known & np.isfinite(layer.weight)
    for piece in blocks(layer.geometry.shape, BLOCK):
        r = (cut(rows.r[0], piece), cut(rows.r[1], piece))
        z = back.weighted(piece)
        able: Any = cut(rows.safe if row is None else row.safe, piece)
        if not back.narrow:
            able = able & safe(back.gradient_out(piece)) & safe(z[0])
            able = able if layer.weight is None else able & safe(cut(layer.weight, piece))
        terms = np.zeros(1)
        if row is not None:
            if centred:
                rest = (cut(row.rest[0], piece), cut(row.rest[1], piece))
                z = plus(plus(z, (-cut(row.centre, piece), np.zeros(1))), (-rest[0], -rest[1]))
                terms = np.abs(z[0]) + np.abs(rest[0])
            d = rows.deviations(layer.values(piece), piece)
            k = (cut(row.k[0], piece), cut(row.k[1], piece))
            t = times(d, k)
            terms = terms + np.abs(t[0]) + np.abs(k[0] * cut(rows.rest[0], piece))
            z = plus(z, (-t[0], -t[1]))
            if not back.narrow:
                able = able & safe(d[0]) & safe(t[0])
        terms = np.abs(r[0]) * (terms + np.abs(z[0]))
        if not back.narrow:
            able = able & safe(z[0])
        good = cut(known, piece) & np.isfinite(back.gradient_out(piece))
        filled.put(piece, times(z, r), terms, good, able)
    return filled.answer


@in_default_arithmetic
def norm_backward(
    x: Any,
    dy: Any,
    norm: str = "layer",
    *,
    layout: str | None = None,
    groups: int = 32,
    weight: Any = None,
    epsilon: Any = 1e-5,
    mean: Any = None,
    variance: Any = None,
    dtype: Any = None,
) -> NormGradients:
    """The exact gradients of sum(y dy) for the output y of `norm_forward`.

    Parameters
    ----------
    x, norm, layout, groups, weight, epsilon, mean, variance : as for `norm_forward`. With mean and variance the
        gradients are those of evaluation: the statistics do not depend on x.
    dy : the gradient of the output, in x's shape, in one of the four formats.
    dtype : of the rounded gradients; x's own by default.

    Returns
    -------
    `NormGradients`, with .dx, .dweight and .dbias; the last two have the shape (C,), or x.shape[1:] for layer and RMS
    norm, whether there is a weight or not. NaN where no exact gradient exists.

    Raises
    ------
    TypeError, ValueError
        As for `norm_forward`; or dy has another shape.

    Examples
    --------
    >>> import numpy as np, varstudy
    >>> x = np.array([[1.0, 2, 4], [8, 8, 9]], np.float32)
    >>> found = varstudy.norm_backward(x, np.ones((2, 3), np.float32), "layer")
    >>> found.dbias.rounded, found.dx.rounded[0]
    (array([2., 2., 2.], dtype=float32), array([0., 0., 0.], dtype=float32))
    """
    layer = layer_of(x, norm, layout, groups, epsilon, mean, variance, weight=weight)
    fmt, shape = result_format(layer.x.dtype, dtype), array_of(x).shape
    given = array_of(dy)
    if given.shape != shape:
        raise ValueError(f"dy has the shape {given.shape}, and x {shape}: give the gradient of the output")
    if given.dtype.kind in "biu":
        given = given.astype(np.float64)
    back = _Backward(layer, given.reshape(layer.geometry.shape))
    geometry = layer.geometry
    with np.errstate(all="ignore"):
        dx = _input_gradient(back, fmt, mean is None)
        others = [
            total_arrays(totals(geometry.shape, geometry.shared, each), geometry.given, fmt)
            for each in (back.sums_of_dweight, back.sums_of_dbias)
        ]
    return NormGradients(dx.reshape(shape), *others)
