"""What the LLVM IR of all kernels shares: the layout of a run's state, and the texts of the files ``*.ll``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

# The run's state is an array of 64-bit words; these are their places.
CTX: Final = {
    name: place
    for place, name in enumerate(
        (
            *("table", "entries", "params", "ntid_x", "ntid_y", "ntid_z", "nctaid_x", "nctaid_y", "nctaid_z"),
            *("ctaid_x", "ctaid_y", "ctaid_z", "frames", "threads", "shared", "shared_size1", "shared_shadow"),
            *("local", "local_size", "local_shadow", "budget", "error", "pc", "address", "lane", "dynamic"),
            *("warps", "blocks", "frame_bytes", "step", "reverse"),
        )
    )
}

# A lane's frame starts with these 32-bit words; the registers alive across a suspension follow.
FRAME: Final = {
    name: place
    for place, name in enumerate(
        (
            *("resume", "kind", "mask", "a", "b", "c", "result", "pred", "mode", "bar", "count", "pc"),
            *("tid_x", "tid_y", "tid_z", "lane"),
            # Of the shuffles after the first that share its wait.
            *("a1", "a2", "a3", "a4", "result1", "result2", "result3", "result4"),
        )
    )
}
HEADER_BYTES: Final = 4 * len(FRAME)

# What a lane waits for.
READY, EXITED, SHUFFLE, BARRIER, WARP, VOTE, REDUX = range(7)

# Why a run stopped.
E_MEMORY, E_BUDGET, E_DIVIDE, E_TRAP, E_NOT_IN_MASK, E_BAD_SOURCE, E_DEADLOCK, E_COUNT, E_ALIGNED = range(1, 10)

# A buffer's row in the table of addresses: 64-bit words.
ROW: Final = {"base": 0, "low": 1, "read1": 2, "write1": 3, "shadow": 4}
ROW_WORDS: Final = 8
ID_SHIFT: Final = 40
SHARED_ID, LOCAL_ID, FIRST_ID = 1, 2, 16
LOCAL_ROW: Final = LOCAL_ID * ROW_WORDS

# Bits of the NaN that an invalid operation gives.
CANONICAL: Final = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0xFFF8000000000000}


def _text(name: str) -> str:
    """A file of LLVM IR with the places and numbers above put in: ctx.NAME, frame.NAME, row.NAME and $NAME."""
    known = {f"${name}": value for name, value in globals().items()}
    for table, places in (("ctx", CTX), ("frame", FRAME), ("row", ROW)):
        known |= {f"{table}.{word}": place for word, place in places.items()}
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return re.sub(r"\b(?:ctx|frame|row)\.\w+|\$\w+", lambda found: str(known[found[0]]), text)


# What a kernel's own module is made of, and the scheduler's module, which is the same for every kernel.
FAIL: Final = _text("fail.ll")
HELPERS: Final = _text("helpers.ll")
STEP: Final = _text("step.ll")
SCHEDULER: Final = FAIL + _text("scheduler.ll")
