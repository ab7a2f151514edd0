"""From a view to its moments: checks, compiles the one kernel that is needed, runs it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .algorithm import Algorithm, Order
from .cuda import tensors
from .cuda.detecting import lies_on_gpu
from .formats import FLOAT32, FLOAT64, FORMATS, Format, format_of
from .formulas import Formula
from .registry import get
from .row_moments import Moments
from .shipped import kernel
from .views import rows_of

__all__ = ["accumulate", "compile_ahead", "moments"]

# The default of `algorithm`: not named, which differs from the same name given; on a GPU it is the library's choice.
UNNAMED = "".join(("wel", "ford"))


@cache
def _kernel(formula: Formula, order: Order, storage: Format, accumulator: Format, builtin: bool) -> Any:
    """The compiled kernel for exactly these types; of another package's formula, always compiled here.

    storage : float32 or float64, whatever the values are stored in: see `_widened`.
    """
    name = f"{order.kernel}-{formula.name}-{storage}-{accumulator}" if builtin else None
    return kernel(name, "schedule_kernels", formula, order.kernel, storage, accumulator)


def _widened(view: NDArray[Any], storage: Format) -> tuple[NDArray[Any], Format]:
    """A view as it enters a kernel, and its format: values of 16 bits as float32, which is exact.

    The package brings its kernels for these two storages: others would be compiled first.
    """
    if storage in (FLOAT32, FLOAT64):
        return view, storage
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return view.astype(np.float32), FLOAT32


def _sweep(
    view: NDArray[Any],
    storage: Format,
    formula: Formula,
    order: Order,
    accumulator: Format,
    builtin: bool,
    given: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """What a formula reads of each row, (rows, 2), after the sweeps for its centre, all in one order."""
    centres = np.zeros((view.shape[1], 2))
    if formula.centre == "first":
        with np.errstate(invalid="ignore"):  # a signalling NaN
            centres[:, 0] = view[0, :, 0].astype(np.float64)
    elif formula.centre == "given":
        assert given is not None
        centres[:, 0] = given
    elif isinstance(formula.centre, Formula):
        centres = _sweep(view, storage, formula.centre, order, accumulator, builtin, given)
    out = np.empty_like(centres)
    sweep = _kernel(formula, order, storage, accumulator, builtin)
    sweep(view, centres, out, order.width)
    return out


def _run(
    view: NDArray[Any],
    storage: Format,
    algorithm: Algorithm,
    accumulator: Format,
    centre: NDArray[np.float64] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Means and M2s of a three-dimensional view's rows, as float64 or in the accumulator's dtype."""
    if algorithm.parts is None:
        assert algorithm.run is not None
        mean, m2 = algorithm.run(view, centre, accumulator)
        for name, answer in (("means", mean), ("M2s", m2)):
            if np.shape(answer) != (view.shape[1],):
                raise ValueError(
                    f"algorithm {algorithm.name!r} answered {name} of shape {np.shape(answer)} "
                    f"for a view of shape {view.shape}: its run must give one for each of the "
                    f"{view.shape[1]} rows"
                )
        return np.asarray(mean), np.asarray(m2)
    out = _sweep(*_widened(view, storage), *algorithm.parts, accumulator, algorithm.builtin, centre)
    return out[:, 0], out[:, 1]


def moments(
    view: ArrayLike,
    algorithm: str | Algorithm = UNNAMED,
    accumulator: object = None,
    *,
    centre: ArrayLike | None = None,
) -> Moments:
    """Count, mean and M2 of every row of a view, by one algorithm, in one precision.

    Parameters
    ----------
    view : array (segments, rows, length), of float16, bfloat16 (ml_dtypes), float32 or float64, of any
        strides; values of 32 and 64 bits are not copied. Row r holds the values view[:, r, :]. Four dimensions
        (blocks, segments, rows, length) stand for the blocks' rows one after the other. Or such an array on a GPU (of
        torch, CuPy, Numba, JAX or others with `__dlpack__` or `__cuda_array_interface__`), which is reduced there, on
        its own stream.
    algorithm : a name from `algorithms()`, ``formula/order``, or an Algorithm. For an array on a GPU a name from
        `varkernels.cuda.algorithms()`; without one ``chan/grid4``, or ``chan/columns`` where rows lie side by side.
    accumulator : the format of every operation: the storage's own (the default, or the narrowest wider one that the
        algorithm has), float32 or float64. In float16 and bfloat16 every operation is rounded to nearest even.
    centre : for the formula ``shifted``: a number, or one for each row, rounded to the accumulator's format.

    Returns
    -------
    Moments : count (int64), mean and m2 (the accumulator's dtype), each of shape (rows,). Rows without values
        have mean NaN and M2 NaN. For an array on a GPU a `varkernels.cuda.DeviceMoments`, whose answers stay there.

    Raises
    ------
    TypeError
        A dtype is not supported, or the centre is no number.
    ValueError
        The view's rank is wrong; the algorithm is unknown; the accumulator is narrower than the storage or
        another small format; a centre is missing, superfluous or of a wrong shape.
    varkernels.cuda.DeviceError
        The GPU on which the view lies, or its driver, cannot do it.
    """
    if lies_on_gpu(view):
        if centre is not None:
            raise ValueError("centre is not taken with an array on a GPU: leave it out")
        if not isinstance(algorithm, str):
            raise ValueError(
                f"algorithm {algorithm.name!r} has no CUDA kernel: give a name from varkernels.cuda.algorithms()"
            )
        given = None if accumulator is None else format_of(accumulator)
        name = None if algorithm is UNNAMED else algorithm
        there = tensors.described(view)
        return tensors.moments_of_rows(there, name, given)  # type: ignore[return-value]
    array, storage = rows_of(view)
    algo = get(algorithm) if isinstance(algorithm, str) else algorithm
    fmt = _default(algo, storage) if accumulator is None else format_of(accumulator)
    if fmt not in (storage, FLOAT32, FLOAT64) or fmt.precision < storage.precision:
        raise ValueError(
            f"accumulator={fmt} does not serve {storage} values: use {storage} itself or a wider one of "
            "float32 and float64"
        )
    return accumulate(array, storage, algo, fmt, centre)


def _default(algo: Algorithm, storage: Format) -> Format:
    """The storage's own format, or the narrowest wider one that the algorithm can accumulate in."""
    wider = (f for f in (storage, FLOAT32, FLOAT64) if f.precision >= storage.precision and f.name in algo.accumulators)
    return next(wider, storage)


def accumulate(
    array: NDArray[Any],
    storage: Format,
    algo: Algorithm,
    fmt: Format,
    centre: ArrayLike | None = None,
) -> Moments:
    """`moments` of a checked four-dimensional array in any format, the values rounded to it when read."""
    if fmt.name not in algo.accumulators:
        raise ValueError(f"algorithm {algo.name!r} does not accumulate in {fmt}: use {' or '.join(algo.accumulators)}")
    blocks, segments, rows, length = array.shape
    centres = _centres(algo, centre, blocks * rows)
    if algo.whole is not None:
        return algo.whole(array, fmt)
    mean = np.full(blocks * rows, np.nan)
    m2 = np.full(blocks * rows, np.nan)
    if array.size > 0:
        for b in range(blocks):
            part = slice(b * rows, (b + 1) * rows)
            given = None if centres is None else centres[part]
            mean[part], m2[part] = _run(array[b], storage, algo, fmt, given)
    count = np.full(blocks * rows, segments * length, dtype=np.int64)
    return Moments(count, fmt.rounded(mean), fmt.rounded(m2), fmt)


def _centres(algorithm: Algorithm, centre: ArrayLike | None, rows: int) -> NDArray[np.float64] | None:
    """A centre for each row, or None; a function of a third party may take a centre or leave it out."""
    if centre is None:
        if algorithm.needs_centre:
            raise ValueError(
                f"algorithm {algorithm.name!r} needs a centre: a number, or one for each of the {rows} rows"
            )
        return None
    if not algorithm.needs_centre and algorithm.parts is not None:
        raise ValueError(f"algorithm {algorithm.name!r} takes no centre: leave it out, or use 'shifted'")
    given = np.asarray(centre)
    if given.dtype.kind not in "biufO" and given.dtype not in (fmt.dtype for fmt in FORMATS.values()):
        raise TypeError(f"centre has the dtype {given.dtype}: give a number, or one for each of the {rows} rows")
    given = given.astype(np.float64)
    if given.shape not in ((), (1,), (rows,)):
        raise ValueError(f"centre has shape {given.shape}: give a number, or one for each of the {rows} rows")
    return np.broadcast_to(given, (rows,))


def compile_ahead(algorithms: list[str], accumulators: list[Format], storages: list[Format]) -> int:
    """Compile (or load from disk) the kernels of these algorithms; how many there were."""
    done = 0
    for name in algorithms:
        algo = get(name)
        if algo.parts is None:
            continue
        formula, order = algo.parts
        for storage in storages:
            for fmt in accumulators:
                part: object = formula
                while isinstance(part, Formula):
                    _kernel(part, order, storage, fmt, algo.builtin)
                    done += 1
                    part = part.centre
    return done
