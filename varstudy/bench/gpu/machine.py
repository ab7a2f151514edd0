"""What the measurement asks of a GPU: `card` offers it on a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

from varkernels.cuda.launch_plan import Plan
from varkernels.cuda.run import Device

__all__ = ["Machine", "Resident"]


class Resident(Protocol):
    """A feature map in the device's memory."""

    def kernel(self, plan: Plan) -> AbstractContextManager[Callable[[], None]]:
        """What launches a plan on the map; the plan's buffers are there for as long as the context lasts.

        Raises
        ------
        varkernels.cuda.DeviceError
            There is no memory for the buffers.
        """

    def copy(self) -> AbstractContextManager[Callable[[], None]]:
        """What copies the map to another place on the device; errors as above."""

    def shared(self, shape: tuple[int, ...], storage: str) -> Any:
        """The map as an object with ``__cuda_array_interface__``: 16-bit integers where the format is bfloat16."""


class Machine(Protocol):
    """A device that runs plans, holds feature maps and times what it does."""

    @property
    def device(self) -> Device:
        """What answers with moments: for `varkernels.cuda.moments`."""

    def facts(self) -> dict[str, Any]:
        """What it is, ready for JSON: name, driver, memory, L2 cache, clocks where it tells them."""

    def cache_rule(self) -> str:
        """In a sentence, what state `time` finds the L2 cache in."""

    def place(self, array: NDArray[Any]) -> AbstractContextManager[Resident]:
        """A contiguous array copied to the device, freed when the context ends.

        Raises
        ------
        varkernels.cuda.DeviceError
            The device's memory does not suffice.
        """

    def warm(self, call: Callable[[], Any]) -> int:
        """Call it a few times; how much work must lie before it so that the host is never waited for."""

    def time(self, call: Callable[[], Any], ahead: int) -> float:
        """Seconds on the device of what `call` launches. `ahead` : what `warm` answered."""

    def clocks(self) -> Mapping[str, str]:
        """The clocks of this moment, in the words of nvidia-smi; empty where that is not there."""
