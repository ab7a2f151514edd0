"""The commands and the report's sections count the same answers alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from varstudy import cli
from varstudy.report.model.facts import Facts
from varstudy.report.model.summary import museum_tally
from varstudy.report.sections import museum, wide_tables
from varstudy.study import featuremaps, results
from varstudy.study.score import Status

# Two maps of bug reports, one of them in two storage formats.
CASES = "museum/pytorch/pytorch#[45]????"
# By column of the table.
STATUSES = {f"rows_{name}": name for name in ("right", "inaccurate", "wrong", "out_of_range")}


def call(*words: object) -> str:
    # Wide enough that no name is broken into two lines.
    runner = CliRunner(env={"COLUMNS": "200"})
    done = runner.invoke(cli.commands, [str(word) for word in words], prog_name="varstudy")
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[results.Results, str]:
    """The results in a folder, and what `run` printed."""
    out = tmp_path_factory.mktemp("study")
    printed = call("run", "--only", CASES, "--device", "cpu", "--no-installed", "--out", out)
    return results.read(out), printed


def test_the_summary_of_a_run_and_the_sections_of_its_report(study: tuple[results.Results, str]) -> None:
    found, printed = study
    facts = Facts(found)
    own = found.frame[found.frame.storage == found.frame.accumulator]
    names = list(dict.fromkeys(own.algorithm))
    tally = museum_tally(facts, names)
    cells = [
        (column.algorithm, css, text)
        for part in wide_tables.group_tables(facts)
        for block in part.table.blocks
        for line in block.lines
        for column, (css, text) in zip(part.table.columns, line.cells, strict=True)
        if line.leading[0] == line.leading[1]
    ]
    for name in names:
        mine = own[own.algorithm == name]
        wrong = results.wrong(mine)
        (line,) = (words for text in printed.splitlines() if (words := text.split())[:1] == [name])
        # Algorithm, measurements, median digits, "M of N" wrong.
        assert (line[1], line[3:6]) == (str(len(mine)), [str(wrong.sum()), "of", str(len(mine))])
        assert tally[name] == (mine[wrong].case.nunique(), mine.case.nunique())
        marked = [
            css == "x" or (text != "=" and float(text.replace("−", "-")) < 1) for c, css, text in cells if c == name
        ]
        assert (len(marked), sum(marked)) == (len(mine), wrong.sum())
    assert sum(wrong for wrong, _ in tally.values()) > 0
    assert museum.exhibition(facts).tally.items() <= tally.items()


def expected(row: Any) -> dict[str, int]:
    return {name: int(row[column]) for column, name in STATUSES.items()}


def test_explain_and_check_give_each_answer_the_status_that_the_table_has(
    study: tuple[results.Results, str], tmp_path: Path
) -> None:
    frame = study[0].frame
    seen = 0
    for case in dict.fromkeys(frame.case):
        explained = json.loads(call("explain", case, "--json"))
        for part in explained["parts"]:
            np.save(tmp_path / "map.npy", featuremaps.find(case).make(part["storage"], 0))
            checked = json.loads(call("check", tmp_path / "map.npy", "--norm", part["norm"], "--json"))
            for answer in (*part["answers"], *checked["answers"]):
                mine = frame[(frame.case == case) & (frame.storage == part["storage"])]
                mine = mine[(mine.accumulator == answer["accumulator"]) & (mine.algorithm == answer["algorithm"])]
                if answer["algorithm"] not in set(frame.algorithm):
                    continue
                (row,) = mine.to_dict("records")
                assert {name: answer["tally"][name] for name in STATUSES.values()} == expected(row)
                seen += 1
        lines = [text.rstrip() for text in call("explain", case).splitlines() if text.split()[:1] == ["naive"]]
        naive = [
            each["tally"] for part in explained["parts"] for each in part["answers"] if each["algorithm"] == "naive"
        ]
        assert [line.endswith(f" {Status.WRONG}") for line in lines] == [bool(tally["wrong"]) for tally in naive]
    assert seen > 50


def test_score_ranks_our_algorithms_by_the_table_s_counts(study: tuple[results.Results, str]) -> None:
    frame = study[0].frame
    scored = json.loads(call("score", "numpy:var", "--only", CASES, "--max-rows", 100, "--correction", 0, "--json"))
    compared = 0
    for line in scored["ranking"]:
        mine = frame[(frame.algorithm == line["name"]) & (frame.storage == frame.accumulator)]
        if line["accumulator"] == "storage's own" and len(mine):
            assert (line["cases"], line["wrong"]) == (len(mine), results.wrong(mine).sum()), line["name"]
            compared += 1
    assert compared > 5
