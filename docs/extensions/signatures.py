"""Signatures as the source has them: ``ArrayLike`` by its name, not by the dozen types that it stands for."""

from __future__ import annotations

import inspect
from typing import Any

from sphinx.util.inspect import stringify_signature


class Made:
    """Stands for a default that is made anew each time."""

    def __repr__(self) -> str:
        return "..."


def as_written(
    app: Any, what: str, name: str, obj: Any, options: Any, args: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    if what not in ("function", "method", "class") or not args or args == "()":
        return None
    signature = inspect.signature(obj)
    parameters = [
        p.replace(default=Made()) if repr(p.default) == "<factory>" else p
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    result = None if signature.return_annotation is inspect.Signature.empty else str(signature.return_annotation)
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return stringify_signature(bare), returns and result


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", as_written)
    return {"parallel_read_safe": True}
