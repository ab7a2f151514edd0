"""``python -m varkernels.cuda.audit [--check] [--kernels PATTERN]``."""

from __future__ import annotations

from .gates import main

if __name__ == "__main__":
    raise SystemExit(main())
