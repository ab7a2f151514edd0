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

from varstudy._io.atomic import write_whole
from varstudy.study import results
from varstudy.study.metrics import METRICS


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
        (lambda text: "", "is empty: run the study again"),
        (lambda text: text[: len(text) // 2], "is truncated or no JSON"),
        (lambda text: text.replace("0.1", "0.2", 1), "was edited after it was written"),
        (lambda text: text.replace('"seed": 0', '"seed": 1', 1), "was edited after it was written"),
        (lambda text: text.replace('"version": 3', '"version": 7', 1), "has schema version 7, this program reads 3"),
        (lambda text: '{"a": 1}', "is no results file of varstudy"),
        (lambda text: "[" * 100_000, "is truncated or no JSON"),
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


def test_a_row_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    results.write(some(), tmp_path)
    file = tmp_path / "results.json"
    content = json.loads(file.read_text())
    content["rows"][0][0] = 5
    content["digest"] = results._digest(content)
    file.write_text(json.dumps(content))
    with pytest.raises(results.ResultsProblem, match="damaged row"):
        results.read(file)


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
