"""Scripts of findings on outputs and gradients, element by element; ``answers`` of ``repro.json`` has the calls.

A script asks for an array of the survey's shape and offset. Its values are quarters, which every format holds, so the
exact elements follow from integers. It compares the first eight elements of the first group, or of the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.norms.backward import norm_backward
from varkernels.norms.forward import norm_forward

from ...study.score import WRONG_ERROR
from ..elements import ElementRow
from ..elements.asking import EPSILON, GROUPS, inputs
from ..frameworks.declaring import Framework
from .finding import NoScript
from .layer_script import imports, literal
from .recipes import filled, recipe

__all__ = ["BEYOND_STORING", "element"]

# Outputs that are off by so many times what storing them costs have lost more than their format does.
BEYOND_STORING = 4
SHOWN = 8
SEED = 2
_X = '({offset:g} + values.randint(-7, 8, {shape}) / 4).astype("float32")'
_LAST = {
    "y": "x = x.transpose(0, 2, 3, 1)",
    "gradients": "x, dy = (each.transpose(0, 2, 3, 1) for each in (x, dy))",
}
_DY = '(values.randint(-8, 11, {shape}) / 16).astype("float32")'


def element(framework: Framework, row: ElementRow) -> list[str]:
    """The script of a finding on outputs or gradients.

    Raises
    ------
    NoScript
        Nothing says how it is asked.
    """
    how = recipe(framework)
    what = "y" if row.array == "y" else "gradients"
    layer, lines = (_found(how.answers.get(part, {}), row) for part in ("layers", what))
    if layer is None or lines is None or row.mode != "training":
        raise NoScript(f"no short script asks for {row.array} of {row.kind} norm, {row.memory}, {row.mode}: "
                       f"'python -m varstudy.survey.elements.commit {framework.name}' measures it")  # fmt: skip
    one = next(each for each in inputs() if each.name == row.input)
    # 65,536 rows are asked for with few columns, which are sums of their own
    shape = one.shape if len(one.shape) == 4 or what == "y" else (one.shape[0], SHOWN)
    offset = one.offset
    last = row.memory == "channels-last" and bool(how.answers.get("last"))
    kept = "float32" if row.parameters == "float32" else row.storage
    words = {
        "dtype": row.storage, "kept": kept, "affine": row.parameters != "absent", "channels": shape[1],
        "groups": GROUPS, "axis": -1 if last else 1, "format": "NHWC" if last else "NCHW", "threads": row.threads[0],
        "policy": row.storage if kept == row.storage else f"mixed_{row.storage}",
        "element": row.storage.replace("float32", "float"), "held": kept.replace("float32", "float"),
    }  # fmt: skip
    seed = _found(how.answers.get("seed", {}), row) or SEED
    exact = _exact(row.array, row.kind, shape, offset, seed)
    limit = max(BEYOND_STORING * row.stored, min(WRONG_ERROR / 10, row.error / 10))
    found = row.array + ("" if row.array in ("y", "dx") else f"[:{SHOWN}]")
    if found == row.array:
        found += ("[0, 0, :8, 0]" if last else "[0, 0, 0, :8]") if len(shape) == 4 else "[0, :8]"
    return [
        *imports(framework.name, how, int(row.threads[0])),
        *(filled(line, words) for line in how.threads),
        f"values = numpy.random.RandomState({seed})",
        f"x = {_X.format(offset=offset, shape=shape)}",
        *([f"dy = {_DY.format(shape=shape)}"] if what == "gradients" else []),
        f"exact = numpy.array({literal(exact)})  # of the first {SHOWN}, from integers",
        *([_LAST[what]] if last else []),
        filled(how.make, {"layer": filled(layer, words)}),
        *(filled(line, words) for line in lines),
        f"found = {found}",
        f'print({how.version}, "found", found, "exact", exact)',
        "error = abs(found - exact).max() / abs(exact).max()",
        f'assert error < {limit:.1g}, f"off by {{error:.2g}}, relative; storing costs {row.stored:.1g}"',
    ]


def _found(given: Mapping[str, Any], row: ElementRow) -> Any:
    own = (f"{row.framework}/{row.kind}", row.framework)  # of frameworks that share a folder
    names = (*own, f"{row.kind}/{row.memory}", f"{row.kind}/{row.parameters}", row.kind, row.memory, "")
    return next((given[name] for name in names if name in given), None)


@cache
def _exact(array: str, kind: str, shape: tuple[int, ...], offset: float, seed: int) -> Sequence[float]:
    """The first elements, correctly rounded to nine digits; of the groups that they depend on, no others."""
    values = np.random.RandomState(seed)
    x: NDArray[Any] = (offset + values.randint(-7, 8, shape) / 4).astype(np.float64)
    dy: NDArray[Any] = values.randint(-8, 11, shape) / 16
    if kind == "group":
        x, dy = (each[: 1 if array in ("y", "dx") else None, : shape[1] // GROUPS] for each in (x, dy))
    elif len(shape) == 4:
        x, dy = (each[:, : 1 if array in ("y", "dx") else SHOWN] for each in (x, dy))
    elif array in ("y", "dx"):
        x, dy = x[:1], dy[:1]
    where: dict[str, Any] = {"norm": kind, "groups": 1, "epsilon": EPSILON}
    if array == "dbias":
        found = dy.sum(tuple(axis for axis in range(dy.ndim) if axis != 1))  # multiples of 1/16: nothing is rounded
    elif array == "dweight" and kind == "layer":
        # eight quarters a row: their mean and variance are exact in float64
        found = (dy * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + EPSILON)).sum(0)
    elif array == "y":
        found = norm_forward(x, **where).high
    else:
        found = getattr(norm_backward(x, dy, **where), array).high
    return [float(f"{value:.9g}") for value in found.ravel()[:SHOWN]]
