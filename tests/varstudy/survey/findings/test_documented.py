"""The documented facts: the data keeps its own rules, and the comparisons with findings are exact."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varstudy.survey.findings import documented
from varstudy.survey.findings.documented import Documented, DocumentedProblem
from varstudy.survey.findings.measured import FindingRow
from varstudy.survey.findings.properties import KINDS, PROPERTIES, SYNC, check
from varstudy.survey.frameworks.catalogue import FRAMEWORKS

TEXT = "\n".join(path.read_text("utf-8") for path in documented.files())
ONE = documented.files()[0].read_text("utf-8")
FACT = Documented(
    "torch", "batch", "", "epsilon.default", 1e-5, "It says so.", "a page, version 1", 1e-5, "a.py:1 at x 1"
)
# What the comparison of batch normalisations stands on.
MATTERS = (
    "correction.normalise",
    "correction.running",
    "running.update",
    "momentum.multiplies",
    "momentum.default",
    "epsilon.default",
    "epsilon.place",
    "initial.mean",
    "initial.var",
    "one_value.output",
    "running.when",
)
INFERENCE_ONLY = {"ncnn", "openvino"}


def row(value: Any, status: str = "measured") -> FindingRow:
    text = "" if value is None else json.dumps(value)
    return FindingRow(
        "torch", "batch", "NCHW", "epsilon.default", text, status, "", "1", "3.11", 1, "2026-01-01", "a processor"
    )


def written(folder: Path, rows: list[Any], **head: Any) -> Path:
    path = folder / documented.NAME
    whole = {"format": documented.FORMAT, "version": documented.SCHEMA_VERSION, "rows": rows, **head}
    path.write_text(json.dumps(whole), "utf-8")
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(DocumentedProblem, match=message) as caught:
        documented.read(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path.parent.name}/{documented.NAME} ")
    assert "\n" not in sentence
    assert sentence.endswith("install varstudy again, or take the file from its repository")


# the data ----------------------------------------------------------------------------------------------------------


def test_every_framework_has_facts() -> None:
    assert {each.framework for each in documented.facts()} == set(FRAMEWORKS)


@pytest.mark.parametrize("framework", sorted(set(FRAMEWORKS) - {"tf-addons"}))  # which has no batch norm
def test_a_framework_speaks_of_what_matters_or_is_said_to_be_silent(framework: str) -> None:
    spoken = {each.property for each in documented.facts(framework) if each.kind == "batch"}
    expected = {"epsilon.default", "epsilon.place", "evaluation"} if framework in INFERENCE_ONLY else set(MATTERS)
    if framework == "tf.nn":
        expected -= {"initial.mean", "initial.var"}  # the caller keeps the statistics
    assert expected <= spoken


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_the_facts_of_a_framework_keep_the_rules(framework: str) -> None:
    for fact in documented.facts(framework):
        check(fact.property, fact.value)
        check(fact.property, fact.source_value)
        assert fact.kind in (*KINDS, SYNC), fact
        assert fact.kind in PROPERTIES[fact.property].kinds, fact
        assert re.fullmatch(r"[A-Z][^\n@]{10,450}\.", fact.sentence), fact
        assert "  " not in fact.sentence, fact
        assert re.search(r"\d|commit", fact.where), fact
        assert fact.where == fact.where.strip(), fact
        for each in filter(None, fact.source.split("; ")):
            place, _, version = each.partition(" at ")
            assert re.fullmatch(r"[^\s/]\S*\.\w+:[1-9]\d*", place), fact
            assert re.search(r"\d", version), fact
            assert "commit" not in version or re.search(r" of (\d{4}-\d\d-\d\d|unknown date)$", version), fact
        assert fact.source_value is None or fact.source, fact


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_silence_has_no_value(framework: str) -> None:
    silence = re.compile(r"does not (say|define|speak|explain)|is without documentation|has no argument")
    for fact in documented.facts(framework):
        if fact.value is not None and silence.search(fact.sentence.split(";")[0]):
            assert "signature" in fact.sentence or "docstring of the function" in fact.sentence, fact


def test_no_fact_is_there_twice() -> None:
    rows = [row for path in documented.files() for row in json.loads(path.read_text("utf-8"))["rows"]]
    keys = [(each["framework"], each["kind"], each["variant"], each["property"]) for each in rows]
    assert len(keys) == len(set(keys)) == len(documented.facts())


def test_only_documentation_and_no_machine_is_named() -> None:
    assert not re.search(r"/(root|home|tmp|work|usr|opt)/", TEXT)
    addresses = re.findall(r"https?://([^/\s\"]+)", TEXT)
    assert set(addresses) == {"onnx.ai", "docs.openvino.ai", "learn.microsoft.com", "caffe.berkeleyvision.org"}


def test_the_file_has_one_row_a_line() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith('{"framework"')]
    assert [json.loads(line.rstrip(",")) for line in lines] == [asdict(each) for each in documented.facts()]


@pytest.mark.parametrize(
    ("framework", "kind", "variant", "name", "said", "found"),
    [
        ("torch", "batch", "NCHW", "correction.running", 1, 1),
        ("tf_keras", "batch", "NHWC", "correction.running", None, 1),
        ("tf_keras", "batch", "2-D", "correction.running", None, 0),
        ("equinox", "batch", "batch", "correction.running", 1, 0),
        ("keras2-theano", "batch", "2-D", "correction.running", None, 1.001),
        ("mxnet", "batch", "NCHW", "running.when", None, "backward"),
        ("mxnet", "batch", "operator", "epsilon.default", None, 0.001),
        ("tvm", "batch", "NCHW", "momentum.multiplies", "old", "new"),
        ("caffe", "batch", "", "running.update", "exponential", "accumulated decay"),
        ("darknet", "batch", "NCHW", "epsilon.place", None, "added to the deviation"),
        ("onnx-reference", "batch", "opset 9", "training.statistics", None, "running"),
        ("onnx-reference", "batch", "opset 15", "training.statistics", "batch", "batch"),
        ("mindspore", "layer", "2-D", "epsilon.default", 1e-7, 1e-7),
    ],
)
def test_well_known_facts(framework: str, kind: str, variant: str, name: str, said: object, found: object) -> None:
    fact = documented.lookup(framework, kind, variant, name)
    assert fact is not None
    assert (fact.value, fact.source_value) == (said, found)


@pytest.mark.parametrize("name", ["running.keeps", "running.update", "running.weight", "momentum.multiplies"])
def test_what_torch_runs_on_a_processor_is_cited(name: str) -> None:
    """The decomposition alone says what a compiler traces."""
    fact = documented.lookup("torch", "batch", "", name)
    assert fact is not None
    assert (
        "aten/src/ATen/native/Normalization.cpp:183 at pytorch commit 000e06898165 of unknown date"
        in fact.source.split("; ")
    )


# looking up --------------------------------------------------------------------------------------------------------


def test_facts_of_one_framework() -> None:
    alone = documented.facts("Torch")
    assert {each.framework for each in alone} == {"torch"}
    assert alone == [each for each in documented.facts() if each.framework == "torch"]


def test_a_variant_falls_back_on_all() -> None:
    own = documented.lookup("tf_keras", "batch", "2-D", "correction.running")
    other = documented.lookup("tf_keras", "batch", "another", "correction.running")
    assert own is not None
    assert other is not None
    assert (own.variant, other.variant) == ("2-D", "")
    assert documented.lookup("tf_keras", "batch", "2-D", "accuracy.1e4") is None
    assert documented.lookup("caffe", "layer", "", "epsilon.default") is None


@pytest.mark.parametrize(
    "ask", [documented.facts, lambda name: documented.lookup(name, "batch", "", "epsilon.default")]
)
def test_an_unknown_framework_is_one_sentence(ask: Any) -> None:
    with pytest.raises(ValueError, match=r"framework 'tourch' is unknown: did you mean .*torch"):
        ask("tourch")


# comparing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "found", "differ"),
    [
        (1e-5, 1e-5, False),
        (1e-5, 1e-3, True),
        (0.9, 0.8999999761581421, False),  # the float32 next to 0.9
        (1, 1.0, False),
        (0, 1, True),
        (1, 1.001, True),
        (1, True, True),
        (0, "none kept", True),
        ("old", "old", False),
        ("old", "new", True),
        ("1", 1, True),
        ([0.1, 0.1], [0.1, 0.1], False),
        ([0.1, 0.1], [0.1, 0.2], True),
        ([0.1, 0.1], [0.1], True),
        ([0.1], 0.1, True),
        (1e300, 1e301, False),  # both are infinite in float32
        (None, 1, None),
        (1, None, None),
        (None, None, None),
    ],
)
def test_values_are_compared_exactly(said: Any, found: Any, differ: bool | None) -> None:
    fact = replace(FACT, value=said, source_value=found)
    assert documented.contradicts(fact, row(found)) is differ
    assert documented.contradicts_source(fact) is differ


@pytest.mark.parametrize(
    ("said", "found", "differ"),
    [
        (0.9, 0.8999999165534973, False),  # the second float32 below 0.9
        (2.0**-23, 1.192093e-07, False),  # float32's machine epsilon, as it was solved from outputs
        (0.9, 0.89999, True),
        ([0.1, 0.1], [0.1, 0.10000001], False),
    ],
)
def test_a_measured_number_is_known_as_well_as_float32_outputs_tell(said: Any, found: Any, differ: bool) -> None:
    fact = replace(FACT, value=said, source_value=found)
    assert documented.contradicts(fact, row(found)) is differ
    assert documented.contradicts_source(fact) is True


@pytest.mark.parametrize("status", ["undetermined", "not applicable", "failed", "not run"])
def test_what_was_not_measured_contradicts_nothing(status: str) -> None:
    assert documented.contradicts(FACT, row(2.0)) is True
    assert documented.contradicts(FACT, row(2.0, status)) is None


@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_float32_numbers_differ_unless_they_are_equal(a: float, b: float) -> None:
    assert documented.contradicts(replace(FACT, value=a), row(b)) is (a != b)


# reading -----------------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    two = [FACT, replace(FACT, property="momentum.multiplies", value=None, source_value=None, source="")]
    assert documented.read(written(tmp_path, [asdict(each) for each in two])) == two


def test_no_file_is_no_facts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        documented.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE[: len(ONE) // 2], "cannot be read"),
        ("", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": "varstudy-documented", "version": 1, "rows": [NaN]}', "cannot be read .NaN is no JSON"),
        ("[]", "is no file of documented facts of varstudy"),
        ('{"format": "another"}', "is no file of documented facts of varstudy"),
        ('{"format": "varstudy-documented", "version": 2}', "has schema version 2, this program reads 1"),
        ('{"format": "varstudy-documented", "version": 1}', "was edited or cut .rows is no list"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / documented.NAME
    path.write_text(text, "utf-8")
    refused(path, f"^{tmp_path.name}/documented[.]json .*{message}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"framework": "another"}, "framework 'another' is unknown"),
        ({"kind": "wave"}, "kind 'wave' is unknown"),
        ({"kind": "rms", "property": "momentum.default"}, "property 'momentum.default' is not asked of kind 'rms'"),
        ({"property": "epsilon"}, "property 'epsilon' is unknown"),
        ({"value": "large"}, "cannot have the value 'large'"),
        ({"source_value": "large"}, "cannot have the value 'large'"),
        ({"value": [1]}, "cannot have the value"),
        ({"sentence": "It says so"}, "has no full stop"),
        ({"sentence": 3}, "sentence is 3, which is no text"),
        ({"where": ""}, "has no place where it stands"),
        ({"source": "a.py at x 1"}, "is not file:line at version"),
        ({"source": "a.py:0 at x 1"}, "is not file:line at version"),
        ({"source": "a.py:1 at x 1; b.py"}, "is not file:line at version"),
        ({"source": ""}, "source_value 1e-05 has no source"),
        ({"more": ""}, "its columns are not framework, kind"),
    ],
)
def test_an_edited_row_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    refused(written(tmp_path, [asdict(FACT) | change]), f"was edited or cut \\(row 1: .*{message}")


def test_a_row_that_is_none_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, [asdict(FACT), 3]), "row 2: its columns are not")


def test_a_fact_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, [asdict(FACT)] * 2), "row 2: torch, batch, all variants, epsilon.default is there twice")
