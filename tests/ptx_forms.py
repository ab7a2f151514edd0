"""Every instruction form that varptx knows, hostile operands, and exact arithmetic in Python to compare with."""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

import varptx

FORMATS = {"f16": (5, 10), "bf16": (8, 7), "f32": (8, 23), "f64": (11, 52)}
CANONICAL = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0xFFF8000000000000}
WIDTH = {"pred": 1, "f16": 16, "bf16": 16, "f32": 32, "f64": 64} | {
    f"{s}{w}": w for s in "bus" for w in (8, 16, 32, 64)
}
Bits = int


# Exact arithmetic.


def is_nan(bits: Bits, kind: str) -> bool:
    e, p = FORMATS[kind]
    return bits & ((1 << e + p) - 1) > (((1 << e) - 1) << p)


def value(bits: Bits, kind: str) -> Fraction | float:
    """A number as a fraction, an infinity as a float; no NaN."""
    e, p = FORMATS[kind]
    sign, exponent, fraction = bits >> (e + p), bits >> p & ((1 << e) - 1), bits & ((1 << p) - 1)
    if exponent == (1 << e) - 1:
        return -math.inf if sign else math.inf
    bias = (1 << (e - 1)) - 1
    significand = fraction | (1 << p if exponent else 0)
    scale = max(exponent, 1) - bias - p
    size = Fraction(significand) * (Fraction(2) ** scale)
    return -size if sign else size


def sign_of(bits: Bits, kind: str) -> int:
    return bits >> (WIDTH[kind] - 1)


def rounded(exact: Fraction, kind: str, mode: str = "rn", zero_sign: int = 0) -> Bits:
    e, p = FORMATS[kind]
    bias, top = (1 << (e - 1)) - 1, (1 << e) - 1
    if exact == 0:
        return zero_sign << (e + p)
    sign, size = int(exact < 0), abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    quantum = Fraction(2) ** (max(exponent, 1 - bias) - p)
    steps, rest = divmod(size, quantum)
    rest /= quantum
    up = {
        "rn": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and steps % 2 == 1),
        "rz": False,
        "rm": bool(sign and rest),
        "rp": bool(not sign and rest),
    }[mode]
    size = (steps + up) * quantum
    largest = (Fraction(2) - Fraction(2) ** -p) * Fraction(2) ** bias
    if size > largest:
        inward = mode == "rz" or (mode == "rm" and not sign) or (mode == "rp" and sign)
        return sign << (e + p) | ((top << p) - 1 if inward else top << p)
    if size < Fraction(2) ** (1 - bias):
        return sign << (e + p) | int(size / Fraction(2) ** (1 - bias - p))
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    fraction = int(size / Fraction(2) ** (exponent - p)) - (1 << p)
    return sign << (e + p) | (exponent + bias) << p | fraction


def infinity(sign: int, kind: str) -> Bits:
    e, p = FORMATS[kind]
    return sign << (e + p) | ((1 << e) - 1) << p


def nan_of(operands: Sequence[Bits], kind: str) -> Bits:
    """The NaN that an operation on these operands gives."""
    if kind == "f64":
        for bits in operands:
            if is_nan(bits, kind):
                return bits | 1 << 51
    return CANONICAL[kind]


def fma_bits(a: Bits, b: Bits, c: Bits, kind: str, product_only: bool = False) -> Bits | None:
    """a * b + c; None where the operation is invalid or an operand is a NaN."""
    if any(is_nan(x, kind) for x in (a, b, c)):
        return None
    x, y, z = (value(each, kind) for each in (a, b, c))
    sign = sign_of(a, kind) ^ sign_of(b, kind)
    if isinstance(x, float) or isinstance(y, float):
        if x == 0 or y == 0:
            return None
        if isinstance(z, float) and sign_of(c, kind) != sign:
            return None
        return infinity(sign, kind)
    if isinstance(z, float):
        return infinity(sign_of(c, kind), kind)
    if product_only:
        return rounded(x * y, kind, "rn", sign)
    both = sign if x * y == 0 and z == 0 and sign == sign_of(c, kind) else 0
    return rounded(x * y + z, kind, "rn", both)


def negated(bits: Bits, kind: str) -> Bits:
    return bits ^ 1 << (WIDTH[kind] - 1)


def one(kind: str) -> Bits:
    return rounded(Fraction(1), kind)


def arithmetic(op: str, kind: str, *x: Bits) -> Bits:
    result: Bits | None
    if op == "add":
        result = fma_bits(x[0], one(kind), x[1], kind)
    elif op == "sub":
        result = fma_bits(negated(x[1], kind), one(kind), x[0], kind)
    elif op == "mul":
        result = fma_bits(x[0], x[1], 0, kind, product_only=True)
    elif op == "fma":
        result = fma_bits(*x, kind)
    elif op == "rcp":
        result = divided(one(kind), x[0], kind)
    elif op == "div":
        result = divided(*x, kind)
    else:
        result = root(x[0], kind)
    return nan_of(x, kind) if result is None else result


def divided(a: Bits, b: Bits, kind: str) -> Bits | None:
    if is_nan(a, kind) or is_nan(b, kind):
        return None
    x, y = value(a, kind), value(b, kind)
    sign = sign_of(a, kind) ^ sign_of(b, kind)
    if isinstance(x, float):
        return None if isinstance(y, float) else infinity(sign, kind)
    if isinstance(y, float):
        return rounded(Fraction(0), kind, "rn", sign)
    if y == 0:
        return None if x == 0 else infinity(sign, kind)
    return rounded(x / y, kind, "rn", sign)


def root(a: Bits, kind: str) -> Bits | None:
    if is_nan(a, kind):
        return None
    x = value(a, kind)
    if x == 0:
        return a
    if x < 0:
        return None
    if isinstance(x, float):
        return a
    # An integer root of over a hundred bits, with a sticky bit below it, rounds as the root itself does.
    shift = 2400
    n = (x.numerator << shift) // x.denominator
    r = math.isqrt(n)
    exact = r * r == n and (x.numerator << shift) % x.denominator == 0
    return rounded(Fraction(2 * r + (not exact), 2 ** (shift // 2 + 1)), kind)


def integer_of(bits: Bits, kind: str) -> int:
    width = WIDTH[kind]
    bits &= (1 << width) - 1
    return bits - (1 << width) if kind[0] == "s" and bits >> (width - 1) else bits


ROUND_TO_INT: dict[str, Callable[[Fraction], int]] = {
    "rni": round,
    "rzi": math.trunc,
    "rmi": math.floor,
    "rpi": math.ceil,
}


# Operands.


def float_operands(kind: str) -> list[Bits]:
    e, p = FORMATS[kind]
    top, bias = (1 << e) - 1, (1 << (e - 1)) - 1
    positive = [
        *(0, 1, (1 << p) - 1, 1 << p, bias << p, bias << p | 1, (top << p) - 1, top << p),
        *(rounded(Fraction(3, 2), kind), rounded(Fraction(1, 3), kind), rounded(Fraction(5, 2), kind)),
        *(rounded(Fraction(2) ** -(bias // 2), kind) | 1, (bias - 1) << p, (bias + p) << p | 1),
        *(top << p | 1, top << p | 1 << (p - 1) | 5),
    ]
    return [sign << (e + p) | bits for bits in positive for sign in (0, 1)]


def int_operands(kind: str) -> list[Bits]:
    width = WIDTH[kind]
    full = (1 << width) - 1
    few = [
        0,
        1,
        2,
        7,
        full,
        full - 1,
        full >> 1,
        (full >> 1) + 1,
        0x5A5A5A5A5A5A5A5A & full,
        width,
        width - 1,
        width + 1,
    ]
    return sorted({each & full for each in few})


def operands(kind: str, rng: random.Random) -> list[Bits]:
    if kind == "pred":
        return [0, 1]
    made = float_operands(kind) if kind in FORMATS else int_operands(kind)
    return made + [rng.getrandbits(WIDTH[kind]) for _ in range(6)]


def combinations(kinds: Sequence[str], rng: random.Random) -> list[tuple[Bits, ...]]:
    """All combinations of operands while they are few, else all of the pairs and a draw of the rest."""
    columns = [operands(kind, rng) for kind in kinds]
    every = math.prod(map(len, columns))
    if every <= 2000:
        return list(itertools.product(*columns))
    return [tuple(rng.choice(column) for column in columns) for _ in range(2000)]


# One kernel runs many forms that take operands of the same types.


def register(kind: str) -> str:
    """The type of the register that an operand of this type stands in."""
    if kind == "pred" or kind in ("f32", "f64"):
        return kind
    return f"b{max(WIDTH[kind], 16)}"


Case = tuple[str, str, str]  # a form, its text with {d}, {0}, {1} .., and the type of its result


def build(cases: Sequence[Case], kinds: Sequence[str], n: int) -> str:
    """A kernel in which thread i runs every form on the i-th operands and stores each result in a column of its own."""
    lines = [".version 9.0", ".target sm_90", ".address_size 64", ".visible .entry forms("]
    lines += [",\n".join(f".param .u64 p{i}" for i in range(len(kinds) + 1)), ") {"]
    lines += [".reg .b32 %t<4>; .reg .b64 %at<20>; .reg .b16 %h<4>; .reg .pred %sink;"]
    body = ["mov.u32 %t0, %ctaid.x; mov.u32 %t1, %ntid.x; mov.u32 %t2, %tid.x; mad.lo.s32 %t3, %t0, %t1, %t2;"]
    body += ["mul.wide.u32 %at0, %t3, 8; ld.param.u64 %at1, [p0]; add.u64 %at2, %at1, %at0;"]
    for i, kind in enumerate(kinds):
        at, reg = 3 + 2 * i, register(kind)
        lines.append(f".reg .{reg} %s{i};")
        body.append(f"ld.param.u64 %at{at}, [p{i + 1}]; add.u64 %at{at + 1}, %at{at}, %at0;")
        if kind == "pred":
            body.append(f"ld.global.u16 %h0, [%at{at + 1}]; setp.ne.u16 %s{i}, %h0, 0;")
        else:
            body.append(f"ld.global.{reg} %s{i}, [%at{at + 1}];")
    for number, (_, text, result) in enumerate(cases):
        reg = register(result)
        lines.append(f".reg .{reg} %d{number};")
        body.append(text.format(*[f"%s{i}" for i in range(len(kinds))], d=f"%d{number}") + ";")
        name = f"%d{number}"
        if result == "pred":
            body.append(f"selp.u16 %h1, 1, 0, {name};")
            name, reg = "%h1", "b16"
        body.append(f"st.global.{reg} [%at2+{8 * n * number}], {name};")
    return "\n".join([*lines, *body, "ret;", "}"])


def run(cases: Sequence[Case], kinds: Sequence[str], given: Sequence[tuple[Bits, ...]]) -> dict[str, list[Bits]]:
    """The results of each form on each operands, as bits."""
    n = -(-len(given) // 64) * 64
    padded = [*given, *([given[0]] * (n - len(given)))]
    kernel = varptx.load(build(cases, kinds, n), allow_unrounded=True).kernel()
    memory = varptx.Memory()
    columns = [memory.place(np.array([row[i] for row in padded], np.uint64), readonly=True) for i in range(len(kinds))]
    out = np.zeros((len(cases), n), np.uint64)
    kernel.launch(memory, grid=n // 64, block=64, args=[memory.place(out), *columns])
    return {name: [int(each) for each in out[i, : len(given)]] for i, (name, _, _) in enumerate(cases)}


Model = Callable[..., Bits]
ENTRIES: dict[str, tuple[str, tuple[str, ...], str, Model]] = {}


def entry(name: str, text: str, kinds: Sequence[str], result: str, model: Model) -> None:
    """Register a form: its text, the types of its operands and result, and what its bits must be."""
    assert name not in ENTRIES
    ENTRIES[name] = (text, tuple(kinds), result, model)


def plain(name: str, kinds: Sequence[str], result: str, model: Model) -> None:
    entry(name, f"{name} {{d}}, " + ", ".join(f"{{{i}}}" for i in range(len(kinds))), kinds, result, model)


INTS = [f"{s}{w}" for s in "us" for w in (16, 32, 64)]
BITS = ["b16", "b32", "b64"]


def wrap(kind: str, compute: Callable[..., int]) -> Model:
    """A model on numbers, as one on bits."""
    return lambda *x: compute(*[integer_of(each, kind) for each in x]) & ((1 << WIDTH[kind]) - 1)


def shifted(kind: str, op: str) -> Model:
    width = WIDTH[kind]

    def model(a: Bits, n: Bits) -> Bits:
        n = min(n, width)
        return ((a << n) if op == "shl" else integer_of(a, kind) >> n) & ((1 << width) - 1)

    return model


def integer_entries() -> None:
    for kind in INTS:
        w = WIDTH[kind]
        twice = f"{kind[0]}{2 * w}"
        ops = {"add": operator.add, "sub": operator.sub, "min": min, "max": max, "mul.lo": operator.mul}
        for op, compute in ops.items():
            plain(f"{op}.{kind}", (kind, kind), kind, wrap(kind, compute))
        plain(f"mul.hi.{kind}", (kind, kind), kind, wrap(kind, lambda a, b, w=w: a * b >> w))
        plain(f"mad.lo.{kind}", (kind,) * 3, kind, wrap(kind, lambda a, b, c: a * b + c))
        plain(f"mad.hi.{kind}", (kind,) * 3, kind, wrap(kind, lambda a, b, c, w=w: (a * b >> w) + c))
        if w < 64:
            wide = (1 << 2 * w) - 1
            plain(
                f"mul.wide.{kind}",
                (kind, kind),
                twice,
                lambda a, b, k=kind, m=wide: integer_of(a, k) * integer_of(b, k) & m,
            )
            plain(
                f"mad.wide.{kind}",
                (kind, kind, twice),
                twice,
                lambda a, b, c, k=kind, m=wide: (integer_of(a, k) * integer_of(b, k) + c) & m,
            )

        def quotient(a: int, b: int) -> int:
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)

        # A zero divisor is an error of its own; here it is replaced.
        guard = f"{{{{ .reg .pred z; .reg .b{w} y; setp.eq.b{w} z, {{1}}, 0; selp.b{w} y, 3, {{1}}, z;"
        for op, compute in (("div", quotient), ("rem", lambda a, b: a - quotient(a, b) * b)):
            text = f"{guard} {op}.{kind} {{d}}, {{0}}, y; }}}}"
            entry(f"{op}.{kind}", text, (kind, kind), kind, wrap(kind, lambda a, b, f=compute: f(a, b or 3)))
        plain(f"shr.{kind}", (kind, "u32"), kind, shifted(kind, "shr"))
        if kind[0] == "s":
            plain(f"neg.{kind}", (kind,), kind, wrap(kind, operator.neg))
            plain(f"abs.{kind}", (kind,), kind, wrap(kind, abs))
        if w > 16:
            plain(f"bfind.{kind}", (kind,), "u32", lambda a, k=kind: highest(a, k, False))
            plain(f"bfind.shiftamt.{kind}", (kind,), "u32", lambda a, k=kind: highest(a, k, True))
            plain(f"bfe.{kind}", (kind, "u32", "u32"), kind, lambda a, n, m, k=kind: extracted(a, n & 255, m & 255, k))
    for kind in [*BITS, "pred"]:
        for op, compute in (("and", operator.and_), ("or", operator.or_), ("xor", operator.xor)):
            plain(f"{op}.{kind}", (kind, kind), kind, compute)
        plain(f"not.{kind}", (kind,), kind, lambda a, k=kind: a ^ ((1 << WIDTH[k]) - 1))
    for kind in BITS:
        plain(f"shl.{kind}", (kind, "u32"), kind, shifted(kind, "shl"))
        plain(f"shr.{kind}", (kind, "u32"), kind, shifted(kind, "shr"))
    for kind in BITS[1:]:
        w = WIDTH[kind]
        plain(f"popc.{kind}", (kind,), "u32", lambda a: a.bit_count())
        plain(f"clz.{kind}", (kind,), "u32", lambda a, w=w: w - a.bit_length())
        plain(f"brev.{kind}", (kind,), kind, lambda a, w=w: int(f"{a:0{w}b}"[::-1], 2))
        plain(
            f"bfi.{kind}", (kind, kind, "u32", "u32"), kind, lambda a, b, n, m, w=w: inserted(a, b, n & 255, m & 255, w)
        )
    for right, wraps in itertools.product((False, True), repeat=2):

        def funnel(a: Bits, b: Bits, n: Bits, right: bool = right, wraps: bool = wraps) -> Bits:
            n = n & 31 if wraps else min(n, 32)
            pair = b << 32 | a
            return (pair >> n if right else pair << n >> 32) & 0xFFFFFFFF

        plain(f"shf.{'r' if right else 'l'}.{'wrap' if wraps else 'clamp'}.b32", ("b32", "b32", "u32"), "b32", funnel)
    plain("prmt.b32", ("b32", "b32", "b32"), "b32", permuted)
    entry("lop3.b32", "lop3.b32 {d}, {0}, {1}, {2}, 0xE8", ("b32",) * 3, "b32", lambda a, b, c: a & b | a & c | b & c)


def highest(a: Bits, kind: str, as_shift: bool) -> Bits:
    """The ISA's own loop."""
    top = WIDTH[kind] - 1
    if kind[0] == "s" and a >> top:
        a = ~a
    for i in range(top, -1, -1):
        if a >> i & 1:
            return top - i if as_shift else i
    return 0xFFFFFFFF


def extracted(a: Bits, at: int, size: int, kind: str) -> Bits:
    """The ISA's own loop."""
    top = WIDTH[kind] - 1
    fill = 0 if kind[0] == "u" or size == 0 else a >> min(at + size - 1, top) & 1
    bits = [a >> (at + i) & 1 if i < size and at + i <= top else fill for i in range(top + 1)]
    return sum(bit << i for i, bit in enumerate(bits))


def inserted(a: Bits, b: Bits, at: int, size: int, width: int) -> Bits:
    for i in range(size):
        if at + i < width:
            b = b & ~(1 << at + i) | (a >> i & 1) << at + i
    return b


def permuted(a: Bits, b: Bits, c: Bits) -> Bits:
    data = (b << 32 | a).to_bytes(8, "little")
    out = 0
    for i in range(4):
        select = c >> 4 * i & 15
        byte = data[select & 7]
        out |= ((255 if byte >> 7 else 0) if select & 8 else byte) << 8 * i
    return out


INT_OPS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
UNSIGNED_OPS = {"lo": operator.lt, "ls": operator.le, "hi": operator.gt, "hs": operator.ge}


def compared(op: str, kind: str) -> Callable[[Bits, Bits], int]:
    def model(a: Bits, b: Bits) -> int:
        if kind not in FORMATS:
            return int((INT_OPS | UNSIGNED_OPS)[op](integer_of(a, kind), integer_of(b, kind)))
        unordered = is_nan(a, kind) or is_nan(b, kind)
        if op in ("num", "nan"):
            return int(unordered == (op == "nan"))
        if unordered:
            return int(op.endswith("u"))
        return int(INT_OPS[op.removesuffix("u")](value(a, kind), value(b, kind)))

    return model


def comparison_entries() -> None:
    unordered = [f"{op}u" for op in INT_OPS]
    for kind in [*FORMATS, *INTS, *BITS]:
        names = [*INT_OPS, *unordered, "num", "nan"] if kind in FORMATS else [*INT_OPS]
        names += list(UNSIGNED_OPS) if kind[0] == "u" else []
        for op in names if kind not in BITS else ["eq", "ne"]:
            holds = compared(op, kind)
            plain(f"setp.{op}.{kind}", (kind, kind), "pred", holds)
            for name, join in (("and", operator.and_), ("or", operator.or_), ("xor", operator.xor)):
                plain(
                    f"setp.{op}.{name}.{kind}",
                    (kind, kind, "pred"),
                    "pred",
                    lambda a, b, c, h=holds, j=join: j(h(a, b), c),
                )
            if kind not in ("f16", "bf16"):
                for result, yes in (("u32", 0xFFFFFFFF), ("s32", 0xFFFFFFFF), ("f32", 0x3F800000)):
                    plain(f"set.{op}.{result}.{kind}", (kind, kind), result, lambda a, b, h=holds, y=yes: y * h(a, b))
    for kind in [*INTS, *BITS, "f32", "f64"]:
        plain(f"selp.{kind}", (kind, kind, "pred"), kind, lambda a, b, p: a if p else b)


def extreme(op: str, kind: str, keeps_nan: bool) -> Model:
    def model(a: Bits, b: Bits) -> Bits:
        a_nan, b_nan = is_nan(a, kind), is_nan(b, kind)
        if (a_nan and b_nan) or (keeps_nan and (a_nan or b_nan)):
            return CANONICAL[kind]
        if a_nan or b_nan:
            return b if a_nan else a
        x, y = value(a, kind), value(b, kind)
        if x == y:
            low, high = sorted((a, b), key=lambda bits: -sign_of(bits, kind))
        else:
            low, high = (a, b) if x < y else (b, a)
        return low if op == "min" else high

    return model


def classed(what: str, kind: str) -> Model:
    e, p = FORMATS[kind]

    def model(a: Bits) -> int:
        exponent, fraction = a >> p & ((1 << e) - 1), a & ((1 << p) - 1)
        top = (1 << e) - 1
        return int(
            {
                "finite": exponent != top,
                "infinite": exponent == top and not fraction,
                "number": not is_nan(a, kind),
                "notanumber": is_nan(a, kind),
                "normal": 0 < exponent < top,
                "subnormal": exponent == 0 and fraction != 0,
            }[what]
        )

    return model


def float_entries() -> None:
    for kind in FORMATS:
        small = kind in ("f16", "bf16")
        for op, count in (("add", 2), ("sub", 2), ("mul", 2), ("div", 2), ("fma", 3), ("sqrt", 1), ("rcp", 1)):
            if small and op in ("div", "sqrt", "rcp"):
                continue
            names = [f"{op}.rn.{kind}"] + ([f"{op}.{kind}"] if op in ("add", "sub", "mul") else [])
            for name in names:
                plain(name, (kind,) * count, kind, lambda *x, o=op, k=kind: arithmetic(o, k, *x))
        plain(f"neg.{kind}", (kind,), kind, lambda a, k=kind: negated(a, k))
        plain(f"abs.{kind}", (kind,), kind, lambda a, k=kind: a & ~(1 << (WIDTH[k] - 1)))
        for op in ("min", "max"):
            plain(f"{op}.{kind}", (kind, kind), kind, extreme(op, kind, False))
            if kind != "f64":
                plain(f"{op}.NaN.{kind}", (kind, kind), kind, extreme(op, kind, True))
        if not small:
            mask = 1 << (WIDTH[kind] - 1)
            plain(f"copysign.{kind}", (kind, kind), kind, lambda a, b, m=mask: a & m | b & ~m)
            for what in ("finite", "infinite", "number", "notanumber", "normal", "subnormal"):
                plain(f"testp.{what}.{kind}", (kind,), "pred", classed(what, kind))


# Conversions.


def converted(to: str, source: str, mode: str) -> Model:
    def model(a: Bits) -> Bits:
        if source not in FORMATS:
            number = integer_of(a, source)
            if to in FORMATS:
                return rounded(Fraction(number), to, mode)
            return integer_of(number, to) & ((1 << max(WIDTH[to], 32)) - 1)
        if to not in FORMATS:
            low, high = (-(1 << WIDTH[to] - 1), (1 << WIDTH[to] - 1) - 1) if to[0] == "s" else (0, (1 << WIDTH[to]) - 1)
            if is_nan(a, source):
                top = integer_of(1 << (WIDTH[to] - 1), to) & ((1 << max(WIDTH[to], 32)) - 1)
                return top if source == "f64" or WIDTH[to] == 64 else 0
            x = value(a, source)
            number = (low if x < 0 else high) if isinstance(x, float) else ROUND_TO_INT[mode](x)
            return min(max(number, low), high) & ((1 << max(WIDTH[to], 32)) - 1)
        if to == source and not mode:
            return a
        if is_nan(a, source):
            if to == source == "f64":
                return a | 1 << 51
            if (to, source) == ("f64", "f32"):
                return (a >> 31) << 63 | 0x7FF << 52 | (a & 0x7FFFFF | 1 << 22) << 29
            if to == "f64":
                return 0x7FFFFFFFE0000000
            return CANONICAL[to]
        x = value(a, source)
        if isinstance(x, float):
            return infinity(sign_of(a, source), to)
        if mode in ROUND_TO_INT:
            return rounded(Fraction(ROUND_TO_INT[mode](x)), to, "rn", sign_of(a, source))
        return rounded(x, to, mode or "rn", sign_of(a, source))

    return model


def convert_entries() -> None:
    kinds = [f"{s}{w}" for s in "us" for w in (8, 16, 32, 64)]
    for to, source in itertools.product([*kinds, *FORMATS], repeat=2):
        if source not in FORMATS:
            modes = [""] if to not in FORMATS else ["rn", "rz", "rm", "rp"] if to in ("f16", "bf16") else ["rn"]
        elif to not in FORMATS:
            modes = list(ROUND_TO_INT)
        elif to == source:
            modes = ["", *ROUND_TO_INT]
        else:
            modes = [""] if WIDTH[to] > WIDTH[source] else ["rn", "rz", "rm", "rp"]
        for mode in modes:
            name = ".".join(part for part in ("cvt", mode, to, source) if part)
            # Small integers stand in wider registers, whose upper bits a conversion ignores and then fills.
            given = f"b{max(WIDTH[source], 32)}" if source not in FORMATS else source
            result = f"b{max(WIDTH[to], 32)}" if to not in FORMATS else to
            plain(name, (given,), result, converted(to, source, mode))
    for kind in ("f16", "bf16"):
        half = converted(kind, "f32", "rn")
        plain(f"cvt.rn.{kind}x2.f32", ("f32", "f32"), "b32", lambda a, b, h=half: h(a) << 16 | h(b))


def move_entries() -> None:
    for kind in ("pred", *INTS, *BITS, "f32", "f64"):
        plain(f"mov.{kind}", (kind,), kind, lambda a: a)
    full = (1 << 64) - 1
    for space, window in (("global", 0), ("shared", 1 << 40), ("local", 2 << 40)):
        plain(f"cvta.{space}.u64", ("u64",), "u64", lambda a, w=window: a + w & full)
        plain(f"cvta.to.{space}.u64", ("u64",), "u64", lambda a, w=window: a - w & full)


integer_entries()
comparison_entries()
float_entries()
convert_entries()
move_entries()

# Tested in test_varptx_memory.py and test_varptx_threads.py, which iterate over the table's rows of these kinds.
ELSEWHERE = (
    "ld",
    "st",
    "atom",
    "red",
    "shfl",
    "vote",
    "redux",
    "bar",
    "barrier",
    "fence",
    "membar",
    "bra",
    "ret",
    "exit",
    "trap",
)


def by_operands() -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Forms that take the same operands, in groups that compile quickly."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, (_, kinds, _, _) in ENTRIES.items():
        groups.setdefault(kinds, []).append(name)
    return [
        (f"{names[at]}..{'-'.join(kinds)}", kinds, names[at : at + 60])
        for kinds, names in groups.items()
        for at in range(0, len(names), 60)
    ]


def fma_near_ties(kind: str) -> None:
    """Sums that lie within a hair of half a unit, where two roundings would go wrong."""
    p = FORMATS[kind][1]
    rng = random.Random(kind)
    given = []
    for _ in range(1500):
        a, b = (rounded(Fraction(rng.getrandbits(p + 1) | 1 << p, 1 << p), kind) for _ in range(2))
        x, y = value(a, kind), value(b, kind)
        assert isinstance(x, Fraction)
        assert isinstance(y, Fraction)
        scale = Fraction(2) ** rng.randint(-2 * p - 3, p + 3)
        c = rounded(rng.choice((-1, 1)) * scale * Fraction(rng.choice((1, (1 << p) | 1, (1 << p) - 1)), 1 << p), kind)
        given.append((a, b, c))
    got = run([("fma", f"fma.rn.{kind} {{d}}, {{0}}, {{1}}, {{2}}", kind)], (kind,) * 3, given)["fma"]
    for row, bits in zip(given, got, strict=True):
        assert bits == arithmetic("fma", kind, *row), [hex(x) for x in row]
