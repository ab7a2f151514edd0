"""What a normalisation layer answers, exactly: outputs correctly rounded, gradients with a proven error.

`forward` has norm_forward and `backward` has norm_backward, for batch, layer, group, instance and RMS norm. Under them:
`geometry` (which values share statistics and parameters), `row_statistics` (exact, by integers), `pairs` (arithmetic
with two float64 numbers), and `settling` (the exact answer where pairs leave the rounding open).
`response` has response_norm_forward, for local response normalisation, and `weight` weight_norm_forward.
"""
