"""The recommended kernel and the correctly rounded one, as algorithms: against exact rationals, in every layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varkernels
from varkernels import FORMATS, fast, get_threads, moments, set_threads
from varkernels.conformance import Conformance, check_algorithm
from varkernels.exact import sums
from varkernels.exact.algorithm import ExactMoments
from varkernels.exact.sums import exact_sums, joined
from varkernels.fast import BLOCK, fast_joined, fast_moments
from varkernels.formats import FLOAT64, Format
from varkernels.rounding import round_to
from varstudy.study.ground_truth import truth

formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
LENGTHS = (1, 2, 7, 8, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5)


def sample(fmt: Format, shape: tuple[int, ...], seed: int = 0) -> Any:
    return (3 + np.random.default_rng(seed).normal(size=shape)).astype(fmt.dtype)


# ---------------------------------------------------------------------------------------------------------- fast


@formats
@pytest.mark.parametrize("length", LENGTHS)
def test_fast_is_right_to_a_few_units_of_float64(fmt: Format, length: int) -> None:
    x = sample(fmt, (2, 3, length))
    exact, got = truth(x), fast_moments(x, fmt)
    for r in range(3):
        m2 = exact.m2_fraction(r)
        assert abs(Fraction(got[r, 2]) - m2) <= m2 * Fraction(32, 2**53)
        mean = Fraction(got[r, 0]) + Fraction(got[r, 1])
        assert abs(mean - exact.mean_fraction(r)) <= Fraction(1, 2**52)  # of a spread of 1, whatever the mean
        assert got[r, 0] == float(round_to(mean, FLOAT64))


@formats
def test_fast_does_not_see_the_layout(fmt: Format) -> None:
    """Values in the same order give the same bits: in place, gathered, several rows side by side, cut in segments."""
    x = sample(fmt, (3, 5, 1700))
    want = fast_moments(x, fmt).tobytes()
    rows_last = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    segments_last = np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1)
    one_segment = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(1, 5, -1)
    reverse = x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]
    for view in (rows_last, segments_last, one_segment, reverse, np.asfortranarray(x)):
        assert fast_moments(view, fmt).tobytes() == want


def test_fast_on_a_row_longer_than_a_tree_of_blocks() -> None:
    x = (1000 + np.random.default_rng(1).normal(size=1_000_003)).astype(np.float32).reshape(1, 1, -1)
    got, exact = fast_moments(x, FORMATS["float32"])[0], truth(x)
    assert abs(Fraction(got[2]) / exact.m2_fraction(0) - 1) < 1e-14


def test_fast_keeps_constants() -> None:
    for c in (0.1, 1e10, -3e100, 1e-300, 5e-324):
        got = moments(np.full((1, 1, 10_001), c), "fast")
        assert got.mean[0] == c
        assert got.m2[0] >= 0
        assert got.variance(1)[0] <= 1e-30 * c * c


@formats
def test_fast_spreads_nan_and_infinities_within_their_rows(fmt: Format) -> None:
    x = sample(fmt, (1, 4, 3000))
    x[0, 1, 2999], x[0, 2, 5] = np.nan, np.inf
    got = moments(x, "fast")
    assert np.isfinite(got.m2).tolist() == [True, False, False, True]


@formats
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (0, 1, 5), (1, 0, 4)])
def test_fast_has_no_moments_of_rows_without_values(fmt: Format, shape: tuple[int, ...]) -> None:
    """As `moments` has them, and nothing of what was in memory before."""
    fast_moments(np.full((1, 3, 4), 7, dtype=fmt.dtype), fmt)
    empty = np.empty(shape, dtype=fmt.dtype)
    got, wanted = fast_moments(empty, fmt), moments(empty, "fast")
    assert got.shape == (shape[1], 3)
    assert np.array_equal(got[:, 0] + got[:, 1], wanted.mean, equal_nan=True)
    assert np.array_equal(got[:, 2], wanted.m2, equal_nan=True)


def test_fast_has_no_moments_of_no_samples_together() -> None:
    parts = np.full((2, 3), 7.0)
    assert np.isfinite(fast_joined(parts, 4, np.zeros((3, 2), np.int64))).all()
    assert np.isnan(fast_joined(parts, 4, np.empty((3, 0), np.int64))).all()
    nothing = fast_moments(np.empty((1, 2, 0)), FLOAT64)
    assert np.isnan(fast_joined(nothing, 0, np.array([[0, 1]]))).all()


class TestFast(Conformance):
    algorithm = varkernels.get("fast")


# -------------------------------------------------------------------------------------------------------- threads


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Sets the number of threads, and lets them work on small arrays."""
    for module in (fast, sums):
        monkeypatch.setattr(module, "WORTHWHILE", 0)
    set_threads(1)
    yield set_threads
    set_threads(None)


@formats
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 100_003), (1, 1, 8 * BLOCK), (3, 1, 7000), (2, 9, 3000), (1, 700, 16)]
)
def test_any_number_of_threads_gives_the_same_bits(fmt: Format, shape: tuple[int, ...], threads: Any) -> None:
    x = sample(fmt, shape)
    x[0, 0, 0] = np.inf
    approximate, sums = fast_moments(x, fmt).tobytes(), exact_sums(x)
    x[0, 0, 0] = 1
    finite, exactly = fast_moments(x, fmt).tobytes(), exact_sums(x)
    for n in (2, 3, 5, 16):
        threads(n)
        assert fast_moments(x, fmt).tobytes() == finite
        assert exact_sums(x) == exactly
    x[0, 0, 0] = np.inf
    assert fast_moments(x, fmt).tobytes() == approximate
    assert exact_sums(x) == sums


def test_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_threads(None)
    monkeypatch.delenv("VARKERNELS_NUM_THREADS", raising=False)
    assert get_threads() == 1
    set_threads(3)
    assert get_threads() == 3
    for bad in (0, -1, 2.0, True, "2"):
        with pytest.raises(ValueError, match=f"threads={bad!r}: give a whole number"):
            set_threads(bad)
    set_threads(None)
    monkeypatch.setenv("VARKERNELS_NUM_THREADS", "2")
    assert get_threads() == 2
    for text in ("0", "two", "-1", ""):
        set_threads(None)
        monkeypatch.setenv("VARKERNELS_NUM_THREADS", text)
        with pytest.raises(ValueError, match="VARKERNELS_NUM_THREADS"):
            get_threads()


# --------------------------------------------------------------------------------------------------------- exact


class TestExact(Conformance):
    algorithm = varkernels.get("exact")


def half_ulp(got: Any, exact: Fraction, fmt: Format) -> bool:
    """Whether a number is the nearest of its format to an exact one, ties to even, by its neighbours."""
    return bool(fmt.dtype.type(got) == round_to(exact, fmt))


@formats
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_exact_is_correctly_rounded_on_any_bits(fmt: Format, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 6))
    bits = data.draw(st.lists(st.integers(0, 2 ** (8 * fmt.dtype.itemsize) - 1), min_size=size, max_size=size))
    x = np.array(bits, dtype=f"u{fmt.dtype.itemsize}").view(fmt.dtype)
    got = moments(x.reshape(1, 1, -1), "exact")
    correction = data.draw(st.sampled_from([0.0, 1.0, 0.5, -2.25, 1e-3]))
    with np.errstate(all="ignore"):
        values = [float(v) for v in x]
    if not all(map(math.isfinite, values)):
        assert np.isnan(got.variance(correction)[0].astype(np.float64))
        return
    fractions = [Fraction(v) for v in values]
    mean = sum(fractions) / size
    m2 = sum((v - mean) ** 2 for v in fractions)
    assert half_ulp(got.mean[0], mean, fmt)
    assert half_ulp(got.m2[0], m2, fmt)
    if size > correction:
        assert half_ulp(got.variance(correction)[0], m2 / (size - Fraction(correction)), fmt)
    else:
        assert np.isnan(got.variance(correction)[0].astype(np.float64))


@formats
def test_exact_does_not_see_order_layout_or_parts(fmt: Format) -> None:
    x = sample(fmt, (1, 1, 5000))
    whole = moments(x, "exact")
    rng = np.random.default_rng(3)
    for _ in range(3):
        shuffled = rng.permuted(x, axis=2)
        cut = int(rng.integers(0, 5001))
        parts = [moments(shuffled[:, :, a:b], "exact") for a, b in ((0, cut), (cut, 5000))]
        for merged in (parts[0].merge(parts[1]), parts[1].merge(parts[0])):
            assert isinstance(merged, ExactMoments)
            assert list(merged.sums) == list(whole.sums)
            assert merged.variance(1).tobytes() == whole.variance(1).tobytes()


def test_sums_of_nothing_and_of_opposites_join() -> None:
    a, b = exact_sums(np.array([[[1e300, 5e-324], [-1e300, 1.0]]]))
    empty = joined([])
    assert (empty.count, empty.s1, empty.s2) == (0, 0, 0)
    both = joined([a, empty, b])
    assert both == exact_sums(np.array([[[1e300, 5e-324, -1e300, 1.0]]]))[0]


def test_exact_has_no_range_of_its_own() -> None:
    """No overflow or underflow on the way where the answer is a number of the format."""
    big = np.array([[[1.7e308, 1.7e308, 1.7e308, 1.6e308]]])
    got = moments(big, "exact")
    assert got.mean[0] == float(sum(map(Fraction, big.ravel().tolist())) / 4)
    assert got.variance(0)[0] == math.inf  # which is beyond the format
    half = np.array([[[300.0, 301.0] * 40_000]], dtype=np.float16)
    assert moments(half, "exact").variance(0)[0] == np.float16(0.25)


def test_a_correction_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="correction=inf: give a finite number"):
        moments(np.ones((1, 1, 3)), "exact").variance(math.inf)


def test_conformance_runs_them_in_every_storage() -> None:
    for name in ("fast", "exact"):
        check_algorithm(varkernels.get(name), exact=True)
