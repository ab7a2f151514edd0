"""Every instruction form that varptx knows, on hostile operands, against exact arithmetic in Python."""

from __future__ import annotations

import random

import numpy as np
import pytest
from ptx_forms import ELSEWHERE, ENTRIES, FORMATS, WIDTH, by_operands, combinations, fma_near_ties, run

import varptx


def test_every_known_form_is_tested() -> None:
    here = {name for name in varptx.FORMS if name.split(".")[0] not in ELSEWHERE}
    assert here == set(ENTRIES)


@pytest.mark.parametrize(("kinds", "names"), [pytest.param(k, n, id=i) for i, k, n in by_operands()])
def test_forms(kinds: tuple[str, ...], names: list[str]) -> None:
    rng = random.Random("-".join(kinds))
    given = combinations(kinds, rng)
    results = run([(name, ENTRIES[name][0], ENTRIES[name][2]) for name in names], kinds, given)
    for name in names:
        _, _, result, model = ENTRIES[name]
        mask = (1 << max(WIDTH[result], 1)) - 1
        for row, got in zip(given, results[name], strict=True):
            want = model(*row) & mask
            assert got == want, f"{name} of {[hex(x) for x in row]}: got {got:#x}, want {want:#x}"


@pytest.mark.parametrize("kind", FORMATS)
def test_fma_near_ties(kind: str) -> None:
    fma_near_ties(kind)


def test_registers_declared_as_bits_hold_floats() -> None:
    """Newer compilers declare float registers .b32: the same bits must come out, a NaN's too."""
    text = """.version 9.0
.target sm_90
.address_size 64
.visible .entry k(.param .u64 out, .param .u64 x) {
  .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<2>;
  ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [x];
  mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd2, %rd3; add.s64 %rd5, %rd1, %rd3;
  ld.global.f32 %r2, [%rd4];
  sub.rn.f32 %r3, %r2, %r2;
  add.rn.f32 %r4, %r3, 0f3F800000;
  mov.b32 %r5, %r4;
  st.global.b32 [%rd5], %r5;
  st.global.f32 [%rd5+16], %r2;
  ret;
}"""
    x = np.array([1.5, np.inf, -0.0, 0], np.float32)
    x.view(np.uint32)[3] = 0xFFA00001  # a signalling NaN: copied as it is, canonical once it has been computed with
    out = np.zeros(8, np.float32)
    memory = varptx.Memory()
    args = [memory.place(out), memory.place(x, readonly=True)]
    varptx.load(text).kernel().launch(memory, grid=1, block=4, args=args)
    assert [hex(each) for each in out.view(np.uint32)] == [
        *("0x3f800000", "0x7fffffff", "0x3f800000", "0x7fffffff"),
        *("0x3fc00000", "0x7f800000", "0x80000000", "0xffa00001"),
    ]
