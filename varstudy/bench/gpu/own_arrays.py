"""Users' own arrays on a GPU, checked on a real one: ``python -m varstudy.bench.gpu.own_arrays``, and within ``gpu``.

By the driver alone, and with PyTorch where it is installed: the bits of `varstudy.var`, `std` and `mean` against the
CPU's mirror of the kernels, layout by layout and format by format, on every GPU; the current context before and after;
the memory that is free before and after; PyTorch's streams. It prints a line a check, and ends with 1 if one failed.
"""

from __future__ import annotations

import ctypes
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import varkernels.stats.functions as stats
from varkernels import FORMATS, Format
from varkernels.cuda import DeviceError, mirror
from varkernels.cuda.devices.driver import Driver
from varkernels.cuda.devices.gpu import Gpu

from . import torch_peer

__all__ = ["LAYOUTS", "Outcome", "checks", "main", "record"]


@dataclass(frozen=True)
class Outcome:
    """What was checked, and what was found; empty where all is well."""

    what: str
    found: str


@dataclass(frozen=True)
class Layout:
    """axis : that is reduced. view : the rows as a view for the mirror."""

    shape: tuple[int, ...]
    axis: tuple[int, ...]
    view: Callable[[NDArray[Any]], NDArray[Any]]
    algorithm: str


LAYOUTS = {
    "rows": Layout((7, 5000), (1,), lambda x: x[np.newaxis], "chan/grid4"),
    "columns": Layout((3000, 33), (0,), lambda x: x[:, :, np.newaxis], "chan/columns"),
    "NCHW": Layout((8, 6, 14, 15), (0, 2, 3), lambda x: x.reshape(8, 6, 210), "chan/grid4"),
    "NHWC": Layout((8, 14, 15, 6), (0, 1, 2), lambda x: x.reshape(1680, 6, 1), "chan/columns"),
    "one row": Layout((1, 70_001), (0, 1), lambda x: x.reshape(1, 1, -1), "chan/grid4"),
}


@cache
def _values(layout: Layout, fmt: Format) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """The values, and the mirror's answers."""
    drawn = 100 + np.random.default_rng(math.prod(layout.shape)).standard_normal(layout.shape)
    host = drawn.astype(fmt.dtype)
    rows = mirror.moments(layout.view(host), layout.algorithm)
    variance = rows.variance(1).astype(np.float64)
    deviation = rows.accumulator.rounded(np.sqrt(variance)).astype(np.float64)
    return host, {"mean": fmt.rounded(rows.mean), "var": fmt.rounded(variance), "std": fmt.rounded(deviation)}


def _asked(x: Any, axis: tuple[int, ...]) -> dict[str, Any]:
    mean, variance = stats.mean_var(x, axis=axis, correction=1)
    return {"mean": mean, "var": variance, "std": stats.std(x, axis=axis, correction=1)}


def _differing(found: dict[str, NDArray[Any]], wanted: dict[str, NDArray[Any]]) -> str:
    wrong = [
        f"{name}: {found[name].reshape(-1)[:3]} instead of {each.reshape(-1)[:3]}"
        for name, each in wanted.items()
        if found[name].reshape(-1).tobytes() != each.reshape(-1).tobytes()
    ]
    return "; ".join(wrong)


def _current(driver: Driver) -> int | None:
    context = ctypes.c_void_p()
    driver.call("cuCtxGetCurrent", ctypes.byref(context))
    return context.value


def _free(gpu: Gpu) -> int:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    gpu.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    return free.value


def _by_driver(gpu: Gpu, layout: Layout, fmt: Format) -> str:
    """An object that has the array interface and nothing else."""
    host, wanted = _values(layout, fmt)
    before = _current(gpu.driver)
    place = gpu.allocate(host.nbytes)
    try:
        gpu.copy_in(place, host)
        kind = "<V2" if fmt.name == "bfloat16" else host.dtype.str
        words = {"shape": host.shape, "typestr": kind, "data": (place, True), "strides": None, "version": 3}
        answers = _asked(SimpleNamespace(__cuda_array_interface__=words), layout.axis)
        found = {}
        for name, each in answers.items():
            found[name] = np.empty(each.shape, each.dtype)
            gpu.copy_out(found[name], each.address)
        again = np.empty_like(host)
        gpu.copy_out(again, place)
    finally:
        gpu.free(place)
    if _current(gpu.driver) != before:
        return "another context is current after the call"
    if again.tobytes() != host.tobytes():
        return "the values were written"
    return _differing(found, wanted)


def _memory(gpu: Gpu) -> str:
    """Free memory after many calls, as after the first."""
    layout = LAYOUTS["one row"]
    left = []
    for _ in range(20):
        problem = _by_driver(gpu, layout, FORMATS["float32"])
        if problem:
            return problem
        left.append(_free(gpu))
    return "" if left[-1] >= left[0] else f"{left[0] - left[-1]} bytes less are free after 20 calls"


def _by_torch(torch: Any, ordinal: int, layout: Layout, fmt: Format) -> str:
    """A tensor that needs a gradient, written on a stream of its own just before."""
    host, wanted = _values(layout, fmt)
    words = host.view(np.int16) if fmt.name == "bfloat16" else host
    device = f"cuda:{ordinal}"
    stream = torch.cuda.Stream(device)
    with torch.cuda.device(device), torch.cuda.stream(stream):
        busy = torch.ones((2048, 2048), device=device)
        for _ in range(50):  # the stream is behind the host
            busy = busy @ busy * 0
        x = torch.from_numpy(words.copy()).pin_memory().to(device, non_blocking=True)
        x = x.view(torch.bfloat16) if fmt.name == "bfloat16" else x
        answers = _asked(x.requires_grad_(), layout.axis)
        for each in answers.values():
            if (str(each.device), each.dtype, each.requires_grad) != (device, x.dtype, False):
                return f"the answer is {each.dtype} on {each.device}"
        stream.synchronize()
    found = {
        name: (each.view(torch.int16).cpu().numpy().view(fmt.dtype) if fmt.name == "bfloat16" else each.cpu().numpy())
        for name, each in answers.items()
    }
    return _differing(found, wanted)


def checks(torch: Any = None) -> Iterator[Outcome]:
    """Check every GPU, by the driver and by PyTorch if it is given; yields what each check found.

    Raises
    ------
    DeviceError
        There is no driver or no GPU.
    """
    count = ctypes.c_int()
    Driver.get().call("cuDeviceGetCount", ctypes.byref(count))
    for ordinal in range(count.value):
        gpu = Gpu.get(ordinal)
        for name, layout in LAYOUTS.items():
            for fmt in FORMATS.values():
                yield _outcome(f"GPU {ordinal}, {name}, {fmt}", lambda: _by_driver(gpu, layout, fmt))  # noqa: B023
                if torch is not None:
                    yield _outcome(
                        f"GPU {ordinal}, torch, {name}, {fmt}",
                        lambda: _by_torch(torch, ordinal, layout, fmt),  # noqa: B023
                    )
        yield _outcome(f"GPU {ordinal}, memory", lambda: _memory(gpu))  # noqa: B023


def _outcome(what: str, check: Callable[[], str]) -> Outcome:
    try:
        return Outcome(what, check())
    except Exception as problem:  # one failure must not hide the others
        where = traceback.extract_tb(problem.__traceback__)[-1]
        return Outcome(what, f"{type(problem).__name__}: {problem} ({where.name}, line {where.lineno})")


def record() -> dict[str, Any]:
    """For JSON: how many checks there were, which failed, PyTorch's version, and why there are none."""
    torch, note = torch_peer.load()
    found: dict[str, Any] = {"checks": 0, "failed": [], "torch": "" if torch is None else note, "absent": ""}
    try:
        for each in checks(torch):
            found["checks"] += 1
            found["failed"] += [f"{each.what}: {each.found}"] if each.found else []
    except DeviceError as problem:
        found["absent"] = str(problem)
    return found


def main() -> int:
    """Check and print; 0 if all is well, 1 if a check failed, 3 without a GPU."""
    torch, note = torch_peer.load()
    print(f"torch: {note}")
    try:
        outcomes = []
        for each in checks(torch):
            print(
                f"{'FAILED' if each.found else 'ok':8}{each.what}{': ' if each.found else ''}{each.found}", flush=True
            )
            outcomes.append(each)
    except DeviceError as problem:
        print(f"varstudy: {problem}", file=sys.stderr)
        return 3
    failed = sum(bool(each.found) for each in outcomes)
    print(f"{len(outcomes)} checks, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
