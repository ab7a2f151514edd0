"""What is kept of the batches' spread, and with which correction."""

from __future__ import annotations

import numpy as np

from ..findings.property_values import RunningSpread
from ..probes import questions
from .finding import UNIT, Finding, Interval, listed, measured, short, undetermined
from .following import SPREADS
from .impulses import UPDATES, Kept, Series
from .reading import Variant

__all__ = ["spread"]


def spread(variant: Variant, kept: Kept, steps: Series, sizes: Series | None) -> list[Finding]:
    """What is kept of the spread, with which correction: from impulses of known variance, in units of the mean's."""
    keeps, correction = "running.keeps", "correction.running"
    tables = variant.batches("steps")
    count = tables[0].shape[1]
    candidates = _kept_as(steps, [count] * len(tables))
    if sizes is not None:
        counts = [table.shape[1] for table in variant.batches("sizes")]
        again = _kept_as(sizes, counts)
        candidates = [one for one in candidates if any(one[0] == two[0] and _near(one[1], two[1]) for two in again)]
    if not candidates:
        why = "the running variance does not follow the batches' variances with the weights of the running mean"
        return [undetermined(keeps, why), undetermined(correction, why)]
    kinds = sorted({one[0] for one in candidates})
    if len(kinds) > 1:
        return [undetermined(keeps, listed(kinds)), undetermined(correction, listed(kinds))]
    kept.keeps = kinds[0]
    found = measured(
        keeps, kinds[0], "" if kinds[0] == RunningSpread.VARIANCE else f"the running variance is a running {kinds[0]}"
    )
    if len(candidates) > 1:
        said = listed(f"{c.middle:g}" for _, c in candidates)
        return [found, undetermined(correction, f"{said}: n is too large to tell")]
    interval = candidates[0][1]
    value, _ = short(interval)
    if value in (0, 1):
        kept.correction = value
        return [found, measured(correction, int(value), f"divisor {'n' if value == 0 else 'n - 1'}, n = {count}")]
    kept.correction = interval.middle
    return [found, measured(correction, value, f"divisor n - {value:g} at n = {count}, neither n nor n - 1")]


def _near(a: Interval, b: Interval) -> bool:
    return not (a & b).empty


def _kept_as(series: Series, counts: list[int]) -> list[tuple[str, Interval]]:
    """(what is kept, correction) that explain the running variance; 0 and 1 before any other correction."""
    rows = np.array([one["var"] for one in series.after])
    steps = len(series.weights)
    if rows.shape[1] <= steps or not np.isfinite(rows).all():
        return []
    moved = rows[:, :steps] - rows[:, -1:]
    rounding = UNIT * UPDATES * (steps + 1) * np.abs(rows).max()
    base, impulse = questions.BASE_SCALE, questions.IMPULSE_SCALE
    moments = [float((questions.pattern(n) ** 2).sum()) for n in counts[:steps]]
    found: list[tuple[str, Interval]] = []
    strong = np.abs(series.weights) > 100 * series.error
    for name, power in zip(SPREADS, (2.0, 1.0, -1.0), strict=True):
        step = impulse**power - base**power
        corrections = Interval(-np.inf, np.inf)
        for t, j in zip(*np.nonzero(strong), strict=True):
            # moved = weight * step * (moment / (n - c)) ** (power / 2)
            weight = series.weights[t, j] * step
            error = abs(rounding / weight) + abs(moved[t, j] / weight) * (series.error / abs(series.weights[t, j]))
            size = Interval.about(moved[t, j] / weight, error + 1e-6 * abs(moved[t, j] / weight))
            if size.low <= 0:
                corrections = Interval(1.0, 0.0)
                break
            ends = sorted(counts[j] - moments[j] * end ** (-2 / power) for end in (size.low, size.high))
            corrections = corrections & Interval(*ends)
        if corrections.empty or not np.isfinite(corrections.half):
            continue
        whole = [c for c in (0.0, 1.0) if c in corrections]
        # another correction only of a variance, and only one that leaves a divisor and is known well
        if whole:
            found += [(name, Interval(c, c)) for c in whole]
        elif (
            name == RunningSpread.VARIANCE
            and corrections.low > -1
            and corrections.high < min(counts)
            and corrections.half < 0.01
        ):
            found.append((name, corrections))
    return found
