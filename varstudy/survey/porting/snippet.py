"""Python code that carries a batch norm's state from one framework to another; ``snippet.py.j2`` is its frame."""

from __future__ import annotations

import re
import textwrap
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from ..findings.properties import EpsilonInRunning, EpsilonPlace, MomentumSide, RunningLaw, RunningSpread
from ..frameworks.catalogue import FRAMEWORKS
from ..frameworks.declaring import StateCode
from .convention import Convention
from .maths import PortError
from .settings import Sides, float_of

__all__ = ["write_snippet"]

# The divisor of a variance, that of a variance of 0, and the variance of a divisor.
DIVISORS: dict[str, tuple[str, str, str]] = {
    EpsilonPlace.INSIDE: ("np.sqrt(var + epsilon)", "np.sqrt(epsilon)", "np.maximum(deviation**2 - epsilon, 0)"),
    EpsilonPlace.ADDED: ("np.sqrt(var) + epsilon", "epsilon", "(deviation - epsilon) ** 2"),
    EpsilonPlace.VARIANCE_FLOOR: ("np.sqrt(np.maximum(var, epsilon))", "np.sqrt(epsilon)", "deviation**2"),
    EpsilonPlace.DEVIATION_FLOOR: ("np.maximum(np.sqrt(var), epsilon)", "epsilon", "deviation**2"),
    EpsilonPlace.NONE: ("np.sqrt(var)", "0.0", "deviation**2"),
}
# The variance of what is kept, and what is kept of a variance.
FORMS: dict[str, tuple[str, str]] = {
    RunningSpread.VARIANCE: ('state["var"]', "var"),
    RunningSpread.DEVIATION: ('state["var"] ** 2', "np.sqrt(var)"),
    RunningSpread.INVERSE: ('1 / state["var"] ** 2', "1 / np.sqrt(var)"),
}

# In a divisor n - c: c's number, and whether epsilon is added to it.
NOTHING = (Fraction(0), False)


def write_snippet(sides: Sides) -> str:
    """Write the code that carries a layer from the source to the target."""
    both = sides.source, sides.target
    source, target = (side.framework for side in both)
    reader, writer = (_state_code(side) for side in both)
    forms = [FORMS[side.form] for side in both if side.form is not None]
    if len(forms) < 2:
        raise PortError(f"{source} or {target} keeps no running variance: there is none to carry")
    inference = _for_inference(sides)
    missing = _missing(sides)
    least = max((each for each in _divisors(sides) if each is not None), default=NOTHING)
    carried = {"epsilon": float_of(sides.target_epsilon), "momentum": float_of(sides.argument)}
    if writer.momentum_needed and carried["momentum"] is None:
        raise PortError(
            f"{target}'s {writer.momentum} has no default, and {source}'s momentum is not known: give --momentum"
        )
    names = {"momentum": writer.momentum, "epsilon": writer.epsilon}
    defaults, fixed = _layout(sides, reader, writer)
    known: dict[str, Any] = {"epsilon": float_of(sides.epsilon), "momentum": float_of(sides.momentum), **defaults}
    known |= {"scale": True, "shift": True}
    training = [] if missing else _for_training(sides)
    steps = _exponential(sides)
    least_count = _sum(*least) if least > NOTHING else ""
    text = " ".join([*training, *inference.values(), least_count])
    needs = [name for name in ("epsilon", "weight") if re.search(rf"\b{name}\b", text)]
    values = {"epsilon": float_of(sides.epsilon), "weight": float_of(sides.weight)}
    return _frame().render(
        versions=dict.fromkeys(side.version or f"{side.framework} (read, not run)" for side in both),
        source=source,
        target=target,
        imports=dict.fromkeys(["import numpy as np", *reader.imports.splitlines(), *writer.imports.splitlines()]),
        defaults=", ".join(f'"{name}": {value!r}' for name, value in known.items() if value is not None),
        reader=reader,
        writer=writer,
        as_variance=forms[0][0],
        kept=forms[1][1],
        missing=missing,
        least_count=least_count,
        training=training,
        steps=steps,
        **inference,
        arguments=(", steps=None" if steps else "")
        + (", *, " + ", ".join(f"{name}={values[name]!r}" for name in needs) if needs else ""),
        converting=(", steps" if steps else "")
        + "".join(f", {name}={_in_port(name, reader, writer)}" for name in needs),
        unknown=[(part, names[part]) for part in names if carried[part] is None and _has(sides.target, part)],
        target_epsilon=_default(carried["epsilon"], sides.target.number("epsilon.default"), "epsilon"),
        target_momentum=_default(carried["momentum"], sides.target.momentum, "momentum"),
        target_axis=fixed.get("axis", writer.axes[0]),
        target_rank=fixed.get("rank", 4),
        makes=writer.makes.replace("{mode}", sides.target.variant.partition(",")[0]),
        carrying=_carrying(sides, reader, writer),
        layout=_layout_words(fixed, target),
        passing=_passing(sides, carried, fixed),
        apart={side.framework: side.apart for side in both if side.apart},
        counted=reader.cumulative and writer.cumulative,
        count=next((n for n in sides.counts if n > 1), 2),
    )


def _default(carried: float | None, own: Fraction | None, part: str) -> str:
    """The default of an argument of `make`."""
    if carried is None and own is None:
        return "None" if part == "momentum" else "0.0"
    return repr(float_of(own) if carried is None else carried)


def _layout(sides: Sides, reader: StateCode, writer: StateCode) -> tuple[dict[str, int], dict[str, int]]:
    """The layout where the layer does not tell it, and what of it the target fixes.

    A variant that was named fixes the target's rank and axis; else it gets the layer's, where it can have them.
    """
    source, target = sides.source, sides.target
    rank, axis = target.layout
    fixed = {"rank": rank, "axis": axis} if target.named else {}
    found = {name: value for name, value in fixed.items() if value is not None}
    if found.get("rank") == 2:
        found["axis"] = writer.axes[0]  # the only other one
    if len(writer.axes) == 1:
        found["axis"] = writer.axes[0]
    rank, axis = source.layout if source.named else (None, None)
    return {"axis": axis or reader.axes[0], "rank": rank or 4}, found


def _layout_words(fixed: dict[str, int], target: str) -> str:
    if "axis" not in fixed:
        return ""
    where = "last" if fixed["axis"] == -1 else "second"
    return f"{target}'s layer has the channels {where} here: give it inputs of that layout"


def _carrying(sides: Sides, reader: StateCode, writer: StateCode) -> list[str]:
    """The lines that make the weight of the new batch, and the target's momentum argument, of the layer's."""
    lines = []
    if sides.source.fixed_weight is not None:
        lines.append(f"weight = {float(sides.source.fixed_weight)!r}")
    elif sides.weight is not None:
        if reader.cumulative and not writer.cumulative:
            lines += [
                'plain = own["momentum"] == "cumulative"',
                "if plain:  # all batches weigh alike: this is the next one's weight",
                '    own["momentum"] = 1 / (own.get("batches", 0) + 1)',
            ]
        new = sides.source["momentum.multiplies"] == MomentumSide.NEW
        if reader.cumulative and writer.cumulative:
            lines.append('weight = 1.0 if own["momentum"] == "cumulative" else own["momentum"]')
        else:
            lines.append("weight = " + ('own["momentum"]' if new else 'round(1 - own["momentum"], 15)'))
    return lines


def _passing(sides: Sides, carried: dict[str, float | None], fixed: dict[str, int]) -> list[str]:
    """The arguments with which the port calls `make`."""
    lines = []
    if carried["epsilon"] is not None:
        lines.append('epsilon=own["epsilon"]')
    if carried["momentum"] is not None:
        same = sides.source["momentum.multiplies"] == sides.target["momentum.multiplies"]
        weight = "weight" if sides.target["momentum.multiplies"] == MomentumSide.NEW else "round(1 - weight, 15)"
        lines.append("momentum=" + ('own["momentum"]' if same else weight))
    lines += [f"{name}={fixed[name]!r}" if name in fixed else f'{name}=own["{name}"]' for name in ("axis", "rank")]
    return [*lines, 'scale=own["scale"]', 'shift=own["shift"]']


def _in_port(name: str, reader: StateCode, writer: StateCode) -> str:
    if name == "epsilon":
        return 'own["epsilon"]'
    # of a plain average nothing of the initial value is left
    return "1.0 if plain else weight" if reader.cumulative and not writer.cumulative else "weight"


@cache
def _frame() -> Template:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    made.filters["fill"] = lambda text: textwrap.fill(text, 100).replace("\n", "\n    ")
    return made.from_string(Path(__file__).with_suffix(".py.j2").read_text("utf-8"))


def _state_code(convention: Convention) -> StateCode:
    known = {name: each.state for name, each in FRAMEWORKS.items() if each.state}
    if convention.framework not in known:
        raise PortError(
            f"there is no code for {convention.framework}'s state: carry gamma, beta, mean and variance by hand; there "
            f"is code for {', '.join(known)}"
        )
    return known[convention.framework]


def _has(target: Convention, part: str) -> bool:
    """Whether a layer has such an argument."""
    if part == "epsilon":
        return target.place != EpsilonPlace.NONE
    return bool(target["momentum.multiplies"] != MomentumSide.NONE)


def _divisors(sides: Sides) -> tuple[tuple[Fraction, bool] | None, tuple[Fraction, bool] | None]:
    """What is in the divisors of both sides: a number, and whether epsilon is added to it; None where not known."""
    found = []
    for side in (sides.source, sides.target):
        number = side.correction(Fraction(0))
        found.append(None if number is None else (number, side.epsilon_kept == EpsilonInRunning.BOTH))
    return found[0], found[1]


def _missing(sides: Sides) -> str:
    """Why the running variance cannot become the target's; empty where it can."""
    if sides.epsilon is None and {sides.source.epsilon_kept, sides.target.epsilon_kept} != {EpsilonInRunning.NO}:
        return "epsilon was not measured, and one of the two keeps it in the variance"
    if None in _divisors(sides):
        return "which variance one of the two keeps was not measured: there is no factor to apply"
    return ""


def _for_training(sides: Sides) -> list[str]:
    """The lines that turn batches' variances into the target's."""
    if _exponential(sides):
        return _after_few_steps(sides)
    inner = _other_kept(sides, "var", "")
    return [f"var = {inner}", *_not_below_zero(sides)] if inner != "var" else []


def _not_below_zero(sides: Sides) -> list[str]:
    """A float32 number less epsilon may be a rounding below 0, where nothing but epsilon was kept."""
    if sides.source.epsilon_kept == EpsilonInRunning.NO or sides.target.epsilon_kept != EpsilonInRunning.NO:
        return []
    return ["var = np.maximum(var, 0)  # epsilon was in it, and rounded"]


def _other_kept(sides: Sides, kept: str, share: str) -> str:
    """What the target keeps, written in what the source keeps: `share` of batches' variances, "" for all of it.

    From kept = (v + p) n / (n - a) + q with p = e where epsilon is in before the correction, q = e where it is added.
    """
    a, b = (each or NOTHING for each in _divisors(sides))
    shapes = sides.source.epsilon_kept, sides.target.epsilon_kept
    if a == b and shapes[0] == shapes[1]:
        return kept
    epsilon = f"{share}epsilon"
    inner = f"({kept} - {epsilon})" if shapes[0] == EpsilonInRunning.ADDED else kept
    if a != b:
        inner = f"{inner} * ({_over(*a)} / {_over(*b)})"
    before = [shape in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) for shape in shapes]
    if before[0] != before[1]:
        inner += f" {'-' if before[0] else '+'} {epsilon}" + (f" * (n / {_over(*b)})" if b != NOTHING else "")
    return f"{inner} + {epsilon}" if shapes[1] == EpsilonInRunning.ADDED else inner


def _exponential(sides: Sides) -> bool:
    """Whether both sides keep exponential averages whose weight and start are known."""
    starts = [side.number(f"initial.{which}") for side in (sides.source, sides.target) for which in ("mean", "var")]
    same = sides.source.law == sides.target.law == RunningLaw.EXPONENTIAL
    return same and not _missing(sides) and sides.weight is not None and None not in starts


def _after_few_steps(sides: Sides) -> list[str]:
    """The running variance is a share of its initial value, and for the rest an average over batches."""
    both = sides.source, sides.target
    means, variances = ([float(side.number(f"initial.{which}") or 0) for side in both] for which in ("mean", "var"))
    assert sides.weight is not None
    mine = f"(var - {_left(variances[0])})" if variances[0] else "var"
    batches = _other_kept(sides, mine, "(1 - left) * ")
    if batches == mine and means[0] == means[1] and variances[0] == variances[1]:
        return []
    lines = [
        "left = 0.0 if steps is None else (1 - weight) ** steps  # of the initial values",
        f"var = {batches}" + (f" + {_left(variances[1])}" if variances[1] else ""),
        *_not_below_zero(sides),
    ]
    if means[0] != means[1]:
        lines.append(f'state = {{**state, "mean": state["mean"] + {_left(means[1] - means[0])}}}')
    return lines


def _left(start: float) -> str:
    return "left" if start == 1 else f"left * {start!r}"


def _over(number: Fraction, epsilon: bool) -> str:
    text = _sum(number, epsilon).replace(" + ", " - ")
    return f"(n - {text})" if text != "0" else "n"


def _sum(number: Fraction, epsilon: bool) -> str:
    """A number with epsilon, or alone."""
    parts = [_number(float(number))] if number or not epsilon else []
    return " + ".join([*parts, "epsilon"] if epsilon else parts)


def _number(value: float) -> str:
    """All its digits, but for those that a float64 only happens to have."""
    return f"{value:.15g}"


def _for_inference(sides: Sides) -> dict[str, str]:
    """What becomes of the variance so that the target divides by what the source does: nothing, unknown or moved."""
    places = sides.source.place, sides.target.place
    if places[0] is None or places[1] is None:
        return {"inference": "unknown"}
    if places[0] == places[1]:
        return {"inference": "nothing"}
    if sides.epsilon is None:
        raise PortError("the source's epsilon was not measured: give it with --epsilon")
    _, least, stored = DIVISORS[places[1]]
    return {"inference": "moved", "deviation": DIVISORS[places[0]][0], "least": least, "stored": stored}
