"""What the committed draws say: the findings that lead, with their sizes."""

from __future__ import annotations

import pytest

from varstudy.survey import draws
from varstudy.survey.draws import DrawRow, Growth
from varstudy.survey.draws.measuring import settings
from varstudy.survey.findings import measured as conventions
from varstudy.survey.frameworks.catalogue import FRAMEWORKS

CONTENT = draws.committed()
ROWS = draws.rows(CONTENT)


def one(**wanted: object) -> DrawRow:
    (found,) = [row for row in ROWS if all(getattr(row, name) == value for name, value in wanted.items())]
    return found


def test_every_row_is_of_a_known_framework_and_has_64_draws_at_a_size_that_is_asked() -> None:
    facts = {each.framework: each for each in draws.facts(CONTENT)}
    assert set(facts) <= set(FRAMEWORKS)
    assert {row.framework for row in ROWS} == set(facts)
    assert CONTENT["settings"] == settings()
    assert {row.rows for row in ROWS} == {64}
    assert {row.size for row in ROWS} == {2**10, 2**15, 2**20}
    for row in ROWS:
        assert row.reason or draws.read_off(row)
        if draws.read_off(row):
            assert row.least <= row.median <= row.worst
    assert facts["torch"].version.startswith("torch 2.13.0")
    assert facts["torch"].repeated == "same errors"


def test_torch_batch_norm_in_channels_last_loses_with_the_size() -> None:
    """One thread, mean 1,000: 1.2e-6 of 1,024 values, 92 times the variance of 1,048,576; contiguous loses nothing."""
    layer = {"framework": "torch", "kind": "batch", "variant": "channels-last", "mean": 1e3}
    assert one(**layer, threads="1", size=2**10).worst < 2e-6
    assert one(**layer, threads="1", size=2**20).median == pytest.approx(92, abs=1)
    assert one(**layer, threads="2", size=2**20).median == pytest.approx(15, abs=1)
    assert one(**{**layer, "mean": 1e4}, threads="1", size=2**20).median == pytest.approx(1.84e4, rel=0.01)
    assert one(**{**layer, "variant": "NCHW"}, size=2**20).worst < 1e-7


def test_torch_group_norm_in_channels_last_has_no_digit_at_mean_10_000() -> None:
    layer = {"framework": "torch", "kind": "group", "mean": 1e4, "size": 2**10}
    assert one(**layer, variant="channels-last").median == pytest.approx(1)
    assert one(**layer, variant="channels-last").worst > 50
    assert one(**layer, variant="NCHW").worst < 1e-3


def test_stable_layers_are_split_by_what_was_measured() -> None:
    grown = draws.growths(ROWS)
    assert grown["torch", "batch", "NCHW"].growth == Growth.ROUNDED_MEAN
    assert grown["torch", "group", "NCHW"].growth == Growth.WITH_MEAN
    assert grown["torch", "batch", "channels-last"].growth == Growth.WITH_SIZE
    classes = draws.split(conventions.committed(), grown)
    assert classes["torch", "batch", "NCHW"] == f"stable, {Growth.ROUNDED_MEAN}"
    assert classes["torch", "batch", "channels-last"] == "two-pass, sequential mean"


def test_onnx_runtime_instance_norm_loses_the_variance_of_large_images() -> None:
    """Mean 10,000: the outputs of 1,024 values show no error; the variance of 1,048,576 is 89 times too large."""
    layer = {"framework": "onnxruntime", "kind": "instance", "variant": "NCHW", "mean": 1e4}
    small = one(**layer, size=2**10)
    assert small.unresolved == small.rows
    assert one(**layer, size=2**20).median == pytest.approx(89, abs=1)
    assert one(**{**layer, "kind": "batch", "variant": "opset 14"}, size=2**20).worst < 1e-5
    classes = draws.split(conventions.committed(), draws.growths(ROWS))
    assert classes["onnxruntime", "layer", "2-D"] == f"stable, {Growth.WITH_SIZE}"
