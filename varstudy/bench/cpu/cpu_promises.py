"""What this library promises, each a ratio of two medians of one run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..targets import Target, noise
from .bench_record import LIMIT, BenchRow
from .peers import NORMS, OURS
from .tables import HARD, SIXTEEN, TABLES, Table

__all__ = ["CALL", "LARGE", "judged"]

# Values: the length at which memory decides, and one at which the call itself does.
LARGE, CALL = 2**26, 1000
# So many values a column are few.
FEW = 16
# What hard values may take of numpy's time.
LIMITS = {
    **dict.fromkeys(("bytes", "averages of 64 bytes", "large mean", "constants"), 0.6),
    **dict.fromkeys(("exp(20 z)", "NaN", "subnormal"), 1.5),
}


def judged(rows: Iterable[BenchRow]) -> list[Target]:
    """Every target, with what these rows say of it."""
    known = [row for row in rows if row.status == "ok" and row.seconds > 0]

    def find(
        contender: str, dtype: str, threads: int = 1, norm: str = "flat", shape: Sequence[int] = ()
    ) -> BenchRow | None:
        key = contender, dtype, threads, norm
        mine = (row for row in known if (row.contender, row.dtype, row.threads, row.norm) == key)
        return next((row for row in mine if not shape or row.shape == list(shape)), None)

    found: list[Target] = []

    def add(name: str, dtype: str, wanted: float, pair: tuple[BenchRow | None, BenchRow | None], **given: Any) -> None:
        above, below = pair
        measured, note = math.nan, "not measured"
        if above is not None and below is not None:
            measured, note = above.seconds / below.seconds, noise(above, below)
        found.append(Target(name, dtype, wanted, **{"at_most": False, "measured": measured, "note": note, **given}))

    def against_numpy(dtype: str, tables: Sequence[Table], plain: float, few: float) -> None:
        """What exact may take of numpy's time: rows and columns, columns of few values, small tables."""
        for each in tables:
            pair = [find(name, dtype, norm=each.name, shape=each.shape) for name in (OURS, "numpy.var")]
            wanted = few if each.axes == (0,) and each.shape[0] <= FEW else plain
            wanted = LIMITS.get(each.values, 0.5 if each.size < CALL or each.masked else wanted)
            name = f"time of exact / numpy.var, {'x'.join(map(str, each.shape))} {each.name}"
            add(name, dtype, wanted, (pair[0], pair[1]), at_most=True)

    for dtype, limit, table, few, norms in (("float32", 0.93, 0.25, 0.35, 4.0), ("float64", 0.85, 0.4, 0.4, 3.0)):
        exact, numpy, reading = (find(name, dtype, shape=[LARGE]) for name in (OURS, "numpy.var", LIMIT))
        add("exact / read limit, 2^26", dtype, limit, (reading, exact))
        add("exact / numpy.var, 2^26", dtype, 4.0 if dtype == "float32" else 2.5, (numpy, exact))
        each = [find("numpy.var", dtype, norm=norm) for norm in NORMS]
        four = [row for row in each if row is not None]
        slowest = max(four, key=lambda row: row.seconds) if len(four) == len(NORMS) else None
        pair = (slowest, find(OURS, dtype, norm="all"))
        add(f"four norms by {OURS}, one read / numpy's slowest", dtype, norms, pair)
        pair = (find(OURS, dtype, shape=[CALL]), find("numpy.var", dtype, shape=[CALL]))
        add("time of exact / numpy.var, 1,000 values", dtype, 0.25, pair, at_most=True)
        against_numpy(dtype, TABLES, table, few)
        against_numpy(dtype, HARD, table, few)
        two, reading_two = (find(name, dtype, 2, shape=[LARGE]) for name in (OURS, LIMIT))
        add("exact: two threads / one, 2^26", dtype, 1.6, (exact, two), **_unshared(two, reading_two))
    for dtype in SIXTEEN:
        against_numpy(dtype, TABLES, 0.25, 0.35)
    return found


def _unshared(ours: BenchRow | None, reading: BenchRow | None) -> dict[str, Any]:
    """Why two threads were none."""
    if reading is not None and reading.cpus < 1.5:
        return {"measured": math.nan, "note": "not measured: no second core was free"}
    if ours is not None and ours.cpus < 1.2:
        return {"measured": math.nan, "note": "not measured: it ran in one thread"}
    return {}
