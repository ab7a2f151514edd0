"""numpy's own tests of var, std and mean, run against ours; and the array API standard's text as properties.

The installed numpy brings its tests along. Those about var, std, mean and their nan- forms are read from there,
nothing of them is kept here: in a copy of each test module, compiled anew, ``np.var``, ``x.var`` and their like
stand for `varstudy.var` and its like, under numpy's signature. A test is chosen by what it names, not by whether
it passes.

Where the answers differ on purpose, numpy_differences.md says so: a reason, what it means, and the tests that it
concerns. Each of those must fail, and must pass as soon as its reasons, and no fewer, are bridged: where numpy
answers in our place, or an argument or a warning is mended, just there. A test that starts to pass, or fails for one
more reason, is an error.

The official array-api-tests are no package to install: test_array_api_suite runs a clone. What the standard (2024.12)
says about mean, var and std is tested here too, in its own options.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import re
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

import varstudy
from varkernels.stats.inputs import FLOATS

HERE = Path(__file__).parent
NUMPY = Path(np.__file__).parent
CORE = NUMPY / ("_core" if (NUMPY / "_core" / "tests").exists() else "core")  # numpy 1's name for it

PLAIN = frozenset({"mean", "var", "std"})
NAN = frozenset({"nanmean", "nanvar", "nanstd"})

# The modules of numpy's tests with some about var, std and mean, and the names that are ours in them. Its nan-
# functions are compared with numpy's own answers to the values without NaN.
MODULES: dict[str, tuple[Path, frozenset[str]]] = {
    "multiarray": (CORE / "tests" / "test_multiarray.py", PLAIN),
    "numeric": (CORE / "tests" / "test_numeric.py", PLAIN),
    "regression": (CORE / "tests" / "test_regression.py", PLAIN),
    "datetime": (CORE / "tests" / "test_datetime.py", PLAIN),
    "overrides": (CORE / "tests" / "test_overrides.py", PLAIN),
    "nanfunctions": (NUMPY / "lib" / "tests" / "test_nanfunctions.py", NAN),
    "ma_core": (NUMPY / "ma" / "tests" / "test_core.py", PLAIN),
    "ma_old": (NUMPY / "ma" / "tests" / "test_old_ma.py", PLAIN),
    "ma_regression": (NUMPY / "ma" / "tests" / "test_regression.py", PLAIN),
    "defmatrix": (NUMPY / "matrixlib" / "tests" / "test_defmatrix.py", PLAIN),
    "matrix_regression": (NUMPY / "matrixlib" / "tests" / "test_regression.py", PLAIN),
    "matrix_interaction": (NUMPY / "matrixlib" / "tests" / "test_interaction.py", PLAIN | NAN),
    "masked_matrix": (NUMPY / "matrixlib" / "tests" / "test_masked_matrix.py", PLAIN),
}

# Chosen by what they name, but about something else.
LEFT_OUT = {
    "multiarray::TestTextSignatures::test_array_method_signatures": "the signatures of numpy's methods as text",
    "overrides::test_function_like": "the type of numpy's functions",
    "nanfunctions::TestSignatureMatch::test_signature_match": "the signatures of numpy's functions",
    "nanfunctions::TestSignatureMatch::test_exhaustiveness": "which functions numpy has",
    "nanfunctions::TestNanFunctions_NumberTypes::test_nanfunc_q": "quantiles",
    "defmatrix::TestMatrixReturn::test_instance_methods": "matrix's methods other than mean, var and std",
}


# --- numpy's signatures, our answers ------------------------------------------------------------------------------

_NOT_GIVEN: Any = object()
_bridged: frozenset[str] = frozenset()
_calls = 0


@contextmanager
def bridged(reasons: frozenset[str]) -> Iterator[None]:
    """With the differences of some reasons made good."""
    global _bridged  # noqa: PLW0603 - the adapters are called by tests that know of no such thing
    before, _bridged = _bridged, reasons
    try:
        yield
    finally:
        _bridged = before


def _refused(dtype: Any) -> bool:
    """Whether a dtype has no moments here: object, long double, strings."""
    dtype = np.dtype(dtype).newbyteorder("=")
    return dtype not in FLOATS and dtype.kind not in "biumM" and dtype not in (np.complex64, np.complex128)


def _no_answer(name: str, of: np.dtype[Any], dtype: Any) -> bool:
    """Whether a dtype is none of an answer's: a complex one is, for means of complex values."""
    if dtype is None:
        return False
    kind = np.dtype(dtype).kind
    return _refused(dtype) or (kind == "c") != (of.kind == "c" and name.endswith("mean"))


def _adapter(name: str) -> Callable[..., Any]:
    ours = getattr(varstudy, name.removeprefix("nan"))
    numpys = getattr(np, name)
    more = {"nan_policy": "omit"} if name in NAN else {}

    def call(a: Any, options: dict[str, Any]) -> Any:
        global _calls  # noqa: PLW0603
        _calls += 1
        options = {key: value for key, value in options.items() if value is not _NOT_GIVEN}
        if options["out"] is None:
            del options["out"]
        if "mean" in _bridged:
            options.pop("mean", None)
        differences: dict[str, Callable[[], bool]] = {
            "dtype": lambda: _refused(np.asarray(a).dtype) or _no_answer(name, np.asarray(a).dtype, options["dtype"]),
            "subclass": lambda: isinstance(a, np.ndarray) and getattr(a, "baseclass", type(a)) is not np.ndarray,
            "dispatch": lambda: (
                not isinstance(options.get("where"), np.ndarray) and hasattr(options.get("where"), "__array_function__")
            ),
            "out": lambda: "out" in options and "mean" not in options,
            "rounding": lambda: True,
        }
        if any(differences[reason]() for reason in _bridged & set(differences)):
            return numpys(a, **options)
        if "words" not in _bridged:
            return ours(a, **options, **more)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = ours(a, **options, **more)
        for each in caught:
            warnings.warn(f"{each.message}.", each.category, stacklevel=3)
        return answer

    if name.endswith("mean"):

        def mean(
            a: Any,
            axis: Any = None,
            dtype: Any = None,
            out: Any = None,
            keepdims: Any = _NOT_GIVEN,
            *,
            where: Any = _NOT_GIVEN,
        ) -> Any:
            return call(a, {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, "where": where})

        return mean

    def deviation(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = _NOT_GIVEN,
        keepdims: Any = _NOT_GIVEN,
        *,
        where: Any = _NOT_GIVEN,
        mean: Any = _NOT_GIVEN,
        correction: Any = _NOT_GIVEN,
    ) -> Any:
        more = {"ddof": ddof, "keepdims": keepdims, "where": where, "mean": mean, "correction": correction}
        return call(a, {"axis": axis, "dtype": dtype, "out": out, **more})

    return deviation


ADAPTERS = {name: _adapter(name) for name in sorted(PLAIN | NAN)}
for _name, _function in ADAPTERS.items():
    _function.__name__ = _name


def _attribute(names: frozenset[str], owner: Any, name: str) -> Any:
    """What ``owner.name`` stands for in numpy's tests: ours for numpy's functions, and for its arrays' methods."""
    if name in names:
        if owner is np or owner is np.ma:
            return ADAPTERS[name]
        if isinstance(owner, (np.ndarray, np.generic)) and name in PLAIN:
            return functools.partial(ADAPTERS[name], owner)
    return getattr(owner, name)


# --- numpy's tests, chosen and compiled anew ----------------------------------------------------------------------


class _Ours(ast.NodeTransformer):
    """Attributes of our names looked up by `_attribute`, as getattr's; unknown marks and fixtures' scopes removed."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def _lookup(self, owner: ast.expr, name: ast.expr, at: ast.expr) -> ast.Call:
        return ast.copy_location(ast.Call(ast.Name("__attribute__", ast.Load()), [owner, name], []), at)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr in self.names and isinstance(node.ctx, ast.Load):
            return self._lookup(node.value, ast.Constant(node.attr), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) == 2:
            return self._lookup(node.args[0], node.args[1], node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "__getattribute__" and len(node.args) == 1:
            return self._lookup(node.func.value, node.args[0], node)
        return node

    def _unmarked(self, node: Any) -> Any:
        self.generic_visit(node)
        for fixture in node.decorator_list:  # class-scoped fixtures that take self have no future in pytest
            if isinstance(fixture, ast.Call) and ast.unparse(fixture.func) == "pytest.fixture":
                fixture.keywords = [each for each in fixture.keywords if each.arg != "scope"]
        known = ("parametrize", "filterwarnings", "skipif", "skip", "xfail", "usefixtures")
        marks = re.compile(rf"pytest\.mark\.(?!(?:{'|'.join(known)})\b)")
        node.decorator_list = [each for each in node.decorator_list if not marks.match(ast.unparse(each))]
        return node

    visit_FunctionDef = visit_ClassDef = _unmarked


def _names(node: ast.AST, names: frozenset[str]) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and each.attr in names:
            return True
        if isinstance(each, ast.Name) and each.id in names:
            return True
        if isinstance(each, ast.Constant) and each.value in ("var", "std"):
            return True
    return False


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")


def _chosen(tree: ast.Module, names: frozenset[str], module: str) -> None:
    """Drop the tests that do not name what is ours, directly, by way of a helper or by their class."""
    functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and not _is_test(each)]
    known = names | {each.name for each in functions if _names(each, names)}
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    bases = {name.id for each in classes for name in each.bases if isinstance(name, ast.Name)}
    mixins = {name for name in bases if not name.startswith("Test")}

    def wanted(test: ast.stmt, whole: bool, path: str) -> bool:
        if not isinstance(test, ast.FunctionDef) or not _is_test(test):
            return True
        return (whole or _names(test, known)) and f"{path}::{test.name}" not in LEFT_OUT

    def chosen(body: list[ast.stmt]) -> list[ast.stmt]:
        kept = []
        for each in body:
            whole = False
            if isinstance(each, ast.ClassDef):
                shared = [part for part in each.body if not isinstance(part, ast.FunctionDef)]
                whole = each.name in mixins or any(_names(part, known) for part in shared)
                each.body = [part for part in each.body if wanted(part, whole, f"{module}::{each.name}")]
                if each.name.startswith("Test") and not (whole and each.bases) and not any(map(_is_test, each.body)):
                    continue
            elif isinstance(each, ast.If):  # for some platforms or versions only
                each.body = chosen(each.body) or [ast.Pass()]
            if wanted(each, False, module):
                kept.append(each)
        return kept

    tree.body = chosen(tree.body)


def _loaded(module: str) -> dict[str, Any]:
    """The chosen tests of one of numpy's test modules, in a namespace of their own."""
    path, names = MODULES[module]
    tree = ast.parse(path.read_bytes())
    _chosen(tree, names, module)
    tree = ast.fix_missing_locations(_Ours(names).visit(tree))
    space = types.ModuleType(f"{__name__}.{module}")
    space.__dict__["__file__"] = str(path)
    space.__dict__["__attribute__"] = functools.partial(_attribute, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(tree, str(path), "exec"), space.__dict__)
    return space.__dict__


# --- the differences ----------------------------------------------------------------------------------------------


def _differences() -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """From numpy_differences.md, what each reason means, and the reasons of each test."""
    meanings: dict[str, str] = {}
    tests: dict[str, set[str]] = {}
    reason = ""
    for line in (HERE / "numpy_differences.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            reason = line.removeprefix("## ").strip("` ")
            meanings[reason] = ""
        elif reason and line.startswith("- `"):
            tests.setdefault(line.removeprefix("- ").strip("` "), set()).add(reason)
        elif reason:
            meanings[reason] += line
    return meanings, {name: frozenset(reasons) for name, reasons in tests.items()}


REASONS, DIFFERENCES = _differences()


def _reasons(name: str, ident: str, options: dict[str, Any]) -> frozenset[str]:
    """Why a test differs with these parameters: a dtype that we refuse is one reason alone, and enough."""
    reasons, own = DIFFERENCES.get(name, frozenset()), DIFFERENCES.get(name + ident, frozenset())
    dtypes = [value for key, value in options.items() if key in ("dtype", "complex_dtype")]
    if not dtypes:
        return reasons | own
    return own | (reasons & {"dtype"} if any(map(_refused, dtypes)) else reasons - {"dtype"})


_ident = ""


@pytest.fixture(autouse=True)
def _of_this_test(request: pytest.FixtureRequest) -> None:
    """The parameters in a test's name, for `_strict`."""
    global _ident  # noqa: PLW0603
    _, bracket, parameters = request.node.name.partition("[")
    _ident = bracket + parameters


def _strict(test: Callable[..., None], name: str) -> Callable[..., None]:
    """A test that passes as it is; or with all its reasons to differ bridged, and not with any fewer."""

    @functools.wraps(test)
    def check(*args: Any, **options: Any) -> None:
        reasons = _reasons(name, _ident, options)
        for reason in sorted(reasons):
            with bridged(reasons - {reason}):
                try:
                    test(*args, **options)
                except (AssertionError, TypeError, AttributeError, RuntimeWarning, pytest.fail.Exception):
                    continue
            pytest.fail(f"passes, although numpy_differences.md says that it differs ({reason})")
        before = _calls
        with bridged(reasons):
            test(*args, **options)
        assert _calls > before, "this test is about something else"

    return check


def _ours_only(mark: pytest.Mark) -> pytest.Mark | None:
    """A parametrization over functions without those that are not ours; None if none is left."""
    if mark.name != "parametrize":
        return mark
    values = list(mark.args[1])
    functions = [[each for each in np.atleast_1d(np.array(value, dtype=object)) if callable(each)] for value in values]
    if not any(functions):
        return mark
    kept = [i for i, each in enumerate(functions) if any(f in ADAPTERS.values() for f in each)]
    ids = mark.kwargs.get("ids")
    options = {**mark.kwargs, "ids": [ids[i] for i in kept]} if ids else mark.kwargs
    return pytest.mark.parametrize(mark.args[0], [values[i] for i in kept], **options).mark if kept else None


def _prepared(test: Any, name: str) -> Any:
    marks = [_ours_only(mark) for mark in getattr(test, "pytestmark", [])]
    checked: Any = _strict(test, name)
    checked.pytestmark = [mark for mark in marks if mark is not None]
    checked.pytestmark.append(pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning").mark)
    return checked


def _collected() -> dict[str, Any]:
    """numpy's tests under names that pytest finds, prepared; and the names that numpy_differences.md may use."""
    found: dict[str, Any] = {}
    for module in MODULES:
        for name, each in _loaded(module).items():
            if inspect.isclass(each) and name.startswith("Test"):
                tests = [test for test in dir(each) if test.startswith("test")]
                for test in tests:
                    full = f"{module}::{name}::{test}"
                    KNOWN.add(full)
                    setattr(each, test, _prepared(getattr(each, test), full))
                if tests:
                    found[f"Test_{module}_{name}"] = each
            elif inspect.isfunction(each) and name.startswith("test"):
                full = f"{module}::{name}"
                KNOWN.add(full)
                found[f"test_{module}_{name}"] = _prepared(each, full)
    return found


KNOWN: set[str] = set()
SHIPPED = all(path.exists() for path, _ in MODULES.values())

if SHIPPED:
    globals().update(_collected())


def test_numpy_ships_its_tests() -> None:
    if not SHIPPED:
        pytest.skip("this build of numpy comes without its tests: numpy's tests of var, std and mean did not run")
    assert KNOWN


@pytest.mark.skipif(not SHIPPED, reason="this build of numpy comes without its tests")
def test_every_difference_has_a_reason_and_a_test() -> None:
    if np.lib.NumpyVersion(np.__version__) >= "2.4.0":  # older ones have fewer tests
        assert {name.partition("[")[0] for name in DIFFERENCES} <= KNOWN
    assert all(REASONS.values())
    assert not KNOWN & set(LEFT_OUT)


# --- the array API standard, 2024.12: mean, std and var -----------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Any]] = {"mean": varstudy.mean, "std": varstudy.std, "var": varstudy.var}
STANDARD = [np.dtype(np.float32), np.dtype(np.float64)]
OURS = sorted(FLOATS, key=str)

every = pytest.mark.parametrize("name", sorted(FUNCTIONS))
every_spread = pytest.mark.parametrize("name", ["std", "var"])
whole = st.integers(-1000, 1000)


@contextmanager
def quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@st.composite
def reductions(draw: st.DrawFn, least: int = 0) -> tuple[NDArray[Any], Any]:
    """An array of any floating-point dtype of ours, and an axis to reduce over: none, one or several."""
    shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=least, max_side=4))
    values = draw(arrays_of.arrays(np.int64, shape, elements=whole))
    x = (values / 8).astype(draw(st.sampled_from(OURS)))
    axes: list[st.SearchStrategy[Any]] = [st.none(), st.just(tuple(range(x.ndim)))]
    if x.ndim:
        axes += [st.integers(-x.ndim, x.ndim - 1), arrays_of.valid_tuple_axes(x.ndim, min_size=1)]
    return x, draw(st.one_of(axes))


def reduced(x: NDArray[Any], axis: Any) -> set[int]:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return {a % x.ndim for a in axes}


@every
def test_standard_signature(name: str) -> None:
    # mean(x, /, *, axis=None, keepdims=False); std and var(x, /, *, axis=None, correction=0.0, keepdims=False)
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    wanted = {"axis": None, "keepdims": False} | ({} if name == "mean" else {"correction": 0.0})
    assert {key: parameters[key].default for key in wanted} == wanted
    assert all(parameters[key].kind is inspect.Parameter.KEYWORD_ONLY for key in wanted)
    assert all(p.default is not inspect.Parameter.empty for key, p in parameters.items() if key != "x")
    x = np.ones((2, 3))
    with pytest.raises(TypeError):
        FUNCTIONS[name](x, 0)
    with pytest.raises(TypeError):
        FUNCTIONS[name](x=x)


@every
@settings(deadline=None)
@given(case=reductions(), keepdims=st.booleans())
def test_standard_shape_and_dtype(name: str, case: tuple[NDArray[Any], Any], keepdims: bool) -> None:
    # "The returned array must have the same data type as x", where that is a real-valued floating-point one.
    # "If True, the reduced axes (dimensions) must be included in the result as singleton dimensions."
    x, axis = case
    before = x.copy()
    with quietly():
        answer = FUNCTIONS[name](x, axis=axis, keepdims=keepdims)
    gone = reduced(x, axis)
    assert answer.shape == tuple(1 if a in gone else n for a, n in enumerate(x.shape) if keepdims or a not in gone)
    assert answer.dtype == x.dtype
    assert np.array_equal(x, before)


@every
@settings(deadline=None)
@given(case=reductions(least=1))
def test_standard_axes(name: str, case: tuple[NDArray[Any], Any]) -> None:
    # "By default, the mean must be computed over the entire array. If a tuple of integers, arithmetic means must
    # be computed over multiple axes."
    x, axis = case
    answer = np.asarray(FUNCTIONS[name](x, axis=axis))
    gone = reduced(x, axis)
    kept = [a for a in range(x.ndim) if a not in gone]
    for place in np.ndindex(answer.shape):
        index: list[Any] = [slice(None)] * x.ndim
        for a, i in zip(kept, place, strict=True):
            index[a] = i
        assert answer[place] == FUNCTIONS[name](x[tuple(index)].ravel())


@every
@pytest.mark.parametrize("axis", [2, -3, (0, 2)])
def test_standard_invalid_axes(name: str, axis: Any) -> None:
    # "Axes must be within [-N, N), where N is the rank"
    with pytest.raises(np.exceptions.AxisError):
        FUNCTIONS[name](np.ones((2, 3)), axis=axis)


@every
@pytest.mark.parametrize("dtype", STANDARD, ids=str)
@settings(deadline=None)
@given(data=st.data())
def test_standard_nan_propagates(name: str, dtype: np.dtype[Any], data: Any) -> None:
    # "If x_i is NaN, the [result] is NaN (i.e., NaN values propagate)."
    x = data.draw(arrays_of.arrays(np.int64, (3, 5), elements=whole)).astype(dtype)
    hit = data.draw(arrays_of.arrays(np.bool_, (3, 5)))
    clean = FUNCTIONS[name](x, axis=1)
    answer = FUNCTIONS[name](np.where(hit, dtype.type(np.nan), x), axis=1)
    assert np.array_equal(answer, np.where(hit.any(axis=1), dtype.type(np.nan), clean), equal_nan=True)


@pytest.mark.parametrize("dtype", STANDARD, ids=str)
def test_standard_mean_of_nothing(dtype: np.dtype[Any]) -> None:
    # "If N is 0, the arithmetic mean is NaN."
    with pytest.warns(RuntimeWarning, match=r"^Mean of empty slice$"):
        assert np.isnan(varstudy.mean(np.zeros((2, 0), dtype=dtype), axis=1)).all()


@every_spread
@settings(deadline=None)
@given(x=arrays_of.arrays(np.float64, st.integers(0, 5), elements=st.floats(-10, 10)), correction=st.floats(-3, 9))
def test_standard_corrections(name: str, x: NDArray[Any], correction: float) -> None:
    # "If N - correction is less than or equal to 0, the [result] is NaN." Else the sum of squares is divided by it.
    count = len(x)
    with quietly():
        answer = FUNCTIONS[name](x, correction=correction)
    if count == 0 or count - correction <= 0:
        assert np.isnan(answer)
    else:
        ratio = count / (count - correction)
        base = FUNCTIONS[name](x)
        assert answer == pytest.approx(base * (ratio if name == "var" else math.sqrt(ratio)), rel=1e-14, abs=1e-300)


@every_spread
@pytest.mark.parametrize("dtype", STANDARD, ids=str)
@pytest.mark.parametrize("correction", [1, 2, 1.0, 2.5])
def test_standard_too_few_values(name: str, dtype: np.dtype[Any], correction: float) -> None:
    with pytest.warns(RuntimeWarning, match=r"^Degrees of freedom <= 0 for slice$"):
        answer = FUNCTIONS[name](np.array([[1.0], [2.0]], dtype=dtype), axis=1, correction=correction)
    assert np.isnan(answer).all()
    assert answer.dtype == dtype


@every
@settings(deadline=None)
@given(case=reductions(least=1))
def test_standard_values(name: str, case: tuple[NDArray[Any], Any]) -> None:
    # The standard's definitions, in numpy's float64: the data are multiples of 1/8 that it takes exactly or nearly.
    x, axis = case
    answer = np.asarray(FUNCTIONS[name](x, axis=axis)).astype(np.float64)
    tolerance = 2.0 ** -FLOATS[x.dtype].precision + 1e-12
    expected = getattr(np, name)(x.astype(np.float64), axis=axis)
    assert np.allclose(answer, expected, rtol=tolerance, atol=1e-6)
