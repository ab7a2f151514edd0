"""The notebooks: each .py and .ipynb agree, what is shown is fit to be shown, and each runs in under a minute."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
MISSING = [name for name in ("jupytext", "nbclient", "nbformat", "ipykernel") if importlib.util.find_spec(name) is None]
needs_extra = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install 'varstudy[notebooks]'"
)


def _build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_build", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _build()
PAIRS: list[Path] = build.pairs()
each_pair = pytest.mark.parametrize("path", PAIRS, ids=[path.stem for path in PAIRS])


def story(tmp_path: Path, code: str) -> Path:
    path = tmp_path / "00_story.py"
    path.write_text(f"# %% [markdown]\n# # A story\n\n# %%\n{code}\n", "utf-8")
    return path


def outputs(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.with_suffix(".ipynb").read_text("utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_there_are_eight_pairs() -> None:
    assert [path.name[:2] for path in PAIRS] == [f"{k:02d}" for k in range(1, 9)]
    assert sorted(FOLDER.glob("*.ipynb")) == [path.with_suffix(".ipynb") for path in PAIRS]


def test_the_readme_names_each() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((\d\d_\w+\.ipynb)\)", text) == [path.with_suffix(".ipynb").name for path in PAIRS]


@needs_extra
@each_pair
def test_the_pair_agrees(path: Path) -> None:
    assert build.agree(path), f"{path.name} was changed: run python notebooks/build.py {path.name[:2]}"


@needs_extra
@each_pair
def test_the_committed_outputs_are_fit_to_be_shown(path: Path) -> None:
    nbformat: Any = importlib.import_module("nbformat")
    file = path.with_suffix(".ipynb")
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert build.problems(notebook, file.read_text("utf-8")) == []
    assert set(notebook.metadata) == {"jupytext", "kernelspec", "language_info"}
    assert [cell.id for cell in notebook.cells] == [f"{path.stem}-{k:02d}" for k in range(len(notebook.cells))]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.metadata == {} for cell in notebook.cells)


@each_pair
def test_a_story_has_two_or_three_figures_and_a_conclusion(path: Path) -> None:
    assert sum("image/png" in output.get("data", {}) for output in outputs(path)) in (2, 3)
    text = path.read_text("utf-8")
    parts = (
        "# **The question.**",
        "# **After this you can**",
        "# **Time:**",
        "# ## What to do",
        "# ## Exercises",
        "# ## Answers",
    )
    assert [text.count(part) for part in parts] == [1] * len(parts)
    assert [*parts] == sorted(parts, key=text.index)
    answers = text.partition("# ## Answers")[2]
    assert "\n# %%\n" in answers  # computed
    assert re.search(r"^ *assert ", answers, re.MULTILINE)
    assert "doi.org" in text or "arxiv.org" in text
    assert "\nassert " in text


@each_pair
def test_the_figures_share_one_style(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "\nfrom figure_style import " in text
    assert "rcParams" not in text


def _imported(path: Path) -> set[tuple[str, str]]:
    """The modules of ours that a story imports from, each with a name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("var"):
            found |= {(node.module, alias.name) for alias in node.names}
    return found


@each_pair
def test_the_names_that_it_imports_are_public_and_documented(path: Path) -> None:
    pages = "\n".join(page.read_text("utf-8") for page in (FOLDER.parent / "docs" / "api").glob("*.rst"))
    modules = set(re.findall(r"^\.\. (?:automodule|py:currentmodule|currentmodule):: (\S+)", pages, re.MULTILINE))
    for module, name in _imported(path):
        assert not any(part.startswith("_") for part in (*module.split("."), name))
        if f"{module}.{name}" in modules:
            continue
        assert name in importlib.import_module(module).__all__, f"{module}.{name}"
        assert module in modules or re.search(rf":: {module}\.{name}$", pages, re.MULTILINE), f"{module}.{name}"


@needs_extra
@each_pair
def test_it_runs_in_a_minute(path: Path, tmp_path: Path) -> None:
    # In a process of its own: what Jupyter warns of is not ours to mend.
    ran = subprocess.run(
        [sys.executable, str(FOLDER / "build.py"), path.stem, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=build.SECONDS + 60,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},  # which must not reach the kernel
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    made = json.loads((tmp_path / f"{path.stem}.ipynb").read_text("utf-8"))
    kept = json.loads(path.with_suffix(".ipynb").read_text("utf-8"))
    assert [cell["id"] for cell in made["cells"]] == [cell["id"] for cell in kept["cells"]]


@needs_extra
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import warnings; warnings.warn('careful')", "standard error"),
        ("import os; print(os.getcwd())", "the path"),
        ("object()", "address"),
        ("print(('x' * 78 + '\\n') * 5_064)", "smaller"),  # nbclient's time grows as a line's length squared
        ("1 + 1", "no figure"),
    ],
)
def test_what_is_not_fit_is_not_written(tmp_path: Path, code: str, complaint: str) -> None:
    path = story(tmp_path, code)
    (tmp_path / "00_story.ipynb").write_text("before", "utf-8")
    script = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import build; p = pathlib.Path(sys.argv[2])"
    ran = subprocess.run(
        [sys.executable, "-c", f"{script}; build.build(p, p.parent)", str(FOLDER), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert complaint in ran.stderr.strip().splitlines()[-1]
    assert (tmp_path / "00_story.ipynb").read_text("utf-8") == "before"


@needs_extra
def test_a_changed_cell_is_seen(tmp_path: Path) -> None:
    path = PAIRS[0]
    (tmp_path / path.name).write_text(path.read_text("utf-8").replace("assert ", "assert  ", 1), "utf-8")
    (tmp_path / path.with_suffix(".ipynb").name).write_bytes(path.with_suffix(".ipynb").read_bytes())
    assert not build.agree(tmp_path / path.name)


def test_a_wrong_name_is_answered_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["99"]) == 2
    assert "use one of 01_float64_is_no_truth" in capsys.readouterr().err
    assert build.main(["--out"]) == 2
