"""Formulas: one arithmetic, whether their verbs run in Python or compiled; the answers that people know; laws."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMULAS, Formula, Moments, get, moments
from varkernels.dispatch import accumulate
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format
from varkernels.views import rows_of
from varstudy.study.ground_truth import truth

MERGEABLE = [name for name, formula in FORMULAS.items() if formula.mergeable]
CENTRE = 0.75


def bits(array: Any) -> list[int]:
    """float64 bits, all NaNs made one."""
    x = np.asarray(array, dtype=np.float64)
    return np.where(np.isnan(x), np.nan, x).view(np.int64).tolist()


def row(values: Any, fmt: Format = FLOAT64) -> np.ndarray:
    return fmt.rounded(values).reshape(1, 1, -1)


# The orders, written anew in plain Python: (state, count) of a list of values -------------------------------

Counted = tuple[Any, int]


def together(formula: Formula, a: Counted, b: Counted) -> Counted:
    assert formula.merge is not None
    return formula.merge(a[0], a[1], b[0], b[1]), a[1] + b[1]


def running(formula: Formula, begin: Any, values: list[Any], width: int = 0) -> Counted:
    state = begin
    for n, x in enumerate(values, 1):
        state = formula.update(state, n, x)
    return state, len(values)


def lanes(formula: Formula, begin: Any, values: list[Any], width: int) -> Counted:
    """Lane j takes the values j, j + width ...; then the upper half of the lanes joins the lower."""
    states = [running(formula, begin, values[j::width]) for j in range(min(width, len(values)))]
    while len(states) > 1:
        half = (len(states) + 1) // 2
        upper = states[half:]
        states = [
            together(formula, lower, upper[j]) if j < len(upper) else lower for j, lower in enumerate(states[:half])
        ]
    return states[0]


def tree(formula: Formula, begin: Any, values: list[Any], width: int) -> Counted:
    """Whole blocks in perfect binary trees, the largest first; then what is left, from the right."""
    blocks = [running(formula, begin, values[i : i + width]) for i in range(0, len(values), width)]
    rest = [blocks.pop()] if len(values) % width else []

    def perfect(part: list[Counted]) -> Counted:
        if len(part) == 1:
            return part[0]
        middle = len(part) // 2
        return together(formula, perfect(part[:middle]), perfect(part[middle:]))

    trees = []
    while blocks:
        size = 1 << (len(blocks).bit_length() - 1)
        trees.append(perfect(blocks[:size]))
        blocks = blocks[size:]
    trees += rest
    while len(trees) > 1:
        last = trees.pop()
        trees[-1] = together(formula, trees[-1], last)
    return trees[0]


Order = Callable[[Formula, Any, list[Any], int], Counted]
ORDERS: dict[str, tuple[Order, int]] = {
    "running": (running, 0),
    "lanes4": (lanes, 4),
    "lanes7": (lanes, 7),
    "lanes32": (lanes, 32),
    "pairwise": (tree, 1),
    "blocked5": (tree, 5),
    "blocked8": (tree, 8),
}


def in_python(formula: Formula, order: str, values: list[Any]) -> tuple[Any, Any]:
    """(mean, M2) or (centre, low part) of numpy scalars, the sweeps for the centre included."""
    function, width = ORDERS[order]
    zero = type(values[0])(0)
    begin = formula.state(*[zero for _ in formula.state._fields])  # type: ignore[attr-defined]
    if formula.start is not None:
        if isinstance(formula.centre, Formula):
            centre = in_python(formula.centre, order, values)
        else:
            centre = (values[0] if formula.centre == "first" else type(zero)(CENTRE), zero)
        begin = formula.start(begin, *centre)
    state, n = function(formula, begin, values, width)
    assert n == len(values)
    mean, m2 = formula.read(state, n)
    assert type(mean) is type(m2) is type(zero)
    return mean, m2


def samples(fmt: Format) -> list[np.ndarray]:
    """Rows of several lengths, some with hostile values."""
    rng = np.random.default_rng(20)
    plain = [fmt.rounded(rng.normal(1.5, 1, n)) for n in (1, 2, 3, 5, 8, 31, 33, 64, 101, 335)]
    offset = fmt.rounded(300 + rng.normal(0, 1, 40))
    wild = fmt.rounded(np.ldexp(rng.normal(size=40), rng.integers(-9, 9, 40)))
    huge = np.array(wild[:9])
    huge[4] = fmt.dtype.type(float(fmt.largest))
    infinite = np.array(wild[:9])
    infinite[2] = np.inf
    return [*plain, offset, wild, huge, infinite, np.full(6, fmt.dtype.type(-0.0))]


def given_centre(formula: Formula) -> float | None:
    return CENTRE if formula.centre == "given" else None


# Of the small formats the package brings kernels that take the values as float32, which is exact: the study's. How a
# schedule reads others is the same for every formula, and with these it does; Numba compiles them.
READ_AS_THEY_ARE = ("naive", "chan", "shifted_first")


def widened(view: np.ndarray, name: str, fmt: Format, centre: float | None = None) -> Moments:
    """Moments in a small format, of the values as float32."""
    array, storage = rows_of(view.astype(np.float32))
    return accumulate(array, storage, get(name), fmt, centre)


def assert_same_bits(name: str, order: str, fmt: Format) -> None:
    formula = FORMULAS[name]
    centre = given_centre(formula)
    for x in samples(fmt):
        view, algorithm = x.reshape(1, 1, -1), f"{name}/{order}"
        if fmt in (FLOAT32, FLOAT64) or name in READ_AS_THEY_ARE:
            got = moments(view, algorithm, centre=centre)
        else:
            got = widened(view, algorithm, fmt, centre)
        with np.errstate(all="ignore"):
            wanted = in_python(formula, order, list(x))
        assert bits([got.mean[0], got.m2[0]]) == bits(wanted), (name, order, fmt.name, x)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
@pytest.mark.parametrize("name", FORMULAS)
def test_running_is_the_verbs_one_by_one(name: str, fmt: Format) -> None:
    assert_same_bits(name, "running", fmt)


@pytest.mark.parametrize("fmt", [FLOAT32, BFLOAT16], ids=str)
@pytest.mark.parametrize("name", MERGEABLE)
def test_merging_orders_are_the_verbs_in_that_order(name: str, fmt: Format) -> None:
    for order in ORDERS:
        if order != "running":
            assert_same_bits(name, order, fmt)


@pytest.mark.parametrize("fmt", [FLOAT16, FLOAT64], ids=str)
def test_merging_orders_in_the_other_formats(fmt: Format) -> None:
    for order in ("lanes7", "blocked5", "pairwise"):
        assert_same_bits("chan", order, fmt)


@pytest.mark.parametrize("name", MERGEABLE)
@pytest.mark.parametrize("length", [1, 11, 64, 100, 193])
def test_segments_are_taken_one_after_the_other(name: str, length: int) -> None:
    """Their ends fall on every place of the tree: before, in and after the leaves that it merges at a time."""
    x = FLOAT32.rounded(np.random.default_rng(3).normal(2, 1, (3, 2, length)))
    centre = given_centre(FORMULAS[name])
    for order in ("running", "lanes4", "blocked5", "pairwise"):
        got = moments(x, f"{name}/{order}", centre=centre)
        for r in range(2):
            with np.errstate(all="ignore"):
                wanted = in_python(FORMULAS[name], order, list(x[:, r].ravel()))
            assert bits([got.mean[r], got.m2[r]]) == bits(wanted), (order, r)


# Known answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fmt", "name", "correction", "variance"),
    [
        ([1e16, 1e16 + 2], FLOAT64, "welford", 0, 2.0),  # the exact one is 1
        ([1e16, 1e16 + 2], FLOAT64, "west", 0, 1.0),
        ([1e16, 1e16 + 2], FLOAT64, "shifted_first", 0, 1.0),
        ([2281.5, 2281.25], FLOAT32, "naive", 1, 0.0),  # the exact one is 1/32
        ([2281.5, 2281.25], FLOAT32, "chan", 1, 0.03125),
        ([2281.5, 2281.25], FLOAT32, "two_pass", 1, 0.03125),
        ([10000, 10001, 10002], FLOAT32, "naive", 1, 0.0),  # Higham 2002, section 1.9: one pass 0, two passes 1
        ([10000, 10001, 10002], FLOAT32, "two_pass", 1, 1.0),
        ([300, 300], FLOAT16, "naive", 0, np.nan),  # the squares overflow
        ([300, 300], FLOAT16, "welford", 0, 0.0),
    ],
)
def test_known_answers(values: list[float], fmt: Format, name: str, correction: int, variance: float) -> None:
    assert bits(moments(row(values, fmt), name).variance(correction)) == bits([variance])


def test_naive_turns_negative() -> None:
    x = row(10000 + np.arange(15) / 10, FLOAT32)
    assert truth(x).m2_fraction(0) > 0
    assert moments(x, "naive").m2[0] < 0


def test_corrected_two_pass_turns_negative_on_a_constant() -> None:
    """The mean of 431 times 0.1f is not 0.1f: sum of squares and correction are equal, and round differently."""
    got = moments(row(np.full(431, 0.1), FLOAT32), "corrected_two_pass")
    assert got.m2[0] < 0
    assert got.mean[0] != np.float32(0.1)


@pytest.mark.parametrize("name", ["welford", "west"])
def test_recurrences_stall_on_a_slow_ramp(name: str) -> None:
    """The mean's increment falls under half an ulp: M2 is four times what it should be."""
    x = row(8192 + np.arange(2**20) / 2**20, FLOAT32)
    exact = float(truth(x).m2_fraction(0))
    assert moments(x, name).mean[0] == 8192
    assert float(moments(x, name).m2[0]) / exact == pytest.approx(4.0, abs=5e-3)
    assert float(moments(x, "chan").m2[0]) / exact == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", ["welford", "west", "chan", "shifted_first"])
def test_a_constant_has_no_variance(name: str) -> None:
    got = moments(row(np.full(1001, 0.1), FLOAT32), name)
    assert got.m2[0] == 0
    assert got.mean[0] == np.float32(0.1)


def test_running_sums_stagnate_where_a_tree_does_not() -> None:
    """2^12 ones in bfloat16: a running sum of ones stays at 2^8."""
    x = row(np.ones(4096), BFLOAT16)
    assert float(widened(x, "two_pass", BFLOAT16).mean[0]) == 256 / 4096
    assert float(widened(x, "pairwise", BFLOAT16).mean[0]) == 1.0


def test_counts_past_the_largest_float16_are_infinite() -> None:
    """Such an accumulator cannot count: a sum over an infinite count is 0, infinity over infinity NaN."""
    x = np.ones((1, 1, 140000), np.float16)
    assert np.isnan(float(widened(x, "pairwise", FLOAT16).mean[0]))
    assert float(widened(x[:, :, :65519], "two_pass", FLOAT16).mean[0]) == np.float16(2048 / 65504)
    assert float(widened(x[:, :, :65520], "two_pass", FLOAT16).mean[0]) == 0.0
    assert np.isnan(float(moments(x, "chan").mean[0]))
    assert moments(x, "two_pass", "float32").mean[0] == 1.0
    assert moments(x, "chan").count.tolist() == [140000]


def test_compensation_is_worth_its_name() -> None:
    x = row(np.concatenate([[8192.0], np.tile([1.0, -1.0], 5000)]) + 0.25, FLOAT32)
    exact = truth(x).m2_fraction(0)

    def error(name: str) -> float:
        return abs(float(Fraction(float(moments(x, name).m2[0])) / exact - 1))

    u = 2.0**-24
    assert error("double_double") <= u
    assert error("kahan_two_pass") <= 4 * u
    assert error("neumaier_two_pass") <= 4 * u
    assert error("two_pass") > 100 * u


# Laws -------------------------------------------------------------------------------------------------------

moderate = st.lists(st.integers(-1000, 1000).map(lambda k: k / 8), min_size=1, max_size=40)
tiny_lists = st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=40)
laws = settings(deadline=None, max_examples=25)


def run(values: Any, name: str, fmt: Format, centre: float = CENTRE) -> Moments:
    own = centre if FORMULAS[name].centre == "given" else None
    if fmt is BFLOAT16:
        return widened(row(values, fmt), name, fmt, own)
    return moments(row(values, fmt), name, centre=own)


@pytest.mark.parametrize("name", FORMULAS)
@laws
@given(values=moderate, k=st.integers(-60, 60))
def test_scaling_by_a_power_of_two_is_exact(name: str, values: list[float], k: int) -> None:
    factor = 2.0**k
    small = run(values, name, FLOAT64)
    large = run(np.multiply(values, factor), name, FLOAT64, CENTRE * factor)
    assert large.mean[0] == small.mean[0] * factor
    assert large.m2[0] == small.m2[0] * factor * factor


@pytest.mark.parametrize("name", FORMULAS)
@laws
@given(values=tiny_lists, k=st.integers(-12, 12))
def test_scaling_is_exact_in_bfloat16(name: str, values: list[float], k: int) -> None:
    small = run(values, name, BFLOAT16)
    large = run(np.ldexp(values, k), name, BFLOAT16, CENTRE * 2.0**k)
    assert float(large.mean[0]) == float(small.mean[0]) * 2.0**k
    assert float(large.m2[0]) == float(small.m2[0]) * 4.0**k


@pytest.mark.parametrize("name", FORMULAS)
@laws
@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40))
def test_the_sign_of_the_values_does_not_matter(name: str, values: list[float]) -> None:
    plus, minus = run(values, name, FLOAT32), run(np.negative(values), name, FLOAT32, -CENTRE)
    assert minus.mean[0] == -plus.mean[0]
    assert minus.m2[0] == plus.m2[0]


@pytest.mark.parametrize("name", ["shifted_first", "shifted"])
@laws
@given(values=moderate, shift=st.integers(-(2**30), 2**30))
def test_an_exact_shift_leaves_the_deviations(name: str, values: list[float], shift: int) -> None:
    here = run(values, name, FLOAT64)
    there = run(np.add(values, shift), name, FLOAT64, CENTRE + shift)
    assert there.m2[0] == here.m2[0]


@pytest.mark.parametrize("name", FORMULAS)
@laws
@given(values=moderate, shift=st.sampled_from([0, 1, -17, 1000]))
def test_every_formula_is_near_the_truth(name: str, values: list[float], shift: int) -> None:
    """Within the bound of the naive formula, the weakest of them: 4 n u times sum of (|x| + |centre|)^2."""
    got = run(np.add(values, shift), name, FLOAT64)
    exact = truth(row(np.add(values, shift)))
    sizes = [abs(Fraction(v) + shift) + 1 for v in values]
    u, n = FLOAT64.unit_roundoff, len(values)
    assert abs(Fraction(float(got.mean[0])) - exact.mean_fraction(0)) <= 4 * u * sum(sizes)
    assert abs(Fraction(float(got.m2[0])) - exact.m2_fraction(0)) <= 8 * n * u * sum(s * s for s in sizes)


@pytest.mark.parametrize("name", [name for name in MERGEABLE if name != "shifted"])
@laws
@given(values=st.lists(st.integers(-40, 40), min_size=2, max_size=30), data=st.data())
def test_merging_adds_up(name: str, values: list[int], data: Any) -> None:
    """Two parts merged are the whole, up to rounding; the order of the two does not matter that much either."""
    formula = FORMULAS[name]
    cut = data.draw(st.integers(1, len(values) - 1))
    scalars = [np.float64(v) for v in values]
    zero = np.float64(0)
    begin = formula.state(*[zero for _ in formula.state._fields])  # type: ignore[attr-defined]
    if formula.start is not None:
        centre = (
            in_python(formula.centre, "running", scalars) if isinstance(formula.centre, Formula) else (scalars[0], zero)
        )
        begin = formula.start(begin, *centre)
    a, b = running(formula, begin, scalars[:cut]), running(formula, begin, scalars[cut:])
    exact = truth(row(values))
    u, n = 2.0**-53, len(values)
    for state, count in (together(formula, a, b), together(formula, b, a)):
        mean, m2 = formula.read(state, count)
        assert float(mean) == pytest.approx(float(exact.mean_fraction(0)), abs=4 * n * u * 40)
        assert float(m2) == pytest.approx(float(exact.m2_fraction(0)), abs=8 * n * u * n * 80**2)


# What a formula is ------------------------------------------------------------------------------------------


def test_formulas_say_what_they_are() -> None:
    for name, formula in FORMULAS.items():
        assert formula.name == name
        assert "\n" not in formula.summary
        assert formula.summary.endswith(".")
        assert "doi:" in formula.source
        assert formula.sweeps == (2 if isinstance(formula.centre, Formula) else 1)
    assert [name for name in FORMULAS if name not in MERGEABLE] == ["welford", "west"]


def test_a_formula_with_half_a_centre_is_refused() -> None:
    base = FORMULAS["two_pass"]
    for centre, start, message in (
        ("first", None, "a centre and the verb start go together"),
        (None, base.start, "a centre and the verb start go together"),
        ("middle", base.start, "centre 'middle' is not 'first' or 'given'"),
    ):
        with pytest.raises(ValueError, match=message):
            Formula("f", "f", "f.", "doi:", base.state, base.update, base.read, base.merge, start, centre)
