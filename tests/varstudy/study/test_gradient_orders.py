"""The study's orders on the gradients of scale and shift."""

from __future__ import annotations

from varstudy.study.gradient_orders import order_errors


def test_a_row_for_each_array_order_and_length() -> None:
    found = order_errors([256, 1024], ["running", "pairwise"], ["float16"])
    assert [(row.array, row.order, row.rows) for row in found] == [
        (array, order, rows)
        for rows in (256, 1024)
        for order in ("running", "pairwise")
        for array in ("dweight", "dbias")
    ]
    assert all(row.stored <= row.error <= row.bound for row in found)
    long = {(row.array, row.order): row for row in found if row.rows == 1024}
    assert all(long[array, "pairwise"].error < long[array, "running"].error for array in ("dweight", "dbias"))
