"""Which shuffles a warp makes in one wait: several values moved by the same lanes over the same distance.

A state of several numbers moves by one shuffle a number, all alike. A thread waits once for all of them: their sources
are known before the first, and the copies between them are moved out of the way.
"""

from __future__ import annotations

from .flow import read_by, stem, written
from .parse import Entry, Instruction

__all__ = ["MOST", "exchanges"]

# Shuffles that share one wait: what a thread's frame has places for.
MOST = 5


def exchanges(entry: Entry) -> dict[int, int]:
    """Put shuffles that can share a wait side by side.

    Returns how many there are by the index of the first, and 0 by those of the others.
    """
    code = entry.instructions
    stops = set(entry.labels.values())
    found: dict[int, int] = {}
    at = 0
    while at < len(code):
        if not _shuffle(code[at]):
            at += 1
            continue
        early, together, late = _from(code, at, stops)
        moved = [*early, *together, *late]
        code[at : at + len(moved)] = moved
        at += len(early)
        found |= {at + i: 0 for i in range(len(together))} | {at: len(together)}
        at += len(together)
    return found


def _shuffle(ins: Instruction) -> bool:
    return ins.opcode.startswith("shfl.sync.") and not ins.guard and len(ins.operands) == 5


def _copy(ins: Instruction) -> bool:
    return stem(ins) == "mov" and not ins.guard


def _from(code: list[Instruction], start: int, stops: set[int]) -> tuple[list[Instruction], ...]:
    """The instructions from a shuffle to the last that joins it: copies to go before them, shuffles, copies after."""
    early: list[Instruction] = []
    together = [code[start]]
    late: list[Instruction] = []
    best = (early.copy(), together.copy(), late.copy())
    reads, writes = set(read_by(code[start], 1)), set(written(code[start], 1))
    for i in range(start + 1, len(code)):
        ins = code[i]
        alike = _shuffle(ins) and ins.opcode == together[0].opcode and ins.operands[2:] == together[0].operands[2:]
        if i in stops or not (alike or _copy(ins)) or (alike and len(together) == MOST):
            break
        read, write = set(read_by(ins, 1)), set(written(ins, 1))
        free = not read & writes and not write & (reads | writes)
        if alike and not free:
            break
        if alike:
            together.append(ins)
            best = (early.copy(), together.copy(), late.copy())
        else:
            (early if free else late).append(ins)
        if alike or not free:
            reads |= read
            writes |= write
    return best
