"""Gradients of scale and shift in an order: the sums as numpy makes them step by step, and their bounds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import varstudy
from varkernels.norms.ordered import ordered_gradients, ordered_sums


def columns(rows: int, dtype: Any, mean: float = 0.1) -> Any:
    return (np.random.default_rng(rows).normal(size=(rows, 3)) * 0.5 + mean).astype(dtype)


def step_by_step(terms: Any, order: str) -> Any:
    if order == "running":
        total = np.zeros(terms.shape[1], terms.dtype)
        for row in terms:
            total = total + row
        return total
    while len(terms) > 1:
        even = len(terms) // 2 * 2
        terms = np.concatenate([terms[0:even:2] + terms[1:even:2], terms[even:]])
    return terms[0]


@pytest.mark.parametrize("order", ["running", "pairwise"])
def test_the_sum_is_that_of_the_order(order: str) -> None:
    for rows in (1, 64, 300):
        terms = columns(rows, np.float16)
        found = ordered_sums(terms, order, "float16")
        assert found.values.dtype == np.float16
        if rows != 300 or order == "running":
            np.testing.assert_array_equal(found.values, step_by_step(terms, order))
        exact = [math.fsum(column) for column in terms.astype(np.float64).T]
        assert (np.abs(found.values.astype(np.float64) - exact) <= found.bound).all()


def test_bounds_hold_and_grow_with_the_chain() -> None:
    x, dy = columns(300, np.float16, 2), columns(300, np.float16)
    exact = varstudy.norm_backward(x, dy, "layer")
    limits = []
    for order in ("pairwise", "running"):
        for found, true in zip(ordered_gradients(x, dy, order=order, accumulator="float16"),
                               (exact.dweight, exact.dbias), strict=True):  # fmt: skip
            assert (np.abs(found.values.astype(np.float64) - true.high) <= found.bound).all()
            limits.append(float(found.bound.max()))
    assert limits[0] < limits[2]
    assert limits[1] < limits[3]


def test_a_bound_is_phi_of_the_additions() -> None:
    terms = np.ones((64, 1), np.float16)
    for order, steps in (("running", 64), ("pairwise", 7)):
        phi = (1 + Fraction(1, 2**11)) ** steps - 1
        assert ordered_sums(terms, order, "float16").bound[0] == pytest.approx(float(phi * 64), rel=1e-6)
    assert ordered_sums(terms * 2048, "running", "float16").bound[0] == np.inf


def test_bad_input_has_a_sentence() -> None:
    table = np.ones((4, 3), np.float32)
    with pytest.raises(ValueError, match="give a table"):
        ordered_sums(table[0])
    with pytest.raises(ValueError, match="two tables of one shape"):
        ordered_gradients(table, table[:2])
    with pytest.raises(ValueError, match="give an accumulator that holds dy"):
        ordered_gradients(table, table, accumulator="float16")
    with pytest.raises(ValueError, match="order 'zigzag' is unknown"):
        ordered_sums(table, "zigzag")
