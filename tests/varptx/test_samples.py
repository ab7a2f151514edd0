"""Kernels as numba-cuda compiles them, executed and replayed step by step in numpy: every bit must agree.

The source of both samples, for ``real`` float32 or float64::

    def moments(x, n, out):
        shared_mean = cuda.shared.array(8, dtype=real)
        shared_m2 = cuda.shared.array(8, dtype=real)
        t = cuda.threadIdx.x
        i = cuda.blockIdx.x * cuda.blockDim.x + t
        stride = cuda.gridDim.x * cuda.blockDim.x
        mean, m2, count = real(0), real(0), 0
        while i < n:
            count += 1
            d = x[i] - mean
            mean = mean + d / real(count)
            m2 = m2 + d * (x[i] - mean)          # contracted to one fma
            i += stride
        offset = 16
        while offset > 0:
            other = cuda.shfl_xor_sync(0xFFFFFFFF, mean, offset)
            other_m2 = cuda.shfl_down_sync(0xFFFFFFFF, m2, offset)
            mean, m2 = mean + other, m2 + other_m2
            offset >>= 1
        if t % 32 == 0:
            shared_mean[t // 32], shared_m2[t // 32] = mean, m2
        cuda.syncthreads()
        if t == 0:
            total, total_m2 = real(0), real(0)
            for k in range(cuda.blockDim.x // 32):
                total, total_m2 = total + shared_mean[k], total_m2 + shared_m2[k]
            out[cuda.blockIdx.x, 0] = total
            out[cuda.blockIdx.x, 1] = math.sqrt(total_m2)
            cuda.atomic.add(out, (cuda.gridDim.x, 0), total_m2)
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ptx_forms import arithmetic

import varptx

SAMPLES = Path(__file__).parent / "ptx_samples"


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once, by exact fractions."""
    dtype = c.dtype
    word, kind = (np.uint32, "f32") if dtype == np.float32 else (np.uint64, "f64")
    rows = zip(*(np.ascontiguousarray(each).view(word).tolist() for each in (a, b, c)), strict=True)
    return np.array([arithmetic("fma", kind, *row) for row in rows], word).view(dtype)


def replay(x: Any, grid: int, block: int) -> Any:
    """The kernel, all threads of a block at once."""
    out = np.zeros((grid + 1, 2), x.dtype)
    for b in range(grid):
        mean, m2 = np.zeros(block, x.dtype), np.zeros(block, x.dtype)
        for count in range(1, len(x) + 1):
            at = b * block + np.arange(block) + (count - 1) * grid * block
            live = at < len(x)
            if not live.any():
                break
            value = x[at[live]]
            d = value - mean[live]
            mean[live] += d / x.dtype.type(count)
            m2[live] = fma(d, value - mean[live], m2[live])
        lanes = np.arange(block)
        for offset in (16, 8, 4, 2, 1):
            down = np.where(lanes % 32 + offset < 32, lanes + offset, lanes)
            mean, m2 = mean + mean[lanes ^ offset], m2 + m2[down]
        total = total_m2 = x.dtype.type(0)
        for k in range(0, block, 32):
            total, total_m2 = total + mean[k], total_m2 + m2[k]
        out[b] = total, np.sqrt(total_m2)
        out[grid, 0] += total_m2
    return out


def arguments(buffer: varptx.Buffer) -> list[Any]:
    """An array as numba passes it: two pointers that kernels do not use, size, item size, data, shape, strides."""
    a = buffer.array
    return [0, 0, a.size, a.itemsize, buffer, *a.shape, *a.strides]


@pytest.mark.parametrize("name", ["moments_float32", "moments_float64", "moments_float32_sm_100"])
@pytest.mark.parametrize(("n", "grid", "block"), [(2000, 3, 64), (777, 2, 256), (5, 1, 32), (0, 1, 32)])
def test_moments(name: str, n: int, grid: int, block: int) -> None:
    dtype = np.dtype(name.split("_")[1])
    x = (np.random.default_rng(n).standard_normal(n) * 10.0 ** np.arange(n).clip(0, 3)).astype(dtype)
    out = np.zeros((grid + 1, 2), dtype)
    memory = varptx.Memory()
    kernel = varptx.load((SAMPLES / f"{name}.ptx").read_text()).kernel()
    assert kernel.name == f"moments_{dtype.name}"
    source, target = memory.place(x, readonly=True), memory.place(out)
    given = [*arguments(source), n, *arguments(target)]
    kernel.launch(memory, grid=grid, block=block, args=given)
    want = replay(x, grid, block)
    assert out.tobytes() == want.tobytes()
    # The other way round only the atomic sum may differ.
    out[:] = 0
    kernel.launch(memory, grid=grid, block=block, args=given, reverse=True)
    assert out[:grid].tobytes() == want[:grid].tobytes()


def test_damaged_texts_are_refused_or_compile() -> None:
    """Any damage to a text is a sentence that says so, or leaves a kernel that can still be compiled."""
    text = (SAMPLES / "moments_float32.ptx").read_text()
    rng = random.Random(5)
    refused = 0
    for number in range(400):
        at = rng.randrange(len(text) // 8, len(text))
        damage = rng.choice(
            ["", ",", ";", "{", "}", "[", "]", "%", "+", "!", "|", "@", ".f32", " 7 ", "_", ":", "<", ")"]
        )
        damaged = text[:at] + damage + text[at + rng.randint(0, 4) :]
        try:
            made = varptx.load(damaged).kernel()
        except varptx.UnsupportedPTX:
            refused += 1
        else:
            if number % 40 == 0:
                made.compile()
    assert refused > 100
