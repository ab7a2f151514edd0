"""Words that a reader has to read twice, in everything that a person reads: the word that stands there instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

INSTEAD = {
    "anew": "again",
    "beside": "next to, or apart from",
    "from the wild": "reported",
    "held against": "compared with",
    "lessened by": "less",
    "let pass": "ignored",
    "of ours": "our",
    "summed in": "accumulated in, or: accumulator",
    "unasked": "by default",
}
WRONG = re.compile(rf"(?<![-\w])({'|'.join(INSTEAD)})(?!-?\w)", re.IGNORECASE)


def texts() -> Iterator[tuple[str, str]]:
    """Each text with the name of its file."""
    for pattern in ("*.md", "docs/**/*.md", "docs/**/*.rst", "notebooks/*.py", "*/README.md", "varstudy/**/*.j2"):
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "CHANGELOG.md":  # what was said of older versions stays
                yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for folder in ("varstudy", "kernels"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def test_a_plainer_word_is_there() -> None:
    found = [
        f"{place}: {match[0]!r}: write {INSTEAD[match[0].lower()]!r}"
        for place, text in texts()
        for match in WRONG.finditer(" ".join(text.split()))
    ]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("word", INSTEAD)
def test_a_private_word_is_seen(word: str) -> None:
    assert WRONG.search(f"What {word.capitalize()}, then.")
    assert not WRONG.search(f"besides, re{word}, {word}-ish, {word}s")
