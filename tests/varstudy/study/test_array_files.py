"""The user's own files: what is accepted is exact, what is not is refused in one sentence that says what to
do."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from varkernels import views
from varstudy.study import array_files, featuremaps
from varstudy.study.array_files import load
from varstudy.study.featuremaps import FileProblem, from_file


@pytest.fixture
def save(tmp_path: Path):
    def save_as(array: object, name: str = "x.npy") -> Path:
        path = tmp_path / name
        np.save(path, array, allow_pickle=True)
        return path

    return save_as


def refused(path: str | Path, message: str, **options: str) -> None:
    with pytest.raises(FileProblem, match=message) as caught:
        load(path, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path).split(":")[0] in sentence


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_are_taken_as_they_are(save, dtype: str, order: str) -> None:
    x = np.array([[[[1.5, np.nan], [np.inf, -np.inf]]], [[[0.0, -0.0], [6e-8, 3.25]]]], dtype, order=order)
    loaded = load(save(x))
    assert loaded.storage == {"f2": "float16", "f4": "float32", "f8": "float64"}[dtype[1:]]
    assert loaded.array.dtype.isnative
    assert loaded.how == ""
    assert loaded.array.tobytes() == x.astype(x.dtype.newbyteorder("=")).tobytes()


@pytest.mark.parametrize(
    ("values", "dtype", "storage"),
    [
        ([0, 255], "u1", "float32"),
        ([-(2**24), 2**24], ">i4", "float32"),
        ([2**24 + 1, 0], "i4", "float64"),
        ([-(2**53), 2**53], "i8", "float64"),
        ([2**53, 0], "u8", "float64"),
        ([True, False], "?", "float32"),
    ],
)
def test_integers_are_converted_exactly(save, values: list[int], dtype: str, storage: str) -> None:
    path = save(np.array([values, values], dtype))
    loaded = load(path)
    assert loaded.storage == storage
    assert [int(v) for v in loaded.array[0]] == [int(v) for v in values]
    assert f"converted exactly to {storage}" in loaded.how
    assert f"converted exactly to {storage}." in from_file(path, layout="NC").rationale


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([2**53 + 1, 0], "i8"), ([-(2**63), 2**63 - 1, 2**62], ">i8"), ([2**64 - 1, 5], "u8"), ([2**62, 2**62 + 1], "i8")],
)
def test_wide_integers_are_rounded_to_float64_and_the_answer_says_so(save, values: list[int], dtype: str) -> None:
    loaded = load(save(np.array(values, dtype)))
    assert loaded.storage == "float64"
    assert loaded.array.tolist() == [float(v) for v in values]
    assert f"integers from {min(values)} to {max(values)} rounded to float64" in loaded.how
    assert "varstudy.var is exact for the integers themselves" in loaded.how
    assert ("subtracting an offset" in loaded.how) == (max(values) - min(values) <= 2**53)


def test_bfloat16(save) -> None:
    x = np.array([[1.5, -3.0], [np.nan, 0.1]], ml_dtypes.bfloat16)
    path = save(x)
    assert np.load(path).dtype.kind == "V"
    refused(path, "raw two-byte values, as numpy saves bfloat16: if they are that, say storage bfloat16")
    for saved in (
        path,
        save(x.view(np.uint16), "bits.npy"),
        save(x.view(np.uint16).astype(">u2"), "big.npy"),
    ):
        loaded = load(saved, storage="bfloat16")
        assert loaded.array.dtype == ml_dtypes.bfloat16
        assert loaded.array.tobytes() == x.tobytes()
        assert "read as bfloat16" in loaded.how
    refused(save(np.zeros(2, "f4")), "not two raw bytes a value", storage="bfloat16")
    refused(save(np.zeros(2, "V4")), "raw values of 4 bytes")
    refused(save(np.zeros(2, "f4")), "is stored as float32, not as float64", storage="float64")
    refused(save(np.zeros(2, "f4")), "storage 'float8' of .* is unknown: use one of float16", storage="float8")
    assert load(save(np.zeros(2, "f4")), storage="float32").storage == "float32"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2), "c16"), r"complex: save x.real and x.imag as two arrays, whose variances add up"),
        (np.array(["a", "b"]), r"text: convert it to numbers"),
        (np.array([b"a"]), r"bytes: convert them"),
        (np.array(["2020-01-01"], "M8[D]"), r"dates: convert them to numbers with x.astype\('int64'\)"),
        (np.array([1], "m8[s]"), r"time differences: convert them to numbers with x.astype\('int64'\)"),
        (np.zeros(2, [("a", "f4"), ("b", "f8")]), r"structured array: save one of its fields \(a, b\)"),
        (np.array([{}, None], object), r"Python objects, which would have to be unpickled and never are"),
        (
            np.zeros((3, 0, 2), "f4"),
            r"shape \(3, 0, 2\) and so no values: give an array without zero-size axes",
        ),
        (np.zeros((0, 4), "f8"), r"shape \(0, 4\) and so no values"),
    ],
)
def test_arrays_that_are_no_real_numbers(save, array: np.ndarray, message: str) -> None:
    refused(save(array), message)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize <= 8, reason="long double is float64 here")
def test_long_doubles_are_refused(save) -> None:
    refused(
        save(np.zeros(2, np.longdouble)),
        r"wider than the study's formats: convert it with x.astype\('float64'\)",
    )


def test_files_that_are_no_arrays(tmp_path: Path) -> None:
    refused(tmp_path / "none.npy", "does not exist: check the path")
    refused(tmp_path, "is a directory: give a .npy, .npz or .safetensors file in it")
    empty = tmp_path / "empty.npy"
    empty.touch()
    refused(empty, "is empty: save the array again")
    pickled = tmp_path / "pickled.npy"
    pickled.write_bytes(pickle.dumps([1.0]))
    refused(pickled, "is a pickle, which is never loaded")
    text = tmp_path / "text.npy"
    text.write_text("1 2 3")
    refused(text, "neither a .npy, nor a .npz, nor a .safetensors file")
    with pytest.raises(FileProblem, match=r"^\\x00 is no usable path|^\\x00 does not exist"):
        load("\0")


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for name in ("trap.npy", "trap.npz"):
        path = tmp_path / name
        if name.endswith("npy"):
            np.save(path, np.array([Trap()], object), allow_pickle=True)
        else:
            np.savez(path, x=np.array([Trap()], object))
        refused(path, "never are")
    assert not (tmp_path / "sprung").exists()


def test_every_truncation_is_noticed(save, tmp_path: Path) -> None:
    whole = save(np.arange(12, dtype="f4")).read_bytes()
    for size in range(1, len(whole)):
        short = tmp_path / "short.npy"
        short.write_bytes(whole[:size])
        refused(short, "truncated|damaged")
    archive = tmp_path / "whole.npz"
    np.savez(archive, x=np.arange(12, dtype="f4"))
    content = archive.read_bytes()
    for size in range(1, len(content), 7):
        short = tmp_path / "short.npz"
        short.write_bytes(content[:size])
        refused(short, "truncated|damaged|neither|unpacked")


def test_lying_headers(save, tmp_path: Path) -> None:
    whole = save(np.zeros((2, 8), "f4")).read_bytes()
    for lie in (b"(9, 8)", b"(-2,8)"):
        path = tmp_path / "lie.npy"
        path.write_bytes(whole.replace(b"(2, 8)", lie))
        refused(path, "truncated: its header promises|impossible shape|damaged")
    huge = whole.replace(b"(2, 8), }        ", b"(99999999999,), }")
    path.write_bytes(huge)
    refused(path, "truncated: its header promises 399999999996 bytes of data and 64 are there")
    path.write_bytes(whole.replace(b"'<f4'", b"'<q9'"))
    refused(path, "damaged or truncated header")


def test_old_and_new_header_versions(tmp_path: Path) -> None:
    x = np.arange(6.0).reshape(2, 3)
    for version in ((1, 0), (2, 0), (3, 0)):
        path = tmp_path / "versions.npy"
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, x, version=version)
        np.testing.assert_array_equal(load(path).array, x)


def test_a_large_file_is_mapped(save) -> None:
    x = np.arange(32, dtype="f4").reshape(4, 8)
    path = save(x)
    assert not isinstance(load(path).array, np.memmap)
    mapped = load(path, memory_map_from=64).array
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, x)


def test_archives(tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    np.savez(one, x=np.ones((2, 3), "f4"))
    np.savez_compressed(two, first=np.ones(3), second=np.zeros((2, 2), "i2"), broken=np.zeros(2, "c8"))
    assert array_files.names(one) == ("x",)
    assert array_files.names(two) == ("first", "second", "broken")
    assert load(one).array.shape == (2, 3)
    assert load(f"{two}:second").storage == "float32"
    refused(two, r"holds 3 arrays \(first, second, broken\): choose one with .*two.npz:first")
    refused(f"{two}:third", "holds no array 'third': choose one of first, second, broken")
    refused(f"{two}:broken", "two.npz:broken is complex")
    refused(f"{one}:y", "holds no array 'y'")
    case = from_file(f"{two}:first")
    assert case.name == f"file/{two}:first"
    npy = tmp_path / "x.npy"
    np.save(npy, np.ones(2))
    assert array_files.names(npy) == ()
    refused(f"{npy}:x", "holds a single array: leave out ':x'")


def test_damaged_archives(tmp_path: Path) -> None:
    empty = tmp_path / "empty.npz"
    with zipfile.ZipFile(empty, "w"):
        pass
    refused(empty, "holds no arrays")
    other = tmp_path / "other.npz"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("x.npy", b"not an array")
    refused(f"{other}:x", "damaged or truncated header")
    flipped = tmp_path / "flipped.npz"
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(1000.0))
    content = bytearray(buffer.getvalue())
    content[4000] ^= 0xFF
    flipped.write_bytes(content)
    refused(flipped, "cannot be unpacked|cannot be read")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.npy", "a:b.npy", 'sp ace\'s "q".npy', "ü\n{x}%s.npy"])
def test_hostile_names_are_only_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.replace("/", "\u2215")
    np.save(path, np.ones((2, 3), "f4"))
    case = from_file(path, "layer", "NC")
    assert case.name == f"file/{path}"
    np.testing.assert_array_equal(case.make("float32", 0), np.ones((2, 3)))


def test_a_case_of_a_file(save) -> None:
    x = np.arange(2 * 8 * 3 * 3, dtype="f2").reshape(2, 8, 3, 3)
    case = from_file(save(x), "group", "NCHW", 4)
    assert (case.group, case.family, case.storages, case.norms) == ("user", "file", ("float16",), ("group",))
    assert case.levels == frozenset()
    made = case.make("float16", 3)
    np.testing.assert_array_equal(made, x)
    assert views.view(made, "group", layout="NCHW", groups=4).shape == (1, 8, 18)
    with pytest.raises(ValueError, match="not defined for storage 'float32': use float16"):
        case.make("float32", 0)
    with pytest.raises(ValueError, match="norm 'power' is not one of batch"):
        from_file(save(x), "power")
    with pytest.raises(ValueError, match="group norm needs a number of groups"):
        from_file(save(x), "group")


def test_a_single_number_is_one_row(save) -> None:
    assert load(save(np.float32(2.5))).array.shape == (1,)


def test_unreadable_files(save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(np.ones(3))

    def denied(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refused(path, r"cannot be read \(Permission denied\): check its permissions")


def test_file_problems_are_value_errors() -> None:
    assert issubclass(FileProblem, ValueError)
    assert featuremaps.FileProblem is FileProblem
