"""polars: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "polars",
        DATA,
        [
            Call("Series.var"),
            Call("group_by.var", note="one group that holds all values"),
            Call("rolling_var", note="one window that holds all values"),
        ],
        order=110,
    ),
]
