"""Conventions of other devices and versions: they keep the rules, and no table shows them as measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from varstudy.survey.findings import elsewhere, measured
from varstudy.survey.findings.documented import DocumentedProblem
from varstudy.survey.porting import port

ROW = {
    "framework": "torch",
    "kind": "batch",
    "property": "correction.running",
    "on": "a GPU",
    "value": 1,
    "sentence": "It says so.",
    "source": "a/b#1",
}


def written(path: Path, **change: object) -> Path:
    content = {"format": "varstudy-elsewhere", "version": 1, "rows": [{**ROW, **change}]}
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_what_is_committed_differs_from_what_was_measured() -> None:
    for fact in elsewhere.facts():
        found = [
            row.plain()
            for row in measured.committed()
            if (row.framework, row.kind, row.property) == (fact.framework, fact.kind, fact.property) and row.value
        ]
        assert found, fact
        assert set(found) != {fact.value}, fact


def test_a_port_says_what_was_not_measured() -> None:
    (note,) = [each for each in port("mlx", "torch").notes if "Not measured: mlx" in each]
    assert "versions before July 2026" in note
    assert not any("Not measured" in each for each in port("torch", "keras-jax").notes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"framework": "torhc"}, "framework 'torhc' is unknown"),
        ({"value": "large"}, "cannot have the value 'large'"),
        ({"kind": "rms"}, "is not asked of kind 'rms'"),
        ({"sentence": "No stop"}, "no full stop"),
        ({"on": ""}, "on is ''"),
        ({"source": ""}, "source is ''"),
    ],
)
def test_a_fact_that_breaks_a_rule_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    (fact,) = elsewhere.read(written(tmp_path / "elsewhere.json"))
    assert elsewhere.words(fact) == "torch, batch norm on a GPU, documented: correction, running 1 (a/b#1)"
    with pytest.raises(DocumentedProblem, match=reason):
        elsewhere.read(written(tmp_path / "elsewhere.json", **change))
