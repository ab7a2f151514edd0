"""What goes wrong with a device, as one kind of error."""

from __future__ import annotations

__all__ = ["DeviceError"]


class DeviceError(RuntimeError):
    """The device, its driver or the compiled kernels cannot do what was asked; the message is a sentence for users."""
