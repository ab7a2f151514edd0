"""cupy: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "cupy",
        None,
        [
            Call("var"),
            Call("var, axis -1", "cupy.var axis=-1", eats="rows"),
            Call("var, axis 0", "cupy.var axis=0", eats="columns"),
        ],
        gpu=True,
        order=250,
    ),
]
