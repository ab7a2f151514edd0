"""A short script for every finding of the survey: it needs the framework alone, and fails while the defect is there.

Which findings there are, and their addresses, follows from the committed data (`finding_list`). How a framework's layer
is called stands in ``repro.json`` of its folder (`recipes`), how a library's function is called in its ``facts.json``.
"""

from __future__ import annotations

from .finding import Finding, NoScript
from .finding_list import beyond, described, findings
from .upstream import UpstreamProblem, UpstreamState

__all__ = ["Finding", "NoScript", "UpstreamProblem", "UpstreamState", "beyond", "described", "findings"]
