"""The kernels, executed on the CPU: against the mirror in every bit, against exact sums, and on awkward geometry."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from varkernels import FORMATS, Format, Moments
from varkernels import moments as cpu_moments
from varkernels.cuda import algorithms, moments, shape_of_sum
from varkernels.cuda import mirror as mirror_module
from varkernels.cuda.catalogue import accumulator_of, get, held_most
from varkernels.cuda.launch_plan import geometry_of, plan, sharing
from varkernels.views import NORMS, view

mirror = mirror_module.moments

# A longer row takes one thread through the same loop, a value at a time.
ONE_THREAD = {name: 1000 for name in algorithms() if name.endswith("/thread")}
# (segments, rows, length): one value a row, tails of steps and of segments, several warps, several blocks.
SHAPES = [(1, 3, 1), (3, 4, 7), (7, 3, 1), (5, 2, 16), (1, 2, 1000), (4, 2, 771), (1, 1, 9001), (3, 1, 8192)]


def maps(fmt: Format, shape: tuple[int, ...], seed: int) -> dict[str, Any]:
    """Ordinary and hostile values of a shape."""
    rng = np.random.default_rng([seed, *shape])
    size = fmt.dtype.itemsize
    bits = rng.integers(0, 2 ** (8 * size), shape, dtype=np.uint64).astype(f"u{size}").view(fmt.dtype)
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(bits.astype(np.float64)), bits, fmt.dtype.type(1))
        return {
            "normal": (rng.standard_normal(shape) + 3).astype(fmt.dtype),
            "offset": (1000 + rng.standard_normal(shape) * 1e-3).astype(fmt.dtype),
            "constant": np.full(shape, 0.1).astype(fmt.dtype),
            "bits": bits,
            "finite bits": finite.astype(fmt.dtype),
            "subnormal": (rng.integers(-50, 50, shape) * float(fmt.smallest_subnormal)).astype(fmt.dtype),
            "signed zeros": np.where(rng.random(shape) < 0.5, 0.0, -0.0).astype(fmt.dtype),
        }


def alike(a: Any, b: Any) -> Any:
    """Which numbers are equal in every bit; NaNs, whose payloads no standard fixes, are equal."""
    kind = f"u{a.dtype.itemsize}"
    with np.errstate(invalid="ignore"):
        return (a.view(kind) == b.view(kind)) | (np.isnan(a) & np.isnan(b))


def same(a: Any, b: Any) -> bool:
    return bool(np.all(alike(a, b)))


def assert_same(a: Moments, b: Moments) -> None:
    assert np.array_equal(a.count, b.count)
    assert same(a.mean, b.mean)
    assert same(a.m2, b.m2)


@pytest.mark.parametrize("contracted", [True, False], ids=["contracted", "separate"])
@pytest.mark.parametrize("storage", FORMATS)
def test_executor_and_mirror_agree_in_every_bit(storage: str, contracted: bool) -> None:
    accumulator = accumulator_of(FORMATS[storage])
    compared = 0
    for shape in SHAPES:
        kinds = maps(FORMATS[storage], shape, 1)
        x = np.concatenate(list(kinds.values()), axis=1)  # one launch for the rows of all kinds
        of_row = np.repeat(list(kinds), shape[1])
        for name in algorithms():
            if shape[0] * shape[2] > (held_most(accumulator) if name.endswith("held") else ONE_THREAD.get(name, 2**31)):
                continue
            got = moments(x, name, contracted=contracted)
            want = mirror(x, name, contracted=contracted)
            assert got.accumulator is accumulator
            for answer, other in ((got.mean, want.mean), (got.m2, want.m2)):
                assert same(answer, other), (name, shape, set(of_row[~alike(answer, other)]))
            compared += 2 * len(got)
    assert compared > 7_000


@pytest.mark.parametrize("name", ["welford/thread", "naive/thread", "two_pass/thread"])
@pytest.mark.parametrize("storage", ["float32", "float64"])
def test_one_thread_a_row_is_the_cpu_running_order(name: str, storage: str) -> None:
    for x in maps(FORMATS[storage], (3, 5, 77), 2).values():
        assert_same(moments(x, name, contracted=False), cpu_moments(x, name.partition("/")[0]))


def exact(x: Any) -> list[tuple[Fraction, Fraction]]:
    """Mean and M2 of each row."""
    found = []
    for r in range(x.shape[1]):
        values = [Fraction(float(v)) for v in x[:, r, :].ravel()]
        mean = sum(values) / len(values)
        found.append((mean, sum((v - mean) ** 2 for v in values)))
    return found


@pytest.mark.parametrize("contracted", [True, False])
@pytest.mark.parametrize("name", algorithms())
def test_within_the_depth_of_its_sum(name: str, contracted: bool) -> None:
    # Near mean 0 each term passes through run + merges roundings of sums, and a few of its own.
    x = np.random.default_rng(5).standard_normal((3, 2, 1003)).astype(np.float32)
    if "reciprocal" in name:
        x = x[:, :, :99]
    run, merges = shape_of_sum(name, x.shape[0] * x.shape[2], FORMATS["float32"])
    got = moments(x, name, contracted=contracted)
    for r, (mean, m2) in enumerate(exact(x)):
        size = Fraction(float(np.abs(x[:, r].astype(np.float64)).mean()))
        unit = FORMATS["float32"].unit_roundoff * (run + 4 * merges + 12)
        assert abs(Fraction(float(got.mean[r])) - mean) <= 4 * unit * size
        assert abs(Fraction(float(got.m2[r])) - m2) <= 4 * unit * m2


@pytest.mark.parametrize(
    "name",
    ["chan/grid4", "two_pass/block4", "two_pass/held", "naive/columns", "chan/block", "fast/tile", "fast/columns"],
)
@pytest.mark.parametrize("storage", FORMATS)
def test_alignment_and_strides_change_no_bit(name: str, storage: str) -> None:
    fmt = FORMATS[storage]
    rng = np.random.default_rng(7)
    for shape in [(1, 3, 1024), (4, 3, 64), (2, 3, 37), (1, 2, 3)]:
        x = (rng.standard_normal(shape) + 1).astype(fmt.dtype)
        want = moments(x, name)
        for offset in range(1, 10):
            room = np.zeros(x.size + offset, fmt.dtype)
            room[offset:] = x.ravel()
            assert_same(moments(room[offset:].reshape(shape), name), want)
        padded = np.zeros((shape[0], shape[1], shape[2] + 5), fmt.dtype)
        padded[:, :, 1:-4] = x
        assert_same(moments(padded[:, :, 1:-4], name), want)
        assert_same(moments(np.repeat(x, 3, axis=2)[:, :, ::3], name), want)
        assert_same(moments(np.ascontiguousarray(x[::-1, ::-1, ::-1])[::-1, ::-1, ::-1], name), want)
        assert_same(moments(np.asfortranarray(x), name), want)
        assert_same(moments(np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0), name), want)


def test_aligned_rows_are_read_by_vectors() -> None:
    for shape, vectors in [((1, 3, 1001), True), ((4, 3, 64), True), ((4, 3, 66), False), ((9, 3, 1), False)]:
        geometry = geometry_of(np.zeros((1, *shape), np.float32))
        assert geometry.vectors(4) is vectors, shape
    assert geometry_of(np.zeros((1, 4, 1, 33), np.float32)).segments == 1
    assert geometry_of(np.zeros((1, 4, 2, 12), np.float16)).vectors(8) is False
    assert not geometry_of(np.zeros((1, 1, 3, 64), np.float32)[..., ::2]).vectors(4)


@pytest.mark.parametrize("storage", FORMATS)
@pytest.mark.parametrize("norm", NORMS)
def test_norms_of_both_layouts(norm: str, storage: str) -> None:
    rng = np.random.default_rng(11)
    x = (rng.standard_normal((3, 4, 5, 6)) + 2).astype(FORMATS[storage].dtype)
    groups = 2 if norm == "group" else None
    first = view(x, norm, groups=groups)
    last = view(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), norm, layout="NHWC", groups=groups)
    as_first = view(np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), norm, groups=groups)
    for name in (
        "chan/grid4",
        "chan/thread",
        "corrected_two_pass/block4",
        "two_pass/held",
        "naive/columns",
        "fast/tile",
    ):
        got, other = moments(first, name), moments(last, name)
        assert_same(moments(as_first, name), got)
        if norm in ("batch", "instance"):  # the same values in the same order
            assert_same(other, got)
        else:
            assert np.allclose(other.m2, got.m2, rtol=1e-5)
        assert_same(other, mirror(last, name))


@pytest.mark.parametrize(
    "name",
    [
        "chan/block4", "chan/grid", "naive/thread", "two_pass/columns", "kahan_two_pass/block4", "two_pass/held",
        "fast/tile", "fast/columns",
    ],
)  # fmt: skip
def test_fewer_blocks_than_rows(name: str) -> None:
    x = np.random.default_rng(13).standard_normal((2, 301, 45)).astype(np.float32)
    want = moments(x, name)
    for most_blocks in (1, 3):
        assert_same(moments(x, name, most_blocks=most_blocks), want)


def test_rows_do_not_depend_on_each_other() -> None:
    x = np.random.default_rng(17).standard_normal((1, 70, 3000)).astype(np.float32)
    for name in ("chan/grid4", "naive/columns", "two_pass/held", "fast/tile"):
        together = moments(x, name)
        for r in (0, 33, 69):
            assert same(moments(x[:, r : r + 1], name).m2, together.m2[r : r + 1])


def test_held_has_the_bits_of_block4() -> None:
    rng = np.random.default_rng(19)
    for name in [name for name in algorithms() if name.endswith("/held")]:
        for fmt in FORMATS.values():
            for n in (1, 31, 500, held_most(accumulator_of(fmt))):
                x = rng.standard_normal((1, 2, n)).astype(fmt.dtype)
                assert_same(moments(x, name), moments(x, name.replace("held", "block4")))


def test_grid_of_several_blocks_differs_from_one_block() -> None:
    x = (np.random.default_rng(23).standard_normal((1, 1, 100_000)) + 5).astype(np.float32)
    assert sharing(get("naive/grid"), 100_000, FORMATS["float32"]).parts == 49
    assert moments(x, "naive/grid").m2 != moments(x, "naive/block").m2


def test_pairwise_is_two_pass_in_a_tree() -> None:
    x = (np.random.default_rng(29).standard_normal((1, 2, 50_000)) + 5).astype(np.float32)
    assert_same(moments(x, "pairwise"), moments(x, "two_pass/grid4"))
    assert shape_of_sum("pairwise", 50_000, FORMATS["float32"])[0] <= 8


def test_the_mean_by_weights_moves_off_a_constant() -> None:
    values = np.random.default_rng(37).standard_normal(100).astype(np.float32)
    x = np.repeat(values[np.newaxis, :, np.newaxis], 999, axis=2)
    for contracted in (True, False):
        assert (moments(x, "chan/grid4", contracted=contracted).m2 == 0).all()
        assert (moments(x, "chan_weighted/grid4", contracted=contracted).m2 > 0).any()


def test_contraction_turns_a_variance_negative() -> None:
    # Each row is one value over and over; in float32 s s / n and q then differ by roundings only.
    values = np.random.default_rng(31).standard_normal(500).astype(np.float32) + 3
    x = np.repeat(values[np.newaxis, :, np.newaxis], 20, axis=2)
    fused = moments(x, "naive/thread", contracted=True).m2
    apart = moments(x, "naive/thread", contracted=False).m2
    assert (fused < 0).any()
    assert not same(fused, apart)


def test_longest_run_and_merges() -> None:
    f32, f16 = FORMATS["float32"], FORMATS["float16"]
    assert shape_of_sum("welford/thread", 1000, f32) == (1000, 0)
    assert shape_of_sum("chan/block", 1000, f32) == (4, 8)
    assert shape_of_sum("chan/block4", 1000, f32) == (1, 10)
    assert shape_of_sum("chan/block4", 1000, f16) == (2, 9)
    assert shape_of_sum("chan/columns", 320, f32) == (32, 4)
    assert shape_of_sum("chan/columns", 2**20, f32) == (256, 15 + 8)  # 4096 parts, merged by 256 threads
    assert shape_of_sum("chan/grid4", 100_352, f32) == (8, 14)
    assert shape_of_sum("chan/grid4", 0, f32) == (1, 7)
    # A tile of 64 bytes.
    assert shape_of_sum("fast/tile", 512, f32)[0] == 16
    assert shape_of_sum("fast/tile", 512, f16)[0] == 32
    for name in algorithms():
        assert shape_of_sum(name, 1, f32)[0] == 1


def test_moments_of_bfloat16_by_name() -> None:
    x = np.arange(24).reshape(2, 3, 4).astype(ml_dtypes.bfloat16)
    got = moments(x)
    assert got.mean.dtype == np.float32
    assert list(got.mean) == [7.5, 11.5, 15.5]
    rows = x.astype(np.float64).transpose(1, 0, 2).reshape(3, 8)
    assert got.variance(1).tolist() == rows.var(axis=1, ddof=1).astype(np.float32).tolist()


def test_mirror_takes_the_plan_of_the_device() -> None:
    x = np.zeros((1, 2, 3, 4), np.float32)
    made = plan(geometry_of(x), get("corrected_two_pass/grid4"), FORMATS["float32"], FORMATS["float32"], True)
    assert [launch.kernel.formula.name for launch in made.launches] == ["mean", "corrected_two_pass"]
