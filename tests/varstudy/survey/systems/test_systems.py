"""Layers that are no norm by a variance: the vocabulary, the record, the documented facts and the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from varstudy.cli import commands
from varstudy.survey import systems
from varstudy.survey.environments import Interpreter
from varstudy.survey.frameworks.catalogue import FRAMEWORKS
from varstudy.survey.systems import SYSTEMS
from varstudy.survey.systems.measuring import measure
from varstudy.survey.systems.systems_record import SystemsProblem, read

ROWS = systems.rows(systems.committed())
MEASURED = sorted({row.framework for row in ROWS})


def test_a_system_is_named_like_its_module_and_speaks_its_vocabulary() -> None:
    for name, system in SYSTEMS.items():
        assert system.name == name
        assert {*system.columns, *system.raised, *system.alarms, *system.scripts} <= set(system.properties)
        assert set(system.narrow) <= set(system.columns.values())
        for prop, values in system.alarms.items():
            for value in values:
                system.check(prop, value)
        for prop, script in system.scripts.items():
            for value in script.outputs:
                system.check(prop, value)


def test_what_no_call_answers_has_no_value() -> None:
    for system in SYSTEMS.values():
        found = system.conventions({name: {"raised": "no"} for name in system.asks})
        assert found.keys() == system.properties.keys()
        assert set(found.values()) == {None}


@pytest.mark.parametrize(
    ("name", "value"), [("factor", "beta"), ("size.even", 3), ("k.default", NotImplemented), ("q", 1)]
)
def test_values_that_a_property_cannot_have(name: str, value: object) -> None:
    with pytest.raises(ValueError, match="use one of"):
        SYSTEMS["response"].check(name, value)
    for known in SYSTEMS["response"].properties:
        SYSTEMS["response"].check(known, None)


def test_committed_rows_and_facts_are_sound() -> None:
    for row in ROWS:
        SYSTEMS[row.system].check(row.property, row.plain())
    keys = [(row.system, row.framework, row.property) for row in ROWS]
    facts = [(fact.system, fact.framework, fact.property) for fact in systems.documented()]
    assert len(set(keys)) == len(keys)
    assert len(set(facts)) == len(facts)


def test_an_edited_record_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "systems.json"
    file.write_text(systems.COMMITTED.read_text("utf-8").replace("torch 2.13.0", "torch 2.14.0"), "utf-8")
    with pytest.raises(SystemsProblem, match="was edited or cut"):
        read(file)


@pytest.mark.parametrize("kind", list(SYSTEMS))
def test_the_command_shows_measured_and_documented_rows(kind: str) -> None:
    done = CliRunner().invoke(commands, ["frameworks", "--committed", "--kind", kind, "--json"])
    assert done.exit_code == 0
    shown: Mapping[str, list[object]] = json.loads(done.stdout)
    assert len(shown["measured"]) == sum(row.system == kind for row in ROWS)
    assert len(shown["documented"]) == sum(fact.system == kind for fact in systems.documented())
    text = CliRunner().invoke(commands, ["frameworks", "--committed", "--kind", kind, "--wide"]).stdout
    assert SYSTEMS[kind].title in text
    assert "measured" in text
    refused = CliRunner().invoke(commands, ["frameworks", "--kind", kind])
    assert refused.exit_code == 2
    assert "add --committed" in refused.stderr
    assert f"--committed --kind {kind}" in CliRunner().invoke(commands, ["list", kind]).stdout


def test_the_command_says_where_documentation_differs() -> None:
    given = ["frameworks", "onnx-reference", "--committed", "--kind", "response", "--wide"]
    text = CliRunner().invoke(commands, given).stdout
    assert "onnx-reference: channels with a window: as many as samples; documented: all" in text
    assert "caffe" not in text


@pytest.mark.parametrize("name", MEASURED)
def test_frameworks_that_are_here_answer_as_committed(name: str) -> None:
    if not all(find_spec(module) for module in FRAMEWORKS[name].modules):
        pytest.skip(f"{name} is not installed")
    there = Interpreter(sys.executable, FRAMEWORKS[name].variables, "this interpreter")
    rows, _ = measure(FRAMEWORKS[name], there, SYSTEMS)
    before = {(row.system, row.property): row.value for row in ROWS if row.framework == name}
    assert {(row.system, row.property): row.value for row in rows} == before
