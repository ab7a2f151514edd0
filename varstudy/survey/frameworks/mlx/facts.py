"""MLX: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import mlx.core\nimport mlx.nn",
    layer="an mlx.nn.BatchNorm",
    reads=reads("weight", "bias", "running_mean", "running_var", "np.array(value, np.float64)"),
    settings="""\
scale = getattr(layer, "weight", None) is not None
return {"epsilon": layer.eps, "momentum": layer.momentum, "axis": -1, "scale": scale, "shift": scale}""",
    makes="""\
return mlx.nn.BatchNorm(channels, eps=epsilon, momentum=momentum, affine=scale or shift)""",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    if getattr(layer, name, None) is not None:
        setattr(layer, name, mlx.core.array(np.asarray(state[ours], np.float32)))
return layer""",
    epsilon="eps",
    axes=(-1,),
)
FRAMEWORKS = [
    Framework("mlx", "MLX", CORE, modules=("mlx",), state=STATE, order=140),
]
