"""The page: facts, figures and tables into one template, whose every value is escaped unless it is markup."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from varkernels import FORMATS, algorithms

from .. import __version__
from ..study.recommendation import QUOTIENT, TIE
from ..study.results import COLUMNS, Results
from ..study.score import MAY_LOSE
from ..survey.findings.measured import FindingRow
from .figures import bessel, growth, kappa, norms, output, pareto, precision
from .model.facts import Facts, decimal_digits
from .model.summary import FEW_MAPS, headlines, recommendations
from .rendering import asset, environment, policy, sentence
from .sections import contraction, cuda, gpu_speed, museum, nist
from .sections.explorer_parts import explorer
from .sections.frameworks import conventions
from .sections.league import libraries
from .sections.pencil import examples
from .sections.wide_tables import GROUP_TITLES, group_tables, heat_maps
from .words import clean, code, listing, number, superscript

__all__ = ["CHAPTERS", "render"]


# Each is a template of its own; the contents stand after the first.
CHAPTERS: list[dict[str, Any]] = json.loads(asset("chapters.json"))


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
        style=asset("style.css"),
        version=__version__,
        measurements=len(frame),
        cases=frame["case"].nunique(),
        algorithms=len(known),
        level=clean(facts.settings.get("level", "")),
        seed=facts.seed,
        only=facts.settings.get("only") or "",
        measured=facts.measured,
        device=clean(facts.device),
        devices=frame["device"].nunique(),
        chapters=CHAPTERS,
        headlines=headlines(facts),
        choices=recommendations(facts),
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
