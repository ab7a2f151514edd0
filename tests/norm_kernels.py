"""Norm kernels of different builds, correct and faulty, that the test vectors must tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import varkernels
from varkernels.formats import BFLOAT16, FLOAT16, FORMATS, Format

__all__ = ["CORRECT", "FAULTY", "truncated"]

f4 = np.float32
Kernel = Callable[..., Any]


def rows_mean(x: Any) -> Any:
    return x.mean(axis=1, keepdims=True)


def statistics(x: Any) -> tuple[Any, Any]:
    """Mean and variance by two passes in float32."""
    wide = x.astype(f4)
    mean = rows_mean(wide)
    return mean, rows_mean((wide - mean) ** 2)


def finish(x: Any, mean: Any, var: Any, w: Any, b: Any, epsilon: float) -> Any:
    """Normalise with given statistics in float32; one rounding to storage."""
    h = (x.astype(f4) - mean) / np.sqrt(var + f4(epsilon))
    return (h * w.astype(f4) + b.astype(f4)).astype(x.dtype)


def wide(dtype: Any) -> Kernel:
    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        x_, w_, b_ = (each.astype(dtype) for each in (x, w, b))
        d = x_ - rows_mean(x_)
        return (d / np.sqrt(rows_mean(d * d) + dtype(epsilon)) * w_ + b_).astype(x.dtype)

    return kernel


def fused(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    """x a + c with a = w / s and c = b - m a."""
    mean, var = statistics(x)
    a = (f4(1) / np.sqrt(var + f4(epsilon))) * w.astype(f4)
    return (x.astype(f4) * a + (b.astype(f4) - mean * a)).astype(x.dtype)


def contracted(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    """The same with fused multiply-adds: the products are exact."""
    mean, var = (each.astype(np.float64) for each in statistics(x))
    a = (1 / np.sqrt((var + f4(epsilon)).astype(f4))).astype(f4).astype(np.float64) * w
    a = a.astype(f4).astype(np.float64)
    c = (b.astype(np.float64) - mean * a).astype(f4).astype(np.float64)
    return (x.astype(np.float64) * a + c).astype(f4).astype(x.dtype)


def sloppy_root(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    """A reciprocal root that is 2 units in the last place off, as CUDA's and Triton's may be."""
    mean, var = statistics(x)
    r = f4(1) / np.sqrt(var + f4(epsilon))
    r = np.nextafter(np.nextafter(r, f4(np.inf)), f4(np.inf))
    return ((x.astype(f4) - mean) * r * w.astype(f4) + b.astype(f4)).astype(x.dtype)


def flushed(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    """float32's subnormal numbers become 0, as on a GPU with fast mathematics."""
    mean, var = statistics(x)
    y = (x.astype(f4) - mean) / np.sqrt(var + f4(epsilon)) * w.astype(f4) + b.astype(f4)
    return np.where(np.abs(y) < 2.0**-126, f4(0), y).astype(x.dtype)


def warps(lanes: int) -> Kernel:
    """Sums in so many lanes, one value after the other, and then a tree, as a warp has them."""

    def total(values: Any) -> Any:
        pad = -values.shape[1] % lanes
        table = np.pad(values, ((0, 0), (0, pad))).reshape(len(values), -1, lanes)
        part = np.cumsum(table, axis=1, dtype=f4)[:, -1]
        while part.shape[1] > 1:
            half = part.shape[1] // 2
            part = part[:, :half] + part[:, half:]
        return part

    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        n = f4(x.shape[1])
        mean = total(x.astype(f4)) / n
        return finish(x, mean, total((x.astype(f4) - mean) ** 2) / n, w, b, epsilon)

    return kernel


def algorithm(name: str) -> Kernel:
    """One of our algorithms with a float32 accumulator."""

    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        view = np.ascontiguousarray(x.astype(f4))[np.newaxis]
        found = varkernels.moments(view, varkernels.get(name), "float32")
        mean, var = (np.asarray(each, f4)[:, None] for each in (found.mean, found.m2 / x.shape[1]))
        return finish(x, mean, var, w, b, epsilon)

    return kernel


def two_stage(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    mean, var = statistics(x)
    h = ((x.astype(f4) - mean) / np.sqrt(var + f4(epsilon))).astype(x.dtype)
    return (h * w + b).astype(x.dtype)


def running(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    n, x_ = f4(x.shape[1]), x.astype(f4)
    mean = np.cumsum(x_, axis=1, dtype=f4)[:, -1:] / n
    return finish(x, mean, np.cumsum((x_ - mean) ** 2, axis=1, dtype=f4)[:, -1:] / n, w, b, epsilon)


# Kernels of layer norm: name, profile, function.
CORRECT: dict[str, tuple[str, Kernel]] = {
    "float64 inside": ("single", wide(np.float64)),
    "float32, numpy's pairwise sums": ("single", wide(np.float32)),
    "x a + c": ("single", fused),
    "x a + c, contracted": ("single", contracted),
    "a root 2 ulp off": ("single", sloppy_root),
    "float32 subnormals flushed": ("single", flushed),
    "a warp of 32": ("single", warps(32)),
    "a block of 64": ("single", warps(64)),
    "4 vectors of 4": ("single", warps(16)),
    **{
        name: ("single", algorithm(name))
        for name in ("two_pass/pairwise", "chan/pairwise", "chan/lanes32", "corrected_two_pass/blocked64",
                     "neumaier_two_pass/running", "double_double/running", "youngs_cramer/pairwise")
    },
    "welford": ("running", algorithm("welford")),
    "two_pass/running": ("running", algorithm("two_pass/running")),
    "running float32 sums": ("running", running),
    "two stages": ("two-stage", two_stage),
    "one stage in two": ("two-stage", fused),
}  # fmt: skip


def narrow(fmt: Format, values: Any) -> Any:
    return fmt.rounded(values).astype(f4)


def truncated(values: Any, fmt: Format) -> Any:
    """Rounded towards 0."""
    near = fmt.rounded(values)
    bits = near.view(np.dtype(f"u{near.dtype.itemsize}"))
    return (
        np.where(np.abs(near.astype(np.float64)) > np.abs(values), bits - 1, bits).astype(bits.dtype).view(near.dtype)
    )


def storage(x: Any) -> Format:
    return next(fmt for fmt in FORMATS.values() if fmt.dtype == x.dtype)


def with_statistics(change: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Kernel:
    """A kernel whose mean and variance are changed: (x in float32, mean, var) -> (mean, var)."""

    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        mean, var = change(x.astype(f4), *statistics(x))
        return finish(x, mean, var, w, b, epsilon)

    return kernel


def naive(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
    return mean, rows_mean(x * x) - mean * mean


def first(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
    d = x - x[:, :1]
    return mean, np.maximum(rows_mean(d * d) - rows_mean(d) ** 2, 0)


def without(part: Callable[[Any], Any]) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Statistics of a part of the row."""

    def change(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
        some = part(x)
        some = some if some.shape[1] else x
        mean = rows_mean(some)
        return mean, rows_mean((some - mean) ** 2)

    return change


def spread(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
    return mean + 0 * mean.sum(), var


def half_squares(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
    d = (x - mean).astype(np.float16)
    return mean, np.cumsum(d * d, axis=1, dtype=np.float16)[:, -1:].astype(f4) / x.shape[1]


def low_sum(x: Any, mean: Any, var: Any) -> tuple[Any, Any]:
    mean = np.cumsum(x, axis=1, dtype=np.float16)[:, -1:].astype(f4) / x.shape[1]
    return mean, rows_mean((x - mean) ** 2)


def outputs(change: Callable[[Any, Any, Any, Any, Any, float], Any]) -> Kernel:
    """A kernel that finishes another way: (x, mean, var, w, b, epsilon), all in float32, -> y."""

    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        y = change(x.astype(f4), *statistics(x), w.astype(f4), b.astype(f4), epsilon)
        return y.astype(x.dtype)

    return kernel


def lost_tail(k: int) -> Kernel:
    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        y = fused(x, w, b, epsilon)
        y[:, x.shape[1] - x.shape[1] % k :] = 0
        return y

    return kernel


def no_strides(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    memory = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)).reshape(x.shape)
    return fused(memory, w, b, epsilon)


def cut_off(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    return truncated(fused(x.astype(f4), w.astype(f4), b.astype(f4), epsilon).astype(np.float64), storage(x))


def stored_deviation(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    mean, var = statistics(x)
    d = (x.astype(f4) - mean).astype(x.dtype).astype(f4)
    return (d / np.sqrt(var + f4(epsilon)) * w.astype(f4) + b.astype(f4)).astype(x.dtype)


def flushed_output(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    y = fused(x, w, b, epsilon)
    return np.where(np.abs(y.astype(np.float64)) < float(storage(x).smallest_normal), 0, y.astype(np.float64)).astype(
        x.dtype
    )


def flushed_input(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    small = np.abs(x.astype(np.float64)) < float(storage(x).smallest_normal)
    return fused(np.where(small, 0, x.astype(np.float64)).astype(x.dtype), w, b, epsilon)


def first_rows(limit: int) -> Kernel:
    def kernel(x, w, b, epsilon):  # type: ignore[no-untyped-def]
        y = fused(x, w, b, epsilon)
        y[limit:] = 0
        return y

    return kernel


def zeroed(x, w, b, epsilon):  # type: ignore[no-untyped-def]
    y = fused(x, w, b, epsilon).astype(np.float64)
    return np.where(np.isnan(y), 0, y).astype(x.dtype)


def root(var: Any, epsilon: float) -> Any:
    return np.sqrt(var + f4(epsilon))


# ruff: noqa: E501
# Each after a reported bug or a plausible slip: name, (dtypes in which it is one, function).
ALL, HALF = ("float32", "float16", "bfloat16"), ("float16", "bfloat16")
FAULTY: dict[str, tuple[tuple[str, ...], Kernel]] = {
    "n - 1": (ALL, with_statistics(lambda x, m, v: (m, v * f4(x.shape[1] / max(1, x.shape[1] - 1))))),
    "the naive formula": (ALL, with_statistics(naive)),
    "the naive formula, clipped at 0": (ALL, with_statistics(lambda x, m, v: (m, np.maximum(naive(x, m, v)[1], 0)))),
    "a shift by the first value": (("float32", "float16"), with_statistics(first)),
    "epsilon outside the root": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / (np.sqrt(v) + f4(e)) * w + b)),
    "epsilon lost": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / np.sqrt(v) * w + b)),
    "epsilon rounded to float16": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, float(np.float16(e))) * w + b)),
    "epsilon as a floor": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / np.sqrt(np.maximum(v, f4(e))) * w + b)),
    "epsilon squared": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, e * e) * w + b)),
    "epsilon of 1e-5 always": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, 1e-5) * w + b)),
    "the mean rounded to float16": (ALL, with_statistics(lambda x, m, v: (narrow(FLOAT16, m), v))),
    "the mean rounded to bfloat16": (ALL, with_statistics(lambda x, m, v: (narrow(BFLOAT16, m), v))),
    "x - mean rounded to storage": (HALF, stored_deviation),
    "the variance rounded to bfloat16": (ALL, with_statistics(lambda x, m, v: (m, narrow(BFLOAT16, v)))),
    "1 / s rounded to bfloat16": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) * narrow(BFLOAT16, 1 / root(v, e)) * w + b)),
    "1 / s rounded to float16": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) * narrow(FLOAT16, 1 / root(v, e)) * w + b)),
    "a root of 12 bits": (("float32",), outputs(lambda x, m, v, w, b, e: (x - m) * (f4(1 + 2.0**-12) / root(v, e)) * w + b)),
    "the output truncated": (HALF, cut_off),
    "the sum of squares in float16": (ALL, with_statistics(half_squares)),
    "the sum in float16": (ALL, with_statistics(low_sum)),
    "no mean, as RMS norm": (ALL, outputs(lambda x, m, v, w, b, e: x / root(rows_mean(x * x), e) * w + b)),
    "the mean not subtracted": (ALL, outputs(lambda x, m, v, w, b, e: x / root(v, e) * w + b)),
    "no root": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / (v + f4(e)) * w + b)),
    "weight lost": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, e) + b)),
    "bias lost": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, e) * w)),
    "1 + weight": (ALL, outputs(lambda x, m, v, w, b, e: (x - m) / root(v, e) * (1 + w) + b)),
    "weight before normalising": (ALL, lambda x, w, b, e: finish((x * w).astype(x.dtype), *statistics(x * w), w * 0 + 1, b, e)),
    "bias scaled too": (ALL, outputs(lambda x, m, v, w, b, e: ((x - m) / root(v, e) + b) * w)),
    "the last values of a vector of 4 lost": (ALL, lost_tail(4)),
    "the last values of a block of 1024 lost": (ALL, lost_tail(1024)),
    "statistics without the tail of 4": (ALL, with_statistics(without(lambda x: x[:, : x.shape[1] // 4 * 4]))),
    "statistics without the last value": (ALL, with_statistics(without(lambda x: x[:, :-1]))),
    "statistics of every second value": (ALL, with_statistics(without(lambda x: x[:, ::2]))),
    "one variance for all rows": (ALL, with_statistics(lambda x, m, v: (m, np.full_like(v, np.mean(v))))),
    "the statistics of the next row": (ALL, with_statistics(lambda x, m, v: (np.roll(m, 1, 0), np.roll(v, 1, 0)))),
    "NaN leaks to other rows": (ALL, with_statistics(spread)),
    "NaN becomes 0": (ALL, zeroed),
    "strides ignored": (ALL, no_strides),
    "rows beyond 65535 lost": (ALL, first_rows(65535)),
    "subnormal outputs flushed": (("float16",), flushed_output),
    "subnormal inputs flushed": (("float16",), flushed_input),
    "two stages": (HALF, two_stage),
    "one running sum": (("float32",), running),
}  # fmt: skip
