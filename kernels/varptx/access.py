"""Loads, stores and atomics (PTX ISA 9.0, "ld", "st", "atom", "red"), each access checked before it is made."""

from __future__ import annotations

from .parse import WIDTHS, Operand
from .prelude import E_MEMORY, FIRST_ID, ID_SHIFT, LOCAL_ID, ROW, ROW_WORDS
from .values import Forms, Values, ll

LOADED = [f"{sign}{bits}" for sign in "bus" for bits in (8, 16, 32, 64)] + ["f32", "f64"]
SPACES = {"": "", "global": ".global", "shared": ".shared", "local": ".local"}


def address_of(e: Values, memory: Operand, space: str) -> str:
    """The address as an i64, in the space's own numbering; a variable's name is its offset."""
    if memory.kind != "mem":
        raise e.refuse("its address is not in brackets")
    base = memory.parts[0]
    if base.kind == "sym":
        variable = e.entry.variables.get(base.name)
        if variable is None or variable.space != space:
            raise e.refuse(f"'{base.name}' is no variable in .{space or 'generic'} memory")
        return str(variable.offset + base.value + memory.value)
    if base.kind == "int":
        return str(base.value + memory.value)
    if base.kind != "reg":
        raise e.refuse("its address is not understood")
    if WIDTHS[e.entry.registers[base.name]] == 32 and space in ("shared", "local"):
        address = e.new(f"zext i32 {e.get(base, 'b32')} to i64")
    else:
        address = e.get(base, "b64")
    return e.new(f"add i64 {address}, {memory.value}") if memory.value else address


def row(e: Values, address: str, space: str) -> dict[str, str]:
    """Where the buffer of an address lies: base, first offset, limits, shadow; each an i64."""
    if space == "shared":
        return {"base": "%shared", "low": "0", "read1": "%shared1", "write1": "%shared1", "shadow": "%shared_shadow"}
    if space == "local":
        index = str(LOCAL_ID)
    else:
        number = e.new(f"lshr i64 {address}, {ID_SHIFT}")
        if space == "global":
            # A .global access may not reach the windows through which generic addresses see shared and local memory.
            low = e.new(f"icmp uge i64 {number}, {FIRST_ID}")
            number = e.new(f"select i1 {low}, i64 {number}, i64 0")
        known = e.new(f"icmp ult i64 {number}, %entries")
        index = e.new(f"select i1 {known}, i64 {number}, i64 0")
    start = e.new(f"getelementptr [{ROW_WORDS} x i64], ptr %table, i64 {index}")
    found = {}
    for name, place in ROW.items():
        at = e.new(f"getelementptr i64, ptr {start}, i64 {place}")
        found[name] = e.new(f"load i64, ptr {at}, !invariant.load !0")
    return found


def checked(e: Values, memory: Operand, space: str, size: int, reads: bool, writes: bool) -> str:
    """Check an access of ``size`` bytes, mark what it writes as written, and give its pointer on the host."""
    address = address_of(e, memory, space)
    place = row(e, address, space)
    offset = e.new(f"and i64 {address}, {(1 << ID_SHIFT) - 1}") if space not in ("shared", "local") else address
    relative = e.new(f"sub i64 {offset}, {place['low']}")
    limit = place["write1" if writes else "read1"]
    usable = e.intrinsic("llvm.usub.sat.i64", "i64", f"i64 {limit}", f"i64 {size}")
    good = e.new(f"icmp ult i64 {relative}, {usable}")
    if size > 1:
        aligned = e.new(f"icmp eq i64 {e.new(f'and i64 {address}, {size - 1}')}, 0")
        good = e.new(f"and i1 {good}, {aligned}")
    e.fail_unless(good, E_MEMORY, address)
    ones = int.from_bytes(b"\1" * size, "little")
    look, done = e.label("look"), e.label("done")
    if space != "shared":
        has = e.new(f"icmp ne i64 {place['shadow']}, 0")
        e.emit(f"br i1 {has}, label %{look}, label %{done}")
        e.emit(f"{look}:")
    shadow = pointer_to(e, place["shadow"], offset)
    if reads:
        seen = e.new(f"load i{8 * size}, ptr {shadow}, align 1")
        e.fail_unless(e.new(f"icmp eq i{8 * size} {seen}, {ones}"), E_MEMORY, address)
    elif writes:
        e.emit(f"store i{8 * size} {ones}, ptr {shadow}, align 1")
    if space != "shared":
        e.emit(f"br label %{done}")
        e.emit(f"{done}:")
    return pointer_to(e, place["base"], offset)


def pointer_to(e: Values, base: str, offset: str) -> str:
    return e.new(f"inttoptr i64 {e.new(f'add i64 {base}, {offset}')} to ptr")


def elements(e: Values, operand: Operand, vector: int) -> tuple[Operand, ...]:
    if vector == 1:
        return (operand,)
    if operand.kind != "vec" or len(operand.parts) != vector:
        raise e.refuse(f"it needs a vector of {vector}")
    return operand.parts


def load(e: Values, d: Operand, memory: Operand, *, kind: str, space: str, vector: int) -> None:
    size = WIDTHS[kind] // 8
    if space == "param":
        pointer = parameter(e, memory, size * vector)
    else:
        pointer = checked(e, memory, space, size * vector, True, False)
    values = []
    for i in range(vector):
        at = e.new(f"getelementptr i8, ptr {pointer}, i64 {i * size}") if i else pointer
        values.append(e.new(f"load {ll(kind)}, ptr {at}, align 1"))
    for target, value in zip(elements(e, d, vector), values, strict=True):
        e.put(target, kind, value, loose=True)


def parameter(e: Values, memory: Operand, size: int) -> str:
    """A kernel's parameter: its place is known, so the access is checked here, once."""
    base = memory.parts[0] if memory.kind == "mem" else memory
    param = next((p for p in e.entry.params if p.name == base.name), None)
    if param is None or base.kind != "sym":
        raise e.refuse("its address is no parameter of the kernel")
    at = base.value + memory.value
    if at < 0 or at + size > param.size or (param.offset + at) % size:
        raise e.refuse(f"it reads {size} bytes at {at} of a parameter of {param.size}")
    return e.new(f"getelementptr i8, ptr %params, i64 {param.offset + at}")


def store(e: Values, memory: Operand, given: Operand, *, kind: str, space: str, vector: int) -> None:
    size = WIDTHS[kind] // 8
    values = [e.get(source, kind, loose=True) for source in elements(e, given, vector)]
    pointer = checked(e, memory, space, size * vector, False, True)
    for i, value in enumerate(values):
        at = e.new(f"getelementptr i8, ptr {pointer}, i64 {i * size}") if i else pointer
        e.emit(f"store {ll(kind)} {value}, ptr {at}, align 1")


def combined(e: Values, op: str, kind: str, space: str, old: str, value: str) -> str:
    """What an atomic operation stores."""
    t = ll(kind)
    if kind == "f32" and op == "add":
        if space == "global":
            old, value = (e.new(f"call float @flush(float {each})") for each in (old, value))
        total = e.new(f"fadd float {old}, {value}")
        return e.canonical(e.new(f"call float @flush(float {total})") if space == "global" else total)
    if kind == "f64":
        total = e.new(f"fadd double {old}, {value}")
        return e.payload(total, old, value)
    if op in ("add", "and", "or", "xor"):
        return e.new(f"{op} {t} {old}, {value}")
    if op in ("min", "max"):
        return e.intrinsic(f"llvm.{kind[0]}{op}.{t}", t, f"{t} {old}", f"{t} {value}")
    if op == "inc":
        up = e.new(f"add {t} {old}, 1")
        return e.new(f"select i1 {e.new(f'icmp uge {t} {old}, {value}')}, {t} 0, {t} {up}")
    if op == "dec":
        zero, above = e.new(f"icmp eq {t} {old}, 0"), e.new(f"icmp ugt {t} {old}, {value}")
        down = e.new(f"sub {t} {old}, 1")
        return e.new(f"select i1 {e.new(f'or i1 {zero}, {above}')}, {t} {value}, {t} {down}")
    return value


def atomic(e: Values, d: Operand, memory: Operand, *given: Operand, op: str, kind: str, space: str) -> None:
    """Threads run one after another, so an atomic is its three steps; the order is that of the threads."""
    values = [e.get(source, kind) for source in given]
    pointer = checked(e, memory, space, WIDTHS[kind] // 8, True, True)
    t = ll(kind)
    old = e.new(f"load {t}, ptr {pointer}, align 1")
    if op == "cas":
        same = e.new(f"icmp eq {t} {old}, {values[0]}")
        new = e.new(f"select i1 {same}, {t} {values[1]}, {t} {old}")
    else:
        new = combined(e, op, kind, space, old, values[0])
    e.emit(f"store {t} {new}, ptr {pointer}, align 1")
    e.put(d, kind, old)


def reduce(e: Values, *operands: Operand, op: str, kind: str, space: str) -> None:
    """An atomic whose old value nobody wants."""
    atomic(e, Operand("sink"), *operands, op=op, kind=kind, space=space)


ATOMICS = {
    "add": ["u32", "s32", "u64", "f32", "f64"],
    "min": ["u32", "s32", "u64", "s64"],
    "max": ["u32", "s32", "u64", "s64"],
    "and": ["b32", "b64"],
    "or": ["b32", "b64"],
    "xor": ["b32", "b64"],
    "inc": ["u32"],
    "dec": ["u32"],
    "exch": ["b32", "b64"],
    "cas": ["b32", "b64"],
}


def build() -> Forms:
    forms = Forms()
    for kind in LOADED:
        for vector in (1, 2, 4):
            if WIDTHS[kind] * vector > 128:
                continue
            many = f".v{vector}" if vector > 1 else ""
            for space, shown in [*SPACES.items(), ("param", ".param")]:
                forms.add(f"ld{shown}{many}.{kind}", 2, load, kind=kind, space=space, vector=vector)
                if space != "param":
                    forms.add(f"st{shown}{many}.{kind}", 2, store, defs=0, kind=kind, space=space, vector=vector)
    for op, kinds in ATOMICS.items():
        for kind in kinds:
            for space in ("", "global", "shared"):
                # An f32 sum flushes subnormals in global memory only, so its space must be known.
                if (kind, space) == ("f32", ""):
                    continue
                inputs = 3 if op == "cas" else 2
                forms.add(f"atom{SPACES[space]}.{op}.{kind}", inputs + 1, atomic, op=op, kind=kind, space=space)
                if op not in ("exch", "cas"):
                    name = f"red{SPACES[space]}.{op}.{kind}"
                    forms.add(name, inputs, reduce, defs=0, op=op, kind=kind, space=space)
    return forms
