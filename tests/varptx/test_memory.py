"""varptx's memory: every form of load, store and atomic, and every way in which an access can be wrong."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

import numpy as np
import pytest
from ptx_forms import WIDTH, arithmetic, integer_of
from ptx_texts import kernel

import varptx


def parts(name: str) -> tuple[str, str, int, str]:
    """Stem, space, length of vector and type of a load or store."""
    found = re.fullmatch(r"(ld|st)(?:\.(global|shared|local|param))?(?:\.v(\d))?\.(\w+)", name)
    assert found
    return found[1], found[2] or "", int(found[3] or 1), found[4]


DATA = bytes([0x81, 0x92, 0x7F, 0xF1, 5, 6, 7, 0x88, 9, 10, 11, 0xC0, 13, 14, 15, 0xF0])
LOADS = [name for name in varptx.FORMS if name.startswith("ld.")]
STORES = [name for name in varptx.FORMS if name.startswith("st.")]
VARIABLES = ".shared .align 16 .b8 sh[16]; .local .align 16 .b8 lo[16];\n"


@pytest.mark.parametrize("kind", sorted({parts(name)[3] for name in LOADS}))
def test_loads(kind: str) -> None:
    names = [name for name in LOADS if parts(name)[3] == kind]
    reg, wide = (kind, WIDTH[kind]) if kind in ("f32", "f64") else ("b64", 64)
    body = [".reg .b64 %x<4>;", VARIABLES, f".reg .{reg} %v<4>; ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1];"]
    body += [
        "ld.global.v2.b64 {%x0, %x1}, [%rd0]; st.shared.v2.b64 [sh], {%x0, %x1}; st.local.v2.b64 [lo], {%x0, %x1};"
    ]
    where = {"": "%rd0", "global": "%rd0", "shared": "sh", "local": "lo", "param": "p2"}
    for i, name in enumerate(names):
        _, space, vector, _ = parts(name)
        targets = "{" + ", ".join(f"%v{j}" for j in range(vector)) + "}" if vector > 1 else "%v0"
        body.append(f"{name} {targets}, [{where[space]}];")
        body += [f"st.global.{reg} [%rd1+{32 * i + 8 * j}], %v{j};" for j in range(vector)]
    out = np.zeros((len(names), 4), np.uint64)
    memory = varptx.Memory()
    made = kernel("\n".join(body), ".param .u64 p0, .param .u64 p1, .param .align 16 .b8 p2[16]")
    x = memory.place(np.frombuffer(DATA, np.uint8), readonly=True)
    made.launch(memory, grid=1, block=1, args=[x, memory.place(out), DATA])
    size = WIDTH[kind] // 8
    for name, row in zip(names, out, strict=True):
        for j in range(parts(name)[2]):
            bits = int.from_bytes(DATA[j * size : (j + 1) * size], "little")
            assert int(row[j]) == integer_of(bits, kind) & ((1 << wide) - 1), name


@pytest.mark.parametrize("kind", sorted({parts(name)[3] for name in STORES}))
def test_stores(kind: str) -> None:
    names = [name for name in STORES if parts(name)[3] == kind]
    reg = kind if kind in ("f32", "f64") else "b64"
    size = WIDTH[kind] // 8
    body = [VARIABLES, f".reg .{reg} %v<4>;"]
    body += ["ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1];"]
    body += [f"ld.global.{reg} %v{j}, [%rd0+{8 * j}];" for j in range(4)]
    for i, name in enumerate(names):
        _, space, vector, _ = parts(name)
        values = "{" + ", ".join(f"%v{j}" for j in range(vector)) + "}" if vector > 1 else "%v0"
        place = {"shared": "sh", "local": "lo"}.get(space, f"%rd1+{16 * i}")
        body.append(f"{name} [{place}], {values};")
        if space in ("shared", "local"):
            for at in range(0, size * vector, size):
                body.append(
                    f"ld.{space}.b{8 * size} %rd2, [{place}+{at}]; st.global.b{8 * size} [%rd1+{16 * i + at}], %rd2;"
                )
    out = np.zeros((len(names), 16), np.uint8)
    memory = varptx.Memory()
    source = bytes(range(1, 33))
    x = memory.place(np.frombuffer(source, np.uint8), readonly=True)
    kernel("\n".join(body)).launch(memory, grid=1, block=1, args=[x, memory.place(out)])
    for name, row in zip(names, out, strict=True):
        vector = parts(name)[2]
        want = b"".join(source[8 * j : 8 * j + size] for j in range(vector))
        assert bytes(row) == want + bytes(16 - len(want)), name


def flushed(bits: int) -> int:
    return bits if bits & 0x7F800000 else bits & 0x80000000


def stored(op: str, kind: str, space: str) -> Callable[..., int]:
    """What an atomic leaves in memory, on bits."""
    mask = (1 << WIDTH[kind]) - 1

    def model(old: int, x: int, y: int) -> int:
        a, b = (integer_of(each, kind) for each in (old, x))
        if kind == "f32" and space == "global":
            return flushed(arithmetic("add", kind, flushed(old), flushed(x)))
        if kind in ("f32", "f64"):
            return arithmetic("add", kind, old, x)
        if op in ("inc", "dec"):
            return (0 if old >= x else old + 1) if op == "inc" else (x if old == 0 or old > x else old - 1)
        if op in ("exch", "cas"):
            return x if op == "exch" else (y if old == x else old)
        plain = {
            "add": operator.add,
            "min": min,
            "max": max,
            "and": operator.and_,
            "or": operator.or_,
            "xor": operator.xor,
        }
        return plain[op](a, b) & mask

    return model


ATOMICS = [name for name in varptx.FORMS if name.split(".")[0] in ("atom", "red")]
VALUES = {
    "f32": [
        0,
        0x80000000,
        1,
        0x807FFFFF,
        0x3F800000,
        0xBF800001,
        0x7F7FFFFF,
        0x7F800000,
        0xFF800000,
        0x7FC00001,
        0x00800000,
    ],
    "f64": [
        0,
        1 << 63,
        1,
        0x3FF0000000000000,
        0xBFF0000000000001,
        0x7FF0000000000000,
        0xFFF0000000000000,
        0x7FF8000000000003,
    ],
}


@pytest.mark.parametrize("name", ATOMICS)
def test_atomics(name: str) -> None:
    stem, *middle, op, kind = name.split(".")
    space = middle[0] if middle else ""
    width = WIDTH[kind]
    top = 1 << width - 1
    values = VALUES.get(kind, [0, 1, 5, top - 1, top, 2 * top - 1, 0x5A5A5A5A])
    rows = [(a, b, c) for a in values for b in values for c in (values[:2] if op == "cas" else values[:1])]
    reg = kind if kind in ("f32", "f64") else f"b{width}"
    place = "[sh]" if space == "shared" else "[%rd5]"
    given = f"{place}, %v1" + (", %v2" if op == "cas" else "")
    body = f""".shared .align 8 .b8 sh[8]; .reg .{reg} %v<5>;
    mov.u32 %r0, %ctaid.x; mul.wide.u32 %rd0, %r0, 32; ld.param.u64 %rd1, [p0]; add.s64 %rd2, %rd1, %rd0;
    add.s64 %rd5, %rd2, 24;
    ld.global.{reg} %v0, [%rd2]; ld.global.{reg} %v1, [%rd2+8]; ld.global.{reg} %v2, [%rd2+16];
    st.{space or "global"}.{reg} {place}, %v0;
    {f"{name} %v3, {given};" if stem == "atom" else f"{name} {given};"}
    ld.{space or "global"}.{reg} %v4, {place};
    st.global.{reg} [%rd2+24], %v4;
    {f"st.global.{reg} [%rd2], %v3;" if stem == "atom" else ""}"""
    table = np.array([[*row, 0] for row in rows], np.uint64)
    memory = varptx.Memory()
    kernel(body, ".param .u64 p0").launch(memory, grid=len(rows), block=1, args=[memory.place(table)])
    model = stored(op, kind, space)
    for row, got in zip(rows, table.tolist(), strict=True):
        assert got[3] == model(*row), (name, [hex(each) for each in row], hex(got[3]))
        assert got[0] == row[0]


def test_atomics_run_in_the_order_of_threads() -> None:
    body = """ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1];
    mov.u32 %r0, %ctaid.x; mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r3, %r0, %r1, %r2;
    mul.wide.u32 %rd2, %r3, 4; add.s64 %rd3, %rd0, %rd2; ld.global.f32 %f0, [%rd3]; red.global.add.f32 [%rd1], %f0;"""
    x = np.random.default_rng(1).standard_normal(3 * 100).astype(np.float32)
    total = np.zeros(1, np.float32)
    memory = varptx.Memory()
    kernel(body).launch(memory, grid=3, block=100, args=[memory.place(x, readonly=True), memory.place(total)])
    want = np.float32(0)
    for each in x:
        want += each
    assert total[0] == want


def test_generic_addresses_reach_every_space() -> None:
    body = f"""{VARIABLES}
    ld.param.u64 %rd0, [p0]; cvta.shared.u64 %rd1, sh; mov.u64 %rd2, lo; cvta.local.u64 %rd3, %rd2;
    st.b32 [%rd1+4], 77; st.b32 [%rd3+8], 88; ld.shared.b32 %r0, [sh+4]; ld.local.b32 %r1, [lo+8];
    cvta.to.shared.u64 %rd4, %rd1; ld.shared.b32 %r2, [%rd4+4]; ld.b32 %r3, [%rd3+8];
    cvta.to.global.u64 %rd5, %rd0; st.global.v4.b32 [%rd5], {{%r0, %r1, %r2, %r3}};"""
    out = np.zeros(4, np.uint32)
    memory = varptx.Memory()
    kernel(body, ".param .u64 p0").launch(memory, grid=1, block=1, args=[memory.place(out)])
    assert out.tolist() == [77, 88, 77, 88]


def test_dynamic_shared_memory_follows_the_static() -> None:
    before = (
        ".extern .shared .align 16 .b8 dynamic[];\n.shared .align 4 .b8 unused[64];\n.shared .align 4 .b8 fixed[12];"
    )
    body = """mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2; mov.u32 %r2, dynamic; add.u32 %r3, %r2, %r1;
    st.shared.u32 [%r3], %r0; st.shared.u32 [fixed], 9; ld.param.u64 %rd0, [p0];
    mov.u32 %r4, %dynamic_smem_size; bar.sync 0;
    ld.shared.u32 %r5, [dynamic+28]; st.global.v4.u32 [%rd0], {%r2, %r4, %r5, %r5};"""
    made = kernel(body, ".param .u64 p0", before)
    out = np.zeros(4, np.uint32)
    memory = varptx.Memory()
    y = memory.place(out)
    made.launch(memory, grid=2, block=8, args=[y], shared=32)
    assert out.tolist() == [16, 32, 7, 7]
    with pytest.raises(
        varptx.OutOfBounds, match=r"thread \(7, 0, 0\): write of 4 bytes at 0x2c: outside the 44 bytes of shared"
    ):
        made.launch(memory, grid=1, block=8, args=[y], shared=28)


COPY = """ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; mov.u32 %r0, %tid.x; mul.wide.u32 %rd2, %r0, 16;
add.s64 %rd3, %rd0, %rd2; add.s64 %rd4, %rd1, %rd2;
ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd3];
st.global.v4.f32 [%rd4], {%f0, %f1, %f2, %f3};"""


def test_copy_and_what_was_written() -> None:
    x, y = np.arange(8, dtype=np.float32), np.full(12, -1, np.float32)
    memory = varptx.Memory()
    source, target = memory.place(x, readonly=True), memory.place(y, initialised=False)
    assert source.address % 256 == 0
    assert target.address % 256 == 0
    kernel(COPY).launch(memory, grid=1, block=2, args=[source, target])
    assert y.tolist() == [*range(8), -1, -1, -1, -1]
    assert target.written.tolist() == [True] * 32 + [False] * 16


def failing(
    error: type[varptx.ExecutionError], match: str, body: str = COPY, block: int = 2, words: int = 8, **places: object
) -> varptx.ExecutionError:
    """Run a kernel on two buffers of ``words`` floats, which must fail as told."""
    memory = varptx.Memory()
    x, y = np.zeros(words, np.float32), np.zeros(words, np.float32)
    offset = places.pop("offset", 0)
    assert isinstance(offset, int)
    source = memory.place(x, readonly=True, offset=offset, initialised=not places.pop("fresh", False))
    target = memory.place(y, readonly=bool(places.pop("frozen", False)), initialised=False)
    with pytest.raises(error, match=match) as caught:
        kernel(body).launch(memory, grid=1, block=block, args=[source, target])
    return caught.value


def test_out_of_bounds() -> None:
    error = failing(
        varptx.OutOfBounds,
        r"read of 16 bytes at 0x100000000120: 0 bytes past the end of buffer 0, of 32 bytes",
        block=3,
    )
    assert (error.kernel, error.thread, error.block) == ("k", (2, 0, 0), (0, 0, 0))
    assert error.instruction.startswith("ld.global.v4.f32")
    assert error.line == 9
    assert str(error).startswith(
        "k, line 9: 'ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd3]', block (0, 0, 0), thread (2, 0, 0): "
    )


@pytest.mark.parametrize("offset", [-1, -4, -(1 << 40), -300, 32, 3 << 40, 1 << 62])
def test_addresses_outside(offset: int) -> None:
    body = f"ld.param.u64 %rd0, [p0]; add.s64 %rd1, %rd0, {offset}; ld.global.b8 %r0, [%rd1];"
    failing(varptx.OutOfBounds, "bytes at 0x", body)


def test_a_space_keeps_to_itself() -> None:
    """A .global access must not reach shared memory through its generic window, nor anything at 0."""
    body = f"{VARIABLES} st.shared.b32 [sh], 1; cvta.shared.u64 %rd1, sh; ld.global.b32 %r0, [%rd1];"
    failing(varptx.OutOfBounds, "buffer 0", body)
    failing(varptx.OutOfBounds, "at 0x0: ", "mov.u64 %rd1, 0; ld.global.b32 %r0, [%rd1];")
    failing(varptx.OutOfBounds, "at 0x10: outside the 16 bytes of shared", f"{VARIABLES} st.shared.b32 [sh+16], 1;")
    failing(
        varptx.OutOfBounds, "outside the 16 bytes of local", f"{VARIABLES} mov.u64 %rd1, lo; st.local.b32 [%rd1+-4], 1;"
    )


def test_misaligned() -> None:
    failing(varptx.Misaligned, r"read of 16 bytes at 0x100000000104: the address is no multiple of 16", offset=4)
    failing(varptx.Misaligned, "no multiple of 8", f"{VARIABLES} st.shared.b64 [sh+4], 1;")


def test_readonly() -> None:
    failing(
        varptx.OutOfBounds, r"write of 16 bytes .* buffer 1, of 32 bytes at 0x\w+, which may only be read", frozen=True
    )


def test_uninitialised() -> None:
    failing(varptx.Uninitialised, "nothing has written byte 0 of it", fresh=True)
    half = f"{VARIABLES} st.shared.b32 [sh], 1; ld.shared.b64 %rd0, [sh];"
    failing(varptx.Uninitialised, "of shared memory: nothing has written byte 4", half)
    failing(
        varptx.Uninitialised, "of local memory: nothing has written byte 3", f"{VARIABLES} ld.local.u8 %h0, [lo+3];"
    )
    failing(varptx.Uninitialised, "atomic of 4 bytes", "ld.param.u64 %rd0, [p1]; red.global.add.u32 [%rd0], 1;")


def test_shared_memory_is_fresh_in_every_block() -> None:
    body = f"""{VARIABLES} mov.u32 %r0, %ctaid.x; setp.eq.u32 %p0, %r0, 0;
    @%p0 st.shared.b32 [sh], 1; ld.shared.b32 %r1, [sh];"""
    memory = varptx.Memory()
    with pytest.raises(varptx.Uninitialised, match=r"block \(1, 0, 0\)"):
        kernel(body, "").launch(memory, grid=3, block=1)


def test_nothing_runs_after_an_error() -> None:
    body = """ld.param.u64 %rd0, [p0]; mov.u32 %r0, %ctaid.x; setp.eq.u32 %p0, %r0, 1; @%p0 trap;
    mul.wide.u32 %rd1, %r0, 4; add.s64 %rd2, %rd0, %rd1; st.global.u32 [%rd2], 1;"""
    out = np.zeros(3, np.uint32)
    memory = varptx.Memory()
    with pytest.raises(varptx.Trapped, match=r"'@%p0 trap', block \(1, 0, 0\), thread \(0, 0, 0\): the kernel trapped"):
        kernel(body, ".param .u64 p0").launch(memory, grid=3, block=1, args=[memory.place(out)])
    assert out.tolist() == [1, 0, 0]


@pytest.mark.parametrize("op", ["div.u32", "rem.s32", "div.s64", "rem.u16"])
def test_division_by_zero(op: str) -> None:
    reg = {"16": "%h", "32": "%r", "64": "%rd"}[op[-2:]]
    failing(varptx.Undefined, "division by zero", f"mov.b{op[-2:]} {reg}0, 0; {op} {reg}1, {reg}0, {reg}0;")


def test_endless_loop() -> None:
    made = kernel("again: bra again;", "")
    with pytest.raises(varptx.LimitReached, match="most likely an endless loop"):
        made.launch(varptx.Memory(), grid=1, block=1, limit=10**6)


def test_place_refuses() -> None:
    memory = varptx.Memory()
    with pytest.raises(TypeError, match="numpy array"):
        memory.place([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="C-contiguous"):
        memory.place(np.zeros(8)[::2])
    frozen = np.zeros(8)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="readonly=True"):
        memory.place(frozen)
    with pytest.raises(ValueError, match="offset"):
        memory.place(np.zeros(8), offset=-1)
    with pytest.raises(ValueError, match="objects"):
        memory.place(np.array([None]))


def test_many_buffers_and_an_empty_one() -> None:
    memory = varptx.Memory()
    arrays = [np.full(4, i, np.float32) for i in range(60)]
    buffers = [memory.place(array) for array in arrays]
    empty = memory.place(np.zeros(0, np.float32))
    kernel(COPY).launch(memory, grid=1, block=1, args=[buffers[59], buffers[0]])
    assert arrays[0].tolist() == [59] * 4
    with pytest.raises(varptx.OutOfBounds, match="of 0 bytes"):
        kernel(COPY).launch(memory, grid=1, block=1, args=[empty, buffers[0]])


def test_arguments() -> None:
    params = ".param .u64 p0, .param .f32 p1, .param .s32 p2, .param .u8 p3, .param .f64 p4, .param .u64 p5"
    body = """.reg .f64 %x; ld.param.u64 %rd0, [p0]; ld.param.f32 %f0, [p1]; ld.param.s32 %r0, [p2];
    ld.param.u8 %r1, [p3];
    ld.param.f64 %x, [p4]; ld.param.u64 %rd5, [p5]; cvt.f64.f32 %fd0, %f0;
    cvt.rn.f64.s32 %fd1, %r0; cvt.rn.f64.u32 %fd2, %r1; cvt.rn.f64.s64 %fd3, %rd5;
    st.global.v2.f64 [%rd0], {%fd0, %fd1}; st.global.v2.f64 [%rd0+16], {%fd2, %fd3}; st.global.f64 [%rd0+32], %x;"""
    made = kernel(body, params)
    assert [(p.name, p.type, p.size, p.offset) for p in made.params] == [
        *(("p0", "u64", 8, 0), ("p1", "f32", 4, 8), ("p2", "s32", 4, 12)),
        *(("p3", "u8", 1, 16), ("p4", "f64", 8, 24), ("p5", "u64", 8, 32)),
    ]
    out = np.zeros(5)
    memory = varptx.Memory()
    y = memory.place(out)
    made.launch(memory, grid=1, block=1, args=[y, np.float32(0.1), -5, np.uint8(200), 0.1, np.int64(-7)])
    assert out.tolist() == [float(np.float32(0.1)), -5, 200, -7, 0.1]
    good = [y, 1.0, 1, 1, 1.0, 1]
    for i, bad, error in [
        *(
            (1, 0.1, OverflowError),
            (1, y, TypeError),
            (2, 1.0, TypeError),
            (2, 2**32, OverflowError),
            (2, True, TypeError),
        ),
        *((3, 256, OverflowError), (4, "x", TypeError), (5, -(2**63) - 1, OverflowError), (2, y, TypeError)),
    ]:
        with pytest.raises(error, match=f"the parameter 'p{i}'"):
            made.launch(memory, grid=1, block=1, args=[*good[:i], bad, *good[i + 1 :]])
    with pytest.raises(TypeError, match="takes 6 arguments, not 5"):
        made.launch(memory, grid=1, block=1, args=good[:5])
    made.launch(memory, grid=1, block=1, args=[y, math.inf, 1, 1, math.nan, 1])
    assert out[0] == math.inf
    assert math.isnan(out[4])


def test_a_buffer_of_another_memory() -> None:
    here, there = varptx.Memory(), varptx.Memory()
    x, y = here.place(np.zeros(4, np.float32)), there.place(np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="the buffer for 'p1' is in another memory"):
        kernel(COPY).launch(here, grid=1, block=1, args=[x, y])


def test_parameters_are_bounded_when_loaded() -> None:
    with pytest.raises(varptx.UnknownInstruction, match="it reads 8 bytes at 4 of a parameter of 8"):
        kernel("ld.param.u64 %rd0, [p0+4];")
    with pytest.raises(varptx.UnknownInstruction, match="no parameter"):
        kernel("ld.param.u64 %rd0, [q];")


def test_the_models_agree_with_numpy() -> None:
    """A model of exact arithmetic can be wrong too: numpy's own additions of a few values."""
    for a, b in [(0x3F800000, 0x33800000), (0x00000001, 0x80000001), (0x7F7FFFFF, 0x73000000)]:
        x, y = np.array([a, b], np.uint32).view(np.float32)
        with np.errstate(over="ignore"):
            assert arithmetic("add", "f32", a, b) == int(np.array([x + y]).view(np.uint32)[0])
