"""Scoring other people's functions: how they are called is found out, what they answer is held against fractions."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

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
from varstudy.survey.callables.lengths import LENGTHS, pattern, wrong_lengths


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
        ("math:pi", "is of type float, and cannot be called"),
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


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of functions, called like a module that everyone has, next to another file that it imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "parts_of_mine.py").write_text("def half(x):\n    return x[: len(x) // 2 * 2]\n")
    file = tmp_path / "numpy.py"
    file.write_text(
        "import statistics\nfrom parts_of_mine import half\nprint('noise')\n"
        "def f(x):\n    return statistics.pvariance(half(x))\n"
        "class Kept:\n    @staticmethod\n    def g(x):\n        return f(x)\n"
    )
    return file


def test_a_function_in_a_file(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for spec in ("./numpy.py:f", "numpy.py:f", f"{mine}:f", f"{mine}:Kept.g"):
        assert resolve(spec)([1.0, 3.0, 7.0]) == 1.0
    assert capsys.readouterr().out == ""
    assert resolve("numpy:var") is np.var, "a file hides no module"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("./numpy.py", r"write \./numpy\.py:FUNCTION; it defines f"),
        ("./numpi.py:f", r"\./numpi\.py does not exist: did you mean numpy\.py"),
        ("no/where.py:f", r"no/where\.py does not exist: check the path"),
        ("./numpy.py:ff", r"\./numpy\.py has no 'ff': did you mean f\?"),
        ("./numpy.py:nothing", r"\./numpy\.py has no 'nothing': it has Kept, f, half, statistics"),
        ("./:f", r"is a folder: name a Python file in it"),
        ("./text.txt:f", r"is not a Python file: name one that ends in \.py"),
        ("./bad.py:f", r"\./bad\.py cannot be imported \(SyntaxError: .*line 1\)\): fix the import error first"),
        ("./needs.py:f", r"\./needs\.py needs 'a_module_that_is_not_there', which is not installed: install it"),
        ("alone_here:f", r"for the file here write \./alone_here\.py:f"),
    ],
)
def test_files_that_are_wrong(mine: Path, spec: str, message: str) -> None:
    (mine.parent / "text.txt").write_text("")
    (mine.parent / "bad.py").write_text("def f(x: return 1\n")
    (mine.parent / "needs.py").write_text("import a_module_that_is_not_there\n")
    (mine.parent / "alone_here.py").write_text("")
    if spec.startswith("alone"):
        sys.path[:] = [each for each in sys.path if each not in ("", ".", str(mine.parent))]
    with pytest.raises(CallableProblem, match=message) as caught:
        resolve(spec)
    assert "\n" not in str(caught.value)


def test_a_function_that_wants_a_tensor_gets_one_where_torch_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def var_of_tensor(x: Any) -> Any:
        return x.unsqueeze().values.var()

    with monkeypatch.context() as without:
        without.delitem(sys.modules, "torch", raising=False)
        without.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(CallableProblem, match=r"has no attribute 'unsqueeze'.*wrap it in a function that can"):
            convention(var_of_tensor, "it")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    (tmp_path / "torch.py").write_text(
        "class Tensor:\n    def __init__(self, values):\n        self.values = values\n"
        "    def unsqueeze(self):\n        return self\n"
        "from_numpy = Tensor\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert str(convention(np.var, "it")) == "f(x, ddof=0)", "arrays come first"
        assert "torch" not in sys.modules
        assert str(convention(var_of_tensor, "it")) == "f(torch.tensor(x))"
    finally:
        sys.modules.pop("torch", None)


def tree(x: Any) -> float:
    """Adds pairs, and drops the value that is left over."""
    s, q = x.astype(np.float64), x.astype(np.float64) ** 2
    while len(s) > 1:
        half = len(s) // 2
        s, q = (each[:half] + each[half : 2 * half] for each in (s, q))
    return float(q[0] / len(x) - (s[0] / len(x)) ** 2)


@pytest.mark.parametrize(
    ("function", "lengths"),
    [
        (np.var, ""),
        (statistics.variance, ""),
        (tree, "n that are not powers of two"),
        (lambda x: np.var(x[: len(x) // 2 * 2]), "odd n"),
        (lambda x: np.var(x[: len(x) // 8 * 8 or None]), "n above 8 that are not multiples of 8"),
        (lambda x: np.var(x[:1000]), "n above 1000"),
        (lambda x: math.nan if len(x) in (7, 65) else np.var(x), f"n = 7, 65 of {len(LENGTHS)} lengths from 2 to 4097"),
    ],
)
def test_lengths_that_a_function_gets_wrong_on_easy_rows(function: Any, lengths: str) -> None:
    how = convention(function, "it")
    for dtype in (np.float32, np.float64):
        assert wrong_lengths(function, how, dtype, 10**6) == lengths


def test_the_score_says_for_which_lengths_a_function_is_wrong() -> None:
    card = score(tree, "tree", only="bessel/n=0002", level="quick")
    assert card.lengths == card.record()["wrong_lengths"] == "n that are not powers of two"
    assert not any(each.wrong for each in card.scores), "none of these rows shows it"
    assert score(tree, "tree", only="bessel/n=0002", level="quick", max_length=2).lengths == ""


def test_a_list_of_lengths_without_a_pattern_is_cut() -> None:
    told = "n = 3, 5, 6, 9, 11, 14 and 2 more of 28 lengths from 2 to 29"
    assert pattern(range(2, 30), [3, 5, 6, 9, 11, 14, 17, 20]) == told


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


@pytest.mark.peers
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
