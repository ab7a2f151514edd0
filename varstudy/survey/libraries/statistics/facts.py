"""statistics: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import SHORT, Call, Library

LIBRARIES = [
    Library(
        "statistics",
        DATA,
        [
            Call("pvariance", max_length=SHORT),
            Call("variance", max_length=SHORT),
        ],
        order=210,
    ),
]
