"""Layers of PyTorch and Keras folded: the folded convolution answers as the two layers do."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from varstudy.survey.folding import fold, fold_layers


def trained(torch: Any, norm: Any, x: Any) -> Any:
    with torch.no_grad():
        norm.train()
        norm(x)
        for value in (norm.weight, norm.bias):
            value.uniform_(-2, 2)
    return norm.eval()


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_torchs_convolutions_of_as_many_channels_in_as_out(kind: str, rank: int, groups: int) -> None:
    """4 channels in, 4 out: the shape tells nothing. With 4 in and 8 out in two groups it misleads."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(rank)
    for outputs in (4, 8):
        conv = getattr(torch.nn, f"{kind}{rank}d")(4, outputs, 3, groups=groups)
        x = torch.randn(2, 4, *[5] * rank)
        norm = trained(torch, getattr(torch.nn, f"BatchNorm{rank}d")(outputs, eps=1e-2), conv(x).detach())
        with torch.no_grad():
            right = norm(conv(x)).numpy()
            done = fold_layers(conv, norm)
            assert done.weight.shape == tuple(conv.weight.shape)
            conv.weight.copy_(torch.from_numpy(done.weight))
            conv.bias.copy_(torch.from_numpy(done.bias))
            got = conv(x).numpy()
        assert np.abs(got - right).max() <= 2e-6 * np.abs(right).max()


def test_a_linear_layer_without_bias() -> None:
    torch = pytest.importorskip("torch")
    linear, x = torch.nn.Linear(3, 5, bias=False), torch.randn(16, 3)
    norm = trained(torch, torch.nn.BatchNorm1d(5), linear(x).detach())
    with torch.no_grad():
        right = norm(linear(x)).numpy()
        done = fold_layers(linear, norm)
        assert np.abs(x.numpy() @ done.weight.T + done.bias - right).max() <= 2e-6 * np.abs(right).max()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "Dense"])
def test_keras_has_the_outputs_elsewhere(name: str) -> None:
    if "KERAS_BACKEND" not in os.environ:
        pytest.skip("set KERAS_BACKEND to test with Keras")
    keras = pytest.importorskip("keras")
    draw = np.random.RandomState(3)
    conv = getattr(keras.layers, name)(4, *(() if name == "Dense" else (3,)))
    x = draw.normal(size=(8, 4) if name == "Dense" else (2, 6, 6, 4)).astype(np.float32)
    norm = keras.layers.BatchNormalization(epsilon=1e-2)
    norm(conv(x), training=True)
    right = keras.ops.convert_to_numpy(norm(conv(x), training=False))
    done = fold_layers(conv, norm)
    conv.set_weights([done.weight, done.bias])
    assert np.abs(keras.ops.convert_to_numpy(conv(x)) - right).max() <= 2e-6 * np.abs(right).max()


def test_what_the_shape_does_not_tell_is_asked_for() -> None:
    weight = np.ones((4, 4, 3, 3), np.float32)
    with pytest.raises(ValueError, match="does not tell the axis of its outputs: give transposed=False"):
        fold(weight, None, None, None)
    for groups in (3, 0, 1.5):
        with pytest.raises(ValueError, match=f"groups={groups}: give a whole number that divides"):
            fold(weight, None, None, None, transposed=True, groups=groups)  # type: ignore[arg-type]
    scale = np.float32([1, 2, 3, 4])
    weight = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert np.array_equal(fold(weight, None, scale, None, transposed=True).weight, weight * scale)
    # 4 in, 4 out in two groups: rows 0 and 1 make outputs 0 and 1, rows 2 and 3 make 2 and 3
    got = fold(weight[:, :2], None, scale, None, transposed=True, groups=2).weight
    assert np.array_equal(got, weight[:, :2] * np.float32([[1, 2], [1, 2], [3, 4], [3, 4]]))


def test_what_cannot_be_folded_is_named() -> None:
    torch = pytest.importorskip("torch")
    conv = torch.nn.Conv2d(2, 2, 1)
    for norm in (torch.nn.BatchNorm2d(2, track_running_stats=False), torch.nn.GroupNorm(1, 2)):
        with pytest.raises(ValueError, match=f"{type(norm).__name__} has no running statistics"):
            fold_layers(conv, norm)
    with pytest.raises(ValueError, match="ReLU is no convolution that can be folded"):
        fold_layers(torch.nn.ReLU(), torch.nn.BatchNorm2d(2))
