"""Chainer: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

CHAINER = Environment("chainer", "3.8", ("chainer==7.8.1", "numpy==1.23.5"), megabytes=100)
STATE = StateCode(
    imports="import chainer",
    layer="a chainer.links.BatchNormalization",
    axes=(1, -1),
    reads=reads("gamma", "beta", "avg_mean", "avg_var", 'np.array(getattr(value, "array", value), np.float64)'),
    settings="""\
axis = 1 if layer.axis is None or 1 not in layer.axis else -1
rank = None if layer.axis is None else len(layer.axis) + 1
found = {"epsilon": layer.eps, "momentum": layer.decay, "axis": axis, "rank": rank}
found["scale"], found["shift"] = (getattr(layer, name, None) is not None for name in ("gamma", "beta"))
return found""",
    makes="""\
axes = tuple(range(rank - 1)) if axis == -1 else None
given = {"decay": momentum, "eps": epsilon, "use_gamma": scale, "use_beta": shift, "axis": axes}
return chainer.links.BatchNormalization(channels, **given)""",
    writes="""\
pairs = {"gamma": layer.gamma, "beta": layer.beta, "mean": layer.avg_mean, "var": layer.avg_var}
for name, array in pairs.items():
    if array is not None:
        getattr(array, "array", array)[...] = state[name]
return layer""",
    epsilon="eps",
    momentum="decay",
)
FRAMEWORKS = [
    Framework("chainer", "Chainer", CHAINER, modules=("chainer",), state=STATE, order=180),
]
