"""Flax Linen: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import jax\nimport jax.numpy as jnp\nfrom flax import linen",
    layer="the variables of a linen.BatchNorm: params and batch_stats",
    reads=reads_of(
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
)
FRAMEWORKS = [
    Framework("flax-linen", "Flax Linen", CORE, modules=("flax", "jax"), sync=True, state=STATE, order=80),
]
