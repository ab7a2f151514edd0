"""Why a run stopped, in words: compiled code only says which instruction, which thread and which address."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import opcodes, prelude
from .errors import (
    Deadlock,
    ExecutionError,
    LimitReached,
    Misaligned,
    OutOfBounds,
    Trapped,
    Triple,
    Undefined,
    Uninitialised,
)
from .memory import Memory
from .parse import WIDTHS, Entry, Instruction
from .prelude import CTX, FIRST_ID, FRAME, ID_SHIFT, LOCAL_ID, SHARED_ID


def error(
    entry: Entry,
    memory: Memory,
    state: NDArray[np.int64],
    frames: NDArray[np.uint32],
    block: Triple,
    spaces: list[NDArray[np.uint8]],
    shared_size: int,
    local_size: int,
) -> ExecutionError:
    """The exception for a run that stopped."""
    word = {name: int(state[place]) for name, place in CTX.items()}
    ins, code, lane = entry.instructions[word["pc"]], word["error"], word["lane"]
    at = (word["ctaid_x"], word["ctaid_y"], word["ctaid_z"])

    def made(kind: type[ExecutionError], what: str) -> ExecutionError:
        return kind(what, entry.name, ins.line, ins.text, at, thread(lane, block))

    if code == prelude.E_MEMORY:
        local = (spaces[2], spaces[3][lane * local_size :], local_size)
        kind, what = access(ins, memory, word["address"] & ((1 << 64) - 1), (spaces[0], spaces[1], shared_size), local)
        return made(kind, what)
    if code == prelude.E_BUDGET:
        return made(LimitReached, "the launch's limit of backward branches is reached: most likely an endless loop")
    if code == prelude.E_DIVIDE:
        return made(Undefined, "an integer division by zero, whose result is unspecified")
    if code == prelude.E_TRAP:
        return made(Trapped, "the kernel trapped")
    if code == prelude.E_NOT_IN_MASK:
        return made(Undefined, f"lane {lane % 32} is not in its own membermask {word['address']:#010x}")
    if code == prelude.E_BAD_SOURCE:
        return made(Undefined, bad_source(frames, lane, word["address"]))
    if code == prelude.E_COUNT:
        return made(
            Undefined,
            f"the barrier's number must be below 16, and its count ({word['address']}) a positive multiple of 32 that "
            f"all its threads agree on",
        )
    if code == prelude.E_ALIGNED:
        other = entry.instructions[word["address"]]
        return made(
            Undefined,
            f"threads of one warp wait at different barriers: others at line {other.line} ('{other.text}'); an aligned "
            f"barrier needs all of a warp at the same one",
        )
    return made(Deadlock, deadlock(entry, frames, block))


def thread(lane: int, block: Triple) -> Triple:
    return lane % block[0], lane // block[0] % block[1], lane // (block[0] * block[1])


def size_of(ins: Instruction) -> tuple[str, int, bool, bool]:
    """Space, bytes, and whether it reads and writes, of an instruction that accesses memory."""
    stem, *parts = opcodes.normal(ins.opcode).split(".")
    space = next((part for part in parts if part in ("global", "shared", "local")), "")
    vector = next((int(part[1]) for part in parts if part in ("v2", "v4")), 1)
    return space, WIDTHS[parts[-1]] // 8 * vector, stem != "st", stem != "ld"


def access(
    ins: Instruction, memory: Memory, address: int, shared: tuple[Any, Any, int], local: tuple[Any, Any, int]
) -> tuple[type[ExecutionError], str]:
    """What is wrong with an access: the first of alignment, bounds, permission and content."""
    space, size, reads, writes = size_of(ins)
    what = "write" if not reads else "atomic" if writes else "read"
    shown = f"{what} of {size} bytes at {address:#x}"
    if address % size:
        return Misaligned, f"{shown}: the address is no multiple of {size}"
    number = address >> ID_SHIFT
    if space in ("shared", "local") or (not space and number in (SHARED_ID, LOCAL_ID)):
        name = space or ("shared" if number == SHARED_ID else "local")
        _, shadow, total = shared if name == "shared" else local
        offset = address if space else address & ((1 << ID_SHIFT) - 1)
        if offset + size > total:
            return OutOfBounds, f"{shown}: outside the {total} bytes of {name} memory"
        missing = np.flatnonzero(shadow[offset : offset + size] == 0)
        return Uninitialised, f"{shown} of {name} memory: nothing has written byte {offset + int(missing[0])}"
    buffer = memory.find(address)
    if number < FIRST_ID or buffer is None or not 0 <= address - buffer.address <= buffer.nbytes - size:
        return OutOfBounds, f"{shown}: {memory.nearest(address)}"
    if writes and buffer.readonly:
        return OutOfBounds, f"{shown}: {memory.nearest(address)}, which may only be read"
    offset = address - buffer.address
    missing = np.flatnonzero(~buffer.written[offset : offset + size])
    return (
        Uninitialised,
        f"{shown}: {memory.nearest(address)}; nothing has written byte {offset + int(missing[0])} of it",
    )


def bad_source(frames: NDArray[np.uint32], lane: int, source: int) -> str:
    first = lane // 32 * 32
    if first + source >= len(frames):
        why = "which the block does not have"
    elif frames[first + source, FRAME["kind"]] == prelude.EXITED:
        why = "which has ended"
    else:
        why = "which is not in the membermask"
    return f"lane {lane % 32} takes the value of lane {source}, {why}: the result is undefined"


def deadlock(entry: Entry, frames: NDArray[np.uint32], block: Triple) -> str:
    """Who waits where, a few threads a place."""
    groups: dict[str, list[int]] = {}
    for lane, frame in enumerate(frames):
        if frame[FRAME["kind"]] == prelude.EXITED:
            where = "ended"
        else:
            ins = entry.instructions[int(frame[FRAME["pc"]])]
            where = f"waiting at line {ins.line} ('{ins.text}'"
            if frame[FRAME["kind"]] != prelude.BARRIER:
                where += f", membermask {int(frame[FRAME['mask']]):#010x}"
            where += ")"
        groups.setdefault(where, []).append(lane)
    told = "; ".join(
        f"{len(lanes)} thread{'s' if len(lanes) > 1 else ''} {where}, the first {thread(lanes[0], block)}"
        for where, lanes in groups.items()
    )
    return f"no thread of the block can go on: {told}"
