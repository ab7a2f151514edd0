"""Test vectors for authors of norm kernels: inputs, exact answers, and the limit of each answer.

`limits` derives how far a correct kernel may be from the exact answer. `families` makes the inputs, `cases` adds
truth and limits, `manifest` and `files` are what is on disk, `judging` runs a kernel, and `diagnosis` says what a
wrong answer looks like.
"""
