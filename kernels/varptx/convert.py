"""cvt and mov (PTX ISA 9.0, sections "cvt" and "mov")."""

from __future__ import annotations

from .floats import predicate
from .integers import Lower
from .parse import WIDTHS, Instruction, Operand
from .prelude import ID_SHIFT, LOCAL_ID, SHARED_ID
from .values import Form, Values, ll

ROUND = {"rn": 0, "rz": 1, "rm": 2, "rp": 3}
TO_INTEGER = {"rni": "roundeven", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}
ALL_INTS = [f"{sign}{bits}" for sign in "us" for bits in (8, 16, 32, 64)]
FLOATS = ["f16", "bf16", "f32", "f64"]


def int_to_int(to: str, source: str) -> Lower:
    """Truncate, or extend by the sign of the source's type."""
    width, given = WIDTHS[to], WIDTHS[source]

    def lower(e: Values, ins: Instruction) -> None:
        value = e.get(ins.operands[1], source, loose=True)
        if width < given:
            value = e.new(f"trunc i{given} {value} to i{width}")
        elif width > given:
            value = e.new(f"{'sext' if source[0] == 's' else 'zext'} i{given} {value} to i{width}")
        e.put(ins.operands[0], to, value, loose=True)

    return lower


def int_to_float(to: str, source: str, mode: str) -> Lower:
    op = "sitofp" if source[0] == "s" else "uitofp"

    def lower(e: Values, ins: Instruction) -> None:
        value = e.get(ins.operands[1], source, loose=True)
        if to in ("f32", "f64"):
            e.put(ins.operands[0], to, e.new(f"{op} {ll(source)} {value} to {ll(to)}"))
            return
        # Exact in double for 32 bits and fewer; from 64 bits a value is rounded to odd first, which keeps it decidable.
        value = odd_double(e, value, source) if WIDTHS[source] == 64 else e.new(f"{op} {ll(source)} {value} to double")
        e.put(ins.operands[0], to, e.narrow(value, to, ROUND[mode]))

    return lower


def odd_double(e: Values, value: str, source: str) -> str:
    """A 64-bit integer as a double with the bits below 2**12 folded into one: enough for 11 and 8 bit significands."""
    magnitude, negative = value, ""
    if source == "s64":
        negative = e.new(f"icmp slt i64 {value}, 0")
        magnitude = e.new(f"select i1 {negative}, i64 {e.new(f'sub i64 0, {value}')}, i64 {value}")
    large = e.new(f"icmp ugt i64 {magnitude}, 9007199254740991")
    low = e.new(f"icmp ne i64 {e.new(f'and i64 {magnitude}, 4095')}, 0")
    sticky = e.new(f"select i1 {low}, i64 4096, i64 0")
    folded = e.new(f"or i64 {e.new(f'and i64 {magnitude}, -4096')}, {sticky}")
    exact = e.new(f"select i1 {large}, i64 {folded}, i64 {magnitude}")
    result = e.new(f"uitofp i64 {exact} to double")
    return (
        e.new(f"select i1 {negative}, double {e.new(f'fneg double {result}')}, double {result}") if negative else result
    )


def float_to_int(to: str, source: str, mode: str) -> Lower:
    """Out of range is clamped to the type's limits.

    A NaN gives 0, but the top bit alone when the source is f64 or the result has 64 bits (PTX ISA 9.0, section "cvt").
    """
    t = "double" if source == "f64" else "float"
    suffix = "f64" if source == "f64" else "f32"

    def lower(e: Values, ins: Instruction) -> None:
        value = e.get(ins.operands[1], source) if source == "f64" else e.wide(ins.operands[1], source)
        whole = e.intrinsic(f"llvm.{TO_INTEGER[mode]}.{suffix}", t, f"{t} {value}")
        op = "fptosi" if to[0] == "s" else "fptoui"
        number = e.intrinsic(f"llvm.{op}.sat.{ll(to)}.{suffix}", ll(to), f"{t} {whole}")
        if source == "f64" or WIDTHS[to] == 64:
            nan = e.new(f"fcmp uno {t} {value}, 0.0")
            number = e.new(f"select i1 {nan}, {ll(to)} {-(1 << WIDTHS[to] - 1)}, {ll(to)} {number}")
        e.put(ins.operands[0], to, number, loose=True)

    return lower


def float_to_float(to: str, source: str, mode: str) -> Lower:
    """Rounds once; an integral mode (.rni and so on) rounds to an integer of the same format."""

    def lower(e: Values, ins: Instruction) -> None:
        d, x = ins.operands
        if mode in TO_INTEGER:
            t = ll("f64" if source == "f64" else "f32")
            value = e.get(x, source) if source == "f64" else e.wide(x, source)
            name = f"llvm.{TO_INTEGER[mode]}.{'f64' if source == 'f64' else 'f32'}"
            rounded = e.intrinsic(name, t, f"{t} {value}")
            if to == "f64":
                rounded = e.payload(rounded, value, value)
            if to in ("f16", "bf16"):
                rounded = e.narrow(e.new(f"fpext float {rounded} to double"), to)
            e.put(d, to, rounded, arithmetic=True)
        elif to == source:
            e.put(d, to, e.get(x, source))
        elif to == "f64":
            # From f32 the payload is kept, made quiet.
            value = e.get(x, source) if source == "f32" else e.wide(x, source)
            e.put(d, to, e.new(f"fpext float {value} to double"))
        elif to == "f32" and source in ("f16", "bf16"):
            e.put(d, to, e.wide(x, source))
        elif (to, source, mode) == ("f32", "f64", "rn"):
            e.put(d, to, e.new(f"fptrunc double {e.get(x, source)} to float"), arithmetic=True)
        else:
            e.put(d, to, e.narrow(e.double(x, source), to, ROUND[mode]))

    return lower


def pack_halves(kind: str) -> Lower:
    """cvt.rn.f16x2.f32 d, a, b: a into the upper half."""

    def lower(e: Values, ins: Instruction) -> None:
        halves = [e.new(f"zext i16 {e.narrow(e.double(x, 'f32'), kind)} to i32") for x in ins.operands[1:3]]
        top = e.new(f"shl i32 {halves[0]}, 16")
        e.put(ins.operands[0], "b32", e.new(f"or i32 {top}, {halves[1]}"))

    return lower


def mov(kind: str) -> Lower:
    width = WIDTHS[kind]

    def lower(e: Values, ins: Instruction) -> None:
        d, x = ins.operands
        if x.kind == "vec":
            each = part_width(e, x, width)
            value = "0"
            for i, part in enumerate(x.parts):
                wide = e.new(f"zext i{each} {e.get(part, f'b{each}')} to i{width}")
                value = e.new(f"or i{width} {value}, {e.new(f'shl i{width} {wide}, {i * each}')}")
            e.put(d, f"b{width}", value)
        elif d.kind == "vec":
            each = part_width(e, d, width)
            value = e.get(x, f"b{width}")
            for i, part in enumerate(d.parts):
                moved = e.new(f"lshr i{width} {value}, {i * each}")
                e.put(part, f"b{each}", e.new(f"trunc i{width} {moved} to i{each}"))
        elif x.kind == "sym":
            e.put(d, kind, variable_address(e, x, width))
        elif kind == "pred":
            e.put(d, kind, predicate(e, x))
        else:
            still = d.kind == "reg" and d.name in e.flow.raw and kind == "f32"
            e.put(d, kind, e.get(x, kind, observe=not still))

    return lower


def part_width(e: Values, vector: Operand, width: int) -> int:
    parts = len(vector.parts)
    if parts not in (2, 4) or width // parts < 16:
        raise e.refuse("a vector of this shape is not supported here")
    return width // parts


def variable_address(e: Values, operand: Operand, width: int) -> str:
    """A variable's offset within its own space (not a generic address)."""
    variable = e.entry.variables.get(operand.name)
    if variable is None or width < 32:
        raise e.refuse(f"'{operand.name}' is no .shared or .local variable whose address can be taken")
    return str(variable.offset + operand.value)


def cvta(space: str, to: bool) -> Lower:
    """Between a space's own addresses and generic ones; global addresses are generic already."""
    shift = {"shared": SHARED_ID << ID_SHIFT, "local": LOCAL_ID << ID_SHIFT}.get(space, 0)

    def lower(e: Values, ins: Instruction) -> None:
        d, x = ins.operands
        value = variable_address(e, x, 64) if x.kind == "sym" else e.get(x, "b64")
        if x.kind == "sym" and e.entry.variables[x.name].space != space:
            raise e.refuse(f"'{x.name}' is not in .{space} memory")
        e.put(d, "b64", e.new(f"{'sub' if to else 'add'} i64 {value}, {shift}"))

    return lower


def build() -> dict[str, Form]:
    forms: dict[str, Form] = {}

    def add(name: str, lower: Lower, count: int = 2, arithmetic: str = "") -> None:
        forms[name] = Form(name, lower, arithmetic=arithmetic, count=(count,))

    for to in ALL_INTS:
        for source in ALL_INTS:
            add(f"cvt.{to}.{source}", int_to_int(to, source))
        for source in FLOATS:
            for mode in TO_INTEGER:
                add(f"cvt.{mode}.{to}.{source}", float_to_int(to, source, mode))
    for to in FLOATS:
        for source in ALL_INTS:
            modes = ROUND if to in ("f16", "bf16") else ("rn",)
            for mode in modes:
                add(f"cvt.{mode}.{to}.{source}", int_to_float(to, source, mode), arithmetic=to)
        for source in FLOATS:
            if (to in ("f32", "f64") and WIDTHS[source] < WIDTHS[to]) or to == source:
                made = to if WIDTHS[source] == 16 else ""
                add(f"cvt.{to}.{source}", float_to_float(to, source, "rn"), arithmetic=made)
            else:
                for mode in ROUND:
                    add(f"cvt.{mode}.{to}.{source}", float_to_float(to, source, mode), arithmetic=to)
        for mode in TO_INTEGER:
            add(f"cvt.{mode}.{to}.{to}", float_to_float(to, to, mode), arithmetic=to)
    add("cvt.rn.f16x2.f32", pack_halves("f16"), 3)
    add("cvt.rn.bf16x2.f32", pack_halves("bf16"), 3)
    for kind in ("pred", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"):
        add(f"mov.{kind}", mov(kind))
    for space in ("global", "shared", "local"):
        add(f"cvta.{space}.u64", cvta(space, False))
        add(f"cvta.to.{space}.u64", cvta(space, True))
    return forms
