"""``python -m varkernels.build``: make the kernels' LLVM IR again, compare it with what is committed, or print it."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import lzma
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from ..atomic import write_whole
from ..shipped import FOLDER, MARK, SCHEMA, Damaged, digest, digest_of_sources, manifest, text
from .catalogue import VECTORISED, Entry, entries, sources_of
from .front import PINNED, SETTINGS, text_of, versions

__all__ = ["made", "main"]


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """The environment that the processes which compile are started in."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _text(entry: Entry) -> tuple[str, str]:
    return entry.name, text_of(entry.name, entry.module, entry.arguments)


def made(wanted: list[Entry], processes: int) -> dict[str, str]:
    """The texts of some kernels, compiled from the sources in other processes."""
    # Those of one kind share helpers, which a process compiles once; the longest share comes first.
    kinds = [(entry.group, entry.arguments[-1]) if entry.group == "certified" else entry.group for entry in wanted]
    shares = [[e for e, kind in zip(wanted, kinds, strict=True) if kind == each] for each in dict.fromkeys(kinds)]
    shares.sort(key=lambda share: share[0].group != "certified")
    # Each share has a process of its own: in what order a text has its functions depends on what was compiled before.
    # It ends soon, so that nobody looks for cycles of garbage in it.
    # It is a fork of one that has imported the compiler.
    spawned = multiprocessing.get_context("spawn")
    with _settings(), ProcessPoolExecutor(processes, spawned, gc.disable) as pool:
        return dict(one for share in pool.map(_forked, shares) for one in share)


def _forked(share: list[Entry]) -> list[tuple[str, str]]:
    """The texts of a share, compiled in a fork of this process."""
    forked = multiprocessing.get_context("fork")
    receiving, sending = forked.Pipe(duplex=False)
    process = forked.Process(target=lambda: sending.send(_texts(share)))
    process.start()
    sending.close()
    try:
        found: list[tuple[str, str]] = receiving.recv()
    except EOFError:
        raise RuntimeError(f"the process that compiles kernel {share[0].name} and its like failed") from None
    finally:
        process.join()
    return found


def _texts(share: list[Entry]) -> list[tuple[str, str]]:
    return [_text(entry) for entry in share]


def _file(texts: dict[str, str]) -> bytes:
    whole = "".join(f"{MARK}{name}\n{body}" for name, body in texts.items())
    return lzma.compress(whole.encode(), preset=9 | lzma.PRESET_EXTREME)


def _manifest(wanted: list[Entry], texts: dict[str, str]) -> dict[str, Any]:
    groups = {}
    for group in sorted({entry.group for entry in wanted}):
        names = sources_of(tuple(root for entry in wanted if entry.group == group for root in entry.roots))
        groups[group] = {"hash": digest_of_sources(names), "loops": group in VECTORISED, "sources": list(names)}
    return {
        "schema": SCHEMA,
        "made with": versions(),
        "groups": groups,
        "kernels": {entry.name: [entry.group, digest(texts[entry.name])] for entry in wanted},
    }


def _write(wanted: list[Entry], texts: dict[str, str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    found = _manifest(wanted, texts)
    known = manifest()
    for group in found["groups"]:
        names = [entry.name for entry in wanted if entry.group == group]
        # A compressor of another version writes other bytes of the same texts: a file is left that has them.
        same = all(known.get("kernels", {}).get(name) == found["kernels"][name] for name in names)
        if not (same and (FOLDER / f"{group}.xz").exists()):
            write_whole(FOLDER / f"{group}.xz", _file({name: texts[name] for name in names}))
    for path in FOLDER.glob("*.xz"):
        if path.stem not in found["groups"]:
            path.unlink()
    write_whole(FOLDER / "manifest.json", (json.dumps(found, indent=1) + "\n").encode())


def _differences(wanted: list[Entry], texts: dict[str, str]) -> list[str]:
    """What is committed and not as it would be made now, a sentence each."""
    found, known = _manifest(wanted, texts), manifest()
    wrong = [f"{part} is not as it would be written now" for part in found if known.get(part) != found[part]]
    for entry in wanted:
        try:
            same = text(entry.name) == texts[entry.name]
        except (KeyError, ValueError):
            same = False
        if not same:
            wrong.append(f"{entry.name}: the committed text is not what its sources compile to")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m varkernels.build",
        description="Compile the CPU's kernels to the LLVM IR that comes with this package.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare with the committed texts and write nothing")
    what.add_argument("--print", metavar="NAME", dest="name", help="print the committed text of a kernel")
    what.add_argument("--list", action="store_true", help="print the names of the committed kernels")
    cores = os.cpu_count() or 1
    parser.add_argument("--processes", type=int, default=cores, help="how many compile (default: one a core)")
    given = parser.parse_args(arguments)
    if given.processes < 1:
        parser.error(f"argument --processes: {given.processes} is less than 1")
    if given.list:
        print(*manifest().get("kernels", {}), sep="\n")
        return 0
    if given.name is not None:
        try:
            print(text(given.name), end="")
        except Damaged as problem:
            print(problem, file=sys.stderr)
            return 2
        except KeyError:
            print(f"no kernel {given.name!r}: --list prints the names", file=sys.stderr)
            return 2
        return 0
    if versions() != PINNED:
        pins = " and ".join(f"{name} {number}" for name, number in PINNED.items())
        print(f"the texts are made with {pins}, and here is {versions()}: install these", file=sys.stderr)
        return 2
    wanted = list(entries())
    texts = made(wanted, given.processes)
    if given.check:
        wrong = _differences(wanted, texts)
        print(*wrong or [f"{len(wanted)} kernels: the committed texts are what the sources compile to"], sep="\n")
        return 1 if wrong else 0
    _write(wanted, texts)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.xz"))
    print(f"{len(wanted)} kernels, {sum(map(len, texts.values())):,} characters, {size:,} bytes in {FOLDER}")
    return 0
