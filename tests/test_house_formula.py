"""A formula is one file: a toy that is written into a folder of formulas is found wherever a formula belongs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

TOY = '''"""A toy: the sums of squares first.

    q = sum x^2        s = sum x        M2 = q - s s / n
"""

from typing import Any, NamedTuple

from . import naive
from .base import Formula, like


class Toy(NamedTuple):
    q: Any
    s: Any


def update(state, n, x):
    return Toy(state.q + x * x, state.s + x)


def merge(a, na, b, nb):
    return Toy(a.q + b.q, a.s + b.s)


def read(state, n):
    k = like(state.s, n)
    return state.s / k, state.q - state.s * state.s / k


TOY = Formula(
    name="toy",
    title="toy",
    summary="The naive formula by another name.",
    source="a test",
    state=Toy,
    update=update,
    read=read,
    merge=merge,
    difference=True,
    bound=naive.bound,
    cuda=("thread", "block4", "grid4"),
)
'''

# Everything in one process, whose formulas are those of the package and those in the folder argv[1].
DRIVER = """
import csv, importlib.util, json, sys
from pathlib import Path
import varkernels

folder, root = Path(sys.argv[1]), Path(sys.argv[2])
spec = importlib.util.find_spec("varkernels.formulas")
module = importlib.util.module_from_spec(spec)
module.__path__.append(str(folder))
sys.modules[spec.name] = module
spec.loader.exec_module(module)

from click.testing import CliRunner
from varkernels.cuda import algorithms
from varstudy.cli import commands

listed = CliRunner().invoke(commands, ["list", "toy", "--algorithms", "--json"])
out = folder / "out"
options = ["--quick", "--only", "higham/three-values", "--device", "cpu", "--processes", "1"]
ran = CliRunner().invoke(commands, ["run", *options, "--no-installed", "--json", "--out", str(out)])
assert ran.exit_code == 0, ran.output
sys.path.insert(0, str(root / "docs" / "extensions"))
import formula_pages

with (out / "results.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))
print(json.dumps({
    "registry": [name for name in varkernels.algorithms() if name.startswith("toy")],
    "cuda": [name for name in algorithms() if name.startswith("toy")],
    "list": json.loads(listed.stdout),
    "rows": [row for row in rows if row["formula"] in ("toy", "naive")],
    "report": "toy/pairwise" in (out / "report-data.html").read_text("utf-8"),
    "docs": formula_pages.page(),
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("formulas")
    (folder / "toy.py").write_text(TOY, "utf-8")
    command = [sys.executable, "-c", DRIVER, str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_it_is_an_algorithm_in_every_order(found: dict[str, Any]) -> None:
    assert found["registry"] == ["toy", "toy/lanes32", "toy/pairwise", "toy/blocked128"]
    assert found["cuda"] == [f"toy/{order}" for order in ("thread", "block4", "grid4")]


def test_it_is_listed(found: dict[str, Any]) -> None:
    assert [each["name"] for each in found["list"]["algorithms"]] == found["registry"]


def test_it_is_measured_with_its_bound_and_reported(found: dict[str, Any]) -> None:
    """Its arithmetic and its bound are those of the naive formula, and so is every number of its rows."""

    def numbers(formula: str) -> list[dict[str, str]]:
        names = ("algorithm", "formula")
        return [{k: v for k, v in row.items() if k not in names} for row in found["rows"] if row["formula"] == formula]

    assert {row["algorithm"] for row in found["rows"]} >= {"toy", "toy/pairwise", "toy/blocked128"}
    assert numbers("toy") == numbers("naive")
    assert all(float(row["var_bound"]) > 0 for row in numbers("toy"))
    assert found["report"]


def test_it_has_its_section_and_its_row_in_the_documentation(found: dict[str, Any]) -> None:
    assert ".. automodule:: varkernels.formulas.toy\n" in found["docs"]
    assert "   * - ``toy``\n     - 1\n     - 3\n     - 0\n     - 2\n" in found["docs"]
