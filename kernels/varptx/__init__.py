"""Executes PTX kernels on the CPU, bit for bit.

PTX text is lowered to LLVM IR and compiled for the host; every arithmetic instruction is the IEEE operation that it
names, and none is fused, reordered or approximated. Threads of a block run one after another to the next instruction
at which they wait for each other, blocks in order of their index, so a run always gives the same bits, atomics
included. Anything that is not known to be executed exactly is refused by name when the text is loaded.

>>> module = varptx.load(ptx_text)                    # parse and check; nothing is compiled yet
>>> module.kernels                                    # names, in order
>>> kernel = module.kernel()                          # the only one, or by name
>>> kernel.params                                     # Param(name, type, size, align, offset)
>>> memory = varptx.Memory()
>>> x = memory.place(array, readonly=True, offset=0)  # no copy; .address
>>> y = memory.place(out, initialised=False)          # may not be read before it is written
>>> kernel.launch(memory, grid=(g, 1, 1), block=256, args=[x, n, y], shared=0)

``load(text, cache=folder)`` keeps object code on disk. ``launch(.., limit=n)`` stops endless loops.

Rules beyond IEEE 754, from NVIDIA, Parallel Thread Execution ISA, version 9.0:

* A bare ``add``, ``sub`` or ``mul`` rounds to nearest even, but ptxas may fuse a bare product with a bare sum. Kernels
  in which that could happen are refused unless ``load(.., allow_unrounded=True)``; a bare sum whose operands come from
  no bare product is the same as ``.rn``.
* A NaN that an f32, f16 or bf16 operation makes is 0x7fffffff or 0x7fff. In f64 it is the first operand that is a NaN,
  made quiet, or 0xfff8000000000000. Loads, stores, ``mov`` and ``selp`` leave a NaN alone;
  ``neg`` and ``abs`` change its sign only, where the ISA leaves its bits open.
* Conversions to integers are clamped; a NaN gives 0, or the top bit alone from f64 or to 64 bits.
* ``atom.global.add.f32`` flushes subnormals, as the ISA says; on shared memory it does not.
* Warp-wide instructions wait for all threads of the membermask that have not ended. A shuffle from a thread that has
  ended, does not exist or is not in the membermask is an error, as its result is undefined.

What it does not do: it finds no data races by itself, as threads never run at the same time (``launch(..,
reverse=True)`` runs them in the opposite order, so that a result which depends on it shows); a kernel in which blocks
wait for each other never ends; module-scope ``.global`` and ``.const`` variables, functions and textures are refused.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        Deadlock,
        ExecutionError,
        LimitReached,
        Misaligned,
        OutOfBounds,
        Trapped,
        Undefined,
        Uninitialised,
        UnknownInstruction,
        UnsupportedPTX,
    )
    from .machine import Kernel, Module, load
    from .memory import Buffer, Memory
    from .opcodes import FORMS
    from .parse import Param

__all__ = [
    "FORMS",
    "Buffer",
    "Deadlock",
    "ExecutionError",
    "Kernel",
    "LimitReached",
    "Memory",
    "Misaligned",
    "Module",
    "OutOfBounds",
    "Param",
    "Trapped",
    "Undefined",
    "Uninitialised",
    "UnknownInstruction",
    "UnsupportedPTX",
    "load",
]

# Loaded when first used: `jit` serves those who execute no PTX, too.
_HOME = {
    **dict.fromkeys(("Kernel", "Module", "load"), ".machine"),
    **dict.fromkeys(("Buffer", "Memory"), ".memory"),
    "FORMS": ".opcodes",
    "Param": ".parse",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(_HOME.get(name, ".errors"), __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
