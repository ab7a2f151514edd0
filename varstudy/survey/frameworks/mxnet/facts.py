"""MXNet: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import MXNET
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads_of

STATE = StateCode(
    imports="import mxnet",
    layer="an initialised gluon.nn.BatchNorm",
    axes=(1, -1),
    reads=reads_of(
        """\
gamma = None if layer._kwargs["fix_gamma"] else layer.gamma  # of scale=False: it is there, and not used
pairs = {"gamma": gamma, "beta": layer.beta, "mean": layer.running_mean, "var": layer.running_var}""",
        "np.array(value.data().asnumpy(), np.float64)",
    ),
    settings="""\
given = layer._kwargs
if given["axis"] not in (1, -1, 3):
    raise ValueError(f"the layer has its channels on axis {given['axis']}: only 1 and the last can be carried")
axis = 1 if given["axis"] == 1 else -1
found = {"epsilon": given["eps"], "momentum": given["momentum"], "axis": axis}
return {**found, "scale": not given["fix_gamma"], "shift": layer.beta.grad_req != "null"}""",
    makes="""\
given = {"axis": axis, "momentum": momentum, "epsilon": epsilon, "scale": scale, "center": shift}
layer = mxnet.gluon.nn.BatchNorm(in_channels=channels, **given)
layer.initialize()
return layer""",
    writes="""\
pairs = {"gamma": "gamma", "beta": "beta", "running_mean": "mean", "running_var": "var"}
for name, ours in pairs.items():
    getattr(layer, name).set_data(mxnet.nd.array(np.asarray(state[ours], np.float32)))
return layer""",
)
FRAMEWORKS = [
    Framework("mxnet", "MXNet", MXNET, modules=("mxnet",), sync=True, state=STATE, order=170),
]
