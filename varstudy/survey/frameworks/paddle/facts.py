"""PaddlePaddle: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import PADDLE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import paddle",
    layer="a paddle.nn.BatchNorm1D, 2D or 3D",
    axes=(1, -1),
    reads=reads("weight", "bias", "_mean", "_variance", "np.array(value.numpy(), np.float64)"),
    settings="""\
rank = {"1D": 2, "2D": 4, "3D": 5}.get(type(layer).__name__[-2:])  # a 1D takes rank 3 too: give rank=3
axis = -1 if layer._data_format in ("NLC", "NHWC", "NDHWC") else 1
scale, shift = layer._weight_attr is not False, layer._bias_attr is not False
found = {"epsilon": layer._epsilon, "momentum": layer._momentum, "axis": axis, "rank": rank}
return {**found, "scale": scale, "shift": shift}""",
    makes="""\
kinds = {2: paddle.nn.BatchNorm1D, 3: paddle.nn.BatchNorm1D, 4: paddle.nn.BatchNorm2D, 5: paddle.nn.BatchNorm3D}
formats = {2: ("NC", "NC"), 3: ("NCL", "NLC"), 4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}
given = {"data_format": formats[rank][axis == -1]}
given |= {name: False for name, there in (("weight_attr", scale), ("bias_attr", shift)) if not there}
return kinds[rank](channels, momentum=momentum, epsilon=epsilon, **given)""",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "_mean": "mean", "_variance": "var"}
for name, ours in pairs.items():
    if getattr(layer, name) is not None:
        getattr(layer, name).set_value(np.asarray(state[ours], np.float32))
return layer""",
)
FRAMEWORKS = [
    Framework("paddle", "PaddlePaddle", PADDLE, modules=("paddle",), sync=True, state=STATE, order=160),
]
