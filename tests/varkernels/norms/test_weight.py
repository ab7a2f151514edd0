"""Weight normalisation: exact outputs against another way to compute them, and norms in their orders."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import varstudy
from varkernels.formats import FORMATS
from varkernels.norms.vector_norms import ORDERS, ordered_norms
from varkernels.norms.weight import exact_norms
from varkernels.rounding import round_to
from varstudy.study.norm_orders import inputs, norm_errors


@pytest.mark.parametrize("storage", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("floor", [False, True])
def test_every_element_is_correctly_rounded(storage: str, floor: bool) -> None:
    fmt = FORMATS[storage]
    v = fmt.rounded(np.random.default_rng(3).standard_normal((3, 5)))
    g = fmt.rounded(np.array([1.5, -2, 0.25]))
    found = varstudy.weight_norm_forward(v, g, epsilon=0.3, floor=floor)
    with mpmath.workprec(2000):
        for row, values in enumerate(v.astype(np.float64).tolist()):
            s = mpmath.fsum(mpmath.mpf(value) ** 2 for value in values)
            divisor = mpmath.sqrt(max(s, mpmath.mpf(0.3)) if floor else s + mpmath.mpf(0.3))
            assert found.norms.rounded[row, 0] == round_to(mpmath.sqrt(s), fmt)
            expected = [round_to(mpmath.mpf(float(g[row])) * value / divisor, fmt) for value in values]
            assert found.w.rounded[row].tolist() == [float(value) for value in expected]


def test_the_kept_axis() -> None:
    v = np.random.default_rng(4).standard_normal((2, 3, 4))
    last = varstudy.weight_norm_forward(v, axis=-1)
    first = varstudy.weight_norm_forward(np.moveaxis(v, -1, 0))
    assert last.norms.rounded.shape == (1, 1, 4)
    assert np.moveaxis(last.w.rounded, -1, 0).tobytes() == first.w.rounded.tobytes()
    whole = varstudy.weight_norm_forward(v, axis=None)
    assert whole.norms.rounded.shape == (1, 1, 1)
    assert np.isclose((whole.w.rounded**2).sum(), 1, rtol=1e-12)


def test_range_and_slices_without_an_answer() -> None:
    v = np.array([[3 * 2.0**-900, 2.0**-898], [3 * 2.0**900, 2.0**902], [0, 0], [np.nan, 1]])
    found = varstudy.weight_norm_forward(v)
    assert found.w.rounded[:2].tolist() == [[0.6, 0.8]] * 2
    assert np.isnan(found.w.rounded[2:]).all()
    assert np.isnan(found.norms.rounded[3, 0])
    assert varstudy.weight_norm_forward(v[2:3], epsilon=1e-12).w.rounded.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("more", "words"),
    [({"axis": 2}, "axis is 2"), ({"epsilon": -1}, "epsilon is -1"), ({"g": [1, 2, 3]}, "g has 3 values"),
     ({"g": np.inf}, "g is inf")],
)  # fmt: skip
def test_bad_parameters_are_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        varstudy.weight_norm_forward(np.ones((2, 3)), **more)


@pytest.mark.parametrize("accumulator", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("order", ORDERS)
def test_errors_stay_within_their_bounds(order: str, accumulator: str) -> None:
    fmt = FORMATS[accumulator]
    for v in inputs(fmt).values():
        for rows in (v[:, :7], v[:, :40]):
            exact = exact_norms(rows)
            found = ordered_norms(rows, order=order, accumulator=fmt)
            with np.errstate(invalid="ignore"):
                error = np.abs((found.values.astype(np.float64) - exact.high) - exact.low) / exact.high
            known = np.isfinite(found.bound)
            assert (error[known] <= found.bound[known]).all()
            normal = exact.high >= 2 * float(fmt.smallest_normal)
            assert order != "largest first" or known[normal].all()


def test_the_study_shows_what_range_does() -> None:
    found = {(row.input, row.order): row for row in norm_errors(accumulators=["float32"])}
    for name in ("tiny", "large"):
        assert {order: found[name, order].status == "wrong" for order in ORDERS} == {
            "running": True, "pairwise": True, "scaled": False, "largest first": False,
        }  # fmt: skip
    assert all(row.status == "right" for (_, order), row in found.items() if order == "largest first")
    assert found["large", "running"].not_finite == found["tiny", "running"].zero == 4


def test_what_norms_do_not_take() -> None:
    for more, words in (
        ({"order": "tree"}, "order='tree'"),
        ({"accumulator": "float16"}, "give a format up to float32"),
    ):
        with pytest.raises(ValueError, match=words):
            ordered_norms(np.ones((1, 2), np.float32), **more)
    with pytest.raises(ValueError, match="give a table"):
        ordered_norms(np.ones(2, np.float32))
