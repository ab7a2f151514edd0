"""The algorithm ``exact``: against exact rationals, on any bits, in any order and cut."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varkernels
from varkernels import FORMATS, moments
from varkernels.conformance import Conformance
from varkernels.exact.algorithm import ExactMoments
from varkernels.exact.sums import exact_sums, joined
from varkernels.formats import Format
from varkernels.rounding import round_to

formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)


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
    x = (3 + np.random.default_rng(0).normal(size=(1, 1, 5000))).astype(fmt.dtype)
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
