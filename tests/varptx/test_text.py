"""What varptx refuses, and in which words; modules, launches and the cache of object code."""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from ptx_texts import HEAD, kernel

import varptx
from varptx import jit


@pytest.mark.parametrize(
    ("instruction", "match"),
    [
        ("mul.ftz.f32 %f0, %f1, %f2;", r"line 7: 'mul.ftz.f32 %f0, %f1, %f2': .ftz is refused: it flushes subnormals"),
        ("add.rn.ftz.f32 %f0, %f1, %f2;", ".ftz is refused"),
        ("setp.lt.ftz.f32 %p0, %f1, %f2;", ".ftz is refused"),
        ("cvt.rn.ftz.f32.f64 %f0, %fd0;", ".ftz is refused"),
        ("div.approx.f32 %f0, %f1, %f2;", ".approx is refused: its result is approximate"),
        ("sqrt.approx.f32 %f0, %f1;", ".approx is refused"),
        ("rcp.approx.ftz.f64 %fd0, %fd1;", "is refused"),
        ("rsqrt.approx.f32 %f0, %f1;", ".approx is refused"),
        ("div.full.f32 %f0, %f1, %f2;", ".full is refused"),
        ("add.sat.f32 %f0, %f1, %f2;", ".sat is refused"),
        ("cvt.sat.u8.s32 %r0, %r1;", ".sat is refused"),
        ("fma.rn.relu.f16 %h0, %h1, %h2, %h3;", ".relu is refused"),
        ("add.rz.f32 %f0, %f1, %f2;", "the instruction 'add.rz.f32' is not known"),
        ("call.uni f, (%r0);", "the instruction 'call.uni' is not known"),
        ("frobnicate.b32 %r0;", "the instruction 'frobnicate.b32' is not known"),
        ("activemask.b32 %r0;", "the instruction 'activemask.b32' is not known"),
        ("shfl.down.b32 %r0, %r1, 1, 31;", "the instruction 'shfl.down.b32' is not known"),
        ("fence.proxy.async;", "the instruction 'fence.proxy.async' is not known"),
        ("atom.add.f32 %f0, [%rd0], %f1;", "the instruction 'atom.add.f32' is not known"),
        ("add.s32 %r0, %r1;", "'add.s32' takes 3 operands, not 2"),
        ("add.s32 %r0, %r1, %rd2;", "the register '%rd2' is .b64, not .s32"),
        ("add.s64 %r0, %rd1, %rd2;", "the register '%r0' is .b32, not .s64"),
        ("mov.u32 %p0, 1;", "the register '%p0' is .pred"),
        ("add.u16 %h0, %h1, 70000;", "the literal 70000 does not fit u16"),
        ("add.f32 %f0, %f1, 1e40;", "the literal 1e"),
        ("add.f64 %fd0, %fd1, 0f3F800000;", "a literal of type f32 is no f64"),
        ("mov.u32 %r0, nowhere;", "'nowhere' is no .shared or .local variable"),
        ("ld.global.u32 %r0, [numba];", "'numba' is no variable in .global memory"),
        ("ld.global.v2.u32 %r0, [%rd0];", "it needs a vector of 2"),
        ("mov.b32 {%r0, %r1}, %r2;", "the register '%r0' is .b32, not .b16"),
        ("add.s32 5, %r0, %r1;", "its destination is no register"),
    ],
)
def test_instructions_refused(instruction: str, match: str) -> None:
    with pytest.raises(varptx.UnknownInstruction, match=match):
        kernel(instruction)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no kernel"),
        (HEAD.replace("9.0", "5.0"), r"line 1: '.version 5.0': PTX ISA versions 6.0 to 9.3 are supported"),
        (HEAD.replace("9.0", "12.0"), "versions 6.0 to 9.3"),
        (HEAD.replace("sm_90", "sm_60"), "targets sm_70 and later"),
        (HEAD.replace("sm_90", "sm_90, map_f64_to_f32"), "this target option is not supported"),
        (HEAD.replace("64", "32"), "only 64-bit addresses"),
        (".version 9.0\n.target sm_90\n.entry k() { ret; }", "lacks one of .version, .target and .address_size"),
        (HEAD + ".tex .u64 t;", "line 4: the directive '.tex .u64 t' is not supported"),
        (HEAD + ".entry k() { bra nowhere; }", "the label 'nowhere' does not exist in 'k'"),
        (HEAD + ".entry k() { a: a: ret; }", "the label 'a' stands twice"),
        (HEAD + ".entry k() { mov.u32 %r0, 1; ret; }", "the register '%r0' is neither declared nor a special one"),
        (HEAD + ".entry k() { .reg .b32 r; mov.u32 r, %clock; }", "the register '%clock'"),
        (HEAD + ".entry k() { @%p0 ret; }", "the predicate of '@%p0 ret' is not understood"),
        (HEAD + ".entry k() { .reg .b8 r; }", "line 4: the declaration '.reg .b8 r' is not understood"),
        (HEAD + ".entry k() { .shared .b8 s[]; ret; }", "only an extern array may have no size"),
        (HEAD + ".shared .b32 s = 4;", "a variable with an initial value"),
        (HEAD + ".entry k() { ret; ", "never ends"),
        (HEAD + ".entry k() { ret", "the text ends within a statement"),
        (HEAD + ".entry k(.param .texref t) { ret; }", "the parameter '.param .texref t' is not understood"),
        (HEAD + ".entry k() .surprise 4 { ret; }", "the directive '.surprise' is not supported"),
    ],
)
def test_texts_refused(text: str, match: str) -> None:
    with pytest.raises(varptx.UnsupportedPTX, match=match):
        varptx.load(text)


def test_bare_products_and_sums() -> None:
    """ptxas may fuse a bare product with a bare sum, so the kernel's bits are not known before it has run."""
    pair = "mul.f32 %f0, %f1, %f2; neg.f32 %f3, %f0; sub.f32 %f4, %f5, %f3;"
    with pytest.raises(
        varptx.UnknownInstruction, match=r"'sub.f32 %f4, %f5, %f3' may be fused with the product of line 7"
    ):
        kernel(pair)
    kernel(pair.replace("mul", "mul.rn"))
    kernel(pair.replace("sub", "sub.rn"))
    kernel("add.f32 %f0, %f1, %f2; mul.f32 %f3, %f0, %f1;")
    kernel("mul.f32 %f0, %f1, %f2; add.f64 %fd0, %fd1, %fd2;")
    text = f"{HEAD}.entry k() {{ .reg .f32 %f<9>; {pair} ret; }}"
    assert varptx.load(text, allow_unrounded=True).kernels == ("k",)


def test_a_text_of_several_kernels() -> None:
    text = (
        HEAD + ".func f() { ret; }\n.entry a() { ret; }\n/* { */ .entry b() // }\n{ .loc 1 2 3\n ret; }\n"
        ".section .debug { .b8 1 }\n"
    )
    module = varptx.load(text)
    assert module.kernels == ("a", "b")
    assert module.kernel("b").params == ()
    with pytest.raises(ValueError, match="the text holds 2 kernels; name one of a, b"):
        module.kernel()
    with pytest.raises(ValueError, match="there is no kernel 'c'; there is a, b"):
        module.kernel("c")
    varptx.load(HEAD + ".entry k { }").kernel().launch(varptx.Memory(), grid=1, block=1)


def test_launch_limits() -> None:
    made = kernel("", "")
    for grid, block, match in [
        (0, 1, "the grid's x extent is 0: it must be from 1 to 2147483647"),
        ((1, 65536), 1, "the grid's y extent is 65536"),
        (1, 1025, "the block's x extent is 1025: it must be from 1 to 1024"),
        (1, (1, 1, 65), "the block's z extent is 65"),
        (1, (32, 33), "a block of 1056 threads: a GPU runs at most 1024"),
        ((1, 1, 1, 1), 1, "the grid has one to three extents, not 4"),
    ]:
        with pytest.raises(ValueError, match=match):
            made.launch(varptx.Memory(), grid=grid, block=block)
    with pytest.raises(ValueError, match="takes 999999 bytes of shared memory"):
        made.launch(varptx.Memory(), grid=1, block=1, shared=999999)
    with pytest.raises(ValueError, match="the limit is -1"):
        made.launch(varptx.Memory(), grid=1, block=1, limit=-1)
    text = HEAD + ".entry k() .reqntid 8, 2 { ret; }\n.entry m() .maxntid 64, 1, 1 .minnctapersm 2 { ret; }"
    with pytest.raises(ValueError, match=r"requires blocks of \(8, 2, 1\), not \(8, 1, 1\)"):
        varptx.load(text).kernel("k").launch(varptx.Memory(), grid=1, block=8)
    with pytest.raises(ValueError, match="allows at most 64 threads a block, not 65"):
        varptx.load(text).kernel("m").launch(varptx.Memory(), grid=1, block=65)


BODY = "ld.param.u64 %rd0, [p0]; ld.global.f32 %f0, [%rd0]; fma.rn.f32 %f1, %f0, %f0, %f0; st.global.f32 [%rd0], %f1;"


def once(made: varptx.Kernel) -> float:
    x = np.array([3.0], np.float32)
    memory = varptx.Memory()
    made.launch(memory, grid=1, block=1, args=[memory.place(x)])
    return float(x[0])


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{HEAD}.entry k(.param .u64 p0) {{ .reg .b64 %rd<1>; .reg .f32 %f<2>; {BODY} ret; }}"
    folder = tmp_path / "objects"
    assert once(varptx.load(text, cache=folder).kernel()) == 12
    files = sorted(folder.iterdir())
    assert len(files) == 2
    assert {file.suffix for file in files} == {".o"}
    with monkeypatch.context() as patch:
        patch.setattr(jit, "assemble", None)
        assert once(varptx.load(text, cache=folder).kernel()) == 12
    for file in files:
        file.write_bytes(file.read_bytes()[:-7])
    assert once(varptx.load(text, cache=folder).kernel()) == 12


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="needs glibc on x86-64")
@pytest.mark.parametrize("control", [0x8000, 0x0040, 0x2000, 0x4000, 0x6000])
def test_a_changed_control_word_is_noticed(control: int) -> None:
    """Flushing results, operands, and each of the directed roundings."""
    libm = ctypes.CDLL("libm.so.6")
    made = kernel(BODY, ".param .u64 p0")
    assert once(made) == 12
    before, changed = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    libm.fegetenv(before)
    changed.raw = before.raw[:28] + (int.from_bytes(before.raw[28:], "little") | control).to_bytes(4, "little")
    libm.fesetenv(changed)
    try:
        with pytest.raises(RuntimeError, match="changed the processor's control word"):
            once(made)
    finally:
        libm.fesetenv(before)
    assert once(made) == 12


def test_threads_run_at_once() -> None:
    """The interpreter's lock is free while a kernel runs, and a kernel may run in several threads."""
    made = kernel(
        f"mov.u32 %r0, 0; a: add.u32 %r0, %r0, 1; setp.lt.u32 %p0, %r0, 3000000; @%p0 bra a; {BODY}", ".param .u64 p0"
    )
    results: list[float] = []
    threads = [threading.Thread(target=lambda: results.append(once(made))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [12] * 4


def test_a_host_without_fma_or_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits come out when the host's FMA instruction is not used: libm's function is linked instead."""
    import llvmlite.binding as llvm  # noqa: PLC0415
    from ptx_forms import fma_near_ties  # noqa: PLC0415

    def plain() -> object:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        triple = llvm.get_default_triple()
        return llvm.Target.from_triple(triple).create_target_machine(cpu="", features="", opt=2, jit=True)

    monkeypatch.setattr(jit, "target", plain)
    for kind in ("f16", "f32", "f64"):
        fma_near_ties(kind)
