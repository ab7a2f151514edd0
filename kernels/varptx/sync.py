"""Instructions at which a thread waits for others: shuffles, votes, barriers (PTX ISA 9.0, "shfl.sync", "barrier")."""

from __future__ import annotations

from .floats import predicate
from .parse import Operand
from .prelude import BARRIER, REDUX, SHUFFLE, VOTE, WARP
from .values import Forms, Values

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
    together: dict[int, int]

    def suspend(self, kind: int, **fields: str) -> None:
        """End the step here, with what the thread waits for in its frame; the lines after this follow on resuming."""
        ins = self.entry.instructions[self.at]
        self.points += 1
        stores = fields | {"resume": str(self.points), "kind": str(kind), "pc": str(self.at)}
        for name, value in stores.items():
            self.emit(f"store i32 {value}, ptr {self.frame(name)}")
        last = self.at + self.together.get(self.at, 1)
        made = self.entry.instructions[self.at : last] if ins.operands and kind in (SHUFFLE, VOTE, REDUX) else []
        result = {name for each in made for name in each.operands[0].registers()}
        alive = self.flow.alive(last, set() if ins.guard else result)
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


def shuffle(e: Suspending, d: Operand, *sources: Operand, mode: int) -> None:
    """A shuffle, and those that share its wait; nothing for the latter."""
    count = e.together.get(e.at, 1)
    if not count:
        return
    all_of_them = e.entry.instructions[e.at : e.at + count]
    fields = dict(zip(("a", "b", "c", "mask"), (e.get(operand, "b32") for operand in sources), strict=True))
    for i, ins in enumerate(all_of_them[1:], 1):
        fields[f"a{i}"] = e.get(ins.operands[1], "b32")
    e.suspend(SHUFFLE, **fields, mode=str(mode))
    ok = e.result("pred")
    for i, ins in enumerate(all_of_them):
        d = ins.operands[0]
        targets = d.parts if d.kind == "pair" else (d,)
        e.put(targets[0], "b32", e.result(f"result{i or ''}"))
        if len(targets) == 2:
            e.put(targets[1], "pred", e.new(f"trunc i32 {ok} to i1"))


def vote(e: Suspending, d: Operand, p: Operand, mask: Operand, *, mode: int) -> None:
    a = e.new(f"zext i1 {predicate(e, p)} to i32")
    e.suspend(VOTE, a=a, mask=e.get(mask, "b32"), mode=str(mode))
    value = e.result("result")
    e.put(d, *("b32", value) if mode == VOTES["ballot"] else ("pred", e.new(f"trunc i32 {value} to i1")))


def redux(e: Suspending, d: Operand, x: Operand, mask: Operand, *, mode: int) -> None:
    e.suspend(REDUX, a=e.get(x, "b32"), mask=e.get(mask, "b32"), mode=str(mode))
    e.put(d, "b32", e.result("result"))


def barrier(e: Suspending, number: Operand, count: Operand | None = None, *, aligned: bool) -> None:
    if number.kind == "int" and not 0 <= number.value < 16:
        raise e.refuse("barriers are numbered 0 to 15")
    bar = e.get(number, "b32")
    e.suspend(BARRIER, bar=bar, count=e.get(count, "b32") if count else "-1", mode=str(int(aligned)))


def warp_barrier(e: Suspending, mask: Operand) -> None:
    e.suspend(WARP, mask=e.get(mask, "b32"))


def nothing(e: Values) -> None:
    """A fence: threads run one after another, so every write is seen already."""


def build() -> Forms:
    forms = Forms()
    for name, mode in SHUFFLES.items():
        forms.add(f"shfl.sync.{name}.b32", 5, shuffle, mode=mode)
    for name, mode in VOTES.items():
        forms.add(f"vote.sync.{name}.{'b32' if name == 'ballot' else 'pred'}", 3, vote, mode=mode)
    for name, mode in REDUCTIONS.items():
        forms.add(f"redux.sync.{name}", 3, redux, mode=mode)
    forms.add("bar.sync", (1, 2), barrier, defs=0, aligned=True)
    forms.add("barrier.sync", (1, 2), barrier, defs=0, aligned=False)
    forms.add("bar.warp.sync", 1, warp_barrier, defs=0)
    for name in ("fence", "membar"):
        forms.add(name, 0, nothing, defs=0)
    return forms
