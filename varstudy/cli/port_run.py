"""``port``: what to change when a batch norm goes from one framework to another."""

from __future__ import annotations

from typing import Any

import click

from ..survey import porting
from ..survey.porting import PortPlan
from .console import Problem, dump, many, number, show_table

__all__ = ["port"]


def port(
    source: str,
    target: str,
    values_per_channel: list[int],
    variance: list[float],
    snippet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Tell what to change; the other options are those of `varstudy.survey.porting.port`."""
    if snippet and as_json:
        raise Problem("--snippet and --json are two forms of the standard output: choose one of them")
    lists = {"values_per_channel": values_per_channel, "variance": variance}
    given |= {name: values for name, values in lists.items() if values}
    plan = porting.port(source, target, **given)
    if snippet:
        click.echo(plan.snippet(), nl=False)
        return
    try:
        code, missing = plan.snippet(), ""
    except porting.PortError as problem:
        code, missing = "", str(problem)
    if as_json:
        dump({**plan.record(), "snippet": code or None, "snippet_missing": missing or None})
        return
    _show(plan, code, missing)


def _show(plan: PortPlan, code: str, missing: str) -> None:
    one, other = (
        " ".join(filter(None, [side.framework, side.version, side.variant and f"({side.variant})"]))
        for side in (plan.source, plan.target)
    )
    show_table(
        f"From {one} to {other}: what to change",
        ["", "part", plan.source.framework, plan.target.framework, "what to do", "for", "evidence"],
        [
            [
                {True: "*", False: "", None: "?"}[each.needed],
                each.part,
                each.source,
                each.target,
                each.do,
                each.when,
                each.evidence,
            ]
            for each in plan.changes
        ],
        left=7,
        note="\n".join(["* differs, ? not known on one side.", *plan.notes]),
    )
    show_table(
        "Relative error of (output - shift) if it is left alone",
        [
            "values a channel",
            "variance",
            "epsilon",
            "its place",
            "variance to store",
            "running variance as it is",
            "all, beside the source",
            "all, beside the target",
            "training mode",
        ],
        [
            [
                str(each.values_per_channel),
                number(each.variance),
                *map(_signed, (each.epsilon, each.place)),
                _exactly(each.stored),
                *map(_signed, (each.factor, each.inference, each.training, each.normalise)),
            ]
            for each in plan.errors
        ],
        left=0,
        note="Beside the source: a layer that is carried and evaluated. Beside the target: what it would answer if it "
        "had been trained there on the same batches. Training mode: corrections and places of epsilon that no argument "
        "mends. -: not known, or no such variance.",
    )
    show_table(
        f"Running variance after k steps, batches of variance {number(plan.steps_variance)} with "
        f"{many(plan.values_per_channel[0], 'value')} a channel",
        [
            "k",
            plan.source.framework,
            f"{plan.target.framework}, its defaults",
            "the same momentum number",
            "the momentum to give",
        ],
        [
            [str(each.steps), *(_exactly(x) for x in (each.source, each.alone, each.same_number, each.changed))]
            for each in plan.steps
        ],
        left=0,
    )
    if code:
        click.echo("The state's conversion (--snippet writes it alone):\n")
        click.echo(code, nl=False)
    else:
        click.echo(f"No code: {missing}.")


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:+.3g}"


def _exactly(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
