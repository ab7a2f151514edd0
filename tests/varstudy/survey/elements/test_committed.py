"""What the committed outputs and gradients say: the findings that the report leads with, by name and size."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from varstudy.survey import elements
from varstudy.survey.elements import ElementRow
from varstudy.survey.elements.asking import inputs
from varstudy.survey.frameworks.catalogue import FRAMEWORKS

CONTENT = elements.committed()
ROWS = elements.rows(CONTENT)


def some(**wanted: object) -> list[ElementRow]:
    found = [row for row in ROWS if all(getattr(row, name) == value for name, value in wanted.items())]
    assert found, wanted
    return found


def ordinary(rows: Sequence[ElementRow]) -> list[ElementRow]:
    return [row for row in rows if not elements.stress(row)]


def test_every_row_is_of_a_known_framework_and_input() -> None:
    facts = {each.framework: each for each in elements.facts(CONTENT)}
    assert set(facts) <= set(FRAMEWORKS)
    assert {row.framework for row in ROWS} <= set(facts)
    assert [one.record() for one in inputs()] == CONTENT["inputs"]
    assert {row.input for row in ROWS} <= {one.name for one in inputs()}
    for each in facts.values():
        assert each.status == "measured"
        assert each.repeated
    assert facts["torch"].version.startswith("torch 2.13.0")
    for name in ("torch", "onnxruntime", "onnx-reference"):
        assert facts[name].repeated == "same scores"


def test_a_correctly_rounded_array_is_the_best_there_is() -> None:
    for row in ROWS:
        if elements.scored(row) and not row.out_of_range:
            assert row.error >= row.stored * (1 - 1e-2), row


def test_torch_batch_norm_in_half_precision_uses_a_rounded_mean() -> None:
    """Off by more than 40 times what storing costs with parameters in float16 or absent; right with float32 ones."""
    name = "float16 images offset 300"
    for kind in ("batch", "instance"):
        for parameters in ("same", "absent"):
            for row in some(framework="torch", kind=kind, input=name, parameters=parameters, mode="training"):
                assert row.status == "inaccurate"
                assert row.error > 40 * row.stored
        for row in some(framework="torch", kind=kind, input=name, parameters="float32", mode="training"):
            assert row.error == row.stored
    for row in some(framework="torch", kind="layer", input="float16 tables offset 300"):
        assert row.error < 1.1 * row.stored


def test_torch_layer_norm_s_bias_gradient_is_a_sum_in_the_storage_format() -> None:
    name = "bfloat16 tables 65536 ordinary"
    (row,) = some(framework="torch", kind="layer", array="dbias", input=name, parameters="same", threads="1")
    assert (row.size, row.status) == (65536, "wrong")
    assert row.error == pytest.approx(0.92, abs=0.01)
    for each in some(framework="torch", kind="layer", array="dweight", input=name, threads="1"):
        assert each.error == pytest.approx(0.24, abs=0.02)
    for each in some(framework="torch", kind="rms", array="dweight", input=name):
        assert each.status == "right"
    # A running sum of ours in that format has the same error.
    (ours,) = (
        each for each in elements.orders(CONTENT)
        if (each.array, each.accumulator, each.order, each.rows) == ("dbias", "bfloat16", "running", 65536)
    )  # fmt: skip
    assert ours.error == pytest.approx(row.error, abs=0.01)
    worst = elements.worst_rows(ordinary(some(framework="torch", array="dbias", kind="layer")), "storage")
    assert worst["bfloat16",].size == worst["float16",].size == 65536


def test_torch_instance_norm_of_one_sample_in_channels_last_has_wrong_gradients() -> None:
    for storage in ("float32", "float16", "bfloat16"):
        name = f"{storage} images 256 ordinary"
        for array in ("dx", "dweight", "dbias"):
            for row in some(framework="torch", kind="instance", input=name, memory="channels-last", array=array):
                assert row.status == "wrong"
                assert row.error > 0.5
            for row in some(framework="torch", kind="instance", input=name, memory="contiguous", array=array):
                assert row.status == "right"


@pytest.mark.parametrize("framework", ["onnxruntime", "onnx-reference"])
def test_runtimes_without_gradients_have_rows_that_say_so(framework: str) -> None:
    for array in ("dx", "dweight", "dbias"):
        for row in some(framework=framework, array=array):
            assert (row.outcome, row.reason) == ("unsupported", "An ONNX runtime has no gradients.")
    assert any(elements.scored(row) for row in some(framework=framework, array="y"))


def test_flax_sums_gradients_of_half_precision_in_float32() -> None:
    for storage in ("float16", "bfloat16"):
        for array in ("dweight", "dbias"):
            name = f"{storage} tables 65536 ordinary"
            for row in some(framework="flax-linen", kind="layer", array=array, input=name):
                assert row.error < 2 * row.stored or row.answers_in == "float32"
                assert row.error < 0.01


def test_paddle_group_norm_loses_its_digits_at_mean_1000_and_half_precision_is_refused() -> None:
    for row in some(framework="paddle", kind="group", input="float32 images offset 1000"):
        assert row.status == "wrong"
        assert row.error > 0.1
    for storage in ("float16", "bfloat16"):
        assert {row.outcome for row in some(framework="paddle", kind="layer", storage=storage)} == {"refused"}
