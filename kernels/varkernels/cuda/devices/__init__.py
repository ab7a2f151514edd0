"""Where CUDA kernels run: a GPU, or their PTX executed on the CPU."""
