"""Haiku: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import haiku as hk\nimport jax.numpy as jnp",
    layer="(params, state), or (function, params, state), of a function with one BatchNorm of its default name",
    axes=(-1, 1),
    reads=reads_of(
        """\
params, kept = layer[-2:]
affine = params.get("batch_norm", {})
pairs = {
    "gamma": affine.get("scale"),
    "beta": affine.get("offset"),
    "mean": kept["batch_norm/~/mean_ema"]["average"],
    "var": kept["batch_norm/~/var_ema"]["average"],
}""",
        "np.array(value, np.float64).ravel()",
    ),
    settings="""\
# a function of Haiku does not tell its epsilon and its decay_rate: give them
affine = layer[-2].get("batch_norm", {})
found = {"scale": "scale" in affine, "shift": "offset" in affine}
shape = layer[-1]["batch_norm/~/var_ema"]["average"].shape
if len(shape) > 1 and max(shape) > 1:
    found |= {"rank": len(shape), "axis": -1 if shape[-1] > 1 else 1}
return found""",
    makes="""\
form = "channels_last" if axis == -1 else "channels_first"
settings = {"decay_rate": momentum, "eps": epsilon, "data_format": form}
function = hk.transform_with_state(lambda x, training: hk.BatchNorm(scale, shift, **settings)(x, training))
shape = [1] * rank
shape[axis] = channels
return function, *function.init(None, jnp.zeros(shape), True)""",
    writes="""\
*function, params, kept = layer
params, kept = dict(params), dict(kept)
shape = kept["batch_norm/~/var_ema"]["average"].shape
arrays = {name: jnp.asarray(value, jnp.float32).reshape(shape) for name, value in state.items()}
ours = {"scale": "gamma", "offset": "beta"}
if "batch_norm" in params:
    params["batch_norm"] = {name: arrays[ours[name]] for name in params["batch_norm"]}
for name in ("mean", "var"):
    # as after so many steps that nothing is left of the zero-debiasing
    average = {"average": arrays[name], "hidden": arrays[name], "counter": jnp.int32(2**30)}
    kept[f"batch_norm/~/{name}_ema"] = average
return (*function, params, kept)""",
    epsilon="eps",
    momentum="decay_rate",
    momentum_needed=True,
)
FRAMEWORKS = [
    Framework("haiku", "Haiku", CORE, modules=("haiku", "jax"), sync=True, state=STATE, order=100),
]
