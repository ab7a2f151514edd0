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


@pytest.mark.parametrize("framework", ["haiku", "equinox"])
def test_batch_norm_s_gradients_of_bfloat16_in_haiku_and_equinox_are_wrong_for_65536_rows(framework: str) -> None:
    name = "bfloat16 images 65536 ordinary"
    for array, error in (("dweight", 0.12), ("dbias", 0.43)):
        for row in some(framework=framework, kind="batch", array=array, input=name, parameters="same"):
            if elements.scored(row):
                assert (row.size, row.status) == (65536, "wrong")
                assert row.error == pytest.approx(error, abs=0.01)
        for row in some(framework=framework, kind="layer", array=array, input="bfloat16 tables 65536 ordinary"):
            assert row.error < 0.02


def test_haiku_squares_float16_values_beyond_its_largest_number() -> None:
    """At 300 deviations squares are beyond 65504: batch norm answers NaN, RMS norm answers 0."""
    for row in some(framework="haiku", kind="batch", array="y", input="float16 images offset 300", mode="training"):
        assert row.status == "wrong"
        assert row.not_finite == row.elements
    for row in some(framework="haiku", kind="rms", array="y", input="float16 tables offset 300"):
        assert (row.status, row.error, row.computed) == ("wrong", 1.0, 0.0)


def test_group_norms_by_a_difference_of_squares_have_no_digit_at_mean_1000() -> None:
    for framework in ("flax-linen", "flax-nnx"):
        for row in some(framework=framework, kind="group", array="y", input="float32 images offset 1000"):
            assert row.status in ("", "wrong")
            assert not row.status or row.error > 100
    for row in some(framework="equinox", kind="group", array="y", input="float32 images offset 1000"):
        assert row.status != "wrong"


def test_a_framework_that_was_not_asked_for_everything_says_for_how_much() -> None:
    asked = {name: {row.input for row in ROWS if row.framework == name} for name in FRAMEWORKS}
    for fact in elements.facts(CONTENT):
        whole = f"on {{}} of {len(inputs())} inputs"
        if "inputs" in fact.repeated:
            assert any(fact.repeated.endswith(whole.format(k)) for k in range(1, len(inputs())))
        else:
            assert fact.repeated in ("same scores", "run once")
        assert asked[fact.framework]
