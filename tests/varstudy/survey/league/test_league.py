"""The league of libraries: a child's protocol, scores against fractions, and functions told by their bits."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varkernels
from varkernels.formats import FORMATS
from varstudy.cli import commands
from varstudy.survey.environments import Environment, Interpreter
from varstudy.survey.league import comparing, identifying, league_record, measure, ranking
from varstudy.survey.league.asking import ask
from varstudy.survey.league.identifying import Candidates, candidates, match
from varstudy.survey.league.league_record import LeagueProblem, LeagueRow
from varstudy.survey.league.league_rows import Matrix, packed, rows
from varstudy.survey.league.library_orders import schemes
from varstudy.survey.league.measuring import default_correction
from varstudy.survey.league.scoring import Answers, Exacts, answer_text, score
from varstudy.survey.libraries.catalogue import FUNCTIONS, LIBRARIES, chosen
from varstudy.survey.libraries.declaring import Eats, Function, Library
from varstudy.survey.probes import SCRIPTS

TOY = """
import os
import time

import numpy as np
from function_contract import Answer, Fixed, keyword, only


def versions():
    return {"toy": "1.0"}


def fixed(x, storage, ddof):
    only(ddof, 1)
    return np.var(x.astype(np.float64), ddof=1)


def late(x, storage, ddof):
    if len(x) > 5:
        time.sleep(60)
    return 0.0


def fragile(x, storage, ddof):
    if len(x) > 5:
        os.abort()
    return 0.0


def void(x, storage, ddof):
    if not len(x):
        time.sleep(60)
    return float(np.var(x))


def burst(x, storage, ddof):
    if not len(x):
        os.abort()
    return float(np.var(x))


def picky(x, storage, ddof):
    if x[0] < 0:
        raise ValueError("negative\\nand more")
    return float(np.var(x))


FUNCTIONS = {
    "var": lambda x, storage, ddof: np.var(x, axis=None, **keyword(ddof)),
    "columns": lambda x, storage, ddof: np.var(x, axis=0, **keyword(ddof)),
    "rows": lambda x, storage, ddof: np.var(x, axis=-1, **keyword(ddof)),
    "fixed": fixed,
    "small": lambda x, storage, ddof: Answer([float(np.var(x))], "bfloat16"),
    "text": lambda x, storage, ddof: "0.5",
    "texts": lambda x, storage, ddof: ["0.5"],
    "many": lambda x, storage, ddof: np.zeros(3),
    "square": lambda x, storage, ddof: np.zeros((2, 2)),
    "complex": lambda x, storage, ddof: np.complex128(1j),
    "nothing": lambda x, storage, ddof: None,
    "picky": picky,
    "void": void,
    "burst": burst,
    "fragile": fragile,
    "late": late,
    "last": lambda x, storage, ddof: 1.0,
}
"""
ALL = ("float16", "bfloat16", "float32", "float64")
Toy = Callable[..., Function]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Function]:
    """Makes a function of a library whose adapter is `TOY`, or another text."""

    def make(
        key: str, eats: Eats = Eats.ROW, storages: tuple[str, ...] = ALL, text: str = TOY, **more: Any
    ) -> Function:
        folder = tmp_path_factory.mktemp("toy") if text != TOY else known
        (folder / "adapter.py").write_text(text)
        library = Library("toy", Environment("toy", "3.11", ()), (), folder=folder)
        return Function(f"toy.{key}", library, key, eats, storages, **more)

    known = tmp_path_factory.mktemp("toy")
    return make


def matrix(values: object, storage: str = "float64", key: str = "0", case: str = "toy/case") -> Matrix:
    return Matrix(f"{storage} {key}", case, "toy", storage, np.array(values, dtype=FORMATS[storage].dtype))


def exact(row: object, correction: int = 0) -> Fraction:
    numbers = [Fraction(float(v)) for v in row]  # type: ignore[attr-defined]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - correction)


RAGGED = [
    matrix([[1, 2, 4, 9, 3, 3], [-1, 0, 1, 2, 3, 5]]),
    matrix([[1, 2, 4, 9, 3, 3, 1]], "float32", "1"),
    matrix([[1, 2, 4]], "bfloat16", "2"),
]


# The child --------------------------------------------------------------------------------------------------------


def test_a_child_answers_in_bits(toy: Toy) -> None:
    wanted = [toy("var"), toy("columns", "columns"), toy("rows", "rows"), toy("fixed"), toy("small"), toy("nothing")]
    found = ask(wanted, packed(RAGGED), sys.executable)
    assert found.failures == {}
    assert found.versions == {"toy": "1.0"}
    for name in ("toy.var", "toy.columns", "toy.rows"):
        line = found.answers[name]
        assert line["ddof"] == 0
        for each in RAGGED:
            values = each.values.astype(np.float32) if each.storage == "bfloat16" else each.values
            assert [float.fromhex(v) for v in line["answers"][each.key]] == np.var(values, axis=1).tolist()
        assert line["formats"] == {"float64": ["float64"], "float32": ["float32"], "bfloat16": ["float32"]}
        assert answer_text(line["facts"]["one value, ddof 1"]) == "NaN"
    fixed = found.answers["toy.fixed"]
    assert fixed["ddof"] is None
    assert default_correction(fixed["facts"]["four values, default"]) == "1"
    assert answer_text(fixed["facts"]["one value, ddof 0"]) == "no choice"
    assert found.answers["toy.small"]["formats"]["float64"] == ["bfloat16"]
    assert found.answers["toy.nothing"]["answers"][RAGGED[1].key] == [None]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("text", "it answered a str"),
        ("texts", "it answered text among numbers"),
        ("many", "it answered 3 numbers for 1 rows"),
        ("square", "it answered an array of shape (2, 2)"),
        ("complex", "it answered a complex128 of complex128"),
        ("picky", "ValueError: negative"),
    ],
)
def test_answers_that_are_none(toy: Toy, key: str, sentence: str) -> None:
    line = ask([toy(key)], packed(RAGGED), sys.executable).answers[f"toy.{key}"]
    assert sentence in next(iter(line["raised"]["float64"]))
    assert line["answers"][RAGGED[0].key][1] == "raised"


def test_what_crashes_or_hangs_is_named_and_the_others_go_on(toy: Toy) -> None:
    wanted = [toy("fragile"), toy("var"), toy("late"), toy("last")]
    found = ask(wanted, packed(RAGGED), sys.executable, seconds=2)
    assert set(found.answers) == {"toy.var", "toy.last"}
    assert found.failures["toy.fragile"] == "it was killed by SIGABRT"
    assert found.failures["toy.late"] == "it did not end within 2 s"


def test_what_never_answers_for_no_value_has_answered_all_else(toy: Toy) -> None:
    found = ask([toy("void"), toy("burst"), toy("last")], packed(RAGGED), sys.executable, seconds=2)
    assert found.failures == {}
    told = {name: answer_text(line["facts"]["no value, default"]) for name, line in found.answers.items()}
    assert told == {
        "toy.void": "never answers",
        "toy.burst": "ends the process: it was killed by SIGABRT",
        "toy.last": "1",
    }


def test_an_adapter_that_cannot_start(toy: Toy) -> None:
    text = "import a_module_that_is_not_there\n"
    league = measure(
        [toy("var", text=text), toy("last", text=text)], RAGGED, lambda f: Interpreter(sys.executable), ours=False
    )
    assert [fact.status for fact in league.facts] == ["not measured"] * 2
    assert "a_module_that_is_not_there" in league.facts[0].reason
    league = measure(
        [toy("var", text="raise OSError('no driver')\n")], RAGGED, lambda f: Interpreter(sys.executable), ours=False
    )
    assert (league.facts[0].status, league.rows) == ("failed", [])
    assert "no driver" in league.facts[0].reason


def test_longer_rows_and_other_formats_are_not_given(toy: Toy) -> None:
    line = ask([toy("var", storages=("float32", "float64"), max_length=6)], packed(RAGGED), sys.executable).answers[
        "toy.var"
    ]
    assert list(line["answers"]) == [RAGGED[0].key]


# The league -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def league(toy: Toy) -> measure.League:  # type: ignore[name-defined]
    wanted = [toy("var"), toy("fixed"), toy("picky"), toy("text"), toy("small", max_length=6), toy("fragile")]
    gone = Function("gone.var", Library("gone", None, ()), "var")
    return measure(
        [*wanted, gone],
        RAGGED,
        lambda f: "it is gone" if f.library == "gone" else Interpreter(sys.executable),
        threads=(1, 2),
    )


def test_a_league_has_a_fact_for_every_function(league) -> None:
    facts = {fact.function: fact for fact in league.facts}
    assert {name: fact.status for name, fact in facts.items()} == {
        "toy.var": "measured",
        "toy.fixed": "measured",
        "toy.picky": "measured",
        "toy.text": "measured",
        "toy.small": "measured",
        "toy.fragile": "failed",
        "gone.var": "not measured",
    }
    assert facts["gone.var"].reason == "it is gone"
    assert facts["toy.var"].default_correction == "0"
    assert facts["toy.var"].choices == "0, 1"
    assert facts["toy.fixed"].default_correction == "1"
    assert facts["toy.fixed"].choices == "1"
    assert facts["toy.text"].default_correction.startswith("undetermined: raises NoNumber")
    assert facts["toy.var"].repeated == facts["toy.var"].threads_alike == "same bits"


def test_a_league_scores(league) -> None:
    by = {(row.function, row.storage): row for row in league.rows}
    picky = by["toy.picky", "float64"]
    assert (picky.raised, picky.wrong, picky.failure, picky.marks) == (1, 1, "ValueError: negative", "0:raised 1")
    assert by["toy.text", "float32"].refused.startswith("NoNumber: it answered a str")
    assert by["toy.var", "float64"].threads == "1 and 2"
    assert by["toy.fixed", "float64"].correction == 1
    assert by["toy.fixed", "float64"].wrong == 0
    assert ("toy.small", "float32") not in by
    assert by["naive in float64", "float64"].library == "varstudy"


def test_a_league_is_written_and_read(league, tmp_path: Path) -> None:
    path = tmp_path / league_record.NAME
    league_record.write(path, league.content(["varstudy"]))
    content = league_record.read(tmp_path)
    assert league_record.facts(content) == league.facts
    again = league_record.rows(content)
    assert [row.record() for row in again] == [row.record() for row in league.rows]
    text = path.read_text()
    path.write_text(text.replace('"function": "toy.var"', '"function": "toy.vax"', 1))
    with pytest.raises(LeagueProblem, match="was edited or cut"):
        league_record.read(path)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(LeagueProblem, match="cannot be read"):
        league_record.read(path)


def test_one_table_for_the_same_rows_only(league) -> None:
    content = league.content(["varstudy"])
    table = ranking.together(content, "float64")
    names = [each.name for each in table]
    assert names.index("toy.var") < names.index("toy.picky")
    assert table[0].place == 1
    assert [each.place for each in table] == sorted(each.place for each in table)
    assert {each.ours for each in table} == {True, False}
    assert "toy.text" not in names
    assert {each.cases for each in table} == {1}
    # toy.small gets no longer rows than 6: it has no place where the longer one counts.
    assert [each for each in ranking.together(content, "float32") if each.name == "toy.small"] == []
    ours = [row for row in league_record.rows(content) if row.function == "naive in float64"]
    assert sum(each.ours for each in ranking.together(content, "float64", ours=ours)) == 1


def test_what_a_new_version_changed(league) -> None:
    before = league.content(["varstudy"])
    assert comparing.compare(before, before) == []
    after = json.loads(json.dumps(before))
    for row in after["rows"]:
        if row["function"] == "toy.var" and row["storage"] == "float64":
            row["worst"] = "2.0e0"
    for fact in after["facts"]:
        if fact["function"] == "toy.var":
            fact["version"], fact["default_correction"] = "toy 2.0", "1"
        if fact["function"] == "toy.fixed":
            fact["status"], fact["reason"] = "failed", "it was killed"
    changes = comparing.compare(before, after)
    assert [(c.function, c.what, c.worse) for c in changes] == [
        ("toy.fixed", "status", True),
        ("toy.var", "case toy/case", True),
        ("toy.var", "version", False),
        ("toy.var", "default correction", False),
    ]
    assert not any(change.worse for change in comparing.compare(after, before))


# Scores -----------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.floats(-1000, 1000, width=32), min_size=2, max_size=9)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.floats(-10, 1e6), st.sampled_from([0, 1]))
def test_scores_against_fractions(values: list[float], answer: float, correction: int) -> None:
    given_to = matrix([values], "float32")
    row = LeagueRow("f", "toy", "toy", "1", "float32", "1", correction)
    score(row, [given_to], {given_to.key: Answers(np.array([answer]), np.zeros(1, bool))}, Exacts([given_to]))
    truth = exact(given_to.values[0], correction)
    off = abs(Fraction(answer) - truth)
    if 0 < truth < FORMATS["float32"].smallest_normal:  # out of range: not scored
        assert (row.cases, row.rows, row.wrong, row.worst) == (0, 0, 0, "-")
        return
    if truth == 0:
        assert row.error_worst == (0 if off == 0 else math.inf)
    else:
        assert row.error_worst == pytest.approx(float(off / truth), rel=1e-12)
        assert row.wrong == (float(f"{float(off / truth):.1e}") > 0.1)
    assert row.negative == (answer < 0)
    assert (row.cases, row.rows, row.raised, row.missed) == (1, 1, 0, 0)


def test_rows_without_an_answer_or_an_exact_variance() -> None:
    given_to = matrix([[1.0, 3.0], [math.nan, 1.0], [2.0, 8.0], [math.inf, 1.0], [0.0, 4.0]])
    answers = Answers.of([(1.0).hex(), (7.0).hex(), "raised", None, (-4.0).hex()])
    row = score(
        LeagueRow("f", "t", "t", "1", "float64", "1", 0), [given_to], {given_to.key: answers}, Exacts([given_to])
    )
    assert (row.rows, row.raised, row.missed, row.negative, row.nan) == (3, 1, 1, 1, 0)
    assert (row.wrong, row.worst, row.marks) == (1, "inf", "0:neg 1 raised 1")
    with pytest.raises(ValueError, match="invalid hexadecimal"):
        Answers.of(["half"])


def test_errors_are_written_in_two_digits_and_read_again() -> None:
    errors = [0.0, 3.14e-8, 2.0, math.inf, math.nan]
    assert [league_record.shown(e) for e in errors] == ["=", "3.1e-8", "2.0e0", "inf", "-"]
    content = {"cases": {"float64": [{"case": str(k), "group": "g", "values": 3} for k in range(6)]}}
    row = LeagueRow(
        "f", "t", "t", "1", "float64", "1", 0, worst="= 3.1e-8 2.0e0 inf - .", median="= = = = - .", marks="1:neg 2"
    )
    found = league_record.results(row, content)
    assert [each.worst for each in found[:4]] == [0, 3.1e-8, 2.0, math.inf]
    # An error of 3.1e-8 is no wrong answer, whatever a mark says: a negative variance would have an error above 1.
    assert [each.wrong for each in found[:4]] == [False, False, True, True]
    assert [(each.tried, each.scored) for each in found[3:]] == [(True, True), (True, False), (False, False)]
    row.worst = "= ="
    with pytest.raises(ValueError, match="2 results for 6 cases"):
        league_record.results(row, content)


@pytest.mark.parametrize(
    ("answer", "raised", "found"),
    [
        (9.5, "", "0"),
        (38 / 3, "", "1"),
        (np.float32(38 / 3), "", "1"),
        (8.0, "", "undetermined: it answers 8 for 1, 2, 4, 9"),
        (math.nan, "", "undetermined: it answers NaN for 1, 2, 4, 9"),
        (None, "", "undetermined: null"),
        ("raised", "ValueError: no", "undetermined: raises ValueError: no"),
        ("raised", "Fixed: it has no default", "none"),
    ],
)
def test_the_default_correction_is_measured(answer: object, raised: str, found: str) -> None:
    given_to = answer if answer is None or answer == "raised" else float(answer).hex()  # type: ignore[arg-type]
    assert default_correction({"answer": given_to, "raised": raised}) == found


# Told by their bits -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many() -> list[Matrix]:
    """Rows that tell every two algorithms apart that do not compute the same."""
    random = np.random.default_rng(7)
    made = []
    for k, length in enumerate((5, 40, 300, 1031, 4099)):
        for mean in (0.0, 30.0, 1000.0):
            values = (random.standard_normal((3, length)) + mean).astype(np.float32)
            made.append(Matrix(f"float32 {len(made):04d}", f"case {k} {mean}", "toy", "float32", values))
    return made


@pytest.fixture(scope="module")
def known(many: list[Matrix]) -> Candidates:
    return candidates(many, (0,))[0]


def test_each_algorithm_of_ours_gets_its_own_name_back(known: Candidates, many: list[Matrix]) -> None:
    tried = np.ones(len(known.lengths), bool)
    for algorithm in identifying.algorithms():
        for accumulator in identifying.accumulators("float32", algorithm):
            # Not by way of the candidates: the public function, on each row alone.
            answers = np.concatenate(
                [
                    varkernels.moments(row[np.newaxis, np.newaxis].astype(FORMATS[accumulator].dtype), algorithm)
                    .variance()
                    .astype(np.float64)
                    for each in many
                    for row in each.values
                ]
            )
            if algorithm.whole is not None or algorithm.parts is None:
                continue  # these are told by their correct rounding, which several have
            found = match(known, answers, tried, accumulator)
            name = f"{algorithm.name} in {accumulator}"
            assert name in found.names, name
            assert (found.up_to, found.rows) == (0, len(tried))
            # All that tie are named, and nothing that does not.
            same = [
                other
                for other, given_by in zip(known.names, known.answers, strict=True)
                if np.array_equal(FORMATS[accumulator].rounded(given_by).astype(np.float64), answers)
            ]
            assert list(found.names) == same


def test_formulas_and_orders_are_told_apart(known: Candidates) -> None:
    tried = np.ones(len(known.lengths), bool)
    names = {"two_pass in float32", "naive in float32", "welford in float32", "pairwise in float32", "west in float32"}
    for name in names:
        answers = known.answers[known.names.index(name)]
        assert names.intersection(match(known, answers, tried, "float32").names) == {name}


def test_one_bit_is_enough_to_say_nothing(known: Candidates) -> None:
    tried = np.ones(len(known.lengths), bool)
    answers = known.answers[known.names.index("welford in float32")].copy()
    answers[-1] = np.nextafter(np.float32(answers[-1]), np.float32(0))
    found = match(known, answers, tried, "float32")
    # All rows but the longest: that is said with its length, and never without.
    assert found.names == ("welford in float32", "chan/running in float32")
    assert (found.up_to, found.rows) == (1031, int(np.count_nonzero(known.lengths <= 1031)))
    answers[0] = 17.0
    assert match(known, answers, tried, "float32") == identifying.Match()


def test_zeros_and_nan() -> None:
    table = np.array([[0.0, math.nan, 1.0], [-0.0, math.nan, 1.0], [0.0, math.nan, 2.0]])
    names = ["plus", "minus", "other"]
    known = Candidates(
        "float64", names, [FORMATS["float64"]] * 3, table, np.array([2, 2, 2]), np.ones(3, bool), [""] * 3
    )
    assert match(known, np.array([-0.0, -math.nan, 1.0]), np.ones(3, bool), "float64").names == ("minus",)
    assert match(known, np.array([7.0, math.nan, 1.0]), np.array([False, True, True]), "float64").names == (
        "plus",
        "minus",
    )
    assert match(known, np.zeros(3), np.zeros(3, bool), "float64") == identifying.Match()


def test_numpy_is_told(many: list[Matrix], known: Candidates) -> None:
    tried = np.ones(len(known.lengths), bool)
    flat = np.array([np.var(row) for each in many for row in each.values], np.float64)
    across = np.concatenate([np.var(each.values.T.copy(), axis=0).astype(np.float64) for each in many])
    assert match(known, flat, tried, "float32").names == ("two_pass, numpy's pairwise in float32",)
    assert match(known, across, tried, "float32").names == ("two_pass in float32",)


def test_schemes_of_short_and_long_rows() -> None:
    assert list(schemes(np.float32([5.0]), np.float32, 1)) == []
    found = dict(schemes(np.float64([1.0, 2.0, 4.0, 9.0]), np.float64, 1))
    assert set(found.values()) == {38 / 3}
    ramp = np.arange(10_000, dtype=np.float32)
    for name, value in schemes(ramp, np.float64, 0):
        assert abs(Fraction(value) / exact(ramp) - 1) < Fraction(1, 10**6), name


def test_a_wider_answer_is_compared_as_it_is(known: Candidates) -> None:
    tried = np.ones(len(known.lengths), bool)
    answers = known.answers[known.names.index("welford in float64")]
    assert match(known, answers, tried, "float64").names == ("welford in float64", "chan/running in float64")
    rounded = answers.astype(np.float32).astype(np.float64)
    assert "welford in float64" in match(known, rounded, tried, "float32").names


# The catalogue, the adapters and the rows -------------------------------------------------------------------------


def keys_of(path: Path) -> set[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FUNCTIONS":
            assert isinstance(node.value, ast.Dict)
            return {ast.literal_eval(key) for key in node.value.keys if key is not None}
    raise AssertionError(f"{path.name} has no FUNCTIONS")


def test_every_function_has_its_adapter() -> None:
    declared: dict[Path, set[str]] = {}
    for each in FUNCTIONS.values():
        declared.setdefault(each.adapter, set()).add(each.key)
        assert each.eats in tuple(Eats)
        assert set(each.storages) <= set(FORMATS)
        assert (each.belongs_to.runs_in is None) == each.belongs_to.gpu
    assert declared == {path: keys_of(path) for path in declared}


@pytest.mark.parametrize(
    "path",
    [*sorted({each.folder / "adapter.py" for each in LIBRARIES}), SCRIPTS / "score_rows.py", SCRIPTS / "adapters.py"],
    ids=lambda path: f"{path.parent.stem} {path.stem}",
)
def test_probes_are_for_old_pythons_and_do_not_know_us(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"varstudy", "varkernels", "varptx"}
    if path.parent == SCRIPTS:
        assert imported <= set(sys.stdlib_module_names) | {"adapters", "numpy"}


def test_functions_are_chosen_by_name_and_library() -> None:
    assert [each.name for each in chosen("numpy.nanvar")] == ["numpy.nanvar"]
    assert {each.library for each in chosen("river")} == {"river"}
    assert len(chosen(None)) == len(FUNCTIONS)
    with pytest.raises(ValueError, match="'polarz' matches no function or library: did you mean polars"):
        chosen("polarz")


def test_rows_of_the_cases() -> None:
    made, left_out = rows("quick", storages=("bfloat16", "float32"), max_length=20_000)
    assert {each.storage for each in made} == {"bfloat16", "float32"}
    assert all(each.key.split()[0] == each.storage for each in made)
    assert all(each.length <= 20_000 and 1 <= len(each.values) <= 4 for each in made)
    assert left_out
    assert not set(left_out) & {each.case for each in made}
    with pytest.raises(ValueError, match="nothing is left"):
        rows("quick", max_length=1, only="growth*")


def test_bfloat16_reaches_a_child_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(ml_dtypes.bfloat16).reshape(1, -1)
    sys.path.insert(0, str(SCRIPTS))
    try:
        import score_rows  # noqa: PLC0415 - a script, found by its folder
    finally:
        sys.path.remove(str(SCRIPTS))
    found = score_rows.values_of(every.view(np.uint16), "bfloat16")
    assert np.array_equal(found.view(np.uint32), every.astype(np.float32).view(np.uint32))


# What is committed, and the command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed() -> dict[str, object]:
    return league_record.committed()


def test_the_committed_league(committed) -> None:
    assert league_record.COMMITTED.stat().st_size < 1_000_000
    facts = {fact.function: fact for fact in league_record.facts(committed)}
    assert set(facts) == set(FUNCTIONS)
    for fact in facts.values():
        assert fact.status == "measured" or fact.reason
        if fact.status == "measured":
            assert fact.version
            assert fact.machine
            assert fact.date.startswith("20")
    measured = {row.function for row in league_record.rows(committed)}
    assert {name for name, fact in facts.items() if fact.status == "measured"} <= measured
    text = league_record.COMMITTED.read_text()
    assert not re.search("/(tmp|root|work|home)", text)


def test_the_committed_league_ranks(committed) -> None:
    for storage in FORMATS:
        table = ranking.together(committed, storage, max_length=20_000)
        assert {each.ours for each in table} == {True, False}
        assert len({each.cases for each in table}) == 1


def run_cli(words: list[str], capsys) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        commands.main(args=words, prog_name="varstudy")
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_list(capsys) -> None:
    code, out, _ = run_cli(["libraries", "--list", "--only", "numpy.*", "--json"], capsys)
    assert code == 0
    assert {each["function"] for each in json.loads(out)} >= {"numpy.var", "numpy.var axis=0"}
    code, out, _ = run_cli(["libraries", "--list", "--only", "duckdb"], capsys)
    assert code == 0
    assert "duckdb.var_pop" in out


def test_bad_input(capsys, tmp_path: Path) -> None:
    code, out, err = run_cli(["libraries", "--only", "polarz"], capsys)
    assert (code, out) == (2, "")
    assert "did you mean polars" in err
    code, _, err = run_cli(["libraries", "--compare", str(tmp_path / "none.json")], capsys)
    assert code == 2
    assert "does not exist" in err


def test_a_library_is_measured_here(capsys, tmp_path: Path) -> None:
    words = ["libraries", "--only", "statistics.*", "--quick", "--once", "--storage", "float64", "--threads", "1"]
    code, out, _ = run_cli([*words, "--out", str(tmp_path), "--json"], capsys)
    assert code == 0
    content = league_record.read(tmp_path)
    assert json.loads(out)["facts"] == content["facts"]
    rows_of = {row.function: row for row in league_record.rows(content)}
    assert rows_of["statistics.pvariance"].wrong == 0
    assert rows_of["statistics.variance"].correction == 1
    code, out, _ = run_cli(words, capsys)
    assert code == 0
    assert out.splitlines()[:2] == [
        "2 functions measured.",
        "float64: none of 2 functions is ever wrong on the study's cases.",
    ]
    assert "* exact in float64" in out
    assert "kahan_two_pass" not in out  # of our algorithms the best-known only
    code, out, _ = run_cli([*words, "--wide"], capsys)
    assert "* kahan_two_pass in float64" in out
    code, out, _ = run_cli([*words, "--compare", str(tmp_path)], capsys)
    assert code == 0
    assert "0 for the worse" in out
