"""`frameworks --committed` has the worst outputs and gradients, in a table that fits and in JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from click.testing import CliRunner

from varstudy.cli import answer_tables, declarations
from varstudy.survey import elements
from varstudy.survey.frameworks.catalogue import FRAMEWORKS


def call(*words: str) -> Any:
    return CliRunner().invoke(declarations.commands, list(words), prog_name="varstudy")


def table(*words: str) -> list[str]:
    done = call("frameworks", "--committed", *words)
    assert done.exit_code == 0, done.output
    _, _, shown = done.stdout.partition("Outputs and gradients")
    return shown.splitlines()


def test_the_table_of_a_framework_fits_and_has_its_worst_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = table("torch")
    assert max(map(len, lines)) <= 80
    (line,) = (each.split() for each in lines if each.split()[1:3] == ["layer", "dbias"])
    rows = [
        row for row in elements.rows(elements.committed())
        if (row.framework, row.kind, row.array) == ("torch", "layer", "dbias") and not elements.stress(row)
    ]  # fmt: skip
    assert line[3:5] == ["bfloat16", f"{max(row.error for row in rows):.2g}"]
    assert "torch 2.13.0+cpu on " in " ".join(lines)


def test_frameworks_have_a_line_each_the_worst_first() -> None:
    lines = [each.split() for each in table()]
    rows = [row for row in elements.rows(elements.committed()) if not elements.stress(row)]
    measured = {fact.framework for fact in elements.facts(elements.committed()) if fact.status == "measured"}
    assert len([each for each in lines if each and each[0] in measured]) == min(len(measured), answer_tables.SHOWN)
    shown = [each for each in lines if each and each[0] in measured]
    for framework, *cells in shown:
        there = [row for row in rows if (row.framework, row.array) == (framework, "dbias")]
        errors = [row.error for row in there if not math.isnan(row.error)]
        assert not any(row.not_finite for row in there)
        assert cells[-1] == (f"{max(errors):.2g}" if errors else "-")


def test_the_json_has_rows_of_the_kind_that_was_asked_for() -> None:
    done = call("frameworks", "--committed", "torch", "--kind", "rms", "--json")
    answers = json.loads(done.stdout)["answers"]
    assert {row["kind"] for row in answers} == {"rms"}
    assert {row["array"] for row in answers} == {"y", "dx", "dweight"}


def test_a_framework_that_was_not_asked_has_no_table() -> None:
    there = {fact.framework for fact in elements.facts(elements.committed())}
    assert table(next(name for name, known in FRAMEWORKS.items() if name not in there and known.measured)) == []
