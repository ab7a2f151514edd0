"""ONNX Runtime: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import ONNX_STATE

FRAMEWORKS = [
    Framework("onnxruntime", "ONNX Runtime", CORE, modules=("onnxruntime", "onnx"), state=ONNX_STATE, order=120),
]
