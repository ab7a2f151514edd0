"""OpenVINO on the processor, on ONNX models of one operator whose scale, shift and statistics are its constants."""

import ml_dtypes
import numpy as np
import onnx
import onnx_models
import openvino
from onnx import numpy_helper

FRAMEWORK = "openvino"
VARIANTS = onnx_models.VARIANTS
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
THREADS = [1]


def versions():
    return {"openvino": openvino.__version__, "onnx": onnx.__version__}


def set_threads(n):
    THREADS[0] = n


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    return Layer(kind, variant, channels, dtype, epsilon, momentum, groups, spatial)


class Layer(onnx_models.Layer):
    def run(self, model, feeds):
        x, _ = feeds.pop("x")
        for name, (wide, dtype) in feeds.items():
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(wide).astype(DTYPES[dtype]), name))
        del model.graph.input[1:]
        core = openvino.Core()
        model = core.read_model(model.SerializeToString(), b"")
        if self.dtype == "bfloat16":  # numpy has no such arrays: OpenVINO casts at both ends
            edges = openvino.preprocess.PrePostProcessor(model)
            edges.input().tensor().set_element_type(openvino.Type.f32)
            for index in range(len(model.outputs)):
                edges.output(index).tensor().set_element_type(openvino.Type.f32)
            model = edges.build()
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": THREADS[0]})
        dtype = np.float16 if self.dtype == "float16" else np.float32
        results = compiled([np.ascontiguousarray(x, dtype)])
        return [np.array(results[index]) for index in range(len(model.outputs))]
