"""Ground truth: mean, sum of squared deviations, variance and condition number of each row of a view.

With n values, s1 = sum x and s2 = sum x^2 as exact integers (times powers of two),

    mean = s1 / n,    M2 = (n s2 - s1^2) / n,    variance = M2 / (n - correction),
    kappa = sqrt(n s2 / (n s2 - s1^2))

cancellation costs nothing. Each answer is rounded once, at the end, to the precision asked for. mpmath's own
precision is never changed: the numbers are made with theirs. Arithmetic that you do WITH them rounds to
mpmath's precision, 53 bits unless you say otherwise: use mpmath.workprec, or the fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import mpmath
import numpy as np
from mpmath import libmp
from numpy.typing import ArrayLike, NDArray

from varkernels.exact.sums import ExactSums, exact_sums
from varkernels.htmltable import SHOWN, table

__all__ = ["Truth", "truth"]

# mpmath comes without types: an mpmath.mpf.
Mpf: TypeAlias = Any


def _quotient(p: int, q: int, exponent: int, bits: int) -> Mpf:
    """p / q 2^exponent as an mpmath number, correctly rounded to `bits` bits."""
    return mpmath.mp.make_mpf(libmp.mpf_shift(libmp.from_rational(p, q, bits, "n"), exponent))


def _root(p: int, q: int, bits: int) -> Mpf:
    """sqrt(p / q) for positive integers, correctly rounded to `bits` bits.

    The integer root has more than `bits` + 1 bits; one further bit tells whether anything was cut off.
    """
    shift = max(0, bits + 2 - (p.bit_length() - q.bit_length()) // 2)
    square, rest = divmod(p << 2 * shift, q)
    root = math.isqrt(square)
    inexact = bool(rest) or root * root != square
    return mpmath.mp.make_mpf(libmp.from_man_exp(2 * root + inexact, -shift - 1, bits, "n"))


def _exact(correction: Any) -> Fraction:
    try:
        return Fraction(correction.item() if isinstance(correction, np.generic) else correction)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1") from None


class Truth:
    """The exact moments of each row of a view. Made by `truth`.

    Attributes
    ----------
    sums : one `varkernels.exact.sums.ExactSums` a row.
    bits : the precision of the mpmath numbers.
    count, nan, posinf, neginf : int64 arrays (rows,): all values of a row; those that are NaN, +inf, -inf.
    finite : bool array (rows,): the row has values, and all of them are finite: its moments are rational.
    """

    def __init__(self, sums: Sequence[ExactSums], bits: int) -> None:
        self.sums = tuple(sums)
        self.bits = bits
        counts = [(each.count, each.nan, each.posinf, each.neginf) for each in self.sums]
        table = np.array(counts, dtype=np.int64).reshape(len(counts), 4)
        self.count: NDArray[np.int64] = table[:, 0]
        self.nan: NDArray[np.int64] = table[:, 1]
        self.posinf: NDArray[np.int64] = table[:, 2]
        self.neginf: NDArray[np.int64] = table[:, 3]
        self.finite: NDArray[np.bool_] = (self.count > 0) & (table[:, 1:].sum(axis=1) == 0)

    def __len__(self) -> int:
        return len(self.sums)

    def _repr_html_(self) -> str:
        """The first rows as a table, for notebooks; 20 digits of each number."""
        head = Truth(self.sums[:SHOWN], self.bits)
        columns = (head.mean, head.variance(), head.kappa)
        # Some versions of mpmath write +inf.
        numbers = ([mpmath.nstr(value, 20).lstrip("+") for value in column] for column in columns)
        more = len(self) - len(head)
        return table(
            f"exact moments of {len(self):,} row{'s' * (len(self) != 1)}, to 20 digits",
            ("row", "count", "mean", "M2 / count", "condition number"),
            zip(range(len(head)), head.count, *numbers, strict=True),
            more=f"and {more:,} more" if more else "",
        )

    def _rational(self, r: int) -> ExactSums:
        row = self.sums[r]
        if not row.count:
            raise ValueError(f"row {r} has no values: its moments are no numbers")
        if not self.finite[r]:
            infinite = row.posinf + row.neginf
            raise ValueError(f"row {r} has {row.nan} NaN and {infinite} infinite values: its moments are not rational")
        return row

    def mean_fraction(self, r: int) -> Fraction:
        """The mean of row r, exact, in the unit of the values.

        Parameters
        ----------
        r : the row's index, from 0.

        Raises
        ------
        ValueError
            The row has no values, or some that are not finite.
        IndexError
            There is no such row.
        """
        row = self._rational(r)
        return Fraction(row.s1, row.count) * Fraction(2) ** row.exponent

    def m2_fraction(self, r: int) -> Fraction:
        """The sum of squared deviations from the mean of row r, exact, in the unit of the values squared.

        Parameters and errors are those of `mean_fraction`.
        """
        row = self._rational(r)
        return Fraction(row.count * row.s2 - row.s1 * row.s1, row.count) * Fraction(4) ** row.exponent

    def variance_fraction(self, r: int, correction: int | float | Fraction = 0) -> Fraction:
        """M2 / (count - correction) of row r, exact, in the unit of the values squared.

        Parameters
        ----------
        r : the row's index, from 0.
        correction : a finite number, taken as exactly what it is.

        Raises
        ------
        ValueError, IndexError
            As for `mean_fraction`; or count <= correction; or the correction is not finite.
        """
        divisor = self._rational(r).count - _exact(correction)
        if divisor <= 0:
            raise ValueError(f"row {r} has {self.sums[r].count} values: no variance for correction={correction!r}")
        return self.m2_fraction(r) / divisor

    @cached_property
    def mean(self) -> list[Mpf]:
        """The mean of each row; infinite where there are infinities of one sign, NaN where there are some of
        both signs or a NaN, or where the row is empty."""
        return [self._mean(row) for row in self.sums]

    @cached_property
    def m2(self) -> list[Mpf]:
        """The sum of squared deviations of each row; NaN where a value is not finite, or the row is empty."""
        return self._variances(None)

    def variance(self, correction: int | float | Fraction = 0) -> list[Mpf]:
        """M2 / (count - correction) of each row; NaN where a value is not finite, or count <= correction.

        Parameters
        ----------
        correction : a finite number, taken as exactly what it is.

        Raises
        ------
        ValueError
            The correction is not a finite number.
        """
        return self._variances(_exact(correction))

    @cached_property
    def kappa(self) -> list[Mpf]:
        """The condition number of each row's variance, sqrt(sum x^2 / M2) = sqrt(1 + n mean^2 / M2), rounded
        once.

        +inf where all values are one number other than 0, 1 where all are 0, NaN where a value is not finite
        or the row is empty. Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, section 3.
        """
        return [self._kappa(row) if ok else mpmath.nan for row, ok in self._each()]

    def _each(self) -> Iterable[tuple[ExactSums, bool]]:
        return zip(self.sums, self.finite.tolist(), strict=True)

    def _mean(self, row: ExactSums) -> Mpf:
        if row.nan or not row.count or (row.posinf and row.neginf):
            return mpmath.nan
        if row.posinf or row.neginf:
            return mpmath.inf if row.posinf else mpmath.ninf
        return _quotient(row.s1, row.count, row.exponent, self.bits)

    def _variances(self, correction: Fraction | None) -> list[Mpf]:
        answers = []
        for row, ok in self._each():
            n = row.count
            divisor = Fraction(1) if correction is None else n - correction
            if not ok or divisor <= 0:
                answers.append(mpmath.nan)
                continue
            p = (n * row.s2 - row.s1 * row.s1) * divisor.denominator
            answers.append(_quotient(p, n * divisor.numerator, 2 * row.exponent, self.bits))
        return answers

    def _kappa(self, row: ExactSums) -> Mpf:
        squares = row.count * row.s2
        deviations = squares - row.s1 * row.s1
        if not deviations:
            return mpmath.inf if row.s1 else mpmath.mpf(1)
        return _root(squares, deviations, self.bits)


def _precision(bits: object) -> int:
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or bits < 1:
        raise ValueError(f"bits={bits!r}: give a positive whole number, such as 256")
    return int(bits)


def truth(view: ArrayLike, *, bits: int = 256) -> Truth:
    """The exact moments of every row of a view.

    Parameters
    ----------
    view : array (segments, rows, length) or (blocks, segments, rows, length) of float16, bfloat16, float32
        or float64, of any strides, as `varstudy.view` makes it; not copied. Row r holds view[:, r, :].
    bits : the precision of the mpmath numbers, each rounded once, to nearest even.

    Returns
    -------
    `Truth`, whose methods answer fractions of one row, or lists of one mpmath number a row, in the unit of the values.

    Raises
    ------
    TypeError
        The dtype is not supported.
    ValueError
        The view's rank is wrong, or bits is not a positive whole number.
    """
    return Truth(exact_sums(view), _precision(bits))
