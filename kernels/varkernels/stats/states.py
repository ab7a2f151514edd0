"""What `streaming.Moments` keeps of the values that it has taken in: three kinds of state, none of which ever changes.

`Whole` has the exact sums of all values, `Rows` those of each feature, and `Named` what an algorithm of the study has
made of them: a count, a mean (as an unevaluated sum of two float64) and M2, of all values or of each feature, merged as
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1, in float64.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import astuple
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dispatch import moments
from ..exact import sums as exact_sums
from ..exact.rounding_one import NOTHING, mean_of, std_of, variance_of, without_nan
from ..exact.sums import ExactSums, consistent, integer_sums, less
from ..exact.table import SumTable
from ..formats import FLOAT64, Format
from .inputs import FLOATS, wider
from .sums import row_sums

__all__ = ["Kept", "Named", "Rows", "State", "Whole", "joined", "same_features", "state_of"]

Ratio = tuple[int, int]

# Exponents that sums of float64 numbers can have: 2^-1074 to beyond 2^1023 times 2^63 values.
_EXPONENTS = range(-1075, 1200)
_SUMS = 7


def integer(value: int) -> bytes:
    """An integer of any size: how many bytes it takes, then these."""
    size = value.bit_length() // 8 + 1
    return struct.pack(">I", size) + value.to_bytes(size, "big", signed=True)


def integers(payload: bytes, at: int, count: int) -> tuple[list[int], int]:
    """So many integers from a place on, and the place behind them."""
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">I", payload, at)
        found.append(int.from_bytes(payload[at + 4 : at + 4 + size], "big", signed=True))
        at += 4 + size
    return found, at


def _sums(payload: bytes, at: int) -> tuple[ExactSums, int]:
    (count, nan, posinf, neginf, s1, s2, exponent), at = integers(payload, at, _SUMS)
    if exponent not in _EXPONENTS or not consistent(ExactSums(count, nan, posinf, neginf, s1, s2, exponent)):
        raise ValueError("the sums contradict each other")
    return integer_sums(count, [nan, posinf, neginf], s1, s2, exponent), at


class Whole:
    """The exact sums of all values together."""

    __slots__ = ("sums",)

    def __init__(self, sums: ExactSums = NOTHING) -> None:
        self.sums = sums

    def _counted(self, omit: bool) -> ExactSums:
        return without_nan(self.sums) if omit else self.sums

    def count(self, omit: bool) -> int:
        return self._counted(omit).count

    def plus(self, *others: Whole) -> Whole:
        return Whole(exact_sums.joined([self.sums, *(other.sums for other in others)]))

    def less(self, other: Whole) -> Whole:
        return Whole(less(self.sums, other.sums))

    def mean(self, fmt: Format, omit: bool) -> Any:
        return fmt.rounded(mean_of(self._counted(omit), fmt, set()))[()]

    def variance(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        return fmt.rounded(variance_of(self._counted(omit), ratio, fmt, set()))[()]

    def std(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        return fmt.rounded(std_of(self._counted(omit), ratio, fmt, set()))[()]

    def payload(self) -> bytes:
        return b"".join(map(integer, astuple(self.sums)))

    @classmethod
    def parsed(cls, payload: bytes, at: int) -> tuple[Whole, int]:
        sums, at = _sums(payload, at)
        return cls(sums), at


class Rows:
    """The exact sums of each feature, in the order of an array of the features' shape."""

    __slots__ = ("shape", "table")

    def __init__(self, shape: tuple[int, ...], table: SumTable) -> None:
        self.shape = shape
        self.table = table

    def _counted(self, omit: bool) -> SumTable:
        return self.table.without_nan() if omit else self.table

    def count(self, omit: bool) -> NDArray[np.int64]:
        return self._counted(omit).counts.reshape(self.shape).copy()

    def plus(self, *others: Rows) -> Rows:
        return Rows(self.shape, SumTable.together([self.table, *(other.table for other in others)]))

    def less(self, other: Rows) -> Rows:
        return Rows(self.shape, self.table.less(other.table))

    def mean(self, fmt: Format, omit: bool) -> Any:
        return self._counted(omit).means(fmt, set()).reshape(self.shape)

    def variance(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        return self._counted(omit).variances(ratio, fmt, set()).reshape(self.shape)

    def std(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        return self._counted(omit).stds(ratio, fmt, set()).reshape(self.shape)

    def payload(self) -> bytes:
        return b"".join(integer(value) for sums in self.table for value in astuple(sums))

    @classmethod
    def parsed(cls, payload: bytes, at: int, shape: tuple[int, ...]) -> tuple[Rows, int]:
        found = []
        for _ in range(math.prod(shape)):
            sums, at = _sums(payload, at)
            found.append(sums)
        return cls(shape, SumTable.of(found)), at


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """a + b as a rounded sum and its error, exactly: Knuth 1997, The Art of Computer Programming 2, 4.2.2."""
    s = a + b
    t = s - a
    return s, np.where(np.isfinite(s), (a - (s - t)) + (b - t), 0.0)


class Named:
    """What an algorithm of the study has made of all values, or of each feature; arrays of one shape.

    n : int64, how many values. high, low : float64, whose sum is the mean. m2 : float64.
    """

    __slots__ = ("high", "low", "m2", "n")

    def __init__(self, n: Any, high: Any, low: Any, m2: Any) -> None:
        self.n, self.high, self.low, self.m2 = (
            np.asarray(n, dtype=np.int64),
            *(np.asarray(each, dtype=np.float64) for each in (high, low, m2)),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.n.shape

    def count(self, omit: bool) -> Any:
        return self.n.copy() if self.n.ndim else int(self.n)

    def plus(self, *others: Named) -> Named:
        found = self
        for other in others:
            found = found._merged(other)
        return found

    def _merged(self, other: Named) -> Named:
        with np.errstate(all="ignore"):
            n = self.n + other.n
            share = other.n / np.where(n, n, 1)
            high, low = _two_sum(other.high, -self.high)
            delta = high + (low + (other.low - self.low))
            high, low = _two_sum(self.high, delta * share)
            high, low = _two_sum(high, low + self.low)
            m2 = self.m2 + other.m2 + delta * delta * (self.n * share)
            both = [(high, self.high, other.high), (low, self.low, other.low), (m2, self.m2, other.m2)]
            return Named(n, *(np.where(other.n == 0, a, np.where(self.n == 0, b, new)) for new, a, b in both))

    def mean(self, fmt: Format, omit: bool) -> Any:
        return fmt.rounded(np.where(self.n > 0, self.high, np.nan))[()]

    def _variance(self, ratio: Ratio) -> NDArray[np.float64]:
        numerator, denominator = ratio

        def one(n: int, m2: float) -> float:
            divisor = n * denominator - numerator
            if divisor <= 0 or not n:
                return math.nan
            if not math.isfinite(m2):
                return m2
            try:  # the divisor itself may be beyond float64, or round to zero
                return float(Fraction(m2) * denominator / divisor)
            except OverflowError:
                return math.inf

        found = [one(n, m2) for n, m2 in zip(self.n.reshape(-1).tolist(), self.m2.reshape(-1).tolist(), strict=True)]
        return np.array(found, dtype=np.float64).reshape(self.shape)

    def variance(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        return fmt.rounded(self._variance(ratio))[()]

    def std(self, ratio: Ratio, fmt: Format, omit: bool) -> Any:
        variance = self._variance(ratio)
        with np.errstate(invalid="ignore"):  # a formula's variance may be negative
            return fmt.rounded(np.sqrt(variance))[()]

    def payload(self) -> bytes:
        rows = zip(*(each.reshape(-1).tolist() for each in (self.n, self.high, self.low, self.m2)), strict=True)
        return b"".join(integer(n) + struct.pack(">ddd", *more) for n, *more in rows)

    @classmethod
    def parsed(cls, payload: bytes, at: int, shape: tuple[int, ...]) -> tuple[Named, int]:
        rows = []
        for _ in range(math.prod(shape)):
            (n,), at = integers(payload, at, 1)
            if not 0 <= n < 2**63:
                raise ValueError(f"a count is {n}")
            rows.append((n, *struct.unpack_from(">ddd", payload, at)))
            at += 24
        columns = [[row[k] for row in rows] for k in range(4)]
        return cls(*(np.array(column).reshape(shape) for column in columns)), at


State = Whole | Rows | Named
# The widest format of the values and their state; None for both where there are no values.
Kept = tuple[Format | None, State | None]


def same_features(a: State, b: State) -> None:
    """Refuse two states that have not the same features."""
    if isinstance(a, Whole) != isinstance(b, Whole):
        raise ValueError("one of the two has moments of each feature, the other of all values together")
    if not isinstance(a, Whole) and not isinstance(b, Whole) and a.shape != b.shape:
        raise ValueError(f"the features have the shape {b.shape}, and these moments have {a.shape}")


def joined(parts: Iterable[Kept]) -> Kept:
    """Several formats and states of one kind together.

    Raises
    ------
    ValueError
        Their features have different shapes.
    """
    fmt: Format | None = None
    states: list[Any] = []
    for other, state in parts:
        if state is not None:
            same_features(states[0] if states else state, state)
            states.append(state)
        if other is not None:
            fmt = other if fmt is None else wider(fmt, other)
    if len(states) < 2:
        return fmt, states[0] if states else None
    return fmt, states[0].plus(*states[1:])


def _by_name(values: NDArray[Any], where: NDArray[np.bool_] | None, method: str) -> Named:
    """What an algorithm makes of the rows of values (rows, n), the mean's low half included: the mean, by the same
    algorithm, of what the high half leaves of each value."""
    if where is not None:
        rows = [_by_name(row[mask][np.newaxis], None, method) for row, mask in zip(values, where, strict=True)]
        return Named(*(np.concatenate([getattr(row, name) for row in rows]) for name in ("n", "high", "low", "m2")))
    if not values.size:
        return Named(*np.zeros((4, len(values))))
    native = values.dtype.newbyteorder("=")
    values = values.astype(native if native in FLOATS else np.float64, copy=False)
    found = moments(values[np.newaxis], method, FLOAT64)
    with np.errstate(all="ignore"):
        rest = values.astype(np.float64) - found.mean[:, np.newaxis]
        low = moments(rest[np.newaxis], method, FLOAT64).mean
    return Named(found.count, found.mean, np.where(np.isfinite(low), low, 0.0), found.m2)


def _exactly(
    array: NDArray[Any],
    where: NDArray[np.bool_] | None,
    weights: NDArray[Any] | None,
    axes: tuple[int, ...],
    whole: bool,
) -> Whole | Rows:
    sums, arrange = row_sums(array, where, axes, weights)
    if whole:
        return Whole(sums[0])
    shape = tuple(size for a, size in enumerate(array.shape) if a not in axes)
    places = arrange(np.arange(len(sums)), shape).reshape(-1)
    in_order = bool((places[1:] > places[:-1]).all())
    return Rows(shape, sums if in_order else sums.join(places[:, np.newaxis]))


def state_of(
    array: NDArray[Any],
    where: NDArray[np.bool_] | None,
    weights: NDArray[Any] | None,
    axes: tuple[int, ...] | None,
    method: str,
) -> State:
    """The state of an array's values, over some axes, or all of them for None.

    Parameters
    ----------
    where : bool of the array's shape, the values that count; None for all of them.
    weights : integers >= 0 of the array's shape, how often each value is there; None for once.
    """
    whole = axes is None
    reduced = tuple(range(array.ndim)) if axes is None else axes
    if method == "exact":
        return _exactly(array, where, weights, reduced, whole)
    kept = [a for a in range(array.ndim) if a not in reduced]
    shape = tuple(array.shape[a] for a in kept)
    flat = [
        None if each is None else each.transpose([*kept, *reduced]).reshape(math.prod(shape), -1)
        for each in (array, where)
    ]
    assert flat[0] is not None
    found = _by_name(flat[0], flat[1], method)
    return Named(*(getattr(found, name).reshape(shape) for name in ("n", "high", "low", "m2")))
