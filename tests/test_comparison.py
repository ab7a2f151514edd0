"""The page of `varstudy compare A B --html FILE`: its exact content, regressions first, and names that stay text."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_report import Page, made, record

from varstudy import results
from varstudy.cli import cli
from varstudy.compare import compare
from varstudy.report import comparison
from varstudy.results import Results

EVIL = '<img src=x onerror="struck()"><script>alert(1)</script> {{ 7*7 }} \u202e'


def rows(**moved: float) -> list[dict[str, Any]]:
    """Three measurements; `moved` gives algorithms another error."""
    errors = {"naive": 1e-2, "welford": 1e-4, "chan": 1e-6} | moved
    return [record("offset/kappa=1e+02", "kappa-sweep", name, var_error_worst=e) for name, e in errors.items()]


def page_of(before: Results, after: Results) -> str:
    return comparison.render(before, after, compare(before, after), ("old", "new"))


def table(html: str, caption: str) -> list[list[str]]:
    """The cells of the body of the table with a caption."""
    (body,) = re.findall(rf"<caption>{caption}[^<]*</caption>.*?<tbody>(.*?)</tbody>", html, re.DOTALL)
    return [
        [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall("<tr>(.*?)</tr>", body, re.DOTALL)
    ]


def test_what_moved_is_there_regressions_first() -> None:
    html = page_of(made(rows()), made(rows(naive=1e-4, chan=1e-3)))
    Page(html)
    worse = [row for row in table(html, "Regressions") if row[3] == "var_error_worst"]
    better = [row for row in table(html, "Improvements") if row[3] == "var_error_worst"]
    command = results.reproduce("offset/kappa=1e+02", 0)
    assert worse == [
        ["offset/kappa=1e+02", "batch, float32 in float32", "chan", "var_error_worst", "10⁻⁶", "0.001", command]
    ]
    assert [(row[2], row[4], row[5]) for row in better] == [("naive", "0.01", "0.0001")]
    assert html.index('id="regressions"') < html.index('id="improvements"') < html.index('id="algorithms"')
    assert {row[2] for row in table(html, "Regressions")} == {"chan"}


def test_each_algorithm_has_its_digits_before_and_after() -> None:
    html = page_of(made(rows()), made(rows(naive=1e-4, chan=1e-3)))
    assert table(html, "Each algorithm before and after") == [
        ["chan", "6.00", "3.00", "1", "0"],
        ["naive", "2.00", "4.00", "0", "1"],
        ["welford", "4.00", "4.00", "0", "0"],
    ]


def test_what_one_run_alone_has() -> None:
    extra = [*rows(), record("ramp/r", "families", "double_double", device="ptx", correction=1.0)]
    html = page_of(made(rows()), made(extra))
    page = Page(html)
    assert "Only in old: 0 measurements" in page.text
    assert "Only in new: 1 measurement" in page.text
    assert table(html, "Measurements without a counterpart") == [
        ["ramp/r", "batch, float32 in float32, ptx, contraction off, n−1", "double_double"]
    ]
    assert ["double_double", "not measured", "6.00", "0", "0"] in table(html, "Each algorithm before and after")


def test_equal_runs_say_so() -> None:
    html = page_of(made(rows()), made(rows()))
    text = Page(html).text
    assert "Nothing became worse." in text
    assert "Nothing became better." in text
    assert text.count("None.") == 2
    assert "They differ in nothing that is recorded." in text


def test_what_the_runs_say_of_themselves_where_they_differ() -> None:
    before = made(rows(), provenance={"cpu": "one", "python": {"version": "3.11"}})
    after = made(
        rows(), settings={"level": "quick", "seed": 3, "only": None}, provenance={"python": {"version": "3.12"}}
    )
    assert table(page_of(before, after), "What the two runs say") == [
        ["settings seed", "0", "3"], ["cpu", "one", "–"], ["python version", "3.11", "3.12"],
    ]  # fmt: skip


def test_numbers_that_are_none_are_words() -> None:
    html = page_of(made(rows()), made(rows(naive=math.inf, welford=0.0)))
    worse = {(row[2], row[3]): row[5] for row in table(html, "Regressions")}
    better = {(row[2], row[3]): row[5] for row in table(html, "Improvements")}
    assert worse["naive", "var_error_worst"] in ("inf", "∞")
    assert better["welford", "var_error_worst"] == "0"
    assert "nan" not in worse["naive", "var_error_worst"]


def test_more_than_a_page_holds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SHOWN", 2)
    html = page_of(made(rows()), made(rows(naive=1e-1, welford=1e-1, chan=1e-1)))
    lines = table(html, "Regressions")
    assert list(dict.fromkeys(row[2] for row in lines)) == ["chan", "welford"], "those that moved farthest"
    assert "The 2 that moved farthest, of 3;" in Page(html).text


def test_hostile_names_stay_text() -> None:
    def evil(error: float, name: str) -> Results:
        moved = record(EVIL, EVIL, EVIL, norm=EVIL, device=EVIL, storage=EVIL, accumulator=EVIL, var_error_worst=error)
        alone = record(EVIL + name, EVIL, EVIL, norm=EVIL)
        return made([moved, alone], settings={"seed": EVIL, EVIL: name}, provenance={EVIL: {EVIL: name + EVIL}})

    before, after = evil(1e-3, "a"), evil(1e-2, "b")
    html = comparison.render(before, after, compare(before, after), (EVIL, EVIL))
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [k for _, given in page.tags for k in given if k.startswith("on")]
    assert page.text.count("<img src=x onerror=") > 10
    assert "49" not in page.text.replace("{{ 7*7 }}", "")
    assert "\u202e" not in html


def test_the_command_writes_it(tmp_path: Path) -> None:
    for name, found in (("a", made(rows())), ("b", made(rows(chan=1e-3)))):
        results.write(found, tmp_path / name)
    a, b, out = (str(tmp_path / name) for name in ("a", "b", "page.html"))
    ran = CliRunner().invoke(cli, ["compare", a, b, "--html", out], prog_name="varstudy")
    assert ran.exit_code == 1, "something became worse"
    before, after = results.read(a), results.read(b)
    assert Path(out).read_text("utf-8") == comparison.render(before, after, compare(before, after), (a, b))


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    results.write(made(rows()), tmp_path / "a")
    a, out = str(tmp_path / "a"), str(tmp_path / "no" / "page.html")
    ran = CliRunner().invoke(cli, ["compare", a, a, "--html", out], prog_name="varstudy")
    assert ran.exit_code not in (0, 1)
    assert "Traceback" not in ran.output
    assert out in ran.output or str(Path(out).parent) in ran.output
