"""A feature map of the study: what it is, why it is here, and how its values are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

from numpy.typing import NDArray

from varkernels.formats import FORMATS
from varkernels.layouts import LAYOUTS, NORMS

from .streams import Stream

__all__ = ["DEFAULT", "FULL", "GROUPS", "LAYOUTS", "LEVELS", "NORMS", "QUICK", "Array", "Case", "Generator"]

Array = NDArray[Any]
Generator = Callable[[str, Stream], Array]

LEVELS = ("quick", "default", "full")
GROUPS = ("families", "kappa-sweep", "growth", "norms", "bessel", "museum", "nist", "photo", "user")

# A case of a smaller level belongs to every larger one.
FULL = frozenset({"full"})
DEFAULT = FULL | {"default"}
QUICK = DEFAULT | {"quick"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A feature map with a name, a seeded generator and one sentence that says why it is here.

    Attributes
    ----------
    name : unique and stable; the random values depend on it and on the seed, on nothing else.
    family : the generator's family: ``offset``, ``museum``, ``nist``, ``photo``, ``file`` ...
    group : the figure that it serves, one of ``GROUPS``.
    shape, layout : shape of the array, and what its axes are: ``NCHW``, ``NHWC`` or ``NC``.
    norms, groups : the reductions to study it under; `groups` is the number of groups of group norm.
    storages : names of the storage formats for which the case makes sense.
    rationale : one sentence: why it is here, what breaks.
    source : citation or URL; empty where the case is ours.
    observed : museum only: what was observed in the wild.
    levels : the study's levels that include it.
    kappa_requested : the condition number asked for, where one number holds for every storage.
    population_variance : variance of the distribution sampled, where it is known.
    corrections : divisors to study: the variance is M2 / (count - correction).
    exact_decimals : the exact decimal data, where the storage itself already changes them.
    generate : makes the values for a storage from a random stream.
    stream : name of the random stream, empty for the case's own; two layouts of one map share one.

    Raises
    ------
    ValueError
        The group, the layout, a norm, a storage or a level is unknown, or group norm has no number of groups.
    """

    name: str
    family: str
    group: str
    shape: tuple[int, ...]
    layout: str
    norms: tuple[str, ...]
    groups: int | None = None
    storages: tuple[str, ...]
    rationale: str
    source: str = ""
    observed: str = ""
    levels: frozenset[str]
    kappa_requested: float | None = None
    population_variance: float | None = None
    corrections: tuple[float, ...] = (0.0,)
    exact_decimals: Callable[[], tuple[Fraction, ...]] | None = field(default=None, repr=False, compare=False)
    generate: Generator = field(repr=False, compare=False)
    stream: str = ""

    def __post_init__(self) -> None:
        for value, allowed, what in (
            (self.group, GROUPS, "group"),
            (self.layout, LAYOUTS, "layout"),
            *((norm, NORMS, "norm") for norm in self.norms),
            *((storage, tuple(FORMATS), "storage") for storage in self.storages),
            *((level, LEVELS, "level") for level in self.levels),
        ):
            if value not in allowed:
                raise ValueError(f"case {self.name!r}: {what} {value!r} is not one of {', '.join(allowed)}")
        if "group" in self.norms and self.groups is None:
            raise ValueError(f"case {self.name!r}: group norm needs a number of groups")

    @property
    def elements(self) -> int:
        """Number of values in the array."""
        return prod(self.shape)

    def info(self) -> dict[str, Any]:
        """What the case is without its name, ready for JSON."""
        return {
            "group": self.group,
            "family": self.family,
            "shape": list(self.shape),
            "layout": self.layout,
            "norms": list(self.norms),
            "groups": self.groups,
            "storages": list(self.storages),
            "rationale": self.rationale,
            "source": self.source,
            "observed": self.observed,
            "kappa_requested": self.kappa_requested,
            "population_variance": self.population_variance,
            "corrections": list(self.corrections),
        }

    def make(self, storage: str, seed: int) -> Array:
        """The array, of dtype ``FORMATS[storage].dtype`` and shape `shape`.

        The same (name, storage, seed) gives the same bits on every machine, whatever else was generated. The
        values are made in float64 or as exact integers and rounded to the storage once.

        Parameters
        ----------
        storage : one of `storages`. seed : 0 or a positive integer.

        Raises
        ------
        ValueError
            The case is not defined for this storage, or the seed is negative.
        RuntimeError
            Its generator made an array of another dtype or shape.
        """
        if storage not in self.storages:
            raise ValueError(
                f"case {self.name!r} is not defined for storage {storage!r}: use {' or '.join(self.storages)}"
            )
        array = self.generate(storage, Stream(self.stream or self.name, seed))
        if array.shape != self.shape or array.dtype != FORMATS[storage].dtype:
            raise RuntimeError(
                f"case {self.name!r} made {array.dtype}{list(array.shape)}, not {storage}{list(self.shape)}"
            )
        return array

    def decimals(self) -> tuple[Fraction, ...] | None:
        """The exact decimal data, in the order of the stored values; None where those are the data."""
        return None if self.exact_decimals is None else self.exact_decimals()
