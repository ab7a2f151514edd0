"""Merges measured findings into the committed ones: ``python -m varstudy.survey.findings.commit FILE...``.

A kind of layer of a framework in a later file replaces it in an earlier one, and in what is committed, with all its
rows; all else stays. Refused are files that say that a framework could not be asked of which there are findings, and
such as would leave a framework with findings of two versions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from . import measured
from .properties import SYNC

__all__ = ["main"]


def main(words: Sequence[str] | None = None, target: Path = measured.COMMITTED) -> int:
    """Merge; the exit code."""
    given = list(sys.argv[1:] if words is None else words)
    if not given or any(word.startswith("-") for word in given):
        sys.stderr.write("usage: python -m varstudy.survey.findings.commit FILE...\n")
        return 2
    try:
        whole = measured.rows(measured.read(target)) if target.exists() else []
        replaced: set[str] = set()
        for name in given:
            after = measured.rows(measured.read(name))
            _refuse_unmeasured(whole, after)
            whole = measured.merged(whole, after)
            replaced |= {row.framework for row in after}
        _refuse_two_versions(whole, replaced)
        measured.write(target, measured.content(whole))
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} is not there: nothing was changed\n")
        return 2
    except (OSError, measured.ConventionsProblem) as error:
        sys.stderr.write(f"{error}: nothing was changed\n")
        return 2
    sys.stderr.write(f"{len(replaced)} frameworks replaced or added in {target.name}\n")
    return 0


def _refuse_unmeasured(before: Sequence[measured.FindingRow], after: Sequence[measured.FindingRow]) -> None:
    """A run that failed, or never began, takes the place of no findings, with what it found by then either."""
    known = {(row.framework, row.kind == SYNC) for row in (*before, *after) if row.property != measured.PROBE}
    for row in after:
        if row.property == measured.PROBE and (row.framework, row.kind == SYNC) in known:
            raise measured.ConventionsProblem(f"{row.framework} was not measured: {row.status}: {row.detail}")


def _refuse_two_versions(whole: Sequence[measured.FindingRow], replaced: set[str]) -> None:
    for framework in sorted(replaced):
        versions = {row.version for row in whole if row.framework == framework and row.property != measured.PROBE}
        if len(versions) > 1:
            listed = "; ".join(sorted(versions))
            raise measured.ConventionsProblem(
                f"{framework} would have findings of two versions ({listed}): measure all its kinds"
            )


if __name__ == "__main__":
    sys.exit(main())
