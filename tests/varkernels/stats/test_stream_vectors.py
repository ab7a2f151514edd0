"""The numbers that river, runstats and welford test their running variances with, through `Moments`.

stream_differences.md has their versions and files, and each difference, which has a test here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from varstudy import Moments, rolling_var

# Values, mean, variance by n - 1, variance by n; along the first axis. From welford's tests.
ZERO_TO_FOUR = [[0, 100], [1, 110], [2, 120], [3, 130], [4, 140]]
WELFORD: list[tuple[Any, Any, Any, Any]] = [
    ([[0]], [0], [math.nan], [0]),
    ([[0], [1]], [0.5], [0.5], [0.25]),
    ([[0, 100]], [0, 100], [math.nan, math.nan], [0, 0]),
    ([[0, 100], [1, 110]], [0.5, 105], [0.5, 50], [0.25, 25]),
    ([[0, 100], [2, 120]], [1, 110], [2, 200], [1, 100]),
    (ZERO_TO_FOUR, [2, 120], [2.5, 250], [2, 200]),
    ([*ZERO_TO_FOUR, [5, 150], [6, 160], [7, 170]], [3.5, 135], [6, 600], [5.25, 525]),
    ([[n, 10 * n + 100] for n in range(11)], [5, 150], [11, 1100], [10, 1000]),
    (
        [[[0, 100, 1000], [2, 220, 2200]], [[1, 110, 1100], [2, 220, 2200]]],
        [[0.5, 105, 1050], [2, 220, 2200]],
        [[0.5, 50, 5000], [0, 0, 0]],
        [[0.25, 25, 2500], [0, 0, 0]],
    ),
    (
        [[[0, 100, 1000], [2, 220, 2200]], [[2, 120, 1200], [2, 220, 2200]]],
        [[1, 110, 1100], [2, 220, 2200]],
        [[2, 200, 20000], [0, 0, 0]],
        [[1, 100, 10000], [0, 0, 0]],
    ),
]


def exact_variance(values: list[float], correction: int) -> float:
    numbers = list(map(Fraction, values))
    mean = sum(numbers) / len(numbers)
    return float(sum((x - mean) ** 2 for x in numbers) / (len(numbers) - correction))


@pytest.mark.parametrize("vector", WELFORD, ids=lambda vector: str(np.shape(vector[0])))
def test_welford(vector: tuple[Any, Any, Any, Any]) -> None:
    values, mean, sample, population = vector
    whole = Moments(axis=0).update(values)
    for cut in range(len(values) + 1):
        first, second = (
            Moments(axis=0).update(np.reshape(part, (-1, *np.shape(mean)))) for part in (values[:cut], values[cut:])
        )
        steps = Moments(axis=0)
        for value in values:
            steps.update([value])
        for found in (whole, first + second, steps):
            assert np.array_equal(found.count, np.full(np.shape(mean), len(values)))
            assert np.array_equal(found.mean, mean)
            assert np.array_equal(found.variance(1), sample, equal_nan=True)
            assert np.array_equal(found.variance(), population)


def test_welford_of_sixty_numbers() -> None:
    found = Moments(axis=0).update(np.arange(60).reshape(3, 4, 5))
    assert found.shape == (4, 5)
    assert np.array_equal(found.mean, np.arange(20.0, 40.0).reshape(4, 5))
    assert (found.variance(1) == 400).all()
    assert (found.variance() == np.float64(800 / 3)).all()


def test_river_step_by_step() -> None:
    wanted = [2.0, 1.0, 2.916666, 7.7, 12.56666]
    running = Moments()
    for value, want in zip([3, 5, 4, 7, 10, 12], [None, *wanted], strict=True):
        running.push(value)
        assert want is None or abs(running.variance(1) - want) < 1e-5


def test_river_rolling() -> None:
    values = [1, 4, 2, -4, -8, 0]
    found = rolling_var(values, 3, min_periods=2, correction=1)
    np.testing.assert_allclose(found[1:], [4.5, 2.333333, 17.333333, 25.333333, 16.0], rtol=1e-6)
    window = Moments()
    for i, value in enumerate(values):
        window.update(value)
        if i >= 3:
            window.remove(values[i - 3])
        assert i == 0 or window.variance(1) == found[i]
    assert rolling_var(values, 2, correction=1)[1:].tolist() == [4.5, 2.0, 18.0, 8.0, 32.0]


def close_numbers() -> tuple[Moments, float]:
    """The moments of river's numbers near 100, and their variance by n - 1."""
    values = [
        99.99999978143265,
        99.99999989071631,
        99.99999994535816,
        99.99999997267908,
        99.99999998633952,
        99.99999999316977,
        99.99999999829245,
        99.99999999957309,
    ]
    weights = [6, 8, 6, 9, 10, 3, 5, 9]
    running = Moments()
    for value, weight in zip(values, weights, strict=True):
        running.update([value], weights=[weight])
    return running, exact_variance(np.repeat(values, weights).tolist(), 1)


def test_river_close_numbers_with_weights() -> None:
    running, exact = close_numbers()
    assert running.variance(1) == exact
    assert math.isclose(running.variance(1), 4.648047194845607e-15, rel_tol=1e-7)


@pytest.mark.parametrize("correction", [0, 1, 2])
def test_river_and_runstats_add_and_take_away(correction: int) -> None:
    """Numbers between 0 and 1, as random.random makes them: 30 for river's tests, 1,000 for those of runstats."""
    for count in (30, 1000):
        generator = random.Random(count)
        first, second = ([generator.random() for _ in range(count)] for _ in range(2))
        a, b = Moments().update(first), Moments()
        for value in second:
            b.push(value)
        both = a.copy()
        both += b
        assert both == a + b
        assert both.count == 2 * count
        assert both.variance(correction) == exact_variance(first + second, correction)
        assert (both - a).variance(correction) == exact_variance(second, correction)
        assert (both - b).mean == float(sum(map(Fraction, first)) / count)
        assert (a - a).count == 0
        resumed = Moments.from_bytes(Moments().update(first[:-10]).to_bytes()).update(first[-10:])
        assert resumed == a


# What differs ---------------------------------------------------------------------------------------------------------


def _one_value() -> None:
    assert math.isnan(Moments().update([3]).variance(1))


def _no_values() -> None:
    assert math.isnan(Moments().mean)


def _close_numbers() -> None:
    running, exact = close_numbers()
    assert running.variance(1) == exact == 4.648046815078954e-15
    assert not math.isclose(exact, 4.648047194845607e-15)


def _shape() -> None:
    assert Moments(axis=0).shape is None


def _rollback() -> None:
    assert Moments().update([0, 1, 2]).remove([0]).variance() == 0.25


def _weights() -> None:
    with pytest.raises(TypeError, match="give integers"):
        Moments().update([1.0], weights=[0.5])


def _correction() -> None:
    assert Moments().update([0, 1]).variance() == 0.25


def _other_statistics() -> None:
    assert not {"minimum", "maximum", "skewness", "kurtosis", "clear"} & set(dir(Moments))


DIFFERENCES: dict[str, Callable[[], None]] = {
    "one value": _one_value,
    "no values": _no_values,
    "close numbers": _close_numbers,
    "shape": _shape,
    "rollback": _rollback,
    "weights": _weights,
    "correction": _correction,
    "other statistics": _other_statistics,
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference(name: str) -> None:
    DIFFERENCES[name]()


def test_every_difference_is_listed() -> None:
    text = Path(__file__).with_name("stream_differences.md").read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(DIFFERENCES)
