"""The public names: those of the modules that have a place in the documentation."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

__all__ = ["public"]

# Whose public names have a place in the pages.
PACKAGES = (
    "varstudy",
    "varstudy.testing",
    "varstudy.torch",
    "varstudy.networks.audit",
    "varstudy.survey.callables",
    "varstudy.study.verdict",
    "varstudy.study.comparison",
    "varstudy.survey.findings.comparing",
    "varstudy.survey.findings.documented",
    "varstudy.survey.folding",
    "varstudy.survey.discovery",
    "varstudy.survey.frameworks.catalogue",
    "varstudy.survey.porting",
    "varstudy.survey.findings.measured",
    "varstudy.survey.environments",
    "varstudy.study.featuremaps",
    "varstudy.survey.league",
    "varstudy.report",
    "varstudy.study.results",
    "varstudy.study.score",
    "varstudy.study.recommendation",
    "varstudy.study.population",
    "varstudy.study.error_bounds",
    "varstudy.study.ground_truth",
    "varkernels",
    "varkernels.cuda",
    "varptx",
)


def public() -> Iterator[tuple[str, ModuleType, str]]:
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            yield package, module, name
