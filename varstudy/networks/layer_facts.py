"""What a layer's inputs are, over all batches: range, condition number and the rows that tell most.

Only numbers and at most `SAMPLE` rows are kept, so that memory does not grow with the data. Means and variances are
correctly rounded float64 numbers; sums of magnitudes and squares are float64 sums, good to 1e-9, which decide nothing
closer than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.stats.functions import mean_var

from .norm_layers import NormLayer

__all__ = ["SAMPLE", "LayerFacts", "kappa_of"]

Floats = NDArray[np.float64]

# Rows of a layer that are kept and measured with every algorithm.
SAMPLE = 48
# Condition numbers that are kept, for their median.
KAPPAS = 2**20
# Values of a kept row. A longer one is measured in part, which the audit says.
LONGEST = 2**18
# Values at a time.
BLOCK = 2**20


@dataclass
class LayerFacts:
    """The facts of one layer; `update` takes an input after the other.

    Attributes
    ----------
    layer : which. calls, rows : how many inputs and rows. values : the numbers of values of a row that came.
    nonfinite : rows with a NaN or an infinity, which join nothing below; `first_nonfinite`, the call of the first.
    largest : the largest |x|. sum : the largest sum of |x| of a row. squares : of x^2. m2 : of (x - mean)^2.
    deviation : the largest |x - mean|. mean_square : the largest mean of x^2.
    variance_low, variance_high : the smallest and largest variance of a row (count - 0).
    constant : rows whose variance is 0. below : rows whose variance is below epsilon / 1000.
    peak : the largest max|x| / rms of a row: at most sqrt(n), where one value holds all.
    kappa_worst : the largest sqrt(mean(x^2) / (variance + epsilon)); NaN where no row has one.
    output : the largest |y| that was seen; NaN where outputs were not looked at.
    """

    layer: NormLayer
    calls: int = 0
    rows: int = 0
    values: set[int] = field(default_factory=set)
    nonfinite: int = 0
    first_nonfinite: int = -1
    largest: float = 0.0
    sum: float = 0.0
    squares: float = 0.0
    m2: float = 0.0
    deviation: float = 0.0
    mean_square: float = 0.0
    variance_low: float = math.inf
    variance_high: float = 0.0
    constant: int = 0
    below: int = 0
    peak: float = 0.0
    kappa_worst: float = math.nan
    output: float = math.nan
    _kappas: list[Floats] = field(default_factory=list, repr=False)
    _energy: Floats | None = field(default=None, repr=False)
    _sample: list[tuple[float, int, NDArray[Any]]] = field(default_factory=list, repr=False)

    def update(self, x: NDArray[Any]) -> None:
        """Take in one input of the layer, of any float format.

        Raises
        ------
        ValueError
            Its shape does not fit the layer.
        """
        rows = self.layer.rows(x)
        self.values.add(rows.shape[1])
        step = max(1, BLOCK // rows.shape[1])
        for start in range(0, len(rows), step):
            self._block(rows[start : start + step])
        self.calls += 1

    def answered(self, y: NDArray[Any]) -> None:
        """Take in the layer's output."""
        with np.errstate(all="ignore"):
            found = float(np.max(np.abs(y.astype(np.float64)), initial=0.0, where=np.isfinite(y.astype(np.float64))))
        self.output = found if math.isnan(self.output) else max(self.output, found)

    def _block(self, rows: NDArray[Any]) -> None:
        wide = rows.astype(np.float64)
        finite = np.asarray(np.isfinite(wide).all(axis=1))
        if not finite.all():
            if not self.nonfinite:
                self.first_nonfinite = self.calls
            self.nonfinite += int(np.count_nonzero(~finite))
            rows, wide = rows[finite], wide[finite]
        self.rows += len(finite)
        if not len(rows):
            return
        n = wide.shape[1]
        with np.errstate(all="ignore"):
            mean, variance = mean_var(wide, axis=1)
            size = np.abs(wide)
            top = size.max(axis=1)
            square = n * (variance + mean * mean)
            far = np.maximum(wide.max(axis=1) - mean, mean - wide.min(axis=1))
            kappa = kappa_of(mean, variance, self.layer.epsilon, self.layer.kind == "rms")
            rms = np.sqrt(square / n)
            peak = np.where(rms > 0, top / np.where(rms > 0, rms, 1.0), 1.0)
        self.largest = max(self.largest, float(top.max()))
        self.sum = max(self.sum, float(size.sum(axis=1).max()))
        self.squares = max(self.squares, float(square.max()))
        self.m2 = max(self.m2, float((n * variance).max()))
        self.deviation = max(self.deviation, float(far.max()))
        self.mean_square = max(self.mean_square, float((square / n).max()))
        self.variance_low = min(self.variance_low, float(variance.min()))
        self.variance_high = max(self.variance_high, float(variance.max()))
        self.constant += int(np.count_nonzero(variance == 0))
        self.below += int(np.count_nonzero((variance > 0) & (variance < self.layer.epsilon / 1000)))
        self.peak = max(self.peak, float(peak.max()))
        if not np.isnan(kappa).all():
            self.kappa_worst = float(np.nanmax([self.kappa_worst, *kappa]))
        if sum(map(len, self._kappas)) < KAPPAS:
            self._kappas.append(kappa)
        if self.layer.kind in ("layer", "rms"):
            energy = (size * size).sum(axis=0)
            same = self._energy is not None and self._energy.shape == energy.shape
            self._energy = self._energy + energy if same and self._energy is not None else energy
        self._keep(rows, kappa)

    def _keep(self, rows: NDArray[Any], kappa: Floats) -> None:
        """Keep the worst-conditioned rows, and some of the others: those whose number has the most trailing zeros."""
        worst = SAMPLE // 2
        order = np.argsort(-np.nan_to_num(kappa, nan=np.inf), kind="stable")[:worst]
        first = self.rows - len(rows)
        even = [k for k in range(len(rows)) if (first + k) % max(1, _stride(self.rows)) == 0]
        for k in dict.fromkeys([*order.tolist(), *even[: 2 * SAMPLE]]):
            self._sample.append((float(np.nan_to_num(kappa[k], nan=np.inf)), first + k, rows[k, :LONGEST].copy()))
        self._sample.sort(key=lambda each: (-each[0], each[1]))
        others = [each for each in self._sample[worst:] if each[1] % _stride(self.rows) == 0]
        self._sample = self._sample[:worst] + others[: SAMPLE - worst]

    @property
    def sample(self) -> NDArray[Any] | None:
        """The kept rows of the most frequent length, array (at most SAMPLE, n); None where no row is finite."""
        if not self._sample:
            return None
        lengths = [len(row) for _, _, row in self._sample]
        n = max(set(lengths), key=lambda each: (lengths.count(each), each))
        return np.stack([row for _, _, row in self._sample if len(row) == n])

    @property
    def kappa_median(self) -> float:
        """The median condition number, of the first 2^20 rows."""
        known = np.concatenate(self._kappas) if self._kappas else np.empty(0)
        known = known[~np.isnan(known)]
        return float(np.median(known)) if len(known) else math.nan

    @property
    def energy_share(self) -> tuple[int, float]:
        """The feature that holds most of the sum of squares, and its part of it; (-1, NaN) where features differ."""
        if self._energy is None or len(self.values) != 1 or not self._energy.sum() > 0:
            return -1, math.nan
        at = int(np.argmax(self._energy))
        return at, float(self._energy[at] / self._energy.sum())


def kappa_of(mean: Floats, variance: Floats, epsilon: float, squares: bool = False) -> Floats:
    """sqrt(mean(x^2) / (variance + epsilon)) of each row; NaN where that is 0 / 0.

    squares : of RMS norm, which divides by mean(x^2) + epsilon and has no mean to lose digits to: at most 1.
    """
    with np.errstate(all="ignore"):
        square = variance + mean * mean
        below = (square if squares else variance) + epsilon
        return np.asarray(np.sqrt(square / np.where(below > 0, below, np.nan)))


def _stride(rows: int) -> int:
    """A power of two: of so many rows, about SAMPLE numbers are its multiples."""
    return 1 << max(0, (max(rows, 1) // SAMPLE).bit_length())
