"""numpy: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Eats, Library

LIBRARIES = [
    Library(
        "numpy",
        DATA,
        [
            Call("1-D", "numpy.var"),
            Call("axis -1", "numpy.var axis=-1", eats=Eats.ROWS),
            Call("axis 0", "numpy.var axis=0", eats=Eats.COLUMNS),
            Call(
                "axis -1, Fortran order",
                "numpy.var axis=-1, Fortran order",
                eats=Eats.ROWS,
                note="the matrix in the other order",
            ),
            Call("nanvar"),
            Call("float64", "numpy.var dtype=float64"),
        ],
        order=10,
    ),
]
