"""Exact sums: every finite value counts in full, whatever its size, place in memory and neighbours."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels import views
from varkernels.blocking import CARRIERS
from varkernels.exact import accumulator
from varkernels.exact import sums as summing
from varkernels.exact.sums import ExactSums, exact_sums
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format
from varkernels.jit import fresh_njit

ALL = list(FORMATS.values())
SIGNED = {2: np.int16, 4: np.int32, 8: np.int64}
UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}

formats = pytest.mark.parametrize("fmt", ALL, ids=str)


def oracle(values: Any) -> ExactSums:
    """The sums by Python's integers, from the ratios of Python's floats."""
    floats = [float(v) for v in np.asarray(values).ravel()]
    finite = [v for v in floats if math.isfinite(v)]
    nan, posinf, neginf = (
        sum(map(math.isnan, floats)),
        floats.count(math.inf),
        floats.count(-math.inf),
    )
    ratios = [v.as_integer_ratio() for v in finite]
    scale = max((q for _, q in ratios), default=1)
    integers = [p * (scale // q) for p, q in ratios]
    s1, s2 = sum(integers), sum(i * i for i in integers)
    exponent = 1 - scale.bit_length()
    if not s2:
        return ExactSums(len(floats), nan, posinf, neginf, 0, 0, 0)
    while s1 % 2 == 0 and s2 % 4 == 0:
        s1, s2, exponent = s1 // 2, s2 // 4, exponent + 1
    return ExactSums(len(floats), nan, posinf, neginf, s1, s2, exponent)


def expected(view: NDArray[Any]) -> list[ExactSums]:
    blocks = view if view.ndim == 4 else view[np.newaxis]
    return [oracle(block[:, r]) for block in blocks for r in range(block.shape[1])]


def from_bits(fmt: Format, patterns: Any) -> NDArray[Any]:
    return np.asarray(patterns).astype(np.uint64).astype(UNSIGNED[fmt.dtype.itemsize]).view(fmt.dtype)


def field(fmt: Format) -> int:
    """The exponent field of NaN and infinities."""
    return fmt.emax - fmt.emin + 2


def assemble(fmt: Format, sign: Any, exponent: Any, fraction: Any) -> NDArray[Any]:
    """Numbers from their three bit fields."""
    sign, exponent, fraction = (np.asarray(v).astype(np.uint64) for v in (sign, exponent, fraction))
    width, p = np.uint64(8 * fmt.dtype.itemsize - 1), np.uint64(fmt.precision - 1)
    return from_bits(fmt, (sign << width) | (exponent << p) | fraction)


def any_finite(fmt: Format, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    """Random bit patterns of finite numbers: all exponents are equally likely."""
    rng = np.random.default_rng(seed)
    return assemble(
        fmt,
        rng.integers(0, 2, shape),
        rng.integers(0, field(fmt), shape),
        rng.integers(0, 2 ** (fmt.precision - 1), shape),
    )


# --------------------------------------------------------------------------------------------- single values


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16], ids=str)
def test_every_number_of_sixteen_bits(fmt: Format) -> None:
    numbers = from_bits(fmt, np.arange(65536))
    got = exact_sums(numbers.reshape(1, -1, 1))
    assert len(got) == 65536
    specials = 0
    for sums, number in zip(got, numbers, strict=True):
        value = float(number)
        assert sums.count == 1
        if not math.isfinite(value):
            specials += 1
            assert (sums.s1, sums.s2, sums.exponent) == (0, 0, 0)
            assert (sums.nan, sums.posinf, sums.neginf) == (math.isnan(value), value > 0, value < 0)
            continue
        assert (sums.nan, sums.posinf, sums.neginf) == (0, 0, 0)
        assert sums.s1 * Fraction(2) ** sums.exponent == Fraction(value)
        assert sums.s2 == sums.s1**2
        assert sums.s1 % 2 == 1 or value == 0
    assert specials == 2**fmt.precision


@pytest.mark.parametrize("fmt", [FLOAT32, FLOAT64], ids=str)
def test_every_exponent_with_the_ends_of_the_significand(fmt: Format) -> None:
    exponents = np.arange(field(fmt))
    full = (1 << (fmt.precision - 1)) - 1
    low = (1 << 32) - 1 & full  # all bits of a wide number's lower half
    fractions = np.array([0, 1, full, full - 1, full ^ low, low, full // 3])
    numbers = assemble(
        fmt,
        np.arange(2).reshape(-1, 1, 1),
        exponents.reshape(-1, 1),
        fractions.reshape(1, 1, -1),
    )
    assert np.isfinite(numbers).all()
    assert numbers.size == 2 * field(fmt) * len(fractions)
    assert exact_sums(numbers.reshape(1, -1, 1)) == [oracle(v) for v in numbers.ravel()]


# ------------------------------------------------------------------------------------------------------ rows


@formats
@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 1023])
def test_random_bit_patterns(fmt: Format, length: int) -> None:
    rows = any_finite(fmt, (1, max(3, 600 // length), length), seed=length)
    assert exact_sums(rows) == expected(rows)


@formats
def test_a_long_row_that_carries_far(fmt: Format) -> None:
    largest = fmt.dtype.type(float(fmt.largest))
    tiny = fmt.dtype.type(float(fmt.smallest_subnormal))
    row = np.full(100_001, largest)
    row[::2] = -largest
    row[[5, -1]] = tiny, -tiny
    rows = np.stack([row, np.abs(row), -np.abs(row), np.sort(row), np.full_like(row, tiny)])
    assert exact_sums(rows[np.newaxis]) == expected(rows[np.newaxis])


def test_numbers_six_hundred_orders_of_magnitude_apart() -> None:
    row = np.array([1e300, 1e-300, -1e300, 5e-324, 1.0, 2.0**1023, -(2.0**-1074), -(2.0**1023)])
    sums = exact_sums(row.reshape(1, 1, -1))[0]
    assert sums == oracle(row)
    assert sums.s1 * Fraction(2) ** sums.exponent == 1 + Fraction(1e-300)
    assert sums.s2.bit_length() > 4000


def test_the_exponent_is_the_largest_that_leaves_integers() -> None:
    def of(*values: float) -> tuple[int, int, int]:
        sums = exact_sums(np.array(values).reshape(1, 1, -1))[0]
        return sums.s1, sums.s2, sums.exponent

    assert of(8.0) == (1, 1, 3)
    assert of(8.0, -8.0) == (0, 2, 3)
    assert of(1.0, -1.0, 1.0, -1.0) == (0, 1, 1)
    assert of(0.375) == (3, 9, -3)
    assert of(5e-324) == (1, 1, -1074)
    assert of(0.0, -0.0) == (0, 0, 0)


@formats
def test_one_sum_each_of_every_power_of_two(fmt: Format) -> None:
    powers = [2.0**e for e in range(fmt.emin - fmt.precision + 1, fmt.emax + 1)]
    row = np.array(powers, dtype=fmt.dtype).reshape(1, 1, -1)
    sums = exact_sums(row)[0]
    n = len(powers)
    assert sums.exponent == fmt.emin - fmt.precision + 1
    assert sums.s1 == 2**n - 1
    assert sums.s2 == (4**n - 1) // 3


# ---------------------------------------------------------------------------------------- no digit overflows


def added(fmt: Format, values: NDArray[Any], one_row_each: bool = False) -> tuple[NDArray[Any], ...]:
    """Digits, squares and specials after the values, by the uncompiled verbs; an overflow raises."""
    add = accumulator.add_wide if fmt is FLOAT64 else accumulator.add_narrow
    rows = len(values) if one_row_each else 1
    count = (field(fmt) >> 3) + 16
    digits, squares, special = (np.zeros((rows, c), dtype=np.int64) for c in (count, count, 3))
    with np.errstate(over="raise"):
        for k, bits in enumerate(values.view(SIGNED[fmt.dtype.itemsize]).astype(np.int64)):
            row = k if one_row_each else 0
            add(bits, np.int64(fmt.precision - 1), np.int64(field(fmt)), row, digits, squares, special)
    return digits, squares, special


@formats
def test_a_value_adds_less_than_a_limit_th_of_a_digit(fmt: Format) -> None:
    """Digits add up, so what one value can do to a digit, times LIMIT, is what a digit must hold."""
    full = (1 << (fmt.precision - 1)) - 1
    fractions = np.array([0, full, full - 1, full & 0xFFFFFFFF, full ^ (full & 0xFFFFFFFF)])
    ends = assemble(
        fmt,
        np.arange(2).reshape(-1, 1, 1),
        np.arange(field(fmt)).reshape(-1, 1),
        fractions.reshape(1, 1, -1),
    )
    values = np.concatenate([ends.ravel(), any_finite(fmt, (20_000,), seed=2)])
    digits, squares, special = added(fmt, values, one_row_each=True)
    piece = 2**34
    assert np.abs(digits).max() < piece
    assert squares.max() > 2**29
    assert squares.min() >= 0
    assert squares.max() < piece
    carry = summing.LIMIT * piece // 2**8 + 1  # from the digit below, which hands on all but its lowest byte
    assert summing.LIMIT * piece + carry < 2**63
    assert not special.any()


@formats
def test_no_operation_of_a_kernel_overflows(fmt: Format) -> None:
    """Compiled signed arithmetic must not wrap: LLVM takes it that it never does. Python tells if it would."""
    full = (1 << (fmt.precision - 1)) - 1
    ends = assemble(fmt, np.arange(2).reshape(-1, 1), field(fmt) - 1 - np.arange(16), full)
    values = np.concatenate([ends.ravel(), any_finite(fmt, (500,), seed=9)])
    digits, squares, special = added(fmt, values)
    assert not special.any()
    unit = fmt.emin - fmt.precision
    want = oracle(values)
    out = [np.empty((1, width * digits.shape[1]), np.uint8) for width in (1, 2)]
    assert summing.integers_of(digits, 1, out[0])[0] * Fraction(2) ** unit == want.s1 * Fraction(2) ** want.exponent
    assert summing.integers_of(squares, 2, out[1])[0] * Fraction(4) ** unit == want.s2 * Fraction(4) ** want.exponent


# ------------------------------------------------------------------------------------ blocks in floating point


def widest(fmt: Format) -> int:
    """How many binades the values of a block may span."""
    return 16 if fmt is FLOAT64 else 43 - fmt.precision


@formats
@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("signs", ["equal", "mixed"])
def test_blocks_at_the_edge_of_what_float64_adds_exactly(fmt: Format, over: int, signs: str) -> None:
    """A full block of the largest significands of one exponent, with others as far below it as may be."""
    full, n = (1 << (fmt.precision - 1)) - 1, accumulator.BLOCK
    span = min(widest(fmt) + over, field(fmt) - 3)
    highest = [field(fmt) - 1, field(fmt) // 2 + span // 2, span + 1]
    for top in highest if fmt is not FLOAT64 else [*highest, 1023 + 480, 1023 + 481, 600 + span, 599 + span]:
        rng = np.random.default_rng(top)
        exponents = np.full(n, top)
        exponents[rng.permutation(n)[:3]] = top - span
        fractions = np.full(n, full)
        fractions[1::2] = full - rng.integers(0, 4, n // 2)
        signed = rng.integers(0, 2, n) if signs == "mixed" else np.ones(n, np.int64)
        row = assemble(fmt, signed, exponents, fractions)
        assert exact_sums(row.reshape(1, 1, -1)) == [oracle(row)]


@fresh_njit
def short_way(values, bits, fraction, field, unit, digits, squares):  # type: ignore[no-untyped-def]
    return accumulator.block(values, bits, 0, 0, 0, values.shape[2], 0, fraction, field, unit, 0, digits, squares)


@formats
def test_which_blocks_float64_may_add(fmt: Format) -> None:
    def taken(row: NDArray[Any]) -> bool:
        view = row.astype(fmt.dtype).reshape(1, 1, -1)
        digits, squares = (np.zeros((1, (field(fmt) >> 3) + 16), np.int64) for _ in range(2))
        values, bits = view.view(CARRIERS[fmt.name]), view.view(SIGNED[fmt.dtype.itemsize])
        unit = fmt.emin - fmt.precision
        done = short_way(values, bits, fmt.precision - 1, field(fmt), unit, digits, squares)
        assert done or not (digits.any() or squares.any())
        return bool(done)

    rng = np.random.default_rng(0)
    assert taken(100 + rng.normal(size=1024))
    assert taken(np.zeros(8))
    assert taken(np.r_[np.zeros(7), 3.0])
    for bad in (np.nan, np.inf, -np.inf):
        assert not taken(np.r_[np.ones(15), bad])
    if fmt is not FLOAT16:  # whose whole range is narrow enough
        span = 2.0 ** widest(fmt)
        assert taken(np.r_[np.full(8, span), np.ones(8)])
        assert not taken(np.r_[np.full(8, 2 * span), np.ones(8)])


@formats
@pytest.mark.parametrize("n", [1, 7, 8, 9, 1023, 1024, 1025, 2047, 2050])
def test_blocks_tails_and_segments(fmt: Format, n: int) -> None:
    rng = np.random.default_rng(n)
    x = (3 + rng.normal(size=(3, 2, n))).astype(fmt.dtype)
    x[1, 0, n // 2], x[2, 1, n - 1] = np.nan, -np.inf
    x[0, 1, : n // 2] = 0
    for view in (x, x[:1], x.transpose(2, 1, 0), x.transpose(0, 2, 1), x[:, :, ::-1]):
        assert exact_sums(view) == expected(view)


@formats
@pytest.mark.parametrize("sign", [1, -1])
def test_maximal_significands_up_to_the_limit_and_beyond(fmt: Format, sign: int) -> None:
    """2^28 + 5 values in no memory: one value, with a stride of zero, shifted as far as a digit goes."""
    exponent = (field(fmt) - 1) // 8 * 8 - 1
    value = assemble(fmt, sign < 0, exponent, (1 << (fmt.precision - 1)) - 1)
    n = summing.LIMIT + 5
    sums = exact_sums(np.broadcast_to(value, (1, 1, n)))[0]
    one = oracle(value)
    assert sums.count == n == 2**28 + 5
    assert sums.s1 * Fraction(2) ** sums.exponent == n * one.s1 * Fraction(2) ** one.exponent
    assert sums.s2 * Fraction(4) ** sums.exponent == n * one.s2 * Fraction(4) ** one.exponent


@formats
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 10, 11, 12, 1000])
def test_rows_cut_at_any_limit_give_the_same_sums(fmt: Format, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = any_finite(fmt, (5, 3, 11), seed=limit)
    values[2, 1, 4], values[4, 0, 10], values[0, 2, 0] = np.nan, np.inf, -np.inf
    want = expected(values)
    monkeypatch.setattr(summing, "LIMIT", limit)
    assert exact_sums(values) == want
    channels_last = np.ascontiguousarray(values.transpose(0, 2, 1)).transpose(0, 2, 1)
    assert exact_sums(channels_last) == want
    pieces = list(summing.pieces_of(values, limit))
    assert max(piece.shape[0] * piece.shape[2] for piece in pieces) <= limit
    assert sum(piece.size for piece in pieces) == values.size


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_rows_in_blocks_of_any_size_give_the_same_sums(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = any_finite(FLOAT32, (3, 13, 4), seed=rows)
    want = expected(values)
    monkeypatch.setattr(summing, "ROWS", rows)
    assert exact_sums(values) == want


def test_more_rows_than_are_summed_side_by_side() -> None:
    for rows in (summing.ROWS - 1, summing.ROWS, summing.ROWS + 1, 2 * summing.ROWS + 3):
        values = any_finite(FLOAT64, (2, rows, 3), seed=rows)
        assert exact_sums(values) == expected(values)


# ---------------------------------------------------------------------------------------- views of all kinds


@formats
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group", "flat"])
def test_the_views_of_the_norms(fmt: Format, layout: str, norm: str) -> None:
    x = any_finite(fmt, (3, 4, 5, 6) if layout == "NCHW" else (3, 5, 6, 4), seed=3)
    view = views.view(x, norm, layout=layout, groups=2 if norm == "group" else None)
    assert exact_sums(view) == expected(view)


@formats
def test_views_of_any_strides(fmt: Format) -> None:
    x = any_finite(fmt, (6, 8, 10), seed=4)
    views = [
        x[::2, ::-1, ::3],
        x[::-1, 1:-1, ::-1],
        x.transpose(2, 1, 0),
        x.transpose(0, 2, 1),
        x.transpose(1, 0, 2)[:, ::2],
        np.asfortranarray(x),
        np.broadcast_to(x[:, :1], x.shape),
        np.broadcast_to(x[:1, :, :1], x.shape),
        x.reshape(2, 3, 8, 10),
        x.reshape(3, 2, 8, 10).transpose(1, 3, 0, 2),
        x.reshape(6, 2, 4, 10)[::-1, :, ::2],
    ]
    assert not any(view.flags.c_contiguous for view in views[:8])
    for view in views:
        assert exact_sums(view) == expected(view)


@formats
def test_read_only_and_unaligned_arrays(fmt: Format) -> None:
    x = any_finite(fmt, (2, 3, 5), seed=5)
    want = expected(x)
    frozen = x.copy()
    frozen.flags.writeable = False
    assert exact_sums(frozen) == want
    packed = np.zeros(x.shape, dtype=np.dtype([("tag", np.uint8), ("value", fmt.dtype)]))
    packed["value"] = x
    assert packed["value"].strides[-1] == fmt.dtype.itemsize + 1
    assert not packed["value"].flags.aligned
    assert exact_sums(packed["value"]) == want
    assert np.array_equal(packed["value"].view(UNSIGNED[fmt.dtype.itemsize]), x.view(UNSIGNED[x.itemsize]))


@pytest.mark.parametrize("fmt", [FLOAT16, FLOAT32, FLOAT64], ids=str)
def test_arrays_of_the_other_byte_order(fmt: Format) -> None:
    x = any_finite(fmt, (2, 3, 5), seed=6)
    swapped = x.astype(fmt.dtype.newbyteorder("S"))
    assert not swapped.dtype.isnative
    assert exact_sums(swapped) == expected(x)
    assert exact_sums(swapped.transpose(2, 1, 0)[::-1]) == expected(x.transpose(2, 1, 0))


def test_lists_are_taken_as_float64() -> None:
    assert exact_sums([[[0.1, 0.2], [3.0, 4.0]]]) == [oracle([0.1, 0.2]), oracle([3.0, 4.0])]


@formats
def test_the_values_are_left_as_they_are(fmt: Format) -> None:
    x = any_finite(fmt, (2, 3, 5), seed=7)
    before = x.tobytes()
    exact_sums(x)
    assert x.tobytes() == before


# ------------------------------------------------------------------------------- what is not a finite number


@formats
def test_nan_and_infinities_are_counted_and_not_summed(fmt: Format) -> None:
    rng = np.random.default_rng(8)
    x = any_finite(fmt, (2, 40, 9), seed=8)
    kinds = rng.integers(0, 6, x.shape)  # half of the values stay finite
    payloads = rng.integers(1, 2 ** (fmt.precision - 1), x.shape)
    top = field(fmt)
    x = np.where(kinds == 0, assemble(fmt, rng.integers(0, 2, x.shape), np.full(x.shape, top), payloads), x)
    x = np.where(kinds == 1, assemble(fmt, 0, top, 0), x)
    x = np.where(kinds == 2, assemble(fmt, 1, top, 0), x)
    got = exact_sums(x)
    for r, sums in enumerate(got):
        chosen, row = kinds[:, r], x[:, r]
        assert (sums.nan, sums.posinf, sums.neginf) == tuple(int((chosen == k).sum()) for k in range(3))
        assert sums.count == 18
        rest = oracle(row[chosen > 2])
        assert (sums.s1, sums.s2, sums.exponent) == (rest.s1, rest.s2, rest.exponent)
    assert sum(sums.nan for sums in got) > 50


@formats
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (0, 3, 0), (2, 0, 3, 4), (2, 3, 1, 0)])
def test_rows_without_values(fmt: Format, shape: tuple[int, ...]) -> None:
    rows = shape[1] if len(shape) == 3 else shape[0] * shape[2]
    assert exact_sums(np.zeros(shape, fmt.dtype)) == [ExactSums(0, 0, 0, 0, 0, 0, 0)] * rows


@pytest.mark.parametrize("shape", [(2, 0, 4), (0, 2, 3, 4), (2, 3, 0, 4)])
def test_no_rows(shape: tuple[int, ...]) -> None:
    assert exact_sums(np.zeros(shape, np.float32)) == []


def test_errors_name_what_is_wrong() -> None:
    for dtype in (np.int32, np.complex64, bool, "S4", np.dtype([("a", "f4")])):
        with pytest.raises(TypeError, match=r"^dtype .* is not supported: use one of float16, bfloat16"):
            exact_sums(np.zeros((1, 1, 2), dtype))
    for shape in ((), (3,), (3, 4), (1, 1, 1, 1, 1)):
        with pytest.raises(ValueError, match=r"^view has shape \(.*\): it must be \(segments, rows"):
            exact_sums(np.zeros(shape, np.float32))


# ------------------------------------------------------------------------------------------------------ laws

rows64 = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=12)


def sums_of(values: list[float]) -> tuple[Fraction, Fraction]:
    sums = exact_sums(np.array(values).reshape(1, 1, -1))[0]
    assert sums.count == len(values)
    return sums.s1 * Fraction(2) ** sums.exponent, sums.s2 * Fraction(4) ** sums.exponent


@given(left=rows64, right=rows64)
@settings(deadline=None)
def test_sums_of_a_whole_are_the_sums_of_its_parts(left: list[float], right: list[float]) -> None:
    (a, aa), (b, bb) = sums_of(left), sums_of(right)
    assert sums_of(left + right) == sums_of(right + left) == (a + b, aa + bb)
    assert a == sum(map(Fraction, left))
    assert aa == sum(Fraction(v) ** 2 for v in left)


@given(values=rows64)
@settings(deadline=None)
def test_signs_and_opposites(values: list[float]) -> None:
    s1, s2 = sums_of(values)
    assert sums_of([-v for v in values]) == (-s1, s2)
    assert sums_of(values + [-v for v in values]) == (0, 2 * s2)


# -------------------------------------------------------------------------------------------- one row, again and again


def one_row(x: NDArray[Any]) -> ExactSums:
    return exact_sums(x.reshape(1, 1, -1))[0]


@formats
@pytest.mark.parametrize("n", [1, 8, 1000, 5001])
def test_one_row_is_the_same_time_and_again(fmt: Format, n: int) -> None:
    for seed in range(3):
        x = any_finite(fmt, (n,), seed)
        x[n // 2] = [np.nan, np.inf, 1][seed]
        assert one_row(x) == oracle(x)


def test_an_interrupted_row_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(10.0)

    def stop(self: object) -> None:
        raise KeyboardInterrupt

    one_row(x)
    with monkeypatch.context() as patch:
        patch.setattr(summing.Digits, "empty", stop)
        with pytest.raises(KeyboardInterrupt):
            one_row(x)
    assert one_row(x) == oracle(x)


def test_rows_in_many_threads() -> None:
    rows = [any_finite(FLOAT32, (500,), seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one_row, rows)) == [oracle(x) for x in rows]
