"""Loads an adapter by the path of its file. Python 3.6, no package.

An adapter's folder is never on the path: it is named after its framework, and holds modules of common names.
"""

import importlib.util
import os


def load(path):
    """The adapter, a module named ``adapter``."""
    spec = importlib.util.spec_from_file_location("adapter", os.path.abspath(path))
    if spec is None or not os.path.isfile(path):
        raise ImportError("no adapter at %s" % path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
