"""The report's section on conventions: it says what the rows say, marks what contradicts, and bears any text."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from varstudy.report import findings, measured_file, rendering
from varstudy.report.figures import draw
from varstudy.report.model import measured_layers
from varstudy.report.sections import bessel_places, layers_heat, running_variance
from varstudy.report.sections import frameworks as section
from varstudy.report.sections.convention_tables import COLUMNS
from varstudy.survey.findings import documented, measured
from varstudy.survey.findings.documented import Documented
from varstudy.survey.findings.measured import FindingRow

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}\u202e\x00 " + "y" * 60
VOID = {"br", "hr", "img", "input", "meta", "link", "wbr"}
BATCH: dict[str, Any] = {
    "correction.normalise": 0,
    "correction.running": 1,
    "running.keeps": "variance",
    "running.update": "exponential",
    "running.weight": [0.1] * 5,
    "momentum.multiplies": "new",
    "momentum.default": 0.1,
    "epsilon.default": 1e-5,
    "epsilon.place": "inside the root",
    "epsilon.in_running": "no",
    "initial.mean": 0.0,
    "initial.var": 1.0,
    "one_value.output": "error",
    "running.when": "forward",
    "algorithm": "stable",
    "accuracy.1e4": 1e-6,
    "accuracy.1e5": 1e-4,
    "accuracy.1e6": 1e-2,
}


def row(framework: str, name: str, plain: Any, variant: str = "NCHW", **given_: Any) -> FindingRow:
    made = FindingRow(
        framework, "batch", variant, name, json.dumps(plain), "measured", "", "torch 2.0, jax 1.0", "3.11", 1,
        "2026-01-02", "a processor",
    )  # fmt: skip
    return replace(made, **given_)


def rows(framework: str = "torch", variant: str = "NCHW", **other: Any) -> list[FindingRow]:
    """A layer; keywords change a property, dots written as __."""
    values = BATCH | {name.replace("__", "."): value for name, value in other.items()}
    return [row(framework, name, value, variant) for name, value in values.items()]


def fact(name: str, value: Any, source: Any = None, /, **given_: Any) -> Documented:
    made = Documented(
        "torch", "batch", "", name, value, f"It says so of {name}.", "docstring, https://example.org/a_b",
        source, "a/b.py:12 at torch 2.0" if source is not None else "",
    )  # fmt: skip
    return replace(made, **given_)


class Page(HTMLParser):
    """Balance, attributes and text of a part of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(made: section.Conventions) -> str:
    """The section as the page has it."""
    around = rendering.environment().from_string(
        '{% from "macros.html.j2" import scroll, heading, subheading, figure %}'
        '{% include "details/conventions.html.j2" %}'
    )
    return around.render(conventions=made)


def table(made: section.Conventions, place: int = 0) -> str:
    """One kind's table as the page has it."""
    module = rendering.environment().get_template("properties.html.j2").module
    return str(module.property_table(made.parts[place]))  # type: ignore[attr-defined]


def cells(made: section.Conventions, kind: str = "batch") -> list[dict[str, str]]:
    """The lines of a kind's table, by property: the markup of each cell; the head of the line under "head"."""
    place = [each.kind for each in made.parts].index(kind)
    found = []
    for line in re.findall(r"<tr><th scope=row>(.*?)</tr>", table(made, place)):
        if "<td colspan" in line or "unmeasured" in line:
            continue
        head, *rest = re.split(r"<td[^>]*>", line)
        found.append({"head": head, **dict(zip(COLUMNS, rest, strict=False))})
    return found


# The table ------------------------------------------------------------------------------------------------------------


def test_a_cell_has_the_measured_value_and_beneath_it_what_is_documented() -> None:
    facts = [
        fact("correction.running", 1),
        fact("epsilon.default", 1e-3, 1e-5),
        fact("momentum.default", None, 0.1),
        fact("initial.var", None, 0.0),
    ]
    (line,) = cells(section.made(rows(), facts))
    assert line["correction.running"] == "n − 1<small>documented</small></td>"
    assert "<small>" not in line["correction.normalise"]
    assert re.match(r"10⁻⁵<small><a href=\"#([^\"]+)\">≠ contradicts</a> documentation: 0.001", line["epsilon.default"])
    assert "as in source" in line["epsilon.default"]
    assert line["momentum.default"] == "0.1<small>as in source</small></td>"
    assert "≠ contradicts</a> source: 0" in line["initial.var"]
    assert "torch 2.0, 2026-01-02" in line["head"]
    assert "jax" not in line["head"], "the version of another package"


def test_what_contradicts_is_marked_by_more_than_colour() -> None:
    shown = table(section.made(rows(), [fact("epsilon.default", 1e-3)]))
    (clash,) = re.findall(r'<td class="clash">(.*?)</td>', shown)
    assert "≠ contradicts" in clash


@pytest.mark.parametrize("status", ["undetermined", "failed", "not run"])
def test_a_cell_without_a_value_says_so_in_words(status: str) -> None:
    given_ = rows()
    given_[0] = replace(given_[0], value="", status=status, detail="nobody knows why")
    made = section.made(given_, [fact("correction.normalise", 0)])
    (line,) = cells(made)
    assert line["correction.normalise"].startswith(f"<em>{status}</em>")
    assert "documentation: n" in line["correction.normalise"]
    assert [reason[2] for reason in made.reasons] == [f"{status}: nobody knows why"]
    assert not made.entries


def test_not_applicable_is_a_dash_and_no_reason() -> None:
    made = section.made([replace(r, value="", status="not applicable") for r in rows()], [])
    assert cells(made)[0]["algorithm"].startswith("–")
    assert made.reasons == ()


def test_variants_that_agree_share_a_line() -> None:
    same = [*rows(variant="NCHW"), *rows(variant="NHWC", accuracy__1e6=5e-2)]
    (line,) = cells(section.made(same, []))
    assert "NCHW; NHWC" in line["head"]
    assert line["accuracy.1e6"].startswith("1.3"), "the worst of both: 5e-2 has 1.3 digits"
    for other in (
        rows(variant="2-D", correction__running=0),
        rows(variant="2-D", accuracy__1e6=0.5),
        [replace(r, status="undetermined", value="") if r.property == "gradient" else r for r in rows(variant="2-D")]
        + [row("torch", "gradient", "other", "2-D")],
    ):
        assert len(cells(section.made([*rows(), *other], []))) == 2
    assert len(cells(section.made(same, [fact("epsilon.default", 1e-3, variant="NHWC")]))) == 2
    assert len(cells(section.made([*rows("torch"), *rows("mlx")], []))) == 2


def test_more_threads_stand_beneath() -> None:
    more = row("torch", "accuracy.1e6", 50.0, threads=2)
    (line,) = cells(section.made([*rows(), more], []))
    assert line["accuracy.1e6"] == "2.0<small>2 threads: −1.7</small></td>"
    (line,) = cells(section.made([more, *rows()], []))
    assert line["accuracy.1e6"].startswith("2.0"), "whatever the order of the rows"


def test_a_framework_that_could_not_be_asked_says_why_and_how() -> None:
    lost = row("paddle", "probe", None, "", kind="", value="", status="failed", detail="it ran out of memory")
    html = table(section.made([*rows(), lost], []))
    assert "<em>failed</em>: it ran out of memory" in html
    assert "<em>not run</em>. <code>python -m varstudy frameworks --install mlx</code> measures it" in html
    half = [*rows("paddle"), lost]
    made = section.made(half, [])
    assert any("it ran out of memory" in line for line in made.lead)
    assert "<em>failed</em>" not in table(made)


def test_documented_only_never_looks_measured() -> None:
    made = section.made(rows(), [fact("correction.running", 1, 1, framework="caffe")])
    shown = table(made)
    (line,) = re.findall(r"<tr><th scope=row>Caffe .*?</tr>", shown)
    assert "documented only, not measured" in line
    filled = [cell for cell in re.findall(r'<td class="unmeasured">(.*?)</td>', line) if cell]
    assert filled == ["<small>documentation: n − 1</small><small>source: n − 1</small>"]
    assert line.count("<td") == line.count('<td class="unmeasured">')
    assert "Documented only" in shown[: shown.index(line)]


def test_the_other_kinds_are_closed() -> None:
    layer = [replace(r, kind="layer") for r in rows() if r.property in ("correction.normalise", "epsilon.default")]
    html = rendered(section.made([*rows(), *layer], []))
    assert "<details><summary>Layer norm: 1 line, 1 framework measured</summary>" in html
    assert html.index("Batch norm: measured") < html.index("<details>")


# Contradictions -------------------------------------------------------------------------------------------------------


def test_every_contradiction_is_listed_with_its_evidence() -> None:
    facts = [fact("epsilon.default", 1e-3, 1e-5), fact("initial.var", 1.0, 0.0), fact("correction.running", 1, 1)]
    made = section.made([*rows(), *rows(variant="2-D")], facts)
    epsilon, initial = sorted(made.entries, key=lambda each: each.property)
    assert epsilon.kind == "documentation ≠ measured<br>documentation ≠ source"
    assert initial.kind == "source ≠ measured<br>documentation ≠ source"
    assert epsilon.where == "batch: 2-D; NCHW", "variants that differ alike are one"
    assert "It says so of epsilon.default." in epsilon.said
    assert '<a href="https://example.org/a_b" rel="noreferrer">example.org/a_b</a>' in epsilon.said
    assert "a/b.py:12 at torch 2.0" in epsilon.source
    assert "<b>10⁻⁵</b>" in epsilon.measured
    assert "2026-01-02" in epsilon.measured
    html = rendered(made)
    ids = [g["id"] for _, g in Page(html).tags if "id" in g]
    assert len(ids) == len(set(ids))
    assert {e.key for e in made.entries} <= set(ids)
    links = {g["href"][1:] for _, g in Page(html).tags if g.get("href", "").startswith("#differs")}
    assert links == {e.key for e in made.entries}
    assert any("2 contradictions" in line for line in made.lead)


def test_anchors_stay_when_others_come() -> None:
    one = section.made(rows(), [fact("epsilon.default", 1e-3)]).entries[0].key
    more = [*rows(), *rows("mlx", epsilon__default=1.0), *rows(variant="x", epsilon__default=2.0)]
    facts = [fact("epsilon.default", 1e-3), fact("epsilon.default", 1e-3, framework="mlx")]
    keys = [each.key for each in section.made(more, facts).entries]
    assert one == "differs-torch-batch-epsilon.default"
    assert keys == [one, f"{one}-x", "differs-mlx-batch-epsilon.default"]


def test_a_contradiction_says_how_to_see_it() -> None:
    (one,) = section.made(rows(), [fact("epsilon.default", 1e-3)]).entries
    assert "varstudy repro torch/batch/" in one.measured
    (source,) = section.made(rows(), [fact("epsilon.default", None, 1e-3)]).entries
    assert "repro" not in source.measured, "a script shows what contradicts the documentation"


def test_findings_beyond_the_variance_and_other_devices_are_listed_apart() -> None:
    made = section.conventions()
    assert any("bias gradient in bfloat16" in str(what) for what, *_ in made.beyond)
    assert all("repro " in str(again) for *_, again in made.beyond)
    assert ("Darknet", "a GPU", "epsilon.place", "inside the root") in [line[:4] for line in made.elsewhere]


def test_no_contradiction_is_said_in_words() -> None:
    assert "None: wherever a value is both documented and measured" in rendered(section.made(rows(), []))


# Figures --------------------------------------------------------------------------------------------------------------


def layers_of(*given_: list[FindingRow]) -> list[measured_layers.Layer]:
    return measured_layers.layers(itertools.chain(*given_), "batch")


def test_the_curve_of_a_law_is_the_recurrence() -> None:
    law = running_variance.Law((1.0, 0.5, 0.25, 0.1, 0.1), 1, 0.0)
    squares, n = running_variance.stream()
    tables = [np.array(t) for t in running_variance.questions.batches("steps", "batch", "NCHW")[:5]]
    kept = 0.0 * tables[0][:, 0]
    for weight, table in zip(law.weights, tables, strict=True):
        kept = (1 - weight) * kept + weight * table.var(axis=1, ddof=1)
    assert n == tables[0].shape[1]
    assert np.allclose(running_variance.following(law)[-1], kept, rtol=1e-13)
    assert (squares == np.round(squares)).all()


@given(weight=st.floats(0.001, 1), correction=st.sampled_from([0, 1, 1.001]), start=st.floats(0, 10))
def test_a_running_variance_is_between_its_start_and_the_batches(
    weight: float, correction: float, start: float
) -> None:
    kept = running_variance.following(running_variance.Law((weight,) * 5, correction, start))
    squares, n = running_variance.stream()
    steady = squares[0, -1] / (n - correction)
    assert (np.diff(np.abs(kept[:, -1] - steady)) <= 1e-12).all()


@pytest.mark.parametrize(
    ("how", "batch", "words"),
    [
        ("no", lambda m2, n, e: m2 / (n - 1), ""),
        ("added", lambda m2, n, e: m2 / (n - 1) + e, ", epsilon 0.5 added"),
        ("before the correction", lambda m2, n, e: (m2 + n * e) / (n - 1), ", epsilon 0.5 added before the divisor"),
        (
            "before and in the correction",
            lambda m2, n, e: (m2 + n * e) / (n - 1),
            "epsilon 0.5 added before the divisor",
        ),
    ],
)
def test_epsilon_is_in_the_curve_where_it_was_found(how: str, batch: Any, words: str) -> None:
    """The divisor is the measured one, which has epsilon in it where it belongs there."""
    found = running_variance.laws(layers_of(rows("mlx", epsilon__in_running=how, epsilon__default=0.5))).found
    (law,) = found
    squares, n = running_variance.stream()
    kept = running_variance.following(law)
    assert kept[1] == pytest.approx(0.9 * kept[0] + 0.1 * batch(squares[0], n, 0.5), rel=1e-14)
    assert law.sentence().endswith(words)
    assert ("epsilon" in law.sentence()) == bool(words)


def test_frameworks_of_one_law_share_a_line_and_are_named() -> None:
    given_ = layers_of(rows("torch"), rows("mlx"), rows("paddle", correction__running=0), rows("paddle", "2-D"))
    made = running_variance.laws(given_)
    assert [len(group) for group in made.found.values()] == [3, 1]
    table = running_variance.tabulated(given_)
    assert table is not None
    assert table.lines[0][1] == "<code>torch</code>, <code>mlx</code> and <code>paddle</code> (2-D)"
    told = " ".join(table.lead)
    assert "2 laws among 3 frameworks" in told
    assert "computed from the measured law" in told
    ends = [running_variance.following(law)[-1, -1] for law in made.found]
    assert f"between {min(ends):.3g}" in told
    assert [float(line[2]) for line in table.lines] == pytest.approx(ends, rel=5e-3)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"running__keeps": "none kept"}, "keeps no running statistics"),
        ({"running__keeps": "deviation"}, "keeps the deviation"),
        ({"running__update": "accumulated decay"}, "its law was not determined"),
        ({"running__when": "never"}, "never move"),
        ({"running__weight": None}, "weights of its batches were not determined"),
        ({"running__weight": [0.1, 0.1]}, "weights of its batches were not determined"),
        ({"initial__var": None}, "the start of its running variance was not determined"),
    ],
)
def test_a_law_that_is_not_known_says_why(other: dict[str, Any], why: str) -> None:
    table = running_variance.tabulated(layers_of(rows("torch"), rows("mlx", **other)))
    assert table is not None
    assert any("No line" in note and why in note and "mlx" in note for note in table.without)
    assert running_variance.tabulated(layers_of(rows("mlx", **other))) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("initial.var", "its first statistics are given to it, not its own"),
        ("running.weight", "the new batch has no weight by default"),
        ("running.update", "its statistics follow no batches"),
    ],
)
def test_what_does_not_apply_has_no_line(name: str, why: str) -> None:
    mlx = [replace(r, value="", status="not applicable") if r.property == name else r for r in rows("mlx")]
    table = running_variance.tabulated(layers_of(rows("torch"), mlx))
    assert table is not None
    assert f"No line, {why}: <code>mlx</code>." in table.without


def test_bessels_places() -> None:
    given_ = layers_of(rows("torch"), rows("darknet", correction__normalise=1), rows("mlx", correction__running=1.001))
    assert bessel_places.divisors(given_, "correction.running") == {1.0: ["torch", "darknet"], 1.001: ["mlx"]}
    costs = {cost.divisor: cost.factors for cost in bessel_places.costs(given_)}
    assert costs["n"] == ("1 (0%)",) * 4
    assert costs["n − 1"][0] == "2 (100%)"
    assert costs["n − 1"][1].startswith(f"{8 / 7:.5f}")
    assert list(costs) == ["n", "n − 1", "n − 1.001"]
    users = {cost.divisor: cost.users for cost in bessel_places.costs(given_)}
    assert users["n − 1"] == ((1, "darknet"), (2, "torch, darknet"))
    assert users["n − 1.001"] == ((0, ""), (1, "mlx"))
    told = bessel_places.two_divisors(given_)
    assert told is not None
    assert "2 frameworks normalise with one divisor and keep the running variance with another" in told
    assert bessel_places.factor(1, 1) == np.inf
    assert bessel_places.costs([]) == ()
    assert bessel_places.two_divisors([]) is None


def test_a_framework_with_two_divisors_is_named_with_its_variants() -> None:
    given_ = layers_of(rows("tf_keras", "fused"), rows("tf_keras", "plain", correction__running=0))
    found = bessel_places.divisors(given_, "correction.running")
    assert found == {0.0: ["tf_keras (plain)"], 1.0: ["tf_keras (fused)"]}


@pytest.mark.parametrize(
    ("value", "detail", "shown"),
    [
        (1e-7, "", ("h", "7.0")), (0.0, "", ("h", "=")), (2.0, "", ("a", "−0.3")), (1.0, "", ("b", "0.0")),
        (2e-6, "at most: within the resolution", ("g", "≥ 5.7")), ("NaN", "outputs: NaN", ("x", "NaN")),
        ("NaN", "outputs: NaN; the running variance is negative", ("x", "NaN negative")),
        (7.0, "+7; a variance clipped at 0", ("x", "−0.8 clip")), ("inf", "", ("x", "inf")),
    ],
)  # fmt: skip
def test_error_cells(value: Any, detail: str, shown: tuple[str, str]) -> None:
    assert layers_heat.error_cell(row("torch", "accuracy.1e4", value, detail=detail)) == shown


def test_heat_map() -> None:
    given_ = layers_of(
        rows("torch", accuracy__1e6=1e-5),
        rows("torch", "channels-last", accuracy__1e6=2000.0),
        rows("mlx", float16__100="inf"),
    )
    made = layers_heat.heat([("Batch norm", given_), ("Layer norm", [])])
    assert made is not None
    assert made.rows == 3
    assert [title for title, _ in made.blocks] == ["Batch norm"]
    told = " ".join(made.notes)
    assert "<b>Mean 10⁶, deviation 1, float32:</b> 1 of 3 variants of batch norm" in told
    assert "The layout decides in <code>torch</code>" in told
    assert layers_heat.heat([("Batch norm", [])]) is None


def test_a_slim_drawing_keeps_what_is_referred_to() -> None:
    thick = Markup(
        '<svg><defs><path id="a" /></defs><g id="b"><use href="#a" /></g><g clip-path="url(#c)" />'
        '<clipPath id="c" /><text transform="rotate(-0 1 2)">x</text><text transform="rotate(-90 1 2)">y</text></svg>'
    )
    assert draw.slim(thick) == (
        '<svg><defs><path id="a" /></defs><g><use href="#a" /></g><g clip-path="url(#c)" />'
        '<clipPath id="c" /><text>x</text><text transform="rotate(-90 1 2)">y</text></svg>'
    )


# Safe, and any data ---------------------------------------------------------------------------------------------------


def test_text_from_outside_stays_text() -> None:
    given_ = [
        replace(r, framework=HOSTILE, variant=HOSTILE, detail=HOSTILE, version=HOSTILE, machine=HOSTILE, date=HOSTILE)
        for r in rows()
    ]
    given_.append(row(HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    given_.append(row(HOSTILE, "evaluation", "", HOSTILE, value="", status=HOSTILE, detail=HOSTILE))
    given_.append(row("torch", "probe", "", "", kind="", value="", status=HOSTILE, detail=HOSTILE))
    given_ += rows("mlx", algorithm=HOSTILE, one_value__output={HOSTILE: [HOSTILE]}, running__weight=[HOSTILE])
    facts = [
        fact("epsilon.default", 1e-3, framework=HOSTILE, sentence=HOSTILE, where=f"javascript:alert(1) https://a/{HOSTILE}"),
        fact("algorithm", HOSTILE, HOSTILE, framework="mlx", source=HOSTILE),
    ]  # fmt: skip
    made = section.made(given_, facts, [*rows("jax")], unread=HOSTILE, trouble=HOSTILE)
    html = rendered(made)
    tags = Page(html).tags
    assert "<script>alert(1)</script>\"'&" in Page(html).text
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "img", "object", "form")]
    assert not [k for _, g in tags for k in g if k.startswith("on")]
    assert all(g["href"].startswith(("#", "https://", "report-")) for _, g in tags if "href" in g)
    assert "{{ 7*7 }}" in html
    ids = [g["id"] for _, g in tags if "id" in g]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", each) for each in ids)


def test_a_value_that_is_no_json_is_a_failure_in_words() -> None:
    made = section.made([*rows(), replace(row("torch", "gradient", 0), value="{")], [fact("gradient", "other")])
    assert cells(made)[0]["gradient"].startswith("<em>failed</em>")
    assert any("is no JSON" in reason[2] for reason in made.reasons)


def test_tables_are_semantic_and_their_regions_reachable() -> None:
    made = section.made([*rows(), *rows("mlx", epsilon__default=1.0)], [fact("epsilon.default", 1e-3)])
    tags = Page(rendered(made)).tags
    names = [tag for tag, _ in tags]
    assert names.count("table") == names.count("caption") == names.count("thead")
    assert all("scope" in g for t, g in tags if t == "th")
    assert all(g.get("tabindex") == "0" and g.get("aria-label") for _, g in tags if g.get("class") == "scroll")
    regions = [g["aria-label"] for _, g in tags if g.get("class") == "scroll"]
    assert len(regions) == len(set(regions))
    assert len([g for _, g in tags if g.get("class") == "scroll"]) == names.count("table") + names.count("svg")


def test_the_same_bytes_twice() -> None:
    assert rendered(section.made(rows(), [])) == rendered(section.made(rows(), []))


# Files ----------------------------------------------------------------------------------------------------------------


def test_nothing_measured_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measured, "COMMITTED", tmp_path / "measured.json")
    html = rendered(section.conventions())
    assert "Not measured: <code>python -m varstudy frameworks --all --install</code>" in html
    (tmp_path / "measured.json").write_text("{", "utf-8")
    html = rendered(section.conventions())
    assert "Not measured: measured.json cannot be read" in html
    assert "make it again with" in html


def test_broken_facts_leave_the_measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured.write(tmp_path / "measured.json", measured.content(rows()))
    monkeypatch.setattr(measured, "COMMITTED", tmp_path / "measured.json")
    (tmp_path / "documented.json").write_text("[]", "utf-8")
    monkeypatch.setattr(documented, "files", lambda: [tmp_path / "documented.json"])
    html = rendered(section.conventions())
    assert f"The measurements are not compared with documentation: {tmp_path.name}/documented.json" in html
    assert "PyTorch" in html


def test_what_was_measured_anew_stands_in_the_place_of_the_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured.write(tmp_path / "committed.json", measured.content([*rows(), *rows("mlx")]))
    monkeypatch.setattr(measured, "COMMITTED", tmp_path / "committed.json")
    assert measured_file(findings, tmp_path) is None
    gone = row("mlx", "probe", "", "", kind="", value="", status="not run", detail="it is not installed")
    measured.write(tmp_path / "measured.json", measured.content([*rows(initial__var=0.0), gone]))
    fresh = measured_file(findings, tmp_path)
    assert not isinstance(fresh, str)
    made = section.conventions(fresh)
    torch, mlx = cells(made)[:2]
    assert torch["initial.var"].startswith("0<")
    assert mlx["initial.var"].startswith("1<"), "what could not be measured again does not take away what is known"
    told = " ".join(made.fresh)
    assert "Measured again on this machine: <code>torch</code>; 1 difference" in told
    assert "initial.var was 1, is 0" in told
    assert "<code>mlx</code> could not be measured again (it is not installed)" in told
    assert {(run[0], run[-1]) for run in made.runs} == {("PyTorch", "measured here"), ("MLX", "committed")}
    (tmp_path / "measured.json").write_text("{", "utf-8")
    broken = measured_file(findings, tmp_path)
    assert isinstance(broken, str)
    made = section.conventions(broken)
    assert "Not everything can be shown: measured.json cannot be read" in made.fresh[0]
    assert cells(made)[0]["initial.var"].startswith("1<")


def test_one_kind_measured_anew_leaves_the_others() -> None:
    old = [*rows(), *(replace(each, kind=kind) for each in rows() for kind in ("layer", "sync"))]
    anew = [replace(each, kind="layer", date="2026-03-04") for each in rows(initial__var=0.0)]
    made = section.made(old, [], anew)
    assert cells(made)[0]["initial.var"].startswith("1<")
    assert cells(made, "layer")[0]["epsilon.default"]
    assert {part.kind for part in made.parts} == {"batch", "layer", "sync"}
    told = " ".join(made.fresh)
    assert "Measured again on this machine: <code>torch</code> (layer alone); 1 difference" in told
    assert [(run[3], run[-1]) for run in made.runs] == [("2026-01-02", "committed"), ("2026-03-04", "measured here")]
    # of that day, too
    made = section.made(old, [], [replace(each, date="2026-01-02") for each in anew])
    assert sorted(run[-1] for run in made.runs) == ["committed", "measured here"]
    # it died on the way: what is known of the rest stays, and the page says so
    died = row("torch", "probe", "", "", kind="", value="", status="failed", detail="it was killed by SIGSEGV")
    made = section.made(old, [], [*anew, died])
    assert {part.kind for part in made.parts} == {"batch", "layer", "sync"}
    assert "it was killed by SIGSEGV" in " ".join(made.fresh)


def test_the_committed_findings() -> None:
    made = section.conventions()
    assert not made.problem
    html = rendered(made)
    Page(html)
    assert len(html.encode()) < 320_000
    assert made.running is not None
    assert len(made.running.lines) > 10
    marked = {
        (measured_layers.title(r.framework), r.property)
        for r in measured.committed()
        if r.kind
        and (f := documented.lookup(r.framework, r.kind, r.variant, r.property))
        and documented.contradicts(f, r)
    }
    assert marked <= {(e.framework, e.property) for e in made.entries}
