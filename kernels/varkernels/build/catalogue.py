"""The kernels that come with this package, and the source files that each group of them is compiled from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..certified.kernels import NAMES as CERTIFIED
from ..exact.kernels import NAMES as EXACT
from ..formats import FLOAT32, FLOAT64, FORMATS
from ..formulas import Formula
from ..registry import algorithms

__all__ = ["VECTORISED", "Entry", "entries", "sources_of"]

# Groups whose loops pay to be unrolled and vectorised for the processor that runs them. The study's schedules add up
# one value after the other: their loops gain at most a tenth, and the work takes as long as making the machine code.
VECTORISED = ("certified", "exact")

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Entry:
    """A kernel: its name, the group whose file has its text, and the arguments of `shipped.kernel`.

    roots : the modules, by their paths, that it is made of; what they import counts too.
    """

    name: str
    group: str
    module: str
    arguments: tuple[Any, ...]
    roots: tuple[str, ...]


@cache
def entries() -> tuple[Entry, ...]:
    """All of them: those of the statistics, and of each algorithm of the study in the formats that it is studied in."""
    found = [Entry("arithmetic", "exact", "arithmetic_test", (), ("arithmetic_test.py",))]
    found += [Entry(f"exact-{name}", "exact", "exact.kernels", (name,), ("exact/kernels.py",)) for name in EXACT]
    found += [
        Entry(
            f"certified-{kind}-{storage}", "certified", "certified.kernels", (kind, storage), ("certified/kernels.py",)
        )
        for kind, storage in CERTIFIED
    ]
    parts = {}
    for algorithm in algorithms().values():
        if algorithm.builtin and algorithm.parts is not None:
            formula: object = algorithm.parts[0]
            while isinstance(formula, Formula):
                parts[formula.name, algorithm.parts[1].kernel] = formula
                formula = formula.centre
    for (name, kind), formula in sorted(parts.items(), key=lambda item: item[0]):
        for fmt in FORMATS.values():
            # Widening is exact: values of the small formats come to their accumulators as float32.
            storage = FLOAT64 if fmt is FLOAT64 else FLOAT32
            verbs = (formula.update, formula.merge, formula.read, formula.start)
            homes = dict.fromkeys(verb.__module__.rpartition(".")[2] for verb in verbs if verb is not None)
            found.append(
                Entry(
                    f"{kind}-{name}-{storage}-{fmt}",
                    next(iter(homes)),
                    "schedule_kernels",
                    (formula, kind, storage, fmt),
                    ("schedule_kernels.py", *(f"formulas/{home}.py" for home in homes)),
                )
            )
    return tuple(found)


def _imported(path: Path) -> Iterator[Path]:
    """The files of this package that a file imports, as its text has it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for alias in node.names:
            # A name that is no module is defined in the module or the package that it is imported from.
            for place in (base / alias.name, base):
                files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]
                yield from files
                if files:
                    break


def sources_of(roots: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of the files that some modules are made of: theirs, and those of all that they import, sorted.

    What `jit` imports decides where code is kept, not what code there is.
    """
    waiting, found = [ROOT / root for root in roots], set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path) if path.name != "jit.py" else ())
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found))
