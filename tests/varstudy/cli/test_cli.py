"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import doctest
import errno
import fcntl
import importlib
import inspect
import json
import os
import pickle
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner

import varstudy.cli as command
from varkernels import FORMATS, algorithms, views
from varstudy import report as drawing
from varstudy.cli import console, list_run, options
from varstudy.cli.program import Program
from varstudy.study import featuremaps, results, runner
from varstudy.study.measuring import measure

COMMANDS = (
    "run", "report", "list", "explain", "check", "score", "compare", "bench", "gpu", "frameworks", "libraries", "port",
    "repro", "audit", "worst", "vectors", "env",
)  # fmt: skip
NAMES = ("naive", "welford", "pairwise")


def call(*words: str | Path) -> Any:
    return CliRunner().invoke(command.commands, [str(word) for word in words], prog_name="varstudy")


def refused(*words: str | Path) -> str:
    """The sentence of a command that is refused: one line, on the standard error, exit code 2."""
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("varstudy: ")
    assert not any("Traceback" in line for line in lines)
    assert all(line.startswith("measuring: ") or line == "drawing the report" for line in lines[:-1])
    return lines[-1]


def strictly(text: str) -> Any:
    """Parsed JSON without NaN and Infinity."""

    def never(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=never)


def process(*words: str, **options: Any) -> subprocess.Popen[str]:
    # Named, since a process inherits COLUMNS from a readline that was loaded here, which os.environ does not have.
    options.setdefault("env", dict(os.environ))
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.fixture(scope="module")
def found() -> results.Results:
    case = featuremaps.find("higham/three-values")
    return results.from_records(
        list(measure(case, "float32", 0, [algorithms()[name] for name in NAMES])),
        cases={case.name: case.info()},
        algorithms={name: {"title": name, "formula": name, "order": "running"} for name in NAMES},
        settings={"level": "quick", "only": case.name, "seed": 0},
    )


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, found: results.Results) -> dict[str, Any]:
    """Stands in for the study and the report; keeps what it was asked for."""
    asked: dict[str, Any] = {}

    def run(level: str, **options: Any) -> results.Results:
        asked.update(level=level, **options)
        results.write(found, options["out"])
        options["page"](found, options["out"])
        return found

    def write(table: results.Results, folder: str, perform: Any = None) -> Path:
        page = Path(folder) / "report.html"
        page.write_text("<!doctype html>")
        return page

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(drawing, "write", write)
    return asked


@pytest.fixture
def folder(tmp_path: Path, found: results.Results) -> Path:
    results.write(found, tmp_path / "found")
    return tmp_path / "found"


# ------------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)])
def test_help(words: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        done = call(*words, option)
        assert done.exit_code == 0
        assert done.stdout.startswith("Usage: varstudy")
    assert set(command.commands.commands) == set(COMMANDS)


def test_what_a_command_does_takes_its_options() -> None:
    for name, declared in command.commands.commands.items():
        assert declared.callback is not None
        home = inspect.getclosurevars(declared.callback).nonlocals["module"]
        does = getattr(importlib.import_module(f"varstudy.cli.{home}"), declared.callback.__name__)
        parameters = inspect.signature(does).parameters
        given = {each.name for each in declared.params if each.expose_value}
        assert given >= {n for n, p in parameters.items() if p.kind is not p.VAR_KEYWORD}, name
        assert given <= set(parameters) or any(p.kind is p.VAR_KEYWORD for p in parameters.values()), name


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, varstudy, varstudy.cli as m\n"
        f"for name in {COMMANDS}:\n"
        "    try: m.commands.main([name, '--help'])\n"
        "    except SystemExit as e: assert e.code == 0\n"
        "bad = {'numpy', 'numba', 'pandas', 'rich', 'mpmath', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_names_of_the_package_are_what_they_are_before_and_after_every_module_is_imported() -> None:
    script = (
        "import importlib, pkgutil, varstudy\n"
        "before = {name: getattr(varstudy, name) for name in varstudy.__all__}\n"
        "modules = {each.name for each in pkgutil.iter_modules(varstudy.__path__)}\n"
        "for name in modules - {'__main__'}: importlib.import_module(f'varstudy.{name}')\n"
        "assert all(getattr(varstudy, name) is found for name, found in before.items())\n"
        "assert not modules & set(varstudy.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_version_and_module() -> None:
    out, err = process("-m", "varstudy", "--version").communicate()
    assert (out.strip(), err) == ("varstudy, version 0.1.0", "")
    out, _ = process("-m", "varstudy", "list", "--help").communicate()
    assert out.startswith("Usage: python -m varstudy list")


def test_the_names_that_help_shows_are_the_real_ones() -> None:
    assert tuple(list_run.NORM_SUMMARIES) == views.NORMS
    assert tuple(FORMATS) == options.STORAGE.names


# ------------------------------------------------------------------------------------------------ bad usage


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rum"], "command 'rum' is unknown: did you mean run?"),
        (["run", "--quik"], "No such option"),
        (["run", "--quick", "--full"], "choose one of them"),
        (["run", "--seed", "-1"], "'--seed'"),
        (["run", "--seed", "x"], "'--seed'"),
        (["run", "--processes", "0"], "'--processes'"),
        (["explain"], "Missing argument 'CASE'"),
        (["explain", "higham/thre-values"], "case 'higham/thre-values' is unknown: did you mean higham/three-values"),
        (["explain", "rolling"], "case 'rolling' can be 2: museum/pandas-dev/pandas#52407, museum/pandas-dev/pandas#4"),
        (["explain", "no such words"], "case 'no such words' is unknown: see 'python -m varstudy list'"),
        (["explain", "zzz"], "see 'python -m varstudy list'"),
        (["explain", "shape/odd", "--norm", "bach"], "norm 'bach' is unknown: did you mean batch?"),
        (["explain", "shape/odd", "--norm", "flat"], "not studied under norm 'flat'"),
        (["explain", "shape/odd", "--storage", "float"], "storage 'float' is unknown"),
        (["explain", "shape/odd", "--algorithm", "welfrod"], "algorithm 'welfrod' is unknown: did you mean welford"),
        (["explain", "shape/odd", "--algorithm", "welford/lanes4"], "formula 'welford' has no merge"),
        (["explain", "shape/odd", "--algorithm", "chan/sideways"], "order 'sideways' is unknown"),
        (["explain", "bessel/n=0002", "--correction", "nan"], "correction"),
        (["list", "no-such-thing"], "nothing matches 'no-such-thing'"),
        (["list", "welfrod", "--algorithms"], "did you mean welford"),
        (["repro", "torch/grop/channels-last/accuracy.1e4"], "did you mean torch/group/channels-last/accuracy.1e4"),
        (["repro", "torch/group/"], "name one of them"),
        (["repro", "--list", "no", "such", "words"], "nothing matches 'no such words': repro --list without"),
        (["repro", "tvm/group/NCHW/gradient"], "no short script asks for a gradient"),
        (["score", "numpy"], "write MODULE:FUNCTION"),
        (["score", "nump:var"], "module 'nump' is unknown: did you mean numpy"),
        (["score", "numpy:vra"], "numpy has no 'vra': did you mean var"),
        (["score", "numpy:std"], "numpy:std computes no variance"),
        (["score", "numpy:var", "--only", "zzz"], "case 'zzz' is unknown"),
        (["score", "statistics:variance", "--correction", "0"], "takes no correction"),
        (["compare", "a"], "Missing argument 'AFTER'"),
        (["compare", "no/a", "no/b"], "no/a does not exist: make it with 'python -m varstudy run'"),
        (["report", "no/such"], "no/such does not exist"),
    ],
)
def test_bad_usage_is_one_sentence(words: list[str], sentence: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(*words)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ run, report


def test_run_prints_the_report_last(stub: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    done = call("run", "--full", "--only", "higham*", "--seed", "7", "--out", out, "--processes", "2", "--force")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(out / "report.html")
    assert done.stdout.startswith("Right or inaccurate on every feature map, 2 of 3 algorithms: all except naive.\n")
    assert "naive" in done.stdout
    assert (out / "report.html").read_text() == "<!doctype html>"
    wanted = {"level": "full", "only": "higham*", "seed": 7, "out": str(out), "processes": 2, "force": True}
    assert {name: stub[name] for name in wanted} == wanted
    assert stub["argv"][:2] == ["varstudy", "run"]


@pytest.mark.parametrize(
    ("words", "level"), [([], "default"), (["--quick"], "quick"), (["run"], "default"), (["--seed", "3"], "default")]
)
def test_run_is_the_default_command(stub, words: list[str], level: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(Path("reports") / "report.html")
    assert stub["level"] == level


def test_run_writes_json(stub: dict[str, Any], tmp_path: Path, found: results.Results) -> None:
    done = call("run", "--json", "--out", tmp_path)
    assert strictly(done.stdout)["rows"] == json.loads(results.to_json(found))["rows"]
    assert done.stdout == (tmp_path / "results.json").read_text()
    assert done.stderr.splitlines()[-1] == str(tmp_path / "report.html")


def test_an_unknown_case_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    sentence = refused("run", "--only", "higham/three-value?s", "--out", tmp_path)
    assert "case 'higham/three-value?s' is unknown: did you mean higham/three-values" in sentence


def test_an_output_folder_that_cannot_be_written(stub: dict[str, Any], tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "x", "/dev/null/x", "/proc/varstudy", "\0"):
        for words in (("run",), ("report", folder)):
            assert "cannot be written" in refused(*words, "--out", out)
    assert stub == {}
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("command_", ["run", "report"])
def test_a_full_disk(command_: str, stub, monkeypatch, tmp_path: Path, folder: Path) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / ".results.json.tmp"))

    monkeypatch.setattr(*((runner, "run") if command_ == "run" else (drawing, "write")), full)
    words = ("run", "--out", tmp_path) if command_ == "run" else ("report", folder)
    sentence = refused(*words)
    assert "No space left on device" in sentence
    assert "free some space, or choose another folder with --out" in sentence


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "varstudy", "list", "--norms"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
    assert done.returncode == 2
    assert done.stderr.startswith("varstudy: the output cannot be written (No space left on device)")
    assert len(done.stderr.splitlines()) == 1


def test_a_checkout_that_is_not_installed(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "varkernels", None)
    monkeypatch.delitem(sys.modules, "varstudy.cli.list_run", raising=False)
    assert "varkernels is not installed: run pip install -e ." in refused("list", "--algorithms")


def test_bugs_keep_their_traceback(monkeypatch, tmp_path: Path) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(runner, "run", broken)
    assert isinstance(call("run", "--out", tmp_path).exception, ZeroDivisionError)


def test_report_draws_again(stub, folder: Path, tmp_path: Path) -> None:
    for words, page in (
        ((folder,), folder / "report.html"),
        ((folder / "results.json",), folder / "report.html"),
        ((folder, "--out", tmp_path / "r"), tmp_path / "r" / "report.html"),
    ):
        done = call("report", *words)
        assert (done.exit_code, done.stdout) == (0, f"{page}\n")
        assert page.exists()
    assert strictly(call("report", folder, "--json").stdout) == {"report": str(folder / "report.html")}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda text: "", "cannot be read"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace('"version": 3', '"version": 99'), "has schema version 99"),
        (lambda text: text.replace('"seed": 0', '"seed": 1'), "was edited"),
        (lambda text: "[1, 2]", "is no results file"),
        (lambda text: text.replace('"var_bias"', '"var_vibe"'), "was edited or cut"),
    ],
)
def test_results_that_cannot_be_used(stub, folder: Path, spoil, sentence: str) -> None:
    file = folder / "results.json"
    changed = spoil(file.read_text())
    file.write_text(changed)
    for words in (("report", folder), ("compare", folder, folder), ("compare", file, folder)):
        said = refused(*words)
        assert sentence in said
        assert str(file) in said


def test_signals_are_the_caller_s_own_again_and_an_ignored_one_stays_so() -> None:
    seen = []

    @click.group(cls=Program)
    def group() -> None: ...

    @group.command()
    def look() -> None:
        seen.append([signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)])

    before = [signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGHUP, signal.SIG_IGN)]
    try:
        assert CliRunner().invoke(group, ["look"]).exit_code == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
    ((term, hup),) = seen
    assert callable(term)
    assert hup is signal.SIG_IGN  # nohup


@pytest.mark.parametrize("words", [("--compare", "nosuch.json"), ("--out", "nowhere"), ("--install",), ("--once",)])
def test_the_list_of_libraries_says_what_it_does_not_go_with(words: tuple[str, ...]) -> None:
    done = call("libraries", "--list", *words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    sentence = f"varstudy: --list measures and compares nothing: leave out {words[0]}, or --list"
    assert done.stderr.splitlines() == [sentence]


DRIVER = """
import signal, sys, time
from varstudy.study import cells, phases
from varstudy.study.cells import Measured
def compute(cell, seed, names, folder, key):
    cells.save(folder, key, names, Measured([], []))
    time.sleep(0.2)
phases.compute = compute
phases.warm = lambda *share: None
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where what started the tests ignores it
from varstudy.cli import commands
commands.main(sys.argv[1:], prog_name="python -m varstudy")
"""


@pytest.mark.parametrize("words", [("--quick",), ("run", "--quick", "--seed", "5", "--json")])
def test_an_interrupted_run_says_how_to_go_on(words: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "it's here"
    lines: list[str] = []
    sent = False
    with process("-c", DRIVER, *words, "--out", str(out), "--processes", "1") as child:
        assert child.stderr is not None
        for line in child.stderr:
            lines.append(line.rstrip("\n"))
            if line.startswith("measuring") and not sent:
                while not list((out / "cells").glob("*.json")):
                    time.sleep(0.01)
                child.send_signal(signal.SIGINT)
                sent = True
        assert child.stdout is not None
        assert child.stdout.read() == ""
    assert child.returncode == 130
    last = lines[-1]
    quoted = str(out).replace("'", "'\"'\"'")
    assert last.startswith(f"Interrupted: what is measured is kept in {out / 'cells'}; continue with: ")
    assert "python -m varstudy run --quick" in last
    assert f"--out '{quoted}'" in last
    assert ("--seed 5" in last) is ("--seed" in words)
    kept = len(list((out / "cells").glob("*.json")))
    assert kept > 0
    with process("-c", DRIVER, *words, "--out", str(out), "--processes", "1") as again:
        assert again.stderr is not None
        heads = [again.stderr.readline() for _ in range(2)]
        again.kill()
    assert f"{kept} of them done before" in heads[1]


def test_a_broken_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    for words in (("list", "--json"), ("list", "--norms"), ("run", "--help")):
        done = subprocess.run(
            [sys.executable, "-m", "varstudy", *words], check=False, stdout=write, stderr=subprocess.PIPE, text=True
        )
        assert (done.returncode, done.stderr) == (141, ""), words
    os.close(write)


def test_a_terminal_that_is_not_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for words in (("list",), ("explain", "higham/three-values", "--algorithm", "naive")):
        out, err = process("-m", "varstudy", *words, env=environment).communicate()
        assert err == ""
        assert out.isascii()


def test_a_bar_on_a_terminal_and_json_on_the_other_side(tmp_path: Path) -> None:
    main, side = os.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}
    script = (
        "import sys; from varstudy.cli.console import progress, dump\n"
        "bar = progress('measuring'); bar.start(3, 1)\n"
        "bar.advance('a[b]'); bar.advance('c'); bar.stop(); dump({'x': float('nan'), 'y': [float('inf')]})\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=side, text=True, env=environment
    )
    os.close(side)
    out, _ = child.communicate(timeout=60)
    seen = b""
    try:
        while chunk := os.read(main, 4096):
            seen += chunk
    except OSError:  # the terminal is gone with the process
        pass
    os.close(main)
    assert strictly(out) == {"x": "nan", "y": ["inf"]}
    assert b"3/3" in seen
    assert b"measuring" in seen
    assert not any(b"\x1b[%dm" % colour in seen for colour in (*range(30, 38), *range(90, 98)))
    assert b"\x1b[38" not in seen


def on_a_terminal(*words: str, columns: int = 80, **environment: str) -> list[str]:
    """What a command writes on a terminal, line by line as it is overwritten."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color", **environment}
    child = subprocess.Popen([sys.executable, *words], stdout=side, stderr=side, env=environment)
    os.close(side)
    seen = b""
    try:
        while chunk := os.read(main, 65536):
            seen += chunk
    except OSError:  # the terminal is gone with the process
        pass
    os.close(main)
    assert child.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_a_run_on_a_terminal_shows_phase_count_and_time_from_the_start(tmp_path: Path) -> None:
    lines = on_a_terminal(
        "-m", "varstudy", "run", "--quick", "--only", "higham/three-values", "--device", "cpu", "--out", str(tmp_path)
    )
    assert re.fullmatch(r"compiling +0/6  \d+:\d\d left", lines[0])
    phases = list(dict.fromkeys(line.split()[0] for line in lines if line.endswith("left") or " left " in line))
    assert phases == ["compiling", "measuring", "writing", "drawing"]
    assert any(re.match(r"measuring [━╸╺]+ +[012]/2  \d+:\d\d left", line) for line in lines)
    # The path of the report is as long as it is.
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert lines[-1] == str(tmp_path / "report.html") or "".join(lines).endswith(str(tmp_path / "report.html"))
    # Names of algorithms are not broken.
    assert any(line.split()[0] == "corrected_two_pass/blocked128" for line in lines)


def test_a_run_elsewhere_writes_a_line_for_each_phase(tmp_path: Path) -> None:
    out, err = process(
        "-m", "varstudy", "run", "--quick", "--only", "higham/three-values", "--device", "cpu", "--out", str(tmp_path)
    ).communicate()
    assert out.splitlines()[-1] == str(tmp_path / "report.html")
    told = [re.sub(r"about \d+:\d\d left", "about M:SS left", line) for line in err.splitlines()]
    assert told == [
        "compiling: 6, about M:SS left",
        "measuring: 2, about M:SS left",
        "writing, about M:SS left",
        "drawing, about M:SS left",
    ]


def test_lines_come_rarely(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = console.progress("measuring")
    shown.start(10_000, 10)
    for k in range(9_990):
        now[0] += 1.0
        shown.advance(f"cell {k}")
    shown.stop()
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "measuring: 10000, 10 of them done before"
    assert lines[0] == "measuring: 20 of 10000, about 2:46:20 left"
    assert 40 < len(lines) < 120


# ------------------------------------------------------------------------------------------------ list, env


def test_list() -> None:
    done = call("list")
    assert done.exit_code == 0
    for case in featuremaps.cases("full"):
        assert f"  {case.name} [" in done.stdout
        assert case.rationale in done.stdout
    assert "\x1b" not in done.stdout
    everything = strictly(call("list", "--json").stdout)
    assert [each["name"] for each in everything["algorithms"]] == list(algorithms())
    assert [each["name"] for each in everything["norms"]] == list(views.NORMS)
    assert [each["name"] for each in everything["cases"]] == [case.name for case in featuremaps.cases("full")]
    quick = strictly(call("list", "--cases", "--quick", "--json").stdout)
    assert list(quick) == ["cases"]
    assert [each["name"] for each in quick["cases"]] == [case.name for case in featuremaps.cases("quick")]


def test_list_filters() -> None:
    naive = strictly(call("list", "naive", "--algorithms", "--json").stdout)
    assert {each["name"] for each in naive["algorithms"]} == {n for n in algorithms() if n.partition("/")[0] == "naive"}
    by_part = strictly(call("list", "NumAcc", "--json").stdout)
    by_glob = strictly(call("list", "nist/numacc?", "--json").stdout)
    assert by_part == by_glob
    assert [each["name"] for each in by_part["cases"]] == [f"nist/NumAcc{k}" for k in (1, 2, 3, 4)]
    assert by_part["algorithms"] == by_part["norms"] == []


def test_env() -> None:
    facts = strictly(call("env", "--json").stdout)
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["python"] == sys.executable
    assert set(facts["extras"]) == {"parquet", "photos", "fast-truth", "test"}
    assert facts["extras"]["test"] is True
    text = call("env").stdout
    assert facts["cache"] in text
    assert np.__version__ in text


@pytest.mark.parametrize("word", ["negative", "NEGATIVE", "*negative*"])
def test_list_finds_cases_by_their_sentences(word: str) -> None:
    found = strictly(call("list", word, "--json").stdout)
    assert len(found["cases"]) > 3
    for entry in found["cases"] + found["algorithms"]:
        fields = ("rationale", "observed", "title", "summary", "source")
        assert any("negative" in str(entry.get(field, "")).lower() for field in fields)
    for entry in found["cases"]:
        text = call("list", word, "--cases").stdout
        assert entry["name"] in text
        assert "negative" in text
    # A name comes before a sentence.
    assert [each["name"] for each in strictly(call("list", "nist/NumAcc4", "--json").stdout)["cases"]] == [
        "nist/NumAcc4"
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{}"),
        ("compare", "{}", "{}", "--html", "{}/page.html"),
        ("bench", "--only", "no such", "--out", "{}"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_removes_what_a_killed_one_left_where_it_writes(
    stub: dict[str, Any], folder: Path, words: tuple[str, ...]
) -> None:
    script = f"""if True:
        import os, pathlib
        from varstudy._io import atomic
        os.fsync = lambda handle: os.kill(os.getpid(), 9)
        atomic.write_whole(pathlib.Path({str(folder)!r}) / "report.html", b"half")
    """
    killed = process("-c", script)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.glob(".report.html.*.tmp"))
    call(*(word.replace("{}", str(folder)) for word in words))
    assert not list(folder.glob(".report.html.*.tmp"))


# ------------------------------------------------------------------------------------------------ explain, check


def test_explain() -> None:
    words = ("explain", "museum/pytorch/pytorch#2470", "--algorithm", "naive", "--algorithm", "chan")
    done = call(*words)
    assert done.exit_code == 0
    case = featuremaps.find(words[1])
    for text in (case.rationale, case.observed, case.source):
        assert text in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.split()[:2] == ["naive", "float32"])
    assert line.split()[4:7] == ["0.0", "0.03125", "0.0"]
    record = strictly(call(*words, "--json").stdout)
    answer = record["parts"][0]["answers"][0]
    assert Fraction(answer["exact"]) == Fraction(1, 32)
    assert answer["computed"] == 0.0
    assert record["case"]["observed"] == case.observed


def test_explain_says_what_was_asked_for_and_achieved() -> None:
    done = call("explain", "offset/kappa=1e+03", "--storage", "float32", "--algorithm", "naive", "--seed", "2")
    assert "Made for the condition number 1e+03." in done.stdout
    assert "in the median" in done.stdout
    assert "seed 2" in done.stdout
    assert "float64 under" not in done.stdout


@pytest.fixture
def saved(tmp_path: Path):
    def save(array: Any, name: str = "x.npy") -> Path:
        np.save(tmp_path / name, array, allow_pickle=True)
        return tmp_path / name

    return save


FEW = ("--algorithm", "naive", "--algorithm", "chan")


def test_check(saved) -> None:
    x = (1000 + np.random.default_rng(0).normal(size=(2, 8, 4, 4))).astype(np.float32)
    x[1, 3, 0, 0] = np.nan
    file = saved(x)
    words = ("check", file, "--norm", "group", "--groups", "4", "--layout", "NCHW", *FEW)
    done = call(*words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"Use \S+ with a float32 accumulator\.", lines[0])
    assert lines[1] == ""
    assert all(line.startswith("- ") for line in lines[2:])
    about = "2x8x4x4 values in float32, in layout NCHW: group norm takes 32 values together in each of 8 rows."
    assert lines[2] == f"- {about}"
    assert "1 row has a NaN or an infinity, and so no variance: sample 1, group 1: 1 NaN." in done.stdout
    record = strictly(call(*words, "--json").stdout)
    assert record["file"] == str(file)
    assert record["answer"] == lines[0]
    assert [f"- {reason}" for reason in record["reasons"]] == lines[2:]
    assert f"Use {record['recommended'][0]} with a {record['recommended'][1]} accumulator." == lines[0]
    assert len(record["worst"]) == 5
    verbose = call(*words, "--verbose").stdout
    assert verbose.splitlines()[: len(lines)] == lines
    assert "The worst-conditioned of 8 rows" in verbose
    for name in ("naive", "chan"):
        assert re.search(rf"^ *{name} +float32 ", verbose, re.MULTILINE)


@pytest.mark.parametrize("columns", [80, 120])
def test_check_breaks_no_word(saved, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    file = saved((1000 + np.random.default_rng(0).normal(size=(12, 16, 77))).astype(np.float32))
    words = ("check", file, "--norm", "instance", "--layout", "NCL", "--epsilon", "1e-5", "--verbose")
    done = call(*words)
    assert done.exit_code == 0, done.output
    whole = done.stdout
    monkeypatch.setenv("COLUMNS", str(columns))
    narrow = call(*words).stdout
    assert max(map(len, narrow.splitlines())) <= columns
    known = set(whole.split())
    assert {word for word in narrow.split() if word not in known and not set(word) <= set("─━-")} == set()


def test_check_says_how_integers_were_converted(saved) -> None:
    done = call("check", saved(np.array([[250, 255], [254, 250]], np.uint8)), *FEW)
    assert "(uint8 integers converted exactly to float32)" in done.stdout
    done = call("check", saved(np.array([2**30, 5])), "--correction", "1", "--json", *FEW)
    record = strictly(done.stdout)
    assert (record["storage"], record["how"]) == ("float64", "int64 integers converted exactly to float64")
    assert Fraction(record["answers"][0]["exact"]) == Fraction((2**30 - 5) ** 2, 2)


def test_check_reads_bfloat16_when_told(saved) -> None:
    file = saved(np.array([1.0, 2.0, 4.0], ml_dtypes.bfloat16))
    assert "say storage bfloat16" in refused("check", file)
    done = call("check", file, "--storage", "bfloat16", "--json", *FEW)
    assert strictly(done.stdout)["storage"] == "bfloat16"


def test_check_gives_advice_where_nothing_can_be_measured(saved) -> None:
    done = call("check", saved(np.full((2, 2), np.nan)), "--json")
    assert done.exit_code == 0
    record = strictly(done.stdout)
    assert (record["recommended"], record["kappa_worst"]) == (None, "nan")
    first = call("check", saved(np.ones((1, 4))), *FEW).stdout.splitlines()[0]
    assert first.endswith("Every row is constant: its exact variance is 0.")
    assert "Lower the correction" in call("check", saved(np.ones(1)), "--correction", "1").stdout.splitlines()[0]
    file = saved(np.zeros((4, 10), np.float16))
    first = call("check", file, "--norm", "layer", "--epsilon", "1e-12").stdout.splitlines()[0]
    assert first.endswith("Keep epsilon in float32.")


@pytest.mark.parametrize(
    ("array", "words", "sentence"),
    [
        (np.array([None, 1], object), (), "Python objects"),
        (np.array([1j]), (), "is complex"),
        (np.array(["a"]), (), "holds text"),
        (np.zeros((0, 3)), (), "so no values"),
        (np.zeros((2, 0, 3, 3)), ("--norm", "batch"), "zero-size axes"),
        (np.zeros((0, 1, 2, 2), np.float32), (), "has shape (0, 1, 2, 2) and so no values"),
        (np.zeros((1, 0, 2, 2), np.float32), ("--norm", "instance"), "has shape (1, 0, 2, 2) and so no values"),
        (np.ones((2, 3, 4)), ("--norm", "batch", "--layout", "NCHW"), "needs rank 4, and x has rank 3"),
        (np.ones((2, 6)), ("--epsilon", "nan"), "give a number from 0 up"),
        (np.ones((2, 6, 2, 2)), ("--norm", "group"), "add --groups"),
        (np.ones((2, 6, 2, 2)), ("--norm", "group", "--groups", "4"), "groups=4 does not divide the 6 channels"),
        (np.ones((2, 6, 2, 2)), ("--groups", "2"), "for group norm only"),
        (np.ones((2, 6)), ("--layout", "NCWH"), "layout 'NCWH' is unknown: did you mean"),
        (np.ones((2, 6)), ("--norm", "grp"), "norm 'grp' is unknown: did you mean group"),
        (np.ones((2, 6)), ("--algorithm", "shiftd"), "algorithm 'shiftd' is unknown: did you mean shifted"),
        (np.ones((2, 6)), ("--accumulator", "float16"), "does not serve float64"),
        (np.ones((2, 6)), ("--correction", "inf"), "give a finite number"),
        (np.ones((2, 6)), ("--storage", "float16"), "is stored as float64"),
    ],
)
def test_arrays_that_cannot_be_checked(saved, array: np.ndarray, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("check", saved(array), *words)


def test_files_that_cannot_be_checked(tmp_path: Path, saved) -> None:
    whole = saved(np.arange(100.0)).read_bytes()
    for name, content, sentence in (
        ("empty.npy", b"", "is empty"),
        ("cut.npy", whole[:-8], "is truncated"),
        ("head.npy", whole[:20], "damaged or truncated header"),
        ("pickled.npy", pickle.dumps([1.0]), "is a pickle, which is never loaded"),
        ("text.npy", b"1,2,3\n", "neither a .npy, nor a .npz, nor a .safetensors file"),
    ):
        (tmp_path / name).write_bytes(content)
        said = refused("check", tmp_path / name)
        assert sentence in said
        assert name in said
    assert "does not exist" in refused("check", tmp_path / "missing.npy")
    assert "is a directory" in refused("check", tmp_path)


# ------------------------------------------------------------------------------------------------ score, compare


def test_score() -> None:
    words = ("score", "statistics:pvariance", "--only", "higham/three-values", "--storage", "float64")
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert "It was called f(x). Without a keyword it divides by n" in done.stdout
    assert "scoring" in done.stderr
    record = strictly(call(*words, "--json").stdout)
    place = f"statistics:pvariance takes place 1 of {len(record['ranking'])}: wrong in 0 of 1 measurement."
    assert done.stdout.startswith(place)
    assert record["scores"][0]["digits_worst"] in ("inf", pytest.approx(16, abs=1))
    assert record["call"] == "f(x)"


def test_compare(folder: Path, found: results.Results, tmp_path: Path) -> None:
    done = call("compare", folder, folder / "results.json")
    assert (done.exit_code, done.stdout) == (
        0,
        "Nothing changed.\n6 measurements in both.\n- 6 unchanged in every metric.\n\n",
    )
    frame = found.frame.copy()
    frame.loc[0, "var_ulps_worst"] += 1
    assert frame.loc[0, "y_error_worst"] > 0
    frame.loc[0, "y_error_worst"] = 0.0
    frame.loc[2, "case"] = "renamed"
    results.write(results.Results(frame, found.cases, found.algorithms, {**found.settings, "seed": 1}), tmp_path / "b")
    worse = call("compare", folder, tmp_path / "b")
    assert worse.exit_code == 1
    text = worse.stdout
    assert text.startswith(
        "1 of 5 measurements became worse.\n5 measurements in both.\n- The studies differ in seed: 0 and 1.\n"
        "- 1 measurement worse, in 1 alg"
    )
    assert text.index("Regressions, ") < text.index("Improvements, ") < text.index("Only in")
    assert "- 4 unchanged in every metric; 1 worse in one metric and better in another.\n" in text
    assert "- 1 only before, 1 only after.\n" in text
    record = call("compare", folder, tmp_path / "b", "--json")
    assert record.exit_code == 1
    content = strictly(record.stdout)
    (regression,) = content["regressions"]
    assert (regression["metric"], regression["after"]) == ("var_ulps_worst", regression["before"] + 1)
    assert [each["case"] for each in content["missing"]] == ["higham/three-values"]
    assert [each["case"] for each in content["added"]] == ["renamed"]
    assert call("compare", tmp_path / "b", folder).exit_code == 1  # y is worse on the way back
    narrow = CliRunner(env={"COLUMNS": "80"}).invoke(command.commands, ["compare", str(folder), str(tmp_path / "b")])
    assert max(len(line) for line in narrow.stdout.splitlines() if str(tmp_path) not in line) <= 80
    wide = CliRunner(env={"COLUMNS": "500"}).invoke(command.commands, ["compare", str(folder), str(tmp_path / "b")])
    assert {word for word in narrow.stdout.partition("--wide")[0].split() if "─" not in word} <= set(
        wide.stdout.split()
    )
    assert call("compare", folder, tmp_path / "b", "--tolerance", "1").exit_code == 0


def test_studies_with_nothing_in_common(folder: Path, found: results.Results, tmp_path: Path) -> None:
    frame = found.frame.assign(case="another")
    results.write(results.Results(frame, found.cases, found.algorithms, found.settings), tmp_path / "b")
    done = call("compare", folder, tmp_path / "b")
    assert done.exit_code == 2
    assert "have no measurement in common" in done.stderr


# ------------------------------------------------------------------------------------------------ documents

ROOT = Path(__file__).resolve().parents[3]


def test_the_readme_s_examples() -> None:
    outcome = doctest.testfile(str(ROOT / "README.md"), module_relative=False, verbose=False)
    assert outcome.attempted >= 8
    assert outcome.failed == 0


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"| `{name}" in text
    for marker in ("study", "test"):
        block = text.split(f"<!-- {marker}-command -->\n```sh\n")[1].split("\n```")[0]
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "\n" not in block


def test_the_citation_has_this_version() -> None:
    import varstudy  # noqa: PLC0415

    assert f"\nversion: {varstudy.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{varstudy.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# ------------------------------------------------------------------------------------------------ closed streams


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>&1 >&- | true"])
@pytest.mark.parametrize(("command_", "code"), [("list", 0), ("list --json", 0), ("--help", 0), ("nonsense", 2)])
def test_a_closed_stream_loses_what_was_for_it_and_nothing_else(
    tmp_path: Path, command_: str, code: int, closed: str
) -> None:
    line = f"{{ {shlex.quote(sys.executable)} -m varstudy {command_}; echo $? >{tmp_path}/code; }} {closed}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert (tmp_path / "code").read_text() == f"{code}\n"
    assert "Traceback" not in done.stdout + done.stderr
    if code == 0 and ">&-" not in closed.replace("2>&-", ""):
        assert done.stdout


def test_workers_do_without_a_standard_error(tmp_path: Path) -> None:
    script = "import os, sys, varstudy; os.close(2); varstudy.run(only='higham/three', out=sys.argv[1], processes=2)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    assert subprocess.run([sys.executable, "-c", script, tmp_path], env=environment, check=False).returncode == 0
    assert (tmp_path / "results.json").exists()
