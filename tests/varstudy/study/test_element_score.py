"""Arrays of answers compared with exact ones: units, range, and what a whole array is worth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import varstudy
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FORMATS
from varkernels.norms.answers import ExactArray
from varkernels.rounding import ulp
from varstudy.study.element_score import score_elements, units
from varstudy.study.score import Status


def exact(values: Any, fmt: Any = FLOAT16) -> ExactArray:
    high = np.array(values, np.float64)
    return ExactArray(fmt.rounded(high), high, np.zeros_like(high), fmt)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_the_unit_is_half_an_ulp(fmt: Any) -> None:
    values = np.array([0, 1, 1.5, -2, 3.99, float(fmt.smallest_normal), float(fmt.smallest_subnormal) * 1.5])
    assert units(values, fmt).tolist() == [float(ulp(value, fmt) / 2) for value in values]


def test_correctly_rounded_answers_cost_what_storing_costs() -> None:
    x = np.random.default_rng(1).normal(3, 1, size=(20, 50)).astype(np.float16)
    true = varstudy.norm_forward(x)
    found = score_elements(true, true.rounded, FLOAT16)
    assert found.status is Status.RIGHT
    assert (found.elements, found.out_of_range, found.not_finite) == (1000, 0, 0)
    assert 0.9 < found.units_worst <= 1
    assert 0.3 < found.units_median < 0.7
    assert found.error == found.stored > 0


def test_the_largest_error_is_shown_relative_to_the_largest_value() -> None:
    found = score_elements(exact([4.0, -8, 0.5]), [4.5, -8, 0.25], FLOAT16)
    assert (found.error, found.status) == (0.0625, Status.INACCURATE)
    assert (found.computed, found.exact) == (4.5, 4.0)
    assert found.units_worst == 0.25 / 2.0**-12
    assert found.units_median == 0.5 / 2.0**-9
    assert score_elements(exact([4.0, -8]), [4.9, -8], FLOAT16).status is Status.WRONG
    assert score_elements(exact([0.0, 0.0]), [0.0, 0.0], FLOAT16).status is Status.RIGHT
    assert score_elements(exact([0.0, 0.0]), [0.0, 1.0], FLOAT16).error == math.inf


def test_range_is_apart_from_rounding() -> None:
    found = score_elements(exact([1.0, 1e6, 2.0]), [1.0, np.inf, 2.0], FLOAT16)
    assert (found.elements, found.out_of_range, found.not_finite, found.status) == (2, 1, 0, Status.RIGHT)
    found = score_elements(exact([1.0, 2.0]), [np.nan, 2.0], FLOAT16)
    assert (found.not_finite, found.status, found.error, found.exact) == (1, Status.WRONG, math.inf, 1.0)
    assert found.units_worst == 0
    assert score_elements(exact([1e6]), [np.inf], FLOAT16).status is Status.OUT_OF_RANGE
    assert score_elements(exact([np.nan]), [1.0], FLOAT16).status is Status.NOT_FINITE


def test_other_shapes_and_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        score_elements(exact([1.0]), [1.0, 2.0], FLOAT16)
    with pytest.raises(ValueError, match="rounded to float16"):
        score_elements(exact([1.0]), [1.0], FLOAT32)
    assert score_elements(exact([1.0], BFLOAT16), [1.0], BFLOAT16).error == 0
