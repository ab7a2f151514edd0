"""What there is: ``list`` names cases, algorithms and norms, ``env`` the installation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import click

import varkernels
from varkernels.folders import cache_folder

from .._io import provenance
from .._io.matching import matches, nearest
from ..study import featuremaps
from .console import Problem, dump

__all__ = ["env", "list_"]

SECTIONS = ("cases", "algorithms", "norms")
NORM_SUMMARIES = {
    "batch": "One variance a channel, over the samples and pixels.",
    "layer": "One variance a sample, over its channels and pixels.",
    "instance": "One variance a sample and channel, over its pixels.",
    "group": "One variance a sample and group of channels, over their pixels.",
    "flat": "One variance of all values.",
}
EXTRAS = {"parquet": "pyarrow", "photos": "sklearn", "fast-truth": "gmpy2", "test": "pytest"}


def list_(pattern: str, sections: str | None, level: str | None, as_json: bool) -> None:
    """List what matches a pattern by its name, or else by its sentences."""
    wanted = SECTIONS if sections is None else (sections,)
    listed = _entries(wanted, level or "full")
    found = _found(listed, pattern, ("name",))
    if not any(found.values()):
        found = _found(listed, pattern, ("rationale", "observed", "title", "summary", "source"))
    if not any(found.values()):
        names = [entry["name"] for entries in _entries(wanted, "full").values() for entry in entries]
        raise Problem(f"nothing matches {pattern!r}: {nearest(pattern, names, 'list without a pattern shows all')}")
    if as_json:
        dump(found)
        return
    for section, entries in found.items():
        if not entries:
            continue
        click.echo(f"{section} ({len(entries)})\n")
        for entry in entries:
            about = f" [{entry['group']}, {entry['level']}]" if section == "cases" else ""
            click.echo(f"  {entry['name']}{about}\n      {entry.get('rationale') or entry.get('summary', '')}")
            observed = entry.get("observed", "")
            if pattern and matches(observed, pattern):
                click.echo(f"      Observed: {observed}")
        click.echo()


Entries = dict[str, list[dict[str, Any]]]


def _entries(wanted: Sequence[str], level: str) -> Entries:
    """Everything there is, by section."""
    listed: Entries = {}
    if "cases" in wanted:
        listed["cases"] = [
            {
                "name": case.name,
                "level": next(name for name in featuremaps.LEVELS if name in case.levels),
                **case.info(),
            }
            for case in featuremaps.cases(level)
        ]
    if "algorithms" in wanted:
        listed["algorithms"] = [
            {
                "name": name,
                **{field: getattr(algorithm, field) for field in ("title", "formula", "order", "summary", "source")},
                "accumulators": list(algorithm.accumulators),
            }
            for name, algorithm in varkernels.algorithms().items()
        ]
    if "norms" in wanted:
        listed["norms"] = [{"name": n, "summary": s} for n, s in NORM_SUMMARIES.items()]
    return listed


def _found(listed: Entries, pattern: str, fields: Sequence[str]) -> Entries:
    """The entries that match in one of these fields."""
    return {
        section: [e for e in entries if any(matches(str(e.get(name, "")), pattern) for name in fields)]
        for section, entries in listed.items()
    }


def env(as_json: bool) -> None:
    """Show versions, the processor, the folder of compiled kernels, and which extras are installed."""
    found = provenance.collect()
    extras = {extra: find_spec(module) is not None for extra, module in EXTRAS.items()}
    facts = {
        "versions": found["versions"],
        "python": sys.executable,
        "system": found["system"],
        "cpu": found["cpu"],
        "commit": found["commit"],
        "cache": str(cache_folder()),
        "extras": extras,
    }
    if as_json:
        dump(facts)
        return
    cpu = found["cpu"]
    vector = [flag for flag in cpu["flags"] if flag.startswith(("avx", "fma", "f16c", "sse4", "neon", "asimd", "sve"))]
    lines = {
        **found["versions"],
        "executable": sys.executable,
        "system": found["system"],
        "processor": f"{cpu['model']}, {cpu['cores']} usable cores",
        "vector units": " ".join(vector) or "unknown",
        "commit": found["commit"] or "not run from a checkout",
        "kernel cache": cache_folder(),
    }
    for name, text in lines.items():
        click.echo(f"{name:<14}{text}")
    for extra, there in extras.items():
        state = "installed" if there else f"missing: pip install 'varstudy[{extra}]'"
        click.echo(f"{'extra':<14}{extra}: {state}")
