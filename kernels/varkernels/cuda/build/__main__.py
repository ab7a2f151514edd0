"""``python -m varkernels.cuda.build [--check]``."""

from __future__ import annotations

from .compiling import main

if __name__ == "__main__":
    raise SystemExit(main())
