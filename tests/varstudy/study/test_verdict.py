"""Checking an array and explaining a case: every number against fractions."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import varkernels
from varstudy.study import featuremaps
from varstudy.study.algorithm_answers import accumulators_for, algorithms_for, decimal
from varstudy.study.explanation import explain
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
    assert {"naive", "welford", "pairwise", "chan", "double_double", "fast", "exact"} <= set(names)
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
    assert found.recommended == ("pairwise", "float32")
    assert "it keeps all of 7.2 digits" in found.advice
    assert "naive accumulated in float32 keeps none of 7.2 digits" in found.advice


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


def test_constant_rows() -> None:
    found = check(np.full((1, 3, 3, 3), 0.1, np.float32), "flat", algorithms=("naive", "welford"))
    naive, welford = found.answers[:2]
    assert math.isnan(naive.digits_worst)
    assert naive.constant_worst == abs(naive.computed) > 0
    assert naive.exact == "0"
    assert welford.constant_worst == 0
    assert found.recommended == ("welford", "float32")
    assert math.isnan(found.kappa_worst)
    assert "constant" in found.advice


@pytest.mark.parametrize(
    ("array", "correction", "advice"),
    [
        (np.full((2, 2), np.nan), 0.0, "No row is free of NaN"),
        (np.ones((2, 1)), 1.0, "No row has more than 1 values"),
    ],
)
def test_nothing_to_measure(array: np.ndarray, correction: float, advice: str) -> None:
    found = check(array, "layer", layout="NC", correction=correction)
    assert found.answers == []
    assert found.recommended is None
    assert found.advice.startswith(advice)
    assert found.worst == []


def test_the_cheapest_that_is_good_enough_is_recommended() -> None:
    easy = np.array([-3.0, -1.0, 1.0, 3.0], np.float32)
    found = check(easy, "flat", algorithms=FEW)
    assert found.recommended == ("naive", "float32")
    assert "no condition number is above 1" in found.advice
    hard = (1e4 + np.random.default_rng(0).normal(size=4096)).astype(ml_dtypes.bfloat16)
    assert check(hard, "flat", accumulator="float32", algorithms=FEW).recommended is not None


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
