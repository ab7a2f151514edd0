"""Tables on the terminal: the columns that fit, no name or number broken, wrong answers in red."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import click

from .console import broken, paragraph, unbroken, width

__all__ = ["WIDE", "Wrong", "show_table", "wide", "wrong"]

_WIDE = "varstudy.wide"
# A column of sentences is not made narrower than this; between two columns are so many spaces.
SENTENCE, GAP = 17, 2


def _remember(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    ctx.meta[_WIDE] = value


WIDE = click.option(
    "--wide", is_flag=True, expose_value=False, callback=_remember, help="Show every column and line, however wide."
)


def wide() -> bool:
    """Whether this call asked for every column."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_WIDE))


class Wrong(str):
    """A cell that says that an answer is wrong: red on a terminal."""

    __slots__ = ()


def wrong(text: str, condition: bool = True) -> str:
    """A cell, red where the condition holds."""
    return Wrong(text) if condition else text


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    more: Sequence[str] = (),
    least: Mapping[str, int] | None = None,
    note: str = "",
) -> None:
    """Print a table that fits the terminal.

    Cells and headings break between words only. Where the columns do not fit, those of `more` are left out, one after
    the other, and a line says so. Where that is not enough, each row becomes a block of lines.

    Parameters
    ----------
    title : printed above.
    columns : headings.
    rows : cells; a `Wrong` is red.
    left : the first so many columns are text, the others numbers.
    more : columns that can be left out, by their headings, the least important first.
    least : how narrow a column of sentences can be, by its heading, if not as narrow as all others.
    note : printed below; each of its lines is a paragraph.
    """
    shown = list(range(len(columns)))
    lines = [[_whole(cell) for cell in row] for row in rows]
    room = width()
    if not wide():
        for name in more:
            if _least_total(columns, lines, shown, least) <= room:
                break
            shown.remove(columns.index(name))
    absent = [name for k, name in enumerate(columns) if k not in shown]
    # Rows that differ only in what is left out are one.
    kept = list(dict.fromkeys(tuple(row[k] for k in shown) for row in lines)) if absent else list(map(tuple, lines))
    if title:
        paragraph(title)
    heads = [columns[k] for k in shown]
    needed = _least_total(columns, lines, shown, least)
    if needed <= room or wide():
        narrowest = [_least([columns[k], *(row[k] for row in lines)], least) for k in shown]
        _print_columns(heads, kept, sum(k < left for k in shown), max(room, needed), narrowest)
    else:
        _print_blocks(heads, kept)
    notes = [*note.splitlines(), *([f"--wide adds: {'; '.join(absent)}."] if absent else [])]
    for text in notes:
        paragraph(text)
    if notes:
        click.echo()


def _whole(cell: str) -> str:
    """A cell whose formulas stay in one line: n - 1, 1 / 2, (n - 1) / n."""
    return wrong(unbroken(cell, r"[\dnS)]", r"[\d(]|n\b"), isinstance(cell, Wrong))


def _least(cells: Sequence[str], wanted: Mapping[str, int] | None) -> int:
    """How narrow a column can be: no word is broken, and no sentence is a column of single words."""
    words = max((len(word) for cell in cells for word in cell.split()), default=1)
    return max(words, min((wanted or {}).get(cells[0], SENTENCE), max(map(len, cells[1:]), default=0)))


def _least_total(
    columns: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int], wanted: Mapping[str, int] | None
) -> int:
    return sum(_least([columns[k], *(row[k] for row in rows)], wanted) for k in shown) + GAP * (len(shown) - 1)


def _print_columns(
    columns: Sequence[str], rows: Sequence[Sequence[str]], left: int, room: int, least: Sequence[int]
) -> None:
    from rich import box  # noqa: PLC0415 - a tenth of a second, needed by tables only
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[name, *(row[k] for row in rows)] for k, name in enumerate(columns)]
    widths = [max(map(len, column)) for column in cells]
    while sum(widths) + GAP * (len(widths) - 1) > room:
        widest = max((k for k in range(len(widths)) if widths[k] > least[k]), key=widths.__getitem__)
        widths[widest] -= 1
    # Where TERM is dumb, rich heeds a width only together with a height.
    console = Console(width=room, height=100, highlight=False, legacy_windows=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for k, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if k < left else "right", overflow="fold", width=widths[k])
    for row in rows:
        table.add_row(*[Text(cell, style="red" if isinstance(cell, Wrong) else "") for cell in row])
    with console.capture() as captured:
        console.print(table)
    click.echo(broken("\n".join(["", *(line.rstrip() for line in captured.get().splitlines()), ""])))


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    click.echo()
    for first, *others in rows:
        paragraph(first, wrong=isinstance(first, Wrong))
        for name, cell in zip(columns[1:], others, strict=True):
            if cell not in ("", "-"):
                paragraph(cell, f"  {name}: ", wrong=isinstance(cell, Wrong), hang=6)
        click.echo()
