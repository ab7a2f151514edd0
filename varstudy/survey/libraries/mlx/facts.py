"""mlx: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "mlx",
        CORE,
        [
            Call("var"),
            Call("var, axis -1", "mlx.var axis=-1", eats=Eats.ROWS),
            Call("var, axis 0", "mlx.var axis=0", eats=Eats.COLUMNS),
        ],
        storages=ALL,
        order=70,
    ),
]
