"""A framework's formula of local response normalisation, inferred from its outputs on designed inputs.

With beta = 1 and k = 1 an output shows v - 1 = x / y - 1, the factor times the sum of squares of its window. Channel c
has the square 9^c, so that the sum shows which channels are in it: no other run of channels has the same sum, not even
times 1 / n for n below 10. A channel next to 0 shows k^-beta alone. Ones after a channel of 10^5 show whether the sum
slides: 10^10 rounds them away, and they are missing once it has left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from varkernels.norms.answers import ExactArray
from varkernels.norms.response import response_norm_forward

from ....study.response_orders import PARAMETERS, SIZE, inputs, response_errors
from ..system import NUMBER, Answer, Ask, Scored, Script, System

__all__ = ["SYSTEM"]

CHANNELS = 8
_POWERS = 3.0 ** np.arange(CHANNELS)
TINY = 2.0**-20
# float32 powers and sums are far closer.
CLOSE = 3e-6

_PROPERTIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "factor": ("factor of the sum of squares", ("alpha / n", "alpha", "alpha / channels there")),
    "size.default": ("default n", (NUMBER, "none")),
    "alpha.default": ("default alpha", (NUMBER, "none")),
    "beta.default": ("default beta", (NUMBER, "none")),
    "k.default": ("default k", (NUMBER, "none")),
    "size.even": (
        "even n",
        ("refused", "one more before", "one more after", "n + 1 channels", "no such n", "other"),
    ),
    "border": ("window at the border", ("cut", "other")),
    "channels": (
        "channels with a window",
        ("all", "as many as samples", "all, but channel n // 2 never enters and is subtracted later"),
    ),
    "sum": ("order of the sum on the CPU", ("direct", "sliding", "sliding beyond 384 channels with beta 0.5 or 1")),
}


def _ask(lane: str, samples: int = 1, **given: Any) -> Ask:
    """A call on samples, (samples, channels, 1, 1), of ``tiny``, ``large``, ``powers`` (3^c) or ``cliff``."""
    ones = [1.0] * (CHANNELS - 1)
    values = {"tiny": [TINY], "large": [1024.0], "powers": _POWERS, "cliff": [1e5, *ones]}[lane]
    return Ask(np.tile(np.array(values, np.float32)[:, None, None], (samples, 1, 1, 1)), given)


_PLAIN = {"alpha": 1.0, "beta": 1.0, "k": 1.0}
_ASKS: dict[str, Ask] = {
    "k": _ask("tiny", size=5, alpha=1.0, beta=1.0),
    "beta": _ask("tiny", size=5, alpha=1.0, k=2.0),
    "alpha": _ask("large", size=5, beta=1.0, k=1.0),
    "size": _ask("powers", CHANNELS, **_PLAIN),
    "odd": _ask("powers", CHANNELS, size=3, **_PLAIN),
    "even": _ask("powers", CHANNELS, size=4, **_PLAIN),
    "one sample": _ask("powers", 1, size=3, **_PLAIN),
    "two samples": _ask("powers", 2, size=3, **_PLAIN),
    "cliff": _ask("cliff", CHANNELS, size=3, **_PLAIN),
}

Window = tuple[int, int]


def _windows(answer: Answer, scale: float | None) -> list[Window] | None:
    """Each channel's window in the first sample, (0, 0) if it is empty; None where a sum fits none.

    scale : the factor of the sum; None: 1 over the channels of the window.
    """
    sums = _POWERS / np.array(answer["y"][:CHANNELS]) - 1
    upto = np.concatenate([[0.0], np.cumsum(_POWERS**2)])
    found: list[Window] = []
    for total in sums.tolist():
        fits = [
            (a, b)
            for a in range(CHANNELS)
            for b in range(a + 1, CHANNELS + 1)
            if math.isclose((upto[b] - upto[a]) * (scale or 1 / (b - a)), total, rel_tol=CLOSE)
        ]
        if len(fits) > 1 or not (fits or abs(total) < CLOSE):
            return None
        found.append(fits[0] if fits else (0, 0))
    return found


def _factor(answer: Answer, size: int) -> str | None:
    for word, scale in (("alpha / n", 1 / size), ("alpha", 1.0), ("alpha / channels there", None)):
        found = _windows(answer, scale)
        if found is not None and any(b > a for a, b in found):
            return word
    return None


def _even(answer: Answer, factor: str, size: int) -> str:
    if "raised" in answer:
        return "refused"
    found = _windows(answer, {"alpha / n": 1 / size, "alpha": 1.0}.get(factor))
    middle = CHANNELS // 2
    if found is None:
        return "other"
    begin, end = found[middle]
    shapes = {(size // 2, size // 2 - 1): "one more before", (size // 2 - 1, size // 2): "one more after"}
    shapes[size // 2, size // 2] = "n + 1 channels"
    return shapes.get((middle - begin, end - 1 - middle), "other")


def _channels(one: Sequence[Window] | None, two: Sequence[Window] | None) -> str | None:
    counts = [None if found is None else sum(b > a for a, b in found) for found in (one, two)]
    return {(CHANNELS, CHANNELS): "all", (1, 2): "as many as samples"}.get((counts[0], counts[1]))  # type: ignore[arg-type]


def _number(value: float) -> float:
    return float(f"{value:.5g}")


def _conventions(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """The value of each property that outputs show; None where they leave it open.

    Parameters
    ----------
    answers : for each of `_ASKS`.

    Examples
    --------
    >>> from varkernels.norms.response import response_norm_forward
    >>> from varstudy.survey.systems import SYSTEMS
    >>> defaults = {"size": 5, "alpha": 2e-4, "beta": 0.75, "k": 1.5}
    >>> answers = {name: {"y": response_norm_forward(ask.x, **{**defaults, **ask.given}).y.rounded.ravel()}
    ...            for name, ask in SYSTEMS["response"].asks.items()}
    >>> found = SYSTEMS["response"].conventions(answers)
    >>> found["factor"], found["size.default"], found["alpha.default"], found["k.default"], found["size.even"]
    ('alpha / n', 5, 0.0002, 1.5, 'one more before')
    """
    found: dict[str, Any] = dict.fromkeys(_PROPERTIES)
    if "y" in answers["k"]:
        found["k.default"] = _number(TINY / answers["k"]["y"][0])
    if "y" in answers["beta"]:
        found["beta.default"] = _number(-math.log2(answers["beta"]["y"][0] / TINY))
    factor = _factor(answers["odd"], 3) if "y" in answers["odd"] else None
    found["factor"] = factor
    if factor is None:
        return found
    scale = {"alpha / n": 1 / 3, "alpha": 1.0}.get(factor)
    if "y" in answers["alpha"]:
        share = {"alpha / n": 5.0}.get(factor, 1.0)
        found["alpha.default"] = _number((1024 / answers["alpha"]["y"][0] - 1) / 2**20 * share)
    found["size.default"] = "none" if "raised" in answers["size"] else _size(answers["size"], factor)
    found["size.even"] = _even(answers["even"], factor, 4)
    if scale is not None and "y" in answers["cliff"]:
        right = 1 / (1 + 3 * scale)
        kept = [math.isclose(y, right, rel_tol=CLOSE) for y in answers["cliff"]["y"][3 : CHANNELS - 1]]
        found["sum"] = "direct" if all(kept) else "sliding"
    odd = _windows(answers["odd"], scale)
    if odd is not None:
        cut = [(max(0, c - 1), min(CHANNELS, c + 2)) for c in range(CHANNELS)]
        found["border"] = "cut" if odd == cut else "other"
    alone = [_windows(answers[name], scale) if "y" in answers[name] else None for name in ("one sample", "two samples")]
    found["channels"] = _channels(*alone)
    return found


def _size(answer: Answer, factor: str) -> int | None:
    for size in range(1, CHANNELS):
        windows = _windows(answer, {"alpha / n": 1 / size, "alpha": 1.0}.get(factor))
        if windows is not None and max(b - a for a, b in windows) == size:
            return size
    return None


def _scored() -> list[Scored]:
    found: list[Scored] = []
    for name, x in inputs().items():
        for about, parameters in PARAMETERS.items():
            ask = Ask(x[:, :, None, None], {"size": SIZE, "beta": 0.75, **parameters})

            def exact(found: Mapping[str, Any], ask: Ask = ask) -> ExactArray:
                return response_norm_forward(ask.x, **ask.given).y

            found.append(Scored(name, about, ask, exact))
    return found


def _script(size: int, channels: Sequence[float], outputs: Mapping[str, Sequence[float]]) -> Script:
    """One sample of some channels; alpha / n is 1."""
    return Script({"size": str(size), "alpha": f"{size}.0"}, [[[[value]] for value in channels]], outputs)


SYSTEM = System(
    name="response",
    title="Local response normalisation",
    formula="x / (k + factor x sum of n squares)^beta",
    summary="Local response normalisation, by a sum of squares of neighbouring channels",
    properties=_PROPERTIES,
    columns={"factor": "factor", "size.default": "n", "k.default": "k", "alpha.default": "alpha",
             "beta.default": "beta", "size.even": "even n", "sum": "sum", "channels": "channels"},
    narrow=("channels", "beta", "sum", "even n"),
    asks=_ASKS,
    conventions=_conventions,
    scored=_scored,
    raised={"size.even": "even"},
    studied=("The window's sum in two orders, float32", response_errors),
    alarms={"sum": ("sliding",)},
    scripts={
        "channels": _script(3, [3.0, 3, 3, 3], {"all": [3 / 19, 3 / 28, 3 / 28, 3 / 19]}),
        "sum": _script(3, [1e5, 1, 1, 1, 1], {"direct": [1e5 / (1e10 + 2), 1 / (1e10 + 3), 1 / 4, 1 / 4, 1 / 3]}),
        "size.even": _script(
            2,
            [1.0, 3, 9],
            {"n + 1 channels": [1 / 11, 3 / 92, 9 / 91], "one more after": [1 / 11, 3 / 91, 9 / 82]},
        ),
    },
)  # fmt: skip
