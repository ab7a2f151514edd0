"""Conformance: what an algorithm of another package must do to be studied as ours are, as checks to run.

In a test file, for pytest (which this module does not import):

    from varkernels.conformance import Conformance

    class TestMine(Conformance):
        algorithm = MINE                      # an Algorithm, or the name of a registered one

or anywhere, with an AssertionError that has one line for each thing that went wrong:

    from varkernels.conformance import check_algorithm
    check_algorithm(MINE)

Every check runs for each pair of a storage format and an accumulator that the algorithm serves. An algorithm
that needs a centre gets the number 2. Bits are compared but for the payload of a NaN.
"""

from __future__ import annotations

from collections.abc import Callable

from ..algorithm import Algorithm
from ..formats import FORMATS, format_of
from ..registry import get
from .checks import CHECKS
from .subject import Subject

__all__ = ["CHECKS", "Conformance", "Subject", "check_algorithm", "failures"]


def _subjects(algorithm: Algorithm | str, exact: bool, storages: tuple[str, ...]) -> list[Subject]:
    """An algorithm with each storage format and each accumulator that serves both."""
    algo = get(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(algo, Algorithm):
        raise TypeError(f"{algorithm!r} is neither a varkernels.Algorithm nor the name of one")
    return [
        Subject(algo, storage, accumulator, exact)
        for storage in map(format_of, storages)
        for accumulator in FORMATS.values()
        if accumulator.name in algo.accumulators
        and (accumulator is storage or accumulator.precision >= max(24, storage.precision))
    ]


def failures(
    algorithm: Algorithm | str,
    *,
    exact: bool = True,
    storages: tuple[str, ...] = tuple(FORMATS),
    checks: tuple[str, ...] = tuple(CHECKS),
) -> list[str]:
    """A line for each thing that is wrong: the check, the algorithm, the formats, what it got, what was wanted.

    Parameters
    ----------
    algorithm : an Algorithm, or the name of a registered one.
    exact : whether its answers are exact where every operation of the textbook formulas is. Say False for an
        algorithm that multiplies with a rounded 1 / n, for instance: such answers must then be near.
    storages : the names of the values' formats that are tried, at least one.
    checks : names from CHECKS.

    Raises
    ------
    TypeError
        It is not an Algorithm, or a storage is no known format.
    ValueError
        There is no algorithm of that name, or it serves none of the storages; a check is unknown; or no storage is
        named.
    """
    unknown = [name for name in checks if name not in CHECKS]
    if unknown:
        raise ValueError(f"check {unknown[0]!r} is unknown: use some of {', '.join(CHECKS)}")
    if not storages:
        raise ValueError(f"storages={storages!r} names no format: use some of {', '.join(FORMATS)}")
    found = []
    tried = _subjects(algorithm, exact, storages)
    if not tried:
        name = getattr(algorithm, "name", algorithm)
        raise ValueError(f"algorithm {name!r} has no accumulator for values of {' or '.join(storages)}")
    for subject in tried:
        for name in checks:
            try:
                found += [f"{name}: {subject}: {sentence}" for sentence in CHECKS[name](subject)]
            except Exception as problem:  # an algorithm that raises has failed this check, not the others
                found.append(f"{name}: {subject}: it raises {type(problem).__name__}: {problem}")
    return found


def check_algorithm(
    algorithm: Algorithm | str, *, exact: bool = True, storages: tuple[str, ...] = tuple(FORMATS)
) -> None:
    """Run every check on an algorithm.

    Parameters
    ----------
    algorithm, exact, storages : as for `failures`.

    Raises
    ------
    AssertionError
        Something is wrong: one line for each thing.
    TypeError, ValueError
        As for `failures`.
    """
    found = failures(algorithm, exact=exact, storages=storages)
    if found:
        raise AssertionError("\n".join(found))


class Conformance:
    """The checks as a test class with a test for each, such as ``test_strides``.

    Derive a class whose name starts with Test, and give it an algorithm.

    Attributes
    ----------
    algorithm : an Algorithm, or the name of a registered one.
    exact, storages : as for `failures`.
    """

    algorithm: Algorithm | str
    exact: bool = True
    storages: tuple[str, ...] = tuple(FORMATS)

    def _check(self, name: str) -> None:
        found = failures(self.algorithm, exact=self.exact, storages=self.storages, checks=(name,))
        assert not found, "\n".join(found)


def _test_of(name: str) -> Callable[[Conformance], None]:
    def test(self: Conformance) -> None:
        self._check(name)

    test.__name__, test.__qualname__ = f"test_{name}", f"Conformance.test_{name}"
    test.__doc__ = CHECKS[name].__doc__
    return test


for _name in CHECKS:
    setattr(Conformance, f"test_{_name}", _test_of(_name))
