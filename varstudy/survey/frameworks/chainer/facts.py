"""Chainer: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework, StateCode, reads

CHAINER = Environment("chainer", "3.8", ("chainer==7.8.1", "numpy==1.23.5"), megabytes=100)
STATE = StateCode(
    imports="import chainer",
    layer="a chainer.links.BatchNormalization",
    reads=reads("gamma", "beta", "avg_mean", "avg_var", 'np.array(getattr(value, "array", value), np.float64)'),
    makes="return chainer.links.BatchNormalization(channels{comma}{arguments})",
    writes="""\
pairs = {"gamma": layer.gamma.array, "beta": layer.beta.array, "mean": layer.avg_mean, "var": layer.avg_var}
for name, array in pairs.items():
    array[...] = state[name]
return layer""",
    epsilon="eps",
    momentum="decay",
)
FRAMEWORKS = [
    Framework("chainer", "Chainer", CHAINER, modules=("chainer",), state=STATE, order=180),
]
