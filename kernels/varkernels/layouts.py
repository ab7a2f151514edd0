"""The norms and the layouts of feature maps. Nothing here needs numpy, so that a command line starts fast."""

from __future__ import annotations

from .enums import StrEnum

__all__ = ["LAYOUTS", "NORMS", "Layout", "Norm"]


class Norm(StrEnum):
    """Which values share a mean and a variance."""

    BATCH = "batch"
    LAYER = "layer"
    INSTANCE = "instance"
    GROUP = "group"
    FLAT = "flat"


class Layout(StrEnum):
    """What the axes of a feature map are: N samples, C channels, and pixels along D, H, W or along L."""

    NCHW = "NCHW"
    NHWC = "NHWC"
    NC = "NC"
    NCL = "NCL"
    NLC = "NLC"
    NCDHW = "NCDHW"
    NDHWC = "NDHWC"

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.value)

    @property
    def channel_axis(self) -> int:
        return self.value.index("C")

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """The axes of the pixels; none for ``NC``."""
        return tuple(a for a, axis in enumerate(self.value) if axis not in "NC")

    @property
    def channels_last(self) -> bool:
        """Whether the channels come after pixels."""
        return self.channel_axis > 1


NORMS: tuple[str, ...] = tuple(norm.value for norm in Norm)
LAYOUTS: tuple[str, ...] = tuple(layout.value for layout in Layout)
