"""`streaming.Moments` as bytes of one form, with a version and a SHA-256 digest.

Version 1 has a method, a format and the state of all values together; version 2 an axis, a NaN policy, a dtype of the
answers and the features' shape besides, and is written only where one of these is not the default.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import Any, NamedTuple

from ..formats import FORMATS, Format
from .states import Named, Rows, State, Whole

__all__ = ["Fields", "packed", "unpacked"]

_MAGIC = b"varstudy.Moments"
_DIGEST = 32


class Fields(NamedTuple):
    """What bytes hold: what `Moments` was made with, the widest format of the values, and their state."""

    method: str
    axis: int | tuple[int, ...] | None
    nan_policy: str
    answers: Format | None
    format: Format | None
    state: State | None


def packed(fields: Fields) -> bytes:
    """The bytes of some moments."""
    state = fields.state
    names = [fields.method.encode(), b"" if fields.format is None else fields.format.name.encode()]
    head = struct.pack(">HB", *map(len, names)) + b"".join(names)
    plain = fields.axis is None and fields.nan_policy == "propagate" and fields.answers is None
    if not plain:
        shape = None if state is None or isinstance(state, Whole) else state.shape
        asked = [fields.axis, fields.nan_policy, None if fields.answers is None else fields.answers.name, shape]
        more = json.dumps(asked, separators=(",", ":")).encode()
        head += struct.pack(">I", len(more)) + more
    if state is None and fields.axis is None:
        state = Whole() if fields.method == "exact" else Named(0, 0, 0, 0)
    body = _MAGIC + (b"\x01" if plain else b"\x02") + head + (b"" if state is None else state.payload())
    return body + hashlib.sha256(body).digest()


def unpacked(data: bytes | bytearray | memoryview) -> Fields:
    """What `packed` was given.

    Raises
    ------
    TypeError
        `data` is not bytes.
    ValueError
        They are cut short, changed, of another version, or hold no state.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data is {type(data).__name__}, not bytes")
    data = bytes(data)
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if not body.startswith(_MAGIC) or len(body) == len(_MAGIC):
        raise ValueError("data are not the bytes of varstudy.Moments, or are cut short")
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("data are damaged: their checksum does not fit")
    version = body[len(_MAGIC)]
    if version not in (1, 2):
        raise ValueError(f"data have version {version} of the format, and this reads versions 1 and 2")
    try:
        found = _parsed(body[len(_MAGIC) + 1 :], version)
    except (ValueError, KeyError, TypeError, struct.error) as problem:
        raise ValueError(f"data hold no moments: {problem}") from None
    # One form only: what would be written differently was not written here.
    if packed(found) != data:
        raise ValueError("data hold no moments: they are not in the form that to_bytes writes")
    return found


def _parsed(payload: bytes, version: int) -> Fields:
    """The fields in a payload whose digest was right; ValueError, KeyError, TypeError or struct.error where there are
    none."""
    long, short = struct.unpack_from(">HB", payload)
    at = 3 + long + short
    method, name = payload[3 : 3 + long].decode(), payload[3 + long : at].decode()
    axis: Any = None
    nan_policy, answers, shape = "propagate", None, None
    if version == 2:
        (size,) = struct.unpack_from(">I", payload, at)
        axis, nan_policy, answers, shape = json.loads(payload[at + 4 : at + 4 + size])
        axis = tuple(axis) if isinstance(axis, list) else axis
        at += 4 + size
    fmt = FORMATS[name] if name else None
    state: State | None = None
    if axis is None and method == "exact":
        state, at = Whole.parsed(payload, at)
    elif axis is None or shape is not None:
        sizes = () if shape is None else tuple(shape)
        if any(type(size) is not int or size < 0 for size in sizes) or math.prod(sizes) > len(payload):
            raise ValueError(f"features of the shape {shape}")
        state, at = (Rows if method == "exact" else Named).parsed(payload, at, sizes)
    if isinstance(state, Named) and ((state.n < 0) | (state.m2 < 0)).any():
        raise ValueError("a count or a sum of squares is negative")
    if state is not None and fmt is None:
        if axis is not None or state.count(False):
            raise ValueError("there are values of no dtype")
        state = None
    return Fields(method, axis, nan_policy, None if answers is None else FORMATS[answers], fmt, state)
