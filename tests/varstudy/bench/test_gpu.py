"""The GPU measurement, without a GPU: a fake one answers by the executed PTX and has a clock of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from cuda_stand_in import StandIn

import varkernels
import varstudy.cli as command
from varkernels import views
from varkernels.cuda import DeviceError, algorithms
from varkernels.cuda.devices import driver
from varkernels.cuda.devices.ptx import Executor
from varkernels.cuda.launch_plan import Plan as Launches
from varstudy import report
from varstudy._io.progress import Silent
from varstudy.bench.gpu import gpu_record, measuring, own_arrays, torch_peer
from varstudy.bench.gpu.card import Card
from varstudy.bench.gpu.checks import MAPS, QUICK, Checks, check, parts
from varstudy.bench.gpu.gpu_promises import judged
from varstudy.bench.gpu.gpu_record import COPY, GpuProblem, GpuRow
from varstudy.bench.gpu.measuring import chosen, measure
from varstudy.bench.gpu.racing import GpuPlan, Torch, races, values
from varstudy.bench.targets import read_targets as judged_targets
from varstudy.report import measured_file
from varstudy.report.sections import gpu_speed
from varstudy.study import featuremaps, results
from varstudy.study.measuring import measure as case_records

FULL_MEMORY = "the GPU is out of memory: cut the feature map, or end what else uses the GPU (cuMemAlloc_v2: ...)"
SMALL = GpuPlan(
    shapes=((2, 8, 6, 6), (4, 8, 6, 6)), storages=("float32", "bfloat16"), groups=4, rounds=3,
    maps=("higham/three-values", "overflow/squares"),
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"'&$x^2$ {{ 7*7 }}\u202e\x1b"


class FakeDevice:
    """Executes the PTX, and then changes what it is told to."""

    def __init__(self, change: Callable[[Launches, Any], None] | None = None) -> None:
        self.change = change

    def run(self, plan: Launches, view: Any) -> Any:
        answers = Executor.get().run(plan, view)
        if self.change is not None:
            self.change(plan, answers)
        return answers


class FakeResident:
    def __init__(self, machine: FakeMachine, size: int) -> None:
        self.machine, self.size = machine, size

    @contextmanager
    def kernel(self, plan: Launches) -> Iterator[Callable[[], None]]:
        formula = plan.launches[-1].kernel.formula.name
        name = formula + ("/grid4" if plan.share.order == "grid4" else "")
        yield lambda: self.machine.work(self.size, name)

    @contextmanager
    def copy(self) -> Iterator[Callable[[], None]]:
        if self.machine.no_copy:
            raise DeviceError(FULL_MEMORY)
        yield lambda: self.machine.work(2 * self.size, COPY)

    def shared(self, shape: tuple[int, ...], storage: str) -> Any:
        return shape, storage


class FakeMachine:
    """10^9 bytes a second of copies; other speeds by name. Maps beyond `memory` bytes do not fit."""

    def __init__(self, memory: float = math.inf, speeds: Mapping[str, float] | None = None) -> None:
        self.device: Any = FakeDevice()
        self.memory, self.speeds, self.no_copy = memory, dict(speeds or {}), False
        self.pending = 0.0
        self.placed = 0

    def work(self, size: int, name: str) -> None:
        self.pending += size / self.speeds.get(name, 1e9)

    def facts(self) -> dict[str, Any]:
        return {"name": "Fake 100", "driver_cuda": "13.0", "l2_cache_bytes": 1}

    def clocks(self) -> dict[str, str]:
        return {"clocks.sm": "1000 MHz"}

    def cache_rule(self) -> str:
        return "there is no cache"

    @contextmanager
    def place(self, array: Any) -> Iterator[FakeResident]:
        if array.nbytes > self.memory:
            raise DeviceError(FULL_MEMORY)
        self.placed += 1
        yield FakeResident(self, array.nbytes)
        self.placed -= 1

    def warm(self, call: Callable[[], Any]) -> int:
        call()
        return 1

    def time(self, call: Callable[[], Any], ahead: int) -> float:
        assert ahead == 1
        self.pending = 0.0
        call()
        return self.pending


class FakeCuda:
    @staticmethod
    def empty_cache() -> None:
        pass


class FakeTorch:
    cuda = FakeCuda


def torch_on(machine: FakeMachine) -> Torch:
    def calls(module: Any, x: Any, norm: str, layout: str, groups: int) -> dict[str, Callable[[], None]]:
        shape, storage = x
        size = math.prod(shape) * (4 if storage == "float32" else 2)
        return {"torch.var_mean": lambda: machine.work(size, "torch")}

    return Torch(FakeTorch(), "9.9", calls, lambda module, shared, storage: shared)


NO_TORCH = Torch(None, "torch is not installed")


def content(machine: FakeMachine, pattern: str = "chan/grid*", plan: GpuPlan = SMALL, torch: Torch = NO_TORCH) -> Any:
    return measure(machine, chosen(pattern), plan, ["gpu"], Silent(), torch)


def call(*words: str | Path) -> Any:
    return CliRunner().invoke(command.commands, [str(word) for word in words], prog_name="varstudy")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    machine = FakeMachine()
    monkeypatch.setattr("varstudy.cli.gpu_run.Card", lambda: machine)
    monkeypatch.setattr(measuring, "SHORT", SMALL)
    monkeypatch.setattr(torch_peer, "load", lambda: (None, "torch is not installed"))
    return machine


# ------------------------------------------------------------------------------------------------ no GPU


@pytest.mark.parametrize(
    ("library", "cause"),
    [
        (None, "there is no NVIDIA driver on this machine"),
        ({"version": 10020}, "the GPU's driver serves CUDA 10.2, the kernels need 11.0 or newer: update the driver"),
        ({"fails": {"cuInit": 100}}, "the driver finds no GPU"),
        ({"fails": {"cuMemAlloc_v2": 2}}, "the GPU is out of memory"),
        ({"fails": {"cuModuleLoadDataEx": 222}}, "too old for this PTX"),
    ],
)
@pytest.mark.parametrize("option", ["--json", "--quick"])
def test_without_a_gpu_one_sentence_and_exit_code_3(
    library: Any, cause: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LIBRARIES", ("no-such-library.so.1",))
    out = tmp_path / "new"
    with driver.driven_by(None if library is None else StandIn(execute=False, **library)):
        done = call("gpu", option, "--kernels", "chan/grid4", "--out", out)
    assert done.exit_code == 3, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("varstudy: ")
    assert cause in line
    assert not out.exists()


def test_an_unknown_kernel_is_bad_input(tmp_path: Path) -> None:
    done = call("gpu", "--kernels", "chan/grd4", "--out", tmp_path / "new")
    assert done.exit_code == 2
    assert "CUDA kernel 'chan/grd4' is unknown: did you mean" in done.stderr
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------------------------------------ checks


def checked(machine: Any, executor: Any, names: Sequence[str], maps: Sequence[str]) -> Checks:
    found = Checks()
    known = algorithms()
    assert list(check(machine, executor, [known[name] for name in names], parts(maps), 0, found))
    return found


def test_checks_compare_every_answer() -> None:
    found = checked(FakeDevice(), Executor.get(), ["chan/grid4"], ["overflow/squares", "shape/odd"])
    # overflow/squares: batch, 8 channels, in four formats; shape/odd: (3, 7, 11, 65) channels last, by batch, layer,
    # instance and group(5), in three formats.
    rows = 8 * 4 + (65 + 3 + 3 * 65 + 3 * 5) * 3
    assert found.compared == rows * 2 * 2  # mean and M2, builds
    assert found.runs == (4 + 4 * 3) * 2
    assert (found.mismatches, found.beyond, found.failed, found.not_applicable) == (0, 0, 0, 0)
    assert found.bounded > 0
    assert 0 < found.worst <= 1
    assert found.passed
    assert not any(found.first.values())


def test_one_wrong_bit_is_found_and_named() -> None:
    def flip(plan: Launches, answers: Any) -> None:
        kernel = plan.launches[-1].kernel
        if kernel.formula.name == "chan" and not kernel.contracted and kernel.accumulator.name == "float64":
            answers[0, 1:].view(np.uint64)[:] ^= 1

    found = checked(FakeDevice(flip), Executor.get(), ["chan/grid4", "naive/grid4"], ["higham/three-values"])
    # one row, as float64
    assert (found.mismatches, found.beyond, found.failed) == (1, 0, 0)
    assert not found.passed
    first = found.first["mismatches"][0]
    assert first.startswith(
        "chan/grid4 on higham/three-values flat, float64 in float64, contraction off: m2 of row 0 is 0x1."
    )
    assert "the executed PTX's 0x1." in first
    assert found.record()["passed"] is False


def test_an_error_beyond_its_bound_is_found_and_named() -> None:
    def spoil(plan: Launches, answers: Any) -> None:
        if plan.launches[-1].kernel.formula.name == "two_pass":
            answers[:, 1] *= 1.01

    device = FakeDevice(spoil)
    found = checked(device, device, ["two_pass/block", "chan/block"], ["nist/NumAcc4"])
    assert found.mismatches == 0
    assert found.beyond > 0
    assert found.worst > 1
    assert found.worst_at.startswith("two_pass/block on nist/NumAcc4 ")
    assert all(each.startswith("two_pass/block on nist/NumAcc4 ") for each in found.first["beyond"])
    assert "times its bound" in found.first["beyond"][0]
    assert len(found.first["beyond"]) <= 8
    assert not found.passed


def test_checks_go_on_past_a_failure_and_a_missing_executor() -> None:
    def fail(plan: Launches, answers: Any) -> None:
        if plan.launches[-1].kernel.formula.name == "naive":
            raise DeviceError("the driver reports an error (cuLaunchKernel: CUDA_ERROR_UNKNOWN)")

    found = checked(
        FakeDevice(fail), "varptx cannot be loaded", ["naive/thread", "two_pass/held"], ["growth/offset/N=2^14"]
    )
    assert found.failed == 4
    assert found.first["failed"][0].endswith("the driver reports an error (cuLaunchKernel: CUDA_ERROR_UNKNOWN)")
    assert found.not_applicable == 4  # 16,384 values are too many to hold
    assert (found.runs, found.compared, found.not_compared) == (0, 0, "varptx cannot be loaded")
    assert not found.passed


def test_the_maps_exist_and_share_rows_between_blocks() -> None:
    assert set(QUICK) < set(MAPS)
    found = parts(MAPS)
    assert {storage for _, storage in found} == {"float16", "bfloat16", "float32", "float64"}
    assert {case.layout for case, _ in found} >= {"NCHW", "NHWC"}
    assert max(case.elements for case, _ in found if case.norms == ("flat",)) >= 2**14


# ------------------------------------------------------------------------------------------------ races


def test_rows_are_rates_and_ratios() -> None:
    machine = FakeMachine(speeds={"chan/grid4": 0.95e9, "torch": 0.5e9, "naive/grid4": 0.99e9})
    found = content(machine, "*/grid4", replace(SMALL, maps=()), torch_on(machine))
    rows = gpu_record.rows(found)
    settings = {(tuple(row.shape), row.storage, row.layout, row.norm) for row in rows}
    assert len(settings) == 2 * 2 * 2 * 4
    names = {COPY, "torch.var_mean", *(name for name in algorithms() if name.endswith("/grid4"))}
    for key in settings:
        mine = [row for row in rows if (tuple(row.shape), row.storage, row.layout, row.norm) == key]
        assert {row.contender for row in mine} == names
        for row in mine:
            size = math.prod(row.shape) * (2 if row.storage == "bfloat16" else 4)
            assert (row.status, row.rounds) == ("ok", 3)
            assert row.seconds == row.low == row.high
            assert row.groups == (4 if row.norm == "group" else 0)
            if row.contender == COPY:
                assert row.gbps == pytest.approx(2 * size / row.seconds / 1e9) == pytest.approx(1.0)
                assert row.of_copy == 1
            if row.contender == "chan/grid4":
                assert row.gbps == pytest.approx(0.95)
                assert row.of_copy == pytest.approx(0.95)
                assert row.of_torch == pytest.approx(1.9)
                assert row.accumulator == "float32"
    assert machine.placed == 0


def test_out_of_memory_is_a_row_of_its_map() -> None:
    machine = FakeMachine(memory=2 * 8 * 36 * 4)
    found = content(machine, "chan/grid4")
    rows = gpu_record.rows(found)
    status = {(tuple(row.shape), row.storage, row.status) for row in rows}
    assert status == {
        ((2, 8, 6, 6), "float32", "ok"),
        ((2, 8, 6, 6), "bfloat16", "ok"),
        ((4, 8, 6, 6), "float32", "out of memory"),
        ((4, 8, 6, 6), "bfloat16", "ok"),
    }
    assert {row.reason for row in rows if row.status == "out of memory"} == {FULL_MEMORY}
    assert all(math.isnan(row.seconds) for row in rows if row.status != "ok")
    verdicts = {each["name"]: each for each in found["targets"] if each["dtype"] == "float32"}
    assert verdicts["fastest kernel / copy rate, 4x8x6x6 NCHW"]["met"] is None
    assert verdicts["fastest kernel / copy rate, 4x8x6x6 NCHW"]["note"] == f"not measured: {FULL_MEMORY}"
    assert verdicts["fastest kernel / copy rate, 2x8x6x6 NCHW"]["met"] is True


def test_no_memory_for_the_copy_leaves_the_kernels() -> None:
    machine = FakeMachine()
    machine.no_copy = True
    plan = replace(SMALL, shapes=SMALL.shapes[:1], storages=("float32",), maps=())
    rows = gpu_record.rows(content(machine, "chan/grid4", plan))
    assert {(row.contender, row.status) for row in rows} == {(COPY, "out of memory"), ("chan/grid4", "ok")}
    assert all(row.gbps > 0 and math.isnan(row.of_copy) for row in rows if row.status == "ok")


def test_rows_too_long_to_be_held_say_so() -> None:
    plan = GpuPlan(((1, 2, 70, 70),), ("float64",), ("NCHW",), ("batch", "layer"), groups=1, rounds=2)
    found = races(FakeMachine(), [algorithms()["chan/grid4"], algorithms()["two_pass/held"]], NO_TORCH, plan)
    rows = {(row.norm, row.contender): row for _, part in found for row in part}
    assert rows["layer", "two_pass/held"].status == "not applicable"
    assert "holds up to 4096 of float64" in rows["layer", "two_pass/held"].reason
    assert rows["layer", "chan/grid4"].status == "ok"


def test_values_are_the_same_every_time() -> None:
    x = values((2, 3, 4, 5), "bfloat16", 1)
    assert x.shape == (2, 3, 4, 5)
    assert x.dtype.name == "bfloat16"
    np.testing.assert_array_equal(x, values((2, 3, 4, 5), "bfloat16", 1))
    assert abs(float(values((64, 8, 8, 8), "float32", 0).mean()) - 1000) < 0.1


# ------------------------------------------------------------------------------------------------ targets


def row(contender: str, kind: str = "kernel", seconds: float = 1.0, norm: str = "batch", **given: Any) -> GpuRow:
    filled: dict[str, Any] = {"rounds": 3, "low": seconds, "high": seconds, "gbps": 1 / seconds}
    return GpuRow(
        [32, 64, 56, 56], "NCHW", norm, 0, "float32", "", kind, contender, seconds=seconds, **(filled | given)
    )


def test_verdicts() -> None:
    rows = [
        row("naive/grid4", seconds=0.5, of_copy=2.0, of_torch=4.0),  # never promised
        row("chan/grid4", of_copy=0.93, of_torch=1.2),
        row("chan/grid", seconds=2.0, of_copy=0.4, of_torch=0.6),
        row("chan/block4", norm="layer", of_copy=0.91, of_torch=0.97, low=0.5),
    ]
    speed, beside = judged(rows, "")
    assert (speed.measured, speed.met) == (0.91, True)
    assert speed.note == "chan/block4, layer; noisy (quartiles 50 % apart)"
    assert (beside.measured, beside.met) == (0.97, False)
    speed, beside = judged([replace(each, of_torch=math.nan) for each in rows], "torch is not installed")
    assert speed.met
    assert (beside.met, beside.note) == (None, "not measured: torch is not installed")
    speed, _ = judged([*rows, row("chan/grid4", norm="group", status="failed", reason="it broke")], "")
    assert (speed.met, speed.note) == (None, "not measured: it broke")
    speed, _ = judged(rows[:1], "")
    assert (speed.met, speed.note) == (None, "not measured: no kernel but the naive one")


# ------------------------------------------------------------------------------------------------ the file


@pytest.fixture(scope="module")
def measured() -> Any:
    machine = FakeMachine(speeds={"chan": 0.8e9, "torch": 0.9e9})
    return content(machine, "chan/grid*", torch=torch_on(machine))


def test_round_trip(measured: Any, tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    gpu_record.write(path, measured)
    again = gpu_record.read(tmp_path)
    assert {key: again[key] for key in measured} == json.loads(json.dumps(measured))
    assert (again["format"], again["version"]) == ("varstudy-gpu", 1)
    assert gpu_record.rows(again) == gpu_record.rows(measured)
    assert again["device"]["clocks_before"] == {"clocks.sm": "1000 MHz"}
    assert again["provenance"]["versions"]["numpy"]
    assert len(again["provenance"]["ptx"]["digest"]) == 64
    gpu_record.write(tmp_path / "twice.json", measured)
    assert (tmp_path / "twice.json").read_bytes() == path.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["gpu.json", "twice.json"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda text: "", "gpu.json cannot be read"),
        (lambda text: text[: len(text) // 2], "gpu.json cannot be read"),
        (lambda text: "[" * 100_000, "gpu.json cannot be read"),
        (lambda text: '{"format": "varstudy-bench"}', "is no GPU measurement of varstudy"),
        (lambda text: "[]", "is no GPU measurement of varstudy"),
        (lambda text: text.replace('"version": 1', '"version": 9', 1), "has schema version 9, this program reads 1"),
        (lambda text: text.replace('"mismatches": 0', '"mismatches": 1', 1), "was edited or cut"),
        (lambda text: text.replace('"gbps": 0.8', '"gbps": 9.8', 1), "was edited or cut"),
        (lambda text: text.replace('"checks"', '"cheques"', 1), "was edited or cut"),
    ],
)
def test_spoilt_files_are_refused(measured: Any, spoil: Callable[[str], str], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    gpu_record.write(path, measured)
    text = path.read_text("utf-8")
    assert spoil(text) != text
    path.write_text(spoil(text), "utf-8")
    with pytest.raises(GpuProblem, match=sentence) as caught:
        gpu_record.read(path)
    assert str(caught.value).endswith("make it again with 'python -m varstudy gpu'")
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ the command


def test_the_command_writes_and_shows(fake: FakeMachine, tmp_path: Path) -> None:
    done = call("gpu", "--quick", "--kernels", "chan/grid*", "--out", tmp_path, "--wide")
    assert done.exit_code == 0, done.output
    found = gpu_record.read(tmp_path)
    assert found["provenance"]["command"][-4:] == ["gpu", "--quick", "--kernels", "chan/grid*"]
    shown = done.stdout
    assert shown.startswith("Fake 100, driver for CUDA 13.0")
    assert f"{found['checks']['compared']:,} answers compared, 0 mismatches" in shown
    assert "2x8x6x6 NHWC, bfloat16: GB/s, share of the copy's rate" in shown
    assert "PyTorch: not measured: torch is not installed." in shown
    assert "Cache: there is no cache." in shown
    assert "fastest kernel / copy rate, 4x8x6x6 NCHW" in shown
    assert "not measured: torch is not installed" in shown
    assert "results.json" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["gpu.json"]


def test_json_is_the_file(fake: FakeMachine, tmp_path: Path) -> None:
    done = call("gpu", "--quick", "--kernels", "chan/grid4", "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == gpu_record.read(tmp_path)


def test_a_failed_check_ends_with_exit_code_1(fake: FakeMachine, tmp_path: Path) -> None:
    def flip(plan: Launches, answers: Any) -> None:
        if answers.dtype == np.float32:
            answers[0, :1].view(np.uint32)[:] ^= 1

    fake.device = FakeDevice(flip)
    done = call("gpu", "--quick", "--kernels", "chan/grid4", "--out", tmp_path)
    assert done.exit_code == 1, done.output
    assert "FAILED: chan/grid4 on higham/three-values flat, float32 in float32, contraction on: mean of row 0" in (
        done.stdout
    )
    assert gpu_record.read(tmp_path)["checks"]["passed"] is False


@pytest.mark.parametrize(
    ("stand_in", "code", "shown"),
    [
        ({}, 0, "Users' arrays on the GPU: 9 checks, 0 failed."),
        ({"fails": {"cuStreamSynchronize": 719}}, 1, "FAILED: GPU 0, NHWC, float16: DeviceError: a kernel ended in an"),
        ({"fails": {"cuInit": 100}}, 0, "Users' arrays: not checked: the driver finds no GPU"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_users_arrays_are_checked(
    stand_in: dict[str, Any], code: int, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_arrays, "LAYOUTS", {name: own_arrays.LAYOUTS[name] for name in ("NHWC", "one row")})
    with driver.driven_by(StandIn(gpus=1, **stand_in)):
        done = call("gpu", "--quick", "--kernels", "chan/grid4", "--out", tmp_path)
    assert done.exit_code == code, done.output
    assert shown in " ".join(done.stdout.split())
    failed = gpu_record.read(tmp_path)["own_arrays"]["failed"]
    assert bool(failed) == bool(code)


def test_out_of_memory_is_shown(fake: FakeMachine, tmp_path: Path) -> None:
    fake.memory = 2 * 8 * 36 * 4
    done = call("gpu", "--quick", "--kernels", "chan/grid4", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"4x8x6x6 float32, chan/grid4: out of memory ({FULL_MEMORY})." in done.stdout


# ------------------------------------------------------------------------------------------------ the report


def test_the_section_without_a_measurement() -> None:
    assert gpu_speed.section(None) == gpu_speed.GpuSpeed()
    assert gpu_speed.section("gpu.json cannot be read.").problem == "gpu.json cannot be read"


def test_the_section_reads_what_lies_in_the_folder(measured: Any, tmp_path: Path) -> None:
    assert measured_file(gpu_record.read, tmp_path) is None
    (tmp_path / "gpu.json").write_text("{", "utf-8")
    assert str(measured_file(gpu_record.read, tmp_path)).startswith("gpu.json cannot be read")
    gpu_record.write(tmp_path / "gpu.json", measured)
    found = measured_file(gpu_record.read, tmp_path)
    assert isinstance(found, dict)
    shown = gpu_speed.section(found)
    assert shown.device == "Fake 100, driver for CUDA 13.0"
    assert "0 mismatches" in shown.checks
    assert len(shown.parts) == 2 * 2 * 2
    title, norms, rows = shown.parts[0]
    assert (title, norms) == ("2×8×6×6 NCHW, float32", ("batch", "layer", "instance", "group"))
    assert [str(name) for name, _ in rows] == [
        f"<code>{name}</code>" for name in ("device copy", "torch.var_mean", "chan/grid4", "chan/grid")
    ]
    cells = dict(rows)
    assert next(cell for name, (cell, *_) in cells.items() if "device copy" in name).startswith("1 · 100%")
    assert len(shown.targets) == len(judged_targets(measured["targets"]))
    assert {line[4] for line in shown.targets} <= {"met", "missed"}
    assert not shown.absent


def test_the_page_has_the_section(measured: Any, tmp_path: Path) -> None:
    case = featuremaps.find("higham/three-values")
    known = varkernels.algorithms()["welford"]
    table = results.from_records(
        list(case_records(case, "float32", 0, [known])),
        cases={case.name: case.info()},
        algorithms={"welford": {"title": "Welford", "formula": "welford", "order": "running"}},
        settings={"level": "quick", "only": case.name, "seed": 0},
    )
    page = tmp_path / "report-speed.html"
    absent = "<code>python -m varstudy gpu</code> on a machine with a GPU measures it"
    report.write(table, tmp_path)
    assert absent in page.read_text("utf-8")
    (tmp_path / "gpu.json").write_text("{", "utf-8")
    report.write(table, tmp_path)
    assert "Not measured: gpu.json cannot be read" in page.read_text("utf-8")
    gpu_record.write(tmp_path / "gpu.json", measured)
    report.write(table, tmp_path)
    text = page.read_text("utf-8")
    assert absent not in text
    assert "Measured on Fake 100, driver for CUDA 13.0." in text
    assert "fastest kernel / copy rate, 2x8x6x6 NCHW" in text
    assert "2×8×6×6 NHWC, bfloat16: 4 contenders" in text


def test_the_section_says_what_is_missing_and_escapes() -> None:
    machine = FakeMachine(memory=2 * 8 * 36 * 4)
    found = content(machine, "chan/grid4", torch=Torch(None, HOSTILE))
    found["checks"]["first"]["mismatches"].append(HOSTILE)
    shown = gpu_speed.section(found)
    assert any("out of memory" in line for line in shown.absent)
    assert shown.absent[0].startswith("PyTorch: ")
    assert "<script>" not in shown.checks
    assert "\u202e" not in "".join((shown.checks, *shown.absent))


# ------------------------------------------------------------------------------------------------ PyTorch, the card


def test_torch_gives_the_moments_of_the_norms() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 8, 3, 5))
    for layout in ("NCHW", "NHWC"):
        lies = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if layout == "NHWC" else x
        for norm in ("batch", "layer", "instance", "group"):
            found = torch_peer.calls(torch, torch.from_numpy(lies), norm, layout, 4)
            rows = views.view(lies, norm, layout=layout, groups=4 if norm == "group" else None)
            rows = rows if rows.ndim == 4 else rows[np.newaxis]
            variance, mean = found["torch.var_mean"]()
            np.testing.assert_allclose(variance.numpy().ravel(), rows.var(axis=(1, 3)).ravel(), rtol=1e-12)
            np.testing.assert_allclose(mean.numpy().ravel(), rows.mean(axis=(1, 3)).ravel(), rtol=1e-9)
            for name, run in found.items():
                if "writes the map" in name:
                    assert run().shape[0] == 2


def test_the_card_flushes_then_times_and_frees() -> None:
    recorded = StandIn(execute=False)
    with driver.driven_by(recorded):
        card = Card()
    kept = dict(recorded.live)
    facts = card.facts()
    assert (facts["name"], facts["compute_capability"], facts["driver_cuda"]) == ("Stand-in", "8.0", "13.0")
    assert facts["memory_bytes"] == 80 << 30
    assert facts["bandwidth_by_clock_gbps"] == pytest.approx(2 * 1e9 * 4096 / 8 / 1e9)
    assert "256 MiB" in card.cache_rule()
    assert isinstance(card.clocks(), dict)
    x = values((2, 8, 6, 6), "bfloat16", 0)
    with card.place(x) as resident:
        shared = resident.shared((2, 8, 6, 6), "bfloat16").__cuda_array_interface__
        assert (shared["typestr"], shared["shape"], shared["version"]) == ("<i2", (2, 8, 6, 6), 3)
        assert resident.shared((4,), "float16").__cuda_array_interface__["typestr"] == "<f2"
        with resident.copy() as copy:
            ahead = card.warm(copy)
            assert ahead >= 1
            recorded.calls.clear()
            recorded.launched.clear()
            assert card.time(copy, 2) == pytest.approx(2e-3)
            flush = ["naive_sweep4_float32_float32", "naive_finish_float32"]
            assert [each.entry for each in recorded.launched] == flush * 2
            assert [name for name in recorded.calls if not name.startswith("cuCtxP")] == [
                "cuCtxSynchronize", *["cuLaunchKernel"] * 4, "cuEventRecord", "cuMemcpyDtoDAsync_v2", "cuEventRecord",
                "cuEventSynchronize", "cuEventElapsedTime",
            ]  # fmt: skip
    assert recorded.live == kept
    assert recorded.contexts == []
    plan = replace(SMALL, maps=())
    found = measure(card, chosen("two_pass/grid4"), plan, ["gpu"], Silent(), NO_TORCH)
    assert {each["status"] for each in found["rows"]} == {"ok"}
    assert recorded.live == kept
