"""The command line: ``python -m varstudy``.

Only click is imported here; each command loads what it needs when it runs, so that help costs nothing.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from .. import __version__
from .._io.streams import open_closed_streams
from . import (
    bench_command,
    check_commands,
    frameworks_command,
    gpu_command,
    libraries_command,
    list_commands,
    port_command,
    score_command,
    study_commands,
)
from .program import Program

__all__ = ["commands", "main"]


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="varstudy")
def commands() -> None:
    """How many digits of your variance are correct?

    Variance algorithms on adversarial, bug-report and real feature maps, scored against exact truth.
    Without a command, the default study runs and its report is written to reports/.

    Exit codes: 0 done, 1 a regression was found, 2 bad input, 3 no GPU, 130 interrupted,
    143 ended, 129 left by the terminal.
    """


for _command in (
    study_commands.run,
    study_commands.report,
    list_commands.list_,
    study_commands.compare,
    check_commands.explain,
    check_commands.check,
    score_command.score,
    bench_command.bench,
    gpu_command.gpu,
    frameworks_command.frameworks,
    libraries_command.libraries,
    port_command.port,
    list_commands.env,
):
    commands.add_command(_command)


def main() -> None:
    """The entry point of ``varstudy`` and ``python -m varstudy``."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets its answer
    as_module = Path(sys.argv[0]).name == "__main__.py"
    commands.main(prog_name="python -m varstudy" if as_module else "varstudy")
