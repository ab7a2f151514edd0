"""Equinox: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import equinox as eqx\nimport jax.numpy as jnp",
    layer='(layer, state) of an eqx.nn.BatchNorm of mode "ema" or "batch"',
    reads=reads_of(
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
    settings="""\
module, scale = layer[0], layer[0].weight is not None
found = {"epsilon": module.eps, "momentum": module.momentum, "axis": 1}
return {**found, "scale": scale, "shift": scale}""",
    makes="""\
given = {"eps": epsilon, "momentum": momentum, "channelwise_affine": scale or shift}
return eqx.nn.make_with_state(eqx.nn.BatchNorm)(channels, axis_name="batch", mode="{mode}", **given)""",
    writes="""\
module, kept = layer
arrays = {name: jnp.asarray(value, jnp.float32) for name, value in state.items()}
if module.weight is not None:
    module = eqx.tree_at(lambda each: (each.weight, each.bias), module, (arrays["gamma"], arrays["beta"]))
statistics = arrays["mean"], arrays["var"]
if module.mode == "ema":
    kept = kept.set(module.ema_state_index, statistics)
    return module, kept.set(module.ema_first_time_index, jnp.array(False))
# as after so many steps that nothing is left of the zero-debiasing
kept = kept.set(module.batch_state_index, statistics)
return module, kept.set(module.batch_counter, jnp.asarray(2**30))""",
    epsilon="eps",
)
FRAMEWORKS = [
    Framework("equinox", "Equinox", CORE, modules=("equinox", "jax"), sync=True, state=STATE, order=110),
]
