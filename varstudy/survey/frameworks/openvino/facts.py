"""OpenVINO: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

OPENVINO = Environment(
    "openvino", "3.11", ("openvino==2026.4.1", "onnx==1.23.2", "ml_dtypes==0.6.0", "numpy==2.4.6"), megabytes=320
)
FRAMEWORKS = [
    Framework("openvino", "OpenVINO", OPENVINO, modules=("openvino", "onnx"), order=330),
]
