"""Weight normalisation, w = g v / |v|: a framework's conventions, inferred from the weights that it computes.

A diagonal of falling powers of two has the same norms along both axes. With g = 1 its square root shows the divisor
D = v / w of each value: where v is far below epsilon, D^2 is epsilon, and next to it D^2 shows whether epsilon is added
to the sum, or is its least value, or is added to the norm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from varkernels.norms.answers import ExactArray
from varkernels.norms.weight import weight_norm_forward

from ....study.norm_orders import inputs, norm_errors
from ..system import NUMBER, Answer, Ask, Scored, Script, System

__all__ = ["SYSTEM"]

# Four rows and three columns, of which no two have one norm.
_TABLE = np.array([[2.0, 3, 6], [1, 4, 8], [2, 6, 9], [0, 3, 4]], np.float32)
_STEPS = 2.0 ** -(2.0 * np.arange(32))
_BIG, _TINY = 2.0**70, 2.0**-80
CLOSE = 1e-5
RIGHT, ZEROS, NAN, OTHER = "right", "zeros", "NaN", "other"
INFINITE, SHRUNK = "infinite", "shrunk by epsilon"
INSIDE, FLOOR, ADDED, NONE = "inside the root", "floor of the sum", "added to the norm", "none"
FIRST, LAST, WHOLE = "first", "last", "none, one norm"

_PROPERTIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "axis.default": ("axis that is kept by default", (FIRST, LAST, WHOLE, "must be given")),
    "axis.argument": ("axis that the argument names", ("kept", "reduced", "no argument")),
    "g.initial": ("initial g", ("norm of v", "1", "from the first batch")),
    "epsilon.default": ("default epsilon", (NUMBER, NONE)),
    "epsilon.place": ("place of epsilon", (INSIDE, FLOOR, ADDED, NONE)),
    "zero": ("a slice of zeros becomes", (ZEROS, NAN, OTHER)),
    "overflow": ("float32 values of 2^70, whose squares overflow", (RIGHT, INFINITE, ZEROS, SHRUNK, NAN, OTHER)),
    "underflow": ("float32 values of 2^-80, whose squares round to 0", (RIGHT, INFINITE, ZEROS, SHRUNK, NAN, OTHER)),
    "half": (
        "float16 values of 2^-13, whose squares round to 0",
        (RIGHT, INFINITE, ZEROS, SHRUNK, NAN, OTHER),
    ),
    "half.zero": ("a slice of zeros in float16 becomes", (ZEROS, NAN, OTHER)),
}


def _pair(value: float, dtype: Any = np.float32) -> Any:
    """A square of four values, next to one of ones, so that both axes have both."""
    return np.array([[value, value, 0, 0], [value, -value, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1]], dtype)


_ASKS = {
    "initial": Ask(_TABLE),
    "ones": Ask(_TABLE, {"g": 1.0}),
    "axis 1": Ask(_TABLE, {"g": 1.0, "axis": 1}),
    "steps": Ask(np.diag(_STEPS).astype(np.float32), {"g": 1.0}),
    "zero": Ask(_pair(0.0), {"g": 1.0}),
    "overflow": Ask(_pair(_BIG), {"g": 1.0}),
    "underflow": Ask(_pair(_TINY), {"g": 1.0}),
    "half": Ask(_pair(2.0**-13, np.float16), {"g": 1.0}),
    "half.zero": Ask(_pair(0.0, np.float16), {"g": 1.0}),
}


def _kept(answer: Answer) -> str | None:
    """Along which axis the weights of `_TABLE` have the length 1."""
    if "y" not in answer:
        return None
    w = np.array(answer["y"]).reshape(_TABLE.shape)
    squares = w * w
    for word, sums in ((FIRST, squares.sum(axis=1)), (LAST, squares.sum(axis=0)), (WHOLE, squares.sum())):
        if np.allclose(sums, 1, rtol=CLOSE, atol=0):
            return word
    return None


def _argument(default: str | None, answer: Answer) -> str | None:
    found = _kept(answer)
    return {FIRST: "reduced", LAST: "kept"}.get(found or "") if "y" in answer and default is not None else None


def _initial(answer: Answer, kept: str | None) -> str | None:
    if "g" not in answer or kept is None:
        return None
    g = np.array(answer["g"])
    axis = {FIRST: 1, LAST: 0, WHOLE: None}[kept]
    norms = np.ravel(np.sqrt((_TABLE.astype(np.float64) ** 2).sum(axis=axis)))
    if g.shape == norms.shape and np.allclose(g, norms, rtol=CLOSE, atol=0):
        return "norm of v"
    return "1" if (g == 1).all() else None


def _epsilon(answer: Answer) -> tuple[float | str | None, str | None]:
    if "y" not in answer:
        return None, None
    with np.errstate(all="ignore"):
        divisors = _STEPS / np.diagonal(np.array(answer["y"]).reshape(len(_STEPS), -1))
    sums, squares = _STEPS**2, divisors**2
    usable = np.isfinite(squares)
    if np.allclose(squares[usable], sums[usable], rtol=CLOSE, atol=0):
        return NONE, NONE
    last = float(squares[usable][-1])
    for place, epsilon, expected in (
        (INSIDE, last, sums + last),
        (FLOOR, last, np.maximum(sums, last)),
        (ADDED, math.sqrt(last), (_STEPS + math.sqrt(last)) ** 2),
    ):
        if np.allclose(squares[usable], expected[usable], rtol=1e-4, atol=0):
            return float(f"{epsilon:.4g}"), place
    return None, None


def _outcome(answer: Answer, *, zeros: bool) -> str | None:
    """What became of the first two rows of `_pair`."""
    if "y" not in answer:
        return None
    w = np.array(answer["y"]).reshape(4, 4)[:2, :2]
    size = 0.0 if zeros else math.sqrt(0.5)
    if np.allclose(np.abs(w), size, rtol=1e-3, atol=0):
        return ZEROS if zeros else RIGHT
    if np.isnan(w).any():
        return NAN
    if np.isinf(w).any():
        return INFINITE if not zeros else OTHER
    if zeros or (np.abs(w) >= size).any():
        return OTHER
    return SHRUNK if w.any() else ZEROS


def _conventions(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """The value of each property that the weights show; None where they leave it open.

    Examples
    --------
    >>> from varkernels.norms.weight import weight_norm_forward
    >>> from varstudy.survey.systems import SYSTEMS
    >>> def weight(v, given):
    ...     w = weight_norm_forward(v, given.get("g", 1), axis=given.get("axis", -1), epsilon=2.0**-40).w
    ...     return {"y": w.rounded.ravel()}
    >>> answers = {name: weight(ask.x, ask.given) for name, ask in SYSTEMS["weight"].asks.items()}
    >>> found = SYSTEMS["weight"].conventions(answers)
    >>> found["axis.default"], found["epsilon.default"], found["epsilon.place"], found["zero"]
    ('last', 9.095e-13, 'inside the root', 'zeros')
    """
    kept = _kept(answers["ones"])
    epsilon, place = _epsilon(answers["steps"])
    return {
        "axis.default": kept,
        "axis.argument": _argument(kept, answers["axis 1"]),
        "g.initial": _initial(answers["initial"], kept),
        "epsilon.default": epsilon,
        "epsilon.place": place,
        "zero": _outcome(answers["zero"], zeros=True),
        "overflow": _outcome(answers["overflow"], zeros=False),
        "underflow": _outcome(answers["underflow"], zeros=False),
        "half": _outcome(answers["half"], zeros=False),
        "half.zero": _outcome(answers["half.zero"], zeros=True),
    }


def _exact(x: Any, found: Mapping[str, Any]) -> ExactArray | None:
    kept, place = found["axis.default"], found["epsilon.place"]
    if kept is None or place is None or place == ADDED:
        return None
    epsilon = 0 if place == NONE else float(np.float32(found["epsilon.default"]))
    axis = {FIRST: 0, LAST: -1, WHOLE: None}[kept]
    return weight_norm_forward(x, axis=axis, epsilon=epsilon, floor=place == FLOOR).w


def _scored() -> list[Scored]:
    """The study's rows as slices of the kept axis: as they are, and transposed for frameworks that keep the last."""
    found: list[Scored] = []
    for name, rows in inputs().items():
        for axis, x in ((FIRST, rows), (LAST, np.ascontiguousarray(rows.T))):

            def exact(conventions: Mapping[str, Any], x: Any = x, axis: str = axis) -> ExactArray | None:
                return _exact(x, conventions) if conventions["axis.default"] == axis else None

            found.append(Scored(name, "g = 1", Ask(x, {"g": 1.0}), exact))
    return found


def _lines(values: Sequence[float], right: str, outputs: Sequence[float]) -> Script:
    return Script({}, [list(values)], {right: list(outputs)})


SYSTEM = System(
    name="weight",
    title="Weight normalisation",
    formula="g v / |v|",
    summary="Weight normalisation, by the root of a sum of squares of weights",
    properties=_PROPERTIES,
    columns={"axis.default": "axis kept", "g.initial": "initial g", "epsilon.default": "epsilon",
             "epsilon.place": "its place", "zero": "zeros", "overflow": "2^70", "underflow": "2^-80",
             "half": "2^-13, float16", "axis.argument": "axis named"},
    narrow=("axis named", "its place", "2^-13, float16", "2^70"),
    asks=_ASKS,
    conventions=_conventions,
    scored=_scored,
    studied=("The norm in four orders, on rows of five kinds", norm_errors),
    raised={"axis.argument": "axis 1"},
    alarms=dict.fromkeys(("overflow", "underflow", "half"), (NAN, ZEROS, OTHER, INFINITE))
    | {"zero": (NAN, OTHER), "half.zero": (NAN, OTHER)},
    scripts={
        "zero": _lines([0.0, 0.0], ZEROS, [0.0, 0.0]),
        "overflow": _lines([3e30, 4e30], RIGHT, [0.6, 0.8]),
        "underflow": _lines([3e-30, 4e-30], RIGHT, [0.6, 0.8]),
    },
)  # fmt: skip
