"""The library's functions: mean, variance and standard deviation, correctly rounded.

`functions` has var, std, mean and mean_var; `streaming` has Moments, for data in pieces; `features` has
feature_moments, for the norms of a feature map. Beneath: `inputs` (what callers hand over), `axes` (which
values go together, as views), `sums` (their exact sums) and `exactly` (the one rounding at the end).
"""
