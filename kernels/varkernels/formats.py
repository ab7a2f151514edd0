"""The four binary floating-point formats that the study knows, each with its exact parameters.

Notation of IEEE 754-2019: precision p counts the implicit bit, emin and emax are the exponents of the
smallest and largest normal binade, so the largest finite number is (2 - 2^(1-p)) * 2^emax. The unit roundoff
is 2^-p: the largest relative error of one rounding to nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BFLOAT16", "FLOAT16", "FLOAT32", "FLOAT64", "FORMATS", "Format", "format_of"]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format, rounding to nearest, ties to even.

    Attributes
    ----------
    name : the name users know: ``float16``, ``bfloat16``, ``float32``, ``float64``.
    dtype : the numpy dtype of an array stored in this format.
    precision : p, bits of the significand, the implicit one included.
    emin, emax : exponents of the smallest and the largest normal binade.
    """

    name: str
    dtype: np.dtype[Any]
    precision: int
    emin: int
    emax: int

    @cached_property
    def unit_roundoff(self) -> Fraction:
        """u = 2^-p, exact."""
        return Fraction(1, 2**self.precision)

    @cached_property
    def largest(self) -> Fraction:
        """The largest finite number, exact."""
        return (2 - Fraction(2) ** (1 - self.precision)) * Fraction(2) ** self.emax

    @cached_property
    def smallest_normal(self) -> Fraction:
        """2^emin, exact."""
        return Fraction(2) ** self.emin

    @cached_property
    def smallest_subnormal(self) -> Fraction:
        """2^(emin - p + 1), exact: the spacing of the subnormal numbers."""
        return Fraction(2) ** (self.emin - self.precision + 1)

    def rounded(self, values: ArrayLike) -> NDArray[Any]:
        """float64 values in this format, each rounded once, to nearest even.

        ml_dtypes casts float64 to bfloat16 by way of a rounded float32 and errs next to ties. Here that
        float32 is rounded to odd: the second rounding is then right (Boldo, Melquiond 2008,
        doi:10.1109/TC.2007.70819).
        """
        exact = np.asarray(values, dtype=np.float64)
        with np.errstate(all="ignore"):
            if self.name != "bfloat16":
                return exact.astype(self.dtype)
            near = exact.astype(np.float32)
            bits = near.view(np.uint32)
            inexact = (near != exact) & np.isfinite(exact)
            bits = (bits - (inexact & (np.abs(near) > np.abs(exact)))) | inexact
            odd: NDArray[Any] = np.asarray(bits, dtype=np.uint32).view(np.float32)
            return odd.astype(self.dtype)

    def __str__(self) -> str:
        return self.name


FLOAT16 = Format("float16", np.dtype(np.float16), 11, -14, 15)
BFLOAT16 = Format("bfloat16", np.dtype(ml_dtypes.bfloat16), 8, -126, 127)
FLOAT32 = Format("float32", np.dtype(np.float32), 24, -126, 127)
FLOAT64 = Format("float64", np.dtype(np.float64), 53, -1022, 1023)
FORMATS: dict[str, Format] = {f.name: f for f in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)}


def format_of(dtype: object) -> Format:
    """The format of a dtype, a dtype's name, an array's dtype or a Format itself.

    Raises
    ------
    TypeError
        The dtype is not one of float16, bfloat16, float32, float64.
    """
    if isinstance(dtype, Format):
        return dtype
    if isinstance(dtype, str) and dtype in FORMATS:
        return FORMATS[dtype]
    try:
        # numpy takes None for float64
        wanted = None if dtype is None else np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        wanted = None
    for fmt in FORMATS.values():
        if wanted is not None and fmt.dtype == wanted.newbyteorder("="):
            return fmt
    raise TypeError(f"dtype {dtype!r} is not supported: use one of {', '.join(FORMATS)}")
