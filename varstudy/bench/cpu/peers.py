"""Whom we measure, and how each is called: the population variance of what its users hold in their hands.

A peer's library is imported when it is prepared, never before, and what turns a numpy array into the peer's own
container is not timed. Each is called as its documentation has it, with the answer in the format that it chooses.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..targets import NORMS

__all__ = ["CONTENDERS", "NORMS", "OURS", "Contender", "PeerCall"]

OURS = "varstudy exact"

Array = NDArray[Any]
Axes = int | tuple[int, ...] | None


@dataclass(frozen=True)
class PeerCall:
    """What is timed, what precedes each sample, and how its result becomes arrays: one for each norm."""

    run: Callable[[], Any]
    answer: Callable[[Any], Any] = lambda result: result
    before: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Contender:
    """A variance of a library.

    Attributes
    ----------
    package : its name for pip, whose version is recorded.
    threads : how its threads are limited: ``one`` it has only one; ``call`` by its own call; ``environment`` by a
        variable set before it loads.
    flat : (array of one dimension, threads) -> PeerCall.
    norm : (array NCHW, norm, groups, threads) -> PeerCall for one norm; None where it has none.
    every : (array NCHW, groups) -> PeerCall for all norms at once, whose answer is a dict; None where it has none.
    table : (array, axis or axes, threads) -> PeerCall for a reduction of these axes; None where it has none.
    masked : (array, mask, axis or axes) -> PeerCall for a reduction of the values that count; None where it is not
        timed.
    """

    name: str
    package: str
    threads: str
    flat: Callable[[Array, int], PeerCall]
    norm: Callable[[Array, str, int, int], PeerCall] | None = None
    every: Callable[[Array, int], PeerCall] | None = None
    table: Callable[[Array, Axes, int], PeerCall] | None = None
    masked: Callable[[Array, Array, Axes], PeerCall] | None = None


def _load(name: str) -> Any:
    return importlib.import_module(name)


def _by_axes(
    name: str,
    package: str,
    threads: str,
    call: Callable[[Array, Axes, int], PeerCall],
    masked: Callable[[Array, Array, Axes], PeerCall] | None = None,
) -> Contender:
    """A contender that reduces some axes, or all of them for None."""

    def norm(x: Array, norm: str, groups: int, threads: int) -> PeerCall:
        n, c, h, w = x.shape
        if norm == "group":
            return call(x.reshape(n, groups, c // groups, h, w), (2, 3, 4), threads)
        return call(x, {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}[norm], threads)

    return Contender(name, package, threads, lambda x, threads: call(x, None, threads), norm, table=call, masked=masked)


# This library ------------------------------------------------------------------------------------------------------


def _flat(x: Array, threads: int) -> PeerCall:
    var = _load("varstudy").var
    return PeerCall(lambda: var(x))


def _norm(x: Array, name: str, groups: int, threads: int) -> PeerCall:
    moments = _load("varstudy").feature_moments

    def run() -> Any:
        return moments(x, (name,), groups=groups)[name].variance()

    return PeerCall(run)


def _norms(x: Array, groups: int) -> PeerCall:
    moments = _load("varstudy").feature_moments

    def run() -> dict[str, Any]:
        found = moments(x, NORMS, groups=groups)
        return {name: found[name].variance() for name in NORMS}

    return PeerCall(run)


def _table(x: Array, axes: Axes, threads: int) -> PeerCall:
    var = _load("varstudy").var
    return PeerCall(lambda: var(x, axis=axes))


def _masked(x: Array, mask: Array, axes: Axes) -> PeerCall:
    var = _load("varstudy").var
    return PeerCall(lambda: var(x, axis=axes, where=mask))


# Arrays ------------------------------------------------------------------------------------------------------------


def _numpy(x: Array, axes: Axes, threads: int) -> PeerCall:
    return PeerCall(lambda: np.var(x, axis=axes))


def _numpy_masked(x: Array, mask: Array, axes: Axes) -> PeerCall:
    return PeerCall(lambda: np.var(x, axis=axes, where=mask))


def _torch(function: str) -> Callable[[Array, Axes, int], PeerCall]:
    first = function == "var_mean"  # the variance comes first

    def call(x: Array, axes: Axes, threads: int) -> PeerCall:
        torch = _load("torch")
        torch.set_num_threads(threads)
        tensor, of = torch.from_numpy(x), getattr(torch, function)
        return PeerCall(
            lambda: of(tensor, dim=axes, correction=0),
            lambda result: (result[0] if first else result).numpy(),
        )

    return call


def _jax(x: Array, axes: Axes, threads: int) -> PeerCall:
    jax = _load("jax")
    jax.config.update("jax_enable_x64", True)  # or else float64 is silently cut to float32
    var = jax.jit(lambda a: jax.numpy.var(a, axis=axes))
    held = jax.numpy.asarray(x)
    return PeerCall(lambda: var(held).block_until_ready(), np.asarray)


def _bottleneck_flat(x: Array, threads: int) -> PeerCall:
    nanvar = _load("bottleneck").nanvar
    return PeerCall(lambda: nanvar(x))


def _bottleneck_norm(x: Array, norm: str, groups: int, threads: int) -> PeerCall:
    """It reduces one axis: batch norm's rows must be brought together first, and that is timed."""
    nanvar = _load("bottleneck").nanvar
    n, c = x.shape[:2]
    if norm == "batch":
        return PeerCall(lambda: nanvar(np.moveaxis(x, 1, 0).reshape(c, -1), axis=1))
    rows = x.reshape({"layer": n, "instance": n * c, "group": n * groups}[norm], -1)
    return PeerCall(lambda: nanvar(rows, axis=1))


def _bottleneck_table(x: Array, axes: Axes, threads: int) -> PeerCall:
    """Several axes must be brought together first, and that is timed."""
    nanvar = _load("bottleneck").nanvar
    if not isinstance(axes, tuple):
        return PeerCall(lambda: nanvar(x, axis=axes))
    kept = [a for a in range(x.ndim) if a not in axes]
    shape = [x.shape[a] for a in kept]
    return PeerCall(lambda: nanvar(x.transpose([*kept, *axes]).reshape(*shape, -1), axis=-1))


# Tables ------------------------------------------------------------------------------------------------------------


def _polars(x: Array, threads: int) -> PeerCall:
    series = _load("polars").Series(x)
    return PeerCall(lambda: series.var(ddof=0))


def _pyarrow(x: Array, threads: int) -> PeerCall:
    arrow = _load("pyarrow")
    variance = _load("pyarrow.compute").variance
    arrow.set_cpu_count(threads)
    array = arrow.array(x)
    return PeerCall(lambda: variance(array, ddof=0), lambda result: result.as_py())


def _pandas(bottleneck: bool) -> Callable[[Array, int], PeerCall]:
    def flat(x: Array, threads: int) -> PeerCall:
        if bottleneck:
            _load("bottleneck")
        pandas = _load("pandas")
        series = pandas.Series(x, copy=False)
        return PeerCall(
            lambda: series.var(ddof=0),
            before=lambda: pandas.set_option("compute.use_bottleneck", bottleneck),
        )

    return flat


def _frame(x: Array, axes: Axes, threads: int) -> PeerCall:
    """A DataFrame of the rows or the columns of a table; of any other array, a column for each answer."""
    pandas = _load("pandas")
    across = axes == 1 and x.ndim == 2
    if not across:
        reduced = axes if isinstance(axes, tuple) else (axes,)
        kept = [a for a in range(x.ndim) if a not in reduced]
        columns = int(np.prod([x.shape[a] for a in kept]))
        x = x.transpose([a for a in (*reduced, *kept) if a is not None]).reshape(-1, columns)
    frame = pandas.DataFrame(x, copy=False)
    return PeerCall(
        lambda: frame.var(axis=int(across), ddof=0),
        before=lambda: pandas.set_option("compute.use_bottleneck", False),
    )


def _duckdb(x: Array, threads: int) -> PeerCall:
    duckdb, pandas = _load("duckdb"), _load("pandas")
    connection = duckdb.connect(config={"threads": threads})
    connection.register("given", pandas.DataFrame({"x": x}, copy=False))
    connection.execute("CREATE TABLE held AS SELECT x FROM given")
    connection.unregister("given")
    return PeerCall(lambda: connection.execute("SELECT var_pop(x) FROM held").fetchone(), lambda result: result[0])


def _sklearn(x: Array, threads: int) -> PeerCall:
    scaler = _load("sklearn.preprocessing").StandardScaler
    column = x.reshape(-1, 1)
    return PeerCall(lambda: scaler(copy=False).fit(column).var_[0])


CONTENDERS = (
    Contender(OURS, "varstudy", "environment", _flat, _norm, _norms, _table, _masked),
    _by_axes("numpy.var", "numpy", "one", _numpy, _numpy_masked),
    _by_axes("torch.var", "torch", "call", _torch("var")),
    _by_axes("torch.var_mean", "torch", "call", _torch("var_mean")),
    _by_axes("jax.jit(var)", "jax", "environment", _jax),
    Contender("polars", "polars", "environment", _polars),
    Contender("pyarrow", "pyarrow", "call", _pyarrow),
    Contender("bottleneck", "bottleneck", "one", _bottleneck_flat, _bottleneck_norm, table=_bottleneck_table),
    Contender("pandas", "pandas", "one", _pandas(bottleneck=False), table=_frame),
    Contender("pandas + bottleneck", "pandas", "one", _pandas(bottleneck=True)),
    Contender("duckdb", "duckdb", "call", _duckdb),
    Contender("scikit-learn", "scikit-learn", "environment", _sklearn),
)
