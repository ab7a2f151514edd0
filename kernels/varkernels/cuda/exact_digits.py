"""The digits that the kernel of exact sums leaves: how many of what there are."""

from __future__ import annotations

from dataclasses import dataclass

from ..formats import Format

__all__ = ["Layout", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """The digits of a part of a row: of sum x, then of sum x^2, then the numbers of NaN, +inf and -inf.

    Attributes
    ----------
    fraction : bits of a value's fraction. field : its largest exponent field. window : the largest p of the kernel.
    x, squares : digits of 32 bits' weight for sum x and for sum x^2. count : of all numbers, an even one.
    """

    fraction: int
    field: int
    window: int
    x: int
    squares: int
    count: int


def layout_of(storage: Format) -> Layout:
    """The layout of a format's digits.

    Each piece of 32 bits goes into the digit where it begins and the next. The highest: of sum x a significand's upper
    half, or a window's third word; of sum x^2 the fourth word of a square, or a window's sixth.
    """
    fraction, field = storage.precision - 1, storage.emax - storage.emin + 2
    window = min(30, field - 2)
    highest, start = field - 1, field - 1 - window
    x = max(highest + 32, start + 64) // 32 + 2
    squares = max(2 * highest + 96, 2 * start + 160) // 32 + 2
    return Layout(fraction, field, window, x, squares, x + squares + 3 + (x + squares + 3) % 2)
