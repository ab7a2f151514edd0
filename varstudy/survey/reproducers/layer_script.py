"""Scripts that compare what a layer divides by with the exact divisor, on the survey's own values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...study.score import WRONG_ERROR
from ..findings.measured import FindingRow
from ..findings.properties import EpsilonPlace, FindingStatus, LayerKind
from ..frameworks.catalogue import find
from ..league.layers.law import Law, laws
from ..probes import questions
from .exact_values import divisor
from .finding import NoScript
from .recipes import Recipe, recipe

__all__ = ["Known", "answering", "asked", "dividing", "imports", "keeping", "law_of", "literal", "merging"]

Table = NDArray[np.float64]
# How a table is rounded to bfloat16: to nearest, ties to even.
_BFLOAT16 = (
    'bits = table.astype("float32").view("uint32")',
    'table = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype("uint32").view("float32")',
)
Known = Sequence[FindingRow]


def literal(row: Sequence[float]) -> str:
    """Numbers as a list of Python's; whole ones without a point."""
    return "[" + ", ".join(str(int(v)) if abs(v) < 1e15 and v == int(v) else repr(float(v)) for v in row) + "]"


def law_of(rows: Known, framework: str, kind: str, variant: str) -> Law:
    """What a layer was measured to do with a variance.

    Raises
    ------
    NoScript
        It is not known.
    """
    if kind == LayerKind.RMS:
        found = {
            row.property: row for row in rows if (row.framework, row.kind, row.variant) == (framework, kind, variant)
        }
        size, place = found.get("epsilon.default"), found.get("epsilon.place")
        if place is None or place.status != FindingStatus.MEASURED:
            raise NoScript("no short script: the place of its epsilon is not known")
        return Law(0, float((size and size.plain()) or 0.0), EpsilonPlace(place.plain()))
    law = laws(rows, framework)(kind, variant)
    if isinstance(law, str):
        raise NoScript(f"no short script: {law}")
    return law[0]


def asked(question: str) -> tuple[list[str], Table, str]:
    """A question's values: the lines that make them, the values, and their format."""
    name, _, mean = question.partition(".")
    if name == "accuracy":
        mean = str(int(float(mean)))
        lines = [_drawn(mean, 20240, "float32")]
        (table,) = questions.batches(f"offset_{question.partition('.')[2]}", "batch", "NCHW")
        return lines, table, "float32"
    dtype = "float16" if name == "float16" else "float32"
    lines = [_drawn(mean, 20250, dtype)]
    (table,) = questions.batches(f"{name}_{mean}", "batch", "NCHW")
    return lines + list(_BFLOAT16 if name == "bfloat16" else ()), table, name


def _drawn(mean: str, seed: int, dtype: str) -> str:
    shape = f"(2, {questions.MANY})"
    return f'table = ({mean} + numpy.random.RandomState({seed}).standard_normal({shape})).astype("{dtype}")'


def dividing(
    framework: str,
    kind: str,
    variant: str,
    law: Law,
    values: tuple[Sequence[str], Table, str],
    *,
    threads: int = 1,
    options: str = "",
    limit: float = WRONG_ERROR,
) -> list[str]:
    """A script that asserts that a layer divides by what it should.

    Parameters
    ----------
    law : what it should do. values : the lines that make the table, the table, and its format.
    options : arguments of the layer, beginning with a comma. limit : of the relative error of the divisor squared.
    """
    how = recipe(find(framework))
    made, table, dtype = values
    before, run, back = _laid(how, kind, variant, table, dtype, threads, options)
    exact = [divisor(row, law.correction, law.epsilon, law.place, kind == LayerKind.RMS) for row in table]
    return [
        *imports(framework, how, threads),
        *before,
        *made,
        f"exact = {literal(exact)}  # divisors, from integers; epsilon {law.place}",
        *run,
        *back,
        'rise = table.max(1).astype("float64") - table.min(1)',
        "found = rise / (y.max(1) - y.min(1))",
        f'print({how.version}, "divides by", found, "exact:", exact, "deviation of the outputs:", y.std(1))',
        "error = abs((found / exact) ** 2 - 1)",
        f'assert (error < {limit:g}).all(), f"the variance is off by {{error.max():.3g}}, relative"',
    ]


def answering(framework: str, kind: str, variant: str, dtype: str, threads: int = 1) -> list[str]:
    """A script that asserts that a layer answers at all."""
    how = recipe(find(framework))
    table = np.array([[-3.0, -1.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0]] * 2)
    before, run, back = _laid(how, kind, variant, table, dtype, threads, "")
    return [
        *imports(framework, how),
        *before,
        'table = numpy.array([[-3, -1, 1, 3, 5, 7, 9, 11]] * 2, "float32")',
        *run,
        *back,
        f'print({how.version}, "outputs:", y)',
        'assert numpy.isfinite(y).all(), "an output is not finite"',
    ]


def keeping(framework: str, kind: str, variant: str, table: Table, made: Sequence[str]) -> list[str]:
    """A script that asserts that a layer's outputs for constant rows are one finite constant.

    Parameters
    ----------
    made : the lines that make the table.
    """
    how = recipe(find(framework))
    before, run, back = _laid(how, kind, variant, table, "float32", 1, "")
    return [
        *imports(framework, how),
        *before,
        *made,
        *run,
        *back,
        f'print({how.version}, "outputs:", y)',
        'assert numpy.isfinite(y).all() and (y.max(1) == y.min(1)).all(), "constants have outputs that are none"',
    ]


def merging(framework: str, variant: str) -> list[str]:
    """A script that asserts that what merges the batches of ranks answers at all, on one process.

    Raises
    ------
    NoScript
        It takes several.
    """
    how = recipe(find(framework))
    lines = how.sync.get(variant.partition(",")[0])
    if lines is None:
        raise NoScript("no short script runs several ranks: "
                       f"'python -m varstudy frameworks {framework} --kind sync' asks again")  # fmt: skip
    return [
        *imports(framework, how),
        *lines,
        f'print({how.version}, "outputs:", y)',
        'assert numpy.isfinite(y).all(), "an output is not finite"',
    ]


def imports(framework: str, how: Recipe, threads: int = 1) -> list[str]:
    """The lines of imports; what the process must be told comes before."""
    lines = [f'os.environ["{name}"] = "{value}"' for name, value in find(framework).variables.items()]
    if how.by_cores:
        lines += [
            f'if hasattr(os, "sched_setaffinity"):  # threads: {threads}, as measured',
            f"    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{threads}])",
        ]
    return [*(["import os"] if lines else []), "import numpy", *lines, *how.imports, ""]


def _laid(
    how: Recipe, kind: str, variant: str, table: Table, dtype: str, threads: int, options: str
) -> tuple[list[str], list[str], list[str]]:
    """The lines before the data, those from the table to ``y``, and those that lay ``y`` out as the table."""
    places = questions.place(kind, variant, np.arange(table.size, dtype=np.int64).reshape(table.shape))
    channels, spatial = places.shape[1], places.shape[1:]
    if places.ndim == 4 and variant.startswith(tuple(how.last)):
        places = places.transpose(0, 2, 3, 1)
    whole = spatial if (kind, variant) == ("layer", "NCHW") else channels
    before, run = how.calls(
        kind, variant, threads, options, dtype=dtype, element=dtype.replace("float32", "float"), channels=channels,
        spatial=spatial, groups=questions.groups_of(kind), parameters=whole,
    )  # fmt: skip
    steps = [
        int(places.take(1, axis).flat[0] - places.flat[0]) if size > 1 else 0 for axis, size in enumerate(places.shape)
    ]
    order = sorted(range(places.ndim), key=lambda axis: -steps[axis])
    shape = tuple(places.shape[axis] for axis in order)
    moved = tuple(order.index(axis) for axis in range(places.ndim))
    turned = f".transpose{moved}" if moved != tuple(range(places.ndim)) else ""
    wide = "" if dtype == "float32" else '.astype("float32")'
    return (
        before,
        [f'x = numpy.ascontiguousarray(table{wide}.reshape{shape}{turned})', *run],
        [f'y = y.astype("float64").reshape{places.shape}' + (f".transpose{tuple(order)}" if turned else "")
         + f".reshape{table.shape}"],
    )  # fmt: skip
