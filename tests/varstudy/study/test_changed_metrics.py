"""What changed between two results: counted by measurement, and in words."""

from __future__ import annotations

import math

import pytest

from varstudy.report.words import number
from varstudy.study.changed_metrics import Wording, summary
from varstudy.study.comparison import METRICS, Change, Comparison
from varstudy.study.results import KEY

PAGE = Wording(number, "−")


@pytest.mark.parametrize(
    ("name", "x", "y", "want"),
    [
        ("var_digits_worst", 6.0, 5.0, ("6.00", "5.00", "1.00 digit lost")),
        ("var_digits_worst", 6.0, 6.0 - 2e-9, ("6.000000000", "5.999999998", "2×10⁻⁹ digits lost")),
        ("var_digits_worst", math.inf, 7.0, ("exact", "7.00", "no longer exact")),
        ("var_digits_worst", 7.0, math.inf, ("7.00", "exact", "exact now")),
        ("var_digits_worst", 2.0, -math.inf, ("2.00", "fails", "fails now")),
        ("var_digits_worst", -math.inf, -0.5, ("fails", "−0.50", "no longer fails")),
        ("var_digits_worst", 2.0, math.nan, ("2.00", "not measured", "no longer measured")),
        ("mean_error_worst", math.nan, 0.5, ("not measured", "0.5", "measured now")),
        ("mean_error_worst", 0.0, 1e-9, ("0", "10⁻⁹", "no longer zero")),
        ("mean_error_worst", 1e-9, 0.0, ("10⁻⁹", "0", "zero now")),
        ("mean_error_worst", 1.0, math.inf, ("1", "∞", "infinite now")),
        ("mean_error_worst", math.inf, 1.0, ("∞", "1", "no longer infinite")),
        ("mean_error_worst", 1e-3, 1.001e-3, ("0.001", "0.001001", "0.1 % larger")),
        ("mean_error_worst", 1e-3, 5e-4, ("0.001", "0.0005", "0.5 times as large")),
        ("var_nan", 3.0, 1.0, ("3", "1", "2 rows fewer")),
    ],
)
def test_a_change_in_words(name: str, x: float, y: float, want: tuple[str, str, str]) -> None:
    worse = math.isnan(y) or (not math.isnan(x) and (y > x) == (METRICS[name].better == "lower"))
    change = Change(tuple(KEY), name, x, y, worse, 1.0)
    assert (*PAGE.both(change), PAGE.moved(change)) == want


def test_neighbouring_numbers_are_told_apart() -> None:
    for x in (0.1, 1 / 3, 6.98970004336, 1e-7, 15.9546):
        for name in ("var_digits_worst", "var_error_worst"):
            before, after = PAGE.both(Change(tuple(KEY), name, x, math.nextafter(x, 1e9), False, 0.0))
            assert before != after


def key(algorithm: str, case: str = "a") -> tuple[str, ...]:
    return tuple({"algorithm": algorithm, "case": case}.get(name, "") for name in KEY)


def change(algorithm: str, metric: str, before: float, after: float, case: str = "a") -> Change:
    worse = (after > before) == (METRICS[metric].better == "lower")
    return Change(key(algorithm, case), metric, before, after, worse, abs(after - before))


def compared(*changes: Change, shared: int = 9) -> Comparison:
    return Comparison([c for c in changes if c.worse], [c for c in changes if not c.worse], shared)


def test_a_measurement_counts_once_however_many_of_its_metrics_changed() -> None:
    found = summary(
        compared(
            change("naive", "var_error_worst", 1e-3, 1e-2),
            change("naive", "var_digits_worst", 3.0, 2.0),
            change("naive", "y_error_worst", 1e-2, 1e-3),
            change("chan", "var_error_worst", 1e-2, 1e-3, "b"),
        )
    )
    assert found.verdict == "1 of 9 measurements became worse"
    assert (len(found.regressions.measurements), found.regressions.metrics) == (1, 2)
    assert [each.metric for each in found.regressions.leading] == ["var_digits_worst"]
    assert found.improvements.algorithms == {"naive": 1, "chan": 1}
    assert (found.improvements.cases, found.twice, found.unchanged) == (2, 1, 7)


def test_failures_come_before_digits_before_errors() -> None:
    side = summary(
        compared(
            change("a", "y_error_worst", 1e-3, 1e-1),
            change("b", "var_digits_worst", 3.0, 2.0),
            change("c", "var_digits_worst", 6.0, 2.0),
            change("d", "var_nan", 0, 1),
        )
    ).regressions
    assert list(side.algorithms) == ["d", "c", "b", "a"]
    assert (side.failed, side.first_failed, side.farthest) == (1, side.leading[0], side.leading[1])


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (compared(shared=0), "Nothing to compare: the runs have no measurement in common"),
        (compared(), "Nothing changed"),
        (Comparison([], [], 9, missing=[key("a")]), "Nothing changed where both runs measured"),
        (
            compared(change("a", "var_nan", 1, 0)),
            "Nothing became worse; 1 of 9 measurements became better",
        ),
    ],
)
def test_the_verdict(found: Comparison, verdict: str) -> None:
    assert summary(found).verdict == verdict
