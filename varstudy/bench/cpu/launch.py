"""A fresh process for each number of threads: most libraries read their limits once, when they load."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._io import child, provenance
from . import bench_record
from .bench_record import BenchProblem
from .cpu_promises import judged
from .tables import HARD, TABLES, Table

__all__ = ["FULL", "QUICK", "BenchPlan", "environment", "run"]

# Number of threads in each library's own words.
_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "VARKERNELS_NUM_THREADS",
    "NPROC",  # XLA's pool
)
# For one measuring process: a full plan takes minutes.
SECONDS = 6 * 3600.0
# Set for one machine's sake, these choose OpenBLAS's kernels: peers are measured as they choose for themselves.
_UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True)
class BenchPlan:
    """What is measured."""

    sizes: tuple[int, ...]
    threads: tuple[int, ...]
    rounds: int
    dtypes: tuple[str, ...] = ("float32", "float64")
    shape: tuple[int, ...] | None = (32, 64, 56, 56)
    groups: int = 32
    tables: tuple[Table, ...] = ()
    seed: int = 0
    contenders: tuple[str, ...] = ()


QUICK = BenchPlan(sizes=(1000, 2**14, 2**20), threads=(1,), rounds=5, shape=(8, 64, 28, 28), tables=TABLES[-2:])
FULL = BenchPlan(
    sizes=(1000, *(2**k for k in range(10, 27, 2)), 2**27),
    threads=(1, 2),
    rounds=9,
    dtypes=("float32", "float64", "float16", "bfloat16"),
    tables=(*TABLES, *HARD),
)


def environment(threads: int, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The environment of a measuring process; what was set in it, and the names that were taken out."""
    one = [] if threads > 1 else ["--xla_cpu_multi_thread_eigen=false"]
    settings = {
        **dict.fromkeys(_LIMITS, str(threads)),
        "XLA_FLAGS": " ".join([*given.get("XLA_FLAGS", "").split(), *one]),
        "JAX_PLATFORMS": "cpu",
    }
    settings = {name: value for name, value in settings.items() if value}
    gone = [name for name in _UNSET if name in given]
    kept = {name: value for name, value in given.items() if name not in gone}
    return {**kept, **settings}, settings, gone


def _child(request: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The answer of a measuring process."""
    with tempfile.TemporaryDirectory(prefix="varstudy-bench-") as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(request), "utf-8")
        command = [sys.executable, "-m", "varstudy.bench.cpu", str(asked), str(answered)]
        outcome = child.run_words(command, answered, env, seconds=SECONDS, memory=None, echo=True)
        if not outcome.ok:
            threads = request["threads"]
            raise BenchProblem(
                f"the measuring process for {threads} thread(s) failed: {outcome.sentence}; leave a library out with "
                "--only, or a size with --sizes"
            )
        assert isinstance(outcome.answer, dict)
        return outcome.answer


def run(plan: BenchPlan, argv: Sequence[str]) -> dict[str, Any]:
    """Measure a plan and judge it: the content of a bench.json.

    Raises
    ------
    BenchProblem
        A measuring process ended early.
    """
    # Processes that wanted a core just before: what is not ours makes the timings noisy.
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    tables = [table.record() for table in plan.tables]
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, str]] = []
    left_out: list[str] = []
    environments: dict[str, Any] = {}
    for threads in plan.threads:
        env, settings, gone = environment(threads, os.environ)
        found = _child({**asdict(plan), "tables": tables, "threads": threads}, env)
        rows += found["rows"]
        peers += [each for each in found["peers"] if each not in peers]
        left_out += [each for each in found["left_out"] if each not in left_out]
        environments[str(threads)] = {"set": settings, "unset": gone}
    return {
        "settings": {
            "data": "1000 + N(0, 1)",
            "seed": plan.seed,
            "sizes": list(plan.sizes),
            "dtypes": list(plan.dtypes),
            "shape": list(plan.shape or ()),
            "tables": tables,
            "groups": plan.groups,
            "threads": list(plan.threads),
            "rounds": plan.rounds,
            "load": load,
            "environment": environments,
            "left_out": left_out,
        },
        "provenance": provenance.collect(argv),
        "peers": peers,
        "targets": [each.record() for each in judged(bench_record.rows({"rows": rows}))],
        "rows": rows,
    }
