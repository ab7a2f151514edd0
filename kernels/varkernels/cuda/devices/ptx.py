"""The device ``ptx``: the committed PTX executed on the CPU by the package varptx, bit for bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...folders import cache_folder, writable
from .. import library
from ..errors import DeviceError
from ..inputs import extent
from ..launch_plan import Plan

__all__ = ["Executor"]


class Executor:
    """Executes plans; kernels are loaded when they are first launched, and kept.

    reverse : whether blocks, warps and threads run from the last to the first, which must not change any bit.
    """

    def __init__(self, *, reverse: bool = False) -> None:
        try:
            import varptx  # noqa: PLC0415
        except ImportError as problem:
            raise DeviceError(f"the PTX executor varptx cannot be loaded ({problem}): reinstall varstudy") from None
        self._varptx: Any = varptx
        self._kernels: dict[str, Any] = {}
        self._reverse = reverse
        self._cache = cache_folder() / "ptx" if writable() else None

    @staticmethod
    @cache
    def get() -> Executor:
        """The one of this process."""
        return Executor()

    def _kernel(self, name: str) -> Any:
        if name not in self._kernels:
            module = self._varptx.load(library.text(name), cache=self._cache)
            self._kernels[name] = module.kernel(library.entry(name))
        return self._kernels[name]

    def run(self, plan: Plan, view: NDArray[Any]) -> NDArray[Any]:
        """The answers, (rows, 2), of the plan's launches on the values of a view (blocks, segments, rows, length)."""
        memory = self._varptx.Memory()
        values, first = extent(view)
        # The view's own alignment: 16-byte loads are taken where a GPU would take them.
        offset = (view.__array_interface__["data"][0] - first) % 16
        places = {"data": memory.place(values, readonly=True, offset=offset).address + first}
        buffers = {name: np.empty(size, dtype) for name, (dtype, size) in plan.buffers.items()}
        for name, buffer in buffers.items():
            places[name] = memory.place(buffer, initialised=False).address
        for launch in plan.launches:
            arguments = [places[arg] if isinstance(arg, str) else arg for arg in launch.arguments]
            self._kernel(launch.kernel.name).launch(
                memory,
                grid=(launch.grid, 1, 1),
                block=(launch.block, 1, 1),
                args=arguments,
                reverse=self._reverse,
            )
        return buffers["answers"].reshape(-1, 2)
