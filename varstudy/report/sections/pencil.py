"""What can go wrong, in three numbers that anyone can check with a pencil: each operation exact, then rounded.

The tapes are rational arithmetic, rounded after each operation; that the kernels answer the same bits is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from varkernels import FORMATS, Format, format_of
from varkernels.rounding import round_to

__all__ = ["PencilExample", "PencilStep", "examples"]


@dataclass(frozen=True)
class PencilStep:
    """One operation: what is computed, its exact result, and that result in the format."""

    what: str
    exact: str
    rounded: str

    @property
    def lossy(self) -> bool:
        return self.exact != self.rounded


@dataclass(frozen=True)
class PencilExample:
    """Values whose variance goes wrong in a few operations of one format."""

    key: str
    title: str
    data: Sequence[int]
    storage: str
    algorithm: str
    correction: int
    moral: str

    @property
    def values(self) -> str:
        few = ", ".join(map(str, self.data))
        return few if len(self.data) < 9 else f"{len(self.data):,} times the value {self.data[0]}"

    @property
    def divisor(self) -> str:
        return "n − 1" if self.correction else "n"

    @cached_property
    def steps(self) -> list[PencilStep]:
        """Every operation; the last is the division."""
        tape = _Tape(format_of(self.storage))
        m2 = _naive(tape, self.data) if self.algorithm == "naive" else _two_pass(tape, self.data[0], len(self.data))
        left = len(self.data) - self.correction
        tape.note(f"variance: M2 / {left:,}", m2 / left)
        return tape.steps

    @property
    def answer(self) -> str:
        """The variance by the tape."""
        return self.steps[-1].rounded

    @property
    def exact(self) -> str:
        """The exact variance."""
        mean = Fraction(sum(self.data), len(self.data))
        squares = sum(((v - mean) ** 2 for v in self.data), Fraction(0))
        return shown(squares / (len(self.data) - self.correction))

    @property
    def again(self) -> str:
        """A Python command that asks the kernel."""
        python = f"[{self.values}]" if len(self.data) < 9 else f"[{self.data[0]}] * {len(self.data)}"
        return (
            f"import numpy as np, varkernels; x = np.array({python}, '{self.storage}').reshape(1, 1, -1); "
            f"print(varkernels.moments(x, '{self.algorithm}', '{self.storage}').variance({self.correction}))"
        )


def shown(value: Fraction) -> str:
    """An exact number in decimals where they end, else as a whole number and a fraction."""
    sign, value = ("−" if value < 0 else ""), abs(value)
    if value.denominator & (value.denominator - 1) == 0:  # a binary fraction: its decimals end
        return sign + f"{float(value):,.12f}".rstrip("0").rstrip(".")
    whole, rest = divmod(value.numerator, value.denominator)
    return f"{sign}{whole:,} {rest}/{value.denominator}" if whole else f"{sign}{rest}/{value.denominator}"


class _Tape:
    """Operations of a format: each exact on what it is given, then rounded once, to nearest, ties to even."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt
        self.steps: list[PencilStep] = []

    def rounded(self, exact: Fraction) -> Fraction:
        return Fraction(float(round_to(exact, self.fmt)))

    def note(self, what: str, exact: Fraction) -> Fraction:
        found = self.rounded(exact)
        self.steps.append(PencilStep(what, shown(exact), shown(found)))
        return found

    def repeated(self, term: Fraction, times: int, word: str) -> Fraction:
        """A running sum of equal terms, up to where it stops growing."""
        total = Fraction(0)
        for k in range(times):
            more = self.rounded(total + term)
            if more == total:
                self.steps.append(PencilStep(f"the first {k:,} {word}", shown(k * term), shown(total)))
                what = f"{shown(total)} + {shown(term)}, {times - k:,} times over"
                return self.note(what, total + term)
            total = more
        return self.note(f"all {times:,} {word}", times * term)


def _naive(tape: _Tape, values: Sequence[int]) -> Fraction:
    """M2 as `varkernels.formulas.naive` has it: sum x^2 - (sum x)^2 / n."""
    x = [Fraction(v) for v in values]
    s, q = x[0], tape.note(f"{shown(x[0])}²", x[0] * x[0])
    for value in x[1:]:
        square = tape.note(f"{shown(value)}²", value * value)
        q = tape.note(f"Σx²: {shown(q)} + {shown(square)}", q + square)
        s = tape.note(f"Σx: {shown(s)} + {shown(value)}", s + value)
    both = tape.note(f"(Σx)²: {shown(s)}²", s * s)
    share = tape.note(f"(Σx)²/n: {shown(both)} / {len(x)}", both / len(x))
    return tape.note("M2: Σx² − (Σx)²/n", q - share)


def _two_pass(tape: _Tape, value: int, times: int) -> Fraction:
    """M2 of equal values, as `varkernels.formulas.two_pass` has it: the mean, then sum (x - mean)^2."""
    s = tape.repeated(Fraction(value), times, "values, summed")
    mean = tape.note(f"mean: {shown(s)} / {times:,}", s / times)
    off = tape.note(f"{value} − {shown(mean)}", value - mean)
    square = tape.note(f"{shown(off)}²", off * off)
    return tape.repeated(square, times, f"squares of {shown(off)}, summed")


@cache
def examples() -> tuple[PencilExample, ...]:
    """A spread that vanishes, a negative variance, and a spread of equal values under the safe formula."""
    stop = 2 ** FORMATS["float32"].precision
    return (
        PencilExample(
            "lost",
            "The spread vanishes",
            (10000, 10001, 10002),
            "float32",
            "naive",
            1,
            "The squares have nine digits and the format keeps seven: what is left after the subtraction is what was "
            "rounded away before it. The larger the mean compared with the spread, the more is lost: twice as many "
            "digits as κ has.",
        ),
        PencilExample(
            "negative",
            "A variance below zero",
            (47, 47, 47),
            "float16",
            "naive",
            1,
            "Three equal values, and the difference of two roundings. A layer takes the root of this and answers NaN, "
            "or clips it to zero and divides by the root of epsilon. In float32 three times 4097 is enough: "
            f"{shown(_naive(_Tape(FORMATS['float32']), (4097,) * 3) / 2)}.",
        ),
        PencilExample(
            "stalled",
            "The safe formula, in the wrong order",
            (1,) * 4096,
            "float16",
            "two_pass",
            0,
            "Two passes, no cancellation, and still a spread among equal values: a running sum stops growing when what "
            f"is added is less than half its spacing. In float32 a sum of ones stops at {stop:,}. Sums in lanes, "
            "blocks or pairs go on.",
        ),
    )
