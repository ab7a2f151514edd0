"""The pairs of frameworks that ports are executed for, and the code of their plans."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from port_drivers import CORE, DRIVERS, Driver
from port_findings import real

from varstudy.survey.findings import measured
from varstudy.survey.porting import PortPlan, port

U = 2.0**-24
# Roundings of an evaluation: the root, its inverse, and up to six products and sums.
ROUNDINGS = 8
CHANNELS, SAMPLES = 4, 2  # 1 x 1 pixels: two values a channel
PAIRS = [
    (a, b) for a in DRIVERS for b in DRIVERS if a != b and ((a in CORE and b in CORE) or {a, b} & {"torch", "flax-nnx"})
]


@cache
def findings() -> dict[str, list[measured.FindingRow]]:
    """The findings on batch norm of each framework."""
    found: dict[str, list[measured.FindingRow]] = {}
    for row in measured.committed() or real():
        if row.kind == "batch":
            found.setdefault(row.framework, []).append(row)
    return found


@cache
def plan_of(a: str, b: str, **settings: Any) -> PortPlan:
    rows = [row for name in dict.fromkeys((a, b)) for row in findings()[name]]
    return port(a, b, values_per_channel=SAMPLES, rows=rows, **settings)


def known() -> set[str]:
    return set(findings())


def code_of(plan: PortPlan) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(plan.snippet(), "snippet", "exec"), names)
    return names


@cache
def own(name: str) -> dict[str, Any]:
    """Code that reads and writes a framework's layers; what `make` gives does not matter."""
    return code_of(plan_of(name, name, momentum=0.5))


def with_weights(driver: Driver, code: dict[str, Any], layer: Any) -> Any:
    """The layer with a scale and a shift that are not 1 and 0; its statistics stay."""
    state = {**code["read"](layer), "gamma": np.float64([1.5, -0.5, 2.0, 0.75]), "beta": np.float64([0.5, -1, 0, 2])}
    return code["write"](layer, state)


def slack(state: dict[str, Any], x: Any, epsilon: float) -> Any:
    """What two evaluations of the same state may differ by: each a few roundings of terms of these sizes."""
    shape = (1, -1, 1, 1)
    slope = np.abs(state["gamma"] / np.sqrt(state["var"] + epsilon)).reshape(shape)
    terms = (np.abs(np.float64(x)) + np.abs(state["mean"].reshape(shape))) * slope + np.abs(
        state["beta"].reshape(shape)
    )
    return 2 * ROUNDINGS * U * terms
