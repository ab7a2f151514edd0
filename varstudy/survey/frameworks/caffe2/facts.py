"""Caffe2: where it runs."""

from __future__ import annotations

from varstudy.survey.frameworks.declaring import Framework

FRAMEWORKS = [
    Framework(
        "caffe2", "Caffe2", why="no package of it is left that installs; its source says what it computes", order=370
    ),
]
