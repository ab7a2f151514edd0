"""Threads in varptx: shuffles, votes, barriers, branches, special registers, and threads that wait for ever."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pytest
from ptx_forms import integer_of
from ptx_texts import kernel

import varptx

START = """ld.param.u64 %rd0, [p0]; mov.u32 %r0, %tid.x; mov.u32 %r9, %ctaid.x; mov.u32 %r8, %ntid.x;
mad.lo.u32 %r1, %r9, %r8, %r0; mul.wide.u32 %rd1, %r1, 16; add.s64 %rd2, %rd0, %rd1;"""


def launch(body: str, block: int | Sequence[int] = 32, grid: int = 1, given: object = None) -> np.ndarray:
    """Run a body in which thread i may write four words at %rd2; %r0 is its %tid.x, %r1 its number."""
    threads = int(np.prod(block)) * grid
    out = np.zeros((threads, 4), np.uint32)
    if given is not None:
        out[:] = given
    memory = varptx.Memory()
    kernel(START + body, ".param .u64 p0").launch(memory, grid=grid, block=block, args=[memory.place(out)])
    return out


def shuffled(mode: str, lane: int, b: int, c: int) -> tuple[int, int]:
    """Source lane and predicate: the ISA's pseudocode."""
    cval, segment = c & 31, c >> 8 & 31
    b &= 31
    most, least = (lane & segment) | (cval & ~segment), lane & segment
    j = {"up": lane - b, "down": lane + b, "bfly": lane ^ b, "idx": least | (b & ~segment & 31)}[mode]
    inside = j >= most if mode == "up" else j <= most
    return (j if inside else lane), int(inside)


@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize("width", [32, 16, 8, 2, 1])
def test_shuffles(mode: str, width: int) -> None:
    c = (32 - width) << 8 | (0 if mode == "up" else 31)
    for b in (0, 1, 3, 5, 16, 31, 33):
        body = f"""mul.lo.u32 %r2, %r0, 3; shfl.sync.{mode}.b32 %r3|%p0, %r2, {b}, {c}, -1; selp.u32 %r4, 1, 0, %p0;
        shfl.sync.{mode}.b32 %r5, %r2, {b}, {c}, 0xFFFFFFFF; st.global.v4.u32 [%rd2], {{%r3, %r4, %r5, %r2}};"""
        out = launch(body, block=64)
        for i, row in enumerate(out.tolist()):
            source, inside = shuffled(mode, i % 32, b, c)
            value = 3 * (i // 32 * 32 + source)
            assert row == [value, inside, value, 3 * i], (mode, width, b, i)


@pytest.mark.parametrize("clamp", [0, 4, 11, 31])
def test_shuffle_clamps(clamp: int) -> None:
    out = launch(
        f"shfl.sync.down.b32 %r2|%p0, %r0, 2, {clamp}, -1; selp.u32 %r3, 1, 0, %p0;"
        "st.global.v2.u32 [%rd2], {%r2, %r3};"
    )
    assert out[:, :2].tolist() == [list(shuffled("down", i, 2, clamp)) for i in range(32)]


def test_shuffle_among_some_lanes_of_a_partial_warp() -> None:
    body = """setp.ge.u32 %p0, %r0, 34; @!%p0 bra done; setp.ge.u32 %p1, %r0, 38; @%p1 bra done;
    shfl.sync.bfly.b32 %r2, %r0, 1, 31, 0x3C; st.global.u32 [%rd2], %r2; done:"""
    out = launch(body, block=40)
    assert out[:, 0].tolist() == [0] * 34 + [35, 34, 37, 36] + [0, 0]


def test_lanes_with_their_own_shuffle_operands() -> None:
    body = """sub.u32 %r2, 31, %r0; shfl.sync.idx.b32 %r3, %r0, %r2, 31, -1; @%p0 trap; st.global.u32 [%rd2], %r3;"""
    assert launch(body)[:, 0].tolist() == list(range(31, -1, -1))


def test_a_guarded_shuffle() -> None:
    body = """mov.u32 %r2, 7; setp.lt.u32 %p0, %r0, 4; @%p0 shfl.sync.idx.b32 %r2, %r0, 3, 31, 15;
    st.global.u32 [%rd2], %r2;"""
    assert launch(body, block=8)[:, 0].tolist() == [3, 3, 3, 3, 7, 7, 7, 7]


@pytest.mark.parametrize("block", [64, 40])
def test_shuffles_that_share_a_wait(block: int) -> None:
    """With copies around them; seven, which is more than share one. The last warp may have eight threads."""
    made = "".join(f"mad.lo.u32 %s{i}, %r0, 10, {i};" for i in range(7))
    moved = "".join(
        f"mov.u32 %m{i}, %s{i}; shfl.sync.bfly.b32 %d{i}|%p0, %m{i}, 2, 31, %r4; mov.u32 %r3, %d0;" for i in range(7)
    )
    added = "".join(f"mad.lo.u32 %r7, %r7, 3, %d{i};" for i in range(7))
    body = f""".reg .b32 %s<7>; .reg .b32 %m<7>; .reg .b32 %d<7>; {made} mov.u32 %r4, -1; setp.ge.u32 %p1, %r0, 32;
    @%p1 mov.u32 %r4, {-1 if block == 64 else 255}; {moved} mov.u32 %r7, 0; {added} selp.u32 %r8, 1, 0, %p0;
    st.global.v4.u32 [%rd2], {{%r7, %r3, %r8, %d6}};"""
    for i, row in enumerate(launch(body, block=block).tolist()):
        given = [10 * (i ^ 2) + k for k in range(7)]
        assert row == [reduce(lambda a, b: 3 * a + b, given), given[0], 1, given[6]], i


def test_a_shuffle_of_what_another_gave_waits_for_it() -> None:
    body = """shfl.sync.down.b32 %r2, %r0, 1, 31, -1; shfl.sync.down.b32 %r3, %r2, 1, 31, -1; mov.u32 %r4, %r3;
    shfl.sync.down.b32 %r4, %r4, 1, 31, -1; mov.u32 %r5, 9; shfl.sync.down.b32 %r5, %r0, 1, 31, -1;
    st.global.v4.u32 [%rd2], {%r2, %r3, %r4, %r5};"""
    assert launch(body).tolist() == [[min(i + k, 31) for k in (1, 2, 3, 1)] for i in range(32)]


def test_a_branch_between_two_shuffles() -> None:
    """Some threads come to the second alone; they have made the first elsewhere."""
    body = """setp.lt.u32 %p0, %r0, 16; @%p0 bra low; shfl.sync.bfly.b32 %r2, %r0, 1, 31, 0xFFFF0000; bra next;
    low: shfl.sync.bfly.b32 %r2, %r0, 2, 31, 0x0000FFFF; next: shfl.sync.bfly.b32 %r3, %r0, 2, 31, -1;
    st.global.v2.u32 [%rd2], {%r2, %r3};"""
    assert launch(body)[:, :2].tolist() == [[i ^ (2 if i < 16 else 1), i ^ 2] for i in range(32)]


def test_registers_survive_a_wait() -> None:
    """Of every type, predicates too."""
    body = """mov.f32 %f0, 0f7F800001; mov.f64 %fd0, 0d3FF8000000000000; cvt.u16.u32 %h0, %r0; setp.eq.u32 %p0, %r0, 3;
    bar.sync 0; bar.warp.sync -1; selp.u32 %r2, 1, 0, %p0; cvt.u32.u16 %r3, %h0; cvt.rzi.u32.f64 %r4, %fd0;
    mov.b32 %r5, %f0; st.global.v4.u32 [%rd2], {%r2, %r3, %r4, %r5};"""
    assert launch(body, block=5).tolist() == [[int(i == 3), i, 1, 0x7F800001] for i in range(5)]


@pytest.mark.parametrize("held", [[], [5], [0, 1, 2], list(range(32))])
def test_votes(held: list[int]) -> None:
    bits = sum(1 << i for i in held)
    body = f"""shr.u32 %r2, {bits}, %r0; and.b32 %r2, %r2, 1; setp.ne.u32 %p0, %r2, 0;
    vote.sync.all.pred %p1, %p0, -1; vote.sync.any.pred %p2, %p0, -1; vote.sync.uni.pred %p3, %p0, -1;
    vote.sync.all.pred %p4, !%p0, -1; vote.sync.ballot.b32 %r3, %p0, -1;
    selp.u32 %r4, 1, 0, %p1; selp.u32 %r5, 2, 0, %p2; selp.u32 %r6, 4, 0, %p3; selp.u32 %r7, 8, 0, %p4;
    or.b32 %r4, %r4, %r5; or.b32 %r4, %r4, %r6; or.b32 %r4, %r4, %r7; st.global.v2.u32 [%rd2], {{%r3, %r4}};"""
    n = len(held)
    flags = (n == 32) | (n > 0) << 1 | (n in (0, 32)) << 2 | (n == 0) << 3
    assert launch(body)[:, :2].tolist() == [[bits, flags]] * 32


@pytest.mark.parametrize("name", [name for name in varptx.FORMS if name.startswith("redux.")])
def test_redux(name: str) -> None:
    op, kind = name.split(".")[2:]
    given = np.zeros((20, 4), np.uint32)
    given[:, 0] = np.random.default_rng(3).integers(0, 2**32, 20, dtype=np.uint32)
    out = launch(f"ld.global.u32 %r2, [%rd2]; {name} %r3, %r2, 0xFFFFF; st.global.u32 [%rd2+4], %r3;", 20, given=given)
    plain = {
        "add": lambda a, b: a + b,
        "min": min,
        "max": max,
        "and": int.__and__,
        "or": int.__or__,
        "xor": int.__xor__,
    }
    want = reduce(plain[op], [integer_of(int(each), kind) for each in given[:, 0]]) & 0xFFFFFFFF
    assert out[:, 1].tolist() == [want] * 20


def test_special_registers() -> None:
    block, grid = (5, 4, 3), (3, 2, 2)
    names = [f"%{group}.{axis}" for group in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"]
    names += ["%laneid", "%warpid", "%nwarpid", "WARP_SZ"] + [
        f"%lanemask_{name}" for name in ("eq", "le", "lt", "ge", "gt")
    ]
    body = """.reg .b32 %l<4>; ld.param.u64 %rd0, [p0]; mov.u32 %l0, %tid.z; mov.u32 %l1, %tid.y;
    mad.lo.u32 %l0, %l0, 4, %l1;
    mov.u32 %l1, %tid.x; mad.lo.u32 %l0, %l0, 5, %l1; mov.u32 %l2, %ctaid.z; mov.u32 %l1, %ctaid.y;
    mad.lo.u32 %l2, %l2, 2, %l1;
    mov.u32 %l1, %ctaid.x; mad.lo.u32 %l2, %l2, 3, %l1; mad.lo.u32 %l0, %l2, 60, %l0; mul.wide.u32 %rd1, %l0, 128;
    add.s64 %rd2, %rd0, %rd1;"""
    body += "".join(f"mov.u32 %r0, {name}; st.global.u32 [%rd2+{4 * i}], %r0;" for i, name in enumerate(names))
    out = np.zeros((12, 60, 32), np.uint32)
    memory = varptx.Memory()
    kernel(body, ".param .u64 p0").launch(memory, grid=grid, block=block, args=[memory.place(out)])
    for b in range(12):
        for t in range(60):
            lane = t % 32
            bit = 1 << lane
            want = [t % 5, t // 5 % 4, t // 20, *block, b % 3, b // 3 % 2, b // 6, *grid, lane, t // 32, 2, 32]
            want += [bit, 2 * bit - 1, bit - 1, 2**32 - bit, 2**32 - 2 * bit]
            assert out[b, t, : len(want)].tolist() == want


def test_a_block_of_1024_reduces_through_shared_memory() -> None:
    body = """.shared .align 4 .b8 sh[4096]; shl.b32 %r2, %r0, 2; mov.u32 %r3, sh; add.u32 %r3, %r3, %r2;
    add.u32 %r4, %r1, 1; st.shared.u32 [%r3], %r4; mov.u32 %r5, 512;
    loop: bar.sync 0; setp.ge.u32 %p0, %r0, %r5; @%p0 bra skip;
    shl.b32 %r6, %r5, 2; add.u32 %r6, %r6, %r3; ld.shared.u32 %r7, [%r6]; ld.shared.u32 %r4, [%r3];
    add.u32 %r4, %r4, %r7; st.shared.u32 [%r3], %r4; skip: shr.u32 %r5, %r5, 1; setp.ne.u32 %p1, %r5, 0; @%p1 bra loop;
    st.global.u32 [%rd2], %r4;"""
    out = launch(body, block=1024, grid=3)
    assert out[::1024, 0].tolist() == [sum(range(1 + b, b + 1025)) for b in (0, 1024, 2048)]


def test_barriers_by_number_and_count() -> None:
    """Warp 0 and warp 1 meet at barrier 3 while warp 2 waits at barrier 0 for all that is left."""
    body = """.shared .align 4 .b8 sh[4]; setp.ge.u32 %p0, %r0, 64; @%p0 bra last;
    setp.ge.u32 %p1, %r0, 32; @%p1 bra second;
    st.shared.u32 [sh], 5; barrier.sync 3, 64; bra last;
    second: barrier.sync 3, 64; ld.shared.u32 %r2, [sh]; st.global.u32 [%rd2], %r2;
    last: bar.sync 0; st.global.u32 [%rd2+4], 1;"""
    out = launch(body, block=96)
    assert out[:, 0].tolist() == [0] * 32 + [5] * 32 + [0] * 32
    assert out[:, 1].tolist() == [1] * 96


def test_barrier_forgets_threads_that_have_ended() -> None:
    out = launch("setp.ge.u32 %p0, %r0, 40; @%p0 exit; bar.sync 0; st.global.u32 [%rd2], 1;", block=70)
    assert out[:, 0].tolist() == [1] * 40 + [0] * 30


@pytest.mark.parametrize("threads", [1, 31, 33, 100])
def test_tails(threads: int) -> None:
    body = "setp.ge.u32 %p0, %r1, 150; @%p0 bra done; st.global.u32 [%rd2], %r1; done:"
    out = launch(body, block=threads, grid=2)
    assert out[:, 0].tolist() == [i if i < 150 else 0 for i in range(2 * threads)]


def test_guards() -> None:
    body = """setp.lt.u32 %p0, %r0, 2; mov.u32 %r2, 10; @%p0 mov.u32 %r2, 20; @!%p0 add.u32 %r2, %r2, 1; @%p0 ret;
    st.global.u32 [%rd2], %r2;"""
    assert launch(body, block=4)[:, 0].tolist() == [0, 0, 11, 11]


def test_loops_and_bodies_in_braces() -> None:
    body = """mov.u32 %r2, 0; mov.u32 %r3, %r0;
    {
      .reg .b32 %r3; .reg .pred more;
      mov.u32 %r3, 0;
    again: add.u32 %r2, %r2, %r0; add.u32 %r3, %r3, 1; setp.lt.u32 more, %r3, 5; @more bra.uni again;
    }
    st.global.v2.u32 [%rd2], {%r2, %r3};"""
    assert launch(body, block=3)[:, :2].tolist() == [[5 * i, i] for i in range(3)]


def test_fences_and_hints_change_nothing() -> None:
    body = """membar.gl; fence.acq_rel.gpu; membar.cta; fence.sc.sys; st.volatile.global.cs.u32 [%rd2], 3;
    ld.acquire.gpu.global.L1::no_allocate.u32 %r2, [%rd2]; atom.acq_rel.gpu.global.add.u32 %r3, [%rd2], %r2;
    .pragma "nounroll"; ld.global.nc.u32 %r4, [%rd2]; st.global.u32 [%rd2+4], %r4; barrier.sync.aligned 0; ret.uni;"""
    assert launch(body, block=2)[:, :2].tolist() == [[6, 6]] * 2


def test_deadlock_between_a_barrier_and_a_shuffle() -> None:
    body = "setp.lt.u32 %p0, %r0, 8; @%p0 bra a; bar.sync 0; bra b; a: shfl.sync.idx.b32 %r2, %r0, 0, 31, -1; b:"
    with pytest.raises(varptx.Deadlock) as caught:
        launch(body)
    told = str(caught.value)
    assert "8 threads waiting at line 8 ('shfl.sync.idx.b32 %r2, %r0, 0, 31, -1', membermask 0xffffffff)" in told
    assert "24 threads waiting at line 8 ('bar.sync 0'), the first (8, 0, 0)" in told
    assert caught.value.block == (0, 0, 0)


def test_deadlock_at_different_shuffles() -> None:
    body = """setp.lt.u32 %p0, %r0, 8; @%p0 shfl.sync.idx.b32 %r2, %r0, 0, 31, -1;
    @!%p0 shfl.sync.idx.b32 %r2, %r0, 0, 31, -1;"""
    with pytest.raises(varptx.Deadlock, match=r"8 threads waiting .*; 24 threads waiting"):
        launch(body)


def test_deadlock_at_different_barriers() -> None:
    body = "setp.lt.u32 %p0, %r0, 32; @%p0 bra a; bar.sync 1; bra b; a: bar.sync 2; b:"
    with pytest.raises(varptx.Deadlock, match=r"32 threads waiting at line 8 .'bar.sync 2'.*; 32 threads waiting"):
        launch(body, block=64)
    with pytest.raises(varptx.Deadlock, match="no thread of the block can go on: 32 threads"):
        launch("barrier.sync 0, 64;", block=32)


def test_an_aligned_barrier_needs_the_whole_warp() -> None:
    body = "setp.lt.u32 %p0, %r0, 8; @%p0 bra a; bar.sync 0; bra b; a: bar.sync 0; b:"
    with pytest.raises(varptx.Undefined, match="threads of one warp wait at different barriers"):
        launch(body)
    launch(body.replace("bar.sync", "barrier.sync"))
    launch(body.replace("%r0, 8", "%r0, 32"), block=64)


def test_a_count_of_threads_must_be_sound() -> None:
    with pytest.raises(varptx.Undefined, match=r"its count \(33\) a positive multiple of 32"):
        launch("bar.sync 0, 33;", block=64)
    with pytest.raises(varptx.Undefined, match="number must be below 16"):
        launch("add.u32 %r2, %r8, 0; bar.sync %r2;", block=64)
    with pytest.raises(varptx.UnknownInstruction, match="barriers are numbered 0 to 15"):
        launch("bar.sync 16;")


def test_a_thread_outside_its_own_mask() -> None:
    with pytest.raises(varptx.Undefined, match="lane 1 is not in its own membermask 0x00000001"):
        launch("bar.warp.sync 1;")


@pytest.mark.parametrize(
    ("body", "match", "block"),
    [
        (
            "shfl.sync.down.b32 %r2, %r0, 1, 31, -1;",
            "lane 19 takes the value of lane 20, which the block does not have",
            20,
        ),
        (
            "setp.eq.u32 %p0, %r0, 9; @%p0 exit; shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1;",
            "of lane 9, which has ended",
            32,
        ),
        ("setp.gt.u32 %p0, %r0, 3; @%p0 exit; shfl.sync.idx.b32 %r2, %r0, 4, 31, 15;", "lane 4, which has ended", 32),
        (
            "setp.gt.u32 %p0, %r0, 3; @%p0 bra b; shfl.sync.idx.b32 %r2, %r0, 4, 31, 15; b: bar.sync 0;",
            "not in the membermask",
            32,
        ),
    ],
)
def test_shuffles_from_lanes_that_give_nothing(body: str, match: str, block: int) -> None:
    with pytest.raises(varptx.Undefined, match=match):
        launch(body, block=block)


def test_ended_threads_do_not_hold_up_a_shuffle() -> None:
    body = "setp.gt.u32 %p0, %r0, 3; @%p0 exit; shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1; st.global.u32 [%rd2], %r2;"
    assert launch(body)[:5, 0].tolist() == [1, 0, 3, 2, 0]


def test_the_opposite_order_shows_a_race() -> None:
    """Without a barrier a thread may read its neighbour's value or not; with one it always does."""
    race = """.shared .align 4 .b8 sh[512]; mov.u64 %rd3, sh; mul.wide.u32 %rd4, %r0, 4; add.s64 %rd3, %rd3, %rd4;
    st.shared.u32 [%rd3], 7; BARRIER st.shared.u32 [%rd3], %r0; BARRIER
    xor.b32 %r2, %r0, 1; sub.u32 %r2, %r2, %r0; mul.wide.s32 %rd4, %r2, 4; add.s64 %rd3, %rd3, %rd4;
    ld.shared.u32 %r3, [%rd3]; st.global.u32 [%rd2], %r3;"""
    for barrier, same in (("bar.sync 0;", True), ("", False)):
        made = kernel(
            START + race.replace("BARRIER st", "bar.sync 0; st").replace("BARRIER", barrier), ".param .u64 p0"
        )
        results = []
        for reverse in (False, True):
            out = np.zeros((2 * 70, 4), np.uint32)
            memory = varptx.Memory()
            made.launch(memory, grid=2, block=70, args=[memory.place(out)], reverse=reverse)
            results.append(out[:, 0].tolist())
        assert (results[0] == results[1]) == same
    assert results[0][:2] == [7, 0]
    assert results[1][:2] == [1, 7]
