"""As which algorithm a variance loses accuracy: its errors at growing means against those of varstudy's algorithms.

Two kinds of evidence, and every finding says on which it rests.

To the bit
    The running variance, where one trial gives the new batch the weight 1, has the bits that one of varstudy's
    algorithms gives in float32, in every group at every mean. That names an algorithm and an order of its sums.
By the size of its errors
    Everything else, and the class alone. It is evidence, not proof: another algorithm may err as much.

    - E[x^2] - E[x]^2 in float32 is off by 0.4 of the variance or more at every mean asked (a unit in the last place
      of x^2 is many variances), whatever the order, or negative, and not by the square of the mean's error.
    - The errors of an algorithm here, in every group at every mean as far as the outputs tell them, where all that have
      them are of one class. A sum of squares in float64 is compared within the rounding of its last subtraction,
      where its errors are far larger than that. One comparison is not with one of our algorithms but with what sums in
      float64 about a mean rounded to float32 must give: the variance and the square of that rounding.
    - A two-pass sum about a mean that is off by s deviations is off by s^2, and a sequential float32 mean of so many
      values by far more than any other's. s is read off the outputs, within their rounding, or from the running mean
      of a trial with the weight 1, which is taken for the mean that the variance was summed about.
    - Errors at mean 1e6 that are, in every group, the square of the distance from the exact mean to one of the float32
      numbers near it, a few thousandths apart and met within a few millionths: a sum about a mean in float32.
    - NaN at every mean, where as many values about 0 give numbers: E[x^2] - E[x]^2 below 0.
    - Stable: no error beyond three times those of our stable ones, and more, or less, than a sum of squares in float64
      has; or a mean that is off by more than its rounding, which sums in float64 are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from varkernels import moments
from varkernels.formulas import ORDERS

from ..findings.properties import AccuracyLoss, FindingStatus
from ..probes import questions
from .accuracy import Implied, Measured, exact_moments
from .finding import Finding, listed, measured, undetermined
from .reading import Variant
from .running_laws import Kept

__all__ = ["BLAMED", "algorithm", "ours"]

NAME = "algorithm"
STABLE, TWO_PASS, SQUARES, OTHER = AccuracyLoss
# Committed findings name the orders in this sequence.
_ORDERS = tuple(sorted(ORDERS, reverse=True))
_NAIVE = tuple(f"naive/{order}" for order in _ORDERS)
ROUNDED_MEAN = "two_pass about the mean rounded to float32,"
# Ours by class, with the accumulator.
CLASSES = {
    SQUARES: [(name, "float32") for name in _NAIVE] + [(name, "float64") for name in _NAIVE],
    TWO_PASS: [("two_pass/running", "float32")],
    STABLE: [
        *((f"two_pass/{order}", "float32") for order in _ORDERS[1:]),
        *((f"{one}/{order}", "float32") for one in ("corrected_two_pass", "shifted_first") for order in _ORDERS),
        *((f"chan/{order}", "float32") for order in _ORDERS),
        ("welford", "float32"),
        ("west", "float32"),
        ("two_pass/pairwise", "float64"),
        (ROUNDED_MEAN, "float64"),
    ],
}
BLAMED = 0.4  # of the variance: every naive error in float32 is larger, at a mean of 10,000 deviations and more
_LIKE = 3.0  # times our algorithm's worst error is still like it


@lru_cache(maxsize=512)
def ours(question: str, kind: str, variant: str, name: str, accumulator: str) -> tuple[tuple[float, float], ...]:
    """(mean, M2) of each group of a question by one of varstudy's algorithms."""
    table = questions.batches(question, kind, variant)[0].astype(np.float32)
    found = moments(table[np.newaxis], name, accumulator)
    return tuple(zip(map(float, found.mean), map(float, found.m2), strict=True))


def _errors(variant: Variant, offset: str, name: str, accumulator: str = "float32") -> list[float]:
    """The relative errors of our algorithms, about the exact variance, group by group."""
    question = f"offset_{offset}"
    exact = exact_moments(question, variant.kind, variant.name, True)
    if name == ROUNDED_MEAN:  # exact but for that: the square of the mean's rounding is added
        off = [float((Fraction(float(np.float32(float(mean)))) - mean) ** 2) for mean, _ in exact]
        return [square * questions.MANY / float(moment) for square, (_, moment) in zip(off, exact, strict=True)]
    pairs = ours(question, variant.kind, variant.name, name, accumulator)
    return [m2 / float(moment) - 1 for (_, m2), (_, moment) in zip(pairs, exact, strict=True)]


def _error(variant: Variant, offset: str, name: str, accumulator: str = "float32") -> float:
    return max(map(abs, _errors(variant, offset, name, accumulator)))


def algorithm(variant: Variant, found: dict[str, Measured], kept: Kept | None, errors: Sequence[Finding]) -> Finding:
    """The class, from the measurements at all three means; `errors` are the findings on them."""
    if len(found) < len(questions.OFFSETS):
        why = next((one for one in errors if one.status in (FindingStatus.NOT_APPLICABLE, FindingStatus.FAILED)), None)
        if why is not None:
            return Finding(NAME, None, why.status, why.detail)
        return undetermined(NAME, "the variance was not measured at every mean")
    bits = _bits(variant, found, kept)
    verdict = _class(variant, found)
    if not verdict.known:
        return verdict
    grounds = f"to the bit of {bits} in float32 (running variance)" if bits else "by the size of its errors"
    return measured(NAME, verdict.value, f"{verdict.detail}; {grounds}")


def _class(variant: Variant, found: dict[str, Measured]) -> Finding:
    if all(one.state == "NaN" and not one.negative for one in found.values()):
        if _finite_about_0(variant):
            return measured(
                NAME, SQUARES, "outputs NaN at every mean, as many values about 0 give none: a variance below 0"
            )
        return undetermined(
            NAME, "NaN at every mean: a negative variance, or something else that fails for many values"
        )
    if all(_blamed(one) for one in found.values()):
        return measured(NAME, SQUARES, "; ".join(f"{offset}: {_words(one)}" for offset, one in found.items()))
    if any(one.state for one in found.values()):
        return measured(NAME, OTHER, "; ".join(f"{offset}: {_words(one)}" for offset, one in found.items()))
    errors = {offset: one.best() for offset, one in found.items()}
    worst = {offset: max(abs(each.error) for each in best) for offset, best in errors.items()}
    shown_errors = ", ".join(f"{offset}: {value:.2g}" for offset, value in worst.items())
    like = _like(variant, errors)
    if len({name for name, _ in like}) == 1:
        return measured(NAME, like[0][0], f"{shown_errors}: the errors of {_some([name for _, name in like])}")
    welford, two_pass = (_error(variant, "1e6", name) for name in ("welford", "two_pass"))
    pairs = {offset: _pairs(one) for offset, one in found.items()}
    by_mean = all(_by_mean(each) for best in pairs.values() for each in best)
    surely = by_mean and all(_by_mean(each, tight=True) for each in pairs["1e6"])
    if surely and worst["1e6"] >= math.sqrt(welford * two_pass):
        return measured(NAME, TWO_PASS, f"{shown_errors}: the square of the mean's error")
    limits = {o: max(_error(variant, o, n) for n in ("welford", "chan", "pairwise", "shifted_first")) for o in worst}
    coarse = {o: max(each.resolution for each in best) for o, best in errors.items()}
    if any(value > _LIKE * limits[o] + 2 * coarse[o] for o, value in worst.items()):
        kind = "the square of the mean's error" if surely else "of another kind than a naive one's"
        return measured(NAME, OTHER, f"{shown_errors}: more than a stable algorithm's, {kind}")
    if all(_by_mean(each, tight=True) for best in pairs.values() for each in best):
        return measured(NAME, STABLE, f"{shown_errors}: no more than the square of the mean's error")
    rounding = max(1e-6, worst["1e4"])  # of the sum itself, where a float32 mean is nearly exact
    if all(_about_float32(each, theirs, rounding) for each, theirs in _against_means(variant, errors["1e6"])):
        why = "in each group the square of the distance from the mean to a float32 number near it"
        return measured(NAME, STABLE, f"{shown_errors}: {why}, about which it sums")
    # what a sum of squares in float64 would lose at most, and at least
    if any(value - coarse[o] > 3 * _error(variant, o, "naive", "float64") for o, value in worst.items()):
        return measured(NAME, STABLE, f"{shown_errors}: as merges or recurrences in float32")
    if worst["1e6"] + coarse["1e6"] < _error(variant, "1e6", "naive/pairwise", "float64") / 16:
        return measured(NAME, STABLE, f"{shown_errors}: less than E[x^2] - E[x]^2 would lose in float64")
    if any(_rough_mean(each, offset) for offset, best in pairs.items() for each in best):
        return measured(
            NAME, STABLE, f"{shown_errors}: about a mean that is off by more than its rounding, so not in float64"
        )
    return undetermined(
        NAME,
        f"{shown_errors}, told within {coarse['1e6']:.1g} at mean 1e6: what a stable algorithm loses, and what "
        "E[x^2] - E[x]^2 loses in float64",
    )


def _like(variant: Variant, errors: dict[str, list[Implied]]) -> list[tuple[str, str]]:
    """(class, algorithm) of those with the same errors, in every group at every mean, as far as they are known."""
    like: list[tuple[str, str]] = []
    for kind, names in CLASSES.items():
        for name, accumulator in names:
            theirs = {offset: _errors(variant, offset, name, accumulator) for offset in errors}
            slack = _last_roundings(variant, theirs) if accumulator == "float64" and kind == SQUARES else {}
            same = all(
                abs(each.error - error) <= 2 * each.resolution + slack.get(offset, 0.0)
                for offset, best in errors.items()
                for each, error in zip(best, theirs[offset], strict=True)
            )
            if same:
                like.append((kind, name if accumulator == "float32" else f"{name} in float64"))
    return like


def _last_roundings(variant: Variant, theirs: dict[str, list[float]]) -> dict[str, float]:
    """What the roundings of E[x^2] and of E[x]^2 themselves in float64 change, relative to a variance of 1.

    Nothing is granted to an order whose errors are hardly larger: anything stable would pass for it.
    """
    slack = {offset: 4 * 2.0**-53 * questions.OFFSETS[offset] ** 2 for offset in theirs}
    if min(map(abs, theirs["1e6"])) < 32 * slack["1e6"]:
        return {}
    return slack


def _some(names: list[str]) -> str:
    """The first few of them."""
    if len(names) <= 3:
        return listed(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more of our algorithms"


def _finite_about_0(variant: Variant) -> bool:
    """Whether as many values about 0, in a format of fewer bits, give outputs without a NaN."""
    for question in ("bfloat16_0", "float16_0"):
        run = variant.run(question)
        points = run.points() if run else []
        if points and all(np.isfinite(y).all() for _, y in points):
            return True
    return False


def _against_means(variant: Variant, errors: list[Implied]) -> list[tuple[Implied, list[float]]]:
    """Each group's error at mean 1e6 with those that sums about the float32 numbers near its mean have."""
    exact = exact_moments("offset_1e6", variant.kind, variant.name, True)
    found = []
    for each, (mean, moment) in zip(errors, exact, strict=True):
        first = np.float32(float(mean))
        ulp = Fraction(float(np.spacing(first)))
        squares = [(Fraction(float(first)) + k * ulp - mean) ** 2 * questions.MANY / moment for k in range(-16, 17)]
        found.append((each, [float(square) for square in squares]))
    return found


def _about_float32(each: Implied, theirs: list[float], rounding: float) -> bool:
    """Whether an error is one of those, known well enough for that to mean something."""
    off = [abs(each.error - one) for one in theirs]
    within = 2 * each.resolution + rounding
    nearest = min(range(len(off)), key=off.__getitem__)
    others = [abs(one - theirs[nearest]) for i, one in enumerate(theirs) if i != nearest]
    return off[nearest] <= within and min(others) > 4 * within


def _rough_mean(one: Implied, offset: str) -> bool:
    """Whether a mean is off by more than its rounding to float32; deviations are of 1, or nearly."""
    ulp = float(np.spacing(np.float32(questions.OFFSETS[offset])))
    return abs(one.shift) - one.shift_resolution > 0.75 * ulp


def _pairs(one: Measured) -> list[Implied]:
    """Errors with the mean's shift where it is known best."""
    return one.running if one.running and one.agree else one.outputs


def _by_mean(one: Implied, tight: bool = False) -> bool:
    """Whether the error is the square of the shift of the mean, as far as both are known; and known well, if tight."""
    if math.isinf(one.shift_resolution) or math.isnan(one.error):
        return False
    square = one.shift**2
    slack = 2 * abs(one.shift) * one.shift_resolution + one.shift_resolution**2
    if tight and slack > max(1e-5, 0.1 * abs(one.error)):
        return False
    return abs(one.error - square) <= 4 * one.resolution + slack + 0.02 * square + 2e-5


def _blamed(one: Measured) -> bool:
    """Errors of the size, or NaN, that only a difference of large squares gives; not the square of a mean's error."""
    if one.state == "NaN":
        return True
    if one.state:
        return False
    return all(
        abs(each.error) >= BLAMED and abs(each.error) > each.resolution and not _large_mean(each) for each in one.best()
    )


def _large_mean(one: Implied) -> bool:
    square = one.shift**2
    return one.error > 0 and not math.isnan(square) and abs(one.error - square) <= 0.1 * one.error


def _words(one: Measured) -> str:
    if one.state:
        return f"outputs {one.state}"
    worst = max(one.best(), key=lambda each: abs(each.error))
    return f"off by {worst.error:+.3g}"


def _bits(variant: Variant, found: dict[str, Measured], kept: Kept | None) -> str:
    """Our algorithms whose variance is the running variance to the bit, at every mean and in every group."""
    if kept is None or kept.correction not in (0, 1) or not all(one.running for one in found.values()):
        return ""
    names = []
    for name in dict.fromkeys(name for names in CLASSES.values() for name, acc in names if acc == "float32"):
        same = True
        for offset, one in found.items():
            pairs = ours(f"offset_{offset}", variant.kind, variant.name, name, "float32")
            divisor = np.float32(questions.MANY - kept.correction)
            same = same and all(
                each.bits is not None and np.float32(m2) / divisor == np.float32(each.bits)
                for (_, m2), each in zip(pairs, one.running, strict=True)
            )
            if not same:
                break
        if same:
            names.append(name)
    return ", ".join(names)
