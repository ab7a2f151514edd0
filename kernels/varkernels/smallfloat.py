"""float16 and bfloat16 as Numba scalar types whose every operation rounds to nearest, ties to even.

Inside a kernel such a number is a float64 that the format can represent. An operation is done in float64 and
rounded to the format at once. That is the correctly rounded result: float64 has more than twice the format's
precision plus two bits, so that the two roundings of +, -, *, / agree with one (Figueroa 1995,
doi:10.1145/221332.221334), also among the format's subnormals; `fma` rounds its sum to odd first (Boldo,
Melquiond 2008, doi:10.1109/TC.2007.70819).

Arrays of either format enter a kernel as integers of 16 bits: uint16 holds float16, int16 holds bfloat16.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.extending import NativeValue, models, overload, register_model, typeof_impl

from .formats import BFLOAT16, FLOAT16, Format

__all__ = ["SmallFloat", "SmallZero", "decode", "fma_float", "narrow", "wide"]

# Numba annotates these for Python's callers; compiled code calls an intrinsic without the typing context.
intrinsic: Any = extending.intrinsic
register_jitable: Any = extending.register_jitable
unbox: Any = extending.unbox


class SmallFloat(types.Type):
    """The Numba type of a scalar of a format narrower than float32."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt
        super().__init__(name=f"SmallFloat({fmt.name})")


SMALL = {fmt.name: SmallFloat(fmt) for fmt in (FLOAT16, BFLOAT16)}


@register_model(SmallFloat)
class _SmallFloatModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.DoubleType())  # type: ignore[no-untyped-call]


class SmallZero:
    """The zero of a small format, as Python hands it to a kernel in an empty state."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt


@typeof_impl.register(SmallZero)
def _typeof_small_zero(value: SmallZero, context: Any) -> SmallFloat:
    return SMALL[value.fmt.name]


@unbox(SmallFloat)
def _unbox_small_zero(typ, obj, context):  # type: ignore[no-untyped-def]
    return NativeValue(ir.Constant(ir.DoubleType(), 0.0))


# Bits -------------------------------------------------------------------------------------------------------


def _bitcast(typingctx: Any, value: Any, result: Any) -> tuple[Any, Any]:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return result(value), codegen


@intrinsic
def bits_of(typingctx, value):  # type: ignore[no-untyped-def]
    return _bitcast(typingctx, types.float64, types.int64)


@intrinsic
def from_bits(typingctx, value):  # type: ignore[no-untyped-def]
    return _bitcast(typingctx, types.int64, types.float64)


@register_jitable
def _nearest(x, drop, largest, tiny, magic):  # type: ignore[no-untyped-def]
    """float64 x rounded to nearest even in a format.

    drop: bits of a float64's significand that the format lacks; largest: its largest number; tiny: its
    smallest normal number; magic: 1.5 times the power of two whose float64 spacing is the format's smallest
    subnormal.
    """
    if abs(x) < tiny:
        r = (x + magic) - magic
        return np.copysign(r, x)
    if not abs(x) < np.inf:
        return x
    b = bits_of(x)
    r = from_bits((b + ((np.int64(1) << (drop - 1)) - 1 + ((b >> drop) & 1))) & ~((np.int64(1) << drop) - 1))
    return np.copysign(np.inf, x) if abs(r) > largest else r


@intrinsic
def _tag(typingctx, exemplar, value):  # type: ignore[no-untyped-def]
    """A float64 that the exemplar's format represents, as a number of that format."""
    return exemplar(exemplar, types.float64), lambda context, builder, signature, args: args[1]


@intrinsic
def _untag(typingctx, value):  # type: ignore[no-untyped-def]
    return types.float64(value), lambda context, builder, signature, args: args[0]


def _constants(fmt: Format) -> tuple[int, float, float, float]:
    return (
        53 - fmt.precision,
        float(fmt.largest),
        float(fmt.smallest_normal),
        1.5 * float(fmt.smallest_subnormal) * 2.0**52,
    )


_DROP16, _LARGEST16, _TINY16, _MAGIC16 = _constants(FLOAT16)
_DROPB, _LARGESTB, _TINYB, _MAGICB = _constants(BFLOAT16)


def narrow(exemplar: Any, value: float) -> Any:
    """A float64 rounded to the exemplar's type: within kernels only."""
    raise RuntimeError("narrow() runs within compiled kernels only")


@overload(narrow)
def _narrow(exemplar, value):  # type: ignore[no-untyped-def]
    if exemplar == SMALL["float16"]:
        return lambda exemplar, value: _tag(
            exemplar, _nearest(np.float64(value), _DROP16, _LARGEST16, _TINY16, _MAGIC16)
        )
    if exemplar == SMALL["bfloat16"]:
        return lambda exemplar, value: _tag(exemplar, _nearest(np.float64(value), _DROPB, _LARGESTB, _TINYB, _MAGICB))
    if exemplar == types.float32:
        return lambda exemplar, value: np.float32(value)
    if exemplar == types.float64:
        return lambda exemplar, value: np.float64(value)
    return None


def wide(value: Any) -> float:
    """The float64 equal to a number of any accumulator's type: within kernels only."""
    raise RuntimeError("wide() runs within compiled kernels only")


@overload(wide)
def _wide(value):  # type: ignore[no-untyped-def]
    if isinstance(value, SmallFloat):
        return lambda value: _untag(value)  # noqa: PLW0108 - a function, for Numba
    return lambda value: np.float64(value)  # noqa: PLW0108


# Arithmetic -------------------------------------------------------------------------------------------------


def _both(a: Any, b: Any) -> bool:
    return isinstance(a, SmallFloat) and a == b


@overload(operator.add)
def _add(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: narrow(a, _untag(a) + _untag(b))) if _both(a, b) else None


@overload(operator.sub)
def _sub(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: narrow(a, _untag(a) - _untag(b))) if _both(a, b) else None


@overload(operator.mul)
def _mul(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: narrow(a, _untag(a) * _untag(b))) if _both(a, b) else None


@overload(operator.truediv)
def _div(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: narrow(a, _divide(_untag(a), _untag(b)))) if _both(a, b) else None


@overload(operator.neg)
def _neg(a):  # type: ignore[no-untyped-def]
    return (lambda a: _tag(a, -_untag(a))) if isinstance(a, SmallFloat) else None


@intrinsic
def _divide(typingctx, a, b):  # type: ignore[no-untyped-def]
    """IEEE division: x / 0 is an infinity or NaN, not an exception."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*args)

    return types.float64(types.float64, types.float64), codegen


@intrinsic
def fma_float(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """llvm.fma of three float32 or three float64."""
    if not (a == b == c and a in (types.float32, types.float64)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, b, c), codegen


@register_jitable
def _fma_odd(a, b, c):  # type: ignore[no-untyped-def]
    """a b + c rounded to odd in float64, for a b that float64 holds exactly."""
    p = a * b
    s = p + c
    bb = s - p
    e = (p - (s - bb)) + (c - bb)
    if e == 0.0 or not abs(s) < np.inf:
        return s
    b = bits_of(s)
    if b & 1:
        return s
    return from_bits(b + 1) if (e > 0.0) == (s > 0.0) else from_bits(b - 1)


def fma_overload(fma: Any) -> None:
    """Compile the function `fma` of three numbers of one accumulator's type."""

    @overload(fma)
    def _fma(a, b, c):  # type: ignore[no-untyped-def]
        if isinstance(a, SmallFloat) and a == b == c:
            return lambda a, b, c: narrow(a, _fma_odd(_untag(a), _untag(b), _untag(c)))
        return lambda a, b, c: fma_float(a, b, c)  # noqa: PLW0108 - a function, for Numba


# Storage ----------------------------------------------------------------------------------------------------


def decode(stored: Any) -> Any:
    """The value of an array's element: itself, or the number in an integer's 16 bits. Within kernels only."""
    raise RuntimeError("decode() runs within compiled kernels only")


@register_jitable
def _decode_float16(stored):  # type: ignore[no-untyped-def]
    b = np.int64(stored)
    x = from_bits((b & 0x7FFF) << 42) * 2.0**1008
    if x >= 65536.0:
        x = from_bits((b & 0x7FFF) << 42 | 0x7FF << 52)
    return -x if b & 0x8000 else x


@register_jitable
def _decode_bfloat16(stored):  # type: ignore[no-untyped-def]
    b = np.int64(stored)
    x = from_bits((b & 0x7FFF) << 45) * 2.0**896
    if (b & 0x7F80) == 0x7F80:
        x = from_bits((b & 0x7FFF) << 45 | 0x7FF << 52)
    return -x if b & 0x8000 else x


@overload(decode)
def _decode(stored):  # type: ignore[no-untyped-def]
    if stored == types.uint16:
        return _decode_float16
    if stored == types.int16:
        return _decode_bfloat16
    return lambda stored: stored
