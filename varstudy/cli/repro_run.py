"""``repro``: a short script for a finding of the survey, and the list of findings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from .._io.matching import meant, nearest, unique
from ..survey.reproducers import Finding, NoScript, described, findings
from .console import Problem, dump, many, paragraph
from .program import sentences

__all__ = ["repro"]

LISTING = "'python -m varstudy repro --list' names all"


def repro(pattern: str, listing: bool, as_json: bool) -> None:
    """Print the script of the finding that a pattern means, or list those that it means."""
    known = findings()
    if listing or not pattern:
        _list(known, pattern, as_json)
        return
    with sentences():
        found = known[unique(pattern, described(), what="finding", fallback=LISTING)]
    try:
        script = found.script()
    except NoScript as problem:
        raise Problem(f"{found.address}: {problem}") from problem
    if as_json:
        dump({**_record(found), "script": script})
        return
    click.echo(script, nl=False)


def _list(known: dict[str, Finding], pattern: str, as_json: bool) -> None:
    names = meant(pattern, described()) if pattern else list(known)
    if not names:
        raise Problem(
            f"nothing matches {pattern!r}: {nearest(pattern, known, 'repro --list without a pattern shows all')}"
        )
    if as_json:
        dump({"findings": [_record(known[name]) for name in names]})
        return
    click.echo(many(len(names), "finding") + (f" for {pattern!r}" if pattern else "") + "\n")
    for name in names:
        paragraph(known[name].sentence, f"{name}  ", hang=2)


def _record(found: Finding) -> dict[str, Any]:
    return {
        "address": found.address,
        "title": found.title,
        "seen": found.seen,
        "upstream": [asdict(each) for each in found.upstream],
    }
