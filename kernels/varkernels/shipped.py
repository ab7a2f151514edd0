"""The CPU's kernels as they come with this package: LLVM IR, made into machine code when a kernel is first used.

The texts in the folder ``ir`` are what Numba makes of the sources (``python -m varkernels.build``), for no processor in
particular. LLVM optimises one for this processor and keeps the machine code on disk; Numba is not even imported. Where
the sources differ from those that a text was made from, where VARKERNELS_COMPILE is set, or on a machine that this is
not made for, Numba compiles the kernel from the sources.

``python -m varkernels.build --print NAME`` prints a kernel's text.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from varptx.jit import Code, Passes

from .folders import cache_folder, writable

__all__ = ["FOLDER", "MARK", "SCHEMA", "Damaged", "digest", "digest_of_sources", "kernel", "manifest", "text", "usable"]

FOLDER = Path(__file__).parent / "ir"
SCHEMA = 1
# A kernel's text starts after this and its name, at the start of a line.
MARK = "; kernel "
# If this is set, to anything but nothing, Numba compiles every kernel.
VARIABLE = "VARKERNELS_COMPILE"


class Damaged(ValueError):
    """A text is not the one that the manifest names."""


def digest(data: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(data.encode()).hexdigest()


@cache
def manifest() -> Mapping[str, Any]:
    """What the texts were made with and from; empty where there is no file that this version reads."""
    try:
        found = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else {}


@cache
def _source(name: str) -> str:
    # Read as text, so that a checkout with other line ends has the same hash.
    return (Path(__file__).parent / name).read_text("utf-8")


def digest_of_sources(names: tuple[str, ...]) -> str:
    """The hash of source files, by their paths below this package.

    Raises
    ------
    OSError
        There is no such file.
    """
    return digest("\n".join(f"{name}\n{_source(name)}" for name in names))


@cache
def usable(group: str) -> bool:
    """Whether a group's texts can be used: on this machine, and made from the sources as they are."""
    if os.environ.get(VARIABLE) or not _known_machine():
        return False
    found = manifest().get("groups", {}).get(group)
    try:
        return found is not None and digest_of_sources(tuple(found["sources"])) == found["hash"]
    except OSError:
        return False


def _known_machine() -> bool:
    """Whether objects lie in memory as the entries read them: CPython of 64 bits, with an object's usual head."""
    return (
        sys.implementation.name == "cpython"
        and sys.byteorder == "little"
        and sys.maxsize == 2**63 - 1
        and object.__basicsize__ == 16
    )


@cache
def _texts(group: str) -> Mapping[str, str]:
    import lzma  # noqa: PLC0415 - some builds of Python lack it, and few processes need it

    parts = lzma.decompress((FOLDER / f"{group}.xz").read_bytes()).decode().split(MARK)[1:]
    return {name: body for name, _, body in (part.partition("\n") for part in parts)}


def text(name: str) -> str:
    """A kernel's LLVM IR.

    Raises
    ------
    KeyError
        No kernel of that name comes with this package.
    Damaged
        The file with the text cannot be read, or has another one.
    """
    group, wanted = manifest().get("kernels", {})[name]
    try:
        found = _texts(group).get(name, "")
    except Exception as problem:
        raise Damaged(f"{FOLDER / group}.xz cannot be read ({problem}): install varstudy again") from problem
    if digest(found) != wanted:
        raise Damaged(f"{FOLDER / group}.xz has another text of {name} than its manifest says: install varstudy again")
    return found


class _Method(ctypes.Structure):
    """PyMethodDef of Python's C interface."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_METH_FASTCALL = 0x80
# Machine code and what Python's functions point to: as long as the process lives.
_KEPT: list[Any] = []


def _loaded(name: str) -> Callable[..., Any] | None:
    group, key = manifest().get("kernels", {}).get(name, (None, ""))
    if group is None or not usable(group):
        return None
    passes = Passes.LOOPS if manifest()["groups"][group]["loops"] else Passes.NONE
    try:
        code = Code(lambda: text(name), "kernel", cache_folder() if writable() else None, digest=key, passes=passes)
    except Damaged:
        return None
    method = _Method(name.encode(), code.address, _METH_FASTCALL, None)
    _KEPT.append((code, method))
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, (ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p)
    made: Callable[..., Any] = make(ctypes.byref(method), (np.ndarray, TypeError), None)
    return made


def kernel(name: str | None, module: str, *arguments: Any) -> Callable[..., Any]:
    """A compiled kernel: the one of that name that comes with this package, else one that Numba compiles.

    Parameters
    ----------
    name : in the manifest; None for a kernel of another package's formula, which is compiled.
    module, arguments : what Numba compiles is the answer of ``definition(*arguments)`` in that module below varkernels,
        which is imported only then.
    """
    found = None if name is None else _loaded(name)
    if found is None:
        compiled: Callable[..., Callable[..., Any]] = import_module(".jit", __package__).compiled
        found = compiled(import_module(f".{module}", __package__).definition(*arguments), name)
    return found
