"""Local response normalisation in the frameworks: what outputs show, the record, and the documented facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from varkernels.norms.response import response_norm_forward
from varkernels.norms.response_sums import ordered_response
from varstudy.study.response_orders import response_errors
from varstudy.survey import systems
from varstudy.survey.frameworks.catalogue import FRAMEWORKS

DEFAULTS = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0}
SYSTEM = systems.SYSTEMS["response"]
conventions = SYSTEM.conventions
ROWS = [row for row in systems.rows(systems.committed()) if row.system == "response"]
SCORES = [row for row in systems.scores(systems.committed()) if row.system == "response"]


def answers(call: Any, defaults: Mapping[str, Any] = DEFAULTS) -> dict[str, Any]:
    """What a framework answers to each ask that is `call`."""
    found: dict[str, Any] = {}
    for name, ask in SYSTEM.asks.items():
        try:
            found[name] = {"y": call(ask.x, {**defaults, **ask.given}).ravel().tolist()}
        except ValueError as error:
            found[name] = {"raised": str(error)}
    return found


def exact(**more: Any) -> Any:
    return lambda x, given: response_norm_forward(x, **given, **more).y.rounded


def test_each_convention_is_inferred_from_outputs() -> None:
    plain = conventions(answers(exact()))
    assert plain == {
        "factor": "alpha / n", "size.default": 5, "alpha.default": 1e-4, "beta.default": 0.75, "k.default": 1.0,
        "size.even": "one more before", "border": "cut", "channels": "all", "sum": "direct",
    }  # fmt: skip
    other = conventions(answers(exact(alpha_over_size=False, even="after"), {**DEFAULTS, "k": 2.0, "beta": 0.5}))
    assert {name: value for name, value in other.items() if plain[name] != value} == {
        "factor": "alpha", "beta.default": 0.5, "k.default": 2.0, "size.even": "one more after",
    }  # fmt: skip


def test_a_size_that_must_be_given_or_odd() -> None:
    def call(x: Any, given: dict[str, Any]) -> Any:
        if given.get("size", 0) % 2 == 0:
            raise ValueError("size is even, or not there")
        return exact()(x, given)

    found = conventions(answers(call, {"alpha": 1e-4, "beta": 0.75, "k": 1.0}))
    assert (found["size.default"], found["size.even"]) == ("none", "refused")


def test_a_window_of_one_channel_more_is_seen() -> None:
    def call(x: Any, given: dict[str, Any]) -> Any:
        size, alpha = given["size"], given["alpha"]
        return exact(alpha_over_size=False)(x, {**given, "size": size // 2 * 2 + 1, "alpha": alpha / size})

    assert conventions(answers(call))["size.even"] == "n + 1 channels"


def test_a_loop_over_samples_is_seen() -> None:
    def call(x: Any, given: dict[str, Any]) -> Any:
        y = x / np.float32(given["k"]) ** np.float32(given["beta"])
        samples = min(x.shape[:2])
        y[:, :samples] = exact()(x, given)[:, :samples]
        return y

    assert conventions(answers(call))["channels"] == "as many as samples"


def test_a_sliding_sum_is_seen() -> None:
    def call(x: Any, given: dict[str, Any]) -> Any:
        return ordered_response(x, order="sliding", **given).y

    assert conventions(answers(call))["sum"] == "sliding"


def test_what_outputs_leave_open_has_no_value() -> None:
    nothing = {name: {"raised": "no"} for name in SYSTEM.asks}
    assert set(conventions(nothing).values()) == {None}
    wild = conventions(answers(lambda x, given: np.full_like(x, 7.0)))
    assert wild["factor"] is None


def test_the_committed_conventions() -> None:
    found = {(row.framework, row.property): row.plain() for row in ROWS}
    assert {name for name, _ in found} == {"torch", "onnxruntime", "onnx-reference"}
    for (_, name), value in found.items():
        SYSTEM.check(name, value)
    for name in ("torch", "onnxruntime", "onnx-reference"):
        got = [found[name, each] for each in ("factor", "size.default", "k.default", "alpha.default", "beta.default")]
        assert got == ["alpha / n", "none", 1.0, 1e-4, 0.75]
    assert [found[name, "size.even"] for name in ("torch", "onnxruntime", "onnx-reference")] == [
        "one more before", "refused", "one more after",
    ]  # fmt: skip
    assert found["onnx-reference", "channels"] == "as many as samples"
    assert [found[name, "sum"] for name in ("torch", "onnxruntime")] == ["direct", "sliding"]


def test_onnx_runtime_loses_what_our_sliding_sum_loses() -> None:
    ours = {(row.input, row.parameters): row for row in response_errors(["sliding"])}
    theirs = {(row.input, row.parameters): row for row in SCORES if row.framework == "onnxruntime"}
    assert theirs.keys() == ours.keys()
    hard = ("one large channel", "sum alone")
    assert theirs[hard].status == ours[hard].status == "wrong"
    assert theirs[hard].not_finite == ours[hard].not_finite > 0
    assert all(row.status == "right" for row in SCORES if row.framework == "torch")


def test_documented_facts_are_sound() -> None:
    facts = [fact for fact in systems.documented() if fact.system == "response"]
    assert len({(fact.framework, fact.property) for fact in facts}) == len(facts)
    assert {fact.framework for fact in facts} >= {
        "caffe",
        "ncnn",
        "mxnet",
        "tvm",
        "tf.nn",
        "chainer",
        "darknet",
        "paddle",
    }
    known = {(fact.framework, fact.property): fact.value for fact in facts}
    assert [name for name in FRAMEWORKS if known.get((name, "factor")) == "alpha"] == ["tf.nn", "chainer", "darknet"]
