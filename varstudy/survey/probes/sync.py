"""Runs a framework's ``sync.py``, which finds the modules of this folder: ``python sync.py SCRIPT --out FILE``.

Python 3.6. A process that the script starts by multiprocessing imports the script again, not this file.
"""

import runpy
import sys

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
