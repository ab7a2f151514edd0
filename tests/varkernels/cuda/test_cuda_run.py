"""The device's front: what is refused, with which sentence, and what a driver's errors become."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

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

    with pytest.raises(DeviceError, match="the view lies on a GPU: copy it to the computer's memory"):
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
                assert made.buffers["answers"] == (accumulator.dtype, 2 * shape[0] * shape[2])
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


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LIBRARIES", ("libno-such-driver.so.1",))
    driver.Driver.get.cache_clear()  # type: ignore[attr-defined]
    Gpu.get.cache_clear()  # type: ignore[attr-defined]
    with pytest.raises(DeviceError, match="there is no NVIDIA driver on this machine: the device 'ptx'"):
        moments(X, device="cuda")


NAMES = {2: b"CUDA_ERROR_OUT_OF_MEMORY", 100: b"CUDA_ERROR_NO_DEVICE", 222: b"CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}


class FakeLibrary:
    """A driver that keeps memory in this process and runs no kernel; `fails` maps a function to its code."""

    def __init__(self, version: int = 12040, place: int = 0, **fails: int) -> None:
        self.version, self.place, self.fails = version, place, fails
        self.memory: dict[int, Any] = {}
        self.launched: list[tuple[str, int, int, list[int]]] = []
        self.entries: list[str] = []

    def __getattr__(self, name: str) -> Any:
        done = getattr(type(self), f"do_{name}", lambda *_: 0)
        return lambda *arguments: self.fails.get(name) or done(self, *arguments)

    def do_cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = self.version
        return 0

    def do_cuGetErrorName(self, code: int, out: Any) -> int:
        out._obj.value = NAMES.get(code)
        return 0

    def do_cuMemAlloc_v2(self, out: Any, size: Any) -> int:
        block = ctypes.create_string_buffer(size.value)
        out._obj.value = ctypes.addressof(block)
        self.memory[out._obj.value] = block
        return 0

    def do_cuMemFree_v2(self, address: Any) -> int:
        del self.memory[address.value]
        return 0

    def do_cuMemcpyHtoD_v2(self, to: Any, source: Any, size: Any) -> int:
        ctypes.memmove(to.value, source.value, size.value)
        return 0

    def do_cuMemcpyDtoH_v2(self, to: Any, source: Any, size: Any) -> int:
        ctypes.memmove(to.value, source.value, size.value)
        return 0

    def do_cuModuleGetFunction(self, out: Any, module: Any, name: bytes) -> int:
        self.entries.append(name.decode())
        out._obj.value = len(self.entries)
        return 0

    def do_cuPointerGetAttribute(self, out: Any, what: int, address: Any) -> int:
        out._obj.value = self.place
        return 0

    def do_cuLaunchKernel(self, function: Any, gx: int, gy: int, gz: int, bx: int, *rest: Any) -> int:
        pointers = rest[-2]
        values = [ctypes.c_int64.from_address(p).value for p in pointers]
        self.launched.append((self.entries[function.value - 1], gx, bx, values))
        return 0


def gpu(monkeypatch: pytest.MonkeyPatch, library: FakeLibrary) -> Gpu:
    monkeypatch.setattr(driver.Driver, "_load", staticmethod(lambda: library))
    monkeypatch.setattr(driver.Driver, "get", staticmethod(driver.Driver))
    return Gpu()


def test_arguments_reach_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary()
    moments(X, "corrected_two_pass/block4", device=gpu(monkeypatch, library))
    assert [(entry, grid, block) for entry, grid, block, _ in library.launched] == [
        ("mean_sweep4_float32_float32", 3, 32),
        ("corrected_two_pass_sweep4_float32_float32", 3, 32),
    ]
    first, second = library.launched[0][3], library.launched[1][3]
    assert first[1:5] == [3, 3, 5, 10]
    assert first[6:11] == [15, 5, 1, 0, 1]
    assert second[:11] == first[:11]
    assert second[11] == first[14]
    assert library.memory == {}


def test_driver_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match=r"driver serves CUDA 11.4, the kernels need 11.8 or newer"):
        gpu(monkeypatch, FakeLibrary(version=11040))


@pytest.mark.parametrize(
    ("function", "code", "sentence"),
    [
        ("cuInit", 100, "the driver finds no GPU: use device='ptx' .cuInit: CUDA_ERROR_NO_DEVICE."),
        ("cuMemAlloc_v2", 2, "the GPU is out of memory: cut the feature map"),
        ("cuModuleLoadData", 222, "the driver is too old for this PTX: update it"),
        ("cuLaunchKernel", 999, "the driver reports an error .cuLaunchKernel: an unknown error."),
    ],
)
def test_driver_errors_are_sentences(function: str, code: int, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary(**{function: code})
    with pytest.raises(DeviceError, match=sentence):
        moments(X, "chan/grid4", device=gpu(monkeypatch, library))
    assert library.memory == {}


def test_array_on_another_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    where = gpu(monkeypatch, FakeLibrary(place=1))
    made = plan(geometry_of(X[np.newaxis]), catalogue.get("chan/grid"), FORMATS["float32"], FORMATS["float32"], True)
    with pytest.raises(DeviceError, match="the array lies on GPU 1, the kernels run on GPU 0: copy it there"):
        where.run_there(made, 4096)


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
