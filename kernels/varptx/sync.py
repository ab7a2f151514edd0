"""Instructions at which a thread waits for others: shuffles, votes, barriers (PTX ISA 9.0, "shfl.sync", "barrier")."""

from __future__ import annotations

from .floats import predicate
from .integers import Lower
from .parse import Instruction
from .prelude import BARRIER, REDUX, SHUFFLE, VOTE, WARP
from .values import Form, Values

SHUFFLES = {"up": 0, "down": 1, "bfly": 2, "idx": 3}
VOTES = {"all": 0, "any": 1, "uni": 2, "ballot": 3}
REDUCTIONS = {
    "add.u32": 0, "add.s32": 0, "min.u32": 1, "max.u32": 2, "min.s32": 3, "max.s32": 4, "and.b32": 5, "or.b32": 6,
    "xor.b32": 7,
}  # fmt: skip


class Suspending(Values):
    """Values that can also leave a thread waiting and pick it up again."""

    points: int = 0
    kept: dict[str, int]

    def suspend(self, ins: Instruction, kind: int, fields: dict[str, str]) -> None:
        """End the step here, with what the thread waits for in its frame; the lines after this follow on resuming."""
        self.points += 1
        stores = fields | {"resume": str(self.points), "kind": str(kind), "pc": str(self.at)}
        for name, value in stores.items():
            self.emit(f"store i32 {value}, ptr {self.frame(name)}")
        result = ins.operands[0].registers() if ins.operands and kind in (SHUFFLE, VOTE, REDUX) else []
        alive = self.flow.alive(self.at + 1, set() if ins.guard else set(result))
        for name in alive:
            value = self.new(f"load {self.home(name)}, ptr {self.slot(name)}")
            self.emit(f"store {self.home(name)} {value}, ptr {self.place(name)}")
        self.emit("br label %leave")
        self.emit(f"P{self.points}:")
        for name in alive:
            value = self.new(f"load {self.home(name)}, ptr {self.place(name)}")
            self.emit(f"store {self.home(name)} {value}, ptr {self.slot(name)}")

    def place(self, name: str) -> str:
        """A register's place in the frame, after the header."""
        index = self.kept.setdefault(name, len(self.kept))
        return self.new(f"getelementptr i64, ptr %kept, i64 {index}")

    def result(self, name: str) -> str:
        return self.new(f"load i32, ptr {self.frame(name)}")


def shuffle(mode: int) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        assert isinstance(e, Suspending)
        d, *sources = ins.operands
        a, b, c, mask = (e.get(operand, "b32") for operand in sources)
        e.suspend(ins, SHUFFLE, {"a": a, "b": b, "c": c, "mask": mask, "mode": str(mode)})
        targets = d.parts if d.kind == "pair" else (d,)
        value, ok = e.result("result"), e.result("pred")
        e.put(targets[0], "b32", value)
        if len(targets) == 2:
            e.put(targets[1], "pred", e.new(f"trunc i32 {ok} to i1"))

    return lower


def vote(mode: int) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        assert isinstance(e, Suspending)
        d, p, m = ins.operands
        a = e.new(f"zext i1 {predicate(e, p)} to i32")
        e.suspend(ins, VOTE, {"a": a, "mask": e.get(m, "b32"), "mode": str(mode)})
        value = e.result("result")
        e.put(d, *("b32", value) if mode == VOTES["ballot"] else ("pred", e.new(f"trunc i32 {value} to i1")))

    return lower


def redux(mode: int) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        assert isinstance(e, Suspending)
        d, x, m = ins.operands
        e.suspend(ins, REDUX, {"a": e.get(x, "b32"), "mask": e.get(m, "b32"), "mode": str(mode)})
        e.put(d, "b32", e.result("result"))

    return lower


def barrier(aligned: bool) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        assert isinstance(e, Suspending)
        number, *count = ins.operands
        if number.kind == "int" and not 0 <= number.value < 16:
            raise e.refuse("barriers are numbered 0 to 15")
        fields = {"bar": e.get(number, "b32"), "count": e.get(count[0], "b32") if count else "-1"}
        e.suspend(ins, BARRIER, fields | {"mode": str(int(aligned))})

    return lower


def warp_barrier(e: Values, ins: Instruction) -> None:
    assert isinstance(e, Suspending)
    e.suspend(ins, WARP, {"mask": e.get(ins.operands[0], "b32")})


def nothing(e: Values, ins: Instruction) -> None:
    """A fence: threads run one after another, so every write is seen already."""


def build() -> dict[str, Form]:
    forms: dict[str, Form] = {}
    for name, mode in SHUFFLES.items():
        forms[f"shfl.sync.{name}.b32"] = Form(f"shfl.sync.{name}.b32", shuffle(mode), count=(5,))
    for name, mode in VOTES.items():
        full = f"vote.sync.{name}.{'b32' if name == 'ballot' else 'pred'}"
        forms[full] = Form(full, vote(mode), count=(3,))
    for name, mode in REDUCTIONS.items():
        forms[f"redux.sync.{name}"] = Form(f"redux.sync.{name}", redux(mode), count=(3,))
    forms["bar.sync"] = Form("bar.sync", barrier(True), defs=0, count=(1, 2))
    forms["barrier.sync"] = Form("barrier.sync", barrier(False), defs=0, count=(1, 2))
    forms["bar.warp.sync"] = Form("bar.warp.sync", warp_barrier, defs=0, count=(1,))
    for name in ("fence", "membar"):
        forms[name] = Form(name, nothing, defs=0, count=(0,))
    return forms
