"""What there is: ``list`` names cases, algorithms, norms and other layers, ``env`` the installation."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import click

import varkernels
from varkernels.folders import cache_folder

from .._io import provenance
from .._io.matching import matches, meant, nearest, unique
from ..study import featuremaps
from ..study.featuremaps import Case
from ..survey.systems import SYSTEMS
from .console import Problem, dump, many, paragraph
from .program import sentences

__all__ = ["case_named", "env", "list_"]

SECTIONS = ("cases", "algorithms", "norms", "layers")
NORM_SUMMARIES = {
    "batch": "One variance a channel, over the samples and pixels.",
    "layer": "One variance a sample, over its channels and pixels.",
    "instance": "One variance a sample and channel, over its pixels.",
    "group": "One variance a sample and group of channels, over their pixels.",
    "flat": "One variance of all values.",
}
EXTRAS = {"parquet": "pyarrow", "photos": "sklearn", "fast-truth": "gmpy2", "test": "pytest"}


def list_(pattern: str, sections: str | None, level: str | None, as_json: bool) -> None:
    """List what a pattern means, by name or else by description."""
    wanted = SECTIONS if sections is None else (sections,)
    listed = _entries(wanted, level or "full")
    described = {entry["name"]: _searched(entry) for entries in listed.values() for entry in entries}
    # All of which the pattern is a part, also where one has that very name: naive lists naive/pairwise too.
    names = {name for name in described if matches(name, pattern)} or set(meant(pattern, described))
    if not names:
        known = {each["name"]: "" for entries in _entries(wanted, "full").values() for each in entries}
        raise Problem(f"nothing matches {pattern!r}: {nearest(pattern, known, 'list without a pattern shows all')}")
    found = {section: [each for each in entries if each["name"] in names] for section, entries in listed.items()}
    if as_json:
        dump(found)
        return
    counts = ", ".join(many(len(entries), section[:-1]) for section, entries in found.items() if entries)
    click.echo(counts + (f" for {pattern!r}" if pattern else "") + "\n")
    full = [section for section, entries in found.items() if entries]
    for section in full:
        if len(full) > 1:
            click.echo(f"{section} ({len(found[section])})\n")
        if section == "algorithms":
            _show_algorithms(found[section])
        else:
            for entry in found[section]:
                _show(section, entry, pattern)
        click.echo()


def _show(section: str, entry: dict[str, Any], pattern: str) -> None:
    about = f" [{entry['group']}, {entry['level']}]" if section == "cases" else ""
    click.echo(f"  {entry['name']}{about}")
    paragraph(entry.get("rationale") or entry.get("summary", ""), "      ")
    observed = entry.get("observed", "")
    if pattern and matches(observed, pattern):
        paragraph(f"Observed: {observed}", "      ")


def _show_algorithms(entries: Sequence[Mapping[str, Any]]) -> None:
    """Those of one formula together: they differ in the order in which it goes over a row."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        names.setdefault(entry["summary"], []).append(entry["name"])
    for summary, alike in names.items():
        paragraph(", ".join(alike), "  ", hang=2)
        paragraph(summary, "      ")


def _searched(entry: Mapping[str, Any]) -> str:
    """The words by which an entry is found, apart from its name."""
    words = [str(entry.get(field, "")) for field in ("rationale", "observed", "title", "summary", "source")]
    norms = [entry["name"]] if entry["name"] in NORM_SUMMARIES else entry.get("norms", ())
    return " ".join(filter(None, [*words, *(f"{norm} norm" for norm in norms)]))


def case_named(pattern: str) -> Case:
    """The one case that a pattern means, by its name, a part of it, or its description."""
    described = {case.name: _searched({"name": case.name, **case.info()}) for case in featuremaps.cases("full")}
    with sentences():
        return featuremaps.find(unique(pattern, described, what="case", fallback="see 'python -m varstudy list'"))


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
    if "layers" in wanted:
        shows = "{}: 'python -m varstudy frameworks --committed --kind {}' shows it."
        listed["layers"] = [{"name": n, "summary": shows.format(s.summary, n)} for n, s in SYSTEMS.items()]
    return listed


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
        paragraph(str(text), f"{name:<14}")
    for extra, there in extras.items():
        state = "installed" if there else f"missing: pip install 'varstudy[{extra}]'"
        paragraph(f"{extra}: {state}", f"{'extra':<14}")
