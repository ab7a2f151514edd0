"""A risk is found where the format's range ends, and nowhere before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from varkernels.formats import BFLOAT16, FLOAT16, FORMATS
from varstudy.networks.audit import audit_of, audited, format_named
from varstudy.networks.format_risks import Level, overflow, risks
from varstudy.networks.layer_facts import LayerFacts
from varstudy.networks.norm_layers import Formula, NormLayer


def facts(x, formula=Formula.FUSED, kind="layer", epsilon=1e-5, **more):
    found = LayerFacts(NormLayer("norm", kind, formula, epsilon, **more))
    found.update(np.atleast_2d(np.asarray(x, np.float64)))
    return found


def whats(found, fmt=FLOAT16):
    return {each.what: each.level for each in risks(found, fmt)}


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_overflow_is_where_rounding_gives_infinity(name):
    fmt = FORMATS[name]
    limit = overflow(fmt)
    with np.errstate(over="ignore"):
        assert np.isinf(fmt.rounded([limit]).astype(np.float64))
        assert np.isfinite(fmt.rounded([math.nextafter(limit, 0)]).astype(np.float64))


def test_values_beyond_the_format_break_it():
    assert whats(facts([65519.0, 1.0]))["a square overflows"] is Level.DEPENDS
    assert whats(facts([65520.0, 1.0])) == {"values overflow": Level.BREAKS}
    assert "values overflow" not in whats(facts([65520.0, 1.0]), BFLOAT16)


@pytest.mark.parametrize(
    ("formula", "level"),
    [(Formula.FUSED, Level.DEPENDS), (Formula.NAIVE, Level.BREAKS), (Formula.SQUARES, Level.BREAKS)],
)
def test_a_square_breaks_a_graph_that_stores_it(formula, level):
    assert whats(facts([256.0, 255.0, 0.0], formula))["a square overflows"] is level
    assert "a square overflows" not in whats(facts([255.0, 0.0], formula))


def test_two_pass_squares_deviations():
    # x^2 is far beyond the format, (x - mean)^2 is 1.
    assert "a square overflows" not in whats(facts([1000.0, 1002.0], Formula.TWO_PASS))
    assert whats(facts([1000.0, 1002.0], Formula.NAIVE))["a square overflows"] is Level.BREAKS


@pytest.mark.parametrize(("stores", "level"), [(False, Level.DEPENDS), (True, Level.BREAKS)])
def test_a_sum_of_squares_breaks_where_the_sum_is_stored(stores, level):
    row = [200.0, -200.0]
    assert whats(facts(row, Formula.NAIVE, stores_sum=stores))["a sum of squares overflows"] is level


def test_an_epsilon_of_zero_breaks_only_what_divides_by_zero():
    assert whats(facts([1.0, 2.0], Formula.TWO_PASS, epsilon=1e-12))["epsilon is 0"] is Level.NOTE
    assert whats(facts([1.0, 1.0], Formula.TWO_PASS, epsilon=1e-12))["epsilon is 0"] is Level.BREAKS
    assert whats(facts([1.0, 1.0], Formula.FUSED, epsilon=1e-12))["epsilon is 0"] is Level.DEPENDS
    assert "epsilon is 0" not in whats(facts([1.0, 2.0], epsilon=1e-12), BFLOAT16)


def test_a_difference_of_squares_may_become_negative():
    x = 100 + np.random.default_rng(0).normal(0, 1, 64)
    assert whats(facts(x, Formula.NAIVE, epsilon=0.0))["the variance may be negative"] is Level.BREAKS
    assert whats(facts(x, Formula.TWO_PASS, epsilon=0.0)) == {}
    assert whats(facts(x - 97, Formula.NAIVE, epsilon=0.0)) == {}


def test_dead_channels_are_told_and_no_alarm():
    kept = {"mean": np.array([0.0, 1.0]), "variance": np.array([1e-285, 1.0])}
    found = whats(facts(np.ones((3, 2)), Formula.RUNNING, "batch", **kept))
    assert found == {"dead channels": Level.NOTE}
    kept["variance"] = np.array([1e6, 1.0])
    assert whats(facts(np.ones((3, 2)), Formula.RUNNING, "batch", **kept)) == {
        "a running variance overflows": Level.BREAKS
    }


def test_the_verdict_names_what_breaks_and_the_list_has_its_operators():
    good = audited(facts([1.0, 2.0], nodes=("a",)), FLOAT16)
    bad = audited(facts([1e5, 2.0], nodes=("b", "c")), FLOAT16)
    maybe = audited(facts([300.0, 2.0], nodes=("d",)), FLOAT16)
    found = audit_of("net", FLOAT16, [good, bad, maybe], {"e": 1e6})
    assert found.verdict.startswith("1 of 3 layers overflows in float16: norm; keep it in float32.")
    assert found.keep() == ["b", "c", "e"]
    assert found.keep(strict=True) == ["b", "c", "d", "e"]
    assert audit_of("net", FLOAT16, [good]).verdict == "None of 1 layer is at risk in float16 on this data."
    assert audit_of("net", FLOAT16, []).verdict == "No normalisation layer was found."


def test_what_storing_costs_is_measured():
    x = np.array([[2049.0, 2051.0], [1.0, 2.0]])  # ties of float16: 2048 and 2052
    lost = audited(facts(x, epsilon=0.0), FLOAT16).losses
    assert lost is not None
    assert lost.storage == 3.0
    assert ("pairwise", "float16") in lost.algorithms


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="float16 and bfloat16"):
        format_named("float8")


def test_kappa_of_kept_statistics_has_epsilon_and_no_0_by_0():
    kept = {"mean": np.array([3.0, 0.0]), "variance": np.array([1.0, 0.0])}
    found = audited(facts(np.ones((3, 2)), Formula.RUNNING, "batch", epsilon=0.0, **kept), FLOAT16)
    assert found.kappa == math.sqrt(10)
