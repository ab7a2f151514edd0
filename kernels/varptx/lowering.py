"""A kernel's instructions as one LLVM function that runs one thread from where it last waited to where it waits next.

`step.ll` has the function's beginning and end. Registers are allocas, which LLVM turns into values; those alive across
a wait are kept in the thread's frame.
"""

from __future__ import annotations

import re
from functools import cached_property

from . import opcodes
from .errors import UnknownInstruction
from .exchange import exchanges
from .flow import Flow, analyse, fusible
from .parse import Entry, Instruction
from .prelude import E_BUDGET, E_TRAP, FAIL, HEADER_BYTES, HELPERS, STEP
from .sync import Suspending
from .values import Form


class Lowering(Suspending):
    """The lowering of one kernel."""

    def __init__(self, entry: Entry, flow: Flow, forms: list[Form], together: dict[int, int]) -> None:
        super().__init__(entry, flow)
        self.forms, self.together = forms, together
        self.kept: dict[str, int] = {}

    def body(self) -> None:
        code = self.entry.instructions
        open_block = True
        for i, (ins, form) in enumerate(zip(code, self.forms, strict=True)):
            self.at = i
            if i in self.flow.leaders or not open_block:
                if open_block:
                    self.emit(f"br label %I{i}")
                self.emit(f"I{i}:")
                open_block = True
            if form.name in opcodes.CONTROL:
                open_block = self.control(ins, form.name)
            elif ins.guard:
                run, over = self.label("run"), self.label("over")
                self.branch(ins, run, over)
                self.emit(f"{run}:")
                form.lower(self, *ins.operands)
                self.emit(f"br label %{over}")
                self.emit(f"{over}:")
            else:
                form.lower(self, *ins.operands)
        # Running off the end is a return.
        if open_block:
            self.emit(f"br label %I{len(code)}")
        self.emit(f"I{len(code)}:")
        self.emit("br label %exit")

    def branch(self, ins: Instruction, yes: str, no: str) -> None:
        taken = self.new(f"load i1, ptr {self.slot(ins.guard)}")
        if ins.guard_negated:
            yes, no = no, yes
        self.emit(f"br i1 {taken}, label %{yes}, label %{no}")

    def control(self, ins: Instruction, name: str) -> bool:
        """bra, ret, exit and trap; True when the text that follows is still in this block."""
        following = f"I{self.at + 1}"
        if name == "bra":
            target = self.entry.labels[ins.operands[0].name]
            if target <= self.at:
                back = self.label("back")
                self.leave(ins, back, following)
                self.emit(f"{back}:")
                left = self.new("load i64, ptr %budget")
                less = self.new(f"sub i64 {left}, 1")
                self.emit(f"store i64 {less}, ptr %budget")
                self.fail_unless(self.new(f"icmp sgt i64 {left}, 0"), E_BUDGET)
                self.emit(f"br label %I{target}")
            else:
                self.leave(ins, f"I{target}", following)
        elif name == "trap":
            trap = self.label("trap")
            self.leave(ins, trap, following)
            self.emit(f"{trap}:")
            self.emit(f"call void @fail(ptr %ctx, i64 {E_TRAP}, i64 {self.at}, i64 0)")
            self.emit("ret i32 1")
        else:
            self.leave(ins, "exit", following)
        return False

    def leave(self, ins: Instruction, target: str, following: str) -> None:
        if ins.guard:
            self.branch(ins, target, following)
        else:
            self.emit(f"br label %{target}")

    def module(self) -> str:
        """The whole LLVM module."""
        self.body()
        body, self.lines = self.lines, []
        for name, i in self.flow.index.items():
            if any_use := self.used(name):
                home = self.home(name)
                zero = {"float": "0.0", "double": "0.0", "i1": "false"}.get(home, "0")
                self.emit(f"%R{i} = alloca {home}")
                if any_use == "early":  # PTX leaves it undefined; here such a register holds 0
                    self.emit(f"store {home} {zero}, ptr %R{i}")
        if not self.entry.instructions:
            body = ["I0:", "br label %exit"]
        elif body[0].startswith("br label %I0"):
            body = body[1:]
        parts = {
            "REGISTERS": "\n".join(self.lines),
            "CASES": " ".join(f"i32 {i}, label %P{i}" for i in range(1, self.points + 1)),
            "BODY": "\n".join(body),
            "DECLARED": "\n".join(sorted(self.declared | {"declare i64 @llvm.smin.i64(i64, i64)"})),  # helpers.ll's
        }
        step = re.sub(r"\b(?:REGISTERS|CASES|BODY|DECLARED)\b", lambda found: parts[found[0]], STEP)
        return "\n".join([HELPERS, FAIL, step])

    def used(self, name: str) -> str:
        """Whether anything names the register: "" or "yes", or "early" when it may be read before it is written."""
        if self.flow.live[0] >> self.flow.index[name] & 1:
            return "early"
        return "yes" if name in self.named else ""

    @cached_property
    def named(self) -> set[str]:
        code = self.entry.instructions
        return {n for ins in code for o in ins.operands for n in o.registers()} | {ins.guard for ins in code}


def lower(entry: Entry, allow_unrounded: bool) -> tuple[str, int]:
    """The LLVM module of a kernel, and the bytes of a thread's frame; refuses what is not known."""
    for ins in entry.instructions:
        opcodes.find(ins)  # refuses what is not known
    together = exchanges(entry)
    forms = [opcodes.find(ins) for ins in entry.instructions]
    flow = analyse(entry, [form.defs for form in forms], [form.arithmetic for form in forms])
    if not allow_unrounded and (why := fusible(entry)):
        raise UnknownInstruction(why)
    made = Lowering(entry, flow, forms, together)
    module = made.module()
    return module, -(-(HEADER_BYTES + 8 * len(made.kept)) // 64) * 64
