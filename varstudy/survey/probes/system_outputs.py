"""Asks a framework for systems: layers that are no norm by a variance. It expects nothing.

    python system_outputs.py REQUEST.json ARRAYS.npz --out ANSWERS.json

Python 3.6 and numpy only; started by path, in the framework's own interpreter. The request names a ``systems.py`` of a
framework's folder, which has `versions` and a function ``SYSTEM(x, given)`` for each system that the framework has, and
for each system a list of asks: the name of an array, and the arguments that are given. A function returns the output,
or arrays by their names, y the output. Systems without a function are left out of the answers.
"""

import os
import sys

import numpy as np

import adapters


def answer(function, x, given):
    """The arrays, or what was raised."""
    try:
        found = function(x, given)
        if not isinstance(found, dict):
            found = {"y": found}
        return {name: [float(value) for value in np.ravel(array)] for name, array in found.items()}
    except (Exception, SystemExit) as error:
        return {"raised": adapters.text_of(error)}


def main():
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no answer
    path = adapters.out()
    request, arrays = adapters.handed(*sys.argv[1:3])
    framework = adapters.load(request["adapter"])
    found = {}
    for system, asks in request["asks"].items():
        function = getattr(framework, system, None)
        if function is not None:
            found[system] = [answer(function, arrays[ask["x"]], ask["given"]) for ask in asks]
    adapters.write(path, {"versions": framework.versions(), "asks": found})


if __name__ == "__main__":
    main()
