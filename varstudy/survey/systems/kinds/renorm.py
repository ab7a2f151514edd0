"""Batch renormalisation, y = (x - m) / s r + d with r and d clipped: conventions inferred from a few training steps.

r = s / s_ref and d = (m - m_ref) / s_ref bring the batch's mean m and deviation s to those of a reference (Ioffe 2017,
arXiv:1702.03275). Unclipped, y = (x - m_ref) / s_ref, so that two values of a channel show the reference. A reference
that follows the momentum that was given is the running statistics; another one has a momentum of its own. What is kept
is compared with the averages of variances and of deviations of two batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....study.kept_spread import DEVIATION, SIGMA, kept_shares, small_batches
from ..system import NUMBER, Answer, Ask, Script, System

__all__ = ["SYSTEM"]

_FREE = {"rmin": 0.0, "rmax": 1e9, "dmax": 1e9}
_FIXED = {"rmin": 1.0, "rmax": 1.0, "dmax": 0.0}
_HALF = {"momentum": 0.5}
CLOSE = 1e-3
BATCH, RUNNING = "batch statistics", "reference statistics"

_PROPERTIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "training": ("training normalises by default with", (BATCH, RUNNING, "other")),
    "clip.r": ("least r when only rmax is given", ("none", "1 / rmax", "other")),
    "reference": ("reference of r and d", ("own", "running statistics")),
    "reference.momentum": ("momentum of an own reference", (NUMBER,)),
    "keeps": ("kept for inference", ("average of variances", "average of deviations", "other")),
    "correction": ("correction of what is kept", (NUMBER,)),
    "epsilon.default": ("default epsilon", (NUMBER,)),
    "momentum.default": ("default momentum, of the old statistics", (NUMBER,)),
    "small": ("kept share of the variance, 200 batches of 4", (NUMBER,)),
    "small.plain": ("the same of the layer without renormalisation", (NUMBER,)),
}


def _steps(*batches: list[float]) -> Any:
    """Training steps of one channel, (steps, values, 1)."""
    return np.array(batches, np.float32)[:, :, None]


_TWO = _steps([2, 4, 12, 14], [-6, 26, -2, 22])
# What a momentum of 0.5 keeps of the variances after both steps; it starts at 1.
_AVERAGE = float(0.25 + 0.25 * _TWO[0].var() + 0.5 * _TWO[1].var())
_ASKS = {
    "first": Ask(_steps([3, 5, 9, 23])),
    "low": Ask(_steps([-0.25, 0.25, -0.25, 0.25]), {"rmax": 2.0, "dmax": 0.0, "epsilon": 2.0**-40}),
    "two": Ask(_TWO, {**_FREE, **_HALF, "epsilon": 2.0**-20}),
    "epsilon": Ask(_steps([-(2.0**-10), 2.0**-10, -(2.0**-10), 2.0**-10]), _FIXED),
    "momentum": Ask(_steps([1, 3, 1, 3])),
    "small": Ask(small_batches(), {"momentum": 0.99}),
    "small.plain": Ask(small_batches(), {"momentum": 0.99, "renorm": False}),
}


def _line(x: Any, answer: Answer) -> tuple[float, float]:
    """The divisor and the mean by which the last batch became the output: y = (x - mean) / divisor."""
    values, y = x[-1, :, 0].astype(np.float64), np.array(answer["y"])[-x.shape[1] :]
    divisor = (values[1] - values[0]) / (y[1] - y[0])
    return float(divisor), float(values[0] - divisor * y[0])


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)


def _training(answer: Answer) -> str | None:
    if "y" not in answer:
        return None
    x = _ASKS["first"].x
    divisor, mean = _line(x, answer)
    if _near(mean, float(x.mean())) and _near(divisor, float(x.std())):
        return BATCH
    return RUNNING if _near(divisor, 1) and _near(mean, 0) else "other"


def _low(answer: Answer) -> str | None:
    """The batch has the deviation 1 / 4, so that r is 1 / 4 or its limit 1 / 2, and y is 4 r x."""
    if "y" not in answer:
        return None
    return {1.0: "none", 0.5: "1 / rmax"}.get(round(_line(_ASKS["low"].x, answer)[0], 3), "other")


def _kept(answer: Answer) -> tuple[str | None, int | None]:
    if "var" not in answer:
        return None, None
    first, second = _TWO.astype(np.float64)
    for correction in (0, 1):
        a, b = float(first.var(ddof=correction)), float(second.var(ddof=correction))
        deviations = (0.25 + 0.25 * math.sqrt(a) + 0.5 * math.sqrt(b)) ** 2
        for word, expected in (("variances", 0.25 + 0.25 * a + 0.5 * b), ("deviations", deviations)):
            if _near(answer["var"][0], expected):
                return f"average of {word}", correction
    return "other", None


def _reference(answer: Answer) -> tuple[str | None, float | None]:
    if "y" not in answer:
        return None, None
    _, mean = _line(_TWO, answer)
    momentum = 1 - mean / float(_TWO[0].mean())
    return ("running statistics", None) if _near(momentum, 0.5) else ("own", float(f"{momentum:.3g}"))


def _conventions(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """The value of each property that the steps show; None where they leave it open."""
    found: dict[str, Any] = dict.fromkeys(_PROPERTIES)
    found["training"] = _training(answers["first"])
    found["clip.r"] = _low(answers["low"])
    found["reference"], found["reference.momentum"] = _reference(answers["two"])
    found["keeps"], found["correction"] = _kept(answers["two"])
    if "y" in answers["epsilon"]:
        divisor, _ = _line(_ASKS["epsilon"].x, answers["epsilon"])
        found["epsilon.default"] = float(f"{divisor**2 - 2.0**-20:.3g}")
    if "mean" in answers["momentum"]:
        found["momentum.default"] = float(f"{1 - answers['momentum']['mean'][0] / 2:.4g}")
    for name in ("small", "small.plain"):
        if "var" in answers[name]:
            found[name] = float(f"{np.mean(answers[name]['var']) / SIGMA**2:.3g}")
    return found


SYSTEM = System(
    name="renorm",
    title="Batch renormalisation",
    formula="(x - mean) / deviation x r + d",
    summary="Batch renormalisation, whose training is corrected towards running statistics",
    properties=_PROPERTIES,
    columns={"training": "by default", "clip.r": "least r", "reference": "reference", "reference.momentum": "momentum",
             "keeps": "keeps", "correction": "correction", "epsilon.default": "epsilon", "small": "share, n = 4",
             "small.plain": "without renorm"},
    narrow=("least r", "momentum", "epsilon", "correction", "without renorm"),
    asks=_ASKS,
    conventions=_conventions,
    studied=("What small batches keep of a normal variance, in the limit", kept_shares),
    raised={"clip.r": "low"},
    alarms={"keeps": (DEVIATION,)},
    scripts={"keeps": Script({}, _TWO.tolist(), {"average of variances": [_AVERAGE]})},
)  # fmt: skip
