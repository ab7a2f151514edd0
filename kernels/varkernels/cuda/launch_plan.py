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
from .catalogue import WARPS, Algorithm, Kernel, at_once, get, held_most, step_width, tile_of_columns
from .exact_digits import layout_of

__all__ = ["Geometry", "Launch", "Plan", "Sharing", "geometry_of", "plan", "shape_of_sum", "sharing"]

MOST_BLOCKS = 65535  # in a launch; more rows than that go round
THREAD_BLOCK = 128  # threads in a block of the kind thread
WARP = 32

STEPS = 8  # steps a thread takes before a row gets another block
RUN = 32  # values a thread takes before a row gets another thread in the order columns
MOST_PARTS = {"grid": 1024, "tile": 1024, "exact": 1024, "columns": 4096}
LEAST_BLOCK = 128  # threads in a block of several teams


@dataclass(frozen=True)
class Sharing:
    """How the values of a row are shared out: value k in step k // width, step q to thread q mod (parts threads).

    order : one of `catalogue.ORDERS`. lanes, width : states a thread, and values a step. threads : in a part; 1 for
    the orders thread and columns. parts : of a row. tile, few : values that a formula with the verb `tile` takes as one
    sample, and those of the samples for what fills no tile. merging : threads that merge a row's parts.
    """

    order: str
    lanes: int
    width: int
    threads: int
    parts: int
    tile: int
    few: int
    merging: int

    def samples(self, values: int) -> int:
        """How many samples a thread makes of that many values, single values included."""
        return values // self.tile + values % self.tile // self.few + values % self.few


def _up(a: int, b: int) -> int:
    return -(-a // b)


def sharing(algorithm: Algorithm, values: int, storage: Format) -> Sharing:
    """How an algorithm shares out a row of that many values (at least 1)."""
    width = step_width(algorithm.kind, algorithm.lanes, storage)
    ahead = at_once(algorithm.kind, algorithm.lanes, storage)
    order = algorithm.order.rstrip("4")
    most = WARPS * WARP
    if algorithm.kind == "thread":
        parts = 1 if order == "thread" else min(_up(values, RUN), MOST_PARTS["columns"])
        return Sharing(algorithm.order, 1, 1, 1, parts, tile_of_columns(storage), 4, most)
    steps = _up(values, width)
    parts = min(_up(steps, most * STEPS), MOST_PARTS[order]) if order in MOST_PARTS else 1
    if order == "tile":
        return Sharing(algorithm.order, 1, width, _team(steps, ahead, parts), parts, width * ahead, width, most)
    threads = min(max(_power(steps if order != "exact" else _up(steps, ahead)), WARP), most)
    return Sharing(algorithm.order, algorithm.lanes, width, threads, parts, width * ahead, width, WARP)


def _power(count: int) -> int:
    """The smallest power of two that is not less."""
    return 1 << (count - 1).bit_length()


def _team(steps: int, ahead: int, parts: int) -> int:
    """Threads of the order tile: a tile each up to a warp, which takes four tiles a thread before there are more."""
    if parts > 1:
        return WARPS * WARP
    if steps <= 4 * ahead * WARP:
        return min(_power(_up(steps, ahead)), WARP)
    return min(_power(_up(steps, 4 * ahead)), WARPS * WARP)


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
    algorithm, values = get(name), max(values, 1)
    if algorithm.order == "exact":  # nothing is rounded
        return 1, 0
    share = sharing(algorithm, values, storage)
    steps = _up(values, share.width)
    turns = _up(steps, share.parts * share.threads)
    run = turns * (share.width // share.lanes)
    merges = share.lanes.bit_length() - 1 + share.threads.bit_length() - 1
    if algorithm.formula.tile is not None:
        # A thread has that many turns, or one less; the values after the last whole step are in the last of them.
        most = turns * share.width
        run = min(values, share.tile)
        merges += max(map(share.samples, range(max(most - 2 * share.width, 0), most + 1)))
    if share.parts > 1:
        merges += _up(share.parts, share.merging) - 1 + min(share.parts - 1, share.merging - 1).bit_length()
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
        of the accumulator's dtype, mean and M2; or the digits of exact sums, int64 (rows, parts, digits).
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
    alone = kind in ("held", "exact") or share.threads > WARP  # a team is a block
    block = THREAD_BLOCK if thread else share.threads if alone else LEAST_BLOCK
    jobs = g.total * share.parts
    grid = min(_up(jobs, block // share.threads), most_blocks)
    fixed = (
        "data", g.rows, g.total, g.length, g.values, g.block_stride, g.segment_stride, g.row_stride, g.stride,
        int(g.vectors(share.width)), share.parts, share.threads,
    )  # fmt: skip
    buffers: dict[str, tuple[np.dtype[Any], int]] = {}
    launches: list[Launch] = []
    if kind == "exact":
        buffers["answers"] = (np.dtype(np.int64), jobs * layout_of(storage).count)
        kernel = Kernel(algorithm.formula, kind, share.lanes, storage, accumulator, contracted)
        return Plan((Launch(kernel, grid, block, (*fixed, 0, 0, 0, "answers")),), buffers, share)
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
            launches.append(Launch(finish, min(g.total, most_blocks), share.merging, merging))
    return Plan(tuple(launches), buffers, share)
