"""The CUDA kernels: what each takes on every target, and what its loop issues and waits for. Computed, not measured.

It reads the committed table next to the PTX; no NVIDIA tool is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from varkernels import FORMATS
from varkernels.cuda import catalogue, launch_plan, library
from varkernels.cuda.audit import latency, resources
from varkernels.cuda.audit.resources import TARGETS, Row, Table
from varkernels.cuda.audit.threads_held import occupancy
from varkernels.cuda.errors import DeviceError
from varkernels.formulas import Formula

from ..words import clean, number

__all__ = ["Kernels", "committed", "section"]

FIRST = ("float32", "float32")  # the pair of formats that is shown open

_KINDS = {
    "thread": "a thread a row",
    "sweep1": "blocks, 1 lane",
    "sweep4": "blocks, 4 lanes",
    "held": "block, row held",
    "tile": "tiles",
    "exact": "integers",
    "finish": "merges parts",
}


@dataclass(frozen=True)
class _Text:
    """A text of the manifest: its name in the table, what it is, and its rows by target."""

    name: str
    formula: str
    kind: str
    storage: str | None
    accumulator: str
    build: str
    rows: Mapping[str, Row]


# The kernels of one pair of formats: a title, and each formula with its kernels: kind, build, for each target registers
# and occupancy (empty where not known), and what a value costs, as `_work` has it.
KernelTable = tuple[str, list[tuple[str, list[tuple[Any, ...]]]]]


@dataclass(frozen=True)
class Kernels:
    """The section; or why there is none: `problem`.

    Attributes
    ----------
    known, kernels : how many kernels have a row for every target, and how many there are. threads : in a block of
        several warps, and of a thread a row. held : values of the longest row that is held in shared
        memory, with a float32 and with a float64 accumulator. tables : float32 in float32 first.
    """

    problem: str = ""
    known: int = 0
    kernels: int = 0
    ptxas: str = ""
    threads: tuple[int, ...] = ()
    spills: str = ""
    bandwidths: str = ""
    held: tuple[int, ...] = ()
    tables: tuple[KernelTable, ...] = ()
    targets: tuple[str, ...] = tuple(TARGETS)
    cards: tuple[str, ...] = tuple(card.name for card in latency.CARDS)


def _kernels(manifest: Iterable[Mapping[str, Any]], table: Table) -> list[_Text]:
    """The kernels, one for each text, in the order of formulas and kinds."""
    entries = list(manifest)
    names = resources.row_names(entries)
    made: dict[str, _Text] = {}
    for entry in entries:
        name = names[entry["name"]]
        both = name != entry["name"]
        kind = f"sweep{entry['lanes']}" if entry["kind"] == "sweep" else entry["kind"]
        rows = {target: table.rows[name, target] for target in TARGETS if (name, target) in table.rows}
        build = "both" if both else "fma" if entry["contracted"] else "no fma"
        made[name] = _Text(name, entry["formula"], kind, entry["storage"], entry["accumulator"], build, rows)
    kinds = list(_KINDS)
    return sorted(made.values(), key=lambda k: (k.formula, kinds.index(k.kind) if k.kind in kinds else 9, k.build))


def _threads(kind: str) -> int:
    """How many threads a block of that kind has, at most."""
    return launch_plan.THREAD_BLOCK if kind == "thread" else catalogue.WARPS * launch_plan.WARP


def _centre(name: str) -> str | None:
    """The formula of the sweep that comes before a formula's, if any."""
    found = {kernel.formula.name: kernel.formula.centre for kernel in catalogue.kernels().values()}.get(name)
    return found.name if isinstance(found, Formula) else None


def _sweeps(kernel: _Text, every: Mapping[tuple[str, str, str | None, str, str], _Text]) -> list[_Text] | None:
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


def _target_cell(kernel: _Text, target: str) -> str:
    row = kernel.rows.get(target)
    if row is None:
        return ""
    found = occupancy(target, _threads(kernel.kind), row.registers, row.shared)
    return f"{row.registers} · {int(100 * found.share + 0.5)}%"


def _parts(rows: Iterable[Row]) -> str:
    """The arithmetic of a value in words."""
    words = {"loop_add": "sums", "loop_mul": "products", "loop_fma": "fused", "loop_div": "divisions"}
    rows = list(rows)
    found = {word: sum(getattr(row, name) / row.loop_values for row in rows) for name, word in words.items()}
    return ", ".join(f"{number(value)} {word}" for word, value in found.items() if value) or "none"


def _in_flight(kernel: _Text, row: Row) -> float:
    """Bytes from memory that the threads of a multiprocessor wait for at once."""
    return 32 * occupancy(row.target, _threads(kernel.kind), row.registers, row.shared).warps * row.turn_waiting


def _work(sweeps: list[_Text] | None) -> tuple[int, str, str, str, list[str]] | None:
    """What a value costs: bytes, all instructions of a turn, and the floating-point ones in PTX by name; then KiB in
    flight on a multiprocessor of the first target of compute capability 9, and nanoseconds that these cover on each
    card. Of several sweeps the least counts. None where a sweep or its row is not known.
    """
    targets = {card.target for card in latency.CARDS}
    if not sweeps or not all(t in s.rows and s.rows[t].turn_values for s in sweeps for t in targets):
        return None
    shown = latency.CARDS[-1].target
    size = FORMATS[str(sweeps[0].storage)].dtype.itemsize
    flights = {target: min(_in_flight(s, s.rows[target]) for s in sweeps) for target in targets}
    issued = sum(s.rows[shown].turn_issued / s.rows[shown].turn_values for s in sweeps)
    return (
        size * len(sweeps),
        number(issued),
        _parts(s.rows[shown] for s in sweeps if s.rows[shown].loop_values),
        number(flights[shown] / 1024),
        [number(1e9 * latency.covered(card, flights[card.target])) for card in latency.CARDS],
    )


def _table(title: str, kernels: list[_Text], every: Mapping[Any, _Text]) -> KernelTable:
    blocks = []
    for formula, mine in groupby(kernels, key=lambda kernel: kernel.formula):
        lines = [
            (
                _KINDS.get(kernel.kind, clean(kernel.kind)),
                kernel.build,
                [_target_cell(kernel, target) for target in TARGETS],
                _work(_sweeps(kernel, every)),
            )
            for kernel in mine
        ]
        blocks.append((formula, lines))
    return title, blocks


def _spills(kernels: list[_Text]) -> str:
    rows = [row for kernel in kernels for row in kernel.rows.values()]
    if not rows:
        return ""
    spilt = sum(bool(row.stack or row.spill_loads or row.spill_stores) for row in rows)
    few, most = min(row.registers for row in rows), max(row.registers for row in rows)
    return f"They take {few} to {most} registers, and {'none spills' if not spilt else f'{spilt} spill'}."


@cache
def committed() -> Kernels:
    """The section of the committed kernels."""
    return section()


def section(manifest: Iterable[Mapping[str, Any]] | None = None, table: Table | None = None) -> Kernels:
    """The section; a sentence in it where the kernels or their table cannot be read.

    Parameters
    ----------
    manifest, table : the kernels and their resources; the committed ones if not given.
    """
    try:
        made = table or resources.read()
        kernels = _kernels(library.manifest()["kernels"] if manifest is None else manifest, made)
    except DeviceError as problem:
        return Kernels(clean(problem))
    every = {(k.formula, k.kind, k.storage, k.accumulator, k.build): k for k in kernels}
    known = [kernel for kernel in kernels if len(kernel.rows) == len(TARGETS)]
    groups: dict[tuple[str, str], list[_Text]] = {}
    for kernel in kernels:
        groups.setdefault((kernel.storage or "", kernel.accumulator), []).append(kernel)
    places = list(FORMATS)
    order = sorted(
        groups,
        key=lambda pair: (pair != FIRST, places.index(pair[1]), places.index(pair[0]) if pair[0] else len(places)),
    )
    return Kernels(
        known=len(known),
        kernels=len(kernels),
        ptxas=clean(made.ptxas),
        threads=tuple(map(_threads, ("sweep1", "thread"))),
        spills=_spills(known),
        bandwidths=", ".join(f"{card.name} {card.bandwidth / 1e12:g} TB/s" for card in latency.CARDS),
        held=tuple(catalogue.held_most(FORMATS[name]) for name in ("float32", "float64")),
        tables=tuple(
            _table(
                f"{storage} in {accumulator}" if storage else f"Parts of rows merged in {accumulator}",
                groups[storage, accumulator],
                every,
            )
            for storage, accumulator in order
        ),
    )
