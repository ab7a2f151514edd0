"""What the figures share: styles that need no colour, strips for what no axis can hold, SVG that follows the page.

Colours are drawn as tokens and become CSS variables, so that one drawing serves a light and a dark page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from ..words import superscript

__all__ = [
    "FEW",
    "KNOWN",
    "STYLES",
    "Curve",
    "Drawn",
    "Floats",
    "Style",
    "canvas",
    "decades",
    "grid",
    "name_ends",
    "plot",
    "slim",
    "spread",
    "svg",
    "tally",
    "token",
]

Floats = NDArray[np.float64]
# An algorithm's name, x in rising order, errors.
Curve = tuple[str, Floats, Floats]

# Each stands for a CSS variable: --ink, --c0 ...
_TOKENS = {
    "ink": "#010101",
    "muted": "#010102",
    "grid": "#010103",
    "strip": "#010104",
    "paper": "#010105",
    **{f"c{i}": f"#0101{0x10 + i:02x}" for i in range(9)},
}
_VARIABLES = {value: f"var(--{name})" for name, value in _TOKENS.items()}


def token(name: str) -> str:
    """The stand-in of a CSS variable."""
    return _TOKENS[name]


@dataclass(frozen=True)
class Style:
    """How an algorithm is drawn: colour, marker and line, each enough to tell it apart."""

    colour: str
    marker: str
    line: Any = "-"


STYLES = {
    "naive": Style("c0", "o"),
    "two_pass": Style("c1", "s", (0, (5, 1.5))),
    "welford": Style("c2", "^", (0, (4, 1.5, 1, 1.5))),
    "pairwise": Style("c3", "D"),
    "chan": Style("c4", "v", (0, (1.5, 1.5))),
    "corrected_two_pass": Style("c5", "P", (0, (7, 2))),
    "shifted_first": Style("c6", "X", (0, (3, 1, 1, 1, 1, 1))),
    "corrected_two_pass/pairwise": Style("c8", "p", (0, (8, 1.5, 1, 1.5))),
}
# The names that people know, and what becomes of the formulas that correct themselves.
KNOWN = (
    "naive",
    "two_pass",
    "welford",
    "pairwise",
    "chan",
    "shifted_first",
    "corrected_two_pass",
    "corrected_two_pass/pairwise",
)
# Enough for one panel: what people know, and what the order and the correction change.
FEW = ("naive", "two_pass", "welford", "pairwise", "corrected_two_pass/pairwise")


@dataclass(frozen=True)
class Drawn:
    """A figure, or None where its data was not measured, the paragraphs under it, and a drawing for narrow screens."""

    svg: Markup | None
    notes: tuple[Markup, ...] = ()
    narrow: Markup | None = None


@contextmanager
def canvas(key: str) -> Iterator[None]:
    """Settings for one drawing: nothing that is drawn is read as mathematics, and the bytes do not vary."""
    style = mpl.rc_params_from_file(Path(__file__).with_name("figure.mplstyle"), use_default_template=False)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(style)
        mpl.rcParams["svg.hashsalt"] = f"varstudy-{key}"
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def decades(ax: Axes, axis: str, most: int = 9, among: tuple[float, float] | None = None) -> None:
    """Powers of ten at sensible distances on a logarithmic axis, or on a part of it, in plain characters."""
    low, high = among or getattr(ax, f"get_{axis}lim")()
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    step = next(s for s in (1, 2, 3, 4, 5, 10, 20, 50, 100, 200) if (last - first) / s <= most or s == 200)
    ticks = [10.0**k for k in range(first, last + 1) if k % step == 0]
    side = getattr(ax, f"{axis}axis")
    side.set_major_locator(FixedLocator(ticks))
    side.set_minor_locator(FixedLocator([]))
    side.set_major_formatter(FuncFormatter(lambda v, _: superscript(round(np.log10(v))) if v > 0 else ""))


def plot(
    ax: Axes, curves: Sequence[Curve], *, named: bool = False, among: Sequence[Curve] = (), most: int = 9
) -> Counter[str]:
    """Relative errors of algorithms against x, both axes logarithmic; how many are exact, failed and points in all.

    What a logarithmic axis cannot hold is drawn in strips of its own: errors that are infinite or NaN at the
    top, errors of zero at the bottom, each algorithm on its own height. The limits hold every other point.

    Parameters
    ----------
    curves : an algorithm's name, its x in rising order, its errors.
    named : write the names at the ends of the lines.
    among : the curves of all panels that share this one's limits; its own without them.
    most : ticks of the axis upwards. The caller sets the limits across.
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    strips: list[tuple[str, Floats, bool, int]] = []
    for place, (name, x, error) in enumerate(curves):
        style = STYLES.get(name, Style("c7", "."))
        ordinary = np.isfinite(error) & (error > 0)
        ax.plot(
            x, np.where(ordinary, error, np.nan), color=token(style.colour), marker=style.marker, ls=style.line,
            mec=token("paper"), mew=0.4, zorder=3, scalex=False, scaley=False,
        )  # fmt: skip
        strips += [(name, x[~np.isfinite(error)], True, place), (name, x[error == 0], False, place)]
    errors = [error for _, _, error in among or curves]
    there = tally(errors)
    values = np.concatenate([*errors, [1.0]])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = np.log10(min(values.min(), 0.1)), np.log10(values.max())
    bottom, top = (0.16 if there["exact"] else 0.04), (0.16 if there["failed"] else 0.06)
    scale = max(high - low, 2.0) / (1 - bottom - top)
    ax.set_ylim(10 ** (low - bottom * scale), 10 ** (high + top * scale))
    _draw_strips(ax, strips, there, len(curves))
    if named:
        _draw_names(ax, curves)
    decades(ax, "y", most, (10**low, 10**high))
    _name_strips(ax, there)
    ax.axhline(1.0, color=token("muted"), lw=1.0, ls=(0, (2, 2)), zorder=2)
    return tally([error for _, _, error in curves])


def tally(errors: Sequence[Floats]) -> Counter[str]:
    """Count the errors, those that are zero, and those that are NaN or infinite."""
    found: Counter[str] = Counter()
    for error in errors:
        found.update(exact=int((error == 0).sum()), failed=int((~np.isfinite(error)).sum()), points=len(error))
    return found


def _strip_height(up: bool, place: int, rows: int) -> float:
    """The height of a curve in the strip at the top or at the bottom, as a share of the axes."""
    return (0.885 if up else 0.015) + 0.1 * (place + 0.5) / max(rows, 1)


def _draw_names(ax: Axes, curves: Sequence[Curve]) -> None:
    """Each algorithm's name where its line ends, or in the strip where its last error is."""
    low, high = np.log10(ax.get_ylim())
    ends = []
    for place, (name, _, error) in enumerate(curves):
        if len(error):
            last = float(error[-1])
            if not (np.isfinite(last) and last > 0):
                last = float(10 ** (low + (high - low) * _strip_height(last != 0, place, len(curves))))
            ends.append((name, last, STYLES.get(name, Style("c7", ".")).colour))
    name_ends(ax, ends)


def name_ends(ax: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Names right of a panel, where lines end; those that would cover each other move apart.

    Parameters
    ----------
    ends : a line's name, its last value on the logarithmic axis upwards, its colour.
    """
    low, high = np.log10(ax.get_ylim())
    colours = {name: token(colour) for name, _, colour in ends}
    for end, height, name in spread([((np.log10(y) - low) / (high - low), name) for name, y, _ in ends], 0.065):
        ax.annotate(
            name, (1.0, end), (1.04, height), xycoords="axes fraction", textcoords="axes fraction", fontsize=9,
            color=colours[name], va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "lw": 0.7, "shrinkA": 0, "shrinkB": 0,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def spread(ends: Sequence[tuple[float, str]], gap: float) -> list[tuple[float, float, str]]:
    """Heights of names, at least a gap apart and as near their ends as that allows: end, height and name, lowest first.

    Names that would cover each other are spread evenly round the mean of their ends.
    """
    ordered = sorted(ends)
    groups: list[list[float]] = []  # heights less a gap a place: they must not fall
    for place, (end, _) in enumerate(ordered):
        groups.append([end - place * gap])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    top = 1.0 - (len(ordered) - 1) * gap
    return [(end, min(level[at], top) + at * gap, name) for at, (end, name) in enumerate(ordered)]


# Where the strips begin, as a share of the axes, and what they are called.
_STRIPS = {"failed": (0.88, "NaN, ∞"), "exact": (0.01, "exact")}


def _name_strips(ax: Axes, seen: Counter[str]) -> None:
    """Add a tick to each strip."""
    low, high = np.log10(ax.get_ylim())
    words = {float(10 ** (low + (high - low) * (y + 0.055))): word for kind, (y, word) in _STRIPS.items() if seen[kind]}
    powers = ax.yaxis.get_major_formatter()
    ax.yaxis.set_major_locator(FixedLocator([*ax.yaxis.get_majorticklocs(), *words]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, at: words.get(float(value)) or powers(value, at)))


def _draw_strips(ax: Axes, strips: list[tuple[str, Floats, bool, int]], seen: Counter[str], rows: int) -> None:
    across = blended_transform_factory(ax.transData, ax.transAxes)
    for kind, (y, _) in _STRIPS.items():
        if seen[kind]:
            strip = Rectangle((0, y), 1, 0.11, transform=ax.transAxes, color=token("strip"), lw=0, zorder=1.5)
            ax.add_artist(strip)
    for name, x, up, place in strips:
        style = STYLES.get(name, Style("c7", "."))
        (line,) = ax.plot(
            x, np.full(x.shape, _strip_height(up, place, rows)), color=token(style.colour), marker=style.marker,
            ls="none", ms=4.5, transform=across, zorder=4, clip_on=False, scalex=False, scaley=False,
        )  # fmt: skip
        line.set_in_layout(False)


def grid(
    fig: Figure, rows: int, columns: int, around: tuple[float, float, float, float], between: tuple[float, float]
) -> Any:
    """Axes in rows and columns at places that are given: to have them found takes longer than to draw them.

    around : inches left of, right of, below and above them all. between : inches between columns and between rows.
    """
    width, height = fig.get_size_inches()
    left, right, below, above = around
    across = (width - left - right - between[0] * (columns - 1)) / columns
    down = (height - below - above - between[1] * (rows - 1)) / rows
    places = fig.add_gridspec(
        rows,
        columns,
        left=left / width,
        right=1 - right / width,
        bottom=below / height,
        top=1 - above / height,
        wspace=between[0] / across,
        hspace=between[1] / down,
    )
    return places.subplots(squeeze=False)


# From matplotlib's SVG to the page's --------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_HEX = re.compile(r"#[0-9a-f]{6}\b")
_FONT = re.compile(r"font-family: [^;]*;? ?")
_LOCAL = re.compile(r"url\(#([^)]*)\)")
_USED = re.compile(r'(?:href="#|url\(#)([^")]*)')
_ID = re.compile(r' id="([^"]*)"')
_STILL = re.compile(r' transform="rotate\(-?0 [^")]*\)"')


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def svg(fig: Figure, key: str, label: str) -> Markup:
    """A figure as inline SVG: ids of its own, colours of the page, its text as text, and a name.

    Parameters
    ----------
    key : a short word that no other figure of the page uses. label : what the drawing shows, for those who
        do not see it.
    """
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasSVG(fig)
    layout = fig.get_layout_engine()
    if layout is not None:
        layout.execute(fig)
        fig.set_layout_engine("none")
    # savefig would draw everything once more: with a layout engine, if only the one that stands for "none".
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ET.fromstring(buffer.getvalue())
    for element in list(root.iter()):
        for child in list(element):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                element.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: _attribute(k, v, key) for k, v in element.attrib.items()}
        # White space between elements, but never in a text, only makes the file larger.
        if element.tag != "text":
            element.text = None if element.text and not element.text.strip() else element.text
        element.tail = None if element.tail and not element.tail.strip() else element.tail
    width, height = root.get("viewBox", "0 0 1 1").split()[2:]
    kept = {"viewBox": root.get("viewBox", "")}
    root.attrib = {**kept, "width": width, "height": height, "role": "img", "aria-label": label}
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))


def _attribute(name: str, value: str, key: str) -> str:
    local = name.rpartition("}")[2]
    if local == "id":
        return f"{key}-{value}"
    if local == "href":
        return f"#{key}-{value[1:]}" if value.startswith("#") else ""
    if local in ("d", "x", "y", "transform", "style", "points", "width", "height"):
        value = _NUMBER.sub(_rounded, value)
    if local == "style":
        value = _HEX.sub(lambda m: _VARIABLES.get(m[0], m[0]), value)
        value = _FONT.sub("", value)
    return _LOCAL.sub(lambda m: f"url(#{key}-{m[1]})", value)


def slim(drawing: Markup) -> Markup:
    """The same drawing without what no reader and no reference needs: ids that nothing names, turns by no angle."""
    used = set(_USED.findall(drawing))
    text = _ID.sub(lambda found: found[0] if found[1] in used else "", str(drawing))
    return Markup(_STILL.sub("", text))
