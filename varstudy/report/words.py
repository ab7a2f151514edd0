"""Numbers and names as a reader sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from markupsafe import Markup

__all__ = [
    "cell_digits",
    "clean",
    "code",
    "code_in_pieces",
    "count",
    "digits",
    "listing",
    "number",
    "percent",
    "ratio",
    "short",
    "size",
    "source_link",
    "superscript",
]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Characters that neither XML nor a terminal can carry: controls, lone surrogates, and what reverses the text.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def clean(text: object) -> str:
    """Text from outside without the characters that would break a document, or reverse its reading order."""
    return _UNFIT.sub("\ufffd", str(text))


def code(text: object) -> Markup:
    """A name, escaped, in the type of code."""
    return Markup("<code>{}</code>").format(clean(text))


def code_in_pieces(text: object) -> Markup:
    """A name in the type of code that may go on in the next line after a stroke or an underline."""
    pieces = re.split(r"(?<=[/_])", clean(text))
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(pieces))


def short(text: object, length: int = 44) -> str:
    """A name cut to what fits in a figure."""
    name = clean(text).replace("\n", " ").replace("\t", " ")
    return name if len(name) <= length else name[: length - 1] + "…"


def superscript(exponent: int, base: int = 10) -> str:
    """A power in plain characters: 10⁻³."""
    return str(base) + str(exponent).translate(_SUPERSCRIPT)


def size(n: float) -> str:
    """A number of values: a power of two as such."""
    power = round(math.log2(n))
    return superscript(power, 2) if n == 2**power else f"{n:,.0f}"


def number(value: float, figures: int = 3) -> str:
    """A number with its leading figures, and a power of ten where it is very large or very small."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "−0" if math.copysign(1.0, value) < 0 else "0"
    mantissa, exponent = f"{abs(value):.{figures - 1}e}".split("e")
    e = int(exponent)
    sign = "−" if value < 0 else ""
    if -4 <= e < 6:
        plain = f"{round(abs(value), figures - 1 - e):,.{max(0, figures - 1 - e)}f}"
        return sign + (plain.rstrip("0").rstrip(".") if "." in plain else plain)
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{sign}{'' if mantissa == '1' else mantissa + '×'}{superscript(e)}"


def digits(value: float) -> str:
    """Correct digits, to one place."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "exact" if value > 0 else "fails"
    return f"{value:.1f}".replace("-", "−").replace("−0.0", "0.0")


def cell_digits(value: float) -> str:
    """The same in a cell of a table of digits, where an exact answer is a sign."""
    return "=" if value == math.inf else digits(value)


def count(value: int, one: str, many: str = "") -> str:
    """A whole number and its noun."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(value: float) -> str:
    """A ratio as a percentage."""
    return f"{100 * value:.3g}%"


def ratio(value: float) -> str:
    """A ratio that must not look as if it were 1 where it is below."""
    return "just below 1" if 0.9995 <= value < 1 else number(value, 4)


def listing(items: Iterable[Markup | str]) -> Markup:
    """a, b and c; each item escaped."""
    *most, last = list(items) or [""]
    return Markup("{} and {}").format(Markup(", ").join(most), last) if most else Markup("").join([last])


def source_link(source: object, name: str = "") -> Markup:
    """A source as a link where it is a web address, as text otherwise; under a name of its own, if given."""
    text = clean(source)
    if not text:
        return code(name) if name else Markup("")
    try:
        web = urlsplit(text).scheme in ("http", "https") and " " not in text
    except ValueError:
        web = False
    if not web:
        return Markup("{}{}").format(Markup("{}: ").format(code(name)) if name else "", text)
    if name:
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(text, code(name))
    shown = text.removeprefix("https://").removeprefix("http://").removeprefix("www.")
    shown = shown.replace("github.com/", "").replace("/issues/", "#") if "/issues/" in shown else shown
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(text, shown)
