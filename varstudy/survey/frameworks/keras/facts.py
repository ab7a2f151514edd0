"""Keras 3, one layer on four back ends: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import KERAS_STATE

FRAMEWORKS = [
    Framework(
        f"keras-{backend}",
        f"Keras 3 on {backend}",
        CORE,
        modules=("keras", backend),
        variables={"KERAS_BACKEND": backend},
        sync=backend == "tensorflow",
        state=KERAS_STATE,
        order=order,
    )
    for order, backend in ((20, "tensorflow"), (30, "torch"), (40, "jax"), (50, "numpy"))
]
