"""Objax: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

OBJAX = Environment(
    "objax",
    "3.11",
    ("objax==1.8.0", "six==1.17.0", "jax==0.9.2", "jaxlib==0.9.2"),
    megabytes=690,
    quirk="It names jax.sharding.PmapSharding when it differentiates, which jax 0.10 no longer has.",
)
FRAMEWORKS = [
    Framework("objax", "Objax", OBJAX, modules=("objax", "jax"), order=280),
]
