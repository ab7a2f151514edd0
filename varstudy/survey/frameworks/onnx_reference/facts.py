"""ONNX's reference evaluator: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import ONNX_STATE

FRAMEWORKS = [
    Framework("onnx-reference", "ONNX's reference evaluator", CORE, modules=("onnx",), state=ONNX_STATE, order=130),
]
