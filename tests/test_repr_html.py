"""What notebooks show of moments, truth, results and scorecards: well-formed, escaped, and the object's own numbers."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import ml_dtypes
import mpmath
import numpy as np
import pytest

import varkernels
import varstudy
from varkernels.htmltable import SHOWN, table
from varstudy.study import results
from varstudy.study.ground_truth import truth
from varstudy.survey.callables import Convention, Scorecard, Standing

HOSTILE = "<script>alert(1)</script> & \"'"


def parsed(text: str) -> ET.Element:
    """The HTML as a tree; it is well formed where this succeeds."""
    return ET.fromstring(f"<div>{text}</div>")


def cells(text: str) -> list[list[str]]:
    """What stands in the rows of the table's body."""
    return [[cell.text or "" for cell in row] for row in parsed(text).iterfind(".//tbody/tr")]


def words(text: str) -> str:
    return " ".join(parsed(text).itertext())


def test_every_text_of_a_table_is_escaped() -> None:
    text = table(HOSTILE, [HOSTILE], [[HOSTILE]], more=HOSTILE, marked=[0])
    tree = parsed(text)
    assert [each.text for each in tree.iter() if each.text] == [HOSTILE] * 4
    assert not list(tree.iter("script"))


def test_only_marked_rows_are_heads() -> None:
    rows = parsed(table("c", ["h"], [["a"], ["b"]], marked=[1])).findall(".//tbody/tr")
    assert [row[0].tag for row in rows] == ["td", "th"]


def test_moments_show_their_numbers() -> None:
    x = np.array([[2281.5, 2281.25], [1, 3]], dtype=np.float32)[np.newaxis]
    text = varkernels.moments(x, "chan")._repr_html_()
    assert cells(text) == [["0", "2", "2281.375", "0.03125", "0.015625"], ["1", "2", "2.0", "2.0", "1.0"]]
    assert "2 rows, accumulated in float32" in words(text)
    assert not parsed(text).findall("p")


def test_moments_of_many_rows_show_the_first() -> None:
    x = np.zeros((1, SHOWN + 1234, 3), dtype=ml_dtypes.bfloat16)
    text = varkernels.moments(x, "welford")._repr_html_()
    assert len(cells(text)) == SHOWN
    assert "and 1,234 more" in words(text)


def test_moments_without_rows_or_values_have_a_table_too() -> None:
    assert cells(varkernels.moments(np.zeros((1, 0, 3)), "chan")._repr_html_()) == []
    assert cells(varkernels.moments(np.zeros((1, 1, 0)), "chan")._repr_html_()) == [["0", "0", "nan", "nan", "nan"]]


def test_truth_shows_exact_digits_and_what_has_none() -> None:
    x = np.array([[1.0, 2.0, 2.0], [7.0, 7.0, 7.0], [1.0, math.nan, 1.0]])[np.newaxis]
    text = truth(x)._repr_html_()
    with mpmath.workdps(40):
        kappa = mpmath.nstr(mpmath.sqrt(mpmath.mpf(27) / 2), 20)  # sum x^2 = 9, M2 = 2/3
    assert cells(text) == [
        ["0", "3", "1.6666666666666666667", "0.22222222222222222222", kappa],
        ["1", "3", "7.0", "0.0", "inf"],
        ["2", "3", "nan", "nan", "nan"],
    ]


def test_truth_of_many_rows_shows_the_first() -> None:
    text = truth(np.ones((1, SHOWN + 1, 2)))._repr_html_()
    assert len(cells(text)) == SHOWN
    assert "and 1 more" in words(text)


def study(*digits: tuple[str, float]) -> results.Results:
    blank = {"str": "x", "int": 3, "float": 0.1}
    record = {c.name: blank[c.kind] for c in results.COLUMNS}
    return results.from_records(
        [
            record
            | {
                "algorithm": name,
                "var_digits_worst": worst,
                "rows_wrong": int(worst == -math.inf),
                "nonfinite_missed": 0,
            }
            for name, worst in digits
        ],
        cases={HOSTILE: {}},
        algorithms={name: {} for name, _ in digits},
        settings={},
    )


def test_results_show_the_best_algorithms_first() -> None:
    found = study(("naive", -math.inf), (HOSTILE, 7.25), ("naive", 3.0), ("exact", math.inf), (HOSTILE, math.nan))
    text = found._repr_html_()
    assert cells(text) == [
        ["exact", "1", "exact", "exact", "0"],
        [HOSTILE, "1", "7.2", "7.2", "0"],
        ["naive", "2", "none", "none", "1"],
    ]
    assert "5 measurements of 1 cases by 3 algorithms" in words(text)


def test_results_leave_out_what_is_worse() -> None:
    text = study(*((f"a{k}", float(k)) for k in range(SHOWN + 2)))._repr_html_()
    assert [row[0] for row in cells(text)] == [f"a{k}" for k in range(SHOWN + 1, 1, -1)]
    assert "and 2 algorithms with fewer digits" in words(text)


def test_results_without_rows_have_a_table_too() -> None:
    assert cells(study()._repr_html_()) == []


@pytest.mark.parametrize("place", [1, SHOWN + 3])
def test_a_scorecard_shows_its_own_line_whatever_its_place(place: int) -> None:
    ours = [Standing(f"a{k}", "wider", 4, k, 7.0) for k in range(1, SHOWN + 5) if k != place]
    ranking = sorted([*ours, Standing(HOSTILE, "", 4, place, -math.inf)], key=lambda each: each.wrong)
    card = Scorecard(HOSTILE, Convention("ddof", 0, False, "why"), 0, "quick", [], ranking)
    text = card._repr_html_()
    shown = cells(text)
    assert len(shown) == SHOWN + (place > SHOWN)
    assert [row for row in shown if row[1] == HOSTILE] == [[str(place), HOSTILE, "", "4", str(place), "none"]]
    heads = [row for row in parsed(text).iterfind(".//tbody/tr") if row[0].tag == "th"]
    assert [row[1].text for row in heads] == [HOSTILE]
    assert f"place {place} of {SHOWN + 4}" in words(text)


def test_streamed_moments_are_one_row() -> None:
    moments = varstudy.Moments().update(np.float32([1, 2, 4]))
    assert cells(moments._repr_html_()) == [["3", "2.3333333", "1.5555556", "2.3333333"]]
    assert words(varstudy.Moments()._repr_html_()).startswith("moments by exact, no data")
