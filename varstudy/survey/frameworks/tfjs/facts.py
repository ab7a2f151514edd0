"""TensorFlow.js: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment, Need
from varstudy.survey.frameworks.declaring import Framework

TFJS = Environment(
    "tfjs",
    "3.11",
    ("numpy==2.4.6",),
    node=("@tensorflow/tfjs@4.22.0",),
    needs=(Need("nodejs", command="node"), Need("npm", command="npm")),
    megabytes=400,
    quirk="Node runs it; Python only hands the numbers over.",
)
FRAMEWORKS = [
    Framework("tfjs", "TensorFlow.js", TFJS, order=350),
]
