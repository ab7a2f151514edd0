"""ONNX Runtime's CPU execution provider on LRN."""

import onnx
import onnx_response
import onnxruntime


def versions():
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}


def response(x, given):
    onnxruntime.set_default_logger_severity(4)
    data = onnx_response.model(x.shape, given).SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]
