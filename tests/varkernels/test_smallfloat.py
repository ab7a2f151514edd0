"""float16 and bfloat16 arithmetic: every operation rounds the exact result once, to nearest even."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, Format, format_of
from varkernels.formulas import like
from varkernels.formulas.errorfree import fma
from varkernels.rounding import round_to
from varkernels.smallfloat import SmallZero, decode, narrow, wide
from varkernels.verbs import learn  # noqa: F401 - makes like() and fma() known to the compiler

SMALL = (FLOAT16, BFLOAT16)
by_format = pytest.mark.parametrize("fmt", SMALL, ids=str)


@njit(error_model="numpy")
def binary(zero, a, b, out):
    for i in range(len(a)):
        x, y = narrow(zero, a[i]), narrow(zero, b[i])
        out[i, 0] = wide(x + y)
        out[i, 1] = wide(x - y)
        out[i, 2] = wide(x * y)
        out[i, 3] = wide(x / y)
        out[i, 4] = wide(-x)


@njit(error_model="numpy")
def fused(zero, a, b, c, out):
    for i in range(len(a)):
        out[i] = wide(fma(narrow(zero, a[i]), narrow(zero, b[i]), narrow(zero, c[i])))


@njit(error_model="numpy")
def narrowed(zero, a, out):
    for i in range(len(a)):
        out[i] = wide(narrow(zero, a[i]))


@njit(error_model="numpy")
def counted(zero, n, out):
    for i in range(len(n)):
        out[i] = wide(like(zero, n[i]))


@njit(error_model="numpy")
def decoded(zero, stored, plain, through):
    for i in range(len(stored)):
        plain[i] = decode(stored[i])
        through[i] = wide(narrow(zero, decode(stored[i])))


def bits(array: Any) -> list[int]:
    """float64 bits, all NaNs made one."""
    x = np.asarray(array, dtype=np.float64)
    return np.where(np.isnan(x), np.nan, x).view(np.int64).tolist()


def patterns(fmt: Format, codes: Any) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return np.asarray(codes, dtype=np.uint16).view(fmt.dtype).astype(np.float64)


def hostile(fmt: Format) -> np.ndarray:
    """Numbers where arithmetic goes wrong: zeros, subnormals, powers of two and their neighbours, the ends."""
    one = 2 ** (fmt.precision - 1) * (fmt.emax)  # the bits of 1.0
    top = 2 ** (fmt.precision - 1) * (2 * fmt.emax + 1)  # the bits of +inf
    subnormals = [0, 1, 2, 3, 2 ** (fmt.precision - 2), 2 ** (fmt.precision - 1) - 1]
    normals = [2 ** (fmt.precision - 1), 2 ** (fmt.precision - 1) + 1]
    near_one = [one - 1, one, one + 1, one + 3, one + 2 ** (fmt.precision - 2)]
    far = [one + 2 ** (fmt.precision - 1) * k for k in (fmt.precision, fmt.precision - 1, -fmt.precision)]
    ends = [top - 1, top - 2, top - 2 ** (fmt.precision - 1), top, top + 1]
    codes = [*subnormals, *normals, *near_one, *far, *ends]
    return patterns(fmt, [*codes, *(0x8000 | code for code in codes)])


def random(fmt: Format, count: int, seed: int) -> np.ndarray:
    return patterns(fmt, np.random.default_rng(seed).integers(0, 65536, count))


def expected(fmt: Format, exact: Callable[..., Any], operands: tuple[float, ...]) -> float:
    """IEEE 754: the exact result rounded once; float64 knows what NaN, infinities and signed zeros give."""
    with np.errstate(all="ignore"):
        plain = float(exact(*map(np.float64, operands)))
    if not np.isfinite(operands).all() or plain == 0.0 or not np.isfinite(plain):
        return plain  # float64 has the range for every such result to be the exact one
    return float(round_to(exact(*map(Fraction, operands)), fmt))


@by_format
def test_all_patterns_decode(fmt: Format) -> None:
    codes = np.arange(65536, dtype=np.uint16)
    stored = codes.view(np.int16) if fmt is BFLOAT16 else codes
    plain, through = np.empty(65536), np.empty(65536)
    decoded(SmallZero(fmt), stored, plain, through)
    wanted = bits(patterns(fmt, codes))
    assert bits(plain) == wanted
    assert bits(through) == wanted


@by_format
def test_operations_are_correctly_rounded(fmt: Format) -> None:
    pairs = np.array(list(itertools.product(hostile(fmt), hostile(fmt))))
    a = np.concatenate([pairs[:, 0], random(fmt, 4000, 1)])
    b = np.concatenate([pairs[:, 1], random(fmt, 4000, 2)])
    out = np.empty((len(a), 5))
    binary(SmallZero(fmt), a, b, out)
    for column, operation in enumerate((operator.add, operator.sub, operator.mul, operator.truediv)):
        wanted = [expected(fmt, operation, pair) for pair in zip(a.tolist(), b.tolist(), strict=True)]
        wrong = [i for i, (x, y) in enumerate(zip(bits(out[:, column]), bits(wanted), strict=True)) if x != y]
        assert not wrong, (operation, a[wrong[0]], b[wrong[0]], out[wrong[0], column], wanted[wrong[0]])
    assert bits(out[:, 4]) == bits(-a)


@by_format
def test_operations_agree_with_the_python_scalars(fmt: Format) -> None:
    """numpy's and ml_dtypes' arithmetic, which the plain-Python verbs run on, is the same arithmetic."""
    a, b = random(fmt, 20000, 3), random(fmt, 20000, 4)
    out = np.empty((len(a), 5))
    binary(SmallZero(fmt), a, b, out)
    x, y = a.astype(fmt.dtype), b.astype(fmt.dtype)
    with np.errstate(all="ignore"):
        for column, result in enumerate((x + y, x - y, x * y, x / y, -x)):
            assert bits(out[:, column]) == bits(result)


def halves(fmt: Format) -> list[tuple[float, float, float]]:
    """a b + c next to a tie: c has a last bit of the size of a b, or a b has half of c's."""
    u = float(fmt.unit_roundoff)
    tiny = float(fmt.smallest_subnormal)
    return [
        (1 + 2 * u, 1 + 2 * u, -1 - 4 * u),
        (1.0, u, 1.0),
        (1 + 2 * u, u, 1.0),  # just above a tie
        (1 - u, u, 1.0),  # just below
        (1 - u, -u, 1.0 + 2 * u),
        (1.0, u, 1.0 + 2 * u),
        (tiny, 0.5, 1.0),
        (tiny, 0.5, 1.0 + 2 * u),
        (tiny, 0.5, tiny),
        (tiny, 0.5, -tiny),
        (tiny, -0.5, 0.0),
        (1.5, tiny, 0.0),
        (float(fmt.largest), 2.0, -float(fmt.largest)),
        (float(fmt.largest), float(fmt.largest), -np.inf),
        (-2.0, 3.0, 6.0),
        (0.0, 3.0, -0.0),
    ]


@by_format
def test_fma_is_correctly_rounded(fmt: Format) -> None:
    some = hostile(fmt)[::2]
    triples = [*itertools.product(some, some, some), *halves(fmt)]
    columns = [random(fmt, 3000, seed) for seed in (5, 6, 7)]
    # And sums of one size, where a product's low bits decide a tie.
    a, b = (1 + np.random.default_rng(seed).integers(0, 128, 3000) / 128 for seed in (8, 9))
    c = np.ldexp(a[::-1], np.random.default_rng(10).integers(-12, 12, 3000))
    a, b, c = (np.concatenate([part, x, y]) for part, x, y in zip(np.array(triples).T, columns, (a, b, c), strict=True))
    out = np.empty(len(a))
    fused(SmallZero(fmt), a, b, c, out)
    wanted = [
        expected(fmt, lambda x, y, z: x * y + z, triple)
        for triple in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    ]
    wrong = [i for i, (x, y) in enumerate(zip(bits(out), bits(wanted), strict=True)) if x != y]
    assert not wrong, (a[wrong[0]], b[wrong[0]], c[wrong[0]], out[wrong[0]], wanted[wrong[0]])
    with np.errstate(all="ignore"):
        scalars = [fma(*map(fmt.dtype.type, triple)) for triple in zip(a[-3000:], b[-3000:], c[-3000:], strict=True)]
    assert bits(scalars) == bits(wanted[-3000:])


@pytest.mark.parametrize("scalar", [np.float16, BFLOAT16.dtype.type, np.float32, np.float64])
def test_fma_in_python_has_ieee_infinities(scalar: Any) -> None:
    """a b overflows alone, but an infinite c decides."""
    large = scalar(float(format_of(scalar).largest))
    with np.errstate(all="ignore"):
        assert fma(large, large, scalar(-np.inf)) == -np.inf
        assert fma(large, large, scalar(1)) == np.inf
        assert np.isnan(fma(scalar(np.inf), large, scalar(-np.inf)))
        assert np.isnan(fma(scalar(np.inf), scalar(0), scalar(1)))
        assert np.isnan(fma(scalar(1), scalar(2), scalar(np.nan)))
    assert np.signbit(fma(scalar(0), scalar(-1), scalar(-0.0)))


def ties(fmt: Format) -> list[float]:
    """float64 numbers on, just under and just over the middles between neighbours, and past the ends."""
    middles: list[Fraction] = []
    for e in (fmt.emin - fmt.precision + 1, fmt.emin - 3, fmt.emin, 0, 1, fmt.emax):
        step = Fraction(2) ** (max(e, fmt.emin) - fmt.precision + 1)
        start = Fraction(2) ** e if e >= fmt.emin else step
        middles += [start + step * k + step / 2 for k in (-1, 0, 1, 2)]
    middles += [fmt.largest + fmt.unit_roundoff * Fraction(2) ** fmt.emax, fmt.smallest_subnormal / 2, Fraction(0)]
    near = [float(m) for m in middles]
    near += [float(np.nextafter(x, np.inf)) for x in near] + [float(np.nextafter(x, -np.inf)) for x in near]
    ends = [5e-324, 1e-46, 2.0**-1022, 3.4e38, 1e300, 1.7976931348623157e308, np.inf, np.nan]
    return [s * x for x in near + ends for s in (1.0, -1.0)]


@by_format
def test_narrow_rounds_ties_to_even(fmt: Format) -> None:
    values = ties(fmt)
    out = np.empty(len(values))
    narrowed(SmallZero(fmt), np.array(values), out)
    wanted = [x if x == 0.0 else float(round_to(x, fmt)) for x in values]
    assert bits(out) == bits(wanted)


@pytest.mark.parametrize("fmt", [*SMALL, FLOAT32], ids=str)
def test_arrays_are_rounded_once(fmt: Format) -> None:
    values = [*ties(fmt), *np.ldexp(np.random.default_rng(0).normal(size=4000), [0, -20] * 2000)]
    got = fmt.rounded(values)
    assert got.dtype == fmt.dtype
    assert bits(got) == bits([x if x == 0.0 else float(round_to(float(x), fmt)) for x in values])


@by_format
@settings(deadline=None, max_examples=200)
@given(x=st.floats())
def test_narrow_any_float(fmt: Format, x: float) -> None:
    out = np.empty(1)
    narrowed(SmallZero(fmt), np.array([x]), out)
    wanted = bits([x if x == 0.0 else float(round_to(x, fmt))])
    assert bits(out) == wanted
    assert bits(fmt.rounded([x])) == wanted


COUNTS = [1, 255, 257, 2047, 2049, 4099, 65503, 65504, 65519, 65520, 70000, 2**24 + 1, 2**24 + 2**16 + 1, 2**40 + 1]


@by_format
def test_counts_are_rounded_once_and_overflow(fmt: Format) -> None:
    out = np.empty(len(COUNTS))
    counted(SmallZero(fmt), np.array(COUNTS), out)
    wanted = [float(round_to(n, fmt)) for n in COUNTS]
    assert bits(out) == bits(wanted)
    with np.errstate(over="ignore"):
        assert bits([like(fmt.dtype.type(0), n) for n in COUNTS]) == bits(wanted)
        assert bits(like(np.zeros(1, fmt.dtype), np.array(COUNTS))) == bits(wanted)
    overflowing = [n for n, x in zip(COUNTS, wanted, strict=True) if x == np.inf]
    assert overflowing == ([n for n in COUNTS if n >= 65520] if fmt is FLOAT16 else [])


def test_verbs_of_the_compiler_refuse_to_run_in_python() -> None:
    for function, arguments in ((narrow, (0, 1.0)), (wide, (1,)), (decode, (1,))):
        with pytest.raises(RuntimeError, match="within compiled kernels only"):
            function(*arguments)  # type: ignore[operator]
