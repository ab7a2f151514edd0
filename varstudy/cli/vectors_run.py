"""``vectors``: test vectors for norm kernels, written for any language, and answers checked."""

from __future__ import annotations

from pathlib import Path

import click

from ..vectors.cases import DTYPES, NORMS
from ..vectors.checking import check_answers
from ..vectors.folder import export, write_index
from .console import Problem, dump, many, say
from .output_folder import prepared, writing
from .program import sentences

__all__ = ["vectors"]


def vectors(
    action: str,
    folder: str,
    norm: str,
    dtype: str | None,
    profile: str | None,
    size: str,
    answers: str | None,
    as_json: bool,
) -> None:
    """Write a set, or check the answers to one."""
    if (action == "check") != (answers is not None):
        raise Problem("vectors check DIR --answers OUT checks answers; vectors export DIR writes a set")
    chosen = NORMS if norm == "all" else (norm,)
    if dtype and not any(dtype in DTYPES[each] for each in chosen):
        raise Problem(f"--dtype {dtype}: {norm} has vectors in {', '.join(DTYPES[chosen[0]])}")
    if action == "export":
        _export(folder, chosen, dtype, profile or "single", size, as_json)
        return
    with sentences():
        found = check_answers(
            Path(folder),
            Path(str(answers)),
            norm="" if norm == "all" else norm,
            dtype=dtype or "",
            profile=profile or "",
        )
    if as_json:
        dump({"cases": found.cases, "failed": found.failed, "skipped": found.skipped, "text": found.text})
    else:
        click.echo(found.text or f"{many(found.cases, 'case')}: every answer is within its limit.")
        if found.skipped:
            click.echo(f"Without any answer: {', '.join(found.skipped)}.")
    if found.failed:
        raise click.exceptions.Exit(1)


def _export(folder: str, norms: tuple[str, ...], dtype: str | None, profile: str, size: str, as_json: bool) -> None:
    place = prepared(folder)
    with sentences(), writing(place):
        found = export(
            place, norms=norms, dtypes=(dtype,) if dtype else (), profile=profile, full=size == "full",
            progress=lambda name: say(f"{name} is written"),
        )  # fmt: skip
        write_index(place)
    if as_json:
        dump({name: found[name] for name in ("schema", "version", "size", "profile", "files")})
        return
    total = sum(path.stat().st_size for path in place.iterdir() if path.suffix in (".bin", ".json", ".txt"))
    click.echo(f"{many(len(found['cases']), 'case')}, {total / 1e6:.1f} MB: {place / 'manifest.json'}")
