"""cudf: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "cudf",
        None,
        [
            Call("Series.var"),
        ],
        gpu=True,
        order=260,
    ),
]
