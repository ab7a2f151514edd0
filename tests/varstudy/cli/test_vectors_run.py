"""``vectors export`` writes a set, ``vectors check`` judges answers to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from varstudy.cli import commands
from varstudy.vectors.folder import SMALL, opened, read_cases


def test_a_set_is_exported_and_answers_are_checked(tmp_path: Path) -> None:
    out = tmp_path / "set"
    done = CliRunner().invoke(commands, ["vectors", "export", str(out), "--norm", "sync"])
    assert done.exit_code == 0, done.output
    assert "5 cases" in done.output
    assert {path.name for path in out.iterdir()} == {"manifest.json", "cases.txt", "sync.float32.bin"}
    assert (out / "sync.float32.bin").read_bytes() == (SMALL / "sync.float32.bin").read_bytes()
    answers = tmp_path / "answers"
    answers.mkdir()
    for case in read_cases(out):
        for name, output in case.outputs.items():
            (answers / f"{case.name}.{name}.bin").write_bytes(output.value.array().astype("<f4").tobytes())
    done = CliRunner().invoke(commands, ["vectors", "check", str(out), "--answers", str(answers)])
    assert (done.exit_code, done.output) == (0, "5 cases: every answer is within its limit.\n")
    (answers / "sync.float32.equal.mean.bin").write_bytes(np.zeros(5, "<f4").tobytes())
    done = CliRunner().invoke(commands, ["vectors", "check", str(out), "--answers", str(answers), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["failed"] == 1


def test_a_profile_is_that_of_the_limits(tmp_path: Path) -> None:
    given = ["vectors", "export", str(tmp_path), "--norm", "instance", "--dtype", "float16", "--profile", "two-stage"]
    assert CliRunner().invoke(commands, given).exit_code == 0
    assert opened(tmp_path)["profile"] == "two-stage"


def test_bad_input_gets_one_sentence(tmp_path: Path) -> None:
    for given, said in (
        (["check", str(tmp_path)], "vectors check DIR --answers OUT"),
        (["check", str(tmp_path), "--answers", str(tmp_path)], "is no manifest of test vectors"),
        (["export", str(tmp_path), "--norm", "sync", "--dtype", "float16"], "sync has vectors in float32"),
    ):
        done = CliRunner().invoke(commands, ["vectors", *given])
        assert done.exit_code == 2
        assert said in done.output
