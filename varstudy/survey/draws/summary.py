"""What a table of layers shows of the draws: the worst rows, a figure with its size, and what an error grows with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from varkernels.enums import StrEnum

from ..findings.measured import FindingRow
from ..findings.properties import AccuracyLoss, FindingStatus
from .draws_record import DrawRow, DrawStatus

__all__ = ["Growth", "GrowthOf", "figure", "growths", "read_off", "split", "worst_rows"]

# What the roundings of sums in float32 may do, relative to the variance.
_SUMS = 1e-6
# An error grows where it is that many times what it was, or what a rounded mean loses.
_GROWS = 8.0


class Growth(StrEnum):
    """With what the error of a layer's variance grows."""

    ROUNDED_MEAN = "loses what a mean rounded to float32 loses"
    WITH_MEAN = "loses more with the mean"
    WITH_SIZE = "loses more with the size"


@dataclass(frozen=True)
class GrowthOf:
    """With what a layer's error grows, and the row that shows it: the one with the largest error for its class."""

    growth: Growth
    row: DrawRow


def read_off(row: DrawRow) -> bool:
    """Whether a row has errors: the layer answered, and its outputs show the variance."""
    return row.status == DrawStatus.MEASURED


def figure(row: DrawRow) -> str:
    """The errors of a row, with their population.

    Examples
    --------
    >>> from varstudy.survey import draws
    >>> worst = draws.worst_rows(draws.rows(draws.committed()), "framework", "kind", "variant", "threads", "mean")
    >>> draws.figure(worst["torch", "batch", "channels-last", "1", "1000.0"])
    'median 92.1, worst 92.4 (64 rows of 1,048,576 values about 1,000)'
    """
    population = f"({row.rows} rows of {row.size:,} values about {row.mean:,.0f})"
    if not read_off(row):
        return f"{row.status}: {row.reason} {population}"
    if row.unresolved == row.rows:
        return f"at most {max(row.worst, row.resolution):.2g} {population}"
    return f"median {row.median:.3g}, worst {row.worst:.3g} {population}"


def worst_rows(rows: Iterable[DrawRow], *names: str) -> dict[tuple[str, ...], DrawRow]:
    """The row with the largest worst error of each group; of equal ones the first.

    Parameters
    ----------
    rows : some rows; those without errors are left out. names : attributes of a row whose values make a group.
    """
    found: dict[tuple[str, ...], DrawRow] = {}
    for row in rows:
        key = tuple(str(getattr(row, name)) for name in names)
        if read_off(row) and (key not in found or row.worst > found[key].worst):
            found[key] = row
    return found


def rounded_mean(mean: float) -> float:
    """What the variance is off, relative to it, if its mean is rounded to float32 and all sums are right."""
    return _SUMS + (float(np.spacing(np.float32(mean))) / 2) ** 2


def growths(rows: Iterable[DrawRow]) -> dict[tuple[str, str, str], GrowthOf]:
    """With what each layer's error grows, by (framework, kind, variant), at the worse number of threads.

    A layer loses more with the size where rows of the largest size have a worst error of more than eight times that of
    the smallest, at some mean; more with the mean where it is more than eight times what a mean rounded to float32
    loses. An error that the outputs do not resolve shows nothing.
    """
    worst: dict[tuple[str, str, str], dict[tuple[float, int], DrawRow]] = {}
    for row in worst_rows(rows, "framework", "kind", "variant", "mean", "size").values():
        worst.setdefault((row.framework, row.kind, row.variant), {})[row.mean, row.size] = row
    return {key: _growth(found) for key, found in worst.items()}


def _growth(found: Mapping[tuple[float, int], DrawRow]) -> GrowthOf:
    sizes = {size for _, size in found}
    small, large = min(sizes), max(sizes)

    def shown(row: DrawRow) -> float:
        """How many times the error is what a rounded mean loses."""
        return row.worst / (rounded_mean(row.mean) + (row.resolution if row.unresolved else 0.0))

    by_size = [
        row
        for (mean, size), row in found.items()
        if size == large > small
        and shown(row) > _GROWS
        and (mean, small) in found
        and row.worst > _GROWS * found[mean, small].worst
        and math.isfinite(found[mean, small].worst)
    ]
    by_mean = [row for row in found.values() if shown(row) > _GROWS]
    for growth, some in ((Growth.WITH_SIZE, by_size), (Growth.WITH_MEAN, by_mean)):
        if some:
            return GrowthOf(growth, max(some, key=shown))
    return GrowthOf(Growth.ROUNDED_MEAN, max(found.values(), key=lambda row: row.worst))


def split(
    findings: Iterable[FindingRow], grown: Mapping[tuple[str, str, str], GrowthOf]
) -> dict[tuple[str, str, str], str]:
    """The classes of algorithms, by framework, kind and variant; the stable ones with what their error grows with.

    Parameters
    ----------
    findings : of the conventions. grown : as `growths` gives; a stable layer without draws stays "stable".
    """
    found: dict[tuple[str, str, str], str] = {}
    for row in findings:
        if row.property != "algorithm" or row.status != FindingStatus.MEASURED:
            continue
        key = row.framework, row.kind, row.variant
        value = str(row.plain())
        also = grown.get(key) if value == AccuracyLoss.STABLE else None
        found.setdefault(key, f"{value}, {also.growth}" if also else value)
    return found
