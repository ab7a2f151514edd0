"""Scripts of findings on outputs and gradients, element by element; ``repro.json`` has the calls."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..frameworks.declaring import Framework
from .exact_values import rounded, standardised
from .finding import NoScript
from .layer_script import literal
from .recipes import recipe

__all__ = ["reported"]

# A column of eight values whose mean its format cannot hold.
STEPS = (0, 1, 2, 1, 0, 4, -1, -2)


def reported(framework: Framework, tail: str, parameters: str, storage: str) -> list[str]:
    """The script of a finding on outputs or gradients.

    Parameters
    ----------
    tail : kind, memory, and array with storage format, joined by strokes. parameters : the format of scale and shift.

    Raises
    ------
    NoScript
        Nothing says how it is asked.
    """
    how = recipe(framework)
    if tail not in how.reported:
        raise NoScript(f"no short script asks for {tail}: 'python -m varstudy.survey.elements.commit' measures it")
    given = how.reported[tail]
    filled = {"affine": str(parameters != "absent"), "kept": storage if parameters == "same" else parameters}
    data, check = {"sum": _sum, "outputs": _outputs}[given["template"]](given)
    lines = given["lines"]
    for name, value in filled.items():
        lines = [line.replace("{" + name + "}", value) for line in lines]
    return [
        "import numpy",
        *how.imports,
        "",
        *data,
        *lines,
        f'print({how.version}, "found", found, "exact", exact)',
        *check,
    ]


def _sum(given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """A gradient that is the sum of dy, whose values are multiples of 1/16 that every format holds."""
    count = int(given["terms"])
    values = np.random.RandomState(2).randint(-8, 11, count)
    exact = rounded(Fraction(int(values.sum()), 16))
    return (
        [
            f'dy = (numpy.random.RandomState(2).randint(-8, 11, {count}) / 16).astype("float32")',
            f"exact = {exact!r}  # the sum of dy, from integers",
        ],
        ['assert abs(found / exact - 1) < 0.1, f"the gradient is off by {abs(found / exact - 1):.0%}"'],
    )


def _outputs(given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The outputs of one column of eight values, element by element."""
    column = [given["mean"] + step * given["step"] for step in STEPS]
    exact = standardised(column, given["epsilon"])
    return (
        [
            f'x = numpy.array({literal(column)}, "float32")',
            f"exact = numpy.array({literal([float(f'{v:.9g}') for v in exact])})",
        ],
        [
            "error = abs(found - exact).max()",
            'assert error < 0.02, f"an output is off by {error:.2g}; to store it costs at most 0.008"',
        ],
    )
