"""PTX text to instructions: the grammar of PTX ISA 9.0, section "Syntax", as far as generated kernels use it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from .errors import UnsupportedPTX

WIDTHS = {"pred": 1, "f16": 16, "bf16": 16, "f32": 32, "f64": 64}
WIDTHS |= {f"{kind}{bits}": bits for kind in "bus" for bits in (8, 16, 32, 64)}

SPECIAL = {f"%{group}.{axis}" for group in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"}
SPECIAL |= {"%laneid", "%warpid", "%nwarpid", "%dynamic_smem_size"}
SPECIAL |= {f"%lanemask_{name}" for name in ("eq", "le", "lt", "ge", "gt")}

# PTX ISA versions whose instructions mean what this package takes them to mean; 6.0 brought the .sync forms.
VERSIONS = {(6, minor) for minor in range(6)} | {(7, minor) for minor in range(9)}
VERSIONS |= {(8, minor) for minor in range(9)} | {(9, minor) for minor in range(4)}

# What one text may ask for: more than any compiler's kernel, and little enough to hold.
MOST_TEXT = 1 << 24  # characters
MOST_REGISTERS = 1 << 16  # of one kernel
MOST_VARIABLES = 1 << 10  # of one kernel
MOST_BYTES = 1 << 20  # of one variable; a launch knows the GPU's own limits
MOST_PARAMETERS = 32764  # bytes: PTX ISA 9.0, section "Kernel Function Parameters"
MOST_ALIGNMENT = 1 << 12
MOST_BLOCKS = 64  # in braces, one within another
MOST_DIGITS = 66  # of a literal: 64 binary ones and their prefix


@dataclass(frozen=True)
class Operand:
    """One operand: ``kind`` says which of the fields count.

    reg (name), special (name), int (value), f32 and f64 (value: the bits), sym (name, value: an offset), label (name),
    mem (parts[0]: reg, sym or int; value: an offset), vec (parts), pair (parts: d|p), not (parts[0]), sink (``_``).
    """

    kind: str
    name: str = ""
    value: int = 0
    parts: tuple[Operand, ...] = ()

    def registers(self) -> list[str]:
        return [self.name] if self.kind == "reg" else [name for part in self.parts for name in part.registers()]


@dataclass(frozen=True)
class Instruction:
    line: int
    text: str
    opcode: str
    operands: tuple[Operand, ...]
    guard: str = ""
    guard_negated: bool = False


@dataclass(frozen=True)
class Param:
    """A parameter of a kernel.

    Attributes
    ----------
    name : str
        As in the text.
    type : str
        PTX's word without its dot, such as ``u64`` or ``f32``; of an array, that of its elements.
    size, align : int
        Bytes that it takes, of an array all elements together, and that its start is a multiple of.
    offset : int
        Where it starts among the parameters, in bytes.
    """

    name: str
    type: str
    size: int
    align: int
    offset: int = 0


@dataclass(frozen=True)
class Variable:
    """A variable in .shared or .local memory; ``offset`` within its space, ``size`` -1 when extern."""

    name: str
    space: str
    size: int
    align: int
    offset: int


@dataclass
class Entry:
    """A kernel as text: parameters, variables, registers with their types, and instructions."""

    name: str
    line: int
    params: list[Param] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)
    registers: dict[str, str] = field(default_factory=dict)
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    reqntid: tuple[int, int, int] | None = None
    maxntid: int | None = None

    def space_size(self, space: str) -> int:
        """Bytes that the variables of a space take, before dynamic shared memory."""
        return max((v.offset + max(v.size, 0) for v in self.variables.values() if v.space == space), default=0)


def align_up(value: int, align: int) -> int:
    return -(-value // align) * align


_IDENT = r"[A-Za-z_$%.][\w$]*"
LABEL = re.compile(rf"({_IDENT})\s*:(?!:)")
_VARIABLE = re.compile(
    rf"((?:\.(?:visible|extern|weak|common)\s+)*)\.(shared|local|global|const|param)\s+(?:\.align\s+(\d+)\s+)?"
    rf"((?:\.v[24]\s+)?)\.(\w+)\s+({_IDENT})\s*((?:\[\s*\d*\s*\]\s*)*)(=.*)?$",
    re.S,
)
_INT = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9]\d*)U?$")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?$")


def whole(digits: str, most: int, what: str, line: int) -> int:
    """A number of decimal digits that a limit bounds; refuses what is above it, however long."""
    value = int(digits) if len(digits) <= 12 else most + 1
    if value > most:
        shown = digits if len(digits) <= 24 else f"a number of {len(digits)} digits"
        raise UnsupportedPTX(f"line {line}: {what} is {shown}: at most {most} is supported")
    return value


def alignment_of(digits: str, line: int) -> int:
    """The value of an ``.align``: a power of two (PTX ISA 9.0, section "Alignment")."""
    value = whole(digits, MOST_ALIGNMENT, "the alignment", line)
    if value < 1 or value & (value - 1):
        raise UnsupportedPTX(f"line {line}: the alignment is {value}: it must be a power of two")
    return value


def _int(text: str) -> int | None:
    found = _INT.match(text) if len(text) <= MOST_DIGITS + 2 else None
    if not found:
        return None
    digits = found[2].lower()
    base = 16 if digits.startswith("0x") else 2 if digits.startswith("0b") else 8 if digits.startswith("0") else 10
    value = int(digits[2:] if base in (2, 16) else digits, base)
    return -value if found[1] == "-" else value


def split(text: str, separator: str = ",") -> list[str]:
    """Split at separators that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "[{(<") - (char in "]})>")
        if char == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


class Reader:
    """A cursor over PTX text without its comments; positions map to lines."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_TEXT:
            raise UnsupportedPTX(f"the text has {len(text)} characters: at most {MOST_TEXT} are supported")
        self.text = re.sub(r"//[^\n]*|/\*.*?(?:\*/|\Z)", self.blank, text, flags=re.S)
        self.at, self.lines, self.counted = 0, 1, 0

    @staticmethod
    def blank(comment: re.Match[str]) -> str:
        """Blanks in the shape of a comment, so that lines keep their numbers."""
        if comment[0].startswith("/*") and (len(comment[0]) < 4 or not comment[0].endswith("*/")):
            raise UnsupportedPTX("the text ends within a comment")
        return re.sub(r"[^\n]", " ", comment[0])

    def line(self) -> int:
        self.lines += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.lines

    def skip_space(self) -> bool:
        """Move to the next statement; False at the end of the text."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def word(self) -> str:
        """What stands up to the next blank; the cursor stays."""
        found = re.compile(r"\S*").match(self.text, self.at)
        return found[0] if found else ""

    def rest_of_line(self) -> str:
        """The text up to the end of the line; the cursor moves there."""
        end = self.text.find("\n", self.at)
        start, self.at = self.at, end if end >= 0 else len(self.text)
        return self.text[start : self.at]

    def until(self, stops: str) -> str:
        """The text up to the first of ``stops``, which is consumed."""
        found = re.compile(f"[{re.escape(stops)}]").search(self.text, self.at)
        if found is None:
            raise UnsupportedPTX(f"line {self.line()}: the text ends within a statement")
        taken, self.at = self.text[self.at : found.start()], found.end()
        return taken

    def body(self) -> None:
        """Skip a body in braces."""
        self.until("{")
        depth = 1
        while depth:
            self.until("{}")
            depth += 1 if self.text[self.at - 1] == "{" else -1


def variable(text: str, line: int, taken: int) -> Variable:
    found = _VARIABLE.match(text)
    if not found or found[5] not in WIDTHS:
        raise UnsupportedPTX(f"line {line}: the declaration '{text}' is not understood")
    linkage, space, align, vector, kind, name, dims, initial = found.groups()
    if initial:
        raise UnsupportedPTX(f"line {line}: '{text}': a variable with an initial value is not supported")
    size = max(WIDTHS[kind] // 8, 1) * (int(vector.strip()[2:]) if vector else 1)
    alignment = alignment_of(align, line) if align else size
    for dim in re.findall(r"\[\s*(\d*)\s*\]", dims):
        size *= whole(dim, MOST_BYTES, f"an extent of '{name}'", line) if dim else 0
        whole(str(size), MOST_BYTES, f"the size of '{name}' in bytes", line)
    if "[" in dims and size == 0:
        if "extern" not in linkage:
            raise UnsupportedPTX(f"line {line}: '{text}': only an extern array may have no size")
        size = -1
    return Variable(name, space, size, alignment, align_up(taken, alignment))


class Scope:
    """The registers that a block in braces declares, by the name that the text uses."""

    def __init__(self, outer: Scope | None, number: int, line: int = 1) -> None:
        self.outer, self.number = outer, number
        self.depth: int = outer.depth + 1 if outer else 0
        if self.depth > MOST_BLOCKS:
            raise UnsupportedPTX(f"line {line}: more than {MOST_BLOCKS} blocks in braces, one within another")
        self.names: dict[str, str] = {}

    def find(self, name: str) -> str | None:
        return self.names.get(name) or (self.outer.find(name) if self.outer else None)


def operand(text: str, scope: Scope, entry: Entry, line: int, depth: int = 0) -> Operand:
    """One operand from its text; ``depth``: operands that it is a part of."""
    if depth > 3:
        raise UnsupportedPTX(f"line {line}: the operand '{text[:80]}' is a part of too many others")
    if not text or text == "!":
        raise UnsupportedPTX(f"line {line}: an operand is missing")
    if text == "_":
        return Operand("sink")
    if text[0] == "[" and text[-1] == "]":
        inner = " ".join(text[1:-1].split())
        found = re.fullmatch(r"([^+]+?)\s*(?:(\+)\s*(-?\s*\w+))?", inner, re.S)
        if found is None:
            raise UnsupportedPTX(f"line {line}: the address '{text}' is not understood")
        base, sign, offset = found.groups()
        value = _int(offset.replace(" ", "")) if sign else 0
        if value is None:
            raise UnsupportedPTX(f"line {line}: the address '{text}' is not understood")
        return Operand("mem", value=value, parts=(operand(base.strip(), scope, entry, line, depth + 1),))
    if text[0] == "{" and text[-1] == "}":
        return Operand("vec", parts=tuple(operand(part, scope, entry, line, depth + 1) for part in split(text[1:-1])))
    if "|" in text:
        return Operand("pair", parts=tuple(operand(part, scope, entry, line, depth + 1) for part in split(text, "|")))
    if text[0] == "!":
        return Operand("not", parts=(operand(text[1:].strip(), scope, entry, line, depth + 1),))
    if name := scope.find(text):
        return Operand("reg", name)
    if text in SPECIAL:
        return Operand("special", text)
    if text == "WARP_SZ":
        return Operand("int", value=32)
    if found := re.fullmatch(r"0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})", text):
        return Operand("f32", value=int(found[1], 16)) if found[1] else Operand("f64", value=int(found[2], 16))
    if (value := _int(text)) is not None:
        return Operand("int", value=value)
    if _FLOAT.match(text):
        return Operand("f64", value=struct.unpack("<Q", struct.pack("<d", float(text)))[0])
    if found := re.fullmatch(rf"({_IDENT})\s*(?:\+\s*(\w+))?", text):
        if text[0] == "%":
            raise UnsupportedPTX(f"line {line}: the register '{text}' is neither declared nor a special one known here")
        if (offset_value := _int(found[2] or "0")) is not None:
            return Operand("sym", found[1], offset_value)
    raise UnsupportedPTX(f"line {line}: the operand '{text}' is not understood")


def declare_registers(text: str, scope: Scope, entry: Entry, line: int) -> None:
    found = re.match(r"\.reg\s+\.(\w+)\s+(.*)$", text, re.S)
    if not found or found[1] not in WIDTHS or WIDTHS[found[1]] == 8:
        raise UnsupportedPTX(f"line {line}: the declaration '{text}' is not understood")
    for name in split(found[2]):
        counted = re.fullmatch(rf"({_IDENT})<(\d+)>", name)
        left = MOST_REGISTERS - len(entry.registers)
        count = whole(counted[2], left, f"the number of registers '{counted[1]}'", line) if counted else 1
        whole(str(count), left, "the number of registers", line)
        names = [f"{counted[1]}{i}" for i in range(count)] if counted else [name]
        for each in names:
            # A block within the body may use a name again; it is another register.
            unique = each if scope.number == 0 else f"{each}@{scope.number}"
            scope.names[each] = unique
            entry.registers[unique] = found[1]


def instruction(text: str, scope: Scope, entry: Entry, line: int) -> Instruction:
    shown = " ".join(text.split())
    guard, negated = "", False
    if text[0] == "@":
        found = re.match(r"@(!?)\s*([^\s]+)\s+(.*)$", text, re.S)
        if not found or scope.find(found[2]) is None:
            raise UnsupportedPTX(f"line {line}: the predicate of '{shown}' is not understood")
        guard, negated, text = scope.find(found[2]) or "", found[1] == "!", found[3]
    opcode, _, rest = re.sub(r"\s", " ", text).partition(" ")
    parts = split(rest.strip())
    if opcode.split(".")[0] == "bra" and len(parts) == 1:
        return Instruction(line, shown, opcode, (Operand("label", parts[0]),), guard, negated)
    if opcode.split(".")[0] in ("call", "brx", "wmma", "mma", "tex", "suld", "cp"):
        # Their operands have a grammar of their own; the opcode is refused by name later.
        return Instruction(line, shown, opcode, (), guard, negated)
    return Instruction(line, shown, opcode, tuple(operand(part, scope, entry, line) for part in parts), guard, negated)
