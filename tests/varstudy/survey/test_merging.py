"""Measuring into a committed file: what is measured replaces its rows, and all else stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from varstudy.survey.draws import draws_record
from varstudy.survey.draws.draws_record import DrawFact, DrawRow
from varstudy.survey.draws.measuring import MeasuredDraws
from varstudy.survey.merging import measure_into


def row(framework: str, worst: float) -> DrawRow:
    return DrawRow(framework, "1.0", "batch", "NCHW", "contiguous", "1 and 2", 1024, 0.0, 64, "measured", worst=worst)


def test_what_is_measured_replaces_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "draws.json"

    def run(worst: float, *words: str) -> int:
        def measure(named: Any, where: Any, *, repeats: int, say: Any) -> list[MeasuredDraws]:
            assert where(named[0]).python == "/a/python"
            say(f"{repeats} runs")
            return [MeasuredDraws(DrawFact(n.name, n.title, "measured"), [row(n.name, worst)]) for n in named]

        words = ("--file", str(file), "--python", "/a/python", *words)
        return measure_into("a.module", words, draws_record, measure, lambda: {"settings": {"rows": 64}})

    assert run(0.5, "torch", "mlx") == 0
    assert run(0.25, "--once", "torch") == 0
    content = draws_record.read(file)
    assert content["settings"] == {"rows": 64}
    assert {each.framework: each.worst for each in draws_record.rows(content)} == {"mlx": 0.5, "torch": 0.25}
    assert [each.framework for each in draws_record.facts(content)] == ["mlx", "torch"]


def test_an_unknown_framework_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        measure_into("a.module", ["caffe9"], draws_record, lambda *_: [], dict)
    assert ended.value.code == 2
    assert "invalid choice: 'caffe9'" in capsys.readouterr().err
