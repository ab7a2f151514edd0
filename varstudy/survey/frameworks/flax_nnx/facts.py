"""Flax NNX: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import jax.numpy as jnp\nfrom flax import nnx",
    layer="an nnx.BatchNorm",
    axes=(-1, 1),
    reads=reads("scale", "bias", "mean", "var", "np.array(value[...], np.float64)"),
    settings="""\
if layer.axis not in (1, -1):
    raise ValueError(f"the layer has its channels on axis {layer.axis}: only 1 and -1 can be carried")
return {
    "epsilon": layer.epsilon,
    "momentum": layer.momentum,
    "axis": layer.axis,
    "scale": layer.scale is not None,
    "shift": layer.bias is not None,
}""",
    makes="""\
settings = {"axis": axis, "momentum": momentum, "epsilon": epsilon, "use_scale": scale, "use_bias": shift}
return nnx.BatchNorm(channels, **settings, rngs=nnx.Rngs(0))""",
    writes="""\
pairs = {"scale": "gamma", "bias": "beta", "mean": "mean", "var": "var"}
for name, ours in pairs.items():
    if getattr(layer, name) is not None:
        getattr(layer, name)[...] = jnp.asarray(state[ours], jnp.float32)
return layer""",
)
FRAMEWORKS = [
    Framework("flax-nnx", "Flax NNX", CORE, modules=("flax", "jax"), sync=True, state=STATE, order=90),
]
