"""The gates over the compiled kernels: how tools' output is read, that each gate fails on what it is for, and the
occupancy, loads in flight, table and chapter that follow."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from varkernels.cuda import library, toolkit
from varkernels.cuda.audit import expansion, gates, latency, pace, ptx_facts, resources, sass, turns
from varkernels.cuda.audit.resources import TARGETS, Row, Table
from varkernels.cuda.audit.threads_held import LIMITS, occupancy
from varkernels.cuda.errors import DeviceError
from varstudy.report import rendering
from varstudy.report.sections import cuda
from varstudy.report.words import number

HEAD = ".version 7.0\n.target sm_75\n.address_size 64\n"
TARGET = "sm_80"


def module(body: str, *, name: str = "k", registers: str = "", directives: str = "") -> str:
    """A kernel of one argument, an address in %a, that runs `body`."""
    return (
        f".visible .entry {name}(.param .u64 p0)\n{directives}{{\n"
        ".reg .pred %p<8>;\n.reg .b16 %h<8>;\n.reg .b32 %r<16>;\n.reg .b64 %a, %rd<8>;\n.reg .f32 %f<100>;\n"
        f".reg .f64 %d<16>;\n{registers}ld.param.u64 %a, [p0];\n{body}ret;\n}}\n"
    )


def entry(**given: Any) -> dict[str, Any]:
    return {"storage": None, "lanes": 1, "accumulator": "float32"} | given


def tools() -> None:
    for name in ("ptxas", "nvdisasm"):
        try:
            toolkit.tool(name)
        except toolkit.ToolkitMissing as problem:
            pytest.skip(str(problem))


def judged(text: str, folder: Path, **given: Any) -> gates.Examined:
    """What the gates say of a kernel called k."""
    tools()
    want = gates.wanted("k", entry(**given), text)
    made = gates.examine(HEAD, {"k": text}, {"k": want}, TARGET, expansion.costs(TARGET, folder), folder)
    return gates.Examined(made.rows, gates.ptx_gates(want) + made.found)


LOADS = "".join(f"ld.global.f32 %f{k}, [%a+{4 * k}];\n" for k in range(3))
STORE = "st.global.f32 [%a], %f9;\n"

# PTX ------------------------------------------------------------------------------------------------------------------


def test_instructions_are_read_with_guards_labels_and_vectors() -> None:
    body = ptx_facts.instructions(
        module(
            "L1: // a comment; with a semicolon\n@!%p1 bra L1;\n"
            "ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd1+16];\nshfl.sync.down.b32 %r1|%p2, %r2, %r3, 31, -1;\n"
        )
    )
    assert [one.op for one in body] == [
        "ld.param.u64", "bra", "ld.global.v4.f32", "shfl.sync.down.b32", "ret",
    ]  # fmt: skip
    assert body[1].labels == ("L1",)
    assert body[1].guard == "%p1"
    assert body[2].rest == "{%f0, %f1, %f2, %f3}, [%rd1+16]"


def test_arithmetic_is_counted_by_the_class_it_has_in_sass() -> None:
    body = ptx_facts.instructions(
        module(
            "add.rn.f32 %f1, %f2, %f3;\nsub.rn.f32 %f1, %f2, %f3;\nmul.f32 %f1, %f2, %f3;\n"
            "fma.rn.f64 %d1, %d2, %d3, %d4;\ndiv.rn.f32 %f1, %f2, %f3;\nrcp.rn.f64 %d1, %d2;\nadd.s32 %r1, %r2, %r3;\n"
            "mul.lo.s64 %rd1, %rd2, %rd3;\nfma.rn.f16 %h1, %h2, %h3, %h4;\nmul.wide.u32 %rd1, %r1, 4;\n"
        )
    )
    assert ptx_facts.arithmetic(body) == {"FADD": 2, "FMUL": 1, "DFMA": 1, "HALF": 1}
    assert ptx_facts.expanded(body) == {"div.rn.f32": 1, "rcp.rn.f64": 1}
    assert ptx_facts.bare(body) == {"mul.f32": 1}


def test_unwanted_instructions_are_named() -> None:
    body = ptx_facts.instructions(
        module("div.approx.f32 %f1, %f2, %f3;\nadd.rn.ftz.f32 %f1, %f2, %f3;\ncvt.f64.f32 %d1, %f1;\n")
    )
    assert ptx_facts.unwanted(body, "float32") == {"div.approx.f32": 1, "add.rn.ftz.f32": 1, "cvt.f64.f32": 1}
    assert "cvt.f64.f32" not in ptx_facts.unwanted(body, "float64")


def test_what_nothing_reads_is_left_out_with_what_feeds_it() -> None:
    body = ptx_facts.instructions(
        module(
            "sub.rn.f32 %f1, %f2, %f2;\nmov.b32 %r1, %f1;\nshfl.sync.idx.b32 %r2|%p1, %r1, 0, 31, -1;\n"
            "add.rn.f32 %f3, %f4, %f5;\nst.global.f32 [%a], %f3;\n"
        )
    )
    assert [one.op for one in ptx_facts.live(body)] == ["ld.param.u64", "add.rn.f32", "st.global.f32", "ret"]


def test_a_text_is_retargeted_for_older_targets_only() -> None:
    text = ".version 7.8\n.target sm_80\n.address_size 64\n"
    assert ".target sm_75\n" in ptx_facts.retarget(text, "sm_75")
    assert ptx_facts.retarget(text, "sm_80") == ptx_facts.retarget(text, "sm_120") == text


VECTOR_LOOP = (
    "L1:\nld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%a];\n"
    + "".join(f"add.rn.f32 %f{k + 10}, %f{k + 10}, %f{k};\n" for k in range(1, 5))
    + "setp.lt.s64 %p1, %rd1, %rd2;\n@%p1 bra L1;\n"
)
TAIL = "L2:\nld.global.f32 %f1, [%a];\nfma.rn.f32 %f20, %f1, %f1, %f20;\nsetp.lt.s64 %p1, %rd1, %rd2;\n@%p1 bra L2;\n"
TREE = (
    "L3:\nshfl.sync.down.b32 %r1, %r2, %r3, 31, -1;\nadd.rn.f32 %f5, %f5, %f6;\nsetp.lt.s64 %p1, %rd1, %rd2;\n"
    "@%p1 bra L3;\n"
)


def test_the_main_loop_is_the_one_with_vector_loads() -> None:
    loop = ptx_facts.main_loop(ptx_facts.instructions(module(TAIL + VECTOR_LOOP + TREE)), 4)
    assert loop == ptx_facts.Loop(4, Counter(FADD=4), Counter())


def test_without_vectors_the_main_loop_is_the_smallest_that_loads() -> None:
    outer = "L0:\nmov.b32 %r7, 0;\n" + TAIL + TREE + "setp.lt.s64 %p2, %rd1, %rd2;\n@%p2 bra L0;\n"
    assert ptx_facts.main_loop(ptx_facts.instructions(module(outer)), 4) == ptx_facts.Loop(
        1, Counter(FFMA=1), Counter()
    )


def test_a_held_row_counts_both_loops() -> None:
    held = (
        "L5:\nld.shared.f32 %f1, [%r1];\nld.shared.f32 %f2, [%r1+4];\nsub.rn.f32 %f3, %f1, %f9;\n"
        "div.rn.f32 %f4, %f2, %f9;\n"
    )
    text = module(VECTOR_LOOP + held + "@%p1 bra L5;\n")
    loop = ptx_facts.main_loop(ptx_facts.instructions(text), 4)
    assert loop == ptx_facts.Loop(4, Counter(FADD=6), Counter({"div.rn.f32": 2}))


def test_a_kernel_without_such_a_loop_has_no_main_loop() -> None:
    assert ptx_facts.main_loop(ptx_facts.instructions(module(TREE)), 4) is None
    assert ptx_facts.main_loop([], 4) is None


# The tools' output ----------------------------------------------------------------------------------------------------

SAID = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_80'
ptxas info    : Function properties for first
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 48 registers, used 1 barriers, 96 bytes smem, 472 bytes cmem[0]
ptxas info    : Compile time = 30.1 ms
ptxas info    : Compiling entry function 'second' for 'sm_80'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers, 360 bytes cmem[0]
ptxas warning : Value of threads per SM is out of range
"""


def test_ptxas_output_is_read() -> None:
    found = sass.usages(SAID)
    assert found == {"first": sass.Usage(48, 96, 16, 8, 12, 1), "second": sass.Usage(12, 0, 0, 0, 0, 0)}
    assert sass.warnings(SAID) == ["ptxas warning : Value of threads per SM is out of range"]


def test_ptxas_output_in_other_words_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not say what kernel first uses"):
        sass.usages(SAID.replace("Used", "Took"))


LISTING = """	.target	sm_80
	.section	.text.first,"ax",@progbits
.text.first:
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;
        /*0010*/              @!P0 LDG.E.128 R4, [R2.64] ;
        /*0020*/                   LDG.E R4, [R2.64] ;
        /*0030*/                   LDG.E.U16.CONSTANT R4, [R2.64] ;
        /*0040*/                   LDG.E.64.SYS R4, [R2] ;
        /*0050*/                   FADD R5, -R5, R6 ;
        /*0060*/                   FADD.FTZ R7, -R7, -RZ ;
        /*0070*/                   FADD R7, |R7|, -RZ ;
.L_x_1:
        /*0080*/              @P1  FFMA R4, R5, R6, R7 ;
        /*0090*/                   FMUL.FTZ R4, R5, 0.5 ;
        /*00a0*/                   UFADD UR4, UR5, UR6 ;
        /*00b0*/                   FFMA2 R4, R6.F32x2.HI_LO, R8.F32x2.HI_LO, R10.F32x2.HI_LO ;
        /*00c0*/                   HFMA2.MMA R4, -RZ, RZ, 1.875, 0 ;
        /*00d0*/                   HADD2.F32 R4, -RZ, R5.H0_H0 ;
        /*00e0*/                   HADD2 R4, R5, R6 ;
        /*00f0*/                   DSETP.GEU.AND P0, PT, R2, R4, PT ;
        /*0100*/                   F2F.F64.F32 R2, R4 ;
        /*0110*/                   DMUL R2, R4, R6 ;
        /*0120*/                   EXIT ;
        .weak           $__internal_0_$__cuda_div_slowpath
$__internal_0_$__cuda_div_slowpath:
        /*0130*/                   FFMA.RZ R4, R5, R6, R7 ;
        /*0140*/                   NOP ;
.text.second:
        /*0000*/                   FADD R5, R5, RZ ;
"""


def test_sass_is_counted() -> None:
    found = sass.codes(LISTING)
    first = found["first"]
    assert +first.counts == {"FADD": 2, "FFMA": 3, "FMUL": 1, "DMUL": 1, "FTZ": 1, "HALF": 1, "DOUBLE": 3}
    assert first.loads == {128: 1, 32: 1, 16: 1, 64: 1}
    assert first.size == 20 * 16
    assert +found["second"].counts == {"FADD": 1}  # a sum with +0 turns -0 into +0: no copy


FLOW = """	.section	.text.k,"ax",@progbits
.text.k:
        /*0000*/                   MOV R1, R2 ;
.L_x_0:
        /*0010*/                   IADD3 R3, R3, 0x1, RZ ;
.L_x_1:
        /*0020*/              @!P0 BRA `(.L_x_2) ;
        /*0030*/                   LDG.E.128 R8, desc[UR4][R2.64] ;
        /*0040*/                   LDG.E.128 R12, desc[UR4][R4.64] ;
        /*0050*/                   FADD R20, R20, R9 ;
        /*0060*/                   LDG.E.128 R16, desc[UR4][R6.64] ;
        /*0070*/                   BRA `(.L_x_3) ;
.L_x_2:
        /*0080*/                   LDG.E R8, desc[UR4][R2.64] ;
        /*0090*/                   FADD R20, R20, R8 ;
.L_x_3:
        /*00a0*/              @P1  BRA `(.L_x_1) ;
        /*00b0*/              @P2  BRA `(.L_x_0) ;
        /*00c0*/                   EXIT ;
"""


def test_a_turn_is_the_way_with_the_widest_loads() -> None:
    """The branch, three loads of 16 bytes, the sum that uses the first after two, a jump and the branch back."""
    assert turns.main_turn(sass.codes(FLOW)["k"].body, 16) == turns.Turn(7, 48, 32, 2)
    assert turns.main_turn(sass.codes(LISTING)["first"].body, 16) is None


def test_a_slow_loop_fails() -> None:
    wanted = pace.pace_of(entry(kind="sweep", lanes=4, formula="naive", storage="float32"))
    assert (wanted.itemsize, wanted.width, wanted.loads) == (4, 16, 4)
    assert pace.pace_gates("k", wanted, turns.Turn(60, 64, 64, 4)) == []
    (words,) = pace.pace_gates("k", wanted, turns.Turn(60, 64, 16, 1))
    assert words == "k: its main loop has 1 loads in flight before it uses one; wanted are 4"
    (words,) = pace.pace_gates("k", wanted, turns.Turn(160, 64, 64, 4))
    assert words == "k: its main loop issues 10.0 instructions a value; wanted are at most 6.5"
    (words,) = pace.pace_gates("k", wanted, None)
    assert words == "k: its SASS has no loop that loads values; wanted is one"


# The gates, each on a kernel that it is for ---------------------------------------------------------------------------


def test_a_clean_kernel_passes(tmp_path: Path) -> None:
    body = (
        LOADS + "neg.f32 %f4, %f0;\nadd.rn.f32 %f5, %f4, %f1;\nmul.rn.f32 %f6, %f5, %f2;\nadd.rn.f32 %f7, %f6, %f5;\n"
        "fma.rn.f32 %f8, %f7, %f6, %f0;\ndiv.rn.f32 %f9, %f8, %f7;\nrcp.rn.f32 %f9, %f9;\nsqrt.rn.f32 %f9, %f9;\n"
        + STORE
    )
    made = judged(module(body), tmp_path)
    assert made.found == []
    (row,) = made.rows
    assert (row.fadd, row.loop_values, row.spill_loads) == (2, 0, 0)
    assert row.fmul == 1 + 2
    assert row.ffma == 1 + 5 + 2 + 2


def test_loops_that_ptxas_unrolls_do_not_fail_the_count(tmp_path: Path) -> None:
    loop = (
        "mov.b32 %r1, 0;\nmov.f32 %f9, 0f00000000;\nL1:\nld.global.f32 %f1, [%a];\nadd.rn.f32 %f9, %f9, %f1;\n"
        "add.s64 %a, %a, 4;\nadd.s32 %r1, %r1, 1;\nsetp.lt.s32 %p1, %r1, 64;\n@%p1 bra L1;\n" + STORE
    )
    made = judged(module(loop), tmp_path, storage="float32")
    assert made.found == []
    assert made.rows[0].fadd > 1
    assert (made.rows[0].loop_values, made.rows[0].loop_add, made.rows[0].loop_issued) == (1, 1, 1)


def test_a_fused_product_fails_and_is_called_so(tmp_path: Path) -> None:
    body = LOADS + "mul.f32 %f4, %f0, %f1;\nadd.f32 %f9, %f4, %f2;\n" + STORE
    bare, fused = judged(module(body), tmp_path).found
    assert bare == "kernel k: its PTX has 1 add.f32, 1 mul.f32 without .rn, which a driver may fuse; wanted are 0"
    assert fused == (
        "kernel k on sm_80: its SASS has 0 FADD where the PTX wants 1 and 0 FMUL where the PTX wants 1 and "
        "1 FFMA where the PTX wants 0: ptxas fused 1 products with the sum that takes them"
    )


def test_a_fused_product_beside_a_division_fails(tmp_path: Path) -> None:
    body = LOADS + "mul.f32 %f4, %f0, %f1;\nadd.f32 %f5, %f4, %f2;\ndiv.rn.f32 %f9, %f5, %f0;\n" + STORE
    found = judged(module(body), tmp_path).found
    assert any("6 FFMA where the PTX wants 5, 1 div.rn.f32 included: ptxas fused 1" in line for line in found)


def test_spills_fail(tmp_path: Path) -> None:
    many = 60
    body = "".join(f"ld.global.f32 %f{k}, [%a+{4 * k}];\n" for k in range(many))
    body += "bar.sync 0;\n" + "".join(f"st.global.f32 [%a+{4 * k + 4000}], %f{many - 1 - k};\n" for k in range(many))
    found = judged(module(body, directives=".maxnreg 24\n"), tmp_path).found
    assert any(re.search(r"kernel k on sm_80: ptxas gives it .*bytes of spill.*; wanted are 0", line) for line in found)


def test_float64_in_a_float32_kernel_fails_in_ptx_and_sass(tmp_path: Path) -> None:
    body = LOADS + "cvt.f64.f32 %d1, %f0;\nadd.rn.f64 %d2, %d1, %d1;\ncvt.rn.f32.f64 %f9, %d2;\n" + STORE
    found = judged(module(body), tmp_path).found
    assert any("its PTX has 1 add.rn.f64, 1 cvt.f64.f32, 1 cvt.rn.f32.f64" in line for line in found)
    assert any("instructions of float64; wanted are 0" in line for line in found)
    assert judged(module(body), tmp_path, accumulator="float64").found == []


def test_approximate_and_flushing_instructions_fail(tmp_path: Path) -> None:
    body = LOADS + "add.rn.ftz.f32 %f4, %f0, %f1;\ndiv.approx.f32 %f9, %f4, %f2;\n" + STORE
    found = judged(module(body), tmp_path).found
    assert any("its PTX has 1 add.rn.ftz.f32, 1 div.approx.f32" in line for line in found)
    assert any("sums and products that flush subnormals; wanted are 0, from no division" in line for line in found)


def test_arithmetic_that_ptxas_removes_fails(tmp_path: Path) -> None:
    body = LOADS + "add.rn.f32 %f4, %f0, %f1;\nadd.rn.f32 %f5, %f0, %f1;\nmul.rn.f32 %f9, %f4, %f5;\n" + STORE
    (found,) = judged(module(body), tmp_path).found
    assert "1 FADD where the PTX wants 2" in found
    assert "fused" not in found


def test_scalar_loads_in_a_vector_kernel_fail(tmp_path: Path) -> None:
    body = LOADS + "add.rn.f32 %f9, %f0, %f1;\n" + STORE
    found = judged(module(body), tmp_path, storage="float32", lanes=4).found
    assert any("its PTX has no load of 16 bytes" in line for line in found)
    assert any("its SASS has no load of 128 bits (it has 2 of 32 bits)" in line for line in found)


def test_ptx_that_ptxas_refuses_names_the_kernel_and_the_words(tmp_path: Path) -> None:
    tools()
    texts = {"good": module(LOADS, name="good"), "bad": module("frobnicate.f32 %f1, %f2;\n", name="bad")}
    wants = {name: gates.wanted(name, entry(), text) for name, text in texts.items()}
    made = gates.examine(HEAD, texts, wants, TARGET, expansion.costs(TARGET, tmp_path), tmp_path)
    assert [row.kernel for row in made.rows] == ["good"]
    (found,) = made.found
    assert found.startswith("kernel bad on sm_80: ptxas ")
    assert "frobnicate" in found


def test_divisions_cost_the_same_on_every_target(tmp_path: Path) -> None:
    tools()
    costs = [expansion.costs(target, tmp_path) for target in TARGETS]
    assert all(cost == costs[0] for cost in costs)
    assert costs[0]["div.rn.f32"] == {"FFMA": 5}
    work = expansion.issued(Counter(FADD=3, FFMA=1), Counter({"div.rn.f32": 2}), costs[0])
    assert work == 4 + 10


def test_a_missing_tool_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    toolkit.tool.cache_clear()
    try:
        with pytest.raises(toolkit.ToolkitMissing, match=r"ptxas is not installed: run pip install .*cuda-offline"):
            toolkit.tool("ptxas")
    finally:
        toolkit.tool.cache_clear()


def test_the_command_says_what_is_missing_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    def absent(*_: object) -> gates.Examined:
        raise toolkit.ToolkitMissing("ptxas is not installed")

    assert gates.main(["--check"], look=absent) == 2
    assert capsys.readouterr().err == "ptxas is not installed\n"


def found(rows: list[Row], sentences: list[str]) -> Callable[..., gates.Examined]:
    return lambda *_: gates.Examined(rows, sentences)


def test_a_failed_gate_writes_nothing_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tools()
    path = tmp_path / "resources.csv"
    assert gates.main([], look=found([some_row()], ["kernel a spills"]), path=path) == 1
    assert "kernel a spills" in capsys.readouterr().err
    assert not path.exists()


def test_check_shows_the_lines_that_changed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tools()
    path = tmp_path / "resources.csv"
    assert gates.main([], look=found([some_row(registers=30)], []), path=path) == 0
    assert gates.main(["--check"], look=found([some_row(registers=31)], []), path=path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line[:14] for line in lines if line[0] in "+-" and line[1] not in "+-"] == [
        "-a,sm_80,30,0,",
        "+a,sm_80,31,0,",
    ]
    assert gates.main(["--check"], look=found([some_row(registers=30)], []), path=path) == 0


# The table ------------------------------------------------------------------------------------------------------------


def some_row(kernel: str = "a", target: str = "sm_80", **given: int) -> Row:
    numbers = dict.fromkeys(resources.COLUMNS[2:], 0) | {"registers": 32} | given
    return Row(kernel, target, **numbers)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [some_row(kernel, target) for kernel in "ba" for target in TARGETS]
    path = tmp_path / "resources.csv"
    path.write_text(resources.render(rows, "13.0.88"), encoding="utf-8")
    table = resources.read(path)
    assert table.ptxas == "13.0.88"
    assert list(table.rows) == [(kernel, target) for kernel in "ab" for target in TARGETS]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kernel,target\n", "does not name the ptxas"),
        ("# ptxas 13\nkernel,target\n", "the columns are"),
        ("# ptxas 13\n" + ",".join(resources.COLUMNS) + "\na,sm_80,1\n", "line 3 is no kernel"),
        (resources.render([some_row()], "13") * 1 + resources.render([some_row()], "13").splitlines()[2], "again"),
        (resources.render([some_row()], "13").replace("sm_80", "sm_42"), "line 3 is no kernel"),
    ],
)
def test_what_is_no_table_is_a_sentence(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "resources.csv"
    path.write_text(text)
    with pytest.raises(DeviceError, match=words):
        resources.read(path)
    with pytest.raises(DeviceError, match="cannot be read"):
        resources.read(tmp_path / "absent")


def committed() -> list[dict[str, Any]]:
    try:
        return list(library.manifest()["kernels"])
    except DeviceError as problem:
        pytest.skip(str(problem))


def test_the_committed_table_has_every_kernel_on_every_target() -> None:
    names = set(resources.row_names(committed()).values())
    assert set(resources.read().rows) == set(itertools.product(names, TARGETS))


def test_the_committed_table_holds_what_the_gates_want() -> None:
    kernels, table = committed(), resources.read()
    names = resources.row_names(kernels)
    for kernel, target in itertools.product(kernels, TARGETS):
        row = table.rows[names[kernel["name"]], target]
        assert row.stack == row.spill_stores == row.spill_loads == 0
        if kernel["accumulator"] == "float32":
            assert row.dadd == row.dmul == row.dfma == 0
        if kernel["storage"] is None:
            assert row.loop_values == 0
        else:
            assert row.turn_values > 0 or kernel["kind"] == "exact"
            assert (row.ldg128 > 0) == (kernel["lanes"] == 4 or kernel["kind"] in ("tile", "exact"))
            if kernel["kind"] != "exact":
                assert row.turn_loads >= (2 if kernel["kind"] == "held" and "16" in kernel["storage"] else 4)
                assert row.turn_waiting * occupancy(target, 256, row.registers, row.shared).warps * 32 >= 8 * 1024
        assert 0 < occupancy(target, 256, row.registers, row.shared).share <= 1


@pytest.mark.long
def test_the_committed_table_is_what_the_tools_make() -> None:
    tools()
    assert gates.main(["--check"]) == 0


# Occupancy and loads in flight ----------------------------------------------------------------------------------------


def test_occupancy_of_the_best_practices_guide() -> None:
    """CUDA C++ Best Practices Guide, section Calculating Occupancy: 37 registers, blocks of 128 and 320 threads, on a
    multiprocessor of 65,536 registers and 2,048 threads."""
    assert occupancy("sm_80", 128, 37, 0).blocks == 12
    assert occupancy("sm_80", 128, 37, 0).share == 0.75
    assert occupancy("sm_80", 320, 37, 0).blocks == 4
    assert occupancy("sm_80", 320, 37, 0).share == 0.625
    assert occupancy("sm_80", 256, 32, 0).share == 1


@pytest.mark.parametrize(
    ("target", "threads", "registers", "shared", "blocks", "bound"),
    [
        ("sm_75", 256, 32, 0, 4, "warps"),
        ("sm_75", 32, 32, 0, 16, "blocks"),
        ("sm_86", 256, 48, 0, 5, "registers"),  # 48 x 32 = 6 units; 16384 // 1536 = 10 warps a quarter, 40 in all
        ("sm_80", 256, 32, 32864, 4, "shared memory"),  # 164 KiB // (33,888 up to 33,920 bytes)
        ("sm_90", 32, 8, 12 * 1024, 17, "shared memory"),  # 228 KiB // (12 + 1) KiB
        ("sm_120", 1024, 65, 0, 0, "registers"),
        ("sm_90", 1024, 64, 0, 1, "registers"),
        ("sm_89", 64, 256, 0, 0, "registers"),
        ("sm_86", 32, 32, 100 * 1024, 0, "shared memory"),
    ],
)
def test_occupancy_by_hand(target: str, threads: int, registers: int, shared: int, blocks: int, bound: str) -> None:
    found = occupancy(target, threads, registers, shared)
    assert (found.blocks, found.bound) == (blocks, bound)
    assert found.warps == blocks * -(-threads // 32)


@pytest.mark.parametrize(("target", "threads"), [("sm_42", 32), ("sm_80", 0), ("sm_80", 1025)])
def test_occupancy_of_nonsense_is_a_sentence(target: str, threads: int) -> None:
    with pytest.raises(ValueError, match=r"unknown|threads"):
        occupancy(target, threads, 32, 0)


# Asks NVIDIA's own header; every limit but that on blocks, and every unit's, is told to it.
ORACLE = """
#include <stdio.h>
#include <cuda_occupancy.h>
int main(void) {
  int major, minor, warps, threads, registers; long per_sm, per_block, reserved, shared;
  while (scanf("%d %d %d %ld %ld %ld %d %d %ld", &major, &minor, &warps, &per_sm, &per_block, &reserved, &threads,
               &registers, &shared) == 9) {
    cudaOccDeviceProp p = {0}; cudaOccFuncAttributes a = {0}; cudaOccDeviceState s = {0}; cudaOccResult r = {0};
    p.computeMajor = major; p.computeMinor = minor; p.maxThreadsPerBlock = 1024;
    p.maxThreadsPerMultiprocessor = 32 * warps; p.regsPerBlock = p.regsPerMultiprocessor = 65536; p.warpSize = 32;
    p.sharedMemPerBlock = 49152; p.sharedMemPerMultiprocessor = per_sm; p.sharedMemPerBlockOptin = per_block;
    p.reservedSharedMemPerBlock = reserved; p.numSms = 1;
    a.maxThreadsPerBlock = 1024; a.numRegs = registers; a.sharedSizeBytes = shared;
    s.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    int failed = cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &a, &s, threads, 0);
    printf("%d\\n", failed ? -failed : r.activeBlocksPerMultiprocessor);
  }
  return 0;
}
"""


def test_occupancy_is_that_of_nvidias_header(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    try:
        headers = Path(toolkit.tool("nvdisasm")).parent.parent / "include"
    except toolkit.ToolkitMissing as problem:
        pytest.skip(str(problem))
    if compiler is None or not (headers / "cuda_occupancy.h").exists():
        pytest.skip("no C compiler, or no cuda_occupancy.h beside NVIDIA's tools")
    source, program = tmp_path / "oracle.c", tmp_path / "oracle"
    source.write_text(ORACLE)
    subprocess.run([compiler, f"-I{headers}", str(source), "-o", str(program)], check=True)
    asked = [
        (target, threads, registers, shared)
        for target in LIMITS
        for threads in (32, 64, 96, 128, 256, 320, 512, 1024)
        for registers in (1, 16, 32, 37, 40, 41, 48, 64, 65, 72, 96, 128, 168, 255)
        for shared in (0, 96, 1000, 16384, 32864, 49000)
    ]
    lines = []
    for target, threads, registers, shared in asked:
        has, number = LIMITS[target], int(target[3:])
        lines.append(
            f"{number // 10} {number % 10} {has.warps} {has.shared} {has.per_block} {has.reserved} "
            f"{threads} {registers} {shared}"
        )
    done = subprocess.run([str(program)], input="\n".join(lines), capture_output=True, text=True, check=True)
    assert [occupancy(*one).blocks for one in asked] == [int(word) for word in done.stdout.split()]


def test_waits_by_hand() -> None:
    a100, h100, h200 = latency.CARDS
    # 16 KiB on each of 108, 132 and 132 multiprocessors, at 2,039 GB/s, 3,350 GB/s and 4,800 GB/s.
    for card, nanoseconds in ((a100, 867.82), (h100, 645.58), (h200, 450.56)):
        assert latency.covered(card, 16 * 1024) * 1e9 == pytest.approx(nanoseconds, rel=1e-4)


# The chapter ----------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Balanced tags, and the text of every cell."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def kernel(formula: str, kind: str, storage: str | None, **given: Any) -> dict[str, Any]:
    name = "_".join(word for word in (formula, kind, storage, "float32", "contracted") if word)
    return {
        "name": name, "file": f"{formula}.ptx", "entry": name.removesuffix("_contracted"), "formula": formula,
        "kind": kind, "lanes": 4, "storage": storage, "accumulator": "float32", "contracted": True,
    } | given  # fmt: skip


def rendered(made: cuda.Kernels) -> str:
    """The section as the page has it."""
    around = rendering.environment().from_string(
        '{% from "macros.html.j2" import scroll, heading %}{% include "details/gpu.html.j2" %}'
    )
    return around.render(gpu=made)


def test_the_chapter_shows_a_line_for_each_kernel() -> None:
    kernels = [
        kernel("mean", "sweep", "float32"), kernel("two_pass", "sweep", "float32"),
        kernel("two_pass", "held", "float32"), kernel("chan", "finish", None), kernel("chan", "sweep", "float16"),
    ]  # fmt: skip
    work = {"loop_values": 4, "loop_add": 4, "registers": 40}
    work |= {"turn_values": 16, "turn_issued": 40, "turn_loads": 4, "turn_waiting": 64}
    rows = [
        some_row(one["name"], target, **({} if one["storage"] is None else work))
        for one in kernels
        for target in TARGETS
    ]
    shown = rendered(cuda.section(kernels, Table("13.0.88", {(row.kernel, row.target): row for row in rows})))
    tags = Tags()
    tags.feed(shown)
    assert tags.open == []
    assert shown.count('<tr><th scope="row">') == len(kernels)
    assert set(tags.rows) <= {2 + 7 + 2 + 1 + 3, 7 + 2 + 3}
    assert "not measured" in shown
    assert "40 · 75%" in shown
    # two_pass reads its values twice, unless the row is held. 1,536 threads of 64 bytes are 96 KiB, on 132
    # multiprocessors at 4.8 TB/s 2.7 microseconds.
    flight = "".join(f"<td>{number(value)}</td>" for value in (96, 5206.9, 3873.5, 2703.4))
    assert re.search(rf"4 lanes</th>.*?<td>8</td><td><abbr title=\"2 sums\">5</abbr></td>{flight}", shown)
    assert re.search(rf"row held</th>.*?<td>4</td><td><abbr title=\"1 sums\">2.5</abbr></td>{flight}", shown)


def test_the_chapter_says_why_it_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read = resources.read
    monkeypatch.setattr(resources, "read", lambda: read(tmp_path / "<none>"))
    shown = rendered(cuda.section([]))
    assert "Not shown: the table of the kernels" in shown
    assert "&lt;none&gt;" in shown


def test_the_committed_chapter_is_whole() -> None:
    kernels = committed()
    shown = rendered(cuda.section())
    tags = Tags()
    tags.feed(shown)
    assert tags.open == []
    assert shown.count('<tr><th scope="row">') == len(set(resources.row_names(kernels).values()))
    assert "none spills" in shown
    assert len(shown) < 600_000
