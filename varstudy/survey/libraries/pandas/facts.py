"""pandas, with and without bottleneck: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import BOTTLENECK, DATA
from varstudy.survey.libraries.declaring import Call, Eats, Library

LIBRARIES = [
    Library(
        "pandas",
        DATA,
        [
            Call("Series.var"),
            Call("DataFrame.var, axis 0", "pandas.DataFrame.var axis=0", eats=Eats.COLUMNS),
            Call("DataFrame.var, axis 1", "pandas.DataFrame.var axis=1", eats=Eats.ROWS),
            Call("groupby.var", note="one group that holds all values"),
            Call("rolling.var", note="one window that holds all values"),
            Call(
                "rolling.var after large values", note="a window that went over as many values a million times as large"
            ),
            Call("expanding.var"),
        ],
        without=("bottleneck",),
        order=90,
    ),
    Library(
        "pandas with bottleneck",
        BOTTLENECK,
        [
            Call("Series.var", "pandas.Series.var with bottleneck"),
            Call("DataFrame.var, axis 0", "pandas.DataFrame.var axis=0 with bottleneck", eats=Eats.COLUMNS),
            Call("DataFrame.var, axis 1", "pandas.DataFrame.var axis=1 with bottleneck", eats=Eats.ROWS),
            Call("groupby.var", "pandas.groupby.var with bottleneck", note="one group that holds all values"),
            Call("rolling.var", "pandas.rolling.var with bottleneck", note="one window that holds all values"),
        ],
        needs=("bottleneck",),
        order=90,
    ),
]
