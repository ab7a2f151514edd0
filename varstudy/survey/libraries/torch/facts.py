"""torch: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "torch",
        CORE,
        [
            Call("var"),
            Call("var, dim -1", "torch.var dim=-1", eats=Eats.ROWS),
            Call("var, dim 0", "torch.var dim=0", eats=Eats.COLUMNS),
            Call("var_mean"),
            Call("var_mean, dim -1", "torch.var_mean dim=-1", eats=Eats.ROWS),
            Call("var_mean, dim 0", "torch.var_mean dim=0", eats=Eats.COLUMNS),
        ],
        storages=ALL,
        order=20,
    ),
]
