"""Measuring frameworks that are installed here into a committed file: for `elements.commit` and `draws.commit`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._io import provenance
from .environments import Interpreter
from .frameworks.catalogue import FRAMEWORKS

__all__ = ["measure_into"]


def measure_into(
    module: str,
    words: Sequence[str] | None,
    record: Any,
    measure: Callable[..., Sequence[Any]],
    head: Callable[[], Mapping[str, Any]],
) -> int:
    """Measure the frameworks that a command line names, and merge them into a file; the exit code.

    A framework that is measured replaces its rows in the file; all else stays.

    Parameters
    ----------
    module : what ``python -m`` is given. words : of the command line; None for the process's own.
    record : has the file's `COMMITTED`, `facts`, `read`, `rows` and `write`.
    measure : measures frameworks, with a place for each; gives objects with a fact and rows.
    head : what the file says of how it was measured, besides when and where.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("name", nargs="+", choices=[name for name, each in FRAMEWORKS.items() if each.measured])
    parser.add_argument("--once", action="store_true", help="one run instead of two that are compared")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the frameworks")
    parser.add_argument("--file", type=Path, default=record.COMMITTED, help="the file to merge into")
    given = parser.parse_args(words)
    found = measure(
        [FRAMEWORKS[name] for name in given.name],
        lambda framework: Interpreter(given.python, framework.variables, "the given interpreter"),
        repeats=1 if given.once else 2,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    before = record.read(given.file) if given.file.exists() else {"facts": [], "rows": []}
    names = {each.fact.framework for each in found}
    kept_facts, kept_rows = (
        [each for each in table if each.framework not in names] for table in (record.facts(before), record.rows(before))
    )
    made = provenance.collect(None)
    content = {
        **head(),
        "provenance": {key: made[key] for key in ("made", "versions")}
        | {"cpu": {key: made["cpu"][key] for key in ("model", "cores", "machine")}},
        "facts": [each.record() for each in (*kept_facts, *(each.fact for each in found))],
        "rows": [each.record() for each in (*kept_rows, *(row for each in found for row in each.rows))],
    }
    record.write(given.file, content)
    return 0
