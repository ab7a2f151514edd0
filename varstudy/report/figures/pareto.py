"""Accuracy against speed: what each library's variance costs and what it is worth, from bench.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from varkernels import FORMATS

from ..._io.unchanged import once
from ...bench.cpu import bench_record
from ...bench.cpu.bench_record import LIMIT, BenchProblem, BenchRow
from ..rendering import sentence
from ..words import clean, code, count, number, percent, short, size
from .draw import Drawn, Style, canvas, decades, grid, svg, token

__all__ = ["Speed", "draw", "front", "name_marks"]

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
# Half a mark, a line of text and a letter, in points.
_MARK, _LINE, _LETTER = 6.0, 12.0, 5.4

Spot = tuple[float, float]


@dataclass(frozen=True)
class Speed:
    """The section on speed: its figure, a table for each panel, who is missing, when and where.

    Attributes
    ----------
    problem : why what was measured here is not shown; with the committed figure, or without any.
    made, versions : when and where, and of what.
    """

    drawn: Drawn
    tables: tuple[dict[str, Any], ...] = ()
    absent: str = ""
    problem: str = ""
    made: str = ""
    versions: str = ""


def front(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """The rows that no other beats in both speed and error, fastest first."""
    best: list[BenchRow] = []
    for row in sorted(rows, key=lambda r: (r.seconds, r.error)):
        if not best or row.error < best[-1].error:
            best.append(row)
    return best


def draw(bench: Mapping[str, Any] | str | None) -> Speed:
    """The section for a bench.json's content; for a sentence, or nothing, the benchmark that comes with the package."""
    panels = [] if bench is None or isinstance(bench, str) else bench_record.panels(bench_record.rows(bench))
    if panels:
        assert isinstance(bench, Mapping)
        return _section(bench, panels, "Measured here")
    trouble = clean(bench).rstrip(".") if isinstance(bench, str) else ""
    if isinstance(bench, Mapping):
        trouble = "bench.json holds no array of one dimension"
    try:
        return replace(_committed(bench_record.COMMITTED), problem=trouble)
    except (OSError, BenchProblem) as problem:
        return Speed(Drawn(None), problem=trouble or clean(problem).rstrip("."))


@once
def _committed(path: Path) -> Speed:
    found = bench_record.read(path)
    return _section(found, bench_record.panels(bench_record.rows(found)), "As committed")


def _section(bench: Mapping[str, Any], panels: Sequence[Sequence[BenchRow]], state: str) -> Speed:
    """The section of one benchmark."""
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
        made=f"{state}, {_made(bench.get('provenance', {}))}",
        versions=_versions(bench["peers"]),
    )


def _made(provenance: Mapping[str, Any]) -> str:
    """When, on which processor and with which Python it was measured, as far as that is known."""
    cpu, versions = (provenance.get(name) for name in ("cpu", "versions"))
    known = [str(provenance.get("made", ""))[:10] or "on a day that is not recorded"]
    if isinstance(cpu, Mapping) and cpu.get("model"):
        known.append(f"on {cpu['model']}")
    if isinstance(versions, Mapping) and versions.get("python"):
        known.append(f"with Python {versions['python']}")
    return clean(" ".join(known))


def _versions(peers: Sequence[Any]) -> str:
    """Each package and its version, once."""
    pairs = (f"{p.get('package', '')} {p.get('version', '')}".strip() for p in peers if isinstance(p, dict))
    return clean(", ".join(sorted(dict.fromkeys(filter(None, pairs)))))


def _drawing(measured: Sequence[Sequence[BenchRow]], *, narrow: bool) -> Markup:
    """The panels side by side; one above the other for a narrow screen."""
    key = "pareto-narrow" if narrow else "pareto"
    with canvas(key):
        fig = Figure(figsize=(4.6, 3.8 * len(measured)) if narrow else (12.4, 4.0))
        tall, wide = (len(measured), 1) if narrow else (1, len(measured))
        axes = grid(fig, tall, wide, (0.72, 0.25, 0.55, 0.32), (0.95, 0.87)).reshape(-1)
        for ax, rows in zip(axes, measured, strict=True):
            threads = count(rows[0].threads, "thread")
            ax.set_title(f"{short(rows[0].dtype)}, {size(rows[0].values)} values, {threads}")
            _panel(ax, rows, (260.0, 205.0) if narrow else (380.0, 225.0))
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


def _panel(ax: Axes, rows: Sequence[BenchRow], extent: tuple[float, float]) -> None:
    """One format; `extent` is about the size of its axes, in points."""
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

    def spot(row: BenchRow) -> Spot:
        across = math.log(row.of_limit / left) / math.log(right / left)
        return across * extent[0], (math.log10(height(row.error)) - bottom) / (top - bottom) * extent[1]

    named = sorted(rows, key=lambda row: (row.of_limit, row.contender))
    names = [short(row.contender) for row in named]
    for row, name, (dx, dy) in zip(named, names, name_marks(list(map(spot, named)), names, extent), strict=True):
        colour = token(_STYLES.get(row.contender, _OTHER).colour)
        ax.annotate(
            name, (row.of_limit, height(row.error)), (dx, dy), textcoords="offset points", fontsize=9, color=colour,
            ha="left", va="center", annotation_clip=False, zorder=2.5, bbox={"fc": token("paper"), "lw": 0, "pad": 0.5},
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 0, "shrinkB": 5}
            if abs(dy) > _LINE else None,
        )  # fmt: skip
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


def name_marks(spots: Sequence[Spot], names: Sequence[str], extent: Spot) -> list[Spot]:
    """Where names go next to their marks so that they cover neither marks nor each other: offsets of their left ends.

    Parameters
    ----------
    spots : the marks, in points. extent : how far names may go, in points.
    """
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in spots]
    found = []
    for (x, y), name in zip(spots, names, strict=True):
        wide = _LETTER * len(name)
        sides = (_MARK + 2, -_MARK - 2 - wide, -wide / 2)
        steps = sorted((k * _LINE for k in range(-8, 9)), key=lambda dy: (abs(dy), -dy))
        places = [(dx, dy) for dy in steps for dx in (sides if dy else sides[:2])]
        boxes = [(x + dx, y + dy - _LINE / 2, x + dx + wide, y + dy + _LINE / 2) for dx, dy in places]
        free = [
            place for place, (x0, y0, x1, y1) in zip(places, boxes, strict=True)
            if x0 >= 0 and x1 <= extent[0] and y0 >= 0 and y1 <= extent[1]
            and not any(x0 < b[2] and b[0] < x1 and y0 < b[3] and b[1] < y1 for b in taken)
        ]  # fmt: skip
        dx, dy = free[0] if free else places[0]
        found.append((dx, dy))
        taken.append((x + dx, y + dy - _LINE / 2, x + dx + wide, y + dy + _LINE / 2))
    return found


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
