"""Exact moments from many processes, with two functions: joblib here, and the same for Spark and Ray.

Objects are pickled on their way. Both functions answer new objects, so that no worker changes a start that others
share. Run it: python many_processes.py
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import joblib
import numpy as np

import varstudy


def take(total: varstudy.Moments, values: Any) -> varstudy.Moments:
    """The moments with more values."""
    return total + varstudy.Moments().update(values)


def merge(a: varstudy.Moments, b: varstudy.Moments) -> varstudy.Moments:
    """The moments of both."""
    return a + b


def of_part(pieces: Iterable[Any]) -> varstudy.Moments:
    """The moments of the pieces that one worker has."""
    return reduce(take, pieces, varstudy.Moments())


def with_joblib(parts: list[list[Any]]) -> varstudy.Moments:
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(of_part)(part) for part in parts)
    return varstudy.Moments.merged(found)


def with_spark(rdd: Any) -> varstudy.Moments:
    """rdd : of arrays, such as sc.parallelize(pieces)."""
    found: varstudy.Moments = rdd.treeAggregate(varstudy.Moments(), take, merge)
    return found


def with_ray(parts: list[list[Any]], ray: Any) -> varstudy.Moments:
    """A tree of tasks: no more than two objects meet in one."""
    reading, merging = ray.remote(of_part), ray.remote(merge)
    found = [reading.remote(part) for part in parts]
    while len(found) > 1:
        pairs = [merging.remote(a, b) for a, b in zip(found[0::2], found[1::2], strict=False)]
        found = pairs + found[2 * len(pairs) :]
    answer: varstudy.Moments = ray.get(found[0])
    return answer


def main() -> None:
    g = np.random.default_rng(0)
    parts = [[g.normal(1e8, 1.0, size) for size in (300, 1, 50)] for _ in range(5)]
    whole = np.concatenate([piece for part in parts for piece in part])
    found = with_joblib(parts)
    assert found.variance(1) == varstudy.var(whole, correction=1)
    print(f"joblib: variance {found.variance(1):.15f}, the bits of the whole")


if __name__ == "__main__":
    main()
