"""Compile the CUDA kernels to the committed PTX, offline."""
