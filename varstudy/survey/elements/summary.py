"""The worst of many rows: what a table of frameworks, layers or formats shows."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .elements_record import ElementRow

__all__ = ["scored", "stress", "worst_rows"]


def scored(row: ElementRow) -> bool:
    """Whether a row has an error: its array could be compared with the exact one, and has exact values in range."""
    return bool(row.status) and not math.isnan(row.error)


def stress(row: ElementRow) -> bool:
    """Whether a row is of a stress test: of values that no real network was seen to have, and says so by its input."""
    return row.input.endswith(" stress")


def worst_rows(rows: Iterable[ElementRow], *names: str) -> dict[tuple[str, ...], ElementRow]:
    """The row with the largest error of each group; of equal ones the first.

    Parameters
    ----------
    rows : some rows; those without a score are left out. names : attributes of a row whose values make a group.

    Examples
    --------
    >>> from varstudy.survey import elements
    >>> given = [row for row in elements.rows(elements.committed()) if not elements.stress(row)]
    >>> worst = elements.worst_rows(given, "framework", "array", "storage")["torch", "dbias", "bfloat16"]
    >>> worst.kind, worst.size, worst.status
    ('layer', 65536, 'wrong')
    """
    found: dict[tuple[str, ...], ElementRow] = {}
    for row in rows:
        key = tuple(str(getattr(row, name)) for name in names)
        if scored(row) and (key not in found or row.error > found[key].error):
            found[key] = row
    return found
