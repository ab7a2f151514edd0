"""Asks a framework's normalisation layers for whole arrays: outputs, and gradients. It expects nothing.

    python layer_elements.py REQUEST.json ARRAYS.npz --out ANSWERS.json

Python 3.6 and numpy only; started by path, in the framework's own interpreter. The request names an ``elements.py`` of
a framework's folder (see `layer_contract`), the threads, a folder for the arrays, and a list of asks.

The file is written whole before each ask, with the one under way in "asking", so that a process that dies tells where.
"""

import os
import platform
import sys

import adapters
import numpy as np
from layer_contract import Unsupported, widen

# What an ask says and the framework's file gets.
HANDED = ("dtype", "parameters", "memory", "training", "groups", "epsilon")


def answered(framework, ask, arrays):
    """The arrays of one ask."""
    given = {name: arrays["%s/%s" % (ask["input"], name)] for name in ("x", "dy", "weight", "bias", "mean", "variance")}
    asked = {name: ask[name] for name in HANDED}
    absent, training = ask["parameters"] == "absent", ask["training"]
    asked.update({name: None if absent else given[name] for name in ("weight", "bias")})
    asked.update({name: None if training else given[name] for name in ("mean", "variance")})
    if ask["what"] == "forward":
        return framework.forward(ask["kind"], given["x"], asked)
    return framework.backward(ask["kind"], given["x"], given["dy"], asked)


def answer(framework, ask, arrays, folder):
    """What is written down of one ask; its arrays go into files."""
    try:
        found = answered(framework, ask, arrays)
    except Unsupported as error:
        return {"unsupported": str(error)}
    except (Exception, SystemExit) as error:
        return {"raised": adapters.text_of(error)}
    answers = {}
    for name, (array, dtype) in sorted(found.items()):
        wide = widen(array)
        np.save(os.path.join(folder, "%d-%s.npy" % (ask["id"], name)), wide)
        answers[name] = {"dtype": dtype, "shape": list(wide.shape)}
    return {"answers": answers}


def run(request, arrays, save):
    observed = {"python": platform.python_version(), "versions": {}, "asking": "import", "asks": {}}
    save(observed)
    framework = adapters.load(request["adapter"])
    observed["versions"] = {str(key): str(value) for key, value in framework.versions().items()}
    if hasattr(framework, "set_threads"):
        framework.set_threads(request["threads"])
    for ask in request["asks"]:
        observed["asking"] = ask["id"]
        save(observed)
        observed["asks"][str(ask["id"])] = answer(framework, ask, arrays, request["folder"])
    observed["asking"] = None
    save(observed)


def main():
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no answer
    path = adapters.out()
    run(*adapters.handed(*sys.argv[1:3]), lambda observed: adapters.write(path, observed))


if __name__ == "__main__":
    main()
