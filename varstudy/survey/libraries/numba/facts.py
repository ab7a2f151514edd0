"""numba: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import WIDE, Call, Library

LIBRARIES = [
    Library(
        "numba",
        DATA,
        [
            Call("np.var", "numba: np.var"),
            Call("np.nanvar", "numba: np.nanvar"),
            Call("np.var, fastmath", "numba: np.var, fastmath=True"),
        ],
        storages=WIDE,
        order=240,
    ),
]
