"""Floating-point arithmetic and comparison (PTX ISA 9.0, sections "Floating Point Instructions" and after).

Every operation is IEEE 754's in round to nearest even, subnormals kept. A bare ``add``, ``sub`` or ``mul`` rounds so
too, but leaves ptxas free to fuse; ``flow.fusible`` refuses the kernels in which it could.

NaN results: 0x7fffffff in f32 and 0x7fff in f16 and bf16, whatever the operands. In f64, where the ISA supports
payloads without saying whose survives, the first operand that is a NaN, made quiet, or 0xfff8000000000000.
"""

from __future__ import annotations

from collections.abc import Callable

from .integers import INTS
from .parse import WIDTHS, Operand
from .prelude import CANONICAL
from .values import Forms, Values, ll, signed

FLOATS = ["f16", "bf16", "f32", "f64"]
BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}

INT_COMPARE = {"eq": "eq", "ne": "ne"} | {c: c for c in ("lt", "le", "gt", "ge")}
UNSIGNED_COMPARE = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
FLOAT_COMPARE = {"eq": "oeq", "ne": "one", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "num": "ord"}
FLOAT_COMPARE |= {"equ": "ueq", "neu": "une", "ltu": "ult", "leu": "ule", "gtu": "ugt", "geu": "uge", "nan": "uno"}


def binary(e: Values, d: Operand, x: Operand, y: Operand, *, kind: str, op: str) -> None:
    if kind == "f32":
        a, b = e.get(x, kind, observe=False), e.get(y, kind, observe=False)
        e.put(d, kind, e.new(f"{BINARY[op]} float {a}, {b}"), arithmetic=True)
    elif kind == "f64":
        a, b = e.get(x, kind), e.get(y, kind)
        value = e.new(f"{BINARY[op]} double {a}, {b}")
        e.put(d, kind, e.payload(value, a, b))
    else:
        a, b = e.double(x, kind), e.double(y, kind)
        if op == "mul":  # exact in double
            value = e.new(f"fmul double {a}, {b}")
        else:
            one = "1.0" if op == "add" else "-1.0"
            value = e.new(f"call double @fma_odd(double {b}, double {one}, double {a})")
        e.put(d, kind, e.narrow(value, kind))


def fma(e: Values, d: Operand, *sources: Operand, kind: str) -> None:
    if kind in ("f16", "bf16"):
        given = ", ".join(f"double {e.double(operand, kind)}" for operand in sources)
        e.put(d, kind, e.narrow(e.new(f"call double @fma_odd({given})"), kind))
        return
    t = ll(kind)
    values = [f"{t} {e.get(operand, kind, observe=False)}" for operand in sources]
    value = e.intrinsic(f"llvm.fma.{kind}", t, *values)
    if kind == "f64":
        value = e.payload(value, *[each.split(" ", 1)[1] for each in values])
    e.put(d, kind, value, arithmetic=True)


def unary(e: Values, d: Operand, x: Operand, *, kind: str, op: str) -> None:
    """sqrt.rn and rcp.rn."""
    t = ll(kind)
    a = e.get(x, kind, observe=False)
    value = e.new(f"fdiv {t} 1.0, {a}") if op == "rcp" else e.intrinsic(f"llvm.sqrt.{kind}", t, f"{t} {a}")
    if kind == "f64":
        value = e.payload(value, a, a)
    e.put(d, kind, value, arithmetic=True)


def bits_of(e: Values, operand: Operand, kind: str) -> str:
    value = e.get(operand, kind)
    return e.new(f"bitcast {ll(kind)} {value} to i{WIDTHS[kind]}") if kind in ("f32", "f64") else value


def put_bits(e: Values, operand: Operand, kind: str, bits: str) -> None:
    value = e.new(f"bitcast i{WIDTHS[kind]} {bits} to {ll(kind)}") if kind in ("f32", "f64") else bits
    e.put(operand, kind, value)


def sign_bit(e: Values, d: Operand, x: Operand, *, kind: str, op: str) -> None:
    """neg and abs touch the sign bit alone, a NaN's too, whose bits the ISA leaves open."""
    width = WIDTHS[kind]
    mask = signed((1 << width - 1) - (op == "abs"), width)
    bits = bits_of(e, x, kind)
    put_bits(e, d, kind, e.new(f"{'and' if op == 'abs' else 'xor'} i{width} {bits}, {mask}"))


def copysign(e: Values, d: Operand, x: Operand, y: Operand, *, kind: str) -> None:
    """The sign of the first source, the rest of the second (PTX ISA 9.0, section "copysign")."""
    width = WIDTHS[kind]
    a, b = (bits_of(e, operand, kind) for operand in (x, y))
    sign = e.new(f"and i{width} {a}, {signed(1 << width - 1, width)}")
    rest = e.new(f"and i{width} {b}, {(1 << width - 1) - 1}")
    put_bits(e, d, kind, e.new(f"or i{width} {sign}, {rest}"))


def extreme(e: Values, d: Operand, x: Operand, y: Operand, *, kind: str, op: str, keep_nan: bool = False) -> None:
    """min and max: a NaN loses to a number, or wins with .NaN; -0 is less than +0 (PTX ISA 9.0, "min")."""
    width = WIDTHS[kind]
    i = f"i{width}"
    ai, bi = bits_of(e, x, kind), bits_of(e, y, kind)
    if kind == "f64":
        t, a, b = "double", e.get(x, kind), e.get(y, kind)
    else:
        t, a, b = "float", e.wide(x, kind), e.wide(y, kind)
    less = e.new(f"fcmp {'olt' if op == 'min' else 'ogt'} {t} {a}, {b}")
    value = e.new(f"select i1 {less}, {i} {ai}, {i} {bi}")
    zeros = e.new(f"{'or' if op == 'min' else 'and'} {i} {ai}, {bi}")
    value = e.new(f"select i1 {e.new(f'fcmp oeq {t} {a}, {b}')}, {i} {zeros}, {i} {value}")
    a_nan, b_nan = e.new(f"fcmp uno {t} {a}, {a}"), e.new(f"fcmp uno {t} {b}, {b}")
    nan = str(signed(CANONICAL[kind], width))
    if keep_nan:
        value = e.new(f"select i1 {e.new(f'or i1 {a_nan}, {b_nan}')}, {i} {nan}, {i} {value}")
    else:
        value = e.new(f"select i1 {b_nan}, {i} {ai}, {i} {value}")
        value = e.new(f"select i1 {a_nan}, {i} {bi}, {i} {value}")
        value = e.new(f"select i1 {e.new(f'and i1 {a_nan}, {b_nan}')}, {i} {nan}, {i} {value}")
    put_bits(e, d, kind, value)


# LLVM's is.fpclass: bits snan, qnan, -inf, -normal, -subnormal, -0, +0, +subnormal, +normal, +inf.
CLASSES = {"finite": 0x1F8, "infinite": 0x204, "number": 0x3FC, "notanumber": 3, "normal": 0x108, "subnormal": 0x90}


def testp(e: Values, d: Operand, x: Operand, *, kind: str, what: str) -> None:
    a = e.get(x, kind, observe=False)
    e.put(d, "pred", e.intrinsic(f"llvm.is.fpclass.{kind}", "i1", f"{ll(kind)} {a}", f"i32 {CLASSES[what]}"))


def comparison(e: Values, x: Operand, y: Operand, op: str, kind: str) -> str:
    """The i1 of one comparison."""
    if kind in FLOATS:
        read: Callable[[Operand], str] = (lambda o: e.get(o, kind)) if kind == "f64" else (lambda o: e.wide(o, kind))
        return e.new(f"fcmp {FLOAT_COMPARE[op]} {'double' if kind == 'f64' else 'float'} {read(x)}, {read(y)}")
    a, b = e.get(x, kind), e.get(y, kind)
    name = INT_COMPARE.get(op) or UNSIGNED_COMPARE[op]
    prefix = "" if name in ("eq", "ne") else "s" if kind[0] == "s" else "u"
    return e.new(f"icmp {prefix}{name} {ll(kind)} {a}, {b}")


def setp(
    e: Values, d: Operand, x: Operand, y: Operand, c: Operand | None = None, *, kind: str, op: str, combine: str = ""
) -> None:
    """``p|q``: p is the comparison, q its opposite, each combined with c (PTX ISA 9.0, section "setp")."""
    value = comparison(e, x, y, op, kind)
    targets = d.parts if d.kind == "pair" else (d,)
    # Every source is read before a destination is written: they may be the same register.
    given = predicate(e, c) if c else ""
    both = [value, e.new(f"xor i1 {value}, true")][: len(targets)]
    for target, each in zip(targets, both, strict=True):
        e.put(target, "pred", e.new(f"{combine} i1 {each}, {given}") if combine else each)


def predicate(e: Values, operand: Operand) -> str:
    if operand.kind == "not":
        return e.new(f"xor i1 {e.get(operand.parts[0], 'pred')}, true")
    return e.get(operand, "pred")


def set_to(e: Values, d: Operand, x: Operand, y: Operand, *, result: str, kind: str, op: str) -> None:
    """set: all ones or 1.0 where the comparison holds."""
    yes, no = ("1.0", "0.0") if result == "f32" else ("-1", "0")
    value = comparison(e, x, y, op, kind)
    e.put(d, result, e.new(f"select i1 {value}, {ll(result)} {yes}, {ll(result)} {no}"))


def selp(e: Values, d: Operand, x: Operand, y: Operand, p: Operand, *, kind: str) -> None:
    # A copy between registers whose NaNs all wait for their bits may leave them waiting.
    still = d.kind == "reg" and d.name in e.flow.raw
    a, b = e.get(x, kind, observe=not still), e.get(y, kind, observe=not still)
    e.put(d, kind, e.new(f"select i1 {e.get(p, 'pred')}, {ll(kind)} {a}, {ll(kind)} {b}"))


def build() -> Forms:
    forms = Forms()
    for kind in FLOATS:
        small = kind in ("f16", "bf16")
        for op in BINARY:
            if op == "div" and small:
                continue
            forms.add(f"{op}.rn.{kind}", 3, binary, arithmetic=kind, kind=kind, op=op)
            if op != "div":
                forms.add(f"{op}.{kind}", 3, binary, arithmetic=kind, kind=kind, op=op)
        forms.add(f"fma.rn.{kind}", 4, fma, arithmetic=kind, kind=kind)
        for op in ("neg", "abs"):
            forms.add(f"{op}.{kind}", 2, sign_bit, kind=kind, op=op)
        for op in ("min", "max"):
            forms.add(f"{op}.{kind}", 3, extreme, arithmetic=kind, kind=kind, op=op)
            if kind != "f64":
                forms.add(f"{op}.NaN.{kind}", 3, extreme, arithmetic=kind, kind=kind, op=op, keep_nan=True)
        if not small:
            for op in ("sqrt", "rcp"):
                forms.add(f"{op}.rn.{kind}", 2, unary, arithmetic=kind, kind=kind, op=op)
            forms.add(f"copysign.{kind}", 3, copysign, kind=kind)
            for what in CLASSES:
                forms.add(f"testp.{what}.{kind}", 2, testp, kind=kind, what=what)
    bits = [f"b{width}" for width in (16, 32, 64)]
    for kind in [*FLOATS, *INTS, *bits]:
        ops = FLOAT_COMPARE if kind in FLOATS else INT_COMPARE
        if kind[0] == "u":
            ops = ops | UNSIGNED_COMPARE
        if kind in bits:
            ops = {"eq": "eq", "ne": "ne"}
        for op in ops:
            forms.add(f"setp.{op}.{kind}", 3, setp, kind=kind, op=op)
            for combine in ("and", "or", "xor"):
                forms.add(f"setp.{op}.{combine}.{kind}", 4, setp, kind=kind, op=op, combine=combine)
            if kind not in ("f16", "bf16"):
                for result in ("u32", "s32", "f32"):
                    forms.add(f"set.{op}.{result}.{kind}", 3, set_to, result=result, kind=kind, op=op)
    for kind in [*INTS, *bits, "f32", "f64"]:
        forms.add(f"selp.{kind}", 4, selp, kind=kind)
    return forms
