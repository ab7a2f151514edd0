"""Moments: mean and variance of data that come in pieces, from many places, in any order.

With the method ``exact`` the state is the exact sums of x and x^2. They add up without rounding, so that the
state, and every answer, has the same bits however the data were cut and in whatever order the parts were
merged. Other methods keep a count, a mean (as an unevaluated sum of two float64) and M2, and merge them as
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1, in float64.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import astuple
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..arithmetic import in_default_arithmetic
from ..dispatch import moments
from ..exact.rounding_one import NOTHING, correction_ratio, mean_of, std_of, variance_of
from ..exact.sums import ExactSums, integer_sums, joined
from ..formats import FLOAT64, FORMATS, Format
from ..htmltable import table
from ..registry import get
from .inputs import FLOATS, array_of, result_format, wider
from .sums import row_sums

__all__ = ["Moments"]

_MAGIC = b"varstudy.Moments"
_VERSION = 1
_DIGEST = 32
# Exponents that sums of float64 numbers can have: 2^-1074 to beyond 2^1023 times 2^63 values.
_EXPONENTS = range(-1075, 1200)


class _Pair(NamedTuple):
    """How many values, their mean = high + low, and M2."""

    n: int
    high: float
    low: float
    m2: float


def _two_sum(a: float, b: float) -> tuple[float, float]:
    """a + b as a rounded sum and its error, exactly: Knuth 1997, The Art of Computer Programming 2, 4.2.2."""
    s = a + b
    if not math.isfinite(s):
        return s, 0.0
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _merged(a: _Pair, b: _Pair) -> _Pair:
    if not a.n or not b.n:
        return a if a.n else b
    n = a.n + b.n
    high, low = _two_sum(b.high, -a.high)
    low += b.low - a.low
    delta = high + low
    high, low = _two_sum(a.high, delta * (b.n / n))
    high, low = _two_sum(high, low + a.low)
    return _Pair(n, high, low, a.m2 + b.m2 + delta * delta * (a.n / n * b.n))


class Moments:
    """Count, mean and variance of a stream of numbers.

    Parameters
    ----------
    method : ``exact``, or an algorithm of the study by name, such as ``chan``: each piece by that
        algorithm, in float64, and the pieces by Chan's merge in float64.

    Attributes
    ----------
    method : as above.
    dtype : of the answers, None before there are data: the narrowest that holds the values of every piece;
        float64 once there are integers or bool.
    count : values so far, a Python integer of any size.

    Raises
    ------
    TypeError
        The method is no string.
    ValueError
        There is no algorithm of that name.

    Examples
    --------
    >>> import varstudy
    >>> morning = varstudy.Moments().update([1e16, 1e16 + 2])
    >>> evening = varstudy.Moments().update([1e16 + 4])
    >>> day = morning.merge(evening)
    >>> day.count, float(day.mean), float(day.variance(1))
    (3, 1.0000000000000002e+16, 4.0)
    >>> varstudy.Moments.from_bytes(day.to_bytes()) == day
    True
    """

    __slots__ = ("_format", "_method", "_pair", "_sums")

    _format: Format | None
    _method: str
    _pair: _Pair
    _sums: ExactSums

    def __init__(self, method: str = "exact") -> None:
        if not isinstance(method, str):
            raise TypeError(f"method={method!r} is no name: use 'exact' or another algorithm's name")
        if method != "exact":
            get(method)
        self._method = method
        self._format = None
        self._sums = NOTHING
        self._pair = _Pair(0, math.nan, 0.0, math.nan)

    @property
    def method(self) -> str:
        return self._method

    @property
    def dtype(self) -> np.dtype[Any] | None:
        return None if self._format is None else self._format.dtype

    @property
    def count(self) -> int:
        return self._sums.count if self._method == "exact" else self._pair.n

    @in_default_arithmetic
    def update(self, chunk: Any) -> Moments:
        """Take in all values of an array.

        An update that fails changes nothing. An object is for one thread at a time: give each thread its own and merge
        them.

        Parameters
        ----------
        chunk : an array of any shape, or whatever becomes an array, of the dtypes that `varstudy.var` takes. One
            without values counts for the dtype alone, which an empty list has, too: numpy makes it float64. Masked
            values of a masked array do not count. Exact sums copy nothing.

        Returns
        -------
        The object itself.

        Raises
        ------
        TypeError
            The dtype is complex, object, a string, a date or any other without moments.
        """
        array = array_of(chunk)
        mask = ~np.ma.getmaskarray(chunk) if isinstance(chunk, np.ma.MaskedArray) else None
        fmt = result_format(array.dtype, None)
        if self._method == "exact":
            sums, _ = row_sums(array, mask, tuple(range(array.ndim)))
            self._sums = joined([self._sums, sums[0]])
        else:
            self._pair = _merged(self._pair, _by_name(array if mask is None else array[mask], self._method))
        self._format = fmt if self._format is None else wider(self._format, fmt)
        return self

    @in_default_arithmetic
    def merge(self, other: Moments) -> Moments:
        """The moments of both samples, as a new object; neither of the two changes.

        Parameters
        ----------
        other : moments by the same method.

        Raises
        ------
        TypeError
            The other one is no `Moments`.
        ValueError
            Its method is another.
        """
        if not isinstance(other, Moments):
            raise TypeError(f"other is {type(other).__name__}, not varstudy.Moments")
        if other._method != self._method:
            raise ValueError(f"other was computed by {other._method!r}, these moments by {self._method!r}")
        both = self.copy()
        if other._format is not None:
            both._format = other._format if self._format is None else wider(self._format, other._format)
        both._sums = joined([self._sums, other._sums])
        both._pair = _merged(self._pair, other._pair)
        return both

    @property
    @in_default_arithmetic
    def mean(self) -> Any:
        """The mean, a scalar of the dtype: correctly rounded with the method ``exact``. NaN without values."""
        fmt = self._format or FLOAT64
        if self._method == "exact":
            return fmt.rounded(mean_of(self._sums, fmt, set()))[()]
        return fmt.rounded(self._pair.high if self._pair.n else math.nan)[()]

    @in_default_arithmetic
    def variance(self, correction: float = 0.0) -> Any:
        """The variance, a scalar of the dtype; NaN, without a warning, where count <= correction.

        Parameters
        ----------
        correction : any finite real number, taken as exactly what it is; the variance is M2 / (count - correction).

        Raises
        ------
        TypeError
            The correction is no real number.
        ValueError
            The correction is not finite.
        """
        fmt = self._format or FLOAT64
        ratio = correction_ratio(correction)
        if self._method == "exact":
            return fmt.rounded(variance_of(self._sums, ratio, fmt, set()))[()]
        return fmt.rounded(self._variance(ratio))[()]

    @in_default_arithmetic
    def std(self, correction: float = 0.0) -> Any:
        """The standard deviation, a scalar of the dtype; parameters and errors are those of `variance`."""
        fmt = self._format or FLOAT64
        ratio = correction_ratio(correction)
        if self._method == "exact":
            return fmt.rounded(std_of(self._sums, ratio, fmt, set()))[()]
        variance = self._variance(ratio)
        return fmt.rounded(math.sqrt(variance) if variance >= 0 else math.nan)[()]

    def _variance(self, correction: tuple[int, int]) -> float:
        numerator, denominator = correction
        divisor = self._pair.n * denominator - numerator
        if divisor <= 0 or not self._pair.n:
            return math.nan
        if not math.isfinite(self._pair.m2):
            return self._pair.m2
        try:  # the divisor itself may be beyond float64, or round to zero
            return float(Fraction(self._pair.m2) * denominator / divisor)
        except OverflowError:
            return math.inf

    def copy(self) -> Moments:
        """An object of its own with the same moments."""
        new = object.__new__(Moments)
        new._method, new._format, new._sums, new._pair = self._method, self._format, self._sums, self._pair
        return new

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Moments:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return Moments.from_bytes, (self.to_bytes(),)

    def __eq__(self, other: object) -> bool:
        """Whether the method, the dtype and every bit of the state are the same."""
        return self._payload() == other._payload() if isinstance(other, Moments) else NotImplemented

    # It changes.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        dtype = "no data" if self._format is None else self._format.name
        return f"<varstudy.Moments by {self._method!r}: {self.count} values, {dtype}>"

    def _repr_html_(self) -> str:
        """One row as a table, for notebooks."""
        dtype = "no data" if self._format is None else self._format.name
        row = (self.count, self.mean, self.variance(0), self.variance(1))
        return table(f"moments by {self._method}, {dtype}", ("count", "mean", "variance", "variance, n - 1"), [row])

    def _payload(self) -> bytes:
        name = self._method.encode()
        fmt = b"" if self._format is None else self._format.name.encode()
        head = struct.pack(">HB", len(name), len(fmt)) + name + fmt
        if self._method != "exact":
            return head + _integer(self._pair.n) + struct.pack(">ddd", *self._pair[1:])
        return head + b"".join(map(_integer, astuple(self._sums)))

    def to_bytes(self) -> bytes:
        """The moments as bytes of one form, with a version and a SHA-256 digest: equal moments, equal bytes."""
        body = _MAGIC + bytes([_VERSION]) + self._payload()
        return body + hashlib.sha256(body).digest()

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Moments:
        """The moments that `to_bytes` wrote.

        Parameters
        ----------
        data : all the bytes.

        Raises
        ------
        TypeError
            `data` is not bytes.
        ValueError
            They are cut short, changed, of another version, or no moments at all.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data is {type(data).__name__}, not bytes")
        data = bytes(data)
        body, digest = data[:-_DIGEST], data[-_DIGEST:]
        if not body.startswith(_MAGIC) or len(body) == len(_MAGIC):
            raise ValueError("data are not the bytes of varstudy.Moments, or are cut short")
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("data are damaged: their checksum does not fit")
        if body[len(_MAGIC)] != _VERSION:
            raise ValueError(f"data have version {body[len(_MAGIC)]} of the format, and this is version {_VERSION}")
        try:
            new = _parsed(body[len(_MAGIC) + 1 :])
        except (ValueError, KeyError, struct.error) as problem:
            raise ValueError(f"data hold no moments: {problem}") from None
        # One form only: what would be written differently was not written here.
        if new.to_bytes() != data:
            raise ValueError("data hold no moments: they are not in the form that to_bytes writes")
        return new


def _by_name(array: Any, method: str) -> _Pair:
    if not array.size:
        return _Pair(0, math.nan, 0.0, math.nan)
    native = array.dtype.newbyteorder("=")
    flat = array.astype(native if native in FLOATS else np.float64, copy=False).reshape(1, 1, -1)
    found = moments(flat, method, FLOAT64)
    return _Pair(int(found.count[0]), float(found.mean[0]), 0.0, float(found.m2[0]))


def _integer(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return struct.pack(">I", size) + value.to_bytes(size, "big", signed=True)


def _parsed(payload: bytes) -> Moments:
    """The moments in a payload whose digest was right; ValueError, KeyError or struct.error where there are none."""
    long, short = struct.unpack_from(">HB", payload)
    at = 3 + long + short
    new = Moments(payload[3 : 3 + long].decode())
    name = payload[3 + long : at].decode()
    new._format = FORMATS[name] if name else None
    integers = []
    for _ in range(7 if new._method == "exact" else 1):
        (size,) = struct.unpack_from(">I", payload, at)
        integers.append(int.from_bytes(payload[at + 4 : at + 4 + size], "big", signed=True))
        at += 4 + size
    if new._method == "exact":
        count, nan, posinf, neginf, s1, s2, exponent = integers
        finite = count - nan - posinf - neginf
        if (
            min(nan, posinf, neginf, finite, s2) < 0
            or exponent not in _EXPONENTS
            or finite * s2 < s1 * s1 + (not finite and s2)
        ):
            raise ValueError("the sums contradict each other")
        new._sums = integer_sums(count, [nan, posinf, neginf], s1, s2, exponent)
    else:
        new._pair = _Pair(integers[0], *struct.unpack_from(">ddd", payload, at))
        if integers[0] < 0 or new._pair.m2 < 0:
            raise ValueError("a count or a sum of squares is negative")
    if (new.count > 0) and new._format is None:
        raise ValueError("there are values of no dtype")
    return new
