"""The few functions of NVIDIA's driver that launching a kernel takes, by ctypes: no package but the driver itself.

Names and codes are those of the CUDA driver API, cuda.h.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from ..errors import DeviceError

__all__ = ["Driver"]

LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")

# PTX 7.8 came with CUDA 11.8; the driver counts 1000 major + 10 minor.
OLDEST = 11080

_POINTER_DEVICE = 9  # CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL

# What the driver's codes mean for users, by name; any other is given as the driver words it.
_SENTENCES = {
    "CUDA_ERROR_OUT_OF_MEMORY": "the GPU is out of memory: cut the feature map, or end what else uses the GPU",
    "CUDA_ERROR_NO_DEVICE": "the driver finds no GPU: use device='ptx'",
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": (
        "the driver is too old for this PTX: update it, or build the kernels again with an older toolkit by "
        "python -m varkernels.cuda.build"
    ),
    "CUDA_ERROR_INVALID_PTX": "the driver refuses the PTX: build the kernels again by python -m varkernels.cuda.build",
    "CUDA_ERROR_NO_BINARY_FOR_GPU": "the GPU is older than the kernels' target, sm_80: use device='ptx'",
    "CUDA_ERROR_JIT_COMPILER_NOT_FOUND": "the driver has no PTX compiler: install the complete driver",
    "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES": "the GPU lacks the registers or shared memory for a block of this kernel",
    "CUDA_ERROR_INVALID_VALUE": "the driver refuses the launch: the grid or the block is beyond the GPU's limits",
    "CUDA_ERROR_ILLEGAL_ADDRESS": (
        "a kernel read or wrote outside its arrays, and this process cannot use the GPU any more: please report it "
        "with the view's shape and strides"
    ),
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "the driver's library and its kernel module differ: restart the machine",
}


class Driver:
    """The driver, with the first GPU's primary context, which other libraries in the process share."""

    def __init__(self) -> None:
        self._library = self._load()
        self.call("cuInit", 0)
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        if version.value < OLDEST:
            have = f"{version.value // 1000}.{version.value % 1000 // 10}"
            raise DeviceError(f"the GPU's driver serves CUDA {have}, the kernels need 11.8 or newer: update the driver")
        self.version = version.value
        self.ordinal = 0
        handle = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(handle), self.ordinal)
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, 256, handle)
        self.name = name.value.decode(errors="replace")
        self._context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), handle)
        self.enter()

    @staticmethod
    @cache
    def get() -> Driver:
        """The one of this process.

        Raises
        ------
        DeviceError
            There is no driver, no GPU, or the driver is too old.
        """
        return Driver()

    @staticmethod
    def _load() -> Any:
        for name in LIBRARIES:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
        raise DeviceError(
            "there is no NVIDIA driver on this machine: the device 'ptx' executes the same kernels on the CPU"
        )

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function of the driver.

        Raises
        ------
        DeviceError
            It answers an error.
        """
        try:
            code = getattr(self._library, function)(*arguments)
        except AttributeError:
            raise DeviceError(f"the driver lacks {function}: update the driver") from None
        if code != 0:
            raise DeviceError(self._sentence(function, code))

    def _sentence(self, function: str, code: int) -> str:
        word = ctypes.c_char_p()
        self._library.cuGetErrorName(code, ctypes.byref(word))
        name = (word.value or b"an unknown error").decode()
        return f"{_SENTENCES.get(name, 'the driver reports an error')} ({function}: {name})"

    def enter(self) -> None:
        """Make the context this thread's."""
        self.call("cuCtxSetCurrent", self._context)

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
        """Fill a contiguous array from the GPU, after all that was launched before."""
        target = ctypes.c_void_p(array.__array_interface__["data"][0])
        self.call("cuMemcpyDtoH_v2", target, ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes))

    def load(self, ptx: str, entry: str) -> Any:
        """The kernel of a PTX text, compiled by the driver."""
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(ptx.encode()))
        self.call("cuModuleGetFunction", ctypes.byref(function), module, entry.encode())
        return function

    def launch(self, function: Any, grid: int, block: int, arguments: Sequence[int], stream: int = 0) -> None:
        """Launch a kernel whose arguments are 64-bit integers all."""
        values = (ctypes.c_int64 * len(arguments))(*arguments)
        pointers = (ctypes.c_void_p * len(arguments))(
            *[ctypes.addressof(values) + 8 * index for index in range(len(arguments))]
        )
        self.call("cuLaunchKernel", function, grid, 1, 1, block, 1, 1, 0, ctypes.c_void_p(stream), pointers, None)

    def device_of(self, address: int) -> int:
        """The number of the GPU that an address lies on."""
        ordinal = ctypes.c_int()
        self.call("cuPointerGetAttribute", ctypes.byref(ordinal), _POINTER_DEVICE, ctypes.c_uint64(address))
        return ordinal.value
