"""Haiku: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import haiku as hk\nimport jax.numpy as jnp",
    layer="(params, state) of a transformed function with one BatchNorm of its default name",
    reads=reads_of(
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
)
FRAMEWORKS = [
    Framework("haiku", "Haiku", CORE, modules=("haiku", "jax"), sync=True, state=STATE, order=100),
]
