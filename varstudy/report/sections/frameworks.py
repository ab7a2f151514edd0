"""The section on frameworks: what their layers were measured to do, compared with what is documented."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from ...survey.findings import documented, elsewhere, measured
from ...survey.findings.comparing import differences
from ...survey.findings.documented import Documented, DocumentedProblem
from ...survey.findings.measured import ConventionsProblem, FindingRow
from ...survey.findings.properties import KINDS, SYNC
from ...survey.reproducers import beyond
from ..model.contradictions import Entry, entries, found
from ..model.measured_layers import Layer, layers, title, words
from ..rendering import sentence
from ..words import clean, code, count, listing
from . import bessel_places
from .convention_tables import COLUMNS, TITLES, PropertyTable, heading, property_table
from .first_conventions import FirstConventions, agreeing
from .layers_heat import LayersHeat, heat
from .running_variance import RunningTable, tabulated

__all__ = ["Conventions", "conventions", "findings", "made"]

_PROBE = "probe"


@dataclass(frozen=True)
class Conventions:
    """The section; or why there is none: `problem`, empty where it was never measured.

    Attributes
    ----------
    lead : what the tables hold, in sentences. first : the conventions of batch norm on the first page.
    parts : a table a kind. entries : every contradiction. elsewhere : what other devices and versions have.
    beyond : findings on outputs and gradients.
    heat, running : tables. costs, sizes, two : what each divisor does, and who has two of them.
    reasons : why cells have no value.
    runs : framework, versions, Python, date, processor, and whether it was measured here. fresh : what changed then.
    """

    problem: str = ""
    lead: tuple[Markup, ...] = ()
    first: FirstConventions | None = None
    parts: tuple[PropertyTable, ...] = ()
    entries: tuple[Entry, ...] = ()
    elsewhere: tuple[tuple[str, ...], ...] = ()
    beyond: tuple[tuple[Markup | str, ...], ...] = ()
    undocumented: str = ""
    heat: LayersHeat | None = None
    running: RunningTable | None = None
    two: Markup | None = None
    costs: tuple[bessel_places.Cost, ...] = ()
    sizes: tuple[int, ...] = bessel_places.SIZES
    reasons: tuple[tuple[str, str, str], ...] = ()
    runs: tuple[tuple[str, ...], ...] = ()
    fresh: tuple[Markup, ...] = ()


def conventions(fresh: Sequence[FindingRow] | str | None = None) -> Conventions:
    """The section of the committed findings, replaced by those that were measured here.

    Parameters
    ----------
    fresh : rows that were measured here, or a sentence why there are none to show.
    """
    if fresh:
        return _with(fresh)
    return _committed(*map(_stamp, (measured.COMMITTED, *documented.files())))


def _with(fresh: Sequence[FindingRow] | str) -> Conventions:
    rows, unread = ([], fresh) if isinstance(fresh, str) else (list(fresh), "")
    try:
        old = measured.committed()
    except ConventionsProblem as problem:
        old, unread = [], str(problem)
    known, trouble = _facts()
    return made(old, known, rows, unread, trouble=trouble)


def findings(fresh: Sequence[FindingRow] | str | None = None) -> list[FindingRow]:
    """The rows that the section shows: the committed ones, replaced by those that were measured here."""
    try:
        old = measured.committed()
    except ConventionsProblem:
        old = []
    return _sound(measured.merged(old, [] if fresh is None or isinstance(fresh, str) else list(fresh)))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        there = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), there.st_mtime_ns, there.st_size


@lru_cache(maxsize=2)
def _committed(*stamps: tuple[str, int, int]) -> Conventions:
    """Two figures and some tables, drawn once as long as the files stay the same."""
    return _with(())


def _facts() -> tuple[list[Documented], str]:
    try:
        return documented.committed(), ""
    except FileNotFoundError:
        return [], "what is documented is not there"
    except DocumentedProblem as problem:
        return [], clean(problem).rstrip(".")


def made(
    rows: Sequence[FindingRow],
    known: Iterable[Documented],
    fresh: Sequence[FindingRow] = (),
    unread: str = "",
    *,
    trouble: str = "",
) -> Conventions:
    """The section of these rows.

    Parameters
    ----------
    known : the documented facts. fresh : rows of frameworks that were measured here. unread : why there are none.
    trouble : why there are no facts.
    """
    rows, fresh = _sound(rows), _sound(fresh)
    # A framework that could not be measured here keeps its committed findings.
    asked = {(row.framework, row.kind) for row in fresh if row.property != _PROBE}
    news = _fresh(rows, fresh, asked, unread)
    fresh = [row for row in fresh if row.framework in {framework for framework, _ in asked}]
    all_rows = measured.merged(rows, fresh)
    if not all_rows:
        return Conventions(problem=clean(unread).rstrip("."))
    facts = {(fact.framework, fact.kind, fact.variant, fact.property): fact for fact in known}
    by_kind: dict[str, list[Layer]] = {kind: layers(all_rows, kind) for kind in KINDS}
    every = [layer for group in by_kind.values() for layer in group]
    contradictions, anchors = found(every, facts)
    troubles = {row.framework: row for row in all_rows if row.property == _PROBE and row.kind != SYNC}
    parts = [property_table(kind, by_kind[kind], facts, anchors, troubles) for kind in KINDS]
    parts.append(property_table(SYNC, layers(all_rows, SYNC), facts, anchors, troubles))
    batch = by_kind["batch"]
    return Conventions(
        lead=_lead(all_rows, every, entries(contradictions), troubles),
        first=agreeing(batch),
        parts=tuple(each for each in parts if each.lines),
        entries=entries(contradictions),
        elsewhere=_elsewhere(every, trouble),
        beyond=_beyond(every),
        undocumented=trouble,
        heat=heat([(TITLES[kind], by_kind[kind]) for kind in KINDS]),
        running=tabulated(batch),
        two=bessel_places.two_divisors(batch),
        costs=bessel_places.costs(batch),
        reasons=_reasons(every, troubles),
        runs=_runs(all_rows, asked),
        fresh=news,
    )


def _sound(rows: Sequence[FindingRow]) -> list[FindingRow]:
    """The rows; one whose value is no JSON says so, and has none."""
    made_ = []
    for row in rows:
        try:
            row.plain()
            made_.append(row)
        except ValueError:
            made_.append(replace(row, value="", status="failed", detail=f"its value {row.value[:80]!r} is no JSON"))
    return made_


# Sentences ------------------------------------------------------------------------------------------------------------


def _lead(
    rows: Sequence[FindingRow], every: Sequence[Layer], contradicting: Sequence[Entry], troubles: dict[str, FindingRow]
) -> tuple[Markup, ...]:
    other = [
        count(n, "finding") + f" {status}"
        for status in ("undetermined", "failed", "not applicable")
        if (n := sum(row.status == status and row.property != _PROBE for row in rows))
    ]
    lead = [
        sentence(
            "measured",
            variants=len(every),
            frameworks=len({layer.framework for layer in every}),
            span=_span(sorted({row.date for row in rows if row.date})),
            machines=sorted({row.machine for row in rows if row.machine}),
            findings=sum(row.status == "measured" for row in rows),
            other=other,
        )
    ]
    if contradicting:
        frameworks = list(dict.fromkeys(entry.framework for entry in contradicting))
        lead.append(
            Markup('<b><a href="#contradictions">{}</a></b> in {}: {}.').format(
                count(len(contradicting), "contradiction"), count(len(frameworks), "framework"), listing(frameworks)
            )
        )
    there = {layer.framework for layer in every}
    lead += [
        Markup("{} {}: {}.").format(code(row.framework), clean(row.status), clean(row.detail).rstrip("."))
        for name, row in troubles.items()
        if name in there
    ]
    return tuple(lead)


def _span(dates: Sequence[str]) -> str:
    if not dates:
        return "at no date that is known"
    return f"on {clean(dates[0])}," if dates[0] == dates[-1] else f"from {clean(dates[0])} to {clean(dates[-1])},"


def _reasons(every: Sequence[Layer], troubles: dict[str, FindingRow]) -> tuple[tuple[str, str, str], ...]:
    """Layers, properties and why they have no value, those of one reason together."""
    grouped: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for layer in every:
        for name, row in layer.rows.items():
            if row.status not in ("measured", "not applicable") and name in COLUMNS:
                key = (layer.framework, row.status, row.detail)
                grouped.setdefault(key, {}).setdefault(f"{layer.kind} {layer.variant}", []).append(name)
    made_ = []
    for (framework, status, detail), places in grouped.items():
        names = dict.fromkeys(heading(name) for each in places.values() for name in each)
        made_.append(
            (
                clean(f"{title(framework)}: {'; '.join(places)}"),
                clean(", ".join(names)),
                clean(f"{status}: {detail}" if detail else status),
            )
        )
    return tuple(made_)


def _elsewhere(every: Sequence[Layer], trouble: str) -> tuple[tuple[str, ...], ...]:
    """What is documented of other devices and versions of the frameworks that are shown."""
    there = {layer.framework for layer in every}
    return () if trouble else tuple(
        (
            title(each.framework), each.on, each.property, words(each.property, each.value), clean(each.sentence),
            each.source,
        )
        for each in elsewhere.facts()
        if each.framework in there
    )  # fmt: skip


def _beyond(every: Sequence[Layer]) -> tuple[tuple[Markup | str, ...], ...]:
    """The findings on outputs and gradients of the frameworks that are shown."""
    there = {layer.framework for layer in every}
    try:
        known = beyond()
    except ValueError:  # what is committed was edited: its own command says so
        return ()
    return tuple(
        (each.title, each.seen, "; ".join(state.words for state in each.upstream) or "–", code(f"repro {each.address}"))
        for each in known
        if each.address.partition("/")[0] in there
    )


def _runs(rows: Sequence[FindingRow], fresh: set[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        dict.fromkeys(
            (
                title(row.framework), clean(row.version) or "–", clean(row.python) or "–", clean(row.date),
                clean(row.machine),
                "measured here"
                if (row.framework, row.kind) in fresh or (row.property == _PROBE and row.framework in dict(fresh))
                else "committed",
            )
            for row in rows
        )
    )  # fmt: skip


def _anew(old: Sequence[FindingRow], asked: set[tuple[str, str]]) -> list[Markup]:
    """The frameworks that were asked, each with its kinds where others are committed."""
    named = []
    for name in sorted({framework for framework, _ in asked}):
        kinds = [kind for kind in (*KINDS, SYNC) if (name, kind) in asked]
        others = {row.kind for row in old if row.framework == name and row.property != _PROBE} - set(kinds)
        alone = Markup(" ({} alone)").format(" and ".join(kinds)) if others else Markup("")
        named.append(code(name) + alone)
    return named


def _fresh(
    old: Sequence[FindingRow], fresh: Sequence[FindingRow], asked: set[tuple[str, str]], unread: str
) -> tuple[Markup, ...]:
    lines = [Markup("Not everything can be shown: {}.").format(clean(unread).rstrip("."))] if unread else []
    if asked:
        # Whether all kinds were asked is not known here: what was not found is no difference.
        there = [row for row in old if (row.framework, row.kind) in asked]
        changed = differences(there, [row for row in fresh if row.property != _PROBE])
        lines.append(
            Markup("Measured again on this machine: {}; {} from what is committed.").format(
                listing(_anew(old, asked)), count(len(changed), "difference")
            )
        )
        lines += [Markup("{}.").format(clean(each.sentence())) for each in changed]
    lines += [
        Markup("{} could not be measured again ({}); the committed findings are shown.").format(
            code(row.framework), clean(row.detail or row.status).rstrip(".")
        )
        for row in fresh
        if row.framework not in {framework for framework, _ in asked}
    ]
    lines += [
        Markup("{} was not asked to the end ({}).").format(code(row.framework), clean(row.detail).rstrip("."))
        for row in fresh
        if row.property == _PROBE and row.framework in {framework for framework, _ in asked}
    ]
    return tuple(lines)
