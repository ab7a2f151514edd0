"""TensorFlow's own operations: where it runs."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework

FRAMEWORKS = [
    Framework("tf.nn", "TensorFlow's own operations", CORE, modules=("tensorflow",), order=70),
]
