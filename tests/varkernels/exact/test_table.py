"""The compiled rounding of many rows: the same bits, and the same notes, as from integers of any size."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels.exact.rounding_one import mean_of, std_of, variance_of, without_nan
from varkernels.exact.sums import ExactSums, exact_sums, joined
from varkernels.exact.table import SumTable, exact_table
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format

EVERY = list(FORMATS.values())
CORRECTIONS = [(0, 1), (1, 1), (3, 2), (-5, 1), (16, 1), (1, 2**20), (3602879701896397, 2**55)]
KINDS = ["near 0", "near 1000", "any exponent", "many exponents", "subnormal", "special", "constant", "apart"]


def bits(values: NDArray[Any]) -> list[Any]:
    """Bits of values, all NaN alike: -0.0 differs from 0.0."""
    return [None if nan else v.tobytes() for v, nan in zip(values, np.isnan(values.astype(float)), strict=True)]


def rows_of(kind: str, fmt: Format, rows: int, n: int) -> NDArray[Any]:
    rng = np.random.default_rng([KINDS.index(kind), EVERY.index(fmt), n])
    x = rng.standard_normal((rows, n))
    with np.errstate(all="ignore"):
        if kind == "near 1000":
            x += 1000
        elif kind == "any exponent":
            x = np.ldexp(x, rng.integers(fmt.emin - fmt.precision, fmt.emax - 2, (rows, 1)))
        elif kind == "many exponents":
            x = np.ldexp(x, rng.integers(-40, 40, (rows, n)))
        elif kind == "subnormal":
            x = np.round(x * 3) * np.ldexp(1.0, fmt.emin - fmt.precision + 1)
        elif kind == "special":
            x = np.round(x * 9)
            for value in (np.nan, np.inf, -np.inf):
                x[rng.random((rows, n)) < 0.5 / n] = value
        elif kind == "constant":
            x = np.broadcast_to(x[:, :1], (rows, n))
        elif kind == "apart":  # beyond any number of limbs, in every third row
            x[::3, 0], x[::3, -1] = np.ldexp(1.0, fmt.emax), np.ldexp(1.0, fmt.emin)
        return x.astype(fmt.dtype)[np.newaxis]


def same(table: SumTable, sums: list[ExactSums], target: Format, correction: tuple[int, int]) -> None:
    wanted: list[tuple[Callable[..., Any], Callable[[ExactSums, set[str]], float]]] = [
        (table.means, lambda row, notes: mean_of(row, target, notes)),
        (lambda f, notes: table.variances(correction, f, notes), lambda r, k: variance_of(r, correction, target, k)),
        (lambda f, notes: table.stds(correction, f, notes), lambda row, k: std_of(row, correction, target, k)),
        (table.m2s, lambda row, notes: variance_of(row, (row.count - 1, 1), target, notes)),
    ]
    for found, one in wanted:
        notes: set[str] = set()
        expected: set[str] = set()
        answers = found(target, notes)
        assert answers.dtype == target.dtype
        assert bits(answers) == bits(target.rounded([one(row, expected) for row in sums]))
        assert notes == expected


@pytest.mark.parametrize("fmt", EVERY, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_rounded_as_integers_of_any_size_are(kind: str, fmt: Format) -> None:
    for n in (1, 2, 3, 16, 33, 1025):
        x = rows_of(kind, fmt, 60, n)
        table, sums = exact_table(x), exact_sums(x)
        assert list(table) == sums
        for target, correction in itertools.product(EVERY, CORRECTIONS):
            same(table, sums, target, correction)


def test_rows_beyond_the_limbs_are_kept_apart_and_are_right() -> None:
    x = rows_of("apart", FLOAT64, 9, 5)
    table = exact_table(x)
    assert sorted(table.apart) == [0, 3, 6]
    assert table.wide.tolist() == [r % 3 == 0 for r in range(9)]
    # Digits that a wide row leaves behind would be added to the next rows of that many.
    assert list(exact_table(x)) == exact_sums(x) == list(table)


@pytest.mark.parametrize("kind", KINDS)
def test_joined_rows_are_the_exact_sums_of_all(kind: str) -> None:
    x = rows_of(kind, FLOAT64, 40, 7)
    table, sums = exact_table(x), exact_sums(x)
    places = np.random.default_rng(3).integers(0, 40, (25, 9))
    assert list(table.join(places)) == [joined(sums[k] for k in row) for row in places.tolist()]
    assert list(SumTable.together([table, table])) == [joined([row, row]) for row in sums]
    assert list(SumTable.stacked([table, table])) == sums + sums
    assert list(table.without_nan()) == [without_nan(row) for row in sums]
    assert list(SumTable.of(sums)) == sums
    assert table[-1] == sums[-1]
    assert table[3:9:2] == sums[3:9:2]


def test_a_join_across_exponents_that_needs_more_limbs_is_kept_apart() -> None:
    x = np.array([[[1e300, 1e300], [1e-300, 1e-300], [3.0, 4.0]]])
    table = exact_table(x)
    assert not table.apart
    both = table.join(np.array([[0, 1], [1, 2], [0, 2]]))
    assert sorted(both.apart) == [0, 1, 2]
    assert list(both) == [joined(exact_sums(x)[k] for k in row) for row in ((0, 1), (1, 2), (0, 2))]


def test_counts_too_large_for_the_compiled_rounding() -> None:
    table = exact_table(np.array([[[1.0, 2.0, 4.0]]])).counted(np.array([2**40]))
    (row,) = table
    notes: set[str] = set()
    assert table.means(FLOAT64, notes)[0] == 7.0 / 2**40
    assert table.variances((1, 3), FLOAT64, notes)[0] == float(
        Fraction(2**40 * 21 - 49, 2**40) / (2**40 - Fraction(1, 3))
    )
    assert table.variances((2**40, 1), FLOAT64, notes).tobytes() == np.array([np.nan]).tobytes()
    assert row.count == 2**40


def ties(fmt: Format) -> NDArray[np.float64]:
    """Pairs (a, b), not rounded to the format, whose mean or variance is halfway between two numbers of it, or a unit
    in the last place of float64 beside that."""
    unit = 2.0 ** (1 - fmt.precision)
    pairs = []
    for k in (1, 2, 3, 1001):
        middle = 1.0 + (2 * k + 1) * unit / 2
        pairs += [(middle, middle), (np.nextafter(middle, 2), middle), (np.nextafter(middle, 0), middle)]
        pairs += [(-middle, middle), (-middle, np.nextafter(middle, 2)), (-middle, np.nextafter(middle, 0))]
    return np.array(pairs)


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16, FLOAT32], ids=str)
@pytest.mark.parametrize("scale", [0, -200, 200, -10, 12])
def test_ties_and_their_neighbours(fmt: Format, scale: int) -> None:
    x = np.ldexp(ties(fmt), scale)[np.newaxis]
    table, sums = exact_table(x), exact_sums(x)
    for correction in ((0, 1), (1, 1)):
        same(table, sums, fmt, correction)


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(finite, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(EVERY),
    st.tuples(st.integers(-(2**20), 2**20), st.integers(1, 2**20)),
)
def test_any_finite_rows(rows: list[list[float]], target: Format, correction: tuple[int, int]) -> None:
    x = np.array(rows)[np.newaxis]
    same(exact_table(x), exact_sums(x), target, correction)


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 2**53 - 1), st.integers(1, 2**26), st.integers(-60, 60))
def test_standard_deviations_beside_exact_roots(root: int, step: int, scale: int) -> None:
    """(0, 2 r) has the standard deviation r exactly; a step beside it the root is just not a number."""
    x = np.ldexp(np.array([[0.0, float(2 * root)], [0.0, float(root) + step], [float(step), float(root)]]), scale)
    same(exact_table(x[np.newaxis]), exact_sums(x[np.newaxis]), FLOAT64, (0, 1))
    if 2 * root < 2**53:
        assert exact_table(x[np.newaxis]).stds((0, 1), FLOAT64, set())[0] == np.ldexp(float(root), scale)


def test_no_values_and_any_correction() -> None:
    table = exact_table(np.zeros((1, 2, 0)))
    for correction in ((0, 1), (1, 2**70), (-(2**70), 1)):
        same(table, exact_sums(np.zeros((1, 2, 0))), FLOAT64, correction)
