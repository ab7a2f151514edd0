"""Weight normalisation in the frameworks: what weights show, and what is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from varkernels.norms.weight import weight_norm_forward
from varstudy.survey import systems

SYSTEM = systems.SYSTEMS["weight"]
FOUND = {
    (row.framework, row.property): row.plain() for row in systems.rows(systems.committed()) if row.system == "weight"
}
SCORES = [row for row in systems.scores(systems.committed()) if row.system == "weight"]


def layer(axis: int, divisor: Callable[[Any], Any], g: str = "norm of v") -> dict[str, Any]:
    """What a layer answers that divides by a function of the sum of squares, in the input's format."""
    found = {}
    with np.errstate(all="ignore"):
        for name, ask in SYSTEM.asks.items():
            kept = ask.given.get("axis", axis)
            s = (ask.x * ask.x).sum(axis=1 - kept % 2, keepdims=True, dtype=ask.x.dtype)
            scale = ask.given.get("g", np.sqrt(s) if g == "norm of v" else np.ones_like(s))
            found[name] = {"y": (scale * ask.x / divisor(s)).ravel().tolist(), "g": np.ravel(scale).tolist()}
    return found


@pytest.mark.parametrize(
    ("divisor", "epsilon", "place"),
    [
        (np.sqrt, "none", "none"),
        (lambda s: np.sqrt(s + s.dtype.type(2.0**-40)), 9.095e-13, "inside the root"),
        (lambda s: np.sqrt(np.maximum(s, s.dtype.type(2.0**-40))), 9.095e-13, "floor of the sum"),
        (lambda s: np.sqrt(s) + s.dtype.type(2.0**-20), 9.537e-07, "added to the norm"),
    ],
)
def test_each_place_of_epsilon_is_inferred(divisor: Any, epsilon: Any, place: str) -> None:
    found = SYSTEM.conventions(layer(0, divisor))
    assert (found["epsilon.default"], found["epsilon.place"]) == (epsilon, place)
    assert found["zero"] == ("NaN" if place == "none" else "zeros")
    assert found["overflow"] == "zeros"
    assert found["underflow"] == ("infinite" if place == "none" else "shrunk by epsilon")


def test_axes_and_the_initial_length() -> None:
    for axis, word in ((0, "first"), (1, "last")):
        found = SYSTEM.conventions(layer(axis, np.sqrt, "1" if axis else "norm of v"))
        assert (found["axis.default"], found["axis.argument"]) == (word, "kept")
        assert found["g.initial"] == ("1" if axis else "norm of v")


def test_squares_of_a_half_format_underflow_unless_summed_in_another() -> None:
    assert SYSTEM.conventions(layer(0, np.sqrt))["half"] == "infinite"
    answers = layer(0, np.sqrt)
    x = SYSTEM.asks["half"].x
    answers["half"] = {"y": weight_norm_forward(x).w.rounded.ravel().tolist()}
    assert SYSTEM.conventions(answers)["half"] == "right"


def test_the_committed_conventions() -> None:
    frameworks = sorted({name for name, _ in FOUND})
    assert frameworks == ["equinox", "flax-linen", "flax-nnx", "nnabla", "paddle", "torch"]
    assert {name: FOUND[name, "g.initial"] for name in frameworks if FOUND[name, "g.initial"] != "norm of v"} == {
        "flax-linen": "1",
        "flax-nnx": "1",
    }
    assert {FOUND[name, "overflow"] for name in frameworks} == {"zeros"}
    assert [name for name in frameworks if FOUND[name, "zero"] == "NaN"] == ["equinox", "torch"]
    assert FOUND["flax-linen", "half.zero"] == FOUND["flax-nnx", "half.zero"] == "NaN"
    assert all(row.status == "wrong" for row in SCORES if row.input == "large")
    assert all(row.status == "right" for row in SCORES if row.input == "normal")
