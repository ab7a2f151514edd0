"""What the explorer needs in the page: the table, the menus, the styles of the formulas, and the scripts' digests."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

from markupsafe import Markup

from ..figures.draw import STYLES
from ..model.embedded import DIGITS, packed
from ..model.facts import Facts

__all__ = ["MENUS", "SCRIPTS", "Explorer", "explorer", "policy", "script"]

# In the order of the page. Their digests stand in its Content-Security-Policy: no other script runs.
SCRIPTS = ("explorer.js", "tables.js")

MENUS = (
    ("x", "across"),
    ("y", "upwards"),
    ("data", "feature maps"),
    ("storage", "stored in"),
    ("acc", "summed in"),
    ("norm", "reduction"),
    ("device", "device"),
    ("ddof", "correction"),
    ("order", "order"),
)

# For formulas that no figure draws; the shapes repeat before pairs of shape and colour do.
_SHAPES = "os^Dv*hPX"


@dataclass(frozen=True)
class Explorer:
    """The explorer's part of the page."""

    packed: str
    styles: Markup
    scripts: tuple[Markup, ...]
    menus: tuple[tuple[str, str], ...] = MENUS
    digits: int = DIGITS


def _styles(facts: Facts) -> dict[str, tuple[str, str]]:
    """Colour and shape of each formula: the figures' own where they have one."""
    found: dict[str, tuple[str, str]] = {}
    for formula in dict.fromkeys(map(str, facts.frame["formula"])):
        style = STYLES.get(formula)
        if style is not None and style.marker in _SHAPES:
            found[formula] = (style.colour, style.marker)
        else:
            place = len(found)
            found[formula] = (f"c{place % 9}", _SHAPES[(place + place // 9) % len(_SHAPES)])
    return found


def script(name: str) -> Markup:
    """A script of the page, as it stands between its tags."""
    return Markup((files("varstudy.report") / "templates" / name).read_text("utf-8"))


def explorer(facts: Facts) -> Explorer:
    """The explorer of a table."""
    # Inside a script element nothing but its end tag is markup.
    styles = json.dumps(_styles(facts)).replace("<", "\\u003c")
    return Explorer(packed(facts.frame), Markup(styles), tuple(map(script, SCRIPTS)))


def policy(*names: str) -> str:
    """A page's Content-Security-Policy: its own scripts (`SCRIPTS` by default) and styles, nothing from anywhere."""
    digests = (base64.b64encode(hashlib.sha256(_inside(name)).digest()).decode() for name in names or SCRIPTS)
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _inside(name: str) -> bytes:
    """What stands between a script's tags, byte for byte."""
    return f"\n{script(name)}\n".encode()
