"""StrEnum for every Python that the project supports: a set of names whose members are strings."""

from __future__ import annotations

import sys
from enum import Enum

__all__ = ["StrEnum"]

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:

    class StrEnum(str, Enum):
        """As Python 3.11 has it."""

        __str__ = str.__str__
        __format__ = str.__format__
