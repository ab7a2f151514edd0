"""Checks the answers that a kernel in any language wrote next to a set's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS

from .calling import AnswerProblem, signature
from .cases import Case
from .folder import opened, read_cases
from .judging import failures_of, report

__all__ = ["Checked", "check_answers"]


@dataclass(frozen=True)
class Checked:
    """What became of a folder of answers.

    Attributes
    ----------
    cases : that were checked. failed : of these. skipped : groups, as layer.float16, without any answer.
    text : what the failures are; empty where there are none.
    """

    cases: int
    failed: int
    skipped: list[str]
    text: str


def _path(folder: Path, case: Case, output: str) -> Path:
    return folder / f"{case.name}.{output}.bin"


def _read(path: Path, case: Case, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of the case's dtype, of float32 or of float64, as the size of the file says."""
    data = path.read_bytes()
    count = int(np.prod(shape))
    for dtype in (FORMATS[case.dtype].dtype, np.dtype(np.float32), np.dtype(np.float64)):
        if len(data) == count * dtype.itemsize:
            whole = np.frombuffer(data, f"<u{dtype.itemsize}")
            return whole.astype(whole.dtype.newbyteorder("=")).view(dtype).astype(np.float64).reshape(shape)
    raise AnswerProblem(f"{path.name} has {len(data)} bytes: write {count} numbers in {case.dtype}, float32 or float64")


def check_answers(folder: Path, answers: Path, *, norm: str = "", dtype: str = "", profile: str = "") -> Checked:
    """Compare the files NAME.OUTPUT.bin, such as layer.float16.length-33.y.bin, with a set's exact answers.

    Each has the whole output in memory order, little-endian, in the case's dtype, in float32 or in float64.

    Parameters
    ----------
    folder : of the set. answers : of the answers. norm, dtype : only these. profile : that of the set by default.

    Raises
    ------
    ValueError
        The set is not readable, or no case has an answer.
    """
    stored = opened(folder)["profile"]
    cases = list(read_cases(folder, norm=norm, dtype=dtype))
    answered = {each.group for each in cases for output in each.outputs if _path(answers, each, output).is_file()}
    if not answered:
        example = f"{cases[0].name}.{next(iter(cases[0].outputs))}.bin" if cases else "a case of this norm and dtype"
        raise ValueError(f"{answers} has no answers: write files such as {example}")

    def given(case: Case) -> dict[str, NDArray[Any]]:
        needed = signature(case.norm, case.backward)[1]
        found = {}
        for output in case.outputs:
            path = _path(answers, case, output)
            if path.is_file():
                found[output] = _read(path, case, case.outputs[output].value.shape)
            elif output in needed:
                raise AnswerProblem(f"{path.name} is missing")
        return found

    chosen = [each for each in cases if each.group in answered]
    count, found, evidence = failures_of(chosen, given, profile or stored, stored)
    failed = len({each.case.name for each in found})
    text = report(count, found, evidence, str(answers)) if found else ""
    return Checked(count, failed, sorted({each.group for each in cases} - answered), text)
