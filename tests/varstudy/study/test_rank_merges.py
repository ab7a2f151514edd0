"""The merges of ranks: each loses what its source makes it lose, and the kernels' own merge nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import varstudy
from varkernels.formats import FLOAT32
from varstudy.study.rank_merges import EPSILON, INPUTS, MERGES, RankRow, inputs, merge_errors


@pytest.fixture(scope="module", name="found")
def _found() -> dict[tuple[str, str], RankRow]:
    return {(row.input, row.merge): row for row in merge_errors()}


def test_a_merge_by_counts_errs_by_roundings_alone(found: dict[tuple[str, str], RankRow]) -> None:
    # The rounded means of ranks shift variances by about (u |mean|)^2 and 2 u^2 |mean| deviation, far below 1e-5.
    assert all(row.error < 1e-5 for (_, merge), row in found.items() if merge == "counts")


def test_ranks_alike_are_right_for_equal_ranks_only(found: dict[tuple[str, str], RankRow]) -> None:
    assert found["equal ranks", "ranks alike"].status == "right"
    assert found["unequal ranks", "ranks alike"].status == "wrong"


def test_sums_of_squares_lose_large_means(found: dict[tuple[str, str], RankRow]) -> None:
    assert found["mean 1000", "sums of squares"].status == "wrong"
    assert found["deviation 1e-5", "sums of squares"].status == "right"


@pytest.mark.parametrize("name", [name for name, (_, _, deviation) in INPUTS.items() if deviation < 1])
def test_inverse_deviations_lose_what_is_below_epsilon(name: str, found: dict[tuple[str, str], RankRow]) -> None:
    # 1 / i^2 - e: i is rounded once, which counts twice, 1 / i likewise, the square and e once each.
    bound = 8 * float(FLOAT32.unit_roundoff) * (1 + EPSILON / INPUTS[name][2] ** 2)
    assert bound / 100 < found[name, "inverse deviations"].error < bound


def test_our_own_merge_is_right() -> None:
    for name in INPUTS:
        parts = inputs(name)
        found = varstudy.sync_batch([part[:, :, None, None] for part in parts])
        for value, column in zip((found.m2 / found.count).tolist(), np.concatenate(parts).T.tolist(), strict=True):
            exact = [Fraction(each) for each in column]
            mean = sum(exact) / len(exact)
            var = sum((each - mean) ** 2 for each in exact) / len(exact)
            # The rows' own Welford passes err too: by less than 1e-4 at a mean of 1000 deviations.
            assert abs(Fraction(value) - var) / var < 1e-4


def test_merges_are_named() -> None:
    assert [row.merge for row in merge_errors(["counts"])] == ["counts"] * len(INPUTS)
    assert set(MERGES) == {"counts", "inverse deviations", "sums of squares", "ranks alike"}
