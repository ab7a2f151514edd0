"""What manifest.json says of a set: the cases, where their arrays lie in the files, and the conventions.

A place is {"dtype", "shape", "strides", "count", "head", "at"}: `count` little-endian numbers from byte `at` of the
case's file. The element of the indices i is number p = sum i_k strides_k of the memory; it is data[p] where p <
count, and else data[head + (p - head) mod (count - head)]. An output has four arrays that share shape, count and
head: "value", the exact answer rounded to the dtype; "high" and "low", float64, whose sum is the exact answer; and
"limit", float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS

from .cases import Case, Output
from .packing import Packed

__all__ = ["CONVENTIONS", "SCHEMA", "VERSION", "case_of", "described", "index_lines"]

SCHEMA = "varstudy-vectors-1"
# Of the committed small set; CHANGELOG.md next to it says what each version changed.
VERSION = 2

CONVENTIONS = {
    "normalise": "y = weight (x - mean) / sqrt(variance + epsilon) + bias with the variance M2 / n; rms: y = "
    "weight x / sqrt(mean(x^2) + epsilon). The weight is the factor itself, not 1 + weight.",
    "variance": "an output 'variance' of a batch norm is M2 / n, 'variance 1' is M2 / (n - 1); a kernel may return "
    "either, but the same in all cases. The norm 'variance' has its own correction: M2 / (n - correction).",
    "layer": "x is (rows, n); weight and bias are (n,)",
    "group": "x is (N, C, ...); group k has the channels k C / groups to (k + 1) C / groups - 1",
    "backward": "dx, dweight and dbias are gradients of sum(y dy); dweight and dbias sum over all rows",
    "sync": "counts (parts,), means and variances (parts, C) with M2 / n; the answer is the mean and M2 / n of all",
    "free": "an exact value of NaN or an infinite limit says that nothing is demanded of the element; but where x "
    "itself is NaN, y must not be finite",
    "right": "an answer is right if |answer - (high + low)| <= limit",
}
# Values that the memory of an array may span.
MOST = 2**31
_PARTS = ("value", "high", "low", "limit")


def _dtype(name: str) -> np.dtype[Any]:
    return FORMATS[name].dtype if name in FORMATS else np.dtype(name)


def _place(packed: Packed, at: int) -> dict[str, Any]:
    return {
        "dtype": packed.data.dtype.name, "shape": list(packed.shape), "strides": list(packed.strides),
        "count": len(packed.data), "head": packed.head, "at": at,
    }  # fmt: skip


def _aligned(memory: bytearray) -> int:
    memory.extend(b"\0" * (-len(memory) % 8))
    return len(memory)


def _little(data: NDArray[Any]) -> bytes:
    whole = np.ascontiguousarray(data).view(np.dtype(f"u{data.dtype.itemsize}"))
    return whole.astype(whole.dtype.newbyteorder("<")).tobytes()


def described(case: Case, file: str, memory: bytearray) -> dict[str, Any]:
    """A case for the manifest; its arrays are appended to the memory of its file."""
    inputs, outputs = {}, {}
    for name, packed in case.inputs.items():
        inputs[name] = _place(packed, _aligned(memory))
        memory.extend(_little(packed.data))
    for name, output in case.outputs.items():
        places = {}
        for part, packed in output.parts.items():
            places[part] = _aligned(memory)
            memory.extend(_little(packed.data))
        outputs[name] = {**_place(output.value, 0), "at": places}
    numbers = {"epsilon": case.epsilon, "groups": case.groups, "correction": case.correction}
    return {
        "name": case.name, "norm": case.norm, "direction": "backward" if case.backward else "forward",
        "dtype": case.dtype, "family": case.family, "why": case.why, **numbers, "file": file,
        "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def _packed(place: dict[str, Any], at: int, dtype: str, memory: bytes) -> Packed:
    kind = _dtype(dtype)
    count, head, extents = place["count"], place["head"], [*place["shape"], *place["strides"]]
    reach = sum((n - 1) * step for n, step in zip(place["shape"], place["strides"], strict=True))
    if min(extents, default=0) < 0 or reach >= MOST or not (reach < count or 0 <= head < count):
        raise ValueError(f"an array of shape {place['shape']} and strides {place['strides']} has {count} values")
    whole = np.frombuffer(memory, np.dtype(f"<u{kind.itemsize}"), place["count"], at)
    data = whole.astype(whole.dtype.newbyteorder("=")).view(kind)
    return Packed(data, tuple(place["shape"]), tuple(place["strides"]), place["head"])


def case_of(entry: dict[str, Any], memory: bytes) -> Case:
    """A case from its entry and the bytes of its file."""
    inputs = {name: _packed(each, each["at"], each["dtype"], memory) for name, each in entry["inputs"].items()}
    outputs = {}
    for name, each in entry["outputs"].items():
        dtypes = (each["dtype"], "float64", "float64", "float32")
        parts = [_packed(each, each["at"][part], dtype, memory) for part, dtype in zip(_PARTS, dtypes, strict=True)]
        outputs[name] = Output(*parts)
    return Case(
        entry["norm"], entry["direction"] == "backward", entry["dtype"], entry["family"], entry["why"],
        entry["epsilon"], entry["groups"], entry["correction"], inputs, outputs,
    )  # fmt: skip


def index_lines(entries: Iterable[dict[str, Any]]) -> list[str]:
    """The cases as lines of words, for languages without JSON.

    case NAME NORM DIRECTION DTYPE FILE EPSILON GROUPS CORRECTION, and under it, for each array,
    array NAME DTYPE AT COUNT HEAD AXES SHAPE... STRIDES...
    The arrays of an output y are y.value, y.high, y.low and y.limit.
    """
    lines = []
    for entry in entries:
        keys = ("name", "norm", "direction", "dtype", "file", "epsilon", "groups", "correction")
        lines.append("case " + " ".join(str(entry[key]) for key in keys))
        arrays = [(name, each["dtype"], each["at"], each) for name, each in entry["inputs"].items()]
        for name, each in entry["outputs"].items():
            dtypes = (each["dtype"], "float64", "float64", "float32")
            plain = name.replace(" ", "-")
            arrays += [
                (f"{plain}.{part}", dtype, each["at"][part], each) for part, dtype in zip(_PARTS, dtypes, strict=True)
            ]
        for name, dtype, at, each in arrays:
            numbers = [at, each["count"], each["head"], len(each["shape"]), *each["shape"], *each["strides"]]
            lines.append(f"array {name} {dtype} " + " ".join(map(str, numbers)))
    return lines
