"""The norms that the benchmarks time on a feature map."""

from __future__ import annotations

from varkernels.layouts import Norm

__all__ = ["NORMS"]

NORMS: tuple[str, ...] = (Norm.BATCH.value, Norm.LAYER.value, Norm.INSTANCE.value, Norm.GROUP.value)
