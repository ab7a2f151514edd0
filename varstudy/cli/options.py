"""The options that commands share, and the names that they know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from varkernels.storages import STORAGES

from .._io.matching import nearest
from .console import Problem

if TYPE_CHECKING:
    _Type = click.ParamType[str]
else:
    _Type = click.ParamType

__all__ = [
    "ACCUMULATOR",
    "ALGORITHM",
    "CORRECTION",
    "JSON",
    "ONLY",
    "SEED",
    "STORAGE",
    "Known",
    "level_options",
]


class Known(_Type):
    """One of a few names; a wrong one is answered with the nearest."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        self.name = what
        self.names = tuple(names)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[" + "|".join(self.names) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for name in self.names:
            if str(value).lower() == name.lower():
                return name
        raise Problem(
            f"{self.name} {value!r} is unknown: "
            + nearest(str(value), self.names, f"use one of {', '.join(self.names)}")
        )


JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON to the standard output, all else to stderr.")
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the values.")
ONLY = click.option("--only", metavar="PATTERN", help="Only the cases whose name matches a glob or contains this text.")
STORAGE = Known("storage", STORAGES)
ALGORITHM = click.option(
    "--algorithm", "algorithms", metavar="NAME", multiple=True, help="Only this algorithm; may be repeated."
)
ACCUMULATOR = click.option(
    "--accumulator",
    type=Known("accumulator", STORAGES),
    help="Format of every operation; those of the study by default.",
)
CORRECTION = click.option("--correction", type=float, help="The variance is M2 / (count - CORRECTION).")
LEVEL = (
    click.option("--quick", "level", flag_value="quick", help="The smallest set of cases."),
    click.option("--full", "level", flag_value="full", help="Every case, the very long ones too."),
)


def level_options(function: Any) -> Any:
    return LEVEL[0](LEVEL[1](function))
