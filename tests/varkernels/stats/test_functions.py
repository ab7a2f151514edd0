"""var, std, mean and mean_var: the exact value rounded once, and numpy's answers to everything else."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.exceptions import AxisError
from numpy.typing import NDArray

import varstudy
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format
from varkernels.rounding import round_to, ulp
from varkernels.stats import sums as api_sums

ALL = list(FORMATS.values())
UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}
INTEGERS = [np.dtype(kind) for kind in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]
NAMES = ("var", "std", "mean")

formats = pytest.mark.parametrize("fmt", ALL, ids=str)


def fractions(values: Any) -> list[Fraction]:
    array = np.asarray(values)
    return [Fraction(int(v)) if array.dtype.kind in "biu" else Fraction(float(v)) for v in array.ravel()]


def exact_mean(values: Any) -> Fraction:
    numbers = fractions(values)
    return sum(numbers, Fraction(0)) / len(numbers)


def exact_variance(values: Any, correction: Any = 0) -> Fraction:
    numbers = fractions(values)
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - exactly(correction))


def is_root(got: Any, square: Fraction, fmt: Format) -> bool:
    """Whether `got` is sqrt(square) rounded to nearest even: by squares of the midpoints, without a root."""
    if not np.isfinite(got):
        return bool(got > 0) and square >= (fmt.largest + ulp(fmt.largest, fmt) / 2) ** 2
    value = Fraction(float(got))
    up = fmt.dtype.type(np.nextafter(got, fmt.dtype.type(np.inf)))
    above = (value + (Fraction(float(up)) if np.isfinite(up) else value + ulp(value, fmt))) / 2
    even = int(np.asarray(got).view(UNSIGNED[fmt.dtype.itemsize])) % 2 == 0
    fits = square < above**2 or (even and square == above**2)
    if value:
        below = (value + Fraction(float(np.nextafter(got, fmt.dtype.type(0))))) / 2
        fits &= square > below**2 or (even and square == below**2)
    return fits and value >= 0


def same(a: Any, b: Any) -> bool:
    """The same dtype, shape and bits."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@st.composite
def rows_of(draw: Any, fmt: Format, largest: int = 12) -> NDArray[Any]:
    """Finite values: any bit patterns, or neighbours, or few bits."""
    bits = 8 * fmt.dtype.itemsize
    kind = draw(st.sampled_from(["any", "near", "small", "subnormal"]))
    length = draw(st.integers(1, largest))
    if kind == "any":
        patterns = st.integers(0, 2**bits - 1)
    elif kind == "near":
        centre = draw(st.integers(0, 2 ** (bits - 1) - 1))
        patterns = st.integers(max(0, centre - 4), min(2 ** (bits - 1) - 1, centre + 4))
    elif kind == "small":
        return np.array(draw(st.lists(st.integers(-16, 16), min_size=length, max_size=length))).astype(fmt.dtype)
    else:
        patterns = st.sampled_from([1, 2, 3, 2 ** (fmt.precision - 1) - 1, 2 ** (fmt.precision - 1), 2 ** (bits - 1)])
    found = draw(st.lists(patterns, min_size=length, max_size=length))
    values = np.array(found, dtype=np.uint64).astype(UNSIGNED[fmt.dtype.itemsize]).view(fmt.dtype)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.where(np.isfinite(values), values, fmt.dtype.type(1))


corrections = st.sampled_from([0, 1, 0.5, -1, 0.1, -3.75, 1e-300, 0.9999999999999999, np.float32(0.1), Fraction(1, 3)])


def exactly(number: Any) -> Fraction:
    return Fraction(number.item() if isinstance(number, np.generic) else number)


def quiet(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


# --- the value ---------------------------------------------------------------------------------------------


@formats
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_answer_is_the_exact_one_rounded_once(fmt: Format, data: Any) -> None:
    x = data.draw(rows_of(fmt))
    correction = data.draw(corrections)
    mean, variance = quiet(varstudy.mean_var, x, correction=correction)
    assert type(variance) is fmt.dtype.type
    assert same(mean, round_to(exact_mean(x), fmt))
    assert same(varstudy.mean(x), mean)
    if len(x) > exactly(correction):
        exact = exact_variance(x, correction)
        assert same(variance, round_to(exact, fmt))
        assert same(quiet(varstudy.var, x, correction=correction), variance)
        assert is_root(quiet(varstudy.std, x, correction=correction), exact, fmt)
    else:
        assert np.isnan(variance)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_integers_are_exact_beyond_every_float(dtype: np.dtype[Any], data: Any) -> None:
    low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    number = st.one_of(st.integers(low, high), st.integers(high - min(3, high), high), st.sampled_from([low, high, 0]))
    x = np.array(data.draw(st.lists(number, min_size=1, max_size=12)), dtype=dtype)
    assert same(varstudy.mean(x), round_to(exact_mean(x), FLOAT64))
    assert same(varstudy.var(x), round_to(exact_variance(x), FLOAT64))
    assert is_root(varstudy.std(x), exact_variance(x), FLOAT64)


def test_neighbouring_64_bit_integers() -> None:
    # float64 holds none of them, and numpy answers 0.
    x = np.array([2**62 + 1, 2**62 + 3, 2**62 + 5])
    assert varstudy.var(x) == Fraction(8, 3).numerator / 3
    top = np.array([2**64 - 1, 2**64 - 3], dtype=np.uint64)
    assert varstudy.var(top) == 1.0
    assert varstudy.var(np.array([-(2**63), 2**63 - 1])) == round_to(Fraction(2**64 - 1, 2) ** 2, FLOAT64)


@formats
@pytest.mark.parametrize("wanted", ALL, ids=str)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_exact_value_is_rounded_once_to_the_wanted_dtype(fmt: Format, wanted: Format, data: Any) -> None:
    x = data.draw(rows_of(fmt, largest=5))
    exact = exact_variance(x)
    assert same(quiet(varstudy.var, x, dtype=wanted.dtype), round_to(exact, wanted))
    assert same(quiet(varstudy.mean, x, dtype=wanted.name), round_to(exact_mean(x), wanted))
    assert is_root(quiet(varstudy.std, x, dtype=wanted.dtype), exact, wanted)


@pytest.mark.parametrize("wanted", ALL, ids=str)
def test_single_integers_are_rounded_once_too(wanted: Format) -> None:
    x = np.array([2**24 + 1, 2**53 + 1, 2**62 + 2**38 + 1, 2049, 257, 2**63 - 1])
    got = quiet(varstudy.mean, x, axis=(), dtype=wanted.dtype)
    assert same(got, np.array([round_to(int(v), wanted) for v in x]))


@formats
def test_a_mean_halfway_between_two_numbers(fmt: Format) -> None:
    one, unit = fmt.dtype.type(1), Fraction(2) ** (1 - fmt.precision)
    a, b = round_to(1 + unit, fmt), round_to(1 + 2 * unit, fmt)
    tiny = round_to(fmt.smallest_subnormal, fmt)
    assert varstudy.mean(np.array([a, b])) == b  # its last bit is even
    assert varstudy.mean(np.array([one, a])) == one
    twice = np.array([2 * a, 2 * b, tiny * 0, tiny])
    assert varstudy.mean(twice) == b
    assert varstudy.mean(np.array([2 * a, 2 * b, -tiny, 0], dtype=fmt.dtype)) == a
    assert varstudy.mean(np.array([2 * one, 2 * a, tiny, 0], dtype=fmt.dtype)) == a
    assert varstudy.mean(np.array([2 * one, 2 * a, -tiny, 0], dtype=fmt.dtype)) == one


@formats
def test_a_variance_halfway_between_two_numbers(fmt: Format) -> None:
    # The variance of 0 and 2 y is y^2: an odd number of p + 1 bits.
    y = math.isqrt(2**fmt.precision) | 1
    y += 2 * (y * y < 2**fmt.precision)
    assert (y * y).bit_length() == fmt.precision + 1
    x = np.array([0, 2 * y]).astype(fmt.dtype)
    even = y * y - 1 if (y * y - 1) % 4 == 0 else y * y + 1
    assert Fraction(float(varstudy.var(x))) == even
    assert Fraction(float(varstudy.var(x, correction=2.0**-70))) == y * y + 1
    assert Fraction(float(varstudy.var(x, correction=-(2.0**-70)))) == y * y - 1
    assert varstudy.var(x, correction=1e-320) == y * y + 1


@formats
def test_a_root_halfway_between_two_numbers(fmt: Format) -> None:
    # Half the distance of 2^p - 1 and -2.
    x = np.array([2**fmt.precision - 1, -2], dtype=np.float64).astype(fmt.dtype)
    low = 2 ** (fmt.precision - 1)
    assert Fraction(float(varstudy.std(x))) == low
    assert Fraction(float(varstudy.std(x, correction=2.0**-200))) == low + 1
    assert Fraction(float(varstudy.std(x, correction=-(2.0**-200)))) == low
    odd = np.array([2**fmt.precision - 1, -4], dtype=np.float64).astype(fmt.dtype)
    assert Fraction(float(varstudy.std(odd))) == low + 2
    assert Fraction(float(varstudy.std(odd, correction=-(2.0**-200)))) == low + 1


@formats
def test_nothing_overflows_or_underflows_on_the_way(fmt: Format) -> None:
    largest, tiny = round_to(fmt.largest, fmt), round_to(fmt.smallest_subnormal, fmt)
    top = np.array([largest, -largest])
    assert same(varstudy.std(top), largest)
    assert same(varstudy.mean(np.full(7, largest)), largest)
    assert varstudy.var(np.full(7, largest)) == 0
    assert same(varstudy.std(np.array([tiny, -tiny])), tiny)
    assert varstudy.var(np.array([tiny, -tiny])) == 0  # 2^-2148 is none of float64's numbers
    with pytest.warns(RuntimeWarning, match=r"^overflow encountered in reduce$"):
        assert varstudy.var(top) == np.inf


def test_numbers_600_orders_of_magnitude_apart() -> None:
    x = np.array([1e300, 1e-300, -1e300, 3e-300, 1.0, 1e16])
    assert varstudy.mean(x) == round_to(exact_mean(x), FLOAT64)
    assert is_root(varstudy.std(x), exact_variance(x), FLOAT64)
    assert varstudy.mean(np.array([1e300, 1e-300, -1e300])) == round_to(Fraction(1e-300) / 3, FLOAT64)


@formats
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_constants_have_no_variance(fmt: Format, data: Any) -> None:
    x = np.repeat(data.draw(rows_of(fmt, largest=1)), data.draw(st.integers(2, 40)))
    for correction in (0, 1, 0.3):
        assert same(varstudy.var(x, correction=correction), fmt.dtype.type(0))
        assert same(varstudy.std(x, correction=correction), fmt.dtype.type(0))
    assert varstudy.mean(x) == x[0]


def test_a_mean_of_zero_is_positive() -> None:
    for x in (np.array([-0.0, -0.0]), np.array(-0.0), np.array([-1.0, 1.0])):
        assert math.copysign(1, varstudy.mean(x)) == 1
    assert not np.signbit(varstudy.mean(np.array([-0.0, 0.0]), axis=())).any()


# --- laws --------------------------------------------------------------------------------------------------


@formats
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_order_of_the_elements_does_not_matter(fmt: Format, data: Any) -> None:
    x = data.draw(rows_of(fmt))
    shuffled = np.array(data.draw(st.permutations(list(x))), dtype=fmt.dtype)
    for name in NAMES:
        function = getattr(varstudy, name)
        assert same(quiet(function, x), quiet(function, shuffled))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**20), 2**20), min_size=2, max_size=20), st.integers(-(2**52), 2**52))
def test_a_shift_that_is_exact_changes_nothing(values: list[int], shift: int) -> None:
    x = np.array(values, dtype=np.float64)
    assert same(varstudy.var(x), varstudy.var(x + shift))
    assert same(varstudy.std(x, correction=1), varstudy.std(x + shift, correction=1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e10, 1e10).filter(lambda v: v == 0 or abs(v) > 1e-10), min_size=2), st.integers(-400, 400))
def test_powers_of_two_scale_exactly(values: list[float], k: int) -> None:
    x = np.array(values)
    scaled = np.ldexp(x, k)
    assert same(varstudy.mean(scaled), np.ldexp(varstudy.mean(x), k))
    assert same(varstudy.std(scaled), np.ldexp(varstudy.std(x), k))
    assert same(varstudy.var(scaled), np.ldexp(varstudy.var(x), 2 * k))


LAYOUTS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, :, ::-1].copy()[::-1, :, ::-1],
    "strided": lambda x: np.repeat(np.repeat(x, 2, axis=1), 3, axis=2)[:, ::2, ::3],
    "transposed": lambda x: np.ascontiguousarray(x.transpose(2, 0, 3, 1)).transpose(1, 3, 0, 2),
    "swapped bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x: np.frombuffer(b"?" + x.tobytes(), dtype=x.dtype, offset=1, count=x.size).reshape(x.shape),
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}
AXES = [None, (), 0, 1, -1, (0, 1), (1, 2), (0, 2), (-1, 0), (1, 3), (0, 2, 3), (0, 1, 2, 3), (3, 1, 0)]


CASES = [
    (layout, dtype)
    for layout in LAYOUTS
    for dtype in (*(fmt.dtype for fmt in ALL), *INTEGERS)
    if layout != "swapped bytes" or dtype != BFLOAT16.dtype  # which has one byte order
]


@pytest.mark.parametrize(("layout", "dtype"), CASES, ids=str)
def test_the_layout_does_not_matter(layout: str, dtype: np.dtype[Any]) -> None:
    x = (np.random.default_rng(5).normal(size=(2, 3, 4, 5)) * 100).astype(dtype)
    y = LAYOUTS[layout](x)
    assert np.array_equal(x, y)
    for axis in AXES:
        for keepdims in (False, True):
            axes = range(4) if axis is None else {a % 4 for a in np.atleast_1d(np.array(axis, dtype=int))}
            kept = [a for a in range(4) if a not in axes]
            rows = x.transpose([*kept, *sorted(axes)]).reshape([x.shape[a] for a in kept] + [-1])
            shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes)
            fmt = FLOAT64 if dtype.kind in "biu" else FORMATS[dtype.name]
            want = [round_to(exact_variance(row), fmt) for row in rows.reshape(-1, rows.shape[-1])]
            got = varstudy.var(y, axis=axis, keepdims=keepdims)
            assert same(got, np.array(want, dtype=fmt.dtype).reshape(shape)), (axis, keepdims)
            assert same(varstudy.mean(y, axis=axis, keepdims=keepdims), varstudy.mean(x, axis=axis, keepdims=keepdims))


def test_broadcast_arrays() -> None:
    row = np.array([1.0, 2.0, 4.0])
    wide = np.broadcast_to(row, (5, 3))
    assert varstudy.var(wide) == varstudy.var(row)
    assert same(varstudy.var(wide, axis=0), np.zeros(3))
    assert same(varstudy.var(wide, axis=1), np.full(5, varstudy.var(row)))
    assert varstudy.var(np.broadcast_to(2.5, (7, 7, 7))) == 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_view_and_any_axes(data: Any) -> None:
    ndim = data.draw(st.integers(1, 5))
    shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 4]), min_size=ndim, max_size=ndim))
    steps = data.draw(st.lists(st.sampled_from([1, 1, 2, -1, -2]), min_size=ndim, max_size=ndim))
    whole = np.random.default_rng(1).integers(-1000, 1000, size=[n * abs(k) for n, k in zip(shape, steps, strict=True)])
    order = data.draw(st.permutations(range(ndim)))
    ints = whole[tuple(slice(None, None, k) for k in steps)].transpose(order)
    x = whole.astype(np.float32)[tuple(slice(None, None, k) for k in steps)].transpose(order)
    if data.draw(st.booleans()):
        size = data.draw(st.integers(1, 3))
        ints, x = (np.broadcast_to(a[..., np.newaxis], (*a.shape, size)) for a in (ints, x))
    axis = data.draw(st.one_of(st.none(), st.sets(st.integers(0, x.ndim - 1)).map(tuple)))
    mask = np.random.default_rng(2).random(x.shape) < 0.8 if data.draw(st.booleans()) else np.ones(x.shape, dtype=bool)
    # Integer sums are exact, and a quotient of small integers is rounded once.
    with np.errstate(all="ignore"):
        counts = mask.sum(axis=axis)
        want = np.sum(ints, axis=axis, where=mask) / counts
        squares = np.sum(ints**2, axis=axis, where=mask)
        variance = (counts * squares - np.sum(ints, axis=axis, where=mask) ** 2) / counts**2
    where = True if mask.all() and data.draw(st.booleans()) else mask
    for given_x in (x, ints):
        got = quiet(varstudy.mean_var, given_x, axis=axis, where=where, dtype=np.float64)
        assert np.array_equal(got[0], want, equal_nan=True)
        assert np.array_equal(got[1], variance, equal_nan=True)


def test_threads_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(6)
    parts = [rng.normal(size=(200, 50)) * 10.0 ** (k - 8) for k in range(16)]
    want = [varstudy.var(part, axis=0).tobytes() for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert [each.tobytes() for each in pool.map(lambda part: varstudy.var(part, axis=0), parts)] == want
        assert list(pool.map(varstudy.std, parts)) == [varstudy.std(part) for part in parts]


@pytest.mark.parametrize("dtype", ["f4", ">f4", "i8", "u2"])
def test_pieces_join(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = (np.random.default_rng(3).normal(size=(7, 5, 6)) * 2**40).astype(np.int64).astype(dtype)
    mask = np.random.default_rng(4).random(x.shape) < 0.6
    for axis in (None, 0, 2, (0, 2), (1,)):
        want = varstudy.mean_var(x, axis=axis), quiet(varstudy.mean_var, x, axis=axis, where=mask)
        for size in (1, 2, 7, 64):
            monkeypatch.setattr(api_sums, "PIECE", size)
            got = varstudy.mean_var(x, axis=axis), quiet(varstudy.mean_var, x, axis=axis, where=mask)
            monkeypatch.undo()
            assert all(same(a, b) for pair in zip(got, want, strict=True) for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize("make", ["plain", "reversed", "channels", "swapped", "integers", "masked"])
def test_large_arrays_are_not_copied(make: str) -> None:
    x = np.ones((2, 64, 2**14), dtype=np.float64)
    x[:, ::2] = 3.0
    y = {
        "plain": lambda: x,
        "reversed": lambda: x[:, ::-1, ::-1],
        "channels": lambda: x.transpose(1, 0, 2),
        "swapped": lambda: x.astype(">f8"),
        "integers": lambda: x.astype(np.int64),
        "masked": lambda: np.ma.masked_array(x, mask=False),
    }[make]()
    varstudy.var(y[:, :2, :2], axis=(0, 2)), varstudy.var(y[:2, :2, :2])
    tracemalloc.start()
    try:
        assert varstudy.var(y) == 1.0
        varstudy.var(y, axis=(0, 2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 2


def test_memory_mapped_files(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(50, 40)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert same(varstudy.var(mapped, axis=0), varstudy.var(x, axis=0))
    assert same(varstudy.mean_var(mapped)[1], varstudy.var(x))


# --- what numpy answers ------------------------------------------------------------------------------------


def heard(function: Callable[[], Any]) -> tuple[Any, list[str]]:
    """An answer and the warnings that came with it, without those of numpy's own division, which we don't make."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = function()
    assert all(each.category is RuntimeWarning for each in caught)
    return answer, [str(each.message) for each in caught if "divide" not in str(each.message)]


ORDINARY = {
    "vector": np.arange(5.0),
    "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    "float16": np.arange(12, dtype=np.float16).reshape(3, 4),
    "integers": np.arange(12).reshape(3, 4),
    "bool": np.array([[True, False, True]]),
    "uint8": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "0-d": np.array(2.5),
    "scalar": np.float32(2.5),
    "list": [[1, 2], [3, 5]],
    "python": 3.0,
    "empty": np.zeros(0),
    "empty rows": np.zeros((0, 3), dtype=np.float32),
    "empty columns": np.zeros((3, 0)),
    "empty both": np.zeros((2, 0, 3)),
    "nan": np.array([[1.0, np.nan], [1.0, 2.0]]),
    "inf": np.array([[1.0, np.inf], [1.0, 2.0]]),
    "both infinities": np.array([[-np.inf, np.inf], [1.0, 2.0]]),
    "nan and inf": np.array([[np.nan, np.inf], [1.0, 2.0]]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ORDINARY)
def test_shapes_dtypes_and_warnings_are_numpys(name: str, case: str) -> None:
    x: Any = ORDINARY[case]
    ndim = np.ndim(x)
    for axis in (None, (), *range(-ndim, ndim), tuple(range(ndim)), *(((0, ndim - 1),) if ndim > 1 else ())):
        for more in ({}, {"keepdims": True}, {"dtype": np.float32}, {"dtype": np.float64}):
            got, ours = heard(lambda: getattr(varstudy, name)(x, axis=axis, **more))  # noqa: B023
            want, theirs = heard(lambda: getattr(np, name)(x, axis=axis, **more))  # noqa: B023
            assert type(got) is type(want)
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            assert ours == theirs
            rtol = 4 * float(np.finfo(got.dtype).eps)
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("correction", [0, 1, 0.5, -2, 3, 4])
def test_corrections_are_numpys_or_the_array_api_standards(correction: float) -> None:
    x = np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]])
    for word in ("correction", "ddof"):
        got, ours = heard(lambda: varstudy.var(x, axis=1, **{word: correction}))  # noqa: B023
        want, theirs = heard(lambda: np.var(x, axis=1, ddof=correction))
        assert ours == theirs
        if correction < 3:
            np.testing.assert_allclose(got, want, rtol=1e-15)
        else:
            assert ours == ["Degrees of freedom <= 0 for slice"]
            assert np.isnan(got).all()  # numpy has inf


def test_both_words_for_the_correction() -> None:
    x = np.arange(4.0)
    for name in ("var", "std", "mean_var"):
        function = getattr(varstudy, name)
        for correction in (0, 0.0, 1):
            with pytest.raises(ValueError, match=r"^ddof and correction can't be provided simultaneously\.$"):
                function(x, ddof=1, correction=correction)
    assert varstudy.var(x, ddof=0, correction=1) == np.var(x, ddof=0, correction=1)
    assert varstudy.var(x, ddof=1) == varstudy.var(x, correction=1)


def test_the_signature_is_the_standards() -> None:
    for name in ("var", "std", "mean_var"):
        parameters = inspect.signature(getattr(varstudy, name)).parameters
        assert parameters["x"].kind is inspect.Parameter.POSITIONAL_ONLY
        assert parameters["correction"].default == 0.0
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for n, p in parameters.items() if n != "x")
    assert "correction" not in inspect.signature(varstudy.mean).parameters


def test_the_array_api_standards_special_cases() -> None:
    one = np.array([7.0])
    with pytest.warns(RuntimeWarning, match=r"^Degrees of freedom <= 0 for slice$"):
        assert np.isnan(varstudy.var(one, correction=1))
    with pytest.warns(RuntimeWarning, match=r"^Degrees of freedom <= 0 for slice$"):
        assert np.isnan(varstudy.std(one, correction=1.5))
    with pytest.warns(RuntimeWarning, match=r"^Mean of empty slice$"):
        assert np.isnan(varstudy.mean(np.zeros(0)))
    with pytest.warns(RuntimeWarning, match=r"^Degrees of freedom <= 0 for slice$"):
        assert np.isnan(varstudy.var(np.zeros(0), correction=-1))  # N is 0, whatever is subtracted
    assert np.isnan(varstudy.var(np.array([1.0, np.nan])))
    assert np.isnan(varstudy.mean(np.array([1.0, np.nan])))
    assert varstudy.var(one) == 0.0


@pytest.mark.parametrize("name", ["var", "std", "mean_var", "mean"])
def test_warnings_point_at_the_caller(name: str) -> None:
    function = getattr(varstudy, name)
    for call in (lambda: function(np.zeros(0)), lambda: function([[]], axis=1), lambda: function([np.inf, -np.inf])):
        with pytest.warns(RuntimeWarning) as caught:
            call()
        assert {each.filename for each in caught} == {__file__}
    with pytest.warns(RuntimeWarning) as caught:
        function(np.array([np.inf, -np.inf]))
    assert {each.filename for each in caught} == {__file__}


def test_numpys_errstate_governs() -> None:
    infinite, wide = np.array([np.inf, 1.0]), np.array([1e300, -1e300])
    with np.errstate(invalid="ignore", over="ignore"):
        assert np.isnan(varstudy.var(infinite))
        assert varstudy.var(wide) == np.inf
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError, match="invalid value encountered in subtract"):
        varstudy.var(infinite)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        varstudy.var(wide)


def test_infinite_means() -> None:
    for x, want in (([1.0, np.inf], np.inf), ([-np.inf, 2.0], -np.inf)):
        assert varstudy.mean(np.array(x)) == want
        assert varstudy.mean(np.array(x), axis=0) == want
    with pytest.warns(RuntimeWarning, match=r"^overflow encountered in reduce$"):
        assert varstudy.mean(np.array([1e30, 2e30]), dtype=np.float16) == np.inf


# --- where and NaN -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "i8", ">f8"])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_where_leaves_values_out(dtype: str, data: Any) -> None:
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(3, 4, 2)) * 100).astype(dtype)
    mask = rng.random(data.draw(st.sampled_from([(3, 4, 2), (4, 1), (2,), (3, 1, 1), (1, 4, 2), ()]))) < 0.7
    whole = np.broadcast_to(mask, x.shape)
    fmt = FLOAT64 if np.dtype(dtype).kind == "i" else FORMATS[np.dtype(dtype).newbyteorder("=").name]
    for axis in (None, 0, (0, 2)):
        axes = range(3) if axis is None else np.atleast_1d(axis).tolist()
        kept = [a for a in range(3) if a not in axes]
        order, rows = [*kept, *axes], math.prod(x.shape[a] for a in kept)
        got, _ = heard(lambda: varstudy.var(x, axis=axis, where=mask))  # noqa: B023
        shown = x.transpose(order).reshape(rows, -1), whole.transpose(order).reshape(rows, -1)
        for value, row, chosen in zip(np.ravel(got), *shown, strict=True):
            if chosen.any():
                assert same(value, round_to(exact_variance(row[chosen]), fmt))
            else:
                assert np.isnan(value)


def test_where_hides_nan_and_infinities() -> None:
    x = np.array([1.0, np.nan, 3.0, np.inf])
    keep = np.array([True, False, True, False])
    assert varstudy.mean_var(x, where=keep) == (2.0, 1.0)
    assert varstudy.var(x, where=keep, nan_policy="raise") == 1.0
    assert varstudy.var(x, where=[True, False, True, False], method="welford") == 1.0
    got, ours = heard(lambda: varstudy.var(x, where=False))
    assert np.isnan(got)
    assert ours == heard(lambda: np.var(x, where=False))[1]
    assert heard(lambda: varstudy.mean(x, where=False))[1] == heard(lambda: np.mean(x, where=False))[1]


def test_where_that_is_no_mask() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for bad in ([1, 0, 1], np.array([1.0, 0.0, 1.0]), np.ones(3, dtype=np.int8)):
        with pytest.raises(TypeError, match="bool"):
            varstudy.var(x, where=bad)
    for shape in ((5,), (2, 2, 3)):
        with pytest.raises(ValueError, match="broadcast"):
            varstudy.var(x, where=np.ones(shape, dtype=bool))


@pytest.mark.parametrize("method", ["exact", "chan"])
def test_nan_policies(method: str) -> None:
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [1.0, 2.0, 3.0]])
    got, ours = heard(lambda: varstudy.var(x, axis=1, nan_policy="omit", method=method))
    assert ours == ["Degrees of freedom <= 0 for slice"]
    want, _ = heard(lambda: np.nanvar(x, axis=1))
    np.testing.assert_allclose(got, want, rtol=1e-15)
    assert varstudy.mean(x, nan_policy="omit", method=method) == 2.0
    assert varstudy.std(x[:1], nan_policy="omit", ddof=1, method=method) == np.sqrt(2)
    with pytest.raises(ValueError, match=r"^The input contains nan values$"):
        varstudy.mean_var(x, axis=1, nan_policy="raise", method=method)
    assert varstudy.mean(x[2], nan_policy="raise", method=method) == 2.0
    assert np.isnan(varstudy.var(x, method=method))
    with pytest.raises(ValueError, match="nan_policy='drop'"):
        varstudy.var(x, nan_policy="drop", method=method)
    single, _ = heard(lambda: varstudy.mean(np.array([1.0, np.nan]), axis=(), nan_policy="omit", method=method))
    assert same(single, np.array([1.0, np.nan]))


@formats
def test_signalling_nan_are_nan(fmt: Format) -> None:
    bits = np.array([1, 1, 1]).astype(fmt.dtype).view(UNSIGNED[fmt.dtype.itemsize])
    bits[1] = ((fmt.emax - fmt.emin + 2) << (fmt.precision - 1)) | 1
    x = bits.view(fmt.dtype)
    for method in ("exact", "pairwise"):
        for name in NAMES:
            function = getattr(varstudy, name)
            assert np.isnan(function(x, method=method))
            assert np.isnan(function(x, axis=(), method=method)).tolist() == [False, True, False]
            assert np.isfinite(function(x, nan_policy="omit", method=method))
            assert np.isfinite(function(x, where=[True, False, True], method=method))
            with pytest.raises(ValueError, match="nan values"):
                function(x, nan_policy="raise", method=method)
            assert np.isnan(function(x, dtype=np.float64, method=method))
    assert np.isnan(varstudy.Moments().update(x).mean)


# --- inputs ------------------------------------------------------------------------------------------------


class OnlyDlpack:
    """What a tensor of another library offers."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


class OnlyArray:
    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self.array


def test_arrays_of_other_libraries() -> None:
    from varkernels.stats.inputs import array_of  # noqa: PLC0415

    x = np.random.default_rng(2).normal(size=(4, 5)).astype(np.float32)
    for wrapped in (OnlyDlpack(x), OnlyArray(x)):
        assert np.shares_memory(array_of(wrapped), x)
        assert same(varstudy.var(wrapped, axis=0), varstudy.var(x, axis=0))
    assert varstudy.var(memoryview(x)) == varstudy.var(x)
    assert varstudy.var([[1, 2], [3, 4]]) == 1.25


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_an_array() -> None:
    assert varstudy.var(np.matrix([[1.0, 2.0]]), axis=0).shape == (2,)


@pytest.mark.parametrize("name", ["var", "std", "mean", "mean_var"])
@pytest.mark.parametrize(
    "x",
    [
        np.array([1, None]),
        np.array(["a"]),
        np.array([b"a"]),
        np.zeros(2, dtype=[("a", "f4")]),
        np.zeros(2, dtype=np.longdouble),
    ],
    ids=lambda x: str(x.dtype),
)
def test_dtypes_without_moments(name: str, x: NDArray[Any]) -> None:
    if x.dtype == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(TypeError, match=f"^x has the dtype {re.escape(str(x.dtype))}, "):
        getattr(varstudy, name)(x)


def test_lists_that_are_no_arrays() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        varstudy.var([[1.0], [1.0, 2.0]])
    with pytest.raises(TypeError, match="dtype object"):
        varstudy.var(None)
    with pytest.raises(TypeError, match="dtype <U"):
        varstudy.var("12")


@pytest.mark.parametrize("name", ["var", "std", "mean", "mean_var"])
@pytest.mark.parametrize("axis", [2, -3, (0, 5), (0, 0), (0, -2), 1.0, "a", [0, 1], True, (0.0,)])
def test_axes_that_are_none(name: str, axis: Any) -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises((TypeError, ValueError)) as theirs:
        np.var(x, axis=axis)
    with pytest.raises(theirs.type) as ours:
        getattr(varstudy, name)(x, axis=axis)
    if theirs.type is not TypeError:
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(AxisError):
        getattr(varstudy, name)(1.0, axis=0)


def test_arguments_that_are_none() -> None:
    x = np.arange(4.0)
    for bad in ("1", None, 1j, [1]):
        with pytest.raises(TypeError, match="is not a real number"):
            varstudy.var(x, correction=bad)  # type: ignore[arg-type]
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="give a finite number"):
            varstudy.std(x, correction=bad)
    for dtype in (int, complex, object, "nonsense", np.longdouble, bool):
        if dtype is not np.longdouble or np.dtype(np.longdouble) != np.float64:
            with pytest.raises(TypeError, match="cannot hold the result"):
                varstudy.var(x, dtype=dtype)
    with pytest.raises(ValueError, match="algorithm 'welfrod' is unknown: did you mean"):
        varstudy.var(x, method="welfrod")
    with pytest.raises(TypeError, match="is no name"):
        varstudy.var(x, method=None)  # type: ignore[arg-type]


def test_corrections_are_what_they_are() -> None:
    x = np.array([1.0, 2.0, 4.0])
    for correction in (1, 1.0, np.float32(1), np.int64(1), Fraction(1), np.array(1), BFLOAT16.dtype.type(1)):
        assert varstudy.var(x, correction=correction) == varstudy.var(x, correction=1)  # type: ignore[arg-type]
    assert varstudy.var(x, correction=0.1) == round_to(exact_variance(x, Fraction(0.1)), FLOAT64)


# --- methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["naive", "two_pass", "welford", "pairwise", "chan", "welford/lanes32"])
@pytest.mark.parametrize("fmt", ALL, ids=str)
@pytest.mark.filterwarnings("ignore:overflow")  # some of them overflow in float16
def test_algorithms_of_the_study_by_name(method: str, fmt: Format) -> None:
    if "/" in method:
        method = next(name for name in varstudy.algorithms() if name.endswith("/lanes32"))
    x = (np.random.default_rng(7).normal(size=(6, 40)) + 3).astype(fmt.dtype)
    moments = varstudy.moments(x[np.newaxis], method)
    assert same(varstudy.var(x, axis=1, correction=1, method=method), moments.variance(1))
    assert same(varstudy.mean(x, axis=1, method=method), moments.mean)
    columns = varstudy.moments(x[..., np.newaxis], method)
    mean, variance = varstudy.mean_var(x, axis=0, keepdims=True, method=method)
    assert same(mean, columns.mean[np.newaxis])
    assert same(variance, columns.variance()[np.newaxis])
    flat = varstudy.moments(x.reshape(1, 1, -1), method)
    assert same(varstudy.var(x, method=method), flat.variance()[0])
    if fmt != FLOAT64:
        wide = varstudy.moments(x.reshape(1, 1, -1), method, "float64")
        assert same(varstudy.var(x, method=method, dtype=np.float64), wide.variance()[0])


def test_algorithms_see_the_arrays_order() -> None:
    x = np.random.default_rng(8).normal(1000, 1, size=(3, 4, 5, 6)).astype(np.float32)
    for y in (x, np.asfortranarray(x), x[:, ::-1, ::-1], x[::-1].transpose(3, 1, 0, 2)):
        for axis in ((0, 2), (1, 3), (0, 1, 3), None, 2):
            axes = tuple(range(4)) if axis is None else tuple(np.atleast_1d(axis))
            kept = [a for a in range(4) if a not in axes]
            shape = tuple(y.shape[a] for a in kept)
            rows = y.transpose([*kept, *axes]).reshape(math.prod(shape), -1)
            want = varstudy.moments(rows[np.newaxis], "naive").variance().reshape(shape)
            assert same(varstudy.var(y, axis=axis, method="naive"), want)


def test_algorithms_take_integers_and_any_byte_order() -> None:
    x = np.arange(10)
    assert varstudy.var(x, method="welford") == 8.25
    assert same(varstudy.var(x.astype(">f4"), method="welford"), np.float32(8.25))
    assert same(varstudy.std(x.astype(np.float32), method="pairwise"), np.sqrt(np.float32(8.25)))
    got, ours = heard(lambda: varstudy.var(np.zeros((0, 2)), axis=0, method="welford"))
    assert np.isnan(got).all()
    assert got.shape == (2,)
    assert ours == ["Degrees of freedom <= 0 for slice"]
    assert heard(lambda: varstudy.mean(np.zeros(0), method="welford"))[1] == ["Mean of empty slice"]
    assert varstudy.var(np.zeros((0, 2)), axis=1, method="welford").shape == (0,)


# --- masked arrays -----------------------------------------------------------------------------------------


def test_masked_values_do_not_count() -> None:
    m = np.ma.array([[1.0, 2.0, 4.0], [4.0, 5.0, np.nan]], mask=[[0, 1, 0], [1, 1, 1]])
    for name in NAMES:
        ours, theirs = getattr(varstudy, name), getattr(np.ma, name)
        for axis in (None, 0, 1, (0, 1)):
            for keepdims in (False, True):
                got, want = ours(m, axis=axis, keepdims=keepdims), theirs(m, axis=axis, keepdims=keepdims)
                assert np.shape(got) == np.shape(want)
                assert np.array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(want))
                assert np.ma.allclose(got, want, rtol=1e-15)
                assert isinstance(got, np.ma.MaskedArray) == (np.ndim(got) > 0)
    assert varstudy.var(m[1]) is np.ma.masked
    assert varstudy.mean(m[1]) is np.ma.masked
    assert varstudy.var(m[0], ddof=2) is np.ma.masked
    assert varstudy.var(m, axis=1, ddof=1).mask.tolist() == [False, True]
    mean, variance = varstudy.mean_var(m[0, :1], ddof=1)
    assert mean == 1.0
    assert variance is np.ma.masked
    assert varstudy.var(np.ma.array([1.0, 3.0])) == 1.0
    assert varstudy.var(np.ma.array([1.0, 3.0, 7.0], mask=[0, 0, 1]), method="welford") == 1.0
    assert varstudy.var(np.ma.array([1.0, 3.0, 7.0], mask=[0, 0, 1]), where=[False, True, True]) == 0.0


# --- the package -------------------------------------------------------------------------------------------


def test_importing_the_package_stays_light() -> None:
    code = (
        "import sys, varstudy\n"
        "heavy = {'numpy', 'numba', 'pandas', 'matplotlib', 'click', 'mpmath'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert varstudy.var([1.0, 3.0]) == 1.0\n"
        "heavy = {'pandas', 'matplotlib', 'click', 'mpmath'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_result_dtypes() -> None:
    for fmt in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64):
        assert varstudy.var(np.ones(3, dtype=fmt.dtype)).dtype == fmt.dtype
        assert varstudy.std(np.ones((3, 2), dtype=fmt.dtype), axis=0).dtype == fmt.dtype
    for dtype in INTEGERS:
        assert varstudy.mean(np.ones(3, dtype=dtype)).dtype == np.float64
