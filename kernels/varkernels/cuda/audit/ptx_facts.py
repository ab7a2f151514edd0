"""What a kernel's PTX asks for: its arithmetic, its loads, what may not be there, and the work of its main loop.

Read by itself, with no tool of NVIDIA's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ARITHMETIC", "EXPANDED", "Instruction", "Loop", "arithmetic", "bare", "expanded", "instructions", "live",
    "main_loop", "natural_loops", "retarget", "unwanted", "vector_loads",
]  # fmt: skip

# Classes of floating-point instructions, under their names in SASS.
ARITHMETIC = ("FADD", "FMUL", "FFMA", "DADD", "DMUL", "DFMA")
# Instructions that ptxas makes several of.
EXPANDED = tuple(f"{op}.rn.{kind}" for kind in ("f32", "f64") for op in ("div", "rcp", "sqrt"))

_VERB = {"add": "ADD", "sub": "ADD", "mul": "MUL", "fma": "FMA", "mad": "FMA"}
_WIDTH = {"f32": "F", "f64": "D"}
_LINE = re.compile(
    r"(?:(?P<label>[\w$]+):)|(?:(?:@!?(?P<guard>%\w+)\s+)?(?P<op>[a-z][\w.:]*)(?P<rest>[^;{}]*(?:\{[^{}]*\}[^;{}]*)*);)"
)
_SIZES = {"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "b32": 4, "u32": 4, "s32": 4, "f32": 4,
          "b64": 8, "u64": 8, "s64": 8, "f64": 8, "b128": 16}  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """An instruction: opcode with all suffixes, the predicate that guards it, operands, the labels before it."""

    op: str
    guard: str
    rest: str
    labels: tuple[str, ...]

    @property
    def parts(self) -> list[str]:
        return self.op.split(".")


def retarget(text: str, target: str) -> str:
    """A module's text for another target: as it is for a later one, which takes it, else with its target changed."""
    named = re.search(r"^\s*\.target\s+sm_(\d+)", text, flags=re.MULTILINE)
    if named is None or int(named[1]) <= int(target.removeprefix("sm_")):
        return text
    return f"{text[: named.start(1)]}{target.removeprefix('sm_')}{text[named.end(1) :]}"


def instructions(kernel: str) -> list[Instruction]:
    """The instructions of a kernel's body, in order; declarations and directives are left out."""
    text = re.sub(r"//.*$|/\*.*?\*/", "", kernel, flags=re.MULTILINE)
    start = text.find("{", max(text.find(".entry"), 0))
    # Statements that begin with a dot are declarations.
    text = re.sub(r"^\s*\.[^;]*;", "", text[start + 1 :], flags=re.MULTILINE)
    found, labels = [], []
    for match in _LINE.finditer(text):
        if match["label"]:
            labels.append(match["label"])
        else:
            found.append(Instruction(match["op"], match["guard"] or "", match["rest"].strip(), tuple(labels)))
            labels = []
    return found


_REGISTER = re.compile(r"%[a-z]\w*")
_JUMPS = ("bra", "ret", "exit")
_EFFECTS = {*_JUMPS, "st", "bar", "barrier", "red", "atom", "membar", "fence", "call", "trap", "vote", "pragma"}


def live(body: Iterable[Instruction]) -> list[Instruction]:
    """Without the instructions whose result nothing reads, and those that only feed such: ptxas leaves them out.

    NVVM keeps a shuffle whose result nobody needs, and what the shuffle sends.
    """
    left = list(body)
    while True:
        uses = [_registers(one) for one in left]
        read = {register for _, sources in uses for register in sources}
        kept = [
            one
            for one, (made, _) in zip(left, uses, strict=True)
            if one.parts[0] in _EFFECTS or not made or made & read
        ]
        if len(kept) == len(left):
            return kept
        left = kept


def _registers(one: Instruction) -> tuple[set[str], set[str]]:
    """The registers that an instruction writes and those that it reads."""
    if one.parts[0] in _EFFECTS and one.parts[0] not in ("atom", "vote"):
        return set(), set(_REGISTER.findall(one.rest)) | ({one.guard} if one.guard else set())
    first, rest = one.rest.split("}", 1) if one.rest.startswith("{") else [*one.rest.split(",", 1), ""][:2]
    sources = set(_REGISTER.findall(rest)) | ({one.guard} if one.guard else set())
    return set(_REGISTER.findall(first)), sources


def arithmetic(body: Iterable[Instruction]) -> Counter[str]:
    """How many sums, products and fused ones: by the class that each is in SASS; HALF: of 16 bits, all together."""
    found: Counter[str] = Counter()
    for one in body:
        verb, kind = _VERB.get(one.parts[0]), one.parts[-1]
        if verb is None:
            continue
        if kind in _WIDTH:
            found[_WIDTH[kind] + verb] += 1
        elif kind == "f32x2":
            found["F" + verb] += 2
        elif kind in ("f16", "f16x2", "bf16", "bf16x2"):
            found["HALF"] += 1
    return found


def expanded(body: Iterable[Instruction]) -> Counter[str]:
    """How many divisions, reciprocals and roots, by their opcode."""
    return Counter(one.op for one in body if one.op in EXPANDED)


def bare(body: Iterable[Instruction]) -> Counter[str]:
    """Sums and products without a rounding: ptxas, and any driver's own, may fuse these."""
    return Counter(one.op for one in body if re.fullmatch(r"(add|sub|mul)\.f(32|64)", one.op))


def unwanted(body: Iterable[Instruction], accumulator: str) -> Counter[str]:
    """Instructions that no kernel may have: approximate or flushing ones, and float64 where all is float32."""
    found: Counter[str] = Counter()
    for one in body:
        parts = set(one.parts)
        inexact = parts & {"approx", "ftz", "full"}
        double = accumulator == "float32" and "f64" in parts
        if inexact or double:
            found[one.op] += 1
    return found


def _bytes(one: Instruction) -> int:
    """How many bytes a load brings."""
    vector = next((int(part[1:]) for part in one.parts if re.fullmatch(r"v[248]", part)), 1)
    return vector * _SIZES.get(one.parts[-1], 0)


def _loads(body: Iterable[Instruction], space: str) -> list[Instruction]:
    return [one for one in body if one.op.startswith(f"ld.{space}.")]


def vector_loads(body: Iterable[Instruction]) -> int:
    """How many loads from global memory bring 16 bytes or more."""
    return sum(_bytes(one) >= 16 for one in _loads(body, "global"))


# The main loop --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loop:
    """The work of a kernel's main loop: how many values a turn takes, and the arithmetic of that turn."""

    values: int
    arithmetic: Counter[str]
    expanded: Counter[str]


def _blocks(body: list[Instruction]) -> tuple[list[list[Instruction]], list[list[int]]]:
    """Basic blocks, and where each may go on."""
    starts = [0]
    for place, one in enumerate(body):
        if one.labels and place:
            starts.append(place)
        if one.parts[0] in _JUMPS and place + 1 < len(body):
            starts.append(place + 1)
    starts = sorted(set(starts))
    blocks = [body[a:b] for a, b in zip(starts, [*starts[1:], len(body)], strict=True)]
    homes = {label: place for place, block in enumerate(blocks) for label in block[0].labels}
    on: list[list[int]] = []
    for place, block in enumerate(blocks):
        last, follows = block[-1], []
        if last.parts[0] == "bra" and last.rest in homes:
            follows.append(homes[last.rest])
        if (last.parts[0] not in _JUMPS or last.guard) and place + 1 < len(blocks):
            follows.append(place + 1)
        on.append(follows)
    return blocks, on


def natural_loops(on: list[list[int]]) -> dict[int, set[int]]:
    """The natural loops of a flow graph that begins at block 0: the blocks of each by its first.

    on : where each block may go on.
    """
    into: list[list[int]] = [[] for _ in on]
    for place, follows in enumerate(on):
        for after in follows:
            into[after].append(place)
    everything = set(range(len(on)))
    above = [everything.copy() for _ in on]  # the blocks that every way to a block passes
    above[0] = {0}
    changed = True
    while changed:
        changed = False
        for place in range(1, len(on)):
            before = [above[p] for p in into[place]]
            new = {place} | (set.intersection(*before) if before else set())
            if new != above[place]:
                above[place], changed = new, True
    loops: dict[int, set[int]] = {}
    for place, follows in enumerate(on):
        for first in follows:
            if first in above[place]:
                inside, waiting = loops.setdefault(first, {first}), [place]
                while waiting:
                    one = waiting.pop()
                    if one not in inside:
                        inside.add(one)
                        waiting += into[one]
    return loops


def main_loop(body: list[Instruction], itemsize: int) -> Loop | None:
    """The loop that takes a row's values, per turn; None where no loop reads global memory.

    It is the smallest loop with a 16-byte load where there is one (the other loops then serve rows that are not
    aligned, or a tail), else the smallest with any load. Where a row is held in shared memory, the loop that reads it
    there is added, for as many values.

    Parameters
    ----------
    itemsize : bytes of a stored value.
    """
    if not body:
        return None
    blocks, on = _blocks(body)
    loops = [
        [one for place in sorted(loop) for one in blocks[place]] for loop in sorted(natural_loops(on).values(), key=len)
    ]
    wide = [loop for loop in loops if vector_loads(loop)]
    first = next(iter(wide or [loop for loop in loops if _loads(loop, "global")]), None)
    if first is None:
        return None
    loads = [_bytes(one) for one in _loads(first, "global")]
    values = sum(size for size in loads if not wide or size >= 16) // itemsize
    if not values:
        return None
    made, more = arithmetic(first), expanded(first)
    again = next((loop for loop in loops if _loads(loop, "shared") and not _exchanges(loop)), None)
    if again is not None:
        turns = values / len(_loads(again, "shared"))
        for name, count in arithmetic(again).items():
            made[name] += round(count * turns)
        for name, count in expanded(again).items():
            more[name] += round(count * turns)
    return Loop(values, made, more)


def _exchanges(loop: list[Instruction]) -> bool:
    """Whether a loop talks to other threads: then it is no loop over values."""
    return any(one.parts[0] in ("bar", "barrier", "shfl") or one.op.startswith("ld.global") for one in loop)
