"""Whether outputs follow running statistics, or the batch's own."""

from __future__ import annotations

import numpy as np

from ..findings.property_values import EpsilonPlace, RunningSpread
from .finding import UNIT, Interval
from .normalising import PLACES, Rule, implied, line, moments_of, rules
from .reading import Statistics, Table

__all__ = ["SPREADS", "as_batch", "as_running"]

SPREADS = (RunningSpread.VARIANCE, RunningSpread.DEVIATION, RunningSpread.INVERSE)


def as_running(
    table: Table, y: Table, statistics: Statistics | None, keeps: str | None, place: str | None = None
) -> list[tuple[Interval, str]]:
    """The epsilons that make running statistics explain the outputs, and their places, `place` first; [] if none does.

    Parameters
    ----------
    keeps : what the kept "var" is: variance (the default), deviation, inverse deviation.
    """
    if statistics is None or statistics["mean"].size != len(table):
        return []
    scale = float(statistics["scale"][0]) if "scale" in statistics and statistics["scale"].size == 1 else 1.0
    scale = scale or 1.0  # of sums to which nothing was added yet
    means, spreads = statistics["mean"] / scale, statistics["var"] / scale
    if not np.isfinite(means).all():
        return []
    powers = {RunningSpread.VARIANCE: 1.0, RunningSpread.DEVIATION: 2.0, RunningSpread.INVERSE: -2.0}
    power = powers[RunningSpread(keeps or RunningSpread.VARIANCE)]
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = spreads**power
    lines = []
    for row, out, mean, v in zip(table, y, means, variances, strict=True):
        if np.ptp(row) <= 1e-3 * abs(row.mean() - mean) or not np.isfinite(v) or v < 0:
            continue  # nothing is left of the values beside their distance from the mean
        found = line(row, out, centred=True, slack=_slack(row, mean))
        # a scale and a shift that are worked out beforehand round at the size of the mean
        reach = 16 * UNIT * (np.abs(row).max() + abs(mean))
        if found is None or abs(found.mean - mean) > max(found.mean_error, reach):
            return []
        lines.append((float(v), found))
    holding = []
    for at in dict.fromkeys((place or EpsilonPlace.INSIDE, *PLACES)):
        epsilon = Interval(0.0, np.inf)
        for v, found in lines:
            epsilon = epsilon & implied(v, found, at)
        if lines and not epsilon.empty:
            holding.append((epsilon, at))
    return holding


def as_batch(table: Table, y: Table, centred: bool, rule: Rule | None) -> bool:
    """Whether the outputs are normalised by the batch's own statistics, by a rule if one is known."""
    lines = [line(row, out, centred=centred) for row, out in zip(table, y, strict=True)]
    moments = moments_of(table, centred)
    for row, found, moment in zip(table, lines, moments, strict=True):
        about = row.mean() if centred else 0.0
        if moment > 0 and (found is None or abs(found.mean - about) > found.mean_error + 1e-30):
            return False
    if rule is None:
        return bool(rules(moments, table.shape[1], lines))
    return all(
        found is None
        or not (implied(moment / (table.shape[1] - rule.correction), found, rule.place) & rule.epsilon).empty
        for found, moment in zip(lines, moments, strict=True)
    )


def _slack(row: Table, mean: float) -> float:
    """float32's roundings relative to the largest output, when x and the mean may cancel."""
    return float(16 * UNIT * (1 + (np.abs(row).max() + abs(mean)) / max(np.abs(row - mean).max(), 1e-30)))
