"""scipy: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "scipy",
        DATA,
        [
            Call("stats.describe"),
            Call("stats.tvar"),
            Call("stats.moment", note="the second"),
            Call("ndimage.variance"),
        ],
        order=170,
    ),
]
