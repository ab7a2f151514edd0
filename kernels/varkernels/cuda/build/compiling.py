"""``python -m varkernels.cuda.build [--check]``: compile every kernel to PTX, offline, with no GPU.

Needs numba-cuda with its offline parts (the extra ``cuda-offline``); nothing else of this package does. Without
arguments it writes ptx/; with ``--check`` it compiles afresh, writes nothing and exits 1 if anything differs.

Both builds of a kernel come from one lowering: NVVM is run with its option ``-fma=1``, the default of Numba and
nvcc, and with ``-fma=0``; both for sm_80 and for sm_90, whose texts must be equal but for the target's name.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import multiprocessing
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...atomic import write_whole
from .. import abi
from ..catalogue import Kernel, kernels
from ..contraction import contracted as contract
from ..contraction import explicit
from ..library import FOLDER, MARK, SCHEMA, TARGETS, digest, source_hash
from .text import body, head

__all__ = ["build", "compiled", "differences", "main", "texts", "write"]

# NVVM unrolls the trees and the tails, which triples the text for nothing; the main loop it leaves alone anyway.
_NO_UNROLLING = """
!900000 = distinct !{!900000, !900001}
!900001 = !{!"llvm.loop.unroll.disable"}
"""
_BRANCH = re.compile(r"^(\s+br (?:label|i1) .*)$", flags=re.MULTILINE)


class _Device:
    """What Numba asks of the device when a kernel calls an overload, offline."""

    compute_capability = (8, 0)


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Let numba-cuda compile for a device that is not there."""
    from numba.cuda import dispatcher  # noqa: PLC0415

    module: Any = dispatcher
    before = module.get_current_device
    module.get_current_device = lambda: _Device
    try:
        yield
    finally:
        module.get_current_device = before


def _lowered(kernel: Kernel) -> list[str]:
    """A kernel's LLVM modules."""
    from numba import types  # noqa: PLC0415
    from numba.cuda import compiler  # noqa: PLC0415

    from ..schedules import function  # noqa: PLC0415

    arguments = abi.FINISH if kernel.kind == "finish" else abi.SWEEP
    signature = types.void(*[types.int64 for _ in arguments])
    module: Any = compiler
    with offline():
        library, _ = module._compile_pyfunc_with_fixup(
            function(kernel), signature, device=False, abi="numba", cc=_Device.compute_capability
        )
        return [_BRANCH.sub(r"\1, !llvm.loop !900000", text) + _NO_UNROLLING for text in library.llvm_strs]


def _ptx(modules: list[str], target: str, contracted: bool) -> str:
    from numba.cuda.cudadrv import nvvm  # noqa: PLC0415

    compiler: Any = nvvm
    arch = target.replace("sm_", "compute_")
    made = compiler.compile_ir(modules, arch=arch, opt=3, fma=contracted)
    return str(made.decode().strip("\x00").strip())


def texts(kernel: Kernel) -> tuple[str, dict[str, str]]:
    """The head of a module, and the bodies of a kernel in both builds by name."""
    modules = _lowered(kernel)
    ours = _lowered(replace(kernel, formula=contract(kernel.formula))) if explicit(kernel.formula) else modules
    top = ""
    bodies: dict[str, str] = {}
    for contracted in (True, False):
        name = replace(kernel, contracted=contracted).name
        made = {target: _ptx(ours if contracted else modules, target, contracted) for target in TARGETS}
        each = {target: body(ptx, kernel.entry) for target, ptx in made.items()}
        tops = {head(ptx).replace(target, TARGETS[0]) for target, ptx in made.items()}
        if len(set(each.values())) != 1 or len(tops) != 1:
            raise ValueError(f"kernel {name!r}: NVVM's texts differ in more than the target's name")
        top, bodies[name] = tops.pop(), each[TARGETS[0]]
    return top, bodies


def compiled(kernel: Kernel, target: str) -> str:
    """The PTX of one kernel compiled for any target that NVVM knows, such as ``sm_120``: a module by itself.

    Raises
    ------
    ValueError
        NVVM made something that no kernel here may hold.
    """
    ours = kernel.contracted and explicit(kernel.formula)
    modules = _lowered(replace(kernel, formula=contract(kernel.formula)) if ours else kernel)
    ptx = _ptx(modules, target, kernel.contracted)
    return head(ptx, None) + body(ptx, kernel.entry)


def _group(name: str) -> tuple[str, dict[str, str]]:
    """The texts of all kernels of a file and of its twin without contraction."""
    top = ""
    bodies: dict[str, str] = {}
    for kernel in kernels().values():
        if kernel.contracted and kernel.file == name:
            top, more = texts(kernel)
            bodies |= more
    return top, bodies


def _facts(text: str) -> dict[str, int]:
    """How many floating-point instructions of a kind a kernel's text has."""
    found = re.findall(r"\b(add|sub|mul|fma|div|rcp)\.rn\.f(?:32|64)\b", text)
    return dict(sorted(Counter(found).items()))


def _versions() -> dict[str, str]:
    found = {}
    for package in ("numba", "numba-cuda", "llvmlite", "nvidia-nvvm"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def build(processes: int = 2) -> dict[str, bytes]:
    """Every file of ptx/ by its name, compiled afresh.

    Raises
    ------
    ImportError
        numba-cuda or its NVVM is not installed.
    ValueError
        NVVM made something that no kernel here may hold.
    """
    table = kernels()
    names = sorted({kernel.file for kernel in table.values() if kernel.contracted})
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        made = pool.map(_group, names, chunksize=1)
    heads = {top for top, _ in made}
    if len(heads) != 1:
        raise ValueError(f"the kernels' heads differ: {heads}")
    top = heads.pop()
    bodies = {name: text for _, each in made for name, text in each.items()}
    files: dict[str, dict[str, str]] = {}
    entries = []
    for name, kernel in sorted(table.items()):
        twin = replace(kernel, contracted=not kernel.contracted).name
        file = f"{kernel.file}.ptx" if bodies[name] == bodies[twin] else f"{kernel.file}_{kernel.build}.ptx"
        files.setdefault(file, {})[kernel.entry] = bodies[name]
        entries.append(
            {
                "name": name,
                "file": file,
                "entry": kernel.entry,
                "formula": kernel.formula.name,
                "kind": kernel.kind,
                "lanes": kernel.lanes,
                "storage": kernel.storage.name if kernel.storage else None,
                "accumulator": kernel.accumulator.name,
                "contracted": kernel.contracted,
                "sha256": digest(bodies[name]),
                "instructions": _facts(bodies[name]),
            }
        )
    manifest = {
        "schema": SCHEMA,
        "versions": _versions(),
        "ptx": top.split()[1],
        "targets": list(TARGETS),
        "note": "One text serves all targets: NVVM's texts for them differ in the line .target only.",
        "sources": {kernel.formula.name: source_hash(kernel.formula) for kernel in table.values()},
        "kernels": entries,
    }
    whole = {
        file: "".join([top, *(f"{MARK}{entry}\n{text}" for entry, text in sorted(texts.items()))]).encode()
        for file, texts in files.items()
    }
    whole["manifest.json"] = (_json(manifest) + "\n").encode()
    return whole


def _json(manifest: dict[str, Any]) -> str:
    """One kernel a line, so that a change is a short diff."""
    lines = ",\n".join("  " + json.dumps(entry) for entry in manifest["kernels"])
    rest = json.dumps({key: value for key, value in manifest.items() if key != "kernels"}, indent=1)
    return f'{rest[:-2]},\n "kernels": [\n{lines}\n ]\n}}'


def write(files: dict[str, bytes], folder: Path = FOLDER) -> None:
    """Write the files, each whole or not at all, the manifest last; other PTX in the folder is removed.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in sorted(files.items(), key=lambda item: item[0] == "manifest.json"):
        write_whole(folder / name, data)
    for path in folder.glob("*.ptx"):
        if path.name not in files:
            path.unlink()


def differences(files: dict[str, bytes], folder: Path = FOLDER) -> list[str]:
    """A sentence for each file of the folder that is not what was compiled."""
    found = []
    present = {path.name for path in folder.glob("*") if path.suffix in (".ptx", ".json")}
    for name in sorted(present | set(files)):
        if name not in files:
            found.append(f"{name} is no longer made")
        elif name not in present:
            found.append(f"{name} is missing")
        elif (folder / name).read_bytes() != files[name]:
            before = (folder / name).read_text(encoding="utf-8").splitlines()
            after = files[name].decode().splitlines()
            gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
            example = next(iter(new or gone), "the order of lines")
            found.append(f"{name}: {sum(gone.values())} lines gone, {sum(new.values())} new, such as {example[:120]!r}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where all is well, 1 where --check finds a difference, 2 without the tools."""
    parser = argparse.ArgumentParser(prog="python -m varkernels.cuda.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed PTX differs")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    if importlib.util.find_spec("numba_cuda") is None:
        print('numba-cuda is not installed: run pip install -e ".[cuda-offline]"', file=sys.stderr)
        return 2
    files = build(chosen.processes)
    if not chosen.check:
        write(files)
        print(f"{len(kernels())} kernels in {len(files) - 1} files, {sum(map(len, files.values())):,} bytes: {FOLDER}")
        return 0
    found = differences(files)
    for sentence in found:
        print(sentence, file=sys.stderr)
    print(f"{len(kernels())} kernels compiled afresh: {'equal to the committed ones' if not found else 'they differ'}")
    return 1 if found else 0
