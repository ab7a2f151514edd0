"""What a kernel does that Python has no word for: loads and stores at an address, shuffles, a state moved as a whole.

Addresses are 64-bit integers, of global memory: see `abi`. No function here computes with values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir
from numba import cuda as _cuda
from numba import extending, types
from numba.extending import overload

__all__ = ["moved", "pick", "pick_state", "put", "put_state", "quotient", "reader"]

intrinsic: Any = extending.intrinsic
cuda: Any = _cuda
shuffle_down: Any = getattr(cuda, "shfl_down_sync", None)  # the simulator has none

GLOBAL = 1  # NVVM's address space of global memory
WARP = 0xFFFFFFFF

# A storage format's element in memory, and its width in bytes; and the bits of values by themselves.
ELEMENTS: dict[str, Any] = {
    "float16": (ir.HalfType(), 2),
    "bfloat16": (ir.IntType(16), 2),
    "float32": (ir.FloatType(), 4),
    "float64": (ir.DoubleType(), 8),
    "bits16": (ir.IntType(16), 2),
    "bits32": (ir.IntType(32), 4),
    "bits64": (ir.IntType(64), 8),
}


def _pointer(builder: Any, address: Any, element: Any) -> Any:
    return builder.inttoptr(address, ir.PointerType(element, GLOBAL))


def _value(builder: Any, element: Any, storage: str, wanted: Any) -> Any:
    """A stored element as a number of the accumulator's type, exactly."""
    if storage == "bfloat16":  # the upper half of a float32
        bits = builder.shl(builder.zext(element, ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
        element = builder.bitcast(bits, ir.FloatType())
    if element.type == wanted:
        return element
    if storage.startswith("bits"):
        return builder.zext(element, wanted)
    return builder.fpext(element, wanted)


def _moved_on(builder: Any, cursor: tuple[Any, Any], by: tuple[Any, Any], length: Any, wrap: Any) -> tuple[Any, Any]:
    """A cursor, an address and its position in the segment, moved on by (bytes, positions): less than a segment, or
    whole segments, which are in the bytes, and the rest."""
    offset = builder.add(cursor[1], by[1])
    beyond = builder.icmp_unsigned(">=", offset, length)  # the sum of two numbers below 2^31
    return (
        builder.add(cursor[0], builder.select(beyond, builder.add(by[0], wrap), by[0])),
        builder.select(beyond, builder.sub(offset, length), offset),
    )


def _scalar(builder: Any, address: Any, storage: str, wanted: Any) -> Any:
    element, size = ELEMENTS[storage]
    loaded = builder.load(_pointer(builder, address, element))
    loaded.align = size
    return _value(builder, loaded, storage, wanted)


def _vector(builder: Any, address: Any, storage: str, width: int, wanted: Any) -> list[Any]:
    """`width` values by loads of 16 bytes from an address that 16 divides."""
    element, size = ELEMENTS[storage]
    word = ir.IntType(32)
    # NVPTX would split a vector of eight 16-bit elements; four words of 32 bits it loads at once.
    packed = size == 2
    each = 4 if packed else 16 // size
    base = _pointer(builder, address, ir.VectorType(word if packed else element, each))
    items: list[Any] = []
    for part in range(width * size // 16):
        loaded = builder.load(builder.gep(base, [ir.Constant(ir.IntType(64), part)]))
        loaded.align = 16
        for j in range(each):
            item = builder.extract_element(loaded, ir.Constant(word, j))
            if packed:
                halves = (item, builder.lshr(item, ir.Constant(word, 16)))
                items += [builder.bitcast(builder.trunc(h, ir.IntType(16)), element) for h in halves]
            else:
                items.append(item)
    return [_value(builder, item, storage, wanted) for item in items]


def _together(builder: Any, values: list[Any]) -> list[Any]:
    """The same numbers, none of which is there before all of them are: an assembly of no instruction, which keeps the
    compiler from loading each just before its use."""
    kind = values[0].type
    letter = {ir.FloatType(): "f", ir.DoubleType(): "d", ir.IntType(64): "l"}[kind]
    constraints = ",".join([f"={letter}" for _ in values] + [str(j) for j in range(len(values))])
    struct = ir.LiteralStructType([kind for _ in values])
    nothing = ir.InlineAsm(ir.FunctionType(struct, [kind for _ in values]), "", constraints, side_effect=True)
    found = builder.call(nothing, values)
    return [builder.extract_value(found, j) for j in range(len(values))]


@cache
def reader(storage: str, number: Any, width: int, steps: int) -> Any:
    """The function that reads steps of a row: all loads first, so that all of them are in flight at once.

    It is (by_vectors, address, offset, step_bytes, step_on, next_bytes, length, wrap) -> (values, address, offset).

    A step is `width` values, side by side by 16-byte loads where `by_vectors` (not 0), else one by one. `address` and
    `offset` are where the first step begins, in memory and in its segment of `length` positions, and then where the
    step after the last one does. A step begins step_bytes and step_on positions after the one before, a value
    next_bytes after the one before; at a segment's end `wrap` bytes lead to the next one.
    """

    @intrinsic
    def read_steps(typingctx, by_vectors, address, offset, step_bytes, step_on, next_bytes, length, wrap):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors, address, offset, step_bytes, step_on, next_bytes, length, wrap = args
            wanted = context.get_value_type(number)
            word, long = ir.IntType(32), ir.IntType(64)

            def straight() -> list[Any]:
                """Where each step begins, and what follows the last, if no segment ends before."""
                found = [(address, offset)]
                for _ in range(steps):
                    found.append((builder.add(found[-1][0], step_bytes), builder.add(found[-1][1], step_on)))
                return found

            def turning() -> list[Any]:
                """The same, wherever segments end."""
                found = [(address, offset)]
                for _ in range(steps):
                    found.append(_moved_on(builder, found[-1], (step_bytes, step_on), length, wrap))
                return found

            def one_by_one(starts: list[Any]) -> list[Any]:
                found = []
                for begin in starts[:-1]:
                    cursor = begin
                    for j in range(width):
                        if j > 0:
                            cursor = _moved_on(builder, cursor, (next_bytes, ir.Constant(word, 1)), length, wrap)
                        found.append(_scalar(builder, cursor[0], storage, wanted))
                return found

            def side_by_side(starts: list[Any]) -> list[Any]:
                return [x for at, _ in starts[:-1] for x in _vector(builder, at, storage, width, wanted)]

            def either(condition: Any, first: Any, second: Any) -> list[Any]:
                """Values and the cursor after them, one way or the other."""
                found = []
                with builder.if_else(condition) as ways:
                    for way, made in zip(ways, (first, second), strict=True):
                        with way:
                            found.append((made(), builder.block))
                results = []
                for pair in zip(*(each for each, _ in found), strict=True):
                    both = builder.phi(pair[0].type)
                    for value, (_, block) in zip(pair, found, strict=True):
                        both.add_incoming(value, block)
                    results.append(both)
                return results

            def read(starts: Any, how: Any) -> Any:
                def made() -> list[Any]:
                    each = starts()
                    return [*how(each), *each[-1]]

                return made

            singly = read(turning, one_by_one)
            if steps == 1:
                far = None
            else:  # in 64 bits, for it may go beyond 32
                on = builder.mul(builder.zext(step_on, long), ir.Constant(long, steps))
                far = builder.icmp_unsigned(
                    "<", builder.add(builder.zext(offset, long), on), builder.zext(length, long)
                )
            if width == 1:
                found = singly() if far is None else either(far, read(straight, one_by_one), singly)
            else:
                turned = read(turning, side_by_side)
                aligned = turned if far is None else lambda: either(far, read(straight, side_by_side), turned)
                found = either(builder.icmp_signed("!=", vectors, vectors.type(0)), aligned, singly)
            *values, address, offset = found
            if width == 1 and steps > 1:
                values = _together(builder, values)
            packed = context.make_tuple(builder, types.UniTuple(number, width * steps), values)
            return context.make_tuple(builder, signature.return_type, [packed, address, offset])

        found = types.Tuple([types.UniTuple(number, width * steps), types.int64, types.int32])
        wide, short = types.int64, types.int32
        return found(wide, wide, short, wide, short, wide, short, wide), codegen

    return read_steps


# Numbers and counts of the accumulator, at an address ---------------------------------------------------------------


@intrinsic
def pick(typingctx, like, address, index):  # type: ignore[no-untyped-def]
    """The number of `like`'s type at that index from an address on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_value_type(like)
        return builder.load(builder.gep(_pointer(builder, args[1], element), [args[2]]))

    return like(like, types.int64, types.int64), codegen


@intrinsic
def put(typingctx, value, address, index):  # type: ignore[no-untyped-def]
    """Store a number at that index from an address on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[0], builder.gep(_pointer(builder, args[1], args[0].type), [args[2]]))
        return context.get_dummy_value()

    return types.void(value, types.int64, types.int64), codegen


@intrinsic
def quotient(typingctx, a, b):  # type: ignore[no-untyped-def]
    """a // b of whole numbers from 0 (b from 1) to 2^31, by the 32-bit division, a third of the 64-bit one's cost."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        small = [builder.trunc(arg, ir.IntType(32)) for arg in args]
        return builder.zext(builder.udiv(*small), ir.IntType(64))

    return types.int64(types.int64, types.int64), codegen


# States as a whole -------------------------------------------------------------------------------------------
# A state is a NamedTuple of one to three numbers of one type.


def moved(state: Any, offset: int) -> Any:
    """The state of the lane `offset` further on in the warp; one's own where there is none."""
    raise RuntimeError("moved() runs within CUDA kernels only")


def put_state(place: Any, index: int, state: Any) -> None:
    """Store a state's fields from that index on: in an array, or from an address on."""
    raise RuntimeError("put_state() runs within CUDA kernels only")


def pick_state(empty: Any, place: Any, index: int) -> Any:
    """The state of `empty`'s type that put_state left."""
    raise RuntimeError("pick_state() runs within CUDA kernels only")


def _fields(state: Any, whats: dict[int, Callable[..., Any]]) -> Callable[..., Any] | None:
    return whats.get(len(state)) if isinstance(state, types.BaseNamedTuple) else None


def get(like: Any, place: Any, index: int) -> Any:
    """A number of `like`'s type in an array, or from an address on."""
    raise RuntimeError("get() runs within CUDA kernels only")


def lay(value: Any, place: Any, index: int) -> None:
    """Store a number in an array, or from an address on."""
    raise RuntimeError("lay() runs within CUDA kernels only")


@overload(get)
def _get(like, place, index):  # type: ignore[no-untyped-def]
    if isinstance(place, types.Array):
        return lambda like, place, index: place[index]
    return lambda like, place, index: pick(like, place, index)  # noqa: PLW0108 - a function, for Numba


@overload(lay)
def _lay(value, place, index):  # type: ignore[no-untyped-def]
    def element(value, place, index):  # type: ignore[no-untyped-def]
        place[index] = value

    if isinstance(place, types.Array):
        return element
    return lambda value, place, index: put(value, place, index)  # noqa: PLW0108


@overload(moved)
def _moved(state, offset):  # type: ignore[no-untyped-def]
    make: Any = getattr(state, "instance_class", None)

    def one(state, offset):  # type: ignore[no-untyped-def]
        return make(shuffle_down(WARP, state[0], offset))

    def two(state, offset):  # type: ignore[no-untyped-def]
        return make(shuffle_down(WARP, state[0], offset), shuffle_down(WARP, state[1], offset))

    def three(state, offset):  # type: ignore[no-untyped-def]
        return make(
            shuffle_down(WARP, state[0], offset),
            shuffle_down(WARP, state[1], offset),
            shuffle_down(WARP, state[2], offset),
        )

    return _fields(state, {1: one, 2: two, 3: three})


@overload(put_state)
def _put_state(place, index, state):  # type: ignore[no-untyped-def]
    def one(place, index, state):  # type: ignore[no-untyped-def]
        lay(state[0], place, index)

    def two(place, index, state):  # type: ignore[no-untyped-def]
        lay(state[0], place, index)
        lay(state[1], place, index + 1)

    def three(place, index, state):  # type: ignore[no-untyped-def]
        lay(state[0], place, index)
        lay(state[1], place, index + 1)
        lay(state[2], place, index + 2)

    return _fields(state, {1: one, 2: two, 3: three})


@overload(pick_state)
def _pick_state(empty, place, index):  # type: ignore[no-untyped-def]
    make: Any = getattr(empty, "instance_class", None)

    def one(empty, place, index):  # type: ignore[no-untyped-def]
        return make(get(empty[0], place, index))

    def two(empty, place, index):  # type: ignore[no-untyped-def]
        return make(get(empty[0], place, index), get(empty[1], place, index + 1))

    def three(empty, place, index):  # type: ignore[no-untyped-def]
        return make(get(empty[0], place, index), get(empty[1], place, index + 1), get(empty[2], place, index + 2))

    return _fields(empty, {1: one, 2: two, 3: three})
