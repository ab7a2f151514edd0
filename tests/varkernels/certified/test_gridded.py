"""Rows cut on a grid: the bound holds, none of its constants can be loosened, and every answer is that of integers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from varkernels.certified import gridded, terms
from varkernels.certified.first import Asked, certified_rows, kernel
from varkernels.certified.rates import families
from varkernels.exact.table import exact_table
from varkernels.formats import FLOAT64
from varkernels.jit import fresh_njit
from varkernels.simd import LANES
from varkernels.threads import WORTHWHILE, set_threads

Floats = NDArray[np.float64]
BLOCK = terms.BLOCK


# The bound ------------------------------------------------------------------------------------------------------------


@cache
def compiled(name: str, **constants: float) -> Any:
    """A function of `gridded` with other constants."""
    function = getattr(gridded, name)
    return fresh_njit(FunctionType(function.__code__, function.__globals__ | constants, name))


def excess(
    x: Floats, c: float, g: float, steps: float = gridded.STEPS, *, careful: bool = False, **constants: float
) -> tuple[float, float]:
    """The errors of s and q relative to their bounds, that of s with care where it is `careful`; NaN where the row is
    left undecided."""
    sums = np.empty((5, 1))
    area, merges = compiled("cut_sums", **constants)(x.reshape(1, 1, -1), 0, c, g, careful, sums)
    if np.isnan(area):
        return np.nan, np.nan
    d = [Fraction(value) - Fraction(c) for value in x.tolist()]
    s, q = sum(d, Fraction(0)), sum((value * value for value in d), Fraction(0))
    growth, with_care = compiled("grid_growth")(area, float(q), merges, steps)
    linear = Fraction(sums[1, 0]) + Fraction(sums[2, 0]) - s
    squares = Fraction(sums[3, 0]) + Fraction(sums[4, 0]) - q
    return math.sqrt(linear * linear / (len(d) * q)) / (with_care if careful else growth), abs(squares / q) / growth


def small_parts() -> Iterator[Floats]:
    """Blocks of equal values just below half a grid step from it, so that all roundings of their sums go one way."""
    rng = np.random.default_rng(1)
    for _ in range(15):
        yield np.full(BLOCK, float(rng.integers(2**18, 2**20)) + 0.5 - float(rng.uniform(2.0**-30, 2.0**-4)))


def test_the_bound_holds_and_a_sixth_of_the_roundings_is_too_little() -> None:
    cases = list(small_parts())
    assert max(max(excess(x, 0.0, 1.0)) for x in cases) <= 1.0
    assert max(max(excess(x, 0.0, 1.0, gridded.STEPS / 6.0)) for x in cases) > 1.0


def test_the_bound_of_a_mean_holds_and_needs_the_care() -> None:
    """Every other value is less than half a grid step, with bits that a sum without care loses."""
    x = np.full(BLOCK + 100, 2.0**15)
    x[::2] = np.random.default_rng(6).uniform(0.1, 0.4, len(x) // 2)
    plain, careful = np.empty((5, 1)), np.empty((5, 1))
    area, merges = compiled("cut_sums")(x.reshape(1, 1, -1), 0, 0.0, 1.0, False, plain)
    assert compiled("cut_sums")(x.reshape(1, 1, -1), 0, 0.0, 1.0, True, careful) == (area, merges)
    exact = sum((Fraction(value) for value in x.tolist()), Fraction(0))
    bound = compiled("grid_growth")(area, plain[3, 0], merges, gridded.STEPS)[1] * math.sqrt(len(x) * plain[3, 0])
    assert abs(Fraction(careful[1, 0]) + Fraction(careful[2, 0]) - exact) <= bound
    assert abs(Fraction(plain[1, 0]) + Fraction(plain[2, 0]) - exact) > 1000.0 * bound


def test_twice_the_limit_of_the_exact_squares_is_too_much() -> None:
    """Odd squares in one lane, whose sum goes beyond 2^53: from there on each addition rounds down."""
    x = np.zeros(BLOCK)
    x[: BLOCK // 2 : LANES] = 2.0**22.9 // 4.0 * 4.0 + 1.0
    squares = sum(int(value) ** 2 for value in x)
    assert 2**53 < squares < 2**54
    assert max(excess(x, 0.0, 2.0)) <= 1.0
    assert max(excess(x, 0.0, 1.0)) <= 1.0  # summed again on a coarser grid
    assert max(excess(x, 0.0, 1.0, EXACT=2.0**54)) > 1.0


def test_four_times_the_limit_of_the_shift_is_too_much() -> None:
    """x + M lies where float64 numbers are half a grid step apart: squares of odd halves have a sum that rounds."""
    c = -1.5 * 2.0**51
    x = np.full(BLOCK, c)
    x[: BLOCK // 2 : LANES] += 2.0**21.8 // 1.0 + 0.5
    assert np.isnan(excess(x, c, 1.0)).all()
    assert max(excess(x, c, 4.0)) <= 1.0
    assert max(excess(x, c, 1.0, FARTHEST=2.0**52)) > 1.0


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("power", [-700, -481, -470, 0, 400, 430])
def test_sums_of_any_scale_hold_or_are_left_undecided(power: int, careful: bool) -> None:
    rng = np.random.default_rng(3)
    x = np.ldexp(np.concatenate([rng.standard_normal(BLOCK + 5), 1e-9 * rng.standard_normal(99)]), power)
    found = excess(x, 0.0, 2.0 ** (power - 20) if power > -460 else 2.0**-480, careful=careful)
    assert max(found) <= 1.0 or (np.isnan(found).all() and not -480 < power < 430)


# Answers --------------------------------------------------------------------------------------------------------------


def changing(rng: np.random.Generator, n: int) -> Iterator[Floats]:
    """Rows whose scale or place changes on the way, so that one block's grid does not suit the next."""
    z = rng.standard_normal(n)
    along = np.arange(n) / n
    yield z * 2.0 ** (along * float(rng.integers(-90, 90)))
    yield z * np.where(np.arange(n) // BLOCK % 2 == 1, 1.0, 10.0 ** float(rng.integers(-12, 12)))
    yield np.concatenate([np.zeros(n // 3), z[n // 3 :] + 10.0 ** float(rng.integers(0, 12))])
    yield np.concatenate([z[: n // 2], z[n // 2 :] * 10.0 ** float(rng.integers(-200, 200))])
    yield np.where(rng.random(n) < 0.001, 10.0 ** float(rng.integers(0, 160)), z)
    yield np.cumsum(z)
    yield np.sort(np.exp(float(rng.integers(1, 9)) * z))
    # Halfway between two grid points, and one ulp beside it.
    yield rng.integers(-(2**20), 2**20, n) + 0.5 * (1.0 + 2.0**-52 * rng.integers(-1, 2, n))


def tie(rng: np.random.Generator, n: int) -> Floats:
    """Values 0 and `gap` whose population variance has 54 bits, for n a power of two: halfway between two float64; in
    half of the cases, one value is a little off."""
    many = int(rng.integers(1, n // 2)) | 1
    top = many * (n - many)
    low = int(np.ceil(np.sqrt(2**53 / top)))
    for gap in range(low + low % 2 + 1, 2 * low + 50, 2):
        if (gap * gap * top).bit_length() == 54:
            break
    x = np.where(rng.permutation(n) < many, float(gap), 0.0)
    if rng.random() < 0.5:
        x[int(rng.integers(n))] += float(rng.choice([-1.0, 1.0])) * 2.0 ** -float(rng.integers(1, 60))
    return x


def compare(rows: Floats, ratio: tuple[int, int]) -> tuple[int, int]:
    """How many rows of one length are decided by the kernel alone, all of them rightly, and how many there are."""
    asked = Asked(("mean", "var", "std"), ratio, FLOAT64)
    view = rows[np.newaxis, np.newaxis]
    if rows.shape[1] <= asked.correction:
        return 0, 0
    out = np.empty((3, len(rows)))
    left, _ = kernel("gridded", "float64")(view, *asked.divisor(rows.shape[1]), asked.bits, asked.code, out)
    assert left == np.isnan(out).any(axis=0).sum()
    table, notes = exact_table(view), set[str]()
    exact = (table.means(FLOAT64, notes), table.variances(ratio, FLOAT64, notes), table.stds(ratio, FLOAT64, notes))
    for found, right in zip(out, exact, strict=True):
        wrong = ~np.isnan(found) & ((found != right) | (np.signbit(found) != np.signbit(right)))
        assert not wrong.any(), (rows.shape, ratio, found[wrong], right[wrong])
    return int((~np.isnan(out).any(axis=0)).sum()), len(rows)


def check(seed: int, cases: int) -> int:
    """Rows of every family and of random lengths; how many rows they are."""
    rng, compared = np.random.default_rng(seed), 0
    for _ in range(cases):
        n = int(rng.choice([rng.integers(2, 200), rng.integers(200, 3 * BLOCK), BLOCK * rng.integers(1, 4)]))
        ratio = ((0, 1), (1, 1), (1, 3))[int(rng.integers(3))]
        for _, rows in families(rng, 4, n):
            compared += compare(rows, ratio)[1]
        compared += compare(np.stack(list(changing(rng, n))), ratio)[1]
        some = 2 ** int(rng.integers(4, 14))
        compared += compare(np.stack([tie(rng, some) for _ in range(8)]), (0, 1))[1]
    return compared


def test_no_answer_is_wrong() -> None:
    assert check(0, 30) > 2000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_answer_of_many_is_wrong(seed: int) -> None:
    assert check(seed, 300) > 20_000


def test_most_rows_are_decided() -> None:
    """A mean of 0 or about 0, too."""
    rng = np.random.default_rng(4)
    z = rng.standard_normal((200, 2 * BLOCK))
    for rows in (z, z + 1.0, z + 1e3, z + 1e8, np.concatenate([z, -z[:, ::-1] * (1.0 + 2.0**-30)], axis=1)):
        decided, count = compare(rows, (1, 1))
        assert decided >= 0.97 * count


@pytest.mark.parametrize("wants", [("var",), ("std",), ("var", "std"), ("mean", "var")], ids="_".join)
@pytest.mark.parametrize("shape", [(1, 1, 3, terms.GRIDDED + 21), (2, 3, 2, terms.GRIDDED)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_long_rows_have_the_answers_of_integers(wants: tuple[str, ...], shape: tuple[int, ...], threads: int) -> None:
    """Whether the grid suits a row or not, and where a row has values that are not finite."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(shape) + 10.0 ** rng.integers(0, 14, (shape[0], 1, shape[2], 1))
    x[0, :, 0] = 0.0
    x[0, 0, 1, -1] = np.inf
    x[-1, 0, -1] *= 1e-150
    flat = np.concatenate([x[b].transpose(1, 0, 2).reshape(shape[2], -1) for b in range(shape[0])])
    table, notes = exact_table(flat[np.newaxis, np.newaxis]), set[str]()
    right = {
        "mean": table.means(FLOAT64, notes),
        "var": table.variances((1, 1), FLOAT64, notes),
        "std": table.stds((1, 1), FLOAT64, notes),
    }
    set_threads(threads)
    try:
        found = certified_rows(x, None, FLOAT64, Asked(wants, (1, 1), FLOAT64), set())
    finally:
        set_threads(None)
    assert found is not None
    for row, want in enumerate(wants):
        np.testing.assert_array_equal(found[0][row], right[want], want)


@pytest.mark.parametrize("kind", ["about 0", "kappa 1e12", "zeros", "a NaN", "a part of another scale"])
def test_one_row_in_two_threads_has_the_answers_of_integers(kind: str) -> None:
    n = 2 * WORTHWHILE + 99
    x = np.random.default_rng(7).standard_normal(n)
    if kind == "kappa 1e12":
        x += 1e12
    elif kind == "zeros":
        x[:] = 0.0
    elif kind == "a NaN":
        x[-3] = np.nan
    elif kind == "a part of another scale":
        x[n // 2 :] = x[n // 2 :] * 1e30 + 1e32
    right = exact_table(x.reshape(1, 1, 1, n))
    set_threads(2)
    try:
        found = certified_rows(x.reshape(1, 1, 1, n), None, FLOAT64, Asked(("mean", "var"), (0, 1), FLOAT64), set())
    finally:
        set_threads(None)
    assert found is not None
    np.testing.assert_array_equal(found[0][0], right.means(FLOAT64, set()))
    np.testing.assert_array_equal(found[0][1], right.variances((0, 1), FLOAT64, set()))
