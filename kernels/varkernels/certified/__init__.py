"""Correctly rounded means, variances and standard deviations by a fast pass whose own error bound decides."""
