"""What the terminal sees: sentences, tables, progress and JSON. Only click is imported before something is shown."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .._io.progress import Progress

__all__ = [
    "Problem",
    "command_words",
    "dump",
    "many",
    "number",
    "paragraph",
    "plain",
    "progress",
    "say",
    "show_table",
    "shown",
]

# Columns of a table where the output is no terminal and COLUMNS is not set.
WIDTH = 132


class Problem(Exception):
    """Bad input: one sentence that names it and says what to do. The command ends with exit code 2."""


def say(text: str) -> None:
    """One line to the standard error, so that the standard output holds results only.

    Where it cannot be written (a full disk, a reader that is gone) the line is lost and the command continues.
    """
    with suppress(OSError):
        click.echo(text, err=True)


def command_words(*, out: bool = True) -> list[str]:
    """The command line of this call: the options that were given; --out only if asked for."""
    ctx = click.get_current_context()
    words = [*ctx.find_root().command_path.split(), str(ctx.command.name)]
    for name, value in ctx.params.items():
        given = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if not given or (name == "out" and not out):
            continue
        flag = "--json" if name == "as_json" else f"--{name.replace('_', '-')}"
        if name == "level":
            words.append(f"--{value}")
        elif isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif name == "threads":
            words += [word for each in value for word in (flag, str(each))]
        else:
            words += [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return words


# JSON -----------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value for strict JSON: NaN and the infinities become the strings nan, inf and -inf."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def dump(value: Any) -> None:
    """A value as one JSON document on the standard output."""
    click.echo(json.dumps(plain(value), indent=1, allow_nan=False))


# Numbers and tables ---------------------------------------------------------------------------------------------


def number(value: float, digits: int = 3) -> str:
    """A number for people: three significant digits; nan, inf and -inf as these words."""
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    return f"{value:.{digits}g}"


def shown(value: float) -> str:
    """Correct decimal digits for people: one decimal; ``exact`` for inf, ``none`` for no number at all."""
    value = float(value)
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "exact" if value > 0 else "none"
    return f"{value:.1f}"


def many(count: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def paragraph(text: str, bullet: str = "") -> None:
    """A paragraph on the standard output, filled to the width of the terminal; one line where it is none."""
    text = bullet + text
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        text = textwrap.fill(
            text,
            max(40, shutil.get_terminal_size().columns),
            subsequent_indent=" " * len(bullet),
            break_long_words=False,
            break_on_hyphens=False,
        )
    click.echo(text)


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, note: str = ""
) -> None:
    """A table on the standard output; the first `left` columns are text, the others numbers."""
    from rich import box  # noqa: PLC0415 - a tenth of a second, needed by tables only
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    fixed = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
    # Where TERM is dumb, rich heeds a width only together with a height.
    width, height = (WIDTH, 100) if fixed else (None, None)
    console = Console(width=width, height=height, highlight=False, legacy_windows=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if k < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*[Text(cell) for cell in row])
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    click.echo("\n".join([title, *lines]).strip() + "\n")
    if note:
        paragraph(note)
        click.echo()


# Progress -------------------------------------------------------------------------------------------------------


class _Lines:
    """Twenty plain lines at most, for logs."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.total = self.done = self.told = 0

    def start(self, total: int, done: int) -> None:
        self.total, self.done, self.told = total, done, done * 20 // max(1, total)
        say(f"{total} to be {self.verb}" + (f", {done} of them done before" if done else ""))

    def advance(self, label: str) -> None:
        self.done += 1
        if self.done * 20 // max(1, self.total) > self.told:
            self.told = self.done * 20 // max(1, self.total)
            say(f"{self.verb} {self.done} of {self.total}: {label}")

    def stop(self) -> None:
        pass


class _Bar:
    """A bar on the terminal's standard error."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.stack = ExitStack()
        self.tick: Callable[[str], None] = lambda label: None

    def start(self, total: int, done: int) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        bar = Progress(
            TextColumn(self.verb),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        task = bar.add_task("", total=total, completed=done)
        self.tick = lambda label: bar.update(task, advance=1, description=label)
        self.stack.enter_context(bar)

    def advance(self, label: str) -> None:
        self.tick(label)

    def stop(self) -> None:
        self.stack.close()


def progress(verb: str) -> Progress:
    """A bar on a terminal, plain lines elsewhere; both on the standard error."""
    return _Bar(verb) if sys.stderr.isatty() else _Lines(verb)
