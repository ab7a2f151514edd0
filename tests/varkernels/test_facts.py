"""What a formula declares of itself, and what is counted from its verbs."""

from __future__ import annotations

import varkernels
from varkernels import FORMULAS
from varkernels.formulas import EVERY, Cost

# By hand, from the recurrences: reads, operations, divisions, state.
COSTS = {
    "naive": (1, 3, 0, 2),  # s + x; q + x x
    "shifted": (1, 4, 0, 3),  # x - c; s + d; q + d d
    "shifted_first": (1, 4, 0, 3),
    "two_pass": (2, 4, 0, 2),  # s + x | x - c; q + d d
    "corrected_two_pass": (2, 5, 0, 3),  # s + x | x - c; s + d; q + d d
    "youngs_cramer": (1, 7, 1, 2),  # t + x; k x - t; M2 + d d / (k (k - 1))
    "welford": (1, 6, 1, 2),  # x - mean; mean + d / n; M2 + d (x - mean)
    "west": (1, 6, 1, 2),  # x - mean; d / n; mean + r; M2 + (n - 1) d r
    "chan": (1, 6, 1, 2),
    "chan_weighted": (1, 6, 1, 2),
    "fast": (1, 4, 0, 2),  # of 16 values 63, and 9 to merge them, two of all these quotients: rounded
    "chan_reciprocal": (1, 7, 1, 2),  # a product and a quotient where chan has a quotient
    "kahan_two_pass": (2, 10, 0, 3),  # 4 | x - c; d d; 4
    "neumaier_two_pass": (2, 16, 0, 3),  # 6 + 1 | x - c; d d; 6 + 1
    # 6 + 1 + 3 | 6 + 1 + 3; 2; d dd; 6 + 6 + 1 + 3 + 1 + 3; t + t; r + 2 t
    "double_double": (2, 45, 0, 4),
}


def test_every_cost_is_that_of_the_recurrence() -> None:
    assert {name: formula.cost for name, formula in EVERY.items()} == {n: Cost(*c) for n, c in COSTS.items()}


def test_an_algorithm_has_the_facts_of_its_formula() -> None:
    for algorithm in varkernels.algorithms().values():
        if algorithm.parts:
            formula = algorithm.parts[0]
            assert algorithm.cost == formula.cost
            assert (algorithm.reads, algorithm.operations, algorithm.state) == (
                formula.cost.reads,
                formula.cost.operations,
                formula.cost.state,
            )
            assert algorithm.merges == formula.mergeable
            assert algorithm.bound is formula.bound is not None


def test_exact_has_facts_too() -> None:
    found = varkernels.get("exact")
    assert (found.reads, found.operations, found.state, found.merges) == (1, 33, 534, True)
    assert not found.difference
    assert found.bound is not None


def test_which_m2_is_a_difference() -> None:
    assert [name for name, f in FORMULAS.items() if f.difference] == ["naive", "shifted_first", "shifted"]
    assert [name for name, f in FORMULAS.items() if f.needs_centre] == ["shifted"]


def test_unknown_facts_are_none() -> None:
    theirs = varkernels.Algorithm("t", "t", "t", run=lambda view, centre, accumulator: (view, view))
    assert (theirs.reads, theirs.operations, theirs.state, theirs.bound) == (None, None, None, None)
    assert not theirs.merges
