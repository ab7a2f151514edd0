"""``port``: what to change when a batch norm goes from one framework to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..survey import porting
from ..survey.porting import PortedModel, PortPlan
from .console import Problem, dump, listed, many, number, paragraph
from .tables import show_table, wide

__all__ = ["port"]


def port(
    source: str,
    target: str,
    values_per_channel: list[int],
    variance: list[float],
    snippet: bool,
    as_json: bool,
    everything: bool,
    momentum: str | None,
    **given: Any,
) -> None:
    """Tell what to change; the other options are those of `varstudy.survey.porting.port`."""
    if snippet and as_json:
        raise Problem("--snippet and --json are two forms of the standard output: choose one of them")
    lists = {"values_per_channel": values_per_channel, "variance": variance}
    given |= {name: values for name, values in lists.items() if values}
    if momentum is not None:
        given["momentum"] = _momentum(momentum)
    if source.endswith((".safetensors", ".npz")):
        _show_model(porting.port(Path(source), target, **given), snippet, as_json)
        return
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
    _show(plan, code, missing, everything or wide())


def _momentum(text: str) -> float | str:
    if text == "cumulative":
        return text
    try:
        return float(text)
    except ValueError:
        raise Problem(f"--momentum {text!r} is no number: give one, or cumulative") from None


def _show_model(model: PortedModel, snippet: bool, as_json: bool) -> None:
    if snippet:
        click.echo(model.snippet(), nl=False)
        return
    if as_json:
        dump(model.record())
        return
    paragraph(f"From {model.source} to {model.target}: {many(len(model.layers), 'batch norm')}.")
    click.echo()
    rows = [
        [each.name, str(each.channels), listed([row.part for row in each.plan.changes if row.needed]) or "nothing"]
        for each in model.layers
    ]
    show_table("Batch norms", ["name", "channels", "to change"], rows, left=3)
    for note in model.notes:
        paragraph(note)
    click.echo()
    paragraph(f"port --from {model.source} --to {model.target} says more; --snippet writes the code.")


def _show(plan: PortPlan, code: str, missing: str, everything: bool) -> None:
    one, other = (
        " ".join(
            filter(
                None,
                [
                    "" if side.version.startswith(f"{side.framework} ") else side.framework,
                    side.version,
                    side.variant and f"({side.variant})",
                ],
            )
        )
        for side in (plan.source, plan.target)
    )
    needed = [each for each in plan.changes if each.needed]
    unknown = [each for each in plan.changes if each.needed is None]
    paragraph(
        f"From {one} to {other}: "
        + (f"change {many(len(needed), 'thing')}: {listed([each.part for each in needed])}" if needed else "no change")
        + (f"; not known on one side: {listed([each.part for each in unknown])}" if unknown else "")
        + "."
    )
    click.echo()
    show_table(
        "What differs" + (" (?: not known on one side)" if unknown else ""),
        ["part", plan.source.framework, plan.target.framework, "what to do", "left alone", "for", "evidence"],
        [
            [
                {True: "* " if everything else "", False: "", None: "? "}[each.needed] + each.part,
                each.source,
                each.target,
                each.do,
                each.effect,
                each.when,
                each.evidence,
            ]
            for each in (plan.changes if everything else [*needed, *unknown])
        ],
        left=7,
        more=("evidence", "for"),
        note="Left alone: the relative error of (output - shift)." + (" *: to change." if everything else ""),
    )
    for note in plan.notes:
        paragraph(note)
    if everything:
        _show_numbers(plan)
    click.echo()
    if missing:
        paragraph(f"No code: {missing}.")
    else:
        click.echo(code)
    if not everything:
        same = sum(each.needed is False for each in plan.changes)
        paragraph(
            f"{many(same, 'part')} are the same on both sides; --all shows them, and errors and steps in numbers."
        )


def _show_numbers(plan: PortPlan) -> None:
    for note in plan.known:
        paragraph(note)
    click.echo()
    show_table(
        "Relative error of (output - shift) if it is left alone",
        [
            "values a channel",
            "variance",
            "epsilon",
            "its place",
            "variance to store",
            "running variance as it is",
            "all, against the source",
            "all, against the target",
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
        more=("its place", "training mode", "variance to store", "epsilon"),
        note="Against the source: a layer that is carried and evaluated. Against the target: what it would answer if "
        "it had been trained there on the same batches. Training mode: corrections and places of epsilon that no "
        "argument changes. -: not known, or no such variance.",
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


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:+.3g}"


def _exactly(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
