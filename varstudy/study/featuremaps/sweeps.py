"""The sweeps: error against condition number, against number of values, and against Bessel's correction."""

from __future__ import annotations

from functools import partial

from varkernels.storages import STORAGES, WIDE

from .case import DEFAULT, FULL, QUICK, Case
from .families import exact, exact_kappa, normal, offset, stagnation
from .storing import generator

__all__ = ["BESSEL_COUNTS", "GROWTH_EXPONENTS", "KAPPAS", "bessel", "growth", "kappa_sweep"]

CGL = "Chan, Golub and LeVeque (1983), doi:10.1080/00031305.1983.10483115"
SWEEP_MAP = (16, 8, 16, 16)  # 8 channels of 4096 values

# Where each storage leaves the sweep: past 1/u and within reach of 4096 values a row.
LIMITS = {"bfloat16": 3.2e3, "float16": 3.2e4, "float32": 1e9, "float64": 1e17}

KAPPAS = (
    *(float(f"{m}e{k}") for k in range(8) for m in ("1", "3.16")),
    *(float(f"1e{k}") for k in (8, 9, 10, 12, 14, 15, 16, 17)),
)
EXACT_KAPPAS = {
    1.0: STORAGES,
    1e2: STORAGES,
    1e3: ("float16", "float32", "float64"),
    1e7: ("float32", "float64"),
    1e11: ("float64",),
    1e15: ("float64",),
}
GROWTH_EXPONENTS = (1, 3, 5, 8, 11, 14, 17, 20, 22, 24)
BESSEL_COUNTS = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 512, 2048)


def _label(kappa: float) -> str:
    mantissa, exponent = f"{kappa:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent):+03d}"


def kappa_sweep() -> tuple[Case, ...]:
    """kappa from 1 to past 1/u of each storage: the offset family, and one known in closed form."""
    offsets = (
        Case(
            name=f"offset/kappa={_label(kappa)}",
            family="offset",
            group="kappa-sweep",
            shape=SWEEP_MAP,
            layout="NCHW",
            norms=("batch",),
            storages=tuple(s for s in STORAGES if kappa <= LIMITS[s]),
            rationale=f"Normal values whose mean is {kappa:g} times their spread: the error of each formula "
            "against the condition number, next to its theory line.",
            source=CGL,
            levels=QUICK if kappa in (1e2, 1e4, 1e6) else DEFAULT,
            kappa_requested=kappa,
            generate=generator(partial(offset, kappa=kappa), "batch", SWEEP_MAP, "NCHW"),
        )
        for kappa in KAPPAS
    )
    exacts = (
        Case(
            name=f"exact/kappa={_label(kappa)}",
            family="exact",
            group="kappa-sweep",
            shape=SWEEP_MAP,
            layout="NCHW",
            norms=("batch",),
            storages=storages,
            rationale="Two values at equal distance from an integer mean: variance and condition number "
            "are known in closed form, so that the oracle itself is checked.",
            levels=QUICK if kappa == 1e3 else DEFAULT,
            kappa_requested=exact_kappa(kappa),
            generate=generator(partial(exact, kappa=kappa), "batch", SWEEP_MAP, "NCHW"),
        )
        for kappa, storages in EXACT_KAPPAS.items()
    )
    return (*offsets, *exacts)


def _growth(
    family: str, k: int, levels: frozenset[str], storages: tuple[str, ...], rationale: str, mean: float, variance: float
) -> Case:
    still = family == "stagnation"
    return Case(
        name=f"growth/{family}/N=2^{k:02d}",
        family=family,
        group="growth",
        shape=(1, 1 << k),
        layout="NC",
        norms=("flat",),
        storages=storages,
        rationale=f"2^{k} {rationale}",
        levels=levels,
        kappa_requested=(1.0 + mean**2 / variance) ** 0.5,
        population_variance=None if still else variance,
        generate=generator(stagnation if still else partial(normal, mean=mean), "flat", (1, 1 << k), "NC"),
    )


def growth() -> tuple[Case, ...]:
    """N from 2 to 2^24, to 2^30 in the level full: a benign family, an offset one, and one that stagnates."""
    made: list[Case] = []
    for k in (*GROWTH_EXPONENTS, 26, 28, 30):
        levels = FULL if k > 24 else QUICK if k == 14 else DEFAULT
        storages = ("float16", "bfloat16", "float32") if k <= 17 else ("float32",)
        why = "centred normal values: how the error grows with N where nothing but N is hard."
        made.append(_growth("normal", k, levels, storages, why, 0.0, 1.0))
    for k in (22, 24, 25, 26):
        why = "centred normal values in a narrow format: which orders keep its digits with a float32 accumulator."
        made.append(_growth("narrow", k, FULL, ("float16", "bfloat16"), why, 0.0, 1.0))
    for k in (*GROWTH_EXPONENTS, 26, 28, 30):
        levels = FULL if k > 24 else QUICK if k in (8, 14) else DEFAULT
        why = "values of spread 1 round 1000: how the error grows with N where the mean is large."
        made.append(_growth("offset", k, levels, WIDE if k <= 20 else ("float32",), why, 1000.0, 1.0))
    for k in (5, 8, 11, 14, 17, 20, 22, 24, 25, 26, 28):
        levels = FULL if k > 20 else QUICK if k == 14 else DEFAULT
        wide = ("float32",) if k >= 24 else ()
        why = (
            "values 0, 1, 0, 1 ...: a running sum stops growing at 2^8 in bfloat16, 2^11 in float16 and 2^24 in "
            "float32."
        )
        made.append(_growth("stagnation", k, levels, ("float16", "bfloat16", *wide), why, 0.5, 0.25))
    return tuple(made)


def bessel() -> tuple[Case, ...]:
    """Few values a channel, many channels: sampling error, correction and rounding error on one axis."""
    return tuple(
        Case(
            name=f"bessel/n={n:04d}",
            family="bessel",
            group="bessel",
            shape=(n, 512),
            layout="NC",
            norms=("batch",),
            storages=("float32",),
            rationale=f"{n} standard normal values a channel: without Bessel's correction the variance is "
            f"low by 1/{n} on average, apart from a sampling error and a rounding error of their own sizes.",
            levels=QUICK if n in (2, 32) else DEFAULT,
            kappa_requested=None,
            population_variance=1.0,
            corrections=(0.0, 1.0),
            generate=generator(normal, "batch", (n, 512), "NC"),
        )
        for n in BESSEL_COUNTS
    )
