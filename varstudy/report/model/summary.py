"""The headline numbers and the recommendations, from the table by the rules of the judge and the recommender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...study.population import LENGTHS
from ...study.recommendation import Choice, Pick, recommend
from ..rendering import sentence
from ..words import digits
from .facts import Facts, decimal_digits

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
                own[-1] = choice
            else:
                own.append(choice)
        found += own
    return found


def _names(choice: Choice) -> tuple[str | None, ...]:
    return tuple(
        None if pick is None else pick.algorithm for pick in (choice.cheapest, choice.accurate, choice.runner_up)
    )


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
        other = _worst(rows, best.algorithm) if best else None
        kinds = [word for group, word in ORDINARY.items() if (rows["group"] == group).any()]
        told = sentence(
            "ordinary", maps=maps, kinds=kinds, storage=storage, naive=naive[0], case=naive[1],
            full=decimal_digits(storage), best=best.algorithm if best and other else "", kept=other and other[0],
        )  # fmt: skip
        label = f"correct digits: naive, {storage}, ordinary feature maps"
        return Headline(digits(naive[0]), label, told, "heat", naive[0] < 1)
    return None


def _museum_headline(facts: Facts, best: Pick | None) -> Headline | None:
    tally = museum_tally(facts, ["naive", *([best.algorithm] if best else [])])
    if "naive" not in tally:
        return None
    wrong, total = tally["naive"]
    theirs, outside = (tally.get(best.algorithm) if best else None), False
    if best and theirs:
        frame = facts.figures
        mine = frame[(frame["group"] == "museum") & frame["own"] & (frame["algorithm"] == best.algorithm)]
        within = mine[mine["wrong"] & mine["posed"] & ~mine["beyond"] & (mine["rows_squares_overflow"] == 0)]
        outside = theirs[0] > 0 and within.empty
    name = best.algorithm if best and theirs else ""
    told = sentence("museum", wrong=wrong, total=total, best=name, theirs=theirs, outside=outside)
    label = "reported bugs that the naive formula still reproduces"
    return Headline(f"{wrong} of {total}", label, told, "museum", wrong > 0)


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
        median = float(np.median(list(gain.values())))
        told = sentence("order", before=before, after=after, full=full, case=case, lines=len(gain), median=median)
        return Headline(digits(gain[place]), f"digits, from the order of summation alone ({storage})", told, "heat")
    return None


def _choice_headline(choice: Choice | None) -> Headline | None:
    if choice is None:
        return None
    best, few = choice.cheapest or choice.accurate, choice.maps < FEW_MAPS
    label = f"correct digits at worst: {best.algorithm}, {choice.storage}"
    told = sentence("choice", choice=choice, best=best, few=few)
    return Headline(digits(best.digits), label, told, "answer", choice.cheapest is None)
