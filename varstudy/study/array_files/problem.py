"""The one error of this package, and how its sentences show names from a file."""

from __future__ import annotations

__all__ = ["FileProblem", "printable"]

# Characters of a name that a sentence shows.
SHOWN = 300


class FileProblem(ValueError):
    """A file cannot be studied: one sentence that names the file and says what to do."""


def printable(name: object) -> str:
    """A name on one line: characters that are not printable become escapes, and a very long name is cut."""
    text = str(name)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}...{text[-SHOWN // 2 :]}"
