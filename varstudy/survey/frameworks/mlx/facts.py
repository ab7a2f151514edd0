"""MLX: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import mlx.core\nimport mlx.nn",
    layer="an mlx.nn.BatchNorm",
    reads=reads("weight", "bias", "running_mean", "running_var", "np.array(value, np.float64)"),
    makes="return mlx.nn.BatchNorm(channels{comma}{arguments})",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    setattr(layer, name, mlx.core.array(np.asarray(state[ours], np.float32)))
return layer""",
    epsilon="eps",
)
FRAMEWORKS = [
    Framework("mlx", "MLX", CORE, modules=("mlx",), state=STATE, order=140),
]
