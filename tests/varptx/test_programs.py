"""Random programs in varptx against an interpreter made of the exact models of single instructions.

Single instructions cannot show a NaN that is made canonical too late, a register lost across a wait, or a guarded write
that the analysis of registers takes for a sure one; programs of many instructions on few registers can.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from ptx_forms import ENTRIES, float_operands, int_operands

import varptx

POOLS = {"f32": "f", "b32": "r", "u32": "r", "s32": "r", "f64": "d", "b64": "l", "u64": "l", "s64": "l", "pred": "p"}
# Register 0 of each pool is only read, so that hostile operands stay around. Only arithmetic and copies of each other
# are written to %f3 and %f4, so that a NaN in them may wait for its canonical bits.
RAW = {"%f3", "%f4"}
ARITHMETIC = {"add", "sub", "mul", "fma", "rcp", "sqrt", "div"}
SIZE = 5
STEMS = {
    "add",
    "sub",
    "mul",
    "fma",
    "min",
    "max",
    "neg",
    "abs",
    "selp",
    "mov",
    "setp",
    "and",
    "or",
    "xor",
    "not",
    "cvt",
}
STEMS |= {"copysign", "rcp", "sqrt", "div", "testp", "set", "shl", "shr"}
USABLE = sorted(
    name
    for name, (_, kinds, result, _) in ENTRIES.items()
    if name.split(".")[0] in STEMS
    and all(kind in POOLS for kind in (*kinds, result))
    and not name.startswith(("div.s", "div.u"))
)
FLOATS = [name for name in USABLE if name.split(".")[-1] in ("f32", "f64")]
COPIES = ["mov.f32", "mov.f64", "selp.f32", "selp.f64", "mov.b32", "mov.b64", "neg.f32", "min.f32"]

Step = tuple[str, str, tuple[str, ...], str]  # form, destination, sources, guard


def program(rng: random.Random, length: int) -> list[Step]:
    steps: list[Step] = [
        (f"{op}.rn.f32", target, ("%f0", "%f1"), "") for op, target in (("sub", "%f3"), ("mul", "%f4"))
    ]
    for _ in range(length):
        if rng.random() < 0.08:
            steps.append(("wait", "", (), ""))
            continue
        name = rng.choice(rng.choice((FLOATS, FLOATS, COPIES, USABLE)))
        _, kinds, result, _ = ENTRIES[name]
        sources = tuple(f"%{POOLS[kind]}{rng.randrange(SIZE)}" for kind in kinds)
        guard = rng.choice(("", "", "", "@%p1 ", "@!%p2 "))
        target = f"%{POOLS[result]}{rng.randrange(1, SIZE)}"
        stem = name.split(".")[0]
        if result == "f32" and stem in ("mov", "selp") and target in RAW:
            sources = tuple(rng.choice(sorted(RAW)) if source[1] == "f" else source for source in sources)
        elif target in RAW and stem not in ARITHMETIC:
            target = "%f2"
        steps.append((name, target, sources, guard))
    return steps


def text(steps: list[Step], float_type: str) -> str:
    """The program: thread i loads register j of each pool from row i and stores all of them at the end."""
    types = {"f": f"{float_type}32", "r": "b32", "d": f"{float_type}64", "l": "b64"}
    lines = [
        ".version 9.0",
        ".target sm_90",
        ".address_size 64",
        ".visible .entry k(.param .u64 in, .param .u64 out) {",
    ]
    lines += [f".reg .{kind} %{pool}<{SIZE}>;" for pool, kind in types.items()]
    lines += [f".reg .pred %p<{SIZE}>; .reg .b32 %t<2>; .reg .b64 %at<4>; .reg .b16 %h;"]
    lines += ["mov.u32 %t0, %tid.x; mul.wide.u32 %at0, %t0, 256; ld.param.u64 %at1, [in]; add.s64 %at1, %at1, %at0;"]
    lines += ["ld.param.u64 %at2, [out]; add.s64 %at2, %at2, %at0;"]
    places = [(pool, i, 8 * (5 * column + i)) for column, pool in enumerate("frdlp") for i in range(SIZE)]
    for pool, i, at in places:
        if pool == "p":
            lines.append(f"ld.global.u16 %h, [%at1+{at}]; setp.ne.u16 %p{i}, %h, 0;")
        elif f"%{pool}{i}" not in RAW:
            lines.append(f"ld.global.{types[pool]} %{pool}{i}, [%at1+{at}];")
    for name, target, sources, guard in steps:
        if name == "wait":
            lines.append("bar.sync 0;")
            continue
        body = ENTRIES[name][0].format(*sources, d=target)
        lines.append(f"{guard}{body};")
    for pool, i, at in places:
        if pool == "p":
            lines.append(f"selp.u16 %h, 1, 0, %p{i}; st.global.u16 [%at2+{at}], %h;")
        else:
            lines.append(f"st.global.{types[pool]} [%at2+{at}], %{pool}{i};")
    return "\n".join([*lines, "ret; }"])


def interpreted(steps: list[Step], registers: dict[str, int]) -> dict[str, int]:
    widths = {"f": 32, "r": 32, "d": 64, "l": 64, "p": 1}
    for name, target, sources, guard in steps:
        if name == "wait" or (guard == "@%p1 " and not registers["%p1"]) or (guard == "@!%p2 " and registers["%p2"]):
            continue
        model = ENTRIES[name][3]
        registers[target] = model(*[registers[source] for source in sources]) & ((1 << widths[target[1]]) - 1)
    return registers


@pytest.mark.parametrize("float_type", ["f", "b"])
@pytest.mark.parametrize("seed", range(12))
def test_programs(seed: int, float_type: str) -> None:
    rng = random.Random(seed)
    steps = program(rng, 60)
    pools = {"f": float_operands("f32"), "d": float_operands("f64"), "r": int_operands("u32"), "l": int_operands("u64")}
    pools["p"] = [0, 1]
    rows, wanted = np.zeros((48, 32), np.uint64), np.zeros((48, 32), np.uint64)
    for i in range(48):
        registers = {f"%{pool}{j}": rng.choice(pools[pool]) for pool in "frdlp" for j in range(SIZE)}
        names = [f"%{pool}{j}" for pool in "frdlp" for j in range(SIZE)]
        rows[i, :25] = [registers[name] for name in names]
        result = interpreted(steps, registers)
        wanted[i, :25] = [result[name] for name in names]
    out = np.zeros((48, 32), np.uint64)
    memory = varptx.Memory()
    kernel = varptx.load(text(steps, float_type), allow_unrounded=True).kernel()
    kernel.launch(memory, grid=1, block=48, args=[memory.place(rows, readonly=True), memory.place(out)])
    wrong = np.argwhere(out != wanted)
    assert not len(wrong), (wrong[:5].tolist(), steps)
