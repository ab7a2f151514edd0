"""The reference evaluator of the onnx package, which runs models in numpy."""

import ml_dtypes
import numpy as np
import onnx
import onnx_models
from onnx.reference import ReferenceEvaluator

FRAMEWORK = "onnx-reference"
VARIANTS = onnx_models.VARIANTS
DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def versions():
    return {"onnx": onnx.__version__, "numpy": np.__version__, "ml_dtypes": ml_dtypes.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    return Layer(kind, variant, channels, dtype, epsilon, momentum, groups, spatial)


class Layer(onnx_models.Layer):
    def run(self, model, feeds):
        feeds = {name: value.astype(DTYPES[dtype]) for name, (value, dtype) in feeds.items()}
        found = ReferenceEvaluator(model).run(None, feeds)
        if found[0].dtype != DTYPES[self.dtype]:
            raise TypeError(f"{self.dtype} went in and {found[0].dtype} came out")
        return found
