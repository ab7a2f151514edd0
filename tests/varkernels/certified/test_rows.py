"""Certified answers are the correctly rounded ones, by integers: every format, layout, correction and family."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from varkernels.certified.first import HAS_NAN, Asked, certified_rows, swept
from varkernels.certified.rates import families, table
from varkernels.exact.table import exact_table
from varkernels.formats import FLOAT32, FLOAT64, FORMATS, Format
from varkernels.threads import WORTHWHILE, set_threads

Floats = NDArray[np.float64]
WANTS = ("mean", "var", "std")
# Population, Bessel, a half, the float 0.1, and a third, which no float is.
CORRECTIONS = ((0, 1), (1, 1), (1, 2), (3602879701896397, 2**55), (1, 3))


def layouts(x: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Views (blocks, segments, rows, length) of one table of rows, for each kernel."""
    yield "rows", x[np.newaxis, np.newaxis]
    yield "columns", np.ascontiguousarray(x.T)[np.newaxis, :, :, np.newaxis]
    yield "every other value", np.repeat(x, 2, axis=1)[:, ::2][np.newaxis, np.newaxis]
    if x.shape[1] % 3 == 0:
        cut = x.reshape(len(x), 3, -1)
        yield "segments", np.ascontiguousarray(cut.transpose(1, 0, 2))[np.newaxis]
        yield "columns in segments", np.ascontiguousarray(cut.transpose(1, 2, 0)).transpose(0, 2, 1)[np.newaxis]


def expected(x: NDArray[Any], ratio: tuple[int, int], fmt: Format) -> tuple[dict[str, Floats], set[str]]:
    """The answers of integers, and what there is to warn of."""
    table, notes = exact_table(x[np.newaxis]), set[str]()
    answers = {"mean": table.means(fmt, notes), "var": table.variances(ratio, fmt, notes)}
    answers["std"] = table.stds(ratio, fmt, notes)
    return {want: values.astype(np.float64) for want, values in answers.items()}, notes


def assert_same(found: Floats, right: Floats, what: Any) -> None:
    same = (found == right) & (np.signbit(found) == np.signbit(right)) | (np.isnan(found) & np.isnan(right))
    places = np.flatnonzero(~same)
    assert not len(places), (what, places[:5], found[places[:5]], right[places[:5]])


def check(rng: np.random.Generator, storage: Format, rows: int, n: int) -> int:
    """Compare every family's rows, for every correction, result format and layout; how many rows they are."""
    compared = 0
    for name, values in families(rng, rows, n):
        with np.errstate(all="ignore"):
            x = storage.rounded(values)
        compared += rows
        for ratio in CORRECTIONS:
            for fmt in {storage, *((FLOAT32, FLOAT64) if ratio[0] < 2 else ())}:
                right, warnings = expected(x, ratio, fmt)
                for layout, view in layouts(x):
                    notes: set[str] = set()
                    found = certified_rows(view, None, storage, Asked(WANTS, ratio, fmt), notes)
                    assert found is not None
                    for row, want in enumerate(WANTS):
                        assert_same(found[0][row], right[want], (name, n, ratio, str(fmt), layout, want))
                    assert notes - {HAS_NAN} == warnings, (name, n, ratio, str(fmt), layout)
    return compared


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13, 31, 96, 257])
@pytest.mark.parametrize("storage", FORMATS.values(), ids=str)
def test_every_answer_is_that_of_integers(storage: Format, n: int) -> None:
    assert check(np.random.default_rng(n), storage, 530, n) > 9_500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_ten_million_rows(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    rows = 0
    while rows < 250_000:
        storage = list(FORMATS.values())[int(rng.integers(len(FORMATS)))]
        rows += check(rng, storage, 200, int(rng.integers(1, 150)))


@pytest.mark.parametrize("storage", FORMATS.values(), ids=str)
def test_a_long_row_and_the_cuts_of_it(storage: Format) -> None:
    """Blocks, what is left of them, segments, and several threads."""
    rng = np.random.default_rng(5)
    with np.errstate(all="ignore"):
        x = storage.rounded(rng.standard_normal(3 * WORTHWHILE // 2 + 12) + 3.0)
    right, _ = expected(x.reshape(1, -1), (1, 1), storage)
    half = x.reshape(1, 12, 1, -1)
    for view in (x.reshape(1, 1, 1, -1), half, x.reshape(1, 2, 1, -1)):
        for threads in (1, 2):
            set_threads(threads)
            try:
                found = certified_rows(view, None, storage, Asked(WANTS, (1, 1), storage), set())
            finally:
                set_threads(None)
            assert found is not None
            for row, want in enumerate(WANTS):
                assert_same(found[0][row], right[want], (view.shape, threads, want))


@pytest.mark.parametrize("storage", [FLOAT32, FLOAT64], ids=str)
def test_columns_longer_than_their_sums_are_kept(storage: Format) -> None:
    x = storage.rounded(np.random.default_rng(6).standard_normal((10_000, 11)) + 100.0)
    right, _ = expected(np.ascontiguousarray(x.T), (0, 1), storage)
    found = certified_rows(x[np.newaxis, :, :, np.newaxis], None, storage, Asked(WANTS, (0, 1), storage), set())
    assert found is not None
    for row, want in enumerate(WANTS):
        assert_same(found[0][row], right[want], want)


@pytest.mark.parametrize("storage", FORMATS.values(), ids=str)
@pytest.mark.parametrize("omit", [False, True])
def test_a_mask_and_omitted_values(storage: Format, omit: bool) -> None:
    """Each row's own count decides its divisor; a row may be left with no value, or with equal ones."""
    rng = np.random.default_rng(7)
    for name, values in families(rng, 24, 18):
        with np.errstate(all="ignore"):
            x = storage.rounded(values)
        mask = rng.random(x.shape) < rng.random((24, 1))
        mask[0] = False
        for ratio in CORRECTIONS:
            found = certified_rows(
                x[np.newaxis, np.newaxis],
                mask[np.newaxis, np.newaxis],
                storage,
                Asked(WANTS, ratio, storage, omit=omit),
                set(),
            )
            assert found is not None
            assert found[1] is not None
            for r, (line, counts) in enumerate(zip(x, mask, strict=True)):
                kept = line[counts & ~np.isnan(line.astype(np.float64))] if omit else line[counts]
                assert found[1][r] == len(kept)
                right, _ = expected(kept.reshape(1, -1), ratio, storage)
                for row, want in enumerate(WANTS):
                    assert_same(found[0][row, r : r + 1], right[want], (name, ratio, r, want))


@pytest.mark.parametrize("storage", FORMATS.values(), ids=str)
def test_values_that_cancel_at_the_start_of_a_row_are_no_tiny_values(storage: Format) -> None:
    """The shift is the mean of the first 16, here 0: the first pass decides the row all the same."""
    x = np.concatenate([np.resize([1.0, -1.0], 16), np.random.default_rng(9).standard_normal(1000)])
    view = storage.rounded(x).reshape(1, 1, 1, -1)
    found = swept(view, storage, Asked(("var",), (0, 1), storage))
    assert found is not None
    assert found[1] == 0


def midpoint_rows(fmt: Format, rows: int, rng: np.random.Generator) -> tuple[NDArray[Any], list[Fraction]]:
    """Rows (a, a, ..., b) whose variance lies exactly halfway between two numbers of the format."""
    found, variances = [], []
    while len(found) < rows:
        gap = int(rng.integers(1, 2 ** (fmt.precision // 2 + 2)))
        n = 2 ** int(rng.integers(1, 5))
        exact = Fraction(gap**2 * (n - 1), n * n)
        bits = exact.numerator // (exact.numerator & -exact.numerator)
        if bits.bit_length() == fmt.precision + 1:
            found.append(np.array([0.0] * (n - 1) + [float(gap)] + [np.nan] * (16 - n)))
            variances.append(exact)
    return fmt.rounded(np.array(found)), variances


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_a_tie_goes_to_even_and_a_neighbour_of_it_does_not(fmt: Format) -> None:
    rng = np.random.default_rng(8)
    x, variances = midpoint_rows(fmt, 40, rng)
    asked = Asked(("var",), (0, 1), fmt, omit=True)
    found = certified_rows(x[np.newaxis, np.newaxis], None, fmt, asked, set())
    assert found is not None
    for got, exact in zip(found[0][0], variances, strict=True):
        step = 2 * abs(Fraction(float(got)) - exact)
        even = Fraction(float(got)) / step
        assert step > 0
        assert even.denominator == 1, (got, exact)
        assert even % 2 == 0, (got, exact)


def test_the_committed_rates_of_undecided_rows_are_measured() -> None:
    """Within what the last bits of another machine's exp and pow change."""
    page = Path(__file__).resolve().parents[3] / "docs" / "undecided.md"
    lines = [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]
    measured = table().splitlines()
    assert lines[:2] == measured[:2]
    assert len(lines) == len(measured) > 15
    for committed, line in zip(lines[2:], measured[2:], strict=True):
        (name, *there), (also, *here) = (re.split(r" *\| *", each.strip("| ")) for each in (committed, line))
        assert name == also
        assert [float(cell) for cell in here] == pytest.approx([float(cell) for cell in there], rel=0.05, abs=0.5), name
