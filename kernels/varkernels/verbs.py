"""The verbs as compiled functions: Numba finds a formula's verb by the type of its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import overload, register_jitable

from .formulas import FORMULAS, Formula
from .formulas.base import like
from .formulas.errorfree import fma
from .inlining import announce
from .smallfloat import fma_overload, narrow

__all__ = ["formula_of", "learn", "merge", "read", "start", "update"]

_VERBS: dict[type, Formula] = {}


def learn(formula: Formula) -> None:
    """Make a formula's verbs (and its first sweep's) known to the compiler.

    Raises
    ------
    ValueError
        Another formula uses the same state type.
    """
    known = _VERBS.setdefault(formula.state, formula)
    if (known.update, known.merge, known.read, known.start) != (
        formula.update,
        formula.merge,
        formula.read,
        formula.start,
    ):
        raise ValueError(
            f"formula {formula.name!r} has the state type {formula.state.__name__} of formula {known.name!r}"
            ": give it a NamedTuple of its own"
        )
    if isinstance(formula.centre, Formula):
        learn(formula.centre)


def formula_of(state: Any) -> Formula:
    """The formula of a state's Numba type."""
    return _VERBS[state.instance_class]


def _verb(state: Any, name: str) -> Callable[..., Any] | None:
    formula = _VERBS.get(getattr(state, "instance_class", None))  # type: ignore[arg-type]
    return getattr(formula, name, None)


def update(state: Any, n: int, x: Any) -> Any:
    """The state after the value x, the n-th. Within kernels only, as the three below."""
    raise RuntimeError("update() runs within compiled kernels only")


def merge(a: Any, na: int, b: Any, nb: int) -> Any:
    """The state of both samples."""
    raise RuntimeError("merge() runs within compiled kernels only")


def read(state: Any, n: int) -> Any:
    """(mean, M2) of the n values."""
    raise RuntimeError("read() runs within compiled kernels only")


def start(state: Any, high: Any, low: Any) -> Any:
    """The empty state round the centre high + low; a formula without a centre keeps the state."""
    raise RuntimeError("start() runs within compiled kernels only")


@overload(update)
def _update(state, n, x):  # type: ignore[no-untyped-def]
    return _verb(state, "update")


@overload(merge)
def _merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return _verb(a, "merge")


@overload(read)
def _read(state, n):  # type: ignore[no-untyped-def]
    return _verb(state, "read")


@overload(start)
def _start(state, high, low):  # type: ignore[no-untyped-def]
    return _verb(state, "start") or (lambda state, high, low: state)


@overload(like)
def _like(exemplar, value):  # type: ignore[no-untyped-def]
    return lambda exemplar, value: narrow(exemplar, value)  # noqa: PLW0108 - `narrow` itself is a stub


announce(register_jitable)
fma_overload(fma)
for _formula in FORMULAS.values():
    learn(_formula)
