"""Modules, kernels and launches: checks what a launch is given, runs it, and says what went wrong."""

from __future__ import annotations

import operator
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import diagnose, jit
from .errors import Triple, UnsupportedPTX
from .lowering import lower
from .memory import Buffer, Memory
from .parse import WIDTHS, Entry, Param
from .prelude import CTX, FRAME, LOCAL_ID, SHARED_ID
from .scheduling import scheduler
from .text import read

GRID_LIMITS = (2**31 - 1, 65535, 65535)
BLOCK_LIMITS = (1024, 1024, 64)
MOST_THREADS = 1024
MOST_SHARED = 227 * 1024
DEFAULT_LIMIT = 2**40


def extent(value: int | Sequence[int], limits: Triple, what: str) -> Triple:
    """A grid or block as three positive numbers within a GPU's limits."""
    numbers = [value] if isinstance(value, (int, np.integer)) else list(value)
    if not 1 <= len(numbers) <= 3:
        raise ValueError(f"the {what} has one to three extents, not {len(numbers)}")
    x, y, z = ([operator.index(each) for each in numbers] + [1, 1])[:3]
    for axis, number, limit in zip("xyz", (x, y, z), limits, strict=True):
        if not 1 <= number <= limit:
            raise ValueError(f"the {what}'s {axis} extent is {number}: it must be from 1 to {limit}")
    return x, y, z


def packed(param: Param, value: Any) -> bytes:
    """An argument's bytes, if it is exactly a value of the parameter's type."""
    if param.size != WIDTHS[param.type] // 8:
        if isinstance(value, (bytes, bytearray)) and len(value) == param.size:
            return bytes(value)
        raise TypeError(f"the parameter '{param.name}' takes {param.size} bytes")
    if isinstance(value, Buffer):
        if param.size != 8 or param.type == "f64":
            raise TypeError(f"the parameter '{param.name}' is .{param.type} and takes no buffer")
        return value.address.to_bytes(8, "little")
    if param.type[0] == "f" or param.type == "bf16":
        return packed_float(param, value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"the parameter '{param.name}' is .{param.type} and takes an int, not {type(value).__name__}")
    number, bits = int(value), WIDTHS[param.type]
    # Compilers declare signed parameters .u64 too, so both readings of the bits are taken.
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise OverflowError(f"the parameter '{param.name}' is .{param.type}: {number} does not fit")
    return (number & ((1 << bits) - 1)).to_bytes(param.size, "little")


def packed_float(param: Param, value: Any) -> bytes:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"the parameter '{param.name}' is .{param.type} and takes a number, not {type(value).__name__}")
    kind = {"f16": np.float16, "f32": np.float32, "f64": np.float64}.get(param.type)
    if kind is None:
        raise TypeError(f"the parameter '{param.name}' is .{param.type}, which takes no argument here")
    with np.errstate(over="ignore"):
        made = np.array(value, kind)
    if not np.isnan(value) and made.item() != value:
        raise OverflowError(f"the parameter '{param.name}' is .{param.type}: {value!r} is no such value exactly")
    return made.tobytes()


class Kernel:
    """One entry point, from `Module.kernel`. It is compiled at its first launch, or by ``compile``.

    Attributes
    ----------
    name : str
        The entry's name.
    params : tuple of Param
        Its parameters, in the text's order: a launch takes one argument for each.
    """

    def __init__(self, entry: Entry, allow_unrounded: bool, cache: Path | None) -> None:
        self.name = entry.name
        self.params: tuple[Param, ...] = tuple(entry.params)
        self._entry, self._cache = entry, cache
        self._ir, self._frame = lower(entry, allow_unrounded)
        self._code: jit.Code | None = None
        self._lock = threading.Lock()

    def compile(self) -> None:
        """Make the machine code now; the first launch does it otherwise."""
        self._compiled()

    def _compiled(self) -> jit.Code:
        with self._lock:
            if self._code is None:
                self._code = jit.Code(self._ir, "step", self._cache)
            return self._code

    def launch(
        self,
        memory: Memory,
        *,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        args: Sequence[Any] = (),
        shared: int = 0,
        limit: int = DEFAULT_LIMIT,
        reverse: bool = False,
    ) -> None:
        """Run the kernel over a grid to its end.

        Parameters
        ----------
        memory : Memory
        grid, block : int or up to three ints
            Blocks in the grid, threads in a block.
        args : sequence
            One value a parameter: a ``Buffer`` (its address), an int, a float or a numpy scalar.
        shared : int
            Bytes of dynamic shared memory.
        limit : int
            Backward branches that all threads together may take before the run counts as endless.
        reverse : bool
            Run blocks, warps and threads from the last to the first: a kernel whose result then differs has a data
            race, or sums atomically in whatever order comes.

        Raises
        ------
        ValueError, TypeError, OverflowError
            If the launch itself is wrong; nothing has run.
        ExecutionError
            If a thread does something that no GPU defines; nothing ran after it.
        RuntimeError
            If the calling thread's arithmetic is not IEEE 754's; nothing has run.
        """
        g = extent(grid, GRID_LIMITS, "grid")
        b = extent(block, BLOCK_LIMITS, "block")
        threads = b[0] * b[1] * b[2]
        self._check(b, threads, args, shared)
        if operator.index(limit) < 0 or limit >= 1 << 63:
            raise ValueError(f"the limit is {limit}: it must be from 0 to {2**63 - 1}")
        run, step = scheduler(self._cache), self._compiled()
        entry = self._entry
        params = np.zeros(max((p.offset + p.size for p in self.params), default=0) + 16, np.uint8)
        for param, value in zip(self.params, args, strict=True):
            if isinstance(value, Buffer) and memory.find(value.address) is not value:
                raise ValueError(f"the buffer for '{param.name}' is in another memory than the launch's")
            params[param.offset : param.offset + param.size] = np.frombuffer(packed(param, value), np.uint8)
        frames = np.empty((threads, self._frame // 4), np.uint32)
        linear = np.arange(threads, dtype=np.uint32)
        frames[:, FRAME["lane"]] = linear
        frames[:, FRAME["tid_x"]] = linear % b[0]
        frames[:, FRAME["tid_y"]] = linear // b[0] % b[1]
        frames[:, FRAME["tid_z"]] = linear // (b[0] * b[1])
        shared_size = entry.space_size("shared") + shared
        local_size = entry.space_size("local")
        spaces = [np.zeros(max(size, 1) + 16, np.uint8) for size in (shared_size, shared_size)]
        spaces += [np.zeros(max(local_size * threads, 1) + 16, np.uint8) for _ in range(2)]
        with memory.lock:
            memory.set_row(SHARED_ID, spaces[0].ctypes.data, shared_size, spaces[1])
            memory.set_row(LOCAL_ID, spaces[2].ctypes.data, local_size, spaces[3])
            words = {
                "table": memory.table.ctypes.data,
                "entries": len(memory.table),
                "params": params.ctypes.data,
                "frames": frames.ctypes.data,
                "threads": threads,
                "shared": spaces[0].ctypes.data,
                "shared_size1": shared_size + 1,
                "shared_shadow": spaces[1].ctypes.data,
                "local": spaces[2].ctypes.data,
                "local_size": local_size,
                "local_shadow": spaces[3].ctypes.data,
                "budget": limit,
                "dynamic": shared,
                "warps": -(-threads // 32),
                "frame_bytes": self._frame,
                "step": step.address,
                "reverse": int(reverse),
                "blocks": g[0] * g[1] * g[2],
            }
            for i, axis in enumerate("xyz"):
                words |= {f"ntid_{axis}": b[i], f"nctaid_{axis}": g[i]}
            state = np.zeros(len(CTX), np.int64)
            for name, word in words.items():
                state[CTX[name]] = word
            failed = run(state.ctypes.data)
        if failed == 2:
            raise RuntimeError(
                "this thread's floating-point arithmetic flushes subnormals or does not round to nearest: "
                "some library has changed the processor's control word"
            )
        if failed:
            raise diagnose.error(entry, memory, state, frames, b, spaces, shared_size, local_size)

    def _check(self, block: Triple, threads: int, args: Sequence[Any], shared: int) -> None:
        entry = self._entry
        if threads > MOST_THREADS:
            raise ValueError(f"a block of {threads} threads: a GPU runs at most {MOST_THREADS}")
        if entry.reqntid and block != entry.reqntid:
            raise ValueError(f"'{self.name}' requires blocks of {entry.reqntid}, not {block} (.reqntid)")
        if entry.maxntid and threads > entry.maxntid:
            raise ValueError(f"'{self.name}' allows at most {entry.maxntid} threads a block, not {threads} (.maxntid)")
        total = entry.space_size("shared") + shared
        if shared < 0 or total > MOST_SHARED:
            raise ValueError(f"a block of '{self.name}' takes {total} bytes of shared memory: at most {MOST_SHARED}")
        if len(args) != len(self.params):
            raise TypeError(f"'{self.name}' takes {len(self.params)} arguments, not {len(args)}")

    def __repr__(self) -> str:
        return f"<Kernel {self.name} of {len(self._entry.instructions)} instructions>"


class Module:
    """The kernels of one PTX text, from `load`."""

    def __init__(self, kernels: list[Kernel]) -> None:
        self._kernels = {kernel.name: kernel for kernel in kernels}

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels' names, in the text's order."""
        return tuple(self._kernels)

    def kernel(self, name: str | None = None) -> Kernel:
        """The kernel of this name; without one, the only kernel.

        Raises
        ------
        ValueError
            There is no kernel of this name; or no name is given, and there are several.
        """
        if name is None:
            if len(self._kernels) != 1:
                raise ValueError(f"the text holds {len(self._kernels)} kernels; name one of {', '.join(self._kernels)}")
            return next(iter(self._kernels.values()))
        if name not in self._kernels:
            raise ValueError(f"there is no kernel '{name}'; there is {', '.join(self._kernels)}")
        return self._kernels[name]


def load(ptx: str, *, cache: str | Path | None = None, allow_unrounded: bool = False) -> Module:
    """Read and check a PTX text; kernels are compiled when they are first launched.

    Parameters
    ----------
    ptx : str
        The text of one module, such as a .ptx file holds.
    cache : path, optional
        A folder to keep object code in; it must be one that only its user can write.
    allow_unrounded : bool
        Run a product and a sum that both lack a rounding as two roundings, although ptxas may fuse them.

    Raises
    ------
    UnsupportedPTX
        If the text needs anything that this package does not execute exactly, is no PTX, or holds no kernel.
    """
    folder = Path(cache) if cache is not None else None
    entries = read(ptx)
    names = Counter(entry.name for entry in entries)
    for entry in entries:
        if names[entry.name] > 1:
            raise UnsupportedPTX(f"line {entry.line}: the text holds several kernels named '{entry.name}'")
    return Module([Kernel(entry, allow_unrounded, folder) for entry in entries])
