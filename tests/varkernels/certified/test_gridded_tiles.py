"""Columns and short rows on a grid: the bound holds, no constant can be loosened, and answers are those of integers."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from varkernels.certified import gridded, terms
from varkernels.certified import gridded_tiles as tiles
from varkernels.certified.first import Asked, certified_rows, kernel
from varkernels.certified.rates import families
from varkernels.exact.table import exact_table
from varkernels.formats import FLOAT64
from varkernels.jit import fresh_njit
from varkernels.simd import LANES

Floats = NDArray[np.float64]
KINDS = ["gridded-columns", "gridded-short"]


# The bound ------------------------------------------------------------------------------------------------------------


@cache
def summed(kind: str) -> Any:
    """The sums of one tile of eight rows, (outer, inner, 8) or (segments, 8, length): (sums, merges, G, G of s)."""
    grids, growths = tiles.tile_grids, tiles.tile_growths
    columns, rows, empty = tiles.cut_columns, tiles.cut_rows, tiles.empty
    by_columns = kind == "gridded-columns"

    def sums_of(block, means, squares, n, careful, exact, farthest):  # type: ignore[no-untyped-def]
        sums, others = np.zeros((9, 2 * LANES)), np.zeros((5, 2 * LANES))
        growth, of_mean = np.empty(LANES), np.empty(LANES)
        sums[0, :LANES], sums[1, :LANES] = means, squares
        grids(sums, LANES, n, farthest)
        if by_columns:
            merges = columns(block, 0, LANES, careful, empty(block), sums, others, exact)
        else:
            merges = rows(block, 0, LANES, 0, careful, empty(block), sums, others, exact)
        growths(sums, others, LANES, n, merges, growth, of_mean)
        return others, merges, growth, of_mean

    return fresh_njit(sums_of)


@cache
def grown() -> Any:
    """The bounds of sums on a grid."""
    return fresh_njit(gridded.grid_growth)


def excess(
    rows: Floats,
    mean: float,
    kind: str,
    *,
    careful: bool = False,
    exact: float = gridded.EXACT,
    farthest: float = gridded.FARTHEST,
    share: float = 1.0,
    grid: float = 1.0,
) -> float:
    """The largest error of s or q of eight rows of n values, relative to their bounds with that share of STEPS; NaN
    where a row is left undecided. Unless the mean is too large for it, the grid is that power of two."""
    n = rows.shape[1]
    block = np.ascontiguousarray(rows.T)[np.newaxis] if kind == "gridded-columns" else rows[np.newaxis]
    factor = min(n, tiles.DEEPEST) / min(n, 8)
    squares = np.full(LANES, grid * grid * 2.0**48 / factor)
    found, merges, _, _ = summed(kind)(block, np.full(LANES, mean), squares, n, careful, exact, farthest)
    if np.isnan(found[3, :LANES]).any():
        return math.nan
    worst = 0.0
    for j, row in enumerate(rows.tolist()):
        c = Fraction(found[0, j])
        d = [Fraction(value) - c for value in row]
        s, q = sum(d, Fraction(0)), sum((value * value for value in d), Fraction(0))
        growth, with_care = grown()(n * grid * grid, float(q), 2 * merges, share * tiles.STEPS)
        linear = Fraction(found[1, j]) + Fraction(found[2, j]) - s
        some = Fraction(found[3, j]) + Fraction(found[4, j]) - q
        root = math.sqrt(linear * linear / (n * q))
        worst = max(worst, root / (with_care if careful else growth), float(abs(some / q)) / growth)
    return worst


def small_parts(n: int) -> Floats:
    """Rows of equal values just below half a grid step from it, so that all roundings of their sums go one way."""
    rng = np.random.default_rng(1)
    values = [rng.integers(2**18, 2**20) + 0.5 - rng.uniform(2.0**-30, 2.0**-4) for _ in range(LANES)]
    return np.repeat(np.array(values)[:, np.newaxis], n, axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [tiles.DEEPEST, 3 * tiles.DEEPEST + 5])
def test_the_bound_holds_and_a_sixth_of_the_roundings_is_too_little(kind: str, n: int) -> None:
    assert excess(small_parts(n), 0.0, kind) <= 1.0
    assert excess(small_parts(n), 0.0, kind, share=1.0 / 6.0) > 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_of_a_mean_holds_and_needs_the_care(kind: str) -> None:
    """Every other value is less than half a grid step, with bits that a sum without care loses."""
    rows = np.full((LANES, 2 * tiles.DEEPEST + 100), 2.0**15)
    rows[:, ::2] = np.random.default_rng(6).uniform(0.1, 0.4, rows[:, ::2].shape)
    assert excess(rows, 0.0, kind, careful=True) <= 1.0
    block = np.ascontiguousarray(rows.T)[np.newaxis] if kind == "gridded-columns" else rows[np.newaxis]
    squares = np.full(LANES, 2.0**48 / (tiles.DEEPEST / 8))
    constants = (gridded.EXACT, gridded.FARTHEST)
    sums, _, _, of_mean = summed(kind)(block, np.zeros(LANES), squares, rows.shape[1], False, *constants)
    for j, row in enumerate(rows.tolist()):
        exact = sum((Fraction(value) for value in row), Fraction(0))
        bound = of_mean[j] * math.sqrt(rows.shape[1] * sums[3, j])
        assert abs(Fraction(sums[1, j]) + Fraction(sums[2, j]) - exact) > 100.0 * bound


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_limit_of_the_exact_squares_is_too_much(kind: str) -> None:
    """Odd squares in one lane, whose sum goes beyond 2^53: from there on each addition rounds down."""
    value = 2.0**22.3 // 4.0 * 4.0 + 1.0
    rows = np.full((LANES, tiles.DEEPEST), value)
    assert 2**53 < tiles.DEEPEST * int(value) ** 2 < 2**54
    assert math.isnan(excess(rows, 0.0, kind))
    assert excess(rows, 0.0, kind, grid=2.0) <= 1.0
    assert excess(rows, 0.0, kind, exact=2.0**54) > 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_limit_of_the_shift_is_too_much(kind: str) -> None:
    """x + M lies where float64 numbers are half a grid step apart: squares of odd halves have a sum that rounds."""
    c = -1.5 * 2.0**51
    rows = np.full((LANES, tiles.DEEPEST), c) + (2.0**21.8 // 1.0 + 0.5)
    assert excess(rows, c, kind, grid=4.0) <= 1.0
    assert excess(rows, c, kind, farthest=2.0**52) > 1.0


# Answers --------------------------------------------------------------------------------------------------------------


def changing(rng: np.random.Generator, rows: int, n: int) -> Floats:
    """Rows whose scale or place changes on the way, so that a few values do not tell which grid suits them."""
    z = rng.standard_normal((rows, n))
    along = np.arange(n) / n
    some = [
        z * 2.0 ** (along * rng.integers(-90, 90)),
        np.where(rng.random((rows, n)) < 0.01, 10.0 ** float(rng.integers(0, 160)), z),
        np.cumsum(z, axis=1),
        np.maximum(z, 0.0),
        np.sort(np.exp(float(rng.integers(1, 9)) * z), axis=1),
        z * 1e-3 + np.where(np.arange(n) < n // 3, 0.0, 10.0 ** float(rng.integers(0, 12))),
        # Halfway between two grid points, and one ulp beside it.
        rng.integers(-(2**20), 2**20, (rows, n)) + 0.5 * (1.0 + 2.0**-52 * rng.integers(-1, 2, (rows, n))),
    ]
    return np.concatenate(some)


def compare(rows: Floats, ratio: tuple[int, int], kind: str, segments: int) -> tuple[int, int]:
    """How many rows of one length are decided by the kernel alone, all of them rightly, and how many there are."""
    asked = Asked(("mean", "var", "std"), ratio, FLOAT64)
    count, n = rows.shape
    if n <= asked.correction:
        return 0, 0
    segments = 1 if n % segments else segments  # a family has an even number of values
    parts = rows.reshape(count, segments, n // segments)
    order = (1, 2, 0) if kind == "gridded-columns" else (1, 0, 2)
    view = np.ascontiguousarray(parts.transpose(order))[np.newaxis]
    out = np.empty((3, count))
    left, _ = kernel(kind, "float64")(view, *asked.divisor(n), asked.bits, asked.code, out)
    assert left >= np.isnan(out).any(axis=0).sum()
    table, notes = exact_table(rows[np.newaxis, np.newaxis]), set[str]()
    exact = (table.means(FLOAT64, notes), table.variances(ratio, FLOAT64, notes), table.stds(ratio, FLOAT64, notes))
    for found, right in zip(out, exact, strict=True):
        wrong = ~np.isnan(found) & ((found != right) | (np.signbit(found) != np.signbit(right)))
        assert not wrong.any(), (rows.shape, ratio, found[wrong], right[wrong])
    return int((~np.isnan(out).any(axis=0)).sum()), count


def check(seed: int, cases: int, kind: str) -> int:
    """Rows of every family and of random lengths; how many rows they are."""
    rng, compared = np.random.default_rng(seed), 0
    for _ in range(cases):
        segments = int(rng.choice([1, 1, 3, 40]))
        n = segments * (int(rng.choice([rng.integers(2, 80), rng.integers(80, 1200)])) // segments + 1)
        ratio = ((0, 1), (1, 1), (1, 3))[int(rng.integers(3))]
        for _, rows in families(rng, int(rng.integers(8, 40)), n):
            compared += compare(rows, ratio, kind, segments)[1]
        compared += compare(changing(rng, int(rng.integers(2, 40)), n), ratio, kind, segments)[1]
    return compared


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_is_wrong(kind: str) -> None:
    assert check(0, 12, kind) > 4000


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_answer_of_many_is_wrong(seed: int, kind: str) -> None:
    assert check(seed, 300, kind) > 100_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [64, 1000])
def test_most_rows_are_decided(kind: str, n: int) -> None:
    """Variances all but one in a hundred, with means of several sizes."""
    z = np.random.default_rng(4).standard_normal((400, n))
    asked = Asked(("var",), (1, 1), FLOAT64)
    for rows in (z, z + 1.0, z + 1e3, z + 1e8, np.cumsum(z, axis=1)):
        view = np.ascontiguousarray(rows.T)[np.newaxis, np.newaxis] if kind == "gridded-columns" else rows[None, None]
        left, _ = kernel(kind, "float64")(view, *asked.divisor(n), asked.bits, asked.code, np.empty((1, 400)))
        assert left <= 0.02 * 400


@pytest.mark.parametrize("n", [terms.CUT, 300, terms.LONGEST + 9])
@pytest.mark.parametrize("by_columns", [True, False])
def test_rows_of_every_length_have_the_answers_of_integers(n: int, by_columns: bool) -> None:
    """Also where a row has values that are not finite, is constant, or is too long to be gathered."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((19, n)) + 10.0 ** rng.integers(0, 14, (19, 1))
    rows[3], rows[4, -1], rows[5, n // 2], rows[6] = 0.1, np.inf, np.nan, rows[6] * 1e-150
    rows[7, n // 2 :] *= 1e30
    table = exact_table(rows[np.newaxis, np.newaxis])
    right = (table.means(FLOAT64, set()), table.variances((1, 1), FLOAT64, set()))
    held = np.asfortranarray(rows) if by_columns else rows
    found = certified_rows(held[np.newaxis, np.newaxis], None, FLOAT64, Asked(("mean", "var"), (1, 1), FLOAT64), set())
    assert found is not None
    for some, exact in zip(found[0], right, strict=True):
        np.testing.assert_array_equal(some, exact)
