"""Outputs and gradients of a framework: asked in a process of its own, scored, and written down."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from varstudy.survey.elements import asking, elements_record, measuring
from varstudy.survey.elements.asking import Input
from varstudy.survey.elements.elements_record import ElementRow, Outcome
from varstudy.survey.environments import EnvironmentProblem, Interpreter
from varstudy.survey.frameworks.declaring import Framework

# A framework by numpy in float64, each of whose layers has another fault; float32 tables and images go in.
TOY = """
import os
import numpy as np
from layer_contract import Unsupported

def versions():
    return {"toy": "1.0"}

def set_threads(n):
    global THREADS
    THREADS = n

def normal(kind, x, asked):
    axes = (0, 2, 3) if kind == "batch" else (2, 3) if kind == "instance" else (1,)
    shape = (1, -1, 1, 1) if x.ndim == 4 else (1, -1)
    x = x.astype(np.float64)
    r = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + asked["epsilon"])
    h = (x - x.mean(axis=axes, keepdims=True)) * r
    w = 1.0 if asked["weight"] is None else asked["weight"].reshape(shape)
    b = 0.0 if asked["bias"] is None else asked["bias"].reshape(shape)
    return axes, r, h, w, b

def forward(kind, x, asked):
    if kind == "group":
        raise Unsupported("The toy has no group norm.")
    if not asked["training"]:
        raise ValueError("no evaluation today")
    axes, r, h, w, b = normal(kind, x, asked)
    y = h * w + b
    if kind == "instance":
        y[0, 0, 0, 0] = np.nan if asked["weight"] is None else np.inf
    if kind == "rms":
        return {"y": (y[:, :1].astype(np.float32), "float32")}
    dtype = "float64" if kind == "layer" and asked["weight"] is None else "float32"
    return {"y": (y.astype(dtype), dtype)}

def backward(kind, x, dy, asked):
    if kind == "instance":
        os._exit(7)
    if kind == "rms":
        raise Unsupported("The toy has no gradients of RMS norm.")
    axes, r, h, w, b = normal(kind, x, asked)
    g = dy.astype(np.float64) * w
    dx = r * (g - g.mean(axis=axes, keepdims=True) - h * (g * h).mean(axis=axes, keepdims=True))
    along = tuple(a for a in range(x.ndim) if a != 1)
    found = {"dx": (dx.astype(np.float32), "float32")}
    if kind == "layer":
        found["dbias"] = ((dy.sum(axis=along) * THREADS).astype(np.float32), "float32")
    return found
"""
INPUTS = [
    Input("images", "forward", "float32", (2, 8, 2, 3), 10.0, 0.0),
    Input("tables", "forward", "float32", (4, 6), 1.0, 0.0),
    Input("image gradients", "backward", "float32", (2, 8, 2, 3), 0.0, 0.1),
    Input("table gradients", "backward", "float32", (4, 6), 0.0, 0.1),
]


def here(_: Framework) -> Interpreter:
    return Interpreter(sys.executable, {}, "this environment")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Framework:
    folder = tmp_path_factory.mktemp("toy")
    (folder / "elements.py").write_text(TOY)
    return Framework("toy", "Toy", folder=folder)


@pytest.fixture(scope="module")
def measured(toy: Framework) -> measuring.Measured:
    (found,) = measuring.measure([toy], here, given=INPUTS)
    return found


def some(rows: Sequence[ElementRow], **wanted: str) -> list[ElementRow]:
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert found
    return found


def test_what_is_right_is_scored_right(measured: measuring.Measured) -> None:
    for row in some(measured.rows, kind="batch", mode="training"):
        if row.array in ("y", "dx"):
            assert (row.outcome, row.status, row.answers_in) == ("scored", "right", "float32")
            assert row.units_worst <= 1.001
            assert row.error == row.stored
            assert row.threads == "1 and 2"
            assert row.size == 12
    assert {row.memory for row in some(measured.rows, kind="batch")} == {"contiguous", "channels-last"}
    assert {row.parameters for row in some(measured.rows, kind="batch", array="y")} == {"same", "absent"}
    fact = measured.fact
    assert (fact.status, fact.version, fact.repeated) == ("measured", "toy 1.0", "run once")


def test_each_fault_has_a_row_that_says_so(measured: measuring.Measured) -> None:
    rows = measured.rows
    assert {row.outcome for row in some(rows, kind="group", array="y")} == {Outcome.UNSUPPORTED}
    assert some(rows, kind="group", array="y")[0].reason == "The toy has no group norm."
    (first, *_) = some(rows, kind="batch", mode="evaluation")
    assert (first.outcome, first.reason) == (Outcome.REFUSED, "ValueError: no evaluation today")
    for row in some(rows, kind="instance", array="y"):
        assert (row.status, row.not_finite, row.error) == ("wrong", 1, np.inf)
    for row in some(rows, kind="rms", array="y"):
        assert row.outcome == Outcome.OTHER_SHAPE
        assert "(4, 1)" in row.reason
    (other,) = some(rows, kind="layer", array="y", parameters="absent")
    assert (other.outcome, other.answers_in, other.status) == (Outcome.OTHER_DTYPE, "float64", "right")
    assert "float64, and float32 was expected" in other.reason
    for row in some(rows, kind="instance", array="dx"):
        assert row.outcome == Outcome.FAILED
        assert row.reason
    (missing,) = some(rows, kind="layer", array="dweight")
    assert (missing.outcome, missing.reason) == (Outcome.UNSUPPORTED, "the framework gives no dweight")


def test_threads_that_differ_have_rows_of_their_own(measured: measuring.Measured) -> None:
    one, two = some(measured.rows, kind="layer", array="dbias")
    assert (one.threads, one.status) == ("1", "right")
    assert (two.threads, two.status) == ("2", "wrong")
    assert two.error == pytest.approx(1)
    assert two.computed == pytest.approx(2 * two.exact)
    assert two.size == 4


def test_runs_are_compared(toy: Framework) -> None:
    (found,) = measuring.measure([toy], here, given=INPUTS[1:2], repeats=2)
    assert found.fact.repeated == "same scores"


def test_what_cannot_be_asked_is_a_fact(toy: Framework, tmp_path: Path) -> None:
    def nowhere(_: Framework) -> Interpreter:
        raise EnvironmentProblem("no such environment")

    bare = replace(toy, name="bare", folder=tmp_path)
    for framework, where, reason in ((bare, here, "its folder has no elements.py"), (toy, nowhere, "no such")):
        (found,) = measuring.measure([framework], where, given=INPUTS[:1])
        assert found.fact.status == "not measured"
        assert found.fact.reason.startswith(reason)
        assert found.rows == []
    (tmp_path / "elements.py").write_text("import a_package_that_is_not_there\n")
    (found,) = measuring.measure([bare], here, given=INPUTS[1:2])
    assert {row.outcome for row in found.rows} == {Outcome.FAILED}


def test_inputs_are_the_same_each_time() -> None:
    given = asking.inputs()
    assert len({one.name for one in given}) == len(given)
    one = next(each for each in given if each.storage == "bfloat16" and each.what == "forward")
    first, again = one.arrays(), one.arrays()
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    groups = list(measuring.grouped(given))
    assert [one for group in groups for one in group] == given
    assert all(len({(one.what, one.storage) for one in group}) == 1 for group in groups)


def test_the_file_is_read_back(measured: measuring.Measured, tmp_path: Path) -> None:
    content = {
        "settings": measuring.settings(),
        "inputs": [one.record() for one in INPUTS],
        "provenance": {},
        "orders": [],
        "facts": [measured.fact.record()],
        "rows": [row.record() for row in measured.rows],
    }
    elements_record.write(tmp_path / elements_record.NAME, content)
    read = elements_record.read(tmp_path)
    assert list(map(repr, elements_record.rows(read))) == list(map(repr, measured.rows))
    assert elements_record.facts(read) == [measured.fact]
    content["facts"] = [{"framework": "toy"}]
    elements_record.write(tmp_path / "other.json", content)
    with pytest.raises(elements_record.ElementProblem, match=r"other\.json was edited or cut"):
        elements_record.read(tmp_path / "other.json")


def test_what_is_refused_for_the_same_reason_has_one_row_for_a_format(toy: Framework) -> None:
    again = [*INPUTS[:1], replace(INPUTS[0], name="other images")]
    (found,) = measuring.measure([toy], here, given=again)
    refused = some(found.rows, kind="batch", mode="evaluation", memory="contiguous", parameters="same")
    assert [row.input for row in refused] == ["images"]
    assert len(some(found.rows, kind="batch", mode="training", memory="contiguous", parameters="same")) == 2
