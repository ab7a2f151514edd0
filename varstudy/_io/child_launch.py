"""Prepares a process for one script and runs it: ``python -I child_launch.py PARENT CORES SCRIPT [ARGUMENT...]``.

Runs in the environment's own Python, 3.6 too. The process ends with its parent, leaves no core file, may use CORES of
the processor's cores, and finds the script's neighbours. Processes that the script starts do not end with a parent that
was killed by SIGKILL; whoever watches it ends them in all other cases.
"""

import os
import resource
import runpy
import signal
import sys


def prepare(parent: int, cores: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import ctypes  # noqa: PLC0415 - some builds lack it

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        pass
    if os.getppid() != parent:
        os._exit(1)
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if cores < len(usable):
        start = os.getpid() % len(usable)
        os.sched_setaffinity(0, (usable + usable)[start : start + cores])


if __name__ == "__main__":
    prepare(int(sys.argv[1]), int(sys.argv[2]))
    script = sys.argv[3]
    sys.argv = sys.argv[3:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))  # noqa: PTH100, PTH120
    runpy.run_path(script, run_name="__main__")
