"""The committed report: it is there, and its check can fail."""

from __future__ import annotations

import copy
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

MAKE = Path(__file__).resolve().parents[1] / "reports" / "make.py"


@pytest.fixture(scope="module")
def make() -> dict[str, Any]:
    return runpy.run_path(str(MAKE))


@pytest.fixture(scope="module")
def committed(make: dict[str, Any]) -> dict[str, Any]:
    opened: dict[str, Any] = make["table"](make["pages"]())
    return opened


def test_its_table_is_of_this_schema(make: dict[str, Any], committed: dict[str, Any]) -> None:
    from varstudy.study.results import COLUMNS  # noqa: PLC0415

    assert list(committed) == [column.name for column in COLUMNS]
    assert len(make["lines"](committed)) > 30_000


def test_what_differs_is_told(make: dict[str, Any], committed: dict[str, Any]) -> None:
    assert make["differences"](committed, committed) == []
    other = copy.deepcopy(committed)
    other["var_error_worst"][7] = 0.125
    (told,) = make["differences"](committed, other)
    assert "var_error_worst is " in told
    assert told.endswith("and 0.125 here")
    del other["exact"]
    assert "its columns are" in make["differences"](committed, other)[0]
    assert make["differences"](committed, {name: [] for name in committed}) == [
        "it has no measurement in common with these results"
    ]


def test_it_holds_no_path_of_the_machine_that_made_it(make: dict[str, Any]) -> None:
    for html in make["pages"]().values():
        assert not re.search(r"/(root|home|tmp|work)/", html)
        assert len(html) < 6_000_000


def test_every_page_that_a_page_links_is_there(make: dict[str, Any]) -> None:
    assert make["missing"](make["pages"]()) == []
    two = {"report.html": '<a href="report-a.html#x">', "report-a.html": '<p id="x"><a href="report.html">'}
    assert make["missing"](two) == []
    assert make["missing"]({**two, "report-a.html": ""}) == [
        "report.html links report-a.html#x, and that page has no such place"
    ]
    assert make["missing"]({"report.html": two["report.html"]}) == [
        "report.html links report-a.html, which is not there"
    ]
