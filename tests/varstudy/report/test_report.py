"""The report: it escapes what came from outside, loads nothing, agrees with its table, and bears any table."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from report_pages import HOSTILE, Page, made, record, small_study, whole

from varkernels import FORMATS, algorithms, moments
from varstudy import report
from varstudy.report import words
from varstudy.report.figures import bessel, draw, growth, kappa, norms, output, precision
from varstudy.report.model import summary
from varstudy.report.model.facts import Facts, decimal_digits
from varstudy.report.report_page import PAGES
from varstudy.report.sections import explorer_parts, museum, nist, pencil, wide_tables
from varstudy.study.pool import Crew
from varstudy.study.recommendation import recommend
from varstudy.study.results import COLUMNS, Results

# Safe ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> Results:
    return made(small_study())


@pytest.fixture(scope="module")
def pages(study: Results) -> dict[str, str]:
    return report.render(study)


@pytest.fixture(scope="module")
def html(pages: dict[str, str]) -> str:
    return pages["report.html"]


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


# A test of each page.
each_page = pytest.mark.parametrize("made_of", PAGES, ids=lambda found: found["file"])


@pytest.fixture(scope="module")
def hostile() -> Results:
    rows = small_study(HOSTILE)
    for row in rows[::5]:
        row["algorithm"] = row["formula"] = row["order"] = HOSTILE
    for row in rows[::7]:
        row["shape"] = row["layout"] = HOSTILE
    for row in rows[3::7]:
        row["device"] = HOSTILE
    rows.append(record(HOSTILE, HOSTILE, "naive", norm=HOSTILE, storage="float32", accumulator=HOSTILE))
    rows.append(record(HOSTILE, "norms", "naive"))
    keys = ("rationale", "source", "observed", "group", "layout", "summary", HOSTILE)
    text = dict.fromkeys(keys, HOSTILE)
    return made(
        rows,
        cases={row["case"]: text | {"shape": [HOSTILE], "source": "javascript:alert(1)"} for row in rows},
        algorithms={row["algorithm"]: text for row in rows},
        settings={"level": HOSTILE, "seed": 0, "only": [HOSTILE]},
        provenance={HOSTILE: {HOSTILE: [HOSTILE]}, "cpu": HOSTILE},
    )


@pytest.fixture(scope="module")
def hostile_html(hostile: Results) -> str:
    return whole(hostile)


def test_text_from_outside_stays_text(hostile_html: str) -> None:
    page = Page(hostile_html)
    assert not [tag for tag, _ in page.tags if tag in ("iframe", "object", "embed", "img")]
    # The pages' own scripts and forms and the explorer's data, as many as for any results.
    assert [tag for tag, _ in page.tags].count("script") == sum(len(each["scripts"]) for each in PAGES) + 2
    assert [tag for tag, _ in page.tags].count("form") == 2
    assert not [k for _, given in page.tags for k in given if k.startswith("on") or k in ("srcdoc", "formaction")]
    assert "<script>alert(1)</script>\"'&$x^2$" in page.text
    assert "<script>alert(1)</script>" in page.figure_text, "a name on a figure's axis is text too"
    assert "{{ 7*7 }}" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", hostile_html)
    hostile_html.encode("utf-8")


def test_a_hostile_source_is_no_link() -> None:
    for source in ("javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a b", "http://[", " "):
        assert "href" not in words.source_link(source)
    assert words.source_link('https://a/"><b>') == (
        '<a href="https://a/&#34;&gt;&lt;b&gt;" rel="noreferrer">a/&#34;&gt;&lt;b&gt;</a>'
    )
    assert words.source_link("https://github.com/o/r/issues/7").endswith(">o/r#7</a>")


def test_figures_are_well_formed_and_hold_no_foreign_markup(hostile: Results) -> None:
    facts = Facts(hostile)
    for module in (kappa, growth, bessel, norms):
        svg = module.draw(facts).svg
        assert svg is not None
        root = ET.fromstring(svg)
        assert {e.tag for e in root.iter()} <= {"svg", "g", "path", "defs", "use", "text", "clipPath", "rect"}
        assert not re.search(r"#0101[0-9a-f]{2}", svg), "a colour that does not follow the page"
        assert root.get("role") == "img"
        assert root.get("aria-label")


@each_page
def test_nothing_is_loaded(pages: dict[str, str], made_of: dict[str, Any]) -> None:
    html = pages[made_of["file"]]
    page = Page(html)
    policies = [g["content"] for t, g in page.tags if g.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    # Every script that may run is one of ours, told by its digest.
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert rules["script-src"].split() == ([f"'sha256-{digest}'" for digest in digests] or ["'none'"])
    assert len(scripts) == len(made_of["scripts"])
    for tag, given in page.tags:
        assert tag not in ("link", "iframe", "img", "video", "audio", "object", "base")
        assert not {"src", "srcset", "xlink:href", "data", "background", "poster"} & set(given)
        if "href" in given and tag != "a":
            assert tag == "use"
            assert given["href"][0] == "#"
        for target in re.findall(r"url\(([^)]*)\)", " ".join(given.values())):
            assert target[0] == "#"
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "@font-face" not in style


@each_page
def test_anchors_lead_somewhere_and_ids_are_unique(pages: dict[str, str], made_of: dict[str, Any]) -> None:
    page = Page(pages[made_of["file"]])
    assert len(page.ids) == len(set(page.ids))
    local = [g["href"][1:] for _, g in page.tags if g.get("href", "").startswith("#")]
    assert set(local) <= set(page.ids)
    for address in {g["href"] for tag, g in page.tags if tag == "a" and g["href"].startswith("report")}:
        file, _, anchor = address.partition("#")
        assert not anchor or f'id="{anchor}"' in pages[file], address
    used = {name for _, g in page.tags for v in g.values() for name in re.findall(r"url\(#([^)]*)\)", v)}
    assert used <= set(page.ids)


# Accessible ----------------------------------------------------------------------------------------------------------


@each_page
def test_semantics(pages: dict[str, str], made_of: dict[str, Any]) -> None:
    html = pages[made_of["file"]]
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == tags.count("main") == 1
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in g for t, g in page.tags if t == "th")
    assert all(g.get("tabindex") == "0" and g.get("aria-label") for _, g in page.tags if g.get("class") == "scroll")
    assert [g for t, g in page.tags if t == "html"] == [{"lang": "en"}]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def luminance(colour: str) -> float:
    full = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(html: str, dark: bool) -> None:
    style = html[html.index("<style>") : html.index("</style>")]
    themes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", themes[int(dark)]))
    for cell in "abcdefghx":
        assert contrast(colours[cell], colours[cell + "i"]) >= 4.5, cell
    for text in ("ink", "muted", "link"):
        assert contrast(colours[text], colours["back"]) >= 4.5, text
    for line in (f"c{i}" for i in range(9)):
        assert contrast(colours[line], colours["back"]) >= 3.0, line


def test_every_algorithm_of_a_figure_is_told_apart_without_colour() -> None:
    markers = [draw.STYLES[name].marker for name in draw.KNOWN]
    assert len(set(markers)) == len(markers)


# True ----------------------------------------------------------------------------------------------------------------


def test_a_page_of_a_run_that_goes_on_says_how_much_is_measured(study: Results, html: str) -> None:
    drawn = report.render(replace(study, settings={**study.settings, "measured": [3, 306]}))
    assert list(drawn) == ["report.html", "claims.json"]
    part = drawn["report.html"]
    assert 'href="report-' not in part, "a link to a page that is not drawn yet"
    banner = re.search(r'<p class="caution" role="status">(.*?)</p>', part, re.DOTALL)
    assert banner is not None
    assert "3 of 306 cells measured" in Page(banner[0]).text
    assert "cells measured" not in html


@pytest.mark.parametrize("measured", [HOSTILE, [HOSTILE, 3], [1], [1, 2, 3], {"a": 1}, None, [0.5, 2]])
def test_what_is_no_such_count_is_no_banner(measured: object) -> None:
    given = made([record("a", "norms", "naive")], settings={"level": "default", "seed": 0, "measured": measured})
    assert Facts(given).measured is None


def test_museum_tally(study: Results) -> None:
    tally = summary.museum_tally(Facts(study), ["naive", "two_pass", "chan", "nobody"])
    assert tally == {"naive": (2, 2), "two_pass": (1, 2), "chan": (0, 2)}


def test_the_report_recommends_what_the_rule_does(study: Results, pages: dict[str, str]) -> None:
    facts = Facts(study)
    listed = summary.recommendations(facts)
    for choice in listed:
        assert choice == recommend(facts.population, choice.storage, choice.accumulator, choice.limit)
    shown = " ".join(Page(pages["report-algorithms.html"]).text.split())
    for choice in listed:
        for pick in (choice.cheapest, choice.accurate, choice.runner_up):
            assert pick is None or f"{pick.operations} operations, state {pick.state}" in shown


def test_few_maps_recommend_nothing() -> None:
    def maps(n: int) -> list[dict[str, Any]]:
        return [
            record(f"a{i}", "families", name, var_error_worst=1e-7) for i in range(n) for name in ("two_pass", "chan")
        ]

    few = whole(made(maps(1)))
    assert "So few maps recommend nothing." in few
    assert "<b>Caution.</b>" in few
    many = whole(made(maps(summary.FEW_MAPS)))
    assert "on all 30 well-posed maps in range" in " ".join(many.split())
    assert "Caution" not in many


def test_the_sections_of_the_report_count_alike(study: Results) -> None:
    frame = Facts(study).frame
    statuses = ["rows_right", "rows_inaccurate", "rows_wrong", "rows_out_of_range"]
    assert (study.frame[statuses].sum(axis=1) == study.frame["rows_scored"]).all()
    wrong = (study.frame.rows_wrong > 0) | (study.frame.nonfinite_missed > 0)
    assert (frame.wrong == wrong).all()
    # The museum's tally, the heat map's note and the table are of one and the same answers.
    facts = Facts(study)
    museum = frame[(frame.group == "museum") & frame.own & frame.judged]
    for name, (bad, total) in summary.museum_tally(facts, ["naive", "two_pass", "chan"]).items():
        mine = museum[museum.algorithm == name]
        assert (bad, total) == (mine[mine.wrong].case.nunique(), mine.case.nunique())
    for part in wide_tables.heat_maps(facts):
        rows = frame[(frame.storage == part.storage) & (frame.accumulator == part.accumulator) & frame.judged]
        rows = rows[rows.group.isin(wide_tables.HEAT_GROUPS)]
        for note in part.notes:
            worst = rows.groupby("algorithm").wrong.sum().max()
            assert f"on {worst} of " in note


def test_cells() -> None:
    rows = [
        record("a", "families", "naive", var_nan=1, var_error_worst=math.inf),
        record("b", "families", "naive", var_inf=1, var_error_worst=math.inf),
        record("c", "families", "naive", var_negative=1, var_error_worst=3.0),
        record("d", "families", "naive", var_error_worst=math.inf, exact=0.0),
        record("e", "families", "naive", nonfinite_missed=2),
        record("f", "families", "naive", var_inf=1, var_error_worst=math.inf, exact=1e40),
        record("g", "families", "naive", rows_scored=0),
        record("h", "families", "naive", var_error_worst=0.0),
        record("i", "families", "naive", var_error_worst=1e3),
        record("j", "families", "naive", var_error_worst=10.0**-3.04),
        record("k", "families", "naive", var_error_worst=1e-9),
        record("l", "families", "naive", var_error_worst=1.0),
    ]
    frame = Facts(made(rows)).frame
    assert list(zip(frame.css, frame.text, strict=True)) == [
        ("x", "NaN"), ("x", "inf"), ("x", "neg"), ("x", "≠0"), ("x", "missed"), ("n", "inf"), ("n", ""), ("h", "="),
        ("a", "−3.0"), ("d", "3.0"), ("h", "9.0"), ("b", "0.0"),
    ]  # fmt: skip


def test_every_measurement_is_in_the_full_table(study: Results, pages: dict[str, str]) -> None:
    parts = wide_tables.group_tables(Facts(study))
    assert sum(part.measurements for part in parts) == len(study.frame)
    lines = [line for part in parts for block in part.table.blocks for line in block.lines]
    assert sum(css in "abcdefghx" for line in lines for css, _ in line.cells) == len(study.frame)
    assert "python -m varstudy run --only &#39;museum/x/y#1&#39;" in pages["report-data.html"]


def test_nothing_is_clipped_before_it_is_drawn(study: Results) -> None:
    drawn = kappa.draw(Facts(study))
    rows = study.frame[(study.frame.group == "kappa-sweep") & study.frame.algorithm.isin(draw.KNOWN)]
    exact, failed = int((rows.var_error_worst == 0).sum()), int(np.isinf(rows.var_error_worst).sum())
    assert (
        f"Of {len(rows)} points {failed} are in the strip of NaN and infinities, {exact} in the strip of exact"
        in (drawn.notes[0])
    )
    assert drawn.svg is not None
    assert "NaN, ∞" in drawn.svg
    assert ">exact<" in drawn.svg


def test_bounds(html: str) -> None:
    assert "No measurement exceeds its bound." in html
    over = whole(made([record("a", "families", "naive", bound_used=1.5)]))
    assert "1 measurement exceed their bound" in over
    assert "No measurement exceeds" not in over
    none = whole(made([record("a", "families", "naive", bound_used=math.nan)]))
    assert "No measurement of this run has a finite bound." in none


# Any table -----------------------------------------------------------------------------------------------------------


def test_an_empty_table() -> None:
    html = whole(made([]))
    page = Page(html)
    assert page.text.count("Not measured in this run.") >= 9
    assert "0 measurements" in page.text


@pytest.mark.parametrize(
    "group", ["families", "kappa-sweep", "growth", "norms", "bessel", "museum", "nist", "photo", "user"]
)
def test_one_case_of_one_algorithm(group: str) -> None:
    nan = math.nan
    unscored = {"rows_scored": 0, "worst_row": -1} | dict.fromkeys(
        ("var_error_worst", "var_digits_worst", "kappa_worst", "exact", "computed"), nan
    )
    failed = {"var_error_worst": math.inf, "var_nan": 2}
    constant = {"var_error_worst": 0.0, "kappa_worst": math.inf}
    for given in ({}, unscored, failed, constant):
        family = {"growth": "normal", "bessel": "bessel"}.get(group, "offset")
        for name, html in report.render(made([record("one", group, "naive", family=family, **given)])).items():
            # No table changes the others, and other tests read them.
            if name not in ("report-frameworks.html", "report-libraries.html", "report-speed.html"):
                Page(html)


def test_an_algorithm_of_a_third_party_and_another_device() -> None:
    rows = [record("a", "families", "mine", device="cpu"), record("a", "families", "mine", device="cuda")]
    page = Page(whole(made(rows)))
    assert "The table holds 2 devices" in page.text
    assert "mine" in page.text
    assert not summary.recommendations(Facts(made(rows)))  # nobody declared its cost


def test_write(tmp_path: Any, study: Results, pages: dict[str, str]) -> None:
    """The files are made again of the same table, and are the same bytes."""
    path = report.write(study, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert {p.name: p.read_text("utf-8") for p in path.parent.iterdir()} == pages
    assert list(pages) == [*(each["file"] for each in PAGES), "claims.json"]


def test_other_processes_make_the_same_pages(tmp_path: Path, study: Results, pages: dict[str, str]) -> None:
    with Crew(2) as crew:
        report.write(study, tmp_path, crew.run)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == pages


def test_size() -> None:
    """Every page of every algorithm on 30,000 rows stays under 3 MB."""
    names = list(algorithms())
    rows = [
        record(f"families/{i}", "families", name, var_error_worst=10.0 ** -(1 + (i + j) % 7))
        for i in range(30_000 // len(names))
        for j, name in enumerate(names)
    ]
    for page in report.render(made(rows)).values():
        assert len(page.encode()) < 3_000_000


# Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"), (-0.0, "−0"), (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "−∞"), (1.0, "1"), (-2.5, "−2.5"),
        (0.03125, "0.0312"), (221352.0, "221,000"), (999.6, "1,000"), (1e-5, "10⁻⁵"), (-3.14159e20, "−3.14×10²⁰"),
        (5e-324, "4.94×10⁻³²⁴"), (1.7976931348623157e308, "1.8×10³⁰⁸"), (100.0, "100"), (0.00012345, "0.000123"),
    ],
)  # fmt: skip
def test_number(value: float, shown: str) -> None:
    assert words.number(value) == shown


def test_digits() -> None:
    values = (math.nan, math.inf, -math.inf, 7.25, -0.04, -3.0)
    assert [words.digits(v) for v in values] == ["–", "exact", "fails", "7.2", "0.0", "−3.0"]
    assert [round(decimal_digits(f), 1) for f in FORMATS] == [3.3, 2.4, 7.2, 16.0]


def test_the_table_inside_the_page_is_the_table(hostile: Results, hostile_html: str) -> None:
    (packed,) = re.findall(r'<script type="text/plain" id="packed">(.*?)</script>', hostile_html, re.DOTALL)
    opened = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert list(opened) == [column.name for column in COLUMNS]
    for column in COLUMNS:
        kept = opened[column.name]
        if column.kind == "str":
            assert [kept["words"][at] for at in kept["at"]] == hostile.frame[column.name].tolist()
            continue
        values = [math.nan if v == "nan" else float(v) for v in kept]
        for value, exact in zip(values, hostile.frame[column.name].tolist(), strict=True):
            assert value == pytest.approx(exact, rel=5 * 10.0**-explorer_parts.DIGITS, nan_ok=True)


# The chapters ---------------------------------------------------------------------------------------------------------


@each_page
def test_the_sections_are_those_of_the_contents(pages: dict[str, str], made_of: dict[str, Any]) -> None:
    html = pages[made_of["file"]]
    keys = [section["key"] for section in made_of["sections"]]
    assert re.findall(r'<section class="chapter" aria-labelledby="([^"]+)">', html) == keys
    contents = html.split('<nav id="contents"')[1].split("</nav>", maxsplit=1)[0]
    parts = {section["key"]: [part for part, _ in section.get("parts", ())] for section in made_of["sections"]}
    assert re.findall(r'href="#([^"]+)"', contents) == [place for key in keys for place in (key, *parts[key])]


def test_the_report_keeps_within_its_budget(pages: dict[str, str], page: Page) -> None:
    assert len(PAGES[0]["sections"]) <= 6
    assert [tag for tag, _ in page.tags].count("table") <= 14
    assert len(page.text.split()) + len(page.figure_text.split()) < 6_000
    # Every other page is linked from it.
    linked = {g["href"].partition("#")[0] for tag, g in page.tags if tag == "a"}
    assert set(pages) - {"report.html"} <= linked


def test_lengths_with_one_recommendation_are_one_row() -> None:
    def lines(name: str, *errors: float) -> list[dict[str, Any]]:
        return [
            record(f"growth/n{values}", "growth", name, values=values, var_error_worst=error)
            for values, error in zip((1 << 10, 1 << 17, 1 << 20), errors, strict=True)
        ]

    facts = Facts(made([*lines("welford", 1e-7, 1e-7, 10), *lines("chan", 1e-7, 1e-7, 1e-7)]))
    found = [c for c in summary.recommendations(facts) if c.storage == "float32"]
    assert [(c.cheapest.algorithm, c.longest) for c in found if c.cheapest] == [("welford", 1 << 17), ("chan", 1 << 20)]


@pytest.mark.parametrize("example", pencil.examples(), ids=lambda e: e.key)
def test_a_pencils_answer_is_the_kernels(example: pencil.PencilExample) -> None:
    # The command that the page gives, in a namespace of its own.
    said: list[Any] = []
    exec(example.again, {"print": said.append})
    ((answer,),) = said
    assert pencil.shown(Fraction(float(answer))) == example.answer
    x = eval(re.search(r"np\.array\((.*?), '", example.again)[1], {})  # type: ignore[index]
    mean = Fraction(sum(x), len(x))
    divisor = len(x) - example.divisor.count("1")
    assert pencil.shown(sum((v - mean) ** 2 for v in x) / divisor) == example.exact != example.answer
    assert any(step.lossy for step in example.steps)


def test_what_the_pencil_says_of_float32() -> None:
    three, many = (e.moral for e in pencil.examples()[1:])
    x = np.full((1, 1, 3), 4097, np.float32)
    assert f"enough: {pencil.shown(Fraction(float(moments(x, 'naive', 'float32').variance(1)[0])))}." in three
    # A running float32 sum of ones, from just before the place where it is said to stop.
    stop = np.float32(re.search(r"stops at ([\d,]+)", many)[1].replace(",", ""))  # type: ignore[index]
    assert stop - np.float32(1) + np.float32(1) == stop
    assert stop + np.float32(1) == stop


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-4), "−4"),
        (Fraction(2051, 4), "512.75"),
        (Fraction(19888, 3), "6,629 1/3"),
        (Fraction(-1, 3), "−1/3"),
        (Fraction(100020001), "100,020,001"),
    ],
)
def test_exact_numbers_as_a_pencil_writes_them(value: Fraction, text: str) -> None:
    assert pencil.shown(value) == text


def _pair(storage: str, accumulator: str, case: str, name: str, error: float, **given: Any) -> dict[str, Any]:
    return record(
        case, "families", name, storage=storage, accumulator=accumulator, var_error_worst=error, **given
    )  # fmt: skip


def test_what_a_wider_accumulator_buys() -> None:
    rows = [
        _pair("float16", "float16", "a", "naive", math.inf, var_nan=1, rows_scored=2),
        _pair("float16", "float16", "b", "naive", 1e-2),
        _pair("float16", "float32", "a", "naive", 1e-5),
        _pair("float16", "float32", "b", "naive", 1e-9),
        # Not posed, and measured in one accumulator only: neither counts.
        _pair("float16", "float16", "c", "naive", 1e-9, kappa_worst=1e6),
        _pair("float16", "float32", "c", "naive", 1e-9, kappa_worst=1e6),
        _pair("float16", "float16", "d", "naive", 1e-9),
    ]
    drawn = precision.draw(Facts(made(rows)))
    assert drawn.svg is not None
    assert "<b>float16 in float32</b>, 2 lines: lines that go wrong <code>naive</code> 50% → 0%." in drawn.notes[1]
    assert "In float32 the median line has all 3.3 digits with 1 of 1 algorithm." in drawn.notes[1]
    assert precision.draw(Facts(made(rows[:2]))).svg is None


def test_what_a_network_sees() -> None:
    def line(case: str, name: str, y: float) -> dict[str, Any]:
        return record(case, "norms", name, y_error_worst=y)

    rows = [line("a", "naive", 0.5), line("b", "naive", 1e-3), line("a", "exact", 1e-9), line("b", "exact", 1e-8)]
    found = output.reaches(Facts(made(rows)).figures)
    assert found["naive"] == (0.5, pytest.approx(0.2505), "a")
    assert found["exact"] == (1e-8, pytest.approx(5.5e-9), "b")
    drawn = output.draw(Facts(made(rows)))
    assert "smaller than the rounding of y on every line: <code>exact</code>." in drawn.notes[1]
    assert "Largest: <code>naive</code> 0.5 (<code>a</code>)" in drawn.notes[1]
    # An output that is NaN is the worst there is.
    assert output.reaches(Facts(made([line("a", "naive", math.nan)])).figures)["naive"][0] == math.inf


# Cells and counts say of what they are --------------------------------------------------------------------------------


def test_a_cell_of_the_bug_reports_is_of_one_row() -> None:
    """The word is that of the row whose answer is shown; what another row did is named as another row's."""
    case = {"case": "museum/a", "group": "museum", "exact": 0.0, "var_error_worst": math.inf}
    rows = [
        record(algorithm="naive", computed=3e13, var_negative=1, **case),
        record(algorithm="two_pass", computed=-2.0, var_negative=2, **case),
        record(algorithm="welford", computed=math.nan, var_nan=1, var_negative=1, **case),
        record(algorithm="chan", computed=5.0, **case),
    ]
    shown = museum.exhibition(Facts(made(rows)))
    (exhibit,) = shown.exhibits
    told = {name: cells[1:3] for name, cells in zip(shown.algorithms, exhibit["cells"], strict=True)}
    assert told == {
        "naive": ("3×10¹³", "≠0; another row: neg"),
        "two_pass": ("−2", "neg"),
        "welford": ("NaN", "NaN"),
        "chan": ("5", "≠0"),
    }


def test_the_count_of_the_nist_data_says_what_it_leaves_out() -> None:
    rows = [
        record("nist/a", "nist", "naive", storage_error=1e-3),
        record("nist/a", "nist", "chan", storage_error=1e-3, var_error_worst=1e-2),
        record("nist/b", "nist", "naive", storage_error=0.0),
        record("nist/c", "nist", "naive", storage_error=1e-3, accumulator="float64"),
    ]
    _, _, note = nist.references(Facts(made(rows)))
    assert note is not None
    assert "3 measurements" in note, "every algorithm, accumulator = storage"
    assert "1 of the 2 whose data cannot be stored exactly" in note
