"""One thing in detail: ``explain`` takes a case of the study, ``check`` your own array."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import click

from ..study import explanation, verdict
from ..study.algorithm_answers import decimal
from ..study.array_files import MAX_UNPACKED, load
from ..study.explanation import ExplanationPart
from ..study.score import Status
from ..study.verdict import Verdict
from .console import Problem, dump, listed, many, number, paragraph, shown
from .list_run import case_named
from .program import sentences
from .tables import show_table, wide, wrong

__all__ = ["check", "explain"]

# Wrong algorithms that the verdict names; --wide names all.
NAMED = 4


def explain(case: str, seed: int, as_json: bool, **given: Any) -> None:
    """Explain a case; the other options are those of `varstudy.study.explanation.explain`."""
    about = case_named(case)
    with sentences():
        found = explanation.explain(about, seed=seed, **given)
    if as_json:
        dump(found.record())
        return
    click.echo(about.name)
    for part in found.parts:
        _show_verdict(part)
    click.echo()
    paragraph(about.rationale)
    if about.observed:
        paragraph(f"Observed: {about.observed}")
    if about.source:
        paragraph(f"Source: {about.source}")
    groups = f", {about.groups} groups" if about.groups else ""
    shape = "x".join(map(str, about.shape))
    paragraph(f"An array {shape} ({about.layout}) under {', '.join(about.norms)} norm{groups}; seed {seed}.")
    if about.kappa_requested is not None:
        paragraph(f"Made for the condition number {number(about.kappa_requested)}.")
    click.echo()
    for part in found.parts:
        kappa = f"kappa {number(part.kappa_worst, 6)} at worst, {number(part.kappa_median, 6)} in the median"
        bad = f"; {many(part.nonfinite, 'row')} with NaN or infinities left out" if part.nonfinite else ""
        title = (
            f"{part.storage} under {part.norm} norm, M2 / {_divisor(part.correction)}: {many(part.rows, 'row')} of "
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
                    wrong(a.tally.status.value, a.tally.status is Status.WRONG),
                ]
                for a in part.answers
            ],
            left=3,
            more=("worst row", "ulp", "guaranteed", "exact", "computed"),
        )


def _divisor(correction: float) -> str:
    return f"(n - {correction:g})" if correction else "n"


def _show_verdict(part: ExplanationPart) -> None:
    """Which answers are wrong, in one sentence."""
    bad: dict[str, list[str]] = {}
    for answer in part.answers:
        if answer.tally.status is Status.WRONG:
            bad.setdefault(answer.accumulator, []).append(answer.algorithm)
    of = many(len(part.answers), "answer")
    if not bad:
        paragraph(f"{part.storage}: none of {of} is wrong.")
        return
    named = "; ".join(
        f"{listed(names, None if wide() else NAMED)} with a {accumulator} accumulator"
        for accumulator, names in bad.items()
    )
    paragraph(f"{part.storage}: {sum(map(len, bad.values()))} of {of} wrong: {named}.", wrong=True)


def check(
    file: str,
    norm: str,
    groups: int | None,
    storage: str | None,
    max_unpacked: int | None,
    correction: float | None,
    verbose: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Check the array in a file; the other options are those of `varstudy.study.verdict.check`."""
    if (norm == "group") != (groups is not None):
        raise Problem(
            "--norm group needs the number of groups: add --groups, such as --groups 32"
            if norm == "group"
            else f"--groups {groups} is for group norm only: add --norm group, or leave it out"
        )
    loaded = load(file, storage=storage, max_unpacked=max_unpacked * 2**20 if max_unpacked else MAX_UNPACKED)
    with sentences():
        found = verdict.check(loaded.array, norm, groups=groups, correction=correction or 0.0, how=loaded.how, **given)
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
            f"The worst-conditioned of {many(found.rows, 'row')}",
            ["row", "what it is", "kappa", "exact variance"],
            [[str(each.row), each.what, number(each.kappa, 4), each.exact] for each in found.worst],
            left=2,
            more=("row",),
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
                    wrong(str(a.tally.wrong), a.tally.wrong > 0),
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
