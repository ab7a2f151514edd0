"""The sums of every window, compared with sums of fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels.exact.sums import ExactSums, integer_sums
from varkernels.exact.windows import window_sums
from varkernels.formats import FORMATS

FLOATS = [fmt.dtype for fmt in FORMATS.values()]
INTEGERS = [np.dtype(name) for name in ("bool", "int8", "uint16", "int64", "uint64", ">i4")]


def all_sums(rows: NDArray[Any], window: int) -> list[list[ExactSums]]:
    """What `window_sums` finds, a list for each row."""
    found: list[list[ExactSums]] = [[] for _ in rows]
    for part, ends, table in window_sums(rows, window):
        width = len(range(rows.shape[1])[ends])
        for i, r in enumerate(range(len(rows))[part]):
            assert len(found[r]) == ends.start
            found[r] += table[i * width : (i + 1) * width]
    return found


def by_fractions(values: NDArray[Any]) -> ExactSums:
    """The sums of one window."""
    numbers = values.tolist() if values.dtype.kind in "biu" else values.astype(np.float64).tolist()
    finite = [Fraction(x) for x in numbers if math.isfinite(x)]
    special = [sum(map(math.isnan, numbers)), numbers.count(math.inf), numbers.count(-math.inf)]
    unit = Fraction(2) ** -1074
    s1, s2 = sum(finite, Fraction()) / unit, sum((x * x for x in finite), Fraction()) / unit**2
    assert s1.denominator == s2.denominator == 1
    return integer_sums(len(numbers), special, int(s1), int(s2), -1074)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_window_has_the_sums_of_its_values(data: Any) -> None:
    dtype = data.draw(st.sampled_from(FLOATS + INTEGERS))
    if dtype.kind in "iu":
        kind = np.iinfo(dtype)
        numbers = st.one_of(
            st.integers(int(kind.min), int(kind.max)), st.sampled_from([0, int(kind.min), int(kind.max)])
        )
    elif dtype.kind == "b":
        numbers = st.booleans()
    else:
        hard = [0.0, -0.0, 1e16, -1.5, 1e300, -1e-300, 5e-324, math.nan, math.inf, -math.inf]
        numbers = st.one_of(st.floats(), st.sampled_from(hard), st.floats(-4, 4))
    count, length = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 12))
    listed = data.draw(st.lists(numbers, min_size=count * length, max_size=count * length))
    with np.errstate(all="ignore"):
        rows = np.array(listed, dtype=None if dtype.kind in "biu" else np.float64).astype(dtype).reshape(count, length)
    window = data.draw(st.integers(1, 14))
    for row, found in zip(rows, all_sums(rows, window), strict=True):
        assert found == [by_fractions(row[max(0, i + 1 - window) : i + 1]) for i in range(length)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("window", [3, 9000])
def test_many_chunks(window: int, dtype: str) -> None:
    g = np.random.default_rng(1)
    row = (g.normal(1e5, 1, 20_000) * np.where(g.random(20_000) < 1e-3, 1e11, 1)).astype(dtype)
    (found,) = all_sums(row[np.newaxis], window)
    assert len(found) == len(row)
    for i in [0, 1, window - 1, window, 8191, 8192, 8193, 16384, 17191, 17192, 19_999]:
        assert found[i] == by_fractions(row[max(0, i + 1 - window) : i + 1])


def test_a_table_does_not_grow() -> None:
    sizes = {len(table) for _, _, table in window_sums(np.ones((300, 100)), 50)}
    assert max(sizes) < 10_000
    assert max(len(table) for _, _, table in window_sums(np.ones((1, 50_000)), 20_000)) < 10_000
