"""A framework whose every convention is a parameter: what the probe asks of it, inference must give back."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels import moments
from varstudy.survey.probes import probe
from varstudy.survey.probes.layer_contract import Unsupported

Array = NDArray[Any]


@dataclass(frozen=True)
class Convention:
    """What a layer does. Names are those of the vocabulary; `weight` is the momentum argument's default.

    multiplies : "new", "old" or "no argument". refuses : arguments and methods that the framework has not.
    in_running : "before" puts epsilon in before the correction, "scaled" into the correction's divisor, too.
    moved_first : a layer that trains by its running statistics moves them first. chosen : what the adapter says that
    it had to choose.
    shifted : the outputs are worked out as x * factor + shift, in float32.
    spread : what normalises in training. Two of the laws average at first: their weight is the larger of the
    average's and the momentum's.
    noise : of the outputs, in float32 units; `lie` : relative, at random.
    """

    correction: float = 0
    running_correction: float = 1
    epsilon: float = 1e-5
    place: str = "inside the root"
    in_running: bool | str = False
    law: str = "exponential"
    weight: float = 0.1
    multiplies: str = "new"
    initial_mean: float = 0.0
    initial_var: float = 1.0
    keeps: str = "variance"
    one_value: str = "error"
    evaluation: str = "running statistics"
    statistics: str = "batch"
    moved_first: bool = False
    moves: str = "forward"
    gradient: str = "through the variance"
    algorithm: str = "exact"
    spread: str = "variance"
    half: str = "float32"
    shifted: bool = False
    refuses: tuple[str, ...] = ()
    chosen: tuple[tuple[str, str], ...] = ()
    noise: float = 0.5
    lie: float = 0.0


@dataclass
class Layer:
    """One layer, as the adapters' contract wants it."""

    kind: str
    variant: str
    channels: int
    dtype: str
    convention: Convention
    epsilon: float
    momentum: float
    groups: int | None
    arguments: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        c = self.convention
        self.random = np.random.RandomState(99)
        self.mean = np.full(self.channels, c.initial_mean, np.float32)
        self.var = np.full(self.channels, c.initial_var, np.float32)
        self.hidden = np.zeros((2, self.channels))
        self.steps, self.seen, self.scale = 0, 0, 0.0
        self.waiting: tuple[Array, Array, int] | None = None

    # --- layout: groups of values that share statistics, as the last axis of an array ---

    def split(self, x: Array) -> Array:
        if self.kind == "batch":
            return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
        if self.kind == "instance":
            return x.reshape(x.shape[0] * x.shape[1], -1)
        if self.kind == "group":
            assert self.groups is not None
            return x.reshape(x.shape[0] * self.groups, -1)
        if self.variant.startswith("channels"):
            return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
        return x.reshape(x.shape[0], -1)

    def join(self, rows: Array, shape: tuple[int, ...]) -> Array:
        if self.kind == "batch":
            return np.moveaxis(rows.reshape((shape[1], shape[0], *shape[2:])), 0, 1)
        if self.variant.startswith("channels"):
            return np.moveaxis(rows.reshape((shape[0], *shape[2:], shape[1])), -1, 1)
        return rows.reshape(shape)

    # --- arithmetic ---

    def moments_of(self, rows: Array) -> tuple[Array, Array]:
        """Mean and sum of squared deviations of each row, by the convention's algorithm."""
        c = self.convention
        if c.algorithm == "broken" and rows.shape[1] > 100:
            return rows.mean(axis=1, dtype=np.float64), np.full(len(rows), np.nan)
        if c.algorithm == "negative" and rows.shape[1] > 100 and self.dtype == "float32":
            return rows.mean(axis=1, dtype=np.float64), np.full(len(rows), -float(rows.shape[1]))
        if c.algorithm == "next mean" and rows.shape[1] > 100 and self.dtype == "float32":
            near = np.nextafter(rows.mean(axis=1, dtype=np.float64).astype(np.float32), np.float32(np.inf))
            return near.astype(np.float64), ((rows - near[:, None].astype(np.float64)) ** 2).sum(axis=1)
        if c.algorithm != "exact" and rows.shape[1] > 100 and self.dtype == "float32":
            name, _, wide = c.algorithm.partition(" in ")
            found = moments(rows.astype(np.float32)[np.newaxis], name, wide or "float32")
            m2 = np.asarray(found.m2, np.float64)
            if wide:  # the last subtraction may be rounded otherwise
                m2 += rows.shape[1] * np.spacing(np.asarray(found.mean, np.float64) ** 2)
            return np.asarray(found.mean, np.float64), np.maximum(m2, 0) if c.algorithm == "naive" else m2
        wide = rows.astype(np.float64)
        if self.dtype == "float16" and c.half == "float16" and np.abs(wide.sum(axis=1)).max() > 65504:
            return np.full(len(rows), np.inf), np.full(len(rows), np.nan)
        mean = wide.mean(axis=1) if self.kind != "rms" else np.zeros(len(rows))
        return mean, ((wide - mean[:, None]) ** 2).sum(axis=1)

    def spread_of(self, rows: Array, mean: Array, m2: Array) -> Array:
        """What stands for the variance when a batch is normalised."""
        c = self.convention
        if c.spread == "mean absolute deviation":
            return np.asarray(np.abs(rows - mean[:, None]).mean(axis=1) ** 2)
        v = m2 / (rows.shape[1] - c.correction)
        return np.asarray(v * (1 + self.epsilon)) if c.spread == "scaled variance" else v

    def divide(self, v: Any, eps: float) -> Any:
        c = self.convention
        if c.place == "inside the root":
            return np.sqrt(v + eps)
        if c.place == "added to the deviation":
            return np.sqrt(v) + eps
        floor = np.sqrt(eps) if c.place == "floor of the variance" else eps
        return np.where(np.real(np.sqrt(v)) > floor, np.sqrt(v), floor)

    def written(self, y: Array) -> Array:
        """The rounding of the outputs to the layer's format."""
        c = self.convention
        unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(self.dtype, 2.0**-24)
        y = y * (1 + unit * c.noise * self.random.uniform(-1, 1, y.shape) + c.lie * self.random.uniform(-1, 1, y.shape))
        return y.astype(np.float16).astype(np.float32) if self.dtype == "float16" else y.astype(np.float32)

    def train(self, x: Array) -> Array:
        c = self.convention
        rows = self.split(x)
        n = rows.shape[1]
        if c.moves == "next forward" and self.waiting is not None:
            self.move(*self.waiting)
        if n == 1 and c.one_value in ("error", "zeros", "identity", "NaN"):
            if c.one_value == "error":
                raise ValueError("more than one value a channel is needed\nindeed")
            if c.one_value == "identity":
                return x.astype(np.float32)
            return np.full(x.shape, 0.0 if c.one_value == "zeros" else np.nan, np.float32)
        mean, m2 = self.moments_of(rows)
        eps = self.epsilon
        if c.shifted and n > 100:
            factor = (1 / self.divide(m2 / (n - c.correction), eps)).astype(np.float32)[:, None]
            y = rows * factor - mean.astype(np.float32)[:, None] * factor
            return self.join(y, x.shape)
        v = m2 / (n - c.running_correction) + (eps if c.in_running else 0)
        if c.in_running in ("before", "scaled"):
            divisor = n - c.running_correction - (eps if c.in_running == "scaled" else 0)
            v = (m2 / n + eps) * (n / divisor)
        self.waiting = (mean, v, x.shape[0])
        if c.moves == "forward" and c.moved_first:
            self.move(*self.waiting)
        if c.statistics == "batch":
            y = (rows.astype(np.float64) - mean[:, None]) / self.divide(self.spread_of(rows, mean, m2), eps)[:, None]
        else:
            y = self.by_running(rows)
        if c.moves == "forward" and not c.moved_first:
            self.move(*self.waiting)
        return self.written(self.join(y, x.shape))

    def kept_var(self) -> Array:
        """The variance that the running statistics stand for."""
        spread = self.var.astype(np.float64) / (self.scale or 1.0)
        if self.convention.keeps == "variance":
            return spread
        return np.asarray(spread**2 if self.convention.keeps == "deviation" else spread**-2.0)

    def by_running(self, rows: Array) -> Array:
        if self.convention.evaluation == "other" and self.steps:  # a debias of statistics that are kept as they are
            share = 1 - 0.5**self.steps
            return np.asarray(
                (rows - self.mean[:, None] / share) / self.divide(self.var / share, self.epsilon)[:, None]
            )
        mean = self.mean / (self.scale or 1.0)
        eps = self.epsilon * (3.0 if self.convention.evaluation.endswith("other epsilon") else 1.0)
        return np.asarray((rows - mean[:, None].astype(np.float64)) / self.divide(self.kept_var(), eps)[:, None])

    def move(self, mean: Array, v: Array, size: int) -> None:
        c = self.convention
        if self.kind != "batch" or c.moves == "never":
            return
        v = {"variance": v, "deviation": np.sqrt(v), "inverse deviation": 1 / np.sqrt(v + 1e-30)}[c.keeps]
        self.steps += 1
        self.seen += size
        new = self.momentum if c.multiplies != "old" else 1 - self.momentum
        if c.law == "plain average":
            new = 1 / self.steps
        elif c.law == "first batch adopted" and self.steps == 1:
            new = 1.0
        elif c.law == "plain average, then exponential":
            new = max(new, 1 / self.steps)
        elif c.law.startswith("batch-size weighted"):
            new = max(new, size / self.seen) if c.law.endswith("then exponential") else size / self.seen
        batch = np.array([mean, v])
        if c.law == "zero-debiased":
            self.hidden = (1 - new) * self.hidden + new * batch
            decay = np.float32(1 - new)
            kept = self.hidden / float(np.float32(1) - decay ** np.float32(self.steps))  # in float32: it cancels
        elif c.law == "accumulated decay":
            self.scale = (1 - new) * self.scale + 1
            kept = (1 - new) * np.array([self.mean, self.var]) * (self.steps > 1) + batch
        else:
            state = np.array([self.mean, self.var], np.float64)
            kept = state + new * (batch - state) if new < 1 else batch
        self.mean, self.var = kept.astype(np.float32)

    def backward(self, x: Array, dy: Array) -> Array:
        """By complex steps through the formula: exact, and not the formula of the inference."""
        c = self.convention
        self.train(x)
        if c.moves == "backward" and self.waiting is not None:
            self.move(*self.waiting)
        rows, out = self.split(x).astype(np.float64), self.split(dy).astype(np.float64)
        n, step = rows.shape[1], 1e-200
        dx = np.zeros_like(rows)
        for i in range(n if n < 100 else 0):
            moved = rows.astype(np.complex128)
            moved[:, i] += 1j * step
            mean = moved.mean(axis=1) if self.kind != "rms" else np.zeros(len(rows))
            if c.gradient == "other":
                mean = mean.real
            source = moved if c.gradient == "through the variance" else rows.astype(np.complex128)
            about = source.mean(axis=1) if self.kind != "rms" else np.zeros(len(rows))
            v = ((source - about[:, None]) ** 2).sum(axis=1) / (n - c.correction)
            y = (moved - mean[:, None]) / self.divide(v, self.epsilon)[:, None]
            dx[:, i] = (y * out).sum(axis=1).imag / step
        return self.written(self.join(dx, x.shape))

    def evaluate(self, x: Array) -> Array:
        c = self.convention
        rows = self.split(x)
        if self.kind == "batch" and c.evaluation != "batch statistics":
            return self.written(self.join(self.by_running(rows), x.shape))
        mean, m2 = self.moments_of(rows)
        y = (rows - mean[:, None]) / self.divide(m2 / (rows.shape[1] - c.correction), self.epsilon)[:, None]
        return self.written(self.join(y, x.shape))

    def running(self) -> dict[str, Any] | None:
        c = self.convention
        if self.kind != "batch" or c.law == "none kept":
            return None
        extra = {"scale": [self.scale]} if c.law == "accumulated decay" else {}
        return {"mean": self.mean.copy(), "var": self.var.copy(), **extra}

    def set_running(self, mean: Array, var: Array) -> None:
        c = self.convention
        if c.law == "none kept" or "set_running" in c.refuses:
            raise Unsupported("statistics cannot be put in")
        with np.errstate(divide="ignore"):
            spread = {"variance": var, "deviation": np.sqrt(var), "inverse deviation": 1 / np.sqrt(var)}[c.keeps]
        self.mean, self.var = mean.astype(np.float32), spread.astype(np.float32)
        self.scale = 1.0 if c.law == "accumulated decay" else 0.0


class Updated(Layer):
    """One whose statistics move in a call of its own."""

    def update(self) -> None:
        assert self.waiting is not None
        self.move(*self.waiting)


class Framework:
    """An adapter: a module is all that the contract wants, and an object will do."""

    FRAMEWORK = "simulated"

    def __init__(self, convention: Convention, variants: dict[str, list[str]]) -> None:
        self.convention = convention
        self.VARIANTS = {kind: dict.fromkeys(names, "") for kind, names in variants.items()}

    def versions(self) -> dict[str, str]:
        return {"simulated": "1"}

    def layer(
        self,
        kind: str,
        variant: str,
        channels: int,
        dtype: str = "float32",
        epsilon: float | None = None,
        momentum: float | None = None,
        groups: int | None = None,
    ) -> Layer:
        c = self.convention
        if (epsilon is not None and "epsilon" in c.refuses) or (dtype in c.refuses):
            raise Unsupported("there is no such thing")
        if momentum is not None and c.multiplies == "no argument":
            raise Unsupported("there is no momentum argument")
        made = (Updated if c.moves == "separate call" else Layer)(
            kind,
            variant,
            channels,
            dtype,
            c,
            c.epsilon if epsilon is None else epsilon,
            c.weight if momentum is None else momentum,
            groups,
            {"momentum": c.weight},
        )
        made.chosen = dict(c.chosen)
        return made


AVERAGING = ["momentum_high", "momentum_low", "long"]
SMALL = ["order", "scales", "epsilon", "steps", "momentum", "sizes", "set_running", "one_value", "gradient", *AVERAGING]


def observe(
    convention: Convention, kind: str = "batch", variant: str = "2-D", questions: list[str] | None = None
) -> dict[str, Any]:
    """What the probe observes of a convention, without a file."""
    options = argparse.Namespace(only=None, variant=None, question=questions or SMALL, skip=[])
    said: dict[str, Any] = {"format": probe.FORMAT, "variants": []}
    probe.ask_all(Framework(convention, {kind: [variant]}), options, said, lambda: None)
    return said


def changed(convention: Convention, **parts: Any) -> Convention:
    return replace(convention, **parts)
