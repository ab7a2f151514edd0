"""The table of every instruction form that is known, and how a written opcode finds its row."""

from __future__ import annotations

from . import access, convert, floats, integers, sync
from .errors import UnknownInstruction
from .parse import Instruction, Operand
from .values import Form, Values


def _by_control(e: Values, *operands: Operand) -> None:
    raise AssertionError("control flow is lowered by Lowering itself")


# Control flow: the branch's label is no register, so these read and write nothing but their predicate.
CONTROL = {
    name: Form(name, _by_control, defs=0, count=(n,)) for name, n in (("bra", 1), ("ret", 0), ("exit", 0), ("trap", 0))
}

FORMS: dict[str, Form] = {
    **integers.build(),
    **floats.build(),
    **convert.build(),
    **access.build(),
    **sync.build(),
    **CONTROL,
}

_SCOPES = {"cta", "cluster", "gpu", "sys"}
_ORDERS = {"weak", "volatile", "relaxed", "acquire", "release", "acq_rel", "sc"}
_CACHES = {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc"}
_SAME = {
    "bra.uni": "bra",
    "ret.uni": "ret",
    "barrier.sync.aligned": "bar.sync",
    "bar.cta.sync": "bar.sync",
    "barrier.cta.sync.aligned": "bar.sync",
    "barrier.cta.sync": "barrier.sync",
}

# Why some qualifiers are refused wherever they stand.
_REFUSED = {
    "ftz": "it flushes subnormals to zero",
    "approx": "its result is approximate, and differs between GPUs",
    "full": "its result is approximate, and differs between GPUs",
    "sat": "saturation is not supported",
    "satfinite": "saturation is not supported",
    "relu": "relu is not supported",
}


def normal(opcode: str) -> str:
    """The opcode without the qualifiers that change nothing when threads run one after another.

    Caching hints, memory orders and scopes of loads, stores, atomics and fences go (PTX ISA 9.0, "ld" and
    "Memory Consistency Model"); ``bra.uni`` is ``bra``.
    """
    stem, *rest = opcode.split(".")
    if stem in ("fence", "membar"):
        known = _SCOPES | _ORDERS | ({"gl"} if stem == "membar" else set())
        return stem if rest and all(each in known for each in rest) else opcode
    if stem in ("ld", "st"):
        dropped = _SCOPES | _ORDERS | _CACHES
        rest = [each for each in rest if each not in dropped and not each.startswith(("L1::", "L2::"))]
    elif stem in ("atom", "red"):
        rest = [each for each in rest if each not in _SCOPES | _ORDERS]
    elif opcode in _SAME:
        return _SAME[opcode]
    return ".".join([stem, *rest])


def find(ins: Instruction) -> Form:
    """The form of an instruction, or a refusal that names it."""
    form = FORMS.get(normal(ins.opcode))
    where = f"line {ins.line}: '{ins.text}'"
    if form is None:
        for part in ins.opcode.split(".")[1:]:
            if part in _REFUSED:
                raise UnknownInstruction(f"{where}: .{part} is refused: {_REFUSED[part]}")
        raise UnknownInstruction(f"{where}: the instruction '{ins.opcode}' is not known")
    if len(ins.operands) not in form.count:
        counts = " or ".join(map(str, form.count))
        raise UnknownInstruction(f"{where}: '{ins.opcode}' takes {counts} operands, not {len(ins.operands)}")
    return form
