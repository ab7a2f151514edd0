"""Algorithms of other packages: how they join, what happens to broken ones, and the conformance suite that they
can run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from varkernels import (
    FORMULAS,
    Algorithm,
    Formula,
    Moments,
    algorithms,
    compose,
    get,
    moments,
    register,
    registry,
)
from varkernels.conformance import CHECKS, Conformance, check_algorithm, failures
from varkernels.formats import Format
from varkernels.formulas import like

ROOT = Path(__file__).resolve().parents[2]

# A package of somebody else's: a formula of its own, a function of its own, and what can go wrong.
THEIRS = """
from typing import Any, NamedTuple

import numpy as np
from varkernels import Algorithm, Formula, compose
from varkernels.formulas import like


class Pebay(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):
    d = x - state.mean
    r = d / like(x, n)
    return Pebay(state.mean + r, state.m2 + d * (x - (state.mean + r)))


def merge(a, na, b, nb):
    d = b.mean - a.mean
    n = like(d, na + nb)
    return Pebay(a.mean + d * like(d, nb) / n, a.m2 + b.m2 + d * d * like(d, na) / n * like(d, nb))


def read(state, n):
    return state.mean, state.m2


PEBAY = compose(
    Formula("pebay", "Pebay", "Merged moments.", "Pebay 2008", Pebay, update, read, merge), "pairwise", name="pebay"
)


def numpy_var(view, centre, accumulator):
    rows = np.ascontiguousarray(view.transpose(1, 0, 2)).reshape(view.shape[1], -1).astype(accumulator.dtype)
    with np.errstate(all="ignore"):
        mean = rows.mean(axis=1)
        return mean, np.square(rows - mean[:, None]).sum(axis=1)


def make():
    return Algorithm("theirs", "numpy", "numpy", run=numpy_var, accumulators=("float32", "float64"))


def explode():
    raise RuntimeError("no licence")


TAKEN = Algorithm("welford", "x", "x", run=numpy_var)
NUMBER = 3
NOTHING = lambda: None
"""


def install(folder: Path, points: dict[str, str], module: str = THEIRS) -> Path:
    """A tiny installed distribution: its module and its metadata, with these entry points."""
    (folder / "theirs.py").write_text(module)
    info = folder / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[varstudy.algorithms]", *lines, ""]))
    return folder


def python(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "kernels"), str(ROOT)])}
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_package_joins(tmp_path: Path) -> None:
    install(tmp_path, {"pebay": "theirs:PEBAY", "numpy": "theirs:make"})
    done = python(
        tmp_path,
        """
        import numpy as np
        from varkernels import algorithms, get, moments
        from varkernels.conformance import check_algorithm
        known = algorithms()
        assert list(known)[-2:] == ["pebay", "theirs"], list(known)
        assert not known["pebay"].builtin and known["pebay"] is get("pebay") and known["chan"].builtin
        x = np.array([[[1.0, 2.0, 6.0]]])
        assert moments(x, "pebay").m2[0] == moments(x, "theirs").m2[0] == 14.0
        check_algorithm("pebay", storages=("bfloat16", "float64"))
        check_algorithm("theirs", exact=False)
        print("joined", len(algorithms()) - len(known))
        """,
        "-W",
        "error",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "joined 0\n"


def test_broken_packages_are_left_out_with_a_sentence(tmp_path: Path) -> None:
    broken = {
        "gone": "theirs:GONE",
        "missing": "no_such_module:THING",
        "explode": "theirs:explode",
        "taken": "theirs:TAKEN",
        "number": "theirs:NUMBER",
        "nothing": "theirs:NOTHING",
    }
    install(tmp_path, {**broken, "numpy": "theirs:make"})
    done = python(
        tmp_path,
        """
        import warnings
        from varkernels import algorithms, get
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            known = algorithms()
            again = algorithms()
        assert list(known) == list(again)
        assert "theirs" in known and "number" not in known and get("welford").builtin
        for each in caught:
            assert each.category is RuntimeWarning
            print(each.message)
        """,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(broken)
    for (name, value), problem in zip(
        broken.items(),
        (
            "AttributeError: module 'theirs' has no attribute 'GONE'",
            "ModuleNotFoundError: No module named 'no_such_module'",
            "RuntimeError: no licence",
            "ValueError: an algorithm named 'welford' exists already: choose another name",
            "TypeError: 3 is not a varkernels.Algorithm",
            "TypeError: None is not a varkernels.Algorithm",
        ),
        strict=True,
    ):
        start = f"entry point {name!r} = {value!r} of package 'theirs' in the group 'varstudy.algorithms' gives no "
        assert f"{start}algorithm and is left out: {problem}" in lines


def test_warnings_as_errors_name_each_broken_package_once(tmp_path: Path) -> None:
    """Whoever makes warnings errors gets one for each broken entry point, and then the table."""
    install(tmp_path, {"gone": "theirs:GONE", "numpy": "theirs:make"})
    done = python(
        tmp_path,
        """
        from varkernels import algorithms
        try:
            algorithms()
        except RuntimeWarning as problem:
            print(problem)
        assert "theirs" in algorithms()
        """,
        "-W",
        "error",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("entry point 'gone' = 'theirs:GONE' of package 'theirs'")


def test_importing_loads_no_entry_point(tmp_path: Path) -> None:
    install(tmp_path, {"explode": "theirs:explode"}, "raise SystemExit(3)")
    done = python(tmp_path, "import varkernels; print(len(varkernels.FORMULAS))", "-W", "error")
    assert (done.returncode, done.stdout) == (0, f"{len(FORMULAS)}\n"), done.stderr


# The table --------------------------------------------------------------------------------------------------


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Algorithm]:
    """The table of algorithms, restored afterwards."""
    mine = dict(registry.table())
    monkeypatch.setattr(registry, "table", lambda: mine)
    return mine


def plain(view: np.ndarray, centre: Any, accumulator: Format) -> tuple[np.ndarray, np.ndarray]:
    """A right algorithm: two passes in float64, its rows copied, so that strides do not matter."""
    rows = np.ascontiguousarray(view.transpose(1, 0, 2)).reshape(view.shape[1], -1).astype(np.float64)
    with np.errstate(all="ignore"):
        mean = np.array([row.sum() / len(row) for row in rows])
        m2 = np.array([np.square(row - c).sum() for row, c in zip(rows, mean, strict=True)])
    return mean, m2


def made(run: Any, **options: Any) -> Algorithm:
    return Algorithm("mine", "mine", "mine", run=run, **options)


def test_registering(table: dict[str, Algorithm]) -> None:
    theirs = register(replace(made(plain), builtin=True))
    assert not theirs.builtin
    assert get("mine") is theirs is algorithms()["mine"]
    with pytest.raises(ValueError, match=r"^an algorithm named 'mine' exists already: choose another name$"):
        register(made(plain))
    with pytest.raises(TypeError, match=r"^'naive' is not a varkernels.Algorithm$"):
        register("naive")  # type: ignore[arg-type]


def test_the_table_handed_out_is_a_copy() -> None:
    algorithms().clear()
    assert "welford" in algorithms()


def test_names_that_people_know() -> None:
    known = algorithms()
    assert list(known)[:5] == ["naive", "two_pass", "welford", "pairwise", "chan"]
    assert [(known[name].formula, known[name].order) for name in list(known)[:5]] == [
        ("naive", "running"),
        ("two_pass", "running"),
        ("welford", "running"),
        ("two_pass", "pairwise"),
        ("chan", "pairwise"),
    ]
    assert all(algorithm.name == name for name, algorithm in known.items())
    assert len({(each.formula, each.order) for each in known.values() if each.builtin}) == len(
        [each for each in known.values() if each.builtin]
    )
    assert [name for name, each in known.items() if each.needs_centre and each.builtin] == [
        "shifted",
        "shifted/lanes32",
        "shifted/pairwise",
        "shifted/blocked128",
    ]


def test_algorithms_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"^algorithm 'x' needs either parts \(a formula and an order: see compose\)"):
        Algorithm("x", "x", "x")
    with pytest.raises(ValueError, match=r"^algorithm 'x' needs either parts"):
        replace(compose("naive", name="x"), run=plain)
    with pytest.raises(ValueError, match=r"^algorithm 'mine': accumulators=\('float8',\) must name some of float16, "):
        made(plain, accumulators=("float8",))
    with pytest.raises(ValueError, match=r"^algorithm 'mine': accumulators=\(\) must name some of float16, "):
        made(plain, accumulators=())


# Conformance ------------------------------------------------------------------------------------------------


class TestOfAThirdParty(Conformance):
    algorithm = made(plain)


class TestOurs(Conformance):
    algorithm = "chan/running"
    storages = ("float32",)


@pytest.mark.parametrize("name", FORMULAS)
def test_our_formulas_conform(name: str) -> None:
    check_algorithm(f"{name}/running", storages=("float64",))


@pytest.mark.parametrize("name", ["pairwise", "chan/lanes32", "double_double/blocked128"])
def test_our_orders_conform(name: str) -> None:
    check_algorithm(name, storages=("bfloat16",))


def test_conformance_needs_no_pytest() -> None:
    code = "import sys, varkernels.conformance; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_test_class_has_every_check() -> None:
    tests = [name for name in vars(Conformance) if name.startswith("test_")]
    assert tests == [f"test_{name}" for name in CHECKS]


def test_what_is_no_algorithm() -> None:
    with pytest.raises(TypeError, match=r"^3 is neither a varkernels.Algorithm nor the name of one$"):
        check_algorithm(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^algorithm 'welfrod' is unknown: did you mean welford"):
        check_algorithm("welfrod")
    with pytest.raises(ValueError, match=r"^algorithm 'mine' has no accumulator for values of float64$"):
        check_algorithm(made(plain, accumulators=("float32",)), storages=("float64",))


def bessel(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    mean, m2 = plain(view, centre, accumulator)
    return mean, m2 / max(1, view.shape[0] * view.shape[2] - 1)


def one_too_many(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    """Its count is one too large."""
    n = view.shape[0] * view.shape[2]
    mean, m2 = plain(view, centre, accumulator)
    return mean * n / (n + 1), m2


def root(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    mean, m2 = plain(view, centre, accumulator)
    return mean, np.sqrt(m2)


def mutating(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    answers = plain(view, centre, accumulator)
    if view.flags.writeable:
        view -= view.dtype.type(1)
    return answers


def needs_writable(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    if not view.flags.writeable:
        raise ValueError("buffer source array is read-only")
    return plain(view, centre, accumulator)


def shifted_by_row_0(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    """Every row round the first value of row 0: rows depend on one another."""
    c = view[0, 0, 0].astype(accumulator.dtype)
    rows = np.ascontiguousarray(view.transpose(1, 0, 2)).reshape(view.shape[1], -1).astype(accumulator.dtype)
    with np.errstate(all="ignore"):
        d = (rows - c).astype(np.float64)
        return c.astype(np.float64) + d.mean(axis=1), np.square(d - d.mean(axis=1, keepdims=True)).sum(axis=1)


def by_memory_order(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    """numpy adds up in memory order, whatever the strides."""
    mean = np.add.reduce(view, axis=(0, 2), dtype=accumulator.dtype) / accumulator.dtype.type(
        view.shape[0] * view.shape[2]
    )
    with np.errstate(all="ignore"):
        d = view.astype(accumulator.dtype) - mean[None, :, None]
        return mean.astype(np.float64), np.square(d).sum(axis=(0, 2)).astype(np.float64)


def nan_ignoring(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    wide = view.astype(np.float64)
    wide = np.where(np.isfinite(wide), wide, 0.0)
    return plain(wide, centre, accumulator)


def noisy() -> Any:
    rng = np.random.default_rng(0)

    def run(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
        mean, m2 = plain(view, centre, accumulator)
        return mean, m2 * (1 + 1e-2 * rng.random())

    return run


def low_precision(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    mean, m2 = plain(view.astype(np.float16), centre, accumulator)
    return mean.astype(np.float16).astype(np.float64), m2.astype(np.float16).astype(np.float64)


def integers(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    mean, m2 = plain(view, centre, accumulator)
    with np.errstate(all="ignore"):
        return mean.astype(np.int64), m2


def scalar(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
    return 0.0, 0.0


@pytest.mark.parametrize(
    ("run", "checks", "sentence"),
    [
        (bessel, {"exact_examples", "accuracy"}, "values (4, 6, 2, 8) in a view (1, 1, 4) have the M2 6.66"),
        (one_too_many, {"exact_examples", "one_value", "accuracy"}, "the one value 3.0 has the mean 1.5"),
        (root, {"exact_examples", "accuracy"}, "wanted 20"),
        (mutating, {"input_kept", "repeatable"}, "the input has changed"),
        (needs_writable, {"input_kept"}, "a read-only input is refused: buffer source array is read-only"),
        (shifted_by_row_0, {"rows_apart", "non_finite"}, "among five rows and"),
        (by_memory_order, {"strides"}, "NHWC strides: the answers' bits differ from those of a contiguous view"),
        (nan_ignoring, {"non_finite"}, "with nan as the value 5 of row 1 the row has the M2"),
        (noisy(), {"repeatable"}, "the same call has other bits when it is repeated"),
        (low_precision, {"accuracy"}, "benign values have the mean"),
        (
            integers,
            {"exact_examples", "one_value", "answers"},
            "its run gives means of int64, wanted float32 or float64",
        ),
        (scalar, {"exact_examples", "accuracy"}, "it raises ValueError: algorithm 'mine' answered means of shape ()"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_wrong_algorithms_fail(run: Any, checks: set[str], sentence: str) -> None:
    found = failures(made(run), storages=("float32",))
    assert checks <= {line.split(":")[0] for line in found}
    assert any(sentence in line for line in found), "\n".join(found)
    assert all(line.split(": ")[1].startswith("mine, float32 values, ") for line in found)
    with pytest.raises(AssertionError) as caught:
        check_algorithm(made(run), storages=("float32",))
    assert str(caught.value).splitlines()[0].split(":")[0] in CHECKS


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"checks": ("one_value", "nope")}, f"check 'nope' is unknown: use some of {', '.join(CHECKS)}"),
        ({"storages": ()}, "storages=() names no format: use some of float16, bfloat16, float32, float64"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(sentence)}$"):
        failures(made(plain), **options)


def test_a_reciprocal_is_near_but_not_exact() -> None:
    """1 / n rounded: an honest algorithm that cannot promise exactness."""

    def run(view: np.ndarray, centre: Any, accumulator: Format) -> Any:
        mean, m2 = plain(view, centre, accumulator)
        return mean * (1 + 2.0**-23), m2 * (1 - 2.0**-23)

    algorithm = made(run, accumulators=("float32",))
    assert {line.split(":")[0] for line in failures(algorithm, storages=("float32",))} == {
        "exact_examples",
        "one_value",
    }
    check_algorithm(algorithm, exact=False, storages=("float32",))


class Mine(NamedTuple):
    s: Any
    q: Any


def _update(state, n, x):
    return Mine(state.s + x, state.q + x * x)


def _merge(a, na, b, nb):
    return Mine(a.s + b.s, a.q + b.q)


def _read(state, n):
    k = like(state.s, n)
    return state.s / k, state.q - state.s * state.s / k


class Forgets(NamedTuple):
    s: Any
    q: Any


def _forgetful_update(state, n, x):
    return Forgets(state.s + x, state.q + x * x)


def _forgetful_merge(a, na, b, nb):
    return Forgets(a.s + b.s, a.q)


class Literal(NamedTuple):
    s: Any
    q: Any


def _literal_update(state, n, x):
    return Literal(state.s + x, state.q + x * x)


def _literal_read(state, n):
    return state.s / np.float64(n), state.q - state.s * state.s / np.float64(n)


def test_wrong_verbs_fail() -> None:
    def formula(state: type, update: Any, read: Any, merge: Any) -> Formula:
        return Formula("mine", "mine", "Mine.", "me", state, update, read, merge)

    only = {"storages": ("float32",), "checks": ("merge_laws", "verbs_in_python", "exact_examples")}
    assert failures(compose(formula(Mine, _update, _read, _merge)), **only) == []
    found = failures(compose(formula(Forgets, _forgetful_update, _read, _forgetful_merge)), **only)
    assert {line.split(":")[0] for line in found} == {"merge_laws"}
    assert "merge(a, b) of 2 and 2 of the values (4, 6, 2, 8) has the M2 -48.0, wanted 20 to within 0" in found[0]
    found = failures(compose(formula(Literal, _literal_update, _literal_read, None)), **only)
    assert any("in Python the verbs give the mean as float64, wanted a float32" in line for line in found)


def test_a_sentence_of_a_failing_test_class() -> None:
    class Wrong(Conformance):
        algorithm = made(bessel)
        storages = ("float64",)

    with pytest.raises(AssertionError, match=r"accuracy: mine, float64 values, float64 accumulator: 3 benign values"):
        Wrong().test_accuracy()
    Wrong().test_rows_apart()


def test_moments_are_what_the_algorithm_answers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = moments(np.array([[[1.0, 2.0, 6.0]]]), made(plain))
    assert isinstance(got, Moments)
    assert (got.count[0], got.mean[0], got.m2[0]) == (3, 3.0, 14.0)
