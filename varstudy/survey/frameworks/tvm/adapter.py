"""Apache TVM: Relax's normalisation operators, compiled for the processor by LLVM.

The statistics of batch_norm are inputs: those of a fresh layer, means 0 and variances 1, are this adapter's and no
fact of TVM's. The gradient is Relax's own, after the pass that decomposes operators for training.
"""

import ml_dtypes
import numpy as np
import tvm
from layer_contract import Unsupported, arguments_of, given, vector, widen
from tvm import relax

FRAMEWORK = "tvm"
VARIANTS = {
    "batch": {
        "NCHW": "relax.op.nn.batch_norm(axis=1) on NCHW",
        "NHWC": "relax.op.nn.batch_norm(axis=3) on NHWC",
        "2-D": "relax.op.nn.batch_norm(axis=1) on (N, C)",
        "decomposed": "relax.op.nn.batch_norm(axis=1) on NCHW, decomposed by Relax's passes before it is compiled",
    },
    "layer": {
        "2-D": "relax.op.nn.layer_norm on (N, C), over C",
        "NCHW": "relax.op.nn.layer_norm on NCHW, over C, H, W",
        "channels": "relax.op.nn.layer_norm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "relax.op.nn.group_norm on NCHW"},
    "instance": {"NCHW": "relax.op.nn.instance_norm on NCHW"},
    "rms": {"2-D": "relax.op.nn.rms_norm on (N, C)"},
}
OPERATORS = {
    "batch": relax.op.nn.batch_norm,
    "layer": relax.op.nn.layer_norm,
    "group": relax.op.nn.group_norm,
    "instance": relax.op.nn.instance_norm,
    "rms": relax.op.nn.rms_norm,
}
CPU = tvm.cpu()


def versions():
    return {"tvm": tvm.__version__, "llvm": tvm.target.codegen.llvm_version_major()}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if momentum is not None and kind != "batch":
        raise Unsupported("Only batch_norm has a momentum.")
    arguments = given(epsilon=epsilon, momentum=momentum, num_groups=groups)
    last = variant in ("NHWC", "channels")
    if kind == "batch":
        arguments["axis"] = 3 if last else 1
        return BatchNorm(kind, channels, dtype, arguments, last, variant == "decomposed")
    if kind in ("group", "instance"):
        arguments.update(channel_axis=1, axes=[2, 3])
    else:
        arguments["axes"] = [1, 2, 3] if variant == "NCHW" else [-1]
    shape = (channels,) + tuple(spatial) if (kind, variant) == ("layer", "NCHW") else channels
    return Normalisation(kind, shape, dtype, arguments, last)


class Normalisation:
    """A layer without state: training and inference are the same pass."""

    training = {}  # arguments of the operator in training
    inference = {}

    def __init__(self, kind, shape, dtype, fixed, last, decomposed=False):
        self.operator, self.dtype, self.fixed, self.last = OPERATORS[kind], dtype, fixed, last
        self.decomposed = decomposed
        self.arguments = arguments_of(self.operator)
        self.weights = [np.ones(shape, np.float32)]
        if kind != "rms":
            self.weights.append(np.zeros(shape, np.float32))

    def inputs(self):
        return self.weights

    def tensor(self, array):
        dtype = ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype
        return tvm.runtime.tensor(np.ascontiguousarray(array, np.float32).astype(dtype), CPU)

    def array(self, tensor):
        y = widen(tensor.numpy())
        return np.moveaxis(y, -1, 1) if self.last else y

    def call(self, x, dy=None, **mode):
        """Compiles and runs the operator, or, with dy, its gradient."""
        values = [np.moveaxis(v, 1, -1) if self.last else v for v in (x, dy) if v is not None]
        values[1:1] = self.inputs()
        variables = [relax.Var("v%d" % i, relax.TensorType(v.shape, self.dtype)) for i, v in enumerate(values)]
        builder = relax.BlockBuilder()
        with builder.function("main", variables):
            with builder.dataflow():
                result = self.operator(*variables[: 1 + len(self.inputs())], **dict(self.fixed, **mode))
                if dy is None:
                    result = builder.emit_output(result)
                else:
                    result = builder.emit(result)
                    y = builder.emit(relax.TupleGetItem(result, 0)) if len(self.inputs()) > 2 else result
                    result = builder.emit_output(relax.op.sum(relax.op.multiply(y, variables[-1])))
            builder.emit_func_output(result)
        module, name = builder.get(), "main"
        if dy is not None or self.decomposed:
            evaluating = mode.get("training") is False
            decompose = (
                relax.transform.DecomposeOpsForInference if evaluating else relax.transform.DecomposeOpsForTraining
            )
            module = decompose("main")(module)
        if dy is not None:
            module, name = relax.transform.Gradient("main", require_grads=[variables[0]])(module), "main_adjoint"
        machine = relax.VirtualMachine(tvm.compile(module, "llvm"), CPU)
        return machine[name](*[self.tensor(value) for value in values])

    def train(self, x):
        return self.array(self.call(x, **self.training))

    def evaluate(self, x):
        return self.array(self.call(x, **self.inference))

    def backward(self, x, dy):
        _, gradients = self.call(x, dy, **self.training)
        return self.array(gradients[0])

    def running(self):
        return None


class BatchNorm(Normalisation):
    """Three results: the output and the two new running statistics, which are the user's to keep."""

    training = {"training": True}
    inference = {"training": False}

    chosen = {
        "initial.mean": "the operator takes the statistics as inputs; 0 was handed over",
        "initial.var": "the operator takes the statistics as inputs; 1 was handed over",
        "running.when": "the operator gives new statistics as outputs; what becomes of them is its caller's to say",
    }

    def __init__(self, kind, shape, dtype, fixed, last, decomposed):
        super().__init__(kind, shape, dtype, fixed, last, decomposed)
        self.statistics = [np.zeros(shape, np.float32), np.ones(shape, np.float32)]

    def inputs(self):
        return self.weights + self.statistics

    def train(self, x):
        y, mean, var = self.call(x, **self.training)
        self.statistics = [vector(mean.numpy()), vector(var.numpy())]
        return self.array(y)

    def evaluate(self, x):
        return self.array(self.call(x, **self.inference)[0])

    def running(self):
        return {"mean": self.statistics[0], "var": self.statistics[1]}

    def set_running(self, mean, var):
        self.statistics = [np.array(mean, np.float32), np.array(var, np.float32)]
