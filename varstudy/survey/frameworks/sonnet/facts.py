"""Sonnet: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

SONNET = Environment(
    "sonnet",
    "3.11",
    ("tensorflow-cpu==2.21.0", "dm-sonnet==2.0.2"),
    megabytes=1550,
    aliases={"sonnet": "dm-sonnet", "tensorflow": "tensorflow-cpu"},
)
FRAMEWORKS = [
    Framework("sonnet", "Sonnet", SONNET, modules=("sonnet", "tensorflow"), order=220),
]
