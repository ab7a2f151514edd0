"""What all tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Machines are noisy, and the first call of a kernel compiles it: an example that takes long is no failure.
settings.register_profile("varstudy", deadline=None)
settings.load_profile("varstudy")


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as on any output that is no terminal, whatever the terminal or another test has set."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
