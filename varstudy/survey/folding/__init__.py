"""A batch norm, or an affine layer, folded into the convolution before it: exact, then rounded once.

In inference a batch norm is an affine map a channel, and a convolution takes it in:

    a_o  = scale_o / sqrt(var_o + epsilon)
    W'_o = W_o a_o
    b'_o = (b_o - mean_o) a_o + shift_o

An affine layer that has no statistics (AffineChannel) is the case a = scale, mean = 0. Each number of the answer is the
real number of these formulas rounded once to the format: the root is enclosed between two rationals until both round to
the same number of the format, which ends since an irrational number is never on a tie. The norm must come AFTER the
convolution; one that comes before cannot be folded where the convolution pads with zeros.

Folding is not free. The folded weights are rounded again, so the outputs differ from those of the two layers: `cost`
says by how much, against exact arithmetic and next to the two layers in the same format.
"""

from __future__ import annotations

from .folded import Folded, fold
from .folding_cost import Cost, cost
from .layers import fold_layers

__all__ = ["Cost", "Folded", "cost", "fold", "fold_layers"]
