"""Cases that a JSON file lists: it has their texts, shapes and numbers, a module has their makers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .case import LEVELS, Case
from .storing import generator

__all__ = ["listed_case", "read_list"]


def read_list(name: str) -> dict[str, Any]:
    """What a file of this package says: its ``cases``, each the arguments of `listed_case`, and what else it has."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_text("utf-8"))
    return found


def listed_case(
    makers: Mapping[str, Any],
    *,
    group: str,
    name: str,
    maker: str,
    shape: Sequence[int],
    layout: str,
    norm: str,
    storages: Sequence[str],
    rationale: str,
    arguments: Mapping[str, Any] | None = None,
    norms: Sequence[str] = (),
    level: str = "default",
    kappa: tuple[float, float] | None = None,
    corrections: Sequence[float] = (0.0,),
    **others: Any,
) -> Case:
    """A case from what a file says of it.

    Parameters
    ----------
    makers : functions by name, one of which is the `maker`; `arguments` are its own ones.
    norm : what the maker fills: channels (``batch``), lines of (N, C) (``layer``), or the whole array (``flat``).
    norms : where the case is studied under others than this one.
    level : the smallest that includes the case.
    kappa : the mean and the variance of the data, of which it is the condition number, sqrt(1 + mean^2 / variance).
    group, name, shape, layout, storages, rationale, corrections, others : as a `Case` has them.
    """
    extents = tuple(shape)
    return Case(
        name=name,
        group=group,
        family=name.partition("/")[0],
        shape=extents,
        layout=layout,
        norms=tuple(norms) or (norm,),
        storages=tuple(storages),
        rationale=rationale,
        levels=frozenset(LEVELS[LEVELS.index(level) :]),
        kappa_requested=None if kappa is None else math.sqrt(1.0 + kappa[0] ** 2 / kappa[1]),
        corrections=tuple(corrections),
        generate=generator(partial(makers[maker], **(arguments or {})), norm, extents, layout),
        **others,
    )
