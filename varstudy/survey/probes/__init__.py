"""Scripts that ask frameworks and libraries, and modules for their adapters; they run in other interpreters."""

from pathlib import Path

__all__ = ["SCRIPTS"]

SCRIPTS = Path(__file__).parent
