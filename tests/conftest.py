"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

# Machines are noisy, and the first call of a kernel compiles it: an example that takes long is no failure.
settings.register_profile("varstudy", deadline=None)
settings.load_profile("varstudy")
# A shell ignores the interrupt in what it starts in the background, and children inherit that: the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: the garbage collector need not look through it, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _no_terminal() -> Iterator[None]:
    """Tables are as wide as on any output that is no terminal, whatever the terminal or another test has set."""
    kept = {name: os.environ.pop(name) for name in ("COLUMNS", "LINES") if name in os.environ}
    yield
    os.environ.update(kept)
