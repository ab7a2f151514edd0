"""Comparing two results: what is worse by each metric's own direction, and what only one of them has."""

from __future__ import annotations

import math
from typing import Any

import pytest

from varkernels import algorithms
from varstudy.study import featuremaps, results
from varstudy.study.comparison import METRICS, compare
from varstudy.study.measuring import measure

NAMES = ("naive", "welford", "pairwise")


@pytest.fixture(scope="module")
def found() -> results.Results:
    case = featuremaps.find("higham/three-values")
    chosen = [algorithms()[name] for name in NAMES]
    return results.from_records(
        list(measure(case, "float32", 0, chosen)),
        cases={case.name: case.info()},
        algorithms={name: {} for name in NAMES},
        settings={"level": "quick", "only": None, "seed": 0},
    )


def changed(found: results.Results, row: int, **cells: Any) -> results.Results:
    frame = found.frame.copy()
    for name, value in cells.items():
        frame.loc[frame.index[row], name] = value
    return results.Results(frame, found.cases, found.algorithms, found.settings)


def test_same_results_have_no_change(found: results.Results) -> None:
    same = compare(found, found)
    assert (same.regressions, same.improvements, same.missing, same.added) == ([], [], [], [])
    assert same.shared == len(found.frame) == 6
    assert same.settings == []


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_has_its_direction(found: results.Results, name: str) -> None:
    column = found.frame[name]
    low, high = changed(found, 0, **{name: column.dtype.type(1)}), changed(found, 0, **{name: column.dtype.type(2)})
    lower = METRICS[name].better == "lower"
    for before, after, worse in ((low, high, lower), (high, low, not lower)):
        both = compare(before, after)
        one, other = (both.regressions, both.improvements) if worse else (both.improvements, both.regressions)
        assert other == []
        (change,) = one
        assert change.metric == name
        assert change.worse is worse
        assert change.key[0] == "higham/three-values"


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (1.0, math.nan, True),
        (math.nan, 1.0, False),
        (0.0, 1e-30, True),
        (1e-30, 0.0, False),
        (1.0, math.inf, True),
        (math.inf, 1.0, False),
    ],
)
def test_numbers_that_are_none(found: results.Results, before: float, after: float, worse: bool) -> None:
    both = compare(changed(found, 1, var_error_worst=before), changed(found, 1, var_error_worst=after), tolerance=0.5)
    assert [change.worse for change in both.regressions + both.improvements] == [worse]
    (change,) = both.regressions or both.improvements
    assert change.size == math.inf


def test_nothing_changes_between_equal_nans_and_infinities(found: results.Results) -> None:
    for value in (math.nan, math.inf):
        assert compare(*[changed(found, 1, var_error_worst=value)] * 2).regressions == []


def test_the_largest_regression_is_first(found: results.Results) -> None:
    before = changed(changed(found, 0, var_error_worst=1e-7), 1, var_error_worst=1e-7)
    after = changed(changed(found, 0, var_error_worst=2e-7), 1, var_error_worst=1e-3)
    first, second = compare(before, after).regressions
    assert (first.after, second.after) == (1e-3, 2e-7)
    assert first.size == pytest.approx(4)
    assert first.record()["algorithm"] == found.frame["algorithm"].iloc[1]


def test_a_tolerance_lets_small_changes_pass(found: results.Results) -> None:
    before, after = changed(found, 0, y_error_worst=1.0), changed(found, 0, y_error_worst=1.009)
    assert len(compare(before, after).regressions) == 1
    assert compare(before, after, tolerance=0.01).regressions == []
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="tolerance"):
            compare(before, after, tolerance=wrong)


def test_what_only_one_has_is_listed(found: results.Results) -> None:
    shorter = results.Results(found.frame.iloc[1:], found.cases, found.algorithms, {**found.settings, "seed": 3})
    both = compare(found, shorter)
    assert both.shared == 5
    assert [key[5] for key in both.missing] == [found.frame["algorithm"].iloc[0]]
    assert both.added == []
    assert [key[5] for key in compare(shorter, found).added] == [found.frame["algorithm"].iloc[0]]
    assert both.settings == [("seed", 0, 3)]
    assert both.regressions == []
