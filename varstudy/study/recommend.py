"""Which algorithm to use: one rule, for the report and for `check`.

`exact` is the reference, and `varstudy.var` is the advice for whoever calls a library. What follows is for whoever
writes a kernel: for a storage format, an accumulator and a length of row it names the cheapest safe algorithm, the most
accurate one and a runner-up.

An algorithm is safe for rows of up to n values where all of this holds:

- its M2 is no difference of two sums of squares (with such an M2 the data alone decide whether any digit is left), and
  no caller must give it a centre;
- on every well-posed map of the population in range, with rows of up to n values, its worst row has at most
  `MAY_LOSE` digits less than the storage format holds, with a margin of `TIE` digits;
- on no map, constant ones among them, a variance comes out negative;
- its rigorous bound promises as many digits for n well-conditioned values, or it kept them on rows of n values whose
  only difficulty is their length.

Constant maps decide nothing else: a zero computed for them may be luck.

The cheapest has the fewest reads of the data; then the fewest operations, where a quotient counts as `QUOTIENT`; then
the smallest state; then the order with the fewest merges. Digits closer than `TIE` never decide: an algorithm is only
called safe where it clears the limit by that much and is that far above every one that does not. The most accurate is
the cheapest of those that no gap of `TIE` separates from the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from varkernels import Algorithm, algorithms
from varkernels.formats import FORMATS

from .error_bounds import relative_bound
from .population import LENGTHS, Population, Worst
from .score import MAY_LOSE, held, shown_digits

__all__ = ["QUOTIENT", "TIE", "Choice", "Pick", "caution", "is_candidate", "length_class", "recommend"]

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
    safe : whether it is.
    reason : why it is not safe; empty where it is.
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
    safe: bool
    reason: str


@dataclass(frozen=True)
class Choice:
    """The recommendation for a storage format, an accumulator and a length of row.

    Attributes
    ----------
    storage, accumulator : the formats.
    limit : rows of up to so many values, one of `LENGTHS`.
    longest : the claim ends here: the longest rows measured, at most the limit.
    held : digits that the storage format holds. needed : those that a safe algorithm keeps.
    maps : how many maps count.
    cheapest, runner_up : the cheapest safe algorithm and the cheapest safe one of another formula; None: there is none.
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
        """By how many digits the choice is decided: the cheapest safe one's distance to what it had to exceed."""
        if self.cheapest is None:
            return math.inf
        own = self.cheapest.digits
        return min(own - self.needed, *(own - each.digits for each in self.rejected if each.digits < own), math.inf)


def is_candidate(algorithm: Algorithm) -> bool:
    """Whether a kernel's author can be told to use it: its cost is known, it forms M2 by itself, and not as a difference
    of two sums of squares."""
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
        return "its M2 is a difference of two sums of squares: a mean that is large next to the spread leaves no digit"
    return ""


def length_class(values: int) -> int | None:
    """The entry of `LENGTHS` that speaks of rows of so many values; None beyond the last."""
    return next((limit for limit in LENGTHS if values <= limit), None)


def _cost(algorithm: Algorithm) -> tuple[int, int, int, float]:
    cost = algorithm.cost
    assert cost is not None
    merges = 0.0
    if algorithm.parts is not None:
        order = algorithm.parts[1]
        merges = {"running": 0.0, "lanes": 0.5}.get(order.kernel, 1.0 + 1.0 / max(1, order.width))
    return cost.reads, cost.operations + (QUOTIENT - 1) * cost.divisions, cost.state, merges


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
    longest = max(worst.longest for worst in candidates.values())
    picks = [_pick(known[name], worst, storage, accumulator, longest) for name, worst in candidates.items()]
    needed = held(FORMATS[storage]) - MAY_LOSE
    picks = _judged(sorted(picks, key=lambda p: _cost(known[p.algorithm])), needed)
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
        runner_up=next((p for p in safe if cheapest and p.formula != cheapest.formula), None),
        rejected=tuple(sorted(cheaper, key=lambda p: -p.digits)),
    )


def _pick(algorithm: Algorithm, worst: Worst, storage: str, accumulator: str, longest: int) -> Pick:
    fmt = FORMATS[storage]
    bound = float(relative_bound(algorithm, FORMATS[accumulator], longest, 1.0)[0])
    promised = float(shown_digits(math.inf if math.isnan(bound) else bound, fmt))
    reason = ""
    if worst.negative:
        reason = f"a variance of {worst.negative} comes out negative"
    elif promised < held(fmt) - MAY_LOSE and worst.grown < longest:
        reason = f"for rows of {longest:,} values its bound promises too little, and nothing was measured"
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
        safe=not reason,
        reason=reason,
    )


def _judged(picks: Iterable[Pick], needed: float) -> list[Pick]:
    """The picks with what their digits say: those must clear the limit, and each pick that does not, by `TIE`."""
    from dataclasses import replace

    listed = list(picks)
    floor = needed
    for digits in sorted(pick.digits for pick in listed):
        if needed <= digits < floor + TIE:
            floor = digits
    made = []
    for pick in listed:
        reason = pick.reason
        if pick.digits < needed:
            reason = f"it keeps {pick.digits:.1f} digits of the {needed:.1f} needed, on {pick.case}"
        elif pick.digits < floor + TIE and pick.digits <= floor:
            reason = reason or f"its {pick.digits:.2f} digits on {pick.case} are too close to the {needed:.2f} needed"
        made.append(replace(pick, safe=not reason, reason=reason))
    return made


def _most_accurate(picks: list[Pick]) -> Pick:
    """The cheapest of those that no gap of `TIE` separates from the best; the picks come the cheapest first."""
    edge = max(pick.digits for pick in picks)
    for digits in sorted((pick.digits for pick in picks), reverse=True):
        if edge - digits < TIE:
            edge = digits
    return next(pick for pick in picks if pick.digits >= edge)
