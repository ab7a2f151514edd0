"""The device ``cuda``: the same PTX compiled by the driver and run on the GPU.

A GPU's context is its primary one, which other libraries in the process share. It is current for as long as a call
lasts, and then whatever was current before is so again.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import library
from ..errors import DeviceError
from ..inputs import extent
from ..launch_plan import Plan
from .driver import Driver

__all__ = ["Gpu", "Prepared"]

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...


class Gpu:
    """One GPU; kernels are compiled by the driver when they are first launched, and kept.

    Parameters
    ----------
    driver : the driver. ordinal : which of its GPUs.

    Raises
    ------
    DeviceError
        There is none of this number, or it is older than the kernels' target.
    """

    def __init__(self, driver: Driver, ordinal: int = 0) -> None:
        self.driver, self.ordinal = driver, ordinal
        handle = ctypes.c_int()
        driver.call("cuDeviceGet", ctypes.byref(handle), ordinal)
        self.handle = handle.value
        name = ctypes.create_string_buffer(256)
        driver.call("cuDeviceGetName", name, 256, handle)
        self.name = name.value.decode(errors="replace")
        self.capability = (driver.attribute(self.handle, _MAJOR), driver.attribute(self.handle, _MINOR))
        if self.capability < library.OLDEST_GPU:
            have, need = (".".join(map(str, each)) for each in (self.capability, library.OLDEST_GPU))
            raise DeviceError(
                f"GPU {ordinal} ({self.name}) has the compute capability {have}, the kernels need {need} or newer: use "
                "another GPU, or device='ptx'"
            )
        self._context = ctypes.c_void_p()
        driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), handle)
        self._kernels: dict[str, Any] = {}
        self._lock = threading.Lock()

    @staticmethod
    def get(ordinal: int = 0) -> Gpu:
        """The one of this number, of this process or of the library that `driver.driven_by` names.

        Raises
        ------
        DeviceError
            There is no GPU that can be used.
        """
        return _gpu(Driver.get(), ordinal)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Within the context, the GPU's is this thread's; after it, what was there before."""
        self.driver.call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            self.driver.call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function of the driver for this GPU; errors as `Driver.call`."""
        with self.current():
            self.driver.call(function, *arguments)

    def allocate(self, size: int) -> int:
        """The address of that many bytes on the GPU."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
        return address.value

    def free(self, address: int) -> None:
        self.call("cuMemFree_v2", ctypes.c_uint64(address))

    def copy_in(self, address: int, array: Any) -> None:
        """Copy a contiguous array to the GPU."""
        source = ctypes.c_void_p(array.__array_interface__["data"][0])
        self.call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), source, ctypes.c_size_t(array.nbytes))

    def copy_out(self, array: Any, address: int) -> None:
        """Fill a contiguous array from the GPU, after all that was launched before on the default stream."""
        target = ctypes.c_void_p(array.__array_interface__["data"][0])
        self.call("cuMemcpyDtoH_v2", target, ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes))

    def wait(self, stream: int) -> None:
        """Wait for all that was launched on a stream."""
        self.call("cuStreamSynchronize", ctypes.c_void_p(stream))

    def kernel(self, name: str, ptx: str | None = None) -> Any:
        """A kernel of the catalogue by its name; or the entry of that name of another text."""
        with self._lock:
            if name not in self._kernels:
                text, entry = (library.for_driver(name), library.entry(name)) if ptx is None else (ptx, name)
                with self.current():
                    self._kernels[name] = self.driver.load(text, entry)
            return self._kernels[name]

    def launch(self, kernel: Any, grid: int, block: int, arguments: Sequence[int], stream: int = 0) -> None:
        """Launch a kernel that `kernel` gave; returns before it is done."""
        with self.current():
            self.driver.launch(kernel, grid, block, arguments, stream)

    def launch_plan(self, plan: Plan, places: Mapping[str, int], stream: int = 0) -> None:
        """Launch a plan's kernels; returns before they are done.

        places : the addresses of ``data`` and of the plan's buffers.
        """
        for launch in plan.launches:
            arguments = [places[arg] if isinstance(arg, str) else arg for arg in launch.arguments]
            self.launch(self.kernel(launch.kernel.name), launch.grid, launch.block, arguments, stream)

    def run(self, plan: Plan, view: NDArray[Any]) -> NDArray[Any]:
        """The answers, (rows, 2), of the plan's launches on the values of a view in the computer's memory.

        Raises
        ------
        DeviceError
            The GPU's memory does not suffice, or the driver fails; nothing stays allocated.
        """
        values, first = extent(view)
        offset = (view.__array_interface__["data"][0] - first) % 16
        place = self.allocate(values.nbytes + 16)
        try:
            self.copy_in(place + offset, values)
            with Prepared(self, plan) as prepared:
                prepared.launch(place + offset + first)
                return prepared.answers()
        finally:
            self.free(place)


@lru_cache(maxsize=64)
def _gpu(driver: Driver, ordinal: int) -> Gpu:
    return Gpu(driver, ordinal)


class Prepared:
    """A plan with its buffers on the GPU: to be launched any number of times; a context manager that frees them."""

    def __init__(self, gpu: Gpu, plan: Plan) -> None:
        self._gpu, self._plan = gpu, plan
        self._places: dict[str, int] = {}
        try:
            for name, (dtype, size) in plan.buffers.items():
                self._places[name] = gpu.allocate(dtype.itemsize * size)
        except DeviceError:
            self.free()
            raise

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def free(self) -> None:
        """Give the buffers back."""
        while self._places:
            self._gpu.free(self._places.popitem()[1])

    def launch(self, address: int, stream: int = 0) -> None:
        """Launch the plan's kernels on the values whose first lies at `address`; returns before they are done."""
        self._gpu.launch_plan(self._plan, {**self._places, "data": address}, stream)

    def answers(self) -> NDArray[Any]:
        """The answers, (rows, 2), once the kernels are done."""
        dtype, size = self._plan.buffers["answers"]
        answers = np.empty(size, dtype)
        self._gpu.copy_out(answers, self._places["answers"])
        return answers.reshape(-1, 2)
