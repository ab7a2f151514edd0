"""A turn of a kernel's main loop in SASS: how many instructions a thread issues, and which loads are in flight.

The main loop is, of those that load values by the kernel's widest loads and have none inside that does, the one with
most in flight. Of the ways through it the one is counted that has most of these loads, then is the shortest: a row that
lies on 16 bytes and whose segment does not end here, no rare case of a division.

A load is in flight until an instruction reads what it brought. So many bytes as a thread has asked for before the first
such instruction wait for the memory at once; a multiprocessor has as many more as it holds threads (`threads_held`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .ptx_facts import natural_loops
from .sass import Instruction

__all__ = ["Turn", "main_turn"]


@dataclass(frozen=True)
class Turn:
    """instructions : that a thread issues. loaded : bytes from global memory. waiting : bytes of these that it asks for
    before it uses any. loads : how many instructions ask for `waiting`."""

    instructions: int
    loaded: int
    waiting: int
    loads: int


_REGISTER = re.compile(r"\bU?R\d+\b")
_TARGET = re.compile(r"`\((\.L\w+)\)")
_WIDTHS = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16, "256": 32}


def load_bytes(one: Instruction) -> int:
    """Bytes that an instruction loads from global memory; 0 where it is no such load."""
    stem, *suffixes = one.op.split(".")
    return next((_WIDTHS[s] for s in suffixes if s in _WIDTHS), 4) if stem == "LDG" else 0


def _blocks(body: list[Instruction]) -> tuple[list[list[Instruction]], list[list[int]]]:
    """Basic blocks, and where each may go on."""
    starts = {0}
    for place, one in enumerate(body):
        if one.labels:
            starts.add(place)
        if one.op.startswith(("BRA", "EXIT", "RET", "BRX", "JMP")):
            starts.add(place + 1)
    order = sorted(place for place in starts if place < len(body))
    blocks = [body[a:b] for a, b in zip(order, [*order[1:], len(body)], strict=True)]
    homes = {label: place for place, block in enumerate(blocks) for label in block[0].labels}
    on: list[list[int]] = []
    for place, block in enumerate(blocks):
        last, follows = block[-1], []
        target = _TARGET.search(last.operands) if last.op.startswith("BRA") else None
        if target and target[1] in homes:
            follows.append(homes[target[1]])
        ends = last.op.startswith(("BRA", "EXIT", "RET", "BRX", "JMP")) and not last.guard
        # A branch may name a predicate of its own: BRA P0, `(.L_1).
        ends = ends and not re.match(r"!?U?P\d", last.operands)
        if not ends and place + 1 < len(blocks):
            follows.append(place + 1)
        on.append(follows)
    return blocks, on


def _best(
    blocks: list[list[Instruction]], on: list[list[int]], inside: set[int], first: int, width: int
) -> list[Instruction]:
    """The instructions of the best way round a loop without loops inside, from its first block back to it."""

    def weight(way: list[Instruction]) -> tuple[int, int]:
        return sum(load_bytes(one) == width for one in way), -len(way)

    # The branches back of loops inside are left out, so that no way comes to a block again.
    found: dict[int, list[Instruction] | None] = {}

    def rest(place: int) -> list[Instruction] | None:
        if place not in found:
            found[place] = None
            ways = [[] if after == first else rest(after) for after in on[place] if after in inside]
            known = [way for way in ways if way is not None]
            if known:
                found[place] = [*blocks[place], *max(known, key=weight)]
        return found[place]

    return rest(first) or []


def _turn(way: list[Instruction]) -> Turn:
    loaded: set[str] = set()
    waiting = loads = 0
    used = False
    for one in way:
        registers = _REGISTER.findall(one.operands)
        size = load_bytes(one)
        sources = registers[1:] if size else registers
        used = used or bool(loaded & set(sources))
        if size and not used:
            waiting, loads = waiting + size, loads + 1
            number = int(registers[0][1:])
            loaded |= {f"R{number + k}" for k in range(max(size // 4, 1))}
    return Turn(len(way), sum(map(load_bytes, way)), waiting, loads)


def main_turn(body: list[Instruction], width: int) -> Turn | None:
    """The main loop's turn; None where no loop loads from global memory.

    Parameters
    ----------
    body : a kernel's own instructions. width : bytes of the loads that bring its values.
    """
    if not body:
        return None
    blocks, on = _blocks(body)
    every = natural_loops(on)
    back = {(place, first) for first, loop in every.items() for place in loop if first in on[place]}
    loops = {
        first: loop
        for first, loop in every.items()
        if any(load_bytes(one) == width for place in loop for one in blocks[place])
    }
    inner = {first: loop for first, loop in loops.items() if not any(other < loop for other in loops.values())}
    turns = []
    for first, loop in inner.items():
        ways = [[to for to in follows if to == first or (at, to) not in back] for at, follows in enumerate(on)]
        turns.append(_turn(_best(blocks, ways, loop, first, width)))
    loading = [turn for turn in turns if turn.loaded]
    return max(loading, key=lambda turn: (turn.waiting, turn.loaded, -turn.instructions), default=None)
