"""Make the LLVM IR of the CPU's kernels again: ``python -m varkernels.build``."""
