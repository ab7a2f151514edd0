"""Keras 3, one layer on four back ends: where it runs, and how its batch norm's state is read and written."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import KERAS_STATE

FRAMEWORKS = [
    Framework(
        "keras-tensorflow",
        "Keras 3 on tensorflow",
        CORE,
        modules=("keras", "tensorflow"),
        variables={"KERAS_BACKEND": "tensorflow"},
        sync=True,
        state=KERAS_STATE,
        order=20,
    ),
    Framework(
        "keras-torch",
        "Keras 3 on torch",
        CORE,
        modules=("keras", "torch"),
        variables={"KERAS_BACKEND": "torch"},
        state=KERAS_STATE,
        order=30,
    ),
    Framework(
        "keras-jax",
        "Keras 3 on jax",
        CORE,
        modules=("keras", "jax"),
        variables={"KERAS_BACKEND": "jax"},
        state=KERAS_STATE,
        order=40,
    ),
    Framework(
        "keras-numpy",
        "Keras 3 on numpy",
        CORE,
        modules=("keras", "numpy"),
        variables={"KERAS_BACKEND": "numpy"},
        state=KERAS_STATE,
        order=50,
    ),
]
