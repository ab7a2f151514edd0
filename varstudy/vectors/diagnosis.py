"""What wrong answers look like: hypotheses that explain the elements beyond their limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cases import Case
from .hypotheses import Predicted, condition, predictions
from .limits import Limit

__all__ = ["Evidence", "likeness"]

# A hypothesis must explain so many of the elements beyond their limits.
_SHARE = 0.95
_SAID = 3
# Failed cases, the smallest, that the hypotheses are tried on.
_ASKED = 12


@dataclass(frozen=True, eq=False)
class Evidence:
    """A case, its limits, what a kernel answered, and whether that is beyond a limit."""

    case: Case
    limits: dict[str, Limit]
    answers: dict[str, NDArray[Any]]
    failed: bool

    def beyond(self, name: str) -> NDArray[np.bool_]:
        """The elements of an output that are beyond their limits."""
        limit, answer = self.limits[name], self.answers[name]
        if answer.shape != limit.limit.shape:
            return np.zeros(limit.limit.shape, np.bool_)
        found: NDArray[np.bool_] = limit.ratio(answer) > 1
        return found

    @property
    def main(self) -> str:
        """The output that hypotheses are about."""
        return next(iter(self.answers))


def likeness(evidence: list[Evidence]) -> list[str]:
    """What the failures are consistent with, the best first; [] if nothing known explains them."""
    failed = [each for each in evidence if each.failed and each.beyond(each.main).any()]
    if not failed:
        others = [each for each in evidence if each.failed]
        return list(_sums(others)) if others else []
    found = list(_patterns(evidence, failed))
    scores: dict[str, list[float]] = {}
    asked = sorted(failed, key=lambda each: each.answers[each.main].size)[:_ASKED]
    for each in asked:
        beyond = each.beyond(each.main)
        limit = each.limits[each.main]
        for guess in predictions(each.case, each.main):
            scores.setdefault(guess.name, []).append(_explained(each.answers[each.main], guess, limit, beyond))
    ranked = sorted(((sum(s) / len(s), name) for name, s in scores.items()), key=lambda pair: -pair[0])
    found += [f"consistent with {name}" for share, name in ranked if share >= _SHARE][:_SAID]
    if not found and (naive := _naive(evidence, failed)):
        found.append(naive)
    if not found and ranked and ranked[0][0] >= 0.5:
        found.append(f"{ranked[0][1]} explains {ranked[0][0]:.0%} of the failed elements, and nothing known all")
    return found[:_SAID]


def _explained(answer: NDArray[Any], guess: Predicted, limit: Limit, beyond: NDArray[np.bool_]) -> float:
    """The share of the elements beyond their limits that lie where a hypothesis puts them."""
    fmt = limit.exact.format
    with np.errstate(all="ignore"):
        off = np.abs(answer - guess.values)
        near = (off <= 1.5 * np.maximum(limit.limit, guess.slack * np.abs(guess.values))) | (answer == guess.values)
        near &= off <= np.abs(
            answer - limit.exact.high
        )  # a guess that is farther than the exact answer explains nothing
        near |= np.abs(answer - fmt.rounded(guess.values).astype(np.float64)) <= 1.5 * limit.limit
        near |= ~np.isfinite(answer) & ~np.isfinite(guess.values)
    return float(near[beyond].mean())


def _patterns(evidence: list[Evidence], failed: list[Evidence]) -> Iterator[str]:
    """What the places of the failures say, without a look at their values."""
    families = {each.case.family for each in failed}
    if families <= {"not-finite"}:
        yield "a NaN or an infinity spreads to other rows, or is swallowed"
    if all(name.startswith(("pitch", "channels-last")) for name in families):
        yield "strides are ignored: the array is read as if it were contiguous"
    if families <= {"subnormal", "subnormal-output"}:
        yield "subnormal numbers are flushed to zero"
    if all(name.startswith(("rows-", "table-5000")) for name in families):
        yield "only long tables fail: rows beyond a limit of the launch are not handled, or long sums lose terms"
    if all(name.startswith(("long-", "outlier-long")) for name in families):
        yield "only long rows fail: one running sum (profile 'running'), a shift by the first value, or a lost tail"
    if families <= {"cancelled"}:
        yield "only where scale and bias cancel: xhat is rounded before them (profile 'two-stage')"
    if families <= {"large"}:
        yield "a sum or a square overflows: the accumulator has too small a range"
    tables = [each.beyond(each.main) for each in failed]
    wide = [each for each in tables if each.ndim == 2 and each.shape[1] > 8]
    if wide and all(_ends(each) for each in wide):
        yield "only the last values of each row are wrong: the tail that does not fill a vector or a block"


def _ends(beyond: NDArray[np.bool_]) -> bool:
    """Whether the wrong elements of a table are its last columns."""
    first = int(np.argmax(beyond.any(axis=0)))
    return 0 < first >= beyond.shape[1] - 256 and bool(beyond[:, first:].mean() > 0.5)


def _sums(failed: list[Evidence]) -> Iterator[str]:
    names = {name for each in failed for name in each.answers if each.beyond(name).any()}
    if names and names <= {"dweight", "dbias"}:
        yield f"{' and '.join(sorted(names))} alone: sums over the rows in a narrow format, or rows that are left out"


def _naive(evidence: list[Evidence], failed: list[Evidence]) -> str:
    """The naive formula fails by the size of the mean: where a case fails a row has one, and rows about 0 are right."""
    if all(condition(each.case) > 8 for each in failed) and any(condition(each.case) < 3 for each in evidence):
        return "consistent with the naive formula, E[x^2] - E[x]^2: only rows with a large mean fail"
    return ""
