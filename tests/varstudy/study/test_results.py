"""The table's files: whole, faithful, and refused when they are not what they were."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mutations import damaged

from varstudy._io import record_file
from varstudy._io.atomic import write_whole
from varstudy._io.record_file import digest
from varstudy.study import results
from varstudy.study.comparison import METRICS


def record(**changes: object) -> dict[str, object]:
    blank = {"str": "x", "int": 3, "float": 0.1}
    return {c.name: blank[c.kind] for c in results.COLUMNS} | changes


def some(*records: dict[str, object]) -> results.Results:
    return results.from_records(
        records or (record(),),
        cases={"x": {"rationale": "why"}},
        algorithms={"x": {"title": "X"}},
        settings={"level": "quick", "only": None, "seed": 0},
        provenance={"commit": "abc"},
    )


HOSTILE = (0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3)


def test_every_number_comes_back(tmp_path: Path) -> None:
    before = some(*(record(case=f"<script>\n'\"{i}", var_error_worst=v) for i, v in enumerate(HOSTILE)))
    results.write(before, tmp_path)
    after = results.read(tmp_path)
    pd.testing.assert_frame_equal(before.frame, after.frame, check_exact=True)
    assert [math.copysign(1, v) for v in after.frame.var_error_worst[4:5]] == [-1.0]
    assert after.cases == before.cases
    assert after.settings == before.settings
    assert after.provenance == {"commit": "abc"}
    table = pd.read_csv(tmp_path / "results.csv", keep_default_na=False, na_values={"var_error_worst": ["nan"]})
    np.testing.assert_array_equal(table.var_error_worst, HOSTILE)
    assert list(table.columns) == [c.name for c in results.COLUMNS]


def test_json_is_strict_and_says_what_its_columns_mean(tmp_path: Path) -> None:
    results.write(some(record(exact=math.nan)), tmp_path)

    def refuse(token: str) -> None:
        raise AssertionError(token)

    content = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert [c[0] for c in content["columns"]] == [c.name for c in results.COLUMNS]
    assert all(c[3] for c in content["columns"])


def test_provenance_is_no_part_of_the_results(tmp_path: Path) -> None:
    one, other = some(), some()
    object.__setattr__(other, "provenance", {"commit": "other", "made": "later"})
    assert results.to_json(one) == results.to_json(other)
    assert results.to_csv(one) == results.to_csv(other)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: "", r"cannot be read \(.*\): run the study again"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace("0.1", "0.2", 1), r"was edited or cut \(its digest is another's\)"),
        (lambda text: text.replace('"seed": 0', '"seed": 1', 1), "was edited or cut"),
        (lambda text: text.replace('"case"', '"cbse"', 1), "was edited or cut"),
        (lambda text: text.replace('"rows"', '"rowt"', 1), "was edited or cut"),
        (lambda text: text.replace("0.1", "9" * 5000, 1), "cannot be read"),
        (lambda text: text.replace("0.1", "1e400", 1), "was edited or cut"),
        (lambda text: text.replace("0.1", "NaN", 1), "cannot be read .NaN is no JSON"),
        (lambda text: text.replace('"version": 3', '"version": 7', 1), "has schema version 7, this program reads 3"),
        (lambda text: '{"a": 1}', "is no results file of varstudy"),
        (lambda text: "[" * 100_000, r"cannot be read \(its brackets are nested too deeply\)"),
    ],
)
def test_a_spoilt_file_is_refused_in_a_sentence(tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    results.write(some(), tmp_path)
    file = tmp_path / "results.json"
    file.write_text(spoil(file.read_text()))
    with pytest.raises(results.ResultsProblem, match=message) as caught:
        results.read(tmp_path)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


INTEGER = next(k for k, c in enumerate(results.COLUMNS) if c.kind == "int")
FLOAT = next(k for k, c in enumerate(results.COLUMNS) if c.kind == "float")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["rows"][0].__setitem__(0, 5), "case is 5, which is not text"),
        (lambda content: content["rows"][0].__setitem__(INTEGER, 1 << 63), "does not fit in 64 bits"),
        (lambda content: content["rows"][0].__setitem__(INTEGER, -(10**4000)), "does not fit in 64 bits"),
        (lambda content: content["rows"][0].__setitem__(INTEGER, True), "is True, which is not a whole number"),
        (lambda content: content["rows"][0].__setitem__(FLOAT, 10**400), "is beyond the range of float64"),
        (lambda content: content["rows"][0].__setitem__(FLOAT, "x" * 10**6), "which is no number"),
        (lambda content: content["rows"][0].pop(), "damaged row"),
        (lambda content: content["rows"].append(7), "damaged row"),
        (lambda content: content["rows"].append({"a": 1}), "damaged row"),
        (lambda content: content.update(rows={}), "rows is no list"),
        (lambda content: content.update(columns=[[]]), "damaged"),
        (lambda content: content.update(columns=[["other"]]), "has other columns than this version's"),
        (lambda content: content.update(cases={"x": 1}), "cases are no mappings"),
        (lambda content: content.update(settings=[]), "settings is no dict"),
    ],
)
def test_a_content_of_the_wrong_kind_is_refused_whatever_its_digest(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    results.write(some(), tmp_path)
    file = tmp_path / "results.json"
    content = json.loads(file.read_text())
    change(content)
    content["digest"] = digest(content)
    file.write_text(json.dumps(content))
    with pytest.raises(results.ResultsProblem, match=message) as caught:
        results.read(file)
    assert len(str(caught.value)) < 500


def test_a_file_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "MOST_BYTES", 1000)
    with pytest.raises(results.ResultsProblem, match=r"/dev/zero cannot be read \(it has more than 1000 bytes\)"):
        results.read("/dev/zero")


def damage(folder: Path, count: int) -> None:
    """Read damaged copies of a results file: each is refused in a sentence, unless its values are those written."""
    before = some(*(record(var_error_worst=v) for v in HOSTILE))
    file = folder / "results.json"
    results.write(before, folder)
    for content in damaged(file.read_bytes(), count):
        file.write_bytes(content)
        found, sentence = before, ""
        try:
            found = results.read(file)
        except results.ResultsProblem as problem:
            sentence = str(problem)
        pd.testing.assert_frame_equal(before.frame, found.frame, check_exact=True)
        assert "\n" not in sentence
        assert len(sentence) < 600


def test_damaged_files(tmp_path: Path) -> None:
    damage(tmp_path, 300)


@pytest.mark.long
def test_many_damaged_files(tmp_path: Path) -> None:
    damage(tmp_path, 20_000)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(results.ResultsProblem, match=r"does not exist: make it with 'python -m varstudy run'"):
        results.read(tmp_path / "nowhere")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kept"
    write_whole(file, b"before")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"after")
    assert file.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_parquet_holds_the_same_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    before = some(*(record(var_error_worst=v) for v in HOSTILE))
    results.write(before, tmp_path, parquet=True)
    after = pd.read_parquet(tmp_path / "results.parquet")
    np.testing.assert_array_equal(after.var_error_worst, HOSTILE)
    assert list(after.columns) == [c.name for c in results.COLUMNS]


def test_metrics_are_columns_and_know_their_direction() -> None:
    columns = {c.name for c in results.COLUMNS}
    for name, metric in METRICS.items():
        assert name == metric.name in columns
        assert metric.worst == (math.inf if metric.better == "lower" else -math.inf)


def test_the_reproduce_command_quotes_the_name() -> None:
    assert results.reproduce("a'b", 0) == "python -m varstudy run --only 'a'\\''b'"
    assert results.reproduce("museum/x#1", 7) == "python -m varstudy run --only 'museum/x#1' --seed 7"
