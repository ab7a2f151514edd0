"""Flax NNX: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import jax.numpy as jnp\nfrom flax import nnx",
    layer="an nnx.BatchNorm",
    reads=reads("scale", "bias", "mean", "var", "np.array(value[...], np.float64)"),
    makes="return nnx.BatchNorm(channels{comma}{arguments}, rngs=nnx.Rngs(0))",
    writes="""\
pairs = {"scale": "gamma", "bias": "beta", "mean": "mean", "var": "var"}
for name, ours in pairs.items():
    getattr(layer, name)[...] = jnp.asarray(state[ours], jnp.float32)
return layer""",
)
FRAMEWORKS = [
    Framework("flax-nnx", "Flax NNX", CORE, modules=("flax", "jax"), sync=True, state=STATE, order=90),
]
