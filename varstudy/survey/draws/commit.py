"""Measures frameworks that are installed here into a file: ``python -m varstudy.survey.draws.commit``.

A framework that is measured replaces its rows in the file; all else stays.

    python -m varstudy.survey.draws.commit [--once] [--python PYTHON] [--file FILE] NAME...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..._io import provenance
from ..environments import Interpreter
from ..frameworks.catalogue import FRAMEWORKS
from .draws_record import COMMITTED, facts, read, rows, write
from .measuring import measure, settings

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m varstudy.survey.draws.commit")
    parser.add_argument("name", nargs="+", choices=[name for name, each in FRAMEWORKS.items() if each.measured])
    parser.add_argument("--once", action="store_true", help="one run instead of two that are compared")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the frameworks")
    parser.add_argument("--file", type=Path, default=COMMITTED, help="the file to merge into")
    given = parser.parse_args(words)
    found = measure(
        [FRAMEWORKS[name] for name in given.name],
        lambda framework: Interpreter(given.python, framework.variables, "the given interpreter"),
        repeats=1 if given.once else 2,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    before = read(given.file) if given.file.exists() else {"facts": [], "rows": []}
    names = {each.fact.framework for each in found}
    made = provenance.collect(None)
    content = {
        "settings": settings(),
        "provenance": {key: made[key] for key in ("made", "versions")}
        | {"cpu": {key: made["cpu"][key] for key in ("model", "cores", "machine")}},
        "facts": [each.record() for each in facts(before) if each.framework not in names]
        + [each.fact.record() for each in found],
        "rows": [each.record() for each in rows(before) if each.framework not in names]
        + [row.record() for each in found for row in each.rows],
    }
    write(given.file, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
