"""The safetensors format: a length, a JSON header, raw data.

Eight bytes hold the header's length, little-endian. The header maps each name to dtype, shape and the first and last
byte of its data, counted from the end of the header. Source: https://github.com/huggingface/safetensors#format
(Hugging Face, 2022).
"""

from __future__ import annotations

import json
from typing import IO, Any

import ml_dtypes
import numpy as np

from .array_header import ArrayHeader, check_header
from .problem import FileProblem, printable

__all__ = ["SAFETENSORS_START", "is_safetensors", "safetensors_entries", "safetensors_header"]

SAFETENSORS_START = 9
"""Bytes that `is_safetensors` needs to see."""
# Bytes of JSON: a header of 50,000 tensors has about 5 MB.
HEADER_LIMIT = 8 * 2**20

_DTYPES: dict[str, Any] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": ml_dtypes.bfloat16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
    "C64": "<c8",
}


def is_safetensors(start: bytes) -> bool:
    """Whether a file that starts so may be one: a length that is not absurd, then the brace of the JSON header."""
    return len(start) >= SAFETENSORS_START and start[8:9] == b"{" and start[5:8] == b"\0\0\0"


def safetensors_entries(stream: IO[bytes], size: int, what: str) -> tuple[dict[str, Any], int]:
    """What the JSON header says of each name, and where the data start. The file has `size` bytes.

    Raises
    ------
    FileProblem
        The header is damaged, truncated or too long.
    """
    length = int.from_bytes(stream.read(8), "little")
    if length > size - 8:
        raise FileProblem(
            f"{what} is truncated: it promises a header of {length} bytes and {max(0, size - 8)} are there; "
            "save it again"
        )
    if length > HEADER_LIMIT:
        raise FileProblem(
            f"{what} has a header of {length} bytes, and {HEADER_LIMIT} are read at most: save fewer tensors in a file"
        )
    try:
        found = json.loads(stream.read(length).decode())
    except (ValueError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, dict):
        raise FileProblem(f"{what} has a damaged header: save it again")
    found.pop("__metadata__", None)
    return found, 8 + length


def safetensors_header(entry: Any, start: int, size: int, what: str) -> ArrayHeader:
    """Where a tensor lies in a file of `size` bytes, from its entry in the JSON header.

    Raises
    ------
    FileProblem
        The entry is damaged, or its dtype or shape cannot be studied.
    """
    damaged = FileProblem(f"{what} has a damaged entry in the file's header: save it again")
    if not isinstance(entry, dict):
        raise damaged
    dtype, shape, offsets = entry.get("dtype"), _whole(entry.get("shape")), _whole(entry.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise damaged
    if dtype not in _DTYPES:
        raise FileProblem(
            f"{what} is of {printable(dtype)}, which is not one of the study's formats: convert it with "
            "x.to(torch.float32)"
        )
    begin, end = offsets
    header = check_header(ArrayHeader(tuple(shape), np.dtype(_DTYPES[dtype]), start + begin), what)
    if end - begin != header.bytes:
        raise damaged
    if start + end > size:
        raise FileProblem(
            f"{what} is truncated: its header promises {header.bytes} bytes of data and "
            f"{max(0, size - header.offset)} are there; save it again"
        )
    return header


def _whole(numbers: Any) -> list[int] | None:
    """The list, if it holds whole numbers from 0 to 2^63."""
    return numbers if isinstance(numbers, list) and all(type(n) is int and 0 <= n < 2**63 for n in numbers) else None
