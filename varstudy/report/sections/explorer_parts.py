"""The explorer: the table in the page, its menus, and the styles of the formulas."""

from __future__ import annotations

import json
from dataclasses import dataclass

from markupsafe import Markup

from ..figures.draw import STYLES
from ..model.embedded import DIGITS, packed
from ..model.facts import Facts
from ..rendering import SCRIPTS, script

__all__ = ["MENUS", "Explorer", "explorer"]

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


def explorer(facts: Facts) -> Explorer:
    """The explorer of a table."""
    # Inside a script element nothing but its end tag is markup.
    styles = json.dumps(_styles(facts)).replace("<", "\\u003c")
    return Explorer(packed(facts.frame), Markup(styles), tuple(map(script, SCRIPTS)))
