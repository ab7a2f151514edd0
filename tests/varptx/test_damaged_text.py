"""varptx refuses hostile and damaged texts in one sentence, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from mutations import damaged
from ptx_texts import HEAD

import varptx

SAMPLES = sorted((Path(__file__).parent / "ptx_samples").glob("*.ptx"))
BOMBS = [
    ".entry k() { .reg .f32 %f<9223372036854775807>; ret; }",
    ".entry k() { .reg .pred %p<1073741824>; ret; }",
    ".entry k() { .reg .f64 %fd<4294967296>; ret; }",
    ".entry k() { .reg .b32 %r<65537>; ret; }",
    ".entry k() { .reg .b32 %r<60000>; .reg .b32 %s<60000>; ret; }",
    ".entry k() { .reg .b32 %r<" + "9" * 5000 + ">; ret; }",
    ".entry k() { .local .b8 a[4294967296]; ret; }",
    ".entry k() { .local .b8 a[99999][99999]; ret; }",
    ".entry k() { .local .b8 a[600000]; .local .b8 b[600000]; ret; }",
    ".shared .b8 a[" + "9" * 5000 + "]; .entry k() { ret; }",
    ".entry k() { .local .align 0 .b8 a[4]; ret; }",
    ".entry k() { .local .align 3 .b8 a[4]; ret; }",
    ".shared .align 0 .b8 a[4]; .entry k() { ret; }",
    ".shared .align 18446744073709551616 .b8 a[4]; .entry k() { ret; }",
    ".entry k(.param .align 0 .b8 p[4]) { ret; }",
    ".entry k(.param .b8 p[4294967296]) { ret; }",
    ".entry k(.param .b8 p[" + "9" * 5000 + "]) { ret; }",
    ".entry k() .maxntid " + "9" * 5000 + " { ret; }",
    ".entry k() { .reg .b32 %r<2>; add.s32 %r0, %r1, " + "9" * 5000 + "; ret; }",
    ".entry k() { .reg .b32 %r<2>; ld.global.u32 %r0, [%r1+" + "9" * 5000 + "]; ret; }",
    ".entry k() { .reg .b32 %r<2>; add.s32 %r0, %r1, " + "!" * 5000 + "; ret; }",
    ".entry k() { .reg .b32 %r<2>; add.s32 %r0, %r1, " + "[" * 5000 + "1" + "]" * 5000 + "; ret; }",
    ".entry k() { .reg .b32 %r<2>; ld.global.u32 %r0, [%r1" + " " * 200000 + "?+1]; ret; }",
    ".entry k() {" + "{" * 5000 + " ret; " + "}" * 5001,
    ".entry k() { ret; }" + "/*" * 500_000,
    ".entry k() { ret; } /*/",
    " " * (1 << 24) + ".entry k() { ret; }",
    "".join(f".shared .b8 s{k};" for k in range(5000)) + ".entry k() { ret; }",
    ".entry k() {" + "".join(f".local .b8 s{k};" for k in range(5000)) + " ret; }",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_what_would_exhaust_memory_or_time_is_refused_in_one_sentence(text: str) -> None:
    whole = HEAD + text
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(varptx.UnsupportedPTX) as refused:
            varptx.load(whole)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 20
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("head", [".version " + "9" * 5000 + ".0\n", HEAD.replace("sm_90", "sm_" + "9" * 5000)])
def test_long_numbers_in_the_head_are_refused(head: str) -> None:
    with pytest.raises(varptx.UnsupportedPTX, match="are supported"):
        varptx.load(head + ".entry k() { ret; }")


def test_extents_without_a_comma_between_them_are_refused() -> None:
    with pytest.raises(varptx.UnsupportedPTX, match=r"the values of '\.reqntid' are not understood"):
        varptx.load(HEAD + ".entry k() .reqntid 3 2, 1 { ret; }")


def damage(count: int) -> None:
    """Load damaged copies of every sample: each loads, or is refused by this package's own error."""
    for sample in SAMPLES:
        for seed, content in enumerate(damaged(sample.read_bytes(), count // len(SAMPLES))):
            started = time.process_time()
            with suppress(varptx.UnsupportedPTX):
                varptx.load(content.decode("utf-8", "replace"))
            assert time.process_time() - started < 10, f"{sample.name}, copy {seed}"


def test_damaged_texts() -> None:
    damage(300)


@pytest.mark.long
def test_many_damaged_texts() -> None:
    damage(20_000)
