"""Hands the league's rows to the layers of a framework, in its own interpreter, and takes down what they answer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._io import child
from ...._io.matching import matches, nearest
from ...environments import Interpreter
from ...frameworks.catalogue import FRAMEWORKS
from ...frameworks.declaring import Framework
from ...probes import SCRIPTS
from ..league_rows import Matrix
from .layers_record import LONGEST, STORAGE

__all__ = ["KINDS", "SECONDS", "Tables", "ask", "chosen", "tables"]

SCRIPT = SCRIPTS / "layer_rows.py"
# Batch norm in every variant of a framework; of the others the first that its adapter names.
KINDS = {"batch": "every", "layer": "first", "group": "first", "instance": "first"}
# For a process in which a framework's layers get all rows; JAX compiles each for each length.
SECONDS = 600.0
# Rows of equal length as one table, and of which matrix and row each is.
Tables = Mapping[str, tuple[NDArray[Any], list[tuple[int, int]]]]


def chosen(pattern: str | None) -> list[Framework]:
    """The measured frameworks whose names match; all without a pattern.

    Raises
    ------
    ValueError
        None does.
    """
    able = {each.name: each for each in FRAMEWORKS.values() if each.measured}
    found = [each for name, each in able.items() if pattern is None or matches(name, pattern)]
    if not found:
        known = f"{', '.join(able)} are known"
        raise ValueError(f"{pattern!r} is no framework whose layers are measured: {nearest(str(pattern), able, known)}")
    return found


def tables(given: Sequence[Matrix]) -> Tables:
    """The rows of equal length as one table, and of which matrix and row each is; those with a NaN on their own.

    A table has an even number of rows, for layers with two groups: the first stands twice if need be.
    """
    placed: dict[str, list[tuple[int, int]]] = {}
    for k, matrix in enumerate(given):
        if matrix.length > LONGEST or matrix.storage != STORAGE:
            continue
        plain = np.isfinite(matrix.values).all()
        key = f"{matrix.length:06d}" + ("" if plain else f" {matrix.key}")
        placed.setdefault(key, []).extend((k, r) for r in range(len(matrix.values)))
    made = {}
    for key, places in placed.items():
        whole = places + places[: len(places) % 2]
        made[key] = np.stack([given[k].values[r] for k, r in whole]).astype(np.float32), places
    return made


def ask(
    framework: Framework, there: Interpreter, packed: bytes, seconds: float
) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """What all layers of a framework answered, and what is not right with those that did not."""
    observed: dict[str, Any] = {"versions": {}, "layers": []}
    failures: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
        request, given = Path(held) / "request.json", Path(held) / "tables.npz"
        given.write_bytes(packed)
        while True:
            done = [[e["kind"], e["variant"]] for e in observed["layers"]] + [list(key) for key in failures]
            request.write_text(
                json.dumps({"adapter": str(framework.script()), "threads": 1, "kinds": KINDS, "skip": done}), "utf-8"
            )
            end = child.run(there.python, SCRIPT, [str(request), str(given)], seconds=seconds, threads=1,
                              variables=there.variables)  # fmt: skip
            answer = end.answer if isinstance(end.answer, dict) else {}
            observed["versions"] = answer.get("versions") or observed["versions"]
            observed["python"] = answer.get("python", "")
            observed["layers"] += answer.get("layers", [])
            asking = answer.get("asking", "import")
            if end.ok:
                return observed, failures
            if not isinstance(asking, list):
                failures["", ""] = end.sentence
                return observed, failures
            failures[asking[0], asking[1]] = end.sentence
