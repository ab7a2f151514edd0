"""The draws of a framework: asked in a process of its own, read from its outputs, summed up."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from varstudy.survey import draws
from varstudy.survey.draws import DrawRow, Growth
from varstudy.survey.draws.asking import exact, shapes, tables
from varstudy.survey.draws.measuring import MeasuredDraws, measure
from varstudy.survey.environments import EnvironmentProblem, Interpreter
from varstudy.survey.findings.measured import FindingRow
from varstudy.survey.findings.properties import EpsilonPlace, RunningSpread
from varstudy.survey.frameworks.declaring import Framework

# A framework by numpy in float64, each of whose layers has another fault.
TOY = """
import os
import numpy as np
from layer_contract import Unsupported

FRAMEWORK = "toy"
VARIANTS = {
    "batch": {"NCHW": "right", "channels-last": "half the variance by two threads", "2-D": "never asked",
              "NCHW, mixed": "never asked", "kept": "rounded outputs, a right running variance"},
    "layer": {"2-D": "raises", "NCHW": "never asked"},
    "group": {"NCHW": "NaN in one row", "NHWC": "unsupported", "other": "not known"},
    "instance": {"NCHW": "ends the process"},
}

def versions():
    return {"toy": "1.0"}

def set_threads(n):
    global THREADS
    THREADS = n

def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if variant == "NHWC":
        raise Unsupported("The toy has no such group norm.")
    return Layer(kind, variant, momentum, groups)

class Layer:
    def __init__(self, kind, variant, momentum, groups):
        self.kind, self.variant, self.momentum, self.groups = kind, variant, momentum, groups
        self.kept = {"mean": np.zeros(1), "var": np.ones(1)} if variant == "kept" else None

    def running(self):
        return self.kept

    def train(self, x):
        if self.kind == "layer":
            raise ValueError("no layer norm today")
        if self.kind == "instance":
            os._exit(7)
        table = x.astype(np.float64)
        shape = table.shape
        axes = (0, 2, 3)
        if self.kind == "group":
            table, axes = table.reshape(shape[0], self.groups, -1), (2,)
        mean, variance = table.mean(axis=axes, keepdims=True), table.var(axis=axes, keepdims=True)
        if self.kept and self.momentum == 0.0:
            self.kept = {"mean": mean.reshape(-1), "var": variance.reshape(-1)}
        if self.variant == "channels-last":
            variance = variance / THREADS
        y = (table - mean) / np.sqrt(variance)
        if self.variant == "kept":
            y = np.round(y, 2)
        if self.kind == "group":
            y[0, 0, 0] = np.nan
        return y.reshape(shape).astype(np.float32)
"""
SIZE = 256
LAW = {
    "correction.normalise": 0,
    "epsilon.default": 0.0,
    "epsilon.place": EpsilonPlace.INSIDE.value,
    "correction.running": 0,
}


def finding(kind: str, variant: str, name: str, value: object) -> FindingRow:
    return FindingRow("toy", kind, variant, name, json.dumps(value), "measured", "", "1.0", "3.11", 1, "", "")


KNOWN = [
    finding(kind, variant, name, value)
    for kind, variant in (("batch", "NCHW"), ("batch", "channels-last"), ("batch", "kept"), ("group", "NCHW"))
    for name, value in {**LAW, "running.keeps": RunningSpread.VARIANCE.value, "algorithm": "stable"}.items()
]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Framework:
    folder = tmp_path_factory.mktemp("toy")
    (folder / "adapter.py").write_text(TOY)
    return Framework("toy", "Toy", folder=folder)


def asked(toy: Framework, repeats: int = 1) -> MeasuredDraws:
    here = Interpreter(sys.executable, {}, "this environment")
    (found,) = measure([toy], lambda _: here, sizes=[SIZE], means=[0.0, 1e3], rows=16, findings=KNOWN, repeats=repeats)
    return found


@pytest.fixture(scope="module")
def measured(toy: Framework) -> MeasuredDraws:
    return asked(toy)


def some(rows: Sequence[DrawRow], **wanted: object) -> list[DrawRow]:
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert found
    return found


def test_a_layer_that_is_right_is_off_by_no_more_than_its_outputs_show(measured: MeasuredDraws) -> None:
    for row in some(measured.rows, kind="batch", variant="NCHW"):
        assert (row.status, row.threads, row.memory, row.size, row.rows) == (
            "measured",
            "1 and 2",
            "contiguous",
            256,
            16,
        )
        assert row.least <= row.median <= row.worst < 1e-6
        assert row.unresolved == 16
        assert draws.figure(row).startswith("at most ")
    assert {row.mean for row in measured.rows} == {0.0, 1e3}
    assert (measured.fact.version, measured.fact.repeated) == ("toy 1.0", "run once")


def test_threads_that_differ_have_rows_of_their_own(measured: MeasuredDraws) -> None:
    one, two = some(measured.rows, variant="channels-last", mean=1e3)
    assert (one.threads, two.threads) == ("1", "2")
    assert one.memory == "channels-last"
    assert one.worst < 1e-6
    assert (two.median, two.signed) == (pytest.approx(0.5), pytest.approx(-0.5))
    assert draws.figure(two) == "median 0.5, worst 0.5 (16 rows of 256 values about 1,000)"


def test_a_running_variance_of_the_batch_alone_shows_more_than_rounded_outputs(measured: MeasuredDraws) -> None:
    for row in some(measured.rows, variant="kept"):
        assert row.worst < 1e-12
        assert row.resolution < 1e-6


def test_what_fails_has_a_row_that_says_so(measured: MeasuredDraws) -> None:
    for row in some(measured.rows, kind="layer"):
        assert (row.status, row.reason) == ("refused", "ValueError: no layer norm today")
        assert math.isnan(row.worst)
    for row in some(measured.rows, kind="group", variant="NHWC"):
        assert (row.status, row.reason) == ("unsupported", "The toy has no such group norm.")
    for row in some(measured.rows, kind="instance"):
        assert row.status == "failed"
        assert "exit code 7" in row.reason
    for row in some(measured.rows, kind="group", variant="NCHW"):
        assert (row.status, row.not_finite, row.worst) == ("measured", 1, math.inf)
        assert row.median < 1e-6
    assert {(row.kind, row.variant) for row in measured.rows if "mixed" in row.variant or row.kind == "rms"} == set()
    assert {row.variant for row in some(measured.rows, kind="layer")} == {"2-D"}


def test_a_second_run_is_compared(toy: Framework) -> None:
    assert asked(toy, repeats=2).fact.repeated == "same errors"


def test_a_framework_that_is_not_there_has_a_fact_that_says_so(toy: Framework) -> None:
    def nowhere(_: Framework) -> Interpreter:
        raise EnvironmentProblem("toy is not installed")

    (found,) = measure([toy], nowhere, sizes=[16], means=[0.0], rows=16, findings=KNOWN)
    assert (found.fact.status, found.fact.reason, found.rows) == ("not measured", "toy is not installed", [])


@pytest.mark.parametrize("mean", [0.0, 1e2, 1e6])
def test_exact_moments_are_those_of_rationals(mean: float) -> None:
    table = tables(64, mean, 3)
    found = exact(table)
    for row, middle, squares in zip(table, found.mean, found.squares, strict=True):
        values = [Fraction(float(v)) for v in row]
        true = sum(values) / len(values)
        assert middle == pytest.approx(float(true), rel=1e-15, abs=1e-15)
        assert squares == pytest.approx(float(sum((v - true) ** 2 for v in values)), rel=1e-14)


@pytest.mark.parametrize("size", [2**10, 2**15, 2**20])
def test_each_shape_has_the_rows(size: int) -> None:
    found = shapes(size)
    assert math.prod(found["batch"]) == math.prod(found["layer"]) == 64 * size
    assert found["batch"][1] == 64
    for kind in ("group", "instance"):
        assert math.prod(found[kind]) == 64 * size
    assert found["group"][0] * 8 == found["instance"][0] * found["instance"][1] == 64


def draw(mean: float, size: int, worst: float, **more: object) -> DrawRow:
    row = DrawRow("toy", "1", "batch", "NCHW", "contiguous", "1 and 2", size, mean, 64, "measured", worst=worst)
    return replace(row, median=worst / 2, resolution=5e-7, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("errors", "growth"),
    [
        ({(0, 1024): 1e-7, (0, 4096): 1e-7, (1e6, 1024): 9e-4, (1e6, 4096): 9e-4}, Growth.ROUNDED_MEAN),
        ({(0, 1024): 1e-7, (0, 4096): 1e-7, (1e6, 1024): 9e-2, (1e6, 4096): 9e-2}, Growth.WITH_MEAN),
        ({(0, 1024): 1e-7, (0, 4096): 5e-4, (1e6, 1024): 9e-2, (1e6, 4096): 9e-2}, Growth.WITH_SIZE),
        ({(0, 1024): 1e-8, (0, 4096): 1e-6, (1e6, 1024): 9e-4, (1e6, 4096): 9e-4}, Growth.ROUNDED_MEAN),
    ],
)
def test_a_stable_layer_is_split_by_what_its_error_grows_with(
    errors: dict[tuple[float, int], float], growth: Growth
) -> None:
    grown = draws.growths(draw(mean, size, worst) for (mean, size), worst in errors.items())
    assert {key: each.growth for key, each in grown.items()} == {("toy", "batch", "NCHW"): growth}
    classes = draws.split(KNOWN, grown)
    assert classes["toy", "batch", "NCHW"] == f"stable, {growth}"
    assert classes["toy", "batch", "kept"] == "stable"


def test_an_error_that_the_outputs_do_not_resolve_shows_no_growth() -> None:
    coarse = draw(1e6, 4096, 0.05, unresolved=64)
    grown = draws.growths([draw(1e6, 1024, 1e-4), replace(coarse, resolution=0.06)])
    assert grown["toy", "batch", "NCHW"].growth == Growth.ROUNDED_MEAN


def test_a_file_is_read_as_it_was_written_and_no_other(measured: MeasuredDraws, tmp_path: Path) -> None:
    content = {
        "settings": {}, "provenance": {}, "facts": [measured.fact.record()],
        "rows": [row.record() for row in measured.rows],
    }  # fmt: skip
    draws.write(tmp_path / draws.NAME, content)
    found = draws.read(tmp_path)
    assert repr(draws.rows(found)) == repr(measured.rows)
    assert draws.facts(found) == [measured.fact]
    text = (tmp_path / draws.NAME).read_text()
    (tmp_path / draws.NAME).write_text(text.replace('"threads": "2"', '"threads": "3"'))
    with pytest.raises(draws.DrawProblem, match=r"make it again with 'python -m varstudy.survey.draws.commit'"):
        draws.read(tmp_path)


def test_tables_about_two_means_are_the_same_draws() -> None:
    assert np.abs(tables(64, 1e3, 2) - 1e3 - tables(64, 0.0, 2)).max() < 1e-4
