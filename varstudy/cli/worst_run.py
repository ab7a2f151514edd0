"""What ``worst`` does: search rows on which formulas err most, and show the worst that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from varkernels.algorithm import order_of
from varkernels.formulas import FORMULAS

from .._io.matching import nearest
from ..study.extremes import worst_rows
from ..study.extremes.searching import cells, search
from ..study.extremes.worst_rows import Cell, WorstRow
from .console import Problem, dump, many, number, paragraph, progress
from .output_folder import writing
from .program import REGRESSION, alone, sentences
from .tables import show_table

__all__ = ["worst"]


def worst(
    formula: str | None, order: str | None, dtype: str | None, n: int | None, generations: int | None, seed: int,
    stored: bool, out: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Search the chosen cells, or show what is known of them."""
    if stored:
        alone("--committed searches nothing", "--committed", {"--generations": generations, "--out": out})
    chosen = _chosen(formula, order, dtype, n)
    with sentences():
        known = list(worst_rows.committed())
    before = [row for row in known if row.cell in chosen]
    rows = before
    if not stored:
        found = _searched(chosen, generations or 200, seed, known)
        rows = worst_rows.worse(before, found)
        if out is not None:
            with writing(out):
                worst_rows.write(Path(out), worst_rows.worse(known, found))
    if not rows:
        raise Problem("no worst row is committed for these: search for some without --committed")
    if as_json:
        dump([asdict(row) for row in rows])
    else:
        _show(rows, before, searched=not stored)
    if any(row.share > 1 for row in rows):
        paragraph("A share above 1 refutes the formula's bound.", wrong=True)
        raise SystemExit(REGRESSION)


def _chosen(formula: str | None, order: str | None, dtype: str | None, n: int | None) -> list[Cell]:
    if formula is not None and formula not in FORMULAS:
        raise Problem(f"formula {formula!r} is unknown: {nearest(formula, FORMULAS)}")
    if order is not None:
        try:
            order_of(order)
        except ValueError as error:
            raise Problem(str(error)) from error
    chosen = cells(formula, order, dtype, n)
    if not chosen:
        raise Problem(
            f"nothing can be searched for {formula or 'these'}: it has no bound, needs a centre, or has no merge for "
            "the order; 'python -m varstudy list --algorithms' shows which have"
        )
    return chosen


def _searched(chosen: Sequence[Cell], generations: int, seed: int, known: Sequence[WorstRow]) -> list[WorstRow]:
    bar = progress("searching")
    bar.start(len(chosen), 0)
    found = []
    try:
        for cell in chosen:
            found += search(cell, generations, seed, known)
            bar.advance(f"{cell.formula}/{cell.order} {cell.format} n={cell.n}")
    finally:
        bar.stop()
    return found


def _show(rows: Sequence[WorstRow], before: Sequence[WorstRow], *, searched: bool) -> None:
    """One line a cell."""
    old = {(row.cell, row.goal): row.size for row in before}
    by_cell: dict[Cell, dict[str, WorstRow]] = {}
    for row in rows:
        by_cell.setdefault(row.cell, {})[row.goal] = row
    lines = []
    for cell, goals in by_cell.items():
        units, kappa, _ = _half(goals, "units", old)
        lines.append([*map(str, cell), units, kappa, *_half(goals, "share", old)])
    new = sum(row.size > old.get((row.cell, row.goal), 0.0) for row in rows)
    note = (
        "u: relative errors in units of the format's unit roundoff. Share: of the rigorous bound, where it is largest."
    )
    show_table(
        "Worst known errors of M2",
        ["formula", "order", "format", "n", "u at kappa <= 2", "kappa", "share of bound", "at kappa", "u"],
        lines,
        left=3,
        more=["u", "at kappa", "kappa"],
        note=note + ("\n+: worse than the committed row." if searched else ""),
    )
    if searched:
        paragraph(f"{many(new, 'row')} worse than those committed." if new else "No row is worse than those committed.")


def _half(goals: Mapping[str, WorstRow], goal: str, old: Mapping[tuple[Cell, str], float]) -> list[str]:
    """A goal's cells: how bad, at which kappa, and the error in units."""
    row = goals.get(goal)
    if row is None:
        return ["-", "-", "-"]
    mark = "+" if row.size > old.get((row.cell, goal), row.size) else ""
    return [f"{row.size:.2f}{mark}", number(row.kappa), f"{row.units:.1f}"]
