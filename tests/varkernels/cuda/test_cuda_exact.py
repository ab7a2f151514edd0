"""The kernel of exact sums, executed: the integers of `varkernels.exact` on hostile rows, for any grid, block and order
of threads, and the bits of `varstudy.var`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import varstudy
from varkernels import FORMATS, Format
from varkernels.cuda import moments
from varkernels.cuda.catalogue import accumulator_of, get
from varkernels.cuda.devices.ptx import Executor
from varkernels.cuda.exact_digits import layout_of
from varkernels.cuda.exact_finish import table_of
from varkernels.cuda.launch_plan import geometry_of, plan
from varkernels.exact.algorithm import ExactMoments
from varkernels.exact.table import SumTable, exact_table

FORWARDS, BACKWARDS = Executor(), Executor(reverse=True)


def hostile(fmt: Format, rows: int, n: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Rows of one length, kind after kind: random bits, subnormals, the ends of the range, ramps, ties, zeros."""
    size = fmt.dtype.itemsize
    largest, tiny = float(fmt.largest), float(fmt.smallest_subnormal)
    bits = rng.integers(0, 2 ** (8 * size), (rows, n), dtype=np.uint64).astype(f"u{size}").view(fmt.dtype)
    small = 2.0 ** (fmt.emin // 2)
    i = np.arange(n)
    with np.errstate(all="ignore"):
        kinds = [
            np.where(np.isfinite(bits.astype(np.float64)), bits.astype(np.float64), 1.0),
            rng.integers(-50, 50, (rows, n)) * tiny,
            np.where(rng.random((rows, n)) < 0.5, 1.0, small) * rng.choice([-1, 1], (rows, n)),
            np.where(rng.random((rows, n)) < 0.1, largest, tiny),
            np.broadcast_to(i * 0.125 + 64, (rows, n)),
            1 + rng.integers(0, 2, (rows, n)) * float(fmt.unit_roundoff) * 2,  # ties of every mean
            np.maximum(rng.standard_normal((rows, n)), 0),
            -(10.0 ** rng.uniform(-30, 4, (rows, n))),
            rng.standard_normal((rows, n)) + 3,
        ]
        chosen = np.stack(kinds)[np.arange(rows) % len(kinds), np.arange(rows)]
        return chosen.astype(fmt.dtype)


def sums_of(x: Any, fmt: Format, executor: Executor, blocks: int, threads: int = 0) -> SumTable:
    """The sums of rows, (rows, n), by the kernel; by blocks of `threads` threads where given."""
    view = x[np.newaxis, np.newaxis]
    made = plan(geometry_of(view), get("exact"), fmt, accumulator_of(fmt), True, most_blocks=blocks)
    parts = made.share.parts
    if threads:
        (launch,) = made.launches
        arguments = (*launch.arguments[:11], threads, *launch.arguments[12:])
        assert launch.arguments[11] == launch.block
        made = replace(made, launches=(replace(launch, block=threads, arguments=arguments),))
    digits = executor.run(made, view).reshape(len(x), parts, layout_of(fmt).count)
    return table_of(digits, np.full(len(x), x.shape[1]), fmt)


def wrong(fmt: Format, rows: int, n: int, seed: int) -> list[str]:
    """Where the kernel's integers are not those of the exact sums, whatever executes it."""
    x = hostile(fmt, rows, n, np.random.default_rng([seed, n]))
    want = list(exact_table(x[np.newaxis]))
    found = []
    for name, executor in (("forwards", FORWARDS), ("backwards", BACKWARDS)):
        for blocks, threads in ((65535, 0), (3, 0), (65535, 32), (7, 256)):
            got = list(sums_of(x, fmt, executor, blocks, threads))
            found += [f"{name} {blocks} {threads} {n}: row {r}" for r in range(rows) if got[r] != want[r]]
    return found


@pytest.mark.parametrize("storage", FORMATS)
@pytest.mark.parametrize("n", [1, 3, 49, 100, 515])
def test_hostile_rows_have_their_exact_sums(storage: str, n: int) -> None:
    assert wrong(FORMATS[storage], 27, n, 1) == []


@pytest.mark.parametrize("storage", FORMATS)
def test_rows_of_several_blocks(storage: str) -> None:
    assert wrong(FORMATS[storage], 9, 20_000, 2) == []


@pytest.mark.long
@pytest.mark.parametrize("storage", FORMATS)
def test_ten_thousand_hostile_rows(storage: str) -> None:
    counted = 0
    for seed in range(3, 8):
        for n in (2, 7, 49, 64, 131, 515, 2048):
            assert wrong(FORMATS[storage], 300, n, seed) == []
            counted += 300
    assert counted >= 10_000


@pytest.mark.parametrize("storage", FORMATS)
def test_the_sums_are_those_of_fractions(storage: str) -> None:
    """Next to the exact sums of the CPU, by rational numbers alone."""
    fmt = FORMATS[storage]
    x = hostile(fmt, 18, 37, np.random.default_rng(5))
    for row, sums in zip(x, sums_of(x, fmt, BACKWARDS, 65535), strict=True):
        exact = [Fraction(float(value)) for value in row]
        assert Fraction(sums.s1) * Fraction(2) ** sums.exponent == sum(exact)
        assert Fraction(sums.s2) * Fraction(4) ** sums.exponent == sum(value * value for value in exact)


@pytest.mark.parametrize("storage", FORMATS)
def test_the_bits_of_varstudy_var(storage: str) -> None:
    fmt = FORMATS[storage]
    x = hostile(fmt, 45, 131, np.random.default_rng(6))
    with np.errstate(all="ignore"):
        for correction in (0, 1):
            want = varstudy.var(x, axis=1, correction=correction)
            got = sums_of(x, fmt, FORWARDS, 5).variances((correction, 1), fmt, set())
            assert got.astype(fmt.dtype).tobytes() == want.tobytes()


def test_moments_are_rounded_once_and_special_values_are_counted() -> None:
    x = np.float32([[1, np.nan, 2], [np.inf, -np.inf, np.inf], [10000, 10001, 10002]])[np.newaxis]
    found = moments(x, "exact", device=BACKWARDS)
    assert isinstance(found, ExactMoments)
    assert found.variance()[2] == np.float32(2 / 3)
    assert np.isnan(found.mean[:2]).all()
    assert [found.sums[r].nan for r in range(3)] == [1, 0, 0]
    assert (found.sums[1].posinf, found.sums[1].neginf) == (2, 1)


def test_strides_and_alignment_change_nothing() -> None:
    for fmt in FORMATS.values():
        x = hostile(fmt, 9, 96, np.random.default_rng(8)).reshape(9, 4, 24).transpose(1, 0, 2)
        want = list(exact_table(x))
        room = np.zeros((4, 9, 30), fmt.dtype)
        room[:, :, 1:25] = x
        for view in (x, room[:, :, 1:25], np.asfortranarray(x), np.ascontiguousarray(x)[::-1]):
            found = moments(view, "exact", device=FORWARDS)
            assert isinstance(found, ExactMoments)
            assert list(found.sums) == want
