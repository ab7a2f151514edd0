"""Exact sums of x and x^2, and the one rounding at the end."""
