"""From a view's shape to the launches that compute its moments: the same on every device.

How many threads and parts share a row follows from the row's length and the storage alone, never from the device,
the other rows or the strides: a row's answers have the same bits everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import Format
from .abi import LIMIT
from .catalogue import WARPS, Algorithm, Kernel, get, held_most, step_width

__all__ = ["Geometry", "Launch", "Plan", "Sharing", "geometry_of", "plan", "shape_of_sum", "sharing"]

MOST_BLOCKS = 65535  # in a launch; more rows than that go round
THREAD_BLOCK = 128  # threads in a block of the kind thread
WARP = 32

STEPS = 8  # steps a thread takes before a row gets another block
RUN = 32  # values a thread takes before a row gets another thread in the order columns
MOST_PARTS = {"grid": 1024, "columns": 4096}


@dataclass(frozen=True)
class Sharing:
    """How the values of a row are shared out: value k in step k // width, step q to thread q mod (parts threads).

    order : one of `catalogue.ORDERS`. lanes, width : states a thread, and values a step. threads : in a part; 1 for
    the orders thread and columns. parts : of a row.
    """

    order: str
    lanes: int
    width: int
    threads: int
    parts: int


def _up(a: int, b: int) -> int:
    return -(-a // b)


def sharing(algorithm: Algorithm, values: int, storage: Format) -> Sharing:
    """How an algorithm shares out a row of that many values (at least 1)."""
    width = step_width(algorithm.lanes, storage)
    order = algorithm.order.rstrip("4")
    if order == "thread":
        return Sharing(algorithm.order, 1, 1, 1, 1)
    if order == "columns":
        return Sharing(algorithm.order, 1, 1, 1, min(_up(values, RUN), MOST_PARTS["columns"]))
    steps = _up(values, width)
    most = WARPS * WARP
    threads = min(max(1 << (steps - 1).bit_length(), WARP), most)
    parts = min(_up(steps, most * STEPS), MOST_PARTS["grid"]) if order == "grid" else 1
    return Sharing(algorithm.order, algorithm.lanes, width, threads, parts)


def shape_of_sum(name: str, values: int, storage: Format) -> tuple[int, int]:
    """The depth of an algorithm's sum of that many values: for error bounds.

    Parameters
    ----------
    name : a name from `algorithms()`.
    values : in a row, segments times length; fewer than one count as one.
    storage : the values' format, on which hangs how many of them a thread takes at a time.

    Returns
    -------
    (run, merges) : the longest run of updates that one state takes, and the most merges that lie between a value and
        the answer.

    Raises
    ------
    ValueError
        The algorithm is unknown; the sentence suggests near names.
    """
    share = sharing(get(name), max(values, 1), storage)
    steps = _up(max(values, 1), share.width)
    run = _up(steps, share.parts * share.threads) * (share.width // share.lanes)
    merges = share.lanes.bit_length() - 1 + share.threads.bit_length() - 1
    if share.parts > 1:
        merges += _up(share.parts, WARP) - 1 + min(share.parts - 1, WARP - 1).bit_length()
    return run, merges


@dataclass(frozen=True)
class Geometry:
    """A view in elements: how far apart blocks, segments, rows and positions lie."""

    blocks: int
    segments: int
    rows: int
    length: int
    block_stride: int
    segment_stride: int
    row_stride: int
    stride: int
    itemsize: int

    @property
    def total(self) -> int:
        return self.blocks * self.rows

    @property
    def values(self) -> int:
        return self.segments * self.length

    def vectors(self, width: int) -> bool:
        """Whether every whole step of a row that starts on 16 bytes lies on 16 bytes, side by side."""
        if width == 1 or self.stride != 1:
            return False
        return self.segments == 1 or (self.length % width == 0 and self.segment_stride * self.itemsize % 16 == 0)


def geometry_of(view: NDArray[Any]) -> Geometry:
    """The geometry of a view (blocks, segments, rows, length), whose strides are multiples of its item's width.

    Segments that follow each other at one pace are joined: the same values in the same order.
    """
    blocks, segments, rows, length = view.shape
    size = view.itemsize
    block_stride, segment_stride, row_stride, stride = (step // size for step in view.strides)
    if length == 1:
        segments, length, stride, segment_stride = 1, segments, segment_stride, 0
    elif segments == 1 or segment_stride == length * stride:
        segments, length, segment_stride = 1, segments * length, 0
    return Geometry(blocks, segments, rows, length, block_stride, segment_stride, row_stride, stride, size)


@dataclass(frozen=True)
class Launch:
    """One kernel launch: arguments are whole numbers, and names of buffers where the abi has addresses."""

    kernel: Kernel
    grid: int
    block: int
    arguments: tuple[int | str, ...]


@dataclass(frozen=True)
class Plan:
    """What to launch, one after the other.

    launches : their arguments name ``data`` (the values) and the buffers.
    buffers : dtype and number of elements of each buffer; the answers of the last launch are in ``answers``, (rows, 2)
        of the accumulator's dtype, mean and M2.
    share : how the rows are shared out.
    """

    launches: tuple[Launch, ...]
    buffers: dict[str, tuple[np.dtype[Any], int]]
    share: Sharing


def plan(
    geometry: Geometry,
    algorithm: Algorithm,
    storage: Format,
    accumulator: Format,
    contracted: bool,
    *,
    most_blocks: int = MOST_BLOCKS,
) -> Plan:
    """The launches of an algorithm on a view that is not empty.

    Parameters
    ----------
    geometry : `geometry_of` the view.
    algorithm, storage, accumulator, contracted : which kernels.
    most_blocks : in one launch; a smaller number makes the blocks go round over more rows, with the same bits.

    Raises
    ------
    ValueError
        The rows are too long or too many for 31-bit counts, or too long to be held.
    """
    g = geometry
    share = sharing(algorithm, g.values, storage)
    if max(g.values, g.total * share.parts) > LIMIT:
        raise ValueError(
            f"the view has {g.total} rows of {g.values} values: {algorithm.name} counts up to {LIMIT} values in a row "
            "and parts of rows; cut the feature map"
        )
    most = held_most(accumulator)
    if share.order == "held" and g.values > most:
        raise ValueError(
            f"the rows have {g.values} values: {algorithm.name} holds up to {most} of {accumulator}; use "
            f"{algorithm.formula.name}/block4, which gives the same bits"
        )
    kind = algorithm.kind
    thread = kind == "thread"
    block = THREAD_BLOCK if thread else share.threads
    jobs = g.total * share.parts
    grid = min(_up(jobs, block) if thread else jobs, most_blocks)
    fixed = (
        "data", g.rows, g.total, g.length, g.values, g.block_stride, g.segment_stride, g.row_stride, g.stride,
        int(g.vectors(share.width)), share.parts,
    )  # fmt: skip
    buffers: dict[str, tuple[np.dtype[Any], int]] = {}
    launches: list[Launch] = []
    for formula in algorithm.sweeps:
        last = formula is algorithm.formula
        answers = "answers" if last else "centres"
        centres = "centres" if last and len(algorithm.sweeps) == 2 else 0
        buffers[answers] = (accumulator.dtype, 2 * g.total)
        states: str | int = 0
        counts: str | int = 0
        kernel = Kernel(formula, kind, share.lanes, storage, accumulator, contracted)
        if share.parts > 1:
            states, counts = f"states{len(launches)}", f"counts{len(launches)}"
            buffers[states] = (accumulator.dtype, jobs * formula.fields)
            buffers[counts] = (np.dtype(np.int32), jobs)
        launches.append(Launch(kernel, grid, block, (*fixed, centres, states, counts, answers)))
        if share.parts > 1:
            finish = Kernel(formula, "finish", 1, None, accumulator, contracted)
            merging = (g.total, share.parts, states, counts, answers)
            launches.append(Launch(finish, min(g.total, most_blocks), WARP, merging))
    return Plan(tuple(launches), buffers, share)
