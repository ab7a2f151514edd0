"""What ptxas and nvdisasm say of a kernel, read from their output.

How SASS is counted: see `gates`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Code", "Instruction", "Usage", "codes", "usages", "warnings"]


@dataclass(frozen=True)
class Usage:
    """What ptxas gave a kernel: registers a thread, bytes of shared memory a block, and the rest in bytes."""

    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int
    barriers: int


@dataclass(frozen=True)
class Instruction:
    """An instruction: opcode with all suffixes, the predicate that guards it, operands, the labels before it."""

    op: str
    guard: str
    operands: str
    labels: tuple[str, ...]


@dataclass
class Code:
    """A kernel's instructions.

    Attributes
    ----------
    counts : floating-point instructions of the kernel's own body, by class; FTZ: those that flush, HALF: arithmetic of
        16 bits, DOUBLE: what belongs to float64.
    loads : instructions that load from global memory, by their width in bits.
    size : bytes of all its instructions, called routines included, without the padding.
    body : its own instructions, in order.
    """

    counts: Counter[str] = field(default_factory=Counter)
    loads: Counter[int] = field(default_factory=Counter)
    size: int = 0
    body: list[Instruction] = field(default_factory=list)


def usages(said: str) -> dict[str, Usage]:
    """What ``ptxas -v`` says of each kernel.

    Raises
    ------
    ValueError
        It says less of a kernel than it should: another version of ptxas may use other words.
    """
    found = {}
    for part in re.split(r"Compiling entry function '", said)[1:]:
        name = part.partition("'")[0]
        frame = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part)
        used = re.search(r"Used (\d+) registers(.*)", part)
        if frame is None or used is None:
            raise ValueError(f"ptxas -v does not say what kernel {name} uses: {' '.join(part.split())[:200]}")
        shared, barriers = re.search(r"(\d+) bytes smem", used[2]), re.search(r"used (\d+) barriers", used[2])
        stack, stores, loads = (int(size) for size in frame.groups())
        found[name] = Usage(
            int(used[1]),
            int(shared[1]) if shared else 0,
            stack,
            stores,
            loads,
            int(barriers[1]) if barriers else 0,
        )
    return found


def warnings(said: str) -> list[str]:
    """The warnings of ptxas, a line each."""
    return [line.strip() for line in said.splitlines() if re.search(r"\bwarning\b", line)]


_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]+\*/\s+(?:\{\s*)?((?:@!?U?P\w+\s+)?)([A-Z][A-Z0-9_.]*)\s*([^;]*);")
_SECTION = re.compile(r"^\.text\.(\S+):\s*$")
_LABEL = re.compile(r"^(\.L\w+):")
_ROUTINE = re.compile(r"^\$\S+:\s*$")
# The uniform datapath's instructions have a U before the name, those with an immediate of 32 bits end in 32I, and
# FADD2, FMUL2, FFMA2 work on two numbers at once.
_FLOAT = re.compile(r"U?([FD])(ADD|MUL|FMA)(32I|2)?$")


def codes(listing: str) -> dict[str, Code]:
    """Each kernel's instructions in a listing of ``nvdisasm -c``."""
    found: dict[str, Code] = {}
    code, own, labels = Code(), True, list[str]()
    for line in listing.splitlines():
        section, named = _SECTION.match(line), _LABEL.match(line)
        if section:
            code, own, labels = found.setdefault(section[1], Code()), True, []
        elif named:
            labels.append(named[1])
        elif _ROUTINE.match(line):
            own = False  # from here on routines that the kernel calls, such as a division's rare cases
        else:
            instruction = _INSTRUCTION.match(line)
            if instruction and instruction[2] != "NOP":
                guard, op, operands = instruction.groups()
                code.size += 16
                if own:
                    _count(code, op, operands)
                    code.body.append(Instruction(op, guard.strip(), operands, tuple(labels)))
                    labels = []
    return found


def _count(code: Code, op: str, operands: str) -> None:
    stem, *suffixes = op.split(".")
    if stem == "LDG":
        code.loads[_load_width(suffixes)] += 1
        return
    if stem in ("DADD", "DMUL", "DFMA", "DSETP", "DMNMX") or {"F64", "RCP64H", "RSQ64H"} & set(suffixes):
        code.counts["DOUBLE"] += 1
    if stem in ("HADD2", "HMUL2", "HFMA2"):
        # With a zero for an operand these are conversions from float16, and constants in registers.
        code.counts["HALF"] += "RZ" not in operands
        return
    float_ = _FLOAT.match(stem)
    if float_ is None:
        return
    if float_[2] == "ADD" and re.search(r"-U?RZ\b", operands):
        return  # a copy, a negation or an absolute value: x + (-0) is x
    pair = 2 if float_[3] == "2" else 1
    code.counts[float_[1] + float_[2]] += pair
    code.counts["FTZ"] += pair * ("FTZ" in suffixes)


def _load_width(suffixes: list[str]) -> int:
    for width in ("256", "128", "64", "32"):
        if width in suffixes:
            return int(width)
    return {"U8": 8, "S8": 8, "U16": 16, "S16": 16}.get(next((s for s in suffixes if s[1:] in ("8", "16")), ""), 32)
