"""What goes wrong with a device, as one kind of error."""

from __future__ import annotations

__all__ = ["DeviceError", "DeviceMemoryError"]


class DeviceError(RuntimeError):
    """The device, its driver or the compiled kernels cannot do what was asked; the message is a sentence for users."""


class DeviceMemoryError(DeviceError, MemoryError):
    """The device's memory does not suffice; a MemoryError, too."""
