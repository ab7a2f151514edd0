"""The first page's own tables and figures: few columns, those first that decide, and nothing clipped without a word."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import made, record, small_study

from varkernels import algorithms
from varstudy.report.figures import bessel, draw, growth, kappa, norms, output, precision, ranges
from varstudy.report.model.facts import Facts
from varstudy.report.model.measured_layers import layers
from varstudy.report.model.summary import recommendations
from varstudy.report.sections import (
    explorer_parts,
    first_conventions,
    first_failures,
    first_heat,
    league,
    league_tables,
)
from varstudy.survey.findings import measured


@given(st.lists(st.floats(0, 1), max_size=10), st.floats(0.01, 0.09))
def test_names_keep_their_distance_and_their_order(heights: list[float], gap: float) -> None:
    found = draw.spread([(end, str(place)) for place, end in enumerate(heights)], gap)
    assert sorted(end for end, _, _ in found) == [end for end, _, _ in found] == sorted(heights)
    assert all(b[1] - a[1] >= gap - 1e-12 for a, b in itertools.pairwise(found))
    assert all(height <= 1 for _, height, _ in found)


@pytest.mark.parametrize("module", [kappa, growth])
def test_the_lines_of_a_figure_bear_their_names(module: Any) -> None:
    drawn = module.draw_first(Facts(made(small_study())))
    for svg in (drawn.svg, drawn.narrow, module.draw(Facts(made(small_study()))).narrow):
        assert svg is not None
        there = [name for name in draw.FEW if f">{name}</text>" in svg]
        assert {"naive", "two_pass", "welford", "pairwise"} <= set(there)
    assert module.draw_first(Facts(made([]))).svg is None


@pytest.mark.parametrize(
    "drawing",
    [
        kappa.draw_first, kappa.draw, growth.draw_first, growth.draw, output.draw, precision.draw, norms.draw,
        bessel.draw, lambda _: ranges.draw(),
    ],
)  # fmt: skip
def test_both_drawings_of_a_figure_have_ids_of_their_own(drawing: Any) -> None:
    rows = small_study() + [
        record("norms/b", "norms", name, accumulator="float64", norm="batch") for name in ("naive", "two_pass")
    ]
    rows += [record("norms/b", "norms", name, y_error_worst=1e-3) for name in ("naive", "two_pass")]
    drawn = drawing(Facts(made(rows)))
    wide, narrow = (set(re.findall(r' id="([^"]*)"', str(svg))) for svg in (drawn.svg, drawn.narrow))
    assert wide
    assert narrow
    assert not wide & narrow


def test_names_near_each_other_are_spread_round_their_ends() -> None:
    found = draw.spread([(0.5, "b"), (0.5, "a"), (0.5, "c"), (0.1, "d")], 0.1)
    assert [(name, pytest.approx(height)) for _, height, name in found] == [
        ("d", 0.1), ("a", 0.4), ("b", 0.5), ("c", 0.6),
    ]  # fmt: skip


def test_where_each_failure_starts() -> None:
    def sweep(name: str, *errors: float, **given: Any) -> list[dict[str, Any]]:
        return [
            record(f"offset/{at}", "kappa-sweep", name, kappa_worst=10.0**at, var_error_worst=error, **given)
            for at, error in enumerate(errors)
        ]

    rows = [
        *sweep("welford", 1e-7, 1e-5, 1e-3),
        *sweep("two_pass", 1e-7, 2.0, 1e-7),
        *sweep("naive", 1e-7, 1e-5, 3.0, var_negative=1)[2:],
        *(
            record(f"growth/{n}", "growth", "naive", values=n, var_error_worst=error)
            for n, error in ((8, 1e-7), (64, 2.0))
        ),
        record("growth/9", "growth", "naive", values=4, var_error_worst=2.0, accumulator="float64"),
    ]
    found = first_failures.failures(Facts(made(rows)))
    assert found is not None
    assert found.algorithms == ("naive", "two_pass", "welford")
    assert found.lines == (
        ("κ", "float32", 3, (("x", "100 neg"), ("b", "10"), ("h", "none"))),
        ("N", "float32", 2, (("b", "2⁶"), ("n", ""), ("n", ""))),
    )
    assert first_failures.failures(Facts(made([]))) is None


def test_the_ranges_are_the_formats() -> None:
    drawn = ranges.draw()
    for svg in (drawn.svg, drawn.narrow):
        assert svg is not None
        assert ">65,504<" in svg
        assert ">255.94<" in svg, "its square is the largest float16"


def test_no_two_formulas_of_the_explorer_share_colour_and_dash() -> None:
    rows = [record("a", "families", name) for name in algorithms()]
    styles = json.loads(explorer_parts.explorer(Facts(made(rows)))["styles"])
    lines = [(colour, dash) for colour, _, dash in styles.values()]
    assert len(lines) > 12
    assert len(set(lines)) == len(lines)


def heat(rows: list[dict[str, Any]]) -> first_heat.FamilyHeat:
    facts = Facts(made(rows))
    found = first_heat.family_heat(facts, recommendations(facts))
    assert found is not None
    return found


def test_the_heat_map_has_the_worst_of_a_family_and_no_more_digits_than_the_format() -> None:
    rows = [
        record("a/1", "families", "naive", family="a", var_error_worst=1e-9),
        record("a/2", "families", "naive", family="a", var_error_worst=1e-3),
        record("b/1", "families", "naive", family="b", var_error_worst=1e-12),
        record("c/1", "families", "naive", family="c", var_negative=1, var_error_worst=2.0),
        record("c/2", "families", "naive", family="c", var_error_worst=1e-3),
    ]
    found = heat(rows)
    assert found.algorithms == ("naive",)
    assert [(family, maps, cells[0][1]) for family, maps, cells in found.lines] == [
        ("a", 2, "3.0"), ("b", 1, "7.2"), ("c", 2, "neg"),
    ]  # fmt: skip


def test_the_heat_map_has_the_recommended_algorithms_first() -> None:
    facts = Facts(made(small_study()))
    choices = recommendations(facts)
    found = first_heat.family_heat(facts, choices)
    assert found is not None
    own = [c for c in choices if (c.storage, c.accumulator) == (found.storage, found.accumulator)]
    advised = {pick.algorithm for c in own for pick in (c.cheapest, c.accurate, c.runner_up) if pick}
    assert len(found.algorithms) <= first_heat.COLUMNS
    assert set(found.algorithms[: found.recommended]) == advised
    assert first_heat.family_heat(Facts(made([])), ()) is None


def test_frameworks_that_agree_share_a_line_of_the_first_page() -> None:
    rows = [r for r in measured.committed() if r.framework in ("torch", "mlx") and r.kind == "batch"]
    found = first_conventions.agreeing(layers(rows, "batch"))
    assert found is not None
    assert found.lines[0][0] == "PyTorch, MLX"
    assert found.lines[0][1][:2] == ("n", "n − 1")
    assert (found.more, found.frameworks) == (0, 2)
    apart = [replace(r, value="0") if (r.framework, r.property) == ("mlx", "correction.running") else r for r in rows]
    split = first_conventions.agreeing(layers(apart, "batch"))
    assert split is not None
    assert [names for names, _ in split.lines] == ["PyTorch", "MLX"]
    assert first_conventions.agreeing([]) is None


def test_every_pinned_function_is_in_the_committed_league() -> None:
    whole = league.libraries()
    assert whole.first is not None
    names = [line.name for line in whole.first.body if not line.ours]
    assert sorted(names) == sorted(league_tables.PINNED)
    assert sum(line.ours for line in whole.first.body) == 1
    every = [line.name for line in whole.tables[0].body]
    assert sorted(names, key=every.index) == names, "in the order of the league"
