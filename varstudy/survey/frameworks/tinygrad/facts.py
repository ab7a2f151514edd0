"""tinygrad: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import tinygrad.nn\nfrom tinygrad import Tensor",
    layer="a tinygrad.nn.BatchNorm",
    reads=reads("weight", "bias", "running_mean", "running_var", "np.array(value.numpy(), np.float64)"),
    settings="""\
scale = layer.weight is not None
return {"epsilon": layer.eps, "momentum": layer.momentum, "axis": 1, "scale": scale, "shift": scale}""",
    makes="""\
return tinygrad.nn.BatchNorm(channels, eps=epsilon, momentum=momentum, affine=scale or shift)""",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    if getattr(layer, name) is not None:
        getattr(layer, name).assign(Tensor(np.asarray(state[ours], np.float32))).realize()
return layer""",
    epsilon="eps",
)
FRAMEWORKS = [
    Framework(
        "tinygrad",
        "tinygrad",
        CORE,
        modules=("tinygrad",),
        variables={"DEV": "CPU", "CC": "clang-14"},
        state=STATE,
        order=150,
    ),
]
