"""PostgreSQL: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import SHORT, WIDE, Call, Library

LIBRARIES = [
    Library(
        "PostgreSQL",
        DATA,
        [
            Call("var_pop", max_length=SHORT),
            Call("var_samp", max_length=SHORT),
            Call("variance", max_length=SHORT),
        ],
        storages=WIDE,
        server=True,
        order=160,
    ),
]
