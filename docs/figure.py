"""README's figure, from a study: python docs/figure.py reports docs/error-against-kappa.svg

The report's own drawing of the float32 panel, with the page's colours inside, light and dark.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from varstudy._io.atomic import write_whole
from varstudy.report.figures import kappa
from varstudy.report.model.facts import Facts
from varstudy.study import results


def main(source: str, target: str) -> None:
    """Draw the float32 part of a study's results."""
    found = results.read(source)
    drawn = kappa.draw(Facts(replace(found, frame=found.frame[found.frame["storage"] == "float32"])))
    if drawn.svg is None:
        sys.exit(f"{source} holds no sweep of the condition number in float32: run the default study")
    style = (files("varstudy.report") / "templates" / "style.css").read_text("utf-8")
    names = r"--(?:ink|muted|grid|strip|paper|c\d): #[0-9a-f]{3,6};"
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    dark = dark.partition("\n}\n")[0]
    css = (
        f"svg {{ {' '.join(re.findall(names, light))} background: var(--paper);"
        ' font-family: "DejaVu Sans", Verdana, sans-serif; stroke-linejoin: round; stroke-linecap: butt; }'
        f" @media (prefers-color-scheme: dark) {{ svg {{ {' '.join(re.findall(names, dark))} }} }}"
    )
    text = str(drawn.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    text = text.replace(">", f"><style>{css}</style>", 1)
    write_whole(Path(target), text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
