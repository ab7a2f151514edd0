"""What ``frameworks`` does: measure layers or read the committed findings, compare, show tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .._io.atomic import remove_unfinished
from .._io.matching import matches, nearest
from ..survey.environments import installed
from ..survey.environments.installing import root
from ..survey.findings import measured
from ..survey.findings.comparing import Difference, differences
from ..survey.findings.measured import FindingRow
from ..survey.frameworks.catalogue import FRAMEWORKS, Framework, named
from ..survey.frameworks.observing import probe
from ..survey.systems import SYSTEMS
from . import answer_tables
from .console import Problem, dump, many, say
from .framework_tables import plain, show
from .output_folder import writing
from .program import REGRESSION, alone, sentences
from .systems_tables import plain_systems, show_systems
from .tables import show_table, wide

__all__ = ["frameworks"]


def frameworks(
    names: tuple[str, ...],
    make: bool,
    everything: bool,
    listing: bool,
    committed: bool,
    only: str | None,
    kind: str | None,
    out: str | None,
    compare: bool,
    as_json: bool,
) -> None:
    """Measure the frameworks, or show what is known of them."""
    with sentences():
        chosen = _chosen(names, make, everything or listing or committed, only)
    if listing:
        given = {"--out": out, "--install": make, "--compare": compare, "--committed": committed, "--kind": kind}
        alone("--list measures and shows nothing more", "--list", given)
        _list(chosen, as_json)
        return
    if committed and (out is not None or make or compare):
        raise Problem("--committed measures nothing: leave out --out, --install and --compare, or --committed")
    if out is not None and (Path(out).is_dir() or not Path(out).parent.is_dir()):
        raise Problem(f"--out {out} cannot be written: name a file in a folder that exists, such as measured.json")
    if compare and not chosen:
        raise Problem("--compare has nothing to compare: name frameworks, and add --install for those not there")
    if kind in SYSTEMS:
        _system(kind, chosen, committed, as_json)
        return
    rows = _committed(chosen, kind) if committed else _measured(chosen, make, kind, out)
    if committed and (names or only is not None):
        _say_what_is_not_committed(chosen, kind, rows)
    found = _differences(chosen, kind, rows) if compare else []
    asked = [framework.name for framework in chosen] if committed else []
    if as_json:
        dump({**plain(rows, found), **({"answers": answer_tables.plain(asked, kind)} if committed else {})})
    else:
        brief = committed and not (names or only or kind or wide())
        show(rows, kind, brief=brief)
        answer_tables.show(asked, kind, brief=brief)
        if kind is None and not brief:
            show_systems(asked)
    for difference in found:
        say(("DIFFERS: " if difference.fails else "no failure: ") + difference.sentence())
    if compare:
        worse = sum(difference.fails for difference in found)
        say(f"compared with the committed findings: {many(worse, 'difference')} at the same version")
        if worse:
            raise click.exceptions.Exit(REGRESSION)


def _system(kind: str, chosen: Sequence[Framework], committed: bool, as_json: bool) -> None:
    """One of the layers that are no norm by a variance, which have a record of their own."""
    if not committed:
        raise Problem(f"--kind {kind} shows what is committed: add --committed, or measure it with "
                      f"'python -m varstudy.survey.systems.commit --system {kind} NAME'")  # fmt: skip
    names = [each.name for each in chosen]
    if as_json:
        dump(plain_systems(names, kind))
    else:
        show_systems(names, kind)


def _chosen(names: Sequence[str], make: bool, everything: bool, only: str | None) -> list[Framework]:
    if names:
        found = named(names)
    elif everything or only is not None:
        found = list(FRAMEWORKS.values())
    elif make:
        raise Problem("--install needs names of frameworks, or --all: 'python -m varstudy frameworks --list' has them")
    else:
        found = [each for each in FRAMEWORKS.values() if each.importable()]
        if not found:
            say("no framework can be imported here: 'python -m varstudy frameworks --install torch' installs one")
    if only is not None:
        before, found = found, [each for each in found if matches(each.name, only)]
        if not found:
            hint = nearest(only, [each.name for each in before], "see python -m varstudy frameworks --list")
            raise Problem(f"--only {only!r} matches no framework: {hint}")
    return found


def _measured(chosen: Sequence[Framework], make: bool, kind: str | None, out: str | None) -> list[FindingRow]:
    path = None if out is None else Path(out)
    if path is not None:
        remove_unfinished(path.parent)
    rows: list[FindingRow] = []
    for framework in chosen:
        rows += probe(framework, make=make, isolated=make, only=kind, say=say)
        if path is not None:
            with writing(path):
                measured.write(path, measured.content(rows))
    return rows


def _committed(chosen: Sequence[Framework], kind: str | None) -> list[FindingRow]:
    wanted = {framework.name for framework in chosen}
    return [row for row in measured.committed() if row.framework in wanted and (kind is None or row.kind in (kind, ""))]


def _say_what_is_not_committed(chosen: Sequence[Framework], kind: str | None, rows: Sequence[FindingRow]) -> None:
    there = {row.framework for row in rows}
    for framework in chosen:
        if framework.name not in there:
            of_kind = f" that is of kind {kind}" if kind is not None and framework.measured else ""
            why = f": it is known by its documentation only: {framework.why}" if framework.why else ""
            say(f"nothing of {framework.name} is committed{of_kind}{why}")


def _differences(chosen: Sequence[Framework], kind: str | None, rows: Sequence[FindingRow]) -> list[Difference]:
    before = measured.committed()
    new = {row.framework for row in rows} - {row.framework for row in before}
    if new:
        say(f"not compared, since nothing of it is committed: {', '.join(sorted(new))}")
    asked = [row for row in before if kind in (None, row.kind)]
    return differences(asked, rows, [framework.name for framework in chosen])


def _list(chosen: Sequence[Framework], as_json: bool) -> None:
    lines: list[dict[str, Any]] = []
    for framework in chosen:
        line: dict[str, Any] = {
            "name": framework.name,
            "title": framework.title,
            "environment": "-",
            "why": framework.why,
        }
        if framework.measured:
            environment = framework.place()
            ready = installed(environment)
            line |= {
                "environment": environment.name,
                "python": environment.python,
                "pinned": [*environment.requirements, *environment.without_dependencies, *environment.node],
                "megabytes": environment.megabytes,
                "debian": [need.package for need in environment.needs],
                "missing": environment.missing(),
                "importable": framework.importable(),
                "installed": None if ready is None else str(ready.folder),
                "note": environment.quirk,
            }
        lines.append(line)
    if as_json:
        dump(lines)
        return
    show_table(
        f"{many(len(lines), 'framework')} known",
        ["name", "title", "environment", "importable here", "note"],
        [
            [
                line["name"],
                line["title"],
                line["environment"],
                "yes" if line.get("importable") else "-",
                f"documented only: {line['why']}" if line["why"] else "",
            ]
            for line in lines
        ],
        left=5,
        more=("environment", "title"),
    )
    places = {line["environment"]: line for line in lines if not line["why"]}
    if places:
        show_table(
            f"Environments, in {root()}",
            ["environment", "Python", "MB", "installed", "pinned", "note"],
            [
                [
                    name,
                    line["python"],
                    str(line["megabytes"]),
                    "yes" if line["installed"] else "-",
                    " ".join(line["pinned"]),
                    (f"Missing: {', '.join(line['missing'])}. " if line["missing"] else "") + line["note"],
                ]
                for name, line in places.items()
            ],
            left=6,
            more=("note",),
        )
