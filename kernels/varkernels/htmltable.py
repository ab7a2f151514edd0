"""Small HTML tables, for notebooks: what the objects' ``_repr_html_`` answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

__all__ = ["SHOWN", "table"]

# Rows that a table shows of an object that may have millions.
SHOWN = 10


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, more: str = "", marked: Collection[int] = ()
) -> str:
    """A table as HTML without scripts, styles of the page's own or links; every text in it is escaped.

    Parameters
    ----------
    caption, head : what is above the table and above its columns.
    rows : what is in the cells, each as its `str`.
    more : a note below the table: what it leaves out.
    marked : indices of rows to set in bold.
    """

    def line(cells: Iterable[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(cells, "th" if at in marked else "td") for at, cells in enumerate(rows))
    note = f"<p>{escape(more)}</p>" if more else ""
    return (
        f"<table><caption>{escape(caption)}</caption><thead>{line(head, 'th')}</thead>"
        f"<tbody>{body}</tbody></table>{note}"
    )
