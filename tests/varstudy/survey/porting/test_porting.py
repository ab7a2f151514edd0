"""What a port needs: the arithmetic against fractions and mpmath, the plan on invented frameworks, the command."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from port_findings import real, rows

import varstudy.cli as command
from varstudy.survey.findings import documented, measured
from varstudy.survey.findings.documented import Documented
from varstudy.survey.findings.properties import EpsilonPlace, property_of
from varstudy.survey.frameworks.catalogue import FRAMEWORKS
from varstudy.survey.porting import PortError, PortPlan, choose, conventions, maths, port

# Whose state a port knows how to read and write.
CARRIED = {name for name, each in FRAMEWORKS.items() if each.state}
BOTH = "before and in the correction"
NEW = {"momentum__multiplies": "new", "momentum__default": 0.1, "correction__running": 1}
F = Fraction

small = st.fractions(min_value=F(1, 10**6), max_value=100, max_denominator=10**6)


@pytest.fixture(scope="module", autouse=True)
def committed_once() -> Iterator[None]:
    """The committed findings, read once for all ports of this module."""
    found = measured.committed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "committed", lambda: found)
        yield


# The arithmetic -------------------------------------------------------------------------------------------------


def test_settings_are_the_decimals_that_were_written() -> None:
    assert maths.exact(0.1) == F(1, 10)
    assert maths.exact(1e-05) == F(1, 100000)
    assert maths.weight_of(maths.weight_of(maths.exact(0.1), "new"), "old") == F(9, 10)


@given(n=st.integers(2, 10**6), v=small)
def test_what_is_kept_is_the_sum_of_squares_over_n_less_c(n: int, v: Fraction) -> None:
    assert maths.kept(v, n, F(0), F(1, 8), "no") == v
    assert maths.kept(v, n, F(1), F(1, 8), "no") == v * n / (n - 1)
    assert maths.kept(v, n, F(1), F(1, 8), "added") == v * n / (n - 1) + F(1, 8)
    assert maths.kept(v, n, F(1), F(1, 8), "before the correction") == (v + F(1, 8)) * n / (n - 1)
    # the correction was measured under an epsilon of 1/16
    correction = maths.correction_for(F(17, 16), F(1, 16), F(1, 8), BOTH)
    assert correction == F(9, 8)
    assert maths.kept(v, n, correction, F(1, 8), BOTH) == (v + F(1, 8)) * n / (n - 1 - F(1, 8))
    assert maths.correction_for(F(17, 16), F(1, 16), None, "before the correction") == F(17, 16)
    assert maths.correction_for(F(17, 16), None, F(1, 8), BOTH) is None


def test_the_words_for_epsilon_in_the_running_variance_are_the_findings() -> None:
    for word in property_of("epsilon.in_running").values:
        assert maths.kept(F(1), 2, F(0), F(0), str(word)) == 1
    with pytest.raises(PortError, match="epsilon enters the running variance 'somehow': that is unknown"):
        maths.kept(F(1), 2, F(0), F(0), "somehow")


def test_no_values_no_variance() -> None:
    with pytest.raises(PortError, match="1 values a channel have no variance with correction 1"):
        maths.kept(F(1), 1, F(1), F(0), "no")


@pytest.mark.parametrize(
    ("place", "want"),
    [
        ("inside the root", 5),
        ("added to the deviation", 12),
        ("floor of the variance", 4),
        ("floor of the deviation", 9),
        ("none", 4),
    ],
)
def test_the_divisor_of_each_place(place: str, want: int) -> None:
    """r = 16 with e = 9, but for the deviation's floor and sum the e that a root has not touched; exact roots."""
    epsilon = {"added to the deviation": 8}.get(place, 9)
    assert maths.denominator(F(16), F(epsilon), place) == want


@given(r=small, e=small, place=st.sampled_from(EpsilonPlace), other=st.sampled_from(EpsilonPlace))
def test_the_stored_variance_gives_the_same_divisor(r: Fraction, e: Fraction, place: str, other: str) -> None:
    wanted = maths.denominator(r, e, place)
    stored = maths.kept_for(wanted, e, other)
    if stored is None:
        # The target's smallest divisor is above it
        assert wanted < maths.denominator(F(0), e, other) * (1 - maths.SLACK)
    else:
        with mpmath.workprec(maths.BITS):
            assert abs(maths.denominator(stored, e, other) / wanted - 1) < mpmath.mpf(2) ** -200


@pytest.mark.parametrize("function", [maths.denominator, maths.kept_for])
def test_an_unknown_place_is_refused(function: Any) -> None:
    with pytest.raises(PortError, match="epsilon's place 'outside' is unknown"):
        function(F(1), F(1), "outside")


@given(w=st.fractions(0, 1), start=small, batch=small, steps=st.integers(0, 30))
def test_steps_against_the_recurrence(w: Fraction, start: Fraction, batch: Fraction, steps: int) -> None:
    exponential = average = adopted = start
    debiased, sums = F(0), F(0)
    for k in range(1, steps + 1):
        exponential = (1 - w) * exponential + w * batch
        average = average + (batch - average) / k
        adopted = batch if k == 1 else (1 - w) * adopted + w * batch
        debiased, sums = (1 - w) * debiased + w * batch, (1 - w) * sums + w
    assert maths.after("exponential", w, steps, start, batch) == exponential
    assert maths.after("plain average", w, steps, start, batch) == average
    assert maths.after("first batch adopted", w, steps, start, batch) == adopted
    if sums:
        assert maths.after("zero-debiased", w, steps, start, batch) == debiased / sums
    if steps:
        assert maths.after("batch-size weighted", w, steps, start, batch) is None


# What is known --------------------------------------------------------------------------------------------------


def test_a_finding_without_a_value_is_looked_up_and_labelled() -> None:
    found = rows("a", correction__running=None, epsilon__place=None) + rows("a", "2-D")
    found += [row for row in rows("b", status="undetermined") if row.property == "epsilon.default"]

    def lookup(framework: str, kind: str, variant: str, name: str) -> Documented | None:
        says = {("a", "correction.running"): (1, None), ("a", "epsilon.place"): ("none", "inside the root")}
        if (framework, name) not in says or variant == "2-D":
            return None
        value, source = says[framework, name]
        return Documented(framework, kind, "", name, value, "It says so.", "page", source, "file.py:1 at version 1")

    a, flat, b, c = conventions(found, lookup, ["a", "c"])
    assert [each.framework for each in (a, flat, b, c)] == ["a", "a", "b", "c"]
    assert a["correction.running"] == 1
    assert a.facts["correction.running"].evidence == "documented, not measured"
    assert a["epsilon.place"] == "inside the root"
    assert a.facts["epsilon.place"].evidence == "read in the source, not measured"
    assert a.facts["epsilon.place"].detail == "file.py:1 at version 1"
    assert flat.facts["correction.running"].evidence == "measured"
    assert b["epsilon.default"] is None
    assert b.facts["epsilon.default"].detail == "undetermined: epsilon.default was seen"
    assert {fact.evidence for fact in c.facts.values()} == {"not measured"}


def test_the_row_of_the_fewest_threads_counts() -> None:
    known = conventions(rows("a", threads=2, epsilon__default=1.0) + rows("a", epsilon__default=2.0))
    assert known[0]["epsilon.default"] == 2.0


def test_names_variants_and_families() -> None:
    known = conventions(rows("a", "2-D", epsilon__place="none") + rows("a", "NCHW") + rows("keras-x") + rows("keras-y"))
    assert choose("A", known).variant == "NCHW"
    assert choose("a", known).note == "This is a:NCHW; a:2-D differs in epsilon.place."
    assert choose("a:2-d", known).variant == "2-D"
    assert choose("keras", known).framework == "keras-x"
    for name, words in {
        "kerax-y": "framework 'kerax-y' is unknown: did you mean keras-y",
        "zzzz": "use one of a, keras-x, keras-y",
        "a:3-D": "a has no variant '3-D': did you mean 2-D",
        "": "framework '' is unknown",
    }.items():
        with pytest.raises(PortError, match=words):
            choose(name, known)
    with pytest.raises(PortError, match="no framework was measured yet"):
        choose("a", [])


def test_names_that_people_type() -> None:
    """Understood, and said; or answered with what can be named."""
    known = conventions(real())
    assert choose("PyTorch", known).framework == choose("detectron2", known).framework == "torch"
    assert "FrozenBatchNorm2d" in choose("detectron2", known).note
    assert choose("onnx", known).note.startswith("onnx is taken for onnxruntime; onnx-reference keeps the same state.")
    assert choose("keras", known).note.startswith("keras is taken for keras-")
    for name, words in {
        "TensorFlow": "can be keras-tensorflow, tf_keras: name one",
        "tf": "can be keras-tensorflow, tf_keras: name one",
        "jax": "can be flax-linen, flax-nnx, haiku, equinox, keras-jax: name one",
        "tflite": "TensorFlow Lite only infers",
        "LiteRT": "TensorFlow Lite only infers",
        "coreml": "Core ML only infers",
        "TensorRT": "name onnxruntime, whose model it reads",
    }.items():
        with pytest.raises(PortError, match=words):
            choose(name, known)


def test_what_differs_has_its_effect_in_numbers() -> None:
    plan = plan_of(NEW, {"epsilon__default": 1e-3, "momentum__default": 0.99}, values_per_channel=2, variance=0.01)
    effects = {each.part: each.effect for each in plan.changes if each.needed}
    assert effects["epsilon"] == f"{100 * ((0.02001 / 0.021) ** 0.5 - 1):+.2g} % at variance 0.01"
    assert (
        effects["running variance of a batch"]
        == f"{100 * ((0.01001 / 0.02001) ** 0.5 - 1):+.2g} % at variance 0.01, n = 2"
    )
    assert effects["momentum"].endswith("% at variance 0.01, 10 steps from a fresh start")
    kept = change(plan_of({"running__keeps": "deviation"}, {}, variance=0.01), "what is kept")
    assert kept.effect == f"{100 * ((0.01001 / 0.10001) ** 0.5 - 1):+.2g} % at variance 0.01"
    # a part that is the same has none, and one value a channel matters where it is asked for
    assert not any(each.effect for each in plan.changes if not each.needed)
    assert not change(plan, "output of one value a channel").needed
    error = {**NEW, "one_value__output": "error"}
    assert not change(plan_of(error, {}), "output of one value a channel").needed
    assert change(plan_of(error, {}, values_per_channel=[1, 2]), "output of one value a channel").needed


def test_a_family_that_does_not_agree_is_refused() -> None:
    known = conventions(rows("keras-x") + rows("keras-y", epsilon__default=1e-3))
    with pytest.raises(PortError, match=r"keras is keras-x, keras-y, which differ in epsilon.default: name the one"):
        choose("keras", known)
    known = conventions(rows("keras-x") + rows("keras-y", one_value__output="NaN"))
    assert choose("keras", known).note.endswith("keras-y:NCHW differs in one_value.output.")
    known = conventions(rows("flax-linen") + rows("flax-nnx"))
    with pytest.raises(PortError, match="keep their state in different ways: name one"):
        choose("flax", known)


# The plan -------------------------------------------------------------------------------------------------------


def plan_of(a: dict[str, Any], b: dict[str, Any], names: tuple[str, str] = ("a", "b"), **settings: Any) -> PortPlan:
    return port(*names, rows=rows(names[0], **a) + rows(names[1], **b), **settings)


def change(plan: PortPlan, part: str) -> Any:
    return next(each for each in plan.changes if each.part == part)


def test_what_to_change_between_two_that_differ_in_everything() -> None:
    plan = plan_of(NEW, {"momentum__default": 0.99, "epsilon__default": 1e-3}, values_per_channel=[2, 1, 4])
    assert (plan.epsilon, plan.target_epsilon, plan.momentum, plan.target_momentum) == (1e-5, 1e-5, 0.1, 0.9)
    assert plan.weight == 0.1
    assert change(plan, "momentum").do == (
        "give the target momentum 0.9; 0.1 handed over as it is would give the new batch 0.9"
    )
    assert change(plan, "epsilon").do == "give the target epsilon 1e-05"
    assert change(plan, "running variance of a batch").do == (
        "to train on, multiply by (n - 1) / n: 1/2 at n = 2, 3/4 at n = 4; at n = 1 there is no such variance"
    )
    assert not change(plan, "place of epsilon").needed
    assert any("With one value a channel S = 0" in note for note in plan.notes)


def test_the_factor_goes_the_other_way_backwards() -> None:
    plan = plan_of({}, NEW, values_per_channel=2)
    assert change(plan, "running variance of a batch").do == "to train on, multiply by n / (n - 1): 2 at n = 2"
    assert change(plan, "momentum").do.startswith("give the target momentum 0.1 (its default); 0.9 handed over")


def test_errors_in_closed_form() -> None:
    """Squares of rationals: v n / (n - 1) = 2 v at n = 2, v + e chosen so that every root is rational."""
    # v = 3/4, e = 1/4: 1; 2 v + e = 7/4; the target's e = 13/4 gives v + e = 4
    plan = plan_of({}, {"epsilon__default": 3.25}, values_per_channel=2, variance=0.75, epsilon=0.25)
    error = plan.errors[0]
    assert error.epsilon == error.inference == error.training == -0.5
    assert error.place == error.factor == error.normalise == 0.0
    # 2 v = 8, v = 4, e = 1: sqrt(9) to sqrt(5); against mpmath
    plan = plan_of(NEW, {}, values_per_channel=2, variance=4.0, epsilon=1.0)
    with mpmath.workprec(200):
        assert plan.errors[0].factor == float(mpmath.sqrt(mpmath.mpf(5) / 9) - 1)
        epsilon = float(mpmath.sqrt(9 / (8 + mpmath.mpf("1e-5"))) - 1)
    assert plan.errors[0].inference == plan.errors[0].epsilon == epsilon
    assert plan.errors[0].stored == 8
    # both add to the deviation or to the variance: 1 + 1/2 beside sqrt(1 + 1/2)
    plan = plan_of({"epsilon__place": "added to the deviation"}, {}, values_per_channel=2, variance=1.0, epsilon=0.5)
    assert plan.errors[0].place == pytest.approx(1.5 / 1.5**0.5 - 1, rel=1e-15)
    assert plan.errors[0].stored == 1.75
    # and a floor that the target cannot go under
    plan = plan_of({"epsilon__place": "none"}, {}, values_per_channel=2, variance=[0.25, 1.0], epsilon=0.5)
    assert [each.stored for each in plan.errors] == [None, 0.5]


def test_the_factor_is_told_with_the_targets_place_and_all_of_it_together() -> None:
    """v = 8 at n = 2: 16 is kept in the source, 8 would be in the target, which adds its epsilon to the deviation."""
    other = {"epsilon__place": "added to the deviation", "epsilon__default": 2.0}
    error = plan_of(NEW, other, values_per_channel=2, variance=8.0, epsilon=9.0).errors[0]
    with mpmath.workprec(200):
        root = mpmath.sqrt(8)
        assert error.epsilon == float(5 / mpmath.sqrt(18) - 1)
        assert error.place == float(mpmath.mpf(5) / 13 - 1)
        assert error.factor == float((root + 9) / 13 - 1)
        assert error.inference == float(mpmath.mpf(5) / 6 - 1)
        assert error.training == float((root + 9) / 6 - 1)
        assert error.normalise == float(mpmath.sqrt(17) / (root + 9) - 1)
    assert error.stored is None  # 5 is less than the target's epsilon


@given(n=st.integers(2, 1000), v=st.floats(1e-6, 100), e=st.floats(1e-6, 1))
def test_the_factors_error_vanishes_under_epsilon_and_for_large_n(n: int, v: float, e: float) -> None:
    error = plan_of(NEW, {}, values_per_channel=n, variance=v, epsilon=e).errors[0].factor
    assert error is not None
    assert -0.5 / (n - 1) * min(1, v / e) <= error < 0
    assert error >= (1 - 1 / n) ** 0.5 - 1 - 1e-12


def test_unknown_parts_leave_their_errors_unknown() -> None:
    plan = plan_of({"epsilon__place": None}, {"correction__running": None}, values_per_channel=2, variance=1.0)
    assert (plan.errors[0].epsilon, plan.errors[0].factor, plan.errors[0].training) == (None, None, None)
    assert change(plan, "place of epsilon").needed is None
    assert change(plan, "place of epsilon").source == "not measured"
    assert "Not measured of a: epsilon.place." in plan.known
    assert plan_of(NEW, {}, values_per_channel=1, variance=1.0).errors[0].inference is None


def test_the_steps_of_both_sides() -> None:
    plan = plan_of(NEW, {"momentum__default": 0.99}, values_per_channel=2, variance=[1, 3, 4])
    first = plan.steps[0]
    assert plan.steps_variance == 3.0
    assert first.source == float(F(9, 10) + F(1, 10) * 6)  # S / (n - 1) = 2 v
    assert first.alone == float(F(99, 100) + F(1, 100) * 3)
    assert first.same_number == float(F(1, 10) + F(9, 10) * 3)
    assert first.changed == float(F(9, 10) + F(1, 10) * 3)


@pytest.mark.parametrize(
    ("laws", "words"),
    [
        (("plain average", "exponential"), "no momentum makes them agree"),
        (("exponential", "zero-debiased"), "(1 - 0.1)^k of the start"),
        (("plain average", "plain average"), "carry the number of batches too"),
        (("batch-size weighted", "exponential"), "no momentum makes them agree"),
        (("accumulated decay", "accumulated decay"), "divide them by the sum of their weights first"),
        (("other", "exponential"), "are of a law of their own"),
    ],
)
def test_laws_that_no_momentum_makes_agree_are_told(laws: tuple[str, str], words: str) -> None:
    plan = plan_of({"running__update": laws[0]}, {"running__update": laws[1]})
    assert any(words in note for note in plan.notes), plan.notes


def test_an_evaluation_of_another_kind_is_told() -> None:
    plan = plan_of({}, {"evaluation": "batch statistics"})
    assert any("b evaluates with batch statistics" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"values_per_channel": 0}, "values_per_channel=0: give a whole number"),
        ({"values_per_channel": 2.5}, "values_per_channel=2.5"),
        ({"values_per_channel": []}, "values_per_channel: give at least one"),
        ({"variance": -1.0}, "variance=-1.0: give a finite number of 0 or more"),
        ({"variance": float("nan")}, "variance=nan"),
        ({"variance": []}, "variance: give at least one"),
        ({"epsilon": float("inf")}, "epsilon=inf"),
        *(
            ({"momentum": given_}, f"momentum={given_}: give a number from 0 to 1, the argument as the source takes it")
            for given_ in (1.5, -0.5, float("nan"))
        ),
        ({"variance": 10**400}, "variance=1000"),
        ({"epsilon": 10**400}, "epsilon=1000"),
        *(
            ({"values_per_channel": given_}, "give a whole number of 1 or more")
            for given_ in (float("inf"), float("nan"), [None], [2, "3"], True, [[2]])
        ),
    ],
)
def test_bad_settings_are_one_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(PortError, match=words) as told:
        plan_of({}, {}, **settings)
    assert "\n" not in str(told.value)


def test_numbers_beyond_float64_are_not_told() -> None:
    plan = plan_of(NEW, {}, values_per_channel=2, variance=1e308)
    ten = 2 * F(10) ** 308 * (1 - F(9, 10) ** 10)  # v n / (n - 1) itself is beyond
    assert [step.source for step in plan.steps] == [2e307, pytest.approx(float(ten)), None, None]
    assert plan.errors[0].stored is None
    assert plan.errors[0].factor == pytest.approx(0.5**0.5 - 1)


def test_one_value_a_channel_has_no_variance_to_tell_the_steps_of() -> None:
    plan = plan_of({}, {}, values_per_channel=[1, 4], variance=3.0)
    assert plan.steps_variance == 0
    assert {(step.source, step.alone, step.same_number, step.changed) for step in plan.steps} == {(None,) * 4}


def test_an_initial_value_that_has_no_weight_is_not_filled_in() -> None:
    """Zero-debiased averages forget it at the first step; an exponential one would keep it."""
    debiased = {"running__update": "zero-debiased", "initial__var": 0.0}
    for part in ("initial running mean", "initial running variance"):
        told = change(plan_of(debiased, NEW), part)
        assert told.needed
        assert "take the first step of a fresh target with momentum 1;" in told.do
        assert "fill" not in told.do
        assert "momentum 0;" in change(plan_of(debiased, {}), part).do
        back = change(plan_of(NEW, debiased), part)
        assert not back.needed
        assert "gives its initial value no weight" in back.do


def test_a_rank_whose_variance_is_another_is_refused_by_the_code() -> None:
    """tf_keras keeps S / (n - 1) of feature maps, which a fused kernel computes, and S / n of rank 2."""
    for name, rank in (("tf_keras", 2), ("tf_keras:NHWC", 2), ("tf_keras:2-D", 4)):
        text = port(name, "torch").snippet()
        assert f'if values_per_channel is not None and own["rank"] in ({rank},):' in text
        assert "name that variant" in port("torch", name).snippet()
        compile(text, name, "exec")
    assert "name that variant" not in port("keras-jax", "torch").snippet()


def test_a_cumulative_average_can_be_told() -> None:
    plan = port("torch", "keras-jax", momentum="cumulative")
    row = change(plan, "momentum")
    assert (row.source, row.needed, plan.weight, plan.target_momentum) == (
        "none: all batches weigh alike",
        True,
        None,
        None,
    )
    assert "1 / (k + 1)" in row.do
    assert change(plan, "law of the running statistics").source == "plain average"
    assert plan.snippet() == port("torch", "keras-jax").snippet()
    with pytest.raises(PortError, match="keras-jax has no cumulative average: give its momentum argument as a number"):
        port("keras-jax", "torch", momentum="cumulative")
    done = call("--from", "torch", "--to", "keras", "--momentum", "cumulative")
    assert done.exit_code == 0, done.output
    assert "all batches weigh" in " ".join(done.stdout.split())
    done = call("--from", "torch", "--to", "keras", "--momentum", "half")
    assert (done.exit_code, done.stderr) == (2, "varstudy: --momentum 'half' is no number: give one, or cumulative\n")


def test_a_framework_without_a_momentum_argument_has_its_measured_weight() -> None:
    fixed = {"momentum__multiplies": "no argument", "momentum__default": None, "running__weight": [0.01] * 5}
    plan = plan_of(fixed, NEW)
    assert (plan.weight, plan.target_momentum) == (0.01, 0.01)
    assert change(plan, "momentum").do == "give the target momentum 0.01"
    back = change(plan_of(NEW, fixed), "momentum")
    assert (back.do, back.needed) == ("the target has no such argument", True)
    assert plan_of(NEW, fixed).target_momentum is None


def test_committed_facts_of_frameworks_that_are_read_or_have_no_argument() -> None:
    """Darknet's weight is measured, Haiku's argument is required, Equinox's default is ema, Caffe's source decides."""
    assert port("darknet", "torch").target_momentum == 0.01
    row = change(port("torch", "haiku"), "momentum")
    assert (row.target, row.do.partition(";")[0]) == ("decay_rate has no default", "give the target momentum 0.9")
    assert port("equinox", "torch").source.variant == "ema"
    for name in ("caffe", "caffe2", "darknet"):
        plan = port(name, "torch")
        assert [each.part for each in plan.changes if each.needed is None and "one value" not in each.part] == []
        assert (plan.source["running.keeps"], plan.source["epsilon.in_running"]) == ("variance", "no")


# The code -------------------------------------------------------------------------------------------------------


def convert_of(plan: PortPlan) -> Any:
    """The conversion alone: the frameworks of the rest need not be there."""
    tree = ast.parse(plan.snippet())
    body = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "convert"]
    names: dict[str, Any] = {"np": np}
    exec(compile(ast.Module(body, []), "convert", "exec"), names)
    return names["convert"]


def state(*var: float) -> dict[str, Any]:
    return {"gamma": 1, "beta": 0, "mean": np.zeros(len(var)), "var": np.array(var)}


def test_every_pair_of_templates_is_python() -> None:
    known = real()
    names = sorted({row.framework for row in known} & CARRIED)
    assert len(names) >= 10
    for a in names:
        for b in names:
            both = [row for row in known if row.framework in (a, b)]
            tree = ast.parse(port(a, b, rows=both, values_per_channel=2, variance=1.0).snippet())
            functions = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
            assert functions == ["read", "settings", "convert", "make", "write", "port"], (a, b)


def test_every_template_is_python() -> None:
    for name in CARRIED:
        text = port(name, "torch", rows=rows(name) + (rows("torch") if name != "torch" else [])).snippet()
        compile(text, name, "exec")
        assert "{mode}" not in text
        text = port("torch", name, rows=rows(name) + (rows("torch") if name != "torch" else [])).snippet()
        compile(text, name, "exec")
        assert "{mode}" not in text


def test_the_conversion_of_the_running_variance() -> None:
    convert = convert_of(plan_of(NEW, {}, ("torch", "mlx")))
    assert convert(state(3.0))["var"] == 3.0
    assert convert(state(3.0), 4)["var"] == 2.25
    # after two steps of weight 1/10 from 1: 0.81 of the start is left, which no factor belongs to
    assert convert(state(0.81 + 0.19 * 4), 4, 2)["var"] == pytest.approx(0.81 + 0.19 * 3)
    with pytest.raises(ValueError, match="1 values a channel have no corrected variance"):
        convert(state(3.0), 1)
    back = convert_of(plan_of({}, NEW, ("mlx", "torch")))
    assert back(state(2.25), 4)["var"] == 3.0


def test_other_starts_move_the_mean_too() -> None:
    convert = convert_of(plan_of({"initial__mean": 1.0}, {"initial__var": 0.0}, ("torch", "mlx")))
    got = convert(state(2.0), 2, 1)
    assert got["mean"] == pytest.approx(-0.9)
    assert got["var"] == pytest.approx(1.1)


def test_epsilon_in_the_running_variance_is_taken_out_and_put_in() -> None:
    plan = plan_of({"epsilon__in_running": "added"}, NEW, ("torch", "mlx"), epsilon=0.5)
    assert convert_of(plan)(state(3.5), 4)["var"] == 4.0
    # after one step of weight 1/10 from 1, batches of 3 + 1/2 beside batches of 4
    assert convert_of(plan)(state(0.9 + 0.1 * 3.5), 4, 1)["var"] == pytest.approx(0.9 + 0.1 * 4)
    back = plan_of(NEW, {"epsilon__in_running": "added"}, ("torch", "mlx"), epsilon=0.5)
    assert convert_of(back)(state(4.0), 4)["var"] == 3.5
    assert convert_of(back)(state(0.9 + 0.1 * 4), 4, 1)["var"] == pytest.approx(0.9 + 0.1 * 3.5)


SHAPES = {
    "no": lambda v, n, c, e: v * n / (n - c),
    "added": lambda v, n, c, e: v * n / (n - c) + e,
    "before the correction": lambda v, n, c, e: (v + e) * n / (n - c),
    BOTH: lambda v, n, c, e: (v + e) * n / (n - c - e),
}


@settings(deadline=None)
@given(
    shapes=st.tuples(*[st.sampled_from(sorted(SHAPES))] * 2),
    corrections=st.tuples(*[st.sampled_from([0, 1])] * 2),
    v=st.sampled_from([1e-6, 0.01, 21.0]),
    n=st.sampled_from([3, 8, 1024]),
    e=st.sampled_from([1e-5, 1e-3, 0.25]),
    steps=st.sampled_from([None, 1, 3]),
    law=st.sampled_from(["exponential", "zero-debiased"]),
)
def test_every_shape_of_epsilon_becomes_every_other(
    shapes: tuple[str, str], corrections: tuple[int, int], v: float, n: int, e: float, steps: int | None, law: str
) -> None:
    """What the source keeps of batches of variance v, in rationals, becomes what the target would have kept."""
    sides: list[dict[str, Any]] = []
    for shape, c in zip(shapes, corrections, strict=True):
        # its divisor was measured under the default epsilon
        correction = c + 1e-3 if shape == BOTH else c
        sides.append(
            {
                "epsilon__in_running": shape,
                "correction__running": correction,
                "epsilon__default": 1e-3,
                "running__update": law,
            }
        )
    plan = plan_of(*sides, ("torch", "mlx"), epsilon=e)
    exact = [SHAPES[shape](F(str(v)), n, c, F(str(e))) for shape, c in zip(shapes, corrections, strict=True)]
    given_steps: tuple[int, ...] = ()
    if law == "exponential" and steps is not None:
        left = F(9, 10) ** steps
        exact = [left + (1 - left) * each for each in exact]
        given_steps = (steps,)
    got = float(convert_of(plan)(state(float(exact[0])), n, *given_steps)["var"][0])
    assert abs(F(got) - exact[1]) <= F(1, 10**14) * (max(exact) + 1)


def test_what_a_variance_keeps_hangs_on_the_epsilon_in_force() -> None:
    """c = 1.001 was measured under 1e-3; with 1/10 the divisor is n - 1.1, and the errors and the steps go by it."""
    scaled = {"epsilon__in_running": BOTH, "correction__running": 1.001, "epsilon__default": 1e-3}
    plan = plan_of(scaled, NEW, values_per_channel=2, variance=0.25, epsilon=0.1)
    kept = (F(1, 4) + F(1, 10)) * 2 / (1 - F(1, 10))
    with mpmath.workprec(200):
        want = mpmath.sqrt(mpmath.mpf("0.6")) / mpmath.sqrt(mpmath.mpf(kept.numerator) / kept.denominator + 0.1 * 1)
        assert plan.errors[0].factor == pytest.approx(float(want - 1), rel=1e-12)
    assert plan.steps[0].source == pytest.approx(float(F(9, 10) + F(1, 10) * kept), rel=1e-15)
    assert change(plan, "running variance of a batch").source == "(S + n e) / (n - 1.1)"
    # a whole number is the correction itself: the default epsilon was too small to show in it
    small = {**scaled, "correction__running": 1, "epsilon__default": 1e-7}
    plan = plan_of(small, NEW, values_per_channel=2, variance=0.25, epsilon=0.1)
    assert plan.steps[0].source == pytest.approx(float(F(9, 10) + F(1, 10) * kept), rel=1e-15)
    # n - 1 - epsilon = 0 at n = 2
    assert plan_of(scaled, NEW, values_per_channel=2, epsilon=1).errors[0].factor is None


def test_a_target_alone_keeps_its_own_epsilon() -> None:
    plan = plan_of({}, {"epsilon__in_running": "added", "epsilon__default": 0.5}, values_per_channel=2, variance=3.0)
    assert plan.steps[0].alone == float(F(9, 10) + F(1, 10) * (3 + F(1, 2)))
    assert plan.steps[0].changed == float(F(9, 10) + F(1, 10) * (3 + F(1, 100000)))


def test_epsilon_that_is_not_known_is_not_taken_out() -> None:
    scaled = {"epsilon__in_running": BOTH, "epsilon__default": None}
    for sides in ((scaled, NEW), (NEW, scaled), (scaled, {**scaled, "correction__running": 1})):
        plan = plan_of(*sides, ("torch", "mlx"))
        if plan.epsilon is None:
            with pytest.raises(ValueError, match="epsilon was not measured, and one of the two keeps it"):
                convert_of(plan)(state(1.0), 4)
            assert plan.errors[0].factor is None


def committed_steps() -> list[Any]:
    """The layers of exponential averages whose running variance over five steps was measured and committed."""
    found: dict[tuple[str, str], dict[str, measured.FindingRow]] = {}
    for row in measured.committed():
        if row.kind == "batch" and row.threads == 1 and row.status == "measured":
            found.setdefault((row.framework, row.variant), {})[row.property] = row
    return [
        pytest.param(name, parts["running.steps"], id=":".join(name))
        for name, parts in found.items()
        if "running.steps" in parts
        and parts["running.keeps"].plain() == "variance"
        and parts["running.update"].plain() in ("exponential", "first batch adopted", "zero-debiased")
        and {"momentum.default", "correction.running", "initial.var"} <= parts.keys()
        and parts["running.when"].plain() != "next forward"
    ]


@pytest.mark.parametrize(("name", "row"), committed_steps())
def test_the_plans_steps_are_the_committed_ones(name: tuple[str, str], row: measured.FindingRow) -> None:
    """In float32: at each step four roundings of the value, and one of the weight, or of the rest 1 - w."""
    told = re.search(r"variance (\d+) \(divisor n, n = (\d+)\)", row.detail)
    assert told is not None
    v, n = map(int, told.groups())
    plan = port(":".join(name), "torch", values_per_channel=n, variance=v)
    convention = plan.source
    assert (convention.framework, convention.variant) == name
    weight, start, e = convention.weight(), convention.number("initial.var"), convention.number("epsilon.default")
    correction = convention.correction(e)
    assert weight is not None
    assert start is not None
    assert correction is not None
    batch = maths.kept(F(v), n, correction, e or F(0), convention.epsilon_kept)
    unit, law = F(1, 2**24), convention["running.update"]
    for k, seen in enumerate(row.plain(), 1):
        wanted = maths.after(law, weight, k, start, batch)
        assert wanted is not None
        allowed = k * unit * (4 * wanted + abs(batch - start))
        if law == "zero-debiased":  # a quotient of two sums that have the weight's rounding each
            allowed += 2 * unit / weight * wanted
        assert abs(F(seen) - wanted) <= allowed, (k, seen, float(wanted))
        if k == 1 and convention.law:
            assert plan.steps[0].source == float(wanted)


def test_the_committed_steps_have_a_layer_that_keeps_epsilon_corrected() -> None:
    names = [str(each.id) for each in committed_steps()]
    assert len(names) > 40
    assert {"keras2-theano:NCHW", "keras2-theano:2-D"} <= set(names)


@pytest.mark.parametrize(("n", "v", "e"), [(2, 1e-6, 1e-3), (8, 21.0, 1e-3), (2, 1e-6, 0.1)])
def test_keras_2_on_theano_becomes_what_torch_keeps(n: int, v: float, e: float) -> None:
    """Keras 2.3.1 keeps (v + e) n / (n - 1 - e)."""
    kept = (F(str(v)) + F(str(e))) * n / (n - 1 - F(str(e)))
    plan = port("keras2-theano", "torch", values_per_channel=n, variance=v, epsilon=e)
    got = convert_of(plan)(state(float(kept)), n)["var"][0]
    assert got == pytest.approx(v * n / (n - 1), rel=1e-16 * float(kept) / v * 8)
    back = port("torch", "keras2-theano", values_per_channel=n, variance=v, epsilon=e)
    assert convert_of(back)(state(v * n / (n - 1)), n)["var"][0] == pytest.approx(float(kept), rel=1e-14)


@pytest.mark.parametrize("shape", [each for each in SHAPES if each != "no"])
@pytest.mark.parametrize("law", ["exponential", "zero-debiased"])
def test_what_a_rounding_leaves_below_epsilon_is_no_negative_variance(shape: str, law: str) -> None:
    """A constant channel keeps epsilon, or its corrected value, rounded to float32."""
    scaled = {"epsilon__in_running": shape, "correction__running": 1, "epsilon__default": 1e-7, "running__update": law}
    kept = SHAPES[shape](F(0), 2, F(1), F(1, 10))
    below = np.nextafter(np.float32(float(kept)), np.float32(0), dtype=np.float32)
    plan = plan_of(scaled, {**NEW, "running__update": law}, ("torch", "mlx"), epsilon=0.1)
    assert convert_of(plan)(state(float(below)), 2)["var"][0] == 0


@given(
    r=st.floats(1e-3, 100),
    e=st.floats(1e-3, 1.0),
    place=st.sampled_from(EpsilonPlace),
    other=st.sampled_from(EpsilonPlace),
)
def test_another_place_of_epsilon_keeps_the_divisor(r: float, e: float, place: str, other: str) -> None:
    plan = plan_of({"epsilon__place": place}, {"epsilon__place": other}, ("torch", "mlx"), epsilon=e)
    wanted = maths.denominator(F(r), F(e), place)
    stored = maths.kept_for(wanted, F(e), other)
    least = float(maths.denominator(F(0), F(e), other))
    if stored is None and float(wanted) < least * (1 - 1e-11):
        with pytest.raises(ValueError, match="the target cannot divide by as little"):
            convert_of(plan)(state(r))
    elif stored is not None and stored > 1e-9:
        got = maths.denominator(F(float(convert_of(plan)(state(r))["var"][0])), F(e), other)
        assert float(got / wanted - 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("keeps", "stored"), [("deviation", 2.0), ("inverse deviation", 0.5), ("variance", 4.0)])
def test_what_is_kept_in_place_of_the_variance(keeps: str, stored: float) -> None:
    plan = plan_of({"running__keeps": keeps}, {}, ("torch", "mlx"))
    assert convert_of(plan)(state(stored))["var"] == 4.0
    plan = plan_of({}, {"running__keeps": keeps}, ("torch", "mlx"))
    assert convert_of(plan)(state(4.0))["var"] == stored


def test_a_momentum_without_a_default_must_be_known() -> None:
    unknown = {"momentum__default": None}
    plan = plan_of(unknown, unknown, ("torch", "haiku"))
    with pytest.raises(PortError, match="haiku's decay_rate has no default, and torch's momentum is not known: give"):
        plan.snippet()
    assert " momentum=0.75, " in plan_of(unknown, unknown, ("torch", "haiku"), momentum=0.75).snippet()
    made = plan_of(unknown, {}, ("haiku", "torch")).snippet()
    assert "    # momentum: torch's default, since haiku's is not known: give --momentum\n" in made
    assert "# eps:" not in made
    assert "# eps: torch's default, since haiku's is not known: give --epsilon\n" in (
        plan_of({"epsilon__default": None}, {}, ("haiku", "torch")).snippet()
    )
    assert "give --" not in plan_of({}, {}, ("haiku", "torch")).snippet()


class Tensor:
    """A value behind the names that the frameworks' values are read by."""

    def __init__(self, *values: float) -> None:
        self.array = np.float32(values)

    def detach(self) -> Tensor:
        return self

    cpu = double = detach

    def numpy(self) -> Any:
        return self.array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.array, dtype)


STATISTICS = {"mean": (5.0, 6.0), "var": (7.0, 8.0)}


def bare_layers(gamma: Tensor | None, beta: Tensor | None) -> dict[str, Any]:
    """Layers, or what stands for them, with or without a scale and a shift."""
    mean, var = (Tensor(*values) for values in STATISTICS.values())
    plain = SimpleNamespace(weight=gamma, bias=beta, running_mean=mean, running_var=var)
    absent = {"running_mean": mean, "running_var": var}
    absent |= {key: value for key, value in (("weight", gamma), ("bias", beta)) if value is not None}
    keras = SimpleNamespace(gamma=gamma, beta=beta, moving_mean=mean, moving_variance=var)
    module = SimpleNamespace(mode="ema", weight=gamma, bias=beta, ema_state_index=0)
    params = {key: value for key, value in (("scale", gamma), ("bias", beta)) if value is not None}
    offset = {key: value for key, value in (("scale", gamma), ("offset", beta)) if value is not None}
    averages = {f"batch_norm/~/{key}_ema": {"average": value} for key, value in (("mean", mean), ("var", var))}
    statistics = {"batch_stats": {"mean": mean, "var": var}}
    return {
        "torch": plain,
        "mlx": SimpleNamespace(**absent),
        "tinygrad": SimpleNamespace(**absent),
        "paddle": SimpleNamespace(weight=gamma, bias=beta, _mean=mean, _variance=var),
        "keras-numpy": keras,
        "tf_keras": keras,
        "keras2-theano": keras,
        "chainer": SimpleNamespace(gamma=gamma, beta=beta, avg_mean=mean.array, avg_var=var.array),
        "equinox": (module, {0: (mean, var)}),
        "flax-linen": {**statistics, **({"params": params} if params else {})},
        "haiku": ({"batch_norm": offset} if offset else {}, averages),
    }


def reader_of(name: str) -> Any:
    tree = ast.parse(plan_of({}, {}, (name, "torch" if name != "torch" else "mlx")).snippet())
    body = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "read"]
    values = SimpleNamespace(convert_to_numpy=np.asarray, get_value=np.asarray)
    names: dict[str, Any] = {"np": np, "keras": SimpleNamespace(ops=values, backend=values)}
    exec(compile(ast.Module(body, []), "read", "exec"), names)
    return names["read"]


@pytest.mark.parametrize("name", bare_layers(None, None))
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("shift", [False, True])
def test_a_layer_without_a_scale_or_a_shift_has_one_and_zero(name: str, scale: bool, shift: bool) -> None:
    layer = bare_layers(Tensor(2, 3) if scale else None, Tensor(4, -4) if shift else None)[name]
    got = reader_of(name)(layer)
    wanted = {"gamma": (2, 3) if scale else (1, 1), "beta": (4, -4) if shift else (0, 0), **STATISTICS}
    assert {key: tuple(value.tolist()) for key, value in got.items()} == wanted
    assert {value.dtype for value in got.values()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("name", sorted(CARRIED))
def test_an_array_of_one_channel_stays_an_array(name: str) -> None:
    """numpy.float64(a) of a single-element array a is a scalar in numpy 1, which the old frameworks run on."""
    other = "torch" if name == "mlx" else "mlx"
    text = plan_of({}, {}, (name, other)).snippet() + plan_of({}, {}, (other, name)).snippet()
    assert not re.search(r"np\.float(32|64)\(", text)


@pytest.mark.parametrize("name", ["torch", "mlx", "keras-numpy", "chainer", "flax-linen"])
def test_a_layer_without_statistics_is_refused_in_one_sentence(name: str) -> None:
    nothing = SimpleNamespace(
        weight=Tensor(1), bias=Tensor(0), running_mean=None, running_var=None, gamma=None, beta=None,
        moving_mean=None, moving_variance=None, avg_mean=None, avg_var=None,
    )  # fmt: skip
    without = {"flax-linen": {"params": {"scale": Tensor(1)}}, "mlx": SimpleNamespace(weight=Tensor(1))}
    with pytest.raises(ValueError, match=r"^the layer has no running statistics: there is no state to carry$"):
        reader_of(name)(without.get(name, nothing))


def test_code_that_cannot_be_is_refused_in_one_sentence() -> None:
    with pytest.raises(PortError, match="there is no code for a's state"):
        plan_of({}, {}).snippet()
    with pytest.raises(PortError, match="keeps no running variance"):
        plan_of({"running__keeps": "none kept"}, {}, ("torch", "mlx")).snippet()
    unknown = plan_of({"correction__running": None}, {}, ("torch", "mlx"))
    with pytest.raises(ValueError, match="was not measured: there is no factor to apply"):
        convert_of(unknown)(state(1.0), 2)
    assert convert_of(unknown)(state(1.0))["var"] == 1.0


# The command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def few_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings of a few frameworks in place of the committed ones, and no documentation."""
    monkeypatch.setattr(measured, "committed", real)
    monkeypatch.setattr(documented, "facts", lambda framework=None: [])
    monkeypatch.setattr(documented, "lookup", lambda *words: None)


def call(*words: str) -> Any:
    return CliRunner().invoke(command.commands, ["port", *words], prog_name="varstudy")


@pytest.mark.usefixtures("few_findings")
def test_the_command_shows_changes_errors_steps_and_code() -> None:
    done = call("--from", "torch", "--to", "keras", "--values-per-channel", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(
        "From torch 1.0 (NCHW) to keras-tensorflow 1.0 (NCHW): change 3 things: epsilon, running variance of a batch, "
        "momentum."
    )
    text = " ".join(done.stdout.split())
    for words in ("0.99 of the old", "keras is taken for keras-tensorflow", "12 parts are the same on"):
        assert words in text, words
    # sqrt(v + 1e-5) / sqrt(v + 1e-3) - 1 at v = 2 * 0.01, which torch keeps of batches of two
    assert "-2.4 %" in text
    assert port("torch", "keras-tensorflow", rows=real(), values_per_channel=2).snippet() in done.stdout
    assert not any(each in text for each in ("initial running mean", "Running variance after k steps"))
    assert done.stderr == ""
    done = call("--from", "torch", "--to", "keras", "--values-per-channel", "2", "--all")
    for words in ("initial running mean", "-0.293", "-0.891", "0.902", "0.9901", "For inference with the source's"):
        assert words in done.stdout, words


@pytest.mark.usefixtures("few_findings")
def test_lists_settings_and_json() -> None:
    words = ["--values-per-channel", "2,8", "--values-per-channel", "1", "--variance", "4", "--variance", "1,2"]
    done = call("--from", "torch", "--to", "mlx", *words, "--epsilon", "0.5", "--momentum", "0.25", "--json")
    found = json.loads(done.stdout)
    assert found["values_per_channel"] == [2, 8, 1]
    assert found["variances"] == [4, 1, 2]
    assert len(found["errors"]) == 9
    assert (found["epsilon"], found["target_momentum"]) == (0.5, 0.25)
    assert found["source"]["facts"]["correction.running"]["value"] == 1
    compile(found["snippet"], "snippet", "exec")
    assert found["snippet_missing"] is None


@pytest.mark.usefixtures("few_findings")
def test_one_value_a_channel_claims_no_variance() -> None:
    done = call("--from", "torch", "--to", "mlx", "--values-per-channel", "1")
    assert done.exit_code == 0, done.output
    done = call("--from", "torch", "--to", "mlx", "--values-per-channel", "1", "--all")
    assert "Running variance after k steps, batches of variance 0 with 1 value a channel" in " ".join(
        done.stdout.split()
    )
    done = call("--from", "torch", "--to", "mlx", "--values-per-channel", "1", "--snippet")
    assert "after many batches of 2 values a channel" in done.stdout
    done = call("--from", "torch", "--to", "keras", "--variance", "1e308", "--values-per-channel", "2")
    assert done.exit_code == 0, done.output


@pytest.mark.usefixtures("few_findings")
def test_the_snippet_is_all_of_the_standard_output() -> None:
    done = call("--from", "torch", "--to", "flax-nnx", "--snippet")
    assert done.exit_code == 0
    assert done.stdout == port("torch", "flax-nnx", rows=real()).snippet()
    compile(done.stdout, "snippet", "exec")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "torsh", "--to", "keras"), "framework 'torsh' is unknown: did you mean torch"),
        (("--from", "torch", "--to", "flax"), "name one"),
        (("--from", "torch", "--to", "mlx:9-D"), "mlx has no variant"),
        (("--from", "torch", "--to", "mlx", "--values-per-channel", "0"), "give a whole number of 1 or more"),
        (("--from", "torch", "--to", "mlx", "--values-per-channel", "two"), "--values-per-channel 'two' is no whole"),
        (("--from", "torch", "--to", "mlx", "--variance", "1,"), "--variance '' is no number"),
        (("--from", "torch", "--to", "mlx", "--variance", "-1"), "variance=-1.0: give a finite number"),
        (("--from", "torch", "--to", "mlx", "--momentum", "2"), "momentum=2.0: give a number from 0 to 1"),
        (("--from", "torch", "--to", "mlx", "--momentum", "-0.5"), "momentum=-0.5: give a number from 0 to 1"),
        (("--from", "torch", "--to", "mlx", "--snippet", "--json"), "choose one of them"),
        (("--from", "torch"), "--to"),
    ],
)
@pytest.mark.usefixtures("few_findings")
def test_bad_input_is_one_sentence_and_exit_code_2(words: tuple[str, ...], sentence: str) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("varstudy: ")
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_a_framework_without_code_still_has_its_tables(monkeypatch: pytest.MonkeyPatch, few_findings: None) -> None:
    monkeypatch.setattr(measured, "committed", lambda: rows("odd") + rows("torch", **NEW))
    done = call("--from", "odd", "--to", "torch")
    assert done.exit_code == 0
    assert "No code: there is no code for odd's state" in done.stdout
    assert call("--from", "odd", "--to", "torch", "--snippet").exit_code == 2
    assert json.loads(call("--from", "odd", "--to", "torch", "--json").stdout)["snippet"] is None


def names_of_all() -> list[str]:
    """Every framework with a batch norm that was measured, or is documented."""
    rows_, known = measured.committed(), documented.facts()
    return sorted({each.framework for each in [*rows_, *known] if each.kind == "batch"})


@pytest.mark.parametrize("name", names_of_all())
def test_what_comes_with_the_package_is_enough_for_a_port(name: str) -> None:
    """The committed findings and documented facts: from and to every framework; code where there are templates."""
    for plan in (port(name, "torch", values_per_channel=2), port("torch", name, values_per_channel=2)):
        assert plan.changes
        assert plan.errors
        json.dumps(plan.record(), default=str)
        there = name in CARRIED
        if there and not (plan.target.framework == "haiku" and plan.target_momentum is None):
            compile(plan.snippet(), name, "exec")
        else:
            with pytest.raises(PortError):
                plan.snippet()
    assert len(names_of_all()) > 30


def test_a_default_that_multiplies_nothing_known_is_no_momentum() -> None:
    """A time constant of 5000 is no number from 0 to 1, and nobody gave it."""
    constant = {"momentum__multiplies": None, "momentum__default": 5000}
    plan = plan_of(constant, NEW)
    assert (plan.momentum, plan.weight, plan.target_momentum) == (None, None, None)
    assert change(plan, "momentum").source == "5000 (of what: not measured)"
    assert change(plan, "momentum").needed is None
    back = plan_of(NEW, constant)
    assert change(back, "momentum").target == "5000 (of what: not measured) by default"
    assert back.target_momentum is None
    with pytest.raises(PortError, match="momentum=5000: give a number from 0 to 1"):
        plan_of(constant, NEW, momentum=5000)


def test_statistics_that_an_evaluation_does_not_use_as_they_are_kept_follow_no_known_law() -> None:
    plan = plan_of({}, {"evaluation": "other"}, epsilon=1e-3)
    assert plan.source.law == "exponential"
    assert plan.target.law is None
    assert all(step.alone is None for step in plan.steps)
    assert any("of a law of their own" in note for note in plan.notes)
