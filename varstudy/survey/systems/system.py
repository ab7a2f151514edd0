"""What a system is: a layer other than the norms of `findings`, with its vocabulary, its questions and its table.

A system is one module of `kinds`; everything else (the record, the documented facts, the measurement, the command,
``list`` and the findings) works on any `System`. A framework answers it with a function of the system's name in
``systems.py`` of its folder, and ``systems.json`` there has what its sources say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from varkernels.norms.answers import ExactArray

from ..._io.record_file import Cells

__all__ = ["NUMBER", "Answer", "Ask", "Scored", "Script", "System"]

NUMBER = "a number"
# The arrays that a framework gave as flat lists by their names, y the output; or {"raised": what was raised}.
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """One call: the input, and the arguments that are given."""

    x: NDArray[Any]
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """One call whose output is compared with the exact one.

    Attributes
    ----------
    input, parameters : their names. ask : the call.
    exact : the exact output, given the conventions that were found; None where these leave it open.
    """

    input: str
    parameters: str
    ask: Ask
    exact: Callable[[Mapping[str, Any]], ExactArray | None]


@dataclass(frozen=True)
class Script:
    """A few lines that show a property: what is filled into the framework's recipe, an input, and right outputs.

    Attributes
    ----------
    given : words that the recipe has in braces. x : the input as nested lists.
    outputs : for each value of the property that is right, the exact outputs as a flat list.
    """

    given: Mapping[str, str]
    x: Sequence[Any]
    outputs: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class System:
    """A layer that frameworks define differently.

    Attributes
    ----------
    name : one word, of the command line and of the functions in ``systems.py``.
    title : what it is called. formula : how the table's heading has it. summary : a sentence for ``list``.
    properties : each property's title and values; `NUMBER` among them allows numbers.
    columns : the properties that the table shows, with their headings. narrow : headings that go first if it is narrow.
    asks : the calls that show the conventions, by their names. conventions : from the answers to each property's value,
        None where the answers leave it open.
    scored : the calls whose outputs are compared with exact ones.
    raised : for a property, the ask whose exception is its detail.
    alarms : values that are findings by themselves, by property.
    scripts : of properties that a few lines show.
    studied : what the study has of it: the title of a table, and its rows.
    """

    name: str
    title: str
    formula: str
    summary: str
    properties: Mapping[str, tuple[str, tuple[str, ...]]]
    columns: Mapping[str, str]
    narrow: Sequence[str]
    asks: Mapping[str, Ask]
    conventions: Callable[[Mapping[str, Answer]], dict[str, Any]]
    scored: Callable[[], list[Scored]] = list
    raised: Mapping[str, str] = field(default_factory=dict)
    alarms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scripts: Mapping[str, Script] = field(default_factory=dict)
    studied: tuple[str, Callable[[], Sequence[Cells]]] | None = None

    def check(self, name: str, value: object) -> None:
        """Refuse a value that a property cannot have; None is always one.

        Raises
        ------
        ValueError
            The property or the value is unknown.
        """
        if name not in self.properties:
            raise ValueError(f"property {name!r} is unknown: use one of {', '.join(self.properties)}")
        known = self.properties[name][1]
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and NUMBER in known
        if value is not None and not number and (value not in known or value == NUMBER):
            raise ValueError(f"property {name!r} cannot have the value {value!r}: use one of {', '.join(known)}")
