"""What a kernel's registers are: who is alive where, which may hold a NaN of any payload, what ptxas could fuse."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnsupportedPTX
from .parse import Entry, Instruction, Operand

_COPIES = ("mov", "selp")


@dataclass
class Flow:
    """``leaders``: first instructions of basic blocks. ``live``: registers alive before each instruction.

    ``raw``: registers that only arithmetic defines, so that a NaN in them may wait for its canonical bits until
    something looks at the bits. ``floats``: registers to keep as floats, whatever ``.reg`` calls them.
    """

    leaders: set[int]
    live: list[int]
    index: dict[str, int]
    raw: set[str]
    floats: dict[str, str]

    def alive(self, at: int, without: set[str]) -> list[str]:
        if at >= len(self.live):
            return []
        return [name for name, i in self.index.items() if self.live[at] >> i & 1 and name not in without]


def stem(instruction: Instruction) -> str:
    return instruction.opcode.split(".", 1)[0]


def type_of(instruction: Instruction) -> str:
    return instruction.opcode.rsplit(".", 1)[-1]


def written(instruction: Instruction, defs: int) -> list[str]:
    return instruction.operands[0].registers() if defs and instruction.operands else []


def read_by(instruction: Instruction, defs: int) -> list[str]:
    names = [name for operand in instruction.operands[defs:] for name in operand.registers()]
    return names + ([instruction.guard] if instruction.guard else [])


def analyse(entry: Entry, defs: list[int], arithmetic: list[str]) -> Flow:
    """``defs``: how many leading operands each instruction writes; ``arithmetic``: the type whose NaN it makes."""
    code = entry.instructions
    targets: list[list[int]] = []
    leaders = {0} | set(entry.labels.values())
    for i, ins in enumerate(code):
        kind, follows = stem(ins), [i + 1]
        if kind == "bra":
            label = ins.operands[0].name
            if label not in entry.labels:
                raise UnsupportedPTX(f"line {ins.line}: the label '{label}' does not exist in '{entry.name}'")
            follows = [entry.labels[label], *(follows if ins.guard else [])]
        elif kind in ("ret", "exit", "trap") and not ins.guard:
            follows = []
        if kind in ("bra", "ret", "exit", "trap"):
            leaders.add(i + 1)
        targets.append(follows)
    index = {name: i for i, name in enumerate(entry.registers)}
    live = liveness(code, targets, leaders, index, defs)
    floats = {name: kind for name, kind in entry.registers.items() if kind in ("f32", "f64")}
    floats |= votes(entry)
    return Flow(leaders, live, index, raw_registers(entry, floats, defs, arithmetic), floats)


def votes(entry: Entry) -> dict[str, str]:
    """Newer compilers declare every register .b32 or .b64: keep one as a float when most of its uses are."""
    count: dict[str, int] = {}
    for ins in entry.instructions:
        kind = type_of(ins)
        for name in (n for operand in ins.operands for n in operand.registers()):
            if f"b{kind[1:]}" == entry.registers[name]:
                count[name] = count.get(name, 0) + (1 if kind[0] == "f" else -1)
    return {name: f"f{entry.registers[name][1:]}" for name, n in count.items() if n > 0}


def liveness(
    code: list[Instruction], targets: list[list[int]], leaders: set[int], index: dict[str, int], defs: list[int]
) -> list[int]:
    """Registers alive before each instruction, as bits of an int; a guarded write ends no life."""
    uses, kills = [], []
    for ins, n in zip(code, defs, strict=True):
        used = 0
        for name in read_by(ins, n):
            used |= 1 << index[name]
        killed = 0
        if not ins.guard:
            for name in written(ins, n):
                killed |= 1 << index[name]
        uses.append(used)
        kills.append(killed)
    live = [0] * (len(code) + 1)
    bounds = sorted(leader for leader in leaders if leader < len(code))
    blocks = list(zip(bounds, [*bounds[1:], len(code)][: len(bounds)], strict=True))
    changed = True
    while changed:
        changed = False
        for start, end in reversed(blocks):
            before = live[start]
            for i in range(end - 1, start - 1, -1):
                after = 0
                for target in targets[i]:
                    after |= live[target]
                live[i] = (after & ~kills[i]) | uses[i]
            changed |= live[start] != before
    return live


def raw_registers(entry: Entry, floats: dict[str, str], defs: list[int], arithmetic: list[str]) -> set[str]:
    candidates = {name for name, kind in floats.items() if kind == "f32"}
    copies: list[tuple[str, list[str]]] = []
    for ins, n, made in zip(entry.instructions, defs, arithmetic, strict=True):
        for name in written(ins, n):
            if name not in candidates or floats[name] == made:
                continue
            sources = ins.operands[1 : 3 if stem(ins) == "selp" else 2]
            if stem(ins) in _COPIES and type_of(ins) == floats[name] and all(map(plain, sources)):
                copies.append((name, [source.name for source in sources if source.kind == "reg"]))
            else:
                candidates.discard(name)
    changed = True
    while changed:
        changed = False
        for name, origins in copies:
            if name in candidates and any(origin not in candidates for origin in origins):
                candidates.discard(name)
                changed = True
    return candidates


def plain(source: Operand) -> bool:
    """A register, or a literal that is no NaN."""
    if source.kind == "reg":
        return True
    return source.kind == "f32" and source.value & 0x7FFFFFFF <= 0x7F800000


def fusible(entry: Entry) -> str:
    """A sentence if a bare product can reach a bare sum: PTX ISA 9.0, section "mul", lets ptxas make it one fma."""
    for kind in ("f32", "f64", "f16", "bf16"):
        products: dict[str, int] = {}
        for ins in entry.instructions:
            if ins.opcode == f"mul.{kind}":
                products |= dict.fromkeys(written(ins, 1), ins.line)
        changed = bool(products)
        while changed:
            changed = False
            for ins in entry.instructions:
                if stem(ins) in ("mov", "neg", "abs", "selp"):
                    found = [products[name] for name in read_by(ins, 1) if name in products]
                    new = [name for name in written(ins, 1) if name not in products] if found else []
                    products |= dict.fromkeys(new, found[0] if found else 0)
                    changed |= bool(new)
        for ins in entry.instructions if products else []:
            if ins.opcode in (f"add.{kind}", f"sub.{kind}"):
                for name in read_by(ins, 1):
                    if name in products:
                        return (
                            f"line {ins.line}: '{ins.text}' may be fused with the product of line {products[name]}, "
                            f"as neither names a rounding: write .rn on one of them, or pass allow_unrounded=True "
                            f"to run them as two roundings"
                        )
    return ""
