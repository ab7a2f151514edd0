"""The headline numbers and the recommendations, from the table by the rules of the judge and the recommender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from ...study.population import LENGTHS
from ...study.recommendation import Choice, Pick, recommend
from ..words import code, count, digits, number
from .facts import Facts, decimal_digits

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEW_MAPS",
    "ORDINARY",
    "Headline",
    "first_choice",
    "headlines",
    "museum_tally",
    "recommendations",
]

# The groups whose feature maps nobody would call adversarial.
ORDINARY = {"norms": "activations as inside a network", "photo": "photographs"}
FEW_MAPS = 30  # fewer maps than this name a winner, but recommend nothing
# The pair and the length that the headlines speak of: a channel of a batch.
HEADLINE = ("float32", "float32", LENGTHS[-2])


def recommendations(facts: Facts) -> list[Choice]:
    """The choice for each pair of formats and each of `LENGTHS`; lengths with the same algorithms as one."""
    found: list[Choice] = []
    for storage, accumulator in facts.population.pairs():
        own: list[Choice] = []
        for length in LENGTHS:
            choice = recommend(facts.population, storage, accumulator, length)
            if choice is None or (own and choice.longest <= own[-1].longest):
                continue
            if own and _names(own[-1]) == _names(choice):
                own[-1] = replace(choice)
            else:
                own.append(choice)
        found += own
    return found


def _names(choice: Choice) -> tuple[str | None, ...]:
    def name(pick: Pick | None) -> str | None:
        return None if pick is None else pick.algorithm

    return name(choice.cheapest), name(choice.accurate), name(choice.runner_up)


def first_choice(facts: Facts) -> Choice | None:
    """The choice that the headlines speak of: float32 in float32, or else the first pair with its own format."""
    storage, accumulator, length = HEADLINE
    own = [pair for pair in facts.population.pairs() if pair[0] == pair[1] and pair != (storage, accumulator)]
    for pair in ((storage, accumulator), *own):
        choice = recommend(facts.population, *pair, length)
        if choice:
            return choice
    return None


# Headlines ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Headline:
    """A number, what it is, and the anchor of its evidence."""

    number: str
    label: str
    sentence: Markup
    anchor: str
    bad: bool = False


def _worst(frame: pd.DataFrame, algorithm: str) -> tuple[float, str] | None:
    """Fewest correct digits of an algorithm on the maps that are judged, and the case."""
    rows = frame[(frame["algorithm"] == algorithm) & frame["scored"] & frame["judged"] & ~frame["beyond"]]
    if rows.empty:
        return None
    shown = rows["digits"]
    place = int(shown.to_numpy().argmin())
    return float(shown.iloc[place]), str(rows["case"].iloc[place])


def museum_tally(facts: Facts, algorithms: list[str]) -> dict[str, tuple[int, int]]:
    """For each algorithm on how many cases of the museum it is wrong, of how many, in the storage's own format.

    Cases count where the judge gives a row of theirs a status other than out of range or undefined.
    """
    frame = facts.figures
    rows = frame[(frame["group"] == "museum") & frame["own"] & frame["judged"]]
    found = {}
    for algorithm in algorithms:
        mine = rows["algorithm"] == algorithm
        total = rows.loc[mine, "case"].nunique()
        if total:
            found[algorithm] = (int(rows.loc[mine & rows["wrong"], "case"].nunique()), int(total))
    return found


def headlines(facts: Facts) -> list[Headline]:
    """Four numbers, each with one sentence; fewer where the table lacks what a number needs."""
    choice = first_choice(facts)
    best = None if choice is None else choice.cheapest
    made = (
        _ordinary_headline(facts, best),
        _museum_headline(facts, best),
        _order_headline(facts),
        _choice_headline(choice),
    )
    return [headline for headline in made if headline]


def _ordinary_headline(facts: Facts, best: Pick | None) -> Headline | None:
    frame = facts.figures
    for storage in ("float32", "bfloat16", "float16"):
        rows = frame[frame["group"].isin(ORDINARY) & frame["own"] & (frame["storage"] == storage)]
        naive = _worst(rows, "naive")
        if naive is None:
            continue
        maps = rows["case"].nunique()
        rest = Markup("")
        other = _worst(rows, best.algorithm) if best else None
        if best and other:
            rest = Markup(" {} keeps {} on the same maps.").format(code(best.algorithm), digits(other[0]))
        return Headline(
            digits(naive[0]),
            f"correct digits: naive, {storage}, ordinary feature maps",
            Markup(
                "Over {} that nobody would call adversarial ({}) the naive one-pass formula in {} keeps {} correct "
                "digits at worst ({}), of the {} that the format holds.{}"
            ).format(
                count(maps, "feature map"),
                " and ".join(word for group, word in ORDINARY.items() if (rows["group"] == group).any()),
                storage,
                digits(naive[0]),
                code(naive[1]),
                f"{decimal_digits(storage):.1f}",
                rest,
            ),
            "heat",
            naive[0] < 1,
        )
    return None


def _museum_headline(facts: Facts, best: Pick | None) -> Headline | None:
    tally = museum_tally(facts, ["naive", *([best.algorithm] if best else [])])
    if "naive" not in tally:
        return None
    wrong, total = tally["naive"]
    rest = Markup("")
    if best and best.algorithm in tally:
        frame = facts.figures
        mine = frame[(frame["group"] == "museum") & frame["own"] & (frame["algorithm"] == best.algorithm)]
        within = mine[mine["wrong"] & mine["posed"] & ~mine["beyond"] & (mine["rows_squares_overflow"] == 0)]
        none = ", none of them on well-posed data whose sum of squared deviations fits the format"
        rest = Markup(" {} is wrong on {} of {}{}.").format(
            code(best.algorithm),
            *tally[best.algorithm],
            none if tally[best.algorithm][0] and within.empty else "",
        )
    return Headline(
        f"{wrong} of {total}",
        "reported bugs that the naive formula still reproduces",
        Markup(
            "On {} of {} rebuilt from bug reports the naive formula, in the format of the data, is wrong: a variance "
            "is negative, NaN or infinite, not 0 on constant values, or has less than one correct digit.{}"
        ).format(wrong, count(total, "input"), rest),
        "museum",
        wrong > 0,
    )


def _order_headline(facts: Facts) -> Headline | None:
    frame = facts.figures
    for storage in ("float32", "float64", "bfloat16", "float16"):
        rows = frame[frame["own"] & (frame["storage"] == storage) & frame["posed"] & ~frame["beyond"]]
        pair: dict[str, dict[int, float]] = {}
        for name in ("two_pass", "pairwise"):
            mine = rows[(rows["algorithm"] == name) & np.isfinite(rows["var_digits_worst"])]
            pair[name] = dict(zip(mine["line"].tolist(), mine["var_digits_worst"].tolist(), strict=True))
        lines = [line for line in pair["two_pass"] if line in pair["pairwise"]]
        if not lines:
            continue
        # What a reader can use: no less than no digit, no more than the format has.
        full = decimal_digits(storage)
        gain = {
            line: float(np.clip(pair["pairwise"][line], 0, full) - np.clip(pair["two_pass"][line], 0, full))
            for line in lines
        }
        place = max(gain, key=gain.__getitem__)
        before, after = pair["two_pass"][place], pair["pairwise"][place]
        case = str(rows.loc[rows["line"] == place, "case"].iloc[0])
        none = Markup("none (its error is {} times the variance)").format(number(10.0**-before))
        return Headline(
            digits(gain[place]),
            f"digits, from the order of summation alone ({storage})",
            Markup(
                "The same textbook two-pass formula goes from {} to {} correct digits on {} when its sums are "
                "taken pairwise instead of one value after the other; the median gain over {} is {}."
            ).format(
                digits(before) if before > 0 else none,
                f"all {full:.1f}" if after >= full else digits(after),
                code(case),
                count(len(gain), "line"),
                digits(float(np.median(list(gain.values())))),
            ),
            "heat",
        )
    return None


def _choice_headline(choice: Choice | None) -> Headline | None:
    if choice is None:
        return None
    best, few = choice.cheapest or choice.accurate, choice.maps < FEW_MAPS
    word = "cheapest safe algorithm" if choice.cheapest else "most accurate algorithm, which is not safe,"
    return Headline(
        digits(best.digits),
        f"correct digits at worst: {best.algorithm}, {choice.storage}",
        Markup(
            "The {} for {} accumulated in {} keeps at least {} of {} digits on {} with rows of up to {} values "
            "(fewest on {}).{}"
        ).format(
            word,
            choice.storage,
            choice.accumulator,
            digits(best.digits),
            f"{choice.held:.1f}",
            count(choice.maps, "well-posed map"),
            f"{choice.longest:,}",
            code(best.case),
            " So few maps recommend nothing." if few else "",
        ),
        "choice",
        choice.cheapest is None,
    )
