"""The cases of a set: inputs, exact answers and limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS
from varkernels.norms.answers import ExactArray

from .channel_families import gradient_families, map_families, merge_families
from .families import row_families
from .limits import Limit
from .packing import Packed, pack, pack_cycled
from .recipes import Maker, Recipe
from .tolerances import merge_limits, tolerance

__all__ = ["BACKWARD", "DTYPES", "NORMS", "Case", "Output", "cases_of", "limits_of"]

NORMS = ("layer", "rms", "group", "instance", "batch", "sync", "variance")
BACKWARD = ("layer", "rms", "group", "instance", "batch")
_COMMON = ("float32", "float16", "bfloat16")
DTYPES = {norm: {"sync": ("float32",), "variance": (*_COMMON, "float64")}.get(norm, _COMMON) for norm in NORMS}
# Families that RMS norm and the variance do without: they are about weight, bias or many outputs.
_LAYER_ONLY = ("cancelled", "subnormal-output")


@dataclass(frozen=True, eq=False)
class Output:
    """What a kernel must answer: the exact value rounded, as a pair of float64 numbers, and the limit, as float32.

    All four repeat alike.
    """

    value: Packed
    high: Packed
    low: Packed
    limit: Packed

    @property
    def parts(self) -> dict[str, Packed]:
        """The four by name."""
        return {"value": self.value, "high": self.high, "low": self.low, "limit": self.limit}

    def loaded(self) -> Limit:
        """As an array of limits."""
        value = self.value.array()
        exact = ExactArray(value, self.high.array(), self.low.array(), _format(value.dtype))
        return Limit(exact, self.limit.array().astype(np.float64))


@dataclass(frozen=True, eq=False)
class Case:
    """One call of a kernel.

    Attributes
    ----------
    norm, dtype, family : what it is. backward : whether it asks for gradients. why : one sentence.
    epsilon, groups, correction : numbers that the kernel gets where its norm has them.
    inputs : arrays by name. outputs : what it must answer, by name.
    """

    norm: str
    backward: bool
    dtype: str
    family: str
    why: str
    epsilon: float
    groups: int
    correction: int
    inputs: dict[str, Packed]
    outputs: dict[str, Output]

    @property
    def name(self) -> str:
        """A name that is a file's name too."""
        ending = f"-correction-{self.correction}" if self.norm == "variance" else ""
        return f"{self.group}.{self.family}{ending}"

    @property
    def group(self) -> str:
        """The cases of one norm, direction and dtype, which share a file."""
        return f"{self.norm}{'-backward' if self.backward else ''}.{self.dtype}"


def _format(dtype: Any) -> Any:
    return next(fmt for fmt in FORMATS.values() if fmt.dtype == dtype)


def cases_of(
    norm: str, dtype: str, *, backward: bool = False, full: bool = False, profile: str = "single"
) -> Iterator[Case]:
    """The cases of one norm and dtype, one after the other, with the limits of a profile.

    Parameters
    ----------
    norm : of `NORMS`. dtype : of its `DTYPES`. backward : gradients; of the norms in `BACKWARD`.
    full : longer and more rows, and three seeds. profile : as of `varstudy.testing.tolerance`.
    """
    for seed in range(3 if full else 1):
        maker = Maker(norm + "-backward" * backward, FORMATS[dtype], seed)
        if norm == "sync":
            for family, why, counts, means, variances in merge_families(maker):
                given = {"counts": pack(counts), "means": pack(means), "variances": pack(variances)}
                found = {name: _output(each, ()) for name, each in merge_limits(counts, means, variances).items()}
                yield Case(norm, False, dtype, _named(family, seed), why, 0.0, 0, 0, given, found)
            continue
        for recipe in _recipes(maker, norm, backward, full):
            renamed = recipe.using(family=_named(recipe.family, seed))
            yield _case(renamed, norm, backward, dtype, profile)


def _named(family: str, seed: int) -> str:
    return f"{family}-seed-{seed}" if seed else family


def _recipes(maker: Maker, norm: str, backward: bool, full: bool) -> Iterator[Recipe]:
    if backward:
        yield from gradient_families(maker, norm, full)
    elif norm == "layer":
        yield from row_families(maker, full)
    elif norm in ("rms", "variance"):
        for recipe in row_families(maker, full):
            if recipe.family not in _LAYER_ONLY:
                plain = recipe.using(bias=None)
                both = recipe.family.startswith(("length", "offset"))
                yield from (
                    [plain] if norm == "rms" else (plain.using(weight=None, correction=c) for c in range(1 + both))
                )
    else:
        yield from map_families(maker, norm, full)


def _case(recipe: Recipe, norm: str, backward: bool, dtype: str, profile: str) -> Case:
    head, period = recipe.cycle
    n = recipe.x.shape[1]
    cycles = ((head, period), *([(0, period // n)] if period >= n else [])) if period else ()
    arrays = {"x": recipe.x, "dy": recipe.dy, "weight": recipe.weight, "bias": recipe.bias}
    given = {name: each for name, each in arrays.items() if each is not None}
    inputs = {}
    for name, each in given.items():
        laid = recipe.memory if name in ("x", "dy") else "rows"
        inputs[name] = pack_cycled(each, cycles) if recipe.memory == "rows" else pack(each, laid)
    numbers = {"epsilon": recipe.epsilon, "groups": recipe.groups, "correction": recipe.correction}
    found = limits_of(norm, given, numbers, profile)
    outputs = {name: _output(each, cycles) for name, each in found.items()}
    return Case(
        norm,
        backward,
        dtype,
        recipe.family,
        recipe.why,
        recipe.epsilon,
        recipe.groups,
        recipe.correction,
        inputs,
        outputs,
    )


def limits_of(
    norm: str, arrays: dict[str, NDArray[Any]], numbers: dict[str, Any], profile: str, **low: str
) -> dict[str, Limit]:
    """The limits of a case's outputs in a profile; `low` has formula and order of the low-precision one."""
    if norm == "sync":
        return merge_limits(arrays["counts"], arrays["means"], arrays["variances"])
    x = arrays["x"]
    period = _repeated_rows(x) if norm in ("layer", "rms", "variance") and "dy" not in arrays else 0
    if period:
        found = limits_of(norm, {**arrays, "x": x[:period]}, numbers, profile, **low)
        return {name: _tiled(each, len(x)) for name, each in found.items()}
    given: dict[str, Any] = {name: arrays[name] for name in ("weight", "bias", "dy") if name in arrays}
    given |= low
    given |= {"groups": numbers["groups"]} if norm == "group" else {}
    given |= {"corrections": (numbers["correction"],)} if norm == "variance" else {}
    found = tolerance(x, norm, profile=profile, epsilon=numbers["epsilon"], **given)
    if norm == "variance":
        return {"variance": next(each for name, each in found.items() if name != "mean")}
    return found


def _repeated_rows(x: NDArray[Any]) -> int:
    """The number of rows after which those of a long table repeat; 0 for another."""
    if len(x) < 4096:
        return 0
    same = (x[1:64] == x[0]).all(axis=1)
    period = int(np.argmax(same)) + 1
    return period if same.any() and np.array_equal(x[period:], x[:-period]) else 0


def _tiled(limit: Limit, rows: int) -> Limit:
    exact = limit.exact
    parts = [np.resize(each, (rows, *each.shape[1:])) for each in (exact.rounded, exact.high, exact.low, limit.limit)]
    return Limit(ExactArray(parts[0], parts[1], parts[2], exact.format), parts[3])


def _output(limit: Limit, cycles: tuple[tuple[int, int], ...]) -> Output:
    with np.errstate(over="ignore"):
        near = limit.limit.astype(np.float32)
        near = np.where(near < limit.limit, np.nextafter(near, np.float32(np.inf)), near)
    exact = limit.exact
    arrays = (exact.rounded, exact.high, exact.low, near)
    packed = [pack_cycled(each, cycles) for each in arrays]
    if len({(each.head, len(each.data)) for each in packed}) > 1:
        packed = [pack(each) for each in arrays]
    return Output(*packed)
