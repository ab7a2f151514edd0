"""What the tests in a real browser share: opening a page and watching it, reading copies again, judging by axe-core."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'varstudy[browser]'")

WIDTHS = (1400, 360)


def _chromium(playwright: Any) -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    found = found or playwright.chromium.executable_path
    if not Path(found).exists():
        pytest.skip("needs Chromium: apt-get install chromium, or playwright install chromium")
    return str(found)


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium, or a skipped test."""
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=_chromium(playwright), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@dataclass
class Seen:
    """What a page did while it was open."""

    page: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Seen]


@contextmanager
def visits(browser: Any) -> Iterator[Open]:
    """Open files; whatever a page complains of or asks for when it should not fails the test at its end."""
    contexts, all_seen = [], []

    def opened(path: Path, fragment: str = "", width: int = 1400, **options: Any) -> Seen:
        options.setdefault("reduced_motion", "reduce")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        seen = Seen(page)
        all_seen.append(seen)
        page.on("console", lambda m: seen.problems.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.problems.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url.split("#")[0]))
        page.goto(path.as_uri() + fragment)
        return seen

    yield opened
    for context in contexts:
        context.close()
    for seen in all_seen:
        assert seen.problems == []
        files = [url for url in seen.requests if not url.startswith("blob:file:")]
        assert set(files) == {files[0]}
        assert files[0].startswith("file:")


def open_tables(page: Any) -> list[Any]:
    """Open what is closed, and give the tables that sort."""
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait_for_function("!document.querySelector('main table:not([data-plain]):not([data-enhanced])')")
    return list(page.locator("main table:has(.sort)").all())


def tools(table: Any) -> Any:
    """The bar above a table: its filter and its copies."""
    own = "xpath=ancestor-or-self::*[preceding-sibling::*[1][@class='tools']][1]"
    return table.locator(own).locator("xpath=preceding-sibling::*[1]")


def read_copies(page: Any, tables: list[Any]) -> None:
    """Every copy of every table, read again, is the table."""
    for table in tables:
        caption = table.locator("caption").inner_text()
        want = table.evaluate("""t => [...t.tBodies].flatMap(b => [...b.rows]).filter(r => !r.classList.contains('sub'))
            .map(r => [...r.cells].flatMap(c => Array(c.colSpan).fill(c.textContent.trim().replace(/\\s+/g, ' '))))""")
        bar = tools(table)
        got = {}
        for kind in ("CSV", "Markdown", "LaTeX"):
            page.evaluate("navigator.clipboard.writeText('')")
            bar.get_by_text(f"copy as {kind}").click()
            page.wait_for_function("async () => await navigator.clipboard.readText() !== ''")
            got[kind] = READ[kind](page.evaluate("navigator.clipboard.readText()"))
            assert bar.locator("[role=status]").inner_text() == f"copied {len(want)} rows"
        for kind, rows in got.items():
            wide = len(rows[0]) - len(want[0])
            assert wide in (0, 1), (caption, kind)
            assert {len(row) for row in rows} == {len(rows[0])}, (caption, kind)
            assert [row[wide:] for row in rows[1:]] == want, (caption, kind)


def _csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _markdown(text: str) -> list[list[str]]:
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.split("\n")]
    assert all(set(cell.strip()) == {"-"} for cell in lines[1])
    return [[re.sub(r"\\([\\|<*_`])", r"\1", cell[1:-1]) for cell in line] for line in [lines[0], *lines[2:]]]


def _latex(text: str) -> list[list[str]]:
    lines = text.split("\n")
    assert lines[0].startswith("\\begin{tabular}{l")
    assert lines[-1] == "\\end{tabular}"
    inner = [line.removesuffix(" \\\\") for line in lines[1:-1] if line != "\\hline"]
    named = {"\\textbackslash{}": "\\", "\\textasciitilde{}": "~", "\\textasciicircum{}": "^"}
    pattern = re.compile(r"\\text[a-z]+\{\}|\\([&%$#_{}])")
    return [
        [pattern.sub(lambda m: m[1] or named[m[0]], cell) for cell in re.split(r"(?<!\\) & ", line)] for line in inner
    ]


READ = {"CSV": _csv, "Markdown": _markdown, "LaTeX": _latex}


def judge(page: Any, **options: Any) -> None:
    """Fail with what axe-core finds."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core: 'varstudy[browser]'")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    told = [
        (v["id"], v["help"], [(n["html"][:200], n.get("failureSummary", "")[:300]) for n in v["nodes"][:3]])
        for v in found["violations"]
    ]
    assert told == [], json.dumps(told, indent=1)
    assert len(found["passes"]) > (0 if "runOnly" in options else 20)


# A scheme changes colours, a width what stands where: each is judged by what it can change, once for every pair of them
# by the contrast of the colours, which takes long.
CONTRAST = {"runOnly": ["color-contrast"]}
LOOKS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("light", 1400, {}),
    ("dark", 1400, CONTRAST),
    ("light", 360, {"rules": {"color-contrast": {"enabled": False}}}),
    ("dark", 360, CONTRAST),
)


def shorten(page: Any, rows: int) -> None:
    """Leave so many rows of each table: the others are like them, and thousands take minutes."""
    page.evaluate(
        "n => document.querySelectorAll('tbody').forEach(b => [...b.rows].slice(n).forEach(r => r.remove()))", rows
    )


def sideways(page: Any) -> list[str]:
    """What scrolls sideways."""
    found = page.evaluate("""() => [...document.querySelectorAll('body *')].filter(e => !(e instanceof SVGElement)
        && e.getClientRects().length && e.scrollWidth > e.clientWidth + 1
        && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.outerHTML.slice(0, 120))""")
    return list(found)


def widths(page: Any) -> tuple[int, int]:
    """How wide the page is, and how wide the window: the first is no larger where nothing overflows."""
    wide, there = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return wide, there


def cut_in_print(page: Any) -> list[str]:
    """What would be cut or scrolled on paper."""
    page.emulate_media(media="print")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = page.evaluate("""() => [...document.querySelectorAll('main *')].filter(e => {
        const s = getComputedStyle(e);
        return !(e instanceof SVGElement) && !e.classList.contains('sr') && e.getClientRects().length
            && [s.overflowX, s.overflowY].some(o => ['auto', 'scroll', 'hidden'].includes(o));
    }).map(e => e.outerHTML.slice(0, 120))""")
    return list(found)
