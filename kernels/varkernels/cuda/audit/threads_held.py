"""How many threads of a kernel a multiprocessor holds at once: computed, by NVIDIA's rule.

Blocks are bounded by four things, and the least counts:

- warps: ``warps of the multiprocessor // warps of a block``;
- blocks: the limit of the compute capability;
- registers: a warp gets them in units of 256, from the quarter of the register file that it runs on, so
  ``4 * (registers // 4 // units of a warp) // warps of a block``;
- shared memory: a block's own and the 1 KiB that the system reserves from compute capability 8.0 on, rounded up to
  128 bytes (256 on 7.5).

Sources: CUDA C++ Programming Guide 13.0, the table of technical specifications by compute capability, for the limits;
the header cuda_occupancy.h of the CUDA runtime 13.0 for the units, the quarters and the limits on blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS", "Limits", "Occupancy", "occupancy"]

WARP = 32
QUARTERS = 4
REGISTER_UNIT = 256
MOST_REGISTERS = 255  # a thread


@dataclass(frozen=True)
class Limits:
    """What one multiprocessor has: warps, blocks, 32-bit registers, bytes of shared memory.

    per_block : bytes of shared memory that one block may have; reserved : bytes that the system takes for each block;
    unit : bytes that shared memory is given in.
    """

    warps: int
    blocks: int
    registers: int
    shared: int
    per_block: int
    reserved: int
    unit: int


_KIB = 1024
LIMITS = {
    "sm_75": Limits(32, 16, 65536, 64 * _KIB, 64 * _KIB, 0, 256),
    "sm_80": Limits(64, 32, 65536, 164 * _KIB, 163 * _KIB, _KIB, 128),
    "sm_86": Limits(48, 16, 65536, 100 * _KIB, 99 * _KIB, _KIB, 128),
    "sm_89": Limits(48, 24, 65536, 100 * _KIB, 99 * _KIB, _KIB, 128),
    "sm_90": Limits(64, 32, 65536, 228 * _KIB, 227 * _KIB, _KIB, 128),
    "sm_100": Limits(64, 32, 65536, 228 * _KIB, 227 * _KIB, _KIB, 128),
    "sm_120": Limits(48, 24, 65536, 100 * _KIB, 99 * _KIB, _KIB, 128),
}


@dataclass(frozen=True)
class Occupancy:
    """Blocks and warps that a multiprocessor holds, their share of its warps, and what keeps it from more."""

    blocks: int
    warps: int
    share: float
    bound: str


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def occupancy(target: str, threads: int, registers: int, shared: int) -> Occupancy:
    """The occupancy of a kernel.

    Parameters
    ----------
    target : a key of LIMITS.
    threads : in a block.
    registers : a thread.
    shared : bytes of shared memory a block.

    Raises
    ------
    ValueError
        The target is unknown, or the number of threads is not from 1 to 1024.
    """
    if target not in LIMITS:
        raise ValueError(f"target {target!r} is unknown: use one of {', '.join(LIMITS)}")
    if not 1 <= threads <= 1024:
        raise ValueError(f"a block has from 1 to 1024 threads, not {threads}")
    has = LIMITS[target]
    warps = -(-threads // WARP)
    of_warp = _up(max(registers, 1) * WARP, REGISTER_UNIT)
    too_many = registers > MOST_REGISTERS or of_warp * _up(warps, QUARTERS) > has.registers
    of_block = _up(shared + has.reserved, has.unit)
    bounds = {
        "warps": has.warps // warps,
        "blocks": has.blocks,
        "registers": 0 if too_many else QUARTERS * (has.registers // QUARTERS // of_warp) // warps,
        "shared memory": has.shared // of_block if of_block else has.blocks,
    }
    if shared > has.per_block:
        bounds["shared memory"] = 0
    bound = min(bounds, key=lambda name: bounds[name])
    blocks = bounds[bound]
    return Occupancy(blocks, blocks * warps, blocks * warps / has.warps, bound)
