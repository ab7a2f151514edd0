"""SQLite: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import SHORT, Call, Library

LIBRARIES = [
    Library(
        "SQLite",
        DATA,
        [
            Call(
                "any variance", "SQLite: none", max_length=SHORT, note="asked for every name that other databases have"
            ),
        ],
        storages=("float64",),
        order=150,
    ),
]
