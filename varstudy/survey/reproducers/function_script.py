"""Scripts that call a library's variance on a short row that it gets wrong."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS

from ...study import featuremaps
from ...study.score import WRONG_ERROR
from ..callables.scoring import row_matrix
from ..league.league_record import CaseResult, LeagueRow, results
from ..league.league_rows import MAX_ROWS
from ..libraries.declaring import Eats, Function
from .exact_values import rounded, variance
from .finding import NoScript
from .layer_script import literal

__all__ = ["calling", "short_rows", "wrong_cases"]

# Characters of rows that a script can hold.
HELD = 1500


def wrong_cases(row: LeagueRow, content: Mapping[str, Any]) -> list[CaseResult]:
    """The cases that a row gets wrong: before those at which it raises the others, each the shortest first."""
    found = [each for each in results(row, content) if each.scored and each.wrong]
    return sorted(found, key=lambda each: ("raised" in each.marks, each.length))


@cache
def _rows(case: str, storage: str) -> NDArray[Any]:
    made = featuremaps.find(case)
    return row_matrix(made, made.make(storage, 0), MAX_ROWS)[0]


def short_rows(cases: Iterable[CaseResult], correction: int) -> tuple[CaseResult, list[NDArray[Any]], list[float]]:
    """The first case whose rows a script can hold, these rows, and their exact variances.

    Raises
    ------
    NoScript
        There is none.
    """
    for case in cases:
        if case.length <= correction:
            continue
        least, most = FORMATS[case.storage].smallest_normal, FORMATS[case.storage].largest
        kept = []
        for row in _rows(case.case, case.storage):
            if np.isfinite(row.astype(np.float64)).all():
                exact = variance(row.astype(np.float64), correction)
                if exact == 0 or least <= exact <= most:
                    kept.append((row, rounded(exact)))
        if kept and sum(len(_written(row.tolist())) for row, _ in kept) < HELD:
            return case, [row for row, _ in kept], [exact for _, exact in kept]
    raise NoScript("no short script: every row that it gets wrong is long")


def calling(function: Function, row: LeagueRow, content: Mapping[str, Any]) -> list[str]:
    """A script that asserts the exact variances of a case's rows.

    Raises
    ------
    NoScript
        No code is declared for the function, or no case is short enough.
    """
    code, imports = function.code, function.belongs_to.imports
    if not code:
        raise NoScript(f"no short script calls {function.name}: its adapter does ('python -m varstudy libraries --only "
                       f"{function.library}' runs it)")  # fmt: skip
    if row.refused:
        given, exact, case = (
            [np.array([1.0, 2.0, 4.0, 9.0])],
            [float(variance([1, 2, 4, 9], row.correction))],
            "four values",
        )
    else:
        found, given, exact = short_rows(wrong_cases(row, content), row.correction)
        case = found.case
    dtype = "float32" if row.storage == "bfloat16" else row.storage
    code = code.replace("{storage}", row.storage)
    one = function.eats is Eats.ROW
    twin = function.eats is Eats.COLUMNS and len(given) == 1
    lists = [_written(each.astype(np.float64).tolist()) for each in given] * (2 if twin else 1)
    exact = exact * (2 if twin else 1)
    shown = f"rows = numpy.array([{', '.join(lists)}], '{dtype}')"
    return [
        "import numpy",
        *imports,
        "",
        *textwrap.wrap(shown, 116, subsequent_indent="    ", break_on_hyphens=False),
        f"exact = {literal(exact)}  # of {case}, from integers, divided by n{' - 1' if row.correction else ''}",
        *(
            [f"found = [float({code}) for x in rows]"]
            if one
            else [f"x = rows{'.T' if function.eats is Eats.COLUMNS else ''}", f"found = [float(v) for v in {code}]"]
        ),
        'print("found", found, "exact", exact)',
        "for one, right in zip(found, exact):",
        f'    assert abs(one - right) <= {WRONG_ERROR:g} * right, f"{{one}} is no digit of {{right}}"',
    ]


def _written(values: Sequence[float]) -> str:
    """A row of numbers; one whose values come again and again side by side as `numpy.repeat` of few."""
    runs = [(value, len(list(same))) for value, same in itertools.groupby(values)]
    if len(runs) > len(values) / 4:
        return literal(values)
    return f"numpy.repeat({literal([value for value, _ in runs])}, {[count for _, count in runs]})"
