"""mxnet: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import MXNET
from varstudy.survey.libraries.declaring import Call, Library

LIBRARIES = [
    Library(
        "mxnet",
        MXNET,
        [
            Call("np.var"),
            Call("np.var, axis -1", "mxnet.np.var axis=-1", eats="rows"),
            Call("np.var, axis 0", "mxnet.np.var axis=0", eats="columns"),
            Call("nd.moments"),
        ],
        order=60,
    ),
]
