"""A GPU by NVIDIA's driver: feature maps in its memory, launches between two events, an L2 cache that holds neither."""

from __future__ import annotations

import contextlib
import ctypes
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.cuda.catalogue import get
from varkernels.cuda.devices.gpu import Gpu, Prepared
from varkernels.cuda.launch_plan import Geometry, Plan, plan
from varkernels.formats import FLOAT32, FORMATS

__all__ = ["Card"]

# CUdevice_attribute in cuda.h.
_ATTRIBUTES = {
    "compute_capability_major": 75,
    "compute_capability_minor": 76,
    "multiprocessors": 16,
    "l2_cache_bytes": 38,
    "clock_khz": 13,
    "memory_clock_khz": 36,
    "memory_bus_bits": 37,
}
_SMI = (
    "driver_version",
    "clocks.sm",
    "clocks.mem",
    "clocks.max.sm",
    "clocks.max.mem",
    "power.limit",
    "temperature.gpu",
)
# The cache is flushed by reading so many times its size, at least so many bytes.
FLUSH, LEAST = 4, 1 << 28
MOST_AHEAD = 64


class Card:
    """The first GPU, as `machine.Machine`."""

    def __init__(self) -> None:
        """Raises
        ------
        varkernels.cuda.DeviceError
            There is no GPU that can be used, or it has no memory left.
        """
        self._gpu = Gpu.get()
        self._start, self._end = self._event(), self._event()
        self._attributes = {
            name: self._gpu.driver.attribute(self._gpu.handle, code) for name, code in _ATTRIBUTES.items()
        }
        size = max(FLUSH * self._attributes["l2_cache_bytes"], LEAST)
        self._scratch = self._gpu.allocate(size)
        self._call("cuMemsetD8Async", ctypes.c_uint64(self._scratch), ctypes.c_ubyte(0), ctypes.c_size_t(size), None)
        # Read, not written: what is written would have to leave the cache while the contender is timed.
        rows = 256
        length = size // 4 // rows
        geometry = Geometry(1, 1, rows, length, 0, 0, length, 1, 4)
        self._reading = Prepared(self._gpu, plan(geometry, get("naive/grid4"), FLOAT32, FLOAT32, True))
        self._flush()
        seconds = min(self._between(self._flush) for _ in range(5))
        self._wait()
        # What a flush gives the host: how much longer it lasts than launching it.
        self._gain = max(seconds - self._host(self._flush), seconds / 4, 1e-6)

    @property
    def device(self) -> Gpu:
        """The GPU of varkernels."""
        return self._gpu

    def _call(self, function: str, *arguments: Any) -> None:
        self._gpu.call(function, *arguments)

    def _event(self) -> ctypes.c_void_p:
        event = ctypes.c_void_p()
        self._call("cuEventCreate", ctypes.byref(event), 0)
        return event

    def facts(self) -> dict[str, Any]:
        """Name, driver, memory, cache, units, clocks; the bandwidth by the memory's clock, in 10^9 bytes a second."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        known = dict(self._attributes)
        capability = f"{known.pop('compute_capability_major')}.{known.pop('compute_capability_minor')}"
        version = self._gpu.driver.version
        found = {
            "name": self._gpu.name,
            "compute_capability": capability,
            "driver_cuda": f"{version // 1000}.{version % 1000 // 10}",
            "memory_bytes": total.value,
            **{name: value for name, value in known.items() if value > 0},
        }
        if known["memory_clock_khz"] > 0 and known["memory_bus_bits"] > 0:  # two transfers a clock
            found["bandwidth_by_clock_gbps"] = 2e-6 * known["memory_clock_khz"] * known["memory_bus_bits"] / 8
        return found

    def clocks(self) -> Mapping[str, str]:
        """What nvidia-smi says of this GPU at this moment: MHz, watts, degrees Celsius."""
        bus = ctypes.create_string_buffer(32)
        self._call("cuDeviceGetPCIBusId", bus, 32, self._gpu.handle)
        command = ["nvidia-smi", "-i", bus.value.decode(), f"--query-gpu={','.join(_SMI)}", "--format=csv,noheader"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
            words = [word.strip() for word in done.stdout.strip().split(",")]
            if len(words) == len(_SMI):
                return dict(zip(_SMI, words, strict=True))
        return {}

    def cache_rule(self) -> str:
        """How the L2 cache is emptied."""
        size = max(FLUSH * self._attributes["l2_cache_bytes"], LEAST)
        return (
            f"before each timed call a kernel reads {size >> 20} MiB of other memory, so that the L2 cache "
            f"({self._attributes['l2_cache_bytes'] >> 20} MiB) holds nothing of the feature map"
        )

    # Feature maps ---------------------------------------------------------------------------------------------

    @contextmanager
    def place(self, array: NDArray[Any]) -> Iterator[_Map]:
        """A contiguous array in the GPU's memory."""
        address = self._gpu.allocate(array.nbytes)
        try:
            self._gpu.copy_in(address, array)
            yield _Map(self._gpu, address, array.nbytes)
        finally:
            self._gpu.free(address)

    # Timing ---------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._reading.launch(self._scratch)

    def _wait(self) -> None:
        self._call("cuCtxSynchronize")

    def _between(self, call: Callable[[], Any]) -> float:
        """Seconds between an event before and one after what a call launches on the default stream."""
        self._call("cuEventRecord", self._start, None)
        call()
        self._call("cuEventRecord", self._end, None)
        self._call("cuEventSynchronize", self._end)
        milliseconds = ctypes.c_float()
        self._call("cuEventElapsedTime", ctypes.byref(milliseconds), self._start, self._end)
        return milliseconds.value / 1e3

    def warm(self, call: Callable[[], Any]) -> int:
        """Call it until it is compiled and allocated; how many flushes last longer than the host takes to launch it."""
        for _ in range(3):
            call()
        self._wait()
        return min(math.ceil(2 * self._host(call) / self._gain) + 1, MOST_AHEAD)

    def _host(self, call: Callable[[], Any]) -> float:
        """Seconds that the host takes to launch a call, the device being idle."""
        start = time.perf_counter()
        call()
        host = time.perf_counter() - start
        self._wait()
        return host

    def time(self, call: Callable[[], Any], ahead: int) -> float:
        """Seconds of what a call launches; it queues up behind the flushes, which the host does not wait for."""
        self._wait()
        for _ in range(ahead):
            self._flush()
        return self._between(call)


class _Map:
    """A feature map in the GPU's memory, as `machine.Resident`."""

    def __init__(self, gpu: Gpu, address: int, size: int) -> None:
        self._gpu, self._address, self._size = gpu, address, size

    @contextmanager
    def kernel(self, plan: Plan) -> Iterator[Callable[[], None]]:
        with Prepared(self._gpu, plan) as prepared:
            yield lambda: prepared.launch(self._address)

    @contextmanager
    def copy(self) -> Iterator[Callable[[], None]]:
        gpu = self._gpu
        target = gpu.allocate(self._size)
        words = (ctypes.c_uint64(target), ctypes.c_uint64(self._address), ctypes.c_size_t(self._size), None)
        try:
            yield lambda: gpu.call("cuMemcpyDtoDAsync_v2", *words)
        finally:
            gpu.free(target)

    def shared(self, shape: tuple[int, ...], storage: str) -> Any:
        kind = "<i2" if storage == "bfloat16" else np.dtype(FORMATS[storage].dtype).str
        words = {"shape": shape, "typestr": kind, "data": (self._address, False), "strides": None, "version": 3}
        return SimpleNamespace(__cuda_array_interface__=words)
