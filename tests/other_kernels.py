"""Kernels of norms other than layer norm, correct and faulty, written after the vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from varkernels.formats import BFLOAT16, FLOAT16

__all__ = ["CORRECT", "FAULTY", "FLOAT32_ALONE"]

f4, f8 = np.float32, np.float64
Kernel = Callable[..., Any]
Statistics = Callable[[Any, tuple[int, ...]], tuple[Any, Any]]


# ------------------------------------------------------------------ statistics over axes: (x, axes) -> (mean, variance)


def two_pass(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    mean = x.mean(axis=axes, keepdims=True, dtype=f4)
    return mean, ((x - mean) ** 2).mean(axis=axes, keepdims=True, dtype=f4)


def double(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    wide = x.astype(f8)
    mean = wide.mean(axis=axes, keepdims=True)
    return mean, ((wide - mean) ** 2).mean(axis=axes, keepdims=True)


def _table(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any, tuple[int, ...]]:
    """(rows, n), and the shape of what is kept."""
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    shape = tuple(1 if a in axes else x.shape[a] for a in range(x.ndim))
    rows = int(np.prod([x.shape[a] for a in kept], dtype=int))
    return np.transpose(x, (*kept, *axes)).reshape(rows, -1), rows, shape


def merged(size: int, weigh: bool = True) -> Statistics:
    """Blocks with two passes each, merged as Chan does; without weights: unequal parts count alike."""

    def found(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        table, _, shape = _table(x.astype(f4), axes)
        parts: list[tuple[Any, Any, Any]] = []
        for start in range(0, table.shape[1], size):
            block = table[:, start : start + size]
            mean = block.mean(axis=1, dtype=f4)
            parts.append((f4(block.shape[1]), mean, ((block - mean[:, None]) ** 2).sum(axis=1, dtype=f4)))
        while len(parts) > 1:
            pairs = [parts[k : k + 2] for k in range(0, len(parts), 2)]
            parts = [_pair(*pair, weigh=weigh) if len(pair) == 2 else pair[0] for pair in pairs]
        n, mean, m2 = parts[0]
        return mean.reshape(shape), (m2 / n).reshape(shape)

    return found


def _pair(a: Any, b: Any, weigh: bool) -> tuple[Any, Any, Any]:
    (na, ma, sa), (nb, mb, sb) = a, b
    d = mb - ma
    share = nb / (na + nb) if weigh else f4(0.5)
    return na + nb, ma + d * share, sa + sb + d * d * na * share


def naive(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    mean = x.mean(axis=axes, keepdims=True, dtype=f4)
    return mean, np.maximum((x * x).mean(axis=axes, keepdims=True, dtype=f4) - mean * mean, 0)


def running(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    table, _, shape = _table(x.astype(f4), axes)
    n = f4(table.shape[1])
    mean = np.cumsum(table, axis=1, dtype=f4)[:, -1] / n
    m2 = np.cumsum((table - mean[:, None]) ** 2, axis=1, dtype=f4)[:, -1]
    return mean.reshape(shape), (m2 / n).reshape(shape)


def dropped(k: int) -> Statistics:
    """Without the values that do not fill a vector."""

    def found(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        table, _, shape = _table(x.astype(f4), axes)
        table = table[:, : table.shape[1] // k * k or table.shape[1]]
        mean, var = two_pass(table, (1,))
        return mean.reshape(shape), var.reshape(shape)

    return found


def corrected(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    n = int(np.prod([x.shape[a] for a in axes]))
    mean, var = two_pass(x, axes)
    return mean, var * f4(n / max(1, n - 1))


def leaking(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    mean, var = two_pass(x, axes)
    return mean + 0 * x.sum(), var


def within(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """The mean of the samples' own variances, as a batch norm over shards that forgets the distance of the means."""
    mean, var = two_pass(x, axes)
    return mean, two_pass(x, axes[1:])[1].mean(axis=0, keepdims=True) if len(axes) > 1 else var


def low_mean(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    mean, var = two_pass(x, axes)
    return BFLOAT16.rounded(mean).astype(f4), var


# --------------------------------------------------------------------------------- norms with channels, from statistics


def _wide(values: Any, x: Any) -> Any:
    return values.astype(f4).reshape(1, -1, *[1] * (x.ndim - 2))


def ended(x: Any, mean: Any, var: Any, w: Any, b: Any, epsilon: float, dtype: Any, how: str = "") -> Any:
    s = np.sqrt(var + mean.dtype.type(epsilon))
    if how == "outside":
        s = np.sqrt(var) + f4(epsilon)
    if how == "fused":
        a = w / s
        return (x.astype(a.dtype) * a + (b - mean * a)).astype(dtype)
    return ((x - mean) / s * w + b).astype(dtype)


def instance(statistics: Statistics = two_pass, how: str = "") -> Kernel:
    def kernel(x: Any, w: Any, b: Any, epsilon: float) -> Any:
        wide = x.astype(f4)
        found = statistics(wide, tuple(range(2, x.ndim)))
        return ended(wide, *found, _wide(w, x), _wide(b, x), epsilon, x.dtype, how)

    return kernel


def batch(statistics: Statistics = two_pass, how: str = "", kept: str = "") -> Kernel:
    """kept : what is answered as variance: the biased one, or by the parity of n one or the other."""

    def kernel(x: Any, w: Any, b: Any, epsilon: float) -> Any:
        wide = x.astype(f4)
        mean, var = statistics(wide, (0, *range(2, x.ndim)))
        y = ended(wide, mean, var, _wide(w, x), _wide(b, x), epsilon, x.dtype, how)
        n = x.size // x.shape[1]
        factor = n / (n - 1) if kept == "mixed" and x.ndim == 4 else 1.0
        return (y, mean.reshape(-1), (var * f4(factor)).reshape(-1)) if kept else y

    return kernel


def group(statistics: Statistics = two_pass, how: str = "", cut: str = "together") -> Kernel:
    def kernel(x: Any, w: Any, b: Any, groups: int, epsilon: float) -> Any:
        wide, (n, c) = x.astype(f4), x.shape[:2]
        if cut == "one":
            groups = 1
        if cut == "size":
            groups = c // groups
        if cut == "interleaved":
            table = wide.reshape(n, c // groups, groups, -1)
            mean, var = statistics(table, (1, 3))
        else:
            table = wide.reshape(n, groups, c // groups, -1)
            mean, var = statistics(table, (2, 3))
        w_, b_ = (np.broadcast_to(_wide(each, x), x.shape).reshape(table.shape) for each in (w, b))
        return ended(table, mean, var, w_, b_, epsilon, x.dtype, how).reshape(x.shape)

    return kernel


def unstrided(kernel: Kernel) -> Kernel:
    """Reads the memory as if it were contiguous."""

    def changed(x: Any, *rest: Any) -> Any:
        return kernel(np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)).reshape(x.shape), *rest)

    return changed


# ----------------------------------------------------------------------------------------------- RMS norm and variance


def rms(mean_square: Callable[[Any], Any], how: str = "") -> Kernel:
    def kernel(x: Any, w: Any, epsilon: float) -> Any:
        wide = x.astype(f4)
        ms = mean_square(wide)
        s = np.sqrt(ms) + f4(epsilon) if how == "outside" else np.sqrt(ms + f4(epsilon))
        if how == "staged":
            return ((wide / s).astype(x.dtype) * w).astype(x.dtype)
        scale = 1 + w.astype(f4) if how == "one more" else w.astype(f4)
        return (wide / s * scale).astype(x.dtype)

    return kernel


def squares(x: Any) -> Any:
    return (x * x).mean(axis=1, keepdims=True, dtype=f4)


def lanes(x: Any) -> Any:
    table = np.pad(x * x, ((0, 0), (0, -x.shape[1] % 32))).reshape(len(x), -1, 32)
    part = np.cumsum(table, axis=1, dtype=f4)[:, -1]
    for half in (16, 8, 4, 2, 1):
        part = part[:, :half] + part[:, half:]
    return part / f4(x.shape[1])


def half_squares(x: Any) -> Any:
    with np.errstate(over="ignore"):
        small = x.astype(np.float16)
        return np.cumsum(small * small, axis=1, dtype=np.float16)[:, -1:].astype(f4) / f4(x.shape[1])


def variance(statistics: Statistics, wide: Any = f4) -> Kernel:
    def kernel(x: Any, correction: int) -> Any:
        n = x.shape[1]
        return statistics(x.astype(wide), (1,))[1][:, 0] * wide(n) / wide(max(n - correction, 0))

    return kernel


# ------------------------------------------------------------------------------------------------- merges and gradients


def merge(how: str = "", dtype: Any = f8) -> Kernel:
    def kernel(counts: Any, means: Any, variances: Any) -> Any:
        n = np.ones(len(counts)) if how == "alike" else counts
        share = (n / n.sum()).astype(dtype)[:, None]
        m, v = means.astype(dtype), variances.astype(dtype)
        mean = (share * m).sum(axis=0)
        if how == "naive":
            return mean, (share * (v + m * m)).sum(axis=0) - mean * mean
        if how == "sample":  # the parts' variances taken as M2 / (n - 1)
            v = v * ((counts - 1) / counts).astype(dtype)[:, None]
        spread = 0 if how == "within" else (m - mean) ** 2
        if how == "last":
            share = np.concatenate([share[:-1], 0 * share[-1:]])
        return mean, (share * (v + spread)).sum(axis=0)

    return kernel


def folded(counts: Any, means: Any, variances: Any) -> Any:
    """Part by part, as Chan's update, in float32."""
    n, mean, m2 = f4(counts[0]), means[0], variances[0] * f4(counts[0])
    for k, m, v in zip(counts[1:], means[1:], variances[1:], strict=True):
        d, total = m - mean, n + f4(k)
        mean, m2, n = mean + d * (f4(k) / total), m2 + v * f4(k) + d * d * (n * f4(k) / total), total
    return mean, m2 / n


def gradients(how: str = "", dtype: Any = f4, sums: Any = None) -> Kernel:
    def kernel(dy: Any, x: Any, w: Any, epsilon: float) -> Any:
        x_, dy_, w_ = (each.astype(dtype) for each in (x, dy, w))
        mean = x_.mean(axis=1, keepdims=True)
        d = x_ - mean
        var = (d * d).mean(axis=1, keepdims=True)
        r = 1 / np.sqrt(var + dtype(epsilon))
        if how == "rounded mean":
            d = x_ - FLOAT16.rounded(mean).astype(dtype)
        h, g = d * r, dy_ * w_
        level, slope = g.mean(axis=1, keepdims=True), (g * h).mean(axis=1, keepdims=True)
        if how in ("without means", "without level"):
            level = level * 0
        if how in ("without means", "without slope"):
            slope = slope * 0
        if how == "no weight":
            level, slope, g = dy_.mean(axis=1, keepdims=True), (dy_ * h).mean(axis=1, keepdims=True), dy_
        if how == "fused":
            a = slope * r
            dx = g * r - level * r - (x_ - mean) * (a * r)
        else:
            dx = r * (g - level - h * slope)
        terms = dy_ * (d if how == "unscaled" else h)
        if sums is not None:
            totals = [np.cumsum(each.astype(sums), axis=0, dtype=sums)[-1] for each in (terms, dy_)]
        else:
            rows = -1 if how == "last row" and len(x) > 1 else None
            totals = [each[:rows].sum(axis=0) for each in (terms, dy_)]
        return (dx.astype(x.dtype), *(each.astype(x.dtype) for each in totals))

    return kernel


# The values of a 16-bit format are so coarse that a float32 sum of 65,600 of them is nearly exact: no vector shows it.
FLOAT32_ALONE = ("one running sum",)
# By (norm, backward): name and (profile, function), or the function alone.
CORRECT: dict[tuple[str, bool], dict[str, tuple[str, Kernel]]] = {
    ("group", False): {
        "two passes": ("single", group()),
        "float64": ("single", group(double)),
        "x a + c": ("single", group(how="fused")),
        "blocks of 64, merged": ("single", group(merged(64))),
        "running sums": ("running", group(running)),
    },
    ("instance", False): {
        "two passes": ("single", instance()),
        "x a + c": ("single", instance(how="fused")),
        "blocks of 50, merged": ("single", instance(merged(50))),
        "running sums": ("running", instance(running)),
    },
    ("batch", False): {
        "two passes": ("single", batch(merged(32), kept="biased")),
        "float64": ("single", batch(double, kept="biased")),
        "x a + c": ("single", batch(double, how="fused")),
        "running sums": ("running", batch(running, kept="biased")),
    },
    ("rms", False): {
        "pairwise sums": ("single", rms(squares)),
        "32 lanes": ("single", rms(lanes)),
        "two stages": ("two-stage", rms(squares, "staged")),
        "a running sum": ("running", rms(lambda x: np.cumsum(x * x, axis=1, dtype=f4)[:, -1:] / f4(x.shape[1]))),
    },
    ("variance", False): {
        "two passes": ("single", variance(two_pass)),
        "blocks of 64, merged": ("single", variance(merged(64))),
        "running sums": ("running", variance(running)),
    },
    ("sync", False): {
        "float64": ("single", merge()),
        "float32": ("single", merge(dtype=f4)),
        "part by part": ("single", folded),
    },
    ("layer", True): {
        "float32": ("single", gradients()),
        "float64": ("single", gradients(dtype=f8)),
        "fused": ("single", gradients("fused")),
        "float32 sums, row by row": ("single", gradients(sums=f4)),
    },
}
FAULTY: dict[tuple[str, bool], dict[str, Kernel]] = {
    ("group", False): {
        "interleaved groups": group(cut="interleaved"),
        "one group": group(cut="one"),
        "groups taken as their size": group(cut="size"),
        "n - 1": group(corrected),
        "epsilon outside the root": group(how="outside"),
        "the naive formula": group(naive),
        "one running sum": group(running),
        "the tail of 4 dropped": group(dropped(4)),
        "unequal blocks merged alike": group(merged(24, weigh=False)),
        "strides ignored": unstrided(group()),
        "NaN leaks": group(leaking),
    },
    ("instance", False): {
        "statistics of the batch": batch(),
        "n - 1": instance(corrected),
        "epsilon outside the root": instance(how="outside"),
        "the naive formula": instance(naive),
        "one running sum": instance(running),
        "the tail of 4 dropped": instance(dropped(4)),
        "the mean rounded to bfloat16": instance(low_mean),
        "strides ignored": unstrided(instance()),
        "NaN leaks": instance(leaking),
    },
    ("batch", False): {
        "statistics of the sample": instance(),
        "the mean of the samples' variances": batch(within),
        "n - 1": batch(corrected),
        "epsilon outside the root": batch(how="outside"),
        "the naive formula": batch(naive),
        "one running sum": batch(running),
        "variance biased or not, by the rank": batch(double, kept="mixed"),
        "the tail of 8 dropped": batch(dropped(8)),
        "unequal blocks merged alike": batch(merged(24, weigh=False)),
        "strides ignored": unstrided(batch(double)),
        "NaN leaks": batch(leaking),
    },
    ("rms", False): {
        "the mean subtracted": rms(lambda x: two_pass(x, (1,))[1]),
        "n - 1": rms(lambda x: squares(x) * f4(x.shape[1] / max(1, x.shape[1] - 1))),
        "epsilon outside the root": rms(squares, "outside"),
        "1 + weight": rms(squares, "one more"),
        "squares in float16": rms(half_squares),
        "the tail of 4 dropped": rms(lambda x: squares(x[:, : x.shape[1] // 4 * 4 or None])),
        "NaN leaks": rms(lambda x: squares(x) + 0 * x.sum()),
        "strides ignored": unstrided(rms(squares)),
    },
    ("variance", False): {
        "n always": lambda x, correction: variance(two_pass)(x, 0),
        "n - 1 always": lambda x, correction: variance(two_pass)(x, 1),
        "the naive formula": variance(naive),
        "unequal blocks merged alike": variance(merged(24, weigh=False)),
        "the tail of 8 dropped": variance(dropped(8)),
        "a standard deviation": lambda x, correction: np.sqrt(variance(two_pass)(x, correction)),
        "strides ignored": unstrided(variance(two_pass)),
    },
    ("sync", False): {
        "parts alike": merge("alike"),
        "E[x^2] - E[x]^2": merge("naive", f4),
        "without the means' distance": merge("within"),
        "parts taken as M2 / (n - 1)": merge("sample"),
        "the last part dropped": merge("last"),
    },
    ("layer", True): {
        "dx without the mean terms": gradients("without means"),
        "dx without mean(g)": gradients("without level"),
        "dx without xhat mean(g xhat)": gradients("without slope"),
        "dx without the weight": gradients("no weight"),
        "dweight and dbias accumulated in bfloat16": gradients(sums=BFLOAT16.dtype.type),
        "dweight and dbias accumulated in float16": gradients(sums=np.float16),
        "dweight not divided by s": gradients("unscaled"),
        "the last row left out": gradients("last row"),
        "the mean rounded to float16": gradients("rounded mean"),
    },
}
