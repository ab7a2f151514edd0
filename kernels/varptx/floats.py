"""Floating-point arithmetic and comparison (PTX ISA 9.0, sections "Floating Point Instructions" and after).

Every operation is IEEE 754's in round to nearest even, subnormals kept. A bare ``add``, ``sub`` or ``mul`` rounds so
too, but leaves ptxas free to fuse; ``flow.fusible`` refuses the kernels in which it could.

NaN results: 0x7fffffff in f32 and 0x7fff in f16 and bf16, whatever the operands. In f64, where the ISA supports
payloads without saying whose survives, the first operand that is a NaN, made quiet, or 0xfff8000000000000.
"""

from __future__ import annotations

from collections.abc import Callable

from .integers import INTS, Lower
from .parse import WIDTHS, Instruction, Operand
from .prelude import CANONICAL
from .values import Form, Values, ll, signed

FLOATS = ["f16", "bf16", "f32", "f64"]
BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}

INT_COMPARE = {"eq": "eq", "ne": "ne"} | {c: c for c in ("lt", "le", "gt", "ge")}
UNSIGNED_COMPARE = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
FLOAT_COMPARE = {"eq": "oeq", "ne": "one", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "num": "ord"}
FLOAT_COMPARE |= {"equ": "ueq", "neu": "une", "ltu": "ult", "leu": "ule", "gtu": "ugt", "geu": "uge", "nan": "uno"}


def binary(kind: str, op: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        d, x, y = ins.operands
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

    return lower


def fma(kind: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        d, *sources = ins.operands
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

    return lower


def unary(kind: str, op: str) -> Lower:
    """sqrt.rn and rcp.rn."""

    def lower(e: Values, ins: Instruction) -> None:
        d, x = ins.operands
        t = ll(kind)
        a = e.get(x, kind, observe=False)
        value = e.new(f"fdiv {t} 1.0, {a}") if op == "rcp" else e.intrinsic(f"llvm.sqrt.{kind}", t, f"{t} {a}")
        if kind == "f64":
            value = e.payload(value, a, a)
        e.put(d, kind, value, arithmetic=True)

    return lower


def bits_of(e: Values, operand: Operand, kind: str) -> str:
    value = e.get(operand, kind)
    return e.new(f"bitcast {ll(kind)} {value} to i{WIDTHS[kind]}") if kind in ("f32", "f64") else value


def put_bits(e: Values, operand: Operand, kind: str, bits: str) -> None:
    value = e.new(f"bitcast i{WIDTHS[kind]} {bits} to {ll(kind)}") if kind in ("f32", "f64") else bits
    e.put(operand, kind, value)


def sign_bit(kind: str, op: str) -> Lower:
    """neg and abs touch the sign bit alone, a NaN's too, whose bits the ISA leaves open."""
    width = WIDTHS[kind]
    mask = signed((1 << width - 1) - (op == "abs"), width)

    def lower(e: Values, ins: Instruction) -> None:
        bits = bits_of(e, ins.operands[1], kind)
        put_bits(e, ins.operands[0], kind, e.new(f"{'and' if op == 'abs' else 'xor'} i{width} {bits}, {mask}"))

    return lower


def copysign(kind: str) -> Lower:
    """The sign of the first source, the rest of the second (PTX ISA 9.0, section "copysign")."""
    width = WIDTHS[kind]

    def lower(e: Values, ins: Instruction) -> None:
        a, b = (bits_of(e, operand, kind) for operand in ins.operands[1:3])
        sign = e.new(f"and i{width} {a}, {signed(1 << width - 1, width)}")
        rest = e.new(f"and i{width} {b}, {(1 << width - 1) - 1}")
        put_bits(e, ins.operands[0], kind, e.new(f"or i{width} {sign}, {rest}"))

    return lower


def extreme(kind: str, op: str, keep_nan: bool) -> Lower:
    """min and max: a NaN loses to a number, or wins with .NaN; -0 is less than +0 (PTX ISA 9.0, "min")."""
    width = WIDTHS[kind]

    def lower(e: Values, ins: Instruction) -> None:
        d, x, y = ins.operands
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

    return lower


def testp(kind: str, what: str) -> Lower:
    t = ll(kind)
    # LLVM's is.fpclass: bits snan, qnan, -inf, -normal, -subnormal, -0, +0, +subnormal, +normal, +inf.
    sets = {"finite": 0x1F8, "infinite": 0x204, "number": 0x3FC, "notanumber": 3, "normal": 0x108, "subnormal": 0x90}

    def lower(e: Values, ins: Instruction) -> None:
        a = e.get(ins.operands[1], kind, observe=False)
        value = e.intrinsic(f"llvm.is.fpclass.{kind}", "i1", f"{t} {a}", f"i32 {sets[what]}")
        e.put(ins.operands[0], "pred", value)

    return lower


def comparison(e: Values, x: Operand, y: Operand, op: str, kind: str) -> str:
    """The i1 of one comparison."""
    if kind in FLOATS:
        read: Callable[[Operand], str] = (lambda o: e.get(o, kind)) if kind == "f64" else (lambda o: e.wide(o, kind))
        return e.new(f"fcmp {FLOAT_COMPARE[op]} {'double' if kind == 'f64' else 'float'} {read(x)}, {read(y)}")
    a, b = e.get(x, kind), e.get(y, kind)
    name = INT_COMPARE.get(op) or UNSIGNED_COMPARE[op]
    prefix = "" if name in ("eq", "ne") else "s" if kind[0] == "s" else "u"
    return e.new(f"icmp {prefix}{name} {ll(kind)} {a}, {b}")


def setp(kind: str, op: str, combine: str) -> Lower:
    """``p|q``: p is the comparison, q its opposite, each combined with c (PTX ISA 9.0, section "setp")."""

    def lower(e: Values, ins: Instruction) -> None:
        d = ins.operands[0]
        value = comparison(e, ins.operands[1], ins.operands[2], op, kind)
        targets = d.parts if d.kind == "pair" else (d,)
        # Every source is read before a destination is written: they may be the same register.
        c = predicate(e, ins.operands[3]) if combine else ""
        both = [value, e.new(f"xor i1 {value}, true")][: len(targets)]
        for target, each in zip(targets, both, strict=True):
            e.put(target, "pred", e.new(f"{combine} i1 {each}, {c}") if combine else each)

    return lower


def predicate(e: Values, operand: Operand) -> str:
    if operand.kind == "not":
        return e.new(f"xor i1 {e.get(operand.parts[0], 'pred')}, true")
    return e.get(operand, "pred")


def set_to(result: str, kind: str, op: str) -> Lower:
    """set: all ones or 1.0 where the comparison holds."""
    yes = {"f32": "1.0"}.get(result, "-1")

    def lower(e: Values, ins: Instruction) -> None:
        value = comparison(e, ins.operands[1], ins.operands[2], op, kind)
        no = "0.0" if result == "f32" else "0"
        e.put(ins.operands[0], result, e.new(f"select i1 {value}, {ll(result)} {yes}, {ll(result)} {no}"))

    return lower


def selp(kind: str) -> Lower:
    def lower(e: Values, ins: Instruction) -> None:
        d, x, y, p = ins.operands
        # A copy between registers whose NaNs all wait for their bits may leave them waiting.
        still = d.kind == "reg" and d.name in e.flow.raw
        a, b = e.get(x, kind, observe=not still), e.get(y, kind, observe=not still)
        e.put(d, kind, e.new(f"select i1 {e.get(p, 'pred')}, {ll(kind)} {a}, {ll(kind)} {b}"))

    return lower


def build() -> dict[str, Form]:
    forms: dict[str, Form] = {}

    def add(name: str, lower: Lower, count: int = 3, arithmetic: str = "") -> None:
        forms[name] = Form(name, lower, arithmetic=arithmetic, count=(count,))

    for kind in FLOATS:
        small = kind in ("f16", "bf16")
        for op in BINARY:
            if op == "div" and small:
                continue
            add(f"{op}.rn.{kind}", binary(kind, op), arithmetic=kind)
            if op != "div":
                add(f"{op}.{kind}", binary(kind, op), arithmetic=kind)
        add(f"fma.rn.{kind}", fma(kind), 4, arithmetic=kind)
        add(f"neg.{kind}", sign_bit(kind, "neg"), 2)
        add(f"abs.{kind}", sign_bit(kind, "abs"), 2)
        for op in ("min", "max"):
            add(f"{op}.{kind}", extreme(kind, op, False), arithmetic=kind)
            if kind != "f64":
                add(f"{op}.NaN.{kind}", extreme(kind, op, True), arithmetic=kind)
        if not small:
            add(f"sqrt.rn.{kind}", unary(kind, "sqrt"), 2, arithmetic=kind)
            add(f"rcp.rn.{kind}", unary(kind, "rcp"), 2, arithmetic=kind)
            add(f"copysign.{kind}", copysign(kind))
            for what in ("finite", "infinite", "number", "notanumber", "normal", "subnormal"):
                add(f"testp.{what}.{kind}", testp(kind, what), 2)
    bits = [f"b{width}" for width in (16, 32, 64)]
    for kind in [*FLOATS, *INTS, *bits]:
        ops = FLOAT_COMPARE if kind in FLOATS else INT_COMPARE
        if kind[0] == "u":
            ops = ops | UNSIGNED_COMPARE
        if kind in bits:
            ops = {"eq": "eq", "ne": "ne"}
        for op in ops:
            add(f"setp.{op}.{kind}", setp(kind, op, ""))
            for combine in ("and", "or", "xor"):
                add(f"setp.{op}.{combine}.{kind}", setp(kind, op, combine), 4)
            if kind not in ("f16", "bf16"):
                for result in ("u32", "s32", "f32"):
                    add(f"set.{op}.{result}.{kind}", set_to(result, kind, op))
    for kind in [*INTS, *bits, "f32", "f64"]:
        add(f"selp.{kind}", selp(kind), 4)
    return forms
