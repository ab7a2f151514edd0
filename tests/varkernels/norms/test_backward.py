"""Gradients of norms: against rational numbers and mpmath, and against differences of the exact output."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varstudy
from varkernels.formats import FORMATS, Format
from varkernels.norms.geometry import LAYERS
from varkernels.rounding import round_to

from .oracle import DIGITS, gradients, is_nearest, outputs

SHAPES = {"batch": (5, 2, 3), "layer": (3, 2, 2), "group": (2, 4, 3), "instance": (2, 3, 4), "rms": (3, 5)}
formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
norms = pytest.mark.parametrize("norm", LAYERS)


def weight_of(norm: str, x: Any, seed: int = 2) -> Any:
    shape = x.shape[1:] if norm in ("layer", "rms") else x.shape[1:2]
    return np.random.default_rng(seed).normal(size=shape).astype(x.dtype)


def check(x: Any, dy: Any, norm: str, weight: Any, epsilon: Any) -> None:
    found = varstudy.norm_backward(x, dy, norm, groups=2, weight=weight, epsilon=epsilon)
    true = gradients(x, dy, norm, weight, Fraction(epsilon))
    for value, answer in zip(found.dx.rounded.ravel(), true.dx, strict=True):
        assert is_nearest(value, answer, found.dx.format), (value, answer)
    pairs = zip(found.dweight.high.ravel().tolist(), found.dweight.low.ravel().tolist(), strict=True)
    with mpmath.workdps(DIGITS):
        for (high, low), exact, terms in zip(pairs, true.dweight, true.terms, strict=True):
            if np.isfinite(high):
                assert abs(mpmath.mpf(high) + mpmath.mpf(low) - exact) <= (terms + mpmath.mpf(2) ** -970) / 2**99
            else:
                assert abs(exact) >= mpmath.mpf(2) ** 1023
    for value, total in zip(found.dbias.rounded.ravel(), true.dbias, strict=True):
        assert value == round_to(total, found.dbias.format)


@norms
@formats
def test_gradients(fmt: Format, norm: str) -> None:
    rng = np.random.default_rng(3)
    for offset, about, epsilon in ((0, 0.1, 1e-5), (300, 100, 1e-12), (3, -2, Fraction(1, 3))):
        x = (rng.normal(size=SHAPES[norm]) + offset).astype(fmt.dtype)
        dy = (rng.normal(size=x.shape) / 2 + about).astype(fmt.dtype)
        check(x, dy, norm, weight_of(norm, x), epsilon)
        check(x, dy, norm, None, epsilon)


@formats
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_numbers(fmt: Format, data: st.DataObject) -> None:
    """One and two rows, subnormal and huge numbers, zeros, epsilon that vanishes or is all there is."""
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    bits = st.integers(0, 2 ** (8 * fmt.dtype.itemsize) - 1)
    count = shape[0] * shape[1]

    def array(n: int) -> Any:
        whole = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), np.float64).astype(fmt.dtype)
        if data.draw(st.booleans()):
            return whole
        raw = data.draw(st.lists(bits, min_size=n, max_size=n))
        wild = np.array(raw, f"u{fmt.dtype.itemsize}").view(fmt.dtype)
        return np.where(np.isfinite(wild), wild, whole).astype(fmt.dtype)

    norm = data.draw(st.sampled_from(["batch", "layer", "rms"]))
    x, dy = array(count).reshape(shape), array(count).reshape(shape)
    weight = data.draw(st.none() | st.just(array(shape[1])))
    check(x, dy, norm, weight, data.draw(st.sampled_from([1e-5, Fraction(1, 7), 1e-300, 2.0**600])))


@norms
def test_against_differences(norm: str) -> None:
    """dx is what the exact output does when one value moves: central differences in 80 digits."""
    rng = np.random.default_rng(6)
    x, weight = rng.normal(size=SHAPES[norm]), None
    dy = rng.normal(size=x.shape)
    weight = weight_of(norm, x)
    found = varstudy.norm_backward(x, dy, norm, groups=2, weight=weight).dx
    step = 2.0**-40  # exact next to a value that is a multiple of it
    x = np.round(x / step) * step
    found = varstudy.norm_backward(x, dy, norm, groups=2, weight=weight).dx
    with mpmath.workdps(DIGITS):

        def loss(at: int, moved: float) -> Any:
            near = x.copy()
            near.ravel()[at] += moved
            answers = outputs(near, norm, weight, None, Fraction(1e-5))
            return sum(answer.number() * mpmath.mpf(float(out)) for answer, out in zip(answers, dy.ravel(), strict=True)
                       if answer is not None)  # fmt: skip

        for at in (0, x.size // 2):
            slope = (loss(at, step) - loss(at, -step)) / (2 * mpmath.mpf(step))
            assert abs(slope - found.high.ravel()[at]) < 1e-18 * 2**10 * (1 + abs(slope))


def test_given_statistics() -> None:
    """Evaluation: dx = r w dy, and h is not the batch's."""
    rng = np.random.default_rng(7)
    x, dy = (rng.normal(size=(6, 2)).astype(np.float32) for _ in range(2))
    mean, variance, weight = np.array([1, 2.0]), np.array([4, 0.25]), np.array([3.0, -1])
    found = varstudy.norm_backward(x, dy, "batch", weight=weight, mean=mean, variance=variance, epsilon=0)
    np.testing.assert_array_equal(found.dx.rounded, dy * np.array([1.5, -2], np.float32))
    h = (x.astype(np.float64) - mean) / np.array([2, 0.5])
    np.testing.assert_allclose(found.dweight.high, (dy * h).sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.dbias.high, dy.sum(axis=0, dtype=np.float64), rtol=1e-13)


def test_many_rows() -> None:
    """More values than one piece has: the same sums."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(3000, 48)).astype(np.float16)
    dy = (rng.normal(size=x.shape) * 0.5 + 0.1).astype(np.float16)
    found = varstudy.norm_backward(x, dy, "layer")
    wide, g = x.astype(np.float64), dy.astype(np.float64)
    r = 1 / np.sqrt(wide.var(axis=1, keepdims=True) + 1e-5)
    h = (wide - wide.mean(axis=1, keepdims=True)) * r
    np.testing.assert_allclose(found.dweight.high, (g * h).sum(axis=0), rtol=1e-10)
    assert found.dbias.high.tolist() == [math.fsum(column) for column in g.T]
    dx = r * (g - g.mean(axis=1, keepdims=True) - h * (g * h).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(found.dx.high, dx, rtol=1e-9, atol=1e-12)


def test_without_an_exact_gradient() -> None:
    x, dy = np.array([[1.0, np.nan], [1, 2]]), np.ones((2, 2))
    found = varstudy.norm_backward(x, dy)
    assert np.isnan(found.dx.rounded).tolist() == [[True, True], [False, False]]
    assert np.isnan(found.dweight.rounded).all()
    assert found.dbias.rounded.tolist() == [2, 2]
    dy[1, 1] = np.inf
    found = varstudy.norm_backward(np.array([[1.0, 3], [1, 2]]), dy)
    assert np.isnan(found.dx.rounded).tolist() == [[False, False], [True, True]]
    assert found.dbias.rounded[0] == 2
    with pytest.raises(ValueError, match="dy has the shape"):
        varstudy.norm_backward(x, np.ones(2))
