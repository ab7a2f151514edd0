"""feature_moments: every norm's exact moments, from one read of the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import varstudy
from varkernels.formats import FORMATS
from varkernels.stats import features

FOUR = ("batch", "layer", "instance", "group")
ALL = (*FOUR, "flat")
DTYPES = [*(fmt.dtype for fmt in FORMATS.values()), np.dtype(np.int64), np.dtype(">f4")]


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def each_norm(x: NDArray[Any], groups: int) -> dict[str, tuple[NDArray[Any], Any]]:
    """For a map (N, C, H, W): the array and the axes that var takes for each norm."""
    n, c, *rest = x.shape
    return {
        "batch": (x, (0, *range(2, x.ndim))),
        "layer": (x, tuple(range(1, x.ndim))),
        "instance": (x, tuple(range(2, x.ndim))),
        "group": (x.reshape(n, groups, c // groups, *rest), tuple(range(2, x.ndim + 1))),
        "flat": (x, None),
    }


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NC"])
@pytest.mark.parametrize(
    "dtype", [*(fmt.dtype for fmt in FORMATS.values()), np.dtype(np.int64), np.dtype(">f4")], ids=str
)
def test_exact_moments_of_every_norm(layout: str, dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(11)
    x = (rng.normal(size=(3, 8, 4, 5) if layout != "NC" else (3, 8)) * 50 + 7).astype(dtype)
    given = x.transpose(0, 2, 3, 1) if layout == "NHWC" else x
    for y in (given, np.ascontiguousarray(given), np.asfortranarray(given)):
        found = varstudy.feature_moments(y, ALL, layout=layout, groups=4)
        assert list(found) == list(ALL)
        for norm, (values, axes) in each_norm(x, 4).items():
            moments = found[norm]
            assert same(moments.mean, varstudy.mean(values, axis=axes)), norm
            count = x.size // max(1, moments.mean.size)
            assert (moments.count == count).all()
            assert moments.count.shape == moments.shape == moments.mean.shape
            assert moments.dtype == moments.mean.dtype
            for correction in (0, 0.5):
                assert same(moments.variance(correction), varstudy.var(values, axis=axes, correction=correction))
                assert same(moments.std(correction), varstudy.std(values, axis=axes, correction=correction))


@pytest.mark.parametrize("method", ["chan", "welford"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NC"])
def test_other_methods_are_close(method: str, layout: str) -> None:
    rng = np.random.default_rng(12)
    x = rng.normal(10, 2, size=(5, 6, 7, 3) if layout != "NC" else (5, 6)).astype(np.float32)
    y = x.transpose(0, 2, 3, 1) if layout == "NHWC" else x
    found = varstudy.feature_moments(y, ALL, layout=layout, groups=3, method=method)
    exact = varstudy.feature_moments(y, ALL, layout=layout, groups=3)
    for norm in ALL:
        assert found[norm].mean.dtype == np.float32
        assert same(found[norm].count, exact[norm].count)
        np.testing.assert_allclose(found[norm].mean, exact[norm].mean, rtol=1e-6)
        np.testing.assert_allclose(found[norm].variance(0.5), exact[norm].variance(0.5), rtol=1e-4)
        np.testing.assert_allclose(found[norm].std(), exact[norm].std(), rtol=1e-4)
    ints = varstudy.feature_moments(np.arange(12).reshape(2, 6), ("batch",), layout="NC", method=method)
    assert ints["batch"].variance().tolist() == [9.0] * 6


def test_the_map_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = features.row_sums

    def counted(array: NDArray[Any], *more: Any) -> Any:
        reads.append(array.size)
        return real(array, *more)

    monkeypatch.setattr(features, "row_sums", counted)
    x = np.ones((2, 4, 3, 3), dtype=np.float32)
    for moments in varstudy.feature_moments(x, ALL, groups=2).values():
        assert (moments.variance() == 0).all()
        assert (moments.mean == 1).all()
    assert reads == [x.size]


def test_defaults_and_choices() -> None:
    x = np.random.default_rng(1).normal(size=(2, 64, 3, 3)).astype(np.float32)
    found = varstudy.feature_moments(x)
    assert list(found) == list(FOUR)
    assert found["group"].shape == (2, 32)
    assert found["instance"].shape == (2, 64)
    assert list(varstudy.feature_moments(x, "batch")) == ["batch"]
    wide = varstudy.feature_moments(x, ["layer"], dtype=np.float64)["layer"]
    assert same(wide.variance(), varstudy.var(x, axis=(1, 2, 3), dtype=np.float64))
    # Groups matter to group norm alone.
    assert varstudy.feature_moments(x[:, :3], ("batch", "instance"))["batch"].shape == (3,)


@pytest.mark.parametrize("method", ["exact", "chan"])
@pytest.mark.parametrize(
    ("layout", "twin", "shape", "flat"),
    [
        ("NCL", "NCHW", (3, 4, 10), (3, 4, 10, 1)),
        ("NLC", "NHWC", (3, 10, 4), (3, 1, 10, 4)),
        ("NCDHW", "NCHW", (3, 4, 2, 5, 6), (3, 4, 10, 6)),
        ("NDHWC", "NHWC", (3, 2, 5, 6, 4), (3, 10, 6, 4)),
    ],
)
def test_layouts_of_other_ranks(method: str, layout: str, twin: str, shape: Any, flat: Any) -> None:
    x = np.random.default_rng(3).normal(size=shape)
    got = varstudy.feature_moments(x, ALL, layout=layout, groups=2, method=method)
    want = varstudy.feature_moments(x.reshape(flat), ALL, layout=twin, groups=2, method=method)
    for norm in ALL:
        assert same(got[norm].mean, want[norm].mean)
        assert same(got[norm].variance(1), want[norm].variance(1))


@pytest.mark.parametrize("method", ["exact", "chan"])
@pytest.mark.parametrize("shape", [(0, 4, 2, 2), (2, 4, 0, 2), (2, 0, 3, 3)])
def test_empty_maps(method: str, shape: tuple[int, ...]) -> None:
    for layout, given in (("NCHW", shape), ("NHWC", (shape[0], shape[2], shape[3], shape[1]))):
        found = varstudy.feature_moments(np.zeros(given), ALL, layout=layout, groups=2, method=method)
        n, c = shape[:2]
        for norm, want in (("batch", (c,)), ("layer", (n,)), ("instance", (n, c)), ("group", (n, 2)), ("flat", ())):
            assert found[norm].shape == want
            assert (found[norm].count == 0).all()
            assert np.isnan(found[norm].mean).all()
            assert np.isnan(found[norm].variance()).all()
            assert np.isnan(found[norm].std()).all()


def test_what_is_not_finite_stays_in_its_rows() -> None:
    x = np.ones((2, 4, 2, 2), dtype=np.float32)
    x[0, 1, 0, 0] = np.inf
    x[1, 3, 1, 1] = np.nan
    found = varstudy.feature_moments(x, groups=2)
    assert np.isnan(found["batch"].variance()).tolist() == [False, True, False, True]
    assert np.isnan(found["layer"].variance()).all()
    assert np.isnan(found["group"].variance()).tolist() == [[True, False], [False, True]]
    assert np.isinf(found["batch"].mean).tolist() == [False, True, False, False]


def test_errors() -> None:
    x = np.zeros((2, 6, 3, 3))
    with pytest.raises(ValueError, match="norms has 'btach'"):
        varstudy.feature_moments(x, ("btach",))
    with pytest.raises(ValueError, match="layout='CHWN' is unknown"):
        varstudy.feature_moments(x, layout="CHWN")
    with pytest.raises(ValueError, match="needs rank 4"):
        varstudy.feature_moments(x[0])
    with pytest.raises(ValueError, match="groups=32 does not divide the 6 channels"):
        varstudy.feature_moments(x)
    for groups in (0, -3):
        with pytest.raises(ValueError, match="does not divide"):
            varstudy.feature_moments(x, groups=groups)
    for bad in (2.0, True, None):
        with pytest.raises(ValueError, match="is not a whole number"):
            varstudy.feature_moments(x, groups=bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="complex128"):
        varstudy.feature_moments(x.astype(complex), "batch")
    with pytest.raises(ValueError, match="is unknown"):
        varstudy.feature_moments(x, "batch", method="nothing")
    with pytest.raises(TypeError, match="masked array"):
        varstudy.feature_moments(np.ma.masked_array(x, mask=True), "batch")
    with pytest.raises(ValueError, match="finite"):
        varstudy.feature_moments(x, "batch")["batch"].variance(np.inf)
