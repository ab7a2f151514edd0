"""Scoring other people's functions: how they are called is found out, what they answer is held against fractions."""

from __future__ import annotations

import json
import math
import statistics
import sys
import types
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import varkernels
from varkernels import FORMATS
from varkernels.rounding import ulp
from varstudy.study import featuremaps
from varstudy.study.algorithm_answers import algorithms_for
from varstudy.study.score import held
from varstudy.survey.callables import CallableProblem, convention, resolve, score, scoring
from varstudy.survey.callables.calling import argument


def exact(values: np.ndarray, correction: int = 0) -> Fraction:
    numbers = [Fraction(float(v)) for v in values]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - correction)


def test_names_are_resolved() -> None:
    assert resolve("numpy:var") is np.var
    assert resolve("statistics:variance") is statistics.variance
    assert resolve("numpy:ma.var")([1.0, 3.0]) == 1.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("numpy.var", "write MODULE:FUNCTION"),
        (":var", "write MODULE:FUNCTION"),
        ("numpy:", "write MODULE:FUNCTION"),
        ("numpi:var", "module 'numpi' is unknown: did you mean numpy"),
        ("numpy.nothing:var", "module 'numpy.nothing' is unknown"),
        ("numpy:nanvr", "numpy has no 'nanvr': did you mean nanvar"),
        ("numpy:ma.vrr", "numpy.ma has no 'vrr'"),
        ("math:pi", "is a float, not a function"),
    ],
)
def test_names_that_are_wrong(spec: str, message: str) -> None:
    with pytest.raises(CallableProblem, match=message) as caught:
        resolve(spec)
    assert "\n" not in str(caught.value)


def test_a_module_that_fails(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "fails_to_import.py").write_text("print('noise')\nraise OSError('no\\ndriver')\n")
    (tmp_path / "wants_more.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CallableProblem, match=r"cannot be imported \(OSError: no driver\)"):
        resolve("fails_to_import:f")
    assert capsys.readouterr().out == ""
    with pytest.raises(CallableProblem, match="needs 'a_module_that_is_not_there', which is not installed"):
        resolve("wants_more:f")
    assert "fails_to_import" not in sys.modules


def with_correction(x, *, correction=0.0):
    return np.var(x, ddof=correction)


def lists_only(x):
    if not isinstance(x, list):
        raise TypeError("lists only")
    return statistics.variance(x)


def deaf(x, **ignored):
    return statistics.pvariance(x)


def sums(x):
    return float(np.var(x)) * len(x)


def complexes(x):
    return complex(np.var(x))


def nothing(x):
    return None


def pairs(x):
    return np.var(x), np.mean(x)


def boxed(x, ddof=0):
    print("noise")
    return np.array([np.var(x, ddof=ddof)])


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (np.var, "f(x, ddof=0)"),
        (np.nanvar, "f(x, ddof=0)"),
        (statistics.variance, "f(x)"),
        (statistics.pvariance, "f(x)"),
        (with_correction, "f(x, correction=0)"),
        (lists_only, "f(list(x))"),
        (deaf, "f(x)"),
        (boxed, "f(x, ddof=0)"),
    ],
)
def test_conventions(function, call: str, capsys) -> None:
    found = convention(function, "it")
    assert str(found) == call
    assert found.correction == (1 if function in (statistics.variance, lists_only) else 0)
    assert capsys.readouterr().out == ""


class Tensor:
    """What a tensor offers: nothing that numpy understands."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def view(self, dtype: object) -> Tensor:
        return Tensor(self.values.view(dtype))


def var_of_tensor(x: Tensor, correction: int = 1) -> np.floating:
    if not isinstance(x, Tensor):
        raise TypeError(f"must be Tensor, not {type(x).__name__}")
    return np.var(x.values.astype(np.float64), ddof=correction)


def test_a_function_of_tensors_is_called_with_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CallableProblem, match="wrap it"):
        convention(var_of_tensor, "it")
    torch = types.SimpleNamespace(from_numpy=Tensor, bfloat16=ml_dtypes.bfloat16)
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = convention(var_of_tensor, "it")
    assert str(found) == "f(torch.tensor(x), correction=0)"
    card = score(var_of_tensor, "it", level="quick", only="museum/pytorch/pytorch#2470")
    assert {each.storage for each in card.scores} == set(featuremaps.find("museum/pytorch/pytorch#2470").storages)
    assert not card.left_out
    for each in card.scores:
        assert (each.failures, each.negative) == (0, 0)
    for fmt in FORMATS.values():
        x = np.array([1.5, -2.0, 3.0]).astype(fmt.dtype)
        given = argument(x, found.takes)
        assert (given.values.dtype, given.values.tolist()) == (fmt.dtype, x.tolist())


def test_torch_itself() -> None:
    torch = pytest.importorskip("torch")
    assert str(convention(torch.var, "torch.var")) == "f(torch.tensor(x), correction=0)"


def test_a_correction_that_is_asked_for() -> None:
    assert str(convention(np.var, "it", 1)) == "f(x, ddof=1)"
    assert convention(statistics.variance, "it", 1).correction == 1
    with pytest.raises(CallableProblem, match="it has the divisor n - 1 and takes no correction"):
        convention(statistics.variance, "it", 0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.std, r"for 0, 0, 0, 4 it gives 1.73205, like a standard deviation"),
        (sums, "it gives 12, the sum of squared deviations"),
        (np.mean, "it computes no variance"),
        (complexes, "it answers complex, not a number"),
        (nothing, "it answers NoneType, not a number"),
        (pairs, "it answers 2 numbers, not one"),
        (math.gcd, "cannot be called"),
    ],
)
def test_what_is_no_variance(function, message: str) -> None:
    with pytest.raises(CallableProblem, match=message) as caught:
        convention(function, "it")
    assert "\n" not in str(caught.value)


def test_digits_are_exact() -> None:
    card = score(np.var, "numpy:var", only="nist/numacc*")
    assert [(each.case, each.storage) for each in card.scores] == [
        (case.name, storage)
        for case in featuremaps.cases("default")
        if case.name.startswith("nist/NumAcc")
        for storage in case.storages
    ]
    for each in card.scores:
        x = featuremaps.find(each.case).make(each.storage, 0).reshape(-1)
        computed, wanted = float(np.var(x)), exact(x)
        if wanted:
            error = abs(Fraction(computed) / wanted - 1)
            shown = min(held(FORMATS[each.storage]), max(0.0, -math.log10(error))) if error else math.inf
            assert each.digits_worst == pytest.approx(min(shown, held(FORMATS[each.storage])))
            assert each.wrong == (error > Fraction(1, 10))
        else:
            assert each.digits_worst == (0 if computed else held(FORMATS[each.storage]))
        assert (each.rows, each.values, each.failures) == (1, x.size, 0)
        assert each.beyond_half_ulp == (abs(Fraction(computed) - wanted) > ulp(wanted, each.storage) / 2)
    names = {(each.name, each.accumulator) for each in card.ranking}
    names_of_ours = {each.name for each in algorithms_for() if not each.needs_centre}
    both = {(n, kind) for n in names_of_ours for kind in ("storage's own", "wider")}
    assert names == {("numpy:var", "")} | both
    assert {each.cases for each in card.ranking} == {len(card.scores)}
    assert 1 <= card.rank <= len(card.ranking)
    json.dumps({k: v for k, v in card.record().items() if k not in ("scores", "ranking")}, allow_nan=False)


def test_one_of_our_own_ties_with_itself() -> None:
    def ours(x, ddof=0):
        return varkernels.moments(x.reshape(1, 1, -1), "pairwise").variance(ddof)[0]

    card = score(ours, "ours", only="nist/numacc*")
    (same,) = (each for each in card.ranking if (each.name, each.accumulator) == ("pairwise", "storage's own"))
    own = card.ranking[[each.name for each in card.ranking].index("ours")]
    assert (own.wrong, own.digits_median, own.cases) == (same.wrong, same.digits_median, same.cases)


def test_what_it_raises_is_counted() -> None:
    def raises(x, ddof=0):
        if x.size == 1001:
            raise ArithmeticError("not\nthese")
        return np.var(x, ddof=ddof)

    card = score(raises, "raises", only="nist/numacc*", storages=["float64"])
    assert [(each.case, each.failures, each.failure) for each in card.scores] == [
        ("nist/NumAcc1", 0, ""),
        *((f"nist/NumAcc{k}", 1, "ArithmeticError: not these") for k in (2, 3, 4)),
    ]
    assert [each.wrong for each in card.scores] == [False, True, True, True]
    assert card.scores[1].digits_worst == 0


def test_formats_that_it_does_not_take_are_left_out() -> None:
    card = score(statistics.variance, "it", only="nist/numacc2")
    assert [each.storage for each in card.scores] == ["float16", "float32", "float64"]
    assert list(card.left_out) == ["every case in bfloat16"]
    asked = score(statistics.variance, "it", only="nist/numacc2", storages=["bfloat16"])
    assert asked.scores[0].failures == 1
    assert asked.left_out == {}


def test_negative_nan_and_infinite_answers_and_missed_ones() -> None:
    for answer, name in ((-1.0, "negative"), (math.nan, "nan"), (math.inf, "infinite")):

        def spoiled(x, ddof=0, answer=answer):
            return answer if x.size > 8 else np.var(x, ddof=ddof)

        (each,) = score(spoiled, "it", only="nist/numacc3", storages=["float64"]).scores
        assert getattr(each, name) == 1
        assert each.wrong
    card = score(np.nanvar, "it", only="nonfinite/nan-and-inf", storages=["float32"])
    matrix = featuremaps.find("nonfinite/nan-and-inf").make("float32", 0).transpose(1, 0, 2, 3).reshape(4, -1)
    with np.errstate(all="ignore"):
        missed = [not np.isfinite(row).all() and bool(np.isfinite(np.nanvar(row))) for row in matrix]
    assert card.scores[0].nonfinite_missed == sum(missed) > 0


def test_limits_are_told() -> None:
    card = score(np.var, "it", only="offset/*", storages=["float32"], max_length=4096, max_rows=2)
    assert card.left_out == {"offset/mean=1000": "rows of 65536 values"}
    assert set(card.shortened.values()) == {"2 of 8 rows"}
    assert {each.rows for each in card.scores} == {2}
    with pytest.raises(ValueError, match="nothing is left to score of 1 cases"):
        score(np.var, "it", only="offset/mean=1000")
    with pytest.raises(featuremaps.UnknownCase, match="did you mean"):
        score(np.var, "it", only="ofset/mean=1000")
    with pytest.raises(featuremaps.UnknownCase, match="not in the level quick: try --full"):
        score(np.var, "it", level="quick", only="offset/mean=1000")


def test_rows_are_those_of_the_first_norm() -> None:
    seen = []

    def watching(x, ddof=0):
        seen.append(x)
        return np.var(x, ddof=ddof)

    case = featuremaps.find("norms/relu/NHWC")
    score(watching, "it", only=case.name, storages=["float32"])
    rows = case.make("float32", 0).reshape(-1, 32).T
    assert [x.shape for x in seen[-4:]] == [(8 * 14 * 14,)] * 4
    for r, x in enumerate(seen[-4:]):
        assert x.flags.c_contiguous
        assert np.array_equal(x, rows[r])


def test_the_librarys_own_variance_is_correctly_rounded_everywhere() -> None:
    function = resolve("varstudy:var")
    card = score(function, "varstudy:var", level="quick", seed=0, max_length=3000, max_rows=2)
    assert sum(each.rows for each in card.scores) > 30
    assert [each.case for each in card.scores if each.beyond_half_ulp] == []


def test_a_registered_algorithm_that_lacks_a_format_does_not_stop_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = varkernels.Algorithm("theirs", "naive", "own", run=lambda *given: None, accumulators=("float32",))
    known = [varkernels.get("naive"), theirs]
    monkeypatch.setattr(scoring, "algorithms_for", lambda: known)
    card = score(np.var, "numpy.var", level="quick", only="growth/offset/N=2^08", storages=("float64",))
    assert {standing.name for standing in card.ranking} == {"numpy.var", "naive"}
