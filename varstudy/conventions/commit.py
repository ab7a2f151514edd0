"""Merges measured findings into the committed ones: ``python -m varstudy.conventions.commit FILE...``.

A framework in a later file replaces it in an earlier one, and in what is committed, with all its rows; the others stay.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from . import record

__all__ = ["main"]


def main(words: Sequence[str] | None = None, target: Path = record.COMMITTED) -> int:
    """Merge; the exit code."""
    given = list(sys.argv[1:] if words is None else words)
    if not given or any(word.startswith("-") for word in given):
        sys.stderr.write("usage: python -m varstudy.conventions.commit FILE...\n")
        return 2
    try:
        before = record.rows(record.read(target)) if target.exists() else []
        after: list[record.Row] = []
        for name in given:
            after = record.merged(after, record.rows(record.read(name)))
        record.write(target, record.content(record.merged(before, after)))
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} is not there: nothing was changed\n")
        return 2
    except (OSError, record.ConventionsProblem) as error:
        sys.stderr.write(f"{error}: nothing was changed\n")
        return 2
    sys.stderr.write(f"{len({row.framework for row in after})} frameworks replaced or added in {target.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
