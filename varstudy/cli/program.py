"""How a command ends: what it did, or one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from .._io.matching import nearest
from .console import Problem, say

__all__ = ["INTERRUPTED", "NO_DEVICE", "REGRESSION", "Program", "about", "alone", "ours", "sentences"]

PACKAGE = Path(__file__).resolve().parents[1]
# What this package cannot do without.
NEEDED = (
    "varkernels",
    "numpy",
    "numba",
    "ml_dtypes",
    "mpmath",
    "pandas",
    "matplotlib",
    "rich",
    "jinja2",
    "platformdirs",
)
REGRESSION, BAD_INPUT, NO_DEVICE, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141


class Program(click.Group):
    """The command group: without a command it runs the study; failures are one sentence and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        if "--quick" in args and "--full" in args:
            raise Problem("--quick and --full are two levels of the study: choose one of them")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            known = list(self.commands)
            raise Problem(
                f"command {args[0]!r} is unknown: {nearest(args[0], known, 'use one of ' + ', '.join(known))}"
            )
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run the command line and exit: 0, 1 regression, 2 bad input, 3 no GPU, 130 interrupted, 141 broken pipe.

        SIGTERM and SIGHUP interrupt as Ctrl-C does, and are 143 and 129: children and temporary folders are no more.
        """
        given = list(sys.argv[1:] if args is None else args)
        with _interruptible() as ended_by:
            code = self._ended(given, prog_name or "varstudy", ended_by, extra)
        sys.exit(code)

    def _ended(self, given: list[str], name: str, ended_by: list[signal.Signals], extra: Mapping[str, Any]) -> int:
        """Run the command line; the exit code."""
        code = 0
        try:
            with self.make_context(name, given, **extra) as ctx:
                self.invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.Exit as request:
            code = _flushed(request.exit_code)
        except SystemExit as request:
            # click's own way out of a broken pipe while it prints help
            code = BROKEN_PIPE if request.code == 1 else int(request.code or 0)
        except (KeyboardInterrupt, click.Abort):
            code = INTERRUPTED
            say(f"Interrupted by {ended_by[0].name}." if ended_by else "Interrupted.")
        except Exception as error:
            code = _explain(error)
        return 128 + ended_by[0] if ended_by and code == INTERRUPTED else code


@contextmanager
def _interruptible() -> Iterator[list[signal.Signals]]:
    """Has SIGTERM and SIGHUP do what Ctrl-C does, where they would end this process at once; gives those that came."""
    came: list[signal.Signals] = []
    before: dict[int, Any] = {}

    def handler(number: int, frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        interrupt = signal.getsignal(signal.SIGINT)
        # A shell has its background processes ignore SIGINT.
        (interrupt if callable(interrupt) else signal.default_int_handler)(number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            # Under nohup SIGHUP is ignored, and stays so.
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, handler)
    try:
        yield came
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _explain(error)
    return code


def _silence() -> None:
    """Nothing more can be written: what is left in the buffers must not make the interpreter complain."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass


def _explain(error: Exception) -> int:
    """One sentence for the failures that are the user's to mend; others are bugs and keep their traceback."""
    if isinstance(error, BrokenPipeError):
        _silence()
        return BROKEN_PIPE
    sentence = _sentence(error)
    if sentence is None:
        raise error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _silence()
    say(f"varstudy: {sentence}")
    return BAD_INPUT


def _sentence(error: Exception) -> str | None:
    if isinstance(error, click.ClickException):
        where = getattr(error, "ctx", None)
        path = where.command_path if where is not None else "varstudy"
        return f"{error.format_message().rstrip('.')} (see {path} --help)"
    if isinstance(error, Problem):
        return str(error)
    if isinstance(error, OSError):
        return None if ours(error) else about(error, error.filename)
    if isinstance(error, ModuleNotFoundError) and error.name in NEEDED:
        return f"{error.name} is not installed: run pip install -e . in the checkout, or pip install varstudy"
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: use a smaller array or a smaller level of the study"
    # Loaded by now if one of them was raised.
    module = type(error).__module__
    if module.startswith("varstudy.") and isinstance(error, (ValueError, LookupError)):
        return _tidy(str(error))
    if type(error).__name__ == "WorkerFailed" and str(error).startswith("a worker ended"):
        return str(error)
    return None


def ours(error: OSError) -> bool:
    """Whether the trouble is with a file of this package: a broken installation, or a bug."""
    if not isinstance(error.filename, str):
        return False
    return Path(error.filename).resolve().is_relative_to(PACKAGE)


def about(error: OSError, path: object) -> str:
    where = "the output" if path is None else str(path)
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return f"{where} cannot be written ({reason}): free some space, or choose another folder with --out"
    return f"{where} cannot be used ({reason}): check the path and its permissions, or choose another"


def alone(says: str, option: str, others: Mapping[str, object]) -> None:
    """Refuse options that another option makes useless, rather than ignore them.

    Parameters
    ----------
    says : what `option` does, the start of the sentence. others : the options, and what was given for them.

    Raises
    ------
    Problem
        One of them was given.
    """
    given = [name for name, value in others.items() if value not in (None, False, ())]
    if given:
        listed = " and ".join(filter(None, [", ".join(given[:-1]), given[-1]]))
        raise Problem(f"{says}: leave out {listed}, or {option}")


@contextmanager
def sentences() -> Iterator[None]:
    """What a function of this package refuses in one sentence is bad input."""
    try:
        yield
    except (ValueError, TypeError, LookupError) as error:
        text = str(error)
        if isinstance(error, (IndexError, KeyError, UnicodeError)) or not text or "\n" in text:
            raise
        raise Problem(_tidy(text)) from error


def _tidy(text: str) -> str:
    """A sentence of the library in the words of the command line."""
    text = re.sub(r"use 'exact', the default.*", "see 'python -m varstudy list --algorithms'", text)
    return text.replace("the cases of a level are listed by cases()", "see 'python -m varstudy list'")
