"""The programs of docs/examples run, and check their own answers."""

from __future__ import annotations

import functools
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import varstudy

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "examples"
NEEDS = {
    "many_processes": "joblib",
    "own_cuda_kernel": "numba_cuda",
    "running_batch_norm": "torch",
    "sum_in_sql": "duckdb",
    "synchronised_batch_norm": "torch",
}


def test_each_has_its_needs() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_an_example(name: str) -> None:
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"needs {NEEDS[name]}")
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py")],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        # Gloo's connection of the processes breaks off now and then on a busy machine (pytorch/pytorch issue 53270).
        if "connectFullMesh failed" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert "the bits of the whole" in done.stdout


def sent(thing: Any) -> Any:
    """A thing as it arrives in another process."""
    return pickle.loads(pickle.dumps(thing))


class Rdd:
    """What Spark does with partitions: each worker begins with a copy of the start, and all that travels is pickled."""

    def __init__(self, partitions: list[list[Any]]) -> None:
        self.partitions = partitions

    def treeAggregate(self, zero: Any, take: Any, merge: Any) -> Any:
        found = []
        for part in self.partitions:
            total = sent(zero)
            for piece in part:
                total = take(total, sent(piece))
            found.append(sent(total))
        while len(found) > 1:
            found = [sent(functools.reduce(merge, map(sent, found[i : i + 3]))) for i in range(0, len(found), 3)]
        return merge(sent(zero), found[0])


class Ray:
    """What Ray does with tasks: arguments and answers are pickled."""

    class Task:
        def __init__(self, function: Any) -> None:
            self.function = function

        def remote(self, *arguments: Any) -> bytes:
            found = (pickle.loads(each) if isinstance(each, bytes) else sent(each) for each in arguments)
            return pickle.dumps(self.function(*found))

    def remote(self, function: Any) -> Task:
        return self.Task(function)

    def get(self, answer: bytes) -> Any:
        return pickle.loads(answer)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_recipes_for_spark_and_ray(count: int) -> None:
    pytest.importorskip("joblib")
    spec = importlib.util.spec_from_file_location("many_processes", EXAMPLES / "many_processes.py")
    assert spec is not None
    assert spec.loader is not None
    recipes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipes)
    g = np.random.default_rng(count)
    parts = [[g.normal(1e8, 1, size) for size in (30, 1, 5)] for _ in range(count)]
    whole = varstudy.Moments().update(np.concatenate([piece for part in parts for piece in part]))
    assert recipes.with_spark(Rdd(parts)) == whole
    assert recipes.with_ray(parts, Ray()) == whole
