"""Python code that carries a batch norm's state from one framework to another."""

from __future__ import annotations

import textwrap
from fractions import Fraction

from ..findings.property_values import EpsilonInRunning, EpsilonPlace, RunningSpread
from ..frameworks.catalogue import FRAMEWORKS
from ..frameworks.declaring import StateCode
from .convention import Convention
from .maths import PortError, exact
from .settings import PortSettings

__all__ = ["write_snippet"]

DEVIATION: dict[str, str] = {
    EpsilonPlace.INSIDE: "np.sqrt(var + {e})",
    EpsilonPlace.ADDED: "np.sqrt(var) + {e}",
    EpsilonPlace.VARIANCE_FLOOR: "np.sqrt(np.maximum(var, {e}))",
    EpsilonPlace.DEVIATION_FLOOR: "np.maximum(np.sqrt(var), {e})",
    EpsilonPlace.NONE: "np.sqrt(var)",
}
FORM: dict[str, tuple[str, str]] = {
    RunningSpread.VARIANCE: ("var", "var"),
    RunningSpread.DEVIATION: ("var**2", "np.sqrt(var)"),
    RunningSpread.INVERSE: ("1 / var**2", "1 / np.sqrt(var)"),
}
# The divisor of a variance of 0, and the variance of a divisor.
STORED: dict[str, tuple[str, str]] = {
    EpsilonPlace.INSIDE: ("np.sqrt({e})", "np.maximum(deviation**2 - {e}, 0)"),
    EpsilonPlace.ADDED: ("{e}", "(deviation - {e}) ** 2"),
    EpsilonPlace.VARIANCE_FLOOR: ("np.sqrt({e})", "deviation**2"),
    EpsilonPlace.DEVIATION_FLOOR: ("{e}", "deviation**2"),
    EpsilonPlace.NONE: ("0.0", "deviation**2"),
}


def write_snippet(plan: PortSettings) -> str:
    """Write the code that carries a state.

    Parameters
    ----------
    plan : the two conventions and the settings, such as a `PortPlan`.
    """
    source, target = plan.source, plan.target
    reader, writer = _template(source), _template(target)
    parts = [
        _head(plan, reader, writer),
        "\n".join(dict.fromkeys(["import numpy as np", *reader.imports.splitlines(), *writer.imports.splitlines()])),
        _function(
            "read(layer)",
            f"The state of {source.framework}'s layer: {reader.layer}. Without a scale or a shift it has 1 or 0.",
            reader.reads,
        ),
        _convert(plan),
        _make(plan, writer),
        _function(
            "write(layer, state)",
            f"Put a state into {target.framework}'s layer, one with a scale and a shift: {writer.layer}.",
            writer.writes,
        ),
        _port(plan),
    ]
    return "\n\n\n".join([parts[0] + "\n\n" + parts[1], *parts[2:]]) + "\n"


def _template(convention: Convention) -> StateCode:
    known = {name: each.state for name, each in FRAMEWORKS.items() if each.state}
    if convention.framework not in known:
        raise PortError(
            f"there is no code for {convention.framework}'s state: carry gamma, beta, mean and variance by hand; there "
            f"is code for {', '.join(known)}"
        )
    return known[convention.framework]


def _head(plan: PortSettings, reader: StateCode, writer: StateCode) -> str:
    named = [f"{side.framework} {side.version}".strip() for side in (plan.source, plan.target)]
    return f'"""From {named[0]} to {named[1]}: the state of a batch norm."""'


def _function(signature: str, sentence: str, body: str) -> str:
    text = textwrap.fill(sentence, 100).replace("\n", "\n    ")
    return f'def {signature}:\n    """{text}"""\n' + textwrap.indent(body, "    ")


def _make(plan: PortSettings, writer: StateCode) -> str:
    given = {"momentum": plan.target_momentum, "epsilon": plan.target_epsilon}
    names = {"momentum": writer.momentum, "epsilon": writer.epsilon}
    text = ", ".join(f"{names[part]}={value!r}" for part, value in given.items() if value is not None)
    fills = {"arguments": text, "comma": ", " if text else "", "variant": plan.target.variant}
    body = writer.makes
    for name, value in fills.items():
        body = body.replace("{" + name + "}", value)
    source, target = plan.source.framework, plan.target.framework
    if writer.momentum_needed and plan.target_momentum is None:
        raise PortError(
            f"{target}'s {writer.momentum} has no default, and {source}'s momentum is not known: give --momentum"
        )
    missing = [part for part, value in given.items() if value is None and _has(plan.target, part)]
    unknown = "".join(
        f"# {names[part]}: {target}'s default, since {source}'s is not known: give --{part}\n" for part in missing
    )
    said = " and ".join(part for part in ("epsilon", "momentum") if given[part] is not None)
    sentence = f"A fresh layer of {target}" + (f" with the source's {said}." if said else ".")
    return _function("make(channels)", sentence, unknown + body)


def _has(target: Convention, part: str) -> bool:
    """Whether a layer has such an argument."""
    return target.place != "none" if part == "epsilon" else target["momentum.multiplies"] != "no argument"


def _convert(plan: PortSettings) -> str:
    source, target = plan.source, plan.target
    forms = source.form, target.form
    if forms[0] is None or forms[1] is None:
        raise PortError(f"{source.framework} or {target.framework} keeps no running variance: there is none to carry")
    body = [f"var = {FORM[forms[0]][0]}".replace("var**2", 'state["var"] ** 2').replace("= var", '= state["var"]')]
    answer = f'return {{**state, "var": {FORM[forms[1]][1]}}}'
    inference = _for_inference(plan)
    missing = _missing(plan)
    if missing:
        body += ["if values_per_channel is not None:", f'    raise ValueError("{missing}")']
    else:
        body += ["if values_per_channel is not None:", *("    " + line for line in _for_training(plan))]
        body += ["    " + answer] if inference else []
    body += [*inference, answer]
    sentence = """\
The state for the target.

Without values_per_channel the outputs of inference stay the source's. With the number of values that
a channel has in a training batch, the running variance becomes what the target would have kept of the
same batches: to train on, or to stand beside a model that was trained there."""
    steps = ""
    if _exponential(plan):
        steps = ", steps=None"
        sentence += """
After few steps something of the initial value is left, which no factor belongs to: give their number."""
    head = f'def convert(state, values_per_channel=None{steps}):\n    """' + textwrap.indent(sentence, "    ").lstrip()
    return head + '\n    """\n' + textwrap.indent("\n".join(body), "    ")


def _corrections(plan: PortSettings) -> tuple[Fraction | None, Fraction | None]:
    """What is in the divisors of both sides, under the source's epsilon."""
    e = None if plan.epsilon is None else exact(plan.epsilon)
    return plan.source.correction(e), plan.target.correction(e)


def _missing(plan: PortSettings) -> str:
    """Why the running variance cannot become the target's; empty where it can."""
    if plan.epsilon is None and {plan.source.epsilon_kept, plan.target.epsilon_kept} != {EpsilonInRunning.NO}:
        return "epsilon was not measured, and one of the two keeps it in the variance"
    if None in _corrections(plan):
        return "which variance one of the two keeps was not measured: there is no factor to apply"
    return ""


def _for_training(plan: PortSettings) -> list[str]:
    a, b = _corrections(plan)
    assert a is not None
    assert b is not None
    lines = ["n = values_per_channel"]
    if max(a, b) > 0:
        lines += [
            f"if n <= {_number(float(max(a, b)))}:",
            '    raise ValueError(f"{n} values a channel have no corrected variance")',
        ]
    if _exponential(plan):
        return [*lines, *_after_few_steps(plan)]
    inner = _other_kept(plan, "var", "")
    return [*lines, f"var = {inner}", *_not_below_zero(plan)] if inner != "var" else lines


def _not_below_zero(plan: PortSettings) -> list[str]:
    """A float32 number less epsilon may be a rounding below 0, where nothing but epsilon was kept."""
    if plan.source.epsilon_kept == EpsilonInRunning.NO or plan.target.epsilon_kept != EpsilonInRunning.NO:
        return []
    return ["var = np.maximum(var, 0)  # epsilon was in it, and rounded"]


def _other_kept(plan: PortSettings, kept: str, share: str) -> str:
    """What the target keeps, written in what the source keeps: `share` of batches' variances, "" for all of it.

    From kept = (v + p) n / (n - a) + q with p = e where epsilon is in before the correction, q = e where it is added.
    """
    a, b = (float(each or 0) for each in _corrections(plan))
    shapes = plan.source.epsilon_kept, plan.target.epsilon_kept
    if a == b and shapes[0] == shapes[1]:
        return kept
    epsilon = f"{share}{plan.epsilon!r}"
    inner = f"({kept} - {epsilon})" if shapes[0] == EpsilonInRunning.ADDED else kept
    if a != b:
        inner = f"{inner} * ({_over(a)} / {_over(b)})"
    before = [shape in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) for shape in shapes]
    if before[0] != before[1]:
        inner += f" {'-' if before[0] else '+'} {epsilon}" + (f" * (n / {_over(b)})" if b else "")
    return f"{inner} + {epsilon}" if shapes[1] == EpsilonInRunning.ADDED else inner


def _exponential(plan: PortSettings) -> bool:
    """Whether both sides keep exponential averages whose weight and start are known."""
    starts = [side.number(f"initial.{which}") for side in (plan.source, plan.target) for which in ("mean", "var")]
    same = plan.source.law == plan.target.law == "exponential"
    return same and not _missing(plan) and plan.weight is not None and None not in starts


def _after_few_steps(plan: PortSettings) -> list[str]:
    """The running variance is a share of its initial value, and for the rest an average over batches."""
    source, target = plan.source, plan.target
    starts = {
        which: [float(side.number(f"initial.{which}") or 0) for side in (source, target)] for which in ("mean", "var")
    }
    assert plan.weight is not None
    kept = float(1 - exact(plan.weight))
    mine = _less("var", starts["var"][0])
    batches = _other_kept(plan, mine, "(1 - left) * ")
    if batches == mine and all(one == other for one, other in starts.values()):
        return []
    lines = [f"left = 0.0 if steps is None else {kept!r} ** steps  # of the initial values"]
    lines.append(f"var = {batches}" + (f" + {_left(starts['var'][1])}" if starts["var"][1] else ""))
    lines += _not_below_zero(plan)
    if starts["mean"][0] != starts["mean"][1]:
        shift = starts["mean"][1] - starts["mean"][0]
        lines.append(f'state = {{**state, "mean": state["mean"] + {_left(shift)}}}')
    return lines


def _less(name: str, start: float) -> str:
    return f"({name} - {_left(start)})" if start else name


def _left(start: float) -> str:
    return "left" if start == 1 else f"left * {start!r}"


def _over(correction: float) -> str:
    return "n" if not correction else f"(n - {_number(correction)})"


def _number(value: float) -> str:
    """All its digits, but for those that a float64 only happens to have."""
    return f"{value:.15g}"


def _for_inference(plan: PortSettings) -> list[str]:
    places = plan.source.place, plan.target.place
    if places[0] is None or places[1] is None:
        return ["# where one of the two has its epsilon was not measured: compare outputs at a small variance"]
    if places[0] == places[1]:
        return []
    if plan.epsilon is None:
        raise PortError("the source's epsilon was not measured: give it with --epsilon")
    e = repr(plan.epsilon)
    least, stored = (each.format(e=e) for each in STORED[places[1]])
    return [
        f"deviation = {DEVIATION[places[0]].format(e=e)}  # what the source divides by",
        f"least = {least}  # what the target divides by at least",
        "if np.any(deviation < least * (1 - 1e-12)):",
        '    raise ValueError("a variance is so small that the target cannot divide by as little as the source")',
        "deviation = np.maximum(deviation, least)",
        f"var = {stored}",
    ]


def _port(plan: PortSettings) -> str:
    n = next((n for n in plan.values_per_channel if n > 1), 2)
    steps, handed = (", steps=None", ", steps") if _exponential(plan) else ("", "")
    return f'''\
def port(layer, values_per_channel=None{steps}):
    """A layer of {plan.target.framework} with the state of one of {plan.source.framework}.

    port(layer) for inference; port(layer, {n}) to train on, after many batches of {n} values a channel.
    """
    state = read(layer)
    return write(make(len(state["mean"])), convert(state, values_per_channel{handed}))'''
