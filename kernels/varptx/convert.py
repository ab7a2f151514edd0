"""cvt and mov (PTX ISA 9.0, sections "cvt" and "mov")."""

from __future__ import annotations

from .floats import FLOATS, predicate
from .parse import WIDTHS, Operand
from .prelude import ID_SHIFT, LOCAL_ID, SHARED_ID
from .values import Forms, Values, ll

ROUND = {"rn": 0, "rz": 1, "rm": 2, "rp": 3}
TO_INTEGER = {"rni": "roundeven", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}
ALL_INTS = [f"{sign}{bits}" for sign in "us" for bits in (8, 16, 32, 64)]


def int_to_int(e: Values, d: Operand, x: Operand, *, to: str, source: str) -> None:
    """Truncate, or extend by the sign of the source's type."""
    width, given = WIDTHS[to], WIDTHS[source]
    value = e.get(x, source, loose=True)
    if width < given:
        value = e.new(f"trunc i{given} {value} to i{width}")
    elif width > given:
        value = e.new(f"{'sext' if source[0] == 's' else 'zext'} i{given} {value} to i{width}")
    e.put(d, to, value, loose=True)


def int_to_float(e: Values, d: Operand, x: Operand, *, to: str, source: str, mode: str) -> None:
    op = "sitofp" if source[0] == "s" else "uitofp"
    value = e.get(x, source, loose=True)
    if to in ("f32", "f64"):
        e.put(d, to, e.new(f"{op} {ll(source)} {value} to {ll(to)}"))
        return
    # Exact in double for 32 bits and fewer; from 64 bits a value is rounded to odd first, which keeps it decidable.
    value = odd_double(e, value, source) if WIDTHS[source] == 64 else e.new(f"{op} {ll(source)} {value} to double")
    e.put(d, to, e.narrow(value, to, ROUND[mode]))


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


def _wider(e: Values, operand: Operand, kind: str) -> tuple[str, str, str]:
    """A float operand as a double, or as a float where it is narrower: the value, its LLVM type and PTX type."""
    return (e.get(operand, kind), "double", "f64") if kind == "f64" else (e.wide(operand, kind), "float", "f32")


def float_to_int(e: Values, d: Operand, x: Operand, *, to: str, source: str, mode: str) -> None:
    """Out of range is clamped to the type's limits.

    A NaN gives 0, but the top bit alone when the source is f64 or the result has 64 bits (PTX ISA 9.0, section "cvt").
    """
    value, t, suffix = _wider(e, x, source)
    whole = e.intrinsic(f"llvm.{TO_INTEGER[mode]}.{suffix}", t, f"{t} {value}")
    op = "fptosi" if to[0] == "s" else "fptoui"
    number = e.intrinsic(f"llvm.{op}.sat.{ll(to)}.{suffix}", ll(to), f"{t} {whole}")
    if source == "f64" or WIDTHS[to] == 64:
        nan = e.new(f"fcmp uno {t} {value}, 0.0")
        number = e.new(f"select i1 {nan}, {ll(to)} {-(1 << WIDTHS[to] - 1)}, {ll(to)} {number}")
    e.put(d, to, number, loose=True)


def float_to_float(e: Values, d: Operand, x: Operand, *, to: str, source: str, mode: str) -> None:
    """Rounds once; an integral mode (.rni and so on) rounds to an integer of the same format."""
    if mode in TO_INTEGER:
        value, t, suffix = _wider(e, x, source)
        rounded = e.intrinsic(f"llvm.{TO_INTEGER[mode]}.{suffix}", t, f"{t} {value}")
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


def pack_halves(e: Values, d: Operand, *sources: Operand, kind: str) -> None:
    """cvt.rn.f16x2.f32 d, a, b: a into the upper half."""
    halves = [e.new(f"zext i16 {e.narrow(e.double(x, 'f32'), kind)} to i32") for x in sources]
    top = e.new(f"shl i32 {halves[0]}, 16")
    e.put(d, "b32", e.new(f"or i32 {top}, {halves[1]}"))


def mov(e: Values, d: Operand, x: Operand, *, kind: str) -> None:
    width = WIDTHS[kind]
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


def cvta(e: Values, d: Operand, x: Operand, *, space: str, to: bool) -> None:
    """Between a space's own addresses and generic ones; global addresses are generic already."""
    shift = {"shared": SHARED_ID << ID_SHIFT, "local": LOCAL_ID << ID_SHIFT}.get(space, 0)
    value = variable_address(e, x, 64) if x.kind == "sym" else e.get(x, "b64")
    if x.kind == "sym" and e.entry.variables[x.name].space != space:
        raise e.refuse(f"'{x.name}' is not in .{space} memory")
    e.put(d, "b64", e.new(f"{'sub' if to else 'add'} i64 {value}, {shift}"))


def build() -> Forms:
    forms = Forms()
    for to in ALL_INTS:
        for source in ALL_INTS:
            forms.add(f"cvt.{to}.{source}", 2, int_to_int, to=to, source=source)
        for source in FLOATS:
            for mode in TO_INTEGER:
                forms.add(f"cvt.{mode}.{to}.{source}", 2, float_to_int, to=to, source=source, mode=mode)
    for to in FLOATS:
        for source in ALL_INTS:
            for mode in ROUND if to in ("f16", "bf16") else ("rn",):
                name = f"cvt.{mode}.{to}.{source}"
                forms.add(name, 2, int_to_float, arithmetic=to, to=to, source=source, mode=mode)
        for source in FLOATS:
            if (to in ("f32", "f64") and WIDTHS[source] < WIDTHS[to]) or to == source:
                made = to if WIDTHS[source] == 16 else ""
                forms.add(f"cvt.{to}.{source}", 2, float_to_float, arithmetic=made, to=to, source=source, mode="rn")
            else:
                for mode in ROUND:
                    name = f"cvt.{mode}.{to}.{source}"
                    forms.add(name, 2, float_to_float, arithmetic=to, to=to, source=source, mode=mode)
        for mode in TO_INTEGER:
            forms.add(f"cvt.{mode}.{to}.{to}", 2, float_to_float, arithmetic=to, to=to, source=to, mode=mode)
    for kind in ("f16", "bf16"):
        forms.add(f"cvt.rn.{kind}x2.f32", 3, pack_halves, kind=kind)
    for kind in ("pred", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"):
        forms.add(f"mov.{kind}", 2, mov, kind=kind)
    for space in ("global", "shared", "local"):
        forms.add(f"cvta.{space}.u64", 2, cvta, space=space, to=False)
        forms.add(f"cvta.to.{space}.u64", 2, cvta, space=space, to=True)
    return forms
