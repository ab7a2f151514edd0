"""What synchronised batch normalisation does is recovered from simulated layers, and from the observed ones."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varstudy.survey.findings.properties import property_of
from varstudy.survey.frameworks.catalogue import FRAMEWORKS
from varstudy.survey.inference.sync import (
    CORRECTIONS,
    MERGES,
    PROPERTIES,
    TOLERANCE,
    Hypothesis,
    findings,
    infer,
    predictions,
)
from varstudy.survey.probes import sync_shards
from varstudy.survey.probes.layer_contract import Unsupported

MOMENTUM, SIZES = sync_shards.MOMENTUM, sync_shards.SIZES


def merged(x, merge, rank):
    """Mean and uncorrected variance, written anew: by all-reduces of sums, counts and local statistics."""
    sums, squares, counts = (np.array(s) for s in zip(*((v.sum(0), (v * v).sum(0), len(v)) for v in x), strict=True))
    counts = counts[:, None]
    if merge == "local":
        return x[rank].mean(0), x[rank].var(0)
    if merge.startswith("all values"):
        mean = sums.sum(0) / counts.sum()
        within = sum(len(v) * v.var(0) for v in x) / counts.sum()
        return mean, within if "within" in merge else squares.sum(0) / counts.sum() - mean**2
    mean = (sums / counts).mean(0)
    within = np.mean([v.var(0) for v in x], axis=0)
    return mean, within if "within" in merge else (squares / counts).mean(0) - mean**2


def corrected(var, correction, x, rank):
    n = {"none": 0, "all values": sum(len(v) for v in x), "own values": len(x[rank])}[correction]
    return var if n == 0 else var * n / (n - 1)


def simulate(sizes, world, normalise, running, keep=True):
    """A run of a layer that rounds to float32 what it gives."""
    x = [one.astype(np.float64) for one in sync_shards.shards(sizes, world)]

    def step(_):
        ys, before, after = [], [], []
        for rank, values in enumerate(x):
            mean, var = merged(x, normalise.merge, rank)
            var = corrected(var, normalise.correction, x, rank)
            ys.append(((values - mean) / np.sqrt(var + sync_shards.EPSILON)).astype(np.float32))
            mean, var = merged(x, running.merge, rank)
            var = corrected(var, running.correction, x, rank)
            start = {"mean": np.zeros(2), "var": np.ones(2)}
            moved = {"mean": MOMENTUM * mean, "var": MOMENTUM + MOMENTUM * var}
            before.append(start if keep else None)
            after.append({name: value.astype(np.float32) for name, value in moved.items()} if keep else None)
        return ys, before, after

    return sync_shards.run("simulated", "a simulated layer", sizes, world, step)


def values(found):
    return {one.name: one.value for one in found}


@pytest.mark.parametrize("world", sync_shards.WORLDS)
@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_a_layer_is_recovered_from_unequal_batches(world, merge, correction):
    normalise, running = Hypothesis(merge, "none"), Hypothesis(merge, correction)
    found = infer(simulate("unequal", world, normalise, running))
    assert [one.name for one in found] == list(PROPERTIES)
    assert {one.status for one in found} == {"measured"}
    said = values(found)
    assert said["sync.normalise.merge"] == said["sync.running.merge"] == merge
    assert said["sync.normalise.correction"] == "none"
    assert said["sync.running.correction"] == correction
    apart = merge == "local" or correction == "own values"
    assert said["sync.running.ranks"] == ("different" if apart else "same")


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_the_normalising_statistics_are_judged_by_themselves(merge, correction):
    layer = simulate("unequal", 3, Hypothesis(merge, correction), Hypothesis("local", "own values"))
    said = values(infer(layer))
    assert (said["sync.normalise.merge"], said["sync.normalise.correction"]) == (merge, correction)
    assert (said["sync.running.merge"], said["sync.running.correction"]) == ("local", "own values")


@pytest.mark.parametrize("world", sync_shards.WORLDS)
def test_equal_batches_leave_the_merge_open_and_tell_the_correction(world):
    for merge in ("all values", "ranks alike"):
        found = infer(simulate("equal", world, Hypothesis(merge, "none"), Hypothesis(merge, "all values")))
        by = {one.name: one for one in found}
        assert by["sync.running.merge"].status == "undetermined"
        assert by["sync.running.merge"].detail.startswith("all values or ranks alike: these batches can't tell")
        assert by["sync.normalise.correction"].value == "none"
        assert by["sync.running.correction"].value == "all values"


def test_a_way_that_nobody_foresaw_is_other():
    run = simulate("unequal", 2, Hypothesis("all values", "none"), Hypothesis("all values", "none"))
    run["y"] = [[[1.1 * value for value in row] for row in rank] for rank in run["y"]]
    found = infer(run)
    assert values(found)["sync.normalise.merge"] == "other"
    assert "rank 0, channel 0" in found[0].detail
    assert values(found)["sync.running.merge"] == "all values"


def test_one_rank_that_differs_is_noticed():
    run = simulate("unequal", 3, Hypothesis("all values", "none"), Hypothesis("all values", "none"))
    run["after"][2]["var"][1] *= 1.01
    said = values(infer(run))
    assert said["sync.running.merge"] == "other"
    assert said["sync.running.ranks"] == "different"


def test_an_error_fails_every_property():
    def step(_):
        raise ValueError("this layer wants a GPU. Ask elsewhere")

    found = infer(sync_shards.run("refused", "a layer that refuses", "equal", 2, step))
    assert {(one.status, one.detail) for one in found} == {("failed", "ValueError: this layer wants a GPU")}
    assert len(found) == len(PROPERTIES)


def test_what_cannot_be_asked_is_not_applicable():
    def step(_):
        raise Unsupported("Every rank has the same size here.")

    found = infer(sync_shards.run("equal only", "a layer of equal sizes", "unequal", 2, step))
    assert {(one.status, one.detail) for one in found} == {("not applicable", "Every rank has the same size here.")}
    assert [one.name for one in found] == list(PROPERTIES)


def test_a_layer_that_keeps_nothing():
    found = infer(simulate("unequal", 2, Hypothesis("local", "none"), Hypothesis("local", "none"), keep=False))
    by = {one.name: one for one in found}
    assert by["sync.normalise.merge"].value == "local"
    assert by["sync.running.merge"].status == by["sync.running.ranks"].status == "not applicable"


def test_an_output_without_spread_is_other_and_no_crash():
    run = simulate("unequal", 2, Hypothesis("local", "none"), Hypothesis("local", "none"))
    run["y"] = [[[0.0 for _ in row] for row in rank] for rank in run["y"]]
    assert values(infer(run))["sync.normalise.merge"] == "other"


@pytest.mark.parametrize("world", sync_shards.WORLDS)
def test_the_batches_tell_every_two_ways_apart_by_far_more_than_the_tolerance(world):
    """On some rank or channel; a layer is judged by all of them."""
    x = sync_shards.shards("unequal", world)
    ways = [Hypothesis(merge, correction) for merge in MERGES for correction in CORRECTIONS]
    said = {}
    for rank in range(world):
        for channel in range(sync_shards.CHANNELS):
            columns = [[Fraction(float(value)) for value in one[:, channel]] for one in x]
            for way, (mean, var) in predictions(columns, rank).items():
                said.setdefault(way, []).extend([float(mean) / float(var) ** 0.5, float(np.log(float(var)))])
    assert set(said) == set(ways)
    for i, one in enumerate(ways):
        for other in ways[:i]:
            gap = np.abs(np.array(said[one]) - np.array(said[other])).max()
            assert gap > 50 * TOLERANCE, (one, other, gap)


@given(st.lists(st.lists(st.integers(-50, 50), min_size=2, max_size=6), min_size=2, max_size=4))
def test_predictions_are_exact_and_obey_the_law_of_total_variance(shards):
    columns = [[Fraction(value) for value in one] for one in shards]
    said = predictions(columns, 0)
    pooled = [value for one in shards for value in one]
    mean, var = said[Hypothesis("all values", "none")]
    assert mean == Fraction(sum(pooled), len(pooled))
    assert var == Fraction(sum(v * v for v in pooled), len(pooled)) - mean**2
    within = said[Hypothesis("all values, within only", "none")][1]
    between = sum(len(one) * (Fraction(sum(one), len(one)) - mean) ** 2 for one in shards) / len(pooled)
    assert var == within + between
    assert said[Hypothesis("all values", "all values")][1] * (len(pooled) - 1) == var * len(pooled)
    if len({len(one) for one in shards}) == 1:
        assert said[Hypothesis("ranks alike", "none")] == (mean, var)


def test_one_value_on_a_rank_has_no_correction_by_its_own_count():
    said = predictions([[Fraction(3)], [Fraction(1), Fraction(5)]], 0)
    assert Hypothesis("local", "own values") not in said
    assert said[Hypothesis("local", "none")] == (3, 0)


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_way_is_in_the_vocabulary(name):
    known = {"merge": (*MERGES, "other"), "correction": (*CORRECTIONS, "other"), "ranks": ("same", "different")}
    assert property_of(name).values == known[name.rpartition(".")[2]]
    assert property_of(name).kinds == ("sync",)


def test_every_run_is_a_variant_and_another_format_is_refused():
    way = Hypothesis("all values", "none")
    file = {"format": 1, "runs": [simulate(sizes, 2, way, way) for sizes in sync_shards.SIZES]}
    found = findings(file)
    assert [one["property"] for one in found] == [*PROPERTIES, *PROPERTIES]
    assert {one["kind"] for one in found} == {"sync"}
    unequal, equal = ([one for one in found if one["variant"] == f"simulated, {s}, 2 ranks"] for s in SIZES)
    assert len(unequal) == len(equal) == len(PROPERTIES)
    assert unequal[0]["value"] == "all values"
    assert equal[0]["status"] == "undetermined"
    with pytest.raises(ValueError, match="observations of format 2: run this version's script again"):
        findings({**file, "format": 2})


# What the scripts wrote, each under its framework: `sync_torch.py` and those beside it.
OBSERVED = json.loads((Path(__file__).parent / "sync.json").read_text())


def test_every_framework_with_a_script_is_observed():
    assert set(OBSERVED) == {name for name, each in FRAMEWORKS.items() if each.sync}
    assert {name: each["framework"] for name, each in OBSERVED.items()} == {name: name for name in OBSERVED}
    for each in FRAMEWORKS.values():
        assert each.sync <= each.sync_script().is_file()


@pytest.mark.parametrize(
    ("framework", "sentence"),
    [
        ("torch", "ValueError: SyncBatchNorm expected input tensor to be on GPU"),
        ("paddle", "RuntimeError: (NotFound) The kernel `sync_batch_norm` is not registered."),
    ],
)
def test_the_observed_layers_that_refuse_the_cpu(framework, sentence):
    found = findings(OBSERVED[framework])
    assert {one["status"] for one in found} == {"failed"}
    assert all(one["detail"].startswith(sentence) for one in found if one["variant"].startswith("SyncBatchNorm"))
    assert any(one["variant"].startswith("SyncBatchNorm") for one in found)


def said(framework, variant):
    return {one["property"]: one["value"] for one in findings(OBSERVED[framework]) if one["variant"] == variant}


@pytest.mark.parametrize("world", sync_shards.WORLDS)
@pytest.mark.parametrize(
    ("framework", "mechanism", "merge"),
    [
        ("keras-tensorflow", "synchronized", "all values"),
        ("tf_keras", "synchronized", "all values"),
        ("flax-linen", "axis_name and mask", "ranks alike"),
        ("flax-nnx", "axis_name and mask", "ranks alike"),
        ("mxnet", "SyncBatchNorm", "ranks alike"),
        ("keras-tensorflow", "not synchronized", "local"),
        ("tf_keras", "not synchronized", "local"),
    ],
)
def test_keras_counts_values_where_flax_and_mxnet_count_ranks(world, framework, mechanism, merge):
    """The same batches, as they were observed: the merges differ, and none corrects the running variance."""
    assert said(framework, f"{mechanism}, unequal, {world} ranks") == {
        "sync.normalise.merge": merge,
        "sync.normalise.correction": "none",
        "sync.running.merge": merge,
        "sync.running.correction": "none",
        "sync.running.ranks": "different" if merge == "local" else "same",
    }


@pytest.mark.parametrize("framework", ["haiku", "equinox"])
def test_a_layer_without_a_mask_is_asked_equal_sizes_alone(framework):
    found = findings(OBSERVED[framework])
    unequal = [one for one in found if "unequal" in one["variant"]]
    reason = "pmap gives every device a batch of one size, and this layer takes no mask."
    assert {(one["status"], one["detail"]) for one in unequal} == {("not applicable", reason)}
    equal = [one for one in found if "unequal" not in one["variant"]]
    corrections = [one for one in equal if one["property"].endswith(".correction")]
    assert len(corrections) == 4
    assert {one["value"] for one in corrections} == {"none"}
    assert {one["value"] for one in equal if one["property"] == "sync.running.ranks"} == {"same"}


@pytest.mark.parametrize("failures", range(4))
def test_processes_that_do_not_meet_are_asked_again(failures):
    left = [sync_shards.NotMet("Connection closed by peer")] * failures

    def together():
        if left:
            raise left.pop()
        return "met"

    if failures < 3:
        assert sync_shards.patiently(together, pauses=(0, 0)) == "met"
    else:
        with pytest.raises(sync_shards.NotMet):
            sync_shards.patiently(together, pauses=(0, 0))


def test_any_other_failure_of_several_processes_is_not_asked_again():
    asked = []

    def together():
        asked.append(1)
        raise RuntimeError("the layer broke")

    with pytest.raises(RuntimeError):
        sync_shards.patiently(together, pauses=(0, 0))
    assert len(asked) == 1
