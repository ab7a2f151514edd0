"""The pages: facts, figures and tables into one template, whose every value is escaped unless it is markup."""

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
from .claims import Sources, as_json, claimed
from .figures import bessel, growth, kappa, norms, output, pareto, precision
from .model.facts import Facts, decimal_digits
from .model.summary import FEW_MAPS, recommendations
from .rendering import asset, environment, policy, sentence
from .sections import contraction, cuda, gpu_speed, museum, nist
from .sections.explorer_parts import explorer
from .sections.first_heat import family_heat
from .sections.frameworks import conventions, findings
from .sections.league import libraries, shown
from .sections.pencil import examples
from .sections.wide_tables import GROUP_TITLES, group_tables, heat_maps
from .words import clean, code, listing, number, superscript

__all__ = ["PAGES", "render"]


# The report, and the pages with every line. A section is a template of its own.
PAGES: list[dict[str, Any]] = json.loads(asset("pages.json"))


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
) -> dict[str, str]:
    """The report, the pages that it links and its claims, by file name; of a run that goes on, no other page.

    Parameters
    ----------
    results : a study's table and what is known of it, as `results.read` gives them.
    bench : the content of a bench.json, for the chapter on speed; or a sentence why there is none to show.
    gpu_json : the same of a gpu.json, for the section on the GPU's speed.
    fresh, league : findings of frameworks and scores of libraries that were measured here, shown with the committed
        ones.
    """
    facts = Facts(results)
    given = _first(facts, bench, fresh, league)
    pages = PAGES[:1] if facts.measured else PAGES
    if not facts.measured:
        given |= _details(facts, gpu_json)
    template = environment().get_template("page.html.j2")
    drawn = {
        page["file"]: clean(
            template.render(
                page=page, policy=policy(*page["scripts"]), scripts=[asset(name) for name in page["scripts"]], **given
            )
        )
        for page in pages
    }
    return drawn | {"claims.json": as_json(given["claims"])}


def _first(
    facts: Facts,
    bench: Mapping[str, Any] | str | None,
    fresh: Sequence[FindingRow] | str | None,
    league: Mapping[str, Any] | str | None,
) -> dict[str, Any]:
    """What the report shows."""
    frame = facts.frame
    choices = recommendations(facts)
    return {
        "style": asset("style.css"),
        "version": __version__,
        "measurements": len(frame),
        "cases": frame["case"].nunique(),
        "algorithms": len(facts.columns_of(frame)),
        "level": clean(facts.settings.get("level", "")),
        "seed": facts.seed,
        "only": facts.settings.get("only") or "",
        "measured": facts.measured,
        "device": clean(facts.device),
        "devices": frame["device"].nunique(),
        "claims": claimed(Sources(facts, choices, findings(fresh), shown(league))),
        "choices": choices,
        "pencil": examples(),
        "lose": f"{MAY_LOSE:g}",
        "few_maps": FEW_MAPS,
        "first_heat": family_heat(facts, choices),
        "first_kappa": kappa.draw_first(facts),
        "first_growth": growth.draw_first(facts),
        "precision": precision.draw(facts),
        "output": output.draw(facts),
        "speed": pareto.draw(bench),
        "museum": museum.exhibition(facts),
        "contraction": contraction.chapter(facts),
        "conventions": conventions(fresh),
        "libraries": libraries(league),
        "bound": _bound(facts),
    }


def _details(facts: Facts, gpu_json: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """What the other pages show besides."""
    results = facts.results
    names, references, nist_note = nist.references(facts)
    return {
        "differences": listing([code(name) for name, found in algorithms().items() if found.difference]),
        "tie": f"{TIE:g}",
        "quotient": QUOTIENT,
        "heats": heat_maps(facts),
        "explorer": explorer(facts),
        "kappa": kappa.draw(facts),
        "growth": growth.draw(facts),
        "bessel": bessel.draw(facts),
        "norms": norms.draw(facts),
        "gpu_speed": gpu_speed.section(gpu_json),
        "gpu": cuda.committed(),
        "parts": group_tables(facts),
        "nist_names": names,
        "nist": references,
        "nist_note": nist_note,
        "columns": COLUMNS,
        "formats": _formats(),
        "catalogue": [(c, dict(results.algorithms.get(c.algorithm, {}))) for c in facts.columns_of(facts.frame)],
        "titles": GROUP_TITLES,
        "described": [(name, dict(info)) for name, info in results.cases.items()],
        "settings": facts.settings,
        "provenance": dict(results.provenance),
    }
