"""Audits the networks of the census, and writes the figures: ``python -m varstudy.networks.census.commit [NET...]``.

A network that is measured replaces its rows; all else stays. The environment is made first where it is not there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import varkernels

from ..._io import child, provenance
from ...survey.environments import EnvironmentProblem, install, interpreter
from . import census_record
from .builders import SEED
from .census_record import CensusEffect, CensusFact, CensusLayer, digits, layer_of
from .nets import ENVIRONMENT, NETS, Net

__all__ = ["main", "measured"]

SCRIPT = Path(__file__).with_name("census_script.py")
# Seconds that one network may take.
PATIENCE = 1800.0
FORMATS = ("float16", "bfloat16")


def measured(net: Net, answer: dict[str, Any]) -> tuple[CensusFact, list[CensusLayer], list[CensusEffect]]:
    """The records of what `census_script` answers for a network."""
    fact = CensusFact(
        net.name,
        net.title,
        net.package,
        ENVIRONMENT.pins()[net.package],
        net.inputs,
        float16=answer["float16"]["verdict"],
        bfloat16=answer["bfloat16"]["verdict"],
        notes=" ".join(answer["float16"]["notes"]),
        seconds=digits(answer["seconds"]),
        runtime=answer["runtime"],
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=str(provenance.cpu()["model"]),
    )
    layers = [
        layer_of(net.name, one, {fmt: _risk(each) for fmt, each in zip(FORMATS, (one, other), strict=True)})
        for one, other in zip(*(answer[fmt]["layers"] for fmt in FORMATS), strict=True)
    ]
    effects = [
        CensusEffect(
            net.name, fmt, each["way"], digits(each["error"]), each["not_finite"], each["values"], each["outcome"]
        )
        for fmt, found in answer.get("effects", {}).items()
        for each in found
    ]
    return fact, layers, effects


def _risk(layer: dict[str, Any]) -> str:
    return f"{layer['risks'][0]['level']}: {layer['risks'][0]['what']}" if layer["risks"] else ""


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m varstudy.networks.census.commit")
    parser.add_argument("name", nargs="*", choices=[*NETS, []], default=[], help="the networks; by default all")
    parser.add_argument("--file", type=Path, default=census_record.COMMITTED, help="the file to merge into")
    given = parser.parse_args(words)
    try:
        install(ENVIRONMENT, say=lambda line: print(line, file=sys.stderr, flush=True))
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    roots = os.pathsep.join(
        dict.fromkeys(str(Path(file).parents[depth]) for file, depth in ((__file__, 3), (varkernels.__file__, 1)))
    )
    before = census_record.read(given.file) if given.file.exists() else {"facts": [], "rows": [], "effects": []}
    facts = {each.net: each for each in census_record.facts(before)}
    rows, moves = census_record.rows(before), census_record.effects(before)
    failed = 0
    for name in given.name or NETS:
        net = NETS[name]
        print(f"{net.title} ...", file=sys.stderr, flush=True)
        end = child.run(
            interpreter(ENVIRONMENT), SCRIPT, [name, roots, str(net.training), str(net.sensitivity)], seconds=PATIENCE
        )
        if not end.ok:
            print(f"{net.title}: {end.sentence}\n{end.tail}", file=sys.stderr)
            failed = 1
            continue
        facts[name], layers, effects = measured(net, end.answer)
        rows = [each for each in rows if each.net != name] + layers
        moves = [each for each in moves if each.net != name] + effects
    made = provenance.collect(None)
    order = list(NETS)
    content = {
        "settings": {"seed": SEED, "threads": 1, "environment": list(ENVIRONMENT.requirements)},
        "provenance": {key: made[key] for key in ("made", "versions")},
        "facts": [facts[name].record() for name in order if name in facts],
        "effects": [each.record() for each in sorted(moves, key=lambda each: order.index(each.net))],
        "rows": [each.record() for each in sorted(rows, key=lambda each: order.index(each.net))],
    }
    census_record.write(given.file, content)
    return failed


if __name__ == "__main__":
    sys.exit(main())
