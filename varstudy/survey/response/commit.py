"""Measures frameworks that are installed here into the record.

A framework that is measured replaces its rows in the file; all else stays.

    python -m varstudy.survey.response.commit [--python PYTHON] [--file FILE] NAME...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..environments import Interpreter
from ..frameworks.catalogue import FRAMEWORKS
from .measuring import FILE, measure
from .response_record import COMMITTED, read, rows, scores, write

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    able = [name for name, each in FRAMEWORKS.items() if each.script().with_name(FILE).is_file()]
    parser = argparse.ArgumentParser(prog="python -m varstudy.survey.response.commit")
    parser.add_argument("name", nargs="+", choices=able)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the frameworks")
    parser.add_argument("--file", type=Path, default=COMMITTED, help="the file to merge into")
    given = parser.parse_args(words)
    there = Interpreter(given.python, {}, "the given interpreter")
    found = [measure(FRAMEWORKS[name], there) for name in dict.fromkeys(given.name)]
    before = read(given.file) if given.file.exists() else {"rows": [], "scores": []}
    kept_rows = [each for each in rows(before) if each.framework not in given.name]
    kept_scores = [each for each in scores(before) if each.framework not in given.name]
    content = {
        "rows": [each.record() for each in (*kept_rows, *(row for new, _ in found for row in new))],
        "scores": [each.record() for each in (*kept_scores, *(row for _, new in found for row in new))],
    }
    write(given.file, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
