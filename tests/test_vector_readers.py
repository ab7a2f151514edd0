"""The readers in Python, C99 and Rust: they build without a warning, accept a set, and refuse a wrong kernel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from varstudy.vectors.checking import check_answers
from varstudy.vectors.folder import export, write_index

READERS = Path(__file__).resolve().parents[1] / "vectors" / "readers"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    export(folder, norms=("layer",), dtypes=("float16",))
    write_index(folder)
    return folder


def build(language: str, source: Path, folder: Path) -> list[str]:
    """The command that runs a reader, built from a source."""
    program = folder / f"reader-{language}"
    if language == "py":
        return [sys.executable, str(source)]
    needed = {"c": "cc", "rs": "rustc"}[language]
    if shutil.which(needed) is None:
        pytest.skip(f"the reader in {language} needs {needed}, which is not installed")
    made = {
        "c": ["cc", "-std=c99", "-Wall", "-Werror", str(source), "-lm", "-o", str(program)],
        "rs": ["rustc", "--edition", "2021", "-D", "warnings", str(source), "-o", str(program)],
    }
    subprocess.run(made[language], check=True, capture_output=True)
    return [str(program)]


@pytest.mark.parametrize("language", ["py", "c", "rs"])
def test_a_reader_accepts_its_kernel_and_refuses_a_wrong_one(language: str, exported: Path, tmp_path: Path) -> None:
    source = READERS / f"reader.{language}"
    text = source.read_text("utf-8")
    assert len(text.splitlines()) < 100
    done = subprocess.run(
        [*build(language, source, tmp_path), str(exported)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "40 cases, 0 wrong", "")
    epsilon = {"py": "+ epsilon)", "c": "+ epsilon)", "rs": "+ epsilon)"}[language]
    assert text.count(epsilon) == 1
    wrong = tmp_path / f"wrong.{language}"
    wrong.write_text(text.replace(epsilon, "+ 2 * epsilon)" if language != "rs" else "+ 2.0 * epsilon)"), "utf-8")
    done = subprocess.run(
        [*build(language, wrong, tmp_path), str(exported)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "elements are beyond their limit" in done.stdout


def test_answers_of_another_language_are_checked(exported: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(READERS / "reader.py"), str(exported), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    found = check_answers(exported, tmp_path)
    assert (found.cases, found.failed, found.skipped) == (40, 0, ["layer-backward.float16"])
    file = tmp_path / "layer.float16.length-33.y.bin"
    file.write_bytes(bytes(len(file.read_bytes())))
    (tmp_path / "layer.float16.pitch.y.bin").unlink()
    found = check_answers(exported, tmp_path)
    assert found.failed == 2
    assert "layer.float16.pitch.y.bin is missing" in found.text
    with pytest.raises(ValueError, match="has no answers: write files such as layer"):
        check_answers(exported, exported)
