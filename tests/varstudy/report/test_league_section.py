"""The report's section on libraries: one league with our algorithms, and what each function is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_pages import HOSTILE, Page

from varstudy.report import measured_file, report_page
from varstudy.report.sections import league as section
from varstudy.report.sections.league_tables import LeagueTable
from varstudy.survey.league import layers, league_record, together
from varstudy.survey.league.league_record import LeagueFact, LeagueRow

CASES = [
    {"case": "families/a", "group": "families", "rows": 4, "values": 100},
    {"case": "families/b", "group": "families", "rows": 4, "values": 100},
    {"case": "nist/c", "group": "nist", "rows": 1, "values": 10},
    {"case": "growth/long", "group": "growth", "rows": 1, "values": 65_536},
]


def row(function: str, worst: str, **given: Any) -> LeagueRow:
    made = LeagueRow(function, "lib", "env", "1.2.3", "float32", "1 and 2", 0, worst=worst, median=worst)
    return replace(made, **given)


def ours(algorithm: str, worst: str, **given: Any) -> LeagueRow:
    return row(algorithm, worst, library=league_record.OURS, **given)


def fact(function: str, **given: Any) -> LeagueFact:
    made = LeagueFact(
        function, "lib", "env", "measured", version="lib 1.2.3, numpy 2", date="2026-01-02", machine="a processor",
        default_correction="0", choices="0, 1", one_value="0", at_correction="NaN", empty="null", with_nan="NaN",
        repeated="same bits", threads_alike="same bits",
    )  # fmt: skip
    return replace(made, **given)


def league(rows: list[LeagueRow], facts: list[LeagueFact] | None = None, **given: Any) -> dict[str, Any]:
    known = [fact(r.function) for r in rows if r.library != league_record.OURS] if facts is None else facts
    return {
        "settings": {},
        "provenance": {"made": "2026-01-02T03:04:05", "command": [], "versions": {}, "cpu": {"model": "a processor"}},
        "cases": {"float32": CASES},
        "facts": [each.record() for each in known],
        "rows": [each.record() for each in rows],
        **given,
    }


SMALL = [
    row("good.var", "1.0e-7 1.0e-6 1.0e-7 .", equal="two_pass in float32; welford in float32; a; b", equal_count=4),
    row("bad.var", "1.0e1 1.0e-6 inf 1.0", marks="0:neg 2;2:nan 1", negative=2, nan=1),
    ours("two_pass in float32", "1.0e-7 1.0e-6 1.0e-7 1.0e-4"),
    ours("corrected in float32", "1.0e-7 1.0e-6 1.0e-7 1.0e-4"),
    ours("naive in float32", "1.0e-3 1.0 1.0e-7 1.0"),
]


def rendered(made: section.Libraries) -> str:
    template = report_page.environment().from_string(
        '{% from "macros.html.j2" import scroll, heading, subheading, figure %}{% include "details/league.html.j2" %}'
    )
    return template.render(libraries=made)


def lines(table: LeagueTable) -> list[list[tuple[str, str]]]:
    """The class and text of each cell."""
    return [[("", f"{line.name} {line.remark}"), *line.cells, ("", line.equal or "")] for line in table.body]


def test_the_table_is_the_leagues_own_order() -> None:
    content = league(SMALL)
    (table,) = section.made(content, "as committed").tables
    standings = together(content, "float32", max_length=20_000)
    expected = [s.name for s in standings if s.name != "corrected in float32"]
    shown = lines(table)
    assert [line[0][1].split(" ")[0] for line in shown] == [name.split(" ")[0] for name in expected]
    assert [line[1][1] for line in shown] == [str(s.place) for s in standings if s.name in expected]
    assert len(table.body) == len(shown) == 4


def test_a_line_says_what_the_row_says() -> None:
    (table,) = section.made(league(SMALL), "as committed").tables
    by_name = {line[0][1].split(" ")[0]: line for line in lines(table)}
    good, bad, two = by_name["good.var"], by_name["bad.var"], by_name["two_pass"]
    assert [text for _, text in good] == [
        "good.var 1.2.3", "1", "n", "NaN", "0 of 3", "7.0", "6.0", "6.0", "7.0",
        "two_pass in float32, welford in float32 and 2 more",
    ]  # fmt: skip
    assert bad[4:9] == [
        ("", "2 of 3"), ("b", "0.0"), ("b", "0.0"), ("x", "neg"), ("x", "NaN"),
    ]  # fmt: skip
    assert two[0][1] == "two_pass in float32 ours; alike: corrected in float32"
    assert two[2][1] == two[3][1] == "–", "what is ours has no default"
    assert [css for css, _ in good[5:9]] == ["h", "g", "g", "h"]


def test_threads_are_told_where_their_bits_differ() -> None:
    rows = [row("f", "1.0e-7 1.0e-6 1.0e-7 .", threads="1"), row("f", "1.0e-7 1.0e-5 1.0e-7 .", threads="2")]
    (table,) = section.made(league(rows, [fact("f")]), "").tables
    assert [line[0][1] for line in lines(table)] == ["f 1.2.3 · threads: 1 only", "f 1.2.3 · threads: 2 only"]
    assert "Of 1 function of a library" in table.notes[0]


def test_notes_count_what_the_table_has() -> None:
    told = " ".join(section.made(league(SMALL), "").tables[0].notes)
    assert "Of 2 functions of libraries the first is <code>good.var</code> (place 1, 0 of 3 cases" in told
    assert "the last <code>bad.var</code> (2 of 3 cases, 0.0 in the median)" in told
    assert "The best of our algorithms, <code>two_pass in float32</code>, has place 1; none does better" in told
    assert "1 of them are bit-identical to one of our algorithms" in told
    assert "Negative variances: <code>bad.var</code> (2 rows)" in told


def test_what_each_function_is() -> None:
    facts = [
        fact("good.var", note="in chunks"),
        fact("good.other"),
        fact("good.sample", default_correction="1", at_correction="raises ValueError: too few"),
        fact("gone.var", status="not measured", reason="its environment is not there"),
    ]
    refused = row("good.var", "", storage="float16", refused="TypeError: no half")
    made = section.made(league([SMALL[0], refused], facts), "as committed")
    names = [line[0] for line in made.facts]
    assert names == ["good.var, good.other", "good.sample"], "alike in all: one line"
    first, second = made.facts
    assert first[1:5] == ("n", "0, 1", "0", "NaN")
    assert first[-3:] == ("lib 1.2.3", "2026-01-02", "in chunks")
    assert (second[1], second[4]) == ("n − 1", "raises ValueError")
    assert made.absent == (
        ("gone.var", "not measured: its environment is not there"),
        ("good.var", "refuses float16: TypeError: no half"),
    )
    assert "3 functions of 1 library, as committed: 2026-01-02 on a processor" in made.lead[0]
    assert "by <b>n</b> <code>lib</code>; by <b>n − 1</b> <code>lib</code>" in made.lead[1]


def test_float32_comes_first_and_the_others_are_closed() -> None:
    rows = [replace(r, storage=s) for s in ("float16", "float32") for r in SMALL]
    made = section.made(league(rows, cases={"float16": CASES, "float32": CASES}), "")
    assert [table.storage for table in made.tables] == ["float32", "float16"]
    html = rendered(made)
    assert html.index("float32: correct digits") < html.index("<details><summary>float16: 4 lines</summary>")


def test_text_from_outside_stays_text() -> None:
    cases = [{**case, "case": HOSTILE, "group": HOSTILE} for case in CASES]
    rows = [
        row(
            HOSTILE,
            "1.0e-7 1.0 inf .",
            version=HOSTILE,
            threads=HOSTILE,
            equal=HOSTILE,
            storage=HOSTILE,
            marks="0:neg 1",
        )
    ]
    facts = [
        fact(HOSTILE, library=HOSTILE, default_correction=HOSTILE, at_correction=HOSTILE, note=HOSTILE, machine=HOSTILE)
    ]
    facts.append(fact(HOSTILE + "2", status=HOSTILE, reason=HOSTILE))
    given = {"cases": {HOSTILE: cases}, "provenance": {"made": HOSTILE, "cpu": {"model": HOSTILE}}}
    html = rendered(section.made(league(rows, facts, **given), HOSTILE))
    parsed = Page(html)
    assert not [tag for tag, _ in parsed.tags if tag in ("script", "iframe", "img", "object", "form")]
    assert not [k for _, g in parsed.tags for k in g if k.startswith("on")]
    assert HOSTILE[: HOSTILE.index("\u202e")] in parsed.text
    assert section.made(league(rows, facts, **{**given, "provenance": {"cpu": []}}), "").lead


def test_tables_are_semantic_and_their_regions_reachable() -> None:
    tags = Page(rendered(section.made(league(SMALL), ""))).tags
    names = [tag for tag, _ in tags]
    assert names.count("table") == names.count("caption") == names.count("thead")
    assert all("scope" in g for t, g in tags if t == "th")
    regions = [g["aria-label"] for _, g in tags if g.get("class") == "scroll" and g.get("tabindex") == "0"]
    assert len(set(regions)) == len(regions) == names.count("table")
    heads = [g for t, g in tags if t == "th" and g["scope"] in ("col", "colgroup")]
    assert heads


def test_a_league_that_is_not_there_or_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(league_record, "COMMITTED", tmp_path / "league.json")
    assert "Not measured: <code>python -m varstudy libraries --install --out DIR</code>" in rendered(
        section.libraries()
    )
    assert measured_file(league_record.read, tmp_path) is None
    league_record.write(tmp_path / "league.json", league(SMALL))
    assert "as committed" in section.libraries().lead[0]
    fresh = measured_file(league_record.read, tmp_path)
    assert isinstance(fresh, dict)
    assert "measured here" in section.libraries(fresh).lead[0]
    content = json.loads((tmp_path / "league.json").read_text("utf-8"))
    content["rows"][0]["worst"] = "1.0"
    (tmp_path / "league.json").write_text(json.dumps(content), "utf-8")
    html = rendered(section.libraries())
    assert "Not measured: league.json was edited or cut" in html
    broken = measured_file(league_record.read, tmp_path)
    assert isinstance(broken, str)
    assert rendered(section.libraries(broken)) == html


def test_a_part_that_was_measured_anew_stands_beside_what_is_committed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(league_record, "COMMITTED", tmp_path / "league.json")
    league_record.write(tmp_path / "league.json", league(SMALL))
    quick = {"settings": {"level": "quick"}}
    same = section.libraries(league(SMALL[:1], **quick))
    assert "as committed" in same.lead[0]
    assert same.lead[-1] == (
        "Measured again on this machine, on the smallest set of cases: 1 function (lib 1.2.3, numpy 2). Nothing "
        "differs from what is committed."
    )
    worse = row(
        "good.var", "1.0e1 1.0e-6 1.0e-7 .", equal="two_pass in float32; welford in float32; a; b", equal_count=4
    )
    other = section.libraries(league([worse], **quick))
    assert other.lead[-2].endswith(" From what is committed 1 thing differs: ")
    assert other.lead[-1] == f"<code>good.var</code>: case {CASES[0]['case']} float32 was right, is wrong."
    assert section.libraries(league([], **quick)).lead == section.libraries().lead


def test_nothing_in_the_league() -> None:
    made = section.made(league([]), "")
    assert made.tables == ()
    assert "Not measured" in rendered(made)


def test_the_committed_league() -> None:
    made = section.libraries()
    assert not made.problem
    html = rendered(made)
    Page(html)
    assert len(html.encode()) < 290_000
    content = league_record.committed()
    measured = [f.function for f in league_record.facts(content) if f.status == "measured"]
    told = ", ".join(line[0] for line in made.facts)
    assert all(name in told for name in measured)


def test_the_layers_stand_in_the_league_too() -> None:
    found = section.libraries().layers
    assert found is not None
    lines = layers.ranked(league_record.committed(), layers.committed())
    assert len(found.body) == len(lines)
    shown = {line.name for line in found.body}
    names = {fact.function for fact in layers.facts(layers.committed())}
    for each in lines:
        if each.name in names:
            assert each.name in shown
    # A league on other cases than the layers' stands without them.
    assert section.made(league(SMALL), "").layers is None
