"""Views of the norms against plain indexing, and batch moments merged over devices against exact ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels import Moments, moments
from varkernels.formats import FORMATS
from varkernels.sync import sync_batch
from varkernels.views import LAYOUTS, NORMS, Layout, Norm, view

SHAPES = {
    "NCHW": [(3, 4, 5, 2), (1, 6, 1, 7), (2, 1, 3, 3), (1, 1, 1, 1), (5, 12, 2, 1)],
    "NHWC": [(3, 5, 2, 4), (1, 1, 7, 6), (2, 3, 3, 1), (1, 1, 1, 1), (5, 2, 1, 12)],
    "NC": [(3, 4), (1, 6), (7, 1), (1, 1), (5, 12)],
    "NCL": [(3, 4, 10), (1, 6, 7), (2, 1, 9), (5, 12, 1)],
    "NLC": [(3, 10, 4), (1, 7, 6), (2, 9, 1), (5, 1, 12)],
    "NCDHW": [(3, 4, 5, 2, 3), (1, 6, 1, 7, 1), (2, 1, 2, 3, 3)],
    "NDHWC": [(3, 5, 2, 3, 4), (1, 1, 7, 1, 6), (2, 2, 3, 3, 1)],
}
CHANNELS_LAST = ("NHWC", "NLC", "NDHWC")
EVERY = [(layout, shape) for layout, shapes in SHAPES.items() for shape in shapes]

every_shape = pytest.mark.parametrize(("layout", "shape"), EVERY, ids=str)


def numbered(shape: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
    """A map whose values are all different."""
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float64).reshape(shape).astype(dtype)


def channels_first(x: NDArray[Any], layout: str) -> NDArray[Any]:
    """The map as (N, C, pixels): what the norms are defined on, whatever the layout."""
    n = len(x)
    if layout in CHANNELS_LAST:
        return np.stack([np.stack([x[i, ..., c].ravel() for c in range(x.shape[-1])]) for i in range(n)])
    return x.reshape(n, x.shape[1], -1)


def definition(x: NDArray[Any], norm: str, layout: str, groups: int) -> Iterator[set[float]]:
    """The values that each statistic of a norm is taken over, by the norms' papers."""
    y = channels_first(x, layout)
    n, c, _ = y.shape
    if norm == "batch":  # Ioffe, Szegedy 2015: a channel over all samples and pixels
        yield from (set(y[:, k].flat) for k in range(c))
    elif norm == "layer":  # Ba, Kiros, Hinton 2016: a sample over all its channels and pixels
        yield from (set(y[i].flat) for i in range(n))
    elif norm == "instance":  # Ulyanov, Vedaldi, Lempitsky 2016: a sample's channel over its pixels
        yield from (set(y[i, k].flat) for i in range(n) for k in range(c))
    elif norm == "group":  # Wu, He 2018: a sample's neighbouring channels
        size = c // groups
        yield from (set(y[i, g * size : (g + 1) * size].flat) for i in range(n) for g in range(groups))
    else:
        yield set(y.flat)


def rows_of(v: NDArray[Any]) -> list[NDArray[Any]]:
    blocks = v if v.ndim == 4 else v[np.newaxis]
    return [block[:, r].ravel() for block in blocks for r in range(block.shape[1])]


def divisors(layout: str, shape: tuple[int, ...]) -> list[int]:
    c = shape[-1] if layout in CHANNELS_LAST else shape[1]
    return [g for g in range(1, c + 1) if c % g == 0]


# --------------------------------------------------------------------------------------------------------- views


@every_shape
def test_rows_hold_the_values_that_the_norm_takes_together(layout: str, shape: tuple[int, ...]) -> None:
    x = numbered(shape)
    for norm in NORMS:
        for groups in divisors(layout, shape) if norm == "group" else [1]:
            v = view(x, norm, layout=layout, groups=groups if norm == "group" else None)
            rows = rows_of(v)
            wanted = list(definition(x, norm, layout, groups))
            assert len(rows) == len(wanted)
            for row, values in zip(rows, wanted, strict=True):
                assert len(row) == len(values)
                assert set(row) == values


def test_rows_are_in_memory_order() -> None:
    x = numbered((3, 4, 5, 2))
    y = numbered((3, 5, 2, 4))
    z = numbered((3, 4))
    for i in range(3):
        np.testing.assert_array_equal(view(x, "layer")[:, i].ravel(), x[i].ravel())
        np.testing.assert_array_equal(view(y, "layer", layout="NHWC")[:, i].ravel(), y[i].ravel())
        np.testing.assert_array_equal(view(z, "layer", layout="NC")[:, i].ravel(), z[i])
        for g in range(2):
            cut = slice(2 * g, 2 * g + 2)
            np.testing.assert_array_equal(view(x, "group", groups=2)[:, 2 * i + g].ravel(), x[i, cut].ravel())
            np.testing.assert_array_equal(
                view(y, "group", layout="NHWC", groups=2)[i, :, g].ravel(), y[i, :, :, cut].ravel()
            )
            np.testing.assert_array_equal(view(z, "group", layout="NC", groups=2)[:, 2 * i + g].ravel(), z[i, cut])
        for c in range(4):
            np.testing.assert_array_equal(view(x, "instance")[:, 4 * i + c].ravel(), x[i, c].ravel())
            np.testing.assert_array_equal(view(y, "instance", layout="NHWC")[i, :, c].ravel(), y[i, :, :, c].ravel())
            assert view(z, "instance", layout="NC")[:, 4 * i + c].ravel().tolist() == [z[i, c]]
    for c in range(4):
        np.testing.assert_array_equal(view(x, "batch")[:, c].ravel(), x[:, c].ravel())
        np.testing.assert_array_equal(view(y, "batch", layout="NHWC")[:, c].ravel(), y[..., c].ravel())
        np.testing.assert_array_equal(view(z, "batch", layout="NC")[:, c].ravel(), z[:, c])


@pytest.mark.parametrize(
    ("layout", "twin", "shape"),
    [("NCL", "NCHW", (3, 4, 10)), ("NLC", "NHWC", (3, 10, 4)), ("NCDHW", "NCHW", (3, 4, 2, 5, 6)),
     ("NDHWC", "NHWC", (3, 2, 5, 6, 4))],
)  # fmt: skip
@pytest.mark.parametrize("norm", NORMS)
def test_layouts_of_other_ranks_are_views_of_the_same_pixels(
    layout: str, twin: str, shape: tuple[int, ...], norm: str
) -> None:
    """Rows depend on the number of pixels, not on how many axes they lie along."""
    x = numbered(shape)
    n, c = shape[0], 4
    flat = x.reshape((n, c, -1, 1) if twin == "NCHW" else (n, -1, 1, c))
    groups = 2 if norm == "group" else None
    got, want = view(x, norm, layout=layout, groups=groups), view(flat, norm, layout=twin, groups=groups)
    np.testing.assert_array_equal(got, want)


def test_norms_and_layouts_are_strings() -> None:
    x = numbered((2, 4, 3, 5))
    np.testing.assert_array_equal(view(x, Norm.LAYER, layout=Layout.NCHW), view(x, "layer"))
    assert f"{Norm.LAYER} {Layout.NCHW}" == "layer NCHW"
    assert [layout.rank for layout in Layout] == [4, 4, 2, 3, 3, 5, 5]
    assert [layout.spatial_axes for layout in Layout] == [(2, 3), (1, 2), (), (2,), (1,), (2, 3, 4), (1, 2, 3)]
    assert [layout for layout in Layout if layout.channels_last] == list(CHANNELS_LAST)


def test_shapes_of_the_views() -> None:
    wanted = {
        "NCHW": [(3, 12, 10), (1, 3, 120), (1, 36, 10), (1, 12, 30), (1, 1, 360)],
        "NHWC": [(30, 12, 1), (1, 3, 120), (3, 10, 12, 1), (3, 10, 4, 3), (1, 1, 360)],
        "NC": [(3, 12, 1), (1, 3, 12), (1, 36, 1), (1, 12, 3), (1, 1, 36)],
    }
    for (layout, shapes), x in zip(
        wanted.items(), (numbered((3, 12, 5, 2)), numbered((3, 5, 2, 12)), numbered((3, 12))), strict=True
    ):
        for norm, shape in zip(NORMS, shapes, strict=True):
            groups = 4 if norm == "group" else None
            assert view(x, norm, layout=layout, groups=groups).shape == shape


@every_shape
@pytest.mark.parametrize("dtype", [fmt.dtype for fmt in FORMATS.values()], ids=str)
def test_contiguous_arrays_are_not_copied(layout: str, shape: tuple[int, ...], dtype: Any) -> None:
    x = numbered(shape, dtype)
    frozen = x.view()
    frozen.flags.writeable = False
    for norm in NORMS:
        groups = divisors(layout, shape)[-1] if norm == "group" else None
        for array in (x, frozen):
            v = view(array, norm, layout=layout, groups=groups)
            assert np.shares_memory(v, x)
            assert v.size == x.size
            assert v.dtype == x.dtype
            assert v.flags.writeable is array.flags.writeable
        assert view(x, norm, layout=layout, groups=groups).base is x


def test_strided_arrays_are_not_copied_where_strides_allow() -> None:
    last = numbered((3, 5, 2, 4))
    first = last.transpose(0, 3, 1, 2)  # channels first in name, channels last in memory
    for norm in ("batch", "instance"):
        v = view(first, norm)
        assert np.shares_memory(v, last) == (norm == "batch")
        for row, values in zip(rows_of(v), definition(first, norm, "NCHW", 1), strict=True):
            assert set(row) == values
    big = numbered((6, 4, 5, 2))
    half = big[::2]
    assert np.shares_memory(view(half, "batch"), big)
    for row, values in zip(rows_of(view(half, "batch")), definition(half, "batch", "NCHW", 1), strict=True):
        assert set(row) == values


def test_flat_takes_any_rank() -> None:
    for shape in ((), (7,), (2, 3, 4), (2, 1, 2, 1, 2)):
        x = numbered(shape)
        for layout in LAYOUTS:
            v = view(x, "flat", layout=layout)
            assert v.shape == (1, 1, x.size)
            assert np.shares_memory(v, x)
            np.testing.assert_array_equal(v.ravel(), x.ravel())


def test_lists_become_arrays() -> None:
    np.testing.assert_array_equal(view([[1.0, 2.0], [3.0, 4.0]], "layer", layout="NC"), [[[1, 2], [3, 4]]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_axes_of_size_zero(layout: str) -> None:
    sizes = {"N": 2, "C": 4, "D": 2, "H": 3, "W": 5, "L": 6}
    full = tuple(sizes[axis] for axis in layout)
    channel = layout.index("C")
    for axis in range(len(full)):
        shape = tuple(0 if a == axis else size for a, size in enumerate(full))
        n, c = shape[0], shape[channel]
        for norm, rows in (("batch", c), ("layer", n), ("instance", n * c), ("group", 2 * n), ("flat", 1)):
            v = view(np.zeros(shape), norm, layout=layout, groups=2 if norm == "group" else None)
            assert v.size == 0
            assert len(rows_of(v)) == (rows if v.ndim == 3 or n else 0)
            assert len(moments(v)) == len(rows_of(v))
            assert not moments(v).count.any()


# -------------------------------------------------------------------------------------------------------- errors


def refusal(message: str, *args: Any, **options: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        view(*args, **options)


def test_unknown_norms_and_layouts() -> None:
    x = numbered((2, 4, 3, 3))
    refusal("norm='btach' is unknown: did you mean 'batch'?", x, "btach")
    refusal("norm='Group' is unknown: did you mean 'group'?", x, "Group", groups=2)
    refusal("norm='' is unknown: use one of batch, layer, instance, group, flat", x, "")
    refusal("norm=None is unknown: use one of batch, layer, instance, group, flat", x, None)
    refusal("layout='NCWH' is unknown: did you mean 'NCHW'?", x, "batch", layout="NCWH")
    refusal(
        "layout='tensor' is unknown: use one of NCHW, NHWC, NC, NCL, NLC, NCDHW, NDHWC", x, "batch", layout="tensor"
    )
    refusal("layout='tensor' is unknown: use one of NCHW, NHWC, NC, NCL, NLC, NCDHW, NDHWC", x, "flat", layout="tensor")


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group"])
def test_ranks_that_do_not_fit(norm: str) -> None:
    groups = 1 if norm == "group" else None
    for layout in LAYOUTS:
        rank = len(layout)
        for shape in ((), (2,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 4, 5)):
            if len(shape) == rank:
                continue
            message = f"x has rank {len(shape)} and shape {shape}, but layout={layout!r} needs rank {rank}"
            refusal(message, np.zeros(shape), norm, layout=layout, groups=groups)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (2, 6, 3, 5)), ("NHWC", (2, 3, 5, 6)), ("NC", (2, 6))])
def test_groups_that_do_not_fit(layout: str, shape: tuple[int, ...]) -> None:
    x = numbered(shape)
    refusal("groups=None: norm 'group' needs a number of groups", x, "group", layout=layout)
    for norm in ("batch", "layer", "instance", "flat"):
        refusal(f"groups=2: norm {norm!r} takes no number of groups", x, norm, layout=layout, groups=2)
    for groups in (4, 5, 7, 12, 0, -1, -6, np.int64(4)):
        message = f"groups={groups} does not divide the 6 channels: give another number"
        refusal(message, x, "group", layout=layout, groups=groups)
    for wrong in (True, False, 2.0, 0.5, "2", np.float64(3), np.True_, [2]):
        message = f"groups={wrong!r} is not a whole number"
        refusal(message, x, "group", layout=layout, groups=wrong)
    np.testing.assert_array_equal(
        view(x, "group", layout=layout, groups=np.int32(3)), view(x, "group", layout=layout, groups=3)
    )


# -------------------------------------------------------------------------------------------------- sync_batch


def exact_batch(parts: list[NDArray[Any]], layout: str) -> tuple[int, list[Fraction], list[Fraction]]:
    """Count, means and M2s of the channels of all parts together, as rationals."""
    planes = [channels_first(part, layout) if part.size else None for part in parts]
    channels = parts[0].shape[-1] if layout == "NHWC" else parts[0].shape[1]
    means, m2s, count = [], [], 0
    for c in range(channels):
        values = [Fraction(float(v)) for p in planes if p is not None for v in p[:, c].flat]
        count = len(values)
        mean = sum(values, Fraction(0)) / count
        means.append(mean)
        m2s.append(sum(((v - mean) ** 2 for v in values), Fraction(0)))
    return count, means, m2s


def assert_close(got: Moments, parts: list[NDArray[Any]], layout: str, tolerance: float) -> None:
    count, means, m2s = exact_batch(parts, layout)
    assert got.count.tolist() == [count] * len(means)
    for c, (mean, m2) in enumerate(zip(means, m2s, strict=True)):
        scale = max(abs(Fraction(float(v))) for part in parts for v in part.flat)
        assert abs(Fraction(float(got.mean[c])) - mean) <= tolerance * scale
        assert abs(Fraction(float(got.m2[c])) - m2) <= tolerance * (m2 + scale**2)


def device_maps(layout: str, dtype: Any = np.float64) -> list[NDArray[Any]]:
    """Different numbers of samples, heights and widths, and means so far apart that wrong weights show."""
    rng = np.random.default_rng(5)
    sizes = [(3, 5, 2), (1, 1, 1), (0, 5, 2), (4, 7, 3), (2, 2, 9)]
    if layout == "NC":
        return [(40.0 * k + rng.standard_normal((n, 3))).astype(dtype) for k, (n, _, _) in enumerate(sizes)]
    shapes = [(n, 3, h, w) if layout == "NCHW" else (n, h, w, 3) for n, h, w in sizes]
    return [(40.0 * k + rng.standard_normal(shape)).astype(dtype) for k, shape in enumerate(shapes)]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NC"])
@pytest.mark.parametrize("algorithm", ["welford", "chan/pairwise", "two_pass", "double_double"])
def test_unequal_devices_against_exact_moments_of_all(layout: str, algorithm: str) -> None:
    parts = device_maps(layout)
    assert len({view(p, "batch", layout=layout).size for p in parts}) == len(parts) or layout == "NC"
    got = sync_batch(parts, layout=layout, algorithm=algorithm)
    assert_close(got, parts, layout, 1e-14)
    assert got.mean.dtype == got.m2.dtype == np.float64
    whole = [p for p in parts if p.size]
    wrong = np.mean([view(p, "batch", layout=layout).mean(axis=(0, 2)) for p in whole], axis=0)
    assert np.abs(got.mean - wrong).min() > 1  # the plain mean of the devices' means is far off


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_storage_and_a_wider_accumulator(name: str) -> None:
    parts = device_maps("NCHW", FORMATS[name].dtype)
    got = sync_batch(parts, accumulator="float64")
    assert got.mean.dtype == np.float64
    assert_close(got, parts, "NCHW", 1e-14)
    parts = [p / p.dtype.type(32) for p in parts]  # M2 stays below float16's largest number
    own = sync_batch(parts)
    assert own.mean.dtype == own.m2.dtype == FORMATS[name].dtype
    assert_close(own, parts, "NCHW", 64 * float(FORMATS[name].unit_roundoff))


def test_an_empty_device_changes_no_bit() -> None:
    parts = [p for p in device_maps("NCHW") if p.size]
    want = sync_batch(parts)
    for shape in ((0, 3, 5, 2), (2, 3, 0, 4), (2, 3, 4, 0)):
        empty = np.zeros(shape)
        for place in range(len(parts) + 1):
            got = sync_batch([*parts[:place], empty, *parts[place:]])
            np.testing.assert_array_equal(got.count, want.count)
            np.testing.assert_array_equal(got.mean, want.mean)
            np.testing.assert_array_equal(got.m2, want.m2)
    nothing = sync_batch([np.zeros((0, 3, 5, 2)), np.zeros((2, 3, 0, 1))])
    assert nothing.count.tolist() == [0, 0, 0]
    assert np.isnan(nothing.mean).all()
    assert np.isnan(nothing.m2).all()


def test_one_device_is_plain_batch_norm() -> None:
    part = device_maps("NHWC")[0]
    got, want = sync_batch([part], layout="NHWC"), moments(view(part, "batch", layout="NHWC"))
    np.testing.assert_array_equal(got.mean, want.mean)
    np.testing.assert_array_equal(got.m2, want.m2)


def test_devices_as_one_array() -> None:
    devices = numbered((4, 2, 3, 2, 2))
    got = sync_batch(devices)
    assert got.count.tolist() == [32, 32, 32]
    assert_close(got, list(devices), "NCHW", 1e-14)


def test_counts_of_one_in_closed_form() -> None:
    """0 on n devices and 1 on m: mean m / (n + m), M2 = n m / (n + m)."""
    for n, m in ((1, 1), (3, 1), (1, 3), (12, 4)):
        parts = [np.zeros((1, 1))] * n + [np.ones((1, 1))] * m
        got = sync_batch(parts, layout="NC")
        assert got.count.tolist() == [n + m]
        assert got.mean[0] == pytest.approx(m / (n + m), rel=1e-14)
        assert got.m2[0] == pytest.approx(n * m / (n + m), rel=1e-14)


def test_parts_that_do_not_fit() -> None:
    a = np.zeros((2, 3, 4, 4))
    for nothing in ([], (), np.zeros((0, 2, 3, 4, 4))):
        with pytest.raises(ValueError, match=r"^parts is empty: give one feature map for each device$"):
            sync_batch(nothing)
    with pytest.raises(ValueError, match=r"^parts differ in their number of channels: \[3, 5\]$"):
        sync_batch([a, np.zeros((2, 5, 4, 4)), a])
    with pytest.raises(ValueError, match=r"^parts differ in dtype: float32, float64$"):
        sync_batch([a, a.astype(np.float32)])
    with pytest.raises(ValueError, match=r"^x has rank 2 and shape \(2, 3\), but layout='NCHW' needs rank 4$"):
        sync_batch([a, np.zeros((2, 3))])
    with pytest.raises(ValueError, match=r"^layout='NCWH' is unknown: did you mean 'NCHW'\?$"):
        sync_batch([a], layout="NCWH")
    with pytest.raises(ValueError, match=r"accumulator=float32 does not serve float64"):
        sync_batch([a, a], accumulator="float32")


values = st.integers(-(2**20), 2**20).map(lambda k: k / 1024)  # no square underflows
batches = st.lists(values, min_size=1, max_size=24)


@given(batch=batches, cuts=st.lists(st.integers(0, 24), max_size=5))
@settings(deadline=None, max_examples=80)
def test_any_cut_of_a_batch_has_the_moments_of_the_whole(batch: list[float], cuts: list[int]) -> None:
    x = np.array(batch).reshape(-1, 1)
    parts = np.split(x, sorted(min(cut, len(batch)) for cut in cuts))
    assert_close(sync_batch(parts, layout="NC"), parts, "NC", 1e-14 * (1 + len(parts)))


@given(left=batches, right=batches)
@settings(deadline=None, max_examples=80)
def test_the_order_of_two_devices_matters_by_roundings_only(left: list[float], right: list[float]) -> None:
    parts = [np.array(left).reshape(-1, 1), np.array(right).reshape(-1, 1)]
    forth, back = sync_batch(parts, layout="NC"), sync_batch(parts[::-1], layout="NC")
    assert_close(forth, parts, "NC", 1e-14)
    assert_close(back, parts, "NC", 1e-14)
    assert forth.m2[0] >= 0


@given(x=values, counts=st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(deadline=None, max_examples=80)
def test_a_constant_has_no_variance_on_any_devices(x: float, counts: list[int]) -> None:
    got = sync_batch([np.full((n, 1), x) for n in counts], layout="NC")
    assert got.count.tolist() == [sum(counts)]
    assert got.mean[0] == x
    assert got.m2[0] == 0
