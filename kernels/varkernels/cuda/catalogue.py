"""Which kernels there are, and which algorithms they make: each formula in the orders that it declares.

============ =========================================================================================================
``thread``   one thread a row, its values one by one
``columns``  several threads a row, neighbouring threads on neighbouring rows (channels last); a second kernel merges
``block``    one block a row, one lane a thread; ``block4``: four lanes a thread, fed by 16-byte loads
``grid``     several blocks a row, whose states a second kernel merges; ``grid4``: four lanes a thread
``held``     two-pass, the row read once and held in shared memory; the bits of ``block4``, which takes longer rows
``exact``    integers only: the digits of the exact sums, which the host rounds once; the same for any order
``tile``     64 bytes of values a thread as one sample; from a few threads a row, several rows a warp, to several blocks
============ =========================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from ..exact.algorithm import EXACT
from ..formats import FLOAT32, FLOAT64, FORMATS, Format
from ..formulas import EVERY, Formula
from ..formulas.naive import NAIVE
from ..matching import nearest

__all__ = [
    "ORDERS", "Algorithm", "Kernel", "accumulator_of", "algorithms", "at_once", "get", "held_most", "kernels",
    "step_width", "tile_of_columns",
]  # fmt: skip

# What the CUDA kernels compute; some of these only the field's CUDA code does, and not the CPU's algorithms.
_FORMULAS: dict[str, Formula] = {name: formula for name, formula in EVERY.items() if formula.cuda}

_ORDER_WORDS = {
    "thread": "one thread a row",
    "columns": "several threads a row, side by side over rows",
    "block": "a block a row",
    "block4": "a block a row, four lanes a thread",
    "grid": "several blocks a row",
    "grid4": "several blocks a row, four lanes a thread",
    "held": "a block a row, the row held in shared memory",
    "exact": "blocks that share a row, in any order",
    "tile": "teams of threads, 64 bytes of values at a time",
}
ORDERS = tuple(_ORDER_WORDS)
_OWN_KINDS = ("thread", "held", "tile", "exact")
# What the kernel of exact sums adds up in integers, where nothing is rounded.
EXACT_SUMS = replace(
    NAIVE,
    name="exact",
    title="exact",
    summary="Exact sums of x and x^2 in integers; mean and M2 are each rounded once, whatever the order.",
    source="Neal 2015, arXiv:1505.05571",
    difference=False,
    bound=EXACT.bound,
    cuda=("exact",),
)

WARPS = 8  # in a block, at most
HELD_BYTES = 32768  # shared memory that a held row may fill: what every device gives a block, less the exchange


def accumulator_of(storage: Format) -> Format:
    """The format that the kernels accumulate values of a storage format in, as the field's do: float32, or float64."""
    return FLOAT64 if storage is FLOAT64 else FLOAT32


def step_width(kind: str, lanes: int, storage: Format) -> int:
    """How many values a step has that lie side by side: 16 bytes of them, or 32 of float64; or one, for one lane."""
    single = kind == "thread" or (kind == "sweep" and lanes == 1)
    return 1 if single else 8 if storage.dtype.itemsize == 2 else 4


def at_once(kind: str, lanes: int, storage: Format) -> int:
    """How many steps a thread reads before it takes the first: 64 bytes where a step is more than one value."""
    width, size = step_width(kind, lanes, storage), storage.dtype.itemsize
    if kind == "held" and size == 2:
        return 2  # 32 values more would leave room for one block on a multiprocessor
    return 4 if width == 1 else 64 // (width * size)


def tile_of_columns(storage: Format) -> int:
    """How many values a thread takes as one sample where each is loaded by itself."""
    return 8 if storage is FLOAT64 else 16


def held_most(accumulator: Format) -> int:
    """How many values a row of the order ``held`` may have."""
    return HELD_BYTES // accumulator.dtype.itemsize


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel.

    Attributes
    ----------
    formula : the formula whose verbs it runs; a two-pass formula's first sweep is a kernel of its own.
    kind : ``thread``, ``sweep`` (blocks), ``tile``, ``held``, ``exact`` or ``finish`` (merges the parts of a row).
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
        return [centre, self.formula] if isinstance(centre, Formula) and self.order != "held" else [self.formula]

    @property
    def kind(self) -> str:
        """The kind of the kernels that read the values."""
        return {"columns": "thread"}.get(self.order, self.order if self.order in _OWN_KINDS else "sweep")

    @property
    def merges(self) -> bool:
        """Whether a row may have several parts, which a kernel of the kind ``finish`` merges."""
        return self.order in ("columns", "grid", "grid4", "tile")


def _checked(formula: Formula) -> Formula:
    for order in formula.cuda:
        if order not in _ORDER_WORDS:
            raise ValueError(
                f"formula {formula.name!r}: cuda order {order!r} is unknown: {nearest(order, _ORDER_WORDS)}"
            )
        if order != "thread" and not formula.mergeable:
            raise ValueError(f"formula {formula.name!r}: the order {order} merges states, and it has no merge")
        if order == "held" and formula.sweeps != 2:
            raise ValueError(f"formula {formula.name!r}: the order held is of formulas with two sweeps")
        if order == "tile" and formula.tile is None:
            raise ValueError(f"formula {formula.name!r}: the order tile is of formulas with the verb tile")
    return formula


@cache
def _table() -> dict[str, Algorithm]:
    table = {}
    for formula in map(_checked, _FORMULAS.values()):
        for order in ORDERS:
            if order in formula.cuda:
                name = f"{formula.name}/{order}"
                lanes = 4 if order in ("block4", "grid4", "held") else 1
                title = f"{formula.title}, {_ORDER_WORDS[order]}"
                table[name] = Algorithm(name, formula, order, lanes, title, formula.summary)
    base = table["two_pass/grid4"]
    summary = f"{base.summary} Runs of at most 16 values a lane, then a tree: the device's pairwise sum."
    words = _ORDER_WORDS["exact"]
    table["exact"] = Algorithm("exact", EXACT_SUMS, "exact", 1, f"exact, {words}", EXACT_SUMS.summary)
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
    """Every kernel of the committed PTX by its name: those that an algorithm launches, in both builds."""
    found: dict[str, Kernel] = {}
    for storage in FORMATS.values():
        accumulator = accumulator_of(storage)
        for algorithm in _table().values():
            for formula in algorithm.sweeps:
                for contracted in (True, False):
                    made = [Kernel(formula, algorithm.kind, algorithm.lanes, storage, accumulator, contracted)]
                    if algorithm.merges:
                        made.append(Kernel(formula, "finish", 1, None, accumulator, contracted))
                    found.update((kernel.name, kernel) for kernel in made)
    return found
