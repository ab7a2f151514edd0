"""A batch norm's running statistics: exact moments of every step, then the framework's own law.

Frameworks differ in what they divide by, in what momentum multiplies, and in how the average begins. The survey has
measured all three. Run it: python running_batch_norm.py
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

import varstudy
from varstudy.survey.findings import committed
from varstudy.survey.porting import choose, conventions

AXES = (0, 2, 3)  # of NCHW


class Running:
    """The running mean and variance that a framework keeps of its batches, in float64.

    framework : a name of the survey, such as torch, flax-linen, keras-jax or sonnet. momentum : in the framework's own
    terms; None for its default.
    """

    def __init__(self, framework: str, channels: int, momentum: float | None = None) -> None:
        known = choose(framework, conventions(committed()))
        weight = known.weight(None if momentum is None else Fraction(momentum))
        correction = known.number("correction.running")
        if known.law not in ("exponential", "zero-debiased") or weight is None or correction is None:
            raise ValueError(f"{framework} keeps its statistics in another way: varstudy frameworks {framework}")
        self.law, self.weight, self.correction = known.law, float(weight), float(correction)
        self.mean, self.variance = np.zeros(channels), np.ones(channels)
        self.share = 0.0  # of all batches so far

    def step(self, batch: varstudy.Moments) -> None:
        """Take in the moments of one batch: of all its parts together, where several ranks have it."""
        self.share += self.weight * (1 - self.share)
        w = self.weight / self.share if self.law == "zero-debiased" else self.weight
        self.mean = (1 - w) * self.mean + w * batch.mean
        self.variance = (1 - w) * self.variance + w * batch.variance(self.correction)


def batches() -> list[NDArray[np.float64]]:
    """Batches of unequal sizes, whose mean is a thousand times their standard deviation."""
    g = np.random.default_rng(0)
    return [g.normal(1000, 1, (size, 8, 5, 5)) for size in (4, 1, 3, 6)]


def main() -> None:
    layer = torch.nn.BatchNorm2d(8).double()
    ours = {name: Running(name, 8) for name in ("torch", "flax-linen", "keras-jax", "sonnet")}
    for x in batches():
        layer(torch.from_numpy(x))
        halves = [varstudy.Moments(axis=AXES).update(part) for part in (x[:, :, :2], x[:, :, 2:])]
        batch = varstudy.Moments.merged(halves)
        assert np.array_equal(batch.variance(1), varstudy.var(x, axis=AXES, correction=1))
        for running in ours.values():
            running.step(batch)
    np.testing.assert_allclose(ours["torch"].mean, layer.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours["torch"].variance, layer.running_var.numpy(), rtol=1e-9)
    for name, running in ours.items():
        print(f"{name}: mean {running.mean[0]:.4f}, variance {running.variance[0]:.6f} of channel 0")
    print("each step has the bits of the whole batch, and torch's running statistics agree")


if __name__ == "__main__":
    main()
