"""A replaced norm with exact statistics is the exact layer; with others it loses what its formula and format lose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varkernels.formats import BFLOAT16, FLOAT16
from varkernels.norms.forward import norm_forward
from varstudy.networks.norm_layers import Formula, NormLayer
from varstudy.networks.replaced_norms import EXACT, Way, fits, replaced, ways
from varstudy.networks.sensitivity import Outcome, check_mode, effects

KINDS = {"batch": {}, "layer": {}, "group": {"groups": 3}, "instance": {}, "rms": {}}


def layer(kind, formula=Formula.FUSED, epsilon=1e-3, **more):
    return NormLayer("norm", kind, formula, epsilon, **more)


def data(shape, mean=1.0, seed=0):
    return np.random.default_rng(seed).normal(mean, 1, shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_exact_statistics_give_the_exact_layer(kind):
    x = data((4, 6) if kind in ("layer", "rms") else (4, 6, 5))
    weight, bias = (data(6, 1.0, seed) for seed in (1, 2))
    more = {} if kind == "rms" else {"bias": bias}
    exact = norm_forward(x, kind, weight=weight, epsilon=1e-3, dtype=np.float64, **more, **KINDS[kind])
    found = replaced(layer(kind, **KINDS[kind]), x, EXACT, weight, more.get("bias"))
    # Four roundings of float64, and one of the statistics each.
    assert np.abs(found - exact.high).max() < 1e-14
    assert fits(found, exact.high.astype(np.float16))
    assert not fits(found, 1.1 * exact.high)


def test_running_statistics_and_channels_last_groups():
    x = data((2, 4, 3))
    kept = {"mean": np.arange(4.0), "variance": np.arange(1.0, 5.0)}
    found = replaced(layer("batch", Formula.RUNNING, 0.0, **kept), x, EXACT)
    assert np.allclose(found, (x - np.arange(4)[:, None]) / np.sqrt(np.arange(1.0, 5.0))[:, None], rtol=1e-15)
    weight = np.arange(4.0)
    first = replaced(layer("group", groups=2), x, EXACT, weight)
    last = replaced(layer("group", groups=2, channels_last=True), x.transpose(0, 2, 1), EXACT, weight)
    assert np.array_equal(first, last.transpose(0, 2, 1))


@given(st.sampled_from(list(KINDS)), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5))
def test_what_is_spread_over_the_input_is_of_its_own_row(kind, samples, channels, length):
    shape = (samples, 3 * channels, length)
    one = layer(kind, **KINDS[kind])
    numbers = np.arange(len(one.rows(np.zeros(shape))))
    spread = np.broadcast_to(one.spread(numbers, shape), shape)
    assert (one.rows(spread) == numbers[:, None]).all()


def test_algorithms_lose_what_they_lose():
    x = data((8, 512), 100.0)
    exact = replaced(layer("layer"), x, EXACT)

    def off(way):
        return float(np.nan_to_num(np.abs(replaced(layer("layer"), x, way) - exact), nan=np.inf).max())

    by = {str(way): off(way) for way in ways(FLOAT16)}
    assert next(iter(by)) == "stored in float16, exact statistics"
    assert len(by) == 9
    # A square of 100 is in float16's range, a sum of 512 of them is not.
    assert by["naive in float16"] == np.inf
    # Halves of spacings at 100, in deviations: 2^-5; of the mean, of a pairwise sum in float16, as much again.
    assert by["stored in float16, exact statistics"] < 2**-4
    assert by["pairwise in float32"] < 2**-4
    assert by["pairwise in float16"] < 2**-2
    assert off(Way(BFLOAT16, "pairwise", BFLOAT16)) > 0.1


def test_an_rms_norm_adds_squares_in_both_orders():
    x = np.ones((1, 4096), np.float32)
    one = layer("rms", epsilon=0.0)
    # A running sum of ones stalls at 2048 in float16: mean(x^2) reads 1/2. In pairs it is right.
    assert replaced(one, x, Way(FLOAT16, "welford", FLOAT16))[0, 0] == float(np.float16(np.sqrt(2)))
    assert replaced(one, x, Way(FLOAT16, "pairwise", FLOAT16))[0, 0] == 1.0


def test_nan_and_wrong_outputs_are_told_apart():
    def outputs(chosen):
        (way,) = chosen.values()
        if way is EXACT:
            return [np.array([3.0, 4.0])]
        return [np.array({"float32": [np.nan, 4.0], "float16": [-3.0, -4.0]}.get(str(way.accumulator), [3.0, 4.0]))]

    found = effects(["norm"], outputs, FLOAT16, "each")
    assert len(found) == 18
    outcomes = {each.way: (each.outcome, each.error, each.not_finite) for each in found if not each.layer}
    assert outcomes["stored in float16, exact statistics"] == (Outcome.ERROR, 0.0, 0)
    assert outcomes["naive in float32"] == (Outcome.NOT_FINITE, 0.0, 1)
    assert outcomes["naive in float16"] == (Outcome.WRONG, 2.0, 0)
    assert {each.layer for each in found} == {"", "norm"}


def test_another_mode_is_refused():
    check_mode(None)
    with pytest.raises(ValueError, match="use 'all' or 'each'"):
        check_mode("some")
