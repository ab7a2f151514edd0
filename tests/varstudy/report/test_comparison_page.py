"""The page of `varstudy compare A B --html FILE`: its exact content, regressions first, and names that stay text."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from report_pages import Page, made, record

from varstudy.cli import commands
from varstudy.report import comparison_page
from varstudy.study import results
from varstudy.study.comparison import compare
from varstudy.study.results import Results

EVIL = '<img src=x onerror="struck()"><script>alert(1)</script> {{ 7*7 }} \u202e'


def rows(**moved: float) -> list[dict[str, Any]]:
    """Three measurements; `moved` gives algorithms another error."""
    errors = {"naive": 1e-2, "welford": 1e-4, "chan": 1e-6} | moved
    return [record("offset/kappa=1e+02", "kappa-sweep", name, var_error_worst=e) for name, e in errors.items()]


def page_of(before: Results, after: Results) -> str:
    return comparison_page.render(before, after, compare(before, after), ("old", "new"))


def head(html: str) -> str:
    """The first screen, as text."""
    return " ".join(Page(html[html.index("<header>") : html.index("</header>") + 9]).text.split())


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
    where = ["offset/kappa=1e+02", "batch, float32 in float32"]
    digits, error = "correct digits of the variance, worst row", "relative error of the variance, worst row"
    median = "relative error of the variance, median row var_error_median"
    assert table(html, "Regressions, one line a measurement") == [
        ["chan", "3.00 digits lost", "6.00", "3.00", digits, *where]
    ]
    assert table(html, "Improvements, one line a measurement") == [
        ["naive", "2.00 digits gained", "2.00", "4.00", digits, *where]
    ]
    assert table(html, "Every metric that became worse") == [
        ["chan", "3.00 digits lost", "6.00", "3.00", f"{digits} var_digits_worst", *where],
        ["chan", "1,000 times as large", "10⁻⁶", "0.001", f"{error} var_error_worst", *where],
        ["chan", "1,000 times as large", "5×10⁻⁷", "0.0005", median, *where],
    ]
    assert table(html, "Regressions by algorithm") == [
        ["chan", f"3.00 digits lost ({digits})", "1", "1", "offset/kappa=1e+02"]
    ]
    command = results.reproduce("offset/kappa=1e+02", 0)
    assert table(html, "Feature maps on which something changed") == [["offset/kappa=1e+02", "1", "1", command]]
    places = [html.index(f'id="{name}"') for name in ("regressions", "improvements", "algorithms", "maps", "runs")]
    assert places == sorted(places)


def test_the_first_screen_says_whether_where_and_by_how_much() -> None:
    text = head(page_of(made(rows()), made(rows(naive=1e-4, chan=1e-3))))
    assert "1 of 3 measurements became worse" in text
    assert "▼ 1 became worse In 1 algorithm and 1 feature map." in text
    assert (
        "The farthest: chan on offset/kappa=1e+02: 3.00 digits lost "
        "(correct digits of the variance, worst row, 6.00 → 3.00)."
    ) in text
    assert "▲ 1 became better" in text
    assert "= 1 unchanged in every metric" in text


def test_failures_come_first_however_many_digits_others_lose() -> None:
    old = [*rows(), record("ramp/r", "families", "two_pass", var_error_worst=0.5)]
    new = [*rows(chan=1e-1), record("ramp/r", "families", "two_pass", var_error_worst=math.inf, var_nan=1)]
    html = page_of(made(old), made(new))
    lines = table(html, "Regressions, one line a measurement")
    assert [(row[0], row[1], row[4]) for row in lines] == [
        ("two_pass", "1 row more", "variances that are NaN"),
        ("chan", "5.00 digits lost", "correct digits of the variance, worst row"),
    ]
    text = head(html)
    assert "1 now fail, or lack a number that they had, first two_pass on ramp/r: 1 row more" in text
    assert "Of the others the farthest: chan on offset/kappa=1e+02: 5.00 digits lost" in text


def test_a_measurement_worse_and_better_is_told() -> None:
    old, new = rows(), rows()
    old[0] |= {"mean_error_worst": 1e-3}
    new[0] |= {"mean_error_worst": 1e-2, "var_error_worst": 1e-3, "var_digits_worst": 3.0}
    text = head(page_of(made(old), made(new)))
    assert "1 measurement became worse in one metric and better in another, and is in both lists." in text
    assert "= 2 unchanged in every metric" in text


def test_each_algorithm_has_its_digits_before_and_after() -> None:
    html = page_of(made(rows()), made(rows(naive=1e-4, chan=1e-3)))
    assert table(html, "Each algorithm before and after") == [
        ["chan", "6.00", "3.00", "3.00 digits lost", "1", "0", "1"],
        ["naive", "2.00", "4.00", "2.00 digits gained", "0", "1", "1"],
        ["welford", "4.00", "4.00", "=", "0", "0", "1"],
    ]


def test_medians_are_of_what_both_runs_have() -> None:
    hard = [record(f"hard/{k}", "families", "naive", var_error_worst=1.0) for k in range(5)]
    html = page_of(made([*rows(), *hard]), made(rows()))
    lines = {row[0]: row[1:] for row in table(html, "Each algorithm before and after")}
    assert lines["naive"] == ["2.00", "2.00", "=", "0", "0", "1"], "not better by leaving out the hard ones"


def test_an_algorithm_without_a_median_is_listed() -> None:
    one, other = (record("a", "families", "naive", accumulator="float64", var_error_worst=e) for e in (1e-3, 1e-2))
    html = page_of(made([one]), made([other]))
    assert table(html, "Each algorithm before and after") == [["naive", "–", "–", "–", "1", "0", "1"]]


def test_what_one_run_alone_has() -> None:
    extra = [*rows(), record("ramp/r", "families", "double_double", device="ptx", correction=1.0)]
    html = page_of(made(rows()), made(extra))
    page = Page(html)
    assert "Only before, in old: 0 measurements" in page.text
    assert "Only after, in new: 1 measurement" in page.text
    assert "0 only before, 1 only after." in head(html)
    assert "Nothing changed where both runs measured" in head(html)
    assert table(html, "Measurements only after") == [
        ["double_double", "ramp/r", "batch, float32 in float32, ptx, contraction off, n−1"]
    ]
    lines = table(html, "Each algorithm before and after")
    assert ["double_double", "not measured", "6.00", "–", "0", "0", "0"] in lines


def test_runs_without_a_common_measurement_are_not_called_equal() -> None:
    html = page_of(made(rows()), made([record("ramp/r", "families", "naive")]))
    text = Page(html).text
    assert "Nothing to compare: the runs have no measurement in common" in text
    assert "Nothing became" not in text
    assert "None." not in text


def test_equal_runs_say_so() -> None:
    html = page_of(made(rows()), made(rows()))
    text = Page(html).text
    assert "Nothing became worse." in text
    assert "Nothing became better." in text
    assert text.count("None.") == 2
    assert "<h1>Nothing changed</h1>" in html
    assert "became worse:" not in text
    assert "They differ in nothing that is recorded." in text


def test_what_the_runs_say_of_themselves_where_they_differ() -> None:
    before = made(rows(), provenance={"cpu": "one", "python": {"version": "3.11"}})
    after = made(
        rows(), settings={"level": "quick", "seed": 3, "only": None}, provenance={"python": {"version": "3.12"}}
    )
    assert table(page_of(before, after), "What the two runs say") == [
        ["settings seed", "0", "3"], ["cpu", "one", "–"], ["python version", "3.11", "3.12"],
    ]  # fmt: skip
    assert table(page_of(before, after), "What the two runs have in common") == [
        ["settings level", "quick"], ["settings only", "–"]
    ]  # fmt: skip


def test_the_first_screen_says_what_changed_between_the_runs() -> None:
    def versions(numpy: str, commit: str) -> dict[str, Any]:
        return {"versions": {"numpy": numpy}, "commit": commit, "made": numpy, "cpu": {"flags": ["a"]}}

    before = made(rows(), provenance=versions("2.4", "a" * 40))
    after = made(
        rows(), settings={"level": "full", "seed": 3, "only": None}, provenance=versions("2.5", "b" * 40)
    )  # fmt: skip
    text = head(page_of(before, after))
    commits = "a" * 12 + " → " + "b" * 12
    assert f"Between the runs changed: level quick → full; seed 0 → 3; numpy 2.4 → 2.5; commit {commits}." in text
    assert "The seeds differ: 0 and 3." in text
    same = head(page_of(before, before))
    assert "The seeds differ" not in same
    assert "Level, seed, versions and commit are the same in both, as far as they are recorded." in same


def test_zero_is_no_missing_setting() -> None:
    before = made(rows(), settings={"level": "quick", "seed": 0})
    after = made(rows(), settings={"level": "quick"})
    assert table(page_of(before, after), "What the two runs say") == [["settings seed", "0", "–"]]


def test_long_lists_are_told_by_their_difference_and_commands_as_typed() -> None:
    flags = [f"f{k}" for k in range(20)]
    before = made(rows(), provenance={"flags": flags, "command": ["varstudy", "run", "--only", "a b"]})
    after = made(rows(), provenance={"flags": flags[1:], "command": ["varstudy", "run"]})
    assert table(page_of(before, after), "What the two runs say") == [
        ["flags", "20 of them; only here: f0", "19 of them"],
        ["command", "varstudy run --only 'a b'", "varstudy run"],
    ]


def test_a_tolerance_is_told() -> None:
    before, after = made(rows()), made(rows(naive=1.001e-2))
    found = compare(before, after, tolerance=0.01)
    told = head(comparison_page.render(before, after, found, ("old", "new"), tolerance=0.01))
    assert "what moved by 1 % or less counts as unchanged" in told
    assert "unchanged in every metric, within 1 %" in told


def test_numbers_that_are_none_are_words() -> None:
    html = page_of(made(rows()), made(rows(naive=math.inf, welford=0.0)))
    worse = {(row[0], row[4].split()[-1]): row[3] for row in table(html, "Every metric that became worse")}
    better = {(row[0], row[4].split()[-1]): row[3] for row in table(html, "Every metric that became better")}
    assert worse["naive", "var_error_worst"] in ("inf", "∞")
    assert better["welford", "var_error_worst"] == "0"
    assert "nan" not in worse["naive", "var_error_worst"]


def test_more_than_a_page_holds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_page, "SHOWN", 2)
    html = page_of(made(rows()), made(rows(naive=1e-1, welford=1e-1, chan=1e-1)))
    lines = table(html, "Regressions, one line a measurement")
    assert [row[0] for row in lines] == ["chan", "welford"], "those that moved farthest"
    assert "Shown: 2 of 3;" in Page(html).text
    assert len(table(html, "Every metric that became worse")) == 2
    assert "Every metric that became worse: 9, the first 2 here" in Page(html).text


def test_hostile_names_stay_text() -> None:
    def evil(error: float, name: str) -> Results:
        moved = record(EVIL, EVIL, EVIL, norm=EVIL, device=EVIL, storage=EVIL, accumulator=EVIL, var_error_worst=error)
        alone = record(EVIL + name, EVIL, EVIL, norm=EVIL)
        return made([moved, alone], settings={"seed": EVIL, EVIL: name}, provenance={EVIL: {EVIL: name + EVIL}})

    before, after = evil(1e-3, "a"), evil(1e-2, "b")
    html = comparison_page.render(before, after, compare(before, after), (EVIL, EVIL))
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
    ran = CliRunner().invoke(commands, ["compare", a, b, "--html", out], prog_name="varstudy")
    assert ran.exit_code == 1, "something became worse"
    assert ran.stdout.startswith("1 of 3 measurements became worse.\n3 measurements in both.\n"), "as the page says"
    before, after = results.read(a), results.read(b)
    assert Path(out).read_text("utf-8") == comparison_page.render(before, after, compare(before, after), (a, b))


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    results.write(made(rows()), tmp_path / "a")
    a, out = str(tmp_path / "a"), str(tmp_path / "no" / "page.html")
    ran = CliRunner().invoke(commands, ["compare", a, a, "--html", out], prog_name="varstudy")
    assert ran.exit_code not in (0, 1)
    assert "Traceback" not in ran.output
    assert out in ran.output or str(Path(out).parent) in ran.output
