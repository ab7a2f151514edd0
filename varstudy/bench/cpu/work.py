"""The measuring process: arrays of x = 1000 + N(0, 1), every contender on each of them, errors against exact truth."""

from __future__ import annotations

import gc
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import format_of
from varkernels.rounding import round_to
from varkernels.views import view

from ...study import score
from ...study.ground_truth import truth
from .. import timing
from ..timing import Runner
from .bench_record import LIMIT, BenchRow
from .limit import STRIDES, reader
from .peers import CONTENDERS, NORMS, OURS, Contender, PeerCall
from .tables import ORDINARY, SIXTEEN, Table, array_of, mask_of

__all__ = ["Exact", "data", "measure"]

MEAN = 1000
# Copies of an array that all contenders together may hold: one each for some peers, and their temporaries.
COPIES = 9
# Rows of a table whose answers are scored.
SCORED = 2000


def data(shape: Sequence[int], dtype: str, seed: int) -> NDArray[Any]:
    """The values: 1000 + N(0, 1), rounded to the format, the same for the same arguments."""
    fmt = format_of(dtype)
    rng = np.random.default_rng([seed, *shape, fmt.dtype.itemsize])
    drawn = np.float64 if fmt.precision == 53 else np.float32
    found: NDArray[Any] = rng.standard_normal(tuple(shape), dtype=drawn)
    found += drawn(MEAN)
    return found if found.dtype == fmt.dtype else fmt.rounded(found)


class Exact:
    """The exact variances of the rows of an array under a norm."""

    def __init__(self, array: NDArray[Any], norm: str, groups: int) -> None:
        rows = view(array, norm, layout="NCHW", groups=groups if norm == "group" else None)
        self._of(rows, array.dtype, slice(None))

    @classmethod
    def table(cls, array: NDArray[Any], axes: tuple[int, ...], mask: NDArray[np.bool_] | None = None) -> Exact:
        """Those of a reduction of some axes, of at most SCORED rows at equal distances: truth takes its time."""

        def rows_of(given: NDArray[Any]) -> NDArray[Any]:
            kept = [a for a in range(given.ndim) if a not in axes]
            return given.transpose([*kept, *axes]).reshape(math.prod(given.shape[a] for a in kept), -1)

        rows = rows_of(array)
        chosen = slice(None, None, -(-len(rows) // SCORED))
        found = cls.__new__(cls)
        if mask is None:
            found._of(rows[np.newaxis, chosen], array.dtype, chosen)
        else:
            each = [row[kept] for row, kept in zip(rows[chosen], rows_of(mask)[chosen], strict=True)]
            found.exact = score.Exact([truth(row[np.newaxis, np.newaxis]).variance_fraction(0) for row in each])
            found.dtype, found.chosen = array.dtype, chosen
        return found

    def _of(self, rows: NDArray[Any], dtype: np.dtype[Any], chosen: slice) -> None:
        self.exact = score.Exact.variance(truth(rows))
        self.dtype, self.chosen = dtype, chosen

    def score(self, answer: Any) -> tuple[float, bool]:
        """The largest relative error of an answer for each row, and whether all of them are correctly rounded.

        Raises
        ------
        ValueError
            The answers are not as many as the rows.
        """
        answers = np.asarray(answer)
        if answers.dtype.kind != "f":
            answers = answers.astype(np.float64)
        given = answers.reshape(-1)[self.chosen]
        if given.size != len(self.exact.values):
            raise ValueError(f"{given.size} answers for {len(self.exact.values)} rows")
        worst = float(np.abs(self.exact.errors(given)).max())
        if not np.isfinite(given).all():
            return worst, False
        pairs = [(n, exact) for n, exact in zip(given.tolist(), self.exact.values, strict=True) if exact is not None]
        # An answer in a wider container than it was computed for is judged as what it is.
        with np.errstate(over="ignore"):
            formats = [f for f in (self.dtype, given.dtype) if np.all(given.astype(f).astype(given.dtype) == given)]
        rounded = any(
            all(float(round_to(exact, fmt)) == computed for computed, exact in pairs) for fmt in dict.fromkeys(formats)
        )
        return worst, rounded


def _memory() -> float:
    """Bytes that are free on this machine; infinite where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text("utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return math.inf


def _version(package: str) -> str:
    """The version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _absent(contender: Contender) -> str:
    """Why a contender cannot take part for want of a package; empty where it can."""
    needed = (contender.package, *(("bottleneck",) if "bottleneck" in contender.name else ()))
    return next((f"{name} is not installed" for name in needed if not _version(name)), "")


class _Race:
    """The contenders of one array under one norm, ready to run."""

    def __init__(self, array: NDArray[Any], norm: str, threads: int) -> None:
        self.array, self.norm, self.threads = array, norm, threads
        self.rows: list[BenchRow] = []
        self.runners: list[tuple[Runner, BenchRow]] = []
        self.limit = self._row(LIMIT)
        self.readers = [Runner(LIMIT, reader(array, threads, stride)) for stride in STRIDES]

    def _row(self, contender: str) -> BenchRow:
        row = BenchRow(self.array.dtype.name, list(self.array.shape), self.norm, self.threads, contender)
        self.rows.append(row)
        return row

    def enter(
        self, contender: Contender, prepare: Callable[[], PeerCall], score: Callable[[Any], tuple[float, bool]]
    ) -> None:
        """A contender: its library is loaded, its answer is scored."""
        row = self._row(contender.name)
        absent = _absent(contender)
        if absent:
            row.status, row.reason = "not installed", absent
            return
        runner = Runner(contender.name, lambda: None)

        def start() -> None:
            call = prepare()
            if call.before is not None:
                call.before()
            row.error, row.rounded = score(call.answer(call.run()))
            runner.call, runner.before = call.run, call.before

        timing.guarded(runner, start)
        self.runners.append((runner, row))

    def run(self, rounds: int) -> list[BenchRow]:
        ready = [runner for runner, _ in self.runners if not runner.failure]
        timing.interleave([*self.readers, *ready], rounds)
        fastest = min(self.readers, key=lambda runner: runner.median)
        for runner, row in ((fastest, self.limit), *self.runners):
            if runner.failure:
                row.status, row.reason = "failed", runner.failure
                continue
            row.rounds, row.loops = len(runner.seconds), runner.loops
            row.seconds, (row.low, row.high) = runner.median, timing.quartiles(runner.seconds)
            row.gbps = self.array.nbytes / row.seconds / 1e9
            row.cpus = statistics.median(runner.cpus)
        for row in self.rows:
            row.of_limit = self.limit.seconds / row.seconds
        return self.rows


def _chosen(names: Sequence[str]) -> tuple[Contender, ...]:
    return tuple(each for each in CONTENDERS if not names or each.name in names)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _where(request: Mapping[str, Any]) -> str:
    return f"{request['threads']} thread" + ("" if request["threads"] == 1 else "s")


def _flat(request: Mapping[str, Any], size: int, dtype: str) -> Iterator[BenchRow]:
    threads, contenders = request["threads"], _chosen(request["contenders"])
    array = data((size,), dtype, request["seed"])
    exact = Exact(array, "flat", 0)
    race = _Race(array, "flat", threads)
    for each in contenders:
        race.enter(each, lambda each=each: each.flat(array, threads), exact.score)  # type: ignore[misc]
    yield from race.run(request["rounds"])


def _norms(request: Mapping[str, Any], dtype: str) -> Iterator[BenchRow]:
    threads, groups = request["threads"], request["groups"]
    array = data(request["shape"], dtype, request["seed"])
    exact = {norm: Exact(array, norm, groups) for norm in NORMS}
    contenders = _chosen(request["contenders"])

    def worst(answers: Mapping[str, Any]) -> tuple[float, bool]:
        scores = [exact[norm].score(answers[norm]) for norm in NORMS]
        return max(error for error, _ in scores), all(rounded for _, rounded in scores)

    for norm in (*NORMS, "all"):
        race = _Race(array, norm, threads)
        for each in contenders:
            one, every = each.norm, each.every
            if norm == "all" and every is not None:
                race.enter(each, lambda every=every: every(array, groups), worst)  # type: ignore[misc]
            elif norm != "all" and one is not None:
                race.enter(
                    each,
                    lambda one=one, norm=norm: one(array, norm, groups, threads),  # type: ignore[misc]
                    exact[norm].score,
                )
        yield from race.run(request["rounds"])


def _all_nan(answer: Any) -> tuple[float, bool]:
    """The score of answers that must all be NaN."""
    return math.nan, bool(np.isnan(np.asarray(answer, dtype=np.float64)).all())


def _table(request: Mapping[str, Any], dtype: str, table: Table) -> Iterator[BenchRow]:
    threads, seed = request["threads"], request["seed"]
    ordinary = table.values == ORDINARY
    array = data(table.shape, dtype, seed) if ordinary else array_of(table, dtype, seed)
    mask = mask_of(table.shape, seed) if table.masked else None
    known = bool(np.isfinite(array.astype(np.float64)).all())
    score = Exact.table(array, table.axes, mask).score if known else _all_nan
    race = _Race(array, table.name, threads)
    asked = table.axes[0] if len(table.axes) == 1 else table.axes
    few = not ordinary or table.masked or dtype in SIXTEEN
    for each in _chosen(request["contenders"]):
        call, masked = each.table, each.masked
        if few and each.name not in (OURS, "numpy.var"):
            continue
        if mask is not None and masked is not None:
            race.enter(each, lambda masked=masked: masked(array, mask, asked), score)  # type: ignore[misc]
        elif mask is None and call is not None:
            race.enter(each, lambda call=call: call(array, asked, threads), score)  # type: ignore[misc]
    yield from race.run(request["rounds"])


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Every array of a request, in this process.

    Parameters
    ----------
    request : threads, sizes, dtypes, shape and groups of the feature map (shape None: none), tables
        (`Table.record`), rounds, seed, and the names of the contenders (empty: all). Of the dtypes, those of 16 bits
        are timed on ordinary tables only, and against numpy only, and so are other than ordinary values.

    Returns
    -------
    dict with the rows, as `BenchRow.record` has them, the peers' versions, and what was left out and why.
    """
    found: list[dict[str, Any]] = []
    left_out: list[str] = []
    for dtype in request["dtypes"]:
        small = dtype in SIXTEEN
        for size in () if small else request["sizes"]:
            needed = COPIES * size * np.dtype(dtype).itemsize
            if needed > _memory():
                left_out.append(f"{size:,} values of {dtype}: that needs {needed / 2**30:.0f} GiB of free memory")
                continue
            _say(f"{_where(request)}: {size:,} values of {dtype}")
            found += [row.record() for row in _flat(request, size, dtype)]
            gc.collect()
        if request["shape"] and not small:
            _say(f"{_where(request)}: {'x'.join(map(str, request['shape']))} of {dtype}, four norms")
            found += [row.record() for row in _norms(request, dtype)]
            gc.collect()
        for shape, axes, values, masked in request["tables"]:
            table = Table(tuple(shape), tuple(axes), values, masked)
            if small and table.values != ORDINARY:
                continue
            _say(f"{_where(request)}: {'x'.join(map(str, shape))} of {dtype}, {table.name}")
            found += [row.record() for row in _table(request, dtype, table)]
            gc.collect()
    return {"rows": found, "peers": _peers(found), "left_out": left_out}


def _peers(found: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each contender: its package, the version, how its threads are limited."""
    seen = {row["contender"] for row in found}
    return [
        {"name": each.name, "package": each.package, "version": _version(each.package), "threads": each.threads}
        for each in CONTENDERS
        if each.name in seen
    ]
