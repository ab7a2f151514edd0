"""What a batch norm needs to go from one framework to another, and what it costs to leave it alone.

With the sum of squared deviations S of the n values of a channel in a training batch, v = S / n:

the running variance
    A framework of correction c keeps averages of S / (n - c) = v n / (n - c). Some keep epsilon with it: added, or
    before the correction as (v + e) n / (n - c), whose c may have e in it, too; it is taken out and put in. To have
    what the target would have kept of the same batches, r_to = r_from (n - c_from) / (n - c_to), exact once nothing is
    left of the initial value: after k steps of an exponential average a share (1 - w)^k of it is, which the factor does
    not belong to. An evaluation corrects nothing: for the SOURCE's outputs, r is carried as it is.
momentum
    r <- (1 - w) r + w (S / (n - c)). Where the argument a multiplies the new batch w = a, where it multiplies the old
    one w = 1 - a: the target's argument is the one that gives the source's w. Plain averages (w = 1 / k) and laws
    that are debiased are no exponential ones: no argument makes them one.
epsilon
    An evaluation divides by d(r, e), as `maths.denominator` has it. Both sides need the same epsilon; where its place
    differs, the variance to store is the one for which d_to(r_to, e) = d_from(r_from, e).
the error if it is left alone
    (output - shift) is off by d_right / d_left_alone - 1, relatively. For the factor alone, with epsilon inside the
    root: sqrt((v n / (n - c_to) + e) / (v n / (n - c_from) + e)) - 1, which vanishes where e >> v and for large n.

What each framework does is measured, and comes from the findings of this package; no convention is written here.
"""

from __future__ import annotations

from .convention import Convention, ConventionFact, choose, conventions
from .maths import PortError
from .models import PortedLayer, PortedModel, port
from .norms import NormPlan, NormSide, port_norm
from .plan import PortedError, PortPlan, PortStep, port_names
from .what_changes import PortChange

__all__ = [
    "Convention",
    "ConventionFact",
    "NormPlan",
    "NormSide",
    "PortChange",
    "PortError",
    "PortPlan",
    "PortStep",
    "PortedError",
    "PortedLayer",
    "PortedModel",
    "choose",
    "conventions",
    "port",
    "port_names",
    "port_norm",
]
