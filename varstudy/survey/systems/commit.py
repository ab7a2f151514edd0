"""Measures frameworks that are installed here into the record.

The systems of a framework that are measured replace their rows in the file; all else stays.

    python -m varstudy.survey.systems.commit [--system SYSTEM] [--python PYTHON] [--file FILE] NAME...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..environments import Interpreter
from ..frameworks.catalogue import FRAMEWORKS
from .catalogue import SYSTEMS
from .measuring import FILE, measure
from .systems_record import COMMITTED, read, rows, scores, write

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    able = [name for name, each in FRAMEWORKS.items() if each.script().with_name(FILE).is_file()]
    parser = argparse.ArgumentParser(prog="python -m varstudy.survey.systems.commit")
    parser.add_argument("name", nargs="+", choices=able)
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="only this one; may be repeated")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the frameworks")
    parser.add_argument("--file", type=Path, default=COMMITTED, help="the file to merge into")
    given = parser.parse_args(words)
    wanted = {name: SYSTEMS[name] for name in given.system or SYSTEMS}
    found = []
    for name in dict.fromkeys(given.name):
        framework = FRAMEWORKS[name]
        there = Interpreter(given.python, framework.variables, "the given interpreter")
        found.append(measure(framework, there, wanted))
    before = read(given.file) if given.file.exists() else {"rows": [], "scores": []}
    replaced = {(name, system) for name in given.name for system in wanted}
    kept_rows = [each for each in rows(before) if (each.framework, each.system) not in replaced]
    kept_scores = [each for each in scores(before) if (each.framework, each.system) not in replaced]
    content = {
        "rows": [each.record() for each in (*kept_rows, *(row for new, _ in found for row in new))],
        "scores": [each.record() for each in (*kept_scores, *(row for _, new in found for row in new))],
    }
    write(given.file, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
