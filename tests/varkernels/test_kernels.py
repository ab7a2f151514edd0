"""From a view to its moments: what is accepted, what is refused with which sentence, and Bessel's correction."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMATS, Algorithm, Formula, Moments, compose, format_of, get, moments
from varkernels.algorithm import order_of
from varkernels.dispatch import accumulate, compile_ahead
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from varkernels.formulas import like
from varkernels.rounding import round_to
from varkernels.views import rows_of
from varstudy.study.ground_truth import truth

X = np.random.default_rng(7).normal(3, 1, (2, 3, 4, 5)).astype(np.float32)  # N, C, H, W


def same(a: Moments, b: Moments) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in ((a.count, b.count), (a.mean, b.mean), (a.m2, b.m2)))


def refused(kind: type[Exception], sentence: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(kind) as caught:
        moments(*arguments, **options)
    assert str(caught.value) == sentence


# Views ------------------------------------------------------------------------------------------------------


def test_layouts_are_views_and_have_the_same_bits() -> None:
    nchw = X.reshape(2, 3, 20)
    nhwc = np.ascontiguousarray(X.transpose(0, 2, 3, 1)).reshape(40, 3, 1)
    rows = X.transpose(1, 0, 2, 3).reshape(1, 3, 40)
    wanted = moments(rows)
    assert same(moments(nchw), wanted)
    assert same(moments(nhwc), wanted)
    assert same(moments(np.asfortranarray(nchw)), wanted)
    assert same(moments(np.ascontiguousarray(nchw[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]), wanted)


def test_nothing_is_copied() -> None:
    """A function of a third party sees the caller's own memory, at the caller's strides."""
    seen: list[np.ndarray] = []

    def spy(view: np.ndarray, centre: Any, accumulator: Format) -> tuple[np.ndarray, np.ndarray]:
        seen.append(view)
        return np.zeros(view.shape[1]), np.zeros(view.shape[1])

    algorithm = Algorithm("spy", "spy", "spy", run=spy)
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        x = X.astype(dtype)
        nhwc = x.transpose(0, 2, 3, 1).reshape(2, 20, 3).transpose(0, 2, 1)
        for view in (x.reshape(2, 3, 20), nhwc, x.reshape(2, 3, 20)[::-1, :, ::3], x.reshape(2, 3, 4, 5)):
            seen.clear()
            moments(view, algorithm)
            for part in seen:
                assert np.shares_memory(part, view)
                assert part.strides == view.strides[-3:]
            assert len(seen) == (2 if view.ndim == 4 else 1)


def test_four_dimensions_are_blocks_of_rows() -> None:
    got = moments(X, "chan")  # blocks 2, segments 3, rows 4, length 5
    assert len(got) == 8
    assert got.count.tolist() == [15] * 8
    for block in range(2):
        part = moments(X[block], "chan")
        assert got.mean[4 * block : 4 * block + 4].tobytes() == part.mean.tobytes()
        assert got.m2[4 * block : 4 * block + 4].tobytes() == part.m2.tobytes()


def test_other_byte_order_and_unaligned_values() -> None:
    wanted = moments(X.reshape(2, 3, 20))
    assert same(moments(X.astype(">f4").reshape(2, 3, 20)), wanted)
    packed = np.zeros(X.size, dtype=[("pad", "u1"), ("x", "<f4")])
    packed["x"] = X.ravel()
    assert same(moments(packed["x"].reshape(2, 3, 20)), wanted)


def test_lists_are_float64() -> None:
    got = moments([[[1.0, 2.0, 6.0]]])
    assert got.accumulator is FLOAT64
    assert (got.mean[0], got.m2[0]) == (3.0, 14.0)


@pytest.mark.parametrize(
    "shape", [(0, 3, 4), (2, 3, 0), (0, 0, 0), (2, 0, 4), (0, 2, 3, 4), (2, 1, 3, 0), (2, 0, 3, 4)]
)
@pytest.mark.parametrize("name", ["naive", "shifted_first", "pairwise", "chan/lanes32"])
def test_views_without_values(shape: tuple[int, ...], name: str) -> None:
    got = moments(np.empty(shape, np.float16), name)
    rows = shape[-2] * (shape[0] if len(shape) == 4 else 1)
    assert got.count.dtype == np.int64
    assert got.count.tolist() == [0] * rows
    assert got.mean.dtype == got.m2.dtype == np.float16
    assert np.isnan(got.mean).tolist() == np.isnan(got.m2).tolist() == [True] * rows
    assert np.isnan(got.variance(-1)).tolist() == [True] * rows


def test_one_value_a_row() -> None:
    got = moments(np.array([[[3.0], [-4.0]]]), "chan")
    assert got.mean.tolist() == [3.0, -4.0]
    assert got.variance(0).tolist() == [0.0, 0.0]
    assert np.isnan(got.variance(1)).all()


def test_the_input_is_not_touched() -> None:
    x = X.copy()
    x.flags.writeable = False
    for name in ("naive", "two_pass", "shifted_first", "chan"):
        moments(x, name)
    assert x.tobytes() == X.tobytes()


def test_signalling_nans_raise_no_warning() -> None:
    for fmt, code in ((FLOAT16, 0x7D01), (BFLOAT16, 0x7F81), (FLOAT32, 0x7F800001), (FLOAT64, 0x7FF0000000000001)):
        x = np.full((1, 2, 3), code, dtype=f"u{fmt.dtype.itemsize}").view(fmt.dtype)
        for name in ("shifted_first", "welford"):
            got = moments(x, name)
            assert np.isnan(got.m2.astype(np.float64)).all()
            assert np.isnan(got.variance(1).astype(np.float64)).all()


# Formats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", FORMATS.values(), ids=str)
def test_the_answers_are_in_the_accumulators_dtype(storage: Format) -> None:
    x = storage.rounded(X).reshape(2, 3, 20)
    for accumulator in (None, "float32", np.float64, storage):
        fmt = storage if accumulator is None else format_of(accumulator)
        if fmt.precision < storage.precision:
            continue
        got = moments(x, "welford", accumulator)
        assert got.accumulator is fmt
        assert got.mean.dtype == got.m2.dtype == got.variance(1).dtype == fmt.dtype
        exact = truth(x)
        for r in range(3):
            assert float(got.m2[r]) == pytest.approx(float(exact.m2_fraction(r)), rel=200 * float(fmt.unit_roundoff))


@pytest.mark.parametrize(
    ("storage", "accumulator"),
    [
        ("float64", "float32"),
        ("float64", "float16"),
        ("float32", "bfloat16"),
        ("float16", "bfloat16"),
        ("bfloat16", "float16"),
    ],
)
def test_accumulators_that_do_not_serve(storage: str, accumulator: str) -> None:
    refused(
        ValueError,
        f"accumulator={accumulator} does not serve {storage} values: use {storage} itself or a wider one of "
        "float32 and float64",
        np.zeros((1, 1, 2), FORMATS[storage].dtype),
        accumulator=accumulator,
    )


def test_accumulate_rounds_the_values_as_it_reads_them() -> None:
    """Within the package any accumulator serves: float64 values in bfloat16 are the rounded values in bfloat16."""
    x = X.astype(np.float64).reshape(2, 3, 20) * (1 + 2**-30)
    array, storage = rows_of(x)
    for fmt in (FLOAT16, BFLOAT16):
        assert same(accumulate(array, storage, get("chan"), fmt), moments(fmt.rounded(x), "chan"))


@pytest.mark.parametrize("dtype", [np.int32, np.complex64, np.bool_, object, "U3", ml_dtypes.float8_e4m3fn])
def test_other_dtypes_are_refused(dtype: Any) -> None:
    x = np.zeros((1, 1, 2), dtype)
    refused(
        TypeError,
        f"dtype {x.dtype!r} is not supported: use one of float16, bfloat16, float32, float64",
        x,
    )


def test_unknown_accumulator() -> None:
    refused(
        TypeError,
        "dtype 'float8' is not supported: use one of float16, bfloat16, float32, float64",
        X,
        accumulator="float8",
    )


def test_an_algorithm_with_few_accumulators() -> None:
    def run(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
        raise AssertionError("not to be called")

    algorithm = Algorithm("few", "few", "few", run=run, accumulators=("float64", "float32"))
    refused(
        ValueError,
        "algorithm 'few' does not accumulate in float16: use float64 or float32",
        X.astype(np.float16),
        algorithm,
        accumulator="float16",
    )


def test_the_default_accumulator_is_the_narrowest_that_the_algorithm_has() -> None:
    def run(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
        return np.zeros(view.shape[1]), np.zeros(view.shape[1])

    wide = Algorithm("wide", "wide", "wide", run=run, accumulators=("float64",))
    for dtype in (np.float16, np.float32, np.float64):
        assert moments(X.astype(dtype), wide).accumulator is FLOAT64
        assert moments(X.astype(dtype), "exact").accumulator is format_of(dtype)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3, 4, 5)])
def test_other_ranks_are_refused(shape: tuple[int, ...]) -> None:
    refused(
        ValueError,
        f"view has shape {shape}: it must be (segments, rows, length), or (blocks, segments, rows, length)",
        np.zeros(shape),
    )


# Centres ----------------------------------------------------------------------------------------------------


def test_centres() -> None:
    x = X.astype(np.float64).reshape(2, 3, 20)
    one = moments(x, "shifted", centre=3)
    for centre in (3.0, np.float32(3), [3, 3, 3], np.array([3.0]), ml_dtypes.bfloat16(3), Fraction(3), True + 2):
        assert same(moments(x, "shifted", centre=centre), one)
    each = moments(x, "shifted", centre=[1.0, 2.0, 3.0])
    for r, c in enumerate((1.0, 2.0, 3.0)):
        assert each.m2[r] == moments(x[:, r : r + 1], "shifted", centre=c).m2[0]
    blocks = moments(X, "shifted", centre=np.arange(8.0))
    assert blocks.m2[6] == moments(X[1][:, 2:3], "shifted", centre=6.0).m2[0]


def test_the_centre_is_rounded_to_the_accumulator() -> None:
    x = np.array([[[1.0, 2.0, 4.0]]], np.float16)
    assert same(moments(x, "shifted", centre=1 + 2**-12), moments(x, "shifted", centre=1))
    assert np.isnan(moments(x, "shifted", centre=1e6).m2[0])  # an infinity in float16


@pytest.mark.parametrize(
    ("kind", "sentence", "name", "centre"),
    [
        (
            ValueError,
            "algorithm 'shifted' needs a centre: a number, or one for each of the 3 rows",
            "shifted",
            None,
        ),
        (ValueError, "algorithm 'naive' takes no centre: leave it out, or use 'shifted'", "naive", 1.0),
        (ValueError, "algorithm 'pairwise' takes no centre: leave it out, or use 'shifted'", "pairwise", [0, 0, 0]),
        (ValueError, "centre has shape (2,): give a number, or one for each of the 3 rows", "shifted", [1, 2]),
        (ValueError, "centre has shape (1, 3): give a number, or one for each of the 3 rows", "shifted", [[1, 2, 3]]),
        (TypeError, "centre has the dtype <U1: give a number, or one for each of the 3 rows", "shifted", "3"),
        (TypeError, "centre has the dtype complex128: give a number, or one for each of the 3 rows", "shifted", 3j),
    ],
)
def test_centres_that_do_not_serve(kind: type[Exception], sentence: str, name: str, centre: Any) -> None:
    refused(kind, sentence, X.reshape(2, 3, 20), name, centre=centre)


def test_a_third_party_may_take_a_centre_or_leave_it_out() -> None:
    def run(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
        c = np.full(view.shape[1], -1.0) if centre is None else centre
        return c, c

    algorithm = Algorithm("c", "c", "c", run=run)
    assert moments(X.reshape(2, 3, 20), algorithm).mean.tolist() == [-1, -1, -1]
    assert moments(X.reshape(2, 3, 20), algorithm, centre=2).mean.tolist() == [2, 2, 2]
    assert moments(X, algorithm, centre=np.arange(8)).mean.tolist() == list(range(8))
    refused(
        ValueError,
        "centre has shape (2,): give a number, or one for each of the 3 rows",
        X.reshape(2, 3, 20),
        algorithm,
        centre=[1, 2],
    )


# Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"), [("welfrod", "welford"), ("pairwize", "pairwise"), ("two-pass", "two_pass"), ("Chan", "chan")]
)
def test_unknown_algorithms_suggest_near_names(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"^algorithm '{name}' is unknown: did you mean .*{near}"):
        moments(X, name)


def test_unknown_names_without_a_near_one() -> None:
    with pytest.raises(
        ValueError, match=r"^algorithm 'fast' is unknown: use 'exact', the default and the fastest, or one of naive, "
    ):
        get("fast")
    with pytest.raises(ValueError, match=r"^formula 'wellford' is unknown: did you mean welford\?$"):
        compose("wellford")
    with pytest.raises(ValueError, match=r"^order 'lanes0' is unknown: use running, pairwise, lanesL \(say lanes32\)"):
        get("chan/lanes0")


@pytest.mark.parametrize("name", [3, None, ["chan"], b"chan"])
def test_what_is_no_name_is_refused_in_one_sentence(name: Any) -> None:
    sentence = f"algorithm {name!r} is no name: use a string, such as 'welford' or 'chan/lanes7'"
    with pytest.raises(TypeError, match=rf"^{re.escape(sentence)}$"):
        get(name)


@pytest.mark.parametrize("order", ["pairwise", "lanes32", "blocked128"])
@pytest.mark.parametrize("name", ["welford", "west"])
def test_a_formula_without_merge_cannot_merge(name: str, order: str) -> None:
    sentence = (
        f"formula {name!r} has no merge, so it cannot run in the order {order!r}, which merges states: use the "
        "order 'running', or a formula with a merge, such as 'chan'"
    )
    refused(ValueError, sentence, X, f"{name}/{order}")
    with pytest.raises(ValueError, match=re.escape(sentence)):
        compose(name, order)


@pytest.mark.parametrize(
    ("name", "kernel", "width"),
    [
        ("running", "running", 0),
        ("pairwise", "tree", 1),
        ("lanes1", "lanes", 1),
        ("lanes48", "lanes", 48),
        ("blocked128", "tree", 128),
    ],
)
def test_orders(name: str, kernel: str, width: int) -> None:
    order = order_of(name)
    assert (order.name, order.kernel, order.width) == (name, kernel, width)


@pytest.mark.parametrize("name", ["", "lanes", "lanes-1", "lanes01", "blocked1234567", "running2", "pairwise ", "x"])
def test_unknown_orders(name: str) -> None:
    with pytest.raises(ValueError, match=r"^order .* is unknown: use running, pairwise"):
        order_of(name)


def test_lanes_and_blocks_of_one() -> None:
    x = X.reshape(2, 3, 20)
    assert same(moments(x, "chan/lanes1"), moments(x, "chan/running"))
    assert same(moments(x, "chan/blocked1"), moments(x, "chan"))
    assert same(moments(x, "chan/blocked999999"), moments(x, "chan/running"))


def test_compile_ahead_counts_the_kernels() -> None:
    assert compile_ahead(["naive", "two_pass", "welford"], [FLOAT32], [FLOAT32]) == 4


# Verbs of a third party -------------------------------------------------------------------------------------


class Sum(NamedTuple):
    s: Any


class About(NamedTuple):
    c: Any
    s: Any


def _sum(state, n, x):
    return Sum(state.s + x)


def _mean(state, n):
    return state.s / like(state.s, n), state.s - state.s


def _about(state, high, low):
    return About(high, state.s)


def _deviation(state, n, x):
    return About(state.c, state.s + (x - state.c))


def _better(state, n):
    return state.c + state.s / like(state.s, n), state.s - state.s


class About2(NamedTuple):
    c: Any
    q: Any


def _about2(state, high, low):
    return About2(high, state.q)


def _square(state, n, x):
    return About2(state.c, state.q + (x - state.c) * (x - state.c))


def _read2(state, n):
    return state.c, state.q


FIRST = Formula("first", "first", "A mean.", "here", Sum, _sum, _mean)
SECOND = Formula("second", "second", "A better mean.", "here", About, _deviation, _better, start=_about, centre=FIRST)
THREE = Formula("three", "three", "Three sweeps.", "here", About2, _square, _read2, start=_about2, centre=SECOND)


def test_a_centre_may_have_a_centre_itself() -> None:
    assert THREE.sweeps == 3
    x = (1000 + X).reshape(2, 3, 20)
    got = moments(x, compose(THREE))
    rows = x.transpose(1, 0, 2).reshape(3, 40)
    for r in range(3):
        mean = np.float32(0)
        for value in rows[r]:
            mean += value
        mean /= np.float32(40)
        rest = np.float32(0)
        for value in rows[r]:
            rest += value - mean
        mean += rest / np.float32(40)
        assert got.mean[r] == mean
        assert float(got.m2[r]) == pytest.approx(float(truth(x).m2_fraction(r)), rel=1e-5)


def test_two_formulas_cannot_share_a_state() -> None:
    other = Formula("other", "other", "o.", "here", Sum, lambda state, n, x: Sum(state.s - x), _mean)
    moments(X, compose(FIRST))
    with pytest.raises(ValueError, match=r"^formula 'other' has the state type Sum of formula 'first': give it a"):
        moments(X, compose(other))


@pytest.mark.parametrize("answer", [0.0, [0.0], [0.0, 1.0], [[0.0, 1.0, 2.0]]])
def test_a_third_partys_answers_have_one_number_a_row(answer: Any) -> None:
    algorithm = Algorithm("odd", "odd", "odd", run=lambda view, centre, accumulator: (np.zeros(3), np.array(answer)))
    refused(
        ValueError,
        f"algorithm 'odd' answered M2s of shape {np.shape(answer)} for a view of shape (2, 3, 20): its run must "
        "give one for each of the 3 rows",
        X.reshape(2, 3, 20),
        algorithm,
    )


def test_a_third_partys_answers_are_rounded_once() -> None:
    v = 1 + 2.0**-8 + 2.0**-40  # just above a tie of bfloat16; a tie of bfloat16 in float32
    algorithm = Algorithm("v", "v", "v", run=lambda view, centre, accumulator: (np.full(3, v), np.full(3, v)))
    got = moments(BFLOAT16.rounded(X).reshape(2, 3, 20), algorithm)
    assert got.mean.astype(float).tolist() == got.m2.astype(float).tolist() == [1 + 2**-7] * 3


# Bessel's correction ----------------------------------------------------------------------------------------


def made(count: int, mean: float, m2: float, fmt: Format = FLOAT64) -> Moments:
    return Moments(np.array([count]), fmt.rounded([mean]), fmt.rounded([m2]), fmt)


@settings(deadline=None, max_examples=100)
@given(
    count=st.integers(0, 2**40),
    m2=st.floats(0, 1e30),
    correction=st.one_of(st.integers(-5, 2**20), st.sampled_from([0.5, -0.25, 1.5])),
)
def test_variance_is_m2_over_count_less_correction(count: int, m2: float, correction: float) -> None:
    got = made(count, 0.0, m2).variance(correction)[0]
    divisor = count - Fraction(correction)
    if divisor <= 0:
        assert np.isnan(got)
    else:
        assert got == round_to(Fraction(m2) / divisor, FLOAT64)


@settings(deadline=None, max_examples=100)
@given(count=st.integers(1, 2**24), code=st.integers(0, 0x7F7F), fmt=st.sampled_from([FLOAT16, BFLOAT16, FLOAT32]))
def test_the_variance_is_rounded_once(count: int, code: int, fmt: Format) -> None:
    m2 = float(np.array(code, np.uint16).view(ml_dtypes.bfloat16))
    m2 = float(fmt.rounded(m2 if fmt is not FLOAT16 else min(m2, 6e4)))
    got = made(count, 0.0, m2, fmt).variance()[0]
    assert float(got) == float(round_to(Fraction(m2) / count, fmt))


@pytest.mark.parametrize(
    ("m2", "count", "wanted"), [(129 * 2**16, 4285665, 1.9765625), (137 * 2**16, 4515675, 1.9921875)]
)
def test_a_bfloat16_variance_next_to_a_tie(m2: int, count: int, wanted: float) -> None:
    """The quotient is a little over a tie of bfloat16, and float32 rounds it to that tie."""
    assert round_to(Fraction(m2, count), BFLOAT16) == wanted
    assert made(count, 0.0, m2, BFLOAT16).variance()[0] == wanted


@pytest.mark.parametrize("correction", [np.nan, np.inf, -np.inf])
def test_corrections_are_finite(correction: float) -> None:
    with pytest.raises(ValueError, match=f"^correction={correction!r}: give a finite number, such as 0 or 1$"):
        made(3, 0.0, 1.0).variance(correction)


def test_variance_where_count_is_the_correction() -> None:
    both = Moments(np.array([0, 1, 2, 3]), np.zeros(4), np.full(4, 6.0), FLOAT64)
    assert np.isnan(both.variance(1)).tolist() == [True, True, False, False]
    assert both.variance(1)[2:].tolist() == [6.0, 3.0]
    assert np.isnan(both.variance(2.0)).tolist() == [True, True, True, False]
    assert np.isnan(both.variance(1.999)).tolist() == [True, True, False, False]


# Merging ----------------------------------------------------------------------------------------------------


def test_merging_unequal_counts_and_none() -> None:
    x = X.astype(np.float64).reshape(2, 3, 20)
    whole = moments(x)
    for cut in (0, 1, 7, 19, 20):
        both = moments(x[:, :, :cut]).merge(moments(x[:, :, cut:]))
        assert both.count.tolist() == [40, 40, 40]
        assert both.accumulator is FLOAT64
        np.testing.assert_allclose(both.mean, whole.mean, rtol=1e-14)
        np.testing.assert_allclose(both.m2, whole.m2, rtol=1e-13)
    none = moments(x[:, :, :0])
    assert same(none.merge(whole), whole)
    assert same(whole.merge(none), whole)
    assert same(none.merge(none), none)


def test_rows_merge_each_for_itself() -> None:
    a = Moments(np.array([0, 2, 1]), np.array([np.nan, 1.0, 4.0]), np.array([np.nan, 2.0, 0.0]), FLOAT64)
    b = Moments(np.array([3, 2, 0]), np.array([5.0, 3.0, np.nan]), np.array([6.0, 2.0, np.nan]), FLOAT64)
    both = a.merge(b)
    assert both.count.tolist() == [3, 4, 1]
    assert both.mean.tolist() == [5.0, 2.0, 4.0]
    assert both.m2.tolist() == [6.0, 8.0, 0.0]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_merging_is_chans_merge_in_the_accumulators_arithmetic(fmt: Format) -> None:
    """The bits of the compiled merge: two lanes of one state each."""
    x = fmt.rounded(np.random.default_rng(1).normal(2, 1, (1, 5, 34)))
    halves = [moments(x[:, :, k::2], "chan/running") for k in (0, 1)]
    assert same(halves[0].merge(halves[1]), moments(x, "chan/lanes2"))


def test_merging_huge_counts_neither_wraps_nor_spoils() -> None:
    n = 2**40
    both = Moments(np.array([n]), np.array([1.0]), np.array([float(n)]), FLOAT64).merge(made(n, 3.0, float(n)))
    assert both.count[0] == 2 * n
    assert both.mean[0] == 2.0
    assert both.m2[0] == 4.0 * n


def test_merging_counts_past_the_largest_float16() -> None:
    a = Moments(np.array([60000]), np.ones(1, np.float16), np.zeros(1, np.float16), FLOAT16)
    both = a.merge(a)
    assert both.count[0] == 120000
    assert both.mean[0] == 1.0  # 60000 / inf is a weight of 0
    assert np.isnan(Moments(np.array([70000]), a.mean, a.m2, FLOAT16).merge(both).mean[0])


def test_moments_that_do_not_merge() -> None:
    a = moments(X.reshape(2, 3, 20))
    with pytest.raises(ValueError, match=r"^other has 4 rows where these moments have 3$"):
        a.merge(moments(X[0]))
    with pytest.raises(ValueError, match=r"^other was accumulated in float64, these moments in float32$"):
        a.merge(moments(X.reshape(2, 3, 20), accumulator="float64"))


# Formats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_formats_know_their_numbers(fmt: Format) -> None:
    info = ml_dtypes.finfo(fmt.dtype)
    assert float(fmt.largest) == float(info.max)
    assert float(fmt.smallest_normal) == float(info.smallest_normal)
    assert float(fmt.smallest_subnormal) == float(info.smallest_subnormal)
    assert 2 * float(fmt.unit_roundoff) == float(info.eps)
    assert format_of(fmt) is format_of(fmt.name) is format_of(fmt.dtype) is format_of(fmt.dtype.type) is fmt
    assert str(fmt) == fmt.name
