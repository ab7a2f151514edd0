"""The user's own array as a case."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..array_files import load
from .case import Array, Case
from .streams import Stream

__all__ = ["from_file"]


def from_file(
    path: str | Path,
    norm: str = "flat",
    layout: str = "NCHW",
    groups: int | None = None,
    *,
    storage: str | None = None,
) -> Case:
    """A case of the user's own array, with the name ``file/`` and the path as it was given.

    Parameters
    ----------
    path, storage : as for `varstudy.study.array_files.load`.
    norm, layout, groups : the reduction to study, as for `varkernels.views.view`, which checks the rank.

    Raises
    ------
    FileProblem
        The file cannot be studied, see `load`.
    ValueError
        The norm or the layout is unknown, or group norm has no number of groups.
    """
    loaded = load(path, storage=storage)
    return Case(
        name=f"file/{path}",
        family="file",
        group="user",
        shape=loaded.array.shape,
        layout=layout,
        norms=(norm,),
        groups=groups,
        storages=(loaded.storage,),
        rationale=f"Your own array{', ' + loaded.how if loaded.how else ''}.",
        source=str(path),
        levels=frozenset(),
        generate=partial(_given, array=loaded.array),
    )


def _given(storage: str, stream: Stream, *, array: Array) -> Array:
    return array
