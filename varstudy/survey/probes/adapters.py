"""What the scripts of this folder share: an adapter by the path of its file, their input and their output.

Python 3.6 and numpy only. An adapter's folder is never on the path: it is named after its framework, and holds modules
of common names.
"""

import importlib.util
import json
import os
import sys
import warnings

import numpy as np


def load(path):
    """The adapter, a module named ``adapter``."""
    spec = importlib.util.spec_from_file_location("adapter", os.path.abspath(path))
    if spec is None or not os.path.isfile(path):
        raise ImportError("no adapter at %s" % path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handed(request, arrays):
    """The JSON and the numpy arrays of two files; from then on no warning is printed."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    with open(request) as stream, np.load(arrays) as held:
        return json.load(stream), {name: held[name] for name in held.files}


def out():
    """The path after ``--out`` on the command line."""
    return os.path.abspath(sys.argv[sys.argv.index("--out") + 1])


def text_of(error):
    """What was raised, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -=\t")]
    return ("%s: %s" % (type(error).__name__, lines[0] if lines else "")).rstrip(": ")[:200]


def write(path, content, allow_nan=True):
    """Write JSON: the whole file, or leave the one that was there."""
    part = "%s.%d.part" % (path, os.getpid())
    try:
        with open(part, "w") as file:
            file.write(json.dumps(content, allow_nan=allow_nan, sort_keys=True) + "\n")
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
