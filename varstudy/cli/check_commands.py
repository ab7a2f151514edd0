"""One thing in detail: ``explain`` takes a case of the study, ``check`` your own array."""

from __future__ import annotations

import math
from fractions import Fraction

import click

from .console import Problem, dump, many, number, show_table, shown
from .options import ACCUMULATOR, ALGORITHM, CORRECTION, JSON, LAYOUTS, NORMS, SEED, STORAGE, Known
from .program import sentences

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
    """Explain CASE: what it is, and each algorithm's answer beside the exact one.

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
            ["algorithm", "accumulator", "worst row", "computed", "exact", "digits", "ulp", "digits guaranteed"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    part.names.get(a.row, "-"),
                    a.text,
                    decimal(Fraction(a.exact)) if a.exact else "-",
                    _digits(a.digits_worst, a.constant_worst),
                    "-" if math.isnan(a.ulps_worst) else number(a.ulps_worst),
                    _guaranteed(a.digits_bound),
                ]
                for a in part.answers
            ],
            left=3,
        )


@click.command()
@click.argument("file")
@click.option("--norm", type=Known("norm", NORMS), default="flat", show_default=True, help="What shares a variance.")
@click.option("--groups", type=click.IntRange(min=1), help="Number of groups, for --norm group.")
@click.option("--layout", type=Known("layout", LAYOUTS), default="NCHW", show_default=True, help="What the axes are.")
@click.option("--storage", type=STORAGE, help="Say bfloat16 to read two-byte values as bfloat16.")
@click.option(
    "--max-unpacked", metavar="MIB", type=click.IntRange(min=1), help="Largest compressed array to unpack; 256 MiB."
)
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@JSON
def check(
    file: str,
    norm: str,
    groups: int | None,
    layout: str,
    storage: str | None,
    max_unpacked: int | None,
    accumulator: str | None,
    correction: float | None,
    algorithms: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check your own array in FILE, a .npy file, or .npz or .safetensors as FILE:NAME.

    Says how ill-conditioned each row's variance is, what each algorithm loses on it, measured and
    guaranteed, and which one to use.
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
            accumulator=accumulator,
            algorithms=algorithms,
            how=loaded.how,
        )
    if as_json:
        dump({"file": file, **found.record()})
        return
    click.echo(
        f"{file}: {'x'.join(map(str, found.shape))} values in {found.storage}"
        + (f" ({found.how})" if found.how else "")
        + f"; {norm} norm takes {many(found.values, 'value')} together in "
        + ("its only row." if found.rows == 1 else f"each of {found.rows} rows.")
    )
    if found.nonfinite:
        more = ", ..." if found.nonfinite > len(found.nonfinite_named) else ""
        click.echo(
            f"{many(found.nonfinite, 'row')} with a NaN or an infinity, which has no variance: "
            + "; ".join(found.nonfinite_named)
            + more
        )
    if found.constant:
        click.echo(f"{many(found.constant, 'constant row')}, with the exact variance 0.")
    if found.undefined:
        click.echo(f"{many(found.undefined, 'row')} of no more than {found.correction:g} values, without a variance.")
    if found.worst:
        click.echo(
            f"Condition number of the variance: {number(found.kappa_worst, 4)} at worst, "
            f"{number(found.kappa_median, 4)} in the median.\n"
        )
        show_table(
            "The worst-conditioned rows",
            ["row", "what it is", "kappa", "exact variance"],
            [[str(each.row), each.what, number(each.kappa, 4), each.exact] for each in found.worst],
            left=2,
        )
    if found.answers:
        show_table(
            f"Correct digits of {found.available:.1f} that {found.storage} has, over the rows that vary",
            ["algorithm", "accumulator", "worst row", "median", "guaranteed", "negative", "NaN or inf", "on constants"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    _digits(a.digits_worst),
                    _digits(a.digits_median),
                    _guaranteed(a.digits_bound),
                    str(a.negative),
                    str(a.nan + a.infinite),
                    "-" if math.isnan(a.constant_worst) else number(a.constant_worst),
                ]
                for a in found.answers
            ],
            left=2,
        )
    click.echo(found.advice)


def _digits(digits: float, constant: float = math.nan) -> str:
    """Correct digits; where every row is constant, whether the answer is the right one, zero."""
    if not math.isnan(digits):
        return shown(max(digits, 0.0))
    return "-" if math.isnan(constant) else "exact" if constant == 0 else "none" if math.isinf(constant) else "0.0"


def _guaranteed(digits: float) -> str:
    return "-" if math.isnan(digits) else "none" if digits <= 0 else shown(digits)
