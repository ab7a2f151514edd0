"""Python code that carries a batch norm's state from one framework to another; ``snippet.py.j2`` is its frame."""

from __future__ import annotations

import textwrap
from fractions import Fraction
from functools import cache
from pathlib import Path

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
    EpsilonPlace.INSIDE: ("np.sqrt(var + {e})", "np.sqrt({e})", "np.maximum(deviation**2 - {e}, 0)"),
    EpsilonPlace.ADDED: ("np.sqrt(var) + {e}", "{e}", "(deviation - {e}) ** 2"),
    EpsilonPlace.VARIANCE_FLOOR: ("np.sqrt(np.maximum(var, {e}))", "np.sqrt({e})", "deviation**2"),
    EpsilonPlace.DEVIATION_FLOOR: ("np.maximum(np.sqrt(var), {e})", "{e}", "deviation**2"),
    EpsilonPlace.NONE: ("np.sqrt(var)", "0.0", "deviation**2"),
}
# The variance of what is kept, and what is kept of a variance.
FORMS: dict[str, tuple[str, str]] = {
    RunningSpread.VARIANCE: ('state["var"]', "var"),
    RunningSpread.DEVIATION: ('state["var"] ** 2', "np.sqrt(var)"),
    RunningSpread.INVERSE: ('1 / state["var"] ** 2', "1 / np.sqrt(var)"),
}


def write_snippet(sides: Sides) -> str:
    """Write the code that carries a state from the source to the target."""
    both = sides.source, sides.target
    source, target = (side.framework for side in both)
    reader, writer = (_state_code(side) for side in both)
    forms = [FORMS[side.form] for side in both if side.form is not None]
    if len(forms) < 2:
        raise PortError(f"{source} or {target} keeps no running variance: there is none to carry")
    inference = _for_inference(sides)
    missing = _missing(sides)
    largest = max((each for each in _corrections(sides) if each is not None), default=Fraction(0))
    given = {"epsilon": float_of(sides.target_epsilon), "momentum": float_of(sides.argument)}
    if writer.momentum_needed and given["momentum"] is None:
        raise PortError(
            f"{target}'s {writer.momentum} has no default, and {source}'s momentum is not known: give --momentum"
        )
    names = {"momentum": writer.momentum, "epsilon": writer.epsilon}
    return _frame().render(
        named=[f"{side.framework} {side.version}".strip() for side in both],
        source=source,
        target=target,
        imports=dict.fromkeys(["import numpy as np", *reader.imports.splitlines(), *writer.imports.splitlines()]),
        reader=reader,
        writer=writer,
        as_variance=forms[0][0],
        kept=forms[1][1],
        missing=missing,
        least_count=_number(float(largest)) if largest > 0 else "",
        training=[] if missing else _for_training(sides),
        steps=_exponential(sides),
        **inference,
        said=[part for part, value in given.items() if value is not None],
        unknown=[(part, names[part]) for part in names if given[part] is None and _has(sides.target, part)],
        makes=_makes(sides.target, writer, {names[part]: given[part] for part in names}),
        count=next((n for n in sides.counts if n > 1), 2),
    )


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


def _makes(target: Convention, writer: StateCode, arguments: dict[str, float | None]) -> str:
    """The body that makes a layer, with what is known of its arguments."""
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    body = writer.makes
    for name, value in {"arguments": text, "comma": ", " if text else "", "variant": target.variant}.items():
        body = body.replace("{" + name + "}", value)
    return body


def _has(target: Convention, part: str) -> bool:
    """Whether a layer has such an argument."""
    if part == "epsilon":
        return target.place != EpsilonPlace.NONE
    return bool(target["momentum.multiplies"] != MomentumSide.NONE)


def _corrections(sides: Sides) -> tuple[Fraction | None, Fraction | None]:
    """What is in the divisors of both sides, under the source's epsilon."""
    return sides.source.correction(sides.epsilon), sides.target.correction(sides.epsilon)


def _missing(sides: Sides) -> str:
    """Why the running variance cannot become the target's; empty where it can."""
    if sides.epsilon is None and {sides.source.epsilon_kept, sides.target.epsilon_kept} != {EpsilonInRunning.NO}:
        return "epsilon was not measured, and one of the two keeps it in the variance"
    if None in _corrections(sides):
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
    a, b = (float(each or 0) for each in _corrections(sides))
    shapes = sides.source.epsilon_kept, sides.target.epsilon_kept
    if a == b and shapes[0] == shapes[1]:
        return kept
    epsilon = f"{share}{float_of(sides.epsilon)!r}"
    inner = f"({kept} - {epsilon})" if shapes[0] == EpsilonInRunning.ADDED else kept
    if a != b:
        inner = f"{inner} * ({_over(a)} / {_over(b)})"
    before = [shape in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) for shape in shapes]
    if before[0] != before[1]:
        inner += f" {'-' if before[0] else '+'} {epsilon}" + (f" * (n / {_over(b)})" if b else "")
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
    left = float(1 - sides.weight)
    mine = f"(var - {_left(variances[0])})" if variances[0] else "var"
    batches = _other_kept(sides, mine, "(1 - left) * ")
    if batches == mine and means[0] == means[1] and variances[0] == variances[1]:
        return []
    lines = [
        f"left = 0.0 if steps is None else {left!r} ** steps  # of the initial values",
        f"var = {batches}" + (f" + {_left(variances[1])}" if variances[1] else ""),
        *_not_below_zero(sides),
    ]
    if means[0] != means[1]:
        lines.append(f'state = {{**state, "mean": state["mean"] + {_left(means[1] - means[0])}}}')
    return lines


def _left(start: float) -> str:
    return "left" if start == 1 else f"left * {start!r}"


def _over(correction: float) -> str:
    return "n" if not correction else f"(n - {_number(correction)})"


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
    e = repr(float_of(sides.epsilon))
    _, least, stored = (each.format(e=e) for each in DIVISORS[places[1]])
    return {"inference": "moved", "deviation": DIVISORS[places[0]][0].format(e=e), "least": least, "stored": stored}
