"""An array on a GPU in the kernels' words; and where its answers are made: by its own library, on its own stream.

No library is imported. An array's library is loaded already, and its answers come from it: torch's, CuPy's and
Numba's allocate them, and any other takes a buffer of the driver over by DLPack.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ...formats import FORMATS, Format
from ..devices.driver import Driver
from ..devices.gpu import Gpu
from ..errors import DeviceMemoryError
from .dlpack import DeviceBuffer, opened

__all__ = ["DeviceArray", "Place", "described"]

_LEGACY = 1  # the stream that DLPack and the CUDA array interface call the legacy default one


class Place(Protocol):
    """Where an array lies, and where its answers are made."""

    ordinal: int
    stream: int

    def empty(self, shape: tuple[int, ...], fmt: Format) -> tuple[Any, int]:
        """A new array of the same kind, its values side by side, and its address."""

    def handed(self, made: Any) -> Any:
        """A new array as its user gets it, once what fills it is launched."""


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """An array on a GPU. strides : in bytes. source : what must outlive the work."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    format: Format
    place: Place
    source: Any

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.format.dtype

    @property
    def itemsize(self) -> int:
        return self.format.dtype.itemsize

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def seen(self, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> DeviceArray:
        """The same memory in another shape; offset : of its first value, in bytes."""
        return replace(self, address=self.address + offset, shape=tuple(shape), strides=tuple(strides))

    def split(self, axis: int, parts: int) -> DeviceArray:
        """The same with an axis cut into (parts, size / parts)."""
        each, step = self.shape[axis] // parts, self.strides[axis]
        return self.seen(
            (*self.shape[:axis], parts, each, *self.shape[axis + 1 :]),
            (*self.strides[:axis], each * step, step, *self.strides[axis + 1 :]),
        )


def _format(word: object, convert: str) -> Format:
    fmt = FORMATS.get(str(word))
    if fmt is None:
        raise TypeError(
            f"x lies on a GPU and has the dtype {word}: the kernels take {', '.join(FORMATS)}; use {convert}"
        )
    return fmt


def _allocated(make: Callable[[], Any]) -> Any:
    """What a library allocates; its own errors for want of memory as ours."""
    try:
        return make()
    except DeviceMemoryError:
        raise
    except Exception as problem:  # each library has a class of its own for it
        words = f"{type(problem).__name__} {problem}".lower()
        if isinstance(problem, MemoryError) or "out of memory" in words or "out_of_memory" in words:
            raise DeviceMemoryError(
                "the GPU is out of memory: cut the feature map, or end what else uses the GPU "
                f"({type(problem).__name__})"
            ) from problem
        raise


# torch --------------------------------------------------------------------------------------------------------------


class _Torch:
    def __init__(self, torch: Any, device: Any) -> None:
        self._torch, self._device = torch, device
        self.ordinal = int(device.index)
        # torch's CUDA array interface is of version 2, which names no stream.
        self.stream = int(torch.cuda.current_stream(device).cuda_stream)

    def empty(self, shape: tuple[int, ...], fmt: Format) -> tuple[Any, int]:
        dtype = getattr(self._torch, fmt.name)
        made = _allocated(lambda: self._torch.empty(shape, dtype=dtype, device=self._device))
        return made, int(made.data_ptr())

    def handed(self, made: Any) -> Any:
        return made


def _of_torch(torch: Any, x: Any) -> DeviceArray:
    if x.layout != torch.strided:
        raise TypeError("x is a sparse tensor: use x.to_dense()")
    fmt = _format(str(x.dtype).removeprefix("torch."), "x.double() or x.float()")
    x = x.detach().resolve_neg()
    strides = tuple(int(step) * fmt.dtype.itemsize for step in x.stride())
    return DeviceArray(int(x.data_ptr()), tuple(x.shape), strides, fmt, _Torch(torch, x.device), x)


# The CUDA array interface ---------------------------------------------------------------------------------------------


def _interface(x: Any) -> tuple[int, tuple[int, ...], tuple[int, ...], Format, int]:
    """Address, shape, strides in bytes, format and stream, as version 3 of the interface names them."""
    words = x.__cuda_array_interface__
    if words.get("mask") is not None:
        raise ValueError("x lies on a GPU and has a mask, which the kernels do not take: give the values that count")
    shape = tuple(int(size) for size in words["shape"])
    kind = str(words["typestr"])
    named = getattr(x, "dtype", None)
    if kind[1:] in ("V2", "E2") or str(named) == "bfloat16":
        word = "bfloat16"
    else:
        dtype = np.dtype(kind)
        word = dtype.name if dtype.isnative or dtype.itemsize == 1 else f"{dtype.name} of another byte order"
    fmt = _format(word, "x.astype(numpy.float64)")
    strides = words.get("strides")
    if strides is None:
        strides = [math.prod(shape[a + 1 :]) * fmt.dtype.itemsize for a in range(len(shape))]
    address = int(words["data"][0] or 0)
    return address, shape, tuple(int(step) for step in strides), fmt, int(words.get("stream") or 0)


def _address(made: Any) -> int:
    return int(made.__cuda_array_interface__["data"][0] or 0)


class _Cupy:
    def __init__(self, cupy: Any, device: Any, stream: int) -> None:
        self._cupy, self._device = cupy, device
        self.ordinal, self.stream = int(device.id), stream

    def empty(self, shape: tuple[int, ...], fmt: Format) -> tuple[Any, int]:
        with self._device:
            made = _allocated(lambda: self._cupy.empty(shape, dtype=fmt.dtype))
        return made, _address(made)

    def handed(self, made: Any) -> Any:
        return made


class _Numba:
    def __init__(self, cuda: Any, ordinal: int, stream: int) -> None:
        self._cuda, self.ordinal, self.stream = cuda, ordinal, stream

    def empty(self, shape: tuple[int, ...], fmt: Format) -> tuple[Any, int]:
        with self._cuda.gpus[self.ordinal]:
            made = _allocated(lambda: self._cuda.device_array(shape, dtype=fmt.dtype))
        return made, _address(made)

    def handed(self, made: Any) -> Any:
        return made


class _Other:
    """By DLPack: the array's namespace takes a buffer of the driver's over; without one the buffer is the answer."""

    def __init__(self, namespace: Any, ordinal: int, stream: int) -> None:
        self._namespace, self.ordinal, self.stream = namespace, ordinal, stream

    def empty(self, shape: tuple[int, ...], fmt: Format) -> tuple[Any, int]:
        made = DeviceBuffer(Gpu.get(self.ordinal), shape, fmt)
        return made, made.address

    def handed(self, made: Any) -> Any:
        Gpu.get(self.ordinal).wait(self.stream)  # whoever takes it over knows nothing of the stream
        return made if self._namespace is None else self._namespace.from_dlpack(made)


def _module_of(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


def _ordinal_of(address: int) -> int:
    """Which GPU an address lies on; an array without values may have none, and lies on the first."""
    return Driver.get().device_of(address) if address else 0


def described(x: Any) -> DeviceArray:
    """What an array on a GPU says of itself.

    Raises
    ------
    TypeError
        There are no kernels for its dtype, or it is sparse.
    ValueError
        It has a mask.
    DeviceError
        There is no driver.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, getattr(torch, "Tensor", ())):
        return _of_torch(torch, x)
    module = _module_of(x)
    if module == "cupy":
        with x.device:  # its current stream
            address, shape, strides, fmt, stream = _interface(x)
        return DeviceArray(address, shape, strides, fmt, _Cupy(sys.modules["cupy"], x.device, stream), x)
    if hasattr(type(x), "__dlpack__"):
        capsule = x.__dlpack__(stream=_LEGACY)
        address, shape, steps, word, ordinal = opened(capsule)
        fmt = _format(word, "x.astype(numpy.float64)")
        find = getattr(x, "__array_namespace__", None)
        place = _Other(None if find is None else find(), ordinal, _LEGACY)
        strides = tuple(step * fmt.dtype.itemsize for step in steps)
        return DeviceArray(address, shape, strides, fmt, place, (x, capsule))
    address, shape, strides, fmt, stream = _interface(x)
    ordinal = _ordinal_of(address)
    cuda = sys.modules.get("numba.cuda")
    if module in ("numba", "numba_cuda") and cuda is not None:
        return DeviceArray(address, shape, strides, fmt, _Numba(cuda, ordinal, stream), x)
    find = getattr(x, "__array_namespace__", None)
    return DeviceArray(address, shape, strides, fmt, _Other(None if find is None else find(), ordinal, stream), x)
