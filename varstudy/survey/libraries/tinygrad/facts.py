"""tinygrad: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "tinygrad",
        CORE,
        [
            Call("Tensor.var"),
            Call("Tensor.var, axis -1", "tinygrad.Tensor.var axis=-1", eats=Eats.ROWS),
            Call("Tensor.var, axis 0", "tinygrad.Tensor.var axis=0", eats=Eats.COLUMNS),
        ],
        storages=ALL,
        order=80,
    ),
]
