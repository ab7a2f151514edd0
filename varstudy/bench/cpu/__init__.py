"""Speed beside accuracy: this library and other libraries' variances, in one process, on the same arrays.

    record     bench.json: what it holds, written whole, read with care
    launch     one fresh process for each number of threads, its limits set before any library loads
    work       the process: arrays, exact truth, rounds, rows of the table
    peers      whom we measure, and how each is called
    timing     interleaved rounds, so that a busy moment of the machine falls on everyone
    limit      how fast the machine can read the same array at all
    targets    what this library promises, as ratios within one run

Importing this package loads none of them.
"""

from __future__ import annotations

__all__: list[str] = []
