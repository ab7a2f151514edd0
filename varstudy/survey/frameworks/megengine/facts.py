"""MegEngine: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

MEGENGINE = Environment("megengine", "3.8", ("megengine==1.13.0", "numpy==1.23.5"), megabytes=1990)
FRAMEWORKS = [
    Framework("megengine", "MegEngine", MEGENGINE, modules=("megengine",), order=250),
]
