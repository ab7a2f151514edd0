"""The CUDA kernels on a GPU: their answers checked, their speed beside a copy's and PyTorch's.

    record     gpu.json: what it holds, written whole, read with care
    whole      the whole measurement: checks, then races, then targets
    checks     the device's bits against the executed PTX's, its errors against their bounds
    races      feature maps on the GPU, kernels and others in turn, timed by CUDA events
    peers      PyTorch's moments, where PyTorch is there
    machine    what a GPU must offer; a test may offer it too
    card       a GPU by NVIDIA's driver: the only module that needs one
    targets    what the kernels promise

Importing this package loads none of them.
"""

from __future__ import annotations

__all__: list[str] = []
