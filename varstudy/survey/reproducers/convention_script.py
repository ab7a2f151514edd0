"""Scripts for what the documentation says otherwise: they assert what is documented."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..findings import documented
from ..findings.measured import FindingRow
from ..findings.properties import EpsilonPlace, MomentumSide, RunningLaw, RunningSpread
from ..frameworks.catalogue import find
from ..league.layers.law import Law
from .exact_values import variance
from .finding import NoScript
from .layer_script import Known, asked, dividing, law_of, literal
from .recipes import recipe

__all__ = ["contradiction"]

EPSILON = 0.25
# A training batch of one or of two channels: its variance is 5, or 40 / 7 by n - 1.
ROW = (-3.0, -1.0, 1.0, 3.0, -3.0, -1.0, 1.0, 3.0)
_RUNNING = ("correction.running", "running.keeps", "running.update", "running.weight", "momentum.multiplies")


def contradiction(rows: Known, row: FindingRow) -> list[str]:
    """The script of one contradiction, which asserts what is documented.

    Raises
    ------
    NoScript
        No template shows such a property.
    """
    known = {each.property: each for each in rows if each.key()[:3] == row.key()[:3] and each.threads == row.threads}
    fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
    said: Any = None if fact is None else fact.value
    if row.property == "epsilon.place":
        return _place(rows, row, EpsilonPlace(said))
    if row.property == "float16.accumulator":
        law = law_of(rows, row.framework, row.kind, row.variant)
        return dividing(row.framework, row.kind, row.variant, law, asked("float16.4"), threads=row.threads)
    if row.property in _RUNNING:
        values = {name: each.plain() for name, each in known.items()}
        return _running(rows, row, {**values, row.property: said})
    raise NoScript(f"no short script shows {row.property}: 'python -m varstudy frameworks {row.framework} --kind "
                   f"{row.kind}' measures it")  # fmt: skip


def _place(rows: Known, row: FindingRow, place: EpsilonPlace) -> list[str]:
    """The divisor of a row of variance 5, with an epsilon that is large."""
    how = recipe(find(row.framework))
    if not how.epsilon:
        raise NoScript("no short script hands over an epsilon")
    table = np.array([ROW, [2 * v for v in ROW]])
    lines = [f'table = numpy.array({literal(ROW)}, "float32") * [[1], [2]]']
    law = Law(0, EPSILON, place)
    return dividing(row.framework, row.kind, row.variant, law, (lines, table, "float32"),
                    options=f", {how.epsilon}={EPSILON}", limit=1e-3)  # fmt: skip


def _running(rows: Known, row: FindingRow, says: dict[str, Any]) -> list[str]:
    """The running variance after one batch."""
    how = recipe(find(row.framework))
    if not how.kept:
        raise NoScript("no short script reads its running variance")
    momentum = float(says["momentum.default"] if how.momentum is None else how.momentum)
    weight = momentum if says.get("momentum.multiplies") == MomentumSide.NEW else 1 - momentum
    if row.property == "running.weight":
        weight = says["running.weight"][0]
    if says.get("running.update") != RunningLaw.EXPONENTIAL:
        weight = 1.0
    batch = float(variance(ROW, int(says["correction.running"])))
    batch = batch**0.5 if says.get("running.keeps") == RunningSpread.DEVIATION else batch
    exact = (1 - weight) * float(says.get("initial.var") or 0.0) + weight * batch
    table = np.array([ROW, ROW])
    law = Law(0, 0.0, EpsilonPlace.INSIDE)
    whole = dividing(row.framework, row.kind, row.variant, law, ([], table, "float32"), threads=row.threads)
    start = next(k for k, line in enumerate(whole) if line.startswith("exact ="))
    end = next(k for k, line in enumerate(whole) if line.startswith("y = y.astype"))
    return [
        *whole[:start],
        f'table = numpy.array([{literal(ROW)}] * 2, "float32")',
        f"exact = {exact!r}  # after one batch, as documented",
        *whole[start + 1 : end],
        f"found = {how.kept}",
        f'print({how.version}, "keeps", found, "documented:", exact)',
        'assert abs(found - exact) < 1e-3 * exact, f"{found} is kept, {exact} is documented"',
    ]
