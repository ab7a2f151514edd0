"""The device ``cuda``: the same PTX compiled by the driver and run on the GPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import library
from ..errors import DeviceError
from ..inputs import extent
from ..launch_plan import Launch, Plan
from .driver import Driver

__all__ = ["Gpu", "Prepared"]


class Gpu:
    """Runs plans on the first GPU; kernels are compiled by the driver when they are first launched, and kept."""

    def __init__(self) -> None:
        self.driver = Driver.get()
        self._kernels: dict[str, Any] = {}

    @staticmethod
    @cache
    def get() -> Gpu:
        """The one of this process.

        Raises
        ------
        DeviceError
            There is no GPU that can be used.
        """
        return Gpu()

    def kernel(self, launch: Launch) -> Any:
        name = launch.kernel.name
        if name not in self._kernels:
            self._kernels[name] = self.driver.load(library.text(name), library.entry(name))
        return self._kernels[name]

    def run(self, plan: Plan, view: NDArray[Any]) -> NDArray[Any]:
        """The answers, (rows, 2), of the plan's launches on the values of a view in the computer's memory.

        Raises
        ------
        DeviceError
            The GPU's memory does not suffice, or the driver fails; nothing stays allocated.
        """
        self.driver.enter()
        values, first = extent(view)
        offset = (view.__array_interface__["data"][0] - first) % 16
        place = self.driver.allocate(values.nbytes + 16)
        try:
            self.driver.copy_in(place + offset, values)
            with Prepared(self, plan) as prepared:
                prepared.launch(place + offset + first)
                return prepared.answers()
        finally:
            self.driver.free(place)

    def run_there(self, plan: Plan, address: int) -> NDArray[Any]:
        """The same for values that lie on the GPU already, value 0 of row 0 at `address`.

        Raises
        ------
        DeviceError
            As above, or the values lie on another GPU.
        """
        self.driver.enter()
        where = self.driver.device_of(address)
        if where != self.driver.ordinal:
            raise DeviceError(
                f"the array lies on GPU {where}, the kernels run on GPU {self.driver.ordinal}: copy it there, or set "
                "CUDA_VISIBLE_DEVICES"
            )
        with Prepared(self, plan) as prepared:
            prepared.launch(address)
            return prepared.answers()


class Prepared:
    """A plan with its buffers on the GPU: to be launched any number of times; a context manager that frees them."""

    def __init__(self, gpu: Gpu, plan: Plan) -> None:
        self._gpu, self._plan = gpu, plan
        self._places: dict[str, int] = {}
        try:
            for name, (dtype, size) in plan.buffers.items():
                self._places[name] = gpu.driver.allocate(dtype.itemsize * size)
        except DeviceError:
            self.free()
            raise

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def free(self) -> None:
        """Give the buffers back."""
        while self._places:
            self._gpu.driver.free(self._places.popitem()[1])

    def launch(self, address: int, stream: int = 0) -> None:
        """Launch the plan's kernels on the values whose first lies at `address`; returns before they are done."""
        places = {**self._places, "data": address}
        for launch in self._plan.launches:
            arguments = [places[arg] if isinstance(arg, str) else arg for arg in launch.arguments]
            self._gpu.driver.launch(self._gpu.kernel(launch), launch.grid, launch.block, arguments, stream)

    def answers(self) -> NDArray[Any]:
        """The answers, (rows, 2), once the kernels are done."""
        dtype, size = self._plan.buffers["answers"]
        answers = np.empty(size, dtype)
        self._gpu.driver.copy_out(answers, self._places["answers"])
        return answers.reshape(-1, 2)
