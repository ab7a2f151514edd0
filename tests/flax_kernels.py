"""Flax Linen's norms as kernels for the test vectors: on JAX's CPU back end, op by op and compiled by jax.jit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["CORRECT", "FAULTY", "VERSION"]

VERSION = f"flax {flax.__version__} (Linen), jax {jax.__version__}"
_MODULES = {"layer": nn.LayerNorm, "rms": nn.RMSNorm, "group": nn.GroupNorm, "instance": nn.InstanceNorm}


def _moved(x: Any) -> Any:
    return jnp.moveaxis(jnp.asarray(np.ascontiguousarray(x)), 1, -1)


def _applied(norm: str, groups: int, epsilon: float, fast: bool, dtype: Any) -> Callable[..., Any]:
    """A function of x with channels last, and the parameters."""
    options: dict[str, Any] = {"epsilon": epsilon, "use_fast_variance": fast, "dtype": dtype, "param_dtype": dtype}
    if norm == "batch":
        module: Any = nn.BatchNorm(use_running_average=False, momentum=0.0, **options)
    else:
        module = _MODULES[norm](**options, **({"num_groups": groups} if norm == "group" else {}))

    def call(x: Any, parameters: dict[str, Any]) -> Any:
        if norm != "batch":
            return module.apply({"params": parameters}, x)
        still = {"mean": jnp.zeros(x.shape[-1], jnp.float32), "var": jnp.ones(x.shape[-1], jnp.float32)}
        y, kept = module.apply({"params": parameters, "batch_stats": still}, x, mutable=["batch_stats"])
        return y, kept["batch_stats"]["mean"], kept["batch_stats"]["var"]

    return call


def forward(norm: str, *, fast: bool = False, jit: bool = True) -> Callable[..., Any]:
    def kernel(x: Any, w: Any, *rest: Any) -> Any:
        parameters = {"scale": jnp.asarray(w)} | ({} if norm == "rms" else {"bias": jnp.asarray(rest[0])})
        groups = rest[1] if norm == "group" else 0
        call = _applied(norm, groups, rest[-1], fast, x.dtype)
        found = (jax.jit(call) if jit else call)(_moved(x), parameters)
        found = found if isinstance(found, tuple) else (found,)
        y = np.moveaxis(np.asarray(found[0]), -1, 1)
        return (y, *map(np.asarray, found[1:])) if norm == "batch" else y

    return kernel


def backward(norm: str, *, fast: bool = False) -> Callable[..., Any]:
    def kernel(dy: Any, x: Any, w: Any, *rest: Any) -> Any:
        parameters = {"scale": jnp.asarray(w)} | ({} if norm == "rms" else {"bias": jnp.zeros_like(jnp.asarray(w))})
        call = _applied(norm, rest[0] if norm == "group" else 0, rest[-1], fast, x.dtype)

        def y(values: Any, given: Any) -> Any:
            found = call(values, given)
            return found[0] if isinstance(found, tuple) else found

        gradients = jax.jit(lambda values, given, dy: jax.vjp(y, values, given)[1](dy))
        dx, moved = gradients(_moved(x), parameters, _moved(dy))
        names = ("scale",) if norm == "rms" else ("scale", "bias")
        return (np.moveaxis(np.asarray(dx), -1, 1), *(np.asarray(moved[name]) for name in names))

    return kernel


Entry = tuple[str, bool, tuple[str, ...], str, Callable[..., Any]]
F4, BF, ALL = ("float32",), ("bfloat16",), ("float32", "float16", "bfloat16")
# (norm, backward, dtypes, profile, function) by name. JAX compiles for each shape and dtype: not every pair is here.
CORRECT: dict[str, Entry] = {
    "LayerNorm": ("layer", False, BF, "single", forward("layer")),
    "LayerNorm, op by op": ("layer", False, F4, "single", forward("layer", jit=False)),
    "InstanceNorm, op by op": ("instance", False, F4, "single", forward("instance", jit=False)),
    "RMSNorm": ("rms", False, BF, "single", forward("rms")),
    "GroupNorm": ("group", False, F4, "single", forward("group")),
    "InstanceNorm": ("instance", False, ("float16",), "single", forward("instance")),
    "BatchNorm": ("batch", False, F4, "single", forward("batch")),
    "LayerNorm, gradients": ("layer", True, F4, "single", backward("layer")),
    "RMSNorm, gradients": ("rms", True, F4, "single", backward("rms")),
    "GroupNorm, gradients": ("group", True, F4, "single", backward("group")),
    "InstanceNorm, gradients": ("instance", True, F4, "single", backward("instance")),
    "BatchNorm, gradients": ("batch", True, F4, "single", backward("batch")),
}
FAULTY: dict[str, Entry] = {
    "GroupNorm, use_fast_variance=True": ("group", False, F4, "single", forward("group", fast=True)),
    "InstanceNorm, use_fast_variance=True": ("instance", False, ALL, "single", forward("instance", fast=True)),
    "BatchNorm, use_fast_variance=True": ("batch", False, F4, "single", forward("batch", fast=True)),
    "LayerNorm, gradients": ("layer", True, BF, "single", backward("layer")),
    "RMSNorm, gradients": ("rms", True, ("float16",), "single", backward("rms")),
}
