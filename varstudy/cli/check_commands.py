"""One thing in detail: ``explain`` takes a case of the study, ``check`` your own array."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from varkernels.layouts import LAYOUTS, NORMS

from .console import Problem, dump, many, number, paragraph, show_table, shown
from .options import ACCUMULATOR, ALGORITHM, CORRECTION, JSON, SEED, STORAGE, Known
from .program import sentences

if TYPE_CHECKING:
    from ..study.verdict import Verdict

__all__ = ["check", "explain"]


@click.command()
@click.argument("case")
@click.option("--norm", type=Known("norm", NORMS), help="One of the case's norms; its first one by default.")
@click.option("--storage", type=STORAGE, help="Only this storage format.")
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@SEED
@JSON
def explain(
    case: str,
    norm: str | None,
    storage: str | None,
    accumulator: str | None,
    correction: float | None,
    algorithms: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Explain CASE: what it is, and each algorithm's answer next to the exact one.

    Each answer is the one for the row that the algorithm gets most wrong.
    """
    from ..study import featuremaps  # noqa: PLC0415
    from ..study.algorithm_answers import decimal  # noqa: PLC0415
    from ..study.explanation import explain as measure  # noqa: PLC0415

    with sentences():
        found = measure(
            featuremaps.find(case),
            norm=norm,
            storage=storage,
            accumulator=accumulator,
            correction=correction,
            seed=seed,
            algorithms=algorithms,
        )
    if as_json:
        dump(found.record())
        return
    about = found.case
    click.echo(f"{about.name}\n\n{about.rationale}")
    if about.observed:
        click.echo(f"Observed: {about.observed}")
    if about.source:
        click.echo(f"Source: {about.source}")
    groups = f", {about.groups} groups" if about.groups else ""
    shape = "x".join(map(str, about.shape))
    click.echo(f"An array {shape} ({about.layout}) under {', '.join(about.norms)} norm{groups}; seed {seed}.")
    if about.kappa_requested is not None:
        click.echo(f"Condition number asked for: {number(about.kappa_requested)}.")
    click.echo()
    for part in found.parts:
        kappa = f"kappa {number(part.kappa_worst, 6)} at worst, {number(part.kappa_median, 6)} in the median"
        bad = f"; {many(part.nonfinite, 'row')} with NaN or infinities left out" if part.nonfinite else ""
        title = (
            f"{part.storage} under {part.norm} norm, M2 / (n - {part.correction:g}): {many(part.rows, 'row')} of "
            f"{many(part.values, 'value')}, {kappa}{bad}"
        )
        show_table(
            title,
            ["algorithm", "accumulator", "worst row", "computed", "exact", "digits", "ulp", "guaranteed", "status"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    part.names.get(a.row, "-"),
                    a.text,
                    decimal(Fraction(a.exact), 17) if a.exact else "-",
                    _digits(min(a.digits_worst, part.available), a.constant_worst),
                    "-" if math.isnan(a.ulps_worst) else number(a.ulps_worst),
                    _guaranteed(min(a.digits_bound, part.available)),
                    a.tally.status.value,
                ]
                for a in part.answers
            ],
            left=3,
        )


@click.command()
@click.argument("file")
@click.option("--norm", type=Known("norm", NORMS), default="flat", show_default=True, help="What shares a variance.")
@click.option("--groups", type=click.IntRange(min=1), help="Number of groups, for --norm group.")
@click.option(
    "--layout",
    type=Known("layout", LAYOUTS),
    help="What the axes are; by default NC, NLC, NCHW or NCDHW, by their number.",
)
@click.option("--storage", type=STORAGE, help="Say bfloat16 to read two-byte values as bfloat16.")
@click.option("--epsilon", type=float, help="What is added to the variance under the root, such as 1e-5.")
@click.option(
    "--max-unpacked", metavar="MIB", type=click.IntRange(min=1), help="Largest compressed array to unpack; 256 MiB."
)
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@click.option("--verbose", is_flag=True, help="Add what each algorithm loses, and the worst-conditioned rows.")
@JSON
def check(
    file: str,
    norm: str,
    groups: int | None,
    layout: str | None,
    storage: str | None,
    epsilon: float | None,
    max_unpacked: int | None,
    accumulator: str | None,
    correction: float | None,
    algorithms: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Check your own array in FILE, a .npy file, or .npz or .safetensors as FILE:NAME.

    The first line says which algorithm and which formats to use; the lines below say why.
    """
    if (norm == "group") != (groups is not None):
        raise Problem(
            "--norm group needs the number of groups: add --groups, such as --groups 32"
            if norm == "group"
            else f"--groups {groups} is for group norm only: add --norm group, or leave it out"
        )
    from ..study.array_files import MAX_UNPACKED, load  # noqa: PLC0415
    from ..study.verdict import check as measure  # noqa: PLC0415

    loaded = load(file, storage=storage, max_unpacked=max_unpacked * 2**20 if max_unpacked else MAX_UNPACKED)
    with sentences():
        found = measure(
            loaded.array,
            norm,
            layout=layout,
            groups=groups,
            correction=0.0 if correction is None else correction,
            epsilon=epsilon,
            accumulator=accumulator,
            algorithms=algorithms,
            how=loaded.how,
        )
    if as_json:
        dump({"file": file, **found.record()})
        return
    paragraph(found.answer)
    click.echo()
    for reason in found.reasons:
        paragraph(reason, "- ")
    if verbose:
        click.echo()
        _show_rows(found)


def _show_rows(found: Verdict) -> None:
    if found.worst:
        show_table(
            f"The worst-conditioned rows of {found.rows}",
            ["row", "what it is", "kappa", "exact variance"],
            [[str(each.row), each.what, number(each.kappa, 4), each.exact] for each in found.worst],
            left=2,
        )
    if found.answers:
        show_table(
            f"Correct digits of the {found.available:.1f} that {found.storage} has",
            ["algorithm", "accumulator", "worst", "guaranteed", "right", "wrong"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    _digits(min(a.digits_worst, found.available), a.constant_worst),
                    _guaranteed(min(a.digits_bound, found.available)),
                    str(a.tally.right),
                    str(a.tally.wrong),
                ]
                for a in found.answers
            ],
            left=2,
            note="Guaranteed: by the worst-case error bound. Right: at most one digit less than the format has. "
            "Wrong: no correct digit, negative, NaN or infinite.",
        )


def _digits(digits: float, constant: float = math.nan) -> str:
    """Correct digits; where every row is constant, whether the answer is the right one, zero."""
    if not math.isnan(digits):
        return shown(max(digits, 0.0))
    return "-" if math.isnan(constant) else "exact" if constant == 0 else "none" if math.isinf(constant) else "0.0"


def _guaranteed(digits: float) -> str:
    return "-" if math.isnan(digits) else "none" if digits <= 0 else shown(digits)
