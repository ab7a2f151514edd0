"""What a layer answers, element by element: its outputs and gradients against the exact ones.

The gradients of scale and shift are sums over all positions, so the file also has what our own kernels' orders do to
them (`varstudy.study.gradient_orders`). What is asked (`asking`), how a framework is asked and scored (`measuring`),
and what is kept (`elements_record`, the file elements.json). ``python -m varstudy.survey.elements.commit NAME...``
measures frameworks into the committed file.
"""

from __future__ import annotations

from .elements_record import (
    COMMITTED,
    NAME,
    ElementFact,
    ElementProblem,
    ElementRow,
    committed,
    facts,
    orders,
    read,
    rows,
    write,
)
from .measuring import measure
from .summary import scored, stress, worst_rows

__all__ = [
    "COMMITTED",
    "NAME",
    "ElementFact",
    "ElementProblem",
    "ElementRow",
    "committed",
    "facts",
    "measure",
    "orders",
    "read",
    "rows",
    "scored",
    "stress",
    "worst_rows",
    "write",
]
