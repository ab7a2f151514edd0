"""The chapter on outputs and gradients: every figure is one of the committed file, and every row has its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from report_pages import Page

from varkernels import FORMATS
from varstudy.report import answer_claims, rendering
from varstudy.report.figures import gradient_sums
from varstudy.report.sections import layer_answers
from varstudy.report.sections.layer_answers import LayerAnswers, Worst
from varstudy.survey import draws, elements
from varstudy.survey.elements import ElementRow
from varstudy.survey.reproducers import findings


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return elements.committed()


@pytest.fixture(scope="module")
def chapter(content: dict[str, Any]) -> LayerAnswers:
    return layer_answers.made(content)


def rendered(made: LayerAnswers) -> str:
    around = rendering.environment().from_string(
        '{% from "macros.html.j2" import scroll, heading, brief %}{% include "details/every-answer.html.j2" %}'
    )
    return around.render(answers=made)


def of_torch(content: dict[str, Any], **asked: Any) -> list[ElementRow]:
    return [
        row for row in elements.rows(content)
        if row.framework == "torch" and " stress" not in row.input
        and all(getattr(row, name) == value for name, value in asked.items())
    ]  # fmt: skip


def test_the_bias_gradient_s_claim_is_the_worst_row(content: dict[str, Any]) -> None:
    found = answer_claims.bias_gradient(content)
    assert found is not None
    value, population, _ = found
    for name in ("float16", "bfloat16"):
        rows = of_torch(content, kind="layer", array="dbias", parameters="same", storage=name, size=65536)
        assert value[name]["error"] == max(row.error for row in rows)
        assert value[name]["repro"] in findings()
    one = value["bfloat16"]
    assert abs(one["computed"] - one["exact"]) / abs(one["exact"]) == pytest.approx(one["error"], rel=0.01)
    assert "65,536 rows" in population


def test_the_other_claims_are_the_rows_too(content: dict[str, Any]) -> None:
    half, one, rms = (
        query(content) for query in (answer_claims.half_mean, answer_claims.one_sample, answer_claims.rms)
    )
    assert half is not None
    assert one is not None
    assert rms is not None
    rows = of_torch(content, array="y", storage="float16", kind="batch")
    assert half[0]["batch"] == max(row.error for row in rows if row.parameters != "float32")
    assert half[0]["error"] > 10 * half[0]["stored"]
    assert half[0]["with_float32"] < 2 * half[0]["stored"]
    rows = of_torch(content, array="dx", storage="float32", kind="instance", memory="channels-last")
    assert one[0]["error"] == max(row.error for row in rows if " 256 " in row.input)
    assert one[0]["more"] == max(row.error for row in rows if " 256 " not in row.input)
    rows = [row for row in of_torch(content, kind="rms") if row.storage != "float32" and row.answers_in == row.storage]
    assert rms[0]["arrays"] == len(rows)
    assert rms[0]["times"] == max(row.error / row.stored for row in rows)


def test_the_order_s_claim_is_its_row(content: dict[str, Any]) -> None:
    found = answer_claims.gradient_order(content)
    assert found is not None
    rows = [r for r in elements.orders(content) if (r.array, r.accumulator, r.rows) == ("dbias", "bfloat16", 65536)]
    assert {row.order: row.error for row in rows}.items() >= {
        name: found[0][name] for name in ("running", "pairwise")
    }.items()


def test_nothing_is_claimed_of_rows_that_are_not_there(content: dict[str, Any]) -> None:
    bare = content | {"rows": [], "orders": []}
    assert [query(bare) for query in answer_claims.QUERIES] == [None] * len(answer_claims.QUERIES)


def test_the_first_table_has_the_worst_of_each_column(content: dict[str, Any], chapter: LayerAnswers) -> None:
    (cells,) = (cells for name, cells in chapter.lines if name == "PyTorch")
    by_head = dict(zip(chapter.heads, cells, strict=True))
    worst = by_head["dbias, 65,536 rows"]
    assert isinstance(worst, Worst)
    assert (worst.error, worst.place, worst.wrong) == ("0.92", "layer, bfloat16", True)
    assert len(chapter.lines) + chapter.more == len(elements.facts(content))
    alone = {part: [each for each in content[part] if each["framework"] == "onnxruntime"] for part in ("facts", "rows")}
    ((_, none),) = layer_answers.made(content | alone).lines
    assert none[-1] == "none"


def test_every_row_is_on_the_page_or_has_a_reason(content: dict[str, Any], chapter: LayerAnswers) -> None:
    rows = elements.rows(content)
    without = [row for row in rows if not elements.scored(row)]
    assert len(chapter.rows) + len(without) == len(rows)
    outcomes = {outcome for _, outcome, *_ in chapter.reasons}
    assert {row.outcome for row in without} - {"scored"} <= outcomes
    assert "not finite" in outcomes
    page = Page(f"<html><body><main>{rendered(chapter)}</main></body></html>")
    assert {"worst-answers", "sums", "unscored", "every-row", "answer-runs", "defects"} <= set(page.ids)
    assert "repro torch/layer/contiguous-same/dbias.bfloat16" in page.text


def test_a_chapter_without_measurements_says_so() -> None:
    assert "Not measured: it is gone" in rendered(LayerAnswers(problem="it is gone"))


def test_the_figure_has_a_panel_a_format_and_names_every_order(content: dict[str, Any]) -> None:
    rows = elements.orders(content)
    drawn = gradient_sums.draw(rows)
    for svg in (drawn.svg, drawn.narrow):
        assert svg is not None
        for name in {row.order for row in rows} | {row.accumulator for row in rows}:
            assert f">{name}<" in svg
    assert {row.accumulator for row in rows} <= set(FORMATS)
    assert gradient_sums.draw([]).svg is None


def test_the_committed_claims_name_rows_of_the_file(content: dict[str, Any]) -> None:
    values = [found[0] for query in answer_claims.QUERIES if (found := query(content)) is not None]
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_the_draws_of_every_layer_are_on_the_page(chapter: LayerAnswers) -> None:
    rows = [row for row in draws.rows(draws.committed()) if draws.read_off(row)]
    assert len(chapter.draws) == len({(row.framework, row.kind, row.variant) for row in rows})
    own = [row for row in rows if (row.framework, row.kind, row.variant) == ("torch", "batch", "channels-last")]
    worst = max((row for row in own if row.mean <= layer_answers.DRAWN_MEAN), key=lambda row: row.worst)
    (line,) = (line for line in chapter.draws if line[:3] == ("PyTorch", "batch", "channels-last"))
    assert line[5] == draws.figure(worst)
    assert f"of {worst.size:,} values" in line[5]
    assert line[5] in rendered(chapter)
