"""What a whole study measures of other people's software: what is here, and nothing that must be installed."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

from varstudy.survey.findings import measured as findings
from varstudy.survey.frameworks.catalogue import FRAMEWORKS
from varstudy.survey.installed import InstalledSoftware, SoftwareResults, installed_software
from varstudy.survey.league import league_record
from varstudy.survey.league.comparing import compare
from varstudy.survey.libraries.catalogue import FUNCTIONS


def test_what_is_here_is_measured_and_written(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(framework: Any, **settings: Any) -> list[findings.FindingRow]:
        asked.append(framework.name)
        assert settings["threads"] == (1,)
        assert not settings.get("make")
        where = ("1", "3.11", 1, "2026-01-01", "a processor")
        return [
            findings.FindingRow(framework.name, "batch", "NCHW", "epsilon.default", "1e-05", "measured", "", *where)
        ]

    here = dataclasses.replace(FRAMEWORKS["torch"], name="here")
    software = InstalledSoftware((here,), (FUNCTIONS["numpy.var"],), ask)
    said: list[str] = []
    software.write(software.measure(0, said.append), tmp_path)
    assert asked == ["here"]
    assert [row.framework for row in findings.rows(findings.read(tmp_path / findings.NAME))] == ["here"]
    written = league_record.read(tmp_path)
    assert [(fact.function, fact.status) for fact in league_record.facts(written)] == [("numpy.var", "measured")]
    assert said == [software.summary()] == ["scoring 1 variance functions of the libraries that are here"]
    # The same numpy answers with the same digits as when it was committed.
    assert not [change for change in compare(league_record.committed(), written) if change.worse]


def test_only_what_this_interpreter_has_is_chosen() -> None:
    software = installed_software()
    assert "keras-numpy" not in {each.name for each in software.frameworks} or FRAMEWORKS["keras-numpy"].importable()
    assert all(each.measured and each.importable() for each in software.frameworks)
    names = {each.name for each in software.functions}
    assert "numpy.var" in names
    assert not {"cupy.var", "PostgreSQL.var_pop"} & names
    assert pickle.loads(pickle.dumps(software)) == software


def test_findings_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    (tmp_path / findings.NAME).write_text("old")
    nothing = InstalledSoftware((), ())
    found = nothing.measure(0, lambda text: None)
    assert isinstance(found, SoftwareResults)
    nothing.write(found, tmp_path)
    assert not (tmp_path / findings.NAME).exists()
    assert league_record.facts(league_record.read(tmp_path)) == []
