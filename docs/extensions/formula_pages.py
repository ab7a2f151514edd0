"""The page of the formulas, made from the modules of ``varkernels.formulas``: a new file there is a new section."""

from __future__ import annotations

import importlib
from typing import Any

from varkernels import formulas

PAGE = "api/formulas"

COLUMNS = ("formula", "reads", "operations", "divisions", "state", "merges", "difference of sums", "bound")


def _place(module: str) -> tuple[int, str]:
    """A module's place among the others: that of its first formula; those without come last."""
    values = vars(importlib.import_module(f"{formulas.__name__}.{module}")).values()
    own = [f.place for f in values if f in formulas.EVERY.values() and f.update.__module__.endswith(f".{module}")]
    return min(own, default=10_000), module


def _row(name: str, formula: formulas.Formula) -> list[str]:
    cost = formula.cost
    facts = (formula.mergeable, formula.difference, formula.bound is not None)
    numbers = (cost.reads, cost.operations, cost.divisions, cost.state)
    return [f"``{name}``", *map(str, numbers), *("yes" if fact else "no" for fact in facts)]


def page() -> str:
    """The table of the formulas' facts, and a section for each module, as reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (list(COLUMNS), *(_row(*item) for item in formulas.EVERY.items())):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    for module in sorted(formulas.modules(), key=_place):
        title = module.replace("_", " ").capitalize()
        lines += ["", title, "-" * len(title), "", f".. automodule:: {formulas.__name__}.{module}", "   :no-members:"]
    return "\n".join(lines) + "\n"


def add_formulas(app: Any, name: str, source: list[str]) -> None:
    if name == PAGE:
        source[0] += "\n" + page()


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", add_formulas)
    return {"parallel_read_safe": True}
