"""The chapter on the CUDA kernels: what each takes on every target, and the least time it can take. Nothing measured.

It reads the committed table beside the PTX; no tool of NVIDIA's is needed. `section` is the whole chapter, for the
template to put where it likes::

    {{ gpu }}          with page(..., gpu=gpu.section())
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from varkernels import FORMATS
from varkernels.cuda import catalogue, launch_plan, library
from varkernels.cuda.audit import resources, roofline
from varkernels.cuda.audit.resources import TARGETS, Row, Table
from varkernels.cuda.audit.threads_held import occupancy
from varkernels.cuda.errors import DeviceError
from varkernels.formulas import Formula

from ..words import clean, code, count, number

__all__ = ["section"]

TITLE = "CUDA kernels: registers, occupancy, roofline"
FIRST = ("float32", "float32")  # the pair of formats that is shown open

_KINDS = {
    "thread": "a thread a row",
    "sweep1": "blocks, 1 lane",
    "sweep4": "blocks, 4 lanes",
    "held": "block, row held",
    "finish": "merges parts",
}
_NOTES = Markup(
    "<p><b>Computed, not measured.</b> {} of {} on {}, as ptxas {} makes them of the committed PTX; a text "
    "that serves both builds, with fma and without, counts once. A cell of a target holds <b>registers a thread</b> "
    "and <b>occupancy</b>: the share of a multiprocessor’s warps that it can hold at once, in blocks of {} threads, of "
    "{} where a thread takes a row, and of {} for those that merge. {}</p>"
    "<p><b>Bytes a value</b> are what a row’s values cost to read, all sweeps together: a two-pass kernel that does "
    "not hold its row is counted with the sweep for its centre. <b>Instructions a value</b> are the floating-point "
    "instructions of the main loops, what a division becomes included; point at a number for its parts. <b>The least "
    "time</b>, in microseconds, is the larger of the bytes by the card’s bandwidth ({}) and the instructions by its "
    "rate; in bold where arithmetic decides. Launches, merging and integer arithmetic are left out. A row is held "
    "in shared memory where it has at most {:,} values summed in float32, {:,} in float64.</p>"
)


@dataclass(frozen=True)
class _Kernel:
    """A text of the manifest: its name in the table, what it is, and its rows by target."""

    name: str
    formula: str
    kind: str
    storage: str | None
    accumulator: str
    build: str
    rows: Mapping[str, Row]


def _kernels(manifest: Iterable[Mapping[str, Any]], table: Table) -> list[_Kernel]:
    """The kernels, one for each text, in the order of formulas and kinds."""
    entries = list(manifest)
    names = resources.row_names(entries)
    made: dict[str, _Kernel] = {}
    for entry in entries:
        name = names[entry["name"]]
        both = name != entry["name"]
        kind = f"sweep{entry['lanes']}" if entry["kind"] == "sweep" else entry["kind"]
        rows = {target: table.rows[name, target] for target in TARGETS if (name, target) in table.rows}
        build = "both" if both else "fma" if entry["contracted"] else "no fma"
        made[name] = _Kernel(name, entry["formula"], kind, entry["storage"], entry["accumulator"], build, rows)
    kinds = list(_KINDS)
    return sorted(made.values(), key=lambda k: (k.formula, kinds.index(k.kind) if k.kind in kinds else 9, k.build))


def _threads(kind: str) -> int:
    """How many threads a block of that kind has, at most."""
    return {"thread": launch_plan.THREAD_BLOCK, "finish": launch_plan.WARP}.get(
        kind, catalogue.WARPS * launch_plan.WARP
    )


def _centre(name: str) -> str | None:
    """The formula of the sweep that comes before a formula's, if any."""
    found = {kernel.formula.name: kernel.formula.centre for kernel in catalogue.kernels().values()}.get(name)
    return found.name if isinstance(found, Formula) else None


def _sweeps(kernel: _Kernel, every: Mapping[tuple[str, str, str | None, str, str], _Kernel]) -> list[_Kernel] | None:
    """The kernels that read a row's values when this one runs; None where one is not in the table."""
    if kernel.storage is None:
        return None
    centre = None if kernel.kind == "held" else _centre(kernel.formula)
    if centre is None:
        return [kernel]
    for build in (kernel.build, "both"):
        before = every.get((centre, kernel.kind, kernel.storage, kernel.accumulator, build))
        if before is not None:
            return [before, kernel]
    return None


def _target_cell(kernel: _Kernel, target: str) -> Markup:
    row = kernel.rows.get(target)
    if row is None:
        return Markup('<td class="n">–</td>')
    found = occupancy(target, _threads(kernel.kind), row.registers, row.shared)
    return Markup("<td>{} · {}%</td>").format(row.registers, int(100 * found.share + 0.5))


def _parts(rows: Iterable[Row]) -> str:
    """The arithmetic of a value in words."""
    words = {"loop_add": "sums", "loop_mul": "products", "loop_fma": "fused", "loop_div": "divisions"}
    rows = list(rows)
    found = {word: sum(getattr(row, name) / row.loop_values for row in rows) for name, word in words.items()}
    return ", ".join(f"{number(value)} {word}" for word, value in found.items() if value) or "none"


def _work_cells(sweeps: list[_Kernel] | None) -> Markup:
    """Bytes and instructions a value, and the least times."""
    rows = {
        target: [s.rows[target] for s in sweeps or () if target in s.rows and s.rows[target].loop_values]
        for target in TARGETS
    }
    blank = Markup('<td class="n">–</td>')
    if not sweeps or any(len(rows[card.target]) != len(sweeps) for card in roofline.CARDS):
        return blank * (2 + len(roofline.CARDS) * len(roofline.SHAPES))
    size = FORMATS[str(sweeps[0].storage)].dtype.itemsize
    shown = rows[roofline.CARDS[0].target]
    cells = [
        Markup("<td>{}</td>").format(size * len(sweeps)),
        Markup('<td><abbr title="{}">{}</abbr></td>').format(
            _parts(shown), number(sum(row.loop_issued / row.loop_values for row in shown))
        ),
    ]
    for shape in roofline.SHAPES:
        values = 1
        for extent in shape:
            values *= extent
        for card in roofline.CARDS:
            times = [
                roofline.time(card, values, size, row.loop_issued / row.loop_values, sweeps[0].accumulator)
                for row in rows[card.target]
            ]
            text = number(1e6 * sum(time.seconds for time in times))
            cells.append(Markup("<td>{}</td>").format(
                Markup("<b>{}</b>").format(text) if any(time.arithmetic for time in times) else text
            ))  # fmt: skip
    return Markup("").join(cells)


def _head() -> Markup:
    top = [
        Markup('<th scope="col" rowspan="2">{}</th>').format(word)
        for word in ("kernel", "build")
    ]  # fmt: skip
    top.append(Markup('<th scope="colgroup" colspan="{}">registers · occupancy</th>').format(len(TARGETS)))
    top.append(Markup('<th scope="colgroup" colspan="2">a value</th>'))
    for shape in roofline.SHAPES:
        top.append(
            Markup('<th scope="colgroup" colspan="{}">least µs, {}</th>').format(
                len(roofline.CARDS), "×".join(map(str, shape))
            )
        )
    names = [*TARGETS, "bytes", "instr.", *[card.name for card in roofline.CARDS] * len(roofline.SHAPES)]
    bottom = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in names)
    return Markup("<thead><tr>{}</tr><tr>{}</tr></thead>").format(Markup("").join(top), bottom)


def _table(kernels: list[_Kernel], caption: str, every: Mapping[Any, _Kernel]) -> Markup:
    body, formula = [], None
    for kernel in kernels:
        if kernel.formula != formula:
            formula = kernel.formula
            columns = 4 + len(TARGETS) + len(roofline.CARDS) * len(roofline.SHAPES)
            body.append(
                Markup('<tr class="sub"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(columns, code(formula))
            )
        body.append(
            Markup('<tr><th scope="row">{}</th><td>{}</td>{}{}</tr>').format(
                _KINDS.get(kernel.kind, clean(kernel.kind)), kernel.build,
                Markup("").join(_target_cell(kernel, target) for target in TARGETS),
                _work_cells(_sweeps(kernel, every)),
            )
        )  # fmt: skip
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table class="cells roomy">'
        "<caption><span>{0}</span></caption>{1}<tbody>{2}</tbody></table></div>"
    ).format(caption, _head(), Markup("").join(body))


def _spills(kernels: list[_Kernel]) -> str:
    rows = [row for kernel in kernels for row in kernel.rows.values()]
    if not rows:
        return ""
    spilt = sum(bool(row.stack or row.spill_loads or row.spill_stores) for row in rows)
    few, most = min(row.registers for row in rows), max(row.registers for row in rows)
    return f"They take {few} to {most} registers, and {'none spills' if not spilt else f'{spilt} spill'}."


def section(manifest: Iterable[Mapping[str, Any]] | None = None, table: Table | None = None) -> Markup:
    """The chapter as an HTML fragment; a sentence in it where the kernels or their table cannot be read.

    Parameters
    ----------
    manifest, table : the kernels and their resources, for tests; the committed ones if not given.
    """
    heading = Markup(
        '<h3 id="gpu"><a class="self" href="#gpu" aria-label="Link to: {0}">#</a>{0}</h3>'
    ).format(TITLE)  # fmt: skip
    try:
        kernels = _kernels(library.manifest()["kernels"] if manifest is None else manifest, table or resources.read())
        made = table or resources.read()
    except DeviceError as problem:
        inside = Markup('<p class="absent">Not shown: {}</p>').format(clean(problem))
    else:
        inside = _chapter(kernels, made)
    return Markup('<section aria-labelledby="gpu">\n{}\n{}\n</section>').format(heading, inside)


def _chapter(kernels: list[_Kernel], table: Table) -> Markup:
    every = {(k.formula, k.kind, k.storage, k.accumulator, k.build): k for k in kernels}
    known = [kernel for kernel in kernels if len(kernel.rows) == len(TARGETS)]
    bandwidths = ", ".join(f"{card.name} {card.bandwidth / 1e12:g} TB/s" for card in roofline.CARDS)
    parts = [
        _NOTES.format(
            f"{len(known):,}", count(len(kernels), "kernel"), count(len(TARGETS), "target"), clean(table.ptxas),
            _threads("sweep1"), _threads("thread"), _threads("finish"), _spills(known), bandwidths,
            *(catalogue.held_most(FORMATS[name]) for name in ("float32", "float64")),
        )
    ]  # fmt: skip
    groups: dict[tuple[str, str], list[_Kernel]] = {}
    for kernel in kernels:
        groups.setdefault((kernel.storage or "", kernel.accumulator), []).append(kernel)
    places = list(FORMATS)
    for (storage, accumulator), mine in sorted(
        groups.items(),
        key=lambda item: (
            item[0] != FIRST, places.index(item[0][1]), places.index(item[0][0]) if item[0][0] else len(places)
        ),
    ):  # fmt: skip
        title = f"{storage} summed in {accumulator}" if storage else f"Parts of rows merged in {accumulator}"
        made = _table(mine, f"{title}: computed, not measured", every)
        if (storage, accumulator) == FIRST:
            parts.append(made)
        else:
            parts.append(
                Markup("<details><summary>{}: {}</summary>{}</details>").format(title, count(len(mine), "kernel"), made)
            )
    return Markup("\n").join(parts)
