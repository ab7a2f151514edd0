"""The benchmark from a checkout: the same as ``python -m varstudy bench``, with the same options."""

from __future__ import annotations

import sys

from varstudy.cli import commands

if __name__ == "__main__":
    commands.main(["bench", *sys.argv[1:]], prog_name="varstudy")
