"""A formula as NVVM and ptxas contract it by default: every sum or difference of a product becomes one fma.

NVVM's rule, as read in its PTX: an addition takes in the product that is its left operand, else the one that is its
right, and rounds once. A subtraction it leaves to ptxas, which fuses a product and a difference that are not marked
as rounded. Here the rule is applied to a formula's verbs, run once on symbols, and the outcome is compiled as a
formula of its own. The test that executor and mirror agree in every bit is what holds this rule true.

Where both operands are products NVVM's choice depends on what else it orders in the same block, and a difference's
contraction is not in the PTX. A formula with either (`explicit`) is contracted here for the device too: the left
product, always.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

from ..formulas import Formula, like
from ..formulas.errorfree import fma

__all__ = ["contracted", "explicit", "straight_tile"]

TILES = (4, 8, 16, 32)  # values that the verb `tile` may be given


class Count:
    """A whole number known at run time, as Python text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __add__(self, other: Count | int) -> Count:
        return Count(f"({self.text} + {_whole(other)})")

    def __sub__(self, other: Count | int) -> Count:
        return Count(f"({self.text} - {_whole(other)})")


def _whole(value: Count | int) -> str:
    return value.text if isinstance(value, Count) else str(value)


class Number:
    """A floating-point number known at run time: an operation and its operands; `like` makes one of a count."""

    def __init__(
        self, value: Count | int, operation: str = "like", operands: tuple[Number, ...] = (), name: str = ""
    ) -> None:
        self.value = value
        self.operation = operation
        self.operands = operands
        self.name = name

    def __add__(self, other: Number) -> Number:
        return Number(0, "+", (self, other))

    def __sub__(self, other: Number) -> Number:
        return Number(0, "-", (self, other))

    def __mul__(self, other: Number) -> Number:
        return Number(0, "*", (self, other))

    def fma(self, b: Number, c: Number) -> Number:
        return Number(0, "fma", (self, b, c))

    def __neg__(self) -> Number:
        return Number(0, "neg", (self,))

    def __truediv__(self, other: Number) -> Number:
        return Number(0, "/", (self, other))

    def __bool__(self) -> bool:
        raise TypeError("a verb that decides by a number's value cannot be contracted here")

    @property
    def key(self) -> Any:
        """Equal for expressions that are equal symbol by symbol."""
        return self.operation, self.name, _whole(self.value), tuple(operand.key for operand in self.operands)


class _Writer:
    """The text of expressions, each computed once; contracted or as they are."""

    def __init__(self, exemplar: str, *, contract: bool = True) -> None:
        self.exemplar = exemplar
        self.contract = contract
        self.lines: list[str] = []
        self.explicit = False
        self.known: dict[Any, str] = {}

    def name(self, number: Number) -> str:
        if number.operation == "name":
            return number.name
        if number.key not in self.known:
            text = self._text(number)
            self.known[number.key] = f"t{len(self.known)}"
            self.lines.append(f"    {self.known[number.key]} = {text}")
        return self.known[number.key]

    def _text(self, number: Number) -> str:
        if number.operation == "like":
            return f"like({self.exemplar}, {_whole(number.value)})"
        if number.operation == "fma":
            return f"fma({', '.join(map(self.name, number.operands))})"
        if number.operation == "neg":
            return f"-{self.name(number.operands[0])}"
        a, b = number.operands
        if not self.contract:
            return f"{self.name(a)} {number.operation} {self.name(b)}"
        if number.operation == "+" and "*" in (a.operation, b.operation):
            self.explicit |= a.operation == b.operation
            product, other = (a, b) if a.operation == "*" else (b, a)
            left, right = product.operands
            return f"fma({self.name(left)}, {self.name(right)}, {self.name(other)})"
        if number.operation == "-" and "*" in (a.operation, b.operation):
            self.explicit = True
            left, right = (a if a.operation == "*" else b).operands
            if a.operation == "*":
                return f"fma({self.name(left)}, {self.name(right)}, -{self.name(b)})"
            return f"fma(-{self.name(left)}, {self.name(right)}, {self.name(a)})"
        return f"{self.name(a)} {number.operation} {self.name(b)}"


# The states by name, so that Numba's cache on disk finds them again: see __getattr__.
_STATES: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name in _STATES:
        return _STATES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _symbols(state: Any, argument: str) -> Any:
    return state(*[Number(0, "name", name=f"{argument}.{field}") for field in state._fields])


def _calls(formula: Formula) -> dict[str, tuple[Callable[..., Any], str, tuple[Any, ...]]]:
    """A formula's verbs by name: the function, the names of its arguments, and symbols for them."""
    a, b, own = (_symbols(formula.state, name) for name in ("a", "b", "state"))
    x, high, low = (Number(0, "name", name=name) for name in ("x", "high", "low"))
    n = Count("n")
    calls: dict[str, Any] = {
        "update": (formula.update, "state, n, x", (own, n, x)),
        "merge": (formula.merge, "a, na, b, nb", (a, Count("na"), b, Count("nb"))),
        "read": (formula.read, "state, n", (own, n)),
        "start": (formula.start, "state, high, low", (own, high, low)),
    }
    return {name: call for name, call in calls.items() if call[0] is not None}


def _tile_call(formula: Formula, count: int) -> tuple[Callable[..., Any], str, tuple[Any, ...]]:
    """The verb `tile` of so many values, as `_calls` has the others."""
    assert formula.tile is not None
    values = tuple(Number(0, "name", name=f"values[{j}]") for j in range(count))
    return formula.tile, "state, values", (_symbols(formula.state, "state"), values)


def _written(
    function: Callable[..., Any], arguments: str, symbols: tuple[Any, ...], *, contract: bool = True
) -> tuple[_Writer, str]:
    """A verb's text, contracted or as it is: its lines, and what it returns, without brackets."""
    writer = _Writer(f"{arguments.partition(',')[0]}[0]", contract=contract)
    return writer, ", ".join([writer.name(number) for number in function(*symbols)])


@cache
def explicit(formula: Formula) -> bool:
    """Whether a verb adds two products, or subtracts one: what is contracted cannot be left to NVVM."""
    calls = [*_calls(formula).values(), *([_tile_call(formula, TILES[0])] if formula.tile else [])]
    return any(_written(*call)[0].explicit for call in calls)


@cache
def straight_tile(formula: Formula, count: int) -> Callable[..., Any]:
    """The verb `tile` of so many values without its loops, which a compiler of kernels would not unroll."""
    call = _tile_call(formula, count)
    writer, result = _written(*call, contract=False)
    return _compiled(writer.lines, call[1], f"State({result})", {"State": formula.state})


def _compiled(lines: list[str], arguments: str, result: str, names: dict[str, Any]) -> Callable[..., Any]:
    text = "\n".join([f"def verb({arguments}):", *lines, f"    return {result}"])
    space: dict[str, Any] = {"like": like, "fma": fma, **names}
    exec(compile(text, "<contracted verb>", "exec"), space)
    verb: Callable[..., Any] = space["verb"]
    return verb


@cache
def contracted(formula: Formula) -> Formula:
    """The formula with every sum of a product in its verbs made an fma; its state is a type of its own."""
    fields = formula.state._fields  # type: ignore[attr-defined]
    state: Any = namedtuple(f"Contracted{formula.state.__name__}", fields, module=__name__)  # type: ignore[misc]
    _STATES[state.__name__] = state
    verbs: dict[str, Any] = {}
    for name, call in _calls(formula).items():
        writer, result = _written(*call)
        result = f"({result})" if name == "read" else f"State({result})"
        verbs[name] = _compiled(writer.lines, call[1], result, {"State": state})
    tiles: dict[int, Callable[..., Any]] = {}
    for count in TILES if formula.tile else ():
        call = _tile_call(formula, count)
        writer, result = _written(*call)
        tiles[count] = _compiled(writer.lines, call[1], f"State({result})", {"State": state})
    return Formula(
        tile=(lambda state, values: tiles[len(values)](state, values)) if tiles else None,
        name=formula.name,
        title=f"{formula.title}, contracted",
        summary=formula.summary,
        source=formula.source,
        state=state,
        centre=contracted(formula.centre) if isinstance(formula.centre, Formula) else formula.centre,
        **verbs,
    )
