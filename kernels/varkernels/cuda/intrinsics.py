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

__all__ = ["fetcher", "moved", "pick_state", "put_state", "quotient", "storer", "vector_fetcher"]

intrinsic: Any = extending.intrinsic
cuda: Any = _cuda
shuffle_down: Any = getattr(cuda, "shfl_down_sync", None)  # the simulator has none

GLOBAL = 1  # NVVM's address space of global memory
WARP = 0xFFFFFFFF

# A storage format's element in memory, and its width in bytes; the counts of partial states too.
ELEMENTS: dict[str, Any] = {
    "float16": (ir.HalfType(), 2),
    "bfloat16": (ir.IntType(16), 2),
    "float32": (ir.FloatType(), 4),
    "float64": (ir.DoubleType(), 8),
    "int32": (ir.IntType(32), 4),
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
    return builder.sext(element, wanted) if storage == "int32" else builder.fpext(element, wanted)


@cache
def fetcher(storage: str, number: Any) -> Any:
    """The function (address, index) -> the stored number of that index, in the Numba type `number`."""
    element, size = ELEMENTS[storage]

    @intrinsic
    def fetch(typingctx, address, index):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            loaded = builder.load(builder.gep(_pointer(builder, args[0], element), [args[1]]))
            loaded.align = size
            return _value(builder, loaded, storage, context.get_value_type(number))

        return number(types.int64, types.int64), codegen

    return fetch


@cache
def vector_fetcher(storage: str, number: Any, width: int) -> Any:
    """The function (address) -> `width` numbers, a tuple, by 16-byte loads from an address that they divide."""
    element, size = ELEMENTS[storage]
    word = ir.IntType(32)
    # NVPTX would split a vector of eight 16-bit elements; four words of 32 bits it loads at once.
    packed = size == 2
    each = 4 if packed else 16 // size
    vector = ir.VectorType(word if packed else element, each)

    @intrinsic
    def fetch_vector(typingctx, address):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            base = _pointer(builder, args[0], vector)
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
            values = [_value(builder, item, storage, context.get_value_type(number)) for item in items]
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(number, width)(types.int64), codegen

    return fetch_vector


@cache
def storer(storage: str, number: Any) -> Any:
    """The function (address, index, value) that stores a value of the Numba type `number`."""
    element, size = ELEMENTS[storage]

    @intrinsic
    def store(typingctx, address, index, value):  # type: ignore[no-untyped-def]
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.trunc(args[2], element) if storage == "int32" else args[2]
            stored = builder.store(value, builder.gep(_pointer(builder, args[0], element), [args[1]]))
            stored.align = size
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, number), codegen

    return store


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


def put_state(store: Any, place: Any, index: int, state: Any) -> None:
    """Store a state's fields from place + index on, by store(place, index, value)."""
    raise RuntimeError("put_state() runs within CUDA kernels only")


def pick_state(fetch: Any, place: Any, index: int, empty: Any) -> Any:
    """The state that put_state left."""
    raise RuntimeError("pick_state() runs within CUDA kernels only")


def _fields(state: Any, whats: dict[int, Callable[..., Any]]) -> Callable[..., Any] | None:
    return whats.get(len(state)) if isinstance(state, types.BaseNamedTuple) else None


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
def _put_state(store, place, index, state):  # type: ignore[no-untyped-def]
    def one(store, place, index, state):  # type: ignore[no-untyped-def]
        store(place, index, state[0])

    def two(store, place, index, state):  # type: ignore[no-untyped-def]
        store(place, index, state[0])
        store(place, index + 1, state[1])

    def three(store, place, index, state):  # type: ignore[no-untyped-def]
        store(place, index, state[0])
        store(place, index + 1, state[1])
        store(place, index + 2, state[2])

    return _fields(state, {1: one, 2: two, 3: three})


@overload(pick_state)
def _pick_state(fetch, place, index, empty):  # type: ignore[no-untyped-def]
    make: Any = getattr(empty, "instance_class", None)

    def one(fetch, place, index, empty):  # type: ignore[no-untyped-def]
        return make(fetch(place, index))

    def two(fetch, place, index, empty):  # type: ignore[no-untyped-def]
        return make(fetch(place, index), fetch(place, index + 1))

    def three(fetch, place, index, empty):  # type: ignore[no-untyped-def]
        return make(fetch(place, index), fetch(place, index + 1), fetch(place, index + 2))

    return _fields(empty, {1: one, 2: two, 3: three})
