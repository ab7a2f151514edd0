"""Hands rows of numbers to a framework's normalisation layers, and writes down what came out. It expects nothing.

    python layer_rows.py REQUEST.json TABLES.npz --out ANSWERS.json

Python 3.6 and numpy only; started by path, in the framework's own interpreter. How an array is laid out and a layer is
called is the business of `questions`. The file is written whole
before each layer, with the layer under way in "asking", so that a process that dies tells where.
"""

import os
import platform
import sys
import time

import adapters
import numpy as np
import questions

# How many outputs of a row are written down next to those of its extremes and its ends.
MORE = 12


def positions(row):
    """Where the outputs of a row are written down: at its smallest, its largest, its ends and some between."""
    chosen = {0, row.size - 1}
    if not np.isnan(row).any():
        chosen.update((int(np.argmin(row)), int(np.argmax(row))))
    chosen.update(range(0, row.size, max(1, row.size // MORE)))
    return sorted(chosen)


def outputs(row, y):
    """What is reported of a row's outputs: some as hexadecimal floats, and whether all are finite, and alike."""
    at = positions(row)
    return {
        "at": at,
        "y": [float(y[i]).hex() for i in at],
        "finite": bool(np.isfinite(y).all()),
        "alike": bool((y == y[0]).all()),
    }


def layers(adapter, kinds):
    """(kind, variant, sentence) of the layers that are asked: every variant, or the first that an adapter names."""
    for kind, which in sorted(kinds.items()):
        variants = list(adapter.VARIANTS.get(kind, {}).items())
        for variant, title in variants if which == "every" else variants[:1]:
            yield kind, variant, title


def ask(adapter, kind, variant, table):
    """One training pass of a fresh layer on a table whose rows each have a variance of their own."""
    asking = questions.Asking(adapter, kind, variant, None, None)
    wide = table.astype(np.float64)
    layer = asking.layer(wide)
    y = np.asarray(layer.train(asking.array(layer, wide)))
    if y.dtype not in (np.float32, np.float64):
        raise TypeError("float32 went in and %s came out" % y.dtype)
    y = questions.gather(kind, variant, y, *table.shape)
    return {"dtype": str(y.dtype), "rows": [outputs(row, out) for row, out in zip(table, y)]}


def run(request, tables, save):
    observed = {"python": platform.python_version(), "versions": {}, "asking": "import", "layers": []}
    save(observed)
    adapter = adapters.load(request["adapter"])
    observed["versions"] = {str(key): str(value) for key, value in adapter.versions().items()}
    if hasattr(adapter, "set_threads"):
        adapter.set_threads(request["threads"])
    for kind, variant, title in layers(adapter, request["kinds"]):
        if [kind, variant] in request["skip"]:
            continue
        observed["asking"] = [kind, variant]
        save(observed)
        start, answers = time.time(), {}
        for key, table in sorted(tables.items()):
            try:
                answers[key] = ask(adapter, kind, variant, table)
            except (Exception, SystemExit) as error:
                answers[key] = {"raised": adapters.text_of(error)}
        layer = {"kind": kind, "variant": variant, "title": title, "answers": answers}
        observed["layers"].append(dict(layer, seconds=round(time.time() - start, 2)))
    observed["asking"] = None
    save(observed)


def main():
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no answer
    path = adapters.out()
    run(*adapters.handed(*sys.argv[1:3]), lambda observed: adapters.write(path, observed))


if __name__ == "__main__":
    main()
