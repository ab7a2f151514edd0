"""scikit-learn: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import Call, Eats, Library

LIBRARIES = [
    Library(
        "scikit-learn",
        DATA,
        [
            Call(
                "StandardScaler.fit",
                "sklearn.StandardScaler.fit",
                eats=Eats.COLUMNS,
                note="the rows are columns of one matrix",
            ),
            Call(
                "StandardScaler.partial_fit",
                "sklearn.StandardScaler.partial_fit",
                eats=Eats.COLUMNS,
                note="in chunks of 1,000 values",
            ),
            Call(
                "VarianceThreshold.fit",
                "sklearn.VarianceThreshold.fit",
                eats=Eats.COLUMNS,
                note="the rows are columns of one matrix",
            ),
            Call(
                "mean_variance_axis",
                "sklearn.mean_variance_axis of a sparse matrix",
                eats=Eats.COLUMNS,
                note="in CSR, axis 0",
            ),
        ],
        order=180,
    ),
]
