"""The templates' environment, the pages' style and scripts, and the policy that lets no other script run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .words import clean, code, code_in_pieces, count, digits, listing, number, percent, ratio, source_link

__all__ = ["asset", "environment", "policy", "sentence"]


@cache
def environment() -> Environment:
    """The environment of the templates, compiled once: a value is escaped unless it is markup."""
    made = Environment(
        loader=PackageLoader("varstudy.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        clean=clean, code=code, code_in_pieces=code_in_pieces, digits=digits, listing=listing, number=number,
        percent=percent, ratio=ratio,
    )  # fmt: skip
    made.globals.update(count=count, source_link=source_link)
    return made


def sentence(name: str, **values: Any) -> Markup:
    """What a macro of sentences.html.j2 says of some values, in one line."""
    said = getattr(environment().get_template("sentences.html.j2").module, name)(**values)
    return Markup(" ".join(line.strip() for line in said.strip().splitlines()))


def asset(name: str) -> Markup:
    """A style sheet or a script of the page, as it is between its tags."""
    return Markup((files(__package__) / "templates" / name).read_text("utf-8"))


def policy(*names: str) -> str:
    """A page's Content-Security-Policy: the scripts of these names and its own styles, nothing from anywhere."""
    digests = (base64.b64encode(hashlib.sha256(f"\n{asset(name)}\n".encode()).digest()).decode() for name in names)
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
