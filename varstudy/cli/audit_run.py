"""``audit``: which norm layer of a network is at risk, in which format, from what."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .._io.atomic import write_whole
from .._io.matching import nearest
from ..networks.audit import Audit, AuditedLayer
from ..networks.format_risks import Level
from ..networks.sensitivity import Effect, Outcome
from ..report import audit_page
from ..study.array_files import load_all
from ..survey import callables
from .console import Problem, dump, listed, many, number, paragraph, plain, progress, say
from .output_folder import writing
from .program import sentences
from .tables import show_table, wide, wrong

__all__ = ["audit"]

# Names of a list that are printed; --keep writes all.
NAMED = 6


def audit(
    model: str | None,
    data: Sequence[str],
    build: str | None,
    to: str,
    sensitivity: str | None,
    samples: int | None,
    strict: bool,
    keep: str | None,
    html: str | None,
    as_json: bool,
) -> None:
    """Audit an ONNX file or a torch model, and write what was asked for."""
    if (model is None) == (build is None):
        raise Problem("give an .onnx file, or --torch MODULE:FUNCTION")
    if build:
        if data or samples:
            raise Problem("--data is for an .onnx file, and so is --samples: --torch's function gives the inputs")
        found = _of_torch(build, to, sensitivity)
    else:
        found = _of_onnx(str(model), data, to, sensitivity, samples)
    if keep:
        with writing(keep):
            write_whole(Path(keep), json.dumps(found.keep(strict), indent=1).encode() + b"\n")
    if html:
        with writing(html):
            write_whole(Path(html), audit_page.render(found, strict).encode())
    if as_json:
        dump(found.record(strict))
        return
    _show(found, strict)
    for path in filter(None, (keep, html)):
        say(f"Written: {path}")


def _of_onnx(model: str, data: Sequence[str], to: str, sensitivity: str | None, samples: int | None) -> Audit:
    if not data:
        raise Problem(
            "give the model's inputs: --data batch.npz, made with numpy.savez('batch.npz', NAME=array); the names are "
            "those of the model's inputs"
        )
    try:
        models = importlib.import_module("varstudy.networks.onnx_models")
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in ("onnx", "onnxruntime"):
            raise
        raise Problem(f"{problem.name} is not installed: run pip install 'varstudy[onnx]'") from problem
    if not Path(model).is_file():
        there = [path.name for path in Path(model).parent.glob("*.onnx")] if Path(model).parent.is_dir() else []
        raise Problem(f"{model} is no file: {nearest(Path(model).name, there, 'check the path')}")
    with sentences():
        found: Audit = models.audit_onnx(
            model, _batches(data, samples), to, sensitivity=sensitivity, progress=progress("running the model")
        )
    return found


def _batches(data: Sequence[str], samples: int | None) -> Iterator[Mapping[str, Any]]:
    """One batch after the other; a file is read when it is its turn, and a mapped one in pieces."""
    for path in data:
        whole = load_all(path)
        if samples is None:
            yield whole
            continue
        lengths = {name: len(array) if array.ndim else 0 for name, array in whole.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            said = ", ".join(f"{name} has {count}" for name, count in lengths.items())
            raise Problem(f"--samples cuts all inputs of {path} alike, and their first axes differ: {said}")
        for start in range(0, next(iter(lengths.values())), samples):
            yield {name: array[start : start + samples] for name, array in whole.items()}


def _of_torch(build: str, to: str, sensitivity: str | None) -> Audit:
    with sentences():
        made = callables.resolve(build)()
    if not (isinstance(made, tuple) and len(made) >= 2):
        raise Problem(f"{build} gives {type(made).__name__}: let it return (model, input), or (model, (input, ...))")
    first, *rest = made
    inputs = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
    modules = importlib.import_module("varstudy.networks.torch_modules")
    with sentences():
        found: Audit = modules.audit(
            first, *inputs, format=to, sensitivity=sensitivity, progress=progress("replacing norms")
        )
    return found


def _show(found: Audit, strict: bool) -> None:
    paragraph(found.verdict, wrong=bool(found.of(Level.BREAKS)))
    for note in found.notes:
        paragraph(note, "- ")
    if not found.layers:
        return
    click.echo()
    risky = [each for each in found.layers if each.risks and each.level is not Level.NOTE]
    told = found.layers if wide() or len(found.layers) <= 30 else risky
    show_table(
        f"{many(len(found.layers), 'layer')}, on your data, in {found.format}"
        + (f": the {len(told)} at risk (--wide: all)" if len(told) < len(found.layers) else ""),
        [
            "layer",
            "norm",
            "formula",
            "rows x n",
            "kappa",
            "max |x|",
            "sum x^2",
            "storing",
            "pairwise",
            "runtime",
            "risk",
        ],
        [_line(each, found.format) for each in told],
        left=3,
        more=("sum x^2", "runtime", "rows x n", "pairwise", "formula"),
        note=f"kappa: with epsilon, of the worst row. storing: relative change of variance + epsilon by rounding the "
        f"values to {found.format}. pairwise: error of a two-pass variance accumulated in {found.format}. runtime: "
        "error of the kernel that ran, of the variance or of the output.",
    )
    if found.effects:
        _show_effects(found)
    click.echo()
    for each in risky if not wide() else found.layers:
        for risk in each.risks:
            if wide() or risk.level is not Level.NOTE:
                paragraph(f"{each.facts.layer.name}: {risk.sentence}.", "- ")
    names = found.keep(strict)
    if names:
        paragraph(
            f"Keep in float32 (node_block_list; --keep FILE writes it): {listed(names, None if wide() else NAMED)}."
        )


def _show_effects(found: Audit) -> None:
    """What replaced norms do to the output: all of them first; of single ones the worst, or with --wide every one."""
    alone = sorted((each for each in found.effects if each.layer), key=lambda each: each.badness, reverse=True)
    told = [each for each in found.effects if not each.layer] + (alone if wide() else alone[:NAMED])
    click.echo()
    show_table(
        f"The network's output with other norms: {many(len(alone), 'run')} with one replaced"
        if alone
        else "The network's output with all norms replaced",
        ["norms", "computed by", "error of the output", "not finite"],
        [[each.layer or "all", each.way, _effect(each), f"{each.not_finite:,} of {each.values:,}"] for each in told],
        left=2,
        note="error: ||y - exact|| / ||exact|| over an output array of the first batch, a number without unit; exact: "
        "exact statistics in all norms, nothing rounded. All but the norms is computed in the network's own format."
        + ("" if wide() or len(alone) <= NAMED else f" The worst {NAMED} of single norms; --wide: all."),
    )


def _effect(each: Effect) -> str:
    if each.outcome is Outcome.NOT_FINITE:
        return wrong("NaN or infinite", True)
    lost = each.outcome is Outcome.WRONG
    return wrong(_figure(each.error) + (", finite and wrong" if lost else ""), lost)


def _line(each: AuditedLayer, to: str) -> list[str]:
    facts, layer, lost = each.facts, each.facts.layer, each.losses
    pairwise = lost.algorithms.get(("pairwise", to), math.nan) if lost else math.nan
    worst = each.risks[0] if each.risks else None
    return [
        layer.name,
        layer.kind,
        layer.formula.value,
        f"{facts.rows:,} x {','.join(map(str, sorted(facts.values))) or '-'}",
        _figure(each.kappa),
        _figure(facts.largest),
        _figure(facts.squares),
        _figure(lost.storage if lost else math.nan),
        _figure(pairwise),
        _figure(each.runtime),
        each.problem or (wrong(worst.what, worst.level is Level.BREAKS) if worst else "none"),
    ]


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else str(plain(number(value)))
