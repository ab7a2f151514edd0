"""Sums that have not rounded settle a row only where what is made of them has not rounded, either."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from varkernels.certified.first import Asked, certified_rows
from varkernels.formats import FLOAT32, FORMATS, Format

# The values are multiples of UNIT, the smallest float16. The sum of a row is just above 2^53 UNIT, and odd.
UNIT = 2.0**-24
SEGMENTS, LENGTH = 2**13, 5 * 2**12
N = SEGMENTS * LENGTH
HIGH, STEP = 7 * 2**23, 2**18


def beside_a_midpoint(sign: int) -> tuple[NDArray[np.float64], Fraction]:
    """SEGMENTS + LENGTH - 1 values whose windows of LENGTH values, one after the other, are a row of N; the row's mean.

    The last value is in one window, the `many`-th from the end in so many. All others are HIGH, from which the float32
    numbers next to it are 4 UNIT away. The row's sum is N (HIGH + 2 sign) + sign UNIT, and the float64 next to it, to
    which it rounds, is N times a midpoint of float32.
    """
    many = (2 * N + sign * HIGH) // STEP
    values = np.full(SEGMENTS + LENGTH - 1, HIGH * UNIT)
    values[-1], values[-many] = sign * UNIT, (HIGH + sign * STEP) * UNIT
    total = (N - many - 1) * HIGH + many * (HIGH + sign * STEP) + sign
    assert total == N * (HIGH + 2 * sign) + sign
    assert float(total) == N * (HIGH + 2 * sign) > 2**53
    return values, Fraction(total, N) * Fraction(UNIT)


def as_rows(x: NDArray[Any]) -> NDArray[Any]:
    return as_strided(x, (1, SEGMENTS, 2, LENGTH), (0, x.itemsize, x.strides[0], x.itemsize), writeable=False)


def as_columns(x: NDArray[Any]) -> NDArray[Any]:
    side = np.ascontiguousarray(x.T)
    return as_strided(
        side, (1, SEGMENTS, 2, LENGTH), (0, side.strides[0], x.itemsize, side.strides[0]), writeable=False
    )


@pytest.mark.parametrize("wants", [("mean",), ("mean", "var")], ids="_".join)
@pytest.mark.parametrize("layout", [as_rows, as_columns])
@pytest.mark.parametrize("storage", [fmt for fmt in FORMATS.values() if fmt.precision <= 24], ids=str)
def test_a_sum_that_rounds_to_a_midpoint_settles_no_mean(
    storage: Format, layout: Callable[[NDArray[Any]], NDArray[Any]], wants: tuple[str, ...]
) -> None:
    """The sums about the shift are exact and N times the shift is, but their sum, the row's, is not."""
    (above, first), (below, second) = beside_a_midpoint(1), beside_a_midpoint(-1)
    x = storage.rounded(np.stack([above, below]))
    found = certified_rows(layout(x), None, storage, Asked(wants, (0, 1), FLOAT32), set())
    assert found is not None
    right = [(HIGH + 4) * UNIT, (HIGH - 4) * UNIT]
    for exact, answer, tie in zip((first, second), right, (HIGH + 2, HIGH - 2), strict=True):
        assert abs(exact - Fraction(answer)) < abs(exact - Fraction(HIGH * UNIT))
        assert abs(exact - Fraction(tie * UNIT)) < Fraction(UNIT) / N * 2
    np.testing.assert_array_equal(found[0][0], right)
