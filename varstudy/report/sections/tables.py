"""The tables of the report: the heat map, the museum, NIST, and every line that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ...study.results import reproduce
from ..figures.draw import KNOWN
from ..model.facts import Column, Facts, Line, decimal_digits
from ..model.summary import choose, museum_tally
from ..words import clean, code, count, digits, number, percent, source_link

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Heat", "Part", "full", "heat", "museum", "nist"]

HEAT_GROUPS = ("families", "norms", "photo", "user")
TITLES = {
    "families": "Adversarial families",
    "kappa-sweep": "Sweep of the condition number",
    "growth": "Sweep of the number of values",
    "norms": "A network’s feature maps",
    "bessel": "Few values a channel",
    "museum": "Museum of bugs",
    "nist": "NIST reference data",
    "photo": "Photographs",
    "user": "Your files",
}
DEVICES = {"cpu": "on the CPU", "ptx": "CUDA kernels, their PTX executed on the CPU", "cuda": "CUDA kernels on a GPU"}


def head(facts: Facts, first: Sequence[str], columns: Sequence[Column]) -> Markup:
    """The two rows of heads of a wide table: formulas, and under each its orders."""
    lead = Markup("").join(Markup('<th scope="col" rowspan="2">{}</th>').format(word) for word in first)
    groups: list[list[Any]] = []
    for column in columns:
        if groups and groups[-1][0] == column.formula:
            groups[-1][1] += 1
        else:
            groups.append([column.formula, 1])
    top = Markup("").join(
        Markup('<th scope="colgroup" colspan="{}">{}</th>').format(n, clean(f).replace("_", " ")) for f, n in groups
    )
    bottom = Markup("").join(
        Markup('<th scope="col"><abbr title="{}">{}</abbr></th>').format(clean(c.algorithm), c.word) for c in columns
    )
    return Markup("<thead><tr>{}{}</tr><tr>{}</tr></thead>").format(lead, top, bottom)


def _cells(cells: list[tuple[str, str]]) -> Markup:
    # Class and text are ours: a letter and a number or a word, never text from outside.
    return Markup("".join(f"<td class={css}>{text}</td>" for css, text in cells))


def _line_name(line: Line) -> Markup:
    setting = Markup(" <small>{}</small>").format(line.setting) if line.setting else ""
    return Markup("{}{}").format(code(line.case), setting)


@dataclass(frozen=True)
class Heat:
    """A heat map of correct digits as a table: its formats, its rows, and what they show."""

    storage: str
    accumulator: str
    full: str
    table: Markup
    rows: int
    notes: tuple[Markup, ...]


def heat(facts: Facts) -> list[Heat]:
    """Algorithm against feature map, for each pair of formats: float32 in float32 first."""
    frame = facts.figures
    rows = frame[frame["group"].isin(HEAT_GROUPS) & (frame["rows"] > 0)]
    pairs = [
        pair for pair in facts.formats() if ((rows["storage"] == pair[0]) & (rows["accumulator"] == pair[1])).any()
    ]
    pairs.sort(key=lambda pair: (pair != ("float32", "float32"), pair[0] != pair[1]))
    made = []
    for storage, accumulator in pairs:
        part = rows[(rows["storage"] == storage) & (rows["accumulator"] == accumulator)]
        cells = facts.cells(part, facts.columns)
        body = []
        group = None
        for line in facts.lines(part):
            if line.group != group:
                group = line.group
                body.append(
                    Markup('<tr class="sub"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(
                        len(facts.columns) + 2, TITLES.get(group, clean(group))
                    )
                )
            body.append(
                Markup('<tr><th scope="row" title="{}">{}</th><td>{}</td>{}</tr>').format(
                    clean(reproduce(line.case, facts.seed)),
                    _line_name(line),
                    _kappa(line.kappa),
                    _cells(cells[line.number]),
                )
            )
        table = Markup("{}<tbody>{}</tbody>").format(
            head(facts, ("Feature map", "κ"), facts.columns), Markup("").join(body)
        )
        made.append(Heat(storage, accumulator, f"{decimal_digits(storage):.1f}", table, len(cells), _heat_notes(part)))
    return made


def _kappa(value: float) -> str:
    return "–" if np.isnan(value) else number(value, 2)


def _heat_notes(part: pd.DataFrame) -> tuple[Markup, ...]:
    scored = part[part["scored"] & ~part["beyond"]]
    bad: dict[str, int] = {}
    for name, wrong in zip(scored["algorithm"].tolist(), scored["bad"].tolist(), strict=True):
        bad[name] = bad.get(name, 0) + bool(wrong)
    if not bad:
        return ()
    lines = scored["algorithm"].value_counts().to_dict()
    most, least = max(bad, key=bad.__getitem__), min(bad, key=bad.__getitem__)
    equal = sum(n == bad[least] for n in bad.values()) - 1
    text = Markup(
        "Failures (marked words, or less than one correct digit on well-posed data): most for {}, {} of {} lines; "
        "fewest for {}, {} of {}{}."
    ).format(
        code(most), bad[most], lines[most], code(least), bad[least], lines[least],
        f" (as for {count(equal, 'other')})" if equal else "",
    )  # fmt: skip
    known = [Markup("{} {}").format(code(name), bad[name]) for name in KNOWN if name in bad]
    if known:
        text += Markup(" The names people know: {}.").format(Markup(", ").join(known))
    return (text,)


# The museum -----------------------------------------------------------------------------------------------------------

MUSEUM = ("naive", "two_pass", "welford", "pairwise", "chan", "double_double")


@dataclass(frozen=True)
class Exhibit:
    """A line of the museum's table."""

    case: Markup
    observed: str
    rationale: str
    setting: str
    again: str
    exact: str
    cells: tuple[tuple[str, str, str, str], ...]  # class, computed, digits, exact where it differs


@dataclass(frozen=True)
class Museum:
    """The museum's table: which algorithms, how many cases each gets wrong, and the lines."""

    algorithms: tuple[str, ...]
    tally: dict[str, tuple[int, int]]
    exhibits: tuple[Exhibit, ...]


def museum(facts: Facts) -> Museum:
    """What the algorithms people know, and the recommended one, answer on the bugs from the wild."""
    frame = facts.figures
    rows = frame[(frame["group"] == "museum") & frame["own"]]
    best = choose(facts, "float32", "float32")
    wanted = [*MUSEUM, *([best.algorithm] if best and best.algorithm not in MUSEUM else [])]
    names = [name for name in wanted if (rows["algorithm"] == name).any()]
    exhibits = []
    for _, line in rows[rows["algorithm"].isin(names)].groupby("line", sort=False):
        first = line.iloc[0]
        info = facts.info(str(first["case"]))
        mine = {str(row["algorithm"]): row for _, row in line.iterrows()}
        exact = float(first["exact"])
        cells = []
        for name in names:
            row = mine.get(name)
            if row is None:
                cells.append(("n", "", "", ""))
                continue
            word = str(row["text"])
            shown = "exact" if word == "=" else f"{word} digits" if row["css"] not in "xn" else word
            other = float(row["exact"])
            same = other == exact or (np.isnan(other) and np.isnan(exact))
            computed = number(float(row["computed"]), 5) if row["rows_scored"] else ""
            cells.append((str(row["css"]), computed, shown, "" if same else f"exact {number(other, 5)}"))
        setting = [str(first["storage"])]
        if first["norm"] != "flat":
            setting.append(f"{first['norm']} norm")
        if first["correction"]:
            setting.append(f"n−{first['correction']:g}")
        exhibits.append(
            Exhibit(
                source_link(info.get("source", ""), clean(first["case"]).removeprefix("museum/")),
                clean(info.get("observed", "")),
                clean(info.get("rationale", "")),
                clean(", ".join(setting)),
                clean(reproduce(str(first["case"]), facts.seed)),
                number(exact, 5) if first["rows_scored"] else "not scored",
                tuple(cells),
            )
        )
    return Museum(tuple(names), museum_tally(facts, names), tuple(exhibits))


# NIST -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """A line of NIST's table."""

    name: Markup
    again: str
    storage: str
    kappa: str
    exact: str
    stored: str
    stored_digits: str
    cells: tuple[tuple[str, str], ...]


def nist(facts: Facts) -> tuple[tuple[str, ...], tuple[Reference, ...], Markup | None]:
    """Names of algorithms, a line for each data set and storage (accumulator = storage), and what they show."""
    frame = facts.figures
    rows = frame[(frame["group"] == "nist") & frame["own"]]
    names = tuple(n for n in (*KNOWN, "double_double") if (rows["algorithm"] == n).any())
    columns = [Column(name, "", "") for name in names]
    cells = facts.cells(rows, columns)
    made = []
    for _, line in rows[rows["algorithm"].isin(names)].groupby("line", sort=False):
        first = line.iloc[0]
        stored = float(first["storage_error"])
        made.append(
            Reference(
                source_link(
                    facts.info(str(first["case"])).get("source", ""),
                    clean(first["case"]).removeprefix("nist/"),
                ),
                clean(reproduce(str(first["case"]), facts.seed)),
                str(first["storage"]),
                _kappa(float(first["kappa_worst"])),
                number(float(first["exact"]), 6),
                "–" if np.isnan(stored) else percent(stored) if 0.001 < stored < 10 else number(stored, 2),
                _log_digits(stored),
                tuple(cells[int(first["line"])]),
            )
        )
    known = rows[np.isfinite(rows["storage_error"]) & (rows["storage_error"] > 0) & rows["scored"]]
    note = None
    if len(known):
        worse = known[known["storage_error"] > known["var_error_worst"]]
        place = known.loc[known["storage_error"].idxmax()]
        note = Markup(
            "Storing alone costs most for {} in {}: a relative error of {} before any arithmetic. On {} of {} "
            "measurements here the storage error is larger than the algorithm’s."
        ).format(
            code(place["case"]), clean(place["storage"]), number(float(place["storage_error"])),
            f"{len(worse):,}", f"{len(known):,}",
        )  # fmt: skip
    return names, tuple(made), note


def _log_digits(error: float) -> str:
    return "–" if np.isnan(error) else "exact" if error == 0 else digits(float(-np.log10(error)))


# Every line -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """The lines of one group."""

    key: str
    title: str
    lines: int
    measurements: int
    table: Markup


def full(facts: Facts) -> list[Part]:
    """Every line, by group: worst correct digits of each algorithm, and the command that measures it again."""
    made = []
    for place, ((group, device), part) in enumerate(facts.frame.groupby(["group", "device"], sort=False)):
        builds = part["contraction"].nunique() > 1
        first = ("Feature map", "stored in", "summed in", *(("contraction",) if builds else ()), "κ")
        columns = facts.columns_of(part)
        cells = facts.cells(part, columns)
        body = []
        case = None
        for line in facts.lines(part):
            if line.case != case:
                case = line.case
                body.append(
                    Markup('<tr class="sub"><th scope="rowgroup" colspan="{}">{} <kbd>{}</kbd></th></tr>').format(
                        len(columns) + len(first), code(case), clean(reproduce(str(case), facts.seed))
                    )
                )
            settings = [line.setting or "flat", line.storage, line.accumulator]
            settings += [line.contraction] if builds else []
            body.append(
                Markup('<tr><th scope="row">{}</th>{}{}</tr>').format(
                    settings[0],
                    Markup("").join(
                        Markup("<td>{}</td>").format(clean(w)) for w in (*settings[1:], _kappa(line.kappa))
                    ),
                    _cells(cells[line.number]),
                )
            )
        table = Markup("{}<tbody>{}</tbody>").format(head(facts, first, columns), Markup("").join(body))
        title = TITLES.get(str(group), clean(group))
        if device != facts.device:
            title = Markup("{}, {}").format(title, DEVICES.get(str(device), clean(device)))
        made.append(Part(f"group-{place}", title, part["line"].nunique(), len(part), table))
    return made
