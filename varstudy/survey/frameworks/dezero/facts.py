"""DeZero: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

DEZERO = Environment(
    "dezero",
    "3.11",
    ("dezero==0.0.13", "numpy==1.23.5", "matplotlib<3.8", "contourpy<1.2"),
    megabytes=210,
    quirk="It uses np.int, which numpy 1.24 no longer has.",
)
FRAMEWORKS = [
    Framework("dezero", "DeZero", DEZERO, modules=("dezero",), order=300),
]
