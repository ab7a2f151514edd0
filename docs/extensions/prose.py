"""The package's docstrings as reStructuredText.

They are prose under numpydoc's headings, in which an entry reads ``name : what it is``, whereas Sphinx's own readers
take what follows the colon for a type. An indented formula stands as it is written, and ``|x|`` is a magnitude.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LISTS = ("Parameters", "Attributes", "Raises", "Warns")
# A line of an entry that is shorter holds a type, not the beginning of a text that fills its lines.
SHORT = 50
SECTIONS = (*LISTS, "Returns", "Notes", "Examples")


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def escaped(line: str) -> str:
    """The line with the signs that would be markup outside of backticks made plain."""
    parts = re.split(r"(`+[^`]*`+)", line)
    parts[::2] = [re.sub(r"([|*]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [re.sub(r"^(`+)\s*(.*?)\s*(`+)$", r"\1\2\3", part) for part in parts[1::2]]
    return "".join(parts)


def chunks(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The sections of a docstring: ("", what comes first), then each heading with what is under it."""
    heading, found, at = "", list[str](), 0
    while at < len(lines):
        under = lines[at + 1] if at + 1 < len(lines) else ""
        if lines[at] in SECTIONS and under == "-" * len(lines[at]):
            yield heading, found
            heading, found = lines[at], []
            at += 2
        else:
            found.append(lines[at])
            at += 1
    yield heading, found


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """What blank lines hold apart."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def body(lines: list[str]) -> list[str]:
    """Examples, tables, lists and paragraphs as they are; a block that is indented is shown as it was typed."""
    out: list[str] = []
    for block in blocks(lines):
        if block[0].startswith(">>>") or set(block[0]) <= set("= "):
            out += block
        elif indent(block[0]):
            out += ["::", "", *(f"   {line}" for line in block)]
        else:
            out += [line[:2] + escaped(line[2:]) if line.startswith("* ") else escaped(line) for line in block]
        out.append("")
    return out


def entries(lines: list[str], raised: bool) -> Iterator[tuple[str, str]]:
    """Names and texts of a list's entries; a line may hold several: ``n : how many. u : the unit roundoff.``

    An error's text stands below its name, and so may a parameter's, beside whose name there is a short type then.
    """
    whole: list[str] = []
    for line in lines:
        if indent(line):
            typed = " : " in whole[-1] and len(whole[-1]) < SHORT and line.strip()[0].isupper()
            joint = "\0" if raised and "\0" not in whole[-1] else ". " if typed else " "
            whole[-1] += joint + line.strip()
        else:
            whole.append(line)
    for each in whole:
        for part in [each] if raised else re.split(r"(?<=\.) (?=\w+(?:, \w+)* : )", each):
            names, _, text = part.partition("\0" if raised else " : ")
            yield names, text


def listed(heading: str, found: list[str]) -> list[str]:
    """A section of names as a field with a list; paragraphs of prose in it come after."""
    raised = heading in ("Raises", "Warns")
    kept, prose = list[str](), list[str]()
    for block in blocks(found):
        if raised or " : " in block[0] or indent(block[0]):
            kept += block
        else:
            prose += [*block, ""]
    out = [f":{heading}:"]
    for names, text in entries(kept, raised):
        marked = ", ".join(f"``{name}``" if raised else f"**{escaped(name)}**" for name in names.split(", "))
        out.append(f"   - {marked}: {escaped(text)}" if text else f"   - {marked}")
    return [*out, "", *body(prose)]


def to_rst(lines: list[str]) -> list[str]:
    """A docstring, as `inspect.cleandoc` leaves it, for Sphinx."""
    out: list[str] = []
    for heading, found in chunks(lines):
        if heading in LISTS:
            out += listed(heading, found)
        elif heading == "Returns":
            text = " ".join(line.strip() for line in found).strip()
            out += [":Returns:", f"   {escaped(text.replace(' : ', ': ', 1))}", ""]
        elif heading:
            out += [f".. rubric:: {heading}", "", *body(found)]
        else:
            out += body(found)
    return out


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(lines)


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
