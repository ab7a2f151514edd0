"""What the outputs and gradients of the frameworks' layers are worth: what is committed, element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..._io.unchanged import once
from ...study.gradient_orders import OrderRow
from ...survey import draws, elements
from ...survey.draws import DrawProblem
from ...survey.elements import ElementFact, ElementRow
from ...survey.frameworks.catalogue import FRAMEWORKS
from ...survey.reproducers import beyond
from ..answer_claims import DEFECTS
from ..figures import gradient_sums
from ..figures.draw import Drawn
from ..rendering import sentence
from ..words import clean, code, count, number

__all__ = ["ORDINARY_MEAN", "SHOWN", "LayerAnswers", "Worst", "chapter", "content", "made"]

# Frameworks on the first page.
SHOWN = 3
# Means, in deviations, that the activations of networks have; larger ones are those of raw data.
ORDINARY_MEAN = 10
# The largest mean of draws that has a column of its own.
DRAWN_MEAN = 1000


@dataclass(frozen=True)
class Worst:
    """The largest error of some arrays: the error, and where.

    Attributes
    ----------
    error, stored, times : of the array; what storing costs; how many times that is. place : norm and format.
    wrong : whether no digit is correct.
    """

    error: str
    stored: str
    times: str
    place: str
    wrong: bool


@dataclass(frozen=True)
class LayerAnswers:
    """The chapter on outputs and gradients, and its page.

    Attributes
    ----------
    problem : why there is none. heads : the columns of the first page's table. lines : a framework, and a `Worst` each;
        a word where there is none. more : frameworks that are not shown.
    population : of the figures, in words. layers : the worst row of each layer.
    rows : every row. reasons : why an array has no score. orders, drawn : our own kernels' sums. runs : versions.
    order_rows : the numbers of rows of these. defects : what is wrong, its population, its state upstream, its script.
    alarming : how many findings on outputs and gradients have an address. draws : with what each layer's error grows,
        its figure at means up to `DRAWN_MEAN` and where it shows; the largest errors first.
    """

    problem: str = ""
    heads: tuple[str, ...] = ()
    lines: tuple[tuple[str, tuple[Worst | str, ...]], ...] = ()
    more: int = 0
    population: str = ""
    layers: tuple[tuple[Any, ...], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    reasons: tuple[tuple[Any, ...], ...] = ()
    orders: tuple[tuple[Any, ...], ...] = ()
    order_rows: tuple[str, ...] = ()
    defects: tuple[tuple[Markup | str, ...], ...] = ()
    drawn: Drawn = field(default_factory=lambda: Drawn(None))
    runs: tuple[tuple[str, ...], ...] = ()
    alarming: int = 0
    draws: tuple[tuple[str, ...], ...] = ()


def content() -> dict[str, Any] | None:
    """The committed file; None where it cannot be read."""
    try:
        return elements.committed()
    except (FileNotFoundError, elements.ElementProblem):
        return None


def chapter() -> LayerAnswers:
    """The chapter of the committed file."""
    try:
        return _chapter_of(elements.COMMITTED)
    except FileNotFoundError:
        return LayerAnswers(problem="no outputs and gradients are committed")
    except elements.ElementProblem as problem:
        return LayerAnswers(problem=clean(problem).rstrip("."))


@once
def _chapter_of(_: Path) -> LayerAnswers:
    """The chapter of the committed file, drawn once as long as the file stays the same."""
    return made(elements.committed())


def made(given: Mapping[str, Any]) -> LayerAnswers:
    """The chapter of a content of elements.json."""
    rows, facts, sums = elements.rows(given), elements.facts(given), elements.orders(given)
    titles = {fact.framework: clean(fact.title) for fact in facts}
    heads, groups = _columns(rows, given)
    scored = [row for row in rows if elements.scored(row)]
    there = [fact.framework for fact in sorted(facts, key=lambda fact: _badness(fact, rows))]
    lines = [(name, _line(name, rows, groups)) for name in there]
    return LayerAnswers(
        heads=heads,
        lines=tuple((titles[name], cells) for name, cells in lines[:SHOWN]),
        more=len(lines[SHOWN:]),
        population=_population([fact for fact in facts if fact.framework in there[:SHOWN]], rows, scored),
        layers=_layers(scored, titles),
        rows=tuple(_row(row, titles) for row in scored),
        reasons=_reasons(rows, titles),
        orders=_orders(sums),
        order_rows=tuple(f"{rows:,}" for rows in dict.fromkeys(row.rows for row in sums)),
        defects=_defects(given),
        drawn=gradient_sums.draw(sums),
        runs=tuple(_run(fact, rows) for fact in facts),
        alarming=_alarming(),
        draws=_draws(),
    )


def _largest(rows: Sequence[ElementRow]) -> int:
    return max((row.size for row in rows if row.array in ("dweight", "dbias")), default=0)


Group = Callable[[ElementRow], bool]


def _columns(rows: Sequence[ElementRow], given: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Group, ...]]:
    """The first page's columns: headings, and which rows each is of."""
    means = {each["name"]: float(each["offset"]) for each in given["inputs"]}
    large = sorted({means[row.input] for row in rows if row.array == "y" and means[row.input] > ORDINARY_MEAN})
    most = _largest(rows)
    span = " to ".join(f"{each:,.0f}" for each in dict.fromkeys((large[0], large[-1]))) if large else ""
    columns: dict[str, Group] = {
        f"y, mean up to {ORDINARY_MEAN} σ": lambda row: row.array == "y" and means[row.input] <= ORDINARY_MEAN,
        f"y, mean {span} σ": lambda row: row.array == "y" and means[row.input] > ORDINARY_MEAN,
        "dx": lambda row: row.array == "dx" and not elements.stress(row),
        f"dweight, {most:,} rows": lambda row: row.array == "dweight" and row.size == most and not elements.stress(row),
        f"dbias, {most:,} rows": lambda row: row.array == "dbias" and row.size == most and not elements.stress(row),
        "stress test: dx": lambda row: row.array == "dx" and elements.stress(row),
    }
    return tuple(columns), tuple(columns.values())


def _badness(fact: ElementFact, rows: Sequence[ElementRow]) -> tuple[float, float]:
    """The worst gradient first, then the worst output."""
    own = [row for row in rows if row.framework == fact.framework and not elements.stress(row)]
    found = (elements.worst_rows(row for row in own if (row.array == "y") == outputs) for outputs in (False, True))
    gradients, outputs = (-each[()].error if each else 0.0 for each in found)
    return gradients, outputs


def _line(name: str, rows: Sequence[ElementRow], groups: Sequence[Group]) -> tuple[Worst | str, ...]:
    own = [row for row in rows if row.framework == name]
    return tuple(_worst([row for row in own if group(row)]) for group in groups)


def _worst(rows: Sequence[ElementRow]) -> Worst | str:
    found = elements.worst_rows(rows)
    if not found:
        return "none"
    row = found[()]
    return Worst(_error(row), number(row.stored, 2), _times(row), f"{row.kind}, {row.storage}", row.status == "wrong")


def _error(row: ElementRow) -> str:
    return f"{row.not_finite:,} not finite" if row.not_finite else number(row.error, 2)


def _times(row: ElementRow) -> str:
    if row.not_finite:
        return "–"
    return number(row.error / row.stored, 2) if row.stored else ("1" if row.error == 0 else "∞")


def _population(facts: Sequence[ElementFact], rows: Sequence[ElementRow], scored: Sequence[ElementRow]) -> str:
    there = [fact for fact in facts if fact.status == "measured"]
    formats = ", ".join(dict.fromkeys(row.storage for row in rows))
    machines = ", ".join(dict.fromkeys(clean(fact.machine) for fact in there))
    names = ", ".join(_own(fact) for fact in there)
    own = {fact.framework for fact in there}
    arrays = sum(row.framework in own for row in scored)
    return f"{names}; {count(arrays, 'array')} in {formats}, one and two threads, on {machines}"


def _own(fact: ElementFact) -> str:
    """A framework's own version among those of what it builds on."""
    listed = [clean(each) for each in fact.version.split(", ")]
    short = fact.framework.partition("-")[0]
    return next((each for each in reversed(listed) if each.partition(" ")[0] == fact.framework), "") or next(
        (each for each in listed if each.partition(" ")[0] == short), listed[0]
    )


# The page -------------------------------------------------------------------------------------------------------------


def _row(row: ElementRow, titles: Mapping[str, str]) -> tuple[Any, ...]:
    return (
        titles[row.framework], row.kind, row.array, row.storage, row.parameters, row.memory, row.mode, row.threads,
        row.input.removeprefix(f"{row.storage} "), f"{row.size:,}", _error(row), number(row.stored, 2), _times(row),
        number(row.units_median, 2), row.status,
    )  # fmt: skip


def _layers(scored: Sequence[ElementRow], titles: Mapping[str, str]) -> tuple[tuple[Any, ...], ...]:
    """The worst row of each framework, norm, array, format and layout, the largest errors first; no stress test."""
    ordinary = [row for row in scored if not elements.stress(row)]
    found = elements.worst_rows(ordinary, "framework", "kind", "array", "storage", "memory").values()
    return tuple(
        (*_row(row, titles), number(row.computed, 4), number(row.exact, 4))
        for row in sorted(found, key=lambda row: -row.error)
    )


def _reasons(rows: Sequence[ElementRow], titles: Mapping[str, str]) -> tuple[tuple[Any, ...], ...]:
    """Why arrays have no score or are not finite, those of one framework and reason together."""
    grouped: dict[tuple[str, str, str], list[ElementRow]] = {}
    for row in rows:
        outcome, reason = row.outcome, row.reason
        if outcome == "scored" and row.not_finite:
            outcome, reason = "not finite", "The layer answers NaN or an infinity where the exact value is in range."
        elif outcome == "scored" and not elements.scored(row):
            outcome, reason = "out of range", "Every exact value is beyond the format's largest number."
        if outcome != "scored":
            grouped.setdefault((row.framework, outcome, reason), []).append(row)
    return tuple(
        (
            titles[name], outcome, clean(reason),
            *(", ".join(dict.fromkeys(getattr(row, key) for row in own)) for key in ("kind", "array", "storage")),
            len(own),
        )
        for (name, outcome, reason), own in grouped.items()
    )  # fmt: skip


def _orders(sums: Sequence[OrderRow]) -> tuple[tuple[Any, ...], ...]:
    """An array, a format and an order; error and bound at each number of rows."""
    lines: dict[tuple[str, str, str], list[OrderRow]] = {}
    for row in sums:
        lines.setdefault((row.array, row.accumulator, row.order), []).append(row)
    return tuple(
        (array, accumulator, code(order), tuple((number(each.error, 2), number(each.bound, 2)) for each in own))
        for (array, accumulator, order), own in lines.items()
    )


def _run(fact: ElementFact, rows: Sequence[ElementRow]) -> tuple[str, ...]:
    many = sum(row.framework == fact.framework for row in rows)
    return (
        clean(fact.title), clean(fact.version) or "–", clean(fact.python) or "–", clean(fact.date) or "–",
        clean(fact.machine) or "–", f"{many:,}", clean(fact.repeated or fact.reason or fact.status),
    )  # fmt: skip


def _defects(given: Mapping[str, Any]) -> tuple[tuple[Markup | str, ...], ...]:
    """What is wrong in one framework, with the script that shows it."""
    made_ = []
    for query in DEFECTS:
        found = query(given)
        if found is not None:
            value, population, _ = found
            shown = value.get("bfloat16", value)
            again = code(f"repro {shown['repro']}") if shown["repro"] else "–"
            said = sentence(f"claim_{query.__name__}", v=value)
            made_.append((said, population, shown["upstream"] or "–", again))
    return tuple(made_)


def _alarming() -> int:
    try:
        return len(beyond())
    except ValueError:  # what is committed was edited: its own command says so
        return 0


def _draws() -> tuple[tuple[str, ...], ...]:
    """The draws of each framework's layers: what the error grows with, its figure there, and at ordinary means."""
    try:
        rows = draws.rows(draws.committed())
    except (FileNotFoundError, DrawProblem):
        return ()
    near = draws.worst_rows([row for row in rows if row.mean <= DRAWN_MEAN], "framework", "kind", "variant")
    return tuple(
        (
            clean(FRAMEWORKS[key[0]].title), *key[1:], each.row.threads, each.growth.value,
            draws.figure(near[key]) if key in near else "–", draws.figure(each.row),
        )
        for key, each in sorted(
            draws.growths(rows).items(), key=lambda item: -near.get(item[0], item[1].row).worst
        )
    )  # fmt: skip
