"""The pages: facts, figures and tables into one template, whose every value is escaped unless it is markup."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from varkernels import FORMATS, algorithms

from .. import __version__
from ..study.pool import Perform, here
from ..study.recommendation import QUOTIENT, TIE, Choice
from ..study.results import COLUMNS, Results
from ..study.score import MAY_LOSE
from ..study.tasks import uncollected
from ..survey.findings.measured import FindingRow
from .claims import Sources, as_json, claimed
from .figures import bessel, growth, kappa, norms, output, pareto, precision, ranges
from .model.facts import Facts, decimal_digits
from .model.summary import FEW_MAPS, recommendations
from .rendering import asset, environment, policy, sentence
from .sections import contraction, cuda, gpu_speed, layer_answers, museum, networks, nist, other_layers
from .sections.explorer_parts import explorer
from .sections.first_failures import failures
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


@dataclass(frozen=True)
class Material:
    """What the pages are made of: the arguments of `render`."""

    results: Results
    bench: Mapping[str, Any] | str | None
    gpu_json: Mapping[str, Any] | str | None
    fresh: Sequence[FindingRow] | str | None
    league: Mapping[str, Any] | str | None

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.results)

    @cached_property
    def choices(self) -> list[Choice]:
        return recommendations(self.facts)

    @cached_property
    def references(self) -> tuple[Any, Any, Any]:
        return nist.references(self.facts)


# What the report shows.
_FIRST: dict[str, Callable[[Material], Any]] = {
    "style": lambda _: asset("style.css"),
    "version": lambda _: __version__,
    "measurements": lambda m: len(m.facts.frame),
    "cases": lambda m: m.facts.frame["case"].nunique(),
    "algorithms": lambda m: len(m.facts.columns_of(m.facts.frame)),
    "level": lambda m: clean(m.facts.settings.get("level", "")),
    "seed": lambda m: m.facts.seed,
    "only": lambda m: m.facts.settings.get("only") or "",
    "measured": lambda m: m.facts.measured,
    "device": lambda m: clean(m.facts.device),
    "devices": lambda m: m.facts.frame["device"].nunique(),
    "claims": lambda m: claimed(
        Sources(m.facts, m.choices, findings(m.fresh), shown(m.league), layer_answers.content(), networks.content())
    ),
    "choices": lambda m: m.choices,
    "pencil": lambda _: examples(),
    "lose": lambda _: f"{MAY_LOSE:g}",
    "few_maps": lambda _: FEW_MAPS,
    "first_heat": lambda m: family_heat(m.facts, m.choices),
    "first_kappa": lambda m: kappa.draw_first(m.facts),
    "first_growth": lambda m: growth.draw_first(m.facts),
    "precision": lambda m: precision.draw(m.facts),
    "output": lambda m: output.draw(m.facts),
    "speed": lambda m: pareto.draw(m.bench),
    "museum": lambda m: museum.exhibition(m.facts),
    "failures": lambda m: failures(m.facts),
    "ranges": lambda _: ranges.draw(),
    "contraction": lambda m: contraction.chapter(m.facts),
    "conventions": lambda m: conventions(m.fresh),
    "answers": lambda _: layer_answers.chapter(),
    "libraries": lambda m: libraries(m.league),
    "bound": lambda m: _bound(m.facts),
}
# What the other pages show besides.
_DETAILS: dict[str, Callable[[Material], Any]] = {
    "other_layers": lambda _: other_layers.chapter(),
    "networks": lambda _: networks.chapter(),
    "differences": lambda _: listing([code(name) for name, found in algorithms().items() if found.difference]),
    "tie": lambda _: f"{TIE:g}",
    "quotient": lambda _: QUOTIENT,
    "heats": lambda m: heat_maps(m.facts),
    "explorer": lambda m: explorer(m.facts),
    "kappa": lambda m: kappa.draw(m.facts),
    "growth": lambda m: growth.draw(m.facts),
    "bessel": lambda m: bessel.draw(m.facts),
    "norms": lambda m: norms.draw(m.facts),
    "gpu_speed": lambda m: gpu_speed.section(m.gpu_json),
    "gpu": lambda _: cuda.committed(),
    "parts": lambda m: group_tables(m.facts),
    "nist_names": lambda m: m.references[0],
    "nist": lambda m: m.references[1],
    "nist_note": lambda m: m.references[2],
    "columns": lambda _: COLUMNS,
    "formats": lambda _: _formats(),
    "catalogue": lambda m: [
        (c, dict(m.results.algorithms.get(c.algorithm, {}))) for c in m.facts.columns_of(m.facts.frame)
    ],
    "titles": lambda _: GROUP_TITLES,
    "described": lambda m: [(name, dict(info)) for name, info in m.results.cases.items()],
    "settings": lambda m: m.facts.settings,
    "provenance": lambda m: dict(m.results.provenance),
}
# What takes long to make is made by itself, in this order, after all the rest.
_ALONE = (
    "kappa", "growth", "libraries", "output", "conventions", "answers", "precision", "explorer", "contraction", "parts",
    "norms", "speed", "other_layers", "first_kappa", "first_growth", "gpu", "bessel", "heats",
)  # fmt: skip


def _parts(makers: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The names of all values, in parts of a second at most."""
    return [tuple(name for name in makers if name not in _ALONE), *((name,) for name in _ALONE if name in makers)]


@uncollected()
def _make(names: Sequence[str], source: Material | Path) -> dict[str, Any]:
    """Some values by name, of what the pages are made of, or of the file that has it."""
    material = source if isinstance(source, Material) else _read(source)
    makers = _FIRST | _DETAILS
    return {name: makers[name](material) for name in names}


@lru_cache(maxsize=1)
def _read(path: Path) -> Material:
    found: Material = pickle.loads(path.read_bytes())
    return found


def render(
    results: Results,
    bench: Mapping[str, Any] | str | None = None,
    gpu_json: Mapping[str, Any] | str | None = None,
    fresh: Sequence[FindingRow] | str | None = None,
    league: Mapping[str, Any] | str | None = None,
    perform: Perform = here,
    scratch: Path | None = None,
) -> dict[str, str]:
    """The report, the pages that it links and its claims, by file name; of a run that goes on, no other page.

    Parameters
    ----------
    results : a study's table and what is known of it, as `results.read` gives them.
    bench : the content of a bench.json, for the chapter on speed; or a sentence why there is none to show.
    gpu_json : the same of a gpu.json, for the section on the GPU's speed.
    fresh, league : findings of frameworks and scores of libraries that were measured here, shown with the committed
        ones.
    perform : makes what the pages show; in other processes if there is a folder to hand them the results in.
    scratch : that folder.
    """
    material = Material(results, bench, gpu_json, fresh, league)
    source: Material | Path = material
    if scratch is not None:
        source = scratch / "material.pickle"
        source.write_bytes(pickle.dumps(material))
    going_on = material.facts.measured is not None
    given: dict[str, Any] = {}
    for _, made in perform((_make, names, source) for names in _parts(_FIRST if going_on else _FIRST | _DETAILS)):
        given |= made
    template = environment().get_template("page.html.j2")
    drawn = {
        page["file"]: clean(
            template.render(
                page=page, policy=policy(*page["scripts"]), scripts=[asset(name) for name in page["scripts"]], **given
            )
        )
        for page in (PAGES[:1] if going_on else PAGES)
    }
    return drawn | {"claims.json": as_json(given["claims"])}
