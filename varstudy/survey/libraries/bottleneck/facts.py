"""bottleneck: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import BOTTLENECK
from varstudy.survey.libraries.declaring import WIDE, Call, Eats, Library

LIBRARIES = [
    Library(
        "bottleneck",
        BOTTLENECK,
        [
            Call("nanvar"),
            Call("nanvar, axis -1", "bottleneck.nanvar axis=-1", eats=Eats.ROWS),
            Call("nanvar, axis 0", "bottleneck.nanvar axis=0", eats=Eats.COLUMNS),
            Call("move_var", storages=WIDE, note="one window that holds all values; float16 takes it quadratic time"),
        ],
        order=100,
    ),
]
