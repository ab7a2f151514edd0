"""A kernel's entry for Python, as LLVM IR: a function of CPython's calling convention METH_FASTCALL.

It reads numbers and the addresses, shapes and strides of numpy's arrays where these objects have them, lets other
threads run while the kernel does (as Numba's option nogil), and makes the answer an object. A call costs less than one
of Numba's dispatcher. It takes the layouts of CPython's and numpy's objects on machines of 64 bits, which both keep
stable for compiled code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import types
from numba.np.numpy_support import as_dtype

__all__ = ["entry"]

# Where objects have what is read of them, in bytes. A tuple: its items.
_ITEMS = 24
# A numpy array: its address, dimensions, shape, strides and dtype; and a dtype: the characters of its kind and type.
_DATA, _DIMENSIONS, _SHAPE, _STRIDES, _DTYPE, _KIND, _TYPE = 16, 24, 32, 40, 56, 24, 25

_DECLARATIONS = """
@_Py_NoneStruct = external global i8
declare i64 @PyLong_AsLongLong(ptr)
declare double @PyFloat_AsDouble(ptr)
declare i32 @PyObject_IsTrue(ptr)
declare ptr @PyErr_Occurred()
declare ptr @PyErr_NoMemory()
declare void @PyErr_SetString(ptr, ptr)
declare i32 @PyType_IsSubtype(ptr, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyBool_FromLong(i64)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
"""


def _constant(value: Any, kind: str) -> str:
    """A bound number as LLVM writes it; a zero of a small format is a float64 within kernels."""
    number = float(value) if isinstance(value, (int, float, np.floating)) else 0.0
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}" if kind in ("double", "float") else str(value)


def _flat(values: Iterable[Any]) -> list[Any]:
    return [one for value in values for one in (_flat(value) if isinstance(value, tuple) else [value])]


class _Entry:
    """The lines of one, as they come."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names = 0

    def add(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def value(self, instruction: str) -> str:
        self.names += 1
        self.add(f"%v{self.names} = {instruction}")
        return f"%v{self.names}"

    def read(self, kind: str, address: str, offset: int) -> str:
        """What an object has at an offset, in bytes."""
        place = self.value(f"getelementptr i8, ptr {address}, i64 {offset}")
        return self.value(f"load {kind}, ptr {place}")

    def refuse_unless(self, condition: str) -> None:
        self.names += 1
        self.add(f"br i1 {condition}, label %fine{self.names}, label %refused")
        self.label(f"fine{self.names}")

    def array(self, given: str, kind: Any) -> list[str]:
        """The native arguments of an array, in Numba's order: what holds its memory (nothing: the caller does), size,
        bytes of a value, address, shape and strides."""
        of_type = self.read("ptr", given, 8)
        exactly = self.value(f"icmp eq ptr {of_type}, %ndarray")
        self.names += 1
        n = self.names
        self.add(f"br i1 {exactly}, label %array{n}, label %derived{n}")
        self.label(f"derived{n}")
        kin = self.value(f"call i32 @PyType_IsSubtype(ptr {of_type}, ptr %ndarray)")
        self.add(f"%kin{n} = icmp ne i32 {kin}, 0")
        self.add(f"br i1 %kin{n}, label %array{n}, label %refused")
        self.label(f"array{n}")
        dimensions = self.read("i32", given, _DIMENSIONS)
        self.refuse_unless(self.value(f"icmp eq i32 {dimensions}, {kind.ndim}"))
        dtype = as_dtype(kind.dtype)
        descriptor = self.read("ptr", given, _DTYPE)
        # An int64 has one of two types; everything else is told by its type.
        place, wanted = (_KIND, dtype.kind) if dtype == np.int64 else (_TYPE, dtype.char)
        self.refuse_unless(self.value(f"icmp eq i8 {self.read('i8', descriptor, place)}, {ord(wanted)}"))
        data, shapes, strides = (self.read("ptr", given, place) for place in (_DATA, _SHAPE, _STRIDES))
        shape = [self.read("i64", shapes, 8 * k) for k in range(kind.ndim)]
        steps = [self.read("i64", strides, 8 * k) for k in range(kind.ndim)]
        size = "1"
        for one in shape:
            size = self.value(f"mul i64 {size}, {one}")
        return ["null", "null", size, str(dtype.itemsize), data, *shape, *steps]

    def number(self, given: str, kind: Any) -> tuple[str, str]:
        """A number's native value, and whether it may stand for an error."""
        if isinstance(kind, types.Boolean):
            found = self.value(f"call i32 @PyObject_IsTrue(ptr {given})")
            return self.value(f"trunc i32 {found} to i8"), self.value(f"icmp eq i32 {found}, -1")
        if kind == types.float64:
            found = self.value(f"call double @PyFloat_AsDouble(ptr {given})")
            return found, self.value(f"fcmp oeq double {found}, -1.0")
        if kind == types.int64:
            found = self.value(f"call i64 @PyLong_AsLongLong(ptr {given})")
            return found, self.value(f"icmp eq i64 {found}, -1")
        raise TypeError(f"an entry has no way to read {kind}")

    def object(self, kind: Any, address: str, offset: int) -> str:
        """The object of an answer at an address."""
        if isinstance(kind, types.Boolean):
            wide = self.value(f"zext i8 {self.read('i8', address, offset)} to i64")
            return self.value(f"call ptr @PyBool_FromLong(i64 {wide})")
        if kind == types.float64:
            return self.value(f"call ptr @PyFloat_FromDouble(double {self.read('double', address, offset)})")
        if kind == types.int64:
            return self.value(f"call ptr @PyLong_FromLongLong(i64 {self.read('i64', address, offset)})")
        raise TypeError(f"an entry has no way to answer {kind}")


def entry(signature: tuple[Any, ...], answer: Any, kinds: list[str], bound: tuple[Any, ...], refusal: str) -> str:
    """The function ``ptr @kernel(ptr self, ptr arguments, i64 count)``, which calls ``i32 @body``.

    Parameters
    ----------
    signature, answer : Numba's types of the arguments and of the answer.
    kinds : LLVM's types of the body's arguments: where to put the answer, where to put an error, then the others.
    bound : the values of the first arguments, which the caller does not give. `self` is the tuple (numpy.ndarray,
        TypeError): where Numba is loaded, LLVM takes ``PyExc_TypeError`` for another address than C does.
    refusal : the text of the TypeError for arguments of other types.
    """
    work = _Entry()
    given = [(f"%given{k}", kind) for k, kind in enumerate(signature[len(bound) :])]
    work.add(f"%enough = icmp eq i64 %count, {len(given)}")
    work.refuse_unless("%enough")
    values: list[str] = [_constant(v, k) for v, k in zip(_flat(bound), kinds[2:], strict=False)]
    doubtful = "false"
    for k, (name, kind) in enumerate(given):
        work.add(f"%place{k} = getelementptr ptr, ptr %arguments, i64 {k}")
        work.add(f"{name} = load ptr, ptr %place{k}")
        if isinstance(kind, types.Array):
            values += work.array(name, kind)
        else:
            value, doubt = work.number(name, kind)
            values.append(value)
            doubtful = work.value(f"or i1 {doubtful}, {doubt}")
    work.add(f"br i1 {doubtful}, label %doubt, label %go")
    work.label("doubt")
    work.add("%problem = call ptr @PyErr_Occurred()")
    work.add("%none = icmp eq ptr %problem, null")
    work.add("br i1 %none, label %go, label %failed")
    work.label("go")
    passed = ", ".join(f"{kind} {value}" for kind, value in zip(kinds[2:], values, strict=True))
    work.add("%thread = call ptr @PyEval_SaveThread()")
    work.add(f"%status = call i32 @body({kinds[0]} %answer, {kinds[1]} %error{', ' if passed else ''}{passed})")
    work.add("call void @PyEval_RestoreThread(ptr %thread)")
    if answer == types.none:
        work.add("%right = icmp eq i32 %status, 0")
        work.add("%nothing = icmp eq i32 %status, -2")
        work.add("%done = or i1 %nothing, %right")
        work.add("br i1 %done, label %answered, label %exhausted")
        work.label("answered")
        work.add("call void @Py_IncRef(ptr @_Py_NoneStruct)")
        work.add("ret ptr @_Py_NoneStruct")
    else:
        work.add("%right = icmp eq i32 %status, 0")
        work.add("br i1 %right, label %answered, label %exhausted")
        work.label("answered")
        if isinstance(answer, types.BaseTuple):
            parts: Any = answer
            made = work.value(f"call ptr @PyTuple_New(i64 {len(parts)})")
            if any(kind not in (types.int64, types.float64) for kind in parts):
                raise TypeError(f"an entry has no way to answer {answer}")
            for k, kind in enumerate(parts):
                item = work.object(kind, "%answer", 8 * k)
                work.value(f"call i32 @PyTuple_SetItem(ptr {made}, i64 {k}, ptr {item})")
        else:
            made = work.object(answer, "%answer", 0)
        work.add(f"ret ptr {made}")
    text = refusal.encode("ascii")
    return f"""
@refusal = private constant [{len(text) + 1} x i8] c"{refusal}\\00"
{_DECLARATIONS}
define ptr @kernel(ptr %self, ptr %arguments, i64 %count) {{
  %answer = alloca [4 x i64]
  %error = alloca ptr
  %ndarray_at = getelementptr i8, ptr %self, i64 {_ITEMS}
  %ndarray = load ptr, ptr %ndarray_at
{chr(10).join(work.lines)}
refused:
  %type_at = getelementptr i8, ptr %self, i64 {_ITEMS + 8}
  %type = load ptr, ptr %type_at
  call void @PyErr_SetString(ptr %type, ptr @refusal)
  ret ptr null
exhausted:
  %memory = call ptr @PyErr_NoMemory()
  ret ptr null
failed:
  ret ptr null
}}
"""
