"""What this library promises, each a ratio of two medians of one run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..targets import Target, noise
from .bench_record import LIMIT, BenchRow
from .peers import NORMS, OURS

__all__ = ["CALL", "LARGE", "judged"]

FAST, EXACT = OURS
# Values: the length at which memory decides, and one at which the call itself does.
LARGE, CALL = 2**26, 1000


def judged(rows: Iterable[BenchRow]) -> list[Target]:
    """Every target, with what these rows say of it."""
    known = [row for row in rows if row.status == "ok" and row.seconds > 0]

    def find(contender: str, dtype: str, threads: int = 1, norm: str = "flat", values: int = 0) -> BenchRow | None:
        key = contender, dtype, threads, norm
        mine = (row for row in known if (row.contender, row.dtype, row.threads, row.norm) == key)
        return next((row for row in mine if values in (0, row.values)), None)

    found: list[Target] = []

    def add(name: str, dtype: str, wanted: float, pair: tuple[BenchRow | None, BenchRow | None], **given: Any) -> None:
        above, below = pair
        measured, note = math.nan, "not measured"
        if above is not None and below is not None:
            measured, note = above.seconds / below.seconds, noise(above, below)
        found.append(Target(name, dtype, wanted, **{"at_most": False, "measured": measured, "note": note, **given}))

    for dtype, limit, fast, exact, norms in (("float32", 0.85, 6.0, 2.0, 4.0), ("float64", 0.85, 5.0, 1.7, 3.0)):
        ours, truth, numpy, reading = (find(name, dtype, values=LARGE) for name in (FAST, EXACT, "numpy.var", LIMIT))
        add("fast / read limit, 2^26", dtype, limit, (reading, ours))
        add("fast / numpy.var, 2^26", dtype, fast, (numpy, ours))
        add("exact / numpy.var, 2^26", dtype, exact, (numpy, truth))
        each = [find("numpy.var", dtype, norm=norm) for norm in NORMS]
        four = [row for row in each if row is not None]
        slowest = max(four, key=lambda row: row.seconds) if len(four) == len(NORMS) else None
        for name in OURS:
            pair = (slowest, find(name, dtype, norm="all"))
            add(f"four norms by {name}, one read / numpy's slowest", dtype, norms, pair)
        for name in OURS:
            pair = (find(name, dtype, values=CALL), find("numpy.var", dtype, values=CALL))
            add(f"a call of 1,000 values by {name} / numpy.var", dtype, 1.5, pair, at_most=True)
        two, reading_two = (find(name, dtype, 2, values=LARGE) for name in (FAST, LIMIT))
        add("fast: two threads / one, 2^26", dtype, 1.6, (ours, two), **_unshared(two, reading_two))
    return found


def _unshared(ours: BenchRow | None, reading: BenchRow | None) -> dict[str, Any]:
    """Why two threads were none."""
    if reading is not None and reading.cpus < 1.5:
        return {"measured": math.nan, "note": "not measured: no second core was free"}
    if ours is not None and ours.cpus < 1.2:
        return {"measured": math.nan, "note": "not measured: it ran in one thread"}
    return {}
