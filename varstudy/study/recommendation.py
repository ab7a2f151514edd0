"""Which algorithm to use: one rule, for the report and for `check`.

`exact` is the reference, and `varstudy.var` is the advice for whoever calls a library. What follows is for whoever
writes a kernel: for a storage format, an accumulator and a length of row it names the cheapest safe algorithm, the most
accurate one and a runner-up.

An algorithm is safe for rows of up to n values where all of this holds:

- its M2 is no difference of two sums of squares (with such an M2 the data alone decide whether any digit is left), and
  no caller must give it a centre;
- on every well-posed map of the population in range, with rows of up to n values, its worst row has at most
  `MAY_LOSE` digits less than the storage format holds, with a margin of `TIE` digits;
- on no map of any length, constant ones among them, a variance comes out negative;
- its rigorous bound promises as many digits for n well-conditioned values, or it kept them on a map of the group growth
  whose rows are as long.

The claim ends at n, or at the longest rows of the group growth where those are shorter (without that group: of any
map).

Constant maps decide nothing else: a zero computed for them may be luck.

The cheapest has the fewest reads of the data; then the fewest operations, where a quotient counts as `QUOTIENT`; then
the smallest state; then the order with the fewest merges. The runner-up is the cheapest safe one of another formula in
another order. Digits closer than `TIE` never decide: an algorithm is only
called safe where it clears the limit by that much and is that far above every one that does not. The most accurate is
the cheapest of those that no gap of `TIE` separates from the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from varkernels import Algorithm, algorithms
from varkernels.formats import FORMATS
from varkernels.formulas.cost import Cost

from .error_bounds import relative_bound
from .population import LENGTHS, Population, Worst
from .score import MAY_LOSE, held, shown_digits

__all__ = [
    "QUOTIENT",
    "TIE",
    "Choice",
    "Pick",
    "by_cost",
    "caution",
    "is_candidate",
    "length_class",
    "preferred",
    "recommend",
]

# Digits: a smaller difference decides nothing.
TIE = 0.1
# Operations that one quotient counts as.
QUOTIENT = 4


@dataclass(frozen=True)
class Pick:
    """An algorithm, what it costs, and how it does.

    Attributes
    ----------
    algorithm, formula, order : its names.
    reads, operations, state : how often it reads each value; operations a value; numbers that a partial result keeps.
    merges : whether partial results can be merged.
    digits : fewest correct digits on the maps that count; case, values : the map that decides, and its rows' length.
    promised : digits that its rigorous bound promises for well-conditioned rows of the claimed length; 0: none.
    reason : why it is not safe; empty where it is.
    short : whether its digits are the reason.
    """

    algorithm: str
    formula: str
    order: str
    reads: int
    operations: int
    state: int
    merges: bool
    digits: float
    case: str
    values: int
    promised: float
    reason: str = ""
    short: bool = False

    @property
    def safe(self) -> bool:
        """Whether it is."""
        return not self.reason


@dataclass(frozen=True)
class Choice:
    """The recommendation for a storage format, an accumulator and a length of row.

    Attributes
    ----------
    storage, accumulator : the formats.
    limit : rows of up to so many values, one of `LENGTHS`.
    longest : the claim ends at rows of so many values, at most the limit.
    held : digits that the storage format holds. needed : those that a safe algorithm keeps.
    maps : how many maps count.
    cheapest, runner_up : of the safe algorithms; None: there is none.
    accurate : the candidate with the most digits, safe or not.
    rejected : cheaper candidates than the cheapest safe one, the most digits first; all of them where none is safe.
    """

    storage: str
    accumulator: str
    limit: int
    longest: int
    held: float
    needed: float
    maps: int
    cheapest: Pick | None
    accurate: Pick
    runner_up: Pick | None
    rejected: tuple[Pick, ...]

    @property
    def deciding(self) -> Pick | None:
        """The cheaper candidate that came closest to being safe: its worst map decides the choice."""
        return self.rejected[0] if self.rejected else None

    @property
    def margin(self) -> float:
        """By how many digits the choice is decided: from the cheapest safe one to the limit, and to those below it."""
        if self.cheapest is None:
            return math.inf
        own = self.cheapest.digits
        return min(own - self.needed, *(own - each.digits for each in self.rejected if each.short), math.inf)


def is_candidate(algorithm: Algorithm) -> bool:
    """Whether to recommend it to whoever writes a kernel: its cost is known, its variance is M2 / (count - correction),
    and M2 is no difference of two sums of squares."""
    return (
        algorithm.cost is not None
        and algorithm.whole is None
        and not algorithm.difference
        and not algorithm.needs_centre
    )


def caution(algorithm: Algorithm) -> str:
    """What to know before using an algorithm that is never recommended; empty for the others."""
    if algorithm.parts is not None and algorithm.parts[0].centre == "first":
        return "one outlier at the front of a row spoils it: its centre is the first value"
    if algorithm.needs_centre:
        return "it is as good as the centre that the caller gives"
    if algorithm.difference:
        return "its M2 is a difference of two sums: where the mean is large next to the spread, no digit is left"
    return ""


def length_class(values: int) -> int | None:
    """The entry of `LENGTHS` that speaks of rows of so many values; None beyond the last."""
    return next((limit for limit in LENGTHS if values <= limit), None)


def by_cost(found: Iterable[Algorithm]) -> list[Algorithm]:
    """Algorithms, the cheapest first; those of unknown cost last."""
    return sorted(found, key=lambda each: (each.cost is None, *_cost(each), each.name))


def _cost(algorithm: Algorithm) -> tuple[int, int, int, float, bool]:
    """What candidates are sorted by; of equal ones that come first which people know by a name of their own."""
    cost = algorithm.cost or Cost(0, 0, 0, 0)
    merges = 0.0
    if algorithm.parts is not None:
        order = algorithm.parts[1]
        merges = {"running": 0.0, "lanes": 0.5}.get(order.kernel, 1.0 + 1.0 / max(1, order.width))
    return cost.reads, cost.operations + (QUOTIENT - 1) * cost.divisions, cost.state, merges, "/" in algorithm.name


def recommend(
    population: Population,
    storage: str,
    accumulator: str,
    values: int,
    known: Mapping[str, Algorithm] | None = None,
) -> Choice | None:
    """The recommendation for rows of so many values, by the rule at the head of this module.

    Parameters
    ----------
    population : how the algorithms do on the maps, as `population.summarise` gives it; joined with an array's own
        measurements, the answer is for that array too.
    storage, accumulator : the formats.
    values : of a row, or the longest row; beyond the last of `LENGTHS` nothing is claimed.
    known : the algorithms by name; all that are registered by default.

    Returns
    -------
    `Choice`; None where no two candidates were measured, or the rows are longer than anything measured.
    """
    limit = length_class(values)
    known = algorithms() if known is None else known
    found = {
        name: worst
        for (s, a, n, name), worst in population.worst.items()
        if (s, a, n) == (storage, accumulator, limit) and name in known and worst.maps
    }
    if limit is None or not found:
        return None
    most = max(worst.maps for worst in found.values())
    candidates = {n: w for n, w in found.items() if is_candidate(known[n]) and w.maps == most}
    if len({known[name].formula for name in candidates}) < 2:
        return None
    # How far the lengths reach that were measured is seen in the longest class.
    every = {name: population.worst[storage, accumulator, LENGTHS[-1], name] for name in candidates}
    reach = max(w.grown for w in every.values()) or max(w.longest for w in every.values())
    longest = min(limit, reach)
    picks = [
        _pick(known[name], worst, storage, accumulator, longest, every[name]) for name, worst in candidates.items()
    ]
    needed = held(FORMATS[storage]) - MAY_LOSE
    picks = _weighed(sorted(picks, key=lambda p: _cost(known[p.algorithm])), needed)
    safe = [pick for pick in picks if pick.safe]
    cheapest = safe[0] if safe else None
    cheaper = picks[: picks.index(cheapest)] if cheapest else picks
    return Choice(
        storage=storage,
        accumulator=accumulator,
        limit=limit,
        longest=longest,
        held=held(FORMATS[storage]),
        needed=needed,
        maps=most,
        cheapest=cheapest,
        accurate=_most_accurate(safe or picks),
        runner_up=next(
            (p for p in safe if cheapest and p.formula != cheapest.formula and p.order != cheapest.order), None
        ),
        rejected=tuple(sorted(cheaper, key=lambda p: -p.digits)),
    )


def preferred(choices: Mapping[str, Choice | None]) -> Choice | None:
    """The choice to follow of those for several accumulators, by their names; None where none has a safe algorithm.

    A float32 accumulator costs no more memory traffic than a two-byte one, so it comes first; then the narrowest.
    """
    safe = [choice for choice in choices.values() if choice is not None and choice.cheapest is not None]
    precision = {choice.accumulator: FORMATS[choice.accumulator].precision for choice in safe}
    narrow = FORMATS["float32"].precision
    return min(safe, key=lambda c: (precision[c.accumulator] < narrow, precision[c.accumulator]), default=None)


@cache
def _promised(algorithm: Algorithm, storage: str, accumulator: str, n: int) -> float:
    """Correct digits that an algorithm's bound promises for n values with condition number 1."""
    bound = float(relative_bound(algorithm, FORMATS[accumulator], n, 1.0)[0])
    return float(shown_digits(math.inf if math.isnan(bound) else bound, FORMATS[storage]))


def _pick(algorithm: Algorithm, worst: Worst, storage: str, accumulator: str, longest: int, every: Worst) -> Pick:
    fmt = FORMATS[storage]
    promised = _promised(algorithm, storage, accumulator, longest)
    reason = ""
    if every.negative:
        reason = f"a variance of {every.negative} comes out negative"
    elif promised < held(fmt) - MAY_LOSE and every.grown < longest:
        reason = f"its bound promises too little for rows of {longest:,} values, and none so long came out right"
    reads, operations, state = algorithm.reads, algorithm.operations, algorithm.state
    assert reads is not None
    assert operations is not None
    assert state is not None
    return Pick(
        algorithm=algorithm.name,
        formula=algorithm.formula,
        order=algorithm.order,
        reads=reads,
        operations=operations,
        state=state,
        merges=algorithm.merges,
        digits=float(shown_digits(worst.error, fmt)),
        case=worst.case,
        values=worst.values,
        promised=promised,
        reason=reason,
    )


def _weighed(picks: Iterable[Pick], needed: float) -> list[Pick]:
    """The picks with what their digits say: a safe one clears the limit, and each pick that does not, by `TIE`."""
    listed = list(picks)
    floor = needed
    for digits in sorted(pick.digits for pick in listed):
        if needed <= digits < floor + TIE:
            floor = digits
    made = []
    for pick in listed:
        if pick.digits < needed:
            reason = f"it keeps {pick.digits:.1f} digits of the {needed:.1f} needed, on {pick.case}"
            made.append(replace(pick, reason=reason, short=True))
        elif pick.digits <= floor:
            reason = f"its {pick.digits:.2f} digits on {pick.case} are too close to the {needed:.2f} needed"
            made.append(replace(pick, reason=pick.reason or reason, short=True))
        else:
            made.append(pick)
    return made


def _most_accurate(picks: list[Pick]) -> Pick:
    """The cheapest of those that no gap of `TIE` separates from the best; the picks come the cheapest first."""
    edge = max(pick.digits for pick in picks)
    for digits in sorted((pick.digits for pick in picks), reverse=True):
        if edge - digits < TIE:
            edge = digits
    return next(pick for pick in picks if pick.digits >= edge)
