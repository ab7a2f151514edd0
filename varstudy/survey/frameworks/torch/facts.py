"""PyTorch: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

STATE = StateCode(
    imports="import torch",
    layer="a BatchNorm1d, 2d or 3d, SyncBatchNorm or FrozenBatchNorm2d",
    reads=reads(
        "weight", "bias", "running_mean", "running_var", "np.array(value.detach().cpu().double().numpy(), np.float64)"
    ),
    settings="""\
rank = {"1d": 2, "2d": 4, "3d": 5}.get(type(layer).__name__[-2:])  # a 1d takes rank 3 too: give rank=3
momentum = getattr(layer, "momentum", 0.1)  # a frozen one has none
batches = getattr(layer, "num_batches_tracked", None)
return {
    "epsilon": layer.eps,
    "momentum": "cumulative" if momentum is None else momentum,
    "batches": 0 if batches is None else int(batches),
    "axis": 1,
    "rank": rank,
    "scale": layer.weight is not None,
    "shift": layer.bias is not None,
}""",
    makes="""\
kinds = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}
momentum = None if momentum == "cumulative" else momentum
layer = kinds[rank](channels, eps=epsilon, momentum=momentum, affine=scale or shift)
if scale != shift:  # one of the two is constant
    (layer.bias if not shift else layer.weight).requires_grad_(False)
return layer""",
    writes="""\
pairs = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
with torch.no_grad():
    for name, ours in pairs.items():
        if getattr(layer, name) is not None:
            getattr(layer, name).copy_(torch.from_numpy(np.asarray(state[ours], np.float32)))
return layer""",
    epsilon="eps",
    cumulative=True,
)
FRAMEWORKS = [
    Framework("torch", "PyTorch", CORE, modules=("torch",), sync=True, state=STATE, order=10),
]
