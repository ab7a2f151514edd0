"""Which kernels there are, and which algorithms they make: formula x order x lanes.

============ =========================================================================================================
``thread``   one thread a row, its values one by one
``columns``  several threads a row, neighbouring threads on neighbouring rows (channels last); a second kernel merges
``block``    one block a row, one lane a thread; ``block4``: four lanes a thread, fed by 16-byte loads
``grid``     several blocks a row, whose states a second kernel merges; ``grid4``: four lanes a thread
``held``     two-pass, the row read once and held in shared memory; the bits of ``block4``, which takes longer rows
============ =========================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..formats import FLOAT32, FLOAT64, FORMATS, Format
from ..formulas import EVERY, Formula
from ..matching import nearest
from ..verbs import learn

__all__ = ["ORDERS", "Algorithm", "Kernel", "algorithms", "get", "held_most", "kernels", "step_width"]

# What the CUDA kernels compute; some of these only the field's CUDA code does, and not the CPU's algorithms.
_FORMULAS: dict[str, Formula] = {name: formula for name, formula in EVERY.items() if formula.cuda}
for _formula in _FORMULAS.values():
    learn(_formula)

_ORDER_WORDS = {
    "thread": "one thread a row",
    "columns": "several threads a row, side by side over rows",
    "block": "a block a row",
    "block4": "a block a row, four lanes a thread",
    "grid": "several blocks a row",
    "grid4": "several blocks a row, four lanes a thread",
    "held": "a block a row, the row held in shared memory",
}
ORDERS = tuple(_ORDER_WORDS)

ACCUMULATORS = (FLOAT32, FLOAT64)
WARPS = 8  # in a block, at most
HELD_BYTES = 32768  # shared memory that a held row may fill: what every device gives a block, less the exchange


def step_width(lanes: int, storage: Format) -> int:
    """How many values a thread takes at a time: 16 bytes of them, or 32 of float64, for four lanes."""
    return 1 if lanes == 1 else 8 if storage.dtype.itemsize == 2 else 4


def held_most(accumulator: Format) -> int:
    """How many values a row of the order ``held`` may have."""
    return HELD_BYTES // accumulator.dtype.itemsize


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel.

    Attributes
    ----------
    formula : the formula whose verbs it runs; a two-pass formula's first sweep is a kernel of its own.
    kind : ``thread``, ``sweep`` (blocks), ``held`` or ``finish`` (merges the parts of a row).
    lanes : states a thread, 1 or 4.
    storage : the values' format; None for ``finish``, which reads states only.
    accumulator : the format of every operation, float32 or float64.
    contracted : whether a product and the sum that takes it are one fma, as NVVM does by default.
    """

    formula: Formula
    kind: str
    lanes: int
    storage: Format | None
    accumulator: Format
    contracted: bool

    @property
    def entry(self) -> str:
        """The kernel's name in the PTX, the same in both builds."""
        kind = f"{self.kind}{self.lanes}" if self.kind == "sweep" else self.kind
        storage = [] if self.storage is None else [self.storage.name]
        return "_".join([self.formula.name, kind, *storage, self.accumulator.name])

    @property
    def build(self) -> str:
        return "contracted" if self.contracted else "separate"

    @property
    def name(self) -> str:
        """The kernel's name, unique among all."""
        return f"{self.entry}_{self.build}"

    @property
    def file(self) -> str:
        """The stem of the file in ptx/ that has it where both builds are one text; else the build is added."""
        return f"{self.formula.name}_{self.accumulator.name}"


@dataclass(frozen=True)
class Algorithm:
    """A variance algorithm on the device.

    Attributes
    ----------
    name : ``formula/order``, or ``pairwise``.
    formula : its arithmetic.
    order : one of ORDERS.
    lanes : states a thread.
    title, summary : for people.
    """

    name: str
    formula: Formula
    order: str
    lanes: int
    title: str
    summary: str

    @property
    def sweeps(self) -> list[Formula]:
        """The formulas of its sweeps: a two-pass formula's centre first."""
        centre = self.formula.centre
        return [centre, self.formula] if isinstance(centre, Formula) else [self.formula]


def _runs(formula: Formula, order: str) -> bool:
    if order == "thread":
        return formula.cuda == "all"
    return formula.mergeable and (order != "held" or formula.sweeps == 2)


@cache
def _table() -> dict[str, Algorithm]:
    table = {}
    for formula in _FORMULAS.values():
        for order in ORDERS:
            if _runs(formula, order):
                name = f"{formula.name}/{order}"
                lanes = 4 if order in ("block4", "grid4", "held") else 1
                title = f"{formula.title}, {_ORDER_WORDS[order]}"
                table[name] = Algorithm(name, formula, order, lanes, title, formula.summary)
    base = table["two_pass/grid4"]
    summary = f"{base.summary} Runs of at most 16 values a lane, then a tree: the device's pairwise sum."
    table["pairwise"] = Algorithm("pairwise", base.formula, base.order, base.lanes, "pairwise, " + base.title, summary)
    return table


def algorithms() -> dict[str, Algorithm]:
    """Every algorithm of the device by its name."""
    return dict(_table())


def get(name: str) -> Algorithm:
    """The algorithm of that name.

    Raises
    ------
    ValueError
        There is none; the sentence suggests near names.
    """
    table = _table()
    if name not in table:
        raise ValueError(f"CUDA algorithm {name!r} is unknown: {nearest(name, table)}")
    return table[name]


@cache
def kernels() -> dict[str, Kernel]:
    """Every kernel of the committed PTX by its name."""
    found = []
    for formula in dict.fromkeys(formula for algorithm in _table().values() for formula in algorithm.sweeps):
        merges = formula.merge is not None
        for accumulator in ACCUMULATORS:
            for contracted in (True, False):
                for storage in FORMATS.values():
                    if storage.precision > accumulator.precision:
                        continue
                    found.append(Kernel(formula, "thread", 1, storage, accumulator, contracted))
                    if merges:
                        found += [Kernel(formula, "sweep", n, storage, accumulator, contracted) for n in (1, 4)]
                    if merges and formula.sweeps == 2:
                        found.append(Kernel(formula, "held", 4, storage, accumulator, contracted))
                if merges:
                    found.append(Kernel(formula, "finish", 1, None, accumulator, contracted))
    return {kernel.name: kernel for kernel in found}
