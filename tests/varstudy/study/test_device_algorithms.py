"""The CUDA kernels in the study: their PTX, executed, measured as everything else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import varkernels.cuda
from varkernels.cuda import DeviceError, run
from varkernels.formats import FLOAT32, FLOAT64, FORMATS
from varstudy.report.model.facts import Facts
from varstudy.report.sections import contraction
from varstudy.study import device_algorithms, featuremaps, results, runner, tasks
from varstudy.study.measuring import measure

NO_GPU = "no GPU here"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    real = run.device

    def without(name: str) -> Any:
        if name == "cuda":
            raise DeviceError(NO_GPU)
        return real(name)

    monkeypatch.setattr(run, "device", without)


def records(case: str, storage: str, *names: str) -> list[dict[str, Any]]:
    known = [each for each in device_algorithms.chosen("default", "ptx") if not names or each.name in names]
    return list(measure(featuremaps.find(case), storage, 0, known))


def test_what_the_study_runs_is_there_in_both_builds() -> None:
    chosen = device_algorithms.chosen("default", "ptx")
    assert {each.name for each in chosen} == set(device_algorithms.STUDIED) <= set(varkernels.cuda.algorithms())
    assert len({each.key for each in chosen}) == len(chosen) == 2 * len(device_algorithms.STUDIED)
    assert all(device_algorithms.by_key(each.key) == each for each in chosen)
    assert (
        {each.name for each in device_algorithms.chosen("quick", "ptx")}
        == set(device_algorithms.QUICK)
        <= set(device_algorithms.STUDIED)
    )
    assert not {each.key for each in chosen} & set(runner.chosen("default"))
    with pytest.raises(KeyError, match="no such"):
        device_algorithms.by_key("no such")


@pytest.mark.usefixtures("no_gpu")
def test_auto_says_why_the_gpu_is_not_measured_and_goes_on() -> None:
    assert device_algorithms.devices("auto") == {"cpu": "", "cuda": NO_GPU, "ptx": ""}
    assert device_algorithms.devices("ptx") == {"cpu": "", "ptx": ""}
    assert device_algorithms.devices("cpu") == {"cpu": ""}
    assert device_algorithms.devices("cuda") == {"cpu": "", "cuda": NO_GPU}
    with pytest.raises(ValueError, match=r"device='gpu' is unknown: use one of auto, cpu, ptx, cuda"):
        device_algorithms.devices("gpu")


@pytest.mark.parametrize("storage", list(FORMATS))
def test_every_error_is_within_its_bound(storage: str) -> None:
    found = records("normal/standard", storage)
    assert {record["device"] for record in found} == {"ptx"}
    assert {record["contraction"] for record in found} == {"on", "off"}
    assert {record["accumulator"] for record in found} == {device_algorithms.accumulator_of(storage).name}
    used = [record["bound_used"] for record in found]
    assert all(0 <= value <= 1 for value in used)
    assert max(used) > 0


def test_bounds_of_long_rows_and_large_means() -> None:
    for name in ("growth/offset/N=2^14", "museum/pytorch/pytorch#2470"):
        for storage in featuremaps.find(name).storages:
            assert max(record["bound_used"] for record in records(name, storage)) <= 1


def test_contraction_gives_equal_values_a_variance() -> None:
    """q - s s / n: both terms rounded are equal here; the product kept exact, their difference is its rounding."""
    x = np.full((1, 1, 4096), 1 / 3, dtype=np.float32)
    on, off = (device_algorithms.by_key(f"ptx naive/grid4 {build}") for build in ("on", "off"))
    assert off.moments(x, FLOAT32).m2[0] == 0
    assert on.moments(x, FLOAT32).m2[0] < 0


def test_the_bounds_see_the_order() -> None:
    """More values a state, a larger bound; the variants of Chan's formula not below the plain one."""
    reduced = np.random.default_rng(0).standard_normal((1, 1, 20000)).astype(np.float32) + 100
    from varstudy.study.measuring import reduction  # noqa: PLC0415 - the one test that needs it

    rows = reduction(
        reduced[0], "flat", layout="NC", groups=None, corrections=(0.0,), accumulators=("float32", "float64")
    ).rows
    bound = {
        name: float(device_algorithms.by_key(f"ptx {name} on").bounds(FLOAT32, FLOAT32, rows).m2[0])
        for name in device_algorithms.STUDIED
    }
    assert bound["chan/grid4"] < bound["chan/block"]
    assert bound["chan/grid4"] < bound["chan_reciprocal/grid4"] < bound["chan_weighted/grid4"]
    assert bound["two_pass/grid4"] < bound["two_pass/thread"]
    exact = device_algorithms.by_key("ptx chan/grid4 on").bounds(FLOAT32, FLOAT64, rows).m2[0]
    assert exact < bound["chan/grid4"] * 1e-7


@pytest.mark.usefixtures("no_gpu")
def test_a_study_with_the_kernels(tmp_path: Path) -> None:
    name = "museum/pytorch/pytorch#2470"
    found = runner.run("quick", only=name, out=tmp_path, processes=1, device="auto")
    assert found.settings["devices"] == {"cpu": "", "cuda": NO_GPU, "ptx": ""}
    frame = results.read(tmp_path).frame
    assert set(frame["device"]) == {"cpu", "ptx"}
    assert set(frame.loc[frame["device"] == "ptx", "algorithm"]) == set(device_algorithms.QUICK)
    assert set(device_algorithms.QUICK) <= set(found.algorithms)
    assert not frame.duplicated(list(results.KEY)).any()
    # The cells are kept: nothing is measured again.
    again = runner.run("quick", only=name, out=tmp_path, processes=1, device="auto")
    assert again.frame.equals(found.frame)

    chapter = contraction.chapter(Facts(found))
    assert chapter.device == "CUDA kernels, their PTX executed on the CPU"
    assert {kernel.algorithm for kernel in chapter.kernels} == set(device_algorithms.QUICK)
    assert [str(line) for line in chapter.absent] == [f"CUDA kernels on a GPU: not measured: {NO_GPU}."]


def test_a_table_without_the_kernels_says_so(tmp_path: Path) -> None:
    found = runner.run("quick", only="museum/pytorch/pytorch#2470", out=tmp_path, processes=1)
    assert set(found.frame["device"]) == {"cpu"}
    assert contraction.chapter(Facts(found)) == contraction.Contraction("", (), (), ())


def test_a_device_that_fails_on_the_way_leaves_the_rest_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = device_algorithms.OnDevice.moments

    def short(self: device_algorithms.OnDevice, view: Any, accumulator: Any) -> Any:
        if self.key == "ptx chan/grid4 on":
            raise DeviceError("out of memory on the GPU")
        return real(self, view, accumulator)

    name = "museum/pytorch/pytorch#2470"
    with monkeypatch.context() as patch:
        patch.setattr(device_algorithms.OnDevice, "moments", short)
        found = runner.run("quick", only=name, out=tmp_path, processes=1, device="ptx")
    reason = found.settings["devices"]["ptx"]
    assert reason.endswith("out of memory on the GPU")
    assert f"chan/grid4 on {name}" in reason
    ptx = found.frame[found.frame["device"] == "ptx"]
    assert set(ptx.loc[ptx["contraction"] == "on", "algorithm"]) == set(device_algorithms.QUICK) - {"chan/grid4"}
    assert set(ptx.loc[ptx["contraction"] == "off", "algorithm"]) == set(device_algorithms.QUICK)
    assert (found.frame["device"] == "cpu").any()
    # It is tried again, and found.
    again = runner.run("quick", only=name, out=tmp_path, processes=1, device="ptx")
    assert again.settings["devices"] == {"cpu": "", "ptx": ""}
    assert len(again.frame) > len(found.frame)


def test_compiling_ahead_leaves_it_to_the_measurement_to_say_what_a_device_cannot_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(self: device_algorithms.OnDevice, view: Any, accumulator: Any) -> Any:
        raise DeviceError("the compiled kernels' manifest cannot be read")

    monkeypatch.setattr(device_algorithms.OnDevice, "moments", missing)
    tasks.warm("ptx", ("float32",), ["naive", "ptx chan/grid4 on"])


CODE = ["varptx/floats.py", "varptx/scheduler.ll", "varkernels/ptx/manifest.json", "varkernels/ptx/chan.ptx"]


@pytest.mark.parametrize("edited", CODE)
def test_other_ptx_or_another_executor_measures_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    for name in (*CODE, "varptx/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(device_algorithms, "files", lambda package: tmp_path / package)
    before = device_algorithms.code_hash.__wrapped__()
    (tmp_path / "varptx/notes.txt").write_text("no code")
    assert device_algorithms.code_hash.__wrapped__() == before
    (tmp_path / edited).write_text("after")
    assert device_algorithms.code_hash.__wrapped__() != before
    assert len(device_algorithms.code_hash()) == 64
