"""The adversarial families: named generators, with a parameter for the condition number where they have one.

A maker fills `rows` rows of `length` values; ``families.json`` and ``museum.json`` name the makers of their cases.
Notation: p is the precision of the storage format, u = 2^-p its unit roundoff, kappa = sqrt(sum x^2 / S) with S the sum
of squared deviations: the condition number of the variance (Chan, Golub and LeVeque 1983,
doi:10.1080/00031305.1983.10483115).

float16 has so little range that sums of a few thousand ordinary values overflow. Where a family is about
rounding, its float16 data are scaled by a power of two so that they stay below 8, which changes no rounding.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from varkernels.formats import FORMATS
from varkernels.storages import WIDE

from .case import DEFAULT, FULL, Array, Case
from .case_list import listed_case, read_list
from .storing import fill, generator, indices, store
from .streams import Floats, Stream

__all__ = [
    "biased_rounding",
    "cases",
    "constant",
    "exact",
    "exact_kappa",
    "nonfinite",
    "normal",
    "offset",
    "offset_reach",
    "ramp",
    "sawtooth",
    "spike",
    "spike_height",
    "stagnation",
    "step",
    "two_pieces",
    "uniform",
    "values",
]

# ---------------------------------------------------------------------------------------------- plain samples


def values(storage: str, stream: Stream, rows: int, length: int, *, numbers: tuple[float, ...]) -> Array:
    """The same few numbers in every row."""
    return store(np.tile(np.array(numbers, np.float64), (rows, 1)), storage)


def constant(storage: str, stream: Stream, rows: int, length: int, *, number: float) -> Array:
    """x = c: S = 0 exactly, kappa infinite."""
    one = store(np.array(number, np.float64), storage)
    return np.full((rows, length), one, FORMATS[storage].dtype)


def normal(storage: str, stream: Stream, rows: int, length: int, *, mean: float = 0.0, sigma: float = 1.0) -> Array:
    """mean + sigma z, z of N(0, 1): kappa is close to sqrt(1 + mean^2 / sigma^2)."""
    sample = fill(storage, 1, rows * length, lambda _, a, b: mean + sigma * stream.normal(b - a))
    return sample.reshape(rows, length)


def uniform(storage: str, stream: Stream, rows: int, length: int, *, low: float = 0.0, width: float = 1.0) -> Array:
    """low + width u, u of U[0, 1)."""
    sample = fill(storage, 1, rows * length, lambda _, a, b: low + width * stream.uniform(b - a))
    return sample.reshape(rows, length)


# --------------------------------------------------------------------------------- condition number on demand


def offset_reach(storage: str, length: int) -> float:
    """The largest condition number that `offset` can make: one value is one ulp off all the others."""
    return (2.0 ** FORMATS[storage].precision - 2.0) * length / math.sqrt(length - 1)


def offset(storage: str, stream: Stream, rows: int, length: int, *, kappa: float) -> Array:
    """M + sigma z with sqrt(1 + M^2 / sigma^2) = kappa, from kappa = 1 to `offset_reach`, beyond 1/u.

    Each row has a scale of its own in [1, 2), so that no row sits at the same place of its binade. Where
    sigma would fall below about two ulps of M, rounding would change the variance; from there on the values
    are drawn on the storage's lattice: M plus whole ulps of variance (M/kappa)^2, by rounding a normal sample
    whose variance allows for the rounding (Sheppard's correction, 1/12), or, once that is below a quarter, M
    and M + 1 ulp in exact proportion at random places.

    Raises
    ------
    ValueError
        kappa is below 1 or beyond the reach of the storage format and the length.
    """
    p = FORMATS[storage].precision
    if not 1 <= kappa <= offset_reach(storage, length):
        raise ValueError(f"kappa={kappa:g} cannot be made in {storage} with {length} values a row")
    if kappa <= 2.0 ** (p - 2):
        ratio = math.sqrt(kappa * kappa - 1.0)
        scale = _float16_scale(storage, 2.0 * ratio)
        return fill(
            storage,
            rows,
            length,
            lambda r, a, b: (1.0 + r / rows) * (ratio + stream.normal(b - a)) * scale,
        )
    ulp = _float16_scale(storage, 2.0**p)
    out = np.empty((rows, length), FORMATS[storage].dtype)
    for row in range(rows):
        out[row] = store(_lattice_row(stream, length, kappa, p, row / (2 * rows)) * ulp, storage)
    return out


def _lattice_row(stream: Stream, length: int, kappa: float, p: int, place: float) -> Floats:
    """Integers of [2^(p-1), 2^p) of condition number kappa; `place` in [0, 1/2) says where in the binade."""
    centre = math.floor(2.0 ** (p - 1) * (1.0 + place))
    variance = (centre / kappa) ** 2
    if variance >= 0.25:
        return centre + np.rint(math.sqrt(variance - 1.0 / 12.0) * stream.normal(length))
    # k of N values one ulp up: S = k (N - k) / N, and the centre is moved to give kappa exactly.
    k = max(1, round(length * (1.0 - math.sqrt(1.0 - 4.0 * variance)) / 2.0))

    def centre_of(k: int) -> float:
        return float(np.rint(kappa * math.sqrt(k * (length - k)) / length))

    while k > 1 and centre_of(k) > 2.0**p - 2.0:
        k -= 1
    while centre_of(k) < 2.0 ** (p - 1) and centre_of(k + 1) <= 2.0**p - 2.0:
        k += 1
    x = np.full(length, centre_of(k))
    x[stream.permutation(length)[:k]] += 1.0
    return x


def _float16_scale(storage: str, largest: float) -> float:
    """A power of two that brings float16 values below 8; 1 for the other formats."""
    if storage != "float16":
        return 1.0
    return 2.0 ** -max(0, math.frexp(largest)[1] - 3)


def exact_kappa(kappa: float) -> float:
    """The condition number that `exact` makes when asked for kappa: sqrt(1 + M^2), M the nearest integer."""
    return math.sqrt(1.0 + round(math.sqrt(kappa * kappa - 1.0)) ** 2)


def exact(storage: str, stream: Stream, rows: int, length: int, *, kappa: float) -> Array:
    """M d + d and M d - d, equally often, in random order: S = N d^2 and kappa = sqrt(1 + M^2) exactly.

    M is an integer and row r has d = 2 r + 1 where that fits the format, else 1: no oracle is needed to know
    the answer.

    Raises
    ------
    ValueError
        The length is odd, or (M + 1) does not fit the storage format.
    """
    p = FORMATS[storage].precision
    m = round(math.sqrt(kappa * kappa - 1.0))
    if length % 2 or m + 1 > 2**p:
        raise ValueError(f"kappa={kappa:g} with {length} values a row cannot be made exactly in {storage}")
    out = np.empty((rows, length), FORMATS[storage].dtype)
    for row in range(rows):
        d = 2 * row + 1 if (m + 1) * (2 * row + 1) <= 2**p else 1
        signs = np.where(stream.permutation(length) % 2, 1.0, -1.0)
        out[row] = store((m + signs) * d * _float16_scale(storage, (m + 1.0) * d), storage)
    return out


# ----------------------------------------------------------------------------------------- order and rounding


def ulp_lattice(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """M and the next number of the format, alternating: S = N/4 ulps squared, 2^p <= kappa <= 2^(p+1)."""
    p = FORMATS[storage].precision
    ulp = _float16_scale(storage, 2.0**p)

    def block(row: int, start: int, stop: int) -> Floats:
        m = 2.0 ** (p - 1) + 2.0 * math.floor(2.0 ** (p - 3) * row / rows) + 1.0
        return (m + indices(start, stop) % 2.0) * ulp

    return fill(storage, rows, length, block)


def ramp(storage: str, stream: Stream, rows: int, length: int, *, start: float, step: float) -> Array:
    """start + i step: a slow drift, sigma = N step / sqrt(12)."""
    return fill(storage, rows, length, lambda _, a, b: start + step * indices(a, b))


def sawtooth(storage: str, stream: Stream, rows: int, length: int, *, start: float, period: int) -> Array:
    """start + (i mod period) / period: a drift of range 1 that starts again and again."""
    return fill(storage, rows, length, lambda _, a, b: start + (indices(a, b) % period) / period)


def step(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """M = 2^(p-4) in the first half, M + 1 in the second: S = N/4, kappa close to 2^(p-3)."""
    m = 2.0 ** (FORMATS[storage].precision - 4)
    return fill(storage, rows, length, lambda _, a, b: np.where(indices(a, b) < length // 2, m, m + 1.0))


def spike_height(storage: str) -> float:
    """The power of two whose square has an ulp of at least 4, so that adding 1 to it changes nothing."""
    return 2.0 ** math.ceil((FORMATS[storage].precision + 2) / 2)


def spike(storage: str, stream: Stream, rows: int, length: int, *, height: float | None, at: int, noise: str) -> Array:
    """One value of the given height (None: `spike_height`) at index `at`, the rest noise: normal or signs."""
    top = spike_height(storage) if height is None else height
    draw = stream.normal if noise == "normal" else stream.signs
    rest = fill(storage, rows, length, lambda _, a, b: draw(b - a))
    rest[:, at] = store(np.array(top), storage)
    return rest


def biased_rounding(storage: str, stream: Stream, rows: int, length: int, *, kappa: float) -> Array:
    """0.1 (1 +- 1 / kappa): a running sum of values near 0.1 rounds the same way for long stretches."""
    return fill(storage, rows, length, lambda _, a, b: 0.1 * (1.0 + stream.signs(b - a) / kappa))


def alternating_sign(storage: str, stream: Stream, rows: int, length: int, *, height: float) -> Array:
    """+height + z, -height + z, alternating: the mean is near 0 and kappa near 1."""
    return fill(
        storage,
        rows,
        length,
        lambda _, a, b: height * (1.0 - 2.0 * (indices(a, b) % 2.0)) + stream.normal(b - a),
    )


def bright_image(storage: str, stream: Stream, rows: int, length: int, *, low: int = 250, levels: int = 6) -> Array:
    """Integers of low .. low + levels - 1: kappa^2 = 1 + 12 mean^2 / (levels^2 - 1), 148^2 for 250 .. 255."""
    return fill(storage, rows, length, lambda _, a, b: low + stream.below(b - a, levels))


def stagnation(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """0, 1, 0, 1 ...: kappa = sqrt(2), and a running sum stops growing at 2^p."""
    return fill(storage, rows, length, lambda _, a, b: indices(a, b) % 2.0)


def two_pieces(
    storage: str,
    stream: Stream,
    rows: int,
    length: int,
    *,
    first: int,
    means: tuple[float, float],
    sigmas: tuple[float, float] = (1.0, 1.0),
) -> Array:
    """`first` values round one mean, the rest round another: parts of different counts, to be merged."""

    def block(row: int, start: int, stop: int) -> Floats:
        z = stream.normal(stop - start)
        head = indices(start, stop) < first
        return np.where(head, means[0] + sigmas[0] * z, means[1] + sigmas[1] * z)

    return fill(storage, rows, length, block)


# ------------------------------------------------------------------------------------------ range of a format


def near_overflow(storage: str, stream: Stream, rows: int, length: int, *, what: str) -> Array:
    """Values whose ``squares``, or whose ``spread`` N sigma^2 at N = 4096, overflow the storage format."""
    half = (FORMATS[storage].emax + 1) // 2  # 2^(2 half) is the first power of two that overflows
    if what == "squares":
        m = 1.2 * 2.0**half
        return normal(storage, stream, rows, length, mean=m, sigma=m / 64.0)
    return normal(storage, stream, rows, length, sigma=2.0 ** (half - 5))


def near_underflow(storage: str, stream: Stream, rows: int, length: int, *, what: str) -> Array:
    """Values whose squares are ``subnormal`` in the storage format, or round to ``zero``."""
    fmt = FORMATS[storage]
    exponent = fmt.emin // 2 - 2 if what == "subnormal" else (fmt.emin - fmt.precision + 1) // 2 - 3
    return normal(storage, stream, rows, length, sigma=2.0**exponent)


def nonfinite(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """Row 1 of 4 holds two NaN, row 2 one +inf, row 3 one +inf and one -inf; row 0 is clean."""
    x = normal(storage, stream, rows, length)
    x[1::4, 3] = x[1::4, length // 2] = np.nan
    x[2::4, 5] = np.inf
    x[3::4, 7], x[3::4, length - 1] = np.inf, -np.inf
    return x


# -------------------------------------------------------------------------------------------------- the cases

KAMAT_NANDI = "Kamat and Nandi (2015), arXiv:1509.04349"


def _kamat_nandi(
    label: str, about: str, shape: tuple[int, int], shift: float, storages: tuple[str, ...], levels: frozenset[str]
) -> Case:
    """A published experiment: shifted uniform values, in runs or in one row."""
    norm = "layer" if shape[0] > 1 else "flat"
    return Case(
        name=f"kamat-nandi/{label}",
        family="kamat-nandi",
        group="families",
        shape=shape,
        layout="NC",
        norms=(norm,),
        storages=storages,
        rationale=f"A published experiment repeated: {about}",
        source=KAMAT_NANDI,
        levels=levels,
        kappa_requested=math.sqrt(1.0 + 12.0 * (shift + 0.5) ** 2),
        population_variance=1.0 / 12.0,
        generate=generator(partial(uniform, low=shift), norm, shape, "NC"),
    )


def _shifted(k: int) -> Case:
    about = (
        f"100 runs of 10,000 uniform values shifted by 10^{k}, where one-pass formulas lose two digits for each digit"
    )
    storages, levels = WIDE if k <= 5 else ("float64",), DEFAULT if k in (5, 10) else FULL
    return _kamat_nandi(f"shift=1e{k:02d}", f"{about} of the shift.", (100, 10_000), float(f"1e{k}"), storages, levels)


def _grown(k: int) -> Case:
    about = f"10^{k} uniform values shifted by 10^5, whose error grows with their number."
    return _kamat_nandi(f"N=1e{k:02d}", about, (1, 10**k), 1e5, WIDE, FULL)


def cases() -> tuple[Case, ...]:
    """The cases of the group ``families``, in a fixed order: those of ``families.json``, then an experiment."""
    listed = (listed_case(globals(), group="families", **entry) for entry in read_list("families")["cases"])
    return (*listed, *map(_shifted, range(1, 16)), *map(_grown, range(1, 9)))
