"""Which of the committed kernels answers for an array on a GPU, where its user names none: the one place that says so.

The kernels of exact sums will take the place of these, once their digits are rounded on the GPU.
"""

from __future__ import annotations

from ..launch_plan import Geometry

__all__ = ["by_default"]


def by_default(geometry: Geometry) -> str:
    """The name of an algorithm of `varkernels.cuda.algorithms()`.

    Chan's formula: blocks over a row whose values lie side by side; threads side by side over rows where the rows do,
    as channels last.
    """
    across = geometry.row_stride == 1 and geometry.rows > 1 and geometry.stride != 1
    return "chan/columns" if across else "chan/grid4"
