"""Asks a framework for local response normalisation. It expects nothing.

    python response_outputs.py REQUEST.json ARRAYS.npz --out ANSWERS.json

Python 3.6 and numpy only; started by path, in the framework's own interpreter. The request names a ``response.py`` of a
framework's folder, which has `versions` and `normalise(x, given)`, and a list of asks: the name of an array (N, C, 1,
1), and the arguments that are given, of size, alpha, beta and k.
"""

import os
import sys

import adapters


def answer(framework, x, given):
    """The output, or what was raised."""
    try:
        return {"y": [float(value) for value in framework.normalise(x, given).ravel()]}
    except (Exception, SystemExit) as error:
        return {"raised": adapters.text_of(error)}


def main():
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no answer
    path = adapters.out()
    request, arrays = adapters.handed(*sys.argv[1:3])
    framework = adapters.load(request["adapter"])
    asks = [answer(framework, arrays[ask["x"]], ask["given"]) for ask in request["asks"]]
    adapters.write(path, {"versions": framework.versions(), "asks": asks})


if __name__ == "__main__":
    main()
