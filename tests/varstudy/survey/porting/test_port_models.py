"""Whole models: each norm layer is found, with its own settings; weights by their names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import varstudy
import varstudy.cli as command
from varstudy.survey.porting import NormPlan, PortError, PortPlan, port_norm


def norms(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4, eps=1e-2, momentum=0.3),
        nn.Sequential(nn.BatchNorm2d(4, momentum=None), nn.GroupNorm(2, 4)),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.InstanceNorm2d(4),
        nn.LayerNorm(5, eps=1e-6),
        nn.RMSNorm(5, eps=1e-6),
    )


def test_each_norm_of_a_model_of_torch_has_a_plan_with_its_own_settings() -> None:
    torch = pytest.importorskip("torch")
    found = varstudy.port(norms(torch), to="keras-jax")
    assert [(each.name, each.kind) for each in found.layers] == [
        ("1", "batch"),
        ("2.0", "batch"),
        ("2.1", "group"),
        ("3", "batch"),
        ("4", "instance"),
        ("5", "layer"),
        ("6", "rms"),
    ]
    first, second, group, third, _, layer, rms = found.layers
    assert isinstance(first.plan, PortPlan)
    assert (first.channels, first.plan.epsilon, first.plan.target_momentum) == (4, 1e-2, 0.7)
    assert isinstance(second.plan, PortPlan)
    assert second.plan.source.law == "plain average"
    assert any("1 / (k + 1)" in row.do for row in second.plan.changes if row.needed)
    assert "no running statistics" in third.notes[0]
    for each, told in ((group, "1e-05"), (layer, "1e-06"), (rms, "1e-06 (its default)")):
        assert isinstance(each.plan, NormPlan)
        row = each.plan.changes[0]
        assert (row.part, row.do, row.needed) == ("epsilon", f"give the target epsilon {told}", each is not rms)
    json.dumps(found.record(), default=str)
    compile(found.snippet(), "snippet", "exec")


def test_one_layer_is_a_model_too_and_what_has_no_norm_is_refused() -> None:
    torch = pytest.importorskip("torch")
    found = varstudy.port(torch.nn.BatchNorm1d(3, eps=0.5), to="flax-nnx")
    assert [(each.name, each.settings["epsilon"], each.settings["rank"]) for each in found.layers] == [
        ("BatchNorm1d", 0.5, 2)
    ]
    with pytest.raises(PortError, match="Linear has no norm layer"):
        varstudy.port(torch.nn.Linear(2, 2), to="keras")
    with pytest.raises(PortError, match="int is no model of PyTorch or Keras"):
        varstudy.port(3, to="keras")
    with pytest.raises(PortError, match="the model has no batch norm"):
        varstudy.port(torch.nn.LayerNorm(2), to="mlx").snippet()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_of_keras() -> None:
    if "KERAS_BACKEND" not in os.environ:
        pytest.skip("set KERAS_BACKEND to test with Keras")
    keras = pytest.importorskip("keras")
    norm = keras.layers.BatchNormalization(axis=1, epsilon=1e-2, momentum=0.7)
    frozen = keras.layers.BatchNormalization(trainable=False)
    model = keras.Sequential(
        [keras.Input((4, 6, 6)), norm, keras.Sequential([frozen]), keras.layers.LayerNormalization()]
    )
    found = varstudy.port(model, to="torch")
    assert [each.kind for each in found.layers] == ["batch", "batch", "layer"]
    first = found.layers[0]
    assert isinstance(first.plan, PortPlan)
    assert (first.plan.epsilon, first.plan.target_momentum, first.settings["axis"]) == (1e-2, 0.3, 1)
    assert "frozen" in found.layers[1].notes[0]
    assert varstudy.port(norm, to="torch").layers[0].settings["epsilon"] == 1e-2


def test_weights_by_their_names(tmp_path: Path) -> None:
    weights = {
        f"{name}.{part}": np.ones(size, np.float32)
        for name, size in (("stem.bn", 3), ("head.norm", 5))
        for part in ("weight", "bias", "running_mean", "running_var")
    } | {"conv.weight": np.ones((3, 3), np.float32)}
    file = tmp_path / "model.npz"
    np.savez(file, allow_pickle=False, **weights)
    for source in (weights, file):
        found = varstudy.port(source, to="keras-jax", epsilon=1e-2)
        assert [(each.name, each.channels) for each in found.layers] == [("stem.bn", 3), ("head.norm", 5)]
        assert (found.source, found.layers[0].plan.epsilon) == ("torch", 1e-2)
        assert "Weights do not tell epsilon and momentum" in found.notes[0]
    done = CliRunner().invoke(command.commands, ["port", "--from", str(file), "--to", "keras-jax"])
    assert done.exit_code == 0, done.output
    assert "2 batch norms" in done.output
    assert "head.norm" in done.output
    with pytest.raises(PortError, match="no name in it ends in running_var"):
        varstudy.port({"weight": np.ones(3)}, to="keras")
    with pytest.raises(PortError, match="missing"):
        varstudy.port(tmp_path / "missing.safetensors", to="keras")


def test_norms_without_state() -> None:
    plan = port_norm("layer", "torch", "keras-jax")
    row = plan.changes[0]
    assert (row.source, row.target, row.needed) == ("1e-05", "0.001 by default", True)
    # sqrt(1e-4 + 1e-5) / sqrt(1e-4 + 1e-3) - 1
    assert f"{100 * ((1.1e-4 / 1.1e-3) ** 0.5 - 1):+.2g} % at variance 0.0001" in row.effect
    assert any("every num_groups-th channel" in each for each in port_norm("group", "torch", "mlx").notes)
    assert any("no scale and no shift by default" in each for each in port_norm("instance", "torch", "mlx").notes)
    assert not port_norm("layer", "torch", "torch").changes[0].needed
    with pytest.raises(PortError, match="no rms norm of 'chainer' was measured"):
        port_norm("rms", "chainer", "torch")
