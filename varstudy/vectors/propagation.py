"""How far the errors of a kernel's statistics and operations move its outputs, gradients and statistics.

The names are those of docs/limits.md, which has the proof. A kernel works in an internal format of unit roundoff u, and
phi(k) = (1 + u)^k - 1. A row has n values, mean m, population variance var, R = sqrt(mean(x^2)), v = var + epsilon,
s = sqrt(v), xhat = (x - m) / s; no value takes part in more than h additions. Then

    mean:      dm = phi(h + 10) R
    variance:  dv = phi(h + 3) (2.5 var + 5 sqrt(var) R) + dm^2
    1 / s:     rho = (1 - dv / v - phi(3))^(-1/2) (1 + phi(4)) - 1
    xhat:      e = (1 + rho) (dm + phi(4) (|x| + |m|)) / s + |xhat| (rho + phi(4))
    y:         d = |w| e + phi(2) (|w| (|xhat| + e) + |b|) + phi(1) (|y| + |w| e)
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from varkernels import compose, get
from varkernels.norms.answers import ExactArray
from varkernels.norms.forward import Layer

from ..study.error_bounds import bounds, describe
from ..study.ground_truth import truth
from .limits import SLACK, Floats, Limit, stored
from .profiles import Setting

__all__ = ["ErrorsOfRows", "backward_limits", "forward_limit", "statistics_limits"]


class ErrorsOfRows:
    """The rows of a layer, and how far a kernel's statistics of them may be off; arrays that broadcast to its shape.

    Attributes
    ----------
    x, mean, r : as float64: the values, the mean (0 for RMS norm) and 1 / sqrt(v). size : R. var : the variance.
    dm, dv : absolute errors of mean and variance. rho : the relative error of r. n, h : see the module.
    """

    def __init__(self, layer: Layer, setting: Setting, epsilon: float, var: Floats | None = None) -> None:
        self.layer, self.setting, self.geometry = layer, setting, layer.geometry
        phi, eta, largest = setting.phi, setting.eta, float(setting.inside.largest)
        self.centred = self.geometry.norm != "rms"
        self.x = layer.x.astype(np.float64)
        self.n = math.prod(self.geometry.shape[a] for a in self.geometry.axes)
        self.h = setting.steps(self.n)
        self.mean = layer.rows.centre if self.centred else np.zeros(self.geometry.kept)
        self.r = layer.rows.r[0]
        v = self.r**-2.0
        self.size = np.sqrt(self.means(self.x**2)) * SLACK
        self.var = self.size**2
        if self.centred:
            self.var = np.maximum(v - epsilon, 0) + 1e-15 * v if var is None else var
        self.dm = phi(self.h + 10) * self.size + 2 * eta if self.centred else np.zeros(self.geometry.kept)
        if self.centred and setting.by_formula:
            self.dm, self.dv = self._by_formula()
        elif self.centred:
            self.dv = phi(self.h + 3) * (2.5 * self.var + 5 * np.sqrt(self.var) * self.size) + self.dm**2 + 2 * eta
        else:
            self.dv = phi(self.h + 3) * self.size**2 + 2 * eta
        fits = (self.n * self.size**2 <= largest / 4) & (self.n <= largest / 4)
        self.dv = np.where(fits, self.dv, np.inf)
        relative = self.dv / v + phi(3) + eta / v
        self.rho = np.where(relative < 1, (1 - np.minimum(relative, 1)) ** -0.5 * (1 + phi(4)) - 1, np.inf)

    def means(self, values: Floats) -> Floats:
        """Means over the values of each row."""
        found: Floats = values.mean(axis=self.geometry.axes, keepdims=True)
        return found

    def _by_formula(self) -> tuple[Floats, Floats]:
        """From the worst-case bound of a formula in an order."""
        setting, axes = self.setting, self.geometry.axes
        others = tuple(a for a in range(self.x.ndim) if a not in axes)
        table = np.ascontiguousarray(np.transpose(self.layer.x, (*others, *axes))).reshape(1, -1, self.n)
        rows = describe(truth(table), table.astype(np.float64))
        found = bounds(compose(get(setting.formula).formula, setting.order), setting.inside, rows)
        dm, dv = np.ldexp(found.mean, rows.k), np.ldexp(found.m2, 2 * rows.k) / self.n
        dv = dv.reshape(self.geometry.kept)
        return dm.reshape(self.geometry.kept), dv + setting.phi(2) * (self.var + dv) + setting.eta

    def places(self) -> tuple[Floats, Floats]:
        """xhat, and e: how far it may be off."""
        setting, phi = self.setting, self.setting.phi
        xhat = (self.x - self.mean) * self.r
        lost = phi(2) * np.abs(self.x)
        if self.centred:
            lost = self.dm + phi(4) * (np.abs(self.x) + np.abs(self.mean)) + 2 * setting.eta
        error = (1 + self.rho) * lost * self.r + np.abs(xhat) * (self.rho + phi(4))
        if setting.stage:
            error = error + setting.stage * (np.abs(xhat) + error) + float(setting.storage.smallest_subnormal)
        return xhat, error


def forward_limit(rows: ErrorsOfRows, exact: ExactArray) -> Limit:
    """Of the outputs, exact in the shape of the geometry."""
    setting, phi, layer = rows.setting, rows.setting.phi, rows.layer
    xhat, error = rows.places()
    w = 1.0 if layer.weight is None else np.abs(layer.weight)
    b = 0.0 if layer.bias is None else np.abs(layer.bias)
    product = w * (np.abs(xhat) + error)
    found = w * error + phi(2) * (product + b) + phi(1) * (np.abs(exact.high) + w * error)
    if setting.stage:
        found = found + setting.stage * product + float(setting.storage.smallest_subnormal)
    return stored(exact, found + setting.eta * (4 + np.abs(rows.x) + np.abs(rows.mean)), setting.storage)


def backward_limits(rows: ErrorsOfRows, dy: Any, exact: dict[str, ExactArray]) -> dict[str, Limit]:
    """Of dx, dweight and dbias; dy in the shape of the geometry, the exact ones in shapes of their own."""
    setting, geometry, layer = rows.setting, rows.geometry, rows.layer
    phi, stage, h = setting.phi, setting.stage, rows.h
    xhat, error = rows.places()
    dy = dy.astype(np.float64)
    g = dy if layer.weight is None else dy * layer.weight
    size, slope = np.sqrt(rows.means(g**2)), np.abs(rows.means(g * xhat))
    level: Any = 0.0
    dlevel: Any = 0.0
    reach: Any = 1.0
    near = np.abs(xhat)
    if rows.centred:
        level, dlevel = np.abs(rows.means(g)), phi(h + 2) * size
        reach = 2 * rows.size * rows.r + 1
        near = (np.abs(rows.x) + np.abs(rows.mean)) * rows.r
    dslope = phi(h + 4) * size * reach + (1 + phi(h + 4)) * size * np.sqrt(rows.means(error**2))
    inner = (phi(4) + stage) * np.abs(g) + dlevel + phi(4) * level
    inner = inner + np.abs(xhat) * dslope + (error + phi(6) * near) * (slope + dslope)
    dx = rows.r * ((1 + rows.rho) * inner + rows.rho * (np.abs(g) + level + np.abs(xhat) * slope))
    count = math.prod(geometry.shape[a] for a in geometry.shared)
    terms = (np.abs(dy) * error).sum(axis=geometry.shared)
    sizes = (np.abs(dy) * (near + np.abs(xhat))).sum(axis=geometry.shared)
    errors = {
        "dx": dx,
        "dweight": (1 + phi(count + 4)) * terms + phi(count + 4) * sizes,
        "dbias": phi(count + 1) * np.abs(dy).sum(axis=geometry.shared),
    }
    eta = 4 * setting.eta * max(1, count) * (1 + float(np.nanmax(np.abs(dy), initial=0)))
    return {
        name: stored(exact[name], found.reshape(exact[name].high.shape) + eta, setting.storage)
        for name, found in errors.items()
    }


def _exact_array(values: list[Fraction | None], shape: tuple[int, ...], setting: Setting) -> ExactArray:
    table = np.full((len(values), 2), np.nan)
    for k, value in enumerate(values):
        if value is not None:
            high = value.numerator / value.denominator
            table[k] = high, float(value - Fraction(high))
    high_, low = (np.ascontiguousarray(each).reshape(shape) for each in table.T)
    return ExactArray(setting.storage.rounded(high_), high_, low, setting.storage)


def statistics_limits(
    layer: Layer, setting: Setting, epsilon: Fraction, corrections: tuple[Fraction, ...]
) -> dict[str, Limit]:
    """Of the mean, and of the variance for each correction, by the names "mean", "variance", "variance 1".

    The layer must have a positive epsilon, so that constant rows have statistics too.
    """
    known, shape = layer.rows.known.ravel().tolist(), layer.rows.known.shape
    means = [layer.rows.mean(k) if able else None for k, able in enumerate(known)]
    variances = [layer.rows.v(k) - epsilon if able else None for k, able in enumerate(known)]
    exact = _exact_array(variances, shape, setting)
    rows = ErrorsOfRows(layer, setting, float(epsilon), exact.high * SLACK)
    phi, eta = setting.phi, setting.eta
    found = {
        "mean": stored(_exact_array(means, shape, setting), rows.dm + phi(1) * np.abs(rows.mean) + eta, setting.storage)
    }
    for c in corrections:
        name = f"variance {c}" if c else "variance"
        factor = Fraction(rows.n) / (rows.n - c) if rows.n > c else None
        exact = _exact_array([None if v is None or factor is None else v * factor for v in variances], shape, setting)
        error = (rows.dv * (1 + phi(3)) + phi(3) * rows.var) * float(factor or 1)
        found[name] = stored(exact, error + eta, setting.storage)
    return found
