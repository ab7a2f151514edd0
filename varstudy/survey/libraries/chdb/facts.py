"""ClickHouse: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import WIDE, Call, Library

LIBRARIES = [
    Library(
        "ClickHouse",
        DATA,
        [
            Call("varPop"),
            Call("varPopStable"),
            Call("varSamp"),
            Call("varSampStable"),
        ],
        storages=WIDE,
        order=140,
    ),
]
