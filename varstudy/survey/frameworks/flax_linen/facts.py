"""Flax Linen: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import jax\nimport jax.numpy as jnp\nfrom flax import linen",
    layer="(module, variables) of a linen.BatchNorm, or its variables alone: params and batch_stats",
    axes=(-1, 1),
    reads=reads_of(
        """\
variables = layer[1] if isinstance(layer, tuple) else layer
params, kept = variables.get("params", {}), variables.get("batch_stats", {})
pairs = {"gamma": params.get("scale"), "beta": params.get("bias"), "mean": kept.get("mean"), "var": kept.get("var")}""",
        "np.array(value, np.float64)",
    ),
    settings="""\
module, variables = layer if isinstance(layer, tuple) else (None, layer)  # the variables alone know less
params = variables.get("params", {})
found = {"scale": "scale" in params, "shift": "bias" in params}
if module is None:
    return found
if module.axis not in (1, -1):
    raise ValueError(f"the module has its channels on axis {module.axis}: only 1 and -1 can be carried")
return {**found, "epsilon": module.epsilon, "momentum": module.momentum, "axis": module.axis}""",
    makes="""\
settings = {"axis": axis, "momentum": momentum, "epsilon": epsilon, "use_scale": scale, "use_bias": shift}
module = linen.BatchNorm(use_running_average=True, **settings)
shape = [1] * rank
shape[axis] = channels
return module, module.init(jax.random.key(0), jnp.zeros(shape))""",
    writes="""\
module, variables = layer if isinstance(layer, tuple) else (None, layer)
arrays = {name: jnp.asarray(value, jnp.float32) for name, value in state.items()}
ours = {"scale": "gamma", "bias": "beta"}
params = {name: arrays[ours[name]] for name in variables.get("params", {})}
kept = {**variables, "batch_stats": {"mean": arrays["mean"], "var": arrays["var"]}}
kept = {**kept, "params": params} if params else kept
return kept if module is None else (module, kept)""",
)
FRAMEWORKS = [
    Framework("flax-linen", "Flax Linen", CORE, modules=("flax", "jax"), sync=True, state=STATE, order=80),
]
