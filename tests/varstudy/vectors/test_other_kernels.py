"""Kernels that the vectors were not made for: group, instance, batch and RMS norm, variances, merges and gradients."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import norm_kernels
import pytest
from other_kernels import CORRECT, FAULTY, FLOAT32_ALONE

from varstudy.testing import assert_norm
from varstudy.vectors.cases import DTYPES

WHERE = list(CORRECT)
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "vectors.md").read_text("utf-8")


def dtypes(norm: str) -> tuple[str, ...]:
    return tuple(each for each in DTYPES[norm] if each != "float64")


@pytest.mark.parametrize(("norm", "backward"), WHERE)
def test_correct_kernels_keep_every_limit(norm: str, backward: bool) -> None:
    assert len(CORRECT[norm, backward]) >= 3
    for profile, function in CORRECT[norm, backward].values():
        for dtype in dtypes(norm):
            assert_norm(function, norm, dtype, profile, backward)


def verdict(function: Any, norm: str, dtype: str, backward: bool) -> str:
    try:
        assert_norm(function, norm, dtype, backward=backward)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("norm", "backward"), WHERE)
def test_faulty_kernels_are_caught(norm: str, backward: bool) -> None:
    assert len(FAULTY[norm, backward]) >= 5
    for name, function in FAULTY[norm, backward].items():
        for dtype in ("float32",) if name in FLOAT32_ALONE else dtypes(norm):
            said = verdict(function, norm, dtype, backward)
            assert "beyond the limit" in said, (name, dtype)
            assert "the kernel raised" not in said, (name, dtype)


def test_the_page_has_a_row_for_each_faulty_kernel_and_all_are_caught() -> None:
    rows = {line for line in PAGE.splitlines() if line.startswith("| ")}
    wanted = [("", name) for name in norm_kernels.FAULTY]
    wanted += [
        (f"{norm}{', gradients' * backward} | ", name) for (norm, backward), all_ in FAULTY.items() for name in all_
    ]
    for head, name in wanted:
        (row,) = [each for each in rows if each.startswith(f"| {head}{name} |")]
        assert "-" not in row.split("|")[-2], row


def test_the_example_of_the_page_runs_under_pytest(tmp_path: Path) -> None:
    blocks = [each.partition("```")[0] for each in PAGE.split("```python\n")[1:]]
    (code,) = [each for each in blocks if "parametrize" in each]
    file = tmp_path / "test_norms.py"
    file.write_text(code, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(file)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}
    )
    assert "4 passed" in done.stdout, done.stdout


@pytest.mark.long
def test_the_tables_of_the_page_are_computed() -> None:
    place = ROOT / "docs" / "protocols.py"
    spec = importlib.util.spec_from_file_location("protocols", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == PAGE
