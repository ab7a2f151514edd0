"""MindSpore: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

MINDSPORE = Environment("mindspore", "3.11", ("mindspore==2.10.0", "numpy<2"), megabytes=2810)
FRAMEWORKS = [
    Framework("mindspore", "MindSpore", MINDSPORE, modules=("mindspore",), order=240),
]
