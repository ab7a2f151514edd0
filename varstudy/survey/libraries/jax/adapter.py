"""jax's variance, op by op and compiled."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from function_contract import Answer, keyword

jax.config.update("jax_enable_x64", True)  # or else float64 is silently cut to float32


def versions():
    return {"jax": jax.__version__, "numpy": np.__version__}


def along(axis, compiled=False):
    function = jnp.var
    if compiled:
        function = partial(jax.jit, static_argnames=("axis", "ddof"))(jnp.var)

    def call(x, storage, ddof):
        made = jnp.asarray(x, dtype=jnp.bfloat16 if storage == "bfloat16" else None)
        found = function(made, axis=axis, **keyword(ddof))
        if found.dtype == jnp.bfloat16:
            return Answer(np.asarray(found.astype(jnp.float32)), "bfloat16")
        return np.asarray(found)

    return call


FUNCTIONS = {
    "numpy.var": along(None),
    "numpy.var, axis -1": along(-1),
    "numpy.var, axis 0": along(0),
    "jit(numpy.var)": along(None, True),
    "jit(numpy.var), axis 0": along(0, True),
}
