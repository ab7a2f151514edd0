"""The measuring process, which `launch` starts: ``python -m varstudy.bench.cpu REQUEST ANSWER``, both JSON files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .work import measure

if __name__ == "__main__":
    given, wanted = map(Path, sys.argv[1:3])
    wanted.write_text(json.dumps(measure(json.loads(given.read_text("utf-8"))), allow_nan=False), "utf-8")
