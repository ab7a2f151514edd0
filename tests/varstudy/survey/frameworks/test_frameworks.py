"""Frameworks are asked, whatever they do: a false one that is known inside out, and several that misbehave."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import varstudy.cli as command
from varkernels import jit
from varstudy._io import child
from varstudy.cli import frameworks_run
from varstudy.survey import environments
from varstudy.survey.findings import FRAMEWORKS, Framework, commit, comparing, find, measured
from varstudy.survey.findings.measured import FindingRow
from varstudy.survey.frameworks import observing
from varstudy.survey.frameworks.catalogue import ENVIRONMENTS, named
from varstudy.survey.probes.sync_shards import SIZES

# Batch norm over the columns of (N, C), by numpy; what it does is told by the arguments of the template.
ADAPTER = """
import os, time
import numpy as np
from layer_contract import Unsupported, arguments_of

FRAMEWORK = "fake"
VARIANTS = {{"batch": dict.fromkeys({variants}, "of this test")}}
CORRECTION, DEFAULT, EPSILON = {correction}, {momentum}, 0.0078125

def versions():
    return {{"numpy": {version}}}

class BatchNorm:
    def __init__(self, channels, momentum=DEFAULT, eps=EPSILON):
        self.arguments = arguments_of(type(self))
        self.momentum, self.eps = momentum, eps
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def train(self, x):
        {trouble}
        wide = x.astype(np.float64)
        mean, var = wide.mean(axis=0), wide.var(axis=0)
        if len(x) > CORRECTION:
            m, n = self.momentum, len(x)
            self.mean = ((1 - m) * self.mean + m * mean).astype(np.float32)
            self.var = ((1 - m) * self.var + m * var * n / (n - CORRECTION)).astype(np.float32)
        return ((wide - mean) / np.sqrt(var + self.eps)).astype(x.dtype).astype(np.float32)

    def evaluate(self, x):
        return ((x - self.mean) / np.sqrt(self.var + self.eps)).astype(np.float32)

    def running(self):
        return {{"mean": self.mean, "var": self.var}}

    def set_running(self, mean, var):
        self.mean, self.var = np.array(mean), np.array(var)

def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "bfloat16":
        raise Unsupported("numpy has no bfloat16")
    given = {{}}
    if epsilon is not None:
        given["eps"] = epsilon
    if momentum is not None:
        given["momentum"] = momentum
    return BatchNorm(channels, **given)
"""
FAULTS = {
    "hangs": ("import time\ntime.sleep(600)\n", "it did not end within 4 s"),
    "crashes": ("import ctypes\nctypes.string_at(0)\n", "it was killed by SIGSEGV"),
    "eats": ("held = []\nwhile True:\n    held.append(b'x' * 2**22)\n", "it held more than 0.391 GiB of memory"),
    "fails": ("import varstudy_no_such_thing\n", "it ended with exit code 1 (probe: ModuleNotFoundError: "),
    "garbage": ("import os, sys\nopen(sys.argv[-1], 'w').write('}{')\nos._exit(0)\n", "what it wrote is no JSON"),
    "half": ("import os, sys\nopen(sys.argv[-1], 'w').write('{\"a\": [1')\nos._exit(0)\n", "what it wrote is no JSON"),
    "other": ("import os, sys\nopen(sys.argv[-1], 'w').write('[1]')\nos._exit(0)\n", "what it wrote are no obs"),
    "floods": (
        "import sys\nfor _ in range(200): sys.stderr.write('z' * 2**20)\nsys.exit(3)\n",
        "it ended with exit code",
    ),
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Framework]:
    """Makes a framework of an adapter's text, known under its name; it runs in this interpreter."""

    def make(text: str | None = None, name: str = "fake", seconds: float = 100.0, **facts: Any) -> Framework:
        known = {"correction": 1, "momentum": 0.125, "version": "np.__version__", "trouble": "pass"}
        known |= {"variants": ["2-D"], **facts}
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "adapter.py").write_text(ADAPTER.format(**known) if text is None else text)
        framework = Framework(name, name, ENVIRONMENTS["chainer"], ("numpy",), seconds=seconds, folder=folder)
        monkeypatch.setitem(FRAMEWORKS, name, framework)
        return framework

    return make


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment of the user's, no committed findings, and little memory; kernels that are compiled already."""
    kernels, cache = jit.cache_folder(), tmp_path / "cache"
    kernels.mkdir(parents=True, exist_ok=True)
    (cache / "varstudy").mkdir(parents=True)
    (cache / "varstudy" / kernels.name).symlink_to(kernels)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(measured, "COMMITTED", tmp_path / "committed.json")
    monkeypatch.setattr(observing, "run", functools.partial(child.run, memory=400 * 2**20))


def call(*words: str | Path) -> Any:
    return CliRunner().invoke(command.commands, ["frameworks", *map(str, words)], prog_name="varstudy")


def refused(*words: str) -> str:
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    lines: list[str] = done.stderr.splitlines()
    assert lines[-1].startswith("varstudy: ")
    return lines[-1]


def values(rows: list[FindingRow], variant: str = "2-D") -> dict[str, Any]:
    return {row.property: row.plain() for row in rows if row.variant == variant and row.status == "measured"}


# A framework that is known inside out ------------------------------------------------------------------------------


@pytest.mark.parametrize(("correction", "momentum"), [(0, 0.25), (1, 0.125)])
def test_what_an_adapter_does_is_found(fake: Any, correction: int, momentum: float) -> None:
    fake(correction=correction, momentum=momentum, variants=TWO)
    rows = observing.probe("fake", threads=(1,))
    found = values(rows)
    expected = {
        "correction.normalise": 0,
        "correction.running": correction,
        "running.update": "exponential",
        "momentum.multiplies": "new",
        "momentum.default": momentum,
        "epsilon.default": 0.0078125,
        "epsilon.place": "inside the root",
        "initial.mean": 0,
        "initial.var": 1,
        "training.statistics": "batch",
        "running.when": "forward",
        "evaluation": "running statistics",
        "one_value.output": "zeros",
    }
    assert {name: comparing.alike(name, found.get(name), value) for name, value in expected.items()} == dict.fromkeys(
        expected, True
    )
    assert {row.variant for row in rows} == {"2-D", "2-D, again"}
    assert {(row.framework, row.kind, row.threads) for row in rows} == {("fake", "batch", 1)}
    assert {row.python for row in rows} == {".".join(map(str, sys.version_info[:3]))}
    assert all(re.fullmatch(r"numpy \d+\.\d+\.\d+.*", row.version) for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row.date) for row in rows)
    assert "gradient" not in found  # the adapter has none


def test_more_threads_have_rows_only_where_they_differ(fake: Any) -> None:
    """With two threads, this one's statistics have another divisor."""
    framework = fake()
    path = framework.script()
    path.write_text(path.read_text() + "\nCORRECTION = int(os.environ['OMP_NUM_THREADS']) - 1\n")
    rows = observing.probe("fake", threads=(1, 2))
    one, two = ([row for row in rows if row.threads == count] for count in (1, 2))
    assert values(one)["correction.running"] == 0
    assert values(two)["correction.running"] == 1
    assert 0 < len(two) < len(one) / 2


def test_only_one_kind(fake: Any) -> None:
    fake()
    assert {row.kind for row in observing.probe("fake", only="batch", threads=(1,))} == {"batch"}
    assert observing.probe("fake", only="layer", threads=(1,)) == []


# Those that misbehave ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_a_framework_that_misbehaves_is_a_row_that_says_so(fake: Any, fault: str) -> None:
    text, sentence = FAULTS[fault]
    fake(text, fault, seconds=4.0 if fault == "hangs" else 60.0)
    (row,) = observing.probe(fault)
    assert (row.framework, row.property, row.status, row.value) == (fault, "probe", "failed", "")
    assert row.detail.startswith(sentence)
    assert "\n" not in row.detail
    assert str(Path.home()) not in row.detail


TWO = ["2-D", "2-D, again"]
CRASH = "len(x) == 1 and os.kill(os.getpid(), 11)"


def test_a_crash_at_one_question_costs_that_question_alone(fake: Any) -> None:
    fake()
    whole = observing.probe("fake", threads=(1,))
    fake(trouble=CRASH, variants=TWO)
    rows = observing.probe("fake", threads=(1,))
    now, before = values(rows), values(whole)
    assert now["correction.running"] == 1
    assert {name for name in before if now.get(name) != before[name]} <= {
        name for name in before if name.startswith("one_value.")
    }
    assert {row.property for row in rows if "SIGSEGV" in row.detail} >= {"one_value.output"}
    assert {row.variant for row in rows} >= {"2-D", "2-D, again"}


def test_observations_that_mean_nothing_are_a_row(fake: Any) -> None:
    text = """
import json, os, sys
variants = [{"kind": "batch", "variant": "2-D", "answers": {"order": {"events": [7, None]}}}]
json.dump({"format": 9, "asking": None, "variants": variants}, open(sys.argv[sys.argv.index("--out") + 1], "w"))
os._exit(0)
"""
    fake(text)
    (row,) = observing.probe("fake", threads=(1,))
    assert (row.property, row.status) == ("probe", "failed")
    assert row.detail.startswith("its observations cannot be understood (ValueError: ")


def test_a_detail_has_no_folder_of_this_machine(fake: Any, tmp_path: Path) -> None:
    where = Path.home() / ".cache" / "x" / "lib.so"
    fake(f"raise ImportError('{where}: cannot open ({tmp_path}/other.so, /usr is kept)')")
    (found,) = observing.probe("fake", threads=(1,))
    assert found.detail == (
        "it ended with exit code 1 (probe: ImportError: lib.so: cannot open (other.so, /usr is kept))"
    )


# Several ranks -----------------------------------------------------------------------------------------------------

# A synchronised batch norm by numpy: every rank's mean and E[x^2] alike, and a divisor of all values less one.
SYNC = """
import numpy as np
from sync_shards import EPSILON, MOMENTUM, SIZES, out, run, write

def step(shards):
    {trouble}
    x = [one.astype(np.float64) for one in shards]
    mean = np.mean([one.mean(0) for one in x], axis=0)
    var = np.mean([(one**2).mean(0) for one in x], axis=0) - mean**2
    n = sum(len(one) for one in x)
    start = {{"mean": np.zeros(2), "var": np.ones(2)}}
    moved = {{"mean": MOMENTUM * mean, "var": MOMENTUM + MOMENTUM * var * n / (n - 1)}}
    return [(one - mean) / np.sqrt(var + EPSILON) for one in x], [start] * len(x), [moved] * len(x)

write(out(), __file__, [run("fake ranks", "by numpy", sizes, 2, step) for sizes in SIZES])
"""


@pytest.fixture
def ranks(fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Framework]:
    """Gives the false framework a script for several ranks."""

    def make(text: str = SYNC, trouble: str = "pass") -> Framework:
        framework = fake()
        framework.sync_script().write_text(text.format(trouble=trouble) if text == SYNC else text)
        framework = dataclasses.replace(framework, sync=True)
        monkeypatch.setitem(FRAMEWORKS, "fake", framework)
        return framework

    return make


def test_several_ranks_are_rows_beside_the_others(ranks: Any) -> None:
    ranks()
    rows = observing.probe("fake", threads=(1, 2))
    assert {row.kind for row in rows} == {"batch", "sync"}
    ours = [row for row in rows if row.kind == "sync"]
    assert [row.variant for row in ours] == [f"fake ranks, {s}, 2 ranks" for s in SIZES for _ in range(5)]
    assert values(ours, "fake ranks, unequal, 2 ranks") == {
        "sync.normalise.merge": "ranks alike",
        "sync.normalise.correction": "none",
        "sync.running.merge": "ranks alike",
        "sync.running.correction": "all values",
        "sync.running.ranks": "same",
    }
    assert {row.threads for row in ours} == {1}
    # of one framework: nothing but the kind tells them apart
    assert {(row.version, row.python, row.date) for row in ours} == {
        (row.version, row.python, row.date) for row in rows if row.kind == "batch"
    }
    assert observing.probe("fake", only="sync", threads=(1,)) == ours
    assert {row.kind for row in observing.probe("fake", only="batch", threads=(1,))} == {"batch"}


def test_a_refusal_on_several_ranks_is_told(ranks: Any, tmp_path: Path) -> None:
    ranks(trouble="raise ValueError('this layer wants a GPU. Ask elsewhere')")
    rows = observing.probe("fake", only="sync", threads=(1,))
    assert {(row.status, row.detail) for row in rows} == {("failed", "ValueError: this layer wants a GPU")}
    assert len(rows) == 10
    done = call("fake", "--kind", "sync")
    assert done.exit_code == 0, done.output
    assert "Batch norm on several ranks: measured" in done.stdout
    assert done.stdout.count("fake, several ranks: ValueError: this layer wants a GPU") == 1
    assert "Batch norm: measured" not in done.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FAULTS["crashes"][0], "several ranks: it was killed by SIGSEGV"),
        (FAULTS["garbage"][0], "several ranks: what it wrote is no JSON"),
        (FAULTS["other"][0], "several ranks: what it wrote are no observations"),
        (
            "import json, sys\njson.dump({'format': 1, 'runs': [7]}, open(sys.argv[-1], 'w'))\n",
            "its observations cannot be understood (TypeError: ",
        ),
    ],
)
def test_a_script_for_several_ranks_that_fails_costs_the_others_nothing(ranks: Any, text: str, sentence: str) -> None:
    ranks(text)
    rows = observing.probe("fake", threads=(1,))
    assert values(rows)["correction.running"] == 1
    (trouble,) = [row for row in rows if row.kind == "sync"]
    assert (trouble.property, trouble.status) == ("probe", "failed")
    assert trouble.detail.startswith(sentence)


# The rows and their file -------------------------------------------------------------------------------------------


def row(framework: str = "fake", **facts: Any) -> FindingRow:
    known = {
        "framework": framework,
        "kind": "batch",
        "variant": "2-D",
        "property": "correction.running",
        "value": "1",
        "status": "measured",
        "detail": "",
        "version": "fake 1.0",
        "python": "3.11.0",
        "threads": 1,
        "date": "2000-01-01",
        "machine": "a processor",
    }
    return FindingRow(**{**known, **facts})


def test_the_file_comes_back_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    rows = [row("b"), row("a", value='["nan", 1.5]'), row("a", property="epsilon.place", value='"none"')]
    measured.write(path, measured.content(rows))
    assert measured.rows(measured.read(path)) == sorted(rows, key=FindingRow.key)
    assert [run["framework"] for run in measured.read(path)["runs"]] == ["a", "b"]
    whole = path.read_text()
    for before, after in (('"threads": 1', '"threads": "one"'), ("1.5]", "2.5]"), ('"digest"', '"other"')):
        assert before in whole
        path.write_text(whole.replace(before, after, 1))
        with pytest.raises(measured.ConventionsProblem, match="was edited or cut"):
            measured.read(path)


def test_no_committed_findings_are_none_and_cut_ones_are_told(tmp_path: Path) -> None:
    assert measured.committed() == []
    measured.COMMITTED.write_text("{")
    with pytest.raises(measured.ConventionsProblem, match="cannot be read"):
        measured.committed()


def test_commit_replaces_a_framework_whole_and_keeps_the_others(tmp_path: Path) -> None:
    target = tmp_path / "data.json"
    measured.write(target, measured.content([row("a"), row("b"), row("b", variant="4-D")]))
    for name, rows in (("one", [row("b", value="7"), row("c")]), ("two", [row("c", value="9")])):
        measured.write(tmp_path / name, measured.content(rows))
    assert commit.main([str(tmp_path / "one"), str(tmp_path / "two")], target) == 0
    assert measured.rows(measured.read(target)) == [row("a"), row("b", value="7"), row("c", value="9")]
    before = target.read_bytes()
    assert commit.main([str(tmp_path / "absent")], target) == 2
    (tmp_path / "one").write_text("{}")
    assert commit.main([str(tmp_path / "one")], target) == 2
    assert commit.main([], target) == 2
    assert target.read_bytes() == before


def test_findings_of_one_kind_leave_the_other_kinds() -> None:
    before = [row(), row(kind="layer"), row(kind="rms", value="2"), row(kind="sync"), row("other")]
    after = [row(kind="rms", value="3"), row(kind="rms", variant="4-D")]
    assert measured.merged(before, after) == sorted([*before[:2], *after, *before[3:]], key=FindingRow.key)
    # one that could not be asked takes nothing away, and goes when it was asked
    assert measured.merged(before, [trouble()]) == sorted([*before, trouble()], key=FindingRow.key)
    assert measured.merged([trouble()], before) == sorted(before, key=FindingRow.key)
    assert measured.merged([trouble(kind="sync")], before[:3]) == sorted(
        [trouble(kind="sync"), *before[:3]], key=FindingRow.key
    )
    assert measured.merged([trouble(kind="sync")], before[3:4]) == before[3:4]
    # ranks alone say nothing of the layers
    assert measured.merged([trouble()], before[3:4]) == [trouble(), before[3]]


def test_commit_refuses_what_would_take_findings_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "data.json"
    measured.write(target, measured.content([row(), row(kind="rms"), row(kind="sync"), row("b")]))
    before = target.read_bytes()

    def refused_(*files: list[FindingRow]) -> str:
        names = [str(tmp_path / f"{i}.json") for i in range(len(files))]
        for name, found in zip(names, files, strict=True):
            measured.write(Path(name), measured.content(found))
        assert commit.main(names, target) == 2
        assert target.read_bytes() == before
        return capsys.readouterr().err

    assert refused_([trouble()]) == "fake was not measured: not run: fake is not installed: nothing was changed\n"
    died = trouble(status="failed", detail="it was killed by SIGSEGV; what it answered before is here")
    assert refused_([row(value="7"), died]).startswith("fake was not measured: failed: it was killed by SIGSEGV")
    ranks = trouble(kind="sync", status="failed", detail="several ranks: it hung")
    assert refused_([row(), ranks]).startswith("fake was not measured: failed: several ranks: it hung")
    assert refused_([row("c")], [trouble(framework="c", detail="gone")]).startswith("c was not measured: ")
    newer = refused_([row(kind="rms", version="fake 2.0")])
    assert newer == (
        "fake would have findings of two versions (fake 1.0; fake 2.0): measure all its kinds: nothing was changed\n"
    )
    # one that never could be asked has a row that says so
    measured.write(tmp_path / "new.json", measured.content([trouble(framework="c"), row(kind="rms", value="9")]))
    assert commit.main([str(tmp_path / "new.json")], target) == 0
    assert [(each.framework, each.kind, each.value) for each in measured.rows(measured.read(target))] == [
        ("b", "batch", "1"), ("c", "", ""), ("fake", "batch", "1"), ("fake", "rms", "9"), ("fake", "sync", "1"),
    ]  # fmt: skip


def test_differences_tell_versions_apart() -> None:
    before = [row(), row(property="epsilon.place", value='"none"'), row("other")]
    assert comparing.differences(before, before) == []
    (same,) = comparing.differences(before, [row(value="0"), before[1]])
    assert same.same_version
    assert same.fails
    assert same.sentence() == "fake, batch 2-D, 1 thread: correction.running was 1, is 0"
    later = [row(value="0", version="fake 2.0"), row(property="epsilon.place", value='"none"', version="fake 2.0")]
    (newer,) = comparing.differences(before, later)
    assert not newer.same_version
    assert not newer.fails
    assert newer.sentence().endswith("(before: fake 1.0; now: fake 2.0)")
    (lost,) = comparing.differences(before, [row()])
    assert (lost.property, lost.after, lost.same_version) == ("epsilon.place", "not there", True)
    (undone,) = comparing.differences(before, [row(value="", status="undetermined"), before[1]])
    assert (undone.before, undone.after) == ("1", "undetermined")
    # what was never committed is no difference
    assert comparing.differences([], [row()]) == []
    assert comparing.differences([], [trouble()]) == []


def trouble(**facts: Any) -> FindingRow:
    """The row of a framework that could not be asked."""
    known = {"kind": "", "variant": "", "property": "probe", "value": "", "status": "not run", "version": ""}
    return row(**{**known, "detail": "fake is not installed", **facts})


def test_findings_that_nobody_made_again_are_differences_that_fail() -> None:
    before = [row(), row(property="epsilon.place", value='"none"'), row(kind="rms"), row(kind="sync"), row("other")]
    (unasked,) = comparing.differences(before, [trouble()])
    assert (unasked.framework, unasked.property, unasked.fails) == ("fake", "probe", True)
    assert unasked.sentence() == "fake: 4 findings before, now not run: fake is not installed"
    # it died after its first kind
    lost = comparing.differences(before, [*before[:2], before[3]])
    assert [each.sentence() for each in lost] == ["fake, rms: 1 finding before, now not there"]
    assert all(each.fails for each in lost)
    died = trouble(status="failed", version="fake 1.0", detail="it was killed by SIGSEGV")
    (partly,) = comparing.differences(before, [*before[:2], before[3], died])
    assert partly.sentence() == "fake: 4 findings before, now failed: it was killed by SIGSEGV"
    assert partly.fails
    # the script for several ranks alone
    (ranks,) = comparing.differences(before, [*before[:3], trouble(kind="sync", status="failed", detail="it hung")])
    assert ranks.sentence() == "fake, sync: 1 finding before, now failed: it hung"
    assert ranks.fails
    # another version that cannot be asked any more is not one that was compared
    newer = comparing.differences(before, [trouble(status="failed", version="fake 2.0")])
    assert [each.fails for each in newer] == [True]
    assert newer[0].sentence().endswith(" (before: fake 1.0; now: fake 2.0)")
    # a kind that another version does not have is between two versions
    (gone,) = comparing.differences(before, [replace(each, version="fake 2.0") for each in (*before[:2], before[3])])
    assert not gone.fails
    # asked, and not a word
    (silent,) = comparing.differences(before[:4], [], ["fake"])
    assert silent.sentence() == "fake: 4 findings before, now not there"
    assert silent.fails
    # what was committed as not to be asked is found so again
    assert comparing.differences([trouble()], [trouble()]) == []


def test_an_error_measured_on_another_processor_is_no_failure() -> None:
    before = [row(property="accuracy.1e6", value="0.5"), row()]
    after = [row(property="accuracy.1e6", value='"NaN"', machine="another"), row(value="0", machine="another")]
    error, convention = comparing.differences(before, after)
    assert (error.property, error.fails) == ("accuracy.1e6", False)
    assert error.sentence() == "fake, batch 2-D, 1 thread: accuracy.1e6 was 0.5, is NaN (another processor)"
    assert convention.fails
    (error,) = comparing.differences(before, [row(property="accuracy.1e6", value='"NaN"'), row()])
    assert error.fails


def test_differences_of_threads() -> None:
    """Two threads have a row where they differ from one; else the one's holds for them too."""
    one, two = row(), row(threads=2, value="0")
    assert comparing.differences([one, two], [one, two]) == []
    (found,) = comparing.differences([one], [one, two])
    assert (found.threads, found.before, found.after) == (2, "1", "0")
    (found,) = comparing.differences([one, two], [one, row(threads=2, property="x")])
    assert (found.threads, found.before, found.after) == (2, "0", "1")
    assert comparing.differences([one, two], [one]) == []  # nothing was asked with two


@pytest.mark.parametrize(
    ("name", "one", "two", "expected"),
    [
        ("correction.running", 1, 1.0, True),
        ("correction.running", 1, 0, False),
        ("running.update", "exponential", "exponential", True),
        ("running.update", "exponential", 1, False),
        ("running.weight", [0.1, 0.1], [0.1, 0.10000003], True),
        ("running.weight", [0.1, 0.1], [0.1, 0.2], False),
        ("running.weight", [0.1], [0.1, 0.1], False),
        ("accuracy.1e4", 3e-3, 9e-3, True),
        ("accuracy.1e4", 3e-4, 9e-3, False),
        ("accuracy.1e4", 1e-12, 0.0, True),
        ("accuracy.1e4", "nan", 1e-3, False),
        ("epsilon.default", 1e-5, 1e-3, False),
    ],
)
def test_values_that_are_one_finding(name: str, one: Any, two: Any, expected: bool) -> None:
    assert comparing.alike(name, one, two) is expected
    assert comparing.alike(name, two, one) is expected


# Names -------------------------------------------------------------------------------------------------------------


def test_names() -> None:
    assert find("Torch").name == "torch"
    with pytest.raises(ValueError, match=r"framework 'pytorh' is unknown: did you mean .*torch"):
        find("pytorh")
    assert [each.name for each in named(["theano", "core", "torch"])][:2] == ["theano", "torch"]
    assert len(named(["core"])) == 15
    for each in FRAMEWORKS.values():
        assert each.measured == bool(each.script().is_file() and each.environment)


def test_every_adapter_is_there_and_parses_on_python_3_6() -> None:
    import ast  # noqa: PLC0415

    for each in FRAMEWORKS.values():
        if each.measured:
            ast.parse(each.script().read_text("utf-8"), feature_version=(3, 6))


def test_another_version_than_the_pinned_one_is_labelled() -> None:
    torch, keras = find("torch"), find("keras-tensorflow")
    assert torch.unpinned("torch 2.13.0+cpu") == ""
    assert find("openvino").unpinned("onnx 1.23.2, openvino 2026.4.1-22982-e2-releases/2026/4") == ""
    assert find("cntk").unpinned("cntk 2.7") == ""
    assert find("cntk").unpinned("cntk 2.6") == "cntk 2.6 (pinned 2.7.post2)"
    assert torch.unpinned("torch 2.12.0") == "torch 2.12.0 (pinned 2.13.0)"
    assert keras.unpinned("keras 3.15.1, tensorflow 2.21.0") == ""
    assert keras.unpinned("keras 3.15.1, tensorflow 2.20.0") == "tensorflow 2.20.0 (pinned 2.21.0)"


@pytest.mark.parametrize("name", ["caffe", "caffe2"])
def test_what_is_only_documented_has_no_environment(name: str) -> None:
    with pytest.raises(
        environments.EnvironmentProblem, match=f"^{name} is known by its documentation only: no package"
    ):
        find(name).place()


# The command -------------------------------------------------------------------------------------------------------


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    assert refused("trch") == "varstudy: framework 'trch' is unknown: did you mean torch?"
    assert "--install needs names of frameworks, or --all" in refused("--install")
    assert refused("--only", "pytorchs", "--list").startswith("varstudy: --only 'pytorchs' matches no framework: ")
    assert "name a file in a folder that exists" in refused("torch", "--out", str(tmp_path / "no" / "x.json"))
    assert "name a file in a folder that exists" in refused("torch", "--out", str(tmp_path))


def test_the_list_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "run", None)
    done = call("--list", "--json")
    assert done.exit_code == 0, done.output
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert set(lines) == set(FRAMEWORKS)
    assert lines["chainer"]["pinned"] == ["chainer==7.8.1", "numpy==1.23.5"]
    assert lines["chainer"]["installed"] is None
    assert lines["caffe"]["why"]
    shown = call("--list")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in FRAMEWORKS)


def test_what_is_not_installed_or_only_documented_is_told() -> None:
    done = call("chainer", "caffe2")
    assert done.exit_code == 0, done.output
    assert (
        "chainer: not run: chainer is not installed: 'python -m varstudy frameworks --install chainer'" in done.stdout
    )
    assert "caffe2: not run: caffe2 is known by its documentation only" in done.stdout


def test_one_that_cannot_be_installed_does_not_stop_the_others(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(environment: Any, say: Any) -> Any:
        raise environments.EnvironmentProblem(f"{environment.name}: the disk is full: free some space")

    monkeypatch.setattr(observing, "install", unable)
    fake(FAULTS["fails"][0], "fails")
    done = call("--install", "chainer", "nnabla", "--json")
    assert done.exit_code == 0, done.output
    assert [(each["framework"], each["status"]) for each in json.loads(done.stdout)["rows"]] == [
        ("chainer", "not run"),
        ("nnabla", "not run"),
    ]


def test_measured_written_committed_and_compared(fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing.probe, "__kwdefaults__", {**observing.probe.__kwdefaults__, "threads": (1,)})
    fake(variants=TWO)
    fake(FAULTS["crashes"][0], "crashes")
    out = tmp_path / "out.json"
    done = call("crashes", "fake", "--out", out)
    assert done.exit_code == 0, done.output
    assert "Batch norm: measured" in done.stdout
    assert "2-D; 2-D, again" in done.stdout
    assert "crashes: failed: it was killed by SIGSEGV" in done.stdout
    rows = measured.rows(measured.read(out))
    assert {each.framework for each in rows} == {"crashes", "fake"}

    done = call("fake", "--compare")
    assert done.exit_code == 0
    assert "not compared, since nothing of it is committed: fake" in done.stderr

    assert commit.main([str(out)], measured.COMMITTED) == 0
    done = call("fake", "crashes", "--compare")
    assert done.exit_code == 0, done.output
    assert "compared with the committed findings: 0 differences at the same version" in done.stderr
    shown = call("--committed", "--only", "fake")
    assert shown.exit_code == 0
    assert "2-D; 2-D, again" in shown.stdout

    # the same version does something else: a failure
    fake(correction=0)
    done = call("fake", "--compare", "--json")
    assert done.exit_code == 1
    assert "DIFFERS: fake, batch 2-D, 1 thread: correction.running was 1, is 0" in done.stderr
    assert json.loads(done.stdout)["differences"][0]["same_version"] is True

    # another version does: a label
    fake(correction=0, version="'99.0'")
    done = call("fake", "--compare")
    assert done.exit_code == 0, done.output
    assert "no failure: fake, batch 2-D, 1 thread: correction.running was 1, is 0" in done.stderr


def test_an_interrupted_run_keeps_what_it_measured(fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(framework: Framework, **_: Any) -> list[FindingRow]:
        if framework.name == "second":
            raise KeyboardInterrupt
        return [row("first")]

    monkeypatch.setattr(frameworks_run, "probe", interrupted)
    fake(name="first")
    fake(name="second")
    done = call("first", "second", "--out", tmp_path / "out.json")
    assert done.exit_code == 130
    assert measured.rows(measured.read(tmp_path / "out.json")) == [row("first")]


@pytest.mark.parametrize("words", [("--out", "findings.json"), ("--install",), ("--compare",)])
def test_what_is_shown_from_the_package_is_not_measured(words: tuple[str, ...]) -> None:
    done = call("torch", "--committed", *words)
    assert done.exit_code == 2
    assert "--committed measures nothing: leave out --out" in done.stderr


def test_a_comparison_that_measured_nothing_fails(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing.probe, "__kwdefaults__", {**observing.probe.__kwdefaults__, "threads": (1,)})
    fake(FAULTS["fails"][0])
    measured.write(
        measured.COMMITTED, measured.content([row(), row(kind="rms"), row("chainer"), row("chainer", kind="rms")])
    )
    done = call("fake", "chainer", "--compare")
    assert done.exit_code == 1, done.output
    told = done.stderr.splitlines()
    assert "DIFFERS: chainer: 2 findings before, now not run: chainer is not installed: 'python -m" in done.stderr
    assert "DIFFERS: fake: 2 findings before, now failed: it ended with exit code 1 (probe: ModuleNot" in done.stderr
    assert told[-1] == "compared with the committed findings: 2 differences at the same version"

    # of one kind: what is committed of the others was not asked
    monkeypatch.setattr(frameworks_run, "probe", lambda framework, **_: [row(kind="rms")])
    done = call("fake", "--compare", "--kind", "rms")
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(frameworks_run, "probe", lambda framework, **_: [])
    done = call("fake", "--compare", "--kind", "rms")
    assert done.exit_code == 1, done.output
    assert "DIFFERS: fake: 1 finding before, now not there" in done.stderr
    done = call("fake", "--compare", "--kind", "group")
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(frameworks_run, "probe", lambda framework, **_: [row(kind="rms")])
    done = call("fake", "--compare")
    assert done.exit_code == 1, done.output
    assert "DIFFERS: fake, batch: 1 finding before, now not there" in done.stderr

    # nothing that could be asked at all
    monkeypatch.setattr(Framework, "importable", lambda self: False)
    done = call("--compare")
    assert done.exit_code == 2, done.output
    assert "varstudy: --compare has nothing to compare" in done.stderr


@pytest.mark.parametrize(
    "words", [("--out", "findings.json"), ("--install",), ("--compare",), ("--committed",), ("--kind", "rms")]
)
def test_the_list_says_what_it_does_not_go_with(words: tuple[str, ...]) -> None:
    told = refused("torch", "--list", *words)
    assert told.startswith(f"varstudy: --list measures and shows nothing more: leave out {words[0]}, or --list")


def test_findings_on_a_narrow_terminal_break_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        row("torch", variant="NCHW, channels-last"),
        row("torch", variant="NCHW, channels-last", property="running.update", value='"exponential"'),
        row("torch", variant="NCHW, channels-last", property="epsilon.place", value='"added to the deviation"'),
        row("torch", kind="group", variant="NC", property="algorithm", value='"two-pass, sequential mean"'),
        row("torch", variant="NCHW, channels-last", property="accuracy.1e4", value="0.25"),
    ]
    measured.write(measured.COMMITTED, measured.content(told))
    monkeypatch.setenv("COLUMNS", "200")
    known = {word.strip(".;:") for word in call("torch", "--committed", "--wide").stdout.split()}
    for width in (60, 80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        done = call("torch", "--committed")
        assert done.exit_code == 0, done.output
        tables = done.stdout.partition("Batch norm: measured")[2]
        assert max(map(len, tables.splitlines())) <= width
        words = {word.strip(".;:") for word in tables.split() if "─" not in word}
        assert words - known <= {"--wide", "adds"}
        assert "added to the deviation" in " ".join(done.stdout.split())
    monkeypatch.setenv("COLUMNS", "40")
    blocks = call("torch", "--committed").stdout.splitlines()
    assert "torch" in blocks
    assert any(line.startswith("  correction: ") for line in blocks)


def test_what_has_no_committed_findings_is_told() -> None:
    measured.write(measured.COMMITTED, measured.content([row("torch"), row("chainer", kind="rms")]))
    for words in (("caffe", "caffe2"), ("--only", "caffe")):
        done = call(*words, "--committed")
        assert done.exit_code == 0
        assert done.stderr.splitlines() == [
            f"nothing of {name} is committed: it is known by its documentation only: {FRAMEWORKS[name].why}"
            for name in ("caffe", "caffe2")
        ]
    done = call("torch", "nnabla", "--committed")
    assert done.stderr.splitlines() == ["nothing of nnabla is committed"]
    done = call("torch", "chainer", "--committed", "--kind", "rms")
    assert done.stderr.splitlines() == ["nothing of torch is committed that is of kind rms"]
    # of all, those that are there are shown, and nothing is told of each other one
    assert call("--committed").stderr == ""
