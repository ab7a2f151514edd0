"""Checking an array and explaining a case: every number against fractions."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

import ml_dtypes
import numpy as np
import pandas as pd
import pytest

import varkernels
import varstudy
from varstudy.study import featuremaps
from varstudy.study.algorithm_answers import accumulators_for, algorithms_for, decimal
from varstudy.study.explanation import explain
from varstudy.study.measuring import ACCUMULATORS
from varstudy.study.population import LENGTHS, committed
from varstudy.study.recommendation import is_candidate, recommend
from varstudy.study.score import held
from varstudy.study.verdict import check

FEW = ("naive", "pairwise", "chan")


def exact(values: np.ndarray, correction: int = 0) -> Fraction:
    numbers = [Fraction(float(v)) for v in values.reshape(-1)]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - correction)


def digits(computed: float, wanted: Fraction) -> float:
    error = abs(Fraction(computed) / wanted - 1)
    return math.inf if not error else -math.log10(error)


def test_every_chosen_algorithm_exists_once() -> None:
    names = [found.name for found in algorithms_for()]
    assert len(set(names)) == len(names)
    assert {"naive", "welford", "pairwise", "chan", "double_double", "exact"} <= set(names)
    costs = [(found.reads, found.name) for found in algorithms_for() if found.builtin]
    assert [reads for reads, _ in costs] == sorted(reads for reads, _ in costs)


def test_pytorch_2470() -> None:
    x = np.array([2281.5, 2281.25], np.float32)
    found = check(x, "flat", correction=1.0, algorithms=FEW)
    by_name = {(a.algorithm, a.accumulator): a for a in found.answers}
    naive, chan = by_name["naive", "float32"], by_name["chan", "float32"]
    assert Fraction(naive.exact) == exact(x, 1) == Fraction(1, 32)
    assert (naive.computed, naive.text, naive.digits_worst) == (0.0, "0.0", 0.0)
    assert (chan.computed, chan.digits_worst, chan.ulps_worst) == (0.03125, math.inf, 0.0)
    # Half an ulp of 1/32 is 2^-29; the naive answer is off by all of 1/32.
    assert naive.ulps_worst == 2.0**23
    squares = sum(Fraction(float(v)) ** 2 for v in x)
    assert found.kappa_worst == pytest.approx(math.sqrt(squares / (2 * exact(x))), rel=1e-15)
    assert "naive, E[x^2] - E[x]^2, in float32: it is wrong on 1 of 1 row, for condition numbers up to" in str(found)


def test_digits_rows_and_bounds() -> None:
    x = (1000 + np.random.default_rng(1).normal(size=(2, 6, 4, 4))).astype(np.float32)
    found = check(x, "group", groups=3, algorithms=FEW)
    rows = x.reshape(6, 32)
    assert (found.rows, found.values, found.shape) == (6, 32, (2, 6, 4, 4))
    kappa = [math.sqrt(sum(Fraction(float(v)) ** 2 for v in row) / (32 * exact(row))) for row in rows]
    order = sorted(range(6), key=lambda r: -kappa[r])
    assert [fact.row for fact in found.worst] == order[:5]
    assert [fact.what for fact in found.worst] == [f"sample {r // 3}, group {r % 3}" for r in order[:5]]
    assert [fact.exact for fact in found.worst] == [decimal(exact(rows[r])) for r in order[:5]]
    for answer in found.answers:
        computed = varkernels.moments(rows[np.newaxis], answer.algorithm, answer.accumulator).variance(0)
        each = [digits(float(v), exact(row)) for v, row in zip(computed, rows, strict=True)]
        assert answer.row == each.index(min(each))
        assert answer.digits_worst == pytest.approx(min(each))
        assert answer.digits_median == pytest.approx(
            -math.log10(np.median([10**-d for d in each])) if max(each) < math.inf else answer.digits_median
        )
        assert Decimal(answer.exact) == Decimal(decimal(exact(rows[answer.row]), 34))
        assert answer.digits_bound <= answer.digits_worst
        assert answer.computed == float(computed[answer.row])


def test_rows_without_a_variance_are_named() -> None:
    x = np.ones((2, 3, 2, 2), np.float64)
    x[:, 0] = [[[1, 2], [3, np.nan]], [[np.inf, -np.inf], [np.inf, 0]]]
    x[1, 1, 0, 0] = 2
    found = check(x, "instance", algorithms=FEW)
    assert (found.rows, found.nonfinite, found.constant, found.undefined) == (6, 2, 3, 0)
    assert found.nonfinite_named == ["sample 0, channel 0: 1 NaN", "sample 1, channel 0: 2 +inf, 1 -inf"]
    assert [fact.what for fact in found.worst] == ["sample 1, channel 1"]
    assert found.worst[0].exact == "0.1875"
    assert all(a.constant_worst == 0 for a in found.answers)


@pytest.mark.parametrize("norm", ["flat", "batch", "layer", "instance"])
@pytest.mark.parametrize("shape", [(0, 1, 2, 2), (1, 0, 2, 2), (1, 1, 0, 2)])
def test_an_array_without_values_is_refused_in_one_sentence(shape: tuple[int, ...], norm: str) -> None:
    sentence = f"the array has shape {shape} and so no values: give one without zero-size axes"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check(np.zeros(shape, np.float32), norm)


def test_accumulators() -> None:
    assert accumulators_for("float16") == ("float16", "float32")
    assert accumulators_for("float64") == ("float64",)
    assert accumulators_for("bfloat16", "float64") == ("float64",)
    for storage, wanted in (("float32", "float16"), ("float16", "bfloat16"), ("float64", "float32")):
        with pytest.raises(ValueError, match=f"accumulator '{wanted}' does not serve {storage}"):
            accumulators_for(storage, wanted)


@pytest.mark.parametrize(
    ("norm", "layout", "names"),
    [
        ("batch", "NHWC", ["channel 0", "channel 1"]),
        ("layer", "NHWC", ["sample 0", "sample 1", "sample 2"]),
        ("instance", "NHWC", [f"sample {n}, channel {c}" for n in range(3) for c in range(2)]),
        ("flat", "NHWC", ["all values"]),
    ],
)
def test_row_names(norm: str, layout: str, names: list[str]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    x[:, :, :, 1] += 5
    found = check(x, norm, layout=layout, algorithms=("naive",))
    assert found.rows == len(names)
    assert {fact.what for fact in found.worst} <= set(names)
    assert all(fact.what == names[fact.row] for fact in found.worst)


def test_decimal_is_correctly_rounded() -> None:
    assert decimal(Fraction(1, 32)) == "0.03125"
    assert decimal(Fraction(2, 3), 5) == "0.66667"
    assert decimal(Fraction(1, 2**1074), 3) == "4.94E-324"
    assert decimal(Fraction(0)) == "0"
    assert decimal(Fraction(10**30)) == "1E+30"
    value = Fraction(123456789, 987654321)
    assert abs(Fraction(decimal(value, 34)) - value) <= Fraction(1, 2 * 10**34)


def test_explain_gives_the_answers_of_each_algorithm() -> None:
    case = featuremaps.find("nist/NumAcc4")
    found = explain(case, algorithms=FEW)
    assert [part.storage for part in found.parts] == list(case.storages)
    for part in found.parts:
        x = case.make(part.storage, 0)
        wanted = exact(x, int(part.correction))
        assert (part.rows, part.values, part.nonfinite) == (1, 1001, 0)
        for answer in part.answers:
            assert Decimal(answer.exact) == Decimal(decimal(wanted, 34))
            if wanted:
                assert answer.digits_worst == pytest.approx(digits(answer.computed, wanted), abs=1e-12)
            else:  # float32 stores 10,000,000.1 and its like as one number
                assert part.storage == "float32"
                assert answer.constant_worst == abs(answer.computed)
            assert part.names == {0: "all values"}


def test_explain_takes_the_worst_row_of_each_algorithm() -> None:
    case = featuremaps.find("offset/kappa=1e+03")
    (part,) = explain(case, storage="float32", accumulator="float32", algorithms=FEW, seed=4).parts
    x = case.make("float32", 4).transpose(1, 0, 2, 3).reshape(8, -1)
    for answer in part.answers:
        computed = varkernels.moments(x[np.newaxis], answer.algorithm).variance(0)
        each = [digits(float(v), exact(row)) for v, row in zip(computed, x, strict=True)]
        assert answer.row == each.index(min(each))
        assert answer.text == str(computed[answer.row])
        assert part.names[answer.row] == f"channel {answer.row}"
    assert part.kappa_median == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "layer"}, "not studied under norm 'layer': use batch"),
        ({"storage": "float8"}, "not defined for storage 'float8'"),
        ({"algorithms": ("welfrod",)}, "did you mean welford"),
        ({"accumulator": "float16", "storage": "float32"}, "does not serve float32"),
    ],
)
def test_explain_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(featuremaps.find("offset/kappa=1e+03"), **options)


def test_explain_leaves_out_what_an_accumulator_does_not_serve() -> None:
    case = featuremaps.find("offset/kappa=1e+00")
    assert case.storages == ("float16", "bfloat16", "float32", "float64")
    found = explain(case, accumulator="float32", algorithms=("naive",))
    assert [part.storage for part in found.parts] == ["float16", "bfloat16", "float32"]


def called(found: varstudy.Verdict, x: np.ndarray) -> object:
    """The answer of the call that a verdict names last."""
    (call,) = re.findall(r"(varstudy\..*) is correctly rounded", found.reasons[-1])
    return eval(call, {"varstudy": varstudy, "x": x})


# The verdict ----------------------------------------------------------------------------------------------------------


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def verdict(x: object, *words: object, **options: object) -> list[str]:
    """The lines of a verdict: the answer and each reason."""
    found = check(x, *words, **options)
    assert str(found).splitlines() == [found.answer, *(f"- {reason}" for reason in found.reasons)]
    for line in (found.answer, *found.reasons):
        assert line[0].isupper() or line[0].isdigit()
        assert line.endswith(".")
    return [found.answer, *found.reasons]


@pytest.mark.parametrize("pair", [pair for pair in committed().pairs() if pair[1] in ACCUMULATORS[pair[0]]])
@pytest.mark.parametrize("length", LENGTHS)
def test_the_algorithms_tried_lead_to_the_report_s_choice(pair: tuple[str, str], length: int) -> None:
    """The rule sees fewer algorithms here than in the report, and must name the same one."""
    whole = recommend(committed(), *pair, length)
    few = recommend(committed(), *pair, length, {each.name: each for each in algorithms_for()})
    assert (whole is None) == (few is None)
    if whole is not None and few is not None:
        assert (whole.cheapest is None) == (few.cheapest is None)
        if whole.cheapest is not None and few.cheapest is not None:
            assert few.cheapest.algorithm == whole.cheapest.algorithm


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (normal(4, 3, 16, 16).astype("f4"), {"norm": "batch"}),
        ((30 + normal(2, 32, 8, 8)).astype("f2"), {"norm": "group", "groups": 8}),
        ((100 + normal(2, 8, 20)).astype(ml_dtypes.bfloat16), {"norm": "instance", "layout": "NCL"}),
        (np.full(6, 0.001), {}),
        (np.array([512, -512] * 32, "f2"), {}),
        (normal(2, 7, 768).astype("f4"), {"norm": "layer"}),
    ],
)
def test_the_recommended_algorithm_is_the_report_s_and_right_on_the_array(array: np.ndarray, options: dict) -> None:
    found = check(array, **options)
    assert found.recommended is not None
    algorithm, accumulator = found.recommended
    assert found.answer.startswith(f"Use {algorithm} with a {accumulator} accumulator.")
    assert is_candidate(varkernels.get(algorithm))
    report = recommend(committed(), found.storage, accumulator, found.values)
    assert report is not None
    assert report.cheapest is not None
    assert report.cheapest.algorithm == algorithm
    (own,) = [a for a in found.answers if (a.algorithm, a.accumulator) == found.recommended]
    assert own.tally.right == found.rows
    assert own.digits_worst >= held(varkernels.FORMATS[found.storage]) - 1 or found.constant == found.rows


CONSTANTS = [(0.001, n) for n in range(2, 13)] + [(1.81, 1448), (0.1, 27), (1e-30, 100), (3e300, 5), (-7.7, 1000)]


@pytest.mark.parametrize(("value", "count"), CONSTANTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_constants_are_never_advised_by_a_lucky_zero(value: float, count: int, dtype: str) -> None:
    with np.errstate(over="ignore"):
        x = np.full(count, value, dtype)
    if not np.isfinite(x).all():
        return
    found = check(x)
    assert found.answer.endswith("Every row is constant: its exact variance is 0.")
    assert found.recommended is not None
    assert is_candidate(varkernels.get(found.recommended[0]))
    (warning,) = [reason for reason in found.reasons if reason.startswith("Do not use naive")]
    assert warning.endswith("on other constants it is negative or positive.")
    naive = next(a for a in found.answers if (a.algorithm, a.accumulator) == ("naive", found.recommended[1]))
    assert ("gives 0 here by luck" in warning) == (naive.computed == 0)


@pytest.mark.parametrize(
    ("dtype", "scale", "word", "wide"),
    [
        ("f2", 512.0, "beyond float16, whose largest number is 65504", "float32"),
        ("f2", 1e-5, "below float16's smallest normal number 6.1e-05, and rounds to 0", "float32"),
        ("f2", 1e-2 / 4, "below float16's smallest normal number 6.1e-05", "float32"),
        ("f4", 1e30, "beyond float32, whose largest number is 3.40282e+38", "float64"),
        ("f4", 1e-25, "below float32's smallest normal number 1.2e-38", "float64"),
        (ml_dtypes.bfloat16, 1e30, "beyond bfloat16", "float64"),
    ],
)
def test_the_range_of_the_answer(dtype: object, scale: float, word: str, wide: str) -> None:
    x = (np.array([1.0, -1.0] * 32) * scale).astype(dtype)
    answer, *reasons = verdict(x)
    assert answer.endswith(f" Keep the variance in {wide}.")
    (said,) = [reason for reason in reasons if reason.startswith("The variance is")]
    assert word in said
    assert said.endswith(f"keep the variance in {wide}.")
    assert decimal(exact(x.astype(float)), 6) in said
    assert f"dtype='{wide}'" in reasons[-1]


def test_the_range_is_told_by_rows() -> None:
    x = np.ones((3, 64), np.float16)
    x[0, ::2], x[1, ::2] = -512 + 1024 * 0, 3
    x[0, 1::2] = 512
    found = check(x, "layer")
    assert (found.range.above, found.range.below, found.range.keep_in, found.constant) == (1, 0, "float32", 1)
    assert "up to 262144, beyond float16 on 1 of 3 rows" in str(found)


def test_no_format_holds_the_variance() -> None:
    x = 1e200 * normal(10)
    answer, *reasons = verdict(x)
    assert "Scale the values by a power of two first" in answer
    assert f"The variance is {decimal(exact(x), 6)}, beyond float64" in "".join(reasons)


@pytest.mark.parametrize(("outlier", "alone"), [(795.0, True), (300.0, True), (250.0, False)])
def test_an_outlier_whose_square_overflows(outlier: float, alone: bool) -> None:
    x = normal(4, 768).astype("f2")
    x[2, 10] = outlier
    x[2, 11] = -outlier if not alone else x[2, 11]
    found = check(x, "layer")
    (said,) = [reason for reason in found.reasons if reason.startswith("A sum of squares overflows float16 on 1 of 4")]
    assert said.endswith("Square and sum in float32.")
    assert ("its square alone" in said) == alone
    assert ("sample 2" in said) == alone
    assert found.recommended is not None
    assert found.recommended[1] == "float32"
    assert "A float16 accumulator does not hold the sums of this array." in found.reasons
    forced = check(x, "layer", accumulator="float16")
    assert forced.recommended is None
    assert forced.answer.startswith("No algorithm can accumulate these values in float16")


@pytest.mark.parametrize(
    ("x", "epsilon", "words", "advice"),
    [
        (np.zeros((4, 10), "f2"), 1e-12, "is 0 in float16, whose smallest number is 6e-08, and then the 4 rows", True),
        (normal(4, 10).astype("f2"), 1e-12, "is 0 in float16", True),
        (normal(4, 10).astype("f2"), 1e-5, "is below float16's smallest normal number 6.1e-05", True),
        (
            normal(4, 10).astype("f4"),
            1e-5,
            "the normalised output keeps a standard deviation of at least 0.99",
            False,
        ),
        (np.zeros((4, 10), "f4"), 0.0, "Epsilon is 0, so that the 4 rows with variance 0 become 0/0 = NaN", False),
        (1e-4 * normal(4, 10), 1e-5, "is larger than the variance on 4 of 4 rows, so that epsilon dominates", False),
        (1e-4 * normal(4, 10), None, "The usual epsilon 1e-05 is larger than the variance on 4 of 4 rows", False),
    ],
)
def test_epsilon(x: np.ndarray, epsilon: float | None, words: str, advice: bool) -> None:
    answer, *reasons = verdict(x, "layer", epsilon=epsilon)
    assert sum(words in reason for reason in reasons) == 1
    assert (" epsilon in float32." in answer) == advice


def test_epsilon_is_compared_exactly() -> None:
    found = check(np.array([[1.0, -1.0], [1e-3, -1e-3]]), "layer", epsilon=1e-5)
    assert found.epsilon_facts is not None
    assert found.epsilon_facts.above == 1
    assert found.epsilon_facts.deviation == pytest.approx(math.sqrt(1e-6 / (1e-6 + 1e-5)))
    assert check(normal(4), epsilon=None).epsilon_facts is None
    for wrong in (-1e-5, math.nan, math.inf):
        with pytest.raises(ValueError, match="give a number from 0 up"):
            check(normal(4), epsilon=wrong)


def test_small_activations_in_float16() -> None:
    answer, *reasons = verdict((1e-5 * normal(1, 8, 32, 32)).astype("f2"), "batch")
    assert answer.endswith("Keep the variance in float32.")
    assert any("rounds to 0 on 8 of 8 rows" in reason for reason in reasons)
    assert any("so that epsilon dominates" in reason for reason in reasons)


@pytest.mark.parametrize(("shape", "norm"), [((1, 8, 1, 1), "batch"), ((1, 8), "batch"), ((3, 5, 1), "instance")])
def test_one_value_a_row(shape: tuple[int, ...], norm: str) -> None:
    options = {"layout": "NCL"} if len(shape) == 3 else {}
    answer, *reasons = verdict(np.ones(shape, "f4"), norm, **options)
    assert answer == "Every row has one value, so that its variance is 0 with every algorithm."
    (said,) = [reason for reason in reasons if reason.startswith("One value a")]
    assert "with Bessel's correction (n - 1) the variance is 0/0" in said
    assert ("PyTorch refuses to train" in said) == (norm == "batch")
    answer, *_ = verdict(np.ones(shape, "f4"), norm, correction=1, **options)
    assert answer.startswith("There is no variance: every row has 1 value")
    assert answer.endswith("Lower the correction.")


def test_rows_without_a_variance_only() -> None:
    found = check(np.full((2, 2), np.nan), "layer")
    assert found.answer.startswith("No row has a variance: remove NaN and infinities first")
    assert (found.answers, found.recommended, found.worst, found.choices) == ([], None, [], {})


@pytest.mark.parametrize("norm", ["flat", "batch", "layer", "instance", "group"])
@pytest.mark.parametrize("correction", [0, 1])
def test_the_call_of_the_library_answers_in_the_format_of_the_advice(norm: str, correction: int) -> None:
    x = (512 * np.sign(normal(2, 4, 3, 3))).astype("f2")
    groups = 2 if norm == "group" else None
    found = check(x, norm, correction=correction, groups=groups, algorithms=("naive",))
    assert found.answer.endswith("Keep the variance in float32.")
    answer = np.asarray(called(found, x))
    rows = varkernels.views.view(x, norm, layout="NCHW", groups=groups).transpose(1, 0, 2).reshape(found.rows, -1)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer.ravel(), [np.float32(float(exact(row, correction))) for row in rows])


# Layouts --------------------------------------------------------------------------------------------------------------

RANKS = {2: ("NC",), 3: ("NLC", "NCL"), 4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group"])
@pytest.mark.parametrize(("rank", "layouts"), RANKS.items())
def test_ranks_and_layouts(norm: str, rank: int, layouts: tuple[str, ...]) -> None:
    x = np.random.default_rng(rank).standard_normal((2, 4, 6, 8, 10)[:rank])
    for layout in (None, *layouts):
        found = check(x, norm, layout=layout, groups=2 if norm == "group" else None, algorithms=("naive",))
        taken = layout or layouts[0]
        assert (found.layout, found.assumed) == (taken, layout is None)
        channel = taken.index("C")
        if norm == "layer" and taken == "NLC":
            rows = x.reshape(-1, x.shape[2])
        else:
            moved = np.moveaxis(x, channel, 1).reshape(x.shape[0], x.shape[channel], -1)
            rows = {
                "batch": moved.transpose(1, 0, 2).reshape(moved.shape[1], -1),
                "layer": moved.reshape(moved.shape[0], -1),
                "instance": moved.reshape(-1, moved.shape[2]),
                "group": moved.reshape(2 * moved.shape[0], -1),
            }[norm]
        assert (found.rows, found.values) == rows.shape
        assert [fact.exact for fact in found.worst] == [decimal(exact(rows[fact.row])) for fact in found.worst]
        assert (f"taken as {taken}" in found.reasons[0]) == (layout is None)
        if found.values > 1:
            answer = called(found, x)
            wanted = np.array([float(exact(row)) for row in rows])
            np.testing.assert_array_equal(np.ravel(answer), wanted)


def test_a_transformer_s_activations() -> None:
    found = check(normal(2, 77, 768).astype("f4"), "layer", algorithms=("naive",))
    assert (found.rows, found.values, found.layout, found.assumed) == (154, 768, "NLC", True)
    assert "taken as NLC: layer norm takes 768 values together in each of 154 rows" in found.reasons[0]
    assert "as a transformer normalises them" in found.reasons[0]
    assert all(re.fullmatch(r"sample [01], position \d+", fact.what) for fact in found.worst)


@pytest.mark.parametrize(
    ("shape", "layout", "words"),
    [
        ((8,), None, "layer norm needs 2 to 5 axes, and x has shape (8,): reshape it to samples, channels and values"),
        ((1, 2, 1, 2, 1, 2), None, "such as x.reshape(n, c, -1) with layout NCL"),
        ((2, 3, 4), "NCHW", "layout NCHW needs rank 4, and x has rank 3 and shape (2, 3, 4): use NCL or NLC"),
        ((2, 3), "NLC", "layout NLC needs rank 3, and x has rank 2 and shape (2, 3): use NC"),
        ((2, 3), "NCWH", "layout 'NCWH' is unknown: use one of NCHW"),
    ],
)
def test_layouts_that_do_not_fit(shape: tuple[int, ...], layout: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check(np.ones(shape), "layer", layout=layout)
    if layout is None:
        assert check(np.ones(shape)).rows == 1


# What `varstudy.check` takes ------------------------------------------------------------------------------------------


class Tensor:
    """An array of another library."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values


@pytest.mark.parametrize(
    ("x", "storage", "how"),
    [
        ([[1, 2.5], [3, 4]], "float64", ""),
        (3.0, "float64", ""),
        (np.array([[1, 2], [3, 5]], "u1"), "float32", "uint8 integers converted exactly to float32"),
        ([True, False], "float32", "booleans converted exactly to float32"),
        ([2**62, 5], "float64", "int64 integers from 5 to 4611686018427387904 rounded to float64"),
        (Tensor(np.array([1.0, 2.0], "f2")), "float16", ""),
        (np.array([1.0, 2.0], ">f4"), "float32", ""),
        (np.ma.masked_array([1.0, 2.0], [False, False]), "float64", ""),
        (pd.Series([1.0, 2.0]), "float64", ""),
        (pd.Series([1, None, 3], dtype="Int64"), "float64", ""),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}), "float64", ""),
    ],
)
def test_check_takes_what_var_takes(x: object, storage: str, how: str) -> None:
    found = varstudy.check(x)
    assert found.storage == storage
    assert found.how.startswith(how)
    assert bool(found.how) == bool(how)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        ([1j, 2], TypeError, "complex128"),
        (["a"], TypeError, "give integers, bool, or one of float16"),
        ([], ValueError, "so no values"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), ValueError, "give x.compressed()"),
        (np.array(["2020-01-01"], "M8[D]"), TypeError, "datetime64"),
    ],
)
def test_check_refuses_what_var_refuses(x: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        varstudy.check(x)
