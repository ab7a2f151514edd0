"""The small set is what the generators make, and a set on disk is read back as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from varkernels.norms.forward import norm_forward
from varstudy.vectors.folder import SMALL, export, opened, read_cases
from varstudy.vectors.packing import pack, pack_cycled


def test_the_small_set_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    export(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in SMALL.iterdir() if path.suffix != ".md"}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_the_small_set_is_small_and_says_why_each_case_is_there() -> None:
    assert sum(path.stat().st_size for path in SMALL.iterdir()) < 3_000_000
    found = opened()
    assert f"## {found['version']}" in (SMALL / "CHANGELOG.md").read_text("utf-8")
    names = [each["name"] for each in found["cases"]]
    assert len(set(names)) == len(names) > 600
    assert all(each["why"] and each["family"] for each in found["cases"])


def test_exact_answers_and_strides_are_those_of_the_arrays() -> None:
    cases = {case.name: case for case in read_cases(norm="group", dtype="float16", backward=False)}
    case = next(each for name, each in cases.items() if "channels-last-2x8" in name)
    x = case.inputs["x"].array()
    assert x.flags.writeable
    assert not x.flags.c_contiguous
    given = {name: case.inputs[name].array() for name in ("weight", "bias")}
    y = norm_forward(x, "group", groups=case.groups, epsilon=case.epsilon, **given)
    limit = case.outputs["y"].loaded()
    assert np.array_equal(y.rounded, limit.exact.rounded)
    assert np.array_equal(y.high, limit.exact.high)
    assert np.array_equal(y.low, limit.exact.low)


@pytest.mark.parametrize("memory", ["rows", "channels-last", "pitch"])
def test_an_array_is_packed_and_unpacked(memory: str) -> None:
    array = np.arange(30, dtype=np.float32).reshape((5, 6) if memory == "pitch" else (5, 2, 3))
    packed = pack(array, memory)
    assert np.array_equal(packed.array(), array)
    assert packed.contiguous == (memory == "rows")


def test_what_repeats_is_stored_once() -> None:
    tile: Any = np.array([[9.0, 1, 2, 3, 1, 2, 3, 1]], np.float32)
    packed = pack_cycled(tile, ((1, 3),))
    assert packed.data.tolist() == [9, 1, 2, 3]
    assert np.array_equal(packed.array(), tile)
    assert len(pack_cycled(tile, ((0, 3),)).data) == 8


def test_a_damaged_set_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no manifest of test vectors"):
        opened(tmp_path)
    export(tmp_path, norms=("sync",))
    file = tmp_path / "sync.float32.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="differs from its SHA-256"):
        list(read_cases(tmp_path))
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"schema": "other"}), "utf-8")
    with pytest.raises(ValueError, match="has the schema 'other'"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("strides", [-1, 1]), ("strides", [2**40, 1]), ("shape", [3]), ("count", 0), ("at", 10**9), ("dtype", "float7")],
)
def test_an_edited_manifest_gets_one_sentence(tmp_path: Path, key: str, value: object) -> None:
    export(tmp_path, norms=("sync",))
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    content["cases"][0]["inputs"]["means"][key] = value
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match=r"manifest\.json was edited"):
        list(read_cases(tmp_path))
    del content["cases"][0]["inputs"]
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match=r"manifest\.json was edited"):
        list(read_cases(tmp_path))
