"""Executed PTX and mirror, two independent ways to a kernel's bits, on the study's own feature maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from varkernels import views
from varkernels.cuda import mirror, moments
from varstudy.study import device_algorithms
from varstudy.study.cells import Cell, plan


def bits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The bits of values, all NaN alike."""
    quiet = np.where(np.isnan(values), values.dtype.type(np.nan), values)
    return quiet.view(f"u{values.itemsize}")


def compared(cells: list[Cell], algorithms: list[device_algorithms.OnDevice]) -> tuple[int, list[str]]:
    """How many numbers were compared, and where they differ."""
    count, different = 0, []
    for cell in cells:
        array = cell.case.make(cell.storage, 0)
        for norm in cell.case.norms:
            view = views.view(
                array, norm, layout=cell.case.layout, groups=cell.case.groups if norm == "group" else None
            )
            for each in algorithms:
                executed = moments(view, each.name, contracted=each.contracted)
                replayed = mirror.moments(view, each.name, contracted=each.contracted)
                for a, b in ((executed.mean, replayed.mean), (executed.m2, replayed.m2)):
                    count += a.size
                    if not np.array_equal(bits(a), bits(b)):
                        different.append(f"{cell.label} {norm} {each.name} contraction {each.contraction}")
    return count, different


def test_the_quick_study_has_the_same_bits_both_ways() -> None:
    chosen = [each for each in device_algorithms.chosen("default", "ptx") if each.order.startswith("grid")]
    count, different = compared(list(plan("quick")), chosen)
    assert different == []
    assert count > 1000


@pytest.mark.long
def test_the_whole_default_study_has_the_same_bits_both_ways() -> None:
    count, different = compared(list(plan("default")), device_algorithms.chosen("default", "ptx"))
    assert different == []
    assert count > 100_000
