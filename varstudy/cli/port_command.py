"""``port``: what to change when a batch norm goes from one framework to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .console import Problem, dump, many, number, show_table
from .options import JSON

if TYPE_CHECKING:
    from ..survey.porting import PortPlan

__all__ = ["port"]


def _listed(kind: Callable[[str], Any], what: str) -> Callable[[Any, click.Parameter, tuple[str, ...]], list[Any]]:
    """An option that may be repeated, and that takes several with commas between them."""

    def convert(ctx: Any, option: click.Parameter, given: tuple[str, ...]) -> list[Any]:
        values = []
        for each in ",".join(given).split(",") if given else []:
            try:
                values.append(kind(each))
            except ValueError:
                raise Problem(f"{option.opts[0]} {each!r} is no {what}: give one, or several as 2,32") from None
        return values

    return convert


@click.command()
@click.option("--from", "source", metavar="FRAMEWORK[:VARIANT]", required=True, help="Where the layer was trained.")
@click.option("--to", "target", metavar="FRAMEWORK[:VARIANT]", required=True, help="Where it goes.")
@click.option(
    "--values-per-channel",
    "counts",
    metavar="N,...",
    multiple=True,
    callback=_listed(int, "whole number"),
    help="Values of a channel in a training batch: batch size times pixels.",
)
@click.option(
    "--variance",
    "variances",
    metavar="V,...",
    multiple=True,
    callback=_listed(float, "number"),
    help="Variances of the batches, for the tables of errors.",
)
@click.option("--epsilon", type=float, help="The source layer's epsilon, where it is not the framework's default.")
@click.option("--momentum", type=float, help="The source layer's momentum argument, where it is not the default.")
@click.option("--snippet", is_flag=True, help="Write only the code that converts the state.")
@JSON
def port(
    source: str,
    target: str,
    counts: list[int],
    variances: list[float],
    epsilon: float | None,
    momentum: float | None,
    snippet: bool,
    as_json: bool,
) -> None:
    """Tell what to change when a batch norm goes from one framework to another.

    The conventions are those measured of the frameworks; what was not measured is said to be so. Errors are relative
    errors of (output - shift) where an item is left alone.
    """
    from ..survey import porting  # noqa: PLC0415

    if snippet and as_json:
        raise Problem("--snippet and --json are two forms of the standard output: choose one of them")
    given: dict[str, Any] = {}
    if counts:
        given["values_per_channel"] = counts
    if variances:
        given["variance"] = variances
    plan = porting.port(source, target, epsilon=epsilon, momentum=momentum, **given)
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
