"""``score``: any variance, ranked among our algorithms."""

from __future__ import annotations

from typing import Any

import click

from varkernels.htmltable import SHOWN

from ..survey import callables
from ..survey.callables import CaseScore, Scorecard
from ..survey.callables.scorecard import lower_median
from .console import dump, many, paragraph, progress, shown
from .program import sentences
from .tables import show_table, wide, wrong

__all__ = ["score"]


def score(function: str, level: str | None, storages: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Score a function; the other options are those of `varstudy.survey.callables.score`."""
    with sentences():
        found = callables.resolve(function)
        card = callables.score(
            found, function, level=level or "default", storages=storages or None, progress=progress("scoring"), **given
        )
    if as_json:
        dump(card.record())
        return
    _show_scorecard(card)


def _show_scorecard(card: Scorecard) -> None:
    bad = [each for each in card.scores if each.rows and each.wrong]
    scored = sum(each.rows > 0 for each in card.scores)
    if card.lengths:
        paragraph(f"{card.name} is wrong for {card.lengths}, even on easy rows: check how it reads a row.", wrong=True)
    paragraph(
        f"{card.name} takes place {card.rank} of {len(card.ranking)}: wrong in {len(bad)} of "
        f"{many(scored, 'measurement')}.",
        wrong=bool(bad),
    )
    raised = {each.failure: each.case for each in reversed(card.scores) if each.failure}
    for text, case in raised.items():
        paragraph(f"Raised, first on {case}: {text}", "- ", wrong=True)
    missed = sum(each.nonfinite_missed for each in card.scores)
    if missed:
        paragraph(f"{missed} rows with a NaN or an infinity got a finite answer.", "- ", wrong=True)
    beyond = sum(each.beyond_half_ulp > 0 for each in card.scores)
    paragraph(
        f"{beyond} of {len(card.scores)} measurements have a row that is off by more than half a unit in the last "
        "place of the storage format; a correctly rounded function has none.",
        "- ",
    )
    paragraph(f"It was called {card.convention}. {card.convention.note}", "- ")
    for text in _not_tried(card):
        paragraph(text, "- ")
    click.echo()
    _show_groups(card)
    _show_ranking(card)


def _not_tried(card: Scorecard) -> list[str]:
    told = [f"Left out: {name}, since {why}." for name, why in card.left_out.items() if name.startswith("every case")]
    longer = len(card.left_out) - len(told)
    if longer:
        told.append(f"Left out: {many(longer, 'case')} with longer rows; raise --max-length to try them.")
    if card.shortened:
        told.append(f"Of {many(len(card.shortened), 'case')} only the first rows were tried; raise --max-rows.")
    return told


def _show_groups(card: Scorecard) -> None:
    parts: dict[tuple[str, str], list[CaseScore]] = {}
    for each in card.scores:
        parts.setdefault((each.group, each.storage), []).append(each)
    lines = []
    for (group, storage), scores in parts.items():
        scored = [each for each in scores if each.rows]
        worst = min(scored, key=lambda each: each.digits_worst, default=None)
        median = lower_median([each.digits_worst for each in scored])
        counts = [sum(each.wrong for each in scored)]
        counts += [sum(getattr(each, name) for each in scores) for name in ("negative", "nan", "infinite", "failures")]
        lines.append(
            [
                group,
                storage,
                str(len(scores)),
                "-" if worst is None else shown(max(median, 0.0)),
                "-" if worst is None else shown(max(worst.digits_worst, 0.0)),
                *(wrong(str(count), count > 0) for count in counts),
                "-" if worst is None else worst.case,
            ]
        )
    show_table(
        "Correct digits of each case's worst row, and rows that came out wrong",
        ["group", "storage", "cases", "median", "fewest", "wrong", "negative", "NaN", "inf", "raised", "worst case"],
        lines,
        left=2,
        more=("raised", "inf", "NaN", "negative", "cases", "median"),
    )


def _show_ranking(card: Scorecard) -> None:
    own = next(each for each in card.ranking if each.name == card.name and not each.accumulator)
    listed = card.ranking if wide() else card.ranking[:SHOWN]
    if own not in listed:
        listed = [*listed, own]
    more = len(card.ranking) - len(listed)
    show_table(
        "Ranking on the same rows: fewest wrong measurements, then most digits in the median",
        ["place", "algorithm", "accumulated in", "measurements", "wrong", "median digits"],
        [
            [
                str(card.place_of(each)),
                each.name,
                each.accumulator or "its own way",
                str(each.cases),
                wrong(str(each.wrong), each.wrong > 0),
                shown(max(each.digits_median, 0.0)),
            ]
            for each in listed
        ],
        left=3,
        more=("measurements",),
        note=f"{more} more lines: --wide shows all." if more else "",
    )
