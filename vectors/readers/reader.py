"""Reads the vectors that "varstudy vectors export DIR" writes, with numpy alone, and checks a layer norm with them.

python reader.py DIR [OUT]      (OUT: write the answers there, as float32)
"""

import json
import sys
from pathlib import Path

import numpy as np


def decoded(data, dtype, at, count):
    """`count` little-endian numbers from byte `at`, in float32 or float64; bfloat16 is half of a float32."""
    if dtype == "bfloat16":
        return (np.frombuffer(data, "<u2", count, at).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, at)


def array(data, place, dtype, at):
    """The elements, wherever they lie in memory."""
    p = np.zeros(place["shape"], np.int64)
    for axis, (n, step) in enumerate(zip(place["shape"], place["strides"], strict=True)):
        p += (np.arange(n) * step).reshape([-1 if k == axis else 1 for k in range(p.ndim)])
    count, head = place["count"], place["head"]
    if p.max(initial=0) >= count:
        p = np.where(p < count, p, head + (p - head) % (count - head))
    return decoded(data, dtype, at, count)[p]


def inputs_of(data, case):
    """The arrays that a kernel gets, by name."""
    return {name: array(data, each, each["dtype"], each["at"]) for name, each in case["inputs"].items()}


def expected(data, place):
    """high, low and limit of an output: an answer is right if |answer - (high + low)| <= limit."""
    dtypes = {"high": "float64", "low": "float64", "limit": "float32"}
    return [array(data, place, dtype, place["at"][part]).astype(np.float64) for part, dtype in dtypes.items()]


def layer_norm(x, weight, bias, epsilon):
    """The kernel: put yours here."""
    x = x.astype(np.float64)
    d = x - x.mean(axis=1, keepdims=True)
    return d / np.sqrt((d * d).mean(axis=1, keepdims=True) + epsilon) * weight + bias


def main(folder, out=None):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    cases = [case for case in manifest["cases"] if (case["norm"], case["direction"]) == ("layer", "forward")]
    wrong = 0
    for case in cases:
        data = (folder / case["file"]).read_bytes()
        with np.errstate(all="ignore"):
            y = layer_norm(**inputs_of(data, case), epsilon=case["epsilon"]).astype(np.float32)
            high, low, limit = expected(data, case["outputs"]["y"])
            free = np.isnan(high) | np.isinf(limit)
            right = free | (np.abs(y - high - low) <= limit)
        if not right.all():
            wrong += 1
            print(f"{case['name']}: {np.count_nonzero(~right)} of {right.size} elements are beyond their limit")
        if out is not None:
            (out / f"{case['name']}.y.bin").write_bytes(y.astype("<f4").tobytes())
    print(f"{len(cases)} cases, {wrong} wrong")
    return int(wrong > 0 or not cases)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
