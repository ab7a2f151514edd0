"""The page of two runs in a real browser: what its first screen says, who can read it, and that names stay text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import LOOKS, WIDTHS, Open, cut_in_print, judge, launched, open_tables, read_copies, tools, visits, widths
from click.testing import CliRunner
from report_pages import made, record

from varstudy.cli import commands
from varstudy.study import results
from varstudy.study.results import Results

EVIL = "<script>window.struck=1</script><img src=x onerror=\"window.struck=2\"> & '{{ 7*7 }}'"
LONG = "a_very_long_name_without_a_break_" * 6
DIGITS = "correct digits of the variance, worst row"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    with visits(browser) as look:
        yield look


def run(errors: dict[str, float], *others: dict[str, Any], seed: int = 0, numpy: str = "2.4") -> Results:
    """Three feature maps in two formats by several algorithms, each with its own error."""
    rows = [
        record(case, "kappa-sweep", name, storage=storage, accumulator=storage, var_error_worst=error * (k + 1))
        for k, case in enumerate(("offset/kappa=1e+02", EVIL, LONG))
        for storage in ("float32", "float16")
        for name, error in errors.items()
    ]
    return made(
        [*rows, *others],
        settings={"level": "quick", "seed": seed, "only": None},
        provenance={
            "versions": {"numpy": numpy, EVIL: numpy},
            "commit": LONG,
            "cpu": {"flags": [numpy, *map(str, range(90))]},
        },
    )


ERRORS = {"naive": 1e-2, "welford": 1e-4, "chan": 1e-6, "two_pass": 1e-5, EVIL: 1e-3, LONG: 1e-3, "pairwise": 1e-6}
WORSE = {"chan": 1e-2, EVIL: 2e-3, LONG: 1e-2}
BETTER = {"naive": 1e-4, "two_pass": 0.0}


def written(before: Results, after: Results, folder: Path) -> Path:
    """The page, as the command writes it."""
    for name, found in (("before", before), ("after", after)):
        results.write(found, folder / name)
    page = folder / f"{EVIL.replace('/', '')}.html"
    asked = ["compare", str(folder / "before"), str(folder / "after"), "--html", str(page)]
    ran = CliRunner().invoke(commands, asked, prog_name="varstudy")
    assert ran.exit_code in (0, 1), ran.output
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs between which something became worse, better, went and came; with names that want to be markup."""
    fails = [
        record("ramp/r", "families", "welford", var_error_worst=e, var_nan=n) for e, n in ((0.1, 0), (math.inf, 2))
    ]
    gone = [record(f"gone/{k}", "families", EVIL) for k in range(4)]
    new = [record(f"new/{k}", "families", LONG) for k in range(4)]
    before = run(ERRORS, fails[0], *gone)
    after = run(ERRORS | WORSE | BETTER, fails[1], *new, seed=3, numpy="2.5")
    return written(before, after, tmp_path_factory.mktemp("compared"))


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs without any difference."""
    return written(run(ERRORS), run(ERRORS), tmp_path_factory.mktemp("same"))


def cells(table: Any) -> list[list[str]]:
    """What the rows of a table that can be seen say."""
    rows = table.evaluate("""t => [...t.tBodies].flatMap(b => [...b.rows]).filter(r => r.checkVisibility())
        .map(r => [...r.cells].map(c => c.innerText))""")
    return list(rows)


def captioned(page: Any, words: str) -> Any:
    return page.locator("main table", has=page.locator("caption", has_text=words)).first


# What it says --------------------------------------------------------------------------------------------------------


def test_opens_quietly_and_loads_nothing_else(visit: Open, page: Path, same: Path) -> None:
    for file in (page, same):
        seen = visit(file)
        assert len(seen.requests) == 1
        assert seen.page.locator("h1").is_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_screen_says_whether_it_became_worse_where_and_by_how_much(
    visit: Open, page: Path, width: int
) -> None:
    shown = visit(page, width=width).page
    heading, card = shown.locator("h1"), shown.locator(".headlines li").first
    assert heading.inner_text() == "19 of 43 measurements became worse"
    text = " ".join(card.inner_text().split())
    assert text.startswith("▼ 19 became worse In 4 algorithms and 4 feature maps.")
    assert "first welford on ramp/r: 2 rows more (variances that are NaN, 0 → 2)." in text
    assert f"chan on offset/kappa=1e+02: 4.00 digits lost ({DIGITS}, 6.00 → 2.00)." in text
    assert heading.bounding_box()["y"] > 0
    box = card.bounding_box()
    assert box["y"] + box["height"] < 900, "it is on the first screen"


def test_regressions_come_first(visit: Open, page: Path) -> None:
    shown = visit(page).page
    tops = [shown.locator(f"#{name}").bounding_box()["y"] for name in ("regressions", "improvements", "algorithms")]
    assert tops == sorted(tops)
    assert shown.locator("main h2").first.inner_text().endswith("Regressions")
    rows = cells(captioned(shown, "Regressions, one line a measurement"))
    assert len(rows) == 19
    assert rows[0][:5] == ["welford", "2 rows more", "0", "2", "variances that are NaN"]
    lost = [float(row[1].split()[0]) for row in rows[1:]]
    assert all("lost" in row[1] for row in rows[1:])
    assert lost == sorted(lost, reverse=True)
    assert all("gained" in row[1] or "exact now" in row[1] for row in cells(captioned(shown, "Improvements, one line")))


def test_kinds_are_told_apart_without_colour(visit: Open, page: Path) -> None:
    cards = visit(page).page.locator(".headlines li")
    assert [text.split()[0] for text in cards.all_inner_texts()] == ["▼", "▲", "=", "≠"]
    styles = [card.evaluate("e => getComputedStyle(e).borderLeftStyle") for card in cards.all()]
    assert len(set(styles)) == 3, styles


def test_what_changed_between_the_runs_is_told(visit: Open, page: Path) -> None:
    shown = visit(page).page
    assert shown.locator("header .caution").inner_text().startswith("The seeds differ: 0 and 3.")
    between = shown.locator(".between").inner_text()
    assert between.startswith("Between the runs changed: seed 0 → 3; ")
    assert f"{EVIL} 2.4 → 2.5; numpy 2.4 → 2.5. All that differs" in between
    shown.locator(".between a").click()
    assert shown.url.endswith("#runs")
    rows = cells(captioned(shown, "What the two runs say"))
    assert ["settings seed", "0", "3"] in rows
    assert ["cpu flags", "91 of them; only here: 2.4", "91 of them; only here: 2.5"] in rows


def test_equal_runs_say_so(visit: Open, same: Path) -> None:
    shown = visit(same).page
    assert shown.locator("h1").inner_text() == "Nothing changed"
    assert [t.split("\n")[0] for t in shown.locator(".headlines li").all_inner_texts()] == ["▼ 0", "▲ 0", "= 42", "≠ 0"]
    assert shown.locator(".headlines .bad, .headlines .good, .caution").count() == 0
    assert shown.locator("#regressions ~ .absent").inner_text() == "None."


def test_hostile_names_stay_text(visit: Open, page: Path) -> None:
    shown = visit(page).page
    open_tables(shown)
    shown.locator("main .sort").first.click()
    assert shown.title().startswith("19 of 43 measurements became worse: ")
    assert shown.locator("main tbody", has_text=EVIL).count() > 5
    assert shown.locator("header").inner_text().count(EVIL) > 0
    assert shown.locator("img").count() == 0
    assert shown.locator("script").count() == 1
    assert shown.evaluate("window.struck") is None


# The tables ----------------------------------------------------------------------------------------------------------


def test_a_table_filters(visit: Open, page: Path) -> None:
    shown = visit(page).page
    table = captioned(shown, "Regressions, one line a measurement")
    bar = tools(table)
    bar.locator("input").fill("chan float16")
    assert bar.locator("[role=status]").inner_text() == "3 of 19 rows"
    rows = cells(table)
    assert len(rows) == 3
    assert {(row[0], row[6]) for row in rows} == {("chan", "batch, float16 in float16")}
    bar.locator("input").fill("")
    assert len(cells(table)) == 19


def test_a_table_sorts_by_keyboard(visit: Open, page: Path) -> None:
    shown = visit(page).page
    table = captioned(shown, "Regressions, one line a measurement")
    head = table.locator(".sort", has_text="by how much")
    head.focus()
    shown.keyboard.press("Enter")
    assert head.locator("xpath=..").get_attribute("aria-sort") == "ascending"
    lost = [float(row[1].split()[0]) for row in cells(table)]
    assert lost == sorted(lost)
    assert len(set(lost)) > 2
    head.press("Enter")
    assert [float(row[1].split()[0]) for row in cells(table)] == sorted(lost, reverse=True)


def test_every_copy_can_be_read_again(visit: Open, page: Path) -> None:
    shown = visit(page, permissions=["clipboard-read", "clipboard-write"]).page
    tables = open_tables(shown)
    assert len(tables) == 11
    read_copies(shown, tables)


# For everyone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width", "rules"), LOOKS)
def test_accessible(visit: Open, page: Path, scheme: str, width: int, rules: dict[str, Any]) -> None:
    judge(visit(page, width=width, color_scheme=scheme).page, **rules)


def test_accessible_where_everything_is_open(visit: Open, page: Path) -> None:
    shown = visit(page).page
    open_tables(shown)
    # What opens has the colours of the tables above it.
    judge(shown, rules={"color-contrast": {"enabled": False}})


def test_accessible_without_a_difference(visit: Open, same: Path) -> None:
    judge(visit(same, width=360, color_scheme="dark").page)


@pytest.mark.parametrize("java_script", [True, False])
def test_nothing_overflows_a_telephone(visit: Open, page: Path, same: Path, java_script: bool) -> None:
    for file in (page, same):
        shown = visit(file, width=360, java_script_enabled=java_script).page
        wide, there = widths(shown)
        assert wide <= there
        shown.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        wide, there = widths(shown)
        assert wide <= there
        for table in shown.locator("main table").all():
            holder = table.locator("xpath=..")
            assert holder.get_attribute("class") == "scroll", "what is wider scrolls by itself"


def test_long_names_do_not_push_the_numbers_out(visit: Open, page: Path) -> None:
    for width, room in ((1400, 1400), (360, 360)):
        shown = visit(page, width=width).page
        table = captioned(shown, "Regressions, one line a measurement")
        change = table.locator("thead th", has_text="by how much").bounding_box()
        assert change["x"] < room * 0.6, "how much it moved is in sight beside the name"
        if width == 1400:
            last = table.locator("thead th").last.bounding_box()
            assert last["x"] + last["width"] <= room
        open_tables(shown)
        over = shown.evaluate("""() => [...document.querySelectorAll('main th, main td')]
            .filter(c => c.scrollWidth > c.clientWidth).map(c => c.innerText)""")
        assert over == [], "a name stays in its cell"


def test_everything_is_there_without_scripts(visit: Open, page: Path) -> None:
    shown = visit(page, java_script_enabled=False).page
    assert shown.locator("h1").inner_text() == "19 of 43 measurements became worse"
    sections = shown.locator("main > section")
    assert sections.count() == 6
    for section in sections.all():
        assert section.locator("h2").is_visible()
        assert len(section.inner_text()) > 30
    assert shown.locator(".tools, .sort").count() == 0
    summaries = shown.locator("summary")
    assert summaries.count() == 5
    for summary in summaries.all():
        summary.click()
    for table in shown.locator("main table").all():
        assert table.is_visible()
        assert len(cells(table)) > 0


def test_print_cuts_nothing(visit: Open, page: Path) -> None:
    shown = visit(page, width=1040).page
    assert cut_in_print(shown) == []
    over = shown.locator(".scroll").evaluate_all("all => all.filter(e => e.scrollHeight > e.clientHeight + 1).length")
    assert over == 0, "a table ends before what follows it begins"
    wide, there = widths(shown)
    assert wide <= there
    assert not shown.locator(".tools").first.is_visible()
