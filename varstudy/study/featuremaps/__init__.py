"""Feature maps: adversarial families, sweeps, a network's maps, bugs, published data, your own files.

    >>> from varstudy.study import featuremaps
    >>> case = featuremaps.find("museum/pytorch/pytorch#2470")
    >>> case.make("float32", seed=0)
    array([[2281.5 , 2281.25]], dtype=float32)

Generators are named, seeded and pure: the same name, storage and seed give the same bits on every machine.
"""

from __future__ import annotations

from functools import lru_cache

from ..._io.matching import nearest
from ..array_files import FileProblem
from . import families, museum, networks, nist, photos, sweeps
from .case import GROUPS, LEVELS, Case
from .museum import LEFT_OUT
from .user_file import from_file

__all__ = [
    "GROUPS",
    "LEFT_OUT",
    "LEVELS",
    "Case",
    "FileProblem",
    "UnknownCase",
    "cases",
    "find",
    "from_file",
]


class UnknownCase(LookupError):
    """No case has this name; the message suggests the nearest ones."""


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, Case]:
    listed = (
        *families.cases(),
        *sweeps.kappa_sweep(),
        *sweeps.growth(),
        *networks.cases(),
        *sweeps.bessel(),
        *museum.cases(),
        *nist.cases(),
        *photos.cases(),
    )
    catalogue = {case.name: case for case in listed}
    if len(catalogue) != len(listed):
        raise RuntimeError("two cases have the same name")
    return catalogue


def cases(level: str = "default", seed: int = 0) -> tuple[Case, ...]:
    """The cases of a level, in a fixed order.

    The photographs are listed only where the extra ``photos`` is installed; nothing else depends on the
    machine. No values are made before ``Case.make``.

    Parameters
    ----------
    level : ``quick``, ``default`` or ``full``; each includes the one before.
    seed : the seed that the values will be made with; the list does not depend on it.

    Raises
    ------
    ValueError
        The level is unknown or the seed negative.
    """
    if level not in LEVELS:
        raise ValueError(f"level={level!r} is unknown: use one of {', '.join(LEVELS)}")
    if seed < 0:
        raise ValueError(f"seed={seed} is negative: use 0 or a positive integer")
    return tuple(case for case in _catalogue().values() if level in case.levels)


def find(name: str, seed: int = 0) -> Case:
    """The case of this name, of any level.

    Parameters
    ----------
    name : as the case has it, in full.
    seed : the seed that the values will be made with; the case does not depend on it.

    Raises
    ------
    UnknownCase
        There is none; the message names the nearest.
    ValueError
        The seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed={seed} is negative: use 0 or a positive integer")
    catalogue = _catalogue()
    if name in catalogue:
        return catalogue[name]
    hint = nearest(name, catalogue, "the cases of a level are listed by cases()")
    raise UnknownCase(f"case {name!r} is unknown: {hint}")
