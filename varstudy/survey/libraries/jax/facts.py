"""jax: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "jax",
        CORE,
        [
            Call("numpy.var"),
            Call("numpy.var, axis -1", "jax.numpy.var axis=-1", eats=Eats.ROWS),
            Call("numpy.var, axis 0", "jax.numpy.var axis=0", eats=Eats.COLUMNS),
            Call("jit(numpy.var)", "jax.jit(jax.numpy.var)"),
            Call("jit(numpy.var), axis 0", "jax.jit(jax.numpy.var) axis=0", eats=Eats.COLUMNS),
        ],
        storages=ALL,
        order=40,
    ),
]
