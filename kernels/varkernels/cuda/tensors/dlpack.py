"""DLPack by ctypes: what a capsule says, and memory of the driver that others take over by one.

The structures are those of dlpack.h, version 0.8, which every library still takes.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any, NamedTuple

import numpy as np

from ...formats import BFLOAT16, Format
from ..devices.gpu import Gpu

__all__ = ["Capsule", "DeviceBuffer", "opened"]

_NAME = b"dltensor"
_FLOAT, _BFLOAT = 2, 4  # DLDataTypeCode
_KINDS = {0: "int", 1: "uint", _FLOAT: "float", _BFLOAT: "bfloat", 5: "complex", 6: "bool"}
_CUDA = 2


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int),
        ("device_id", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


_python = ctypes.pythonapi
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", _python)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", _python))
# Of a capsule that is being destroyed: its address, as it may not be touched as an object.
_valid_at = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _python))
_pointer_at = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _python))


class Capsule(NamedTuple):
    """What a capsule says. strides : in values. dtype : a word, such as bfloat16 or int64."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    ordinal: int


def opened(capsule: Any) -> Capsule:
    """What a capsule of DLPack says; it stays its owner's, and must outlive what is done with the address."""
    tensor = _Managed.from_address(_pointer(capsule, _NAME)).tensor
    shape = tuple(tensor.shape[: tensor.ndim])
    if tensor.strides:
        strides = tuple(tensor.strides[: tensor.ndim])
    else:
        strides = tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))
    kind = tensor.dtype
    name = _KINDS.get(kind.code, f"of kind {kind.code} and bits ")
    word = name if name == "bool" else f"{name}{kind.bits}" + (f"x{kind.lanes}" if kind.lanes != 1 else "")
    return Capsule((tensor.data or 0) + tensor.byte_offset, shape, strides, word, tensor.device_id)


# What is handed over and not given back yet, by the address of its structure.
_LENT: dict[int, Any] = {}


def _given_back(address: int) -> None:
    _LENT.pop(address, None)


def _unused(capsule: int) -> None:
    if _valid_at(capsule, _NAME):  # else somebody took it over, and gives it back
        _LENT.pop(_pointer_at(capsule, _NAME), None)


_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_DELETER, _DESTRUCTOR = _callback(_given_back), _callback(_unused)


class DeviceBuffer:
    """An array in memory of the driver's, which is freed with it and with all that share it.

    It offers DLPack and the CUDA array interface, so that torch, CuPy, JAX and Numba take it without a copy.

    Attributes
    ----------
    address, shape, format : where and what it is; values lie side by side, the last axis fastest.
    """

    def __init__(self, gpu: Gpu, shape: tuple[int, ...], fmt: Format) -> None:
        self.shape, self.format, self._gpu = shape, fmt, gpu
        self.address = gpu.allocate(math.prod(shape) * fmt.dtype.itemsize)
        # Not at the process's end, when the driver frees all by itself.
        weakref.finalize(self, gpu.free, self.address).atexit = False

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.format.dtype

    def __repr__(self) -> str:
        return f"<DeviceBuffer of shape {self.shape}, {self.format}, on GPU {self._gpu.ordinal}>"

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        kind = "<V2" if self.format is BFLOAT16 else self.dtype.str
        return {
            "shape": self.shape, "typestr": kind, "data": (self.address, False), "strides": None, "stream": None,
            "version": 3,
        }  # fmt: skip

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, self._gpu.ordinal

    def __dlpack__(self, **_: Any) -> Any:
        """A capsule; all that was launched is done before a `DeviceBuffer` is handed out, whatever the stream."""
        ndim = len(self.shape)
        shape = (ctypes.c_int64 * max(ndim, 1))(*self.shape)
        strides = (ctypes.c_int64 * max(ndim, 1))(*[math.prod(self.shape[a + 1 :]) for a in range(ndim)])
        code = _BFLOAT if self.format is BFLOAT16 else _FLOAT
        kind = _Type(code, 8 * self.dtype.itemsize, 1)
        tensor = _Tensor(self.address, _CUDA, self._gpu.ordinal, ndim, kind, shape, strides, 0)
        managed = _Managed(tensor, None, ctypes.cast(_DELETER, ctypes.c_void_p))
        address = ctypes.addressof(managed)
        _LENT[address] = (self, managed, shape, strides)
        return _new(address, _NAME, ctypes.cast(_DESTRUCTOR, ctypes.c_void_p))
