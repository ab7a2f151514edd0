"""What the certified kernels need of a vector beyond `simd`: part of one, eight rows at once, rotations, stores."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils as untyped_cgutils
from numba.np import arrayobj

from ..simd import FLOATS, LANES, address, as_floats

__all__ = [
    "across",
    "fetch",
    "first_lane",
    "load_columns",
    "load_part",
    "magnitude",
    "one_row",
    "or_nan",
    "rotate1",
    "rotate2",
    "rotate4",
    "store",
]

# Numba annotates these for Python's callers; compiled code calls an intrinsic without the typing context.
intrinsic: Any = extending.intrinsic
cgutils: Any = untyped_cgutils

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _every(builder: Any, llvm: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(llvm, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _part(context: Any, builder: Any, pointer: Any, element: Any, count: Any) -> Any:
    """The first `count` elements at an address, 0 in the lanes above; nothing else is read."""
    scalar = context.get_value_type(element)
    llvm = ir.VectorType(scalar, LANES)
    zeros = ir.Constant(llvm, [ir.Constant(scalar, 0.0 if element in (types.float32, types.float64) else 0)] * LANES)
    if element.bitwidth == 16:  # most processors have no masked load of 16 bits
        held = cgutils.alloca_once(builder, llvm)
        builder.store(zeros, held)
        size = builder.mul(count, _I64(2))
        cgutils.raw_memcpy(builder, held, pointer, size, 1)
        return builder.load(held)
    places = ir.Constant(ir.VectorType(_I64, LANES), list(range(LANES)))
    mask = builder.icmp_signed("<", places, _every(builder, places.type, count))
    name = f"llvm.masked.load.v{LANES}{'f64' if element == types.float64 else 'f32'}.p0"
    kind = ir.FunctionType(llvm, [llvm.as_pointer(), _I32, mask.type, llvm])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [builder.bitcast(pointer, llvm.as_pointer()), _I32(1), mask, zeros])


@intrinsic
def one_row(typingctx, x):  # type: ignore[no-untyped-def]
    """A view (1, 1, n) of a contiguous array of one dimension. It does not keep the memory, which the caller does."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        view = context.make_array(signature.return_type)(context, builder)
        (length,) = cgutils.unpack_tuple(builder, source.shape)
        one = context.get_constant(types.intp, 1)
        whole = builder.mul(length, source.itemsize)
        arrayobj.populate_array(
            view,
            data=source.data,
            shape=cgutils.pack_array(builder, [one, one, length]),
            strides=cgutils.pack_array(builder, [whole, whole, source.itemsize]),
            itemsize=source.itemsize,
            meminfo=None,
        )
        return view._getvalue()

    return types.Array(x.dtype, 3, "C", readonly=not x.mutable)(x), codegen


@intrinsic
def load_part(typingctx, view, s, r, i, count, other):  # type: ignore[no-untyped-def]
    """The values view[s, r, i : i + count], which lie next to each other, as float64; `other` in the lanes above."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = signature.args
        pointer, element = address(context, builder, of[0](*of[:4]), args[:4])
        number = context.cast(builder, args[4], of[4], types.int64)
        value = as_floats(builder, _part(context, builder, pointer, element, number), element)
        places = ir.Constant(ir.VectorType(_I64, LANES), list(range(LANES)))
        mask = builder.icmp_signed("<", places, _every(builder, places.type, number))
        return builder.select(mask, value, args[5])

    return FLOATS(view, s, r, i, count, FLOATS), codegen


def _exchanged(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors transposed: pairs of rows exchange lanes 1, 2 and 4 apart."""
    for apart in (1, 2, 4):
        for k in range(LANES):
            if k & apart:
                continue
            a, b = rows[k], rows[k | apart]
            low = [j if not j & apart else LANES + (j ^ apart) for j in range(LANES)]
            high = [(j | apart) if not j & apart else LANES + j for j in range(LANES)]
            kind = ir.VectorType(_I32, LANES)
            rows[k] = builder.shuffle_vector(a, b, ir.Constant(kind, low))
            rows[k | apart] = builder.shuffle_vector(a, b, ir.Constant(kind, high))
    return rows


@intrinsic
def load_columns(typingctx, view, s, r, i, count):  # type: ignore[no-untyped-def]
    """Eight vectors, the k-th of them view[s, r : r + LANES, i + k] as float64; `count` of them, the others are 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = signature.args
        number = context.cast(builder, args[4], of[4], types.int64)
        row = context.cast(builder, args[2], of[2], types.intp)
        loaded = []
        for lane in range(LANES):
            places = [args[0], args[1], builder.add(row, context.get_constant(types.intp, lane)), args[3]]
            pointer, element = address(context, builder, of[0](of[0], of[1], types.intp, of[3]), places)
            loaded.append(_part(context, builder, pointer, element, number))
        element = of[0].dtype
        rows = [as_floats(builder, value, element) for value in _exchanged(builder, loaded)]
        return context.make_tuple(builder, signature.return_type, rows)

    return types.UniTuple(FLOATS, LANES)(view, s, r, i, count), codegen


@intrinsic
def across(typingctx, view, s, r, i):  # type: ignore[no-untyped-def]
    """The vector view[s, r : r + LANES, i] as float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = signature.args
        element = of[0].dtype
        value = ir.Constant(ir.VectorType(context.get_value_type(element), LANES), ir.Undefined)
        row = context.cast(builder, args[2], of[2], types.intp)
        for lane in range(LANES):
            places = [args[0], args[1], builder.add(row, context.get_constant(types.intp, lane)), args[3]]
            pointer, _ = address(context, builder, of[0](of[0], of[1], types.intp, of[3]), places)
            value = builder.insert_element(value, builder.load(pointer), _I32(lane))
        return as_floats(builder, value, element)

    return FLOATS(view, s, r, i), codegen


@intrinsic
def store(typingctx, table, row, j, value):  # type: ignore[no-untyped-def]
    """Store a vector in table[row, j : j + LANES], float64 values that lie next to each other."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, _ = address(context, builder, signature.args[0](*signature.args[:3]), args[:3])
        builder.store(args[3], builder.bitcast(pointer, FLOATS.llvm.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.none(table, row, j, FLOATS), codegen


@intrinsic
def fetch(typingctx, table, row, j):  # type: ignore[no-untyped-def]
    """The vector table[row, j : j + LANES] of float64 values that lie next to each other."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, _ = address(context, builder, signature, args)
        value = builder.load(builder.bitcast(pointer, FLOATS.llvm.as_pointer()))
        value.align = 8
        return value

    return FLOATS(table, row, j), codegen


@intrinsic
def magnitude(typingctx, value):  # type: ignore[no-untyped-def]
    """|x| in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(FLOATS.llvm, [FLOATS.llvm])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f64"), args)

    return FLOATS(FLOATS), codegen


@intrinsic
def or_nan(typingctx, value, least):  # type: ignore[no-untyped-def]
    """Each lane itself, and NaN where it is not 0 but smaller than `least`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(FLOATS.llvm, [FLOATS.llvm])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f64")
        size = builder.call(function, [args[0]])
        small = builder.fcmp_ordered("<", size, _every(builder, FLOATS.llvm, args[1]))
        lost = builder.and_(small, builder.fcmp_ordered("!=", args[0], ir.Constant(FLOATS.llvm, [0.0] * LANES)))
        return builder.select(lost, ir.Constant(FLOATS.llvm, [float("nan")] * LANES), args[0])

    return FLOATS(FLOATS, types.float64), codegen


@intrinsic
def first_lane(typingctx, value):  # type: ignore[no-untyped-def]
    """A vector's first number."""
    return types.float64(FLOATS), lambda context, builder, signature, args: builder.extract_element(args[0], _I32(0))


def _rotation(by: int) -> Any:
    @intrinsic
    def rotate(typingctx, value):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            places = [(lane + by) % LANES for lane in range(LANES)]
            return builder.shuffle_vector(args[0], args[0], ir.Constant(ir.VectorType(_I32, LANES), places))

        return FLOATS(FLOATS), codegen

    return rotate


rotate4, rotate2, rotate1 = _rotation(4), _rotation(2), _rotation(1)
