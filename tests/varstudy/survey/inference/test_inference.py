"""Inference gives every convention of a simulated framework back, or says that the data cannot tell."""

from __future__ import annotations

import ast
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_layers import SMALL, Convention, changed, observe

from varstudy.survey.findings.properties import (
    KINDS,
    PROPERTIES,
    SYNC,
    FindingStatus,
    check,
    properties_of,
    property_of,
)
from varstudy.survey.inference import infer
from varstudy.survey.inference.accuracy import Measured, measure
from varstudy.survey.inference.finding import Interval, short
from varstudy.survey.inference.normalising import PLACES, line, rules
from varstudy.survey.inference.reading import Variant
from varstudy.survey.inference.running_laws import LAWS, by_size, laws
from varstudy.survey.inference.training_statistics import training
from varstudy.survey.probes import SCRIPTS, probe, questions

LAYOUTS = [
    ("batch", "NCHW"),
    ("batch", "2-D"),
    ("layer", "NCHW"),
    ("layer", "2-D"),
    ("layer", "channels"),
    ("group", "NCHW"),
    ("group", "2-D"),
    ("instance", "NCHW"),
    ("rms", "2-D"),
]
BASE = Convention()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The simulated layers divide by zero where a convention wants that."""
    with np.errstate(all="ignore"):
        yield


def found(convention: Convention, kind: str = "batch", variant: str = "2-D", asked: list[str] | None = None) -> Any:
    return _found(convention, kind, variant, None if asked is None else tuple(asked))


@cache
def _found(convention: Convention, kind: str, variant: str, asked: tuple[str, ...] | None) -> Any:
    """Tests share what was inferred of a convention: they only read it."""
    return {one["property"]: one for one in infer(observe(convention, kind, variant, asked and list(asked)))}


def expected(c: Convention, kind: str = "batch") -> dict[str, Any]:
    """What a convention is in the vocabulary, as far as it can be seen at all."""
    want: dict[str, Any] = {"one_value.output": c.one_value}
    if c.statistics == "batch":
        if kind != "rms":
            want["correction.normalise"] = c.correction
        want["epsilon.default"] = c.epsilon
        want["epsilon.place"] = "none" if c.epsilon == 0 and "epsilon" in c.refuses else c.place
        want["gradient"] = c.gradient
    if kind == "instance":
        want["evaluation"] = "batch statistics"
    if kind != "batch":
        return want
    want |= {"training.statistics": c.statistics, "evaluation": c.evaluation}
    if c.statistics == "running" and c.evaluation == "other":
        want["training.statistics"] = "running" if c.moves == "never" else "other"  # what is divided is not kept
    if c.epsilon == 0 and c.evaluation.endswith("other epsilon"):
        want.pop("evaluation", None)  # three times nothing, and three times what the argument says
    kept = c.law != "none kept"
    if not kept:
        if c.evaluation != "batch statistics":
            want.pop("evaluation", None)  # of statistics that nobody sees
        if c.statistics == "running":
            want.pop("training.statistics", None)
        return want | {"running.update": "none kept", "running.keeps": "none kept", "correction.running": "none kept"}
    if c.statistics == "running" and c.evaluation.startswith("running"):
        want["evaluation"] = "running statistics"  # there is no training to compare with
    want |= {"initial.mean": c.initial_mean, "initial.var": c.initial_var, "running.when": c.moves}
    if c.moves == "never":
        if c.evaluation == "other":
            want["evaluation"] = "running statistics"  # that never began to be divided
        return want
    lawless = c.law in ("plain average", "batch-size weighted")
    late = c.law in LATE
    above = (c.weight if c.multiplies != "old" else 1 - c.weight) >= 0.5  # than any average's after the first batch
    want |= {
        "running.update": c.law if not late else "first batch adopted" if above else "other",
        "running.keeps": c.keeps,
        "correction.running": c.running_correction,
        "momentum.multiplies": "no argument" if lawless else c.multiplies,
    }
    if not lawless and c.multiplies != "no argument" and (above or not late):
        want["momentum.default"] = c.weight
    if c.in_running == "scaled" and c.epsilon > 1e-5:
        want.pop("correction.running")  # its divisor has epsilon, too
    if c.keeps == "variance" and c.moves != "next forward":
        want["epsilon.in_running"] = _epsilon_of(c)
    return want


def _epsilon_of(c: Convention) -> str:
    if c.in_running == "before":
        return "before the correction" if c.running_correction else "added"  # the same where nothing is corrected
    return {False: "no", True: "added", "scaled": "before and in the correction"}[c.in_running]


LATE = ["plain average, then exponential", "batch-size weighted, then exponential"]
VALUES: dict[str, list[Any]] = {
    "correction": [0, 1],
    "running_correction": [0, 1],
    "epsilon": [1e-5, 1e-3, 1e-12, 2e-5],
    "place": list(PLACES),
    "in_running": [False, True, "scaled"],
    "law": [*LAWS, "plain average", "batch-size weighted", *LATE, "none kept"],
    "weight": [0.1, 0.01, 0.003, 0.9],
    "multiplies": ["new", "old", "no argument"],
    "initial_mean": [0.0, 0.5],
    "initial_var": [1.0, 0.0],
    "keeps": ["variance", "deviation", "inverse deviation"],
    "one_value": ["error", "zeros", "identity", "NaN"],
    "evaluation": ["running statistics", "running statistics, other epsilon", "batch statistics", "other"],
    "statistics": ["batch", "running"],
    "moved_first": [False, True],
    "moves": ["forward", "next forward", "backward", "separate call", "never"],
    "gradient": ["through the variance", "variance held constant", "other"],
    "noise": [0, 2.0],
}
HARD = {"epsilon": [0.0, 1e-30], "weight": [0.001, 0.999], "refuses": [(), ("epsilon",), ("set_running",)]}


def _sound(c: Convention) -> Convention:
    """Combinations that no layer could have are brought into line."""
    if c.keeps != "variance":
        c = changed(c, in_running=False, initial_var=1.0)
    if c.law == "accumulated decay" and c.evaluation == "other":
        c = changed(c, evaluation="running statistics")
    if c.keeps != "variance" and c.evaluation == "other":
        c = changed(c, evaluation="running statistics")
    return c


def _one_by_one() -> list[Convention]:
    return list(dict.fromkeys(_sound(changed(BASE, **{name: value})) for name in VALUES for value in VALUES[name]))


@pytest.mark.parametrize("variant", ["2-D", "NCHW"])
@pytest.mark.parametrize("convention", _one_by_one(), ids=str)
def test_each_convention_alone_is_recovered(convention: Convention, variant: str) -> None:
    answers = found(convention, variant=variant)
    for name, value in expected(convention).items():
        assert (answers[name]["value"], answers[name]["status"]) == (value, "measured"), answers[name]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(["law", "keeps", "moves", "multiplies"], 2)))
def test_pairs_of_running_conventions_are_recovered(first: str, second: str) -> None:
    for a, b in itertools.product(VALUES[first], VALUES[second]):
        convention = _sound(changed(BASE, **{first: a, second: b}))
        answers = found(convention)
        for name, value in expected(convention).items():
            assert answers[name]["value"] == value, (convention, answers[name])


@pytest.mark.parametrize(("correction", "running"), list(itertools.product([0, 1], [0, 1])))
def test_corrections_places_and_epsilons_are_recovered_together(correction: int, running: int) -> None:
    for place, epsilon in itertools.product(PLACES, (1e-3, 1e-5, 1e-6)):
        convention = changed(
            BASE, correction=correction, running_correction=running, place=place, epsilon=epsilon, noise=1.0
        )
        answers = found(convention)
        for name, value in expected(convention).items():
            assert answers[name]["value"] == value, (convention, answers[name])


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(s, marks=pytest.mark.long) for s in range(4, 8))])
def test_no_mixture_of_conventions_gives_a_wrong_claim(seed: int) -> None:
    random = np.random.RandomState(seed)
    told = asked = 0
    for _ in range(20):
        parts = {name: values[random.randint(len(values))] for name, values in VALUES.items()}
        if random.randint(3) == 0:
            parts |= {name: values[random.randint(len(values))] for name, values in HARD.items()}
        convention = _sound(Convention(**parts))
        answers = found(convention, variant=("2-D", "NCHW")[random.randint(2)])
        for name, value in expected(convention).items():
            asked += 1
            told += answers[name]["status"] == "measured"
            if answers[name]["status"] == "measured":
                assert answers[name]["value"] == value, (convention, answers[name])
    assert told > 0.8 * asked


@pytest.mark.parametrize(("kind", "variant"), LAYOUTS)
@pytest.mark.parametrize("correction", [0, 1])
def test_every_kind_and_layout_is_recovered(kind: str, variant: str, correction: int) -> None:
    if kind == "rms":
        correction = 0
    for place in PLACES:
        convention = changed(BASE, correction=correction, place=place, epsilon=1e-4, one_value="zeros")
        answers = found(convention, kind, variant)
        for name, value in expected(convention, kind).items():
            assert answers[name]["value"] == value, (convention, answers[name])


def test_an_odd_correction_of_what_is_kept_is_measured_as_a_number() -> None:
    answers = found(changed(BASE, correction=1.5, running_correction=-0.5), variant="NCHW")
    assert answers["correction.normalise"]["status"] == "undetermined"  # groups of one size tell none
    assert answers["correction.running"]["value"] == pytest.approx(-0.5, abs=1e-4)


@pytest.mark.parametrize("place", ["inside the root", "added to the deviation"])
def test_a_framework_of_inference_alone_shows_its_epsilon_there(place: str) -> None:
    said = observe(changed(BASE, place=place, epsilon=1e-3))
    for answer in said["variants"][0]["answers"].values():
        for event in answer["events"]:
            if event["do"] in ("train", "backward"):
                event.pop("y", None)
                event |= {"error": "Unsupported: inference only", "unsupported": "inference only"}
            if event["do"] == "layer":
                event["running"] = None
    got = {one["property"]: one for one in infer(said)}
    assert got["correction.normalise"]["status"] == "not applicable"
    assert (got["epsilon.default"]["value"], got["epsilon.place"]["value"]) == (0.001, place)
    assert got["algorithm"]["status"] == got["accuracy.1e6"]["status"] == "not applicable"
    assert (got["initial.var"]["status"], got["initial.var"]["detail"]) == ("not applicable", "inference only")
    assert got["evaluation"]["value"] == "running statistics"


def test_what_the_adapter_chose_is_not_the_frameworks() -> None:
    chosen = {"initial.var": "the caller keeps the statistics; they began with 1", "epsilon.default": "none was given"}
    answers = found(changed(BASE, chosen=tuple(chosen.items())))
    for name, sentence in chosen.items():
        assert (answers[name]["value"], answers[name]["status"]) == (None, "not applicable")
        assert answers[name]["detail"] == sentence
    assert answers["initial.mean"]["value"] == 0.0
    assert answers["epsilon.place"]["value"] == "inside the root"


def test_the_initial_statistics_are_those_of_a_float32_layer() -> None:
    said = observe(BASE, questions=["order", "bfloat16_0", "scales"])
    answers = said["variants"][0]["answers"]
    for event in answers["bfloat16_0"]["events"]:
        event["running"] = {"mean": [0, 0], "var": [16256, 16256]}
    said["variants"][0]["answers"] = {"bfloat16_0": answers["bfloat16_0"], "scales": answers["scales"]}
    got = {one["property"]: one for one in infer(said)}
    assert got["initial.var"]["value"] == 1.0
    said["variants"][0]["answers"].pop("scales")
    assert {one["property"]: one for one in infer(said)}["initial.var"]["status"] == "undetermined"


@pytest.mark.parametrize("variant", ["2-D", "NCHW"])
@pytest.mark.parametrize("correction", [0, 1])
def test_a_first_batch_that_is_adopted_does_not_hide_who_normalises(correction: int, variant: str) -> None:
    adopted = changed(BASE, law="first batch adopted", running_correction=correction, correction=correction)
    answer = found(changed(adopted, statistics="running", moved_first=True), variant=variant)["training.statistics"]
    assert answer["value"] == "running"
    assert answer["detail"] == "the running statistics as they are after the step, told from step 2 on"
    answer = found(changed(adopted, statistics="batch"), variant=variant)["training.statistics"]
    assert (answer["value"], answer["detail"]) == ("batch", "each group's own mean and variance, at each of 5 steps")
    answer = found(changed(BASE, statistics="running"), variant=variant)["training.statistics"]
    assert answer["detail"] == "the running statistics as they are before the step, told from step 1 on"


def test_training_that_leaves_the_batch_for_nothing_known_is_said() -> None:
    said = observe(BASE, variant="NCHW")
    events = said["variants"][0]["answers"]["steps"]["events"]
    for event in events[3:6]:
        event["y"]["values"] = [[value + 0.25 for value in row] for row in event["y"]["values"]]
    answer = next(one for one in infer(said) if one["property"] == "training.statistics")
    assert answer["value"] == "other"
    assert "from step 3 on" in answer["detail"]
    for event in events[3:6]:
        event.pop("y")
    answer = next(one for one in infer(said) if one["property"] == "training.statistics")
    assert answer["value"] == "batch"
    assert "at each of 2 steps" in answer["detail"]


@pytest.mark.parametrize("decay", [0.999, 0.9997, 0.99])
def test_a_debias_that_cancels_in_float32_is_still_one(decay: float) -> None:
    answers = found(changed(BASE, law="zero-debiased", weight=decay, multiplies="old"), variant="NCHW")
    assert answers["running.update"]["value"] == "zero-debiased", answers["running.update"]
    assert (answers["momentum.multiplies"]["value"], answers["momentum.default"]["value"]) == ("old", decay)
    assert answers["correction.running"]["value"] == 1


def test_epsilon_that_a_correction_scales_is_in_the_running_variance() -> None:
    for variant, n in (("NCHW", 8), ("2-D", 4)):
        answer = found(changed(BASE, in_running="scaled", epsilon=1e-3), variant=variant)["epsilon.in_running"]
        assert answer["value"] == "before and in the correction"
        assert f"{0.25 * n / (n - 1.25):.4g} = epsilon n / (n - 1 - epsilon)" in answer["detail"]
    only = changed(BASE, running_correction=0, in_running="scaled")
    assert "= epsilon n / (n - epsilon)" in found(only)["epsilon.in_running"]["detail"]


def test_epsilon_before_the_correction_alone_is_told_apart() -> None:
    for variant, n in (("NCHW", 8), ("2-D", 4)):
        answer = found(changed(BASE, in_running="before"), variant=variant)["epsilon.in_running"]
        assert answer["value"] == "before the correction"
        assert f"{0.25 * n / (n - 1):.4g} = epsilon n / (n - 1), epsilon is 0.25" in answer["detail"]


def test_where_epsilon_enters_is_undetermined_if_two_places_explain_it() -> None:
    """Without an argument there is only the default to see, and it is too small to be seen in the divisor."""
    for in_running in ("before", "scaled"):
        layer = changed(BASE, in_running=in_running, epsilon=2e-5, weight=0.9, initial_var=0.0, refuses=("epsilon",))
        answer = found(layer)["epsilon.in_running"]
        assert answer["status"] == "undetermined", answer
        assert "= epsilon n / (n - 1) or epsilon n / (n - 1 - epsilon), epsilon is 2e-05" in answer["detail"]


def test_a_debias_of_inference_is_named() -> None:
    answer = found(changed(BASE, evaluation="other", weight=0.5), variant="NCHW")["evaluation"]
    assert answer["value"] == "other"
    assert "each divided by 1 - 0.5^k after k steps" in answer["detail"]
    assert "though the running variance begins with 1" in answer["detail"]
    answer = found(changed(BASE, evaluation="other"), variant="NCHW")["evaluation"]
    assert "1 - 0.5^k" not in answer["detail"]


@pytest.mark.parametrize(("variant", "n"), [("NCHW", 8), ("2-D", 4)])
def test_the_running_variance_of_a_steady_channel_is_written_down(variant: str, n: int) -> None:
    answer = found(BASE, variant=variant)["running.steps"]
    exact = {8: 21.0, 4: 5.0}[n]
    state, want = 1.0, []
    for _ in range(questions.STEPS):
        state += 0.1 * (exact * n / (n - 1) - state)
        want.append(state)
    assert answer["value"] == pytest.approx(want, rel=1e-6)
    assert f"variance {exact:g} (divisor n, n = {n})" in answer["detail"]
    assert found(changed(BASE, law="none kept"), variant=variant)["running.steps"]["status"] == "not applicable"
    moments = found(changed(BASE, keeps="deviation"), variant=variant)["running.steps"]
    assert "deviation" in moments["detail"]


def test_statistics_that_are_taken_by_the_place_in_memory_are_found_out() -> None:
    said = observe(BASE, variant="NCHW")
    for question, epsilon in (("scales", 1e-5), ("epsilon", questions.EPSILON)):
        table = questions.batches(question, "batch", "NCHW")[0]
        x = questions.place("batch", "NCHW", table)
        channel = (np.arange(x.size) % len(table)).reshape(x.shape)
        y = (x - table.mean(axis=1)[channel]) / np.sqrt(table.var(axis=1) + epsilon)[channel]
        rows = questions.gather("batch", "NCHW", y.astype(np.float32), *table.shape)
        event = next(e for e in said["variants"][0]["answers"][question]["events"] if e["do"] == "train")
        event["y"]["values"] = rows.astype(np.float64).tolist()
    got = {one["property"]: one for one in infer(said)}
    assert got["training.statistics"]["value"] == "other"
    assert "place in memory, modulo the channels" in got["training.statistics"]["detail"]
    assert got["correction.normalise"]["status"] == "undetermined"


@pytest.mark.parametrize(("moves", "value"), [("forward", "forward"), ("next forward", None)])
def test_statistics_that_the_first_pass_makes_move_in_it(moves: str, value: str | None) -> None:
    said = observe(changed(BASE, moves=moves, weight=1.0, in_running=moves == "forward"))
    for answer in said["variants"][0]["answers"].values():
        for event in answer["events"]:
            if event["do"] == "layer":
                event["running"] = None
    got = {one["property"]: one for one in infer(said)}
    assert got["running.when"]["value"] == value
    assert got["initial.var"]["status"] == "undetermined"
    if value:
        assert got["epsilon.in_running"]["value"] == "added"


@pytest.mark.parametrize(("divisor", "epsilon"), [(8, 1e-5), (7, 1e-3), (8, 0.0)])
def test_a_gradient_of_another_epsilon_and_divisor_is_put_into_words(divisor: int, epsilon: float) -> None:
    said = observe(changed(BASE, correction=1, place="added to the deviation", refuses=("epsilon",)), variant="NCHW")
    x, dy = questions.batches("gradient", "batch", "NCHW")[0], questions.gradient_out("batch", "NCHW")
    dev = x - x.mean(axis=1, keepdims=True)
    d = np.sqrt((dev**2).sum(axis=1, keepdims=True) / 7 + epsilon)
    dx = (dy - dy.mean(axis=1, keepdims=True)) / d - (dy * dev).sum(axis=1, keepdims=True) * dev / d**3 / divisor
    event = said["variants"][0]["answers"]["gradient"]["events"][1]
    event["dx"]["values"] = dx.astype(np.float32).astype(np.float64).tolist()
    answer = next(one for one in infer(said) if one["property"] == "gradient")
    assert answer["value"] == "other"
    assert (
        f"epsilon {epsilon:g} inside the root and the divisor {'n' if divisor == 8 else 'n - 1'} in" in answer["detail"]
    )


# --- what the data cannot tell ---


@pytest.mark.parametrize(("kind", "variant"), [one for one in LAYOUTS if one[0] != "rms"])
@pytest.mark.parametrize("spread", ["mean absolute deviation", "scaled variance"])
def test_another_spread_than_the_variance_is_no_correction(spread: str, kind: str, variant: str) -> None:
    answers = found(changed(BASE, spread=spread, epsilon=1e-3), kind, variant)
    for name in ("correction.normalise", "epsilon.default", "epsilon.place", "gradient"):
        assert answers[name]["status"] == "undetermined", answers[name]
    assert kind != "batch" or answers["running.update"]["value"] == "exponential"


@pytest.mark.parametrize("law", LATE)
@pytest.mark.parametrize("variant", ["2-D", "NCHW"])
def test_an_average_that_a_momentum_ends_is_none(law: str, variant: str) -> None:
    for multiplies, weight in (("new", 0.1), ("new", 0.001), ("old", 0.99), ("no argument", 0.01)):
        answers = found(changed(BASE, law=law, multiplies=multiplies, weight=weight), variant=variant)
        assert answers["running.update"]["value"] == "other", answers["running.update"]
        assert answers["momentum.multiplies"]["value"] == multiplies, answers["momentum.multiplies"]
        assert answers["momentum.default"]["status"] != "measured"
        own = {"new": "the argument; ", "old": "1 - the argument; "}.get(multiplies)
        assert own is None or f"the larger of the average's and {own}" in answers["running.update"]["detail"]


@pytest.mark.parametrize("law", LATE)
def test_an_average_that_nobody_could_see_the_end_of_is_undetermined(law: str) -> None:
    answers = found(changed(BASE, law=law, weight=1e-5))
    assert answers["running.update"]["status"] == "undetermined", answers["running.update"]
    assert "average" in answers["running.update"]["detail"]
    assert answers["momentum.multiplies"]["value"] == "new"


@pytest.mark.parametrize("missing", ["momentum", "momentum_high", "momentum_low", "long"])
@pytest.mark.parametrize("law", ["plain average", "batch-size weighted"])
def test_an_average_is_not_named_while_a_momentum_may_end_it(law: str, missing: str) -> None:
    for convention in (changed(BASE, law=law), changed(BASE, law=f"{law}, then exponential")):
        answers = found(convention, asked=[one for one in SMALL if one != missing])
        for name in ("running.update", "momentum.multiplies"):
            assert answers[name]["value"] in (None, "other", "new"), answers[name]
        assert answers["momentum.default"]["status"] == "undetermined"
        said = observe(convention)
        said["variants"][0]["answers"][missing] = {"error": "process: killed"}
        assert next(one for one in infer(said) if one["property"] == "running.update")["value"] in (None, "other")


def test_an_average_under_defaults_alone_does_not_tell_what_an_argument_does() -> None:
    said = observe(changed(BASE, law="plain average"))
    number = observe(BASE)["variants"][0]["answers"]
    answers = said["variants"][0]["answers"]
    for question in questions.MOMENTA:
        answers[question] = number["momentum"]
    got = {one["property"]: one for one in infer(said)}
    assert got["running.update"]["value"] == "plain average"
    assert got["momentum.multiplies"]["status"] == got["momentum.default"]["status"] == "undetermined"
    assert "with an argument another law" in got["momentum.multiplies"]["detail"]


def test_an_average_shows_its_end_and_a_question_not_asked_tells_of_no_argument() -> None:
    average = found(changed(BASE, law="plain average"), variant="NCHW")
    assert "the arguments 0.1, 0.25, 0.9 change nothing" in average["momentum.multiplies"]["detail"]
    assert f"an average still after {questions.LONG} batches" in average["running.update"]["detail"]
    unasked = found(BASE, asked=["order", "scales", "epsilon", "steps", "sizes"])
    assert (unasked["momentum.multiplies"]["value"], unasked["momentum.multiplies"]["status"]) == (None, "undetermined")


def test_a_large_group_hides_the_correction() -> None:
    count = 10_000_000
    moments = [float(count) * 4.0**k for k in range(-10, 5)]
    ends = np.array([-1.0, 1.0])
    lines = [line(ends, ends / math.sqrt(m / count + 1e-5)) for m in moments]
    assert {rule.correction for rule in rules(moments, count, lines)} == {0, 1}
    small = [line(ends, ends / math.sqrt(m / count + 1e-5)) for m in (m / count * 8 for m in moments) for count in (8,)]
    assert {rule.correction for rule in rules([m / count * 8 for m in moments], 8, small)} == {0}


@pytest.mark.parametrize("place", PLACES)
def test_an_epsilon_below_the_resolution_is_undetermined(place: str) -> None:
    answers = found(changed(BASE, epsilon=1e-30, place=place, refuses=("epsilon",)))
    for name in ("epsilon.default", "epsilon.place", "epsilon.in_running"):
        assert answers[name]["status"] == "undetermined", answers[name]
    assert answers["correction.normalise"]["value"] == 0
    assert answers["evaluation"]["status"] == "undetermined"
    assert found(changed(BASE, epsilon=1e-30, place=place))["epsilon.place"]["value"] == place


def test_the_two_floors_are_one_where_epsilon_cannot_be_set() -> None:
    answers = found(changed(BASE, place="floor of the variance", refuses=("epsilon",)))
    assert answers["epsilon.place"]["status"] == "undetermined"
    assert "floor of the variance" in answers["epsilon.place"]["detail"]
    assert "floor of the deviation" in answers["epsilon.place"]["detail"]


def test_equal_batches_do_not_tell_a_plain_average_from_one_by_size() -> None:
    asked = ["order", "scales", "epsilon", "steps", "momentum"]
    for law in ("plain average", "batch-size weighted"):
        answer = found(changed(BASE, law=law), asked=asked)["running.update"]
        assert answer["status"] == "undetermined"
        assert answer["detail"].startswith("plain average or batch-size weighted")


@pytest.mark.parametrize("lie", [1e-5, 1e-3, 0.1, 3.0])
@pytest.mark.parametrize(
    "convention", [BASE, changed(BASE, place="floor of the variance"), changed(BASE, correction=1)]
)
def test_a_liar_is_never_believed(convention: Convention, lie: float) -> None:
    answers = found(changed(convention, lie=lie))
    for name in ("correction.normalise", "epsilon.default", "epsilon.place", "training.statistics", "evaluation"):
        assert answers[name]["status"] == "undetermined" or answers[name]["value"] == "other", answers[name]


def test_observations_that_contradict_each_other_are_not_explained() -> None:
    said = observe(BASE)
    events = said["variants"][0]["answers"]["steps"]["events"]
    events[3]["running"]["var"] = [value * 1.01 for value in events[3]["running"]["var"]]
    events[4]["running"]["mean"] = [value + 0.5 for value in events[4]["running"]["mean"]]
    events[4]["running"]["mean"][2] += 3
    answers = {one["property"]: one for one in infer(said)}
    assert answers["running.update"]["value"] == "other"
    assert answers["correction.running"]["status"] == "undetermined"
    assert answers["momentum.default"]["status"] == "undetermined"
    assert answers["correction.normalise"]["value"] == 0


def test_what_fails_and_what_is_not_there_are_told_apart() -> None:
    said = observe(BASE)
    answers = said["variants"][0]["answers"]
    answers["scales"] = {"error": "process: killed"}
    answers["gradient"] = {
        "events": [{"do": "layer", "error": "Unsupported: no gradient", "unsupported": "no gradient"}]
    }
    got = {one["property"]: one for one in infer(said)}
    assert got["correction.normalise"]["status"] == "failed"
    assert (got["gradient"]["status"], got["gradient"]["value"]) == ("not applicable", None)
    assert got["gradient"]["detail"] == "no gradient"
    with pytest.raises(ValueError, match=r"format 0.*probe\.py again"):
        infer({**said, "format": 0})


def _maul(said: Any, random: np.random.RandomState) -> None:
    """Cut, empty or spoil one thing that a probe wrote, as crashes and odd frameworks do."""
    answers = said["variants"][0]["answers"]
    name = list(answers)[random.randint(len(answers))]
    events = answers[name].get("events", [])
    if not events:
        return
    event = events[random.randint(len(events))]
    which = random.randint(9)
    if which == 0:
        del answers[name]
    elif which == 1:
        answers[name] = {"error": "process: killed at the memory limit"}
    elif which == 2:
        del events[random.randint(len(events)) :]
    elif which == 3:
        event.pop("running", None)
    elif which == 4:
        event["running"] = None
    elif which == 5 and event.get("running"):
        event["running"] = {key: value[:1] for key, value in event["running"].items()}
    elif which == 6 and event.get("running"):
        event["running"]["var"] = ["nan"] * len(event["running"]["var"])
    elif which == 7 and "y" in event:
        event["y"]["values"] = [["inf" for _ in row] for row in event["y"]["values"]]
    elif which == 8:
        event.update({"error": "RuntimeError: no"})
        event.pop("y", None)


@pytest.mark.parametrize("seed", range(6))
def test_no_spoilt_observation_breaks_the_inference_or_gives_a_value_outside_the_vocabulary(seed: int) -> None:
    random = np.random.RandomState(seed)
    text = json.dumps(observe(BASE, questions=[*SMALL, "offset_1e4", "float16_0", "float16_4"]))
    for _ in range(40):
        said = json.loads(text)
        for _ in range(1 + random.randint(4)):
            if said["variants"][0]["answers"]:
                _maul(said, random)
        got = infer(said)
        assert [one["property"] for one in got] == [one.id for one in properties_of("batch")]
        for one in got:
            check(one["property"], one["value"])
            assert (one["value"] is not None) == (one["status"] == "measured")
            assert one["status"] in set(FindingStatus)
            assert one["detail"] or one["status"] == "measured"


# --- accuracy ---

MANY = ["order", "scales", "epsilon", "steps", "momentum", "sizes", *(f"offset_{name}" for name in questions.OFFSETS)]


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("exact", "stable"),
        ("pairwise", "stable"),
        ("welford", "stable"),
        ("chan", "stable"),
        ("two_pass/blocked128", "stable"),
        ("two_pass", "two-pass, sequential mean"),
        ("naive", "E[x^2] - E[x]^2"),
        ("naive/pairwise", "E[x^2] - E[x]^2"),
        ("naive/lanes32", "E[x^2] - E[x]^2"),
        ("naive/running in float64", "E[x^2] - E[x]^2"),
        ("youngs_cramer", "other"),
    ],
)
@pytest.mark.parametrize("multiplies", ["new", "no argument"])
def test_the_algorithm_is_recovered(algorithm: str, value: str, multiplies: str) -> None:
    answers = found(changed(BASE, algorithm=algorithm, multiplies=multiplies), variant="NCHW", asked=MANY)
    assert answers["algorithm"]["value"] == value, answers["algorithm"]
    assert multiplies != "no argument" or answers["algorithm"]["detail"].endswith("by the size of its errors")


def test_the_bits_name_an_algorithm_only_where_they_are_all_its() -> None:
    answers = found(changed(BASE, algorithm="two_pass"), variant="NCHW", asked=MANY)
    assert "to the bit of two_pass/running in float32 (running variance)" in answers["algorithm"]["detail"]
    assert "by the size" not in answers["algorithm"]["detail"]
    said = observe(changed(BASE, algorithm="two_pass"), variant="NCHW", questions=MANY)
    for event in said["variants"][0]["answers"]["offset_1e5"]["events"]:
        if event["do"] == "train":
            event["running"]["var"][1] = float(np.nextafter(np.float32(event["running"]["var"][1]), np.float32(9)))
    detail = next(one["detail"] for one in infer(said) if one["property"] == "algorithm")
    assert "to the bit" not in detail
    assert detail.endswith("by the size of its errors")


def test_the_errors_are_those_of_the_algorithm_that_runs() -> None:
    answers = found(changed(BASE, algorithm="two_pass"), variant="NCHW", asked=MANY)
    assert answers["accuracy.1e6"]["value"] == pytest.approx(1994.29, rel=3e-3)
    assert answers["accuracy.1e5"]["value"] == pytest.approx(0.00465, rel=2e-2)
    exact = found(BASE, variant="NCHW", asked=MANY)
    assert all(exact[f"accuracy.{name}"]["value"] < 1e-6 for name in questions.OFFSETS)
    assert "within the resolution" in exact["accuracy.1e4"]["detail"]


def test_nan_for_many_values_is_no_proof_of_a_negative_variance() -> None:
    for kind, variant in (("batch", "NCHW"), ("instance", "NCHW")):
        answers = found(changed(BASE, algorithm="broken"), kind, variant, MANY)
        assert answers["accuracy.1e4"]["value"] == "NaN"
        assert answers["algorithm"]["status"] == "undetermined"


def test_nan_far_from_0_alone_is_a_negative_variance() -> None:
    answers = found(changed(BASE, algorithm="negative"), "instance", "NCHW", [*MANY, "bfloat16_0"])
    assert answers["algorithm"]["value"] == "E[x^2] - E[x]^2"
    assert "as many values about 0 give none" in answers["algorithm"]["detail"]


def test_errors_that_only_a_float32_mean_gives_are_told_from_any_of_float64() -> None:
    for kind in ("batch", "instance"):
        answers = found(changed(BASE, algorithm="next mean", multiplies="no argument"), kind, "NCHW", MANY)
        assert answers["algorithm"]["value"] == "stable"
        assert "square of the distance from the mean to a float32 number" in answers["algorithm"]["detail"]


def test_a_negative_running_variance_is_said() -> None:
    for multiplies in ("new", "no argument"):
        answers = found(changed(BASE, algorithm="naive/lanes32", multiplies=multiplies), variant="NCHW", asked=MANY)
        assert answers["accuracy.1e4"]["value"] == "NaN"
        assert "the running variance is negative" in answers["accuracy.1e4"]["detail"]


def test_a_variance_clipped_at_zero_is_said() -> None:
    answers = found(changed(BASE, algorithm="naive/pairwise"), variant="NCHW", asked=MANY)
    assert answers["accuracy.1e4"]["value"] == 1.0
    assert "clipped at 0" in answers["accuracy.1e4"]["detail"]


def test_outputs_of_a_factor_and_a_shift_are_known_no_better_than_they_are_rounded() -> None:
    said = observe(changed(BASE, shifted=True, noise=0), variant="NCHW", questions=MANY)
    answers = {one["property"]: one for one in infer(said)}
    variant = Variant("batch", "NCHW", said["variants"][0]["answers"])
    normal = training(variant)
    for offset, mean in questions.OFFSETS.items():
        result = measure(variant, f"offset_{offset}", normal, None)
        assert isinstance(result, Measured)
        for one in result.outputs:
            assert abs(one.error) <= one.resolution <= 2e-6 * mean  # the variance is exact: all of it is rounding
            assert one.resolution >= 1e-8 * mean
    assert answers["algorithm"]["status"] == "undetermined"


def test_outputs_too_coarse_for_a_verdict_leave_it_open() -> None:
    answers = found(changed(BASE, noise=3000.0), "instance", "NCHW", MANY)
    assert answers["algorithm"]["status"] == "undetermined"


HALVES = [
    "scales",
    "epsilon",
    *(f"{dtype}_{mean}" for dtype in ("float16", "bfloat16") for mean in questions.HALF_MEANS),
]


def test_float16_sums_that_must_overflow_show_their_accumulator() -> None:
    wide, narrow = (found(changed(BASE, half=half), variant="NCHW", asked=HALVES) for half in ("float32", "float16"))
    assert wide["float16.accumulator"]["value"] == "float32"
    assert narrow["float16.accumulator"]["value"] == "float16"
    assert (narrow["float16.4"]["value"], narrow["float16.0"]["status"]) == ("NaN", "measured")
    assert all(wide[f"float16.{mean}"]["value"] < 0.01 for mean in questions.HALF_MEANS)
    without = found(changed(BASE, refuses=("float16", "bfloat16")), variant="NCHW", asked=HALVES)
    assert {without[name]["status"] for name in without if "float16" in name} == {"not applicable"}


# --- the parts ---


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(1, 9999), st.integers(-30, 3), st.floats(1e-9, 2e-6))
def test_the_short_decimal_is_found_again(digits: int, exponent: int, error: float) -> None:
    value = float(f"{digits}e{exponent}")
    got, only = short(Interval.about(value * (1 + error / 2), value * error))
    assert (got, only) == (value, True)


def test_an_interval_of_many_decimals_gives_its_middle() -> None:
    assert short(Interval(0.12, 0.19))[1] is False
    value, only = short(Interval(0.1234567, 0.1234569))
    assert not only
    assert value in Interval(0.1234567, 0.1234569)
    assert short(Interval(-1e-9, 1e-9)) == (0.0, True)
    assert short(Interval(-0.5000001, -0.4999999)) == (-0.5, True)


def _units(random: np.random.RandomState, shape: int) -> Any:
    return 1 + 2.0**-24 * random.uniform(-4, 4, shape)


@pytest.mark.parametrize("count", [2, 3, 4, 8])
@pytest.mark.parametrize("place", PLACES)
def test_rules_recover_correction_place_and_epsilon(count: int, place: str) -> None:
    random = np.random.RandomState(count)
    unit = questions.pattern(count)
    scales = [4.0**k for k in questions.SCALES]
    moments = [float((unit**2).sum()) * s * s for s in scales]
    for c, epsilon in itertools.product((0, 1), (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 2e-5, 1e-30)):
        lines = []
        for scale, moment in zip(scales, moments, strict=True):
            y = unit * scale / place.divisor(moment / (count - c), epsilon) * _units(random, count)
            lines.append(line(unit * scale, y.astype(np.float32).astype(np.float64)))
        held = rules(moments, count, lines)
        assert any(rule.correction == c and rule.place == place and epsilon in rule.epsilon for rule in held)
        if epsilon >= (1e-7 if place == "floor of the deviation" else 1e-12):  # what no deviation is below cannot show
            same = {"floor of the variance", "floor of the deviation"} if place.startswith("floor") else {place}
            if count > 2 or not place.startswith("floor"):
                assert {(rule.correction, rule.place) for rule in held} == {(c, one) for one in same}


@pytest.mark.parametrize("name", [*LAWS, "plain average"])
def test_laws_are_told_apart_by_their_weights(name: str) -> None:
    random = np.random.RandomState(3)
    for value in (0.5, 0.9, 0.99, 0.1, 0.01, 0.003, 0.25, 0.75, 0.7):
        if name == "plain average":
            weights = np.tril(np.ones((5, 5))) / np.arange(1, 6)[:, None]
        else:
            weights = LAWS[name][0](5, value)
        error = 2.0**-21
        noisy = weights + np.tril(random.uniform(-error, error, (5, 5))) / 2
        assert [law.name for law in laws(noisy, error)] == [name]
        assert laws(noisy + 0.01 * np.tril(random.standard_normal((5, 5))), error) == []


def test_weights_by_size_are_put_into_words() -> None:
    sizes = (2, 8, 3)
    share = np.array([[1, 0, 0], [0.2, 0.8, 0], [2 / 13, 8 / 13, 3 / 13]])
    assert "share of its size" in str(by_size(share, sizes, 1e-6))
    grown = np.array([[0.1, 0, 0], [0.06, 0.4, 0], [0.051, 0.34, 0.15]])
    assert "0.4 for 8" in str(by_size(grown, sizes, 1e-6))
    assert by_size(np.array([[0.1, 0, 0], [0.3, 0.4, 0], [0.05, 0.34, 0.15]]), sizes, 1e-6) is None


@pytest.mark.parametrize(("kind", "variant"), LAYOUTS)
@pytest.mark.parametrize("values", [1, 3, 4, 8])
def test_tables_are_laid_out_and_read_back(kind: str, variant: str, values: int) -> None:
    table = np.arange(20.0 * values).reshape(20, values)
    x = questions.place(kind, variant, table)
    assert x.ndim == (2 if variant == "2-D" else 4)
    assert (questions.gather(kind, variant, x, 20, values) == table).all()


def test_half_inputs_are_exact_in_their_format() -> None:
    import ml_dtypes  # noqa: PLC0415

    for mean in questions.HALF_MEANS:
        for name, dtype in (("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)):
            table = questions.batches(f"{name}_{mean}", "batch", "NCHW")[0]
            assert (table.astype(dtype).astype(np.float64) == table).all()
            drawn = mean + np.random.RandomState(20250).standard_normal(table.shape)
            first = drawn if name == "float16" else drawn.astype(np.float32)
            assert (first.astype(dtype).astype(np.float64) == table).all()


def test_the_vocabulary_knows_its_values() -> None:
    assert {kind for one in PROPERTIES.values() for kind in one.kinds} == {*KINDS, SYNC}
    assert "correction.normalise" not in [one.id for one in properties_of("rms")]
    check("correction.normalise", 1)
    check("running.weight", [0.1, 0.1])
    with pytest.raises(ValueError, match="cannot have the value True"):
        check("correction.normalise", True)
    with pytest.raises(ValueError, match="cannot have the value 2"):
        check("running.keeps", 2)
    with pytest.raises(ValueError, match=r"'correction\.normalize' is unknown: did you mean correction\.normalise"):
        property_of("correction.normalize")
    with pytest.raises(ValueError, match=r"'gradient' cannot have the value 'yes': use one of through"):
        check("gradient", "yes")
    with pytest.raises(ValueError, match="kind 'bach' is unknown: did you mean batch"):
        properties_of("bach")


def test_every_part_of_a_convention_is_tried() -> None:
    assert {one.name for one in fields(Convention)} - set(VALUES) == {
        "algorithm",
        "spread",
        "half",
        "shifted",
        "refuses",
        "chosen",
        "lie",
    }


# --- the probe as it is run ---

ADAPTER = """
import numpy as np
from layer_contract import Unsupported, arguments_of, widen

FRAMEWORK = "tiny"
VARIANTS = {"batch": {"2-D": "rows"}, "layer": {"2-D": "rows"}}


def versions():
    return {"tiny": "1.0"}


class Layer:
    arguments = {"eps": 1e-3}

    def __init__(self, kind, epsilon):
        self.kind, self.epsilon = kind, 1e-3 if epsilon is None else epsilon
        print("the framework prints this")

    def train(self, x):
        axis = 0 if self.kind == "batch" else 1
        if x.shape[axis] == 1:
            raise RuntimeError("too few values\\nand more lines")
        if float(x.max()) > 1e6:
            raise SystemExit(3)
        return widen((x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + self.epsilon))

    evaluate = train


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype != "float32":
        raise Unsupported("only float32 is there")
    return Layer(kind, epsilon)
"""


def _run(folder: Path, text: str, *words: str) -> tuple[Any, subprocess.CompletedProcess[str]]:
    adapter, out = folder / "adapter.py", folder / "out.json"
    adapter.write_text(text)
    command = [sys.executable, str(SCRIPTS / "probe.py"), "--adapter", str(adapter), "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    return json.loads(out.read_text()), done


def test_the_probe_runs_by_its_path_and_isolates_each_question(tmp_path: Path) -> None:
    said, done = _run(tmp_path, ADAPTER, "--threads", "1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "the framework prints this" in done.stderr
    assert (said["asking"], said["versions"], said["threads"]) == (None, {"tiny": "1.0"}, 1)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".py" and path.is_file()) == ["out.json"]
    answers = said["variants"][0]["answers"]
    assert answers["one_value"]["events"][1]["error"] == "RuntimeError: too few values"
    assert answers["offset_1e6"]["events"][1]["error"].startswith("SystemExit")
    assert answers["float16_4"]["events"][0]["unsupported"] == "only float32 is there"
    got = {(one["kind"], one["property"]): one for one in infer(said)}
    assert len(got) == len(properties_of("batch")) + len(properties_of("layer"))
    assert got["layer", "epsilon.default"]["value"] == 0.001
    assert got["batch", "running.update"]["value"] == "none kept"
    assert got["batch", "one_value.output"]["value"] == "error"
    assert got["batch", "gradient"]["status"] == "not applicable"
    assert got["batch", "accuracy.1e6"]["status"] == "failed"


def test_the_probe_asks_only_what_it_is_told_to(tmp_path: Path) -> None:
    words = ["--only", "batch", "--question", "scales", "--question", "steps", "--skip", "batch, 2-D: steps"]
    said, _ = _run(tmp_path, ADAPTER, *words)
    assert [(one["kind"], list(one["answers"])) for one in said["variants"]] == [("batch", ["order", "scales"])]


def test_an_adapter_that_does_not_import_is_said_in_the_file(tmp_path: Path) -> None:
    said, done = _run(tmp_path, "import a_framework_that_is_not_there\n")
    assert done.returncode == 1
    assert said["error"].startswith("ModuleNotFoundError")
    assert infer(said) == []


def test_a_process_that_dies_leaves_the_question_that_killed_it(tmp_path: Path) -> None:
    said, done = _run(tmp_path, ADAPTER.replace("raise SystemExit(3)", "import os; os._exit(9)"))
    assert done.returncode == 9
    assert said["asking"] == "batch, 2-D: offset_1e6"
    assert "offset_1e5" in said["variants"][0]["answers"]


def test_numbers_survive_the_file() -> None:
    values = np.array([0.1, np.nan, np.inf, -np.inf, 5e-324, np.float32(0.1)])
    text = json.dumps(probe.record(values), allow_nan=False)
    assert np.array_equal(np.array(json.loads(text), dtype=np.float64), values, equal_nan=True)
    assert probe.record(np.float32(0.1)) == float(np.float32(0.1))


def test_the_probes_parse_under_python_3_6() -> None:
    sources = sorted(SCRIPTS.glob("*.py"))
    assert {"probe.py", "questions.py", "layer_contract.py"} <= {path.name for path in sources}
    for path in sources:
        tree = ast.parse(path.read_text(), feature_version=(3, 6))
        names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not any(name.split(".")[0] == "varstudy" for name in names), path.name
