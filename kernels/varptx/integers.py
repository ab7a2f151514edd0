"""Integer, logic, comparison and selection instructions (PTX ISA 9.0, "Integer Arithmetic Instructions" and on)."""

from __future__ import annotations

from .parse import WIDTHS, Operand
from .prelude import E_DIVIDE
from .values import Forms, Values, ll

INTS = [f"{sign}{bits}" for sign in "us" for bits in (16, 32, 64)]
BITS = ["b16", "b32", "b64"]


def simple(e: Values, d: Operand, *sources: Operand, kind: str, text: str) -> None:
    """An instruction that is one LLVM instruction: ``text`` with {0}, {1}, .. for its sources and {t} for the type."""
    e.put(d, kind, e.new(text.format(*[e.get(operand, kind) for operand in sources], t=ll(kind))))


def call(e: Values, d: Operand, *sources: Operand, kind: str, intrinsic: str, extra: tuple[str, ...] = ()) -> None:
    t = ll(kind)
    given = [f"{t} {e.get(operand, kind)}" for operand in sources]
    e.put(d, kind, e.intrinsic(f"llvm.{intrinsic}.{t}", t, *given, *extra))


def mul(e: Values, d: Operand, x: Operand, y: Operand, added: Operand | None = None, *, kind: str, part: str) -> None:
    """The wanted part of a product, and of mad the sum with ``added``."""
    width, made = WIDTHS[kind], kind
    a, b = e.get(x, kind), e.get(y, kind)
    if part == "lo":
        value = e.new(f"mul i{width} {a}, {b}")
    else:
        extend = "sext" if kind[0] == "s" else "zext"
        wide = [e.new(f"{extend} i{width} {value} to i{2 * width}") for value in (a, b)]
        value = e.new(f"mul i{2 * width} {wide[0]}, {wide[1]}")
        if part == "wide":
            made = f"{kind[0]}{2 * width}"
        else:
            top = e.new(f"lshr i{2 * width} {value}, {width}")
            value = e.new(f"trunc i{2 * width} {top} to i{width}")
    if added is not None:
        value = e.new(f"add {ll(made)} {value}, {e.get(added, made)}")
    e.put(d, made, value)


def divide(e: Values, d: Operand, x: Operand, y: Operand, *, kind: str, remainder: bool) -> None:
    """Division by zero has an unspecified result; the most negative number by -1 wraps, as every GPU does."""
    t = ll(kind)
    a, b = e.get(x, kind), e.get(y, kind)
    e.fail_unless(e.new(f"icmp ne {t} {b}, 0"), E_DIVIDE)
    if kind[0] == "u":
        value = e.new(f"{'urem' if remainder else 'udiv'} {t} {a}, {b}")
    else:
        minus = e.new(f"icmp eq {t} {b}, -1")
        safe = e.new(f"select i1 {minus}, {t} 1, {t} {b}")
        plain = e.new(f"{'srem' if remainder else 'sdiv'} {t} {a}, {safe}")
        other = "0" if remainder else e.new(f"sub {t} 0, {a}")
        value = e.new(f"select i1 {minus}, {t} {other}, {t} {plain}")
    e.put(d, kind, value)


def shift(e: Values, d: Operand, x: Operand, amount: Operand, *, kind: str, op: str) -> None:
    """Amounts above the width are clamped to the width (PTX ISA 9.0, sections "shl" and "shr")."""
    t, width = ll(kind), WIDTHS[kind]
    a, n = e.get(x, kind), e.get(amount, "u32")
    big = e.new(f"icmp ugt i32 {n}, {width - 1}")
    safe = e.new(f"select i1 {big}, i32 {width - 1}, i32 {n}")
    if width != 32:
        safe = e.new(f"{'trunc' if width < 32 else 'zext'} i32 {safe} to {t}")
    value = e.new(f"{op} {t} {a}, {safe}")
    if op != "ashr":
        value = e.new(f"select i1 {big}, {t} 0, {t} {value}")
    e.put(d, kind, value)


def funnel(e: Values, d: Operand, *sources: Operand, right: bool, wrap: bool) -> None:
    low, high, n = (e.get(operand, "b32") for operand in sources)
    n = e.new(f"and i32 {n}, 31") if wrap else e.intrinsic("llvm.umin.i32", "i32", f"i32 {n}", "i32 32")
    amount = e.new(f"zext i32 {n} to i64")
    wide = [e.new(f"zext i32 {value} to i64") for value in (low, high)]
    pair = e.new(f"or i64 {wide[0]}, {e.new(f'shl i64 {wide[1]}, 32')}")
    value = e.new(f"{'lshr' if right else 'shl'} i64 {pair}, {amount}")
    if not right:
        value = e.new(f"lshr i64 {value}, 32")
    e.put(d, "b32", e.new(f"trunc i64 {value} to i32"))


def count_bits(e: Values, d: Operand, x: Operand, *, kind: str, op: str) -> None:
    t = ll(kind)
    extra = [] if op == "ctpop" else ["i1 false"]
    value = e.intrinsic(f"llvm.{op}.{t}", t, f"{t} {e.get(x, kind)}", *extra)
    e.put(d, "u32", value if t == "i32" else e.new(f"trunc {t} {value} to i32"))


def find_bit(e: Values, d: Operand, x: Operand, *, kind: str, as_shift: bool) -> None:
    """The place of the highest bit that is not the sign, or the shift that brings it to the top; all ones if none."""
    t, width, a = ll(kind), WIDTHS[kind], e.get(x, kind)
    if kind[0] == "s":
        sign = e.new(f"ashr {t} {a}, {width - 1}")
        a = e.new(f"xor {t} {a}, {sign}")
    zeros = e.intrinsic(f"llvm.ctlz.{t}", t, f"{t} {a}", "i1 false")
    if width == 64:
        zeros = e.new(f"trunc i64 {zeros} to i32")
    place = zeros if as_shift else e.new(f"sub i32 {width - 1}, {zeros}")
    none = e.new(f"icmp eq {t} {a}, 0")
    e.put(d, "u32", e.new(f"select i1 {none}, i32 -1, i32 {place}"))


def field_parts(e: Values, *operands: Operand) -> tuple[str, str]:
    """Position and length of a bit field: the low eight bits of each operand (PTX ISA 9.0, section "bfe")."""
    at, size = (e.new(f"and i32 {e.get(operand, 'u32')}, 255") for operand in operands)
    return at, size


def low_mask(e: Values, n: str) -> str:
    """An i64 with the low ``n`` bits set, ``n`` clamped to 64."""
    n = e.intrinsic("llvm.umin.i32", "i32", f"i32 {n}", "i32 64")
    full = e.new(f"icmp eq i32 {n}, 64")
    amount = e.new(f"zext i32 {e.new(f'and i32 {n}, 63')} to i64")
    some = e.new(f"sub i64 {e.new(f'shl i64 1, {amount}')}, 1")
    return e.new(f"select i1 {full}, i64 -1, i64 {some}")


def as_i64(e: Values, value: str, width: int, signed: bool = False) -> str:
    return value if width == 64 else e.new(f"{'sext' if signed else 'zext'} i{width} {value} to i64")


def from_i64(e: Values, value: str, width: int) -> str:
    return value if width == 64 else e.new(f"trunc i64 {value} to i{width}")


def bfe(e: Values, d: Operand, x: Operand, place: Operand, length: Operand, *, kind: str) -> None:
    width = WIDTHS[kind]
    is_signed = kind[0] == "s"
    a = as_i64(e, e.get(x, kind), width, is_signed)
    at, size = field_parts(e, place, length)
    # Bits above the value read as zeros, or as its sign.
    near = e.intrinsic("llvm.umin.i32", "i32", f"i32 {at}", "i32 63")
    moved = e.new(f"{'ashr' if is_signed else 'lshr'} i64 {a}, {e.new(f'zext i32 {near} to i64')}")
    if not is_signed:
        far = e.new(f"icmp ugt i32 {at}, {width - 1}")
        moved = e.new(f"select i1 {far}, i64 0, i64 {moved}")
        value = e.new(f"and i64 {moved}, {low_mask(e, size)}")
    else:
        # The sign is bit min(at + size - 1, top); shifting left and back spreads it.
        drop = e.new(f"sub i32 64, {e.intrinsic('llvm.umin.i32', 'i32', f'i32 {size}', 'i32 64')}")
        none = e.new(f"icmp eq i32 {size}, 0")
        drop = e.intrinsic("llvm.umin.i32", "i32", f"i32 {drop}", "i32 63")
        wide = e.new(f"zext i32 {drop} to i64")
        spread = e.new(f"ashr i64 {e.new(f'shl i64 {moved}, {wide}')}, {wide}")
        value = e.new(f"select i1 {none}, i64 0, i64 {spread}")
    e.put(d, kind, from_i64(e, value, width))


def bfi(e: Values, d: Operand, x: Operand, y: Operand, place: Operand, length: Operand, *, kind: str) -> None:
    width = WIDTHS[kind]
    a, b = (as_i64(e, e.get(operand, kind), width) for operand in (x, y))
    at, size = field_parts(e, place, length)
    far = e.new(f"icmp ugt i32 {at}, {width - 1}")
    amount = e.new(f"zext i32 {e.new(f'and i32 {at}, 63')} to i64")
    mask0 = e.new(f"shl i64 {low_mask(e, size)}, {amount}")
    mask = e.new(f"select i1 {far}, i64 0, i64 {mask0}")
    placed = e.new(f"and i64 {e.new(f'shl i64 {a}, {amount}')}, {mask}")
    kept = e.new(f"and i64 {b}, {e.new(f'xor i64 {mask}, -1')}")
    e.put(d, kind, from_i64(e, e.new(f"or i64 {placed}, {kept}"), width))


def prmt(e: Values, d: Operand, *sources: Operand) -> None:
    """prmt.b32 in its default mode: bit 3 of a selector spreads the byte's sign (PTX ISA 9.0, section "prmt")."""
    a, b, c = (e.get(operand, "b32") for operand in sources)
    pair = e.new(f"or i64 {as_i64(e, a, 32)}, {e.new(f'shl i64 {as_i64(e, b, 32)}, 32')}")
    value = "0"
    for i in range(4):
        select = e.new(f"lshr i32 {c}, {4 * i}")
        bits = e.new(f"shl i32 {e.new(f'and i32 {select}, 7')}, 3")
        amount = e.new(f"zext i32 {bits} to i64")
        byte = e.new(f"trunc i64 {e.new(f'lshr i64 {pair}, {amount}')} to i8")
        spread = e.new(f"icmp ne i32 {e.new(f'and i32 {select}, 8')}, 0")
        chosen = e.new(f"select i1 {spread}, i8 {e.new(f'ashr i8 {byte}, 7')}, i8 {byte}")
        whole = e.new(f"zext i8 {chosen} to i32")
        value = e.new(f"or i32 {value}, {e.new(f'shl i32 {whole}, {8 * i}')}")
    e.put(d, "b32", value)


def lop3(e: Values, d: Operand, x: Operand, y: Operand, z: Operand, table: Operand) -> None:
    """Any function of three bits, from its truth table (PTX ISA 9.0, section "lop3")."""
    sources = [e.get(operand, "b32") for operand in (x, y, z)]
    if table.kind != "int":
        raise e.refuse("its table is no literal")
    inverse = [e.new(f"xor i32 {value}, -1") for value in sources]
    value = "0"
    for row in range(8):
        if table.value >> row & 1:
            a, b, c = (sources[i] if row >> (2 - i) & 1 else inverse[i] for i in range(3))
            both = e.new(f"and i32 {a}, {b}")
            value = e.new(f"or i32 {value}, {e.new(f'and i32 {both}, {c}')}")
    e.put(d, "b32", value)


def build() -> Forms:
    forms = Forms()
    for kind in INTS:
        width, sign = WIDTHS[kind], kind[0]
        for op in ("add", "sub"):
            forms.add(f"{op}.{kind}", 3, simple, kind=kind, text=f"{op} {{t}} {{0}}, {{1}}")
        for op in ("min", "max"):
            forms.add(f"{op}.{kind}", 3, call, kind=kind, intrinsic=f"{sign}{op}")
        for op in ("div", "rem"):
            forms.add(f"{op}.{kind}", 3, divide, kind=kind, remainder=op == "rem")
        for part in ("lo", "hi") if width == 64 else ("lo", "hi", "wide"):
            forms.add(f"mul.{part}.{kind}", 3, mul, kind=kind, part=part)
            forms.add(f"mad.{part}.{kind}", 4, mul, kind=kind, part=part)
        forms.add(f"shr.{kind}", 3, shift, kind=kind, op="ashr" if sign == "s" else "lshr")
        if sign == "s":
            forms.add(f"neg.{kind}", 2, simple, kind=kind, text="sub {t} 0, {0}")
            forms.add(f"abs.{kind}", 2, call, kind=kind, intrinsic="abs", extra=("i1 false",))
        if width > 16:
            forms.add(f"bfe.{kind}", 4, bfe, kind=kind)
            forms.add(f"bfind.{kind}", 2, find_bit, kind=kind, as_shift=False)
            forms.add(f"bfind.shiftamt.{kind}", 2, find_bit, kind=kind, as_shift=True)
    for kind in [*BITS, "pred"]:
        for op in ("and", "or", "xor"):
            forms.add(f"{op}.{kind}", 3, simple, kind=kind, text=f"{op} {{t}} {{0}}, {{1}}")
        ones = "-1" if kind != "pred" else "true"
        forms.add(f"not.{kind}", 2, simple, kind=kind, text=f"xor {{t}} {{0}}, {ones}")
    for kind in BITS:
        forms.add(f"shl.{kind}", 3, shift, kind=kind, op="shl")
        forms.add(f"shr.{kind}", 3, shift, kind=kind, op="lshr")
    for kind in BITS[1:]:
        forms.add(f"popc.{kind}", 2, count_bits, kind=kind, op="ctpop")
        forms.add(f"clz.{kind}", 2, count_bits, kind=kind, op="ctlz")
        forms.add(f"brev.{kind}", 2, call, kind=kind, intrinsic="bitreverse")
        forms.add(f"bfi.{kind}", 5, bfi, kind=kind)
    for right in (False, True):
        for wrap in (False, True):
            name = f"shf.{'r' if right else 'l'}.{'wrap' if wrap else 'clamp'}.b32"
            forms.add(name, 4, funnel, right=right, wrap=wrap)
    forms.add("prmt.b32", 4, prmt)
    forms.add("lop3.b32", 5, lop3)
    return forms
