"""dask: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "dask",
        DATA,
        [
            Call("array.var", note="in chunks of 1,000 values"),
        ],
        order=190,
    ),
]
