"""Every finding of the survey, derived from what is committed: no list of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from varkernels.formats import FORMATS

from ..._io.unchanged import once
from ...study.score import WRONG_ERROR, Status
from .. import elements
from ..findings import documented, measured
from ..findings.measured import FindingRow, shown
from ..findings.properties import SYNC, FindingStatus, property_of
from ..frameworks.catalogue import FRAMEWORKS
from ..league import layers, league_record
from ..league.league_record import OURS, LeagueRow
from ..libraries.catalogue import FUNCTIONS
from ..probes.questions import MANY
from .convention_script import contradiction
from .elements_script import BEYOND_STORING, element
from .finding import Finding, NoScript, address
from .function_script import calling, wrong_cases
from .layer_script import answering, asked, dividing, law_of, merging
from .league_script import laid_out
from .system_script import system_findings
from .upstream import states

__all__ = ["beyond", "described", "findings", "of_row"]

ARRAYS = {"y": "outputs", "dx": "input gradient", "dweight": "scale gradient", "dbias": "bias gradient"}
_ERRORS = ("accuracy.", "float16.", "bfloat16.")


@cache
def findings() -> dict[str, Finding]:
    """The findings by their addresses, layers first.

    Raises
    ------
    ConventionsProblem, LeagueProblem, DocumentedProblem, UpstreamProblem
        Something that is committed cannot be read.
    """
    found: dict[str, Finding] = {}
    for each in (*_elements(), *_measured(), *_layers(), *_functions(), *system_findings()):
        found.setdefault(each.address, each)
    return found


def described() -> dict[str, str]:
    """Each address with the words by which it is found."""
    return {name: f"{each.sentence} {each.words}" for name, each in findings().items()}


def beyond() -> list[Finding]:
    """The findings on outputs and gradients, which no measured variance shows."""
    return list(_beyond_of(elements.COMMITTED))


@once
def _beyond_of(_: Path) -> list[Finding]:
    return list(_elements())


def of_row(row: FindingRow) -> str:
    """The address of a measured cell that failed, alarms or contradicts; empty for any other."""
    name = address(row.framework, row.kind, row.variant, row.property)
    return name if name in findings() else ""


# Layers ---------------------------------------------------------------------------------------------------------------


def _measured() -> Iterator[Finding]:
    rows = measured.committed()
    for row in rows:
        if row.property == measured.PROBE or not row.kind:
            continue
        fact = (
            documented.lookup(row.framework, row.kind, row.variant, row.property)
            if row.framework in FRAMEWORKS
            else None
        )
        against = fact is not None and bool(documented.contradicts(fact, row))
        if not (against or row.status == FindingStatus.FAILED or _alarming(row)):
            continue
        value = shown(row.plain()) if row.value else ""
        size = f"; {MANY:,} values a group" if row.property.startswith(_ERRORS) and value else ""
        seen = f"{value or row.status}{size} with {row.version.split(', ')[0]} on {row.date}"
        if against and fact is not None:
            seen = f"measured {value}, documented {shown(fact.value)} ({row.version.split(', ')[0]}, {row.date})"
        yield _finding(
            address(row.framework, row.kind, row.variant, row.property),
            f"{FRAMEWORKS[row.framework].title} {row.kind} norm, {row.variant}: {property_of(row.property).title}"
            + (f", {row.threads} threads" if row.threads > 1 else ""),
            seen,
            f"{row.detail} {'contradiction of the documentation' if against else ''} {row.status}",
            partial(_layer_body, rows, row, against),
        )


def _alarming(row: FindingRow) -> bool:
    """Whether a variance has no correct digit, or there is none."""
    if (
        row.status != FindingStatus.MEASURED
        or not row.property.startswith(_ERRORS)
        or row.property == "float16.accumulator"
    ):
        return False
    value = row.plain()
    resolved = "at most" not in row.detail  # or else the outputs are too coarse to tell
    return isinstance(value, str) or (value > WRONG_ERROR and resolved) or "negative" in row.detail


def _layer_body(rows: Sequence[FindingRow], row: FindingRow, against: bool) -> list[str]:
    if against:
        return contradiction(rows, row)
    if row.kind == SYNC:
        return merging(row.framework, row.variant)
    if row.property == "gradient":
        raise NoScript(f"no short script asks for a gradient: 'python -m varstudy frameworks {row.framework}' does")
    dtype = row.property.partition(".")[0] if row.property.startswith(("float16.", "bfloat16.")) else "float32"
    if row.status == FindingStatus.FAILED or row.plain() == "error":
        return answering(row.framework, row.kind, row.variant, dtype, row.threads)
    law = law_of(rows, row.framework, row.kind, row.variant)
    return dividing(row.framework, row.kind, row.variant, law, asked(row.property), threads=row.threads)


def _elements() -> Iterator[Finding]:
    """Outputs and gradients: the worst row of each layer, array, format and layout that alarms; no stress test."""
    try:
        content = elements.committed()
    except FileNotFoundError:
        return
    facts = {fact.framework: fact for fact in elements.facts(content)}
    alarming = [
        row for row in elements.rows(content) if elements.scored(row) and not elements.stress(row) and _off(row)
    ]
    names = ("framework", "kind", "memory", "parameters", "array", "mode", "storage")
    for (name, kind, memory, parameters, array, mode, storage), row in elements.worst_rows(alarming, *names).items():
        fact = facts[name]
        evaluation = "" if mode == "training" else f".{mode}"
        yield _finding(
            address(name, kind, f"{memory}, {parameters}", f"{array}.{storage}{evaluation}"),
            f"{fact.title} {kind} norm, {memory}, parameters {parameters}: {ARRAYS[array]} in {storage}",
            f"relative error {row.error:.2g}, where storing costs {row.stored:.1g}; {row.size:,} values "
            f"({fact.version.partition(', ')[0]}, {fact.date})",
            f"{row.status} {row.input}",
            partial(element, FRAMEWORKS[name], row),
        )


def _off(row: elements.ElementRow) -> bool:
    """Whether an array has no correct digit, or outputs in a half format lost more than storing them costs."""
    half = row.array == "y" and row.storage in ("float16", "bfloat16")
    # of one that is answered wider than it was asked, no more than its input's format holds can be asked
    least = float(FORMATS[row.storage].unit_roundoff) if half and row.answers_in != row.storage else 0.0
    return row.status == Status.WRONG or (half and row.error > BEYOND_STORING * max(row.stored, least))


def _layers() -> Iterator[Finding]:
    try:
        content = layers.committed()
    except FileNotFoundError:
        return
    facts = {fact.function: fact for fact in layers.facts(content)}
    rows = measured.committed()
    for row in layers.rows(content):
        fact = facts.get(row.function)
        cases = wrong_cases(row, content) if fact is not None else []
        if fact is None or not cases:
            continue
        yield _finding(
            address(fact.framework, fact.kind, fact.variant, "league"),
            f"{FRAMEWORKS[fact.framework].title} {fact.kind} norm, {fact.variant}: the league's rows",
            _counted(row, row.version, fact.date),
            _marked(row),
            partial(laid_out, rows, fact, cases),
        )


# Libraries ------------------------------------------------------------------------------------------------------------


def _functions() -> Iterator[Finding]:
    try:
        content = league_record.committed()
    except FileNotFoundError:
        return
    dates = {fact.function: fact.date for fact in league_record.facts(content)}
    for row in league_record.rows(content):
        function = FUNCTIONS.get(row.function)
        if row.library == OURS or function is None or not (row.refused or wrong_cases(row, content)):
            continue
        seen = (
            f"refused: {row.refused}"
            if row.refused
            else _counted(row, f"{row.library} {row.version}", dates.get(row.function, ""))
        )
        yield _finding(
            address(row.function, row.storage),
            f"{row.function} in {row.storage}",
            seen.rstrip("."),
            f"{row.library} {_marked(row)}",
            partial(calling, function, row, content),
        )


def _counted(row: LeagueRow, version: str, date: str) -> str:
    return f"wrong in {row.wrong} of {row.cases} cases with {version.partition(', ')[0]} on {date}"


def _marked(row: LeagueRow) -> str:
    """What kinds of answers there are, in words."""
    kinds = {"negative": row.negative, "NaN": row.nan, "infinite": row.infinite, "raises": row.raised}
    return " ".join(word for word, count in kinds.items() if count)


def _finding(name: str, title: str, seen: str, words: str, body: partial[list[str]]) -> Finding:
    return Finding(name, title, seen, words, states(name), body)
