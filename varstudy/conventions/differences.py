"""Findings laid beside other findings: what differs, and whether the versions are the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .record import Row, shown

__all__ = ["Difference", "alike", "differences"]

# Numbers solved from float32 outputs agree to this; errors of an algorithm hang on the processor's vector length.
SOLVED = 1e-3
ERRORS = 10.0
MEASURED_ERRORS = ("accuracy.", "float16.", "bfloat16.")
PROBE = "probe"


@dataclass(frozen=True)
class Difference:
    """One property that was found otherwise than before.

    Attributes
    ----------
    before, after : the values in words. same_version : of the framework, and of what it runs on. versions : both.
    fails : whether it should not be: not between two versions, and a measured error not between two processors, whose
        vectors have other lengths and sum in another order.
    """

    framework: str
    kind: str
    variant: str
    property: str
    threads: int
    before: str
    after: str
    same_version: bool
    versions: tuple[str, str]
    fails: bool

    def sentence(self) -> str:
        """For people."""
        where = f"{self.framework}, {self.kind} {self.variant}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        label = "" if self.fails else " (another processor)"
        if not self.same_version:
            label = f" (before: {self.versions[0]}; now: {self.versions[1]})"
        return f"{where}: {self.property} was {self.before}, is {self.after}{label}"


def alike(name: str, one: Any, two: Any) -> bool:
    """Whether two values of a property are one finding."""
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(alike(name, a, b) for a, b in zip(one, two, strict=True))
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (one, two))
    if not numbers:
        return type(one) is type(two) and bool(one == two)
    if name.startswith(MEASURED_ERRORS):
        # Below float32's unit roundoff there is nothing to tell apart.
        small, large = sorted(max(abs(float(each)), 2.0**-24) for each in (one, two))
        return large <= ERRORS * small
    return math.isclose(one, two, rel_tol=SOLVED, abs_tol=1e-12)


def _words(row: Row | None) -> str:
    if row is None:
        return "not there"
    return shown(row.plain()) if row.value else row.status


def _differs(before: Row, after: Row | None) -> bool:
    if after is None or before.status != after.status:
        return True
    return bool(before.value or after.value) and not alike(before.property, before.plain(), after.plain())


def differences(before: Iterable[Row], after: Sequence[Row]) -> list[Difference]:
    """What of `before` is otherwise in `after`; frameworks and kinds that `after` has nothing of are left out.

    Rows that say only that a framework could not be asked are not compared.
    """
    now = {row.key(): row for row in after if row.property != PROBE}
    asked = {(row.framework, row.kind) for row in now.values()}
    threads = {(row.framework, row.threads) for row in after} | {(row.framework, 1) for row in after}
    then = {row.key(): row for row in before if row.property != PROBE and (row.framework, row.kind) in asked}
    versions = {row.framework: row.version for row in now.values()}
    machines = {row.framework: row.machine for row in now.values()}
    found = []
    for key in sorted(then.keys() | {key for key in now if (*key[:4], 1) in then}):
        old = then.get(key) or then[(*key[:4], 1)]
        new = now.get(key) or now.get((*key[:4], 1))
        if (key[0], key[4]) not in threads or not _differs(old, new):
            continue
        pair = (old.version, versions[key[0]])
        same = pair[0] == pair[1]
        tied = key[3].startswith(MEASURED_ERRORS) and old.machine != machines[key[0]]
        found.append(Difference(*key, _words(old), _words(new), same, pair, same and not tied))
    return found
