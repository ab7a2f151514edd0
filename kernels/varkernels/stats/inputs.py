"""What callers hand over, as arrays that are not copied; and what their answers are stored in.

Arrays are taken as they lie; so is anything that offers `__array__` or, without it, `__dlpack__`. Lists and
scalars become arrays as numpy makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format, format_of
from .columns import from_torch

__all__ = [
    "BEYOND",
    "FLOATS",
    "Given",
    "array_of",
    "given",
    "named_as_numpy",
    "result_format",
    "weights_of",
    "where_of",
    "wider",
]

# The formats whose arrays the kernels read as they are.
FLOATS: dict[np.dtype[Any], Format] = {fmt.dtype: fmt for fmt in FORMATS.values()}


@dataclass(frozen=True, slots=True)
class Given:
    """An input: its array, the values that count (None: all of them), and whether it is a masked array."""

    array: NDArray[Any]
    where: NDArray[np.bool_] | None
    masked: bool


# The kinds of dtypes that the functions take besides real numbers: complex, durations and dates.
BEYOND = "cmM"
# What is no array, by the type's name or a part of it, and what makes one of it.
_NO_ARRAYS = {
    "generator": "use list(x), or varstudy.Moments().push for each value",
    "LazyFrame": "use x.collect()",
}


def _refuse(x: Any) -> None:
    """Refuse what numpy would make an object of."""
    name = type(x).__name__
    if type(x).__module__.startswith("scipy.sparse"):
        raise TypeError(f"x is a sparse {name}, whose zeros would not count: use x.toarray()")
    if name in _NO_ARRAYS:
        raise TypeError(f"x is a {name}: {_NO_ARRAYS[name]}")


def array_of(x: Any, more: str = "") -> NDArray[Any]:
    """`x` as a plain array of a dtype that has moments, or of a kind of `more`: "c", "m" and "M", as numpy calls them.

    Raises
    ------
    TypeError
        The dtype is object, a string, a float that is none of the four formats, or of a kind not in `more`; x is
        sparse, lazy, a generator, or on another device.
    """
    if type(x) is not np.ndarray:
        _refuse(x)
        tensor = from_torch(x)
        if tensor is not None:
            x = tensor
    array = np.asarray(x) if hasattr(x, "__array__") or not hasattr(x, "__dlpack__") else np.from_dlpack(x)
    if array.dtype == object and array.size:
        kinds = " and ".join(sorted({type(each).__name__ for each in array.reshape(-1)[:100].tolist()}))
        raise TypeError(
            f"x has the dtype object, and holds {kinds}: give np.array(x, dtype=np.float64), which rounds what float64 "
            "cannot hold"
        )
    if array.dtype.kind not in more:
        result_format(array.dtype, None)
    return array


def named_as_numpy(dtype: Any) -> Any:
    """A dtype of torch by numpy's name for it; any other as it is."""
    return str(dtype).removeprefix("torch.") if type(dtype).__module__ == "torch" else dtype


def result_format(dtype: np.dtype[Any], wanted: Any) -> Format:
    """The format of the answers for values of a dtype: their own, float64 for integers and bool; or the wanted.

    Raises
    ------
    TypeError
        There is none.
    """
    fmt = FLOATS.get(dtype.newbyteorder("=") if not dtype.isnative else dtype)
    if fmt is None:
        if dtype.kind == "c":
            raise TypeError(f"x has the dtype {dtype}, which is not taken: the variances of x.real and x.imag add up")
        if dtype.kind not in "biu":
            raise TypeError(
                f"x has the dtype {dtype}, which has no mean and variance here: give integers, bool, or one of "
                f"{', '.join(FORMATS)}"
            )
        fmt = FLOAT64
    if wanted is None:
        return fmt
    try:
        return format_of(named_as_numpy(wanted))
    except TypeError:
        raise TypeError(f"dtype={wanted!r} cannot hold the result: use one of {', '.join(FORMATS)}") from None


def wider(a: Format, b: Format) -> Format:
    """The narrowest format that holds the numbers of both: float32 for float16 and bfloat16."""
    if a == b:
        return a
    if {a, b} == {FLOAT16, BFLOAT16}:
        return FLOAT32
    return max(a, b, key=lambda fmt: fmt.precision)


def where_of(where: ArrayLike | bool, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """The mask of values that count, in the shape of x; None where all do.

    Raises
    ------
    TypeError
        It is not bool.
    ValueError
        It does not broadcast to x.
    """
    if where is True:
        return None
    mask = np.asarray(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"where has the dtype {mask.dtype}: give bool values")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"where has the shape {mask.shape}, which does not broadcast to x's {shape}") from None


def weights_of(weights: Any, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> NDArray[Any] | None:
    """How often each value is there, in the shape of x; None for once.

    Raises
    ------
    TypeError
        They are no integers.
    ValueError
        One is negative, or they do not broadcast to x.
    """
    if weights is None:
        return None
    found = np.asarray(weights)
    if found.dtype.kind not in "biu" and found.size:
        raise TypeError(
            f"weights have the dtype {found.dtype}: give integers, how often each value is there; a variance under "
            "other weights has several definitions, and none is here"
        )
    if found.dtype.kind not in "iu":
        found = found.astype(np.uint8)
    if found.size and int(found.min()) < 0:
        raise ValueError("weights are negative: give how often each value is there; `remove` takes values out")
    if found.ndim == 1 and len(shape) > 1 and axes is not None and len(axes) == 1:
        found = found.reshape([-1 if a == axes[0] else 1 for a in range(len(shape))])
    try:
        return np.broadcast_to(found, shape)
    except ValueError:
        raise ValueError(f"weights have the shape {found.shape}, which does not broadcast to x's {shape}") from None


def given(x: Any, where: ArrayLike) -> Given:
    """An input other than a column or a table; a masked array's masked values do not count."""
    array = array_of(x, BEYOND)
    counted = where_of(where, array.shape)
    if not isinstance(x, np.ma.MaskedArray):
        return Given(array, counted, False)
    if x.mask is not np.ma.nomask:
        unmasked = ~np.ma.getmaskarray(x)
        counted = unmasked if counted is None else unmasked & counted
    return Given(array, counted, True)
