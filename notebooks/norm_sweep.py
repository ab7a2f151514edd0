"""The runs that notebook 8 draws: their plan, their committed results, and the tables of the page on training.

python notebooks/norm_sweep.py --write     # train all and write norm_sweep.json; one to two minutes
python notebooks/norm_sweep.py --check     # train all again and compare
python notebooks/norm_sweep.py --tables    # the page's tables
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from norm_training import Outcome, Setup, train

from varstudy._io.atomic import write_whole

__all__ = ["ALGORITHMS", "BATCHES", "FILE", "NORMS", "PLAN", "different", "load", "main", "shown", "tables"]

FILE = Path(__file__).with_suffix(".json")
NORMS = ("batch", "group", "layer", "affine")
BATCHES = (2, 4, 8, 16, 32)
OFFSETS = (0.0, 100.0, 3000.0)
ACCUMULATORS = ("float32", "bfloat16", "float16")
# Names with whether a variance below 0 becomes 0. Welford's recurrence has no merge, and so no tree.
ALGORITHMS = (
    ("exact", False),
    ("welford", False),
    ("two_pass", False),
    ("two_pass/pairwise", False),
    ("naive", False),
    ("naive/pairwise", False),
    ("naive/pairwise", True),
)
PLAN = (
    *(Setup(norm, batch) for norm in NORMS for batch in BATCHES),
    *(
        Setup(images=6_400, offset=offset, accumulator=accumulator, algorithm=algorithm, clip=clip)
        for offset in OFFSETS
        for accumulator in ACCUMULATORS
        for algorithm, clip in ALGORITHMS
    ),
)
# Test errors may differ by this between two machines, whose matrix products round differently.
APART = 0.03
# From here on, a run has not learnt or does not use what it learnt, and how wrong it is depends on luck.
LOST = 0.15


def load() -> dict[Setup, Outcome]:
    """The committed results, by what was trained."""
    rows = json.loads(FILE.read_text("utf-8"))
    found = {}
    for row in rows:
        measured = [[math.nan if v is None else v for v in row.pop(name)] for name in ("loss", "error", "own")]
        found[Setup(**{**row, "seeds": tuple(row["seeds"])})] = Outcome(*measured)
    return found


def _written(results: dict[Setup, Outcome]) -> str:
    """One line a run; JSON has no NaN, and null stands for it."""
    lines = []
    for setup, outcome in results.items():
        measured = {
            name: [round(v, 5) if math.isfinite(v) else None for v in values]
            for name, values in asdict(outcome).items()
        }
        lines.append(json.dumps(asdict(setup) | measured))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def different(kept: Outcome, found: Outcome) -> str:
    """How two outcomes of one setup differ by more than rounding explains; empty where they do not."""
    if [math.isnan(v) for v in kept.loss] != [math.isnan(v) for v in found.loss]:
        return f"the loss is NaN for other seeds: {kept.loss} and {found.loss}"
    for name in ("error", "own"):
        a, b = (float(np.median(getattr(outcome, name))) for outcome in (kept, found))
        if abs(a - b) > APART and min(a, b) < LOST:
            return f"the median of {name} was {a:.1%} and is {b:.1%}"
    return ""


def shown(values: Sequence[float]) -> str:
    """The median and the range over the seeds, in per cent: 1.7 (1.2 to 2.0)."""
    low, middle, high = (100 * float(f(values)) for f in (min, np.median, max))
    return f"{middle:.1f}" if low == high else f"{middle:.1f} ({low:.1f} to {high:.1f})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def tables() -> list[str]:
    """The page's tables: test error by norm and size of the batch; then a table for each offset from 100 on."""
    results = load()
    titles = {"batch": "batch norm", "group": "group norm, 8 groups", "layer": "layer norm", "affine": "AffineChannel"}
    found = [
        _table(
            ["images a batch", *map(str, BATCHES)],
            ([titles[norm], *(shown(results[Setup(norm, batch)].error) for batch in BATCHES)] for norm in NORMS),
        )
    ]
    for offset in OFFSETS[1:]:
        rows = []
        for algorithm, clip in ALGORITHMS:
            row = [f"`{algorithm}`{', clipped' * clip}"]
            for accumulator in ACCUMULATORS:
                outcome = results[
                    Setup(images=6_400, offset=offset, accumulator=accumulator, algorithm=algorithm, clip=clip)
                ]
                loss = float(np.median(outcome.loss))
                row.append("loss NaN" if math.isnan(loss) else f"loss {loss:.2f}, error {shown(outcome.error)}")
            rows.append(row)
        found.append(_table(["variance", *ACCUMULATORS], rows))
    return found


def main(arguments: Sequence[str]) -> int:
    """Write, check or print the tables."""
    if list(arguments) == ["--tables"]:
        print("\n\n".join(tables()))
        return 0
    if list(arguments) not in (["--write"], ["--check"]):
        print("use --write, --check or --tables", file=sys.stderr)
        return 2
    results = {setup: train(setup)[1] for setup in PLAN}
    if arguments[0] == "--write":
        write_whole(FILE, _written(results).encode())
        return 0
    kept = load()
    if list(kept) != list(PLAN):
        print(f"{FILE.name} is not of this plan: run {Path(__file__).name} --write", file=sys.stderr)
        return 1
    wrong = {setup: text for setup in PLAN if (text := different(kept[setup], results[setup]))}
    for setup, text in wrong.items():
        print(f"{setup}: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
