"""For PyTorch models: which norm layer is at risk in float16 or bfloat16. ``import varstudy.torch`` needs no torch."""

from __future__ import annotations

from .networks.torch_modules import audit

__all__ = ["audit"]
