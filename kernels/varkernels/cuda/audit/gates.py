"""``python -m varkernels.cuda.audit [--check] [--kernels PATTERN]``: what ptxas makes of the committed PTX.

Every kernel is assembled for every target of `resources.TARGETS` from the one committed text, as a driver would, and
disassembled again; only for a target older than the text's is the line ``.target`` changed. No GPU is needed. Without
arguments the table `resources.PATH` is written if every gate holds; ``--check`` only prints each line that
differs. A text that serves both builds of a kernel (nothing to contract) has one line under the name of its entry.

The gates, each a sentence where it does not hold:

- no local memory: 0 bytes of stack, spill stores and spill loads; no warning of ptxas;
- nothing approximate and nothing that flushes subnormals, in PTX or SASS;
- no float64 instruction in a kernel that accumulates in float32, in PTX or SASS, its divisions' insides included;
- no arithmetic of 16 bits beyond the PTX's own;
- 16-byte loads where a thread takes vectors, in PTX and SASS;
- `pace.LOADS` loads before the first is used, and at most `pace.MOST` instructions a value;
- every sum and product of the PTX has its rounding (``.rn``): bare ones any driver may fuse;
- **the arithmetic of the SASS is that of the PTX**: FADD, FMUL, FFMA, DADD, DMUL and DFMA are as many as the PTX has
  sums, products and fused ones of that width. A product fused with its sum is one FFMA more, an FMUL and an FADD fewer.

For that last count to be equal, and not nearly so, this is how both sides are counted (found with ptxas 13.0 on all
seven targets; without exception, so that any difference fails):

1. A division, reciprocal or root becomes several instructions: their number is measured on the same target
   (`expansion`) and subtracted. The routine for rare cases has its own label (``$__internal_..``) and is not counted.
2. ``FADD x, -RZ`` is a copy, negation or absolute value: not counted, for x + (-0) is x. ``HFMA2`` and ``HADD2`` with
   a zero are constants and conversions from float16.
3. An instruction of the PTX whose result nothing reads is not counted: ptxas drops it. NVVM leaves a few, for it keeps
   a shuffle whose result is not used and what the shuffle sends.
4. ptxas unrolls short loops, and then has their arithmetic several times. Where that makes the count differ, the same
   text with the directive ``.pragma "nounroll"`` is assembled and counted; the SASS as it is must then have no class
   that the counted one lacks. The table shows the SASS as it is.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...atomic import write_whole
from .. import library, toolkit
from ..errors import DeviceError
from . import expansion, ptx_facts, sass
from .pace import Pace, pace_gates, pace_of, takes_vectors
from .ptx_facts import ARITHMETIC, Loop
from .resources import PATH, TARGETS, Row, render, row_names
from .turns import Turn, main_turn

__all__ = ["Examined", "Wanted", "examine", "main", "ptx_gates", "sass_gates", "wanted"]


@dataclass(frozen=True)
class Wanted:
    """A kernel's PTX and what it asks for.

    Attributes
    ----------
    vectors : whether 16-byte loads feed its lanes.
    arithmetic, expanded, bare, unwanted : see `ptx_facts`.
    wide : its loads of 16 bytes. pace : what is wanted of its main loop.
    loop : its main loop, None for a kernel that merges states.
    """

    name: str
    accumulator: str
    vectors: bool
    arithmetic: Counter[str]
    expanded: Counter[str]
    bare: Counter[str]
    unwanted: Counter[str]
    wide: int
    pace: Pace
    loop: Loop | None


def wanted(name: str, entry: Mapping[str, Any], text: str) -> Wanted:
    """What a kernel's text asks for.

    Parameters
    ----------
    name : what the table and the sentences call it.
    entry : the kernel in the manifest: storage (None for a kernel that merges states), lanes, accumulator.
    text : its PTX, with or without a head.
    """
    everything = ptx_facts.instructions(text)
    body = ptx_facts.live(everything)
    pace = pace_of(entry)
    return Wanted(
        name, entry["accumulator"], takes_vectors(entry), ptx_facts.arithmetic(body),
        ptx_facts.expanded(body), ptx_facts.bare(everything), ptx_facts.unwanted(everything, entry["accumulator"]),
        ptx_facts.vector_loads(body), pace,
        ptx_facts.main_loop(body, pace.itemsize) if pace.itemsize else None,
    )  # fmt: skip


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def ptx_gates(want: Wanted) -> list[str]:
    """A sentence for each gate that a kernel's text does not pass, whatever the target."""
    found = []
    if want.unwanted:
        found.append(
            f"kernel {want.name}: its PTX has {_listed(want.unwanted)}; approximate and flushing instructions are "
            f"wanted nowhere, and float64 not where {want.accumulator} accumulates"
        )
    if want.bare:
        found.append(
            f"kernel {want.name}: its PTX has {_listed(want.bare)} without .rn, which a driver may fuse; wanted are 0"
        )
    if want.vectors and not want.wide:
        found.append(f"kernel {want.name}: its PTX has no load of 16 bytes; wanted is one for its four lanes")
    if want.vectors and want.loop is None:
        found.append(f"kernel {want.name}: its PTX has no loop that loads values; wanted is one")
    return found


def sass_gates(
    want: Wanted,
    target: str,
    usage: sass.Usage,
    code: sass.Code,
    counted: sass.Code,
    cost: Mapping[str, Counter[str]],
) -> list[str]:
    """A sentence for each gate that a kernel does not pass on a target.

    Parameters
    ----------
    code, counted : its SASS, and that to be counted: the same, or that without unrolled loops.
    cost : what a division and its like become: `expansion.costs`.
    """
    at = f"kernel {want.name} on {target}"
    found = []
    local = {
        "bytes of stack": usage.stack,
        "bytes of spill stores": usage.spill_stores,
        "bytes of spill loads": usage.spill_loads,
    }
    if any(local.values()):
        found.append(f"{at}: ptxas gives it {_listed(local)}; wanted are 0")
    if want.vectors and not any(code.loads[width] for width in (128, 256)):
        found.append(
            f"{at}: its SASS has no load of 128 bits (it has {_loads(code)}); wanted is one for its four lanes"
        )
    found += pace_gates(at, want.pace, main_turn(code.body, want.pace.width))
    full = _full(want, cost)
    found += _fused(at, want, full, counted.counts)
    if counted.counts["FTZ"] != full["FTZ"]:
        found.append(
            f"{at}: its SASS has {counted.counts['FTZ']} sums and products that flush subnormals; wanted are "
            f"{full['FTZ']}, from {_listed(want.expanded) or 'no division'}"
        )
    if want.accumulator == "float32" and code.counts["DOUBLE"]:
        found.append(f"{at}: its SASS has {code.counts['DOUBLE']} instructions of float64; wanted are 0")
    new = [name for name in ARITHMETIC if code.counts[name] and not counted.counts[name]]
    if new:
        found.append(f"{at}: with its loops unrolled, its SASS has {' and '.join(new)}, and without them none")
    return found


def _full(want: Wanted, cost: Mapping[str, Counter[str]]) -> Counter[str]:
    """What SASS should have of each class: the PTX's own, and what its divisions become."""
    full = Counter(want.arithmetic)
    for op, count in want.expanded.items():
        for name, each in cost[op].items():
            full[name] += count * each
    return full


def _counts_differ(want: Wanted, code: sass.Code, cost: Mapping[str, Counter[str]]) -> bool:
    full = _full(want, cost)
    return any(code.counts[name] != full[name] for name in (*ARITHMETIC, "HALF", "FTZ"))


def _loads(code: sass.Code) -> str:
    return ", ".join(f"{count} of {width} bits" for width, count in sorted(code.loads.items())) or "no loads"


def _fused(at: str, want: Wanted, full: Counter[str], got: Counter[str]) -> list[str]:
    """The gate of the arithmetic: what each side has, and whether products were fused with their sums."""
    names = [name for name in (*ARITHMETIC, "HALF") if got[name] != full[name]]
    if not names:
        return []
    words = [f"{got[name]} {name} where the PTX wants {full[name]}" for name in names]
    fused = ""
    for width in "FD":
        more = {verb: got[width + verb] - full[width + verb] for verb in ("ADD", "MUL", "FMA")}
        if more["FMA"] > 0 and more["FMA"] == -more["MUL"] == -more["ADD"]:
            fused = f": ptxas fused {more['FMA']} products with the sum that takes them"
    parts = _listed(want.expanded)
    return [f"{at}: its SASS has {' and '.join(words)}{f', {parts} included' if parts else ''}{fused}"]


def _row(want: Wanted, target: str, usage: sass.Usage, code: sass.Code, cost: dict[str, Counter[str]]) -> Row:
    loop = want.loop or Loop(0, Counter(), Counter())
    work = {verb: loop.arithmetic["F" + verb] + loop.arithmetic["D" + verb] for verb in ("ADD", "MUL", "FMA")}
    has, loads = code.counts, code.loads
    turn = (main_turn(code.body, want.pace.width) if want.pace.itemsize else None) or Turn(0, 0, 0, 0)
    return Row(
        want.name, target, usage.registers, usage.shared, usage.stack, usage.spill_stores, usage.spill_loads,
        usage.barriers, has["FADD"], has["FMUL"], has["FFMA"], has["DADD"], has["DMUL"], has["DFMA"],
        loads[16], loads[32], loads[64], loads[128], code.size, loop.values, work["ADD"], work["MUL"], work["FMA"],
        sum(loop.expanded.values()), expansion.issued(loop.arithmetic, loop.expanded, cost),
        turn.loaded // want.pace.itemsize if want.pace.itemsize else 0, turn.instructions, turn.loads, turn.waiting,
    )  # fmt: skip


@dataclass(frozen=True)
class Examined:
    """What came of assembling: a row for each kernel, and the sentences of gates that do not hold."""

    rows: list[Row]
    found: list[str]


def _without_unrolling(head: str) -> str:
    return head.replace(".address_size 64\n", '.address_size 64\n.pragma "nounroll";\n', 1)


def examine(
    head: str,
    texts: Mapping[str, str],
    wants: Mapping[str, Wanted],
    target: str,
    cost: dict[str, Counter[str]],
    folder: Path,
    stem: str = "kernels",
) -> Examined:
    """Assemble kernels for a target and hold what comes out against their PTX.

    Parameters
    ----------
    head : the lines that a module begins with.
    texts, wants : by entry, the kernels' PTX, and `wanted` of each.
    cost : `expansion.costs` of the target.
    folder, stem : where files are written, and what they are called.

    Raises
    ------
    ToolkitMissing
        A program is not installed.
    """
    head = ptx_facts.retarget(head, target)
    try:
        cubin, said = toolkit.assemble(head + "".join(texts.values()), target, folder, stem)
    except toolkit.Refused as problem:
        if len(texts) == 1:
            (entry,) = texts
            return Examined([], [f"kernel {wants[entry].name} on {target}: {problem}"])
        # One by one, so that the sentence names the kernel.
        each = [examine(head, {n: t}, wants, target, cost, folder, f"{stem}.{n}") for n, t in texts.items()]
        return Examined([row for one in each for row in one.rows], [line for one in each for line in one.found])
    usages, codes = sass.usages(said), sass.codes(toolkit.disassemble(cubin))
    rows, found = [], [f"{stem} on {target}: {line}" for line in sass.warnings(said)]
    known = [entry for entry in texts if entry in usages and entry in codes]
    unlike = [entry for entry in known if _counts_differ(wants[entry], codes[entry], cost)]
    counted = codes
    if unlike:
        plain = _without_unrolling(head) + "".join(texts[entry] for entry in unlike)
        cubin, _ = toolkit.assemble(plain, target, folder, f"{stem}.plain")
        counted = codes | sass.codes(toolkit.disassemble(cubin))
    for entry in texts:
        want = wants[entry]
        if entry not in known:
            found.append(f"kernel {want.name} on {target}: ptxas or nvdisasm says nothing of its entry {entry}")
            continue
        rows.append(_row(want, target, usages[entry], codes[entry], cost))
        found += sass_gates(want, target, usages[entry], codes[entry], counted[entry], cost)
    return Examined(rows, found)


@dataclass(frozen=True)
class _Batch:
    """Kernels that are assembled together: the lines that a module begins with, and by entry their texts."""

    head: str
    texts: dict[str, str]
    wants: dict[str, Wanted]


# Each call of a tool costs its start; with all kernels in two calls a target, two processes still end together.
_MOST = 256


def _committed(pattern: str) -> list[_Batch]:
    """The committed kernels whose names in the table the pattern matches."""
    manifest = library.manifest()["kernels"]
    rows = row_names(manifest)
    batches: list[_Batch] = []
    done = set()
    for kernel in manifest:
        name, entry = rows[kernel["name"]], kernel["entry"]
        if name in done or not fnmatch.fnmatchcase(name, pattern):
            continue
        done.add(name)
        head, text = library.checked_text(kernel)
        # Both builds of a kernel have the same entry, so they are in two modules.
        fits = (one for one in batches if one.head == head and entry not in one.texts and len(one.texts) < _MOST)
        batch = next(fits, None)
        if batch is None:
            batch = _Batch(head, {}, {})
            batches.append(batch)
        batch.texts[entry] = text
        batch.wants[entry] = wanted(name, kernel, text)
    return batches


def _examined(pattern: str, targets: Sequence[str], processes: int) -> Examined:
    batches = _committed(pattern)
    found = [sentence for batch in batches for want in batch.wants.values() for sentence in ptx_gates(want)]
    rows = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(processes) as pool:
        folder = Path(name)
        costs = dict(zip(targets, pool.map(partial(expansion.costs, folder=folder), targets), strict=True))
        # Each waits for a program of its own: threads are enough to keep two of them busy.
        jobs = [
            pool.submit(examine, batch.head, batch.texts, batch.wants, target, costs[target], folder, f"batch{number}")
            for target in targets
            for number, batch in enumerate(batches)
        ]
        try:
            for job in jobs:
                made = job.result()
                rows += made.rows
                found += made.found
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Examined(rows, found)


def _difference(made: str, pattern: str, path: Path) -> list[str]:
    """The lines by which the committed table differs from what was made, of kernels of the pattern only."""
    try:
        before = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        before = []
    kept = [
        line for place, line in enumerate(before) if place < 2 or fnmatch.fnmatchcase(line.partition(",")[0], pattern)
    ]
    return list(difflib.unified_diff(kept, made.splitlines(), path.name, "made afresh", lineterm="", n=0))


def main(
    arguments: list[str] | None = None,
    *,
    look: Callable[[str, Sequence[str], int], Examined] = _examined,
    path: Path = PATH,
) -> int:
    """The command; 0 where all is well, 1 where a gate fails or --check finds a difference, 2 without the tools.

    look : examines the kernels of a pattern, on targets, with so many programs at once.
    path : the committed table.
    """
    parser = argparse.ArgumentParser(
        prog="python -m varkernels.cuda.audit", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed table differs")
    parser.add_argument("--kernels", metavar="PATTERN", default="*", help="only kernels so named; nothing is written")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        examined = look(chosen.kernels, TARGETS, chosen.processes)
        made = render(examined.rows, toolkit.version("ptxas"))
    except (toolkit.ToolkitMissing, toolkit.Refused, DeviceError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2
    if not examined.rows and not examined.found:
        print(f"no kernel's name matches {chosen.kernels!r}", file=sys.stderr)
        return 2
    for sentence in examined.found:
        print(sentence, file=sys.stderr)
    kernels = len({row.kernel for row in examined.rows})
    words = f"{kernels} kernels on {len(TARGETS)} targets, {time.perf_counter() - start:.0f} s"
    if examined.found:
        print(f"{words}: {len(examined.found)} gates fail; nothing is written", file=sys.stderr)
        return 1
    if chosen.check or chosen.kernels != "*":
        difference = _difference(made, chosen.kernels, path)
        print("\n".join(difference), file=sys.stderr) if difference else None
        print(f"{words}: every gate holds, the table {'differs' if difference else 'is the committed one'}")
        return 1 if difference and chosen.check else 0
    write_whole(path, made.encode())
    print(f"{words}: every gate holds; {len(examined.rows)} lines in {path}")
    return 0
