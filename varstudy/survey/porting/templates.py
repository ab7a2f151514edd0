"""How the state of a batch norm is read from and written into each framework: the pieces that snippets are made of.

These are calls of the frameworks' interfaces, no conventions: what a default or a number means is measured, elsewhere.
Three functions of every snippet have the same names whatever the framework:

    read(layer)          -> {"gamma", "beta", "mean", "var"}, float64 numpy arrays (channels,)
    make(channels)       -> a fresh layer, with the epsilon and momentum that the port needs
    write(layer, state)  -> the layer with the state in it

Where a framework keeps a layer's arrays apart from the layer, "layer" is what holds the arrays: flax's `variables`,
haiku's (params, state), equinox's (layer, state), ONNX's model.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TEMPLATES", "Template"]


@dataclass(frozen=True)
class Template:
    """The pieces of one framework.

    Attributes
    ----------
    imports : lines. reads, writes, makes : the bodies of the three functions; what the port fills in `makes` is
        {epsilon} and {momentum}, which are arguments with their names or nothing, and {variant}.
    layer : what the functions take. epsilon, momentum : the arguments' names.
    momentum_needed : whether a layer cannot be made without that argument.
    """

    imports: str
    layer: str
    reads: str
    makes: str
    writes: str
    epsilon: str = "epsilon"
    momentum: str = "momentum"
    momentum_needed: bool = False


_STATE = """\
if pairs["mean"] is None or pairs["var"] is None:
    raise ValueError("the layer has no running statistics: there is no state to carry")
state = {{name: {convert} for name, value in pairs.items() if value is not None}}
return {{"gamma": np.ones_like(state["mean"]), "beta": np.zeros_like(state["mean"]), **state}}"""


def _state(pairs: str, convert: str) -> str:
    """The body of `read`, of lines that make `pairs`: a layer's values, None where it has none."""
    return pairs + "\n" + _STATE.format(convert=convert)


def _reads(gamma: str, beta: str, mean: str, var: str, convert: str) -> str:
    """The body of `read` where the layer has, or lacks, an attribute for each."""
    names = f'names = {{"gamma": "{gamma}", "beta": "{beta}", "mean": "{mean}", "var": "{var}"}}'
    pairs = "pairs = {name: getattr(layer, attribute, None) for name, attribute in names.items()}"
    return _state(f"{names}\n{pairs}", convert)


def _keras_reads(convert: str) -> str:
    return _reads("gamma", "beta", "moving_mean", "moving_variance", f"np.array({convert}, np.float64)")


_KERAS = Template(
    imports="import keras",
    layer="a built BatchNormalization",
    reads=_keras_reads("keras.ops.convert_to_numpy(value)"),
    makes="""\
layer = keras.layers.BatchNormalization({arguments})
layer.build((None, None, None, channels))  # feature maps with the channels last
return layer""",
    writes="""\
layer.set_weights([np.asarray(state[name], np.float32) for name in ("gamma", "beta", "mean", "var")])
return layer""",
)
_OLD_KERAS = _keras_reads("keras.backend.get_value(value)")
_TORCH = Template(
    imports="import torch",
    layer="a BatchNorm1d, 2d or 3d",
    reads=_reads(
        "weight", "bias", "running_mean", "running_var", "np.array(value.detach().cpu().double().numpy(), np.float64)"
    ),
    makes="return torch.nn.BatchNorm2d(channels{comma}{arguments})",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
with torch.no_grad():
    for name, ours in pairs.items():
        getattr(layer, name).copy_(torch.from_numpy(np.asarray(state[ours], np.float32)))
return layer""",
    epsilon="eps",
)
_ONNX = Template(
    imports="import onnx\nfrom onnx import helper, numpy_helper",
    layer="a model with one BatchNormalization whose parameters are initializers",
    reads="""\
node = next(each for each in layer.graph.node if each.op_type == "BatchNormalization")
arrays = {each.name: numpy_helper.to_array(each) for each in layer.graph.initializer}
pairs = zip(("gamma", "beta", "mean", "var"), node.input[1:5])
return {name: np.array(arrays[key], np.float64) for name, key in pairs}""",
    makes="""\
names = ("gamma", "beta", "mean", "var")
node = helper.make_node("BatchNormalization", ["x", *names], ["y"]{comma}{arguments})
fresh = [numpy_helper.from_array(np.full(channels, name in ("gamma", "var"), np.float32), name) for name in names]
shape = ["N", channels, "H", "W"]
ends = [[helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)] for name in ("x", "y")]
graph = helper.make_graph([node], "batch_normalisation", *ends, fresh)
return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)""",
    writes="""\
node = next(each for each in layer.graph.node if each.op_type == "BatchNormalization")
ours = dict(zip(node.input[1:5], ("gamma", "beta", "mean", "var")))
for each in layer.graph.initializer:
    if each.name in ours:
        each.CopyFrom(numpy_helper.from_array(np.asarray(state[ours[each.name]], np.float32), each.name))
return layer""",
)

TEMPLATES: dict[str, Template] = {
    "torch": _TORCH,
    **{f"keras-{backend}": _KERAS for backend in ("tensorflow", "torch", "jax", "numpy")},
    "tf_keras": Template("import tf_keras as keras", _KERAS.layer, _OLD_KERAS, _KERAS.makes, _KERAS.writes),
    "keras2-theano": Template("import keras", _KERAS.layer, _OLD_KERAS, _KERAS.makes, _KERAS.writes),
    "flax-linen": Template(
        imports="import jax\nimport jax.numpy as jnp\nfrom flax import linen",
        layer="the variables of a linen.BatchNorm: params and batch_stats",
        reads=_state(
            """\
params, kept = layer.get("params", {}), layer.get("batch_stats", {})
pairs = {"gamma": params.get("scale"), "beta": params.get("bias"), "mean": kept.get("mean"), "var": kept.get("var")}""",
            "np.array(value, np.float64)",
        ),
        makes="""\
module = linen.BatchNorm(use_running_average=True{comma}{arguments})
return module.init(jax.random.key(0), jnp.zeros((1, channels)))  # to be applied by a module made the same way""",
        writes="""\
arrays = {name: jnp.asarray(value, jnp.float32) for name, value in state.items()}
params = {"scale": arrays["gamma"], "bias": arrays["beta"]}
return {**layer, "params": params, "batch_stats": {"mean": arrays["mean"], "var": arrays["var"]}}""",
    ),
    "flax-nnx": Template(
        imports="import jax.numpy as jnp\nfrom flax import nnx",
        layer="an nnx.BatchNorm",
        reads=_reads("scale", "bias", "mean", "var", "np.array(value[...], np.float64)"),
        makes="return nnx.BatchNorm(channels{comma}{arguments}, rngs=nnx.Rngs(0))",
        writes="""\
pairs = {"scale": "gamma", "bias": "beta", "mean": "mean", "var": "var"}
for name, ours in pairs.items():
    getattr(layer, name)[...] = jnp.asarray(state[ours], jnp.float32)
return layer""",
    ),
    "haiku": Template(
        imports="import haiku as hk\nimport jax.numpy as jnp",
        layer="(params, state) of a transformed function with one BatchNorm of its default name",
        reads=_state(
            """\
params, kept = layer
affine = params.get("batch_norm", {})
pairs = {
    "gamma": affine.get("scale"),
    "beta": affine.get("offset"),
    "mean": kept["batch_norm/~/mean_ema"]["average"],
    "var": kept["batch_norm/~/var_ema"]["average"],
}""",
            "np.array(value, np.float64).ravel()",
        ),
        makes="""\
function = hk.transform_with_state(
    lambda x, training: hk.BatchNorm(True, True, {arguments})(x, training)
)
# for feature maps with the channels last; to be applied by a function made the same way
return function.init(None, jnp.zeros((1, 1, 1, channels)), True)""",
        writes="""\
params, kept = layer
params, kept = dict(params), dict(kept)
shape = params["batch_norm"]["scale"].shape
arrays = {name: jnp.asarray(value, jnp.float32).reshape(shape) for name, value in state.items()}
params["batch_norm"] = {"scale": arrays["gamma"], "offset": arrays["beta"]}
for name in ("mean", "var"):
    # as after so many steps that nothing is left of the zero-debiasing
    average = {"average": arrays[name], "hidden": arrays[name], "counter": jnp.int32(2**30)}
    kept[f"batch_norm/~/{name}_ema"] = average
return params, kept""",
        epsilon="eps",
        momentum="decay_rate",
        momentum_needed=True,
    ),
    "equinox": Template(
        imports="import equinox as eqx\nimport jax.numpy as jnp",
        layer='(layer, state) of an eqx.nn.BatchNorm of mode "ema" or "batch"',
        reads=_state(
            """\
module, kept = layer
if module.mode == "ema":
    mean, var = kept.get(module.ema_state_index)
else:
    count = int(kept.get(module.batch_counter))
    debias = 1 - module.momentum**count if count else 1
    mean, var = (np.array(value, np.float64) / debias for value in kept.get(module.batch_state_index))
pairs = {"gamma": module.weight, "beta": module.bias, "mean": mean, "var": var}""",
            "np.array(value, np.float64)",
        ),
        makes="""\
return eqx.nn.make_with_state(eqx.nn.BatchNorm)(channels, axis_name="batch", mode="{variant}"{comma}{arguments})""",
        writes="""\
module, kept = layer
arrays = {name: jnp.asarray(value, jnp.float32) for name, value in state.items()}
module = eqx.tree_at(lambda each: (each.weight, each.bias), module, (arrays["gamma"], arrays["beta"]))
statistics = arrays["mean"], arrays["var"]
if module.mode == "ema":
    kept = kept.set(module.ema_state_index, statistics)
    return module, kept.set(module.ema_first_time_index, jnp.array(False))
# as after so many steps that nothing is left of the zero-debiasing
kept = kept.set(module.batch_state_index, statistics)
return module, kept.set(module.batch_counter, jnp.asarray(2**30))""",
        epsilon="eps",
    ),
    "paddle": Template(
        imports="import paddle",
        layer="a paddle.nn.BatchNorm1D, 2D or 3D",
        reads=_reads("weight", "bias", "_mean", "_variance", "np.array(value.numpy(), np.float64)"),
        makes="return paddle.nn.BatchNorm2D(channels{comma}{arguments})",
        writes="""\
pairs = {"weight": "gamma", "bias": "beta", "_mean": "mean", "_variance": "var"}
for name, ours in pairs.items():
    getattr(layer, name).set_value(np.asarray(state[ours], np.float32))
return layer""",
    ),
    "mxnet": Template(
        imports="import mxnet",
        layer="an initialised gluon.nn.BatchNorm",
        reads=_state(
            """\
gamma = None if layer._kwargs["fix_gamma"] else layer.gamma  # of scale=False: it is there, and not used
pairs = {"gamma": gamma, "beta": layer.beta, "mean": layer.running_mean, "var": layer.running_var}""",
            "np.array(value.data().asnumpy(), np.float64)",
        ),
        makes="""\
layer = mxnet.gluon.nn.BatchNorm(in_channels=channels{comma}{arguments})
layer.initialize()
return layer""",
        writes="""\
pairs = {"gamma": "gamma", "beta": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    getattr(layer, name).set_data(mxnet.nd.array(np.asarray(state[ours], np.float32)))
return layer""",
    ),
    "chainer": Template(
        imports="import chainer",
        layer="a chainer.links.BatchNormalization",
        reads=_reads("gamma", "beta", "avg_mean", "avg_var", 'np.array(getattr(value, "array", value), np.float64)'),
        makes="return chainer.links.BatchNormalization(channels{comma}{arguments})",
        writes="""\
pairs = {"gamma": layer.gamma.array, "beta": layer.beta.array, "mean": layer.avg_mean, "var": layer.avg_var}
for name, array in pairs.items():
    array[...] = state[name]
return layer""",
        epsilon="eps",
        momentum="decay",
    ),
    "mlx": Template(
        imports="import mlx.core\nimport mlx.nn",
        layer="an mlx.nn.BatchNorm",
        reads=_reads("weight", "bias", "running_mean", "running_var", "np.array(value, np.float64)"),
        makes="return mlx.nn.BatchNorm(channels{comma}{arguments})",
        writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    setattr(layer, name, mlx.core.array(np.asarray(state[ours], np.float32)))
return layer""",
        epsilon="eps",
    ),
    "tinygrad": Template(
        imports="import tinygrad.nn\nfrom tinygrad import Tensor",
        layer="a tinygrad.nn.BatchNorm",
        reads=_reads("weight", "bias", "running_mean", "running_var", "np.array(value.numpy(), np.float64)"),
        makes="return tinygrad.nn.BatchNorm(channels{comma}{arguments})",
        writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    getattr(layer, name).assign(Tensor(np.asarray(state[ours], np.float32))).realize()
return layer""",
        epsilon="eps",
    ),
    "onnxruntime": _ONNX,
    "onnx-reference": _ONNX,
}
