"""CPU orders: schedules that drive the verbs of any formula over the rows of a view.

Each kernel takes

    empty     the formula's empty state; its type chooses the formula and the accumulator
    view      (segments, rows, length), float32 or float64 or 16-bit integers that hold float16 or bfloat16;
              any strides
    centres   float64 (rows, 2): each row's centre, high and low
    out       float64 (rows, 2): the answers of the verb read
    width     the order's parameter

and visits a row's values in the order (segment, position). A row's answers depend on its own values only, one
after the other on one thread: the same bits on every run.
"""

from __future__ import annotations

from .smallfloat import decode, narrow, wide
from .verbs import merge, read, start, update

__all__ = ["lanes", "running", "tree"]

# Leaves that `tree` merges at a time: all branches of that are predicted, those of the counter's carries are not.
LEAVES = 64


def running(empty, view, centres, out, width):  # type: ignore[no-untyped-def]
    """One state takes the values one by one. `width` is not used."""
    zero = empty[0]
    segments, rows, length = view.shape
    for r in range(rows):
        state = start(empty, narrow(zero, centres[r, 0]), narrow(zero, centres[r, 1]))
        n = 0
        for s in range(segments):
            for i in range(length):
                n += 1
                state = update(state, n, narrow(zero, decode(view[s, r, i])))
        mean, m2 = read(state, n)
        out[r, 0] = wide(mean)
        out[r, 1] = wide(m2)


def lanes(empty, view, centres, out, width):  # type: ignore[no-untyped-def]
    """`width` states side by side: value k goes to lane k mod width; at the end the upper half of the lanes
    is merged into the lower until one is left."""
    zero = empty[0]
    segments, rows, length = view.shape
    states = [empty] * width
    for r in range(rows):
        begin = start(empty, narrow(zero, centres[r, 0]), narrow(zero, centres[r, 1]))
        for lane in range(width):
            states[lane] = begin
        total = segments * length
        lane = 0
        n = 1
        for s in range(segments):
            for i in range(length):
                states[lane] = update(states[lane], n, narrow(zero, decode(view[s, r, i])))
                lane += 1
                if lane == width:
                    lane = 0
                    n += 1
        # lane j holds total // width values, and one more where j < total % width
        counts = [total // width + (1 if j < total % width else 0) for j in range(width)]
        used = min(width, total)
        while used > 1:
            half = (used + 1) // 2
            for j in range(used - half):
                states[j] = merge(states[j], counts[j], states[j + half], counts[j + half])
                counts[j] += counts[j + half]
            used = half
        mean, m2 = read(states[0], total)
        out[r, 0] = wide(mean)
        out[r, 1] = wide(m2)


def tree(empty, view, centres, out, width):  # type: ignore[no-untyped-def]
    """Blocks of `width` consecutive values, each run through; the blocks are merged two by two, as a counter
    in binary carries, so that no value takes part in more than ceil(log2(number of blocks)) merges.

    Where a block is one value, LEAVES of them are merged level by level: the tree that the counter would make."""
    zero = empty[0]
    segments, rows, length = view.shape
    stack = [empty] * (64 + LEAVES)
    counts = [0] * 64
    for r in range(rows):
        begin = start(empty, narrow(zero, centres[r, 0]), narrow(zero, centres[r, 1]))
        state = begin
        n = 0
        blocks = 0
        depth = 0
        for s in range(segments):
            i = 0
            while i < length:
                if width == 1 and blocks % LEAVES == 0 and i + LEAVES <= length:
                    for j in range(LEAVES):
                        stack[depth + j] = update(begin, 1, narrow(zero, decode(view[s, r, i + j])))
                    half = 1
                    while half < LEAVES:
                        for j in range(depth, depth + LEAVES, 2 * half):
                            stack[j] = merge(stack[j], half, stack[j + half], half)
                        half *= 2
                    state = stack[depth]
                    n = LEAVES
                    taken = LEAVES
                else:
                    n += 1
                    state = update(state, n, narrow(zero, decode(view[s, r, i])))
                    taken = 1
                i += taken
                if n >= width:
                    stack[depth] = state
                    counts[depth] = n
                    depth += 1
                    blocks += taken
                    carry = blocks // taken
                    while carry & 1 == 0:
                        depth -= 1
                        stack[depth - 1] = merge(stack[depth - 1], counts[depth - 1], stack[depth], counts[depth])
                        counts[depth - 1] += counts[depth]
                        carry >>= 1
                    state = begin
                    n = 0
        if n > 0:
            stack[depth] = state
            counts[depth] = n
            depth += 1
        while depth > 1:
            depth -= 1
            stack[depth - 1] = merge(stack[depth - 1], counts[depth - 1], stack[depth], counts[depth])
            counts[depth - 1] += counts[depth]
        mean, m2 = read(stack[0], counts[0])
        out[r, 0] = wide(mean)
        out[r, 1] = wide(m2)
