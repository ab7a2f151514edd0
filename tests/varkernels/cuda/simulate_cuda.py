"""Run by test_cuda_simulator in a process of its own, NUMBA_ENABLE_CUDASIM=1: the kernels' Python in the simulator.

The simulator interprets the schedules; it has no addresses, shuffles or Numba overloads, so these have stand-ins
here. It exits 0 if every answer is the mirror's, in every bit, and prints how many it compared.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from varkernels import FORMATS
from varkernels.cuda import catalogue, lanes, mirror, schedules, stages
from varkernels.cuda.inputs import extent
from varkernels.cuda.launch_plan import Plan

NUMBERS = {"float32": ctypes.c_float, "float64": ctypes.c_double, "int32": ctypes.c_int32}
Cursor = tuple[int, int]


def formula_of(state: Any) -> Any:
    kernels = catalogue.kernels().values()
    return next(kernel.formula for kernel in kernels if kernel.formula.state is type(state))


def pick(like: Any, address: int, index: int) -> Any:
    if isinstance(like, int):  # a count
        return int(ctypes.c_int32.from_address(int(address) + 4 * int(index)).value)
    kind = NUMBERS[like.dtype.name]
    return like.dtype.type(kind.from_address(int(address) + ctypes.sizeof(kind) * int(index)).value)


def put(value: Any, address: int, index: int) -> None:
    kind = NUMBERS[value.dtype.name]
    kind.from_address(int(address) + ctypes.sizeof(kind) * int(index)).value = value.item()


def reader(storage: str, number: Any, width: int, steps: int) -> Any:
    size, like = np.dtype(storage).itemsize, np.dtype(storage).type(0)

    def moved_on(cursor: Cursor, by: Cursor, length: int, wrap: int) -> Cursor:
        address, offset = cursor[0] + by[0], cursor[1] + by[1]
        return (address + wrap, offset - length) if offset >= length else (address, offset)

    def read_steps(
        by_vectors: int,
        address: int,
        offset: int,
        step_bytes: int,
        step_on: int,
        next_bytes: int,
        length: int,
        wrap: int,
    ) -> Any:
        values = []
        at = (int(address), int(offset))
        for _ in range(steps):
            if by_vectors and width > 1:
                assert at[0] % 16 == 0, "a vector load that is not aligned"
                values += [pick(like, at[0] + size * j, 0) for j in range(width)]
            else:
                here = at
                for j in range(width):
                    here = here if j == 0 else moved_on(here, (int(next_bytes), 1), int(length), int(wrap))
                    values.append(pick(like, here[0], 0))
            at = moved_on(at, (int(step_bytes), int(step_on)), int(length), int(wrap))
        return tuple(values), *at

    return read_steps


def begin(empty: Any, centres: int, row: int) -> Any:
    formula = formula_of(empty)
    if formula.start is None:
        return empty
    return formula.start(empty, pick(empty[0], centres, 2 * row), pick(empty[0], centres, 2 * row + 1))


exchange: dict[int, Any] = {}


def from_lane(value: Any, source: Any) -> Any:
    """What the lane source(lane) of the warp offers; all threads of the block take part."""
    cuda: Any = schedules.cuda
    me = cuda.threadIdx.x
    exchange[me] = value
    cuda.syncthreads()
    got = exchange[(me & ~31) | source(me & 31)]
    cuda.syncthreads()
    return got


def down(lane: int, offset: int) -> int:
    return lane + offset if lane + offset < 32 else lane


def update(state: Any, n: int, x: Any) -> Any:
    return formula_of(state).update(state, n, x)


def take(states: Any, n: int, values: Any) -> Any:
    states = list(states)
    formula = formula_of(states[0])
    if formula.tile is not None and len(values) > 1:
        return (lanes.join(states[0], n, formula.tile(states[0], values), len(values)),)
    for j, x in enumerate(values):
        lane = j % len(states)
        states[lane] = update(states[lane], n + 1 + j // len(states), x)
    return tuple(states)


def one_more(states: Any, n: int, j: int, x: Any) -> Any:
    return tuple(update(state, n + 1, x) if lane == j else state for lane, state in enumerate(states))


def fold(states: Any, n: int, more: int) -> Any:
    if len(states) == 1:
        return states[0]
    counts = [n + (j < more) for j in range(4)]
    low = lanes.join(states[0], counts[0], states[2], counts[2])
    high = lanes.join(states[1], counts[1], states[3], counts[3])
    return lanes.join(low, counts[0] + counts[2], high, counts[1] + counts[3])


def put_state(place: Any, index: int, state: Any) -> None:
    for field, value in enumerate(state):
        if isinstance(place, (int, np.integer)):
            put(value, int(place), index + field)
        else:
            place[index + field] = value


def pick_state(empty: Any, place: Any, index: int) -> Any:
    if isinstance(place, (int, np.integer)):
        return type(empty)(*[pick(field, int(place), index + f) for f, field in enumerate(empty)])
    return type(empty)(*[place[index + f] for f in range(len(empty))])


def keep(memory: Any, at: int, apart: int, values: Any) -> None:
    for j, value in enumerate(values):
        memory[at + j * apart] = value


STAND_INS: dict[str, Any] = {
    "int32": int,  # numpy's would overflow where the compiler's is widened
    "pick": pick,
    "put": put,
    "reader": reader,
    "begin": begin,
    "keep": keep,
    "quotient": lambda a, b: int(a) // int(b),
    "moved": lambda state, offset: from_lane(state, lambda lane: down(lane, offset)),
    "shuffle_down": lambda mask, value, offset: from_lane(value, lambda lane: down(lane, offset)),
    "shuffle": lambda mask, value, source: from_lane(value, lambda lane: source),
    "put_state": put_state,
    "pick_state": pick_state,
    "take": take,
    "one_more": one_more,
    "fold": fold,
    "update": update,
    "merge": lambda a, na, b, nb: formula_of(a).merge(a, na, b, nb),
    "read": lambda state, n: formula_of(state).read(state, n),
    "start": lambda state, high, low: formula_of(state).start(state, high, low),
}


class Swapped:
    """`cuda` for `stages`: the simulator puts its own into the globals of the kernel alone, which is in `schedules`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(schedules.cuda, name)


stages.cuda = Swapped()
for module in (schedules, stages, lanes):
    for name, stand_in in STAND_INS.items():
        if hasattr(module, name):
            setattr(module, name, stand_in)


class Simulator:
    """A device for varkernels.cuda.run.moments."""

    def run(self, plan: Plan, view: Any) -> Any:
        values, first = extent(view)
        buffers = {name: np.full(size, -77, dtype) for name, (dtype, size) in plan.buffers.items()}
        places = {name: buffer.ctypes.data for name, buffer in buffers.items()}
        places["data"] = values.ctypes.data + first
        for launch in plan.launches:
            arguments = [places[a] if isinstance(a, str) else a for a in launch.arguments]
            kernel: Any = schedules.cuda.jit(schedules.function(launch.kernel))
            kernel[launch.grid, launch.block](*arguments)
        return buffers["answers"].reshape(-1, 2)


def main() -> None:
    from varkernels.cuda.run import moments  # noqa: PLC0415

    rng = np.random.default_rng(1)
    compared = 0
    for shape, name, most_blocks in [
        ((2, 3, 5), "chan/thread", 65535),
        ((2, 3, 45), "naive/columns", 65535),
        ((1, 2, 67), "chan/block", 65535),
        ((2, 3, 24), "chan_reciprocal/block4", 2),
        ((1, 2, 135), "two_pass/held", 65535),
        ((3, 1, 90), "kahan_two_pass/block4", 65535),
        ((1, 1, 2100), "chan_weighted/grid4", 3),
        ((2, 3, 45), "fast/tile", 2),
        ((2, 3, 45), "fast/columns", 65535),
    ]:
        x = (rng.standard_normal(shape) + 2).astype(np.float32)
        with np.errstate(all="ignore"):  # lanes whose answers nobody reads
            got = moments(x, name, contracted=False, device=Simulator(), most_blocks=most_blocks)
        want = mirror.moments(x, name, contracted=False)
        assert got.accumulator is FORMATS["float32"]
        assert got.mean.tobytes() == want.mean.tobytes(), name
        assert got.m2.tobytes() == want.m2.tobytes(), name
        compared += 2 * len(got)
    print(compared)


main()
