"""What ptxas makes of a division, a reciprocal and a root: measured, by assembling one and two of each.

Each is an estimate (MUFU), a few fused steps in place, a test, and a call of a routine for the rare cases, which
stands behind the kernel's own instructions. With ptxas 13.0 the steps in place are the same for every target and
never shared by two divisions, not even by the same divisor:

=============  ===========================
div.rn.f32     5 FFMA
rcp.rn.f32     2 FFMA
sqrt.rn.f32    2 FMUL.FTZ, 2 FFMA
div.rn.f64     7 DFMA, 1 DMUL, 1 FFMA
rcp.rn.f64     5 DFMA
sqrt.rn.f64    5 DFMA, 3 DMUL
=============  ===========================

No number of this table is used: a tool that does otherwise is measured again.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..toolkit import Refused, assemble, disassemble
from .ptx_facts import ARITHMETIC, EXPANDED
from .sass import codes

__all__ = ["costs", "issued"]


def _name(op: str, times: int) -> str:
    return f"{op.replace('.', '_')}_{times}"


def _kernel(op: str, times: int) -> str:
    """A kernel with nothing but `times` independent instructions of one kind, their loads and stores."""
    kind = op.rpartition(".")[2]
    size = int(kind[1:]) // 8
    second = op.startswith("div")
    lines = []
    for k in range(times):
        inputs = [f"%x{2 * k}", f"%x{2 * k + 1}"][: 1 + second]
        lines += [f"ld.global.{kind} {x}, [%d+{size * (2 * k + j)}];" for j, x in enumerate(inputs)]
        lines.append(f"{op} %y{k}, {', '.join(inputs)};")
    lines += [f"st.global.{kind} [%d+{size * k}], %y{k};" for k in range(times)]
    return "\n".join(
        [
            f".visible .entry {_name(op, times)}(.param .u64 p0)", "{",
            f".reg .{kind} %x<{2 * times}>;", f".reg .{kind} %y<{times}>;", ".reg .b64 %d;",
            "ld.param.u64 %d, [p0];", *lines, "ret;", "}", "",
        ]
    )  # fmt: skip


def costs(target: str, folder: Path) -> dict[str, Counter[str]]:
    """The floating-point instructions in place of each opcode in `ptx_facts.EXPANDED`.

    Raises
    ------
    ToolkitMissing
        A program is not installed.
    Refused
        ptxas does not know the target, or two of an instruction do not cost twice what one costs: then the rule of
        the gates does not hold for this ptxas.
    """
    # What the oldest target takes, every later one takes too.
    head = ".version 7.0\n.target sm_75\n.address_size 64\n"
    text = head + "".join(_kernel(op, times) for op in EXPANDED for times in (1, 2))
    cubin, _ = assemble(text, target, folder, "expansion")
    found = {name: +code.counts for name, code in codes(disassemble(cubin)).items()}
    made = {}
    for op in EXPANDED:
        one, two = found[_name(op, 1)], found[_name(op, 2)]
        if two != one + one:
            raise Refused(
                f"{op} on {target}: one is {dict(one)} in SASS, two are {dict(two)} and not twice that, so the "
                "arithmetic of a kernel cannot be told from its divisions'"
            )
        made[op] = one
    return made


def issued(arithmetic: Counter[str], expanded: Counter[str], cost: dict[str, Counter[str]]) -> int:
    """How many floating-point instructions a thread issues for so much PTX."""
    return sum(arithmetic[name] for name in ARITHMETIC) + sum(
        count * sum(cost[op][name] for name in ARITHMETIC) for op, count in expanded.items()
    )
