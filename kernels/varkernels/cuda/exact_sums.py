"""The exact sums of x and x^2 on the device: integers only, one read, the same digits in any order.

A finite value is m 2^(E + unit), with an integer significand m and the exponent field E (1 for subnormal numbers). A
team of threads, a block, keeps a window of exponents from `base` on, chosen by its first values: with p = E - base,

    sum x    adds +-m 2^p     to an integer of 128 bits, two registers a thread,
    sum x^2  adds m^2 2^(2 p) to one of 128 bits (192 for float64).

16 values, or 8, are taken at once without a branch. Where one of them lies outside the window, all of them go one by
one: what is outside to the block's digits in shared memory, by atomic additions of integers, whose order changes
nothing. At the end the threads' integers join the digits, of 32 bits' weight each, not carried:

    sum x = sum d_k 2^(32 k + unit),        sum x^2 = sum c_k 2^(32 k + 2 unit),

and the numbers of NaN, +inf and -inf follow them. Every part of a row leaves its own; the host adds them up, carries
and rounds once, by what `varkernels.exact` has. Superaccumulators: Kulisch; with a window in registers as in Neal 2015,
arXiv:1505.05571, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from ..formats import Format
from ..inlining import inline
from .exact_digits import layout_of
from .intrinsics import WARP, intrinsic, put, quotient, reader, shuffle_down
from .lanes import int32
from .stages import cuda

__all__ = ["exact_kernel"]

LOW = np.uint64(0xFFFFFFFF)
U0, U1, U32, U63 = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(63)
I32 = np.int64(32)


class Sums(NamedTuple):
    """A thread's integers, lowest word first: s of sum x, whose ones' complements of negative values lack one each
    (`negative` of them); q of sum x^2."""

    s0: Any
    s1: Any
    q0: Any
    q1: Any
    q2: Any
    negative: Any


@intrinsic
def square(typingctx, m):  # type: ignore[no-untyped-def]
    """The two words of m m."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, both = ir.IntType(64), ir.IntType(128)
        wide = builder.zext(args[0], both)
        product = builder.mul(wide, wide)
        high = builder.trunc(builder.lshr(product, ir.Constant(both, 64)), word)
        return context.make_tuple(builder, signature.return_type, [builder.trunc(product, word), high])

    return types.UniTuple(types.uint64, 2)(types.uint64), codegen


@inline
def parts_of(bits, fraction, field):  # type: ignore[no-untyped-def]
    """Of a value: significand (of NaN and infinities too), exponent, the exponent's field."""
    e = int32((bits >> np.uint64(fraction)) & np.uint64(field))
    m = bits & ((U1 << np.uint64(fraction)) - U1)
    m = m | (U1 << np.uint64(fraction)) if e != 0 else m
    return m, int32(max(e, 1)), e


@inline
def narrow(sums, m, p, sign):  # type: ignore[no-untyped-def]
    """A value of at most 24 bits: m 2^p has at most 54 bits, its square 108. `sign` : 0, or all ones."""
    v = (m << np.uint64(p)) ^ np.uint64(sign)
    q = m * m
    t = np.uint64(p) << U1
    low = q << t
    high = (q >> U1) >> (U63 - t)
    q0 = sums.q0 + low
    q1 = sums.q1 + high + (U1 if q0 < low else U0)
    # 54 bits and a sign, of 16 values, fit into a word: `settled` follows.
    return Sums(sums.s0 + v, sums.s1, q0, q1, sums.q2, sums.negative - np.int64(sign))


@inline
def wide(sums, m, p, sign):  # type: ignore[no-untyped-def]
    """A float64: m 2^p has at most 83 bits, its square 166."""
    s = np.uint64(sign)
    a = (m << np.uint64(p)) ^ s
    b = ((m >> U1) >> (U63 - np.uint64(p))) ^ s
    s0 = sums.s0 + a
    s1 = sums.s1 + b + (U1 if s0 < a else U0)
    low, high = square(m)
    t = np.uint64(p) << U1
    a = low << t
    b = (high << t) | ((low >> U1) >> (U63 - t))
    c = (high >> U1) >> (U63 - t)
    q0 = sums.q0 + a
    over = U1 if q0 < a else U0
    q1 = sums.q1 + b
    more = U1 if q1 < b else U0
    q1 = q1 + over
    more = more + (U1 if q1 < over else U0)
    return Sums(s0, s1, q0, q1, sums.q2 + c + more, sums.negative - np.int64(sign))


@inline
def settled_narrow(sums):  # type: ignore[no-untyped-def]
    """The same with less than 2^32 in the lowest word of sum x, the rest of which, with its sign, joins the next."""
    carried = np.uint64(np.int64(sums.s0) >> I32)
    return Sums(sums.s0 & LOW, sums.s1 + carried, sums.q0, sums.q1, sums.q2, sums.negative)


@inline
def settled_wide(sums):  # type: ignore[no-untyped-def]
    return sums


def taken(sums: Any, values: Any, base: int, add: Any, fraction: int, field: int, window: int) -> Any:
    """The sums with values, and whether all of these lie in the window: within kernels only."""
    raise RuntimeError("taken() runs within compiled kernels only")


@overload(taken)
def _taken(sums, values, base, add, fraction, field, window):  # type: ignore[no-untyped-def]
    def one(sums, values, base, add, fraction, field, window):  # type: ignore[no-untyped-def]
        m, e, _ = parts_of(values[0], fraction, field)
        p = int32(0) if m == U0 else int32(e - base)
        sign = -np.int64((values[0] >> np.uint64(fraction)) // np.uint64(field + 1))
        inside = np.uint64(p) <= np.uint64(window)
        return add(sums, m, p, sign), inside

    def more(sums, values, base, add, fraction, field, window):  # type: ignore[no-untyped-def]
        sums, first = taken(sums, values[:1], base, add, fraction, field, window)
        sums, others = taken(sums, values[1:], base, add, fraction, field, window)
        return sums, first & others

    return one if len(values) == 1 else more


@inline
def add_digit(digits, at, place, d):  # type: ignore[no-untyped-def]
    """Add d 2^place, d a signed integer of less than 2^44, to digits from `at` on."""
    k = at + (np.int64(place) >> np.int64(5))
    s = np.int64(place) & np.int64(31)
    cuda.atomic.add(digits, k, np.int64(np.uint64(d << s) & LOW))
    cuda.atomic.add(digits, k + 1, d >> (I32 - s))


@inline
def add_apart(digits, m, e, sign, squares):  # type: ignore[no-untyped-def]
    """Add a value outside the window: m 2^e and m^2 2^(2 e)."""
    one = np.int64(sign) | np.int64(1)
    add_digit(digits, 0, e, np.int64(m & LOW) * one)
    add_digit(digits, 0, e + 32, np.int64(m >> U32) * one)
    low, high = square(m)
    add_digit(digits, squares, 2 * e, np.int64(low & LOW))
    add_digit(digits, squares, 2 * e + 32, np.int64(low >> U32))
    add_digit(digits, squares, 2 * e + 64, np.int64(high & LOW))
    add_digit(digits, squares, 2 * e + 96, np.int64(high >> U32))


@inline
def warp_total(v):  # type: ignore[no-untyped-def]
    offset = 16
    while offset > 0:
        v += shuffle_down(WARP, v, offset)
        offset >>= 1
    return v


@inline
def add_total(digits, at, place, word, lane):  # type: ignore[no-untyped-def]
    """Add the sum of a warp's words of less than 2^39, signed, to the digits."""
    d = warp_total(word)
    if lane == 0:
        add_digit(digits, at, place, d)


def exact_kernel(storage: Format) -> Callable[..., None]:
    """One block a row, or `parts` blocks. Each leaves its digits in `answers`: int64 (total, parts, digits)."""
    size = storage.dtype.itemsize
    layout = layout_of(storage)
    fraction, field, window = layout.fraction, layout.field, layout.window
    squares, special, count = layout.x, layout.x + layout.squares, layout.count
    add, settled = (wide, settled_wide) if size == 8 else (narrow, settled_narrow)
    width = 8 if size == 2 else 4
    ahead = 4 if size == 4 else 2  # 16 values, or 8 of float64, whose integers take more registers
    bits = f"bits{8 * size}"
    read_steps = reader(bits, types.uint64, width, ahead)
    read_value = reader(bits, types.uint64, 1, 1)

    def exact(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, team, centres, states, counts, answers,
    ):  # fmt: skip
        digits = cuda.shared.array(count, types.int64)
        top = cuda.shared.array(1, types.int32)
        member = np.int64(cuda.threadIdx.x)
        lane = cuda.threadIdx.x & 31
        whole = quotient(values, width)
        pace = parts * team
        segments_on = quotient(pace * width, length)
        step_on = pace * width - segments_on * length
        step_bytes = (segments_on * segment_stride + step_on * stride) * size
        next_bytes = stride * size
        wrap = (segment_stride - length * stride) * size
        job = np.int64(cuda.blockIdx.x)
        while job < total * parts:
            row = quotient(job, parts)
            part = job - row * parts
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            by_vectors = vectors if base & 15 == 0 else 0
            step = part * team + member
            turns = int32(quotient(whole + pace - 1 - step, pace))
            tail = int32(values - whole * width if step + turns * pace == whole else 0)
            segment = quotient(step * width, length)
            offset = int32(step * width - segment * length)
            address = base + (segment * segment_stride + offset * stride) * size
            k = member
            while k < count:
                digits[k] = 0
                k += team
            if member == 0:
                top[0] = 1
            cuda.syncthreads()
            if turns > 0 or tail > 0:
                x, _, _ = read_value(0, address, offset, next_bytes, int32(1), next_bytes, int32(length), wrap)
                _, e, found = parts_of(x[0], fraction, field)
                if found < field:
                    cuda.atomic.max(top, 0, e)
            cuda.syncthreads()
            start = int32(max(min(top[0] + 4 - window, field - 1 - window), 1))
            sums = Sums(U0, U0, U0, U0, U0, np.int64(0))
            while turns > 0 or tail > 0:
                many = turns >= ahead
                inside = False
                after_address, after_offset = address, offset
                if many:
                    xs, after_address, after_offset = read_steps(
                        by_vectors, address, offset, step_bytes, int32(step_on), next_bytes, int32(length), wrap
                    )
                    found_sums, inside = taken(sums, xs, start, add, fraction, field, window)
                    if inside:
                        sums = settled(found_sums)
                if not inside:
                    steps = int32(ahead if many else 1)
                    here = int32(width if turns > 0 else tail)
                    while steps > 0:
                        at, place = address, offset
                        for _ in range(here):
                            x, at, place = read_value(
                                0, at, place, next_bytes, int32(1), next_bytes, int32(length), wrap
                            )
                            m, e, found = parts_of(x[0], fraction, field)
                            p = int32(e - start)
                            sign = -np.int64((x[0] >> np.uint64(fraction)) // np.uint64(field + 1))
                            if found == field:
                                nan = (m & ((U1 << np.uint64(fraction)) - U1)) != U0
                                cuda.atomic.add(digits, special + (0 if nan else 1 - sign), np.int64(1))
                            elif p >= 0 and p <= window:
                                sums = settled(add(sums, m, p, sign))
                            elif m != U0:
                                add_apart(digits, m, e, sign, squares)
                        _, address, offset = read_value(
                            0, address, offset, step_bytes, int32(step_on), 0, int32(length), wrap
                        )
                        steps = int32(steps - 1)
                    after_address, after_offset = address, offset
                address, offset = after_address, after_offset
                tail = tail if turns > 0 else int32(0)
                turns = int32(max(turns - (ahead if many else 1), 0))
            # What the ones' complements lack comes to the lowest word; the digits of 32 bits, warp by warp.
            sums = settled(sums)
            add_total(digits, 0, start, np.int64(sums.s0 & LOW) + sums.negative, lane)
            if size == 8:
                add_total(digits, 0, start + 32, np.int64(sums.s0 >> U32), lane)
                add_total(digits, 0, start + 64, np.int64(sums.s1), lane)
            else:
                add_total(digits, 0, start + 32, np.int64(sums.s1), lane)
            add_total(digits, squares, 2 * start, np.int64(sums.q0 & LOW), lane)
            add_total(digits, squares, 2 * start + 32, np.int64(sums.q0 >> U32), lane)
            add_total(digits, squares, 2 * start + 64, np.int64(sums.q1 & LOW), lane)
            add_total(digits, squares, 2 * start + 96, np.int64(sums.q1 >> U32), lane)
            if size == 8:
                add_total(digits, squares, 2 * start + 128, np.int64(sums.q2 & LOW), lane)
                add_total(digits, squares, 2 * start + 160, np.int64(sums.q2 >> U32), lane)
            cuda.syncthreads()
            k = member
            while k < count:
                put(digits[k], answers, job * count + k)
                k += team
            cuda.syncthreads()
            job += cuda.gridDim.x

    return exact
