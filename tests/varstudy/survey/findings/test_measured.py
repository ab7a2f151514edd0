"""The committed findings: whole, within the vocabulary, at the pinned versions, and never from documentation."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from varstudy.survey.findings import measured
from varstudy.survey.findings.properties import PROPERTIES, check
from varstudy.survey.frameworks.catalogue import FRAMEWORKS

ROWS = measured.committed()
MEASURED = {name for name, framework in FRAMEWORKS.items() if framework.measured}


def test_every_framework_that_can_run_was_measured_and_no_other() -> None:
    assert {row.framework for row in ROWS} == MEASURED
    assert len(MEASURED) >= 20
    assert not {"caffe", "caffe2"} & {row.framework for row in ROWS}


def test_no_finding_stands_twice() -> None:
    assert not [key for key, times in Counter(row.key() for row in ROWS).items() if times > 1]


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_a_framework_s_findings(name: str) -> None:
    mine = [row for row in ROWS if row.framework == name]
    assert len({row.version for row in mine}) == 1
    assert FRAMEWORKS[name].unpinned(mine[0].version) == ""
    for row in mine:
        assert row.date.startswith("20")
        assert row.machine
        if row.status == "measured":
            check(row.property, json.loads(row.value))
        else:
            assert row.detail, row
    told = {row.property for row in mine if row.kind == "batch" and row.status == "measured"}
    assert {"evaluation", "epsilon.place"} <= told


def test_every_property_of_the_vocabulary_was_measured_somewhere() -> None:
    measured = {row.property for row in ROWS if row.status == "measured"}
    assert set(PROPERTIES) - measured == set()


WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def test_the_page_on_ports_counts_what_was_measured_of_batch_norm() -> None:
    text = " ".join((Path(__file__).parents[4] / "docs" / "port.md").read_text("utf-8").split())
    found = re.search(r"epsilon has (\w+) defaults and (\w+) places", text)
    assert found is not None
    measured = {
        name: {row.value for row in ROWS if (row.kind, row.property, row.status) == ("batch", name, "measured")}
        for name in ("epsilon.default", "epsilon.place")
    }
    assert found.groups() == tuple(WORDS[len(values)] for values in measured.values())
