"""Integer, logic, comparison and selection instructions (PTX ISA 9.0, "Integer Arithmetic Instructions" and on)."""

from __future__ import annotations

from collections.abc import Callable

from .parse import WIDTHS, Instruction
from .prelude import E_DIVIDE
from .values import Form, Values, ll

INTS = [f"{sign}{bits}" for sign in "us" for bits in (16, 32, 64)]
BITS = ["b16", "b32", "b64"]
Lower = Callable[[Values, Instruction], None]


def simple(kind: str, text: str, count: int = 2) -> Lower:
    """An instruction that is one LLVM instruction: ``text`` with {0}, {1}, .. for its sources and {t} for the type."""

    def lower(e: Values, ins: Instruction) -> None:
        sources = [e.get(operand, kind) for operand in ins.operands[1 : count + 1]]
        e.put(ins.operands[0], kind, e.new(text.format(*sources, t=ll(kind))))

    return lower


def call(kind: str, intrinsic: str, extra: str = "", count: int = 2) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        t = ll(kind)
        sources = [f"{t} {e.get(operand, kind)}" for operand in ins.operands[1 : count + 1]]
        e.put(ins.operands[0], kind, e.intrinsic(f"llvm.{intrinsic}.{t}", t, *sources, *([extra] if extra else [])))

    return lower


def product(e: Values, ins: Instruction, kind: str, part: str) -> tuple[str, str]:
    """The wanted part of a product, and its type."""
    width = WIDTHS[kind]
    a, b = e.get(ins.operands[1], kind), e.get(ins.operands[2], kind)
    if part == "lo":
        return e.new(f"mul i{width} {a}, {b}"), kind
    extend = "sext" if kind[0] == "s" else "zext"
    wide = [e.new(f"{extend} i{width} {value} to i{2 * width}") for value in (a, b)]
    whole = e.new(f"mul i{2 * width} {wide[0]}, {wide[1]}")
    if part == "wide":
        return whole, f"{kind[0]}{2 * width}"
    top = e.new(f"lshr i{2 * width} {whole}, {width}")
    return e.new(f"trunc i{2 * width} {top} to i{width}"), kind


def mul(kind: str, part: str, add: bool) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        value, made = product(e, ins, kind, part)
        if add:
            value = e.new(f"add {ll(made)} {value}, {e.get(ins.operands[3], made)}")
        e.put(ins.operands[0], made, value)

    return lower


def divide(kind: str, remainder: bool) -> Lower:
    """Division by zero has an unspecified result; the most negative number by -1 wraps, as every GPU does."""

    def lower(e: Values, ins: Instruction) -> None:
        t = ll(kind)
        a, b = e.get(ins.operands[1], kind), e.get(ins.operands[2], kind)
        e.fail_unless(e.new(f"icmp ne {t} {b}, 0"), E_DIVIDE)
        if kind[0] == "u":
            value = e.new(f"{'urem' if remainder else 'udiv'} {t} {a}, {b}")
        else:
            minus = e.new(f"icmp eq {t} {b}, -1")
            safe = e.new(f"select i1 {minus}, {t} 1, {t} {b}")
            plain = e.new(f"{'srem' if remainder else 'sdiv'} {t} {a}, {safe}")
            other = "0" if remainder else e.new(f"sub {t} 0, {a}")
            value = e.new(f"select i1 {minus}, {t} {other}, {t} {plain}")
        e.put(ins.operands[0], kind, value)

    return lower


def shift(kind: str, op: str) -> Lower:
    """Amounts above the width are clamped to the width (PTX ISA 9.0, sections "shl" and "shr")."""

    def lower(e: Values, ins: Instruction) -> None:
        t, width = ll(kind), WIDTHS[kind]
        a, n = e.get(ins.operands[1], kind), e.get(ins.operands[2], "u32")
        big = e.new(f"icmp ugt i32 {n}, {width - 1}")
        safe = e.new(f"select i1 {big}, i32 {width - 1}, i32 {n}")
        if width != 32:
            safe = e.new(f"{'trunc' if width < 32 else 'zext'} i32 {safe} to {t}")
        value = e.new(f"{op} {t} {a}, {safe}")
        if op != "ashr":
            value = e.new(f"select i1 {big}, {t} 0, {t} {value}")
        e.put(ins.operands[0], kind, value)

    return lower


def funnel(right: bool, wrap: bool) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        low, high, n = (e.get(operand, "b32") for operand in ins.operands[1:4])
        n = e.new(f"and i32 {n}, 31") if wrap else e.intrinsic("llvm.umin.i32", "i32", f"i32 {n}", "i32 32")
        amount = e.new(f"zext i32 {n} to i64")
        wide = [e.new(f"zext i32 {value} to i64") for value in (low, high)]
        pair = e.new(f"or i64 {wide[0]}, {e.new(f'shl i64 {wide[1]}, 32')}")
        value = e.new(f"{'lshr' if right else 'shl'} i64 {pair}, {amount}")
        if not right:
            value = e.new(f"lshr i64 {value}, 32")
        e.put(ins.operands[0], "b32", e.new(f"trunc i64 {value} to i32"))

    return lower


def count_bits(kind: str, op: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        t = ll(kind)
        extra = [] if op == "ctpop" else ["i1 false"]
        value = e.intrinsic(f"llvm.{op}.{t}", t, f"{t} {e.get(ins.operands[1], kind)}", *extra)
        e.put(ins.operands[0], "u32", value if t == "i32" else e.new(f"trunc {t} {value} to i32"))

    return lower


def find_bit(kind: str, as_shift: bool) -> Lower:
    """The place of the highest bit that is not the sign, or the shift that brings it to the top; all ones if none."""
    width = WIDTHS[kind]

    def lower(e: Values, ins: Instruction) -> None:
        t, a = ll(kind), e.get(ins.operands[1], kind)
        if kind[0] == "s":
            sign = e.new(f"ashr {t} {a}, {width - 1}")
            a = e.new(f"xor {t} {a}, {sign}")
        zeros = e.intrinsic(f"llvm.ctlz.{t}", t, f"{t} {a}", "i1 false")
        if width == 64:
            zeros = e.new(f"trunc i64 {zeros} to i32")
        place = zeros if as_shift else e.new(f"sub i32 {width - 1}, {zeros}")
        none = e.new(f"icmp eq {t} {a}, 0")
        e.put(ins.operands[0], "u32", e.new(f"select i1 {none}, i32 -1, i32 {place}"))

    return lower


def field_parts(e: Values, ins: Instruction, first: int) -> tuple[str, str]:
    """Position and length of a bit field: the low eight bits of each operand (PTX ISA 9.0, section "bfe")."""
    at, size = (e.new(f"and i32 {e.get(ins.operands[first + i], 'u32')}, 255") for i in range(2))
    return at, size


def low_mask(e: Values, n: str, width: int) -> str:
    """An i64 with the low ``n`` bits set, ``n`` clamped to ``width``."""
    n = e.intrinsic("llvm.umin.i32", "i32", f"i32 {n}", f"i32 {width}")
    full = e.new(f"icmp eq i32 {n}, 64")
    amount = e.new(f"zext i32 {e.new(f'and i32 {n}, 63')} to i64")
    some = e.new(f"sub i64 {e.new(f'shl i64 1, {amount}')}, 1")
    return e.new(f"select i1 {full}, i64 -1, i64 {some}")


def as_i64(e: Values, value: str, width: int, signed: bool = False) -> str:
    return value if width == 64 else e.new(f"{'sext' if signed else 'zext'} i{width} {value} to i64")


def from_i64(e: Values, value: str, width: int) -> str:
    return value if width == 64 else e.new(f"trunc i64 {value} to i{width}")


def bfe(kind: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        width = WIDTHS[kind]
        is_signed = kind[0] == "s"
        a = as_i64(e, e.get(ins.operands[1], kind), width, is_signed)
        at, size = field_parts(e, ins, 2)
        # Bits above the value read as zeros, or as its sign.
        near = e.intrinsic("llvm.umin.i32", "i32", f"i32 {at}", "i32 63")
        moved = e.new(f"{'ashr' if is_signed else 'lshr'} i64 {a}, {e.new(f'zext i32 {near} to i64')}")
        if not is_signed:
            far = e.new(f"icmp ugt i32 {at}, {width - 1}")
            moved = e.new(f"select i1 {far}, i64 0, i64 {moved}")
            value = e.new(f"and i64 {moved}, {low_mask(e, size, 64)}")
        else:
            # The sign is bit min(at + size - 1, top); shifting left and back spreads it.
            drop = e.new(f"sub i32 64, {e.intrinsic('llvm.umin.i32', 'i32', f'i32 {size}', 'i32 64')}")
            none = e.new(f"icmp eq i32 {size}, 0")
            drop = e.intrinsic("llvm.umin.i32", "i32", f"i32 {drop}", "i32 63")
            wide = e.new(f"zext i32 {drop} to i64")
            spread = e.new(f"ashr i64 {e.new(f'shl i64 {moved}, {wide}')}, {wide}")
            value = e.new(f"select i1 {none}, i64 0, i64 {spread}")
        e.put(ins.operands[0], kind, from_i64(e, value, width))

    return lower


def bfi(kind: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        width = WIDTHS[kind]
        a, b = (as_i64(e, e.get(operand, kind), width) for operand in ins.operands[1:3])
        at, size = field_parts(e, ins, 3)
        far = e.new(f"icmp ugt i32 {at}, {width - 1}")
        amount = e.new(f"zext i32 {e.new(f'and i32 {at}, 63')} to i64")
        mask0 = e.new(f"shl i64 {low_mask(e, size, 64)}, {amount}")
        mask = e.new(f"select i1 {far}, i64 0, i64 {mask0}")
        placed = e.new(f"and i64 {e.new(f'shl i64 {a}, {amount}')}, {mask}")
        kept = e.new(f"and i64 {b}, {e.new(f'xor i64 {mask}, -1')}")
        e.put(ins.operands[0], kind, from_i64(e, e.new(f"or i64 {placed}, {kept}"), width))

    return lower


def prmt(e: Values, ins: Instruction) -> None:
    """prmt.b32 in its default mode: bit 3 of a selector spreads the byte's sign (PTX ISA 9.0, section "prmt")."""
    a, b, c = (e.get(operand, "b32") for operand in ins.operands[1:4])
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
    e.put(ins.operands[0], "b32", value)


def lop3(e: Values, ins: Instruction) -> None:
    """Any function of three bits, from its truth table (PTX ISA 9.0, section "lop3")."""
    a, b, c = (e.get(operand, "b32") for operand in ins.operands[1:4])
    if ins.operands[4].kind != "int":
        raise e.refuse("its table is no literal")
    inverse = [e.new(f"xor i32 {value}, -1") for value in (a, b, c)]
    value = "0"
    for row in range(8):
        if ins.operands[4].value >> row & 1:
            x, y, z = ((a, b, c)[i] if row >> (2 - i) & 1 else inverse[i] for i in range(3))
            both = e.new(f"and i32 {x}, {y}")
            value = e.new(f"or i32 {value}, {e.new(f'and i32 {both}, {z}')}")
    e.put(ins.operands[0], "b32", value)


def build() -> dict[str, Form]:
    forms: dict[str, Form] = {}

    def add(name: str, lower: Lower, count: int = 3) -> None:
        forms[name] = Form(name, lower, count=(count,))

    for kind in INTS:
        width, sign = WIDTHS[kind], kind[0]
        add(f"add.{kind}", simple(kind, "add {t} {0}, {1}"))
        add(f"sub.{kind}", simple(kind, "sub {t} {0}, {1}"))
        add(f"min.{kind}", call(kind, f"{sign}min"))
        add(f"max.{kind}", call(kind, f"{sign}max"))
        add(f"div.{kind}", divide(kind, False))
        add(f"rem.{kind}", divide(kind, True))
        for part in ("lo", "hi") if width == 64 else ("lo", "hi", "wide"):
            add(f"mul.{part}.{kind}", mul(kind, part, False))
            add(f"mad.{part}.{kind}", mul(kind, part, True), 4)
        add(f"shr.{kind}", shift(kind, "ashr" if sign == "s" else "lshr"))
        if sign == "s":
            add(f"neg.{kind}", simple(kind, "sub {t} 0, {0}", 1), 2)
            add(f"abs.{kind}", call(kind, "abs", "i1 false", 1), 2)
        if width > 16:
            add(f"bfe.{kind}", bfe(kind), 4)
            add(f"bfind.{kind}", find_bit(kind, False), 2)
            add(f"bfind.shiftamt.{kind}", find_bit(kind, True), 2)
    for kind in [*BITS, "pred"]:
        for op in ("and", "or", "xor"):
            add(f"{op}.{kind}", simple(kind, f"{op} {{t}} {{0}}, {{1}}"))
        add(f"not.{kind}", simple(kind, "xor {t} {0}, -1" if kind != "pred" else "xor {t} {0}, true", 1), 2)
    for kind in BITS:
        add(f"shl.{kind}", shift(kind, "shl"))
        add(f"shr.{kind}", shift(kind, "lshr"))
    for kind in BITS[1:]:
        add(f"popc.{kind}", count_bits(kind, "ctpop"), 2)
        add(f"clz.{kind}", count_bits(kind, "ctlz"), 2)
        add(f"brev.{kind}", call(kind, "bitreverse", count=1), 2)
        add(f"bfi.{kind}", bfi(kind), 5)
    for right in (False, True):
        for wrap in (False, True):
            add(f"shf.{'r' if right else 'l'}.{'wrap' if wrap else 'clamp'}.b32", funnel(right, wrap), 4)
    add("prmt.b32", prmt, 4)
    add("lop3.b32", lop3, 5)
    return forms
