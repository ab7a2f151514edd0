"""The command line with every command declared."""

from . import study_commands, survey_commands  # noqa: F401 (declares them)
from .command_group import commands

__all__ = ["commands"]
