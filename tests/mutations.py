"""Damaged copies of a file's content, for tests of readers."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["damaged"]

# What breaks readers: very long numbers, deep brackets, and numbers beyond int64 or float64.
WORDS = (
    *(b"0", b"-1", b"1e400", b"NaN", b"Infinity", b"null", b"true", b'""', b"{}", b"[]", b"\0", b"\xff", b"\n"),
    *(
        b"9223372036854775807",
        b"9223372036854775808",
        b"4294967296",
        b"9" * 5000,
        b"[" * 3000,
        b"{" * 3000,
        b"-" * 3000,
    ),
    *(b"<9223372036854775807>", b"(", b")", b"}", b"]", b";", b",", b".", b"!", b"|", b"/*", b"\xc2\xb2", b"\xd9\xa3"),
)


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` copies of a content with one to four changes each: bits, cuts, repetitions, numbers and brackets."""
    chosen = random.Random(seed)
    numbers = [k for k, byte in enumerate(content) if 48 <= byte < 58]
    for _ in range(count):
        made = bytearray(content)
        for _ in range(chosen.choice((1, 1, 1, 2, 4))):
            at = chosen.randrange(len(made) + 1)
            end = min(len(made), at + chosen.choice((1, 1, 4, 16, 64, 1024)))
            kind = chosen.randrange(7)
            if kind == 0 and at < len(made):
                made[at] ^= 1 << chosen.randrange(8)
            elif kind == 1:
                del made[at:end]
            elif kind == 2:
                made[at:at] = made[at:end]
            elif kind == 3:
                del made[at:]
            elif kind == 4:
                made[at:at] = chosen.choice(WORDS)
            elif kind == 5:
                made[at:end] = chosen.choice(WORDS)
            elif numbers:
                at = chosen.choice(numbers)
                made[at : at + 1] = chosen.choice(WORDS)
            if not made:
                made += b" "
        yield bytes(made)
