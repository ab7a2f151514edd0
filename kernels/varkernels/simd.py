"""Short vectors as Numba types: one evaluation order, no fastmath, the same bits on every target.

LLVM does not vectorise a floating-point reduction without leave to reorder it. These types state the order instead:
LANES sums side by side, one a lane. What the machine lacks in width or in fma, LLVM makes from what there is, with
the same bits.

A vector is loaded from a view (segments, rows, length) of values that lie next to each other: float32, float64, or
16-bit integers that hold float16 (uint16) or bfloat16 (int16).
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils as untyped_cgutils
from numba.extending import models, overload, register_model

from .blocking import LANES

__all__ = [
    "FLOATS",
    "LANES",
    "address",
    "as_floats",
    "copy_run",
    "highest",
    "less_one",
    "load",
    "loaded",
    "lowest",
    "magnitudes",
    "maximum",
    "minimum",
    "prefetch",
    "splat",
    "total",
    "vector_fma",
]

# Numba annotates these for Python's callers; compiled code calls an intrinsic without the typing context.
intrinsic: Any = extending.intrinsic
cgutils: Any = untyped_cgutils


class Vector(types.Type):
    """LANES numbers: ``float64`` or unsigned integers of 32 or 64 bits."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(name=f"Vector({element})")

    @property
    def llvm(self) -> Any:
        return ir.VectorType(
            {"float64": ir.DoubleType(), "u32": ir.IntType(32), "u64": ir.IntType(64)}[self.element], LANES
        )


FLOATS, U32, U64 = Vector("float64"), Vector("u32"), Vector("u64")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, fe_type.llvm)  # type: ignore[no-untyped-call]


def _all(llvm: Any, value: Any) -> ir.Constant:
    return ir.Constant(llvm, [ir.Constant(llvm.element, value)] * LANES)


# Loads ----------------------------------------------------------------------------------------------------------------


def address(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    """The element's pointer and its array's element type, for arguments (view, s, r, i)."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    places = [context.cast(builder, a, t, types.intp) for a, t in zip(args[1:], signature.args[1:], strict=True)]
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, places), signature.args[0].dtype


def loaded(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    pointer, element = address(context, builder, signature, args)
    llvm = ir.VectorType(context.get_value_type(element), LANES)
    value = builder.load(builder.bitcast(pointer, llvm.as_pointer()))
    value.align = 1  # a view may start anywhere
    return value, element


def _half(builder: Any, bits: Any) -> Any:
    """float16 in 32-bit integers as float32: exponent and fraction in place, times 2^112; NaN and inf apart."""
    i32, f32 = ir.VectorType(ir.IntType(32), LANES), ir.VectorType(ir.FloatType(), LANES)
    body = builder.and_(bits, _all(i32, 0x7FFF))
    shifted = builder.shl(body, _all(i32, 13))
    number = builder.fmul(builder.bitcast(shifted, f32), _all(f32, 2.0**112))
    special = builder.icmp_unsigned(">=", body, _all(i32, 0x7C00))
    number_bits = builder.select(special, builder.or_(shifted, _all(i32, 0x7F800000)), builder.bitcast(number, i32))
    sign = builder.shl(builder.and_(bits, _all(i32, 0x8000)), _all(i32, 16))
    return builder.bitcast(builder.or_(number_bits, sign), f32)


def as_floats(builder: Any, value: Any, element: Any) -> Any:
    """The float64 vector of LANES elements of an array: float64, float32, or a small format's bits."""
    if element == types.float64:
        return value
    if element in (types.uint16, types.int16):
        i32, f32 = ir.VectorType(ir.IntType(32), LANES), ir.VectorType(ir.FloatType(), LANES)
        bits = builder.zext(value, i32)
        if element == types.uint16:
            value = _half(builder, bits)
        else:
            value = builder.bitcast(builder.shl(bits, _all(i32, 16)), f32)
    return builder.fpext(value, FLOATS.llvm)


@intrinsic
def load(typingctx, view, s, r, i):  # type: ignore[no-untyped-def]
    """The values view[s, r, i : i + LANES], which lie next to each other, as float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return as_floats(builder, *loaded(context, builder, signature, args))

    return FLOATS(view, s, r, i), codegen


@intrinsic
def magnitudes(typingctx, bits, s, r, i):  # type: ignore[no-untyped-def]
    """The bits of |x| of LANES values next to each other, for a view of signed integers that hold them: in order of
    magnitude, NaN above infinity."""
    result = U64 if bits.dtype.bitwidth == 64 else U32

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, element = loaded(context, builder, signature, args)
        if element.bitwidth == 16:
            value = builder.zext(value, U32.llvm)
        return builder.and_(value, _all(result.llvm, (1 << (element.bitwidth - 1)) - 1))

    return result(bits, s, r, i), codegen


@intrinsic
def prefetch(typingctx, view, s, r, i):  # type: ignore[no-untyped-def]
    """Ask for the cache lines (of 64 bytes) of view[s, r, i : i + LANES]; an address of nothing does no harm."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, element = address(context, builder, signature, args)
        i8p, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [i8p, i32, i32, i32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        start = builder.bitcast(pointer, i8p)
        for line in range(0, LANES * element.bitwidth // 8, 64):
            builder.call(function, [builder.gep(start, [i32(line)]), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.none(view, s, r, i), codegen


@intrinsic
def copy_run(typingctx, view, s, r, i, buffer, row, j, n):  # type: ignore[no-untyped-def]
    """Copy view[s, r, i : i + n], whose values lie next to each other, to buffer[0, row, j : j + n]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = signature.args
        source, element = address(context, builder, of[0](*of[:4]), args[:4])
        zero = context.get_constant(types.intp, 0)
        target, _ = address(context, builder, of[4](of[4], types.intp, *of[5:7]), [args[4], zero, *args[5:7]])
        count = context.cast(builder, args[7], of[7], types.intp)
        cgutils.raw_memcpy(builder, target, source, count, element.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(view, s, r, i, buffer, row, j, n), codegen


# Arithmetic -----------------------------------------------------------------------------------------------------------


@intrinsic
def splat(typingctx, value):  # type: ignore[no-untyped-def]
    """A float64 in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one = builder.insert_element(ir.Constant(FLOATS.llvm, ir.Undefined), args[0], ir.IntType(32)(0))
        every = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, one, every)

    return FLOATS(types.float64), codegen


def _binary(symbol: Any, name: str) -> None:
    """Compile an operator of two float64 vectors to LLVM's instruction of that name."""

    @intrinsic
    def operation(typingctx, a, b):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*args)

        return FLOATS(FLOATS, FLOATS), codegen

    @overload(symbol)
    def compiled(a, b):  # type: ignore[no-untyped-def]
        return (lambda a, b: operation(a, b)) if a == b == FLOATS else None  # noqa: PLW0108 - numba wants a function


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
_binary(operator.mul, "fmul")


@intrinsic
def vector_fma(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """a b + c in every lane, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(FLOATS.llvm, [FLOATS.llvm] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f64")
        return builder.call(function, args)

    return FLOATS(FLOATS, FLOATS, FLOATS), codegen


def _halves(builder: Any, value: Any, combine: Any) -> Any:
    """One number of a vector's lanes: the upper half on the lower half, again and again."""
    lanes, i32 = LANES, ir.IntType(32)
    while lanes > 1:
        lanes //= 2
        kind = ir.VectorType(i32, lanes)
        low = builder.shuffle_vector(value, value, ir.Constant(kind, list(range(lanes))))
        high = builder.shuffle_vector(value, value, ir.Constant(kind, list(range(lanes, 2 * lanes))))
        value = combine(low, high)
    return builder.extract_element(value, i32(0))


@intrinsic
def total(typingctx, value):  # type: ignore[no-untyped-def]
    """The sum of the lanes: the upper half added to the lower half, again and again."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _halves(builder, args[0], builder.fadd)

    return types.float64(FLOATS), codegen


def _extreme(larger: bool) -> Any:
    def choose(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_unsigned(">" if larger else "<", a, b), a, b)

    @intrinsic
    def lanewise(typingctx, a, b):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return choose(builder, *args)

        return a(a, a), codegen

    @intrinsic
    def across(typingctx, value):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            found = _halves(builder, args[0], lambda a, b: choose(builder, a, b))
            return builder.zext(found, ir.IntType(64)) if value == U32 else found

        return types.int64(value), codegen

    return lanewise, across


maximum, highest = _extreme(larger=True)
minimum, lowest = _extreme(larger=False)


@intrinsic
def less_one(typingctx, value):  # type: ignore[no-untyped-def]
    """Each lane less 1, so that 0 becomes the largest of all."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(args[0], _all(value.llvm, 1))

    return value(value), codegen
