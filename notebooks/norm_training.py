"""A small network on scikit-learn's digits, whose norms take their variance from one of varkernels' algorithms.

An MLP of two hidden layers, with a norm after each, is trained by stochastic gradient descent. Only the statistics of
the forward pass vary: what shares a mean and a variance, by which algorithm, in which accumulator. All else is float32,
the gradients too. The networks of several seeds are trained side by side, along the first axis of every array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits  # comes with scikit-learn

import varkernels

__all__ = ["EPSILON", "TRAINED", "Network", "Norm", "Outcome", "Setup", "images_of", "train"]

Floats = NDArray[np.floating[Any]]
EPSILON = 1e-5
HIDDEN = 128
GROUPS = 8
MOMENTUM = 0.1  # the weight of a batch in the running statistics, as in PyTorch
TRAINED = 1200  # images to learn from; the other 597 are the test
SHAPES = ((64, HIDDEN), (1, HIDDEN), (1, HIDDEN), (HIDDEN, HIDDEN), (1, HIDDEN), (1, HIDDEN), (HIDDEN, 10), (1, 10))


@dataclass(frozen=True)
class Setup:
    """What is trained.

    norm : of the hidden layers: "batch", "group" (8 groups), "layer", or "affine" (scale and shift without statistics).
    batch : images a step. images : over the whole training; an image counts each time that it is drawn.
    algorithm, accumulator : of the statistics, as `varkernels.moments` takes them.
    clip : whether a variance below 0 becomes 0.
    offset : None: centred images. A number: images from 0 to 1 plus this, and a batch norm of one channel to remove it.
    seeds : of one network each: its first weights, and the images that it draws.
    """

    norm: str = "batch"
    batch: int = 32
    images: int = 12_800
    algorithm: str = "welford"
    accumulator: str = "float32"
    clip: bool = False
    offset: float | None = None
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Outcome:
    """One number a seed: the mean loss of the last tenth of the training's steps, and fractions of wrong answers.

    error : on the test images, with the running statistics. own : with the test images' own statistics.
    """

    loss: list[float]
    error: list[float]
    own: list[float]


@cache
def _digits() -> tuple[Floats, NDArray[np.int64]]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order].astype(np.float32), data.target[order]


def images_of(setup: Setup) -> tuple[Floats, NDArray[np.int64]]:
    """All 1,797 images, float32 (1797, 64), and their labels; the first `TRAINED` of them are learnt from."""
    images, labels = _digits()
    if setup.offset is None:
        return (images - np.float32(4.88)) / np.float32(6), labels
    return images / np.float32(16) + np.float32(setup.offset), labels


class Norm:
    """A norm without scale and shift, on arrays (seeds, images, channels).

    axes : what shares statistics, where the channels are split as (groups, channels of a group).
    keeps : whether it has running statistics.
    """

    def __init__(self, setup: Setup, axes: tuple[int, ...], groups: int = 1, keeps: bool = False) -> None:
        self.setup, self.axes, self.groups, self.keeps = setup, axes, groups, keeps
        self.running: tuple[Floats, Floats] | None = None

    def _measure(self, x: Floats) -> tuple[Floats, Floats]:
        """The mean and the variance of each row, of the rank of x."""
        fmt = varkernels.FORMATS[self.setup.accumulator]
        shape = [1 if axis in self.axes else size for axis, size in enumerate(x.shape)]
        rows = x.transpose(*self.axes, *(axis for axis in range(4) if axis not in self.axes))
        found = varkernels.moments(fmt.rounded(rows.reshape(-1, int(np.prod(shape)), 1)), self.setup.algorithm, fmt)
        mean, variance = (each.astype(np.float32).reshape(shape) for each in (found.mean, found.variance()))
        return mean, (np.where(variance < 0, np.float32(0), variance) if self.setup.clip else variance)

    def forward(self, x: Floats, mode: str) -> Floats:
        """Normalise by the values' own statistics, or in the mode "running" by the kept ones; "train" keeps them."""
        split = x.reshape(*x.shape[:2], self.groups, -1)
        known = self.running if mode == "running" else None
        self.mean, self.variance = known or self._measure(split)
        if mode == "train" and self.keeps:
            count = split.size // self.mean.size
            new = self.mean, self.variance * np.float32(count / (count - 1))
            old = self.running or (np.zeros_like(self.mean), np.ones_like(self.mean))
            self.running = old[0] + MOMENTUM * (new[0] - old[0]), old[1] + MOMENTUM * (new[1] - old[1])
        self.scale = 1 / np.sqrt(self.variance + np.float32(EPSILON))
        self.h = (split - self.mean) * self.scale
        return self.h.reshape(x.shape)  # type: ignore[no-any-return]

    def backward(self, dy: Floats) -> Floats:
        """The gradient of the input of the last forward pass."""
        g = dy.reshape(self.h.shape)
        of_g, of_gh = (each.mean(axis=self.axes, keepdims=True) for each in (g, g * self.h))
        return (self.scale * (g - of_g - self.h * of_gh)).reshape(dy.shape)  # type: ignore[no-any-return]


class Network:
    """The MLP of each seed: its parameters lie in one array (seeds, parameters), and so do their gradients."""

    def __init__(self, setup: Setup) -> None:
        sizes = [a * b for a, b in SHAPES]
        self.values, self.gradients = np.zeros((2, len(setup.seeds), sum(sizes)), np.float32)
        self.parameters, self.slopes = (
            [part.reshape(-1, *shape) for part, shape in zip(parts, SHAPES, strict=True)]
            for parts in (np.split(all_, np.cumsum(sizes)[:-1], axis=1) for all_ in (self.values, self.gradients))
        )
        for k, seed in enumerate(setup.seeds):
            random = np.random.default_rng([1, seed])
            for weight in self.parameters[::3]:
                weight[k] = random.uniform(-1, 1, weight.shape[1:]) / np.sqrt(weight.shape[1])
        for scale in self.parameters[1:6:3]:
            scale[:] = 1
        kinds = {"batch": ((1,), 1, True), "group": ((3,), GROUPS, False), "layer": ((3,), 1, False)}
        self.norms = [None if setup.norm == "affine" else Norm(setup, *kinds[setup.norm]) for _ in range(2)]
        self.first = None if setup.offset is None else Norm(setup, (1, 2, 3), keeps=True)

    def forward(self, x: Floats, mode: str) -> Floats:
        """The logits (seeds, images, 10); mode is "train", "own" or "running", as `Norm.forward` takes it."""
        self.inputs = [x if self.first is None else self.first.forward(x, mode)]
        self.normalised: list[Floats] = []
        for k, norm in enumerate(self.norms):
            weight, scale, shift = self.parameters[3 * k : 3 * k + 3]
            z = self.inputs[k] @ weight
            self.normalised.append(z if norm is None else norm.forward(z, mode))
            self.inputs.append(np.maximum(self.normalised[k] * scale + shift, 0))
        return self.inputs[2] @ self.parameters[6] + self.parameters[7]

    def backward(self, dy: Floats) -> None:
        """The gradients of all parameters, into `gradients`, from that of the logits."""
        self.slopes[7][:] = dy.sum(axis=1, keepdims=True)
        for k in (2, 1, 0):
            self.slopes[3 * k][:] = self.inputs[k].transpose(0, 2, 1) @ dy
            if k == 0:
                return
            dy = (dy @ self.parameters[3 * k].transpose(0, 2, 1)) * (self.inputs[k] > 0)
            self.slopes[3 * k - 2][:] = (dy * self.normalised[k - 1]).sum(axis=1, keepdims=True)
            self.slopes[3 * k - 1][:] = dy.sum(axis=1, keepdims=True)
            dy = dy * self.parameters[3 * k - 2]
            norm = self.norms[k - 1]
            dy = dy if norm is None else norm.backward(dy)

    def errors(self, setup: Setup, mode: str) -> list[float]:
        """The fraction of the test images that each seed's network names wrongly; NaN counts as the digit 0."""
        x, labels = (each[TRAINED:] for each in images_of(setup))
        with np.errstate(all="ignore"):
            z = self.forward(np.broadcast_to(x, (len(self.values), *x.shape)), mode)
        return [float(each) for each in (z.argmax(axis=2) != labels).mean(axis=1)]


def train(setup: Setup) -> tuple[Network, Outcome, Floats]:
    """Train the networks of all seeds and test them; the third are the first batch norm's variances, (steps, seeds).

    Momentum 0.9, and a rate of 0.05 sqrt(batch / 32) that falls to 0 along a cosine.
    """
    x, labels = images_of(setup)
    network, steps = Network(setup), setup.images // setup.batch
    drawn = [np.random.default_rng([2, seed]).integers(0, TRAINED, (steps, setup.batch)) for seed in setup.seeds]
    velocity = np.zeros_like(network.values)
    losses, variances = np.zeros((2, steps, len(setup.seeds)))
    # The root of a variance below 0 is NaN, which is to be seen; threads cost such small products more than they save.
    with np.errstate(all="ignore"), threadpool_limits(1, "blas"):
        for step, picked in enumerate(np.stack(drawn, axis=1)):
            z = network.forward(x[picked], "train")
            p = np.exp(z - z.max(axis=2, keepdims=True))
            p /= p.sum(axis=2, keepdims=True)
            right = labels[picked][:, :, np.newaxis] == np.arange(10)
            losses[step] = -np.log((p * right).sum(axis=2)).mean(axis=1)
            network.backward((p - right) / np.float32(setup.batch))
            velocity = np.float32(0.9) * velocity + network.gradients
            rate = 0.05 * np.sqrt(setup.batch / 32) * (1 + np.cos(np.pi * step / steps)) / 2
            network.values -= np.float32(rate) * velocity
            if network.first is not None:
                variances[step] = network.first.variance.ravel()
    loss = losses[-max(1, steps // 10) :].mean(axis=0).tolist()
    return network, Outcome(loss, network.errors(setup, "running"), network.errors(setup, "own")), variances
