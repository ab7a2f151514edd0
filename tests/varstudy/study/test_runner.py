"""The study: resumable, seeded, cached under all that decides a cell; and the whole default study within its
bounds."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from mutations import damaged

import varkernels
from varkernels import FORMATS, Algorithm, views
from varstudy._io.atomic import remove_unfinished
from varstudy.study import cells, course, device_algorithms, featuremaps, results, runner
from varstudy.study import tasks as study_tasks
from varstudy.study.measuring import ACCUMULATORS, accumulators_of, measure
from varstudy.study.pool import Crew, Perform, WorkerFailed

# Twenty cells, none of them large.
FEW = "museum/[!n]*#[1-3]*"
FILES = ("results.json", "results.csv")


def content(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the default study, run in one go."""
    out = tmp_path_factory.mktemp("whole")
    runner.run(only=FEW, out=out, processes=2)
    return out


class Log:
    """Notes the phases, and what is said of the cells; of other phases, how many steps there were."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.phases: list[str] = []
        self.steps: Counter[str] = Counter()
        self.totals: dict[str, int] = {}
        self.expected: list[tuple[float, float]] = []

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None:
        self.phases.append(phase)
        self.totals[phase] = total
        self.expected.append((seconds, later))
        if phase == "measuring":
            self.said.append((total, done))

    def advance(self, label: str, seconds: float = 0.0) -> None:
        self.steps[self.phases[-1]] += 1
        if self.phases[-1] == "measuring":
            self.said.append(label)

    def stop(self) -> None:
        self.said.append("stop")


# ------------------------------------------------------------------------------------- the whole default study


@pytest.mark.parametrize("largest", [2**16, pytest.param(2**63, marks=pytest.mark.long)], ids=["small", "all"])
def test_no_measurement_of_the_default_study_exceeds_its_bound(largest: int) -> None:
    """Its cases of up to 2^16 values, which are most; where asked for, all."""
    cases = [case for case in featuremaps.cases("default") if case.elements <= largest]
    builtin = [a for a in varkernels.algorithms().values() if a.builtin]
    rows = [row for case in cases for storage in case.storages for row in measure(case, storage, 0, builtin)]
    frame = results.from_records(rows, cases={}, algorithms={}, settings={}).frame
    assert set(frame.case) == {case.name for case in cases}
    scored = frame[frame.rows_scored > 0]
    assert len(scored) > 18_000
    over = scored[~(scored.bound_used <= 1)]
    assert over.empty, over[["case", "norm", "storage", "accumulator", "algorithm", "bound_used"]].to_string()
    # Neither idle nor broken: some errors come within a factor of two of their bounds, and no bound is negative.
    assert scored.groupby("accumulator").bound_used.max().min() > 0.5
    assert (scored.var_bound >= 0).all()
    assert (scored.mean_bound >= 0).all()
    # Every measurement is there: each storage with its accumulators, each with every algorithm that has it.
    for storage in ACCUMULATORS:
        part = frame[frame.storage == storage]
        for accumulator in FORMATS:
            wanted = {a.name for a in builtin if accumulator in accumulators_of(a, storage)}
            here = part[part.accumulator == accumulator]
            assert here.groupby(["case", "norm", "correction"]).algorithm.agg(set).map(wanted.__eq__).all()
            assert here.empty == (not wanted)
    # The correctly rounded one is: no error beyond half a unit in the last place, wherever its answer is a number.
    exact = scored[(scored.algorithm == "exact") & (scored.storage == scored.accumulator) & (scored.var_inf == 0)]
    assert len(exact) > 250
    tie = 0.5 * (1 + 4 * 2.0**-53)  # the score itself is rounded twice
    assert exact.var_ulps_worst.max() <= tie
    assert exact.mean_ulps_worst.max() <= tie
    assert (exact.var_negative == 0).all()
    assert not frame.duplicated(list(results.KEY)).any()
    # Ordinary feature maps and a careful formula: nothing reaches the output that a float32 network would notice.
    ordinary = frame[(frame.algorithm == "double_double") & (frame.group == "norms") & (frame.accumulator == "float32")]
    assert len(ordinary) >= 24
    assert ordinary.y_error_worst.max() < 1e-4


# --------------------------------------------------------------------------------------------- what is measured


def test_a_record_agrees_with_fractions(whole: Path) -> None:
    frame = results.read(whole).frame
    row = frame[(frame.case == "museum/pytorch/pytorch#2470") & (frame.algorithm == "naive")]
    assert row.exact.tolist() == [0.03125, 0.03125]  # 2281.5 and 2281.25: (1/4)^2 / 2
    by = dict(zip(row.accumulator, row.computed, strict=True))
    assert by == {"float32": 0.0, "float64": 0.03125}
    errors = dict(zip(row.accumulator, row.var_error_worst, strict=True))
    assert errors == {"float32": 1.0, "float64": 0.0}
    assert dict(zip(row.accumulator, row.var_digits_worst, strict=True)) == {"float32": 0.0, "float64": math.inf}
    kappa = math.sqrt(1 + 2 * Fraction(18251, 8) ** 2 / Fraction(1, 32))
    assert row.kappa_worst.iloc[0] == pytest.approx(kappa, rel=1e-12)


def test_records_follow_the_data_by_another_way() -> None:
    case = featuremaps.find("shape/odd")
    chosen = [varkernels.get("welford"), varkernels.get("chan/lanes32")]
    records = list(measure(case, "bfloat16", 3, chosen))
    x = case.make("bfloat16", 3)
    for record in records:
        view = views.view(x, record["norm"], layout="NHWC", groups=case.groups if record["norm"] == "group" else None)
        got = varkernels.moments(view, record["algorithm"], record["accumulator"]).variance(0)
        blocks = view if view.ndim == 4 else view[np.newaxis]
        rows = blocks.transpose(0, 2, 1, 3).reshape(len(got), -1).astype(np.float64)
        exact = []
        for values in rows:
            fractions = [Fraction(v) for v in values.tolist()]
            mean = sum(fractions) / len(fractions)
            exact.append(sum((v - mean) ** 2 for v in fractions) / len(fractions))
        errors = [abs(Fraction(float(g)) / e - 1) for g, e in zip(got, exact, strict=True)]
        assert record["var_error_worst"] == pytest.approx(float(max(errors)), rel=1e-14)
        assert record["worst_row"] == int(np.argmax([float(e) for e in errors]))
        assert (record["rows"], record["values"]) == rows.shape
        assert record["groups"] == (5 if record["norm"] == "group" else 0)
    assert len(records) == 4 * 2 * 2


def test_rows_that_are_not_finite_are_counted_not_scored() -> None:
    case = featuremaps.find("nonfinite/nan-and-inf")
    for record in measure(case, "float32", 0, [varkernels.get("naive")]):
        assert (record["rows"], record["rows_nonfinite"], record["rows_scored"]) == (4, 3, 1)
        assert record["nonfinite_missed"] == 0
        assert record["var_digits_worst"] > 3


def test_a_variance_without_enough_values_is_undefined() -> None:
    case = featuremaps.find("shape/one-value")
    zero, one = list(measure(case, "float32", 0, [varkernels.get("welford")]))[:2]
    assert (zero["correction"], zero["rows_undefined"], zero["rows_scored"]) == (0.0, 0, 16)
    assert (one["correction"], one["rows_undefined"], one["rows_scored"]) == (1.0, 16, 0)
    assert math.isnan(one["var_error_worst"])


def test_storage_error_stands_apart() -> None:
    case = featuremaps.find("nist/NumAcc4")
    (record,) = measure(case, "float64", 0, [varkernels.get("double_double")])
    assert 1e-9 < record["storage_error"] < 1e-7  # NumAcc4 in float64: at most 8.3 digits of the deviation
    assert record["var_error_worst"] < 1e-15


# ------------------------------------------------------------------------------------------------ run and resume


def test_two_runs_are_identical(whole: Path, tmp_path: Path) -> None:
    runner.run(only=FEW, out=tmp_path, processes=1)
    assert content(tmp_path) == content(whole)


def test_a_seed_changes_values_and_nothing_else(tmp_path: Path) -> None:
    one = runner.run(only="overflow/squares", out=tmp_path, seed=1).frame
    other = runner.run(only="overflow/squares", out=tmp_path, seed=2).frame
    assert (one.var_error_worst != other.var_error_worst).any()
    assert one[list(results.KEY)].equals(other[list(results.KEY)])


@pytest.mark.parametrize(("moment", "processes"), [(1, 2), (5, 1)])
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(
    whole: Path, tmp_path: Path, moment: int, processes: int
) -> None:
    script = f"import varstudy; varstudy.run(only={FEW!r}, out={str(tmp_path)!r}, processes=2)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    kept_in = tmp_path / "cells"
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if kept_in.is_dir() and len(list(kept_in.glob("*.json"))) >= moment:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {path.name for path in kept_in.glob("*.json")}
    assert not (tmp_path / "results.json").exists()
    log = Log()
    runner.run(only=FEW, out=tmp_path, progress=log, processes=processes)
    total, done = log.said[0]  # type: ignore[misc]
    assert done >= len(kept) >= moment
    assert len(log.said) == total - done + 2
    assert content(tmp_path) == content(whole)


def test_finished_cells_are_not_measured_again(whole: Path) -> None:
    before = content(whole)
    log = Log()
    runner.run(only=FEW, out=whole, progress=log)
    total = len(cells.plan(only=FEW))
    assert log.said == [(total, total), "stop"]
    assert content(whole) == before


def test_force_measures_again(tmp_path: Path) -> None:
    for force, done in ((False, 0), (False, 1), (True, 0)):
        log = Log()
        runner.run(only="higham/three-values", out=tmp_path, progress=log, force=force)
        assert log.said[0] == (2, 2 * done)


def _other_number(content: bytes) -> bytes:
    at = content.index(b'"var_error_worst": ') + len(b'"var_error_worst": ')
    return content[:at] + (b"2" if content[at : at + 1] != b"2" else b"3") + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"{",
        lambda content: b"[" * 100_000,
        lambda content: b'{"key": "other", "algorithms": [], "records": []}',
        lambda content: content[: len(content) // 2],
        lambda content: content + b" ",
        lambda content: content.replace(b'"var_bias"', b'"var_vias"', 1),
        lambda content: content.replace(b'"problems"', b'"problens"', 1),
        _other_number,
    ],
    ids=range(9),
)
def test_a_damaged_cell_is_measured_again(whole: Path, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    before = content(tmp_path)
    victim = next((tmp_path / "cells").glob("*.json"))
    spoilt = damage(victim.read_bytes())
    assert spoilt != victim.read_bytes()
    victim.write_bytes(spoilt)
    log = Log()
    said: list[str] = []
    runner.run(only=FEW, out=tmp_path, progress=log, say=said.append)
    assert len(log.said) == 3
    assert said == [f"damaged in {tmp_path / 'cells'}, so measured again: {log.said[1]}"]
    assert content(tmp_path) == before


def read_damaged_cells(folder: Path, count: int) -> None:
    """Damaged copies of a cell: each is as it was written, missing, or known as damaged."""
    names = ["naive"]
    measured = cells.Measured([{"case": "x", "var_bias": math.nan, "rows": 3}], [])
    cells.save(folder, "key", names, measured)
    file = folder / "key.json"
    whole = file.read_bytes()
    for copy in damaged(whole, count):
        file.write_bytes(copy)
        if copy == whole:
            assert repr(cells.load(folder, "key", names)) == repr(measured)
        else:
            with pytest.raises(cells.DamagedCell):
                cells.load(folder, "key", names)


def test_damaged_cells(tmp_path: Path) -> None:
    read_damaged_cells(tmp_path, 300)


@pytest.mark.long
def test_many_damaged_cells(tmp_path: Path) -> None:
    read_damaged_cells(tmp_path, 20_000)


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    script = f"""if True:
        import os, pathlib
        from varstudy._io import atomic
        folder = pathlib.Path({str(tmp_path)!r})
        os.fsync = lambda handle: os.kill(os.getpid(), 9)
        with atomic.scratch_folder(folder) as scratch:
            (scratch / "kept").write_text("by nobody")
            atomic.write_whole(folder / "results.json", b"half")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -signal.SIGKILL
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name.rsplit(".", 4)[0] for name in left] == [".results.json", ".scratch"]
    pid = left[0].split(".")[-3]
    alive = left[0].replace(f".{pid}.", f".{os.getpid()}.")
    others = [alive, ".mine.tmp", "results.json", left[0].replace(f".{pid}.", f".elsewhere.{pid}.")[1:]]
    for name in others:
        (tmp_path / name).write_text("theirs")
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    remove_unfinished(tmp_path / "nowhere")


def test_two_runs_at_once_in_one_folder_end_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    script = f"from varstudy.study.runner import run; run(only={FEW!r}, out={str(tmp_path)!r}, processes=1)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    both = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert content(tmp_path) == content(whole)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "cells", "provenance.json"}


def test_a_key_is_all_that_decides_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, other = cells.plan(only="offset/kappa=1e+0[23]")[:2]
    keys = {cell.key(0), cell.key(1), other.key(0)}
    monkeypatch.setattr(cells, "source_hash", lambda: "other kernels")
    keys.add(cell.key(0))
    monkeypatch.setattr(cells, "sources_hash", lambda: "other scoring")
    keys.add(cell.key(0))
    monkeypatch.setattr(device_algorithms, "code_hash", lambda: "other PTX")
    keys.add(cell.key(0))
    assert len(keys) == 6


def test_a_new_module_is_part_of_a_key(tmp_path: Path) -> None:
    keys = []
    names = ("", "verdict.py", "population.json", "new.py", "featuremaps/new.py", "featuremaps/museum.json")
    for number, name in enumerate(names):
        copy = tmp_path / str(number)
        shutil.copytree(Path(cells.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if name:
            (copy / name).write_text("# other\n")
        keys.append(cells.sources_hash(copy))
    # What a verdict says, and the measurements that it starts from, decide no record.
    assert keys[0] == keys[1] == keys[2] == cells.sources_hash()
    assert len(set(keys)) == 4


def test_every_module_that_a_measurement_imports_is_part_of_its_key(tmp_path: Path) -> None:
    script = "import sys, varstudy.study.measuring; print(*(n for n in sys.modules if n.startswith('varstudy.study.')))"
    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    modules = [Path(cells.__file__).parent.joinpath(*name.split(".")[2:]) for name in imported]
    assert Path(cells.__file__).with_name("score") in modules
    for place, module in enumerate(modules):
        copy = tmp_path / str(place)
        shutil.copytree(Path(cells.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        source = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        (copy / source.relative_to(Path(cells.__file__).parent)).write_text("# other\n")
        assert cells.sources_hash(copy) != cells.sources_hash(), module


def test_algorithms_of_others_are_measured_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(view, centre, accumulator):  # type: ignore[no-untyped-def]
        calls.append(view.dtype)
        rows = view.transpose(1, 0, 2).reshape(view.shape[1], -1).astype(np.float64)
        return rows.mean(axis=1), np.full(len(rows), -1.0)

    theirs = Algorithm("theirs/constant", "theirs", "none", run=run, builtin=False)
    monkeypatch.setattr(runner, "algorithms", lambda: {**varkernels.algorithms(), theirs.name: theirs})
    for _ in range(2):
        frame = runner.run(only="higham/three-values", out=tmp_path).frame
        mine = frame[frame.algorithm == theirs.name]
        assert (mine.var_negative == 1).all()
        assert mine.bound_used.isna().all()
        assert len(mine) == 3
    assert calls == [np.float32, np.float32, np.float64] * 2


# ---------------------------------------------------------------------------------------------------- bad input


def test_bad_input_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(featuremaps.UnknownCase, match=r"'museum/pytorch/pytorch#2471'.*pytorch#2470"):
        runner.run(only="museum/pytorch/pytorch#2471", out=tmp_path)
    with pytest.raises(ValueError, match=r"level='huge' is unknown"):
        runner.run("huge", out=tmp_path)
    with pytest.raises(ValueError, match=r"seed=-1 is negative"):
        runner.run(seed=-1, out=tmp_path)
    with pytest.raises(ValueError, match=r"processes=0: use 1 or more"):
        runner.run(processes=0, out=tmp_path)
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OSError, match="file"):
        runner.run(only="higham/three-values", out=blocked)
    assert blocked.read_text() == "in the way"


def test_the_quick_study_leaves_out_lanes_and_nothing_else() -> None:
    quick, default = runner.chosen("quick"), runner.chosen("default")
    assert default == varkernels.algorithms()
    left = {name for name in default if name not in quick}
    assert left == {name for name in default if name.endswith("/lanes32")}
    assert len(left) >= 9


def test_patterns_name_exactly_by_glob_or_by_part() -> None:
    assert [c.name for c in cells.select("default", "growth/normal/N=2^14")] == ["growth/normal/N=2^14"]
    assert len(cells.select("default", "growth/*/n=2^14")) == 3
    assert {c.group for c in cells.select("default", "NIST")} == {"nist"}
    full = cells.select("quick", "norms/relu-large/NHWC")  # of the level full only
    assert [c.name for c in full] == ["norms/relu-large/NHWC"]


class Swallowing(Log):
    """Interrupts the run after each cell, and swallows the exception as a compiler's callback would."""

    def advance(self, label: str, seconds: float = 0.0) -> None:
        if self.phases[-1] != "measuring":
            return
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)


def test_an_interrupt_that_was_swallowed_is_not_forgotten(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        runner.run(only="higham/three-values", out=tmp_path, processes=1, progress=Swallowing())
    assert signal.getsignal(signal.SIGINT) is before
    assert len(list((tmp_path / "cells").glob("*.json"))) == 1


# --------------------------------------------------------------------------------------------- phases and pages


@pytest.mark.parametrize("processes", [1, 2])
def test_compiling_is_a_phase_with_steps(tmp_path: Path, processes: int) -> None:
    log = Log()
    runner.run("quick", only="higham/three-values", out=tmp_path, progress=log, processes=processes)
    assert log.phases == ["compiling", "measuring", "writing"]
    # Exact sums of two storage formats; runs and trees in the two accumulators.
    assert (log.steps["compiling"], log.totals["compiling"]) == (6, 6)
    assert all(seconds > 0 for seconds, _ in log.expected)
    # What comes later is told, and becomes less.
    (_, first), (measuring, second), (_, last) = log.expected
    assert first == pytest.approx(measuring + second)
    assert second > last == 0


class Pages:
    """Notes what pages show."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.shown: list[tuple[Any, list[str], dict[str, Any]]] = []

    def load(self) -> None:
        pass

    def __call__(self, found: results.Results, folder: Path, perform: Perform | None) -> None:
        cases = list(dict.fromkeys(found.frame.case))
        self.shown.append((found.settings.get("measured"), cases, dict(found.cases)))
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are drawn before every cell."""
    for name, value in (("BEGIN", 0.0), ("CELLS", 1e-9), ("SOON", -1.0), ("SHARE", math.inf)):
        monkeypatch.setattr(course.Redraw, name, value)


@pytest.mark.usefixtures("at_once")
def test_a_page_is_drawn_while_the_run_goes_on(tmp_path: Path) -> None:
    pages, log = Pages(), Log()
    found = runner.run("quick", only="higham/*", out=tmp_path, processes=1, page=pages, progress=log)
    assert log.phases[-2:] == ["writing", "drawing"]
    total = len(cells.plan("quick", "higham/*"))
    # Before the first cell there is nothing to show.
    assert [measured for measured, _, _ in pages.shown] == [*([k, total] for k in range(1, total)), None]
    for _, shown, described in pages.shown:
        assert set(shown) == set(described)
    assert pages.shown[-1][1] == list(dict.fromkeys(found.frame.case))
    assert "measured" not in found.settings
    assert "measured" not in results.read(tmp_path).settings
    # All is measured: one page.
    pages.shown.clear()
    runner.run("quick", only="higham/*", out=tmp_path, processes=1, page=pages)
    assert [measured for measured, _, _ in pages.shown] == [None]


@pytest.mark.usefixtures("at_once")
def test_a_page_that_fails_on_the_way_costs_the_study_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    pages = Pages(ValueError("no figure"))
    runner.run("quick", only="higham/three-values", out=tmp_path, processes=1, page=pages, say=said.append)
    assert said == ["the report of what is measured so far could not be drawn: ValueError: no figure"]
    assert [measured for measured, _, _ in pages.shown] == [[1, 2], None]
    with pytest.raises(OSError, match="disk"):
        runner.run(only="higham/three-values", out=tmp_path, force=True, processes=1, page=Pages(OSError("disk full")))


class Noted:
    """Pages for other processes, whose last one is made by several."""

    loaded = False

    def load(self) -> None:
        Noted.loaded = True

    def __call__(self, found: results.Results, folder: Path, perform: Perform | None) -> None:
        name = f"page-{'-'.join(map(str, found.settings.get('measured', ['all'])))}"
        (folder / name).touch()
        if perform is not None:
            made = dict(perform((os.getpid,) for _ in range(20)))
            assert len(made) == 20
            (folder / f"{name}-made-by-{'this' if os.getpid() in made.values() else 'others'}").touch()


def test_a_page_that_cannot_be_loaded_says_so_when_it_is_drawn() -> None:
    class Broken(Pages):
        def load(self) -> None:
            raise ImportError("no matplotlib")

    study_tasks.load_page(Broken())


@pytest.mark.usefixtures("at_once")
def test_a_worker_draws_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    page = importlib.import_module(Path(__file__).stem).Noted()
    runner.run(only=FEW, out=tmp_path, processes=2, page=page)
    assert page.loaded
    names = {path.name for path in tmp_path.glob("page-*")}
    last = {"page-all", "page-all-made-by-others"}
    assert names > last
    assert all(name.endswith(f"-{len(cells.plan(only=FEW))}") for name in names - last)


def test_ptx_is_executed_on_long_maps_by_the_level_full_only() -> None:
    for level, device, values, some in (
        ("default", "ptx", 2**20, True),
        ("default", "ptx", 2**20 + 1, False),
        ("default", "cuda", 2**24, True),
        ("full", "ptx", 2**24, True),
    ):
        assert bool(device_algorithms.chosen(level, device, values)) == some
    assert device_algorithms.chosen("quick", "ptx", 2**20 + 1) == []


# -------------------------------------------------------------------------------- other people's software beside it


class CrewHere(Crew):
    """A crew that performs its tasks in this process, and compiles nothing ahead."""

    tasks: ClassVar[list[Any]] = []

    def __init__(self, count: int) -> None:
        assert count == 2

    def __enter__(self) -> CrewHere:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        for index, (function, *arguments) in enumerate(tasks):
            if function is not study_tasks.warm:
                self.tasks.append(arguments[0])
                yield index, function(*arguments)


class Neighbour:
    """A companion that notes what happens to it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[int, object]] = []
        self.written: list[tuple[object, Path, bool]] = []
        self.scratch: list[Path] = []

    def summary(self) -> str:
        return "what is here"

    def measure(self, seed: int, say: Any) -> object:
        if self.error is not None:
            raise self.error
        self.asked.append((seed, say))
        folder = tempfile.mkdtemp()
        self.scratch.append(Path(folder))
        return "found"

    def write(self, found: object, folder: Path) -> None:
        self.written.append((found, folder, (folder / "results.json").exists()))


def test_one_of_several_processes_measures_the_companion(tmp_path: Path) -> None:
    CrewHere.tasks.clear()
    before = tempfile.gettempdir()
    said: list[str] = []
    log, other = Log(), Neighbour()
    runner.run(
        only="higham/three-values", out=tmp_path, seed=3, processes=2, progress=log, companion=other, say=said.append,
        crew=CrewHere,
    )  # fmt: skip
    assert said == ["what is here"]
    assert [seed for seed, _ in other.asked] == [3]
    assert [each[:2] for each in other.written] == [("found", tmp_path)]
    assert (tmp_path / "results.json").exists()
    # After the cells of a first page, before the long ones; and it is no cell.
    assert CrewHere.tasks[-1] is other
    assert log.said == [(2, 0), *(task.label for task in CrewHere.tasks[:-1]), "stop"]
    # A worker that is ended leaves its temporary files: they are in a folder that does not outlive the study.
    assert tempfile.gettempdir() == before
    assert other.scratch[0].parent != Path(before)
    assert not other.scratch[0].parent.exists()


def test_a_companion_that_cannot_be_measured_costs_the_study_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    other = Neighbour(RuntimeError("their clock is wrong"))
    runner.run(only="higham/three-values", out=tmp_path, processes=2, companion=other, say=said.append, crew=CrewHere)
    assert said[1:] == [
        "the frameworks and libraries that are here could not be measured: RuntimeError: their clock is wrong"
    ]
    assert (tmp_path / "results.json").exists()
    assert other.written == []


@pytest.mark.parametrize("processes", [1, 2])
def test_this_process_measures_the_companion_where_there_is_nothing_else_to_do(tmp_path: Path, processes: int) -> None:
    said: list[str] = []
    runner.run(only="higham/three-values", out=tmp_path, processes=1)
    other, say = Neighbour(), said.append
    runner.run(only="higham/three-values", out=tmp_path, processes=processes, companion=other, say=say)
    assert other.asked == [(0, say)]
    assert other.written == [("found", tmp_path, True)]
    assert said == []
    shutil.rmtree(other.scratch[0])


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_of_garbage_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    cell = cells.plan(only="higham/three-values")[0]
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with study_tasks.uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(RuntimeError, match="the sources changed"):
            study_tasks.compute(cell, 0, ["naive"], tmp_path, "an older key")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


# ------------------------------------------------------------------------------------------------------ workers


def test_a_failing_task_says_what_failed() -> None:
    cell = cells.plan(only="higham/three-values")[0]
    with Crew(1) as crew, pytest.raises(WorkerFailed, match="'no such algorithm'"):
        list(crew.run([(study_tasks.compute, cell, 0, ("no such algorithm",), Path(), cell.key(0))]))


def test_sources_edited_while_it_runs_are_noticed(tmp_path: Path) -> None:
    cell = cells.plan(only="higham/three-values")[0]
    with pytest.raises(RuntimeError, match=r"the sources changed while 'higham/three-values float32'.*run again"):
        study_tasks.compute(cell, 0, ["naive"], tmp_path, "an older key")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_a_worker_is_an_oserror_here(tmp_path: Path) -> None:
    cell = cells.plan(only="higham/three-values")[0]
    with Crew(1) as crew, pytest.raises(OSError, match="No such file or directory"):
        list(crew.run([(study_tasks.compute, cell, 0, ("naive",), tmp_path / "gone", cell.key(0))]))


def test_workers_end_with_their_parent() -> None:
    script = """if True:
        import os, sys
        from varstudy.study.pool import Crew
        crew = Crew(2)
        print(*crew.pids, flush=True)
        os.kill(os.getpid(), 9)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_results_carry_what_cases_and_algorithms_are(whole: Path) -> None:
    found = results.read(whole)
    assert found.cases["museum/pytorch/pytorch#2470"]["observed"] == "var(dim)=0, true 0.03125"
    assert found.algorithms["chan"]["source"].startswith("Chan, Golub, LeVeque 1983")
    assert found.settings == {"level": "default", "only": FEW, "seed": 0, "devices": {"cpu": ""}}
    assert found.provenance["versions"]["numba"]
    json.dumps(found.provenance)
