"""xarray: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "xarray",
        DATA,
        [
            Call("DataArray.var"),
            Call("DataArray.var, skipna=False", "xarray.DataArray.var skipna=False"),
        ],
        order=200,
    ),
]
