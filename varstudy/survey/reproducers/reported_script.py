"""Scripts of findings that are no cell of the survey yet: gradients and outputs that ``repro.json`` declares."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..frameworks.declaring import Framework
from .exact_values import rounded, standardised
from .layer_script import literal
from .recipes import recipe

__all__ = ["reported"]

# A column of eight values whose mean its format cannot hold.
STEPS = (0, 1, 2, 1, 0, 4, -1, -2)


def reported(framework: Framework, tail: str) -> list[str]:
    """The script of a declared finding.

    Parameters
    ----------
    tail : the address without the framework's name.
    """
    how = recipe(framework)
    given = how.reported[tail]
    data, shown, check = {"sum": _sum, "outputs": _outputs}[given["template"]](given)
    return [
        "import numpy",
        *how.imports,
        "",
        *data,
        *given["lines"],
        f'print({how.version}, "found", found, "exact", exact)',
        *shown,
        *check,
    ]


def _sum(given: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """A gradient that is the sum of dy over the rows, which are multiples of 1/16 that every format holds."""
    count = int(given["rows"])
    values = np.random.RandomState(2).randint(-8, 11, count)
    exact = rounded(Fraction(int(values.sum()), 16))
    return (
        [
            f'dy = (numpy.random.RandomState(2).randint(-8, 11, {count}) / 16).astype("float32")',
            f"exact = {exact!r}  # the sum of dy, from integers",
        ],
        [],
        ['assert abs(found / exact - 1) < 0.1, f"the gradient is off by {abs(found / exact - 1):.0%}"'],
    )


def _outputs(given: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """The outputs of one column of eight values, element by element."""
    column = [given["mean"] + step * given["step"] for step in STEPS]
    exact = standardised(column, given["epsilon"])
    return (
        [
            f'x = numpy.array({literal(column)}, "float32")',
            f"exact = numpy.array({literal([float(f'{v:.9g}') for v in exact])})",
        ],
        [],
        [
            "error = abs(found - exact).max()",
            'assert error < 0.02, f"an output is off by {error:.2g}; to store it costs at most 0.008"',
        ],
    )
