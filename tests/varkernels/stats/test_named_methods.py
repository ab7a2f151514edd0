"""Every named method warns, and obeys numpy.errstate, as the exact answers do; what they answer at float64's end."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import varstudy

METHODS = [name for name in varstudy.algorithms() if not name.startswith("shifted/") and name != "shifted"]
METHODS.append("exact")
methods = pytest.mark.parametrize("method", METHODS)
INF = math.inf


def warned(function: Any, x: Any, **options: Any) -> set[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(x, **options)
    return {str(each.message) for each in caught}


@methods
def test_an_overflow_warns(method: str) -> None:
    half, double = np.array([60000, -60000], dtype=np.float16), np.array([1e200, -1e200, 1e200])
    for x in (half, double):
        for function in (varstudy.var, varstudy.mean_var):
            assert warned(function, x, method=method) == {"overflow encountered in reduce"}
            with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
                function(x, method=method)
            with np.errstate(over="ignore"):
                assert warned(function, x, method=method) == set()
    rows = np.array([[1e200, -1e200], [1.0, INF], [1.0, 2.0]])
    assert warned(varstudy.var, rows, axis=1, method=method) == {
        "overflow encountered in reduce",
        "invalid value encountered in subtract",
    }
    assert "overflow encountered in reduce" in warned(
        varstudy.var, [1e200, -1e200, INF], where=[True, True, False], method=method
    )


@methods
def test_an_infinity_warns(method: str) -> None:
    subtract, reduce = "invalid value encountered in subtract", "invalid value encountered in reduce"
    for function in (varstudy.var, varstudy.std):
        assert warned(function, [1.0, INF], method=method) == {subtract}
        with np.errstate(invalid="raise"), pytest.raises(FloatingPointError, match=subtract):
            function([1.0, INF], method=method)
        with np.errstate(invalid="ignore"):
            assert warned(function, [1.0, INF], method=method) == set()
        assert warned(function, [1.0, INF, math.nan], method=method) == set()
        assert warned(function, [1.0, 2.0, INF], where=[True, True, False], method=method) == set()
    assert warned(varstudy.mean, [INF, -INF, 1.0], method=method) == {reduce}
    assert warned(varstudy.mean, [math.nan, 1.0], method=method) == set()


@methods
def test_ordinary_values_do_not_warn(method: str) -> None:
    x = np.random.default_rng(0).normal(size=(5, 40))
    assert warned(varstudy.mean_var, x, axis=1, method=method, correction=1) == set()


def test_the_exact_method_is_right_at_the_end_of_the_range() -> None:
    assert varstudy.var(np.full(10**6, 1e303)) == 0
    assert varstudy.mean([1.7e308] * 2) == 1.7e308
    assert varstudy.std([1e300, -1e300]) == 1e300


def test_reliability_weights_are_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match="give integers, how often each value is there"):
        varstudy.var([1.0, 2, 3], weights=[0.1, 0.2, 0.6])
