"""Values of a file as one of the four storage formats."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from varkernels.formats import FLOAT64, FORMATS, format_of

from .array_header import Array
from .problem import FileProblem

__all__ = ["Loaded", "converted"]


@dataclass(frozen=True, eq=False)
class Loaded:
    """An array of a file.

    Attributes
    ----------
    array : in one of the four storage formats, native byte order, at least one-dimensional, read-only where
        mapped.
    storage : the format's name.
    how : how the values were converted, a clause for a sentence; empty where they were taken as they are.
    """

    array: Array
    storage: str
    how: str


def converted(array: Array, storage: str | None, what: str) -> Loaded:
    """An array of integers, booleans, floats or raw two-byte values, in a storage format.

    Raises
    ------
    FileProblem
        The values are not stored in the format that was asked for, or they are raw bytes and none was.
    """
    if array.ndim == 0:
        array = array.reshape(1)
    if storage is not None and storage not in FORMATS:
        raise FileProblem(f"storage {storage!r} of {what} is unknown: use one of {', '.join(FORMATS)}")
    if array.dtype == ml_dtypes.bfloat16:
        loaded = Loaded(array, "bfloat16", "")
    elif array.dtype.kind == "V" or storage == "bfloat16":
        loaded = _as_bfloat16(array, storage, what)
    elif array.dtype.kind in "biu":
        loaded = _from_integers(array)
    else:
        native = array.dtype.newbyteorder("=")
        loaded = Loaded(array if array.dtype.isnative else array.astype(native), format_of(native).name, "")
    if storage is not None and storage != loaded.storage:
        raise FileProblem(
            f"{what} is stored as {array.dtype}, not as {storage}: convert it yourself, with x.astype('{storage}')"
        )
    return loaded


def _as_bfloat16(array: Array, storage: str | None, what: str) -> Loaded:
    if array.dtype.itemsize != 2 or array.dtype.kind not in "Vui":
        raise FileProblem(
            f"{what} is of {array.dtype}, which is not two raw bytes a value: only those can be read as bfloat16"
        )
    if storage != "bfloat16":
        raise FileProblem(
            f"{what} holds raw two-byte values, as numpy saves bfloat16: if they are that, say storage bfloat16"
        )
    bits = array if array.dtype.kind == "V" or array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return Loaded(bits.view(ml_dtypes.bfloat16), "bfloat16", f"its {array.dtype} bytes read as bfloat16")


def _from_integers(array: Array) -> Loaded:
    """Exactly to float32 or float64 where one holds them all, else rounded to float64."""
    if array.dtype.kind == "b":
        # A byte of a damaged file may be neither 0 nor 1.
        return Loaded(
            (array.view(np.uint8) != 0).astype(np.float32), "float32", "booleans converted exactly to float32"
        )
    kind = f"{array.dtype.newbyteorder('=').name} integers"
    low, high = int(array.min()), int(array.max())
    for storage in ("float32", "float64"):
        if max(-low, high) <= 2 ** FORMATS[storage].precision:
            return Loaded(array.astype(FORMATS[storage].dtype), storage, f"{kind} converted exactly to {storage}")
    how = (
        f"{kind} from {low} to {high} rounded to float64, which holds integers exactly only up to 2^53; "
        "varstudy.var is exact for the integers themselves, and so is float64 after subtracting an offset"
        if high - low <= 2**53
        else f"{kind} from {low} to {high} rounded to float64, which holds integers exactly only up to 2^53; "
        "varstudy.var is exact for the integers themselves"
    )
    return Loaded(array.astype(FLOAT64.dtype), FLOAT64.name, how)
