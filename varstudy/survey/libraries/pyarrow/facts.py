"""pyarrow: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import WIDE, Call, Library

LIBRARIES = [
    Library(
        "pyarrow",
        DATA,
        [
            Call("compute.variance"),
            Call("compute.variance, chunks", "pyarrow.compute.variance of chunks", note="in chunks of 1,000 values"),
            Call("group_by, variance", "pyarrow.Table.group_by", note="one group that holds all values"),
        ],
        storages=WIDE,
        order=120,
    ),
]
