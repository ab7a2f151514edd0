"""The judge: no correct kernel of a profile fails, every faulty one does, and the message says what it looks like."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from norm_kernels import CORRECT, FAULTY, fused

from varstudy.testing import assert_norm
from varstudy.vectors.calling import call
from varstudy.vectors.folder import read_cases
from varstudy.vectors.judging import failures_of

DTYPES = ("float32", "float16", "bfloat16")


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_layer_norm_keeps_every_limit(name: str) -> None:
    profile, function = CORRECT[name]
    for dtype in DTYPES if " " in name else ("float32", "bfloat16"):
        assert_norm(function, "layer", dtype, profile)


def caught(function: Any, dtype: str, norm: str = "layer", backward: bool = False) -> int:
    cases = read_cases(norm=norm, dtype=dtype, backward=backward)
    return len(failures_of(cases, lambda case: call(function, case), "single", "single")[1])


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_layer_norm_is_caught_in_every_format(name: str) -> None:
    dtypes, function = FAULTY[name]
    assert {dtype: caught(function, dtype) > 0 for dtype in dtypes} == dict.fromkeys(dtypes, True)


def test_there_are_enough_of_both() -> None:
    assert len(CORRECT) >= 12
    assert len(FAULTY) >= 30


@pytest.mark.parametrize(
    ("name", "dtype", "said"),
    [
        ("n - 1", "bfloat16", "consistent with n - 1 in place of n"),
        ("epsilon outside the root", "float32", "consistent with epsilon outside the root"),
        ("epsilon lost", "float16", "consistent with a lost epsilon"),
        ("epsilon rounded to float16", "float32", "consistent with epsilon rounded to float16"),
        ("the mean rounded to float16", "float32", "consistent with the mean rounded to float16"),
        ("the naive formula", "float32", "the naive formula"),
        ("x - mean rounded to storage", "bfloat16", "consistent with x - mean rounded to bfloat16"),
        ("1 / s rounded to bfloat16", "float16", "consistent with 1 / s rounded to bfloat16"),
        ("the output truncated", "float16", "consistent with truncation of the output"),
        ("bias lost", "float32", "consistent with a lost bias"),
        ("1 + weight", "float32", "1 + weight in place of weight"),
        ("NaN leaks to other rows", "float32", "a NaN or an infinity spreads"),
        ("strides ignored", "float32", "strides are ignored"),
        ("rows beyond 65535 lost", "float32", "only long tables fail"),
        ("subnormal inputs flushed", "float16", "subnormal numbers are flushed to zero"),
        ("the last values of a vector of 4 lost", "float32", "only the last values of each row"),
        ("two stages", "float16", "the profile 'two-stage'"),
        ("one running sum", "float32", "one running sum (profile 'running')"),
    ],
)
def test_a_failure_says_what_it_looks_like(name: str, dtype: str, said: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        assert_norm(FAULTY[name][1], "layer", dtype)


def test_a_failure_names_the_family_the_element_and_the_numbers() -> None:
    def kernel(x: Any, w: Any, b: Any, epsilon: float) -> Any:
        y = fused(x, w, b, epsilon)
        if x.shape == (6, 40):
            y[3, 7] += 1
        return y

    with pytest.raises(AssertionError) as raised:
        assert_norm(kernel, "layer", "float32", only="mixed-rows")
    text = str(raised.value)
    assert "layer.float32.mixed-rows (rows of different mean and scale" in text
    assert re.search(r"y\[3, 7\] is -?\d.*, exactly -?\d.*; off by 1, .* times the limit of \d", text)
    assert "1 elements are beyond theirs" in text


# --------------------------------------------------------------------------------------------- other norms


def over(x: Any, axes: tuple[int, ...]) -> Any:
    wide = x.astype(np.float64)
    d = wide - wide.mean(axis=axes, keepdims=True)
    return d, (d * d).mean(axis=axes, keepdims=True)


def shaped(values: Any, x: Any) -> Any:
    return values.astype(np.float64).reshape(1, -1, *[1] * (x.ndim - 2))


def channels(axes: Any, change: Any = None) -> Any:
    """Batch norm or instance norm in float64."""

    def kernel(x: Any, w: Any, b: Any, epsilon: float) -> Any:
        d, v = over(x, axes(x))
        v = v if change is None else change(v, x)
        return (d / np.sqrt(v + epsilon) * shaped(w, x) + shaped(b, x)).astype(x.dtype)

    return kernel


def batch_axes(x: Any) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def instance_axes(x: Any) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def group(x: Any, w: Any, b: Any, groups: int, epsilon: float, order: str = "together") -> Any:
    n, c = x.shape[:2]
    cut = (n, groups, c // groups) if order == "together" else (n, c // groups, groups)
    table = x.reshape(*cut, -1)
    d, v = over(table, (2, 3) if order == "together" else (1, 3))
    return ((d / np.sqrt(v + epsilon)).reshape(x.shape) * shaped(w, x) + shaped(b, x)).astype(x.dtype)


def rms(x: Any, w: Any, epsilon: float) -> Any:
    wide = x.astype(np.float32)
    return (
        wide / np.sqrt((wide * wide).mean(axis=1, keepdims=True) + np.float32(epsilon)) * w.astype(np.float32)
    ).astype(x.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_other_norms(dtype: str) -> None:
    assert_norm(channels(batch_axes), "batch", dtype)
    assert_norm(channels(instance_axes), "instance", dtype)
    assert_norm(group, "group", dtype)
    assert_norm(rms, "rms", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_faults_of_the_other_norms(dtype: str) -> None:
    swapped = lambda x, w, b, g, e: group(x, w, b, g, e, "interleaved")  # noqa: E731
    assert caught(swapped, dtype, "group")
    assert caught(channels(instance_axes), dtype, "batch")
    assert caught(channels(batch_axes), dtype, "instance")
    unbiased = lambda v, x: v * (x.size / x.shape[1]) / (x.size / x.shape[1] - 1)  # noqa: E731
    assert caught(channels(batch_axes, unbiased), dtype, "batch")
    assert caught(lambda x, w, e: rms(x - x.mean(1, keepdims=True), w, e), dtype, "rms")
    assert caught(lambda x, w, e: rms(x, w + w.dtype.type(1), e), dtype, "rms")
    assert caught(lambda x, w, e: rms(x, w, 0), dtype, "rms")


def test_a_batch_norm_may_return_either_variance_but_always_the_same() -> None:
    def kernel(correct: Any) -> Any:
        def run(x: Any, w: Any, b: Any, epsilon: float) -> Any:
            y = channels(batch_axes)(x, w, b, epsilon)
            n = x.size // x.shape[1]
            mean = x.astype(np.float64).mean(axis=batch_axes(x))
            return y, mean, over(x, batch_axes(x))[1].reshape(-1) * correct(n)

        return run

    def unbiased(n: int) -> float:
        return n / (n - 1)

    assert_norm(kernel(lambda n: 1), "batch")
    assert_norm(kernel(unbiased), "batch", correction=1)
    assert_norm(kernel(unbiased), "batch")
    with pytest.raises(AssertionError):
        assert_norm(kernel(lambda n: 1), "batch", correction=1)
    with pytest.raises(AssertionError):
        assert_norm(kernel(lambda n: unbiased(n) if n % 2 else 1), "batch")


def test_merged_parts() -> None:
    def merge(counts: Any, means: Any, variances: Any) -> Any:
        share = (counts / counts.sum())[:, None]
        mean = (share * means).sum(axis=0)
        return mean, (share * (variances + (means - mean) ** 2)).sum(axis=0)

    assert_norm(merge, "sync")
    faults = {
        "ignores the counts": lambda c, m, v: merge(np.ones_like(c), m, v),
        "ignores the distance of the means": lambda c, m, v: (merge(c, m, v)[0], merge(c, m * 0, v)[1]),
        "E[x^2] - E[x]^2 in float32": lambda c, m, v: (
            merge(c, m, v)[0],
            ((c / c.sum()).astype("f4")[:, None] * (v + m * m)).sum(axis=0, dtype="f4")
            - merge(c, m, v)[0].astype("f4") ** 2,
        ),
    }
    assert {name: caught(fault, "float32", "sync") > 0 for name, fault in faults.items()} == dict.fromkeys(faults, True)


@pytest.mark.parametrize("dtype", [*DTYPES, "float64"])
def test_variances(dtype: str) -> None:
    def variance(x: Any, correction: int, wide: Any = np.float64) -> Any:
        return x.astype(wide).var(axis=1, ddof=correction)

    assert_norm(variance, "variance", dtype)
    assert caught(lambda x, c: variance(x, 0), dtype, "variance")
    assert caught(lambda x, c: variance(x, c) ** 0.5, dtype, "variance")
    if dtype in ("float32", "float64"):
        assert caught(lambda x, c: (x * x).mean(1) - x.mean(1) ** 2, dtype, "variance")
        assert caught(lambda x, c: variance(x, c, np.float16), dtype, "variance")


# --------------------------------------------------------------------------------------------- gradients


def backward(dy: Any, x: Any, w: Any, epsilon: float, drop: str = "", sums: Any = np.float32) -> Any:
    x_, g = x.astype(np.float32), dy.astype(np.float32) * w.astype(np.float32)
    d = x_ - x_.mean(axis=1, keepdims=True)
    r = 1 / np.sqrt((d * d).mean(axis=1, keepdims=True) + np.float32(epsilon))
    h = d * r
    level = 0 if "mean" in drop else g.mean(axis=1, keepdims=True)
    slope = 0 if "slope" in drop else (g * h).mean(axis=1, keepdims=True)
    dx = r * (g - level - h * slope)
    dweight = np.cumsum((dy.astype(np.float32) * h).astype(sums), axis=0, dtype=sums)[-1]
    return (
        dx.astype(x.dtype),
        dweight.astype(x.dtype),
        np.cumsum(dy.astype(sums), axis=0, dtype=sums)[-1].astype(x.dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients(dtype: str) -> None:
    assert_norm(backward, "layer", dtype, backward=True)
    for drop in ("mean", "slope", "mean slope"):
        assert caught(lambda *given, drop=drop: backward(*given, drop=drop), dtype, backward=True)
    assert caught(lambda *given: backward(*given, sums=np.float16), dtype, backward=True)


def test_wrong_gradients_say_which_terms_are_missing() -> None:
    with pytest.raises(AssertionError, match="consistent with dx without the terms with means"):
        assert_norm(lambda *given: backward(*given, drop="mean slope"), "layer", backward=True)
    with pytest.raises(AssertionError, match="dbias and dweight alone: sums over the rows"):
        assert_norm(lambda *given: backward(*given, sums=np.float16), "layer", backward=True)


# --------------------------------------------------------------------------------------------- what kernels answer


class Tensor:
    """Something with DLPack and nothing else."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **given: Any) -> Any:
        return self.array.__dlpack__(**given)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


def test_answers_may_come_by_dlpack() -> None:
    assert_norm(lambda *given: Tensor(fused(*given)), "layer", "float16", only="length-33")


def test_a_kernel_gets_arrays_of_its_own_that_it_may_write_to() -> None:
    def kernel(x: Any, w: Any, b: Any, epsilon: float) -> Any:
        x[...] = fused(x, w, b, epsilon)
        return x

    for _ in range(2):
        assert_norm(kernel, "layer", "float16")


def test_bad_answers_and_bad_input_get_one_sentence() -> None:
    with pytest.raises(AssertionError, match=r"y has the shape \(3,\): answer \(3, 33\)"):
        assert_norm(lambda x, w, b, e: x[:, 0], "layer", only="length-33")
    with pytest.raises(AssertionError, match="the kernel raised ZeroDivisionError: division by zero"):
        assert_norm(lambda x, w, b, e: 1 / 0, "layer")
    with pytest.raises(AssertionError, match="the kernel answered 1 arrays: return dx, dweight, dbias"):
        assert_norm(lambda dy, x, w, e: x, "layer", backward=True)
    with pytest.raises(ValueError, match="norm='layr' is unknown"):
        assert_norm(fused, "layr")
    with pytest.raises(ValueError, match="dtype='float64' is unknown"):
        assert_norm(fused, "layer", "float64")
    with pytest.raises(ValueError, match="profile='one' is unknown"):
        assert_norm(fused, "layer", profile="one")
    with pytest.raises(ValueError, match="only='nothing': no case"):
        assert_norm(fused, "layer", only="nothing")
