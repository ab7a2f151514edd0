"""Moments: the same bits however the data were cut and merged; bytes that are right or refused."""

from __future__ import annotations

import copy
import hashlib
import operator
import pickle
import struct
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import varstudy
from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS
from varstudy import Moments

ALL = list(FORMATS.values())
FLOATS = ["float16", "bfloat16", "float32", "float64"]
METHODS = ["exact", "chan", "welford"]

numbers = st.floats(allow_nan=False, allow_infinity=False)
any_numbers = st.one_of(numbers, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0]))


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def answers(m: Moments) -> list[Any]:
    return [m.mean, m.variance(), m.variance(1), m.std(), m.std(0.5), m.count, m.dtype]


def equal(a: Moments, b: Moments) -> bool:
    """Equal in every way that there is."""
    return (
        a == b
        and a.to_bytes() == b.to_bytes()
        and all(same(x, y) for x, y in zip(answers(a)[:-1], answers(b)[:-1], strict=True))
        and a.dtype == b.dtype
    )


@st.composite
def parts(draw: Any, elements: Any = any_numbers) -> list[NDArray[Any]]:
    """Arrays of several dtypes, empty ones too."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        dtype = draw(st.sampled_from([*(fmt.dtype for fmt in ALL), np.dtype(">f8"), np.dtype(np.int64)]))
        if dtype.kind == "i":
            values = np.array(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)), dtype=dtype)
        else:
            with np.errstate(all="ignore"):
                values = np.array(draw(st.lists(elements, max_size=5)), dtype=np.float64).astype(dtype)
        found.append(values)
    return found


@settings(max_examples=150, deadline=None)
@given(parts(), st.randoms(use_true_random=False))
def test_every_cut_and_every_order_of_merges_gives_the_same_bits(chunks: list[NDArray[Any]], random: Any) -> None:
    one = Moments()
    for chunk in chunks:
        assert one.update(chunk) is one
    pieces = [Moments().update(piece) for chunk in chunks for piece in np.array_split(chunk, random.randint(1, 3))]
    random.shuffle(pieces)
    while len(pieces) > 1:
        i = random.randrange(len(pieces) - 1)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
    assert equal(pieces[0], one)
    a, b = Moments().update(chunks[0]), Moments().update(chunks[-1])
    assert equal(a + b, b + a)
    assert equal(a + Moments(), a)
    assert equal(Moments() + a, a)


@settings(max_examples=100, deadline=None)
@given(st.lists(numbers, min_size=2, max_size=30), st.integers(1, 29), st.sampled_from(ALL))
def test_the_answers_are_those_of_the_whole(values: list[float], cut: int, fmt: Any) -> None:
    with np.errstate(all="ignore"):
        x = np.array(values).astype(fmt.dtype)
        m = Moments().update(x[:cut]).update(x[cut:])
        if not np.isfinite(x).all():
            return
        assert m.count == len(x)
        assert m.dtype == max(fmt, FLOAT32, key=lambda each: each.precision).dtype
        for got, name, more in (
            (m.mean, "mean", {}),
            (m.variance(), "var", {}),
            (m.variance(1), "var", {"correction": 1}),
            (m.std(0.25), "std", {"correction": 0.25}),
        ):
            with np.errstate(over="ignore"):
                assert same(got, getattr(varstudy, name)(x, dtype=m.dtype, **more))


def test_any_shape_and_input() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    assert equal(Moments().update(x[:, ::-1]), Moments().update(x.ravel()))
    assert equal(Moments().update(x.tolist()), Moments().update(x))
    assert equal(Moments().update(5.0), Moments().update([5.0]))
    masked = np.ma.array([1.0, 2.0, 100.0], mask=[0, 0, 1])
    for method in METHODS:
        assert Moments(method).update(masked).count == 2
    ints = np.array([2**62 + 1, 2**62 + 3])
    assert Moments().update(ints[:1]).update(ints[1:]).variance() == 1.0


def test_the_dtype_is_remembered() -> None:
    def of(*dtypes: Any) -> Any:
        return reduce(operator.add, [Moments().update(np.ones(1, dtype=dtype)) for dtype in dtypes]).dtype

    assert Moments().dtype is None
    assert of(np.float16) == of(BFLOAT16.dtype, BFLOAT16.dtype) == FLOAT32.dtype
    assert of(FLOAT16.dtype, BFLOAT16.dtype) == of(BFLOAT16.dtype, FLOAT16.dtype) == FLOAT32.dtype
    assert of(np.float32, np.float16) == np.float32
    assert of(np.float16, np.uint8) == of(bool) == FLOAT64.dtype
    assert Moments().update(np.zeros(0, dtype=np.float32)).dtype is None
    assert Moments().update(np.ones(3, dtype=np.float32)).update([]).dtype == np.float32
    assert Moments().update(np.float32(1.5)).mean.dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_few_values(method: str) -> None:
    m = Moments(method)
    assert m.count == 0
    assert np.isnan(m.mean)
    assert np.isnan(m.variance())
    assert np.isnan(m.std(-1))
    m.update([3.0])
    assert m.mean == 3.0
    assert m.variance() == m.std() == 0.0
    assert np.isnan(m.variance(1))
    assert np.isnan(m.std(2))
    m.update(np.zeros((0, 3)))
    assert m.count == 1
    assert np.isnan((m + Moments(method).update([np.nan])).mean)


def test_infinities_and_nan() -> None:
    up, down = Moments().update([1.0, np.inf]), Moments().update([-np.inf])
    assert up.mean == np.inf
    assert down.mean == -np.inf
    assert np.isnan(up.variance())
    assert np.isnan((up + down).mean)
    assert (up + down).count == 3


@pytest.mark.parametrize("method", METHODS[1:])
def test_chans_merge_in_float64(method: str) -> None:
    x = np.random.default_rng(3).normal(1e8, 1.0, size=20000)
    m = Moments(method)
    for chunk in np.array_split(x, 37):
        m.update(chunk)
    assert m.count == len(x)
    np.testing.assert_allclose(m.mean, varstudy.mean(x), rtol=1e-15)
    np.testing.assert_allclose(m.variance(1), varstudy.var(x, correction=1), rtol=1e-6)
    np.testing.assert_allclose(m.std(), varstudy.std(x), rtol=1e-6)
    f = Moments(method).update(x.astype(np.float32))
    assert f.mean.dtype == np.float32
    assert f.variance() >= 0


def test_merging_never_changes_the_parts() -> None:
    for method in METHODS:
        a, b = Moments(method).update([1.0, 2.0]), Moments(method).update([5.0])
        before = a.to_bytes(), b.to_bytes()
        both = a + b
        both.update([7.0])
        assert (a.to_bytes(), b.to_bytes()) == before
        twin = a.copy()
        twin.update([9.0])
        assert a.to_bytes() == before[0]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(chunks=parts())
def test_copies_pickles_and_bytes(method: str, chunks: list[NDArray[Any]]) -> None:
    m = Moments(method)
    with np.errstate(all="ignore"):
        for chunk in chunks:
            m.update(chunk)
    twins = [Moments.from_bytes(m.to_bytes()), Moments.from_bytes(bytearray(m.to_bytes())), m.copy(), copy.copy(m)]
    twins += [copy.deepcopy(m), *(pickle.loads(pickle.dumps(m, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1))]
    for twin in twins:
        assert twin is not m
        assert twin == m
        assert twin.to_bytes() == m.to_bytes()
        assert twin.method == method


def test_equality() -> None:
    a = Moments().update([1.0, 2.0])
    assert a == Moments().update([2.0]).update([1.0])
    assert a != Moments().update([1.0, 3.0])
    assert a != Moments().update(np.array([1.0, 2.0], dtype=np.float32))  # another dtype
    assert a != Moments("chan").update([1.0, 2.0])
    assert a != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)
    assert repr(a) == "<varstudy.Moments by 'exact': 2 values, float64>"
    assert repr(Moments("chan")) == "<varstudy.Moments by 'chan': 0 values, no data>"


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused(data: Any) -> None:
    method = data.draw(st.sampled_from(METHODS[:2]))
    good = Moments(method).update(data.draw(st.lists(numbers, max_size=4))).to_bytes()
    kind = data.draw(st.sampled_from(["cut", "edited", "longer", "foreign"]))
    if kind == "cut":
        bad = good[: data.draw(st.integers(0, len(good) - 1))]
    elif kind == "edited":
        at = data.draw(st.integers(0, len(good) - 1))
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    elif kind == "longer":
        bad = good + data.draw(st.binary(min_size=1, max_size=40))
    else:
        bad = data.draw(st.binary(max_size=200))
    with pytest.raises(ValueError, match=r"^data "):
        Moments.from_bytes(bad)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_with_a_right_digest_are_moments_or_refused(data: Any) -> None:
    method = data.draw(st.sampled_from(METHODS[:2]))
    body = Moments(method).update(data.draw(st.lists(numbers, max_size=4))).to_bytes()[:-32]
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + data.draw(st.binary(max_size=3)) + body[at + data.draw(st.integers(0, 3)) :]
    try:
        m = Moments.from_bytes(sealed(changed))
    except ValueError:
        return
    assert m.to_bytes() == sealed(changed)
    assert not m.variance() < 0


def test_bytes_that_contradict_themselves() -> None:
    body = Moments().update([1.0, 2.0, 4.0]).to_bytes()[:-32]
    head = body[: len(b"varstudy.Moments") + 1]

    def made(*integers: int, name: bytes = b"exact", fmt: bytes = b"float64") -> bytes:
        packed = struct.pack(">HB", len(name), len(fmt)) + name + fmt
        for value in integers:
            size = value.bit_length() // 8 + 1
            packed += struct.pack(">I", size) + value.to_bytes(size, "big", signed=True)
        return sealed(head + packed)

    assert Moments.from_bytes(made(3, 0, 0, 0, 7, 21, 0)) == Moments().update([1.0, 2.0, 4.0])
    for bad in (
        (3, 0, 0, 0, 8, 21, 0),  # 3 * 21 < 8^2: no numbers have these sums
        (3, 0, 0, 0, 14, 84, -1),  # not the one form
        (3, 4, 0, 0, 7, 21, 0),
        (3, -1, 0, 0, 7, 21, 0),
        (0, 0, 0, 0, 0, 1, 0),
        (3, 0, 0, 0, 7, 21, 10**9),
        (3, 0, 0, 0, 7, 21),
    ):
        with pytest.raises(ValueError, match=r"^data hold no moments"):
            Moments.from_bytes(made(*bad))
    for more in ({"fmt": b""}, {"fmt": b"float8"}, {"name": b"nobody"}, {"name": b"\xff"}):
        with pytest.raises(ValueError, match=r"^data hold no moments"):
            Moments.from_bytes(made(3, 0, 0, 0, 7, 21, 0, **more))
    with pytest.raises(ValueError, match=r"^data have version 3"):
        Moments.from_bytes(sealed(body[: len(head) - 1] + b"\x03" + body[len(head) :]))
    with pytest.raises(TypeError, match="not bytes"):
        Moments.from_bytes("text")  # type: ignore[arg-type]


def test_the_bytes_of_version_1_stay_readable() -> None:
    body = b"varstudy.Moments\x01" + struct.pack(">HB", 5, 7) + b"exactfloat32"
    for value in (3, 0, 0, 0, 7, 21, -1):
        body += b"\0\0\0\1" + value.to_bytes(1, "big", signed=True)
    m = Moments.from_bytes(sealed(body))
    assert m == Moments().update(np.array([0.5, 1.0, 2.0], dtype=np.float32))


def test_errors() -> None:
    with pytest.raises(TypeError, match="is no name"):
        Moments(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is unknown: did you mean"):
        Moments("chann")
    a = Moments().update([1.0])
    with pytest.raises(ValueError, match="by 'chan', these moments by 'exact'"):
        a + Moments("chan")
    with pytest.raises(TypeError, match="unsupported operand"):
        a + 3
    before = a.to_bytes()
    with pytest.raises(TypeError, match="complex128"):
        a.update([1j])
    assert a.to_bytes() == before
    with pytest.raises(ValueError, match="finite"):
        a.variance(float("nan"))
    with pytest.raises(TypeError, match="real number"):
        a.std("1")  # type: ignore[arg-type]
