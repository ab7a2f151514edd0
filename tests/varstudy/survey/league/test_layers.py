"""Layers in the league: a layer's variance is read back from its outputs, as far as they resolve it."""

from __future__ import annotations

import ast
import math
import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varstudy.cli import commands
from varstudy.survey.environments import Environment, EnvironmentProblem, Interpreter
from varstudy.survey.findings import measured as conventions
from varstudy.survey.findings.properties import EpsilonPlace
from varstudy.survey.frameworks.catalogue import FRAMEWORKS, Framework
from varstudy.survey.league import layers as layer_league
from varstudy.survey.league import league_record
from varstudy.survey.league.layers import RESOLUTION, Law, measure
from varstudy.survey.league.league_record import LeagueProblem
from varstudy.survey.league.league_rows import Matrix
from varstudy.survey.probes import SCRIPTS

# A framework of numpy whose variants are known algorithms in float32.
TOY = """
import os
import time

import numpy as np
from layer_contract import Unsupported

FRAMEWORK = "toy"
VARIANTS = {
    "batch": {name: name for name in (
        "float64", "naive", "2-D", "added", "floor", "unbiased", "scale and shift", "NaN", "raises", "aborts",
        "negative", "restless", "unknown",
    )},
    "layer": {"2-D": "over C", "NCHW": "over C, H, W"},
    "group": {"NCHW": "two groups"},
    "instance": {"NCHW": "over H, W"},
}


def versions():
    return {"toy": "1.0"}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if variant == "raises":
        raise Unsupported("it has no such layer")
    return Layer(kind, variant, groups)


class Layer:
    def __init__(self, kind, variant, groups):
        self.kind, self.variant, self.groups = kind, variant, groups

    def train(self, x):
        if self.variant == "aborts":
            os.abort()
        if self.variant == "hangs":
            time.sleep(60)
        shape = x.shape
        if self.kind == "group":
            x = x.reshape((shape[0], self.groups, -1))
        axes = {"batch": (0, 2, 3)[: x.ndim - 1], "layer": tuple(range(1, x.ndim)), "group": (2,), "instance": (2, 3)}
        return self.normalised(x, axes[self.kind]).reshape(shape).astype(np.float32)

    def normalised(self, x, axes):
        wide = x.astype(np.float64)
        mean, var = wide.mean(axis=axes, keepdims=True), wide.var(axis=axes, keepdims=True)
        count = x.size / mean.size
        if self.variant == "naive":
            rows = x.transpose(1, 0, 2, 3).reshape(x.shape[1], -1)
            low, square = [np.cumsum(v, 1, np.float32)[:, -1] / np.float32(rows.shape[1]) for v in (rows, rows * rows)]
            var = (square - low * low).astype(np.float64).reshape(1, -1, 1, 1)
        if self.variant == "added":
            return (wide - mean) / (np.sqrt(var) + 1e-3)
        if self.variant == "floor":
            return (wide - mean) / np.sqrt(np.maximum(var, 1e-3))
        if self.variant == "unbiased":
            return (wide - mean) / np.sqrt(var * count / np.maximum(count - 1, 1) + 1e-5)
        if self.variant == "scale and shift":
            scale = (1 / np.sqrt(var + 1e-5)).astype(np.float32)
            return x * scale - mean.astype(np.float32) * scale
        if self.variant == "negative":
            var = -0.5e-5 + 0 * var
        if self.variant == "restless":
            var = var * (1 + 1e-3 * (time.time() % 1))
        if self.variant == "NaN":
            return wide * np.nan
        return (wide - mean) / np.sqrt(var + 1e-5)
"""
RANDOM = np.random.default_rng(5)


def matrix(values: object, case: str) -> Matrix:
    return Matrix(f"float32 {case}", case, "toy", "float32", np.array(values, np.float32))


GIVEN = [
    matrix(RANDOM.standard_normal((3, 64)), "plain"),
    matrix(RANDOM.standard_normal((2, 64)) + 1000, "offset"),
    matrix(RANDOM.standard_normal((1, 64)) + 1e7, "far"),
    matrix(RANDOM.standard_normal((2, 7)), "odd"),
    matrix(np.full((2, 16), 0.1), "constant"),
    matrix(RANDOM.standard_normal((2, 16)) * 1e-9, "hidden"),
    matrix([[1.0, math.nan, 2.0, 4.0], [1.0, 2.0, 4.0, 9.0]], "a NaN"),
    matrix([[3.0], [4.0]], "one value"),
    matrix(RANDOM.standard_normal((1, layer_league.LONGEST + 1)), "too long"),
]


# One that hangs, and one after it: they wait as long as a process may take.
STUCK = TOY.replace("VARIANTS = {", 'VARIANTS = {"batch": {"hangs": "hangs", "float64": "float64"}}\nMORE = {', 1)


def toy_in(folder: Path, text: str = TOY) -> Framework:
    """A framework whose folder is one of the test."""
    (folder / "adapter.py").write_text(text)
    return Framework("toy", "Toy", Environment("toys", "3.11", ()), folder=folder)


def finding(
    variant: str, name: str, value: str, kind: str = "batch", status: str = "measured"
) -> conventions.FindingRow:
    return conventions.FindingRow(
        "toy", kind, variant, name, value, status, "so it is", "toy 1.0", "3", 1, "2026-01-01", "cpu"
    )


def found() -> list[conventions.FindingRow]:
    laws = {"added": ("0", "1e-3", "added to the deviation"), "floor": ("0", "1e-3", "floor of the variance"),
            "unbiased": ("1", "1e-5", "inside the root")}  # fmt: skip
    names = [("batch", v) for v in ("float64", "naive", "2-D", "added", "floor", "unbiased", "scale and shift", "NaN",
                                    "raises", "negative", "restless")]  # fmt: skip
    made = []
    for kind, variant in [*names, ("layer", "2-D"), ("group", "NCHW"), ("instance", "NCHW")]:
        divisor, epsilon, place = laws.get(variant, ("0", "1e-5", "inside the root"))
        made += [
            finding(variant, "correction.normalise", divisor, kind),
            finding(variant, "epsilon.default", epsilon, kind),
            finding(variant, "epsilon.place", f'"{place}"', kind),
        ]
    return [*made, finding("unknown", "correction.normalise", "", "batch", "undetermined")]


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> layer_league.Layers:
    folder = tmp_path_factory.mktemp("adapter")
    toy = toy_in(folder)
    here = Interpreter(sys.executable, {}, "here")
    return measure([toy], GIVEN, where=lambda f: here, findings=found(), repeats=2, seconds=8)


def of(layers: layer_league.Layers, name: str) -> tuple[league_record.LeagueRow, dict[str, league_record.CaseResult]]:
    row = next(each for each in layers.rows if each.function == f"toy {name}")
    return row, {each.case: each for each in league_record.results(row, {"cases": layers.cases})}


@pytest.mark.parametrize(
    "name",
    [
        "batch norm, float64",
        "batch norm, 2-D",
        "batch norm, added",
        "batch norm, floor",
        "layer norm, 2-D",
        "group norm, NCHW",
        "instance norm, NCHW",
    ],
)
def test_a_right_layer_is_right_as_far_as_its_outputs_tell(layers: layer_league.Layers, name: str) -> None:
    row, cases = of(layers, name)
    assert (row.wrong, row.nan, row.negative, row.raised) == (0, 0, 0, 0)
    for case in ("plain", "offset", "far", "odd"):
        assert RESOLUTION * 0.9 <= cases[case].worst < 1e-5
    assert not cases["constant"].scored
    assert not cases["one value"].scored
    assert not cases["too long"].tried
    assert row.library == "layer of Toy"
    assert row.missed == 0
    assert cases["a NaN"].worst < 1e-5
    # What epsilon hides is left out, not called wrong.
    assert cases["hidden"].tried
    assert not cases["hidden"].scored


def test_only_the_first_variant_of_what_is_no_batch_norm(layers: layer_league.Layers) -> None:
    assert "toy layer norm, NCHW" not in {row.function for row in layers.rows}


def test_a_layer_gets_its_own_error_back(layers: layer_league.Layers) -> None:
    row, cases = of(layers, "batch norm, naive")
    for m in GIVEN[:4]:
        errors = []  # of the sums in the order in which the layer's are
        for x in m.values:
            low, square = (np.cumsum(v, dtype=np.float32)[-1] / np.float32(x.size) for v in (x, x * x))
            exact = variance(x, 0)
            errors.append(abs(Fraction(float(square - low * low)) / exact - 1))
        if m.case == "far":  # 0 or below: nothing is left of it
            assert cases[m.case].wrong
        else:
            assert cases[m.case].worst == pytest.approx(float(max(errors)), rel=0.06, abs=1e-5)
    assert cases["offset"].worst > 1e-3
    assert row.wrong >= 1


def variance(x: object, correction: int) -> Fraction:
    numbers = [Fraction(float(v)) for v in x]  # type: ignore[attr-defined]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - correction)


def test_the_divisor_is_the_measured_one(layers: layer_league.Layers) -> None:
    row, cases = of(layers, "batch norm, unbiased")
    assert (row.correction, row.wrong) == (1, 0)
    assert cases["odd"].worst < 1e-5
    assert not cases["one value"].scored


def test_nan_and_negative_variances(layers: layer_league.Layers) -> None:
    row, cases = of(layers, "batch norm, NaN")
    assert all(each.wrong for each in cases.values() if each.scored)
    assert row.nan == row.rows == 13
    row, cases = of(layers, "batch norm, negative")
    assert cases["plain"].wrong
    assert "neg 3" in cases["plain"].marks


def test_rough_outputs_are_no_error_beyond_what_they_tell(layers: layer_league.Layers) -> None:
    row, cases = of(layers, "batch norm, scale and shift")
    fact = next(each for each in layers.facts if each.function == row.function)
    # Its variance is right; its outputs are multiples of 2^-14, and of 1 at the far mean.
    assert 2e-5 < cases["offset"].worst < 2e-3
    assert not cases["far"].scored
    assert fact.coarse == 1


def test_equal_values_show_nothing_of_a_variance(layers: layer_league.Layers) -> None:
    """0 / d is 0 whatever d is: a layer whose variance of them is wrong looks as one whose variance is right."""
    for name in ("batch norm, float64", "batch norm, NaN"):
        _, cases = of(layers, name)
        constant = [each for each in cases.values() if each.case == "constant"]
        assert constant
        assert all(each.scored == (name == "batch norm, NaN") for each in constant)


def test_a_layer_that_hangs_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    toy = toy_in(tmp_path, STUCK)
    made = measure([toy], GIVEN, where=lambda f: Interpreter(sys.executable, {}, ""), findings=found(), seconds=8)
    facts = {each.variant: each for each in made.facts}
    assert {name: each.status for name, each in facts.items()} == {"hangs": "failed", "float64": "measured"}
    assert "did not end within 8 s" in facts["hangs"].reason


def test_a_layer_that_raises_or_dies_is_named_and_the_others_go_on(layers: layer_league.Layers) -> None:
    row, _ = of(layers, "batch norm, raises")
    assert row.refused == "Unsupported: it has no such layer"
    facts = {each.function: each for each in layers.facts}
    assert facts["toy batch norm, aborts"].status == "failed"
    assert "SIGABRT" in facts["toy batch norm, aborts"].reason
    assert facts["toy batch norm, float64"].repeated == "same bits"
    assert facts["toy batch norm, restless"].repeated.endswith("rows differ")
    assert facts["toy batch norm, float64"].version == "toy 1.0"
    assert facts["toy batch norm, float64"].hidden == 6


def test_an_undetermined_law_is_that_of_another_variant(layers: layer_league.Layers) -> None:
    fact = next(each for each in layers.facts if each.variant == "unknown")
    assert (fact.status, fact.read_as) == ("measured", "2-D")
    law = layer_league.laws([finding("x", "correction.normalise", "", status="undetermined")], "toy")
    assert law("batch", "x") == "its divisor is not known: so it is"
    law = layer_league.laws([finding("x", "training.statistics", '"running"'), *found()], "toy")
    assert "running statistics" in str(law("batch", "x"))


def test_no_place_and_no_adapter(tmp_path: Path) -> None:
    def nowhere(framework: Framework) -> Interpreter:
        raise EnvironmentProblem("it is gone")

    toy = toy_in(tmp_path, "import a_module_that_is_not_there\n")
    made = measure([toy], GIVEN, where=nowhere, findings=[])
    assert [(each.status, each.reason) for each in made.facts] == [("not measured", "it is gone")]
    made = measure([toy], GIVEN, where=lambda f: Interpreter(sys.executable, {}, ""), findings=[])
    assert [each.status for each in made.facts] == ["failed"]
    assert "a_module_that_is_not_there" in made.facts[0].reason


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=12),
    st.floats(0.25, 8.0),
    st.sampled_from(
        [
            Law(0, 1e-5, EpsilonPlace.INSIDE),
            Law(1, 1e-3, EpsilonPlace.INSIDE),
            Law(0, 1e-3, EpsilonPlace.ADDED),
            Law(0, 0.0, EpsilonPlace.NONE),
            Law(0, 1e-3, EpsilonPlace.DEVIATION_FLOOR),
        ]
    ),
)
def test_any_error_is_read_back_within_the_resolution(values: list[int], factor: float, law: Law) -> None:
    x = np.array(values, np.float32)
    exact = float(variance(values, law.correction))
    if exact == 0:
        return
    var = exact * factor
    d = {"inside the root": math.sqrt(var + law.epsilon), "added to the deviation": math.sqrt(var) + law.epsilon}.get(
        law.place, math.sqrt(var)
    )
    y = ((x - x.astype(np.float64).mean()) / d).astype(np.float32)
    told = {"at": list(range(x.size)), "y": [float(v).hex() for v in y], "finite": True, "alike": False}
    got, resolution = layer_league.implied(x, told, exact, law)
    assert abs(got / exact - factor) <= resolution
    assert resolution < 1e-4


def test_constants() -> None:
    x, law = np.full(3, 7.0, np.float32), Law(0, 1e-5, EpsilonPlace.INSIDE)
    told = {"at": [0, 1, 2], "y": ["0x0p0"] * 3, "finite": True, "alike": True}
    assert layer_league.implied(x, told, 0.0, law) == (0.0, 0.0)
    assert math.isnan(layer_league.implied(x, {**told, "alike": False}, 0.0, law)[0])
    assert math.isnan(layer_league.implied(x, {**told, "finite": False}, 0.0, law)[0])
    # One constant for different inputs: the deviation is infinite.
    x = np.array([1, 2, 3], np.float32)
    assert layer_league.implied(x, told, 1.0, law)[0] == math.inf


def test_layers_are_written_read_and_ranked(layers: layer_league.Layers, tmp_path: Path) -> None:
    path = tmp_path / layer_league.NAME
    layer_league.write(path, layers.content(["varstudy"]))
    content = layer_league.read(tmp_path)
    assert [row.record() for row in layer_league.rows(content)] == [row.record() for row in layers.rows]
    assert [each.record() for each in layer_league.facts(content)] == [each.record() for each in layers.facts]
    path.write_text(path.read_text().replace("toy 1.0", "toy 2.0", 1))
    with pytest.raises(LeagueProblem, match="was edited or cut"):
        layer_league.read(path)
    content["rows"][0]["worst"] = "= ="
    layer_league.write(path, {k: v for k, v in content.items() if k != "digest"})
    with pytest.raises(LeagueProblem, match="2 results for 9 cases"):
        layer_league.read(path)
    content = layers.content(["varstudy"])
    empty = {"cases": layers.cases, "facts": [], "rows": []}
    table = layer_league.ranked(empty, content)
    assert table[0].name.startswith("toy ")
    assert [each.place for each in table] == sorted(each.place for each in table)
    assert {"toy batch norm, float64", "toy batch norm, NaN"} < {each.name for each in table}
    with pytest.raises(LeagueProblem, match="other cases"):
        layer_league.ranked({"cases": {"float32": []}}, content)


def test_the_probe_is_for_old_pythons() -> None:
    tree = ast.parse((SCRIPTS / "layer_rows.py").read_text(), feature_version=(3, 6))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names - {"adapters", "questions"} <= {*sys.stdlib_module_names, "numpy"}


def test_frameworks_are_chosen() -> None:
    assert [each.name for each in layer_league.chosen("torch")] != []
    assert len(layer_league.chosen(None)) == sum(each.measured for each in FRAMEWORKS.values())
    with pytest.raises(ValueError, match="'torchh' is no framework"):
        layer_league.chosen("torchh")


# What is committed ------------------------------------------------------------------------------------------------


def test_the_committed_layers() -> None:
    assert layer_league.COMMITTED.stat().st_size < 500_000
    content, league = layer_league.committed(), league_record.committed()
    named = {each.framework for each in layer_league.facts(content)}
    assert named == {each.name for each in FRAMEWORKS.values() if each.measured}
    for each in layer_league.facts(content):
        assert each.status == "measured" or each.reason
    text = layer_league.COMMITTED.read_text()
    assert not re.search("/(tmp|root|work|home)", text)
    table = layer_league.ranked(league, content)
    assert {each.ours for each in table} == {True, False}
    assert any(each.library.startswith(layer_league.LAYER) for each in table)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "no such framework"], "is no framework whose layers are measured"),
        (["--storage", "float16"], "--layers goes without --list, --storage"),
    ],
)
def test_the_command(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(args=["libraries", "--layers", *words], prog_name="varstudy")
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
