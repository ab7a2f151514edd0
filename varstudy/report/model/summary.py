"""The recommendations and the tally of bug reports, from the table by the rules of the judge and the recommender."""

from __future__ import annotations

from ...study.population import LENGTHS
from ...study.recommendation import Choice, recommend
from .facts import Facts

__all__ = [
    "FEW_MAPS",
    "ORDINARY",
    "first_choice",
    "museum_tally",
    "recommendations",
]

# The groups whose feature maps were not made to be hard.
ORDINARY = {"norms": "activations as inside a network", "photo": "photographs"}
FEW_MAPS = 30  # fewer maps than this name a winner, but recommend nothing
# The pair and the length that the bug reports are compared with: a channel of a batch.
FIRST = ("float32", "float32", LENGTHS[-2])


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
    """The choice that one algorithm stands for: float32 in float32, or else the first pair with its own format."""
    storage, accumulator, length = FIRST
    own = [pair for pair in facts.population.pairs() if pair[0] == pair[1] and pair != (storage, accumulator)]
    for pair in ((storage, accumulator), *own):
        choice = recommend(facts.population, *pair, length)
        if choice:
            return choice
    return None


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
