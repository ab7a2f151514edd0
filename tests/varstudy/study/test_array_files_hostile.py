"""Files that were damaged, or made to do harm: one sentence each, in bounded time and memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import sys
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from varstudy.study.array_files import FileProblem, Loaded, load, names

MAGIC = b"\x93NUMPY"


def npy(header: bytes, data: bytes = bytes(64), version: tuple[int, int] = (1, 0)) -> bytes:
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return MAGIC + bytes(version) + length + header + data


def saved(x: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, x)
    return stream.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(x: np.ndarray, dtype: str, name: str = "x") -> bytes:
    entry = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [0, x.nbytes]}
    return safetensors({"__metadata__": {"format": "pt"}, name: entry}, x.tobytes())


def refusal(content: bytes, path: Path, member: str = "", **options: int) -> str:
    """The one sentence with which these bytes are refused."""
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileProblem) as caught:
            load(f"{path}{member}", **options)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert sentence.isprintable()
    assert len(sentence) < 1500
    return sentence


FLOATS = b"{'descr': '<f4', 'fortran_order': False, 'shape': "


@pytest.mark.parametrize(
    "header",
    [
        FLOATS + b"(True,), }",
        FLOATS + b"-" * 5000 + b"1, }",
        FLOATS + b"(" * 5000 + b")" * 5000 + b", }",
        FLOATS + b"(1.5,), }",
        FLOATS + b"(" + b"9" * 5000 + b",), }",
        FLOATS + b"(" + b"9" * 5000 + b", }",
        FLOATS + b"(" + b"1 " * 2000 + b"), }",
        FLOATS + b"(" + b" " * 5000 + b"x), }",
        FLOATS + b"'" + b"9" * 5000,
        b"{" + b"'descr': '<f4' " * 500,
        FLOATS + b"(2, }",
        FLOATS + b"'(2,)', }",
        FLOATS + b"(2,), 'more': 1}",
        FLOATS + b"(2,)} + 1",
        FLOATS + b"None, }",
        b"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }",
        b"{'descr': True, 'fortran_order': False, 'shape': (2,), }",
        b"{'descr': '<q9', 'fortran_order': False, 'shape': (2,), }",
        b"{'descr': 'f4,f4', 'fortran_order': False, 'shape': (2,), }",
        b"{'descr': '', 'fortran_order': False, 'shape': (2,), }",
        b"{'descr': '<f9999', 'fortran_order': False, 'shape': (2,), }",
        b"{'fortran_order': False, 'shape': (2,), }",
        b"{" * 5000,
        b"\xff" * 40,
        b"",
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_headers_that_no_writer_makes(tmp_path: Path, header: bytes, version: tuple[int, int]) -> None:
    content = npy(header, version=version)
    for path, sentence in (
        (tmp_path / "x.npy", refusal(content, tmp_path / "x.npy")),
        (tmp_path / "x.npz", refusal(archive({"x.npy": content}), tmp_path / "x.npz")),
    ):
        assert "damaged or truncated header" in sentence or f"header of {len(header)} bytes" in sentence
        assert path.name in sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(b"{}", version=(9, 9)), "version 9.9 of the .npy format"),
        (MAGIC + b"\2\0" + struct.pack("<I", 2**32 - 1), "header of 4294967295 bytes, and 10000 are read at most"),
        (npy(FLOATS + b"(" + b"1," * 40 + b"), }", bytes(4)), "40 dimensions, and 32 are read at most"),
        (npy(FLOATS + b"(-1, 2), }"), "impossible shape"),
        (npy(FLOATS + b"(99999999999, 99999999999), }"), "truncated: its header promises"),
        (npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"), "Python objects"),
        (npy(b"{'descr': [('a', '<f4'), ('b', '<f8')], 'fortran_order': False, 'shape': (2,), }"), "fields .a, b."),
        (npy(b"{'descr': '|V0', 'fortran_order': False, 'shape': (2,), }"), "not numbers"),
        (npy(b"{'descr': '<U9', 'fortran_order': False, 'shape': (2,), }"), "holds text"),
    ],
)
def test_npy_headers_that_are_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    sentence = refusal(content, tmp_path / "x.npy")
    assert words in sentence.replace("(a, b)", ".a, b.")


def test_headers_in_another_order_and_of_python_2(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4")
    for header in (
        b"{'shape': (2L, 3L), 'fortran_order': True, 'descr': '<f4'}",
        b'{"descr": "<f4", "fortran_order": False, "shape": (6,)}\n',
        b"{'descr':'<f4','fortran_order':False,'shape':()}",
    ):
        path = tmp_path / "x.npy"
        path.write_bytes(npy(header, values.tobytes()))
        loaded = load(path).array
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded.ravel("F"), values[: loaded.size])


def test_archives_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    whole = archive({"x.npy": saved(np.arange(500.0))})
    for method, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")):
        sentence = refusal(archive({"x.npy": saved(np.arange(500.0))}, method), path)
        assert f"({name}), which numpy does not write: save it again with numpy.savez_compressed" in sentence
    unknown = bytearray(whole)
    entry = whole.rindex(b"PK\1\2")
    unknown[entry + 10] = unknown[8] = 77
    assert "packed by method 77" in refusal(bytes(unknown), path)
    newer = bytearray(whole)
    newer[entry + 6] = 201
    assert "damaged" in refusal(bytes(newer), path) or "unpacked" in refusal(bytes(newer), path)
    secret = bytearray(whole)
    secret[entry + 8] |= 1
    secret[6] |= 1
    assert "cannot be unpacked" in refusal(bytes(secret), path)
    bad_name = bytearray(archive({"é.npy": saved(np.ones(2))}))
    at = bad_name.rindex("é".encode())
    bad_name[at + 1] = 0xFF
    assert "damaged" in refusal(bytes(bad_name), path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_byte_of_a_member_is_noticed(tmp_path: Path, method: int) -> None:
    whole = archive({"x.npy": saved(np.random.default_rng(0).random(200))}, method)
    end = whole.index(b"PK\1\2")
    for at in range(40, end, 61):
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        refusal(bytes(flipped), tmp_path / "x.npz")


def test_a_small_archive_that_unpacks_to_much(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped, zipped.open("x.npy", "w") as member:
        member.write(npy(FLOATS + b"(100000000,), }", b""))
        for _ in range(400):
            member.write(bytes(10**6))
    content = path.read_bytes()
    assert len(content) < 500_000
    tracemalloc.start()
    sentence = refusal(content, path)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()
    assert "unpacks from" in sentence
    assert "to 400000000 bytes, and 268435456 are the limit: raise it with --max-unpacked 382" in sentence
    small = archive({"x.npy": saved(np.zeros(1000))})
    assert "raise it with --max-unpacked 1 " in refusal(small, path, max_unpacked=7999)
    assert load(path, max_unpacked=8000).array.size == 1000


@pytest.mark.parametrize("name", ["conv1/kernel:0", "a:b:c", ":", "x", "bn1/moving_variance:0", "ü 'q\"", "a.npy"])
def test_names_with_colons_work_as_they_are_suggested(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(archive({f"{name}.npy": saved(np.arange(8.0)), "z.npy": saved(np.ones(2))}))
    assert names(path) == (name, "z")
    with pytest.raises(FileProblem) as caught:
        load(path)
    suggested = str(caught.value).rsplit("choose one with ", 1)[1]
    assert suggested == f"{path}:{name}"
    np.testing.assert_array_equal(load(suggested).array, np.arange(8.0))
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(tensor(np.arange(8.0), "F64", name))
    assert names(weights) == (name,)
    np.testing.assert_array_equal(load(f"{weights}:{name}").array, np.arange(8.0))


def test_a_file_whose_own_name_has_colons(tmp_path: Path) -> None:
    path = tmp_path / "run:1.npz"
    path.write_bytes(archive({"a:0.npy": saved(np.ones(3))}))
    assert load(path).array.size == load(f"{path}:a:0").array.size == 3
    with pytest.raises(FileProblem, match="holds no array 'b:0': choose one of a:0"):
        load(f"{path}:b:0")


def test_pytorch_files_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    advice = "is a PyTorch file, whose pickles are never loaded: save the tensor with numpy.save(path, x.detach()"
    assert advice in refusal(archive({"a/data.pkl": b"", "a/data/0": bytes(8)}), path)
    old = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2)
    assert advice in refusal(old, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileProblem, match="is not a regular file"):
        load(tmp_path / "pipe")


# safetensors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "numpy", "storage"),
    [
        ("F64", "f8", "float64"),
        ("F32", "f4", "float32"),
        ("F16", "f2", "float16"),
        ("BF16", ml_dtypes.bfloat16, "bfloat16"),
        ("I64", "i8", "float32"),
        ("U8", "u1", "float32"),
        ("BOOL", "?", "float32"),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_safetensors_give_their_values(tmp_path: Path, dtype: str, numpy: object, storage: str, mapped: bool) -> None:
    x = np.array([[1, 0, 3], [4, 5, 96]]).astype(numpy)
    path = tmp_path / "x.safetensors"
    path.write_bytes(tensor(x, dtype))
    loaded = load(path, memory_map_from=1 if mapped else 2**30)
    assert (loaded.storage, loaded.array.shape) == (storage, (2, 3))
    assert loaded.array.dtype.isnative
    np.testing.assert_array_equal(loaded.array.astype(float), x.astype(float))


def entry(**changes: object) -> dict[str, object]:
    return {"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (entry(shape=[True, 4]), "damaged entry"),
        (entry(shape=[-2, -2]), "damaged entry"),
        (entry(shape=[2.0, 2]), "damaged entry"),
        (entry(shape=[2**62, 2**62]), "damaged entry"),
        (entry(shape=[2**70, 0]), "damaged entry"),
        (entry(shape="22"), "damaged entry"),
        (entry(shape=[1] * 33, data_offsets=[0, 4]), "33 dimensions"),
        (entry(shape=[2, 0], data_offsets=[0, 0]), "so no values"),
        (entry(data_offsets=[16, 0]), "damaged entry"),
        (entry(data_offsets=[0, 15]), "damaged entry"),
        (entry(data_offsets=[0]), "damaged entry"),
        (entry(data_offsets=None), "damaged entry"),
        (entry(data_offsets=[8, 24]), "truncated: its header promises 16 bytes of data and 8 are there"),
        (entry(data_offsets=[2**62, 2**62 + 16]), "truncated"),
        (entry(dtype=3), "damaged entry"),
        (entry(dtype="F8_E4M3"), "F8_E4M3, which is not one of the study's formats: convert it with x.to("),
        (entry(dtype="C64", data_offsets=[0, 32]), "complex"),
        ({"x": 3}, "damaged entry"),
        ({}, "holds no arrays"),
        ({"__metadata__": {}}, "holds no arrays"),
        ({"x": 1, "y\n": 2}, "holds 2 arrays (x, y\\n): choose one with"),
        (b"{" + b'"a":[' * 100_000, "damaged header"),
        (b'{"x": ' + b"9" * 5000 + b"}", "damaged header"),
        (b'{"x": 1e999}', "damaged entry"),
        (b'{"\xff": 1}', "damaged header"),
        (b"{", "damaged header"),
    ],
)
def test_safetensors_that_no_writer_makes(tmp_path: Path, header: object, words: str) -> None:
    assert words in refusal(safetensors(header, bytes(16)), tmp_path / "x.safetensors")


def test_every_truncation_of_safetensors_is_noticed(tmp_path: Path) -> None:
    whole = tensor(np.arange(6.0), "F64")
    for size in range(1, len(whole)):
        refusal(whole[:size], tmp_path / "x.safetensors")
    long = (2**33).to_bytes(8, "little") + b"{" + bytes(100)
    assert "promises a header of 8589934592 bytes and 101 are there" in refusal(long, tmp_path / "x.safetensors")
    big = safetensors(b"{" + b" " * 2**23, b"")
    assert "header of 8388609 bytes, and 8388608 are read at most" in refusal(big, tmp_path / "x.safetensors")


# Mutations ------------------------------------------------------------------------------------------------------------

TOKENS = (b"-" * 500, b"9" * 400, b"(" * 200, b"[" * 200, b"True", b"\0" * 8, b"\xff" * 4, b"'", b"\n", b"1e999", b":")


def mutated(content: bytes, random_: random.Random) -> bytes:
    """A few bytes flipped, cut, doubled or overwritten."""
    out = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(out) + 1)
        kind = random_.randrange(5)
        if kind == 0 and out:
            out[at % len(out)] = random_.randrange(256)
        elif kind == 1:
            out[at : at + random_.randint(1, 16)] = b""
        elif kind == 2:
            out[at:at] = random_.choice(TOKENS)
        elif kind == 3:
            out = out[:at]
        else:
            out[at : at + 2] = out[at : at + random_.randint(2, 40)]
    return bytes(out)


def seeds() -> list[bytes]:
    x = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    both = {"a.npy": saved(x), "b:0.npy": saved(np.asfortranarray(x.astype("f8")))}
    return [
        saved(x),
        saved(np.arange(8).astype(">i8")),
        npy(b"{'descr': '<V2', 'fortran_order': True, 'shape': (2, 3), }", bytes(12), (2, 0)),
        archive(both),
        archive({"a.npy": saved(x)}, zipfile.ZIP_STORED),
        archive({"a.npy": saved(x)}, zipfile.ZIP_LZMA),
        tensor(x, "F32"),
        tensor(x.astype(ml_dtypes.bfloat16), "BF16"),
    ]


def outcome(path: str | Path) -> Loaded | str:
    try:
        return load(path)
    except FileProblem as problem:
        return str(problem)


def fuzz(path: Path, count: int, seed: int) -> None:
    random_ = random.Random(seed)
    originals = seeds()
    slowest = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for index in range(count):
            path.write_bytes(mutated(originals[index % len(originals)], random_))
            start = time.perf_counter()
            for asked in (path, f"{path}:a"):
                found = outcome(asked)
                assert found.isprintable() if isinstance(found, str) else found.array.size > 0, index
            slowest = max(slowest, time.perf_counter() - start)
    assert slowest < 5


def test_some_mutations_end_in_sentences(tmp_path: Path) -> None:
    fuzz(tmp_path / "x", 300, 1)


@pytest.mark.long
def test_many_mutations_end_in_sentences(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz(tmp_path / "x", 20_000, 2)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 200 * 2**20
