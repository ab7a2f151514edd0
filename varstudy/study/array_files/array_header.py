"""What a file states of an array before a byte of data is read: checked here, and then the data.

The header of a .npy file is matched against its grammar and never evaluated: `ast.literal_eval` fails with
RecursionError or MemoryError on nested expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from .problem import FileProblem, printable

__all__ = [
    "MEMORY_MAP_FROM",
    "NPY_MAGIC",
    "Array",
    "ArrayHeader",
    "check_header",
    "check_size",
    "map_array",
    "npy_header",
    "read_array",
]

Array = NDArray[Any]

NPY_MAGIC = b"\x93NUMPY"
MEMORY_MAP_FROM = 64 * 2**20
"""Bytes from which on the data of a plain file is mapped into memory instead of read."""
# The longest header that numpy reads.
HEADER_LIMIT = 10_000
# Digits of an extent, with its sign.
DIGITS_LIMIT = 20
# The most dimensions that every supported numpy has.
RANK_LIMIT = 32

_ITEM = (
    r"\s*(['\"])(descr|fortran_order|shape)\1\s*:\s*"
    r"(?:(['\"])([^'\"\\]*)\3|(True|False)|\(([-\d\sL,]*)\))\s*"
)
_ENTRY = re.compile(_ITEM + r"(,|(?=\}))")
_STRUCTURED = re.compile(r"['\"]descr['\"]\s*:\s*[\[(]")
_FIELD = re.compile(r"[\[(]\s*['\"]([^'\"]*)['\"]\s*,")
_DESCR = re.compile(r"[<>|=]?[A-Za-z?]+\d{0,4}(\[\w{1,10}\])?")


@dataclass(frozen=True)
class ArrayHeader:
    """Where an array lies in a file, and what it is.

    Attributes
    ----------
    shape, dtype : as the file states them.
    offset : bytes before the data.
    fortran : whether the first axis varies fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    fortran: bool = False

    @property
    def bytes(self) -> int:
        size = self.dtype.itemsize
        for extent in self.shape:
            size *= extent
        return size


def npy_header(stream: IO[bytes], what: str) -> ArrayHeader:
    """The header of a .npy file; the stream is left at the data.

    Raises
    ------
    FileProblem
        It is truncated or damaged, or the array has a dtype or a shape that cannot be studied.
    """
    damaged = FileProblem(f"{what} has a damaged or truncated header: save the array again with numpy.save")
    start = stream.read(len(NPY_MAGIC) + 2)
    version = start[len(NPY_MAGIC) :]
    if not start.startswith(NPY_MAGIC) or len(version) < 2:
        raise damaged
    if version[0] not in (1, 2, 3):
        raise FileProblem(
            f"{what} has version {version[0]}.{version[1]} of the .npy format, and 1 to 3 are known: "
            "save the array again with numpy.save"
        )
    width = 2 if version[0] == 1 else 4
    length = stream.read(width)
    size = int.from_bytes(length, "little")
    if len(length) < width or not size:
        raise damaged
    if size > HEADER_LIMIT:
        raise FileProblem(
            f"{what} states a header of {size} bytes, and {HEADER_LIMIT} are read at most: save a plain array "
            "again with numpy.save"
        )
    header = stream.read(size)
    if len(header) < size:
        raise damaged
    text = header.decode("utf-8" if version[0] == 3 else "latin1", "replace").strip()
    if _STRUCTURED.search(text):
        fields = printable(", ".join(_FIELD.findall(text)))
        raise FileProblem(f"{what} is a structured array: save one of its fields ({fields})")
    try:
        found = _entries(text)
        descr, shape = str(found["descr"]), found["shape"]
        if not isinstance(shape, tuple) or not isinstance(found["fortran_order"], bool) or not _DESCR.fullmatch(descr):
            raise damaged
        dtype = np.dtype(descr)
    except (KeyError, TypeError, ValueError, SyntaxError):
        raise damaged from None
    return check_header(ArrayHeader(shape, dtype, len(start) + width + size, found["fortran_order"]), what)


def _entries(text: str) -> dict[str, Any]:
    """The three entries of a header's dictionary."""
    if not text.startswith("{"):
        raise ValueError("no dictionary")
    found: dict[str, Any] = {}
    at = 1
    while match := _ENTRY.match(text, at):
        _, key, _, string, truth, shape, _ = match.groups()
        if shape is not None:
            extents = [extent.strip().removesuffix("L") for extent in shape.split(",")]
            if any(len(extent) > DIGITS_LIMIT for extent in extents):
                raise ValueError("an extent beyond 64 bits")
            found[key] = tuple(int(extent) for extent in (extents if extents[-1] else extents[:-1]))
        else:
            found[key] = string if truth is None else truth == "True"
        at = match.end()
    if text[at:].strip() != "}":
        raise ValueError("no dictionary of descr, fortran_order and shape")
    return found


def check_header(header: ArrayHeader, what: str) -> ArrayHeader:
    """The same header, if an array of this shape and dtype can be studied.

    Raises
    ------
    FileProblem
        It cannot.
    """
    shape = header.shape
    _check_dtype(header.dtype, what)
    if len(shape) > RANK_LIMIT:
        raise FileProblem(f"{what} states {len(shape)} dimensions, and {RANK_LIMIT} are read at most: reshape it")
    if any(extent < 0 for extent in shape):
        raise FileProblem(f"{what} states the impossible shape {printable(shape)}: save the array again")
    if 0 in shape:
        raise FileProblem(f"{what} has shape {printable(shape)} and so no values: give an array without zero-size axes")
    return header


def _check_dtype(dtype: np.dtype[Any], what: str) -> None:
    """Refuses what no storage format can hold."""
    if dtype.hasobject:
        raise FileProblem(
            f"{what} holds Python objects, which would have to be unpickled and never are: convert the "
            "array to float with x.astype('float64')"
        )
    if dtype.kind in "biu" or dtype == ml_dtypes.bfloat16:
        return
    if dtype.kind == "V" and dtype.itemsize:
        if dtype.itemsize != 2:
            raise FileProblem(f"{what} holds raw values of {dtype.itemsize} bytes: save them as float32")
        return
    if dtype.kind == "f":
        if dtype.itemsize <= 8:
            return
        raise FileProblem(
            f"{what} is of {dtype.name}, wider than the study's formats: convert it with x.astype('float64')"
        )
    advice = {
        "c": "is complex: save x.real and x.imag as two arrays, whose variances add up to the variance of x",
        "U": "holds text: convert it to numbers with x.astype('float64')",
        "S": "holds bytes: convert them to numbers with x.astype('float64')",
        "M": "holds dates: convert them to numbers with x.astype('int64'), in the same unit",
        "m": "holds time differences: convert them to numbers with x.astype('int64'), in the same unit",
    }.get(dtype.kind, "has values that are not numbers: convert them with x.astype('float64')")
    raise FileProblem(f"{what} {advice} (its dtype is {dtype})")


def read_array(stream: IO[bytes], header: ArrayHeader, what: str) -> Array:
    """The data that follow in a stream, as an array.

    Raises
    ------
    FileProblem
        There are too few, or there is too little memory.
    """
    try:
        content = bytearray(header.bytes)
    except (MemoryError, OverflowError):
        raise FileProblem(
            f"{what} needs {header.bytes} bytes of memory, more than there are: check a part of the array"
        ) from None
    rest = memoryview(content)
    while rest:
        got = stream.readinto(rest[: 2**20])  # type: ignore[attr-defined]  # every stream here is buffered
        if not got:
            raise truncated(header, len(content) - len(rest), what)
        rest = rest[got:]
    flat: Array = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def map_array(file: Path, header: ArrayHeader, what: str) -> Array:
    """The data of a plain file, mapped into memory."""
    order = "F" if header.fortran else "C"
    try:
        return np.memmap(file, header.dtype, "r", header.offset, header.shape, order)  # type: ignore[call-overload, no-any-return]
    except (OSError, ValueError, OverflowError) as error:
        raise FileProblem(f"{what} cannot be mapped into memory ({error}): check a part of the array") from None


def truncated(header: ArrayHeader, there: int, what: str) -> FileProblem:
    return FileProblem(
        f"{what} is truncated: its header promises {header.bytes} bytes of data and {there} are there; save it again"
    )


def check_size(header: ArrayHeader, there: int, what: str) -> None:
    """Raises `FileProblem` if a file has fewer bytes after the header than the header promises."""
    if there < header.bytes:
        raise truncated(header, there, what)
