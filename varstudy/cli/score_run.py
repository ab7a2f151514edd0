"""``score``: any variance, ranked among our algorithms."""

from __future__ import annotations

from typing import Any

import click

from ..survey import callables
from ..survey.callables import CaseScore, Scorecard
from ..survey.callables.scorecard import lower_median
from .console import dump, progress, show_table, shown
from .program import sentences

__all__ = ["score"]


def score(function: str, level: str | None, storages: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Score a function; the other options are those of `varstudy.survey.callables.score`."""
    found = callables.resolve(function)
    with sentences():
        card = callables.score(
            found, function, level=level or "default", storages=storages or None, progress=progress("scoring"), **given
        )
    if as_json:
        dump(card.record())
        return
    _show_scorecard(card)


def _show_scorecard(card: Scorecard) -> None:
    click.echo(f"{card.name}, called {card.convention}. {card.convention.note}\n")
    parts: dict[tuple[str, str], list[CaseScore]] = {}
    for each in card.scores:
        parts.setdefault((each.group, each.storage), []).append(each)
    lines = []
    for (group, storage), scores in parts.items():
        scored = [each for each in scores if each.rows]
        worst = min(scored, key=lambda each: each.digits_worst, default=None)
        median = lower_median([each.digits_worst for each in scored])
        lines.append(
            [
                group,
                storage,
                str(len(scores)),
                "-" if worst is None else shown(max(median, 0.0)),
                "-" if worst is None else shown(max(worst.digits_worst, 0.0)),
                str(sum(each.wrong for each in scored)),
                *(str(sum(getattr(each, name) for each in scores)) for name in ("negative", "nan", "infinite")),
                str(sum(each.failures for each in scores)),
                "-" if worst is None else worst.case,
            ]
        )
    show_table(
        "Correct digits of each case's worst row, and rows that came out wrong",
        [
            "group",
            "storage",
            "cases",
            "median",
            "fewest",
            "wrong",
            "negative",
            "NaN",
            "inf",
            "raised",
            "worst case",
        ],
        lines,
        left=2,
    )
    raised = {each.failure: each.case for each in reversed(card.scores) if each.failure}
    for text, case in raised.items():
        click.echo(f"Raised, first on {case}: {text}")
    missed = sum(each.nonfinite_missed for each in card.scores)
    if missed:
        click.echo(f"{missed} rows with a NaN or an infinity got a finite answer.")
    show_table(
        "Ranking on the same rows: fewest wrong cases, then most digits in the median",
        ["place", "algorithm", "accumulated and answered in", "measurements", "wrong", "median digits"],
        [
            [
                str(card.place_of(each)),
                each.name,
                each.accumulator or "its own way",
                str(each.cases),
                str(each.wrong),
                shown(max(each.digits_median, 0.0)),
            ]
            for each in card.ranking
        ],
        left=3,
    )
    for name, why in card.left_out.items():
        if name.startswith("every case"):
            click.echo(f"Left out: {name}, since {why}.")
    longer = [name for name in card.left_out if not name.startswith("every case")]
    if longer:
        click.echo(f"Left out: {len(longer)} cases with longer rows; raise --max-length to try them.")
    if card.shortened:
        click.echo(f"Of {len(card.shortened)} cases only the first rows were tried; raise --max-rows to try more.")
    beyond = sum(each.beyond_half_ulp > 0 for each in card.scores)
    click.echo(
        f"{beyond} of {len(card.scores)} cases have a row that is off by more than half a unit in the last place of "
        "the storage format; a correctly rounded function has none."
    )
    click.echo(f"{card.name} takes place {card.rank} of {len(card.ranking)}.")
