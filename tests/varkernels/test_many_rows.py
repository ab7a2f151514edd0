"""varstudy.var against rationals on 100,000 rows, and on a million with ``-m long``: each answer is held against its
two neighbours in the format, by no rounding function at all."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import varstudy
from varkernels import FORMATS
from varkernels.formats import Format

KINDS = ("any", "narrow", "subnormal", "ends", "offset", "constant", "zeros")


def rows(fmt: Format, kind: str, count: int, length: int, seed: int) -> Any:
    """Finite rows of a kind: any bit patterns, close ones, subnormal numbers, the ends of the range, large means."""
    rng = np.random.default_rng([seed, length, KINDS.index(kind)])
    size, p = fmt.dtype.itemsize, fmt.precision
    top = fmt.emax - fmt.emin + 2
    low, high = {"any": (0, top), "narrow": (top // 2 - 2, top // 2 + 2), "subnormal": (0, 2)}.get(kind, (0, top))
    if kind == "ends":
        exponents = rng.choice([0, 1, top // 2, top - 2, top - 1], (count, length))
    else:
        exponents = rng.integers(low, high, (count, length))
    fractions = rng.integers(0, 2 ** (p - 1), (count, length))
    if kind in ("offset", "constant"):
        exponents[:] = exponents[:, :1]
        fractions = fractions[:, :1] + rng.integers(0, 4 if kind == "offset" else 1, (count, length))
        fractions &= 2 ** (p - 1) - 1
    if kind == "zeros":
        exponents[rng.random((count, length)) < 0.7] = 0
        fractions[exponents == 0] = 0
    signs = rng.integers(0, 2, (count, length)) * (kind not in ("offset", "constant"))
    bits = (signs.astype(np.uint64) << np.uint64(8 * size - 1)) | (exponents.astype(np.uint64) << np.uint64(p - 1))
    return (bits | fractions.astype(np.uint64)).astype(f"u{size}").view(fmt.dtype)


def nearest(answer: Any, exact: Fraction, fmt: Format) -> bool:
    """Whether no number of the format is nearer to an exact one, and none as near has an even significand instead."""
    if math.isinf(answer):
        return exact >= fmt.largest + (fmt.largest * fmt.unit_roundoff) / (2 - 2 * fmt.unit_roundoff)
    value = Fraction(float(answer))
    off = abs(value - exact)
    for end in (-math.inf, math.inf):
        other = float(np.nextafter(answer, fmt.dtype.type(end)))
        away = abs((Fraction(other) if math.isfinite(other) else 2 * fmt.largest) - exact)
        if away < off or (away == off and int(answer.view(f"u{fmt.dtype.itemsize}")) & 1):
            return False
    return True


def check(fmt: Format, per_kind: int, seed: int) -> int:
    done = 0
    for kind in KINDS:
        for length, correction in ((1, 0), (2, 1), (3, 0.5), (5, 0)):
            x = rows(fmt, kind, per_kind // 4, length, seed)
            with np.errstate(all="ignore"):
                answers = varstudy.var(x, axis=1, correction=correction)
            assert answers.dtype == fmt.dtype
            divisor = length * (length - Fraction(correction))
            for row, answer in zip(x.astype(np.float64).tolist(), answers, strict=True):
                ratios = [v.as_integer_ratio() for v in row]
                scale = max(q for _, q in ratios)
                integers = [a * (scale // q) for a, q in ratios]
                s1, s2 = sum(integers), sum(i * i for i in integers)
                assert nearest(answer, Fraction(length * s2 - s1 * s1, scale * scale) / divisor, fmt), (kind, row)
            done += len(x)
    return done


SIZES = [
    pytest.param(3600, id="100,000 rows"),
    pytest.param(36_000, id="a million rows", marks=pytest.mark.long),
]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
@pytest.mark.parametrize("per_kind", SIZES)
def test_every_answer_is_the_nearest_number(fmt: Format, per_kind: int) -> None:
    assert check(fmt, per_kind, seed=per_kind) == 7 * per_kind  # of four formats together 100,800 or 1,008,000


def test_the_check_itself_sees_a_wrong_last_bit() -> None:
    for fmt in FORMATS.values():
        exact = Fraction(10, 3)
        near = fmt.dtype.type(float(exact))
        assert nearest(near, exact, fmt)
        assert not nearest(np.nextafter(near, fmt.dtype.type(9)), exact, fmt)
        step = fmt.unit_roundoff * 2
        assert nearest(fmt.dtype.type(1), 1 + step / 2, fmt)  # a tie: to even
        assert not nearest(fmt.dtype.type(float(1 + step)), 1 + step / 2, fmt)
        assert nearest(fmt.dtype.type(math.inf), 2 * fmt.largest, fmt)
        assert not nearest(fmt.dtype.type(math.inf), fmt.largest, fmt)
