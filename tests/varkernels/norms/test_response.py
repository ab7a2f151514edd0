"""Local response normalisation: exact outputs against another way to compute them, and the sums' orders."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

import varstudy
from varkernels.formats import FORMATS
from varkernels.norms.response_sums import ordered_response
from varkernels.rounding import round_to
from varstudy.study.response_orders import response_errors


def expected(x: Any, size: int, alpha: float, beta: float, k: float, over: bool, even: str, dtype: str) -> Any:
    """Element by element in 2000 bits, from the definition."""
    below = size // 2 if even == "before" else (size - 1) // 2
    y = np.empty(x.shape, FORMATS[dtype].dtype)
    with mpmath.workprec(2000):
        for row, lane in enumerate(x.astype(np.float64).tolist()):
            for c, value in enumerate(lane):
                window = [lane[j] for j in range(c - below, c - below + size) if 0 <= j < len(lane)]
                total = mpmath.mpf(alpha) * mpmath.fsum(mpmath.mpf(v) ** 2 for v in window) / (size if over else 1)
                y[row, c] = round_to(value / (k + total) ** mpmath.mpf(beta), dtype)
    return y


@pytest.mark.parametrize(
    ("size", "alpha", "beta", "k", "over", "even"),
    [
        (5, 1e-4, 0.75, 1.0, True, "before"), (4, 1.0, 0.5, 2.0, False, "before"), (4, 1.0, 0.75, 2.0, False, "after"),
        (3, 0.3, 1.0, 1.0, True, "before"), (2, 1.0, 0.6, 0.0, True, "after"), (99, 1e-4, -0.1, 1.0, True, "before"),
        (1, 1.0, 2.75, 0.5, True, "before"), (5, 1e-30, 0.3, 1.0, True, "before"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("storage", ["float32", "float16", "bfloat16", "float64"])
def test_every_element_is_correctly_rounded(size: int, alpha: float, beta: float, k: float, over: bool, even: str,
                                            storage: str) -> None:  # fmt: skip
    x = FORMATS[storage].rounded(np.random.default_rng([7, size]).standard_normal((2, 7)) * 3)
    found = varstudy.response_norm_forward(x, size, alpha=alpha, beta=beta, k=k, alpha_over_size=over, even=even)
    assert found.y.rounded.tolist() == expected(x, size, alpha, beta, k, over, even, storage).tolist()


def test_ties_are_decided_where_the_power_is_rational() -> None:
    # 3 x 2^-22 / 16^0.75 lies halfway between two subnormal numbers of float16: the even one is 2 x 2^-24.
    x = np.array([[3 * 2.0**-22]], np.float16)
    assert varstudy.response_norm_forward(x, alpha=0, k=16).y.rounded.tolist() == [[2.0**-23]]
    # v = 1 has every root: beta = 0.1 is 2^-55 times an integer.
    assert varstudy.response_norm_forward(x, alpha=0, beta=0.1).y.rounded.tolist() == x.tolist()


def test_an_answer_next_to_a_tie_needs_more_bits() -> None:
    # 1 + 2^-24 lies halfway between two numbers of float32; v moves y off it by a relative 2^-200.
    x = np.array([[1 + 2.0**-24]])
    for sign, y in ((1, 1.0), (-1, 1 + 2.0**-23)):
        k = 1 + sign * Fraction(1, 2**200)
        for beta in (0.75, 0.1):
            found = varstudy.response_norm_forward(x, alpha=0, beta=beta, k=k, dtype="float32")
            assert found.y.rounded.tolist() == [[y]]


def test_windows_at_the_border_and_of_even_sizes() -> None:
    x = np.array([[1.0, 10, 100, 1000]])
    for size, even, sums in (
        (3, "before", [101, 10101, 1010100, 1010000]),
        (2, "before", [1, 101, 10100, 1010000]),
        (2, "after", [101, 10100, 1010000, 1000000]),
        (9, "before", [1010101] * 4),
    ):
        assert varstudy.response_norm_forward(x, size, even=even).sums.rounded.tolist() == [sums]


def test_channels_along_any_axis() -> None:
    x = np.random.default_rng(3).standard_normal((2, 5, 3)).astype(np.float32)
    here = varstudy.response_norm_forward(x, 3)
    there = varstudy.response_norm_forward(np.moveaxis(x, 1, -1), 3, axis=-1)
    assert np.moveaxis(there.y.rounded, -1, 1).tobytes() == here.y.rounded.tobytes()
    assert np.moveaxis(there.sums.high, -1, 1).tobytes() == here.sums.high.tobytes()
    assert varstudy.response_norm_forward(np.zeros((0, 4))).y.rounded.shape == (0, 4)


def test_nan_where_no_exact_number_exists() -> None:
    found = varstudy.response_norm_forward(np.array([[1.0, 2, 3, np.inf]]), 3)
    assert np.isnan(found.y.rounded).tolist() == np.isnan(found.sums.high).tolist() == [[False, False, True, True]]
    zero = varstudy.response_norm_forward(np.zeros((1, 2)), k=0)
    assert np.isnan(zero.y.rounded).all()
    assert zero.sums.rounded.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"size": 0}, "size is 0"), ({"even": "left"}, "even='left'"), ({"k": np.nan}, "k is nan"),
        ({"beta": 65.0}, "beta is 65"), ({"axis": 2}, "axis is 2"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        varstudy.response_norm_forward(np.zeros((2, 3)), **more)


def test_a_sliding_sum_keeps_what_a_large_channel_rounded_away() -> None:
    # 2^24 + 1 is no float32: the ones that enter while the large square is there are lost when it leaves.
    x = np.array([[4096.0, 1, 1, 1, 1]], np.float32)
    plain: dict[str, Any] = {"alpha": 1, "k": 0, "alpha_over_size": False}
    direct, sliding = (ordered_response(x, 3, order=order, **plain) for order in ("direct", "sliding"))
    assert direct.v.tolist() == [[2.0**24, 2.0**24, 3.0, 3.0, 2.0]]
    assert sliding.v.tolist() == [[2.0**24, 2.0**24, 0.0, 0.0, -1.0]]
    assert np.isnan(sliding.y[0, 4])
    assert np.isinf(sliding.bound[0, 2:]).all()
    exact = varstudy.response_norm_forward(x, 3, **plain).y
    assert (np.abs(direct.y - exact.high) <= direct.bound).all()


@pytest.mark.parametrize("accumulator", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("order", ["direct", "sliding"])
def test_errors_stay_within_their_bounds(order: str, accumulator: str) -> None:
    rng = np.random.default_rng(11)
    fmt = FORMATS[accumulator]
    for scale in (2.0**-12, 1.0, 30.0):
        x = fmt.rounded(rng.standard_normal((4, 12)) * scale)
        for size, k, alpha in ((4, 1.0, 1e-4), (5, 0.5, 0.3)):
            exact = varstudy.response_norm_forward(x, size, k=k, alpha=alpha).y
            found = ordered_response(x, size, k=k, alpha=alpha, order=order, accumulator=accumulator)
            error = np.abs((found.y.astype(np.float64) - exact.high) - exact.low)
            assert (error <= found.bound).all()
            assert np.isfinite(found.bound).any()


def test_the_study_shows_the_loss() -> None:
    found = {(row.input, row.parameters, row.order): row for row in response_errors()}
    assert {row.status for (_, _, order), row in found.items() if order == "direct"} == {"right"}
    assert found["one large channel", "sum alone", "sliding"].status == "wrong"
    assert found["one large channel", "sum alone", "sliding"].not_finite > 0
    for (name, about, order), row in found.items():
        assert row.error >= found[name, about, "direct"].error or order == "direct"


def test_an_accumulator_must_hold_the_input() -> None:
    with pytest.raises(ValueError, match="give a format up to float32 that holds x"):
        ordered_response(np.zeros((1, 2), np.float32), accumulator="float16")
    with pytest.raises(ValueError, match="order='tree' is unknown"):
        ordered_response(np.zeros((1, 2), np.float32), order="tree")
    with pytest.raises(ValueError, match="alpha is -1"):
        ordered_response(np.zeros((1, 2), np.float32), alpha=-1)
