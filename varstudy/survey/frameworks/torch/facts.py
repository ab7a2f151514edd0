"""PyTorch: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import torch",
    layer="a BatchNorm1d, 2d or 3d",
    reads=reads(
        "weight", "bias", "running_mean", "running_var", "np.array(value.detach().cpu().double().numpy(), np.float64)"
    ),
    makes="return torch.nn.BatchNorm2d(channels{comma}{arguments})",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
with torch.no_grad():
    for name, ours in pairs.items():
        getattr(layer, name).copy_(torch.from_numpy(np.asarray(state[ours], np.float32)))
return layer""",
    epsilon="eps",
)
FRAMEWORKS = [
    Framework("torch", "PyTorch", CORE, modules=("torch",), sync=True, state=STATE, order=10),
]
