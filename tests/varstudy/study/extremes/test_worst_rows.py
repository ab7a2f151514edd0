"""The worst known rows measure what their file says, and a search finds such rows again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mutations import damaged

from varkernels import FORMATS, moments
from varstudy.study.extremes import worst_rows
from varstudy.study.extremes.searching import cells, search
from varstudy.study.extremes.worst_rows import COMMITTED, GOALS, LARGEST_KAPPA, MODERATE, Cell, WorstRow

ROWS = worst_rows.committed()
# Sharp bounds, and the formula that most people write; all others too with -m long.
FEW = [row for row in ROWS if row.formula in ("welford", "naive") and row.order == "running"]


def replayed(rows: list[WorstRow]) -> None:
    """Every figure is found again; the bound, which is float64 arithmetic, to nine digits. No share is above 1."""
    for row, found in worst_rows.replay(rows):
        assert (found.units, found.kappa) == (row.units, row.kappa), row
        assert found.share == pytest.approx(row.share, rel=1e-9), row
        assert found.share <= 1, row
        assert row.kappa <= (MODERATE if row.goal == "units" else LARGEST_KAPPA[row.format]), row


def test_the_worst_rows_measure_what_was_found() -> None:
    """A bound that becomes looser or tighter changes a share."""
    replayed(FEW)


@pytest.mark.long
def test_all_the_worst_rows_measure_what_was_found() -> None:
    replayed(list(ROWS))


def test_errors_in_fractions_are_the_same() -> None:
    for row in FEW:
        exact = row.fractions
        stored = row.array
        assert [Fraction(float(value)) for value in stored] == exact  # the integers are values of the format
        mean = sum(exact) / row.n
        m2 = sum((value - mean) ** 2 for value in exact)
        answer = Fraction(float(moments(stored[None, None], f"{row.formula}/{row.order}", row.format).m2[0]))
        assert float(abs(answer - m2) / m2 / FORMATS[row.format].unit_roundoff) == row.units


def test_welfords_bound_cannot_be_tightened_by_two_percent() -> None:
    assert max(row.share for row in ROWS if row.formula == "welford") > 0.98
    for n in (2, 3, 4, 8, 16):
        assert max(row.share for row in ROWS if (row.formula, row.n) == ("welford", n)) > 0.75


def test_each_cell_of_a_formula_has_rows_for_both_goals_but_where_there_is_no_bound() -> None:
    have = {(row.cell, row.goal) for row in ROWS}
    for formula in {row.formula for row in ROWS}:
        for cell in cells(formula):
            assert (cell, "units") in have
            assert (cell, "share") in have or cell.format == "bfloat16"  # the compensated sums have no bound there
    assert len(have) == len(ROWS)


def test_a_search_replaces_a_row_only_by_a_worse_one() -> None:
    row = ROWS[0]
    better, worse = replace(row, units=row.units / 2, share=0.0), replace(row, units=99.0, share=0.99)
    assert worst_rows.worse([row], [better]) == [row]
    assert worst_rows.worse([row], [worse]) == [worse]
    other = replace(row, n=5)
    assert worst_rows.worse([row], [other]) == [row, other]


def test_all_pairs_of_bfloat16_are_searched_again() -> None:
    cell = Cell("welford", "running", "bfloat16", 2)
    known = {row.goal: row.size for row in ROWS if row.cell == cell}
    assert {row.goal: row.size for row in search(cell, 1)} == known


def test_a_search_gives_the_same_rows_again_and_begins_with_those_given() -> None:
    cell = Cell("welford", "running", "float32", 4)
    first = search(cell, 8, seed=3)
    assert first == search(cell, 8, seed=3)
    assert [row.goal for row in first] == list(GOALS)
    known = {row.goal: row for row in ROWS if row.cell == cell}
    for row in search(cell, 1, start=known.values()):
        assert row.size >= known[row.goal].size * 0.999
        assert row.kappa <= LARGEST_KAPPA["float32"]


def test_inputs_come_by_name_in_their_formats() -> None:
    inputs = worst_rows.worst_inputs("bfloat16", "units")
    assert all(name.split("/")[2:5:2] == ["bfloat16", "units"] for name in inputs)
    assert {array.dtype for array in inputs.values()} == {FORMATS["bfloat16"].dtype}
    assert len(worst_rows.worst_inputs()) == len(ROWS)
    assert all(np.isfinite(array.astype(np.float64)).all() for array in inputs.values())


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "worst.json"
    worst_rows.write(path, ROWS[:3])
    assert worst_rows.read(path) == sorted(ROWS[:3], key=lambda row: (*row.cell, row.goal))
    refused = 0
    for content in damaged(path.read_bytes(), 60):
        path.write_bytes(content)
        try:
            found = worst_rows.read(path)
        except worst_rows.WorstProblem as problem:
            said = str(problem)
        else:
            said = ""
            assert len(found) == 3  # a space more or less
        assert "\n" not in said
        refused += bool(said)
    assert refused > 50
    assert COMMITTED.exists()
