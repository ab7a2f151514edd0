"""What a driver gets to load: texts that the oldest supported driver and GPU take, and every newer one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from varkernels.cuda import library, toolkit
from varkernels.cuda.tensors import reducing

TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
ANSWERS = (Path(reducing.__file__).parent / "answers.ptx").read_text("utf-8")


def assembles(text: str, target: str, folder: Path, stem: str) -> None:
    toolkit.assemble(text, target, folder, stem, options=("-O1",))


@pytest.fixture(scope="module", autouse=True)
def ptxas() -> None:
    try:
        toolkit.tool("ptxas")
    except toolkit.ToolkitMissing as problem:
        pytest.skip(str(problem))


def file_text(name: str) -> str:
    """All kernels of a file of ptx/, with the head that drivers get."""
    kernel = next(each["name"] for each in library.entries().values() if each["file"] == name)
    head, _, _ = library.for_driver(kernel).partition(".visible .entry")
    return head + "".join(library.file_texts(name)[1].values())


FILES = sorted({each["file"] for each in library.entries().values()})


@pytest.mark.parametrize("name", FILES)
def test_every_file_assembles_for_the_oldest_gpu(name: str, tmp_path: Path) -> None:
    text = file_text(name)
    assert text.startswith(".version 7.0\n.target sm_75\n")
    assembles(text, "sm_75", tmp_path, "kernels")


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS[1:])
@pytest.mark.parametrize("name", FILES)
def test_every_file_assembles_for_every_newer_gpu(name: str, target: str, tmp_path: Path) -> None:
    assembles(file_text(name), target, tmp_path, "kernels")


@pytest.mark.parametrize("target", TARGETS)
def test_the_answers_kernel_assembles_everywhere(target: str, tmp_path: Path) -> None:
    assert re.search(r"^\.version 7\.0\n\.target sm_75$", ANSWERS, flags=re.MULTILINE)
    assembles(ANSWERS, target, tmp_path, "answers")


def test_a_newer_instruction_would_be_found(tmp_path: Path) -> None:
    """A conversion to bfloat16 needs sm_80: the assembler refuses it for the oldest GPU, so no text has one."""
    newer = ANSWERS.replace("cvt.rn.f16.f64 %h, %d2;", "cvt.rn.bf16.f32 %h, %f3;")
    assert newer != ANSWERS
    with pytest.raises(toolkit.Refused, match="bf16"):
        assembles(newer, "sm_75", tmp_path, "newer")
