"""The claims of the report's first page: each a query over the results or the findings, its values and its population.

`claims.json` next to the page has them all. A sentence of the first page takes every number from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from varkernels import FORMATS

from ..study.recommendation import Choice
from ..survey.findings.measured import FindingRow
from ..survey.league.ranking import together
from ..survey.libraries.declaring import SHORT
from ..survey.probes.questions import MANY
from .answer_claims import QUERIES as ANSWERS
from .answer_claims import Found
from .model.facts import Facts, decimal_digits
from .model.measured_layers import answer
from .model.summary import ORDINARY, museum_tally
from .rendering import sentence
from .sections import networks
from .sections.pencil import examples
from .words import clean, count

__all__ = ["Claim", "Sources", "as_json", "claimed"]

# (of a feature map, of a case) in bytes of 0 to 255, or bright as such an image is.
_RAW_FAMILY, _RAW_ENDING = "bright", "/uint8"
_LAYER = ("torch", "group", "accuracy.1e4")
_FUNCTION, _OTHER = "pandas.Series.var", "pandas.Series.var with bottleneck"


@dataclass(frozen=True)
class Claim:
    """A sentence of the first page.

    Attributes
    ----------
    key : its name. query : what was asked. title : of a finding; says no more than its numbers do. text : the sentence.
    value : its numbers. population : of what they are. anchor : the place of the proof, on the first page.
    """

    key: str
    query: str
    title: str
    text: Markup
    value: Mapping[str, Any]
    population: str
    anchor: str


@dataclass(frozen=True)
class Sources:
    """What the queries ask.

    Attributes
    ----------
    choices : the recommendations. rows : findings of frameworks. league : the content of the league that is shown.
    answers : the content of elements.json. census : of census.json.
    """

    facts: Facts
    choices: Sequence[Choice] = ()
    rows: Sequence[FindingRow] = ()
    league: Mapping[str, Any] | None = None
    answers: Mapping[str, Any] | None = None
    census: Mapping[str, Any] | None = None


def _pencil(key: str) -> Found:
    example = next(each for each in examples() if each.key == key)
    value = {
        "values": example.values, "format": example.storage, "algorithm": example.algorithm, "answer": example.answer,
        "exact": example.exact,
    }  # fmt: skip
    return value, "One row, computed by hand and by the kernel", f"pencil-{key}"


def negative(_: Sources) -> Found:
    """The naive variance of three equal values."""
    return _pencil("negative")


def vanishes(_: Sources) -> Found:
    """The naive variance of three values whose squares need more digits than the format has."""
    return _pencil("lost")


def overflows(sources: Sources) -> Found:
    """Ordinary maps in float16 with a row whose sum of squared deviations passes the largest number."""
    frame = sources.facts.figures
    rows = frame[frame["group"].isin(ORDINARY) & frame["own"] & (frame["storage"] == "float16")]
    if rows.empty:
        return None
    value = {
        "largest": float(FORMATS["float16"].largest),
        "maps": int(rows.loc[rows["rows_squares_overflow"] > 0, "case"].nunique()),
        "of": int(rows["case"].nunique()),
    }
    return value, "Activations as inside a network and photographs, stored in float16", "output"


def in_networks(sources: Sources) -> Found:
    """Norm layers of the census with a sum of squares beyond float16, and those with a condition number above 10."""
    if sources.census is None:
        return None
    return networks.claimed_of(sources.census), networks.population(sources.census), "wrong"


def stalls(_: Sources) -> Found:
    """Where a running sum of ones stops growing."""
    value = {name: 2 ** FORMATS[name].precision for name in ("float16", "float32")}
    return value, "The formats' precision", "growth"


def conventions(sources: Sources) -> Found:
    """Distinct divisors of the variance that batch norm keeps, among the frameworks measured."""
    found: dict[str, set[Any]] = {}
    for row in sources.rows:
        if (row.kind, row.property) == ("batch", "correction.running") and isinstance(answer(row), (int, float)):
            found.setdefault(row.framework, set()).add(answer(row))
    if not found:
        return None
    value = {
        "frameworks": len(found),
        "plain": sum(divisors == {0} for divisors in found.values()),
        "corrected": sum(divisors == {1} for divisors in found.values()),
    }
    return value, "Frameworks whose running variance has a measured divisor", "port"


def gradients(sources: Sources) -> Found:
    """Frameworks whose gradient of batch norm goes through the variance."""
    found: dict[str, set[Any]] = {}
    for row in sources.rows:
        if (row.kind, row.property) == ("batch", "gradient") and answer(row) is not None:
            found.setdefault(row.framework, set()).add(answer(row))
    if not found:
        return None
    through = sum(answers == {"through the variance"} for answers in found.values())
    value = {"through": through, "of": len(found)}
    return value, "Frameworks whose gradient of batch norm was measured", "answers"


def layout(sources: Sources) -> Found:
    """Error of the variance in one framework's group norm, by layout of the same values."""
    framework, kind, name = _LAYER
    found = {
        row.variant: row for row in sources.rows
        if (row.framework, row.kind, row.property) == (framework, kind, name) and isinstance(answer(row), float)
    }  # fmt: skip
    if not {"channels-last", "NCHW"} <= found.keys():
        return None
    value = {variant: answer(found[variant]) for variant in ("channels-last", "NCHW")}
    epsilons = {
        answer(row) for row in sources.rows
        if (row.framework, row.kind, row.variant, row.property) == (framework, kind, "channels-last", "epsilon.default")
    }  # fmt: skip
    if "clipped at 0" in found["channels-last"].detail and len(epsilons) == 1:
        # A group whose variance is 0 is divided by the root of epsilon; its deviation is 1.
        value["too_large"] = float(f"{epsilons.pop() ** -0.5:.3g}")
    version = clean(found["NCHW"].version.split(", ")[0])
    population = f"{version}, group norm on a CPU, float32: {MANY:,} values a group, mean 10⁴, deviation 1"
    return value, population, "accuracy"


def package(sources: Sources) -> Found:
    """Wrong cases of one library's function, with and without a package that it uses where it is installed."""
    if sources.league is None or "float32" not in sources.league["cases"]:
        return None
    found = {
        each.name: each
        for each in together(sources.league, "float32", max_length=SHORT)
        if each.name in (_FUNCTION, _OTHER)
    }
    if len(found) < 2:
        return None
    without, with_it = found[_FUNCTION], found[_OTHER]
    value = {"without": without.wrong, "with": with_it.wrong, "of": with_it.cases}
    population = f"{_FUNCTION} {clean(with_it.version)}, {count(with_it.cases, 'float32 case')} of the league"
    return value, population, "libraries"


def raw_images(sources: Sources) -> Found:
    """Worst digits of the naive formula and of the recommended algorithm on images in bytes of 0 to 255."""
    frame = sources.facts.figures
    raw = (frame["family"] == _RAW_FAMILY) & (frame["group"] == "norms")
    raw |= (frame["group"] == "photo") & frame["case"].str.endswith(_RAW_ENDING)
    rows = frame[raw & frame["own"] & (frame["storage"] == "float32") & frame["judged"] & ~frame["beyond"]]
    best = _advised(sources, "float32", "float32")
    names = ["naive", *([best] if best else [])]
    worst = {name: _least(rows[rows["algorithm"] == name]) for name in names}
    if worst["naive"] is None:
        return None
    value = {
        "naive": worst["naive"],
        "best": best or "",
        "kept": worst.get(best or ""),
        "of": decimal_digits("float32"),
    }
    population = (
        f"{count(rows['case'].nunique(), 'map')} with values as in 8-bit images: bright channels, photographs; float32"
    )
    return value, population, "heat"


def order(sources: Sources) -> Found:
    """Error of the two-pass formula on the longest row with a large mean, by order of its sums."""
    frame = sources.facts.figures
    rows = frame[(frame["group"] == "growth") & (frame["family"] == "offset") & frame["own"] & frame["scored"]]
    rows = rows[(rows["storage"] == "float32") & rows["algorithm"].isin(("two_pass", "pairwise"))]
    rows = rows[rows["values"] == rows["values"].max()].drop_duplicates("algorithm").set_index("algorithm")
    if set(rows.index) != {"two_pass", "pairwise"}:
        return None
    errors = {str(name): float(error) for name, error in rows["var_error_worst"].items()}
    values = int(rows["values"].iloc[0])
    population = f"One row of {values:,} float32 values, spread 1 round 1000"
    return {**errors, "values": values}, population, "growth"


def reports(sources: Sources) -> Found:
    """Inputs of bug reports on which the naive formula is still wrong, and of how many reports they are."""
    facts = sources.facts
    tally = museum_tally(facts, ["naive"])
    if "naive" not in tally:
        return None
    frame = facts.figures
    rows = frame[(frame["group"] == "museum") & frame["own"] & frame["judged"] & (frame["algorithm"] == "naive")]
    wrong = rows[rows["wrong"]]
    value = {
        "inputs": tally["naive"][0], "of": tally["naive"][1], "reports": _reports(facts, wrong["case"]),
        "of_reports": _reports(facts, rows["case"]),
    }  # fmt: skip
    return value, "Inputs rebuilt from bug reports, each in the format of its data", "museum"


def _reports(facts: Facts, cases: pd.Series[str]) -> int:
    return len({str(facts.info(str(case)).get("source", case)) for case in cases.unique()})


def _least(rows: pd.DataFrame) -> float | None:
    """Fewest digits, none where an answer is no variance."""
    shown = rows["digits"].to_numpy(float)
    shown = shown[~np.isnan(shown)]
    return float(shown.min()) if len(shown) else None


def _advised(sources: Sources, storage: str, accumulator: str) -> str | None:
    """The cheapest safe algorithm for the longest rows of a pair of formats."""
    own = [c for c in sources.choices if (c.storage, c.accumulator) == (storage, accumulator) and c.cheapest]
    pick = own[-1].cheapest if own else None
    return pick.algorithm if pick else None


def advice(sources: Sources) -> Found:
    """The cheapest safe algorithm for float16 with a float32 accumulator, for the longest rows measured."""
    own = [c for c in sources.choices if (c.storage, c.accumulator) == ("float16", "float32") and c.cheapest]
    if not own:
        return None
    last = own[-1]
    assert last.cheapest is not None
    value = {
        "algorithm": last.cheapest.algorithm,
        "rows": last.longest,
        "digits": last.cheapest.digits,
        "maps": last.maps,
    }
    return value, count(last.maps, "well-posed map"), "answer"


QUERIES: tuple[Callable[[Sources], Found], ...] = (
    negative, overflows, in_networks, vanishes, stalls, conventions, gradients, advice, layout, package, raw_images,
    order, reports,
)  # fmt: skip


def claimed(sources: Sources) -> dict[str, Claim]:
    """The claims that the tables have an answer for, by key."""
    asked = [(query.__name__, query.__doc__, query(sources)) for query in QUERIES]
    if sources.answers is not None:
        asked += [(query.__name__, query.__doc__, query(sources.answers)) for query in ANSWERS]
    made = {}
    for key, said, found in asked:
        if found is not None:
            value, population, anchor = found
            text = sentence(f"claim_{key}", v=value)
            made[key] = Claim(key, clean(said), _title(key, value), text, value, population, anchor)
    return made


# A finding's title where its numbers bear it out, and where they do not.
_TITLES: dict[str, tuple[Callable[[Mapping[str, Any]], bool], str, str]] = {
    "layout": (
        lambda v: bool(abs(v["channels-last"]) >= 1 > abs(v["NCHW"])),
        "A layout changes the answer",
        "Two layouts of the same values",
    ),
    "bias_gradient": (
        lambda v: bool(v["bfloat16"]["error"] > 0.5),
        "A layer norm’s bias gradient is wrong",
        "A layer norm’s bias gradient",
    ),
    "package": (
        lambda v: bool(v["with"] > v["without"]),
        "An installed package does too",
        "With and without an installed package",
    ),
    "raw_images": (
        lambda v: bool(v["naive"] < 1),
        "Raw 8-bit images break the naive formula",
        "Raw 8-bit images and the naive formula",
    ),
    "order": (
        lambda v: bool(v["two_pass"] >= 1 > v["pairwise"]),
        "Order matters as much as formula",
        "Two orders of the same formula",
    ),
}


def _title(key: str, value: Mapping[str, Any]) -> str:
    if key not in _TITLES:
        return ""
    holds, title, otherwise = _TITLES[key]
    return title if holds(value) else otherwise


def as_json(made: Mapping[str, Claim]) -> str:
    """The content of claims.json: claim, value, population, query and the place of the proof."""
    listed = [
        {
            "key": claim.key,
            "claim": claim.text.striptags(),
            "value": dict(claim.value),
            "population": claim.population,
            "query": claim.query,
            "proof": f"report.html#{claim.anchor}",
        }
        for claim in made.values()
    ]
    return json.dumps(listed, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
