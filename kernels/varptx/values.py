"""Registers, literals and special registers as LLVM values: what every instruction's lowering is written in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .errors import UnknownInstruction
from .flow import Flow
from .parse import WIDTHS, Entry, Operand
from .prelude import CANONICAL, CTX, FRAME


@dataclass(frozen=True)
class Form:
    """One form of an instruction: how to lower it, and what the analysis of registers must know.

    ``lower``: takes the `Values` that it emits to, and the operands. ``defs``: leading operands that are written.
    ``arithmetic``: the type whose NaN it makes, or "". ``count``: the allowed numbers of operands.
    """

    name: str
    lower: Callable[..., None]
    defs: int = 1
    arithmetic: str = ""
    count: tuple[int, ...] = (3,)


class Forms(dict[str, Form]):
    """Forms by their names."""

    def add(
        self, name: str, count: int | tuple[int, ...], lower: Callable[..., None], *,
        defs: int = 1, arithmetic: str = "", **fixed: Any,
    ) -> None:  # fmt: skip
        """A form of so many operands; ``fixed`` are the arguments of ``lower`` besides the operands."""
        counts = (count,) if isinstance(count, int) else count
        self[name] = Form(name, partial(lower, **fixed), defs, arithmetic, counts)


def ll(kind: str) -> str:
    """The LLVM type of a PTX type; f16 and bf16 live as their bits."""
    return {"f32": "float", "f64": "double", "pred": "i1"}.get(kind) or f"i{WIDTHS[kind]}"


def f32_literal(bits: int) -> str:
    return f"bitcast (i32 {bits} to float)"


class Values:
    """Emits LLVM IR for one kernel; the parts that know nothing of single instructions."""

    def __init__(self, entry: Entry, flow: Flow) -> None:
        self.entry, self.flow = entry, flow
        self.lines: list[str] = []
        self.fresh = 0
        self.at = 0
        self.declared: set[str] = set()

    # Text.

    def emit(self, text: str) -> None:
        self.lines.append(text)

    def new(self, text: str) -> str:
        self.fresh += 1
        name = f"%v{self.fresh}"
        self.lines.append(f"{name} = {text}")
        return name

    def label(self, stem: str) -> str:
        self.fresh += 1
        return f"{stem}{self.fresh}"

    def intrinsic(self, name: str, result: str, *arguments: str) -> str:
        """A call of an LLVM intrinsic; ``arguments`` are typed, as in ``float %v1``."""
        types = ", ".join(argument.split(" ", 1)[0] for argument in arguments)
        self.declared.add(f"declare {result} @{name}({types})")
        return self.new(f"call {result} @{name}({', '.join(arguments)})")

    def refuse(self, why: str) -> UnknownInstruction:
        ins = self.entry.instructions[self.at]
        return UnknownInstruction(f"line {ins.line}: '{ins.text}': {why}")

    def fail_unless(self, good: str, error: int, address: str = "0") -> None:
        """Go on if ``good``; otherwise stop the whole run with this error at this instruction."""
        go, stop = self.label("go"), self.label("stop")
        self.emit(f"br i1 {good}, label %{go}, label %{stop}, !prof !1")
        self.emit(f"{stop}:")
        self.emit(f"call void @fail(ptr %ctx, i64 {error}, i64 {self.at}, i64 {address})")
        self.emit("ret i32 1")
        self.emit(f"{go}:")

    # The run's state.

    def ctx(self, name: str) -> str:
        """A word of the run's state that does not change while a thread runs."""
        place = self.new(f"getelementptr i64, ptr %ctx, i64 {CTX[name]}")
        return self.new(f"load i64, ptr {place}, !invariant.load !0")

    def frame(self, name: str) -> str:
        return self.new(f"getelementptr i32, ptr %frame, i64 {FRAME[name]}")

    def special(self, name: str) -> str:
        group, _, axis = name[1:].partition(".")
        if group == "tid":
            return self.new(f"load i32, ptr {self.frame(f'tid_{axis}')}")
        if axis or group in ("nwarpid", "dynamic_smem_size"):
            word = {"nwarpid": "warps", "dynamic_smem_size": "dynamic"}.get(group) or f"{group}_{axis}"
            return self.new(f"trunc i64 {self.ctx(word)} to i32")
        linear = self.new(f"load i32, ptr {self.frame('lane')}")
        if group == "warpid":
            return self.new(f"lshr i32 {linear}, 5")
        lane = self.new(f"and i32 {linear}, 31")
        if group == "laneid":
            return lane
        bit = self.new(f"shl i32 1, {lane}")
        below = self.new(f"sub i32 {bit}, 1")
        if group == "lanemask_eq":
            return bit
        if group == "lanemask_lt":
            return below
        up_to = self.new(f"or i32 {bit}, {below}")
        if group == "lanemask_le":
            return up_to
        return self.new(f"xor i32 {below if group == 'lanemask_ge' else up_to}, -1")

    # Operands.

    def home(self, name: str) -> str:
        """The LLVM type in which a register is kept."""
        return ll(self.flow.floats.get(name) or self.entry.registers[name])

    def slot(self, name: str) -> str:
        return f"%R{self.flow.index[name]}"

    def get(self, operand: Operand, kind: str, observe: bool = True, loose: bool = False) -> str:
        """The operand as an LLVM value of type ``ll(kind)``.

        ``observe=False``: the instruction cannot tell one NaN from another. ``loose``: the register may be wider.
        """
        if operand.kind == "reg":
            return self.read(operand.name, kind, observe, loose)
        if operand.kind == "special" and WIDTHS[kind] == 32 and kind != "f32":
            return self.special(operand.name)
        if operand.kind == "int" and kind[0] in "busp":
            width = WIDTHS[kind]
            if not -(1 << width - 1) <= operand.value < 1 << width:
                raise self.refuse(f"the literal {operand.value} does not fit {kind}")
            return str(operand.value & 1) if kind == "pred" else str(signed(operand.value, width))
        if operand.kind in ("f32", "f64"):
            return self.literal(operand, kind)
        raise self.refuse(f"its operand is no {kind} value that is supported here")

    def literal(self, operand: Operand, kind: str) -> str:
        if kind in ("f32", "b32") and operand.kind == "f64":
            value = struct.unpack("<d", struct.pack("<Q", operand.value))[0]
            try:
                bits = struct.unpack("<I", struct.pack("<f", value))[0]
            except OverflowError:
                raise self.refuse(f"the literal {value} does not fit f32") from None
        elif WIDTHS[kind] == WIDTHS[operand.kind] and kind[0] in "bf":
            bits = operand.value
        else:
            raise self.refuse(f"a literal of type {operand.kind} is no {kind}")
        if kind == "f32":
            return f32_literal(bits)
        return f"bitcast (i64 {bits} to double)" if kind == "f64" else str(signed(bits, WIDTHS[kind]))

    def read(self, name: str, kind: str, observe: bool, loose: bool) -> str:
        declared, home = self.entry.registers[name], self.home(name)
        width, wanted = WIDTHS[declared], WIDTHS[kind]
        if (width < wanted) or (width > wanted and not loose) or (declared == "pred") != (kind == "pred"):
            raise self.refuse(f"the register '{name}' is .{declared}, not .{kind}")
        value = self.new(f"load {home}, ptr {self.slot(name)}")
        if home == "float" and observe and name in self.flow.raw:
            value = self.canonical(value)
        if home == ll(kind):
            return value
        if home in ("float", "double"):
            value = self.new(f"bitcast {home} {value} to i{width}")
        if width > wanted:
            value = self.new(f"trunc i{width} {value} to i{wanted}")
        return self.new(f"bitcast i{wanted} {value} to {ll(kind)}") if kind in ("f32", "f64") else value

    def canonical(self, value: str) -> str:
        """PTX ISA 9.0, "Floating Point Instructions": single precision gives one NaN, 0x7fffffff on every GPU."""
        # LLVM holds one NaN as good as another and may drop the choice below; through a fence it does not see.
        value = self.intrinsic("llvm.arithmetic.fence.f32", "float", f"float {value}")
        nan = self.new(f"fcmp uno float {value}, 0.0")
        return self.new(f"select i1 {nan}, float {f32_literal(CANONICAL['f32'])}, float {value}")

    def payload(self, value: str, *operands: str) -> str:
        """A double result whose NaN has the bits of the first operand that is one; worked out off the usual path."""
        a, b, c = (*operands, *operands[:1] * 2)[:3]
        value = self.intrinsic("llvm.arithmetic.fence.f64", "double", f"double {value}")
        nan, start, odd, on = (self.label(stem) for stem in ("nan", "from", "odd", "on"))
        self.emit(f"br label %{start}")
        self.emit(f"{start}:")
        self.emit(f"%{nan} = fcmp uno double {value}, 0.0")
        self.emit(f"br i1 %{nan}, label %{odd}, label %{on}, !prof !2")
        self.emit(f"{odd}:")
        fixed = self.new(f"call double @payload(double {a}, double {b}, double {c})")
        self.emit(f"br label %{on}")
        self.emit(f"{on}:")
        return self.new(f"phi double [{value}, %{start}], [{fixed}, %{odd}]")

    def put(self, operand: Operand, kind: str, value: str, arithmetic: bool = False, loose: bool = False) -> None:
        """Write a value of type ``ll(kind)``; ``arithmetic``: a NaN in it has bits of the host's making."""
        if operand.kind == "sink":
            return
        if operand.kind != "reg":
            raise self.refuse("its destination is no register")
        name = operand.name
        declared, home = self.entry.registers[name], self.home(name)
        width, given = WIDTHS[declared], WIDTHS[kind]
        if (width < given) or (width > given and not loose) or (declared == "pred") != (kind == "pred"):
            raise self.refuse(f"the register '{name}' is .{declared}, not .{kind}")
        if kind == "f32" and arithmetic and not (home == "float" and name in self.flow.raw):
            value = self.canonical(value)
        if home != ll(kind):
            if kind in ("f32", "f64"):
                value = self.new(f"bitcast {ll(kind)} {value} to i{given}")
            if width > given:
                value = self.new(f"{'sext' if kind[0] == 's' else 'zext'} i{given} {value} to i{width}")
            if home in ("float", "double"):
                value = self.new(f"bitcast i{width} {value} to {home}")
        self.emit(f"store {home} {value}, ptr {self.slot(name)}")

    # Small formats, computed in double.

    def wide(self, operand: Operand, kind: str) -> str:
        """An f16, bf16 or f32 operand as a float."""
        value = self.get(operand, kind, observe=False)
        return value if kind == "f32" else self.new(f"call float @widen_{kind}(i16 {value})")

    def double(self, operand: Operand, kind: str) -> str:
        if kind == "f64":
            return self.get(operand, kind)
        return self.new(f"fpext float {self.wide(operand, kind)} to double")

    def narrow(self, value: str, kind: str, mode: int = 0) -> str:
        """A double rounded once to f16, bf16 or f32."""
        p, w = {"f16": (10, 5), "bf16": (7, 8), "f32": (23, 8)}[kind]
        bits = self.new(f"call i64 @narrow(double {value}, i64 {p}, i64 {w}, i64 {mode})")
        out = self.new(f"trunc i64 {bits} to i{WIDTHS[kind]}")
        return self.new(f"bitcast i32 {out} to float") if kind == "f32" else out


def signed(value: int, width: int) -> int:
    """The same bits as a signed number, which is how LLVM's text writes them."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> width - 1 else value
