"""The command line's group, and how a command is declared: what it does is loaded when it is invoked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import click

from .. import __version__
from .program import Program

__all__ = ["command", "commands"]


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="varstudy")
def commands() -> None:
    """How many digits of your variance are correct?

    Variance algorithms on adversarial, bug-report and real feature maps, scored against exact truth.
    Without a command, the default study runs and its report is written to reports/.

    Exit codes: 0 done, 1 a regression or a failed check, 2 bad input, 3 no GPU, 130 interrupted,
    143 ended, 129 left by the terminal, 141 left by the reader of a pipe.
    """


def command(module: str, name: str | None = None) -> Callable[[Callable[[], None]], click.Command]:
    """Declare a command; the function of the same name in a module of this package gets its options."""

    def declare(declared: Callable[[], None]) -> click.Command:
        @wraps(declared)
        def invoke(**given: Any) -> None:
            getattr(import_module(f".{module}", __package__), declared.__name__)(**given)

        return commands.command(name)(invoke)

    return declare
