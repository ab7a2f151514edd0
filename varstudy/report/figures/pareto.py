"""Accuracy against speed: what each library's variance costs and what it is worth, from bench.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from varkernels import FORMATS

from ...bench.cpu import bench_record
from ...bench.cpu.bench_record import LIMIT, BenchRow
from ..rendering import sentence
from ..words import clean, code, count, number, percent, short, size
from .draw import Drawn, Style, canvas, decades, svg, token

__all__ = ["Speed", "draw", "front"]

# Its own colour and marker for each contender; ours are filled, the others hollow.
_STYLES = {
    "varstudy exact": Style("c1", "*"),
    "numpy.var": Style("c2", "s"),
    "torch.var": Style("c3", "^"),
    "torch.var_mean": Style("c3", "v"),
    "jax.jit(var)": Style("c4", "D"),
    "polars": Style("c5", "P"),
    "pyarrow": Style("c6", "X"),
    "bottleneck": Style("c8", "p"),
    "pandas": Style("c7", "<"),
    "pandas + bottleneck": Style("c7", ">"),
    "duckdb": Style("c2", "h"),
    "scikit-learn": Style("c5", "d"),
}
_OTHER = Style("muted", ".")


@dataclass(frozen=True)
class Speed:
    """The section on speed: its figure, a table for each panel, who is missing, when and where; or why not."""

    drawn: Drawn
    tables: tuple[dict[str, Any], ...] = ()
    absent: str = ""
    problem: str = ""
    made: str = ""


def front(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """The rows that no other beats in both speed and error, fastest first."""
    best: list[BenchRow] = []
    for row in sorted(rows, key=lambda r: (r.seconds, r.error)):
        if not best or row.error < best[-1].error:
            best.append(row)
    return best


def _panels(rows: Sequence[BenchRow]) -> list[list[BenchRow]]:
    """For each format the rows of the longest array, with as few threads as were measured."""
    panels = []
    for dtype in dict.fromkeys(row.dtype for row in rows):
        mine = [row for row in rows if row.dtype == dtype and row.norm == "flat"]
        mine = [row for row in mine if row.threads == min(r.threads for r in mine)]
        mine = [row for row in mine if row.values == max(r.values for r in mine)]
        if any(row.status == "ok" and row.contender != LIMIT for row in mine):
            panels.append(mine)
    return panels


def draw(bench: Mapping[str, Any] | str | None) -> Speed:
    """The section for a bench.json's content; for a sentence, or nothing, a section without a figure."""
    if bench is None or isinstance(bench, str):
        return Speed(Drawn(None), problem=clean(bench or "").rstrip("."))
    panels = _panels(bench_record.rows(bench))
    if not panels:
        return Speed(Drawn(None), problem="bench.json holds no array of one dimension")
    measured = [
        [row for row in panel if row.status == "ok" and row.contender != LIMIT and row.of_limit > 0] for panel in panels
    ]
    wide, narrow = (_drawing(measured, narrow=narrow) for narrow in (False, True))
    rounds = max(row.rounds for rows in measured for row in rows)
    notes = (sentence("pareto", rounds=rounds), *map(_note, measured))
    versions = {str(p.get("name", "")): str(p.get("version", "")) for p in bench["peers"] if isinstance(p, dict)}
    away = dict.fromkeys(
        f"{row.contender} ({row.reason or row.status})" for panel in panels for row in panel if row.status != "ok"
    )
    return Speed(
        Drawn(wide, notes, narrow),
        tuple(_part(panel, versions) for panel in panels),
        clean("; ".join(away)),
        made=_made(bench.get("provenance", {})),
    )


def _made(provenance: Mapping[str, Any]) -> str:
    """When and on which processor it was measured; empty where that is not known."""
    cpu = provenance.get("cpu")
    model = cpu.get("model", "") if isinstance(cpu, Mapping) else ""
    date = str(provenance.get("made", ""))[:10]
    return clean(" on ".join(word for word in (date, str(model)) if word))


def _drawing(measured: Sequence[Sequence[BenchRow]], *, narrow: bool) -> Markup:
    """The panels side by side; one above the other for a narrow screen."""
    key = "pareto-narrow" if narrow else "pareto"
    names = [name for name in _STYLES if any(row.contender == name for rows in measured for row in rows)]
    others = [r.contender for rows in measured for r in rows if r.contender not in _STYLES]
    with canvas(key):
        fig = Figure(figsize=(4.6, 3.6 * len(measured) + 1.6) if narrow else (12.4, 5.2), layout="constrained")
        for place, rows in enumerate(measured):
            ax = fig.add_subplot(*((len(measured), 1) if narrow else (1, len(measured))), place + 1)
            threads = count(rows[0].threads, "thread")
            ax.set_title(f"{short(rows[0].dtype)}, {size(rows[0].values)} values, {threads}")
            _panel(ax, rows)
        handles = [
            Line2D([], [], ls="none", label=short(name), **_look(name)) for name in (*names, *dict.fromkeys(others))
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=2 if narrow else 6, columnspacing=1.6)
        return svg(fig, key, "Relative error of the variance against speed as a share of the read limit")


def _look(name: str) -> dict[str, Any]:
    style = _STYLES.get(name, _OTHER)
    ours = name.startswith("varstudy")
    return {
        "marker": style.marker,
        "color": token(style.colour),
        "mfc": token(style.colour) if ours else "none",
        "mew": 0.8 if ours else 1.8,
        "ms": 14 if style.marker == "*" else 10 if ours else 8,
    }


def _panel(ax: Axes, rows: Sequence[BenchRow]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    errors = [row.error for row in rows if math.isfinite(row.error) and row.error > 0] or [1.0]
    low, high = math.log10(min(errors)), math.log10(max(errors))
    room = max(1.0, 0.12 * (high - low))
    exact = any(row.error == 0 for row in rows)
    failed = any(not math.isfinite(row.error) for row in rows)
    bottom, top = low - room * (2 if exact else 1), high + room * (2 if failed else 1)

    def height(error: float) -> float:
        if error == 0:
            return float(10 ** (bottom + 0.5 * room))
        return error if math.isfinite(error) else float(10 ** (top - 0.5 * room))

    for there, edge, at, word in ((exact, bottom, bottom, "exact"), (failed, top - room, top - 0.5 * room, "NaN, ∞")):
        if there:
            ax.axhspan(10**edge, 10 ** (edge + room), color=token("strip"), lw=0, zorder=1)
            ax.text(
                1.005, 10 ** (at + (0.5 * room if word == "exact" else 0)), word, rotation=90, va="center",
                transform=ax.get_yaxis_transform(), color=token("muted"), fontsize=8.5,
            )  # fmt: skip
    best = front(rows)
    ax.plot(
        [row.of_limit for row in best], [height(row.error) for row in best],
        color=token("muted"), lw=1.2, ls=(0, (4, 2)), drawstyle="steps-post", zorder=2,
    )  # fmt: skip
    for row in rows:
        ax.plot([row.of_limit], [height(row.error)], ls="none", zorder=3, **_look(row.contender))
    shares = [row.of_limit for row in rows]
    left, right = 0.7 * min(shares), max(1.3, 1.3 * max(shares))
    ax.set_xlim(left, right)
    ax.set_ylim(10**bottom, 10**top)
    ax.axvline(1.0, color=token("muted"), lw=1.0, ls=(0, (2, 2)), zorder=1.5)
    if rows[0].dtype in FORMATS:
        ax.axhline(
            float(FORMATS[rows[0].dtype].unit_roundoff), color=token("muted"), lw=1.0, ls=(0, (1, 2)), zorder=1.5
        )
    ticks = [t for t in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0) if left <= t <= right]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    decades(ax, "y")
    ax.set_xlabel("speed, as a share of the read limit")
    ax.set_ylabel("relative error of the variance")


def _note(rows: Sequence[BenchRow]) -> Markup:
    best = front(rows)
    said = [
        Markup("{} ({} of the limit, error {})").format(
            code(row.contender), percent(row.of_limit), number(row.error, 2)
        )
        for row in best
    ]
    slow, wrong = max(rows, key=lambda r: r.seconds), max(rows, key=lambda r: (not math.isfinite(r.error), r.error))
    times = slow.seconds / min(r.seconds for r in rows) if len(rows) > 1 else None
    return sentence("pareto_panel", dtype=clean(rows[0].dtype), best=said, wrong=wrong, slow=slow, times=times)


def _part(panel: Sequence[BenchRow], versions: Mapping[str, str]) -> dict[str, Any]:
    """A panel's numbers, as a table shows them."""
    rows = [
        {
            "name": clean(row.contender),
            "version": clean(versions.get(row.contender, "")),
            "ms": number(1e3 * row.seconds),
            "gbps": number(row.gbps),
            "of_limit": number(row.of_limit, 2),
            "error": "–" if math.isnan(row.error) else number(row.error, 2),
            "rounded": "yes" if row.rounded else "",
        }
        for row in sorted((row for row in panel if row.status == "ok"), key=lambda row: row.seconds)
    ]
    first = panel[0]
    return {"dtype": clean(first.dtype), "size": size(first.values), "threads": first.threads, "rows": rows}
