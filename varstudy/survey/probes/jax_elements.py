"""Outputs and gradients of one module on JAX: for Flax Linen, Flax NNX, Haiku and Equinox."""

import jax
import jax.numpy as jnp
import numpy as np
from layer_contract import to_canonical, to_channels_last


def entered(x, asked, last):
    return jnp.asarray(to_channels_last(np.asarray(x)) if last else x, jnp.dtype(asked["dtype"]))


def given(y, last=False):
    wide = np.asarray(y.astype(jnp.float32))
    return (to_canonical(wide) if last else wide), str(y.dtype)


def answers(prepared):
    """`forward` and `backward` of a framework.

    Parameters
    ----------
    prepared : of (kind, x, asked): a function of x and parameters; the parameters, which are named as Flax's; and
        whether the channels come last.
    """

    def forward(kind, x, asked):
        call, parameters, last = prepared(kind, x, asked)
        return {"y": given(call(entered(x, asked, last), parameters), last)}

    def backward(kind, x, dy, asked):
        call, parameters, last = prepared(kind, x, asked)
        y, pull = jax.vjp(call, entered(x, asked, last), parameters)
        dx, moved = pull(entered(dy, asked, last).astype(y.dtype))
        names = {"scale": "dweight", "bias": "dbias"}
        return dict({names[k]: given(v) for k, v in moved.items()}, dx=given(dx, last))

    return forward, backward
