"""The few functions of NVIDIA's driver that launching a kernel takes, by ctypes: no package but the driver itself.

Names and codes are those of the CUDA driver API, cuda.h.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from ..errors import DeviceError, DeviceMemoryError

__all__ = ["Driver", "driven_by"]

LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")

# PTX 7.0 came with CUDA 11.0; the driver counts 1000 major + 10 minor.
OLDEST = 11000

_POINTER_DEVICE = 9  # CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
_LOG, _LOG_BYTES = 5, 6  # CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
_LOG_SIZE = 8192
_LOG_SHOWN = 600

_AGAIN = "this process cannot use the GPU any more: start it again"
# What the driver's codes mean for users, by name; any other is given as the driver words it.
_SENTENCES = {
    "CUDA_ERROR_OUT_OF_MEMORY": "the GPU is out of memory: cut the feature map, or end what else uses the GPU",
    "CUDA_ERROR_NO_DEVICE": "the driver finds no GPU: use device='ptx'",
    "CUDA_ERROR_INVALID_DEVICE": "there is no GPU of this number: see nvidia-smi and CUDA_VISIBLE_DEVICES",
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": (
        "the driver is too old for this PTX: update it, or build the kernels again with an older toolkit by "
        "python -m varkernels.cuda.build"
    ),
    "CUDA_ERROR_INVALID_PTX": "the driver refuses the PTX: build the kernels again by python -m varkernels.cuda.build",
    "CUDA_ERROR_NO_BINARY_FOR_GPU": "the GPU is older than the kernels' target, sm_75: use device='ptx'",
    "CUDA_ERROR_JIT_COMPILER_NOT_FOUND": "the driver has no PTX compiler: install the complete driver",
    "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES": "the GPU lacks the registers or shared memory for a block of this kernel",
    "CUDA_ERROR_INVALID_VALUE": "the driver refuses the launch: the grid or the block is beyond the GPU's limits",
    "CUDA_ERROR_ILLEGAL_ADDRESS": (
        "a kernel read or wrote outside its arrays, and this process cannot use the GPU any more: please report it "
        "with the view's shape and strides"
    ),
    "CUDA_ERROR_LAUNCH_FAILED": f"a kernel ended in an error, and {_AGAIN}",
    "CUDA_ERROR_LAUNCH_TIMEOUT": f"a kernel took longer than the GPU's display allows, and {_AGAIN}",
    "CUDA_ERROR_ECC_UNCORRECTABLE": f"the GPU's memory has an error that it cannot correct, and {_AGAIN}",
    "CUDA_ERROR_DEVICE_UNAVAILABLE": "the GPU is busy or lost: see nvidia-smi, and wait or start the machine again",
    "CUDA_ERROR_DEINITIALIZED": "the driver is shutting down: compute before the process ends",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED": f"the GPU's context was destroyed by another library, and {_AGAIN}",
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "the driver's library and its kernel module differ: restart the machine",
}
_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"


def _cuda(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _machines_library() -> Any:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DeviceError(
        "there is no NVIDIA driver on this machine: the device 'ptx' executes the same kernels on the CPU"
    )


_LIBRARY: ContextVar[Any] = ContextVar("library", default=None)


@contextmanager
def driven_by(library: Any) -> Iterator[None]:
    """Within the context, another library takes the place of the machine's driver: a recorded or a simulated one.

    library : an object with the driver's functions, by their names in cuda.h; each takes ctypes' arguments and
        answers a code.
    """
    token = _LIBRARY.set(library)
    try:
        yield
    finally:
        _LIBRARY.reset(token)


class Driver:
    """The driver: its functions, whose errors are sentences.

    Parameters
    ----------
    library : as in `driven_by`; None for the machine's.

    Raises
    ------
    DeviceError
        There is no driver, it is older than CUDA 11.0, or it finds no GPU.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = _machines_library() if library is None else library
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))  # before anything else: it needs no cuInit
        if version.value < OLDEST:
            raise DeviceError(
                f"the GPU's driver serves CUDA {_cuda(version.value)}, the kernels need {_cuda(OLDEST)} or newer: "
                "update the driver"
            )
        self.version = version.value
        self.call("cuInit", 0)

    @staticmethod
    def get() -> Driver:
        """The one of this process, or of the library that `driven_by` names.

        Raises
        ------
        DeviceError
            As above.
        """
        return _driver(_LIBRARY.get())

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function of the driver.

        Raises
        ------
        DeviceError
            It answers an error; DeviceMemoryError, if that is for want of memory.
        """
        self._answered(function, self._code(function, *arguments))

    def _code(self, function: str, *arguments: Any) -> int:
        try:
            return int(getattr(self._library, function)(*arguments))
        except AttributeError:
            raise DeviceError(f"the driver lacks {function}: update the driver") from None

    def _answered(self, function: str, code: int, log: str = "") -> None:
        if code == 0:
            return
        word = ctypes.c_char_p()
        self._library.cuGetErrorName(code, ctypes.byref(word))
        name = (word.value or b"an unknown error").decode()
        said = f"; the driver's log: {log}" if log else ""
        sentence = f"{_SENTENCES.get(name, 'the driver reports an error')} ({function}: {name}{said})"
        raise (DeviceMemoryError if name == _MEMORY else DeviceError)(sentence)

    def attribute(self, handle: int, code: int) -> int:
        """An attribute of a GPU, by its code in cuda.h."""
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), code, handle)
        return value.value

    def load(self, ptx: str, entry: str) -> Any:
        """The kernel of a PTX text, compiled by the driver for the current context.

        Raises
        ------
        DeviceError
            The driver refuses it; its own log is a part of the sentence.
        """
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        log = ctypes.create_string_buffer(_LOG_SIZE)
        options = (ctypes.c_int * 2)(_LOG, _LOG_BYTES)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), _LOG_SIZE)
        text = ctypes.c_char_p(ptx.encode())
        code = self._code("cuModuleLoadDataEx", ctypes.byref(module), text, 2, options, values)
        self._answered("cuModuleLoadDataEx", code, " ".join(log.value.decode(errors="replace").split())[:_LOG_SHOWN])
        self.call("cuModuleGetFunction", ctypes.byref(function), module, entry.encode())
        return function

    def launch(self, function: Any, grid: int, block: int, arguments: Sequence[int], stream: int = 0) -> None:
        """Launch a kernel whose arguments are 64-bit integers all, in the current context."""
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


@lru_cache(maxsize=4)
def _driver(library: Any) -> Driver:
    return Driver(library)
