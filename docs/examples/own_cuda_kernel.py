"""A layer norm of one's own, written with numba.cuda, with a formula of varkernels for its mean and variance.

Runs on a GPU where there is one; elsewhere it is compiled offline, and its PTX is executed on the CPU.
"""

import math

import numpy as np
from numba import cuda, types

import varkernels.cuda
import varptx
from varkernels import FORMULAS
from varkernels.cuda.build.compiling import offline
from varkernels.formulas.chan import Chan
from varkernels.verbs import learn, merge, read, update

learn(FORMULAS["chan"])  # the compiler knows its verbs from now on
THREADS = 128  # a power of two, and 32 at least
EMPTY = FORMULAS["chan"].empty(np.float32(0))


def layer_norm(x, y, epsilon):
    """One block a row: each thread takes every THREADS-th value, then the states are merged in pairs."""
    means = cuda.shared.array(THREADS, types.float32)
    m2s = cuda.shared.array(THREADS, types.float32)
    counts = cuda.shared.array(THREADS, types.int32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    state, n = EMPTY, np.int32(0)
    for k in range(t, x.shape[1], THREADS):
        n = np.int32(n + 1)
        state = update(state, n, x[row, k])
    means[t], m2s[t], counts[t] = state.mean, state.m2, n
    # Within warps first, then the warps: as varkernels' own kernels.
    for step in (16, 8, 4, 2, 1, 64, 32):
        cuda.syncthreads()
        live = t % 32 < step if step < 32 else t % 32 == 0 and t < step
        if live and counts[t + step] > 0:
            if counts[t] > 0:
                a, b = Chan(means[t], m2s[t]), Chan(means[t + step], m2s[t + step])
                joined = merge(a, counts[t], b, counts[t + step])
            else:
                joined = Chan(means[t + step], m2s[t + step])
            means[t], m2s[t] = joined.mean, joined.m2
            counts[t] += counts[t + step]
    cuda.syncthreads()
    mean, m2 = read(Chan(means[0], m2s[0]), counts[0])
    scale = np.float32(1) / np.float32(math.sqrt(m2 / np.float32(counts[0]) + epsilon))
    for k in range(t, x.shape[1], THREADS):
        y[row, k] = (x[row, k] - mean) * scale


def on_the_cpu(x, y, epsilon):
    """Compile the kernel without a GPU, and execute its PTX."""
    arrays = types.float32[:, ::1]
    signature = types.void(arrays, arrays, types.float32)
    with offline():
        ptx, _ = cuda.compile(layer_norm, signature, device=False, abi="numba", cc=(8, 0))
    kernel = varptx.load(ptx).kernel()
    memory = varptx.Memory()
    given = [memory.place(x, readonly=True), memory.place(y, initialised=False)]
    # How Numba hands an array over: two words for itself, then size, itemsize, address, shape and strides.
    words = [[0, 0, x.size, 4, each.address, *x.shape, *x.strides] for each in given]
    kernel.launch(memory, grid=(len(x), 1, 1), block=(THREADS, 1, 1), args=[*words[0], *words[1], epsilon])


x = np.float32(1000) + np.random.default_rng(0).standard_normal((6, 127), dtype=np.float32)
y = np.empty_like(x)
epsilon = np.float32(1e-5)
if cuda.is_available():
    cuda.jit(layer_norm)[len(x), THREADS](x, y, epsilon)
else:
    on_the_cpu(x, y, epsilon)

rows = varkernels.cuda.moments(x[np.newaxis], "chan/block")  # 127 values: 128 threads a row, as above
variance = rows.m2 / np.float32(127)
scale = np.float32(1) / np.sqrt(variance + epsilon)
same = np.array_equal(y, (x - rows.mean[:, np.newaxis]) * scale[:, np.newaxis])
print(f"{same}: mean and variance have the bits of the whole row by chan/block")
assert same
