"""duckdb: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import WIDE, Call, Library

LIBRARIES = [
    Library(
        "duckdb",
        DATA,
        [
            Call("var_pop"),
            Call("var_samp"),
            Call("variance"),
        ],
        storages=WIDE,
        order=130,
    ),
]
