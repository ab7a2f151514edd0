#!/usr/bin/env python
"""The committed report: made from the default study, and held against what the code measures now.

    python reports/make.py               # run the default study, write its pages into reports/reference
    python reports/make.py --check DIR   # compare its table with the results in DIR, and see that every page that is
                                         # linked is there; exit code 1 otherwise
    python reports/make.py --bench FILE  # keep the longest arrays of a bench.json as the benchmark of the package: a
                                         # report shows it where nothing else was measured

The table is in the explorer's page, to seven digits. What must agree: the columns, and every measurement that both
have. What the machine decides is not in the table.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from varstudy import report
from varstudy._io.atomic import write_whole
from varstudy.bench.cpu import bench_record
from varstudy.report.sections.explorer_parts import columns
from varstudy.study import results, runner

REFERENCE = Path(__file__).resolve().parent / "reference"
CLAIMS = "claims.json"
SHOWN = 10


def pages() -> dict[str, str]:
    """The committed pages and their claims, by file name."""
    return {path.name: path.read_text("utf-8") for path in sorted(REFERENCE.iterdir()) if made(path.name)}


def made(name: str) -> bool:
    """Whether a file of that name is one of the report's."""
    return name == CLAIMS or (name.startswith("report") and name.endswith(".html"))


def table(pages: dict[str, str]) -> dict[str, Any]:
    """The table inside the pages."""
    for html in pages.values():
        found = re.search(r'<script type="text/plain" id="packed">(.*?)</script>', html, re.DOTALL)
        if found is not None:
            opened: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
            return opened
    raise click.ClickException("the committed report holds no table: make it again with python reports/make.py")


def missing(pages: dict[str, str]) -> list[str]:
    """The places that a page links and that are not there, each in a sentence."""
    found = []
    for name, html in pages.items():
        for file, anchor in sorted(set(re.findall(r'href="(report[\w-]*\.html|claims\.json)(?:#([^"]*))?"', html))):
            if file not in pages:
                found.append(f"{name} links {file}, which is not there")
            elif anchor and f'id="{anchor}"' not in pages[file]:
                found.append(f"{name} links {file}#{anchor}, and that page has no such place")
    return found


def lines(opened: dict[str, Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Each measurement's numbers, by its key."""
    plain = {
        name: [column["words"][at] for at in column["at"]] if isinstance(column, dict) else column
        for name, column in opened.items()
    }
    keys = zip(*(plain[name] for name in results.KEY), strict=True)
    rest = [name for name in plain if name not in results.KEY]
    values = zip(*(plain[name] for name in rest), strict=True)
    return {key: dict(zip(rest, line, strict=True)) for key, line in zip(keys, values, strict=True)}


def differences(committed: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What no longer matches, each in a sentence."""
    if list(committed) != list(now):
        return [f"its columns are {', '.join(committed)}, the results' are {', '.join(now)}"]
    before, after = lines(committed), lines(now)
    shared = [key for key in after if key in before]
    if not shared:
        return ["it has no measurement in common with these results"]
    found = []
    for key in shared:
        other = [name for name, value in before[key].items() if value != after[key][name]]
        if other:
            name = other[0]
            where = " ".join(map(str, key))
            found.append(f"{where}: {name} is {before[key][name]} there and {after[key][name]} here")
    print(f"{len(shared):,} measurements of {len(after):,} compared, {len(found):,} differ")
    return found


@click.command()
@click.option("--check", metavar="DIR", help="Compare the committed report with the results in DIR.")
@click.option("--bench", metavar="FILE", help="Keep this bench.json as the benchmark of the package.")
def main(check: str | None, bench: str | None) -> None:
    """Make the committed report, check it, or keep a benchmark."""
    if check is not None:
        there = pages()
        found = missing(there) + differences(table(there), columns(results.read(check).frame))
        for sentence in found[:SHOWN]:
            print(sentence)
        if found:
            print("The committed report is of other code: make it again with python reports/make.py")
            sys.exit(1)
        return
    if bench is not None:
        bench_record.write(bench_record.COMMITTED, bench_record.excerpt(bench_record.read(bench)))
        print(bench_record.COMMITTED)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = runner.run(out=folder, device="ptx", argv=["python", "reports/make.py"])
        report.write(found, folder)
        drawn = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if made(path.name)}
    REFERENCE.mkdir(exist_ok=True)
    for name in pages().keys() - drawn.keys():
        (REFERENCE / name).unlink()
    for name, content in drawn.items():
        write_whole(REFERENCE / name, content)
        print(REFERENCE / name)


if __name__ == "__main__":
    main()
