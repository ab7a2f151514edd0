"""Every finding has an address; its script is short, and fails where the defect is there."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from varstudy.survey import elements
from varstudy.survey.findings import documented, measured
from varstudy.survey.findings.properties import EpsilonPlace
from varstudy.survey.reproducers import Finding, NoScript, UpstreamProblem, beyond, described, findings
from varstudy.survey.reproducers.exact_values import divisor, moments, variance
from varstudy.survey.reproducers.finding import LINES, address, program
from varstudy.survey.reproducers.finding_list import of_row
from varstudy.survey.reproducers.upstream import Standing, UpstreamState, committed, read, states

# Frameworks of the small set, what must be importable, and what of theirs may raise instead of failing the assertion.
SMALL = {
    "torch/": ("torch", ("torch/sync/",)),
    "torch.": ("torch", ()),
    "onnxruntime/": ("onnxruntime", ("bfloat16", "size.even")),
    "onnx-reference/": ("onnx", ("opset-9",)),
    "flax-linen/": ("flax", ()),
    "flax-nnx/": ("flax", ()),
    "numpy.": ("numpy", ()),
}
# Runs scripts one after the other, and says how each ended.
RUNNER = """
import contextlib, io, json, sys
ends = {}
for name, script in json.load(open(sys.argv[1])).items():
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(script, name, "exec"), {})
        ends[name] = "passes"
    except AssertionError:
        ends[name] = "fails"
    except Exception as error:
        ends[name] = "raises: " + str(error)
print(json.dumps(ends))
"""


def script_of(found: Finding) -> str | None:
    try:
        return found.script()
    except NoScript:
        return None


# Which there are ------------------------------------------------------------------------------------------------------


def test_every_failed_cell_and_every_contradiction_has_an_address() -> None:
    known = findings()
    for row in measured.committed():
        if row.property == measured.PROBE:
            continue
        fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
        against = fact is not None and documented.contradicts(fact, row)
        if against or row.status == "failed":
            assert of_row(row) in known, row.key()


def test_every_wrong_output_and_gradient_has_an_address() -> None:
    for row in elements.rows(elements.committed()):
        if row.status == "wrong" and elements.scored(row) and not elements.stress(row):
            name = address(row.framework, row.kind, f"{row.memory}, {row.parameters}", f"{row.array}.{row.storage}")
            assert any(each.startswith(name) for each in findings()), name


def test_a_variance_that_is_none_has_an_address_and_a_right_one_has_none() -> None:
    (negative,) = [r for r in measured.committed() if r.key() == ("keras-torch", "batch", "NCHW", "accuracy.1e4", 1)]
    assert of_row(negative) == "keras-torch/batch/NCHW/accuracy.1e4"
    assert "negative" in described()[of_row(negative)]
    (right,) = [r for r in measured.committed() if r.key() == ("torch", "batch", "NCHW", "accuracy.1e4", 1)]
    assert of_row(right) == ""


def test_addresses_have_no_sign_that_a_shell_reads() -> None:
    assert all(set(name) <= set("/.-_") | set(filter(str.isalnum, name)) for name in findings())
    assert address("torch", "batch", "NCHW, mixed", "accuracy.1e4") == "torch/batch/NCHW-mixed/accuracy.1e4"


# Exact values ---------------------------------------------------------------------------------------------------------


def test_exact_values_come_from_integers() -> None:
    assert moments([1.0, 2.0, 4.5]) == (3, Fraction(5, 2), Fraction(13, 2))
    assert variance([1e16, 1e16 + 2], 0) == 1
    assert variance([1.0, 2.0, 4.5], 1) == Fraction(13, 4)
    row = np.array([1.0, 3.0])
    assert divisor(row, 0, 0.0, EpsilonPlace.NONE, False) == 1.0
    assert divisor(row, 0, 0.25, EpsilonPlace.ADDED, False) == 1.25
    with mpmath.workdps(40):
        assert divisor(row, 0, 0.25, EpsilonPlace.INSIDE, True) == float(mpmath.sqrt(mpmath.mpf("5.25")))


# Scripts --------------------------------------------------------------------------------------------------------------


def test_scripts_are_short_and_are_programs() -> None:
    some = [each for k, each in enumerate(findings().values()) if k % 20 == 0]
    made = [(each, script) for each in some if (script := script_of(each)) is not None]
    assert len(made) > len(some) / 4
    for each, script in made:
        assert script.count("\n") < LINES, each.address
        assert "assert" in script
        assert "print(" in script
        assert each.address in script.splitlines()[0]
        compile(script, each.address, "exec")


def test_every_wrong_output_and_gradient_in_training_has_a_script() -> None:
    without = [each.address for each in beyond() if script_of(each) is None]
    assert all(name.endswith(".evaluation") for name in without), without


def test_what_refuses_ranks_on_a_cpu_has_a_script_of_one_process() -> None:
    for name in findings():
        if name.startswith(("torch/sync/", "paddle/sync/")):
            assert "SyncBatchNorm" in findings()[name].script() or "batch_norm_" in findings()[name].script()


def test_what_no_short_script_shows_says_why_in_a_sentence() -> None:
    for name in (
        "tvm/group/NCHW/gradient",
        "equinox/batch/ema/training.statistics",
        "sklearn.StandardScaler.partial_fit/float64",
    ):
        with pytest.raises(NoScript, match=r"^no short script[^\n]*$"):
            findings()[name].script()


def test_a_long_script_is_none() -> None:
    with pytest.raises(NoScript, match="under 30 lines"):
        program(["too long"], ["pass"] * LINES)


def test_exit_status_1_while_the_defect_is_there_and_0_once_it_is_mended(tmp_path: Path) -> None:
    script = findings()["numpy.var/float32"].script()
    for text, status in ((script, 1), (script.replace("numpy.var(x)", "numpy.var(x.astype('float64'))"), 0)):
        (tmp_path / "shown.py").write_text(text, "utf-8")
        done = subprocess.run([sys.executable, tmp_path / "shown.py"], check=False, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert ("AssertionError" in done.stderr) == (status == 1)
        assert "found" in done.stdout


@pytest.mark.parametrize("prefix", SMALL)
def test_the_small_set_reproduces(prefix: str, tmp_path: Path) -> None:
    module, raising = SMALL[prefix]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    scripts = {
        name: script
        for name, each in findings().items()
        if name.startswith(prefix) and (script := script_of(each)) is not None
    }
    (tmp_path / "scripts.json").write_text(json.dumps(scripts), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, tmp_path / "scripts.json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout.splitlines()[-1])
    assert ends
    assert ends.keys() == scripts.keys()
    wrong = {
        name: end
        for name, end in ends.items()
        if end != "fails" and not (end.startswith("raises") and any(word in name for word in raising))
    }
    assert not wrong


# Upstream -------------------------------------------------------------------------------------------------------------

STATE = UpstreamState("torch/*", "pytorch/pytorch#1", Standing.CLOSED, "2.0", "2026-11-30", "Said so.")


def test_committed_states_are_sound_and_speak_of_findings() -> None:
    for each in committed():
        assert any(each in states(name) for name in findings()), each.findings


def test_a_state_is_in_the_line_and_in_the_script() -> None:
    assert states("torch/batch/NCHW/x", [STATE]) == (STATE,)
    assert states("mlx/batch/NCHW/x", [STATE]) == ()
    assert STATE.words == "pytorch/pytorch#1 closed, mended upstream in 2.0"
    assert STATE.sentence == "Upstream on 2026-11-30: pytorch/pytorch#1, closed; mended in 2.0. Said so."
    none = UpstreamState("torch/*", "", Standing.NONE_FOUND, "", "2026-11-30", "")
    assert none.words == "None found on 2026-11-30"
    found = Finding("a/b", "Title", "seen", "", (STATE,), lambda: ["pass"])
    assert STATE.words in found.sentence
    assert STATE.sentence in found.script()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"where": "pytorch#1"}, "is not owner/repository#number"),
        ({"where": ""}, "does not go with where"),
        ({"state": "gone"}, "'gone' is not a valid Standing"),
        ({"date": "yesterday"}, "is no date"),
        ({"note": "no stop"}, "no full stop"),
        ({"findings": ""}, "findings is empty"),
        ({"mended": 2}, "is no text"),
    ],
)
def test_states_that_break_a_rule_are_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    row = {"findings": "torch/*", "where": "a/b#1", "state": "open", "mended": "", "date": "2026-11-30", "note": ""}
    path = tmp_path / "upstream.json"
    path.write_text(json.dumps({"format": "varstudy-upstream", "version": 1, "rows": [row]}), "utf-8")
    assert read(path)[0].where == "a/b#1"
    path.write_text(json.dumps({"format": "varstudy-upstream", "version": 1, "rows": [{**row, **change}]}), "utf-8")
    with pytest.raises(UpstreamProblem, match=reason):
        read(path)
