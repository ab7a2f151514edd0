"""What can go wrong, in three numbers that anyone can check with a pencil: each operation exact, then rounded.

The tapes are rational arithmetic, rounded after each operation; that the kernels answer the same bits is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

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
    """Values whose variance goes wrong in a few operations.

    Attributes
    ----------
    answer, exact : the variance by the tape, and the exact one. again : a Python command that asks the kernel.
    """

    key: str
    title: str
    values: str
    storage: str
    algorithm: str
    divisor: str
    steps: tuple[PencilStep, ...]
    answer: str
    exact: str
    again: str
    moral: str


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


def _exact(values: Sequence[int], correction: int) -> Fraction:
    mean = Fraction(sum(values), len(values))
    return sum(((v - mean) ** 2 for v in values), Fraction(0)) / (len(values) - correction)


def _finish(
    key: str, title: str, data: tuple[Sequence[int], str], fmt: str, algorithm: str, correction: int, moral: str
) -> PencilExample:
    values, words = data
    tape = _Tape(format_of(fmt))
    m2 = _naive(tape, values) if algorithm == "naive" else _two_pass(tape, values[0], len(values))
    left = len(values) - correction
    variance = tape.note(f"variance: M2 / {left:,}", m2 / left)
    python = f"[{words}]" if len(values) < 9 else f"[{values[0]}] * {len(values)}"
    return PencilExample(
        key=key,
        title=title,
        values=words,
        storage=fmt,
        algorithm=algorithm,
        divisor="n − 1" if correction else "n",
        steps=tuple(tape.steps),
        answer=shown(variance),
        exact=shown(_exact(values, correction)),
        again=(
            f"import numpy as np, varkernels; x = np.array({python}, '{fmt}').reshape(1, 1, -1); "
            f"print(varkernels.moments(x, '{algorithm}', '{fmt}').variance({correction}))"
        ),
        moral=moral,
    )


def _in_words(values: Sequence[int]) -> tuple[Sequence[int], str]:
    return values, ", ".join(map(str, values))


@cache
def examples() -> tuple[PencilExample, ...]:
    """A spread that vanishes, a negative variance, and a spread of equal values under the safe formula."""
    ones = 4096
    stop = 2 ** FORMATS["float32"].precision
    return (
        _finish(
            "lost",
            "The spread vanishes",
            _in_words((10000, 10001, 10002)),
            "float32",
            "naive",
            1,
            "The squares have nine digits and the format keeps seven: what is left after the subtraction is what was "
            "rounded away before it. The larger the mean compared with the spread, the more is lost: twice as many "
            "digits as κ has.",
        ),
        _finish(
            "negative",
            "A variance below zero",
            _in_words((47, 47, 47)),
            "float16",
            "naive",
            1,
            "Three equal values, and the difference of two roundings. A layer takes the root of this and answers NaN, "
            "or clips it to zero and divides by the root of epsilon. In float32 three times 4097 is enough: "
            f"{shown(_naive(_Tape(FORMATS['float32']), (4097,) * 3) / 2)}.",
        ),
        _finish(
            "stalled",
            "The safe formula, in the wrong order",
            ((1,) * ones, f"{ones:,} times the value 1"),
            "float16",
            "two_pass",
            0,
            "Two passes, no cancellation, and still a spread among equal values: a running sum stops growing when what "
            f"is added is less than half its spacing. In float32 a sum of ones stops at {stop:,}. Sums in lanes, "
            "blocks or pairs go on.",
        ),
    )
