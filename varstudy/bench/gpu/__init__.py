"""The CUDA kernels on a GPU: their answers checked, their speed compared with a copy's and PyTorch's.

    gpu_record     gpu.json: what it holds
    measuring      the whole measurement: checks, then races, then promises
    checks         the device's bits against the executed PTX's, its errors against their bounds
    racing         feature maps on the GPU, kernels and others in turn, timed by CUDA events
    torch_peer     PyTorch's moments, where PyTorch is there
    machine        what a GPU must offer; a test may offer it too
    card           a GPU by NVIDIA's driver: the only module that needs one
    gpu_promises   what the kernels promise
    own_arrays     users' own arrays on a GPU, checked: within the measurement, and as a command of its own

Importing this package loads none of them.
"""
