"""Speed and accuracy on the CPU: this library's variance and other libraries', in one process, on the same arrays.

    bench_record   bench.json: what it holds
    launch         one fresh process for each number of threads, its limits set before any library loads
    work           that process: arrays, exact truth, rounds, rows of the table
    peers          the functions that are measured, and how each is called
    limit          how fast the machine can read the same array at all
    cpu_promises   what this library promises, as ratios within one run

Importing this package loads none of them.
"""
