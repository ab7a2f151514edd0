"""The claims of the first page: each is what its tables hold, counted here in another way."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report_pages import Page, made, record, small_study

from varkernels import FORMATS, moments
from varstudy import report
from varstudy.report import claims as module
from varstudy.report.model.facts import Facts
from varstudy.report.model.summary import recommendations
from varstudy.survey import elements
from varstudy.survey.findings import measured
from varstudy.survey.league import league_record


def found_in(table: list[dict[str, Any]], **given: Any) -> dict[str, module.Claim]:
    facts = Facts(made(table))
    return module.claimed(module.Sources(facts, recommendations(facts), **given))


@pytest.fixture(scope="module")
def committed() -> dict[str, module.Claim]:
    content = {"league": league_record.committed(), "answers": elements.committed()}
    return found_in(small_study(), rows=measured.committed(), **content)


def test_a_bias_gradient_that_is_wrong_says_so(committed: dict[str, module.Claim]) -> None:
    claim = committed["bias_gradient"]
    worst = claim.value["bfloat16"]
    assert claim.title == "A layer norm’s bias gradient is wrong"
    assert f"{worst['computed']:.0f}, exact {worst['exact']:,.0f}" in claim.text
    assert found_in([], answers={**elements.committed(), "rows": []}).keys() == {
        "negative", "vanishes", "stalls", "gradient_order",
    }  # fmt: skip


def test_the_pencil_s_claims_are_the_kernel_s(committed: dict[str, module.Claim]) -> None:
    for key in ("negative", "vanishes"):
        value = committed[key].value
        x = [float(v) for v in value["values"].split(", ")]
        array = np.array(x, FORMATS[value["format"]].dtype).reshape(1, 1, -1)
        (answer,) = moments(array, value["algorithm"], value["format"]).variance(1)
        assert float(value["answer"].replace("−", "-")) == float(answer)
        assert float(value["exact"]) == sum((v - sum(x) / 3) ** 2 for v in x) / 2


def test_where_a_running_sum_stops(committed: dict[str, module.Claim]) -> None:
    for name, stop in committed["stalls"].value.items():
        one = FORMATS[name].dtype.type(1)
        assert FORMATS[name].dtype.type(stop - 1) + one == stop
        assert FORMATS[name].dtype.type(stop) + one == stop


def test_the_layout_s_claim_is_the_findings(committed: dict[str, module.Claim]) -> None:
    rows = [r for r in measured.committed() if (r.framework, r.kind, r.property) == ("torch", "group", "accuracy.1e4")]
    (epsilon,) = (
        r.plain() for r in measured.committed()
        if (r.framework, r.kind, r.variant, r.property) == ("torch", "group", "channels-last", "epsilon.default")
    )  # fmt: skip
    expected = {r.variant: r.plain() for r in rows if r.variant != "2-D"}
    assert committed["layout"].value == expected | {"too_large": pytest.approx(epsilon**-0.5, rel=0.01)}
    assert committed["layout"].value["channels-last"] > 1 > 1000 * committed["layout"].value["NCHW"]


def test_the_frameworks_claims_are_the_findings(committed: dict[str, module.Claim]) -> None:
    rows = [r for r in measured.committed() if r.kind == "batch" and r.status == "measured"]
    divisors: dict[str, set[str]] = {}
    for row in rows:
        if row.property == "correction.running" and not row.value.startswith('"'):
            divisors.setdefault(row.framework, set()).add(row.value)
    value = committed["conventions"].value
    assert value["frameworks"] == len(divisors)
    assert value["plain"] == sum(found <= {"0", "0.0"} for found in divisors.values())
    assert value["corrected"] == sum(found <= {"1", "1.0"} for found in divisors.values())
    gradients = [r for r in rows if r.property == "gradient"]
    other = {r.framework for r in gradients if r.value != '"through the variance"'}
    names = {r.framework for r in gradients}
    assert committed["gradients"].value == {"through": len(names - other), "of": len(names)}


def test_the_package_s_claim_is_the_league_s(committed: dict[str, module.Claim]) -> None:
    value, content = committed["package"].value, league_record.committed()
    tried = {
        (row.function, row.threads): {c.case: c for c in league_record.results(row, content) if c.length <= 20_000}
        for row in league_record.rows(content)
        if row.storage == "float32"
    }
    whole = [cases for cases in tried.values() if cases and all(c.tried for c in cases.values())]
    shared = [name for name in whole[0] if all(cases[name].scored for cases in whole)]
    assert value["of"] == len(shared)
    for name, word in (("pandas.Series.var", "without"), ("pandas.Series.var with bottleneck", "with")):
        (mine,) = (cases for (function, _), cases in tried.items() if function == name)
        assert value[word] == sum(mine[case].wrong for case in shared)
    assert value["with"] > value["without"]


def test_claims_of_a_small_table() -> None:
    rows = [
        record("norms/bright/NCHW", "norms", "naive", family="bright", var_error_worst=10.0**-0.5),
        record("norms/relu/NCHW", "norms", "naive", family="relu", var_error_worst=10.0),
        record("photo/a/uint8", "photo", "naive", family="photo", var_error_worst=1e-3),
        record("photo/a/normalised", "photo", "naive", family="photo", var_error_worst=1.0),
        *(
            record(case, "photo", "naive", family="photo", storage="float16", accumulator="float16", **given)
            for case, given in (("photo/a", {"rows_squares_overflow": 2}), ("photo/b", {}))
        ),
        *(
            record(f"growth/{n}", "growth", name, family="offset", values=n, var_error_worst=error)
            for n, name, error in ((8, "two_pass", 9.0), (64, "two_pass", 3.0), (64, "pairwise", 1e-8))
        ),
    ]
    found = found_in(rows)
    assert found["raw_images"].value["naive"] == pytest.approx(0.5)
    assert found["raw_images"].population.startswith("2 maps")
    assert found["overflows"].value == {"largest": 65504.0, "maps": 1, "of": 2}
    assert found["order"].value == {"two_pass": 3.0, "pairwise": 1e-8, "values": 64}
    assert "One row of 64 float32 values" in found["order"].population
    assert found["raw_images"].title == "Raw 8-bit images break the naive formula"
    assert found["order"].title == "Order matters as much as formula"


def test_a_title_says_no_more_than_its_numbers() -> None:
    rows = [
        record("photo/a/uint8", "photo", "naive", family="photo", var_error_worst=1e-3),
        *(record("growth/8", "growth", name, family="offset", values=8) for name in ("two_pass", "pairwise")),
    ]
    found = found_in(rows)
    assert found["raw_images"].title == "Raw 8-bit images and the naive formula"
    assert found["order"].title == "Two orders of the same formula"


def test_the_reports_claim_counts_inputs_and_reports() -> None:
    rows = [record(f"museum/{i}", "museum", "naive", var_error_worst=10.0 if i < 3 else 1e-6) for i in range(5)]
    sources = ("https://a/1", "https://a/1", "https://a/2", "https://a/2", "https://a/3")
    table = made(rows, cases={f"museum/{i}": {"group": "museum", "source": source} for i, source in enumerate(sources)})
    found = module.claimed(module.Sources(Facts(table)))["reports"]
    assert found.value == {"inputs": 3, "of": 5, "reports": 2, "of_reports": 3}


def test_what_is_not_measured_is_not_claimed() -> None:
    assert set(found_in([])) == {"negative", "vanishes", "stalls"}
    nan = {"rows_scored": 0, "var_error_worst": math.nan, "var_digits_worst": math.nan}
    assert "raw_images" not in found_in([record("photo/a/uint8", "photo", "naive", family="photo", **nan)])


def test_every_claim_of_the_page_is_in_the_file_with_its_population() -> None:
    pages = report.render(made(small_study()))
    page = Page(pages["report.html"])
    shown = " ".join(page.text.split())
    listed = json.loads(pages["claims.json"])
    assert {"bias_gradient", "layout", "package", "order", "reports", "negative"} <= {claim["key"] for claim in listed}
    for claim in listed:
        assert claim["claim"] in shown
        assert claim["population"]
        assert claim["query"]
        assert claim["proof"].removeprefix("report.html#") in page.ids
    for key in ("bias_gradient", "layout", "package", "order"):
        (claim,) = (each for each in listed if each["key"] == key)
        assert claim["population"] in shown
    again = replace(made(small_study()), settings={"level": "quick", "seed": 0, "measured": [1, 2]})
    assert json.loads(report.render(again)["claims.json"]) == listed
