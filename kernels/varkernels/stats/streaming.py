"""Moments: mean and variance of data that come in pieces, from many places, in any order.

With the method ``exact`` the state is the exact sums of x and x^2. They add up without rounding, so that the state, and
every answer, has the same bits however the data were cut and in whatever order the parts were merged; and what was
taken in can be taken out again, without a trace. Other methods keep a count, a mean and M2 (see `states`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import FLOAT64
from ..registry import get
from .answering import Answering
from .arguments import NAN_POLICIES
from .axes import normalized
from .chunks import read
from .inputs import result_format
from .moments_bytes import Fields, packed, unpacked
from .states import Kept, joined, same_features, state_of
from .vectors import kept_of, vector_of

__all__ = ["Moments"]

_GATHERED = 4096  # numbers, by `push`, before they are taken in
_EXACT = 2**53  # integers up to this size are exact in float64


class Moments(Answering):
    """Count, mean and variance of a stream of numbers, or of each feature of a stream of arrays.

    Parameters
    ----------
    method : ``exact``, or an algorithm of the study by name, such as ``chan``: each piece by that
        algorithm, in float64, and the pieces by Chan's merge in float64.
    axis : None: all values together. Or the axis or axes that `update` reduces, as numpy counts them: every place of
        the others is a feature with moments of its own, such as axis=0 for (samples, features) and
        axis=(0, 2, 3) for the channels of NCHW.
    nan_policy : ``propagate`` (a NaN makes its feature's answers NaN), ``omit`` (NaN values do not count) or
        ``raise``.
    dtype : of the answers; None for the narrowest of float32 and float64 that holds the values of every piece.

    Attributes
    ----------
    method, axis, nan_policy : as above.
    dtype : of the answers, None before there are values if none was asked for; float64 once there are integers or
        bool, float32 for float16 and bfloat16 alone.
    shape : of the features, () where all values are together; None before there are values.
    count : values so far, a Python integer; with an axis an int64 array of the features' shape. NaN values count,
        unless they are omitted.
    nan_count : NaN values so far, in the same form, whatever the policy; with the method ``exact``.

    Raises
    ------
    TypeError
        The method is no string, an axis no integer, or the dtype none of the four floating-point ones.
    ValueError
        There is no algorithm of that name, or no such nan_policy; an axis is there twice.

    Notes
    -----
    Several threads may use one object at once. `update`, `remove` and `push` change it; `+` and `-` answer a new one.
    `+=` changes it too, unless it has no values yet: then a new object takes its place, so that a start that is shared,
    as in ``dict.fromkeys(names, Moments())`` or ``functools.reduce``, stays empty.

    Examples
    --------
    >>> import varstudy
    >>> morning = varstudy.Moments().update([1e16, 1e16 + 2])
    >>> evening = varstudy.Moments().update([1e16 + 4])
    >>> day = morning + evening
    >>> day.count, float(day.mean), float(day.variance(1))
    (3, 1.0000000000000002e+16, 4.0)
    >>> varstudy.Moments.from_bytes(day.to_bytes()) == day
    True
    >>> features = varstudy.Moments(axis=0).update([[1.0, 5.0], [3.0, 5.0]]).update([[5.0, 5.0]])
    >>> features.mean.tolist(), features.variance(1).tolist()
    ([3.0, 5.0], [4.0, 0.0])
    """

    __slots__ = ("_gathered", "_kept", "_lock")

    _kept: Kept  # replaced as a whole, never changed

    def __init__(
        self,
        method: str = "exact",
        *,
        axis: int | tuple[int, ...] | None = None,
        nan_policy: str = "propagate",
        dtype: Any = None,
    ) -> None:
        if not isinstance(method, str):
            raise TypeError(f"method={method!r} is no name: use 'exact' or another algorithm's name")
        if method != "exact":
            get(method)
        if nan_policy not in NAN_POLICIES:
            raise ValueError(f"nan_policy={nan_policy!r} must be one of {', '.join(map(repr, NAN_POLICIES))}")
        if axis is not None:
            normalized(axis, 2**31)  # as far as that can be told without an array
        self._method = method
        self._axis = axis
        self._nan_policy = nan_policy
        self._dtype = None if dtype is None else result_format(FLOAT64.dtype, dtype)
        self._kept = None, None
        self._gathered: list[float] = []
        self._lock = threading.Lock()

    # Values in and out ------------------------------------------------------------------------------------------------

    @in_default_arithmetic
    def update(self, x: Any, *, weights: ArrayLike | None = None) -> Moments:
        """Take in all values of an array, or all that another object has taken in.

        An update that fails changes nothing, and so does one without values.

        Parameters
        ----------
        x : whatever `varstudy.var` takes; with an axis, its features have the same shape each time. Masked values of a
            masked array do not count. Exact sums copy nothing. Or `Moments` by the same method, which stay as they
            are. What Dask holds is computed now, chunk by chunk.
        weights : integers >= 0, how often each value is there: of a shape that broadcasts to x's, or one for each place
            of the one axis. The method is ``exact``.

        Returns
        -------
        The object itself.

        Raises
        ------
        TypeError
            The dtype is complex, object, a string, a date or any other without moments; weights are no integers.
        ValueError
            The features have another shape; there are NaN values and nan_policy is ``raise``; weights are negative, do
            not broadcast, or come with another method; the other moments are by another method.
        """
        if isinstance(x, Moments):
            if weights is not None:
                raise ValueError("weights are for values, not for moments")
            return self._take([x])
        fmt, state = self._read(x, weights)
        if state is not None:
            with self._lock:
                self._kept = joined([self._settled(), (fmt, state)])
        return self

    def push(self, value: float) -> None:
        """Take in one number: ``update([value])`` in a small part of its time, for loops that have one at a time.

        Parameters
        ----------
        value : a float, or whatever `update` takes for an array of one value. A Python float or integer counts as
            float64.

        Raises
        ------
        TypeError, ValueError
            As `update`; there are features, which come as arrays.
        """
        if self._axis is not None:
            raise TypeError("push takes one number, and these moments have features: use update")
        if type(value) is not float:
            if type(value) is not int or not -_EXACT <= value <= _EXACT:
                self.update(value)
                return
            value = float(value)
        if self._method != "exact" or (self._nan_policy == "raise" and math.isnan(value)):
            self.update(value)
            return
        self._gathered.append(value)
        if len(self._gathered) >= _GATHERED:
            self._now()

    @in_default_arithmetic
    def remove(self, x: Any, *, weights: ArrayLike | None = None) -> Moments:
        """Take values out again that were taken in, in whatever pieces: nothing of them is left.

        So `update` and `remove` make a window that rolls over a stream without drift. What the dtype of the answers has
        become stays. The method is ``exact``: the others cannot tell what a value has done.

        Parameters
        ----------
        x, weights : as in `update`.

        Returns
        -------
        The object itself.

        Raises
        ------
        TypeError
            As `update`.
        ValueError
            As `update`; the method is another than ``exact``; the values were not there, where that can be told: no
            values have the count and the sums that would be left. Then nothing has changed.
        """
        if self._method != "exact":
            raise ValueError(f"method {self._method!r} cannot take values out: use Moments() with the method 'exact'")
        if isinstance(x, Moments):
            self._same_method(x)
            _, state = x._now()
        else:
            _, state = self._read(x, weights)
        if state is not None:
            with self._lock:
                kept, mine = self._settled()
                if mine is None:
                    raise ValueError("there are no values to take out")
                same_features(mine, state)
                self._kept = kept, mine.less(state)  # type: ignore[union-attr, arg-type]
        return self

    def _read(self, x: Any, weights: Any) -> Kept:
        if weights is not None and self._method != "exact":
            raise ValueError(f"weights need the method 'exact', and these moments are by {self._method!r}")
        return read(x, weights, self._axis, self._method, self._nan_policy)

    def _settled(self) -> Kept:
        """What is kept, with what `push` has gathered; under the lock."""
        count = len(self._gathered)
        if count:
            values = np.array(self._gathered[:count])
            state = state_of(values, None, None, None, self._method)
            self._kept = joined([self._kept, (FLOAT64, state)])
            del self._gathered[:count]  # others may have been appended meanwhile
        return self._kept

    @in_default_arithmetic
    def _now(self) -> Kept:
        if not self._gathered:
            return self._kept
        with self._lock:
            return self._settled()

    # Moments together -------------------------------------------------------------------------------------------------

    def _same_method(self, other: Moments) -> None:
        if other._method != self._method:
            raise ValueError(f"other was computed by {other._method!r}, these moments by {self._method!r}")

    @in_default_arithmetic
    def _take(self, others: Iterable[Moments]) -> Moments:
        snapshots = []
        for other in others:
            if not isinstance(other, Moments):
                raise TypeError(f"other is {type(other).__name__}, not varstudy.Moments: update takes values")
            self._same_method(other)
            snapshots.append(other._now())
        with self._lock:
            self._kept = joined([self._settled(), *snapshots])
        return self

    @classmethod
    def merged(cls, parts: Iterable[Moments]) -> Moments:
        """The moments of several samples together, as a new object with the first one's axis, nan_policy and dtype.

        Parameters
        ----------
        parts : moments by one method; of none, `Moments()`. None of them changes.

        Raises
        ------
        TypeError
            A part is no `Moments`.
        ValueError
            Their methods or the shapes of their features differ.
        """
        first, *others = list(parts) or [Moments()]
        if not isinstance(first, Moments):
            raise TypeError(f"a part is {type(first).__name__}, not varstudy.Moments")
        return first.copy()._take(others)

    def __add__(self, other: Any) -> Moments:
        """The moments of both samples, as a new object; neither of the two changes."""
        if not isinstance(other, Moments):
            return NotImplemented
        return self.copy()._take([other])

    def __radd__(self, other: Any) -> Moments:
        """What `sum` starts with."""
        return self.copy() if type(other) is int and other == 0 else NotImplemented

    def __iadd__(self, other: Any) -> Moments:
        """`update` by the other moments; without values so far, a new object."""
        if not isinstance(other, Moments):
            return NotImplemented
        return (self.copy() if self._now()[1] is None else self)._take([other])

    def __sub__(self, other: Any) -> Moments:
        """The moments without the other sample, as a new object: see `remove`."""
        return self.copy().remove(other) if isinstance(other, Moments) else NotImplemented

    __array_ufunc__ = None  # an array's values do not take part in a sum one by one

    # Copies, bytes, text ----------------------------------------------------------------------------------------------

    def copy(self) -> Moments:
        """An object of its own with the same moments."""
        new = Moments(self._method, axis=self._axis, nan_policy=self._nan_policy, dtype=self._dtype)
        new._kept = self._now()
        return new

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Moments:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return Moments.from_bytes, (self.to_bytes(),)

    def __eq__(self, other: object) -> bool:
        """Whether method, axis, nan_policy, dtype and every bit of the state are the same."""
        return self.to_bytes() == other.to_bytes() if isinstance(other, Moments) else NotImplemented

    # It changes.
    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        """The moments as bytes of one form, with a version and a SHA-256 digest: equal moments, equal bytes."""
        fmt, state = self._now()
        return packed(Fields(self._method, self._axis, self._nan_policy, self._dtype, fmt, state))

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
        found = unpacked(data)
        try:
            new = cls(found.method, axis=found.axis, nan_policy=found.nan_policy, dtype=found.answers)
        except (TypeError, ValueError) as problem:
            raise ValueError(f"data hold no moments: {problem}") from None
        new._kept = found.format, found.state
        return new

    def to_vector(self, dtype: Any) -> NDArray[np.int64]:
        """The moments as int64 numbers that merge by plain addition: all_reduce(SUM), MPI, SQL or numpy; see `vectors`.

        Parameters
        ----------
        dtype : of the values, the same for all that are added: float16, bfloat16, float32, float64, or an integer's.

        Returns
        -------
        Array (numbers,), or (features, numbers) with an axis: 13, 34, 35, 206 or 14 numbers by the dtype. Up to 2^31
        of them may be added; `from_vector` carries. Version 1 of the form.

        Raises
        ------
        TypeError
            The dtype is none of these.
        ValueError
            The method is not ``exact``; a value is no multiple of the dtype's least number; no values tell the
            features' shape yet.
        """
        return vector_of(self._now()[1], self._axis is not None, dtype)

    @classmethod
    def from_vector(
        cls,
        vector: ArrayLike,
        dtype: Any,
        *,
        axis: int | tuple[int, ...] | None = None,
        nan_policy: str = "propagate",
    ) -> Moments:
        """The moments of vectors of `to_vector` that were added.

        Parameters
        ----------
        vector : integers (numbers,), or (features, numbers) with an axis. dtype : the one that they were made with.
        axis, nan_policy : of the new object, as `Moments` has them.

        Raises
        ------
        TypeError
            They are no integers, or there is no such dtype.
        ValueError
            They are too few or too many, or no values have such sums.
        """
        new = cls(axis=axis, nan_policy=nan_policy)
        new._kept = kept_of(vector, axis is not None, dtype)
        return new
