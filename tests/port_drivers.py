"""Each framework's batch norm behind one face: fresh, one training step, one evaluation, on (N, C, H, W) float32.

A driver's momentum and epsilon are the framework's own arguments; without them the framework's defaults hold. "layer"
is what the snippets of `varstudy.survey.porting` take for it. A framework is imported when its driver is made.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any, ClassVar

import numpy as np
import pytest

# The interpreter crashes where both are loaded.
APART = ("paddle",), ("tensorflow", "tf_keras")
BACKENDS = ("tensorflow", "torch", "jax", "numpy")


def module(name: str) -> Any:
    """The module, or the test is skipped; what a framework warns of while it is imported is its own business."""
    for one, other in (APART, APART[::-1]):
        if name in one and any(each in sys.modules for each in other):
            pytest.skip(f"{name} and {' or '.join(other)} do not live in one process: run this test apart")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as missing:
            pytest.skip(f"{name} is not installed ({missing})")


class Driver:
    epsilon_name = "epsilon"
    momentum_name = "momentum"
    without: ClassVar[dict[str, bool]] = {}  # the arguments of a layer that has no scale and no shift

    ranks: ClassVar[tuple[int, ...]] = (2, 4, 5)
    axes: ClassVar[tuple[int, ...]] = (1,)  # where its channels can be; a driver is given them second

    def __init__(
        self,
        momentum: float | None = None,
        epsilon: float | None = None,
        bare: bool = False,
        axis: int | None = None,
        rank: int = 4,
    ) -> None:
        self.axis, self.rank = axis or self.axes[0], rank
        if self.axis not in self.axes:
            pytest.skip("there is no such layer with the channels there")
        if self.rank not in self.ranks:
            pytest.skip("there is no such layer for inputs of this rank")
        given = {self.momentum_name: momentum, self.epsilon_name: epsilon}
        self.given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if bare and not self.without:
            pytest.skip("there is no such layer without a scale and a shift")
        if bare:
            self.given |= self.without
        self.load()

    def load(self) -> None:
        raise NotImplementedError

    def fresh(self, channels: int) -> Any:
        raise NotImplementedError

    def train(self, layer: Any, x: Any) -> Any:
        raise NotImplementedError

    def evaluate(self, layer: Any, x: Any) -> Any:
        raise NotImplementedError


def last(x: Any) -> Any:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def first(y: Any) -> Any:
    return np.moveaxis(np.asarray(y), -1, 1)


def laid(x: Any, axis: int) -> Any:
    """The channels, which are second, on that axis."""
    return x if axis == 1 else last(x)


def back(y: Any, axis: int) -> Any:
    return np.asarray(y) if axis == 1 else first(y)


class Torch(Driver):
    without: ClassVar = {"affine": False}
    epsilon_name = "eps"

    def load(self) -> None:
        self.torch = module("torch")

    def fresh(self, channels: int) -> Any:
        kind = {2: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}[self.rank]
        return getattr(self.torch.nn, kind)(channels, **self.given)

    def train(self, layer: Any, x: Any) -> Any:
        layer.train()
        layer(self.torch.from_numpy(x))
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        layer.eval()
        with self.torch.no_grad():
            return layer(self.torch.from_numpy(x)).numpy()


class Keras(Driver):
    without: ClassVar = {"scale": False, "center": False}
    axes = (-1, 1)
    backend = ""  # whichever is there

    def load(self) -> None:
        given = os.environ.get("KERAS_BACKEND")
        if given == "tensorflow":
            module("tensorflow")
        try:
            os.environ["KERAS_BACKEND"] = given or "jax"
            self.keras = module("keras")
        finally:
            if given is None:
                del os.environ["KERAS_BACKEND"]
        if self.keras.backend.backend() != self.backend:
            pytest.skip(f"Keras runs on {self.keras.backend.backend()} here: set KERAS_BACKEND={self.backend}")

    def fresh(self, channels: int) -> Any:
        layer = self.keras.layers.BatchNormalization(axis=self.axis, **self.given)
        shape = [None] * self.rank
        shape[self.axis] = channels
        layer.build(tuple(shape))
        return layer

    def train(self, layer: Any, x: Any) -> Any:
        layer(laid(x, self.axis_of(layer)), training=True)
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        axis = self.axis_of(layer)
        return back(self.keras.ops.convert_to_numpy(layer(laid(x, axis), training=False)), axis)

    def axis_of(self, layer: Any) -> int:
        return -1 if layer.axis in (-1, [layer.input_spec.ndim - 1]) else 1


class TfKeras(Driver):
    without, axes = Keras.without, Keras.axes

    def load(self) -> None:
        self.keras = module("tf_keras")

    fresh, train, axis_of = Keras.fresh, Keras.train, Keras.axis_of

    def evaluate(self, layer: Any, x: Any) -> Any:
        axis = self.axis_of(layer)
        return back(layer(laid(x, axis), training=False).numpy(), axis)


class Linen(Driver):
    without: ClassVar = {"use_scale": False, "use_bias": False}

    def load(self) -> None:
        self.jax, self.linen = module("jax"), module("flax.linen")

    axes = (-1, 1)

    def fresh(self, channels: int) -> Any:
        norm = self.linen.BatchNorm(use_running_average=True, axis=self.axis, **self.given)
        shape = [1] * self.rank
        shape[self.axis] = channels
        return norm, norm.init(self.jax.random.key(0), np.zeros(shape, np.float32))

    def train(self, layer: Any, x: Any) -> Any:
        norm, variables = layer
        moving = norm.clone(use_running_average=False)
        _, moved = moving.apply(variables, laid(x, norm.axis), mutable=["batch_stats"])
        return norm, {**variables, **moved}

    def evaluate(self, layer: Any, x: Any) -> Any:
        norm, variables = layer
        return back(norm.apply(variables, laid(x, norm.axis)), norm.axis)


class Nnx(Driver):
    without = Linen.without

    def load(self) -> None:
        module("jax")
        self.nnx = module("flax.nnx")

    def fresh(self, channels: int) -> Any:
        return self.nnx.BatchNorm(channels, axis=self.axis, rngs=self.nnx.Rngs(0), **self.given)

    axes = (-1, 1)

    def train(self, layer: Any, x: Any) -> Any:
        layer(laid(x, layer.axis), use_running_average=False)
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        return back(layer(laid(x, layer.axis), use_running_average=True), layer.axis)


class Haiku(Driver):
    without: ClassVar = {"create_scale": False, "create_offset": False}
    epsilon_name = "eps"
    momentum_name = "decay_rate"

    def load(self) -> None:
        module("jax")
        hk = module("haiku")
        # it has no default of any of the three
        given = {"create_scale": True, "create_offset": True, "decay_rate": 0.9, **self.given}

        given["data_format"] = "channels_last" if self.axis == -1 else "channels_first"

        def forward(x: Any, training: bool) -> Any:
            return hk.BatchNorm(**given)(x, training)

        self.function = hk.transform_with_state(forward)

    axes = (-1, 1)

    def fresh(self, channels: int) -> Any:
        shape = [1] * self.rank
        shape[self.axis] = channels
        return self.function, *self.function.init(None, np.zeros(shape, np.float32), True)

    def train(self, layer: Any, x: Any) -> Any:
        function, params, kept = layer
        return function, params, function.apply(params, kept, None, laid(x, self.axis_of(layer)), True)[1]

    def evaluate(self, layer: Any, x: Any) -> Any:
        function, params, kept = layer
        axis = self.axis_of(layer)
        return back(function.apply(params, kept, None, laid(x, axis), False)[0], axis)

    def axis_of(self, layer: Any) -> int:
        return -1 if layer[2]["batch_norm/~/var_ema"]["average"].shape[-1] > 1 else 1


class Equinox(Driver):
    without: ClassVar = {"channelwise_affine": False}
    epsilon_name = "eps"

    def load(self) -> None:
        self.jax, self.eqx = module("jax"), module("equinox")

    def fresh(self, channels: int) -> Any:
        return self.eqx.nn.make_with_state(self.eqx.nn.BatchNorm)(channels, "batch", mode="ema", **self.given)

    def both(self, layer: Any, x: Any, inference: bool) -> Any:
        norm, state = layer
        over = self.jax.vmap(
            lambda one, kept: norm(one, kept, inference=inference),
            axis_name="batch",
            in_axes=(0, None),
            out_axes=(0, None),
        )
        return over(x, state)

    def train(self, layer: Any, x: Any) -> Any:
        return layer[0], self.both(layer, x, False)[1]

    def evaluate(self, layer: Any, x: Any) -> Any:
        return np.asarray(self.both(layer, x, True)[0])


class Onnx(Driver):
    """A model of one node; in training it gets the two outputs and the attribute of training, and the arrays move."""

    def load(self) -> None:
        self.onnx = module("onnx")
        module("onnx.reference")
        self.engine()

    def engine(self) -> None:
        pass

    def run(self, model: Any, x: Any) -> list[Any]:
        evaluator: Any = self.onnx.reference.ReferenceEvaluator(model)
        return list(evaluator.run(None, {"x": x}))

    def fresh(self, channels: int) -> Any:
        helper, numpy_helper = self.onnx.helper, self.onnx.numpy_helper
        names = ("scale", "B", "input_mean", "input_var")
        ones = [np.full(channels, name in ("scale", "input_var"), np.float32) for name in names]
        fresh = [numpy_helper.from_array(array, name) for name, array in zip(names, ones, strict=True)]
        node = helper.make_node("BatchNormalization", ["x", *names], ["y"], **self.given)
        shape = ["N", channels, "D", "H", "W"][: self.rank]
        ends = [[helper.make_tensor_value_info(name, 1, shape)] for name in ("x", "y")]
        graph = helper.make_graph([node], "layer", *ends, fresh)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)

    def train(self, layer: Any, x: Any) -> Any:
        helper, numpy_helper = self.onnx.helper, self.onnx.numpy_helper
        training = self.onnx.ModelProto()
        training.CopyFrom(layer)
        node = training.graph.node[0]
        node.attribute.append(helper.make_attribute("training_mode", 1))
        node.output.extend(["new_mean", "new_var"])
        ends = [helper.make_tensor_value_info(name, 1, [None]) for name in ("new_mean", "new_var")]
        training.graph.output.extend(ends)
        moved = self.run(training, x)[1:]
        kept = {each.name: each for each in layer.graph.initializer}
        for name, array in zip(layer.graph.node[0].input[3:5], moved, strict=True):
            kept[name].CopyFrom(numpy_helper.from_array(np.asarray(array), name))
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        return self.run(layer, x)[0]


class OnnxRuntime(Onnx):
    def engine(self) -> None:
        self.runtime = module("onnxruntime")

    def run(self, model: Any, x: Any) -> list[Any]:
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = self.runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return list(session.run(None, {"x": x}))


class Mlx(Driver):
    without: ClassVar = {"affine": False}
    epsilon_name = "eps"

    axes, ranks = (-1,), (2, 4)

    def load(self) -> None:
        self.core, self.nn = module("mlx.core"), module("mlx.nn")

    def fresh(self, channels: int) -> Any:
        return self.nn.BatchNorm(channels, **self.given)

    def train(self, layer: Any, x: Any) -> Any:
        layer.train()
        layer(self.core.array(last(x)))
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        layer.eval()
        return first(np.array(layer(self.core.array(last(x)))))


class Paddle(Driver):
    without: ClassVar = {"weight_attr": False, "bias_attr": False}

    def load(self) -> None:
        self.paddle = module("paddle")

    def fresh(self, channels: int) -> Any:
        return self.paddle.nn.BatchNorm2D(channels, **self.given)

    def train(self, layer: Any, x: Any) -> Any:
        layer.train()
        layer(self.paddle.to_tensor(x))
        return layer

    def evaluate(self, layer: Any, x: Any) -> Any:
        layer.eval()
        return layer(self.paddle.to_tensor(x)).numpy()


# The first five are in the extra that continuous integration installs.
DRIVERS: dict[str, type[Driver]] = {
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
    "onnx-reference": Onnx,
    "flax-linen": Linen,
    "flax-nnx": Nnx,
    **{f"keras-{name}": type(f"Keras{name.title()}", (Keras,), {"backend": name}) for name in BACKENDS},
    "tf_keras": TfKeras,
    "haiku": Haiku,
    "equinox": Equinox,
    "mlx": Mlx,
    "paddle": Paddle,
}
CORE = tuple(DRIVERS)[:5]
