"""The census of networks: how badly conditioned their norms are, what leaves a format's range, and what reaches y."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from varkernels.formats import FORMATS

from ..._io.unchanged import once
from ...networks.census import census_record
from ...networks.census.census_record import CensusFact, CensusLayer, CensusProblem
from ...networks.format_risks import overflow
from ..words import clean, count, number

__all__ = ["Networks", "chapter", "claimed_of", "content", "made", "population"]

HALVES = ("float16", "bfloat16")
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "largest": 1.0}
ABSENT = "–"


@dataclass(frozen=True)
class Networks:
    """The chapter.

    Attributes
    ----------
    problem : why there is none. nets : title, package, inputs, layers by formula, kappa, verdicts, and what ran it.
    kappas : population and quantiles. hazards : what is beyond each format, in how many layers, of which networks.
    effects : a network's title, its number of output values, and a way and its errors by format. layers : every layer.
    total : of the layers.
    """

    problem: str = ""
    nets: tuple[tuple[str, ...], ...] = ()
    kappas: tuple[tuple[str, ...], ...] = ()
    hazards: tuple[tuple[str, ...], ...] = ()
    effects: tuple[tuple[str, int, tuple[tuple[str, ...], ...]], ...] = ()
    layers: tuple[tuple[str, ...], ...] = ()
    total: int = 0


def content() -> dict[str, Any] | None:
    """The committed census; None where it cannot be read."""
    try:
        return census_record.committed()
    except (FileNotFoundError, CensusProblem):
        return None


def chapter() -> Networks:
    """The chapter of the committed census."""
    try:
        return _chapter_of(census_record.COMMITTED)
    except FileNotFoundError:
        return Networks(problem="no census is committed")
    except CensusProblem as problem:
        return Networks(problem=clean(problem).rstrip("."))


@once
def _chapter_of(_: Path) -> Networks:
    return made(census_record.committed())


def made(given: Mapping[str, Any]) -> Networks:
    """The chapter of a content of census.json."""
    rows, facts = census_record.rows(given), census_record.facts(given)
    return Networks(
        nets=tuple(_net(fact, [row for row in rows if row.net == fact.net]) for fact in facts),
        kappas=_kappas(rows, facts),
        hazards=tuple(_hazards(rows, facts)),
        effects=tuple(_effects(given, fact) for fact in facts if any(e.net == fact.net for e in _moved(given))),
        layers=tuple(_layer(row) for row in rows),
        total=len(rows),
    )


def conditioned(rows: Sequence[CensusLayer]) -> list[CensusLayer]:
    """The layers that subtract a mean and have a condition number: all but RMS norms."""
    return [row for row in rows if row.kind != "rms" and math.isfinite(row.kappa_worst)]


def claimed_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Counts for the first page: networks, layers with sums of squares beyond float16, and with kappa over 10."""
    rows = census_record.rows(given)
    limit = overflow(FORMATS["float16"])
    known = conditioned(rows)
    return {
        "nets": len(census_record.facts(given)),
        "beyond": sum(row.largest_sum_of_squares >= limit for row in rows),
        "of": len(rows),
        "ill": sum(row.kappa_worst > 10 for row in known),
        "of_ill": len(known),
    }


def _moved(given: Mapping[str, Any]) -> list[census_record.CensusEffect]:
    return census_record.effects(given)


def _net(fact: CensusFact, rows: Sequence[CensusLayer]) -> tuple[str, ...]:
    formulas: dict[str, int] = {}
    for row in rows:
        name = f"{row.kind}, {row.formula}"
        formulas[name] = formulas.get(name, 0) + 1
    kappas = [row.kappa_worst for row in conditioned(rows)]
    return (
        fact.title, f"{fact.package} {fact.version}", fact.inputs, str(len(rows)),
        "; ".join(f"{many} {name}" for name, many in formulas.items()),
        number(float(np.median(kappas)), 2) if kappas else ABSENT, number(max(kappas), 3) if kappas else ABSENT,
        clean(fact.float16), clean(fact.bfloat16), fact.runtime, f"{fact.seconds:.1f} s", fact.date,
    )  # fmt: skip


def _kappas(rows: Sequence[CensusLayer], facts: Sequence[CensusFact]) -> tuple[tuple[str, ...], ...]:
    titles = {fact.net: fact.title for fact in facts}
    known = conditioned(rows)
    groups = {
        "all layer and batch norms": known,
        "batch norms, by their running statistics": [row for row in known if row.formula == "running statistics"],
        "layer norms, by the data": [row for row in known if row.kind == "layer"],
    }
    lines = []
    for name, some in groups.items():
        if some:
            worst = max(some, key=lambda row: row.kappa_worst)
            kappas = [row.kappa_worst for row in some]
            shown = (number(float(np.quantile(kappas, q)), 3) for q in QUANTILES.values())
            lines.append((name, str(len(some)), *shown, f"{titles[worst.net]}: {clean(worst.name)}"))
    return tuple(lines)


def _hazards(rows: Sequence[CensusLayer], facts: Sequence[CensusFact]) -> list[tuple[str, ...]]:
    titles = {fact.net: fact.title for fact in facts}

    def counted(holds: Callable[[CensusLayer, str], bool], name: str) -> str:
        found = [row for row in rows if holds(row, name)]
        nets = list(dict.fromkeys(titles[row.net] for row in found))
        return f"{len(found)}" + (f" ({', '.join(nets)})" if found else "")

    def limit(name: str) -> float:
        return overflow(FORMATS[name])

    what: dict[str, Callable[[CensusLayer, str], bool]] = {
        "a value of the input is beyond the format": lambda row, name: row.largest >= limit(name),
        "one square is": lambda row, name: row.largest**2 >= limit(name),
        "the sum of squares of a row is": lambda row, name: row.largest_sum_of_squares >= limit(name),
        "the sum of |x| of a row is": lambda row, name: row.largest_sum >= limit(name),
        "epsilon is 0 in the format": lambda row, name: bool(
            row.epsilon and float(FORMATS[name].rounded([row.epsilon])[0]) == 0
        ),
        "the audit says: breaks, whatever the kernel": lambda row, name: getattr(row, name).startswith("breaks"),
        "the audit says: depends on the accumulator": lambda row, name: getattr(row, name).startswith("depends"),
    }
    return [(text, *(counted(holds, name) for name in HALVES)) for text, holds in what.items()]


def _effects(given: Mapping[str, Any], fact: CensusFact) -> tuple[str, int, tuple[tuple[str, ...], ...]]:
    own = [each for each in _moved(given) if each.net == fact.net]
    lines: dict[str, dict[str, str]] = {}
    for each in own:
        way = each.way.replace(f"stored in {each.format}, ", "storage alone, ")
        way = way.replace(f"in {each.format}", "in the format")
        lines.setdefault(way, {})[each.format] = {
            "not finite": f"NaN or infinite: {each.not_finite:,} values",
            "error": number(each.error, 2),
        }.get(each.outcome, f"{number(each.error, 2)}: {each.outcome}")
    values = max(each.values for each in own)
    return fact.title, values, tuple((way, *(by.get(name, ABSENT) for name in HALVES)) for way, by in lines.items())


def _layer(row: CensusLayer) -> tuple[str, ...]:
    def shown(value: float) -> str:
        return ABSENT if math.isnan(value) else "∞" if math.isinf(value) else number(value, 3)

    return (
        row.net, clean(row.name), row.kind, row.formula, f"{row.rows:,} × {row.values:,}", f"{row.epsilon:g}",
        *(shown(value) for value in (
            row.kappa_worst, row.kappa_median, row.largest, row.largest_sum_of_squares, row.least_variance, row.peak,
            row.runtime,
        )),
        row.float16 or "none", row.bfloat16 or "none",
    )  # fmt: skip


def population(given: Mapping[str, Any]) -> str:
    """Of what the claims are, in words."""
    found = claimed_of(given)
    return (
        f"{count(found['nets'], 'network')} of Python packages, {count(found['of'], 'norm layer')}, a few inputs each"
    )
