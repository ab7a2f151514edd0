"""A whole PTX text: the directives around kernels (PTX ISA 9.0, section "Directives") and the bodies of kernels."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from .errors import UnsupportedPTX
from .parse import (
    LABEL,
    MOST_BYTES,
    MOST_PARAMETERS,
    MOST_VARIABLES,
    VERSIONS,
    WIDTHS,
    Entry,
    Param,
    Reader,
    Scope,
    Variable,
    align_up,
    alignment_of,
    declare_registers,
    instruction,
    split,
    variable,
    whole,
)

_PARAM = re.compile(r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr[\s.\w]*?\s)?([\w$%.]+)\s*(?:\[(\d+)\])?$")
_KERNEL = re.compile(r"(?:\.(?:visible|weak|extern)\s+)*\.entry\b")
_FUNCTION = re.compile(r"(?:\.(?:visible|weak|extern)\s+)*\.func\b")
_ENTRY = re.compile(r"(?:\.(?:visible|weak|extern)\s+)*\.entry\s+([\w$%.]+)\s*$")


def read(text: str) -> list[Entry]:
    """The kernels of a PTX text, in order."""
    reader = Reader(text)
    entries: list[Entry] = []
    shared: dict[str, Variable] = {}
    seen: set[str] = set()
    while reader.skip_space():
        line = reader.line()
        word = reader.word()
        if word in (".version", ".target", ".address_size", ".file", ".loc"):
            header(word, " ".join(reader.rest_of_line().split()), line)
            seen.add(word)
        elif word == ".section":
            reader.body()
        elif _KERNEL.match(reader.text, reader.at):
            if not seen >= {".version", ".target", ".address_size"}:
                raise UnsupportedPTX("the text lacks one of .version, .target and .address_size")
            entries.append(entry(reader, line, shared))
        elif _FUNCTION.match(reader.text, reader.at):
            # A function is skipped: only a call could reach it, and calls are refused.
            reader.until("{;")
            if reader.text[reader.at - 1] == "{":
                reader.at -= 1
                reader.body()
        else:
            declared = " ".join(reader.until(";").split())
            if re.match(r"(?:\.\w+\s+)*?\.(global|const)\b", declared):
                continue  # numba-cuda declares one that nothing uses; an instruction that names it is refused
            if not re.match(r"(?:\.\w+\s+)*?\.shared\b", declared):
                raise UnsupportedPTX(f"line {line}: the directive '{declared[:80]}' is not supported")
            taken = max((v.offset + max(v.size, 0) for v in shared.values()), default=0)
            new = variable(declared, line, taken)
            shared[new.name] = new
            whole(str(len(shared)), MOST_VARIABLES, "the number of variables", line)
    if not entries:
        raise UnsupportedPTX("the text holds no kernel (.entry)")
    return entries


def header(word: str, text: str, line: int) -> None:
    if word == ".version":
        found = re.match(r"\.version (\d{1,3})\.(\d{1,3})$", text)
        if not found or (int(found[1]), int(found[2])) not in VERSIONS:
            raise UnsupportedPTX(f"line {line}: '{text}': PTX ISA versions 6.0 to 9.3 are supported")
    elif word == ".target":
        found = re.match(r"\.target sm_(\d{1,6})[af]?(\s*,.*)?$", text)
        if not found or int(found[1]) < 70:
            raise UnsupportedPTX(f"line {line}: '{text}': targets sm_70 and later are supported")
        if found[2] and found[2].strip(" ,") not in ("debug", "texmode_unified", "texmode_independent"):
            raise UnsupportedPTX(f"line {line}: '{text}': this target option is not supported")
    elif word == ".address_size" and text != ".address_size 64":
        raise UnsupportedPTX(f"line {line}: '{text}': only 64-bit addresses are supported")


def entry(reader: Reader, line: int, shared: dict[str, Variable]) -> Entry:
    """A kernel, from its ``.entry`` on."""
    head = reader.until("({")
    found = _ENTRY.match(" ".join(head.split()))
    if not found:
        raise UnsupportedPTX(f"line {line}: '{' '.join(head.split())}' is not understood")
    made = Entry(found[1], line)
    made.variables.update(shared)
    if reader.text[reader.at - 1] == "(":
        offset = 0
        for each in split(reader.until(")")):
            param = parameter(" ".join(each.split()), line, offset)
            made.params.append(param)
            offset = whole(str(param.offset + param.size), MOST_PARAMETERS, "the size of all parameters in bytes", line)
        tuning(made, " ".join(reader.until("{").split()), line)
    scope = Scope(None, 0)
    scopes = 0
    while True:
        if not reader.skip_space():
            raise UnsupportedPTX(f"line {line}: the body of '{made.name}' never ends")
        char = reader.text[reader.at]
        if char == "{":
            scopes += 1
            scope = Scope(scope, scopes, reader.line())
            reader.at += 1
        elif char == "}":
            reader.at += 1
            if scope.outer is None:
                break
            scope = scope.outer
        elif found := LABEL.match(reader.text, reader.at):
            if found[1] in made.labels:
                raise UnsupportedPTX(f"line {reader.line()}: the label '{found[1]}' stands twice in '{made.name}'")
            made.labels[found[1]] = len(made.instructions)
            reader.at = found.end()
        else:
            statement(reader, scope, made)
    lay_out(made)
    return made


def lay_out(made: Entry) -> None:
    """Give the variables that the kernel names their places; dynamic shared memory comes after the others."""
    named = {each.name for ins in made.instructions for top in ins.operands for each in (top, *top.parts)}
    used = [v for v in made.variables.values() if v.name in named]
    made.variables = {}
    for v in sorted(used, key=lambda v: v.size < 0):
        offset = align_up(made.space_size(v.space), max(v.align, 16 if v.size < 0 else 1))
        if v.size < 0:  # several extern arrays are one and the same memory
            offset = next((w.offset for w in made.variables.values() if w.size < 0), offset)
        made.variables[v.name] = replace(v, offset=offset)


def statement(reader: Reader, scope: Scope, made: Entry) -> None:
    line = reader.line()
    if re.compile(r"\.(loc|file)\b").match(reader.text, reader.at):
        reader.rest_of_line()
        return
    # A vector operand's braces belong to the statement: only ';' ends it.
    text = reader.until(";").strip()
    if not text or text.startswith(".pragma"):
        return
    if text.startswith(".reg"):
        declare_registers(text, scope, made, line)
    elif text.startswith("."):
        space = "local" if re.match(r"(?:\.\w+\s+)*?\.local\b", text) else "shared"
        if not re.match(r"(?:\.\w+\s+)*?\.(local|shared)\b", text):
            raise UnsupportedPTX(f"line {line}: the declaration '{' '.join(text.split())}' is not supported")
        new = variable(" ".join(text.split()), line, made.space_size(space))
        if new.name in made.variables:
            raise UnsupportedPTX(f"line {line}: the variable '{new.name}' is declared twice")
        made.variables[new.name] = new
        whole(str(len(made.variables)), MOST_VARIABLES, "the number of variables", line)
        whole(str(new.offset + max(new.size, 0)), MOST_BYTES, f"the size of all .{space} variables in bytes", line)
    else:
        made.instructions.append(instruction(text, scope, made, line))


def parameter(text: str, line: int, offset: int) -> Param:
    found = _PARAM.match(text)
    if not found or found[2] not in WIDTHS or found[2] == "pred":
        raise UnsupportedPTX(f"line {line}: the parameter '{text}' is not understood")
    size = WIDTHS[found[2]] // 8
    align = alignment_of(found[1], line) if found[1] else size
    count = whole(found[4] or "1", MOST_PARAMETERS, f"the number of elements of '{found[3]}'", line)
    return Param(found[3], found[2], size * count, align, align_up(offset, align))


def tuning(made: Entry, text: str, line: int) -> None:
    """Directives between a kernel's parameters and its body (PTX ISA 9.0, section "Performance-Tuning Directives")."""
    for directive, values in re.findall(r"\.(\w+)\s*([\d,\s]*)", text):
        parts = split(values)
        if not all(part.isdecimal() for part in parts):
            raise UnsupportedPTX(f"line {line}: the values of '.{directive}' are not understood")
        numbers = [whole(part, 1 << 31, f"the value of .{directive}", line) for part in parts]
        if directive == "reqntid":
            x, y, z = [*numbers, 1, 1, 1][:3]
            made.reqntid = x, y, z
        elif directive == "maxntid":
            made.maxntid = math.prod(numbers)
        elif directive not in ("minnctapersm", "maxnreg", "noreturn"):
            raise UnsupportedPTX(f"line {line}: the directive '.{directive}' is not supported")
