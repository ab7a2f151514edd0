"""cupy: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.libraries.declaring import Call, Eats, Library

LIBRARIES = [
    Library(
        "cupy",
        None,
        [
            Call("var"),
            Call("var, axis -1", "cupy.var axis=-1", eats=Eats.ROWS),
            Call("var, axis 0", "cupy.var axis=0", eats=Eats.COLUMNS),
        ],
        gpu=True,
        order=250,
    ),
]
