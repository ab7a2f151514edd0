"""mxnet: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import MXNET
from varstudy.survey.libraries.declaring import Call, Eats, Library

LIBRARIES = [
    Library(
        "mxnet",
        MXNET,
        [
            Call("np.var"),
            Call("np.var, axis -1", "mxnet.np.var axis=-1", eats=Eats.ROWS),
            Call("np.var, axis 0", "mxnet.np.var axis=0", eats=Eats.COLUMNS),
            Call("nd.moments"),
        ],
        order=60,
    ),
]
