"""Hands many rows of many values to a framework's normalisation layers, and writes down some outputs of each row.

    python layer_draws.py REQUEST.json --out ANSWERS.json

Python 3.6 and numpy only; started by path, in the framework's own interpreter. It expects nothing. The request names an
adapter, the threads, a shape for each kind, and a file of rows for each mean. A batch norm is made with the momentum 1,
else 0, where its running variance then moves, which is written down, too.

The file is written whole before each layer, with the one under way in "asking", so that a process that dies tells
where.
"""

import inspect
import json
import os
import platform
import sys

import adapters
import layer_rows
import numpy as np
from layer_contract import Unsupported, vector

MOMENTA = (1.0, 0.0, None)


def asked(adapter):
    """(kind, variant) of all layers: of (N, C) for layer norm, of images for the others.

    Variants of other parameter formats do in float32 what the variant without them does.
    """
    for kind in ("batch", "layer", "group", "instance"):
        for variant in adapter.VARIANTS.get(kind, {}):
            if ("2-D" in variant) == (kind == "layer") and "mixed" not in variant:
                yield kind, variant


def place(kind, table, shape):
    """The array of a shape whose channels, samples, groups or images are a table's rows."""
    if kind != "batch":
        return table.reshape(shape)
    n, c, h, w = shape
    return np.ascontiguousarray(table.reshape(c, n, h, w).transpose(1, 0, 2, 3))


def row_of(kind, y, r, rows):
    """The outputs of a table's row."""
    return y[:, r].reshape(-1) if kind == "batch" else y.reshape(rows, -1)[r]


def made(adapter, kind, variant, shape, momentum, groups):
    """A fresh layer for arrays of a shape."""
    given = {"groups": groups if kind == "group" else None, "momentum": momentum}
    parameters = inspect.signature(adapter.layer).parameters
    if "spatial" in parameters:
        given["spatial"] = shape[2:] or None
    if "batch" in parameters:
        given["batch"] = shape[0]
    return adapter.layer(kind, variant, shape[1], dtype="float32", **given)


def kept(layer):
    """The running mean and variance as hexadecimal floats."""
    found = layer.running() if hasattr(layer, "running") else None
    return found and {name: [float(v).hex() for v in vector(found[name])] for name in ("mean", "var")}


def trained(adapter, kind, variant, x, momenta, groups):
    """(outputs, running statistics, momentum): those of the first momentum that moves the running variance."""
    for momentum in momenta:
        try:
            layer = made(adapter, kind, variant, x.shape, momentum, groups)
            before = kept(layer)
            y = layer.train(x)
            if hasattr(layer, "update"):
                layer.update()
            after = kept(layer)
        except (Exception, SystemExit):
            if momentum is None:
                raise
            continue
        if momentum is None or (before and after and before["var"] != after["var"]):
            return np.asarray(y), None if momentum is None else after, momentum
    raise ValueError("the running variance does not move as it did")


def answer(adapter, kind, variant, table, shape, momenta, groups):
    """What is written down of a layer's answer to a table."""
    try:
        y, running, momentum = trained(adapter, kind, variant, place(kind, table, shape), momenta, groups)
        if y.dtype not in (np.float32, np.float64):
            raise TypeError("float32 went in and %s came out" % y.dtype)
        if y.shape != tuple(shape):
            raise ValueError("the shape %s went in and %s came out" % (tuple(shape), y.shape))
    except Unsupported as error:
        return {"unsupported": str(error)}
    except (Exception, SystemExit) as error:
        return {"raised": adapters.text_of(error)}
    outputs = [layer_rows.outputs(table[r], row_of(kind, y, r, len(table))) for r in range(len(table))]
    return {"rows": outputs, "running": running, "momentum": momentum}


def run(request, save):
    observed = {"python": platform.python_version(), "versions": {}, "asking": "import", "answers": []}
    save(observed)
    adapter = adapters.load(request["adapter"])
    observed["versions"] = {str(key): str(value) for key, value in adapter.versions().items()}
    if hasattr(adapter, "set_threads"):
        adapter.set_threads(request["threads"])
    skipped = {tuple(each) for each in request["skip"]}
    moving = {}
    for mean, file in request["tables"]:
        table = np.load(file)
        for kind, variant in asked(adapter):
            if (kind, variant, mean) in skipped:
                continue
            observed["asking"] = [kind, variant, mean]
            save(observed)
            momenta = moving.get((kind, variant), MOMENTA if kind == "batch" else (None,))
            found = answer(adapter, kind, variant, table, request["shapes"][kind], momenta, request["groups"])
            if "rows" in found:
                moving[kind, variant] = (found["momentum"],)
            observed["answers"].append(dict(found, kind=kind, variant=variant, mean=mean))
    observed["asking"] = None
    save(observed)


def main():
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no answer
    path = adapters.out()
    np.seterr(all="ignore")
    with open(sys.argv[1]) as stream:
        request = json.load(stream)
    run(request, lambda observed: adapters.write(path, observed))


if __name__ == "__main__":
    main()
