"""The look at the arithmetic that kernels take: whether it rounds to nearest and keeps subnormal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types

from .inlining import inline
from .jit import Definition
from .smallfloat import from_bits

__all__ = ["definition", "is_default"]

# Numba annotates it for Python's callers; compiled code calls an intrinsic without the typing context.
intrinsic: Any = extending.intrinsic


@intrinsic
def _unknown(typingctx, value):  # type: ignore[no-untyped-def]
    """An int64 of which the compiler knows nothing: it has passed through an empty piece of assembly."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.asm(kind, "", "=r,0", args, True)

    return types.int64(types.int64), codegen


@inline
def is_default():  # type: ignore[no-untyped-def]
    """Whether arithmetic rounds to nearest and keeps subnormal numbers, as far as additions show it; within kernels."""
    one, least = from_bits(_unknown(np.int64(1023) << 52)), from_bits(_unknown(np.int64(1)))
    kept = (one + 2.0**-60 == one) & (one - 2.0**-60 == one) & (-one - 2.0**-60 == -one)
    return kept & (least + least != 0.0)


def definition() -> Definition:
    """`is_default` for Python."""
    return Definition(is_default, ())
