"""ONNX Runtime's CPU execution provider, on models of one operator."""

import ctypes

import ml_dtypes
import numpy as np
import onnx
import onnx_models
import onnxruntime

FRAMEWORK = "onnxruntime"
VARIANTS = onnx_models.VARIANTS
NAMES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "float16": "tensor(float16)",
    "bfloat16": "tensor(bfloat16)",
}
DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.log_severity_level = 4


def versions():
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}


def set_threads(n):
    OPTIONS.intra_op_num_threads = n
    OPTIONS.inter_op_num_threads = 1


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    return Layer(kind, variant, channels, dtype, epsilon, momentum, groups, spatial)


class Layer(onnx_models.Layer):
    def run(self, model, feeds):
        session = onnxruntime.InferenceSession(model.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
        given = {}
        for name, (wide, dtype) in feeds.items():
            value = np.ascontiguousarray(wide.astype(DTYPES[dtype]))
            if dtype == "bfloat16":  # the runtime takes its bits
                bits, kind = value.view(np.uint16), onnx_models.FLOATS[dtype]
                given[name] = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, kind)
            else:
                given[name] = onnxruntime.OrtValue.ortvalue_from_numpy(value)
        found = session.run_with_ort_values(None, given)
        if found[0].data_type() != NAMES[self.dtype]:
            raise TypeError(f"{self.dtype} went in and {found[0].data_type()} came out")
        return [array(value) for value in found]


def array(value):
    """The numpy array of an OrtValue; the runtime itself has none for bfloat16, so its bytes are read."""
    if value.data_type() != NAMES["bfloat16"]:
        return value.numpy()
    shape = value.shape()
    held = ctypes.string_at(value.data_ptr(), 2 * int(np.prod(shape)))
    return np.frombuffer(held, ml_dtypes.bfloat16).reshape(shape)
