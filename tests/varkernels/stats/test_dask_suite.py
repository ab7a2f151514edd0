"""Dask's own tests of var, std and mean of arrays, run against ours.

The installed Dask brings its tests along; nothing of them is kept here. In its test_reductions.py, ``da.var``,
``x.var()`` and their like stand for `varstudy.var` and its like. A test is chosen if it names one of them.
dask_differences.md lists each that fails, with its reasons: such a test must fail, and must pass as soon as its
reasons, and no fewer, are made good.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import varstudy

da = pytest.importorskip("dask.array", reason="needs dask: pip install 'varstudy[dask]'")

PLAIN = ("mean", "std", "var")
OURS = (*PLAIN, *(f"nan{name}" for name in PLAIN))
_SPEC = importlib.util.find_spec("dask.array.tests.test_reductions")
SOURCE = Path(_SPEC.origin) if _SPEC is not None and _SPEC.origin is not None else None

# Chosen by what they name, but about something else.
LEFT_OUT = {
    "test_moment": "Dask's moments of higher order",
    "test_mean_func_does_not_warn": "xarray's method",
}

_bridged: frozenset[str] = frozenset()
_calls = 0
_ident = ""


@contextmanager
def bridged(reasons: frozenset[str]) -> Iterator[None]:
    """With the differences of some reasons made good."""
    global _bridged  # noqa: PLW0603 - the adapters are called by tests that know of no such thing
    before, _bridged = _bridged, reasons
    try:
        yield
    finally:
        _bridged = before


def _adapter(name: str) -> Callable[..., Any]:
    """Ours, as Dask's function of this name is called."""
    ours, dasks = getattr(varstudy, name.removeprefix("nan")), getattr(da, name)
    more = {"nan_policy": "omit"} if name.startswith("nan") else {}

    def call(x: Any, **options: Any) -> Any:
        global _calls  # noqa: PLW0603
        _calls += 1
        if "split_every" in _bridged:
            options.pop("split_every", None)
        refused = x.dtype.kind in "cO" or np.dtype(options.get("dtype", np.float64)).kind == "i"
        if "names" in _bridged or ("dtype" in _bridged and refused and "split_every" not in options):
            return dasks(x, **options)
        return ours(x, **options, **more)

    return call


ADAPTERS = {name: _adapter(name) for name in OURS}


class _Dask(types.ModuleType):
    """dask.array with our functions in it."""

    def __getattr__(self, name: str) -> Any:
        return ADAPTERS[name] if name in ADAPTERS else getattr(da, name)


def _names(node: ast.AST) -> bool:
    """Whether code names one of our functions."""
    return any(
        (isinstance(each, ast.Attribute) and each.attr in OURS)
        or (isinstance(each, ast.Constant) and each.value in OURS)
        for each in ast.walk(node)
    )


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")


def _loaded(path: Path) -> dict[str, Any]:
    """The chosen tests of Dask's module."""
    tree = ast.parse(path.read_bytes())
    tree.body = [
        each
        for each in tree.body
        if not isinstance(each, ast.FunctionDef) or not _is_test(each) or (_names(each) and each.name not in LEFT_OUT)
    ]
    for test in filter(_is_test, tree.body):  # without marks that are not ours, such as Dask's `slow`
        assert isinstance(test, ast.FunctionDef)
        test.decorator_list = [each for each in test.decorator_list if "parametrize" in ast.unparse(each)]
    space = types.ModuleType(f"{__name__}.reductions")
    exec(compile(tree, str(path), "exec"), space.__dict__)
    space.__dict__["da"] = _Dask("dask.array")
    return {name: each for name, each in space.__dict__.items() if name.startswith("test") and inspect.isfunction(each)}


def _differences() -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """From dask_differences.md, what each reason means, and the reasons of each test."""
    meanings: dict[str, str] = {}
    tests: dict[str, set[str]] = {}
    reason = ""
    for line in Path(__file__).with_name("dask_differences.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            reason = line.removeprefix("## ").strip("` ")
            meanings[reason] = ""
        elif reason and line.startswith("- `"):
            tests.setdefault(line.removeprefix("- ").strip("` "), set()).add(reason)
        elif reason:
            meanings[reason] += line
    return meanings, {name: frozenset(reasons) for name, reasons in tests.items()}


REASONS, DIFFERENCES = _differences()


def _ours_only(mark: pytest.Mark) -> pytest.Mark:
    """A parametrization over names of functions, with ours alone."""
    values = list(mark.args[1]) if mark.name == "parametrize" else []
    ours = [each for each in values if isinstance(each, str) and each in OURS]
    return pytest.mark.parametrize(mark.args[0], ours).mark if ours else mark


def _strict(test: Callable[..., None], name: str) -> Callable[..., None]:
    """A test that passes as it is; or with all its reasons to differ made good, and not with any fewer."""

    @functools.wraps(test)
    def check(*args: Any, **options: Any) -> None:
        reasons = DIFFERENCES.get(name, frozenset()) | DIFFERENCES.get(name + _ident, frozenset())
        for reason in sorted(reasons):
            with bridged(reasons - {reason}):
                try:
                    test(*args, **options)
                except (AssertionError, TypeError):
                    continue
            pytest.fail(f"passes, although dask_differences.md says that it differs ({reason})")
        before = _calls
        with bridged(reasons):
            test(*args, **options)
        assert _calls > before, "this test is about something else"

    checked: Any = check
    checked.pytestmark = [_ours_only(mark) for mark in getattr(test, "pytestmark", [])]
    return check


@pytest.fixture(autouse=True)
def _of_this_test(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The parameters in a test's name, for `_strict`, and our functions as the methods of Dask's arrays."""
    global _ident  # noqa: PLW0603
    _, bracket, parameters = request.node.name.partition("[")
    _ident = bracket + parameters
    for name in PLAIN:
        monkeypatch.setattr(da.Array, name, ADAPTERS[name])


CHOSEN = {} if SOURCE is None else _loaded(SOURCE)
globals().update({name: _strict(test, name) for name, test in CHOSEN.items()})


def test_every_difference_has_a_reason_and_a_test() -> None:
    if SOURCE is None:
        pytest.skip("this build of Dask comes without its tests")
    if "test_reductions_1D_nans" in CHOSEN:  # older ones have fewer tests
        assert {name.partition("[")[0] for name in DIFFERENCES} <= set(CHOSEN)
    assert not set(LEFT_OUT) & set(CHOSEN)
    assert all(REASONS.values())
