"""The benchmark: what its table holds, who may be missing, and that its errors are those of exact arithmetic."""

from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import varstudy.cli as command
from varstudy import report
from varstudy._io import record_file
from varstudy.bench import targets, timing
from varstudy.bench.cpu import bench_record, cpu_promises, launch, limit, peers, tables, work
from varstudy.bench.cpu.bench_record import LIMIT, BenchProblem, BenchRow
from varstudy.bench.cpu.peers import CONTENDERS, NORMS, Contender, PeerCall
from varstudy.bench.cpu.tables import Table
from varstudy.report.figures import pareto

HOSTILE = "<script>alert(1)</script>\"'&$x^2$ {{ 7*7 }}\u202e\x1b"


def installed(contender: Contender) -> bool:
    try:
        version(contender.package)
        if "bottleneck" in contender.name:
            version("bottleneck")
    except PackageNotFoundError:
        return False
    return True


def exact_variance(values: Any) -> Fraction:
    x = [Fraction(float(v)) for v in np.ravel(values)]
    mean = sum(x, Fraction(0)) / len(x)
    return sum(((v - mean) ** 2 for v in x), Fraction(0)) / len(x)


def request(**given: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "threads": 1, "sizes": [3, 130], "dtypes": ["float32", "float64"], "shape": [2, 4, 3, 3], "groups": 2,
        "tables": [], "rounds": 2, "seed": 7, "contenders": [],
    }  # fmt: skip
    return asked | given


def content(rows: list[BenchRow], **given: Any) -> dict[str, Any]:
    names = dict.fromkeys(row.contender for row in rows)
    filled: dict[str, Any] = {
        "settings": {"left_out": []},
        "provenance": {},
        "peers": [{"name": name, "package": "p", "version": "1.2", "threads": "one"} for name in names],
        "targets": [each.record() for each in cpu_promises.judged(rows)],
        "rows": [row.record() for row in rows],
    }
    return filled | given


def timed(contender: str, seconds: float, error: float = 1e-8, **given: Any) -> BenchRow:
    values = given.pop("values", 2**26)
    filled: dict[str, Any] = {
        "dtype": "float32", "shape": [values], "norm": "flat", "threads": 1, "contender": contender, "rounds": 3,
        "seconds": seconds, "low": seconds, "high": seconds, "gbps": 1 / seconds, "of_limit": 0.5 / seconds,
        "cpus": 1.0, "error": error,
    }  # fmt: skip
    return BenchRow(**(filled | given))


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """What was there before is no garbage: each collection between two rounds looks at what these tests made alone."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return work.measure(request())


# ------------------------------------------------------------------------------------------------ the table


def test_every_contender_has_a_row_for_every_array(measured: dict[str, Any]) -> None:
    rows = bench_record.rows(measured)
    flat = {(r.contender, r.dtype, r.values) for r in rows if r.norm == "flat"}
    names = {LIMIT, *(each.name for each in CONTENDERS)}
    assert flat == {(name, dtype, n) for name in names for dtype in ("float32", "float64") for n in (3, 130)}
    some = {(r.contender, r.norm) for r in rows if r.norm not in ("flat", "all")}
    assert some == {(each.name, norm) for each in CONTENDERS if each.norm for norm in NORMS} | {
        (LIMIT, norm) for norm in NORMS
    }
    assert {r.contender for r in rows if r.norm == "all"} == {LIMIT, peers.OURS}
    assert {each["name"] for each in measured["peers"]} == names - {LIMIT}
    here = {each.name: installed(each) for each in CONTENDERS}
    assert {r.contender: r.status for r in rows if r.status != "ok"} == {
        name: "not installed" for name, there in here.items() if not there
    }


def test_the_numbers_of_a_row(measured: dict[str, Any]) -> None:
    for row in bench_record.rows(measured):
        if row.status != "ok":
            assert row.reason
            assert row.rounds == 0
            continue
        assert (row.rounds, row.threads) == (2, 1)
        assert row.loops >= 1
        assert 0 < row.low <= row.seconds <= row.high
        size = np.dtype(row.dtype).itemsize * row.values
        assert row.gbps == size / row.seconds / 1e9
        assert row.of_limit > 0
        assert math.isnan(row.error) is (row.contender == LIMIT)
        if row.contender == LIMIT:
            assert row.of_limit == 1


def test_errors_are_those_of_exact_arithmetic(measured: dict[str, Any]) -> None:
    found = {(r.contender, r.dtype, r.norm, r.values): r for r in bench_record.rows(measured)}
    for dtype in ("float32", "float64"):
        for n in (3, 130):
            x = work.data((n,), dtype, 7)
            exact = exact_variance(x)
            wanted = abs(Fraction(float(np.var(x))) - exact) / exact
            assert found["numpy.var", dtype, "flat", n].error == float(wanted)
            ours = found["varstudy exact", dtype, "flat", n]
            assert ours.rounded
            assert ours.error <= float(np.finfo(dtype).eps) / 2
        x = work.data((2, 4, 3, 3), dtype, 7)
        by_channel = np.var(x, axis=(0, 2, 3))
        truths = [exact_variance(x[:, c]) for c in range(4)]
        wanted = max(abs(Fraction(float(v)) - e) / e for v, e in zip(by_channel, truths, strict=True))
        assert found["numpy.var", dtype, "batch", x.size].error == float(wanted)
        every = found["varstudy exact", dtype, "all", x.size]
        assert every.rounded


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda c: c.name)
def test_every_contender_answers_the_same_question(contender: Contender, dtype: str) -> None:
    """Well-conditioned values, so that every correct formula has digits to show."""
    if not installed(contender):
        pytest.skip("not installed")
    x = np.random.default_rng(3).standard_normal((2, 4, 3, 3)).astype(dtype)
    tolerance = 100 * float(np.finfo(dtype).eps)

    def error(call: PeerCall, exact: work.Exact) -> float:
        if call.before is not None:
            call.before()
        return exact.score(call.answer(call.run()))[0]

    assert error(contender.flat(x.reshape(-1), 1), work.Exact(x, "flat", 0)) < tolerance
    for norm in NORMS if contender.norm else ():
        assert contender.norm is not None
        assert error(contender.norm(x, norm, 2, 1), work.Exact(x, norm, 2)) < tolerance
    if contender.every is not None:
        call = contender.every(x, 2)
        answers = call.answer(call.run())
        assert set(answers) == set(NORMS)
        assert all(work.Exact(x, norm, 2).score(answers[norm])[0] < tolerance for norm in NORMS)


TABLES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((7, 5), (1,)),
    ((7, 5), (0,)),
    ((2, 4, 3, 3), (0, 2, 3)),
]


@pytest.mark.parametrize(("shape", "axes"), TABLES)
def test_rows_and_columns_are_scored_by_their_own_variances(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    asked = request(
        sizes=[], shape=None, tables=[Table(shape, axes).record()], contenders=["varstudy exact", "numpy.var"]
    )
    rows = bench_record.rows(work.measure(asked))
    assert {row.norm for row in rows} == {Table(shape, axes).name}
    assert {row.status for row in rows} == {"ok"}
    for dtype in ("float32", "float64"):
        found = {row.contender: row for row in rows if row.dtype == dtype}
        x = work.data(shape, dtype, 7)
        kept = [a for a in range(len(shape)) if a not in axes]
        table = x.transpose([*kept, *axes]).reshape(-1, math.prod(shape[a] for a in axes))
        answers = np.var(x, axis=axes).reshape(-1)
        errors = [
            abs(Fraction(float(v)) - exact_variance(row)) / exact_variance(row)
            for v, row in zip(answers, table, strict=True)
        ]
        assert found["numpy.var"].error == float(max(errors))
        assert found["varstudy exact"].rounded


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", tables.VALUES)
def test_other_values_are_what_they_are_called_and_answered_rightly(values: str, dtype: str) -> None:
    table = Table((40, 8), (1,), values)
    x = tables.array_of(table, dtype, 7).astype(np.float64)
    assert np.isnan(x).all() == (values == "NaN")
    assert (np.abs(x) < np.finfo(dtype).tiny).all() == (values == "subnormal")
    assert (x == np.rint(x * 64) / 64).all() == (values in ("bytes", "averages of 64 bytes"))
    rows = bench_record.rows(work.measure(request(sizes=[], shape=None, dtypes=[dtype], tables=[table.record()])))
    found = {row.contender: row for row in rows}
    assert found["varstudy exact"].norm == f"axis 1, {values}"
    assert set(found) == {bench_record.LIMIT, "varstudy exact", "numpy.var"}
    assert found["varstudy exact"].rounded
    assert math.isnan(found["varstudy exact"].error) == (values == "NaN")


def test_values_under_a_mask_are_scored_by_those_that_count() -> None:
    table = Table((40, 8), (1,), "N(0, 1)", masked=True)
    rows = bench_record.rows(work.measure(request(sizes=[], shape=None, dtypes=["float32"], tables=[table.record()])))
    found = {row.contender: row for row in rows}
    assert {row.norm for row in rows} == {"axis 1, N(0, 1), where"}
    x, mask = tables.array_of(table, "float32", 7), tables.mask_of(table.shape, 7)
    assert 80 <= np.count_nonzero(mask) < mask.size
    answers = np.var(x, axis=1, where=mask)
    exact = [exact_variance(row[counts]) for row, counts in zip(x, mask, strict=True)]
    errors = [abs(Fraction(float(v)) - right) / right for v, right in zip(answers, exact, strict=True)]
    assert found["numpy.var"].error == float(max(errors))
    assert found["varstudy exact"].rounded


def test_formats_of_sixteen_bits_are_timed_on_ordinary_tables_against_numpy() -> None:
    listed = [Table((30, 8), (1,)).record(), Table((30, 8), (1,), "bytes").record()]
    found = bench_record.rows(work.measure(request(dtypes=["float16", "bfloat16"], tables=listed)))
    assert {row.norm for row in found} == {"axis 1"}
    assert {row.dtype for row in found} == {"float16", "bfloat16"}
    assert {row.contender for row in found} == {bench_record.LIMIT, "varstudy exact", "numpy.var"}
    assert all(row.rounded for row in found if row.contender == "varstudy exact")


@pytest.mark.parametrize("contender", [each for each in CONTENDERS if each.table], ids=lambda c: c.name)
def test_every_contender_reduces_the_same_axes(contender: Contender) -> None:
    if not installed(contender):
        pytest.skip("not installed")
    assert contender.table is not None
    for shape, axes in TABLES:
        x = np.random.default_rng(3).standard_normal(shape)
        call = contender.table(x, axes[0] if len(axes) == 1 else axes, 1)
        if call.before is not None:
            call.before()
        assert work.Exact.table(x, axes).score(call.answer(call.run()))[0] < 1e-13


def test_of_many_rows_some_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "SCORED", 3)
    x = np.arange(20.0).reshape(10, 2) ** 2
    answers = np.var(x, axis=1)
    answers[1] = 7.0  # not one of rows 0, 4 and 8
    assert work.Exact.table(x, (1,)).score(answers) == (0.0, True)
    answers[4] = 7.0
    assert work.Exact.table(x, (1,)).score(answers)[0] > 0.0


def test_the_data_depend_on_the_seed_alone() -> None:
    one, again, other = (work.data((50,), "float32", seed) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert 995 < one.mean() < 1005


def test_scores_of_odd_answers() -> None:
    exact = work.Exact(np.array([1.0, 2.0, 4.0], dtype=np.float32), "flat", 0)
    third = Fraction(14, 9)
    assert exact.score(np.float32(14 / 9)) == (float(abs(Fraction(float(np.float32(14 / 9))) - third) / third), True)
    assert exact.score(float(np.float32(14 / 9)))[1]  # the same number in a wider container
    assert exact.score(14 / 9)[1]
    assert not exact.score(math.nextafter(14 / 9, 2))[1]
    for lost in (math.nan, math.inf):
        assert exact.score(lost) == (math.inf, False)
    with pytest.raises(ValueError, match="2 answers for 1 rows"):
        exact.score([1.0, 2.0])
    constant = work.Exact(np.ones(4), "flat", 0)
    assert constant.score(0.0) == (0.0, True)
    assert constant.score(1e-300) == (math.inf, False)


# ------------------------------------------------------------------------------------------------ missing, failing


class Panic(BaseException):
    """As some libraries raise."""


def _raises(error: BaseException) -> Callable[..., Any]:
    def never(*_: Any) -> Any:
        raise error

    return never


def _later(x: Any, threads: int) -> PeerCall:
    answers = iter([np.var(x)])
    return PeerCall(lambda: next(answers))


@pytest.mark.parametrize(
    ("flat", "reason"),
    [
        (_raises(ImportError("libnothing.so is missing\nand more")), "ImportError: libnothing.so is missing"),
        (_raises(Panic("at the disco")), "Panic: at the disco"),
        (lambda x, threads: PeerCall(_raises(MemoryError())), "MemoryError"),
        (lambda x, threads: PeerCall(lambda: [1.0, 2.0]), "ValueError: 2 answers for 1 rows"),
        (_later, "StopIteration"),
    ],
)
def test_a_contender_fails_alone(flat: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Contender("broken", "numpy", "one", flat)
    numpy_var = next(each for each in CONTENDERS if each.name == "numpy.var")
    monkeypatch.setattr(work, "CONTENDERS", (broken, numpy_var))
    found = {row.contender: row for row in bench_record.rows(work.measure(request(sizes=[5], shape=None)))}
    assert (found["broken"].status, found["broken"].reason) == ("failed", reason)
    assert math.isnan(found["broken"].seconds)
    assert found["numpy.var"].status == found[LIMIT].status == "ok"


def test_an_interruption_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        timing.guarded(timing.Runner("x", lambda: None), _raises(KeyboardInterrupt()))


def test_nothing_is_loaded_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        if name in ("torch", "bottleneck", "duckdb"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(work, "version", none)
    names = ["torch.var", "bottleneck", "pandas + bottleneck", "duckdb"]
    rows = bench_record.rows(work.measure(request(sizes=[4], shape=None, contenders=names)))
    assert {r.contender: (r.status, r.reason) for r in rows if r.contender != LIMIT} == {
        name: ("not installed", f"{name.split('.')[0].split()[-1]} is not installed") for name in names
    }


def test_an_array_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_memory", lambda: 1e6)
    found = work.measure(request(sizes=[2**20], dtypes=["float64"], shape=None))
    assert found["rows"] == []
    assert found["left_out"] == ["1,048,576 values of float64: that needs 0 GiB of free memory"]


# ------------------------------------------------------------------------------------------------ timing and the limit


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 31, 32, 1000, 2**18 + 77])
@pytest.mark.parametrize("stride", limit.STRIDES)
def test_the_limit_reads_everything(stride: int, n: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "_SHARE", 64)
    x = np.arange(n, dtype=np.float64)
    assert limit.reader(x, threads, stride)() == n * (n - 1) / 2
    assert limit.reader(x.reshape(1, n, 1), threads, stride)() == n * (n - 1) / 2
    odd = np.zeros(2 * n + 1, dtype=np.float32)  # the last one is left out
    assert limit.reader(odd, threads, stride)() == 0


def test_rounds_are_interleaved_and_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST", 0.0)
    called: list[str] = []
    runners = [timing.Runner(name, lambda name=name: called.append(name)) for name in "abc"]  # type: ignore[misc]
    timing.interleave(runners, 3)
    assert "".join(called[-9:]) == "abcbcacab"
    assert [len(runner.seconds) for runner in runners] == [3, 3, 3]


def test_slow_contenders_join_a_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SLOW", -1.0)
    runner = timing.Runner("slow", lambda: None)
    timing.interleave([runner], 7)
    assert len(runner.seconds) == timing.FEW


def test_before_is_called_once_a_sample() -> None:
    called: list[str] = []
    runner = timing.Runner("x", lambda: called.append("call"), lambda: called.append("before"), loops=3)
    runner.sample()
    assert called == ["before", "call", "call", "call"]


# ------------------------------------------------------------------------------------------------ processes


def test_limits_are_set_and_the_machines_own_choice_is_not() -> None:
    given = {"PATH": "p", "OPENBLAS_CORETYPE": "x", "OMP_NUM_THREADS": "9", "XLA_FLAGS": "--a=1"}
    env, settings, gone = launch.environment(1, given)
    assert gone == ["OPENBLAS_CORETYPE"]
    assert "OPENBLAS_CORETYPE" not in env
    assert {env[name] for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "VARKERNELS_NUM_THREADS")} == {"1"}
    assert env["XLA_FLAGS"] == "--a=1 --xla_cpu_multi_thread_eigen=false"
    assert env["PATH"] == "p"
    assert "PATH" not in settings
    env, settings, gone = launch.environment(2, {})
    assert env == settings
    assert gone == []
    assert "XLA_FLAGS" not in env


def test_each_number_of_threads_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []

    def child(asked: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
        seen.append((asked["threads"], env["OMP_NUM_THREADS"]))
        row = timed("numpy.var", 1.0, threads=asked["threads"])
        return {"rows": [row.record()], "peers": [{"name": "numpy.var"}], "left_out": ["x"]}

    monkeypatch.setattr(launch, "_child", child)
    found = launch.run(replace(launch.QUICK, threads=(1, 2)), ["varstudy", "bench"])
    assert seen == [(1, "1"), (2, "2")]
    assert [row.threads for row in bench_record.rows(found)] == [1, 2]
    assert found["peers"] == [{"name": "numpy.var"}]
    assert found["settings"]["left_out"] == ["x"]
    assert set(found["settings"]["environment"]) == {"1", "2"}
    assert found["provenance"]["command"] == ["varstudy", "bench"]


def test_a_process_that_ends_early_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    done = call("--out", tmp_path, "--quick")
    assert done.exit_code == 2
    assert "the measuring process for 1 thread(s) failed: it ended with exit code 1" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ bench.json


def test_bench_json_round_trip(tmp_path: Path, measured: dict[str, Any]) -> None:
    rows = bench_record.rows(measured)
    path = tmp_path / bench_record.NAME
    bench_record.write(path, content(rows))
    found = bench_record.read(tmp_path)
    assert (found["format"], found["version"]) == (bench_record.FORMAT, bench_record.SCHEMA_VERSION)
    assert [repr(row) for row in bench_record.rows(found)] == [repr(row) for row in rows]
    json.loads(path.read_text(), parse_constant=pytest.fail)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        bench_record.read(tmp_path / "nowhere")


def test_a_changed_number_is_told_by_the_digest(tmp_path: Path) -> None:
    path = tmp_path / bench_record.NAME
    bench_record.write(path, content([timed("numpy.var", 1.0)]))
    text = path.read_text()
    assert '"seconds": 1.0' in text
    path.write_text(text.replace('"seconds": 1.0', '"seconds": 0.5', 1))
    with pytest.raises(BenchProblem, match=r"was edited or cut \(its digest is another's"):
        bench_record.read(path)


def _spoiled(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["rows"][0].update({key: value})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda found: found.update(format="x"), "no benchmark of varstudy"),
        (lambda found: found.update(version=99), "schema version 99"),
        (lambda found: found.pop("settings"), "was edited or cut (settings is no dict)"),
        (lambda found: found.update(peers={}), "peers is no list"),
        (lambda found: found["rows"].append({}), "its columns are not dtype"),
        (_spoiled("seconds", "short"), "seconds is 'short', which is no number"),
        (_spoiled("seconds", True), "which is no number"),
        (_spoiled("shape", [0]), "which is no shape"),
        (_spoiled("shape", 3), "which is no shape"),
        (_spoiled("threads", 1.5), "which is not a whole number"),
        (_spoiled("contender", 3), "which is no str"),
        (_spoiled("rounded", "yes"), "which is no bool"),
    ],
)
def test_a_bench_json_that_cannot_be_used(spoil: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / bench_record.NAME
    bench_record.write(path, content([timed("numpy.var", 1.0)]))
    found = json.loads(path.read_text())
    spoil(found)
    path.write_text(json.dumps(found))
    with pytest.raises(BenchProblem):
        bench_record.read(path)
    path.write_text(json.dumps({**found, "digest": record_file.digest(found)}))
    with pytest.raises(BenchProblem) as caught:
        bench_record.read(path)
    assert sentence in str(caught.value)
    assert "python -m varstudy bench" in str(caught.value)
    for text in ("", "[1", "[]", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        path.write_text(text)
        with pytest.raises(BenchProblem):
            bench_record.read(path)


# ------------------------------------------------------------------------------------------------ targets


def test_targets_are_ratios_of_one_run() -> None:
    rows = [
        timed(LIMIT, 0.9, math.nan), timed("varstudy exact", 4.0), timed("numpy.var", 7.0),
        timed("varstudy exact", 2.0, threads=2, cpus=2.0), timed(LIMIT, 0.45, math.nan, threads=2, cpus=1.9),
        timed("varstudy exact", 0.5, values=1000), timed("numpy.var", 1.0, values=1000),
        timed("varstudy exact", 1.0, norm="all"),
        *(timed("numpy.var", float(k), norm=norm) for k, norm in enumerate(NORMS, 1)),
        timed("varstudy exact", 0.3, shape=[16, 100_000], norm="axis 0"),
        timed("numpy.var", 1.0, shape=[16, 100_000], norm="axis 0"),
    ]  # fmt: skip
    found = {each.name: each for each in cpu_promises.judged(rows) if each.dtype == "float32"}
    assert found["exact / read limit, 2^26"].measured == 0.225
    assert found["exact / numpy.var, 2^26"].measured == 1.75
    assert found["exact / numpy.var, 2^26"].met is False
    call = found["time of exact / numpy.var, 1,000 values"]
    assert (call.measured, call.met) == (0.5, False)
    columns = found["time of exact / numpy.var, 16x100000 axis 0"]
    assert (columns.measured, columns.wanted, columns.met) == (0.3, 0.35, True)
    assert found["time of exact / numpy.var, 1000x1000 axis 0"].met is None
    assert found["four norms by varstudy exact, one read / numpy's slowest"].measured == 4.0
    assert found["exact: two threads / one, 2^26"].measured == 2.0
    assert all(each.met is None and each.note for each in cpu_promises.judged([]))
    rows[2].low, rows[2].high = 6.0, 8.0
    noisy = {each.name for each in cpu_promises.judged(rows) if each.note.startswith("noisy (quartiles 29 %")}
    assert noisy == {"exact / numpy.var, 2^26"}
    again = targets.read_targets([each.record() for each in found.values()])
    assert [repr(each) for each in again] == [repr(each) for each in found.values()]


@pytest.mark.parametrize(
    ("ours", "reading", "note"), [(1.0, 2.0, "it ran in one thread"), (2.0, 1.0, "no second core was free")]
)
def test_two_threads_that_did_not_run_are_no_measurement(ours: float, reading: float, note: str) -> None:
    rows = [
        timed("varstudy exact", 1.0),
        timed("varstudy exact", 1.0, threads=2, cpus=ours),
        timed(LIMIT, 1.0, threads=2, cpus=reading),
    ]
    (two,) = (each for each in cpu_promises.judged(rows) if "two threads" in each.name and each.dtype == "float32")
    assert two.met is None
    assert note in two.note


# ------------------------------------------------------------------------------------------------ the command


def call(*words: Any) -> Any:
    return CliRunner().invoke(command.commands, ["bench", *map(str, words)], prog_name="varstudy")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    asked: dict[str, Any] = {}

    def run(plan: launch.BenchPlan, argv: list[str]) -> dict[str, Any]:
        asked.update(plan=plan, argv=argv)
        rows = [
            timed(LIMIT, 0.5, math.nan), timed("varstudy exact", 0.6), timed("numpy.var", 3.0, cpus=2.0),
            timed("numpy.var", 1e-6, values=1000), timed("numpy.var", 1.0, norm="batch", shape=[2, 4, 3, 3]),
            BenchRow("float32", [2**26], "flat", 1, "polars", "not installed", "polars is not installed"),
            BenchRow("float32", [2**26], "flat", 1, "duckdb", "failed", "Error: it broke"),
        ]  # fmt: skip
        return content(rows, settings={"left_out": ["2^27"]})

    monkeypatch.setattr(launch, "run", run)
    return asked


def test_the_command_prints_tables_and_writes_a_file(stub: dict[str, Any], tmp_path: Path) -> None:
    done = call("--out", tmp_path / "new", "--sizes", "1000,2^10..2^12", "--threads", "2", "--only", "numpy*")
    assert done.exit_code == 0, done.output
    plan = stub["plan"]
    assert plan.sizes == (1000, 1024, 2048, 4096)
    assert (plan.threads, plan.contenders) == ((2,), ("numpy.var",))
    words = ["--sizes", "1000,1024,2048,4096", "--threads", "2", "--only", "numpy*"]
    assert stub["argv"][:2] == ["varstudy", "bench"]
    assert sorted(stub["argv"][2:]) == sorted(words)
    for text in (
        "2^26 values of float32, 1 thread", "GB/s by number of values", "Feature map 2x4x3x3", "2.0 !",
        "polars: not installed (polars is not installed).", "duckdb: failed (Error: it broke).", "Left out: 2^27.",
        "pip install 'varstudy[peers]'", "MISSED", "at least 0.93",
    ):  # fmt: skip
        assert text in done.stdout
    assert done.stdout.startswith("varstudy.var takes 0.2 of numpy.var's time on 1 array, with 1 thread.\n")
    assert "not measured" not in done.stdout.partition("Targets that are missed")[2].partition("2^26 values")[0]
    assert done.stdout.splitlines()[-1] == str(tmp_path / "new" / "bench.json")
    assert "holds no results.json" in done.stderr


def test_the_command_writes_json(stub: dict[str, Any], tmp_path: Path) -> None:
    done = call("--json", "--quick", "--no-norms", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout, parse_constant=pytest.fail) == json.loads((tmp_path / "bench.json").read_text())
    assert (stub["plan"].sizes, stub["plan"].shape) == (launch.QUICK.sizes, None)
    assert sorted(stub["argv"][2:]) == ["--json", "--no-norms", "--quick"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sizes", "many"], "--sizes 'many' is no number of values"),
        (["--sizes", "1"], "names no size of two values or more"),
        (["--sizes", "2^9..2^8"], "names no size"),
        (["--threads", "0"], "'--threads'"),
        (["--only", "nunpy.var"], "contender 'nunpy.var' is unknown: did you mean numpy.var"),
    ],
)
def test_bad_usage(words: list[str], sentence: str, stub: dict[str, Any], tmp_path: Path) -> None:
    done = call(*words, "--out", tmp_path)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert stub == {}


def test_a_folder_that_cannot_be_written(stub: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = call("--out", tmp_path / "file")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert stub == {}


def test_the_whole_of_it(tmp_path: Path) -> None:
    """In processes, as users run it, and by the script of the checkout."""
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "run.py"
    words = [
        "--sizes",
        "9",
        "--threads",
        "1",
        "--rounds",
        "1",
        "--only",
        "numpy.var",
        "--json",
        "--out",
        str(tmp_path),
        "--quick",
    ]
    done = subprocess.run([sys.executable, str(script), *words], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    kinds = {(row["contender"], row["dtype"], row["norm"]) for row in found["rows"]}
    norms = ("flat", *NORMS, "axis 1")
    wanted = {(who, dtype, norm) for who in ("numpy.var", LIMIT) for dtype in ("float32", "float64") for norm in norms}
    assert kinds == wanted | {(LIMIT, dtype, "all") for dtype in ("float32", "float64")}
    assert {row["status"] for row in found["rows"]} == {"ok"}
    assert "9 values of float32" in done.stderr


# ------------------------------------------------------------------------------------------------ the figure


def test_the_front() -> None:
    rows = [timed("a", 1, 1e-3), timed("b", 2, 1e-3), timed("c", 3, 1e-9), timed("d", 4, 1e-8), timed("e", 5, 0.0)]
    assert [row.contender for row in pareto.front(rows)] == ["a", "c", "e"]


def test_the_section_shows_the_longest_array_and_the_fewest_threads() -> None:
    rows = [
        timed("numpy.var", 1.0, values=64), timed("numpy.var", 3.0), timed("numpy.var", 2.0, threads=2),
        timed(LIMIT, 0.5, math.nan), timed(HOSTILE, 0.7, math.inf), timed("varstudy exact", 0.6, 0.0),
        BenchRow("float32", [2**26], "flat", 1, "duckdb", "failed", HOSTILE),
    ]  # fmt: skip
    speed = pareto.draw(content(rows))
    (part,) = speed.tables
    assert [row["name"][:9] for row in part["rows"]] == ["read limi", "varstudy ", "<script>a", "numpy.var"]
    assert (part["size"], part["threads"]) == ("2²⁶", 1)
    assert part["rows"][-1]["version"] == "1.2"
    assert speed.absent.startswith("duckdb (<script>")
    assert speed.drawn.svg is not None
    assert "<script" not in speed.drawn.svg
    assert "NaN, ∞" in speed.drawn.svg
    assert not any("<script" in note for note in speed.drawn.notes)
    assert pareto.draw(content(rows)).drawn.svg == speed.drawn.svg
    assert speed.made == "Measured here, on a day that is not recorded"
    known = {"made": "2026-11-24T10:00:00+00:00", "cpu": {"model": "A <b>"}, "versions": {"python": "3.11.7"}}
    shown = pareto.draw(content(rows) | {"provenance": known})
    assert shown.made == "Measured here, 2026-11-24 on A <b> with Python 3.11.7"


@pytest.mark.parametrize(
    ("bench", "problem"),
    [
        (None, ""),
        ("bench.json is broken.", "bench.json is broken"),
        (content([]), "bench.json holds no array of one dimension"),
        (content([timed(LIMIT, 1.0)]), "bench.json holds no array of one dimension"),
    ],
)
def test_without_a_benchmark_of_its_own_a_report_shows_the_committed_one(
    bench: Any, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    speed = pareto.draw(bench)
    assert speed.drawn.svg is not None
    assert speed.made.startswith("As committed, 20")
    assert "numpy " in speed.versions
    assert speed.problem == problem
    monkeypatch.setattr(bench_record, "COMMITTED", tmp_path / "none.json")
    speed = pareto.draw(bench)
    assert speed.drawn.svg is None
    assert speed.problem
    assert speed.tables == ()


def test_the_committed_benchmark_holds_what_is_shown_and_no_more() -> None:
    found = bench_record.committed()
    assert bench_record.excerpt(found) == {name: found[name] for name in bench_record.excerpt(found)}
    assert {row.dtype for row in bench_record.rows(found)} == {"float32", "float64"}
    assert bench_record.COMMITTED.stat().st_size < 20_000


def test_names_of_marks_cover_nothing() -> None:
    spots = [(100.0, 50.0), (104.0, 50.0), (108.0, 52.0), (100.0, 150.0), (295.0, 50.0)]
    names = ["numpy.var", "jax.jit(var)", "polars", "exact", "at the edge"]
    boxes = [
        (x + dx, y + dy - 5, x + dx + 5 * len(name), y + dy + 5)
        for (x, y), name, (dx, dy) in zip(spots, names, pareto.name_marks(spots, names, (300.0, 200.0)), strict=True)
    ]
    for place, (x0, y0, x1, y1) in enumerate(boxes):
        assert 0 <= x0 < x1 <= 300
        assert 0 <= y0 < y1 <= 200
        assert not [b for b in boxes[place + 1 :] if x0 < b[2] and b[0] < x1 and y0 < b[3] and b[1] < y1]
        assert not [(x, y) for x, y in spots if x0 < x < x1 and y0 < y < y1]


def _study() -> Any:
    from varkernels import algorithms  # noqa: PLC0415
    from varstudy.study import featuremaps, results  # noqa: PLC0415
    from varstudy.study.measuring import measure  # noqa: PLC0415

    case = featuremaps.find("higham/three-values")
    return results.from_records(
        list(measure(case, "float32", 0, [algorithms()[name] for name in ("naive", "welford")])),
        cases={case.name: case.info()},
        algorithms={name: {"title": name} for name in ("naive", "welford")},
        settings={"level": "quick", "only": case.name, "seed": 0},
    )


def test_the_report_takes_a_bench_json_beside_it(tmp_path: Path, stub: dict[str, Any]) -> None:
    from varstudy.study import results  # noqa: PLC0415

    study = _study()
    results.write(study, tmp_path)
    page = report.write(study, tmp_path)
    assert "As committed, 20" in page.read_text()
    done = call("--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(page)
    text = page.read_text()
    assert 'id="pareto-' in text
    assert "Measured here, " in text
    assert 'href="#speed"' in text
    assert "polars (polars is not installed)" in page.with_name("report-speed.html").read_text()
    (tmp_path / bench_record.NAME).write_text("{")
    report.write(study, tmp_path)
    assert "Not shown: bench.json cannot be read" in page.read_text()
    assert "As committed, 20" in page.read_text()
