"""Layers that are no norm by a variance, in the frameworks: what is measured, what is documented, and the errors.

`system` says what a system is, `catalogue` has all of them, `measuring` asks frameworks, `read_sources` has what was
read in sources, and `systems_record` is the file systems.json. ``python -m varstudy.survey.systems.commit NAME...``
measures frameworks into the committed file.
"""

from __future__ import annotations

from .catalogue import SYSTEMS
from .read_sources import DocumentedSystem, documented
from .system import Ask, Scored, System
from .systems_record import COMMITTED, SystemRow, SystemScore, committed, rows, scores

__all__ = [
    "COMMITTED",
    "SYSTEMS",
    "Ask",
    "DocumentedSystem",
    "Scored",
    "System",
    "SystemRow",
    "SystemScore",
    "committed",
    "documented",
    "rows",
    "scores",
]
