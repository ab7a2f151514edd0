"""The device's front: what is refused, with which sentence, and what a driver's errors become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_stand_in import StandIn

from varkernels import FORMATS
from varkernels.cuda import DeviceError, algorithms, catalogue, moments
from varkernels.cuda import mirror as mirror_module
from varkernels.cuda.devices import driver
from varkernels.cuda.devices.gpu import Gpu
from varkernels.cuda.inputs import extent
from varkernels.cuda.launch_plan import geometry_of, plan
from varkernels.cuda.run import device

X = np.random.default_rng(3).standard_normal((2, 3, 5)).astype(np.float32)


@pytest.mark.parametrize("function", [moments, mirror_module.moments])
def test_refused(function: Any) -> None:
    with pytest.raises(ValueError, match=r"CUDA algorithm 'chan/gird' is unknown: did you mean chan/grid"):
        function(X, "chan/gird")
    with pytest.raises(ValueError, match=r"accumulator=float32: the device accumulates float64 values in float64 only"):
        function(X.astype(np.float64), "chan/grid", "float32")
    with pytest.raises(ValueError, match=r"accumulator=float16: the device accumulates float16 values in float32 only"):
        function(X.astype(np.float16), "chan/grid", "float16")
    with pytest.raises(ValueError, match=r"accumulator=float64: the device accumulates float32 values in float32 only"):
        function(X, "chan/grid", np.float64)
    with pytest.raises(ValueError, match=r"view has shape \(3,\)"):
        function(np.zeros(3, np.float32), "chan/grid")
    with pytest.raises(TypeError, match="int64"):
        function(np.zeros((1, 1, 3), np.int64), "chan/grid")
    with pytest.raises(ValueError, match=r"8193 values: two_pass/held holds up to 8192 .* use two_pass/block4"):
        function(np.zeros((1, 1, 8193), np.float32), "two_pass/held")


@pytest.mark.parametrize("function", [moments, mirror_module.moments])
def test_array_on_a_gpu(function: Any) -> None:
    class Tensor:
        __cuda_array_interface__ = {"shape": (1, 1, 3), "typestr": "<f4", "data": (4096, False), "version": 3}  # noqa: RUF012

    with pytest.raises(
        DeviceError, match=r"the view lies on a GPU: varkernels.cuda.moments\(view, device='cuda'\) computes"
    ):
        function(Tensor(), "chan/grid")


def test_unknown_device() -> None:
    with pytest.raises(ValueError, match="device='gpu' is unknown: use one of ptx, cuda"):
        moments(X, device="gpu")


@pytest.mark.parametrize("function", [moments, mirror_module.moments])
@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 0, 5), (2, 3, 0), (0, 2, 3, 4), (2, 2, 3, 0)])
def test_nothing_to_sum(shape: tuple[int, ...], function: Any) -> None:
    got = function(np.zeros(shape, np.float16), "chan/grid4")
    rows = shape[-2] * (shape[0] if len(shape) == 4 else 1)
    assert len(got) == rows
    assert (got.count == 0).all()
    assert np.isnan(got.mean).all()
    assert np.isnan(got.m2).all()
    assert got.mean.dtype == np.float32


def test_too_many_values_for_counts() -> None:
    many = np.broadcast_to(np.float32(1), (1, 1, 2, 2**31))
    with pytest.raises(ValueError, match="2 rows of 2147483648 values: chan/grid counts up to 2147483647"):
        plan(geometry_of(many), catalogue.get("chan/grid"), FORMATS["float32"], FORMATS["float32"], True)


def test_every_plan_has_its_kernels() -> None:
    known = catalogue.kernels()
    launched: set[str] = set()
    for shape in [(1, 1, 1, 1), (1, 2, 3, 300), (1, 1, 2, 4000), (1, 1, 1, 10**6)]:
        view = np.broadcast_to(np.float32(1), shape)
        for algorithm in algorithms().values():
            for storage in FORMATS.values():
                accumulator = catalogue.accumulator_of(storage)
                if algorithm.order == "held" and shape[3] > 4000:
                    continue
                made = plan(geometry_of(view), algorithm, storage, accumulator, False)
                for launch in made.launches:
                    launched.add(launch.kernel.name)
                    assert known[launch.kernel.name] == launch.kernel
                    assert 1 <= launch.grid <= 65535
                    assert launch.block in (32, 64, 128, 256)
                    named = {arg for arg in launch.arguments if isinstance(arg, str)}
                    assert named <= {"data", *made.buffers}
                answers = (accumulator.dtype, 2 * shape[0] * shape[2])
                assert algorithm.order == "exact" or made.buffers["answers"] == answers
    assert launched == {name for name, kernel in known.items() if not kernel.contracted}  # and none for nothing


def test_odd_strides_are_copied() -> None:
    records = np.zeros(30, dtype=[("a", np.int8), ("x", np.float32)])
    records["x"] = X.ravel()
    odd = records["x"].reshape(2, 3, 5)
    assert odd.strides[-1] == 5
    assert (moments(odd, "chan/grid").m2 == moments(X, "chan/grid").m2).all()


def test_other_byte_order_and_broadcast() -> None:
    assert (moments(X.astype(">f4"), "chan/grid").m2 == moments(X, "chan/grid").m2).all()
    flat = np.broadcast_to(np.float32(2.5), (3, 2, 4))
    assert list(moments(flat, "naive/block4").mean) == [2.5, 2.5]


def test_extent_is_the_touched_bytes_only() -> None:
    room = np.arange(100, dtype=np.float32)
    view = room[10:70].reshape(3, 4, 5)[::-2, 1:3, ::-1]
    values, first = extent(view)
    touched = values.view(np.float32)
    assert touched[0] == view.min()
    assert touched[-1] == view.max()
    assert touched[first // 4] == view[0, 0, 0]


def test_values_are_not_written() -> None:
    kept = X.copy()
    kept.flags.writeable = False
    moments(kept, "chan/grid4")
    assert (kept == X).all()


# The driver -------------------------------------------------------------------------------------------------


def test_no_driver() -> None:
    try:
        device("cuda")
    except DeviceError as problem:
        assert "there is no NVIDIA driver on this machine: the device 'ptx'" in str(problem)  # noqa: PT017
    else:
        pytest.skip("there is one")


def gpu(library: StandIn) -> Gpu:
    return Gpu(driver.Driver(library))


def test_arguments_reach_the_driver() -> None:
    library = StandIn()
    found = moments(X, "corrected_two_pass/block4", device=gpu(library))
    assert [(each.entry, each.grid, each.block) for each in library.launched] == [
        ("mean_sweep4_float32_float32", 1, 128),
        ("corrected_two_pass_sweep4_float32_float32", 1, 128),
    ]
    first, second = (each.arguments for each in library.launched)
    assert first[1:5] == (3, 3, 5, 10)
    assert first[6:12] == (15, 5, 1, 0, 1, 32)
    assert second[:12] == first[:12]
    assert second[12] == first[15]
    assert library.live == {}
    assert library.contexts == []
    assert found.m2.tobytes() == mirror_module.moments(X, "corrected_two_pass/block4").m2.tobytes()


def test_driver_too_old() -> None:
    with pytest.raises(DeviceError, match=r"driver serves CUDA 10.2, the kernels need 11.0 or newer"):
        gpu(StandIn(version=10020))


@pytest.mark.parametrize(
    ("function", "code", "sentence"),
    [
        ("cuInit", 100, "the driver finds no GPU: use device='ptx' .cuInit: CUDA_ERROR_NO_DEVICE."),
        ("cuMemAlloc_v2", 2, "the GPU is out of memory: cut the feature map"),
        ("cuModuleLoadDataEx", 222, "the driver is too old for this PTX: update it"),
        ("cuLaunchKernel", 999, "the driver reports an error .cuLaunchKernel: an unknown error."),
    ],
)
def test_driver_errors_are_sentences(function: str, code: int, sentence: str) -> None:
    library = StandIn(fails={function: code})
    with pytest.raises(DeviceError, match=sentence):
        moments(X, "chan/grid4", device=gpu(library))
    assert library.live == {}
    assert library.contexts == []


def test_a_function_that_the_driver_lacks() -> None:
    class Bare:
        cuGetErrorName = None

    with pytest.raises(DeviceError, match="the driver lacks cuDriverGetVersion: update the driver"):
        driver.Driver(Bare())


def test_the_real_driver_or_a_sentence() -> None:
    """Where there is a GPU its bits are the executor's; elsewhere a sentence says what is missing."""
    try:
        where = device("cuda")
    except DeviceError as problem:
        pytest.skip(str(problem))
    for name in algorithms():
        for contracted in (True, False):
            got, want = (moments(X, name, contracted=contracted, device=d) for d in (where, "ptx"))
            assert got.mean.tobytes() == want.mean.tobytes()
            assert got.m2.tobytes() == want.m2.tobytes()
