"""The commands on a terminal: they fit, break no name, put the answer first, and colour what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import varstudy.cli as command
from varstudy.cli import console, tables
from varstudy.cli.program import BAD_INPUT, BROKEN_PIPE, INTERRUPTED, NO_DEVICE, REGRESSION

COMMANDS = (
    ("list",),
    ("list", "negative"),
    ("explain", "pytorch#2470"),
    ("explain", "constant/0.1", "--algorithm", "naive", "--algorithm", "corrected_two_pass/blocked128"),
    ("score", "statistics:pvariance", "--quick", "--only", "museum", "--max-length", "300"),
    ("port", "--from", "torch", "--to", "keras"),
    ("port", "--from", "flax-nnx", "--to", "onnxruntime"),
    ("frameworks", "--committed"),
    ("frameworks", "--list"),
    ("libraries", "--list"),
)


# Words of the sentences that count or name what only --wide shows.
OWN = {*["The", "same", "on", "both", "sides", "and", "more", "lines", "--wide", "shows", "all"], *map(str, range(100))}


def call(*words: str, columns: int = 80) -> Any:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    done = runner.invoke(command.commands, list(words), prog_name="varstudy")
    assert done.exit_code == 0, done.output
    return done.stdout


def pieces(text: str) -> set[str]:
    """The names and numbers of an output; not its rules, and not what it says of columns that are left out."""
    text = re.sub(r"^(─+|--wide adds: (.|\n)*?\.)$", "", text, flags=re.MULTILINE)
    return {word.strip(".,;:()'") for word in text.split()}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 120])
def test_a_command_fits_the_terminal_and_breaks_no_name(words: tuple[str, ...], columns: int) -> None:
    text = call(*words, columns=columns)
    # Python code, which starts with its docstring, has lines of its own
    assert max(map(len, text.partition('\n"""From')[0].splitlines())) <= columns
    assert max(map(len, text.splitlines())) <= 120
    has_wide = any(each.name == "wide" for each in command.commands.commands[words[0]].params)
    whole = pieces(call(*words, columns=1000)) | pieces(call(*words, *["--wide"] * has_wide, columns=1000))
    assert pieces(text) - whole - OWN <= set()


@pytest.mark.parametrize("name", ["", *command.commands.commands])
def test_help_fits_and_is_not_cut_off(name: str) -> None:
    text = call(*filter(None, [name]), "--help")
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"\w\.\.\.$", text, re.MULTILINE)


def first(*words: str) -> str:
    return call(*words, columns=300).splitlines()[0]


def test_the_answer_comes_first() -> None:
    text = call("explain", "pytorch#2470", columns=300).splitlines()
    assert text[0] == "museum/pytorch/pytorch#2470"
    assert re.fullmatch(r"float32: 1 of \d+ answers wrong: naive with a float32 accumulator\.", text[1])
    score = first("score", "numpy:var", "--only", "pytorch#2470", "--quick")
    assert re.fullmatch(r"numpy:var takes place \d+ of \d+: wrong in \d of \d measurements?\.", score)
    assert first("port", "--from", "torch", "--to", "keras").startswith("From torch ")
    assert re.match(r"\d+ frameworks measured, \d+ contradictions of ", first("frameworks", "--committed"))
    libraries = call("libraries", "--list", columns=300).splitlines()
    listed = r"(\d+) functions, (\d+) of them measured\. By default (\d+) divide by n, (\d+) divide by n - 1[.,]"
    counts = re.match(listed, libraries[0])
    assert counts is not None
    functions, measured, population, sample = map(int, counts.groups())
    assert functions >= measured >= population + sample > sample > 0
    answer = r"float32: (\d+) of (\d+) functions are never wrong on the study's cases \(.*\); most often wrong: "
    never = re.match(answer, libraries[1])
    assert never is not None
    scores = [found for line in libraries[2:] if (found := re.search(r" (\d+) of \d+ ", line))]
    assert 0 < len(scores) <= measured
    assert sum(found[1] == "0" for found in scores) <= int(never[1]) < int(never[2])


class Column:
    """Cells that are as long as they are."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def show(self, columns: int, *cells: str, more: tuple[str, ...] = ()) -> list[str]:
        self.monkeypatch.setenv("COLUMNS", str(columns))
        heads = [f"head {k}" for k in range(len(cells))]
        tables.show_table("A title", heads, [cells], left=len(cells), more=more)
        return [line for line in self.capsys.readouterr().out.splitlines() if line]


@pytest.fixture
def column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Column:
    return Column(capsys, monkeypatch)


def test_columns_are_left_out_in_their_order_until_the_rest_fits(column: Column) -> None:
    cells = ("a" * 20, "b" * 20, "c" * 20, "d" * 20)
    more = ("head 2", "head 0")
    assert column.show(100, *cells, more=more)[-1] == "  ".join(cells)
    lines = column.show(70, *cells, more=more)
    assert lines[-2:] == ["  ".join((cells[0], cells[1], cells[3])), "--wide adds: head 2."]
    lines = column.show(50, *cells, more=more)
    assert lines[-2:] == ["  ".join((cells[1], cells[3])), "--wide adds: head 0; head 2."]


def test_sentences_are_wrapped_before_names_are_and_names_never(column: Column) -> None:
    lines = column.show(60, "n" * 30, "a sentence of many words that is long enough to be wrapped")
    assert max(map(len, lines)) <= 60
    assert "n" * 30 in lines[3]
    assert " ".join(" ".join(line[32:] for line in lines[3:]).split()).endswith("long enough to be wrapped")
    blocks = column.show(40, "n" * 30, "b" * 30, "-")
    assert blocks == ["A title", "n" * 30, f"  head 1: {'b' * 30}"]


def test_rows_that_differ_only_in_what_is_left_out_are_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    tables.show_table("", ["name", "variant"], [["n" * 40, "v" * 9], ["n" * 40, "w" * 9]], more=["variant"])
    assert capsys.readouterr().out.count("n" * 40) == 1


@pytest.mark.parametrize(("set_", "red"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_wrong_answers_are_red_on_a_terminal(
    set_: dict[str, str], red: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(click.utils, "should_strip_ansi", lambda *given: False)
    tables.show_table("", ["algorithm", "status"], [["naive", tables.wrong("wrong")], ["chan", "right"]])
    out = capsys.readouterr().out
    assert ("\x1b[31m" in out) is red
    assert "\x1b[31mright" not in out


def test_nothing_is_coloured_in_a_pipe() -> None:
    assert "\x1b" not in call("explain", "pytorch#2470")


def test_the_exit_codes_are_those_that_the_help_says() -> None:
    text = " ".join(call("--help").split())
    told = dict(re.findall(r"(\d+) ([a-z][^,.]*)", text.partition("Exit codes: ")[2].partition(".")[0]))
    codes = {0, REGRESSION, BAD_INPUT, NO_DEVICE, INTERRUPTED, BROKEN_PIPE, 128 + 15, 128 + 1}
    assert set(map(int, told)) == codes
    document = (Path(__file__).resolve().parents[3] / "docs" / "commands.rst").read_text("utf-8")
    assert {int(code) for code in re.findall(r"^(\d+)  +\S", document, re.MULTILINE)} == codes


def test_a_formula_stays_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console.paragraph(f"{'x' * 33} n - 1 follows", "- ")
    assert capsys.readouterr().out == f"- {'x' * 33}\n  n - 1 follows\n"


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "ramp/slow", "--algorithm", "no_such"),
        ("frameworks", "no_such"),
        ("run", "--device", "no_such"),
        ("check", "no_such.npy"),
    ],
    ids=" ".join,
)
def test_a_message_fits_the_terminal_and_breaks_no_command(words: tuple[str, ...]) -> None:
    done = CliRunner(env={"COLUMNS": "60"}).invoke(command.commands, list(words), prog_name="varstudy")
    assert done.exit_code == BAD_INPUT
    lines = done.stderr.splitlines()
    assert max(map(len, lines)) <= 60
    assert all(line.count("'") % 2 == 0 for line in lines)
    whole = CliRunner(env={"COLUMNS": "1000"}).invoke(command.commands, list(words), prog_name="varstudy").stderr
    assert " ".join(lines) == whole.strip()


def test_nothing_is_suggested_that_does_not_resemble_what_was_typed() -> None:
    for words in (("list", "nosuch"), ("explain", "nosuch"), ("frameworks", "nosuch"), ("libraries", "--only", "zzz")):
        done = CliRunner().invoke(command.commands, list(words), prog_name="varstudy")
        assert (done.exit_code, "did you mean" in done.stderr) == (BAD_INPUT, False)
    done = CliRunner().invoke(command.commands, ["list", "welfrod"], prog_name="varstudy")
    assert "did you mean welford" in done.stderr


def test_algorithms_of_one_formula_share_its_description() -> None:
    lines = call("list", "chan", "--algorithms", columns=300).splitlines()
    assert lines[0] == "4 algorithms for 'chan'"
    assert lines[2] == "  chan, chan/running, chan/lanes32, chan/blocked128"
    assert lines[3].startswith("      Welford's recurrence with a merge")
    assert len(lines) == 5


def test_all_committed_findings_are_shown_in_brief_until_asked_for() -> None:
    brief = call("frameworks", "--committed", columns=120)
    assert len(brief.splitlines()) < 60
    table = brief.partition("Batch norm: ")[2].partition("Correction c:")[0]
    keras = next(line for line in table.splitlines() if "keras-jax" in line)
    assert "keras-torch" in keras
    assert "Relative error" not in brief
    whole = call("frameworks", "--committed", "--wide", columns=120)
    assert re.findall(r"^(?:torch|tvm) ", whole.partition("Batch norm: measured")[2], re.MULTILINE)
    assert "Relative error" in whole
    assert "Relative error" in call("frameworks", "torch", "--committed", columns=120)


def test_words_of_a_description_need_no_quotes() -> None:
    assert call("list", "group", "norm") == call("list", "group norm")
    assert call("explain", "2470", "pytorch").startswith("museum/pytorch/pytorch#2470\n")
