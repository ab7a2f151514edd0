"""Python code that carries a batch norm's state from one framework to another."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from .maths import PortError, exact
from .templates import TEMPLATES, Template

if TYPE_CHECKING:
    from .convention import Convention
    from .plan import Plan

__all__ = ["write_snippet"]

DEVIATION = {
    "inside the root": "np.sqrt(var + {e})",
    "added to the deviation": "np.sqrt(var) + {e}",
    "floor of the variance": "np.sqrt(np.maximum(var, {e}))",
    "floor of the deviation": "np.maximum(np.sqrt(var), {e})",
    "none": "np.sqrt(var)",
}
FORM = {
    "variance": ("var", "var"),
    "deviation": ("var**2", "np.sqrt(var)"),
    "inverse deviation": ("1 / var**2", "1 / np.sqrt(var)"),
}
# The divisor of a variance of 0, and the variance of a divisor.
STORED = {
    "inside the root": ("np.sqrt({e})", "np.maximum(deviation**2 - {e}, 0)"),
    "added to the deviation": ("{e}", "(deviation - {e}) ** 2"),
    "floor of the variance": ("np.sqrt({e})", "deviation**2"),
    "floor of the deviation": ("{e}", "deviation**2"),
    "none": ("0.0", "deviation**2"),
}


def write_snippet(plan: Plan) -> str:
    """The code of a plan."""
    source, target = plan.source, plan.target
    reader, writer = _template(source), _template(target)
    parts = [
        _head(plan, reader, writer),
        "\n".join(dict.fromkeys(["import numpy as np", *reader.imports.splitlines(), *writer.imports.splitlines()])),
        _function("read(layer)", f"The state of {source.framework}'s layer: {reader.layer}.", reader.reads),
        _convert(plan),
        _make(plan, writer),
        _function(
            "write(layer, state)", f"Put a state into {target.framework}'s layer: {writer.layer}.", writer.writes
        ),
        _port(plan),
    ]
    return "\n\n\n".join([parts[0] + "\n\n" + parts[1], *parts[2:]]) + "\n"


def _template(convention: Convention) -> Template:
    if convention.framework not in TEMPLATES:
        raise PortError(
            f"there is no code for {convention.framework}'s state: carry gamma, beta, mean and variance by hand; there "
            f"is code for {', '.join(TEMPLATES)}"
        )
    return TEMPLATES[convention.framework]


def _head(plan: Plan, reader: Template, writer: Template) -> str:
    named = [f"{side.framework} {side.version}".strip() for side in (plan.source, plan.target)]
    return f'"""From {named[0]} to {named[1]}: the state of a batch norm."""'


def _function(signature: str, sentence: str, body: str) -> str:
    text = textwrap.fill(sentence, 100).replace("\n", "\n    ")
    return f'def {signature}:\n    """{text}"""\n' + textwrap.indent(body, "    ")


def _make(plan: Plan, writer: Template) -> str:
    arguments = []
    if writer.momentum and plan.target_momentum is not None:
        arguments.append(f"{writer.momentum}={plan.target_momentum!r}")
    if writer.epsilon and plan.target_epsilon is not None:
        arguments.append(f"{writer.epsilon}={plan.target_epsilon!r}")
    text = ", ".join(arguments)
    fills = {"arguments": text, "comma": ", " if text else "", "variant": plan.target.variant}
    body = writer.makes
    for name, value in fills.items():
        body = body.replace("{" + name + "}", value)
    said = "momentum" if plan.target_momentum is not None else ""
    said = " and ".join(filter(None, ["epsilon" if plan.target_epsilon is not None else "", said]))
    sentence = f"A fresh layer of {plan.target.framework}" + (f" with the source's {said}." if said else ".")
    return _function("make(channels)", sentence, body)


def _convert(plan: Plan) -> str:
    source, target = plan.source, plan.target
    forms = source.form, target.form
    if forms[0] is None or forms[1] is None:
        raise PortError(f"{source.framework} or {target.framework} keeps no running variance: there is none to carry")
    body = [f"var = {FORM[forms[0]][0]}".replace("var**2", 'state["var"] ** 2').replace("= var", '= state["var"]')]
    answer = f'return {{**state, "var": {FORM[forms[1]][1]}}}'
    inference = _for_inference(plan)
    a, b = source.number("correction.running"), target.number("correction.running")
    if a is None or b is None:
        body += [
            "if values_per_channel is not None:",
            '    raise ValueError("which variance one of the two keeps was not measured: there is no factor to apply")',
        ]
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


def _for_training(plan: Plan) -> list[str]:
    source, target = plan.source, plan.target
    a, b = (side.number("correction.running") for side in (source, target))
    assert a is not None
    assert b is not None
    lines = ["n = values_per_channel"]
    if max(a, b) > 0:
        lines += [
            f"if n <= {float(max(a, b)):g}:",
            '    raise ValueError(f"{n} values a channel have no corrected variance")',
        ]
    if source.keeps_epsilon != target.keeps_epsilon and plan.epsilon is None:
        return [*lines, 'raise ValueError("epsilon was not measured, and one of the two keeps it in the variance")']
    if _exponential(plan):
        return [*lines, *_after_few_steps(plan)]
    inner = "var" if not source.keeps_epsilon or plan.epsilon is None else f"(var - {plan.epsilon!r})"
    if a != b:
        inner = f"{inner} * ({_over(float(a))} / {_over(float(b))})"
    if target.keeps_epsilon and plan.epsilon is not None:
        inner = f"{inner} + {plan.epsilon!r}"
    return [*lines, f"var = {inner}"] if inner != "var" else lines


def _exponential(plan: Plan) -> bool:
    """Whether both sides keep exponential averages whose weight and start are known."""
    known = [plan.source.number("correction.running"), plan.target.number("correction.running"), plan.weight]
    starts = [side.number(f"initial.{which}") for side in (plan.source, plan.target) for which in ("mean", "var")]
    same = plan.source.law == plan.target.law == "exponential"
    epsilon = plan.epsilon is not None or not (plan.source.keeps_epsilon or plan.target.keeps_epsilon)
    return same and epsilon and None not in known and None not in starts


def _after_few_steps(plan: Plan) -> list[str]:
    """The running variance is a share of its initial value, and for the rest an average over batches."""
    source, target = plan.source, plan.target
    a, b = (float(side.number("correction.running") or 0) for side in (source, target))
    starts = {
        which: [float(side.number(f"initial.{which}") or 0) for side in (source, target)] for which in ("mean", "var")
    }
    assert plan.weight is not None
    kept = float(1 - exact(plan.weight))
    lines = [f"left = 0.0 if steps is None else {kept!r} ** steps  # of the initial values"]
    batches = _less("var", starts["var"][0])
    if source.keeps_epsilon:
        batches = f"({batches} - (1 - left) * {plan.epsilon!r})"
    if a != b:
        batches = f"{batches} * ({_over(a)} / {_over(b)})"
    if target.keeps_epsilon:
        batches += f" + (1 - left) * {plan.epsilon!r}"
    lines.append(f"var = {batches}" + (f" + {_left(starts['var'][1])}" if starts["var"][1] else ""))
    if starts["mean"][0] != starts["mean"][1]:
        shift = starts["mean"][1] - starts["mean"][0]
        lines.append(f'state = {{**state, "mean": state["mean"] + {_left(shift)}}}')
    return lines


def _less(name: str, start: float) -> str:
    return f"({name} - {_left(start)})" if start else name


def _left(start: float) -> str:
    return "left" if start == 1 else f"left * {start!r}"


def _over(correction: float) -> str:
    return "n" if not correction else f"(n - {correction:g})"


def _for_inference(plan: Plan) -> list[str]:
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


def _port(plan: Plan) -> str:
    n = plan.values_per_channel[0]
    steps, handed = (", steps=None", ", steps") if _exponential(plan) else ("", "")
    return f'''\
def port(layer, values_per_channel=None{steps}):
    """A layer of {plan.target.framework} with the state of one of {plan.source.framework}.

    port(layer) for inference; port(layer, {n}) to train on, after many batches of {n} values a channel.
    """
    state = read(layer)
    return write(make(len(state["mean"])), convert(state, values_per_channel{handed}))'''
