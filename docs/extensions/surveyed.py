"""The comments ``.. surveyed: frameworks`` and ``.. surveyed: libraries`` of a page become tables of what is known."""

from __future__ import annotations

from typing import Any

COMMENT = ".. surveyed: "


def table(kind: str) -> str:
    """The table of a kind, ``frameworks`` or ``libraries``, as reStructuredText."""
    if kind == "frameworks":
        from varstudy.survey.frameworks.catalogue import FRAMEWORKS  # noqa: PLC0415 - a page without one needs none

        rows = [(each.name, each.title, each.environment or each.why) for each in FRAMEWORKS.values()]
        head = ("name", "title", "environment")
    else:
        from varstudy.survey.libraries.catalogue import LIBRARIES  # noqa: PLC0415

        rows = [
            (each.name, str(len(list(each.functions()))), each.runs_in.name if each.runs_in else "needs a GPU")
            for each in LIBRARIES
        ]
        head = ("name", "functions", "environment")
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'*' if place == 0 else ' '} - {cell}" for place, cell in enumerate(row)]
    return "\n".join(lines)


def filled(text: str) -> str:
    """A page with its tables."""
    lines = text.split("\n")
    return "\n".join(table(line[len(COMMENT) :].strip()) if line.startswith(COMMENT) else line for line in lines)


def fill(app: Any, name: str, source: list[str]) -> None:
    """Fill in the tables of a page as Sphinx reads it."""
    source[0] = filled(source[0])


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
