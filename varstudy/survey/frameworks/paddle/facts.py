"""PaddlePaddle: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import PADDLE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import paddle",
    layer="a paddle.nn.BatchNorm1D, 2D or 3D",
    reads=reads("weight", "bias", "_mean", "_variance", "np.array(value.numpy(), np.float64)"),
    makes="return paddle.nn.BatchNorm2D(channels{comma}{arguments})",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "_mean": "mean", "_variance": "var"}
for name, ours in pairs.items():
    getattr(layer, name).set_value(np.asarray(state[ours], np.float32))
return layer""",
)
FRAMEWORKS = [
    Framework("paddle", "PaddlePaddle", PADDLE, modules=("paddle",), sync=True, state=STATE, order=160),
]
