"""Feature maps like those inside a network, in both layouts, for four norms side by side."""

from __future__ import annotations

from functools import partial

import numpy as np

from .case import DEFAULT, FULL, QUICK, Array, Case
from .storing import store
from .streams import Floats, Stream

__all__ = ["activations", "cases"]

SMALL = (8, 32, 14, 14)
LARGE = (32, 64, 56, 56)


def _texture(stream: Stream, n: int, h: int, w: int) -> Floats:
    """n planes of unit variance: 0.8 of pixel noise and 0.6 of noise that is constant on 2 x 2 pixels."""
    fine = stream.normal(n * h * w).reshape(n, h, w)
    coarse = stream.normal(n * (h // 2) * (w // 2)).reshape(n, h // 2, w // 2)
    return np.asarray(0.8 * fine + 0.6 * coarse.repeat(2, axis=1).repeat(2, axis=2))


def activations(
    storage: str,
    stream: Stream,
    *,
    shape: tuple[int, int, int, int],
    layout: str,
    scales: tuple[float, float],
    offsets: tuple[float, float],
    rectified: bool,
) -> Array:
    """Per channel offset + scale * texture, both drawn from the given ranges; then max(0, .) if rectified.

    `shape` is (N, C, H, W) whatever the layout, H and W even. A rectified map's last channel is dead: zeros.
    """
    n, c, h, w = shape
    a = scales[0] + (scales[1] - scales[0]) * stream.uniform(c)
    b = offsets[0] + (offsets[1] - offsets[0]) * stream.uniform(c)
    planes = []
    for channel in range(c):
        x = b[channel] + a[channel] * _texture(stream, n, h, w)
        if rectified:
            x = np.zeros_like(x) if channel == c - 1 else np.maximum(x, 0.0)
        planes.append(store(x, storage))
    order = {"NCHW": (1, 0, 2, 3), "NHWC": (1, 2, 3, 0)}[layout]
    return np.ascontiguousarray(np.stack(planes).transpose(order))


def cases() -> tuple[Case, ...]:
    """The cases of the group ``norms``, in a fixed order."""
    made = []
    for kind, scales, offsets, why in (
        ("relu", (0.25, 2.25), (-1.0, 1.0), "as after a convolution and a ReLU, one channel of it dead"),
        (
            "bright",
            (0.5, 2.0),
            (200.0, 250.0),
            "as of a bright image, whose channels vary little round a large mean",
        ),
    ):
        for size, shape in (("", SMALL), ("-large", LARGE)):
            n, c, h, w = shape
            for layout in ("NCHW", "NHWC"):
                made.append(
                    Case(
                        name=f"norms/{kind}{size}/{layout}",
                        family=kind,
                        group="norms",
                        shape=shape if layout == "NCHW" else (n, h, w, c),
                        layout=layout,
                        norms=("batch", "layer", "instance", "group"),
                        groups=8,
                        storages=("float16", "bfloat16", "float32") if shape == SMALL else ("float32",),
                        rationale=f"A feature map {why}, in {layout} order: the same values under four "
                        "norms and two memory layouts.",
                        levels=FULL if shape == LARGE else QUICK if (kind, layout) == ("relu", "NCHW") else DEFAULT,
                        stream=f"norms/{kind}{size}",
                        generate=partial(
                            activations,
                            shape=shape,
                            layout=layout,
                            scales=scales,
                            offsets=offsets,
                            rectified=kind == "relu",
                        ),
                    )
                )
    return tuple(made)
