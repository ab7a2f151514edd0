"""The comment ``<!-- worst: float32 -->`` of a page becomes a table of the worst known rows of that format."""

from __future__ import annotations

import re
from typing import Any


def table(fmt: str) -> str:
    """A format's table in Markdown: a line for each formula and order, a cell for each n that was searched."""
    from varstudy.study.extremes.worst_rows import committed  # noqa: PLC0415 - a page without one needs none

    sizes = {(*row.cell, row.goal): row.size for row in committed() if row.format == fmt}
    lengths = sorted({n for _, _, _, n, _ in sizes})
    lines = [
        "| formula | order | " + " | ".join(f"n = {n}" for n in lengths) + " |",
        "|---|---|" + "---|" * len(lengths),
    ]
    for formula, order in dict.fromkeys(key[:2] for key in sizes):
        pairs = [[sizes.get((formula, order, fmt, n, goal)) for goal in ("units", "share")] for n in lengths]
        cells = ["; ".join("-" if size is None else f"{size:.2f}" for size in pair) for pair in pairs]
        lines.append(
            f"| `{formula}` | {order} | " + " | ".join("" if cell == "-; -" else cell for cell in cells) + " |"
        )
    return "\n".join(lines)


def fill(app: Any, name: str, source: list[str]) -> None:
    """Fill in the tables of a page as Sphinx reads it."""
    source[0] = re.sub(r"<!-- worst: (\w+) -->", lambda found: table(found[1]), source[0])


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
