"""What a whole study measures of other people's software: what is here, and nothing that must be installed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from varstudy.survey import installed, league
from varstudy.survey.findings import measured as findings
from varstudy.survey.frameworks import catalogue
from varstudy.survey.frameworks import observing as conventions
from varstudy.survey.league import league_record
from varstudy.survey.league.comparing import compare


def test_what_is_here_is_measured_and_what_is_not_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = catalogue.FRAMEWORKS["torch"]
    here = dataclasses.replace(torch, name="here", modules=("json",))
    absent = dataclasses.replace(torch, name="absent", modules=("no_such_module",))
    monkeypatch.setattr(catalogue, "FRAMEWORKS", {"here": here, "absent": absent})
    asked: list[str] = []

    def probe(framework: Any, **settings: Any) -> list[findings.Row]:
        asked.append(framework.name)
        assert settings["threads"] == (1,)
        assert not settings.get("make")
        return [
            findings.Row(
                framework.name,
                "batch",
                "NCHW",
                "epsilon.default",
                "1e-05",
                "measured",
                "",
                "1",
                "3.11",
                1,
                "2026-01-01",
                "a processor",
            )
        ]

    monkeypatch.setattr(conventions, "probe", probe)
    numpy_only = {name: each for name, each in league.FUNCTIONS.items() if name == "numpy.var"}
    monkeypatch.setattr(
        league,
        "FUNCTIONS",
        numpy_only | {name: dataclasses.replace(each, name=name) for name, each in list(league.FUNCTIONS.items())[-1:]},
    )
    said: list[str] = []
    installed.measure(tmp_path, said.append)
    assert asked == ["here"]
    assert [row.framework for row in findings.rows(findings.read(tmp_path / findings.NAME))] == ["here"]
    written = league_record.read(tmp_path)
    assert [(fact.function, fact.status) for fact in league_record.facts(written)] == [("numpy.var", "measured")]
    assert said == ["scoring 1 variance functions of the libraries that are here"]
    # The same numpy answers with the same digits as when it was committed.
    assert not [change for change in compare(league_record.committed(), written) if change.worse]


def test_findings_of_an_earlier_run_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "FRAMEWORKS", {})
    monkeypatch.setattr(league, "FUNCTIONS", {})
    (tmp_path / findings.NAME).write_text("old")
    installed.measure(tmp_path, lambda text: None)
    assert not (tmp_path / findings.NAME).exists()
    assert league_record.facts(league_record.read(tmp_path)) == []
