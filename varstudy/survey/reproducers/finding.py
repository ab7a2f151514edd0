"""A finding: its address, what it says, and the script that shows it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .upstream import UpstreamState

__all__ = ["LINES", "Finding", "NoScript", "address", "program"]

# A script has fewer lines.
LINES = 30
WIDTH = 116
_STATUS = "Exit status 1: the assertion fails, or the call raises: the defect is there. Exit status 0: it is mended."


class NoScript(ValueError):
    """No short script shows a finding: one sentence that says why, and what to run instead."""


@dataclass(frozen=True)
class Finding:
    """One cell of the survey that failed, alarms, or contradicts the documentation.

    Attributes
    ----------
    address : the keys of the survey joined by strokes, such as ``torch/group/channels-last/accuracy.1e4``.
    title : what is asked, in words. seen : what was found, with version and date. words : more words to find it by.
    upstream : what is known of it where the software is made; empty where nobody has looked.
    body : writes the script without its head.
    """

    address: str
    title: str
    seen: str
    words: str = ""
    upstream: tuple[UpstreamState, ...] = ()
    body: Callable[[], Sequence[str]] = field(default=tuple, compare=False)

    @property
    def sentence(self) -> str:
        """The line of the list."""
        states = "; ".join(dict.fromkeys(each.words for each in self.upstream))
        return f"{self.title}: {self.seen}." + (f" {states}." if states else "")

    def script(self) -> str:
        """The program that shows the finding.

        Raises
        ------
        NoScript
            None is short enough, or nothing says how the software is called.
        """
        lines = list(self.body())
        said = [self.address, f"{self.title}: {self.seen}.", *(f"{each.sentence}" for each in self.upstream), _STATUS]
        return program(said, lines)


def address(*parts: str) -> str:
    """The address of some keys: every run of other signs than letters, digits and points is one hyphen."""
    return "/".join(re.sub(r"[^A-Za-z0-9._]+", "-", part).strip("-") for part in parts)


def program(said: Sequence[str], lines: Sequence[str]) -> str:
    """A script with a docstring.

    Raises
    ------
    NoScript
        It has too many lines.
    """
    head = [
        line for text in said for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)
    ]
    text = "\n".join(['"""' + head[0], *head[1:], '"""', "", *lines]) + "\n"
    if text.count("\n") >= LINES:
        raise NoScript(f"no script of under {LINES} lines shows it: its rows are too long")
    return text.replace("\\", "\\\\") if "\\" in "".join(head) else text
