"""paddle: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import PADDLE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "paddle",
        PADDLE,
        [
            Call("var"),
            Call("var, axis -1", "paddle.var axis=-1", eats=Eats.ROWS),
            Call("var, axis 0", "paddle.var axis=0", eats=Eats.COLUMNS),
        ],
        storages=ALL,
        order=50,
    ),
]
