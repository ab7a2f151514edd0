"""Compare findings with other findings: what differs, and whether the versions are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .measured import PROBE, FindingRow, shown
from .properties import is_number

__all__ = ["Difference", "alike", "differences", "same_but_for_numbers"]

# Numbers solved from float32 outputs agree to this; errors of an algorithm hang on the processor's vector length.
SOLVED = 1e-3
ERRORS = 10.0
MEASURED_ERRORS = ("accuracy.", "float16.", "bfloat16.")


@dataclass(frozen=True)
class Difference:
    """One property that was found otherwise than before; or a kind of layer, or a framework, that was not asked again.

    Attributes
    ----------
    framework, kind, variant, property, threads : as in `record.Row`; the property of what was not asked is ``probe``.
    before, after : the values in words. same_version : of the framework, and of what it runs on. versions : both.
    fails : whether it should not be: not between two versions, and a measured error not between two processors, whose
        vectors have other lengths and sum in another order. A framework that could not be asked fails in any version.
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
        label = "" if self.fails else " (another processor)"
        if not self.same_version:
            label = f" (before: {self.versions[0]}; now: {self.versions[1]})"
        if self.property == PROBE:
            where = f"{self.framework}, {self.kind}" if self.kind else self.framework
            return f"{where}: {self.before} before, now {self.after}{label}"
        where = f"{self.framework}, {self.kind} {self.variant}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{where}: {self.property} was {self.before}, is {self.after}{label}"


def alike(name: str, one: Any, two: Any) -> bool:
    """Whether two values of a property are one finding.

    Numbers that were solved from outputs in float32 agree to 1e-3, relatively; errors of an algorithm, which hang on
    the processor, to a factor of 10. Lists agree if their numbers do; anything else must be equal.

    Parameters
    ----------
    name : the property: those that begin with ``accuracy.``, ``float16.`` or ``bfloat16.`` are errors.
    one, two : the values, as `record.Row.plain` gives them.
    """
    return same_but_for_numbers(one, two, _near_errors if name.startswith(MEASURED_ERRORS) else _near)


def same_but_for_numbers(one: Any, two: Any, near: Callable[[float, float], bool]) -> bool:
    """Whether two values are equal, where numbers, in lists too, need only be near each other."""
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(same_but_for_numbers(a, b, near) for a, b in zip(one, two, strict=True))
    if is_number(one) and is_number(two):
        return near(one, two)
    return type(one) is type(two) and bool(one == two)


def _near(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=SOLVED, abs_tol=1e-12)


def _near_errors(one: float, two: float) -> bool:
    """Below float32's unit roundoff there is nothing to tell apart."""
    small, large = sorted(max(abs(float(each)), 2.0**-24) for each in (one, two))
    return large <= ERRORS * small


def _words(row: FindingRow | None) -> str:
    if row is None:
        return "not there"
    return shown(row.plain()) if row.value else row.status


def _differs(before: FindingRow, after: FindingRow | None) -> bool:
    if after is None or before.status != after.status:
        return True
    return bool(before.value or after.value) and not alike(before.property, before.plain(), after.plain())


def differences(
    before: Iterable[FindingRow], after: Sequence[FindingRow], asked: Iterable[str] | None = None
) -> list[Difference]:
    """What of `before` is otherwise in `after`, or is not there any more.

    A framework that could not be asked, and a kind of layer of which nothing was found, is one difference.

    Parameters
    ----------
    before, after : the findings that there were, and those that were made now. Of what was not to be asked now, such as
        other kinds of layers, `before` should have nothing.
    asked : the frameworks that were asked; those that `after` has a row of where None. `before` may have others.
    """
    wanted = {row.framework for row in after} if asked is None else set(asked)
    known = [row for row in before if row.property != PROBE and row.framework in wanted]
    now = {row.key(): row for row in after if row.property != PROBE}
    kinds = {(row.framework, row.kind) for row in now.values()}
    threads = {(row.framework, row.threads) for row in after} | {(row.framework, 1) for row in after}
    then = {row.key(): row for row in known if (row.framework, row.kind) in kinds}
    versions = {row.framework: row.version for row in now.values()}
    machines = {row.framework: row.machine for row in now.values()}
    found = [*_unasked(known, after), *_lost(known, after, wanted)]
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


def _absent(
    key: tuple[str, str, str, str, int], rows: Sequence[FindingRow], words: str, version: str, fails: bool = False
) -> Difference:
    """The difference of what there were findings of; one that did not start has no version to tell."""
    count = f"{len(rows)} finding{'' if len(rows) == 1 else 's'}"
    pair = (rows[0].version, version or rows[0].version)
    same = pair[0] == pair[1]
    return Difference(*key, count, words, same, pair, fails or same)


def _told_by(trouble: FindingRow, row: FindingRow) -> bool:
    """Whether a row that says that a framework could not be asked speaks of this finding."""
    return trouble.framework == row.framework and trouble.kind in ("", row.kind)


def _unasked(known: Sequence[FindingRow], after: Sequence[FindingRow]) -> list[Difference]:
    """Frameworks that could not be asked, or not to the end, though there are findings of them."""
    found = []
    for trouble in sorted((row for row in after if row.property == PROBE), key=FindingRow.key):
        mine = [row for row in known if _told_by(trouble, row)]
        if mine:
            words = f"{trouble.status}: {trouble.detail}" if trouble.detail else trouble.status
            found.append(_absent(trouble.key(), mine, words, trouble.version, fails=True))
    return found


def _lost(known: Sequence[FindingRow], after: Sequence[FindingRow], wanted: Iterable[str]) -> list[Difference]:
    """Kinds of layers, and frameworks, of which nothing was found and no row says why."""
    kinds = {(row.framework, row.kind) for row in after if row.property != PROBE}
    missing = [
        row
        for row in known
        if (row.framework, row.kind) not in kinds
        and not any(_told_by(each, row) for each in after if each.property == PROBE)
    ]
    found = []
    for framework in sorted(set(wanted)):
        mine = [row for row in missing if row.framework == framework]
        there = [row for row in after if row.framework == framework]
        # Where there is nothing of it at all, that is said once.
        for kind in sorted({row.kind for row in mine}) if there else [""]:
            these = [row for row in mine if kind in ("", row.kind)]
            if these:
                key = (framework, kind, "", PROBE, 1)
                found.append(_absent(key, these, "not there", there[0].version if there else ""))
    return found
