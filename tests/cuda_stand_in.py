"""A driver without a GPU: its memory is this process's, and its kernels are the very PTX, executed on the CPU.

`StandIn` has the driver's functions by their names in cuda.h, and keeps what was called; `driven_by` puts it in the
driver's place. `Torch`, `Cupy`, `Numba` and `Jax` have arrays in its memory, with what these libraries' arrays say of
themselves.
"""

from __future__ import annotations

import ctypes
import math
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import varptx
from varkernels.folders import cache_folder

__all__ = ["Cupy", "Jax", "Launched", "Numba", "StandIn", "Torch", "loaded", "on_the_cpu"]

ATTRIBUTES = {75: 8, 76: 0, 36: 1_000_000, 37: 4096, 38: 40 << 20}
NAMES = {
    1: b"CUDA_ERROR_INVALID_VALUE",
    2: b"CUDA_ERROR_OUT_OF_MEMORY",
    100: b"CUDA_ERROR_NO_DEVICE",
    101: b"CUDA_ERROR_INVALID_DEVICE",
    218: b"CUDA_ERROR_INVALID_PTX",
    222: b"CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    700: b"CUDA_ERROR_ILLEGAL_ADDRESS",
    719: b"CUDA_ERROR_LAUNCH_FAILED",
}


@cache
def executable(text: str, entry: str) -> Any:
    """A kernel of a PTX text, for the CPU."""
    return varptx.load(text, cache=cache_folder() / "ptx").kernel(entry)


@dataclass(frozen=True)
class Launched:
    """One launch: its kernel, shape, arguments, stream, and the GPU whose context was current."""

    entry: str
    grid: int
    block: int
    arguments: tuple[int, ...]
    stream: int
    ordinal: int


@dataclass(eq=False)
class StandIn:
    """NVIDIA's driver, for a few GPUs.

    execute : whether kernels run; else they are only recorded, and memory holds nothing.
    fails : the code that a function answers; from the call of that number on, where `fails_from` has one.
    log : what the PTX compiler says where it refuses a text.
    """

    version: int = 13000
    gpus: int = 2
    execute: bool = True
    fails: dict[str, int] = field(default_factory=dict)
    fails_from: dict[str, int] = field(default_factory=dict)
    attributes: dict[int, int] = field(default_factory=dict)
    log: bytes = b""
    calls: list[str] = field(default_factory=list)
    launched: list[Launched] = field(default_factory=list)
    loaded: list[tuple[int, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    contexts: list[int] = field(default_factory=list)
    live: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = varptx.Memory()
        self._functions: list[tuple[int, str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        done = getattr(type(self), f"do_{name}", lambda *_: 0)

        def function(*arguments: Any) -> int:
            self.calls.append(name)
            if name in self.fails and self.calls.count(name) > self.fails_from.get(name, 0):
                if name == "cuModuleLoadDataEx" and self.log:
                    ctypes.memmove(arguments[4][0], self.log, len(self.log))
                return self.fails[name]
            return int(done(self, *arguments))

        return function

    # What the driver has ------------------------------------------------------------------------------------------

    def do_cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = self.version
        return 0

    def do_cuGetErrorName(self, code: int, out: Any) -> int:
        out._obj.value = NAMES.get(code)
        return 0

    def do_cuDeviceGet(self, out: Any, ordinal: int) -> int:
        if ordinal >= self.gpus:
            return 101
        out._obj.value = 10 + ordinal
        return 0

    def do_cuDeviceGetName(self, out: Any, size: int, handle: Any) -> int:
        out.value = b"Stand-in"
        return 0

    def do_cuDeviceGetAttribute(self, out: Any, code: int, handle: Any) -> int:
        out._obj.value = {**ATTRIBUTES, **self.attributes}.get(code, 7)
        return 0

    def do_cuDeviceGetPCIBusId(self, out: Any, size: int, handle: Any) -> int:
        out.value = b"0000:00:00.0"
        return 0

    def do_cuDevicePrimaryCtxRetain(self, out: Any, handle: Any) -> int:
        out._obj.value = 90 + handle.value
        return 0

    def do_cuCtxPushCurrent_v2(self, context: Any) -> int:
        self.contexts.append(context.value - 100)
        return 0

    def do_cuCtxPopCurrent_v2(self, out: Any) -> int:
        out._obj.value = 100 + self.contexts.pop()
        return 0

    @property
    def ordinal(self) -> int:
        """The GPU whose context is current; a call that needs one and has none is an error of the caller's."""
        assert self.contexts, "no context is current"
        return self.contexts[-1]

    def do_cuCtxGetCurrent(self, out: Any) -> int:
        out._obj.value = 100 + self.contexts[-1] if self.contexts else None
        return 0

    def do_cuDeviceGetCount(self, out: Any) -> int:
        out._obj.value = self.gpus
        return 0

    def do_cuMemGetInfo_v2(self, free: Any, total: Any) -> int:
        total._obj.value = 80 << 30
        free._obj.value = (80 << 30) - sum(size for _, size in self.live.values())
        return 0

    def do_cuEventElapsedTime(self, out: Any, start: Any, end: Any) -> int:
        out._obj.value = 2.0
        return 0

    # Memory -------------------------------------------------------------------------------------------------------

    def place(self, size: int, ordinal: int) -> int:
        """The address of so many bytes on a GPU."""
        buffer = np.zeros(max(size, 1) if self.execute else 1, np.uint8)
        address = self.memory.place(buffer).address
        self.live[address] = (ordinal, size)
        return address

    def forget(self, address: int) -> None:
        """Free them: a kernel that touches them from now on fails."""
        del self.live[address]
        self.memory.set_row(address >> 40, 0, 0, None, address & ((1 << 40) - 1), True)

    def bytes_at(self, address: int, size: int) -> Any:
        """The bytes from an address on, to read and to write."""
        buffer = self.memory.find(address)
        assert buffer is not None
        start = address - buffer.address
        assert 0 <= start <= start + size <= buffer.nbytes, "outside what was allocated"
        return buffer.array[start : start + size]

    def do_cuMemAlloc_v2(self, out: Any, size: Any) -> int:
        out._obj.value = self.place(size.value, self.ordinal)
        return 0

    def do_cuMemFree_v2(self, address: Any) -> int:
        assert self.live[address.value][0] == self.ordinal, "freed on another GPU"
        self.forget(address.value)
        return 0

    def do_cuMemcpyHtoD_v2(self, to: Any, source: Any, size: Any) -> int:
        if self.execute:
            ctypes.memmove(self.bytes_at(to.value, size.value).ctypes.data, source.value, size.value)
        return 0

    def do_cuMemcpyDtoH_v2(self, to: Any, source: Any, size: Any) -> int:
        if self.execute:
            ctypes.memmove(to.value, self.bytes_at(source.value, size.value).ctypes.data, size.value)
        return 0

    def do_cuPointerGetAttribute(self, out: Any, what: int, address: Any) -> int:
        found = [ordinal for start, (ordinal, size) in self.live.items() if start <= address.value < start + size]
        if not found:
            return 1
        out._obj.value = found[0]
        return 0

    # Kernels ------------------------------------------------------------------------------------------------------

    def do_cuModuleLoadDataEx(self, out: Any, text: Any, count: int, options: Any, values: Any) -> int:
        assert list(options) == [5, 6]
        assert values[1] > 0
        self.texts.append(text.value.decode())
        out._obj.value = len(self.texts)
        return 0

    def do_cuModuleGetFunction(self, out: Any, module: Any, name: bytes) -> int:
        entry = name.decode()
        text = self.texts[module.value - 1]
        assert f".entry {entry}(" in text
        kernel = executable(text, entry) if self.execute else None
        self.loaded.append((self.ordinal, entry))
        self._functions.append((self.ordinal, entry, kernel))
        out._obj.value = len(self._functions)
        return 0

    def do_cuLaunchKernel(self, function: Any, gx: int, gy: int, gz: int, bx: int, *rest: Any) -> int:
        ordinal, entry, kernel = self._functions[function.value - 1]
        assert ordinal == self.ordinal, "a kernel of another GPU's context"
        stream, pointers = rest[-3], rest[-2]
        arguments = tuple(ctypes.c_int64.from_address(p).value for p in pointers)
        self.launched.append(Launched(entry, gx, bx, arguments, stream.value or 0, ordinal))
        if kernel is not None:
            kernel.launch(self.memory, grid=(gx, 1, 1), block=(bx, 1, 1), args=list(arguments))
        return 0


# Arrays in its memory -----------------------------------------------------------------------------------------------


class _Block:
    """Memory that is freed with the last array that has it."""

    def __init__(self, driver: StandIn, size: int, ordinal: int) -> None:
        self.driver, self.address, self.ordinal = driver, driver.place(size, ordinal), ordinal

    def __del__(self) -> None:
        self.driver.forget(self.address)


class _Array:
    """Strided values in a block. Strides are in bytes."""

    def __init__(self, block: _Block, offset: int, shape: Sequence[int], strides: Sequence[int], dtype: Any) -> None:
        self.block, self.offset, self.numbers = block, offset, np.dtype(dtype)
        self.form, self.steps = tuple(shape), tuple(strides)

    @property
    def place(self) -> int:
        return self.block.address + self.offset

    def read(self) -> Any:
        """The values, copied to numpy."""
        bytes_ = self.block.driver.bytes_at(self.block.address, self.block.driver.live[self.block.address][1])
        flat = np.ndarray(self.form, self.numbers, bytes_.data, self.offset, self.steps)
        return flat.copy()

    @classmethod
    def empty(cls, driver: StandIn, shape: Sequence[int], dtype: Any, ordinal: int, **more: Any) -> Any:
        dtype = np.dtype(dtype)
        steps = [math.prod(shape[a + 1 :]) * dtype.itemsize for a in range(len(shape))]
        block = _Block(driver, math.prod(shape) * dtype.itemsize, ordinal)
        return cls(block, 0, shape, steps, dtype, **more)

    @classmethod
    def of(cls, driver: StandIn, array: Any, ordinal: int = 0, **more: Any) -> Any:
        """The array's values with the array's own strides, copied to a GPU."""
        low = sum(min(0, step * (n - 1)) for step, n in zip(array.strides, array.shape, strict=True))
        high = sum(max(0, step * (n - 1)) for step, n in zip(array.strides, array.shape, strict=True))
        size = (high - low + array.itemsize) if array.size else 0
        block = _Block(driver, size, ordinal)
        if array.size:
            target = driver.bytes_at(block.address, size)
            np.ndarray(array.shape, array.dtype, target.data, -low, array.strides)[...] = array
        return cls(block, -low if array.size else 0, array.shape, array.strides, array.dtype, **more)

    def interface(self, version: int = 3, **more: Any) -> dict[str, Any]:
        kind = "<V2" if self.numbers == ml_dtypes.bfloat16 else self.numbers.str
        address = self.place if math.prod(self.form) else 0
        return {"shape": self.form, "strides": self.steps, "typestr": kind, "data": (address, False),
                "version": version, **more}  # fmt: skip


class _Device:
    """A device as torch and CuPy have it; within its context it is the current one."""

    type = "cuda"

    def __init__(self, library: Any, index: int) -> None:
        self.library, self.index, self.id = library, index, index

    def __enter__(self) -> None:
        self.library.entered.append(self.index)

    def __exit__(self, *_: object) -> None:
        self.library.entered.pop()


class OutOfMemoryError(RuntimeError):
    """As torch's and CuPy's."""


class _Library:
    """What the stand-ins for libraries share. full : whether nothing more can be allocated."""

    def __init__(self, driver: StandIn, stream: int = 0) -> None:
        self.driver, self.stream, self.full = driver, stream, False
        self.entered: list[int] = []

    def allocated(self, kind: Any, shape: Sequence[int], dtype: Any, ordinal: int, **more: Any) -> Any:
        if self.full:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return kind.empty(self.driver, shape, dtype, ordinal, **more)


class Torch(_Library):
    """A module like torch: tensors, one current stream for each GPU, no stream in the array interface."""

    strided = "strided"

    def __init__(self, driver: StandIn, stream: int = 0) -> None:
        super().__init__(driver, stream)
        library = self

        class Tensor(_Array):
            layout = library.strided

            @property
            def device(self) -> _Device:
                return _Device(library, self.block.ordinal)

            @property
            def shape(self) -> tuple[int, ...]:
                return self.form

            @property
            def dtype(self) -> str:
                return f"torch.{self.numbers.name}"

            def stride(self) -> tuple[int, ...]:
                return tuple(step // self.numbers.itemsize for step in self.steps)

            def data_ptr(self) -> int:
                return self.place

            def detach(self) -> Any:
                return self

            resolve_neg = detach

            @property
            def __cuda_array_interface__(self) -> dict[str, Any]:
                raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")

        self.Tensor = Tensor
        self.cuda = types.SimpleNamespace(
            current_stream=lambda device: types.SimpleNamespace(cuda_stream=self.stream + device.index)
        )
        for name in ("float16", "bfloat16", "float32", "float64"):
            setattr(self, name, f"torch.{name}")

    def tensor(self, array: Any, ordinal: int = 0) -> Any:
        return self.Tensor.of(self.driver, array, ordinal)

    def empty(self, shape: Sequence[int], dtype: str, device: _Device) -> Any:
        return self.allocated(self.Tensor, shape, dtype.removeprefix("torch."), device.index)


class Cupy(_Library):
    """A module like cupy: its arrays name the current device's current stream."""

    def __init__(self, driver: StandIn, stream: int = 0) -> None:
        super().__init__(driver, stream)
        library = self

        class ndarray(_Array):
            __module__ = "cupy"

            @property
            def device(self) -> _Device:
                return _Device(library, self.block.ordinal)

            @property
            def shape(self) -> tuple[int, ...]:
                return self.form

            @property
            def dtype(self) -> Any:
                return self.numbers

            @property
            def __cuda_array_interface__(self) -> dict[str, Any]:
                current = library.entered[-1] if library.entered else 0
                return self.interface(stream=library.stream + current or 1)

            def __dlpack_device__(self) -> tuple[int, int]:
                return 2, self.block.ordinal

        self.ndarray = ndarray

    def array(self, array: Any, ordinal: int = 0) -> Any:
        return self.ndarray.of(self.driver, array, ordinal)

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        return self.allocated(self.ndarray, shape, dtype, self.entered[-1] if self.entered else 0)


class Numba(_Library):
    """A module like numba.cuda: arrays without DLPack, on a stream of their own or on none."""

    def __init__(self, driver: StandIn, stream: int = 0) -> None:
        super().__init__(driver, stream)
        library = self

        class DeviceNDArray(_Array):
            __module__ = "numba.cuda.cudadrv.devicearray"

            @property
            def __cuda_array_interface__(self) -> dict[str, Any]:
                return self.interface(stream=library.stream or None)

        self.DeviceNDArray = DeviceNDArray
        self.gpus = [_Device(self, index) for index in range(driver.gpus)]

    def to_device(self, array: Any, ordinal: int = 0) -> Any:
        return self.DeviceNDArray.of(self.driver, array, ordinal)

    def device_array(self, shape: Sequence[int], dtype: Any) -> Any:
        return self.allocated(self.DeviceNDArray, shape, dtype, self.entered[-1] if self.entered else 0)


class Jax(_Library):
    """A module like jax.numpy: arrays by DLPack alone, which nobody but the library itself writes."""

    def __init__(self, driver: StandIn) -> None:
        super().__init__(driver)
        library = self

        class Array(_Array):
            """`owner` keeps what a capsule came from."""

            def __init__(self, *what: Any, owner: Any = None) -> None:
                super().__init__(*what)
                self.owner = owner

            def __dlpack_device__(self) -> tuple[int, int]:
                return 2, self.block.ordinal

            def __dlpack__(self, *, stream: int) -> Any:
                assert stream == 1
                return capsule_of(self)

            def __array_namespace__(self) -> Any:
                return library

        self.Array = Array

    def asarray(self, array: Any, ordinal: int = 0) -> Any:
        return self.Array.of(self.driver, array, ordinal)

    def from_dlpack(self, given: Any) -> Any:
        """Take a buffer over, as a consumer of DLPack does."""
        kind, ordinal = given.__dlpack_device__()
        assert kind == 2
        owner = Consumed(given.__dlpack__(stream=1, max_version=(1, 0)))
        block = types.SimpleNamespace(driver=self.driver, address=owner.tensor.data, ordinal=ordinal)
        shape = tuple(owner.tensor.shape[: owner.tensor.ndim])
        kinds = {(2, 16): "float16", (4, 16): "bfloat16", (2, 32): "float32", (2, 64): "float64"}
        dtype = np.dtype(kinds[owner.tensor.code, owner.tensor.bits])
        steps = [owner.tensor.strides[a] * dtype.itemsize for a in range(len(shape))]
        return self.Array(block, 0, shape, steps, dtype, owner=owner)


class DLTensor(ctypes.Structure):
    """DLManagedTensor of dlpack.h, written here once more."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("device", ctypes.c_int32), ("id", ctypes.c_int32), ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
    )  # fmt: skip


_api = ctypes.pythonapi
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

_CODES = {"f": 2, "V": 4, "i": 0, "u": 1, "c": 5, "b": 6, "E": 4}
_KEPT: list[Any] = []
_USED = b"used_dltensor"


def capsule_of(array: _Array) -> Any:
    """A capsule that names an array of the stand-in's."""
    ndim = len(array.form)
    shape = (ctypes.c_int64 * max(ndim, 1))(*array.form)
    strides = (ctypes.c_int64 * max(ndim, 1))(*[step // array.numbers.itemsize for step in array.steps])
    code = 4 if array.numbers == ml_dtypes.bfloat16 else _CODES[array.numbers.kind]
    tensor = DLTensor(array.block.address, 2, array.block.ordinal, ndim, code, 8 * array.numbers.itemsize, 1, shape,
                      strides, array.offset, None, None)  # fmt: skip
    _KEPT.append((tensor, shape, strides))
    return _api.PyCapsule_New(ctypes.addressof(tensor), b"dltensor", None)


def on_the_cpu(capsule: Any, address: int) -> Any:
    """The same capsule, which now names memory of this process at an address."""
    tensor = DLTensor.from_address(_api.PyCapsule_GetPointer(capsule, b"dltensor"))
    tensor.data, tensor.device = address, 1
    return capsule


class Consumed:
    """A capsule that was taken over: renamed, and its deleter called once it is not needed any more."""

    def __init__(self, capsule: Any) -> None:
        self._address = _api.PyCapsule_GetPointer(capsule, b"dltensor")
        _api.PyCapsule_SetName(capsule, _USED)
        self.tensor = DLTensor.from_address(self._address)

    def __del__(self) -> None:
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.tensor.deleter)(self._address)


@contextmanager
def loaded(**modules: Any) -> Iterator[None]:
    """Within the context, modules of these names are loaded, as their users have them; `_` stands for a dot."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name.replace("_", "."), module)
        yield
