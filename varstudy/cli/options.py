"""The options that commands share, and the names that they know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
    "STORAGE_OPTION",
    "Known",
    "joined",
    "level_options",
    "listed",
    "sizes",
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
SEED = click.option(
    "--seed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the values."
)
ONLY = click.option("--only", metavar="PATTERN", help="Only the cases whose name matches a glob or contains this text.")
STORAGE = Known("storage", STORAGES)
STORAGE_OPTION = click.option(
    "--storage", "storages", type=STORAGE, multiple=True, help="Only this storage format; may be repeated."
)
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
    click.option(
        "--full", "level", flag_value="full", help="Every case, the very long ones too; PTX on long maps too."
    ),
)


def joined(ctx: click.Context, argument: click.Parameter, given: tuple[str, ...]) -> str:
    """An argument of several words, with or without quotes."""
    return " ".join(given)


def level_options(function: Any) -> Any:
    return LEVEL[0](LEVEL[1](function))


def listed(kind: Callable[[str], Any], what: str) -> Callable[[Any, click.Parameter, tuple[str, ...]], list[Any]]:
    """An option that may be repeated, and that takes several with commas between them."""

    def convert(ctx: Any, option: click.Parameter, given: tuple[str, ...]) -> list[Any]:
        values = []
        for each in ",".join(given).split(",") if given else []:
            try:
                values.append(kind(each))
            except ValueError:
                raise Problem(f"{option.opts[0]} {each!r} is no {what}: give one, or several as 2,32") from None
        return values

    return convert


def sizes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """``1000,2^10,2^26``; ``2^10..2^27`` stands for every power of two between."""
    if value is None:
        return None
    found: list[int] = []
    for word in re.split(r"[,\s]+", value.strip()):
        ends = re.fullmatch(r"2\^(\d{1,2})\.\.2\^(\d{1,2})", word)
        one = re.fullmatch(r"2\^(\d{1,2})|([1-9]\d{0,11})", word)
        if ends:
            found += [2**k for k in range(int(ends[1]), int(ends[2]) + 1)]
        elif one:
            found.append(2 ** int(one[1]) if one[1] else int(one[2]))
        else:
            raise Problem(f"--sizes {word!r} is no number of values: write 1000, 2^20 or 2^10..2^27, joined by commas")
    if not found or min(found) < 2:
        raise Problem(f"--sizes {value!r} names no size of two values or more: write 1000, 2^20 or 2^10..2^27")
    return tuple(dict.fromkeys(found))
