"""What the terminal sees: sentences, progress and JSON. Only click is imported before something is shown."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import click

from .._io.progress import Forecast, Progress

__all__ = [
    "Problem",
    "broken",
    "command_words",
    "dump",
    "listed",
    "many",
    "number",
    "paragraph",
    "plain",
    "progress",
    "say",
    "shown",
    "unbroken",
    "whole",
    "width",
]

# Columns of a table where the output is not a terminal and COLUMNS is not set.
WIDTH = 132


class Problem(Exception):
    """Bad input: one sentence that names it and says what to do. The command ends with exit code 2."""


def say(text: str) -> None:
    """A paragraph to the standard error, so that the standard output holds results only.

    Where it cannot be written (a full disk, a reader that is gone) it is lost and the command continues.
    """
    with suppress(OSError):
        click.echo(_filled(text) if sys.stderr.isatty() or os.environ.get("COLUMNS") else broken(text), err=True)


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


# Numbers and sentences -----------------------------------------------------------------------------------------


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
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def listed(names: Sequence[str], limit: int | None = None) -> str:
    """``a, b and 3 more``."""
    shown = list(names[:limit])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def width() -> int:
    """Columns of the terminal, or what COLUMNS says; `WIDTH` where there is neither."""
    return _columns() if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH


def _columns() -> int:
    """What COLUMNS says, or the columns of the terminal that the standard output or the standard error is."""
    streams = [stream for stream in (sys.stderr, sys.stdout) if stream.isatty()]
    known = 0 if not streams or os.environ.get("COLUMNS") else os.get_terminal_size(streams[-1].fileno()).columns
    return max(40, known or shutil.get_terminal_size().columns)


# In the place of a space at which no line is broken.
_KEPT = "\ue000"


def unbroken(text: str, before: str = r"\S", after: str = r"\S") -> str:
    """A text whose formulas, such as n - 1, are one word; `broken` gives the spaces back.

    Parameters
    ----------
    before, after : patterns of the character before a sign and of what comes after it.
    """
    return re.sub(rf"(?<={before}) ([-=/]) (?={after})", f"{_KEPT}\\1{_KEPT}", text)


def whole(text: str) -> str:
    """A text that stays in one line, such as a command to copy."""
    return text.replace(" ", _KEPT)


def broken(text: str) -> str:
    """A text as it was before `unbroken` or `whole`."""
    return text.replace(_KEPT, " ")


def _filled(text: str, bullet: str = "", hang: int = 0) -> str:
    """A paragraph in lines of the terminal's width; formulas and quoted commands stay in one line."""
    return broken(
        textwrap.fill(
            unbroken(re.sub(r"'(?:python -m|pip) [^']*'", lambda found: whole(found[0]), text)),
            _columns(),
            initial_indent=bullet,
            subsequent_indent=" " * hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def paragraph(text: str, bullet: str = "", *, hang: int | None = None, wrong: bool = False) -> None:
    """A paragraph on the standard output, filled to the width of the terminal; one line where it is none.

    Parameters
    ----------
    text : its words.
    bullet : what its first line begins with. hang : spaces before the others, by default as many as the bullet has.
    wrong : whether it says that an answer is wrong: red on a terminal, unless NO_COLOR is set.
    """
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        text = _filled(text, bullet, len(bullet) if hang is None else hang)
    else:
        text = bullet + text
    coloured = wrong and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(click.style(text, fg="red") if coloured else text)


# Progress -------------------------------------------------------------------------------------------------------


# Seconds between two lines at least, and that share of the time since the start.
RARELY, LATER = 10.0, 0.05


def _time(seconds: float) -> str:
    """Minutes and seconds, or hours: ``0:07``, ``12:30``, ``1:02:03``."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class _Shown:
    """Where a measurement is: its phase, how many steps of it are finished, and a forecast."""

    def __init__(self, word: str) -> None:
        self.word = self.phase = word
        self.total = self.done = 0
        self.forecast = Forecast(time.monotonic)

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None:
        self.phase, self.total, self.done = phase or self.word, total, done
        self.forecast.start(total, done, seconds, later)

    def advance(self, label: str, seconds: float = 0.0) -> None:
        self.done += 1
        self.forecast.advance(seconds)

    @property
    def left(self) -> str:
        """The time that is left; empty while nobody knows."""
        seconds = self.forecast.left
        return "" if seconds is None else f"{_time(seconds)} left"


class _Lines(_Shown):
    """Plain lines, for logs: one for each phase, and then rarely."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.began = time.monotonic()
        self.said = -math.inf

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None:
        super().start(total, done, phase, seconds, later)
        before = f", {done} of them done before" if done else ""
        self._say(f"{self.phase}: {total}{before}" if total > 1 else self.phase)

    def advance(self, label: str, seconds: float = 0.0) -> None:
        super().advance(label, seconds)
        now = time.monotonic()
        if now - self.said >= max(RARELY, LATER * (now - self.began)):
            self._say(f"{self.phase}: {self.done} of {self.total}")

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        say(f"{text}, about {self.left}" if self.left else text)

    def stop(self) -> None:
        pass


class _Bar(_Shown):
    """A bar on the terminal's standard error, for all phases together; the count is the phase's."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.stack = ExitStack()
        self.draw: Callable[[str], None] | None = None

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None:
        super().start(total, done, phase, seconds, later)
        if self.draw is None:
            self.draw = self._open()
        self.draw("")

    def _open(self) -> Callable[[str], None]:
        """Begin to show it; gives the function that shows a step's label."""
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, ProgressColumn, Task, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415
        from rich.table import Column  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        shown = self

        class Where(ProgressColumn):
            """The count and the time, made again whenever the bar is drawn."""

            def render(self, task: Task) -> Text:
                count = f"{shown.done}/{shown.total}  " if shown.total > 1 else ""
                return Text(count + shown.left)

        bar = Bar(
            TextColumn("{task.fields[phase]}", markup=False),
            BarColumn(bar_width=20),
            Where(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        task = bar.add_task("", total=1.0, phase=self.phase)
        self.stack.enter_context(bar)
        return lambda label: bar.update(
            task, completed=self.forecast.share, description=label, phase=self.phase, refresh=not label
        )

    def advance(self, label: str, seconds: float = 0.0) -> None:
        super().advance(label, seconds)
        if self.draw is not None:
            self.draw(label)

    def stop(self) -> None:
        self.stack.close()


def progress(word: str) -> Progress:
    """A bar on a terminal, plain lines elsewhere; both on the standard error.

    Parameters
    ----------
    word : what is done, such as ``measuring``, where a phase has no name of its own.
    """
    return _Bar(word) if sys.stderr.isatty() else _Lines(word)
