"""PyTorch's moments on a feature map that lies on the device; PyTorch is loaded here and nowhere else."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

__all__ = ["calls", "load", "tensor"]

Call = Callable[[], Any]


def load() -> tuple[Any, str]:
    """PyTorch and its version; or None and why it takes no part."""
    if importlib.util.find_spec("torch") is None:
        return None, "torch is not installed"
    try:
        torch: Any = importlib.import_module("torch")
        there = torch.cuda.is_available()
    except Exception as error:  # a broken installation may raise anything
        return None, f"torch cannot be loaded ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    version = str(torch.__version__)
    return (torch, version) if there else (None, f"torch {version} cannot use this GPU")


def tensor(torch: Any, shared: Any, storage: str) -> Any:
    """A tensor of `Resident.shared`'s memory, not copied."""
    found = torch.as_tensor(shared, device="cuda")
    return found.view(torch.bfloat16) if storage == "bfloat16" else found


def calls(torch: Any, x: Any, norm: str, layout: str, groups: int) -> dict[str, Call]:
    """What PyTorch has for the moments under a norm, by name; those that also write the normalised map say so.

    Parameters
    ----------
    x : tensor of the memory as it lies: (N, C, H, W), or (N, H, W, C) for ``NHWC``, which PyTorch's functions get as
        their memory format channels_last.
    norm : batch, layer, instance or group. groups : of group norm.
    """
    last = layout == "NHWC"
    n, c = x.shape[0], x.shape[3 if last else 1]
    seen = x.permute(0, 3, 1, 2) if last else x  # (N, C, H, W)
    cut = groups if norm == "group" else c
    if norm in ("batch", "layer", "instance"):
        part, axes = seen, {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}[norm]
    elif last:
        part, axes = x.view(n, -1, cut, c // cut), (1, 3)
    else:
        part, axes = x.view(n, cut, -1), (2,)
    found: dict[str, Call] = {"torch.var_mean": lambda: torch.var_mean(part, dim=axes, correction=0)}
    functions = torch.nn.functional
    if norm == "batch":
        if hasattr(torch, "batch_norm_stats"):
            found["torch.batch_norm_stats"] = lambda: torch.batch_norm_stats(seen, 1e-5)
        else:
            found["torch.native_batch_norm (writes the map)"] = lambda: torch.native_batch_norm(
                seen, None, None, None, None, True, 0.1, 1e-5
            )
    elif norm == "layer":
        found["layer_norm (writes the map)"] = lambda: functions.layer_norm(x, tuple(x.shape[1:]))
    else:
        found["group_norm (writes the map)"] = lambda: functions.group_norm(seen, cut)
    return {name: torch.no_grad()(call) for name, call in found.items()}
