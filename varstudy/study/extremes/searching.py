"""Search a cell for its worst rows: hill climbing with restarts, and all pairs of values where these are few.

A search needs the errors of thousands of rows at a time: `scores` takes them from numpy's longest floating-point type,
which is close enough to climb by. What is found is measured exactly (`worst_rows.measure`) before it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from varkernels.dispatch import moments
from varkernels.formats import Format
from varkernels.formulas import FORMULAS
from varkernels.formulas.bounding import Floats, Rows

from ..error_bounds import bounds
from .worst_rows import GOALS, LARGEST_KAPPA, MODERATE, Cell, WorstRow, measure

__all__ = ["FORMATS_SEARCHED", "cells", "search"]

FORMATS_SEARCHED = ("float16", "bfloat16", "float32", "float64")
# The orders and the lengths that a search takes by default; lanes4 first differs from pairwise at 8 values.
LENGTHS = {"running": (2, 3, 4, 8, 16), "pairwise": (3, 4, 8, 16), "lanes4": (8, 16)}
POPULATION = 1500
# Pairs that are measured at a time.
CHUNK = 1 << 17


def cells(
    formula: str | None = None, order: str | None = None, fmt: str | None = None, n: int | None = None
) -> list[Cell]:
    """The cells that a search takes: each formula of the study with a bound that needs no centre from outside.

    Parameters
    ----------
    formula, order, fmt, n : only this one; an order or a length that is not searched by default is taken too.
    """
    found = []
    for name, one in FORMULAS.items():
        if one.bound is None or one.needs_centre or not one.study_orders or formula not in (None, name):
            continue
        for schedule in [order] if order else LENGTHS:
            if schedule != "running" and not one.mergeable:
                continue
            for length in [n] if n else LENGTHS.get(schedule, LENGTHS["running"]):
                found += [Cell(name, schedule, f, length) for f in FORMATS_SEARCHED if fmt in (None, f)]
    return found


def search(cell: Cell, generations: int, seed: int = 0, start: Iterable[WorstRow] = ()) -> list[WorstRow]:
    """The worst rows that a search of a cell finds, one for each goal; the same for the same arguments.

    Parameters
    ----------
    cell : where to search. generations : how long to climb; pairs of 16-bit values are searched through instead.
    seed : of the random numbers. start : rows of the same format and length to begin with, of any formula.
    """
    largest = _largest(cell)
    if cell.n == 2 and cell.accumulator.precision <= 11:
        best = _best_of(cell, _pairs(cell.accumulator, largest))
        method = "all pairs"
    else:
        given = [row.array.astype(np.float64) for row in start if (row.format, row.n) == (cell.format, cell.n)]
        # What another formula's row was, in the range of this one.
        given = [row * 2.0 ** -max(0, int(np.frexp(np.abs(row).max() / largest)[1]) - 1) for row in given]
        best = {goal: _climb(cell, largest, goal, generations, seed, given) for goal in GOALS}
        method = "climbing"
    found = []
    for goal, values in best.items():
        array = cell.accumulator.rounded(values)
        units, share, kappa = measure(cell, array[np.newaxis])[0]
        if scores(cell, array[np.newaxis])[goal][0] > 0:
            found.append(WorstRow(*cell, goal, method, units, share, kappa, *_integers(array.astype(np.float64))))
    return found


def _largest(cell: Cell) -> float:
    """Where values end: the largest power of two of whose sums and squares none overflows; 1 where all is far."""
    if cell.format != "float16":
        return 1.0
    return float(2.0 ** np.floor(np.log2(np.sqrt(float(cell.accumulator.largest) / 2) / (4 * cell.n))))


def _integers(array: Floats) -> tuple[int, str]:
    """A row as an exponent and the integers that it is times that power of two."""
    fractions = [Fraction(value) for value in array.tolist()]
    exponent = -max(f.denominator for f in fractions).bit_length() + 1
    integers = [int(f * Fraction(2) ** -exponent) for f in fractions]
    while all(value % 2 == 0 for value in integers):
        integers, exponent = [value // 2 for value in integers], exponent + 1
    return exponent, " ".join(map(str, integers))


def scores(cell: Cell, array: NDArray[np.generic]) -> dict[str, Floats]:
    """How bad rows are by each goal, to a hundredth of u or so; 0 for rows that a goal leaves out.

    Parameters
    ----------
    cell : formula, order and format. array : (rows, n) of the format's dtype.
    """
    fmt, n = cell.accumulator, cell.n
    x = array.astype(np.float64)
    centre = x.mean(axis=1)
    longest = np.float64 if fmt.precision <= 11 else np.longdouble
    with np.errstate(all="ignore"):
        # x - centre is exact in the longest type unless a value is far smaller than the others
        d = x.astype(longest) - centre[:, np.newaxis].astype(longest)
        off = d.sum(axis=1) / n
        exact = (d * d).sum(axis=1) - n * off * off
        s = exact.astype(np.float64)
        mean = np.abs(centre + off.astype(np.float64))
        q = s + n * mean**2
        kappa = np.sqrt(q / s)
        answers = np.asarray(moments(array[np.newaxis], cell.algorithm, fmt).m2).astype(np.float64)
        error = np.abs(answers.astype(longest) - exact).astype(np.float64)
        # Far from underflow: all products together lose less than a sixteenth of a unit.
        fit = (s > 16 * n * float(fmt.smallest_subnormal / fmt.unit_roundoff)) & np.isfinite(error)
        spread, first = x.max(axis=1) - x.min(axis=1), np.abs(d[:, 0] - off).astype(np.float64)
        rows = Rows(n, np.zeros(len(x), np.int64), mean, s, q, spread, first, np.full(len(x), np.nan))
        units, share = error / (float(fmt.unit_roundoff) * s), error / bounds(cell.algorithm, fmt, rows).m2
        return {
            "units": np.where(fit & (kappa <= MODERATE), units, 0.0),
            "share": np.where(fit & (kappa <= LARGEST_KAPPA[fmt.name]), share, 0.0),
        }


def _pairs(fmt: Format, largest: float) -> Iterator[NDArray[np.float64]]:
    """All pairs with one value in [largest, 2 largest) and the other's magnitude below it, down to 2^-(p + 1) of it."""
    p = fmt.precision
    top = largest * (1 + np.arange(2 ** (p - 1)) * 2.0 ** (1 - p))
    magnitudes = np.concatenate([top * 2.0**-k for k in range(p + 2)])
    others = np.concatenate([magnitudes, -magnitudes])
    step = max(1, CHUNK // len(others))
    for start in range(0, len(top), step):
        some = top[start : start + step]
        pairs = np.stack(np.broadcast_arrays(some[:, np.newaxis], others[np.newaxis]), axis=-1).reshape(-1, 2)
        yield pairs
        yield pairs[:, ::-1]


def _best_of(cell: Cell, chunks: Iterable[NDArray[np.float64]]) -> dict[str, Floats]:
    best: dict[str, tuple[float, Floats]] = {}
    for chunk in chunks:
        array = cell.accumulator.rounded(chunk)
        for goal, found in scores(cell, array).items():
            k = int(found.argmax())
            if goal not in best or found[k] > best[goal][0]:
                best[goal] = float(found[k]), chunk[k]
    return {goal: row for goal, (_, row) in best.items()}


def _climb(cell: Cell, largest: float, goal: str, generations: int, seed: int, given: list[Floats]) -> Floats:
    """The best row of a population whose members change a little, keep what makes them worse, and start again."""
    fmt, n = cell.accumulator, cell.n
    rng = np.random.default_rng([seed, n, *map(ord, f"{cell.formula} {cell.order} {cell.format} {goal}")])

    def stored(values: Floats) -> Floats:
        kept: Floats = fmt.rounded(np.clip(values, -1.999 * largest, 1.999 * largest)).astype(np.float64)
        return kept

    def fresh(count: int) -> Floats:
        """Rows about a centre, 0 or not, of widths from one unit in the last place to the whole range."""
        centre = rng.uniform(-1, 1, (count, 1)) * rng.choice([0, 1, 1, 1], (count, 1))
        width = 2.0 ** rng.uniform(1 - min(fmt.precision, 14), 0, (count, 1))
        return stored(largest * (centre + width * rng.normal(size=(count, n))))

    def score(rows: Floats) -> Floats:
        return scores(cell, fmt.rounded(rows))[goal]

    size = POPULATION
    rows = fresh(size)
    if given:
        rows[: len(given)] = given[:size]
    value = score(rows)
    everyone = np.arange(size)
    for generation in range(generations):
        # One generation in four spreads the best tenth over the population.
        spread = generation % 4 == 3
        parents = np.argsort(-value)[rng.integers(0, size // 10, size)] if spread else everyone
        tried = stored(_changed(rows[parents], rng, fmt.precision))
        found = score(tried)
        better = found > value
        rows[better], value[better] = tried[better], found[better]
        if generation % 40 == 39 and generation < generations - 20:
            again = np.argsort(value)[: size // 3]
            rows[again] = fresh(len(again))
            value[again] = score(rows[again])
    best: Floats = rows[value.argmax()]
    return best


def _changed(rows: Floats, rng: np.random.Generator, precision: int) -> Floats:
    """Each row with one small change: some units in the last place, two values exchanged, all moved, one copied."""
    count, n = rows.shape
    ulp = np.ldexp(1.0, np.frexp(rows)[1] - precision)
    kind = rng.integers(0, 6, count)
    made = rows.copy()
    steps = rng.integers(-4, 5, rows.shape) * (rng.random(rows.shape) < 2 / n)
    few = kind <= 2
    made[few] += (steps * ulp)[few]
    i = rng.integers(0, n, (count,))
    j = rng.integers(0, n, (count,))
    some = np.flatnonzero(kind == 3)
    made[some, i[some]], made[some, j[some]] = rows[some, j[some]], rows[some, i[some]]
    some = np.flatnonzero(kind == 4)
    shift = rng.integers(-64, 65, count) * np.max(ulp, axis=1) * 2.0 ** rng.integers(-2, 5, count)
    made[some] += shift[some, np.newaxis]
    some = np.flatnonzero(kind == 5)
    made[some, i[some]] = rows[some, j[some]] * rng.choice([1, -1, 0.5, 2], len(some))
    return made
