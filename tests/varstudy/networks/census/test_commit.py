"""What the census's script answers becomes rows, and a file that is no census is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from varkernels.formats import FLOAT16
from varstudy.networks.audit import audit_of, audited
from varstudy.networks.census import census_record
from varstudy.networks.census.census_script import main
from varstudy.networks.census.commit import measured
from varstudy.networks.census.nets import ENVIRONMENT, NETS
from varstudy.networks.layer_facts import LayerFacts
from varstudy.networks.norm_layers import Formula, NormLayer
from varstudy.networks.sensitivity import Effect


def answer(values):
    facts = LayerFacts(NormLayer("norm", "layer", Formula.NAIVE, 1e-5, nodes=("norm",)))
    facts.update(np.array([values]))
    record = audit_of("net", FLOAT16, [audited(facts, FLOAT16)], notes=["A note."]).record()
    effect = Effect("", "naive in float16", float("inf"), 3, 4).record()
    return {
        "float16": record,
        "bfloat16": record,
        "effects": {"float16": [effect]},
        "seconds": 1.23456,
        "runtime": "r 1",
    }


def test_an_answer_becomes_records_that_a_file_keeps(tmp_path: Path) -> None:
    net = NETS["minilm"]
    fact, layers, effects = measured(net, json.loads(json.dumps(answer([300.0, 1.0]))))
    assert (fact.version, fact.seconds, fact.notes) == (ENVIRONMENT.pins()[net.package], 1.235, "A note.")
    (layer,) = layers
    assert (layer.net, layer.values, layer.largest, layer.float16) == ("minilm", 2, 300.0, "breaks: a square overflows")
    assert [(each.way, each.not_finite, each.outcome) for each in effects] == [("naive in float16", 3, "not finite")]
    content = {
        "settings": {}, "provenance": {}, "facts": [fact.record()], "effects": [each.record() for each in effects],
        "rows": [layer.record()],
    }  # fmt: skip
    census_record.write(tmp_path / "census.json", content)
    (again,) = census_record.rows(census_record.read(tmp_path))
    assert again.record() == layer.record()
    (tmp_path / "census.json").write_text("{}")
    with pytest.raises(census_record.CensusProblem, match="no census of networks"):
        census_record.read(tmp_path)


def test_a_layer_without_data_has_no_figures() -> None:
    facts = LayerFacts(NormLayer("norm", "layer", Formula.FUSED, 1e-5))
    record = audit_of("net", FLOAT16, [audited(facts, FLOAT16)]).record()
    row = census_record.layer_of("net", record["layers"][0], {})
    assert (row.rows, row.values) == (0, 0)
    assert np.isnan(row.least_variance)


def test_the_script_says_what_is_not_installed(tmp_path: Path) -> None:
    """In an environment without the package, and from a process that has nothing of it either."""
    with pytest.raises(ModuleNotFoundError):
        main(["magika", "", "False", "False", "--out", str(tmp_path / "out.json")])
    assert not (tmp_path / "out.json").exists()


def test_an_unknown_network_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "varstudy.networks.census.commit", "resnet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid choice: 'resnet'" in done.stderr
