"""The page: facts, figures and tables into one template, whose every value is escaped unless it is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from varkernels import FORMATS, algorithms

from .. import __version__
from ..study.recommendation import QUOTIENT, TIE, Pick
from ..study.results import COLUMNS
from ..study.score import MAY_LOSE
from .figures import bessel, growth, kappa, norms, output, pareto, precision
from .model.facts import Facts, decimal_digits
from .model.summary import FEW_MAPS, headlines, recommendations
from .rendering import environment, policy, sentence, style
from .sections import contraction, cuda, gpu_speed, museum, nist
from .sections.explorer_parts import explorer
from .sections.frameworks import conventions
from .sections.league import libraries
from .sections.pencil import examples
from .sections.wide_tables import GROUP_TITLES, group_tables, heat_maps
from .words import clean, code, digits, listing, number, superscript

if TYPE_CHECKING:
    from ..study.results import Results
    from ..survey.findings.measured import FindingRow

__all__ = ["CHAPTERS", "render"]


@dataclass(frozen=True)
class Chapter:
    """A chapter of the page: its anchor, its line among the contents, and the anchors within it."""

    key: str
    title: str
    parts: tuple[tuple[str, str], ...] = ()


# Each is a template of its own; the contents stand after the first.
CHAPTERS = (
    Chapter("answer", "Which algorithm to use"),
    Chapter("pencil", "What can go wrong"),
    Chapter(
        "algorithms",
        "Algorithms and orders",
        (
            ("kappa", "condition number"),
            ("heat", "heat map"),
            ("explorer", "explore"),
            ("choice", "rule of the recommendation"),
        ),
    ),
    Chapter("growth", "Growth with N"),
    Chapter("precision", "Precision"),
    Chapter(
        "devices",
        "GPU and contraction",
        (("contraction", "contraction"), ("gpu", "kernels"), ("gpu-speed", "speed on a GPU")),
    ),
    Chapter("bessel", "Bessel’s correction"),
    Chapter(
        "conventions",
        "Frameworks",
        (
            ("running-variance", "running variance"),
            ("layers", "every layer"),
            ("contradictions", "contradictions"),
            ("layers-heat", "accuracy"),
        ),
    ),
    Chapter("libraries", "Libraries"),
    Chapter("museum", "Bugs from the wild"),
    Chapter("speed", "Speed against accuracy"),
    Chapter("output", "What it does to a network’s output", (("norms", "four norms"),)),
    Chapter("data", "The data", (("table", "every line"), ("nist", "NIST"))),
    Chapter("method", "Method"),
)


def _bound(facts: Facts) -> Markup:
    used = facts.frame["bound_used"]
    finite = used[np.isfinite(used)]
    place = None if finite.empty else facts.frame.loc[finite.idxmax()]
    over = int((finite > 1).sum())
    return sentence("bound", place=place, over=over, measurements=len(used), finite=len(finite))


def _formats() -> list[tuple[str, str, str, str, str]]:
    return [
        (f.name, superscript(-f.precision, 2), f"{decimal_digits(f.name):.1f}", number(float(f.largest)),
         number(float(f.smallest_normal)))
        for f in FORMATS.values()
    ]  # fmt: skip


def _kept(pick: Pick, held: float) -> str:
    """The fewest digits that an algorithm keeps, next to those of the storage format."""
    return f"all {held:.1f} digits" if pick.digits >= held else f"{digits(pick.digits)} of {held:.1f} digits"


def render(
    results: Results,
    bench: Mapping[str, Any] | str | None = None,
    gpu_json: Mapping[str, Any] | str | None = None,
    fresh: Sequence[FindingRow] | str | None = None,
    league: Mapping[str, Any] | str | None = None,
) -> str:
    """The report as one HTML document.

    Parameters
    ----------
    results : a study's table and what is known of it, as `results.read` gives them.
    bench : the content of a bench.json, for the section on speed; or a sentence why there is none to show.
    gpu_json : the same of a gpu.json, for the section on the GPU's speed.
    fresh, league : findings of frameworks and scores of libraries that were measured here, shown with the committed
        ones.
    """
    facts = Facts(results)
    frame = facts.frame
    known = facts.columns_of(frame)
    template = environment().get_template("report.html.j2")
    names, references, nist_note = nist.references(facts)
    html = template.render(
        style=style(),
        version=__version__,
        measurements=len(frame),
        cases=frame["case"].nunique(),
        algorithms=len(known),
        level=clean(facts.settings.get("level", "")),
        seed=facts.seed,
        only=facts.settings.get("only") or "",
        device=clean(facts.device),
        devices=frame["device"].nunique(),
        chapters=CHAPTERS,
        headlines=headlines(facts),
        choices=recommendations(facts),
        kept=_kept,
        pencil=examples(),
        differences=listing([code(name) for name, found in algorithms().items() if found.difference]),
        lose=f"{MAY_LOSE:g}",
        tie=f"{TIE:g}",
        quotient=QUOTIENT,
        few_maps=FEW_MAPS,
        heats=heat_maps(facts),
        policy=policy(),
        explorer=explorer(facts),
        kappa=kappa.draw(facts),
        growth=growth.draw(facts),
        precision=precision.draw(facts),
        output=output.draw(facts),
        bessel=bessel.draw(facts),
        norms=norms.draw(facts),
        gpu_speed=gpu_speed.section(gpu_json),
        speed=pareto.draw(bench),
        museum=museum.exhibition(facts),
        contraction=contraction.chapter(facts),
        gpu=cuda.committed(),
        conventions=conventions(fresh),
        libraries=libraries(league),
        parts=group_tables(facts),
        nist_names=names,
        nist=references,
        nist_note=nist_note,
        bound=_bound(facts),
        columns=COLUMNS,
        formats=_formats(),
        catalogue=[(c, dict(results.algorithms.get(c.algorithm, {}))) for c in known],
        titles=GROUP_TITLES,
        described=[(name, dict(info)) for name, info in results.cases.items()],
        settings=facts.settings,
        provenance=dict(results.provenance),
    )
    return clean(html)
