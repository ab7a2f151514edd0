"""Small tables of results, and a page read as its elements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

import numpy as np

from varkernels import FORMATS, algorithms
from varstudy import report
from varstudy.study import results
from varstudy.study.results import COLUMNS, Results
from varstudy.study.score import Status, status_of

HOSTILE = "<script>alert(1)</script>\"'&$x^2$ \\frac ${evil} {{ 7*7 }}\u202e\x1b\x00 " + "y" * 60


NAMES = ("naive", "two_pass", "welford", "pairwise", "chan", "corrected_two_pass", "shifted_first", "double_double")


VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr", "base", "source"}


def record(case: str, group: str, algorithm: str, **given: Any) -> dict[str, Any]:
    """One row of the table: what is not given is quiet."""
    known = algorithms()
    row: dict[str, Any] = {c.name: {"str": "", "int": 0, "float": math.nan}[c.kind] for c in COLUMNS}
    row |= {
        "case": case, "group": group, "family": "offset", "shape": "4x2", "layout": "NC", "norm": "batch",
        "storage": "float32", "accumulator": "float32", "algorithm": algorithm, "device": "cpu", "contraction": "off",
        "correction": 0.0,
        "formula": known[algorithm].formula if algorithm in known else algorithm,
        "order": known[algorithm].order if algorithm in known else "own",
        "rows": 2, "values": 4, "rows_scored": 2, "kappa_worst": 10.0, "kappa_median": 5.0, "worst_row": 0,
        "exact": 1.0, "bound_used": 0.25, "var_error_worst": 1e-6,
    }  # fmt: skip
    row |= given
    error = row["var_error_worst"]
    if "var_digits_worst" not in given:
        row["var_digits_worst"] = math.inf if error == 0 else -math.inf if math.isinf(error) else -math.log10(error)
    if "computed" not in given:
        row["computed"] = row["exact"] * (1 + error) if math.isfinite(error) else math.nan
    row["var_error_median"] = error / 2
    return row | {name: count for name, count in _statuses(row).items() if name not in given}


def _statuses(row: dict[str, Any]) -> dict[str, int]:
    """The rows of each status, as the judge counts them where all rows are as good as the worst one."""
    scored = row["rows_scored"]
    if not scored:
        return {}
    exact, fmt = row["exact"], FORMATS.get(row["accumulator"], FORMATS["float64"])
    if exact and not fmt.smallest_normal <= exact <= fmt.largest:
        return {"rows_out_of_range": scored}
    failed = min(scored, row["var_nan"] + row["var_inf"] + row["var_negative"])
    error = row["var_error_worst"] if "var_digits_worst" not in row else 10.0 ** -row["var_digits_worst"]
    status = status_of(error, FORMATS.get(row["storage"], FORMATS["float64"]))
    if failed and status is not Status.WRONG:
        return {"rows_wrong": failed, f"rows_{status}": scored - failed}
    return {f"rows_{status}": scored}


def made(records: Iterable[dict[str, Any]], **given: Any) -> Results:
    rows = list(records)
    given.setdefault("settings", {"level": "quick", "seed": 0, "only": None})
    given.setdefault("cases", {row["case"]: {"group": row["group"], "rationale": "why"} for row in rows})
    given.setdefault("algorithms", {row["algorithm"]: {"summary": "what it does"} for row in rows})
    return results.from_records(rows, **given)


def whole(results: Results) -> str:
    """Every page of the report, one after the other."""
    return "\n".join(page for name, page in report.render(results).items() if name.endswith(".html"))


def small_study(name: str = "") -> list[dict[str, Any]]:
    """A little of every group; `name` becomes a part of every case's name."""
    rng = np.random.default_rng(5)
    rows = []
    for place, algorithm in enumerate(NAMES):

        def add(case: str, group: str, algorithm: str = algorithm, **given: Any) -> None:
            given.setdefault("var_error_worst", float(10.0 ** rng.uniform(-7, -2)))
            rows.append(record(case + name, group, algorithm, **given))

        for storage in FORMATS:
            for k in (1.0, 1e2, 1e4):
                error = {0: 1e-7 * k**2, 1: 0.0, 2: math.inf}.get(place, 1e-7 * k)
                add(
                    f"offset/kappa={k:g}", "kappa-sweep", storage=storage, accumulator=storage, kappa_worst=k,
                    var_error_worst=error, var_nan=int(math.isinf(error)),
                )  # fmt: skip
        for family in ("normal", "offset"):
            for n in (2, 32, 1024):
                add(f"growth/{family}/{n}", "growth", family=family, values=n, norm="flat")
        for n in (2, 32):
            for correction in (0.0, 1.0):
                add(
                    f"bessel/n={n}", "bessel", family="bessel", values=n, correction=correction,
                    sampling_error=math.sqrt(2 / n),
                )  # fmt: skip
        for norm in ("batch", "layer", "instance", "group"):
            add("norms/a", "norms", norm=norm, groups=8 if norm == "group" else 0)
        add("museum/x/y#1", "museum", exact=0.0, var_error_worst=math.inf if place < 2 else 0.0)
        add("museum/x/y#2", "museum", var_negative=1 if place == 0 else 0, var_error_worst=30.0 if place == 0 else 1e-6)
        add("museum/x/y#3", "museum", accumulator="float64", var_error_worst=1.0)
        add("nist/NumAcc4", "nist", storage_error=1e-3, correction=1.0, norm="flat")
        add("photo/p", "photo")
        add("ramp/r", "families", var_error_worst={"two_pass": 1e4, "pairwise": 1e-5}.get(algorithm, 1e-3))
        add("user/file.npy", "user", accumulator="float64")
    return rows


class Page(HTMLParser):
    """What a browser would see: balance, attributes, text inside and outside of figures."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.figure_text = ""
        self.ids: list[str] = []
        self.feed(html)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]], closed: bool = False) -> None:
        given = {k: v or "" for k, v in attrs}
        self.tags.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        if not closed and tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.stack or tag in VOID, f"<{tag}/> is no closed element in HTML"
        self.handle_starttag(tag, attrs, closed=True)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.text += data
            self.figure_text += data if "svg" in self.stack else ""
