"""Run the notebooks and write their .ipynb files.

A story is kept as a pair: NAME.py has the text and the code as cells (jupytext's percent format), NAME.ipynb the same
with its outputs. Edit the .py file, then

    python notebooks/build.py            # all of them
    python notebooks/build.py 03         # those whose name starts so

What is written depends on the code alone: no times, no paths, no versions, and the same ids each time. A notebook that
raises, warns, takes longer than a minute or becomes too large is not written.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from varstudy._io.atomic import write_whole

__all__ = ["LARGEST", "SECONDS", "agree", "build", "executed", "main", "pairs", "problems"]

FOLDER = Path(__file__).parent
# Each notebook's time, and the size of its file in bytes, at most.
SECONDS = 60.0
LARGEST = 400_000
# Characters of an object's plain text next to its table.
LONG = 300
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def pairs(folder: Path = FOLDER) -> list[Path]:
    """The .py files of the stories, in their order."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def _story(path: Path) -> Any:
    """The notebook that a .py file is, without outputs: ids by position, no metadata but the kernel's name."""
    jupytext: Any = import_module("jupytext")  # the extra 'notebooks' is needed by those who call this only
    notebook = jupytext.read(path, fmt="py:percent")
    for position, cell in enumerate(notebook.cells):
        cell.id = f"{path.stem}-{position:02d}"
        cell.metadata = {}
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": dict(KERNEL),
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def executed(path: Path, seconds: float = SECONDS) -> Any:
    """The notebook of a .py file with the outputs of a run in a fresh interpreter and an empty folder.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell raises.
    nbclient.exceptions.CellTimeoutError
        All cells together take longer than that.
    """
    notebook = _story(path)
    metadata = dict(notebook.metadata)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            **os.environ,
            "IPYTHONDIR": str(Path(folder, "ipython")),  # nobody's profile
            "JUPYTER_RUNTIME_DIR": str(Path(folder, "runtime")),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONPATH": str(FOLDER.resolve()),  # figure_style
        }
        settings.pop("MPLBACKEND", None)  # the kernel's own draws into the notebook
        work = Path(folder, "work")
        work.mkdir()
        end = time.monotonic() + seconds
        client: Any = import_module("nbclient").NotebookClient(
            notebook,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            timeout_func=lambda cell: max(1, round(end - time.monotonic())),
            resources={"metadata": {"path": str(work)}},
        )
        client.execute(env=settings)
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data and "text/plain" in data:  # the plain text is for those who cannot see the table
                plain = _ADDRESS.sub("", data["text/plain"])
                data["text/plain"] = plain if len(plain) <= LONG else f"{plain.partition('(')[0]}(...)"
    notebook.metadata = metadata
    return notebook


def _texts(notebook: Any) -> list[str]:
    """Every text among the outputs."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found.append(str(output.get("text", "")))
            found += [str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return found


def problems(notebook: Any, text: str) -> list[str]:
    """What is wrong with an executed notebook and its text: warnings, errors, paths of a machine, its size."""
    found = []
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if any(output.get("name") == "stderr" for output in outputs):
        found.append("a cell writes to the standard error, as warnings do")
    if any(output.output_type == "error" for output in outputs):
        found.append("a cell raises")
    if not any("image/png" in output.get("data", {}) for output in outputs):
        found.append("it has no figure")
    places = {str(Path.home()), tempfile.gettempdir(), sys.prefix, str(FOLDER.resolve().parent)} - {"/"}
    texts = "\n".join(_texts(notebook))
    found += [f"an output has the path {place}" for place in sorted(places) if place in texts]
    if _ADDRESS.search(texts):
        found.append("an output has an object's address")
    if len(text.encode()) > LARGEST:
        found.append(f"it has {len(text.encode()):,} bytes, more than {LARGEST:,}: draw smaller figures")
    return found


def agree(path: Path) -> bool:
    """Whether the .py and the .ipynb file of a story have the same cells."""
    nbformat: Any = import_module("nbformat")

    def cells(notebook: Any) -> list[tuple[str, str]]:
        return [(cell.cell_type, cell.source.rstrip()) for cell in notebook.cells]

    return cells(_story(path)) == cells(nbformat.read(path.with_suffix(".ipynb"), as_version=4))


def build(path: Path, out: Path) -> None:
    """Run a story and write its .ipynb file into a folder.

    Raises
    ------
    ValueError
        Something is wrong with what it shows.
    """
    nbformat: Any = import_module("nbformat")
    notebook = executed(path)
    text = nbformat.writes(notebook) + "\n"
    wrong = problems(notebook, text)
    if wrong:
        raise ValueError(f"{path.name}: {'; '.join(wrong)}")
    write_whole(out / f"{path.stem}.ipynb", text.encode())


def main(arguments: Sequence[str]) -> int:
    """Run the stories whose names start with one of the arguments, or all; --out DIR writes them elsewhere."""
    given = list(arguments)
    out = FOLDER
    if "--out" in given:
        at = given.index("--out")
        if at + 1 == len(given):
            print("--out needs a folder", file=sys.stderr)
            return 2
        out = Path(given[at + 1])
        del given[at : at + 2]
    chosen = [path for path in pairs() if not given or path.name.startswith(tuple(given))]
    if not chosen:
        names = ", ".join(path.stem for path in pairs())
        print(f"no notebook starts with {' or '.join(given)}: use one of {names}", file=sys.stderr)
        return 2
    for path in chosen:
        started = time.monotonic()
        build(path, out)
        print(f"{path.stem}: {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
