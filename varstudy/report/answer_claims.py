"""The claims on outputs and gradients: each a query over elements.json, its values, their population and the place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..survey import elements
from ..survey.elements import ElementRow
from ..survey.reproducers import beyond
from .words import clean, count

__all__ = ["DEFECTS", "QUERIES", "Found"]

# Values, population and the place of the proof; None where nothing was measured.
Found = tuple[dict[str, Any], str, str] | None
Content = Mapping[str, Any]
_FRAMEWORK = "torch"
_PLACE = "answers"
_HALVES = ("float16", "bfloat16")


def _ordinary(content: Content) -> list[ElementRow]:
    return [row for row in elements.rows(content) if row.framework == _FRAMEWORK and not elements.stress(row)]


def _largest(rows: Iterable[ElementRow]) -> ElementRow | None:
    return elements.worst_rows(rows).get(())


def _version(content: Content) -> str:
    fact = next(each for each in elements.facts(content) if each.framework == _FRAMEWORK)
    return f"{clean(fact.version).split(', ')[0]} on a CPU"


def _where(row: ElementRow) -> dict[str, Any]:
    """An error, what storing costs, and how to see it: the address of the script, and what is known upstream."""
    name = f"{row.framework}/{row.kind}/{row.memory}-{row.parameters}/{row.array}.{row.storage}"
    known = next((each for each in beyond() if each.address == name), None)
    return {
        "error": row.error, "stored": row.stored, "computed": row.computed, "exact": row.exact, "size": row.size,
        "format": row.storage, "threads": row.threads, "repro": name if known else "",
        "upstream": "; ".join(state.words for state in known.upstream) if known else "",
    }  # fmt: skip


def bias_gradient(content: Content) -> Found:
    """Largest error of one framework's layer norm's bias gradient for the most rows, by format; no stress test."""
    rows = [r for r in _ordinary(content) if (r.kind, r.array, r.parameters) == ("layer", "dbias", "same")]
    most = max((row.size for row in rows), default=0)
    found = elements.worst_rows((row for row in rows if row.size == most), "storage")
    if not {("bfloat16",), ("float16",)} <= found.keys():
        return None
    value = {storage: _where(row) for (storage,), row in found.items()}
    row = found["bfloat16",]
    dy = next(each["dy"] for each in content["inputs"] if each["name"] == row.input)
    population = f"{_version(content)}, LayerNorm, {most:,} rows, normal dy of mean {dy:g}, threads: {row.threads}"
    return {**value, "rows": most}, population, _PLACE


def half_mean(content: Content) -> Found:
    """Largest error of one framework's outputs of batch and instance norm in float16 with half parameters or none."""
    rows = [
        row for row in _ordinary(content)
        if row.array == "y" and row.kind in ("batch", "instance") and row.storage == "float16"
    ]  # fmt: skip
    half = elements.worst_rows((row for row in rows if row.parameters != "float32"), "kind")
    wide = _largest(row for row in rows if row.parameters == "float32")
    if wide is None or len(half) < 2:
        return None
    batch, worst = half["batch",], half["instance",]
    mean = next(each["offset"] for each in content["inputs"] if each["name"] == worst.input)
    value = {**_where(worst), "batch": batch.error, "mean": mean, "with_float32": wide.error}
    population = f"{_version(content)}, float16, {batch.size:,} and {worst.size:,} values a mean"
    return value, population, _PLACE


def one_sample(content: Content) -> Found:
    """Largest error of one framework's input gradient of instance norm in channels-last, by the number of samples."""
    samples = {each["name"]: each["shape"][0] for each in content["inputs"]}
    rows = [r for r in _ordinary(content) if (r.kind, r.array, r.memory) == ("instance", "dx", "channels-last")]
    rows = [row for row in rows if row.storage == "float32"]
    one, more = (_largest(row for row in rows if (samples[row.input] == 1) == alone) for alone in (True, False))
    if one is None or more is None:
        return None
    return {**_where(one), "more": more.error}, f"{_version(content)}, float32, channels-last", _PLACE


def rms(content: Content) -> Found:
    """Largest ratio of an error to what storing costs, of one framework's RMS norm in half formats; no stress test."""
    rows = [
        row for row in _ordinary(content)
        if row.kind == "rms" and row.storage in _HALVES and elements.scored(row) and row.answers_in == row.storage
    ]  # fmt: skip
    if not rows:
        return None
    worst = max(row.error / row.stored for row in rows)
    return {"times": worst, "arrays": len(rows)}, f"{_version(content)}, {count(len(rows), 'array')}", _PLACE


def gradient_order(content: Content) -> Found:
    """Error of the bias gradient by our own kernels in bfloat16 for the most rows, one after the other and in pairs."""
    rows = [r for r in elements.orders(content) if (r.array, r.accumulator) == ("dbias", "bfloat16")]
    most = max((row.rows for row in rows), default=0)
    found = {row.order: row for row in rows if row.rows == most}
    if not {"running", "pairwise"} <= found.keys():
        return None
    value = {order: found[order].error for order in ("running", "pairwise")}
    return {**value, "rows": most}, f"Our kernels, bfloat16 throughout, {most:,} rows of normal values", _PLACE


QUERIES: tuple[Callable[[Content], Found], ...] = (bias_gradient, half_mean, one_sample, rms, gradient_order)
# Those that a script of `varstudy repro` shows.
DEFECTS: tuple[Callable[[Content], Found], ...] = (bias_gradient, half_mean, one_sample)
