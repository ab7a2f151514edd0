"""The report's pages in a real browser: what their scripts do, who can read them, and that names stay text."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from browser import (
    CONTRAST,
    LOOKS,
    Open,
    Seen,
    cut_in_print,
    judge,
    launched,
    open_tables,
    read_copies,
    shorten,
    sideways,
    visits,
    widths,
)
from report_pages import made, record, small_study

from varkernels import FORMATS, algorithms, moments
from varstudy import report
from varstudy.report.report_page import PAGES
from varstudy.study import featuremaps, results
from varstudy.study.measuring import measure
from varstudy.study.results import COLUMNS, Results

NAMES = ("naive", "naive/pairwise", "two_pass", "welford", "chan", "double_double", "exact")
EVIL = '<img src=x onerror="window.struck=1"> a b'


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


def study() -> Results:
    """A real study of a few algorithms, with feature maps of every group but the photos."""
    chosen = [algorithms()[name] for name in NAMES]
    cases = [c for c in featuremaps.cases("quick") if c.group != "photo"]
    cells = [(case, storage) for case in cases for storage in ("float32", "float16") if storage in case.storages]
    rows = [row for case, storage in cells for row in measure(case, storage, 0, chosen)]
    return results.from_records(
        rows,
        cases={case.name: case.info() for case in cases},
        algorithms={a.name: {"summary": a.summary, "source": a.source} for a in chosen},
        settings={"level": "quick", "seed": 0, "only": None},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study's results and its report."""
    made_here = tmp_path_factory.mktemp("report")
    found = study()
    results.write(found, made_here)
    report.write(found, made_here)
    return made_here


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose feature maps, formulas and devices have names that want to be markup."""
    rows = small_study(EVIL)
    for row in rows[::5]:
        row["algorithm"] = row["formula"] = row["order"] = EVIL
    for row in rows[::7]:
        row["norm"] = row["device"] = EVIL
    rows.append(record(EVIL, EVIL, "naive", storage=EVIL, accumulator=EVIL, family=EVIL))
    return report.write(made(rows), tmp_path_factory.mktemp("hostile")).parent


EXPLORER, ALGORITHMS, DATA = (f"report-{name}.html" for name in ("explorer", "algorithms", "data"))
FIRST, *DETAILS = (page["file"] for page in PAGES)


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Open]:
    """Open a page of the report, the explorer where none is named, and wait for the explorer."""
    with visits(browser) as look:

        def opened(
            name: str = EXPLORER, fragment: str = "", wait: bool = True, there: Path = folder, **options: Any
        ) -> Seen:
            seen = look(there / name, fragment, **options)
            if wait and name == EXPLORER and options.get("java_script_enabled", True):
                seen.page.wait_for_function("document.getElementById('explorer-without').hidden")
            return seen

        yield opened


def part(page: Any, name: str) -> Any:
    return page.locator(f'[data-part="{name}"]')


def said(page: Any) -> tuple[int, int, int]:
    """Series shown, series there are, and measurements, by the line that tells them."""
    found = re.match(r"(\d+) of (\d+) algorithms, (\d+) measurements", part(page, "said").inner_text())
    assert found
    shown, there, points = map(int, found.groups())
    return shown, there, points


def marks(page: Any) -> int:
    return int(part(page, "plot").locator(".mark").count())


def state(page: Any) -> dict[str, Any]:
    """What every menu and box says."""
    return dict(
        page.evaluate("""() => ({
        ...Object.fromEntries(
            [...document.querySelectorAll('#explorer-app select')].map(s => [s.dataset.part, s.value])
        ),
        theory: document.querySelector('[data-part=theory]').checked,
        hidden: [...document.querySelectorAll('.legend input')].filter(b => !b.checked).map(b => b.value),
    })""")
    )


def options(page: Any, menu: str) -> list[str]:
    return list(part(page, menu).locator("option").evaluate_all("all => all.map(o => o.value)"))


# Closed to the outside -----------------------------------------------------------------------------------------------


def test_opens_quietly_and_loads_nothing_else(visit: Open, folder: Path) -> None:
    for name in (FIRST, EXPLORER):
        seen = visit(name)
        assert seen.requests == [(folder / name).as_uri()]
    assert part(seen.page, "plot").is_visible()


@pytest.mark.parametrize("name", [FIRST, EXPLORER])
def test_a_foreign_script_does_not_run(visit: Open, name: str) -> None:
    seen = visit(name)
    seen.page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.struck = 1';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<p onclick="window.struck=2" id="bait">x</p>');
        document.getElementById('bait').click();
    }""")
    assert seen.page.evaluate("window.struck") is None
    assert len(seen.problems) == 2
    assert all("Content Security Policy" in problem for problem in seen.problems)
    seen.problems.clear()


def test_hostile_names_stay_text(visit: Open, hostile: Path) -> None:
    page = visit(there=hostile).page
    for menu in ("storage", "acc", "data", "norm", "device", "order", "ddof"):
        for value in options(page, menu):
            part(page, menu).select_option(value)
            assert marks(page) == said(page)[2]
    part(page, "reset").click()
    part(page, "order").select_option("any")
    names = part(page, "legend").locator("input").evaluate_all("all => all.map(b => b.value)")
    assert EVIL in names
    assert EVIL in part(page, "legend").inner_text()
    titles = part(page, "plot").locator(".mark title").all_text_contents()
    assert any(title.startswith(EVIL) for title in titles)
    assert any(EVIL in title.split("\n")[1] for title in titles), "the feature map's name"
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert EVIL in part(page, "rows").inner_text()
    found = [page]
    for name in (FIRST, ALGORITHMS, DATA):
        found.append(visit(name, there=hostile).page)
        if open_tables(found[-1]):
            found[-1].locator("main .sort").first.click()
        assert name == FIRST or found[-1].locator("main th", has_text="onerror=").count()
    for each in found:
        assert each.locator("img").count() == 0
        assert each.evaluate("window.struck") is None


def test_a_hidden_series_with_spaces_in_its_name_survives_a_reload(visit: Open, hostile: Path) -> None:
    page = visit(there=hostile).page
    part(page, "order").select_option("any")
    page.locator(".legend input").evaluate_all("(all, name) => all.find(b => b.value === name).click()", EVIL)
    before = state(page)
    assert before["hidden"] == [EVIL]
    page.reload()
    page.wait_for_function("document.getElementById('explorer-without').hidden")
    assert state(page) == before


# The explorer --------------------------------------------------------------------------------------------------------


def test_each_menu_redraws(visit: Open) -> None:
    page = visit().page
    drawn = set()
    for menu in ("data", "norm", "ddof", "order", "x", "y", "acc", "storage", "device"):
        for value in options(page, menu):
            part(page, menu).select_option(value)
            shown, there, points = said(page)
            assert marks(page) == points > 0, (menu, value)
            assert shown == there == page.locator(".legend input").count()
            drawn.add(part(page, "said").inner_text())
        part(page, "reset").click()
        drawn.add(part(page, "said").inner_text())
    assert len(drawn) > 15


def test_the_counts_of_the_menus_are_those_of_the_table(visit: Open, folder: Path) -> None:
    page = visit().page
    frame = results.read(folder).frame
    for group, family in {(g, f) for g, f in zip(frame["group"], frame["family"], strict=True)}:
        mine = frame[(frame["group"] == group) & (frame["family"] == family)]
        text = part(page, "data").locator("option", has_text=f"{group}, {family} (").inner_text()
        assert text == f"{group}, {family} ({len(mine)})"


def test_the_legend_hides_and_shows(visit: Open) -> None:
    page = visit().page
    shown, there, points = said(page)
    assert shown == there > 2
    first = page.locator(".legend input").first
    name = first.input_value()
    first.focus()
    page.keyboard.press("Space")
    assert said(page)[:2] == (there - 1, there)
    assert marks(page) == said(page)[2] < points
    titles = part(page, "plot").locator(".mark title").all_text_contents()
    assert not [t for t in titles if t.split("\n")[0] == name]
    assert page.evaluate("document.activeElement.value") == name, "the focus stays on the box"
    part(page, "none").click()
    assert (said(page), marks(page)) == ((0, there, 0), 0)
    part(page, "all").click()
    assert said(page) == (there, there, points)
    assert marks(page) == points


def chosen(page: Any) -> dict[str, Any]:
    """Choose something by several menus, and tell what."""
    part(page, "storage").select_option("float16")
    part(page, "y").select_option("median")
    part(page, "order").select_option("any")
    part(page, "theory").uncheck()
    page.locator(".legend input").nth(1).uncheck()
    found = state(page)
    assert found["storage"] == "float16"
    assert found["y"] == "median"
    assert len(found["hidden"]) == 1
    return found


def test_the_address_holds_what_was_chosen(visit: Open) -> None:
    page = visit().page
    before, line = chosen(page), None
    line = part(page, "said").inner_text()
    assert "#explore?" in page.url
    page.reload()
    page.wait_for_function("document.getElementById('explorer-without').hidden")
    assert (state(page), part(page, "said").inner_text()) == (before, line)
    fragment = "#" + page.url.split("#")[1]
    shared = visit(fragment=fragment).page
    assert (state(shared), part(shared, "said").inner_text()) == (before, line)
    assert part(shared, "plot").evaluate("e => e.getBoundingClientRect().top < innerHeight"), "it is in sight"
    shared.locator('nav a[href="#explorer"]').click()
    assert shared.url.endswith("#explorer")
    shared.go_back()
    assert shared.url.endswith(fragment)
    assert (state(shared), part(shared, "said").inner_text()) == (before, line)


def test_another_link_of_the_page_forgets_nothing(visit: Open) -> None:
    page = visit().page
    before = chosen(page)
    page.locator('nav a[href="#explorer"]').click()
    part(page, "y").select_option("ulps")
    assert state(page) == before | {"y": "ulps"}


def test_a_link_pasted_into_the_open_page_is_followed(visit: Open) -> None:
    page = visit().page
    page.evaluate("location.hash = '#explore?storage=float16&acc=float16&y=median&hide=naive'")
    page.wait_for_function("document.querySelector('[data-part=y]').value === 'median'")
    assert state(page)["storage"] == "float16"
    assert state(page)["hidden"] == ["naive"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "x=toString&y=constructor",
        "hidden=naive", "data=nothing&storage=float3&acc=&norm=9",
        "order=up&device=abacus&ddof=x",
        "__proto__=1&constructor=2&theory=maybe", "hide=nobody&hide=", "%E0%A4%A&&=&x", "length=5&menus=1",
        f"data={quote(EVIL)}&hide={quote(EVIL)}",
    ],
)  # fmt: skip
def test_an_unknown_fragment_falls_back(visit: Open, query: str) -> None:
    page = visit(fragment=f"#explore?{query}").page
    found = state(page)
    assert (found["x"], found["y"]) == ("kappa", "worst")
    for menu in ("data", "storage", "acc", "device", "ddof", "norm", "order"):
        assert found[menu] in options(page, menu)
    assert found["storage"] == "float32" or "storage" in query
    shown, there, points = said(page)
    assert marks(page) == points > 0
    assert shown == there
    assert "undefined" not in part(page, "said").inner_text()


def test_the_table_of_the_explorer_is_what_is_drawn(visit: Open, folder: Path) -> None:
    page = visit().page
    frame = results.read(folder).frame
    page.locator("#explorer-app details summary").click()
    for data in options(page, "data"):
        part(page, "data").select_option(data)
        assert part(page, "rows").locator("tr").count() == min(2000, marks(page)), data
    part(page, "reset").click()
    for y, column, bound in (
        ("worst", "var_error_worst", "var_bound"), ("mean", "mean_error_worst", "mean_bound"),
        ("ulps", "var_ulps_worst", ""),
    ):  # fmt: skip
        part(page, "y").select_option(y)
        now = state(page)
        rows = (
            part(page, "rows").locator("tr").evaluate_all("all => all.map(r => [...r.cells].map(c => c.textContent))")
        )
        assert rows
        for name, case, _, error, limit in rows:
            at = frame[
                (frame["algorithm"] == name) & (frame["case"] == case) & (frame["storage"] == now["storage"])
                & (frame["accumulator"] == now["acc"]) & (frame["correction"] == float(now["ddof"]))
            ]  # fmt: skip
            assert any(close(error, value) for value in at[column])
            assert any(close(limit, value) for value in at[bound]) if bound else limit == "–"


def close(text: str, value: float) -> bool:
    """Whether a text has the first four digits of a number."""
    if math.isnan(value) or math.isinf(value):
        return text == ("NaN" if math.isnan(value) else "∞")
    return math.isclose(float(text), value, rel_tol=6e-4, abs_tol=0)


def test_the_download_is_the_table(visit: Open, folder: Path) -> None:
    page = visit().page
    with page.expect_download() as waiting:
        part(page, "csv").click()
    assert waiting.value.suggested_filename == "varstudy-results.csv"
    got = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8"))))
    want = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text("utf-8"))))
    assert len(got) == len(want) > 100
    assert list(got[0]) == list(want[0]) == [c.name for c in COLUMNS]
    for mine, true in zip(got, want, strict=True):
        for column in COLUMNS:
            a, b = mine[column.name], true[column.name]
            if column.kind == "float":
                assert (math.isnan(float(a)) and math.isnan(float(b))) or math.isclose(float(a), float(b), rel_tol=5e-7)
            else:
                assert a == b


def test_a_broken_table_says_so(visit: Open, folder: Path, tmp_path: Path) -> None:
    html = (folder / EXPLORER).read_text("utf-8")
    (tmp_path / EXPLORER).write_text(re.sub(r'(id="packed">)[^<]*', r"\1AAAA", html), "utf-8")
    page = visit(there=tmp_path, wait=False).page
    page.get_by_text("The embedded table could not be opened").wait_for(state="visible")
    assert not part(page, "plot").is_visible()


# The pencil ----------------------------------------------------------------------------------------------------------


PENCILLED = (
    "10000, 10001, 10002", "47 47 47", "4097;4097;4097", "300, -300, 200, 100", "0.1, 0.2, 0.3, 0.4", "1e-7, 2e-7",
    "6e-8, 1e-39, -2.5", "1, 1, 1, 1, 1, 1, 1, 1000",
)  # fmt: skip


def test_the_reader_s_own_numbers_are_what_the_kernels_compute(visit: Open) -> None:
    own = visit(FIRST).page.locator("#own-numbers")
    for values, storage in itertools.product(PENCILLED, ("float16", "bfloat16", "float32")):
        part(own, "values").fill(values)
        given = [float(v) for v in re.split(r"[\s,;]+", values)]
        stored = np.array(given, FORMATS[storage].dtype)
        for correction, word in ((0, "n"), (1, "n − 1")):
            part(own, "format").select_option(storage)
            part(own, "divisor").select_option(word)
            x = [Fraction(float(v)) for v in stored]
            mean = sum(x) / len(x)
            truth = float(sum((v - mean) ** 2 for v in x) / (len(x) - correction))
            with np.errstate(all="ignore"):
                want = {
                    name: float(moments(stored.reshape(1, 1, -1), name, storage).variance(correction)[0])
                    for name in ("naive", "two_pass")
                }
            for name, value in {**want, "exact": truth}.items():
                assert close(part(own, name).inner_text().replace("−", "-"), value), (values, storage, correction, name)


def test_what_is_no_number_is_said(visit: Open) -> None:
    page = visit(FIRST).page
    own = page.locator("#own-numbers")
    for values, said_ in (
        ("1, two", "Not all of these are numbers."),
        ("1", "Too few numbers."),
        ("", "Too few numbers."),
    ):
        part(own, "values").fill(values)
        assert part(own, "problem").inner_text() == said_
        assert part(own, "naive").inner_text() == "–"
    part(own, "values").fill("1e9 1")
    part(own, "format").select_option("float16")
    assert part(own, "problem").inner_text() == "A number is outside the format."
    part(own, "values").press("Enter")
    assert page.locator("h1").is_visible()


# The tables ----------------------------------------------------------------------------------------------------------


def test_a_table_filters(visit: Open) -> None:
    page = visit(ALGORITHMS).page
    table = page.locator('section[aria-labelledby="heat"] table').first
    box = page.locator('section[aria-labelledby="heat"] input[type=search]').first
    rows = table.locator("tbody tr:not(.sub)")
    there = rows.count()
    box.fill("NETWORK group")  # the first word is the heading's
    seen = [row.inner_text() for row in rows.all() if row.is_visible()]
    assert 0 < len(seen) < there
    status = page.locator('section[aria-labelledby="heat"] .tools [role=status]').first
    assert status.inner_text() == f"{len(seen)} of {there} rows"
    headings = [row.inner_text() for row in table.locator("tbody tr.sub").all() if row.is_visible()]
    assert len(headings) == 1
    box.fill("no such words")
    assert status.inner_text() == f"0 of {there} rows"
    box.fill("")
    assert all(row.is_visible() for row in rows.all())
    assert status.inner_text() == ""


def test_a_table_sorts_by_keyboard(visit: Open) -> None:
    page = visit(DATA).page
    table = page.locator("table", has=page.locator("caption", has_text="Floating-point formats"))

    def column(k: int) -> list[str]:
        return [row.locator("th, td").nth(k).inner_text() for row in table.locator("tbody tr").all()]

    written = column(0)
    digits = table.locator(".sort", has_text="decimal digits")
    head = digits.locator("xpath=..")
    digits.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(t) for t in column(2)] == sorted(float(t) for t in column(2))
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(t) for t in column(2)] == sorted((float(t) for t in column(2)), reverse=True)
    table.locator(".sort", has_text="largest").press("Enter")
    assert table.locator("[aria-sort]").count() == 1
    sizes = {"bfloat16": 3.39e38, "float32": 3.40e38, "float64": 1.8e308, "float16": 65504.0}
    assert column(0) == sorted(written, key=lambda name: sizes[name])


@pytest.mark.parametrize("name", DETAILS)
def test_every_copy_can_be_read_again(visit: Open, name: str) -> None:
    page = visit(name, permissions=["clipboard-read", "clipboard-write"]).page
    shorten(page, 40)
    tables = open_tables(page)
    assert tables or name == EXPLORER
    read_copies(page, tables)


# For everyone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width", "rules"), LOOKS)
def test_accessible(visit: Open, scheme: str, width: int, rules: dict[str, Any]) -> None:
    judge(visit(FIRST, width=width, color_scheme=scheme).page, **rules)


@pytest.mark.parametrize("name", DETAILS)
def test_every_line_is_accessible(visit: Open, name: str) -> None:
    page = visit(name).page
    shorten(page, 12)
    judge(page, **CONTRAST)
    page.emulate_media(color_scheme="dark")
    judge(page, **CONTRAST)
    open_tables(page)
    judge(page, rules={"color-contrast": {"enabled": False}})


# How large text of ten points is in each figure.
SIZES = """() => [...document.querySelectorAll('figure svg')].filter(e => e.getClientRects().length)
    .map(e => 10 * e.getBoundingClientRect().width / e.viewBox.baseVal.width)"""


@pytest.mark.parametrize("name", [FIRST, *DETAILS])
def test_nothing_overflows_a_telephone(visit: Open, name: str) -> None:
    for java_script in (True, False) if name == EXPLORER else (False,):
        page = visit(name, width=360, java_script_enabled=java_script).page
        wide, there = widths(page)
        assert wide <= there
        # Without scripts of its own a page can still be asked.
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        wide, there = widths(page)
        assert wide <= there
        assert page.locator(".scroll:not(:has(table))").count() == 0, "what scrolls sideways is a table"
        small = page.evaluate(SIZES)
        assert not small or min(small) >= 7


REFERENCE = Path(__file__).resolve().parents[3] / "reports" / "reference"


@pytest.mark.parametrize("width", [1400, 360])
@pytest.mark.parametrize("committed", [False, True])
def test_the_report_keeps_within_its_budget(visit: Open, folder: Path, committed: bool, width: int) -> None:
    page = visit(FIRST, width=width, there=REFERENCE if committed else folder).page
    height, words = page.evaluate("""[document.documentElement.scrollHeight,
        document.body.innerText.split(/\\s+/).filter(Boolean).length]""")
    assert height <= (8_000 if width == 1400 else 20_000)
    assert words <= 6_000
    wide, there = widths(page)
    assert wide <= there
    assert sideways(page) == []
    # Text of a figure is no smaller than what a telephone can show.
    sizes = page.evaluate(SIZES)
    assert sizes
    assert min(sizes) >= 7


@pytest.mark.parametrize("name", [FIRST, *DETAILS])
def test_readable_without_scripts(visit: Open, name: str) -> None:
    page = visit(name, java_script_enabled=False).page
    sections = page.locator("main > section.chapter")
    assert sections.count() >= (6 if name == FIRST else 1)
    for section in sections.all():
        assert section.locator("h2").first.is_visible()
        assert len(section.inner_text()) > 30
    assert page.locator(".tools, .sort").count() == 0
    if name == EXPLORER:
        assert "needs JavaScript" in page.locator("#explorer-without").inner_text()
        assert not page.locator("#explorer-app").is_visible()
    else:
        assert page.locator("main table, main summary").first.is_visible()


def test_the_keyboard_reaches_everything(visit: Open) -> None:
    page = visit().page
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement")
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    part(page, "x").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.part") == "y"
    before = part(page, "said").inner_text(), state(page)["y"]
    page.keyboard.press("ArrowDown")
    assert state(page)["y"] != before[1]
    assert page.evaluate("document.activeElement.dataset.part") == "y", "the focus stays on the menu"
    # Enter on a box would send the form of which it is a part.
    part(page, "theory").focus()
    page.keyboard.press("Enter")
    assert part(page, "plot").is_visible()


def test_print_cuts_nothing(visit: Open) -> None:
    for name in (FIRST, *DETAILS):
        page = visit(name).page
        assert cut_in_print(page) == [], name
    assert not page.locator(".tools").first.is_visible()
