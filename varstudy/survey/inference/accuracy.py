"""How far off the variance is that normalises many values far from 0.

From the outputs, and from a running variance that is the last batch's alone; and of float16 and bfloat16, with the
format that sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ..findings.properties import FindingStatus, RunningSpread
from ..probes import questions
from .finding import UNIT, Finding, measured, not_applicable, undetermined
from .normalising import Rule
from .reading import Run, Table, Variant, problem_of
from .running_laws import Kept
from .training_statistics import Normal

__all__ = ["Implied", "Measured", "accuracies", "exact_moments", "grid", "half_precision_findings", "measure"]

UNITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
_RIGHT = 0.05  # relative: what a float16 output resolves with room to spare


@dataclass(frozen=True)
class Implied:
    """A group's variance, relative to the exact one, as something shows it.

    error : relative; -1 where the variance is 0. resolution : the least that shows. shift : how far the mean is off, in
    deviations, and how well that is known (infinite: not at all).
    """

    error: float
    resolution: float
    shift: float = math.nan
    shift_resolution: float = math.inf
    bits: float | None = None


@dataclass(frozen=True)
class Measured:
    """All groups at one mean: from the outputs, and from a running variance that is the batch's alone."""

    outputs: list[Implied]
    running: list[Implied]
    state: str = ""  # "NaN" or "inf" where the outputs show no variance
    negative: bool = False  # a batch's variance below 0 went into the running one

    def best(self) -> list[Implied]:
        """The finer of the two, where they agree."""
        if not self.running:
            return self.outputs
        if not self.outputs:
            return self.running
        return [
            b if b.resolution < a.resolution and abs(a.error - b.error) <= a.resolution + b.resolution else a
            for a, b in zip(self.outputs, self.running, strict=True)
        ]

    @property
    def agree(self) -> bool:
        return not self.outputs or not self.running or all(
            abs(a.error - b.error) <= a.resolution + b.resolution + 1e-6 * abs(a.error)
            for a, b in zip(self.outputs, self.running, strict=True)
        )  # fmt: skip


@lru_cache(maxsize=32)
def exact_moments(question: str, kind: str, variant: str, centred: bool) -> tuple[tuple[Fraction, Fraction], ...]:
    """Each group's mean and sum of squares (about the mean, or about 0), exactly."""
    found = []
    for row in questions.batches(question, kind, variant)[0]:
        whole = [int(v) for v in np.ldexp(row, 40)]  # float16's and these float32 values are multiples of 2^-40
        n, total, squares = len(whole), sum(whole), sum(v * v for v in whole)
        assert (np.ldexp(row, 40) == np.round(np.ldexp(row, 40))).all()
        about = Fraction(squares) - (Fraction(total * total, n) if centred else 0)
        found.append((Fraction(total, n * 2**40), about / 2**80))
    return tuple(found)


def measure(
    variant: Variant, question: str, normal: Normal, kept: Kept | None, unit: float = UNIT
) -> Measured | Finding:
    """What a question tells of the variance; a finding (without a name) where it tells nothing."""
    run = variant.run(question)
    problem = variant.problem(question)
    points = run.points() if run else []
    if not points:
        for event in (run.event("train"), run.made) if run else ():
            failure = problem_of(event)
            if failure is not None and not failure.unsupported:
                return measured("", "error", failure.sentence)
        return problem.finding("") if problem else undetermined("", "there is no output")
    rule = normal.default
    if rule is None:
        return undetermined("", "what normalises the batch is not known")
    centred = variant.kind != "rms"
    exact = exact_moments(question, variant.kind, variant.name, centred)
    table = variant.batches(question)[0]
    outputs, state = [], ""
    for row, (where, y), (mean, moment) in zip(table, points, exact, strict=True):
        if np.isnan(y).any():
            state = "NaN"
        elif np.isinf(y).any():
            state = state or "inf"
        elif (y == y[0]).all():
            state = state or "flat"
        else:
            outputs.append(_from_outputs(row[where], y, row.size, mean, moment, rule, centred, unit))
    if state == "flat":  # all outputs alike: the deviation is infinite
        state = "inf"
    running = _from_running(variant, question, exact, table.shape[1], kept) if kept else []
    return Measured(
        [] if state else outputs, running, state, any(_negative(one, kept) for one in variant.runs(question))
    )


def _from_outputs(
    x: Table, y: Table, count: int, mean: Fraction, moment: Fraction, rule: Rule, centred: bool, unit: float
) -> Implied:
    """The slope of y against x by least squares.

    Its error: the scatter's, and at most what the roundings of outputs on a coarse grid do if they all bend it the
    same way, since x * factor + shift is rounded at the size of the mean; and the rounding of the factor.
    """
    about = float(mean)
    dev = x - about  # exact enough: x is far coarser than float64
    middle, level = (dev.mean(), y.mean()) if centred else (-about, 0.0)
    spread = float(((dev - middle) ** 2).sum())
    slope = float(((dev - middle) * (y - level)).sum()) / spread
    scatter = y - level - slope * (dev - middle)
    noise = math.sqrt(float((scatter**2).sum()) / max(1, y.size - 2))
    bent = grid(y) * float(np.abs(dev - middle).sum()) / spread
    relative = max(3 * noise / math.sqrt(spread), bent) / abs(slope) + 4 * unit if slope else math.inf
    v = float(moment / (Fraction(count) - Fraction(rule.correction)))
    d2 = 1 / slope**2 if slope else math.inf
    got = rule.place.variance(d2, rule.size, 2 * relative)
    resolution = 2 * relative * d2 / v + rule.epsilon.half / v * (rule.epsilon.low > 0)
    shift = middle - level / slope if slope else math.nan
    deviation = math.sqrt(v)
    # outputs x * factor + shift round their shift, all alike, at the size of the mean
    known = (
        (3 * noise + grid(y) + 4 * unit * float(np.abs(y).max())) / abs(slope) + 2 * unit * abs(about)
        if slope
        else math.inf
    )
    return Implied(got / v - 1, resolution, shift / deviation, known / deviation)


def grid(y: Table) -> float:
    """The largest power of two of which all the outputs are multiples; 0 where all are 0."""
    finest = math.inf
    for value in y[y != 0]:
        mantissa, exponent = math.frexp(float(value))
        whole = int(abs(mantissa) * 2**53)
        finest = min(finest, math.ldexp(whole & -whole, exponent - 53))
    return finest if math.isfinite(finest) else 0.0


def _from_running(
    variant: Variant, question: str, exact: tuple[tuple[Fraction, Fraction], ...], count: int, kept: Kept
) -> list[Implied]:
    """From a running variance in which the new batch has the weight 1, if one of the trials has it."""
    if kept.keeps != RunningSpread.VARIANCE or kept.correction is None:
        return []
    for run in variant.runs(question):
        if not _adopts(run, kept, exact):
            continue
        after = run.after()[0]
        assert after is not None
        found = []
        for (mean, moment), m, r in zip(exact, after["mean"], after["var"], strict=True):
            v = float(moment / (Fraction(count) - Fraction(kept.correction)))
            shift = float(Fraction(float(m)) - mean) / math.sqrt(v) if math.isfinite(m) else math.nan
            error = r / v - 1 if math.isfinite(r) else math.nan
            resolution = 4 * UNIT * max(1.0, abs(r) / v) if math.isfinite(r) else math.inf
            found.append(Implied(error, resolution, shift, 1e-9, float(r)))  # the mean kept is the mean itself
        return found
    return []


def _negative(run: Run, kept: Kept | None) -> bool:
    """Whether the running variance is negative, which only a batch with a negative one can make it."""
    after = (run.after() or [None])[0]
    return (
        after is not None
        and kept is not None
        and kept.keeps == RunningSpread.VARIANCE
        and bool((after["var"] < 0).any())
    )


def _adopts(run: Run, kept: Kept, exact: tuple[tuple[Fraction, Fraction], ...]) -> bool:
    """Whether the batch's statistics alone are in the running ones: its mean is, and the initial variance is not."""
    after, before = (run.after() or [None])[0], run.initial
    if after is None or after["mean"].size != len(exact):
        return False
    if not run.arguments and not (kept.first_weight is not None and abs(kept.first_weight - 1) < 1e-6):
        return False
    if before is not None and np.array_equal(before["var"], after["var"]):
        return False
    return all(
        abs(float(m) / float(mean) - 1) < 1e-3 for m, (mean, _) in zip(after["mean"], exact, strict=True) if mean
    )


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def accuracies(variant: Variant, normal: Normal, kept: Kept | None) -> tuple[list[Finding], dict[str, Measured]]:
    """Findings at every mean, and what they rest on."""
    findings, found = [], {}
    for offset in questions.OFFSETS:
        result = measure(variant, f"offset_{offset}", normal, kept)
        if isinstance(result, Measured):
            found[offset] = result
        findings.append(concluded(f"accuracy.{offset}", result))
    return findings, found


def concluded(name: str, result: Measured | Finding) -> Finding:
    if isinstance(result, Finding):
        if result.known and result.value == "error":
            if name.startswith("accuracy"):
                return Finding(name, None, FindingStatus.FAILED, result.detail)
            return measured(name, "error", result.detail)
        return Finding(name, result.value, result.status, result.detail)
    notes = []
    if result.negative:
        notes.append("the running variance is negative")
    if any(math.isnan(one.error) for one in result.running):
        notes.append("the running variance is not finite")
    if result.state:
        return measured(name, result.state, "; ".join([f"outputs: {result.state}", *notes]))
    best = result.best()
    worst = max(best, key=lambda one: abs(one.error))
    resolution = max(one.resolution for one in best)
    if any(abs(one.error + 1) <= max(one.resolution, 1e-9) for one in result.outputs):
        notes.append("a variance clipped at 0")
    if abs(worst.error) <= worst.resolution:
        notes.insert(0, f"at most: within the resolution of the outputs, {resolution:.1g}")
        return measured(name, rounded(worst.resolution), "; ".join(notes))
    notes.insert(0, f"{worst.error:+.3g}, told within {worst.resolution:.1g}")
    if not result.agree:
        low = max((one.error for one in result.running), key=abs)
        notes.append(f"the running variance is off by {low:+.3g}")
    return measured(name, rounded(abs(worst.error)), "; ".join(notes))


def half_precision_findings(variant: Variant, normal: Normal) -> list[Finding]:
    """The error of the implied variance in both formats, and float16's accumulator."""
    found: dict[str, Finding] = {}
    for dtype, unit in UNITS.items():
        for mean in questions.HALF_MEANS:
            name = f"{dtype}.{mean}"
            found[name] = concluded(name, measure(variant, f"{dtype}_{mean}", normal, None, unit))
    return [*found.values(), _accumulator(found["float16.0"], found["float16.4"])]


def _accumulator(zero: Finding, four: Finding) -> Finding:
    """By 25088 values about 4: their sum is beyond float16's largest number, in any order."""
    name = "float16.accumulator"
    for one in (zero, four):
        if not one.known:
            return Finding(name, None, one.status, one.detail)
        if one.value == "error":
            return not_applicable(name, f"float16 fails: {one.detail}")
    right = {one.name: isinstance(one.value, float) and one.value <= _RIGHT for one in (zero, four)}
    if all(right.values()):
        return measured(name, "float32", "or wider: a sum beyond 65504 and one of 25088 squares are right")
    if isinstance(zero.value, float) and four.value in ("inf", "NaN"):
        told = f"at mean 0, where it is small, the variance is off by {zero.value:g}"
        return measured(name, "float16", f"where the sum is beyond 65504 the outputs are {four.value}; {told}")
    return undetermined(name, f"at mean 0: {zero.value}, at mean 4: {four.value}")
