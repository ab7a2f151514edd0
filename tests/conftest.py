"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# Machines are noisy, and the first call of a kernel compiles it: an example that takes long is no failure.
settings.register_profile("varstudy", deadline=None)
settings.load_profile("varstudy")
