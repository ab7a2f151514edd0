"""Environments that several frameworks or libraries share, as ``shared.json`` lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .declaring import Environment

__all__ = ["BOTTLENECK", "CORE", "DATA", "MXNET", "PADDLE", "THEANO", "described"]

FILE = Path(__file__).with_name("shared.json")
SHARED = {each["name"]: Environment.of(each) for each in json.loads(FILE.read_text("utf-8"))}
BOTTLENECK, CORE, DATA = (SHARED[name] for name in ("bottleneck", "core", "data"))
MXNET, PADDLE, THEANO = (SHARED[name] for name in ("mxnet", "paddle", "theano"))


def described(facts: str | Mapping[str, Any] | None) -> Environment | None:
    """The environment of a ``facts.json``: the name of a shared one, the attributes of another, or null for none."""
    if isinstance(facts, str):
        if facts not in SHARED:
            raise ValueError(f"no shared environment is named {facts!r}; there are {', '.join(SHARED)}")
        return SHARED[facts]
    return None if facts is None else Environment.of(facts)
