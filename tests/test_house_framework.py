"""A framework is one folder, and so is a library: each is found wherever the others are, and no other file changes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from varstudy.survey import discovery
from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.catalogue import FRAMEWORKS
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.libraries.catalogue import LIBRARIES
from varstudy.survey.libraries.declaring import Library

ROOT = Path(__file__).parent.parent
FRAMEWORK_FACTS = """
from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

TOY = Environment("toy", "3.11", ("numpy==2.4.6",))
FRAMEWORKS = [Framework("toyflow", "Toyflow", TOY, modules=("numpy",))]
"""
FRAMEWORK_ADAPTER = """
import numpy as np
from layer_contract import arguments_of

FRAMEWORK = "toyflow"
VARIANTS = {"batch": {"2-D": "of this test"}}


def versions():
    return {"toyflow": "1.0"}


class BatchNorm:
    def __init__(self, channels, momentum=0.25, eps=0.0078125):
        self.arguments = arguments_of(type(self))
        self.momentum, self.eps = momentum, eps
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def train(self, x):
        wide = x.astype(np.float64)
        mean, var, m = wide.mean(axis=0), wide.var(axis=0), self.momentum
        self.mean = ((1 - m) * self.mean + m * mean).astype(np.float32)
        self.var = ((1 - m) * self.var + m * var).astype(np.float32)
        return ((wide - mean) / np.sqrt(var + self.eps)).astype(np.float32)

    def evaluate(self, x):
        return ((x - self.mean) / np.sqrt(self.var + self.eps)).astype(np.float32)

    def running(self):
        return {"mean": self.mean, "var": self.var}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    given = {"eps": epsilon, "momentum": momentum}
    return BatchNorm(channels, **{name: value for name, value in given.items() if value is not None})
"""
DOCUMENTED = {
    "framework": "toyflow",
    "kind": "batch",
    "variant": "",
    "property": "correction.running",
    "value": 1,
    "sentence": "It says that the running variance is unbiased.",
    "where": "the manual of Toyflow 1.0",
    "source_value": None,
    "source": "",
}
LIBRARY_FACTS = [{"name": "toystats", "runs_in": "data", "calls": {"spread": {}}}]
LIBRARY_ADAPTER = """
import numpy as np
from function_contract import keyword


def versions():
    return {"toystats": "1.0"}


FUNCTIONS = {"spread": lambda x, storage, ddof: np.var(x, **keyword(ddof))}
"""
# What the commands answer, the report's sections and the tables of the documentation, as they are with the folders of
# VARSTUDY_SURVEY. One process, since each imports all of it.
SHOWN = """
import json, sys
from pathlib import Path
from click.testing import CliRunner
sys.path.insert(0, "docs/extensions")
import surveyed
from varstudy.cli import commands
from varstudy.report import report_page
from varstudy.report.sections.frameworks import made
from varstudy.report.sections.league import libraries
from varstudy.survey.findings import documented, measured
from varstudy.survey.league import league_record

MACROS = '{% from "macros.html.j2" import scroll, heading, subheading, figure %}'

def page(section, **values):
    text = MACROS + '{% include "details/' + section + '.html.j2" %}'
    return report_page.environment().from_string(text).render(**values)

def call(*words):
    done = CliRunner().invoke(commands, words, prog_name="varstudy")
    assert done.exit_code == 0, done.output
    return done.stdout

out = Path(sys.argv[1])
listed = call("frameworks", "--list", "--json", "toyflow")
shown = call("frameworks", "toyflow", "--kind", "batch", "--out", str(out / "measured.json"))
words = ["--only", "toystats", "--quick", "--once", "--threads", "1", "--storage", "float64"]
call("libraries", *words, "--out", str(out))
rows = measured.rows(measured.read(out / "measured.json"))
(out / "shown.json").write_text(json.dumps({
    "listed": json.loads(listed),
    "shown": shown,
    "frameworks": page("conventions", conventions=made(rows, documented.committed())),
    "league": page("league", libraries=libraries(league_record.read(out / "league.json"))),
    "docs": surveyed.filled(".. surveyed: frameworks\\n.. surveyed: libraries"),
}))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with one folder of each kind."""
    where = tmp_path_factory.mktemp("place")
    framework, library = where / "frameworks" / "toyflow", where / "libraries" / "toystats"
    framework.mkdir(parents=True)
    library.mkdir(parents=True)
    (framework / "facts.py").write_text(FRAMEWORK_FACTS)
    (framework / "adapter.py").write_text(FRAMEWORK_ADAPTER)
    (framework / "documented.json").write_text(
        json.dumps({"format": "varstudy-documented", "version": 1, "rows": [DOCUMENTED]})
    )
    (library / "facts.json").write_text(json.dumps(LIBRARY_FACTS))
    (library / "adapter.py").write_text(LIBRARY_ADAPTER)
    return where


def test_a_folder_is_found_wherever_frameworks_and_libraries_are(place: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = {**os.environ, discovery.PLACES: str(place), "PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN, tmp_path], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads((tmp_path / "shown.json").read_text())
    assert "Toyflow" in json.dumps(shown["listed"])

    assert "toyflow" in shown["shown"]
    found = json.loads((tmp_path / "measured.json").read_text())["rows"]
    rows = {row["property"]: row["value"] for row in found if row["threads"] == 1}
    assert rows["correction.running"] == "0"
    assert rows["momentum.default"] == "0.25"
    assert rows["running.update"] == '"exponential"'

    league = json.loads((tmp_path / "league.json").read_text())
    assert league["rows"][0]["function"] == "toystats.spread"

    assert "Toyflow" in shown["frameworks"]
    assert DOCUMENTED["where"] in shown["frameworks"]  # it contradicts the measurement
    assert "toystats" in shown["league"]
    assert "- Toyflow" in shown["docs"]
    assert "- toystats" in shown["docs"]


def test_a_folder_that_declares_nothing_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "frameworks" / "broken"
    folder.mkdir(parents=True)
    (folder / "facts.py").write_text("FRAMEWORKS = 3\n")
    with pytest.raises(discovery.DiscoveryProblem, match=r"broken/facts\.py has no list FRAMEWORKS of Framework"):
        discovery.declared("frameworks", Framework, [tmp_path])
    (folder / "facts.py").write_text("1 / 0\n")
    with pytest.raises(discovery.DiscoveryProblem, match=r"cannot be run .ZeroDivisionError: division by zero"):
        discovery.declared("frameworks", Framework, [tmp_path])
    (folder / "facts.py").unlink()
    assert discovery.declared("frameworks", Framework, [tmp_path]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "JSONDecodeError"),
        ("3", "TypeError"),
        ('[{"calls": {}}]', "missing 1 required positional argument: 'name'"),
        ('[{"name": "a", "calls": {"b": {"eat": "rows"}}}]', "unexpected keyword argument 'eat'"),
        ('[{"name": "a", "calls": {"b": {"eats": "row by row"}}}]', "KeyError: 'row by row'"),
        ('[{"name": "a", "runs_in": "cor", "calls": {}}]', "no shared environment is named 'cor'; there are .*core"),
    ],
)
def test_facts_that_cannot_be_used_are_named(tmp_path: Path, text: str, told: str) -> None:
    folder = tmp_path / "libraries" / "broken"
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text(text)
    with pytest.raises(discovery.DiscoveryProblem, match=rf"broken/facts\.json cannot be used .*{told}"):
        discovery.declared("libraries", Library, [tmp_path])


def test_facts_in_python_say_the_same_as_in_json(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "libraries" / "toystats"
    folder.mkdir(parents=True)
    (folder / "facts.py").write_text(
        "from varstudy.survey.environments.shared import DATA\n"
        "from varstudy.survey.libraries.declaring import Call, Library\n"
        'LIBRARIES = [Library("toystats", DATA, [Call("spread")])]\n'
    )
    (one,), (other,) = (discovery.declared("libraries", Library, [where]) for where in (place, tmp_path))
    assert replace(one, folder=other.folder) == other


def test_a_name_belongs_to_one_folder(place: Path, tmp_path: Path) -> None:
    again = tmp_path / "frameworks" / "again"
    again.mkdir(parents=True)
    (again / "facts.py").write_text(FRAMEWORK_FACTS)
    with pytest.raises(discovery.DiscoveryProblem, match=r"declares 'toyflow', which another folder has already"):
        discovery.declared("frameworks", Framework, [place, tmp_path])


def test_the_order_of_the_tables_is_the_declared_one(place: Path) -> None:
    names = [each.name for each in discovery.declared("frameworks", Framework, [discovery.places()[0], place])]
    assert names[:3] == ["torch", "keras-tensorflow", "keras-torch"]
    assert names[-4:] == ["caffe", "caffe2", "tf-addons", "toyflow"]
    assert discovery.declared("libraries", Library, [place])[0].folder == place / "libraries" / "toystats"


def defined(path: Path) -> dict[str, ast.AST]:
    """The names that a module defines at its top level, also under an if or a try."""
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    found: dict[str, ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.setdefault(node.name, node)
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: node for each in node.names}
    return found


@pytest.mark.parametrize("name", [name for name, each in FRAMEWORKS.items() if each.measured])
def test_an_adapter_gives_what_the_contract_asks(name: str) -> None:
    names = defined(FRAMEWORKS[name].script())
    assert {"FRAMEWORK", "VARIANTS", "versions", "layer"} <= names.keys()
    made = names["layer"]
    assert isinstance(made, ast.FunctionDef)
    arguments = [each.arg for each in made.args.args]
    assert arguments[:7] == ["kind", "variant", "channels", "dtype", "epsilon", "momentum", "groups"]
    assert set(arguments[7:]) <= {"spatial", "batch"}
    assert FRAMEWORKS[name].sync == (FRAMEWORKS[name].sync_script().is_file() and name not in NOT_SYNCHRONISED)


# Back ends that share a folder with the one whose batch norm is synchronised.
NOT_SYNCHRONISED = ("keras-torch", "keras-jax", "keras-numpy")


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.name)
def test_a_library_s_adapter_gives_what_the_contract_asks(library: Library) -> None:
    assert {"FUNCTIONS", "versions"} <= defined(library.folder / "adapter.py").keys()
    assert library.gpu or isinstance(library.runs_in, Environment)
