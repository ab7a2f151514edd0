"""A norm folded into the convolution before it: the numbers of the formulas, each rounded once."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMATS
from varkernels.rounding import round_to, ulp
from varstudy.survey.folding import Cost, cost, fold

DTYPES = ("float64", "float32", "float16", "bfloat16")
EXACT_ROOT = Fraction(1, 4)  # var + epsilon whose root is rational


def layers(seed: int, shape: tuple[int, ...] = (3, 2, 3, 3), dtype: Any = np.float32) -> dict[str, Any]:
    draw = np.random.RandomState(seed)
    o = shape[0]
    return {
        "weight": draw.normal(size=shape).astype(dtype),
        "bias": draw.normal(size=o).astype(dtype),
        "scale": draw.normal(size=o).astype(dtype),
        "shift": draw.normal(size=o).astype(dtype),
        "mean": draw.normal(size=o).astype(dtype),
        "var": draw.uniform(0.01, 4, size=o).astype(dtype),
        "epsilon": 1e-5,
    }


def fraction(value: Any) -> Fraction:
    return Fraction(float(value))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rational_roots_against_fractions(dtype: str) -> None:
    """With var + epsilon = 1/4 the slope is 2 scale: the whole answer is a Fraction."""
    parts = layers(1)
    parts["var"] = np.float32([0.125, 0.25 - 2.0**-6, 0.0])
    for o, epsilon in enumerate((0.125, 2.0**-6, 0.25)):
        got = fold(transposed=False, **{**parts, "epsilon": epsilon, "var": np.full(3, parts["var"][o])}, dtype=dtype)
        for c in range(3):
            slope = 2 * fraction(parts["scale"][c])
            for have, weight in zip(got.weight[c].ravel(), parts["weight"][c].ravel(), strict=True):
                assert have == round_to(fraction(weight) * slope, dtype)
            bias = (fraction(parts["bias"][c]) - fraction(parts["mean"][c])) * slope + fraction(parts["shift"][c])
            assert got.bias[c] == round_to(bias, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given_in", [np.float32, ml_dtypes.bfloat16, np.float64])
def test_irrational_roots_are_rounded_once(dtype: str, given_in: Any) -> None:
    """Within half a unit of the exact number, decided by squaring Fractions: no root is computed."""
    parts = layers(2, dtype=given_in)
    got = fold(**parts, transposed=False, dtype=dtype)
    assert got.weight.dtype == got.bias.dtype == FORMATS[dtype].dtype
    checked = 0
    for c in range(3):
        q = fraction(parts["var"][c]) + Fraction(1e-5)
        s = fraction(parts["scale"][c])
        weights = zip(got.weight[c].ravel(), parts["weight"][c].ravel(), strict=True)
        products = [(have, fraction(w), Fraction(0)) for have, w in weights]
        shift = fraction(parts["shift"][c])
        products.append((got.bias[c], fraction(parts["bias"][c]) - fraction(parts["mean"][c]), shift))
        for have, factor, offset in products:
            # factor s / sqrt(q) must lie within half a unit of have - offset
            half = ulp(have, dtype) / 2
            ends = [fraction(have) - offset - half, fraction(have) - offset + half]
            signed = [(1 if end >= 0 else -1) * end * end * q for end in ends]
            square = (1 if factor * s >= 0 else -1) * (factor * s) ** 2
            assert signed[0] < square < signed[1]
            checked += 1
    assert checked == 3 * 19


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_affine_layer_needs_no_root(dtype: str) -> None:
    parts = layers(3)
    weight, bias, scale, shift = (parts[k] for k in ("weight", "bias", "scale", "shift"))
    got = fold(weight, bias, scale, shift, transposed=False, dtype=dtype)
    for c in range(3):
        assert got.bias[c] == round_to(fraction(bias[c]) * fraction(scale[c]) + fraction(shift[c]), dtype)
        for have, w in zip(got.weight[c].ravel(), weight[c].ravel(), strict=True):
            assert have == round_to(fraction(w) * fraction(scale[c]), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_tie_goes_to_even_and_a_hair_beside_it_does_not(dtype: str) -> None:
    """float64 products lie ON the tie in all three; the exact ones on it, above it and below it."""
    fmt = FORMATS[dtype]
    tie = 1.0 + 2.0**-fmt.precision  # between 1 and its successor
    for var, want in ((1.0, 1.0), (1 - 2.0**-53, 1 + 2.0 ** (1 - fmt.precision)), (1 + 2.0**-52, 1.0)):
        got = fold([[tie]], None, None, None, [0.0], [var], 0.0, dtype=dtype)
        assert float(got.weight[0, 0]) == want
    odd = 1.0 + 3 * 2.0**-fmt.precision  # the even neighbour is above
    for var, want in ((1.0, 4), (1 + 2.0**-52, 2), (1 - 2.0**-53, 4)):
        got = fold([[odd]], None, None, None, [0.0], [var], 0.0, dtype=dtype)
        assert float(got.weight[0, 0]) == 1 + want * 2.0**-fmt.precision


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    w=st.floats(-1e3, 1e3),
    b=st.floats(-1e3, 1e3),
    s=st.floats(-4, 4),
    v=st.floats(0, 1e3),
    epsilon=st.floats(1e-12, 1.0),
)
def test_against_mpmath(dtype: str, w: float, b: float, s: float, v: float, epsilon: float) -> None:
    """mpmath at 1,200 bits, rounded once, is the same number: bias and weight, cancellation and subnormals too."""
    with mpmath.workprec(1200):
        slope = mpmath.mpf(s) / mpmath.sqrt(mpmath.mpf(v) + mpmath.mpf(epsilon))
        weight, bias = mpmath.mpf(w) * slope, (mpmath.mpf(b) - 0.25) * slope + 0.5
    if any(np.isinf(round_to(exact, dtype)) for exact in (weight, bias)):
        with pytest.raises(ValueError, match="is larger than float16's largest number, 65504"):
            fold([[w]], [b], [s], [0.5], [0.25], [v], epsilon, dtype=dtype)
        return
    got = fold([[w]], [b], [s], [0.5], [0.25], [v], epsilon, dtype=dtype)
    assert got.weight[0, 0] == round_to(weight, dtype)
    assert got.bias[0] == round_to(bias, dtype)


def test_what_is_left_out_is_one_and_zero() -> None:
    parts = layers(4)
    plain = {**parts, "bias": None, "scale": None, "shift": None}
    spelt = {**parts, "bias": np.zeros(3), "scale": np.ones(3), "shift": np.zeros(3)}
    for k in ("weight", "bias"):
        assert np.array_equal(getattr(fold(**plain, transposed=False), k), getattr(fold(**spelt, transposed=False), k))


def test_a_dense_layer_and_a_depthwise_one_keep_their_shape() -> None:
    assert fold(**layers(5, (4, 7))).weight.shape == (4, 7)
    assert fold(**layers(5, (4, 1, 3, 3)), transposed=False).weight.shape == (4, 1, 3, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": np.zeros(2)}, r"bias has shape \(2,\).*3 output channels"),
        ({"scale": np.zeros((3, 1))}, r"scale has shape \(3, 1\)"),
        ({"mean": None}, "go together"),
        ({"epsilon": None}, "go together"),
        ({"var": np.float32([1, -1, 1])}, "channel 1 has variance -1.0"),
        ({"var": np.zeros(3), "epsilon": 0.0}, "channel 0 has variance 0.0 and epsilon 0.0"),
        ({"weight": np.ones(3)}, "give \\(O, I, H, W\\)"),
        ({"weight": np.full((3, 1), np.nan)}, "weight has a NaN"),
        ({"weight": np.array([["a"]] * 3)}, "weight is <U1"),
        ({"epsilon": "small"}, "epsilon='small'"),
        ({"epsilon": float("inf")}, "epsilon=inf"),
        ({"dtype": "float16", "scale": np.full(3, 1e9)}, "folded weight of channel 0 is larger than float16's"),
        ({"dtype": "float16", "weight": np.zeros((3, 1)), "shift": np.full(3, 1e9)}, "folded bias of channel 0"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        fold(**{"transposed": False, **layers(6), **change})
    assert "\n" not in str(told.value)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(TypeError, match="int8"):
        fold(**layers(6), transposed=False, dtype="int8")


# What it costs -------------------------------------------------------------------------------------------------


def image(seed: int, dtype: Any = np.float32) -> Any:
    return np.random.RandomState(seed).normal(size=(2, 2, 5, 5)).astype(dtype)


def test_powers_of_two_cost_nothing_folded() -> None:
    """Weights and slopes without rounding: the folded outputs are the exact ones, stored."""
    weight = np.float32([[[[1.0, -2.0]]], [[[0.5, 4.0]]]])
    x = np.arange(18, dtype=np.float32).reshape(1, 1, 3, 6)
    found = cost(x, weight, None, np.float32([2, 0.5]), np.float32([1, -1]), [0.5, 0.25], [0.25, 4.0], 0.0)
    assert found == Cost("float32", 2 * 3 * 5, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_errors_stay_under_what_the_roundings_allow(dtype: str) -> None:
    """Every folded number is off by at most u, and so is the stored output: a bound from the terms' sizes."""
    given_in = FORMATS[dtype].dtype
    parts, x = layers(7, dtype=given_in), image(7, given_in)
    found = cost(x, **parts, dtype=dtype)
    assert found.outputs == 2 * 3 * 3 * 3
    u = float(FORMATS[dtype].unit_roundoff)
    wide = {k: np.float64(v) for k, v in parts.items()}
    slope = wide["scale"] / np.sqrt(wide["var"] + 1e-5)
    patches = np.lib.stride_tricks.sliding_window_view(np.float64(x), (3, 3), axis=(2, 3))
    weight = wide["weight"] * slope[:, None, None, None]
    bias = (wide["bias"] - wide["mean"]) * slope + wide["shift"]
    outputs = np.einsum("nchwij,ocij->nohw", patches, weight) + bias[:, None, None]
    terms = np.einsum("nchwij,ocij->nohw", np.abs(patches), np.abs(weight)) + np.abs(bias)[:, None, None]
    allowed = (terms.max(axis=(0, 2, 3)) * u * (1 + u) / np.abs(outputs).max(axis=(0, 2, 3))).max() + u
    assert 0 < found.folded_relative <= allowed
    assert found.unfolded_relative > 0
    assert found.folded_ulps > 0.25
    assert found.unfolded_ulps > 0.25


def test_stride_and_padding_are_the_convolutions() -> None:
    parts, x = layers(8), image(8)
    assert cost(x, **parts, stride=2, padding=1).outputs == 2 * 3 * 3 * 3


def test_folding_costs_more_where_the_batch_norm_removes_a_large_mean() -> None:
    """x - mean cancels exactly in the unfolded layers; folded, the bias and the weights were rounded before."""
    x = np.full((1, 1, 1, 1), 1024.0, np.float32)
    found = cost(x, [[[[1.0]]]], None, None, None, [1023.0], [3.0], 0.0)
    assert found.folded_ulps > 100 * found.unfolded_ulps


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.zeros((1, 3, 5, 5))}, "does not fit"),
        ({"stride": 0}, "stride=0"),
        ({"x": np.zeros((1, 2, 2, 2))}, "smaller than the kernel"),
        ({"x": np.full((1, 2, 3, 3), 6e4), "dtype": "float16"}, "an output is beyond float16's"),
    ],
)
def test_cost_refuses_what_does_not_fit(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cost(**{"x": image(9), **layers(9), **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": np.full((3, 2, 3, 3), 1e5), "scale": np.full(3, 1e-2)}, "channel 0's weight is beyond float16"),
        ({"bias": [1.0, 2.0, 1e5], "scale": np.full(3, 1e-2)}, "channel 2's bias is beyond float16"),
        ({"scale": [1.0, -1e5, 1.0], "weight": np.zeros((3, 2, 3, 3))}, "channel 1's scale is beyond float16"),
        ({"shift": [0.0, 1e5, 0.0], "scale": np.ones(3), "mean": np.full(3, 6e4), "var": np.ones(3)},
         "channel 1's shift is beyond float16"),
        ({"mean": [1e5, 0.0, 0.0], "var": np.full(3, 1e4)}, "channel 0's mean is beyond float16"),
        ({"var": [1.0, 1.0, 1e6]}, "channel 2's variance is beyond float16"),
        ({"epsilon": 1e5}, "epsilon is beyond float16"),
        ({"var": [1.0, 65504.0, 1.0], "epsilon": 100.0}, "channel 1's variance with epsilon is beyond float16"),
        ({"var": [0.0, 1.0, 1.0], "epsilon": 1e-8}, "channel 0's variance with epsilon is 0 in float16"),
        ({"var": np.full(3, 1e-8), "epsilon": 0.0, "scale": np.full(3, 1e-3)},
         "channel 0's variance with epsilon is 0 in float16"),
        ({"scale": np.full(3, 6e4), "var": np.full(3, 1e-4), "weight": np.zeros((3, 2, 3, 3)), "mean": np.zeros(3),
          "bias": np.zeros(3)}, "channel 0's scale over its deviation is beyond float16"),
    ],
)  # fmt: skip
def test_cost_names_the_parameter_that_the_format_does_not_hold(change: dict[str, Any], words: str) -> None:
    """float16 holds the folded layer in every case."""
    given_ = {**layers(9), **change}
    fold(**given_, transposed=False, dtype="float16")
    found = cost(image(9), **given_, dtype="float16")
    assert found.problem == words
    assert found.unfolded_ulps == found.unfolded_relative == math.inf
    # The folded layer's errors are what they are beside any other norm.
    assert 0 <= found.folded_ulps < math.inf
    wide = cost(image(9), **given_, dtype="float64")
    assert (wide.problem, wide.outputs) == ("", 2 * 3 * 3 * 3)
    assert wide.unfolded_relative < 1e-9


def test_the_cost_of_an_affine_layer_names_its_scale() -> None:
    found = cost([[[[1.0]]]], [[[[1e-3]]]], None, [1e5], None, dtype="float16")
    assert (found.problem, found.unfolded_ulps) == ("channel 0's scale is beyond float16", math.inf)
    assert found.folded_ulps <= 1
