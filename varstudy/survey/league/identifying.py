"""Which of our algorithms, in which accumulator, a function is: told by the bits of all its answers.

Nothing is claimed on the strength of a name or a documentation. Where no candidate has all the bits, the ones that have
them for all rows up to some length may be named, with that length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import varkernels
from varkernels import Algorithm
from varkernels.formats import FORMATS, Format

from ...study.measuring import moments_of, reduction
from .league_rows import Matrix
from .library_orders import schemes

__all__ = ["Candidates", "Match", "algorithms", "candidates", "match"]

Floats = NDArray[np.float64]

# Orders beyond those of the study's table, for the formulas that libraries use.
MORE_ORDERS = ("lanes2", "lanes4", "lanes8", "lanes16", "lanes64")
MORE_FORMULAS = ("two_pass", "naive", "chan")
# A claim for rows up to a length needs so many rows, values in the longest, and no more names than these.
FEW_ROWS, SHORT, MANY_NAMES = 32, 50, 6


def algorithms() -> list[Algorithm]:
    """Each of our algorithms on the CPU that needs no centre from its caller, and some in more orders."""
    known = [each for each in varkernels.algorithms().values() if each.builtin and not each.needs_centre]
    names = {each.name for each in known}
    more = (varkernels.get(f"{formula}/{order}") for formula in MORE_FORMULAS for order in MORE_ORDERS)
    return known + [each for each in more if each.name not in names]


def accumulators(storage: str, algorithm: Algorithm) -> list[str]:
    """The formats that a library might accumulate a storage format in."""
    wanted = dict.fromkeys((storage, "float32", "float64") if storage != "float64" else (storage,))
    return [name for name in wanted if name in algorithm.accumulators]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What every candidate answers for the rows of some matrices of one storage format.

    Attributes
    ----------
    names : ``algorithm in accumulator``. formats : the accumulators. answers : float64 array (candidates, rows).
    lengths : of the rows. finite : rows without NaN and infinity. keys : which matrix each row is of.
    """

    storage: str
    names: list[str]
    formats: list[Format]
    answers: Floats
    lengths: NDArray[np.int64]
    finite: NDArray[np.bool_]
    keys: list[str]


@dataclass(frozen=True)
class Match:
    """Candidates that have all bits of a function's answers on rows of finite values.

    Attributes
    ----------
    names : all that tie, ours first. up_to : 0 where they agree on all rows; else the length up to which they do.
    rows : how many rows that is.
    """

    names: tuple[str, ...] = ()
    up_to: int = 0
    rows: int = 0


# The answers of one candidate for one matrix, by correction.
Given = dict[int, Floats]


def _of(matrix: Matrix, ddofs: Sequence[int], known: Sequence[Algorithm]) -> Iterator[tuple[str, str, Given]]:
    formats = list(dict.fromkeys((matrix.storage, "float32", "float64")))
    if matrix.storage == "float64":
        formats = ["float64"]
    corrections = [float(ddof) for ddof in ddofs]
    reduced = reduction(matrix.values, "layer", layout="NC", groups=None, corrections=corrections, accumulators=formats)
    for algorithm in known:
        for name in accumulators(matrix.storage, algorithm):
            variances = moments_of(reduced, algorithm, FORMATS[name])[1]
            yield algorithm.name, name, {ddof: variances[float(ddof)] for ddof in ddofs}
    rows = [np.ascontiguousarray(row) for row in _native(matrix)]
    for name in formats:
        if name in ("float32", "float64"):
            wide = np.float32 if name == "float32" else np.float64
            for ddof in ddofs:
                each = [dict(schemes(row, wide, ddof)) for row in rows]
                for scheme in each[0] if each else ():
                    found = np.array([row.get(scheme, np.nan) for row in each])
                    yield scheme, name, {ddof: found}
                    if scheme.startswith(("naive", "mean of squares")):
                        yield f"{scheme}, negative as 0", name, {ddof: np.maximum(found, 0)}


def _native(matrix: Matrix) -> NDArray[np.floating]:
    return matrix.values.astype(np.float32) if matrix.storage == "bfloat16" else matrix.values


def candidates(
    matrices: Sequence[Matrix], ddofs: Sequence[int], known: Sequence[Algorithm] | None = None
) -> dict[int, Candidates]:
    """The candidates' answers for matrices of one storage format, by correction: what a candidate sums up of a row is
    the same for all of them.
    """
    known = algorithms() if known is None else known
    tables: dict[int, dict[tuple[str, str], list[Floats]]] = {ddof: {} for ddof in ddofs}
    done = 0
    for matrix in matrices:
        rows = len(matrix.values)
        for name, accumulator, given in _of(matrix, ddofs, known):
            for ddof, answers in given.items():
                column = tables[ddof].setdefault((name, accumulator), [np.full(done, np.nan)] if done else [])
                column.append(answers)
        done += rows
        for table in tables.values():
            for column in table.values():  # a scheme that does not exist for so short rows
                short = done - sum(map(len, column))
                if short:
                    column.append(np.full(short, np.nan))
    finite = np.concatenate([np.isfinite(m.values.astype(np.float64)).all(axis=1) for m in matrices])
    lengths = np.repeat([m.length for m in matrices], [len(m.values) for m in matrices])
    keys = [m.key for m in matrices for _ in m.values]
    return {
        ddof: Candidates(
            matrices[0].storage,
            [name if " in " in name else f"{name} in {accumulator}" for name, accumulator in table],
            [FORMATS[accumulator] for _, accumulator in table],
            np.array([np.concatenate(column) for column in table.values()]),
            lengths,
            finite,
            keys,
        )
        for ddof, table in tables.items()
    }


def _bits(values: Floats) -> NDArray[np.int64]:
    """Bits, all NaN alike."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


def match(known: Candidates, answers: Floats, tried: NDArray[np.bool_], answered_in: str) -> Match:
    """The candidates that have every bit of a function's answers.

    Parameters
    ----------
    answers : float64 array (rows,). tried : rows that the function was given and answered.
    answered_in : the format of its answers; wider candidates are rounded to it.
    """
    use = tried & known.finite
    if not use.any():
        return Match()
    wanted = _bits(answers[use])
    lengths = known.lengths[use]
    fmt = FORMATS.get(answered_in)
    reach = {}
    for name, own, given in zip(known.names, known.formats, known.answers[:, use], strict=True):
        narrow = fmt is not None and fmt.precision < own.precision
        found = fmt.rounded(given).astype(np.float64) if narrow and fmt is not None else given
        wrong = lengths[_bits(found) != wanted]
        reach[name] = int(wrong.min()) if len(wrong) else 0
    same = tuple(name for name, at in reach.items() if not at)
    if len(same) == len(known.names):
        return Match()  # rows on which nothing can be told apart, such as constant ones
    if same:
        return Match(same, 0, int(np.count_nonzero(use)))
    best = max(reach.values())
    shorter = lengths[lengths < best]
    names = tuple(name for name, at in reach.items() if at == best)
    if len(shorter) < FEW_ROWS or shorter.max() < SHORT or len(names) > MANY_NAMES:
        return Match()
    return Match(names, int(shorter.max()), len(shorter))
