"""An audit of a torch model finds the planted hazard, leaves the model as it was, and keeps what must stay wide."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.peers
torch: object = pytest.importorskip("torch")

import varstudy.torch  # noqa: E402
from varstudy.networks.format_risks import Level  # noqa: E402
from varstudy.networks.norm_layers import Formula  # noqa: E402
from varstudy.networks.sensitivity import Outcome  # noqa: E402


class HalfNorm(torch.nn.Module):  # type: ignore[name-defined]
    """A norm in pieces, as people write it: every step in the input's format."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale, self.eps = scale, 1e-5

    def forward(self, x):
        x = x * self.scale
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + self.eps).sqrt()


class Block(torch.nn.Module):  # type: ignore[name-defined]
    def __init__(self, scale=1.0):
        super().__init__()
        self.norm = torch.nn.LayerNorm(64)
        self.scale = scale

    def forward(self, x):
        return x + 0.1 * self.norm(x * self.scale)


def stacked(at=17, scale=1e5):
    return torch.nn.Sequential(*[Block(scale if k == at else 1.0) for k in range(50)])


def inputs(shape=(8, 64)):
    return torch.from_numpy(np.random.default_rng(0).normal(0, 1, shape).astype(np.float32))


def test_the_planted_hazard_is_found_and_keeping_it_wide_mends_the_model():
    model, x = stacked(), inputs()
    found = varstudy.torch.audit(model, x)
    assert [each.facts.layer.name for each in found.of(Level.BREAKS)] == ["17.norm"]
    # What makes the input is in the block around the norm.
    assert found.keep() == ["17"]
    expected = model(x)
    model.half()
    assert not torch.isfinite(model(x.half())).all()
    wide = dict(model.named_modules())[found.keep()[0]]
    wide.float()
    wide.register_forward_pre_hook(lambda module, given: tuple(each.float() for each in given))
    wide.register_forward_hook(lambda module, given, answer: answer.half())
    mended = model(x.half())
    assert torch.isfinite(mended).all()
    # Fifty blocks, each of which rounds its norm, the tenth of it and the sum: below 16, at most 2^-8 a time.
    assert float((mended.float() - expected).detach().abs().max()) < 50 * 3 * 2**-8


def test_a_context_manager_joins_batches_and_takes_its_hooks_away():
    model = stacked(3, 300.0)
    with varstudy.torch.audit(model, format="bfloat16") as seen:
        for _ in range(3):
            model(inputs())
    model(inputs())
    assert {each.facts.calls for each in seen.result.layers} == {3}
    assert seen.result.keep() == []
    assert varstudy.torch.audit(model, inputs()).of(Level.DEPENDS)[0].facts.layer.name == "3.norm"


def test_running_statistics_are_as_they_were():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(64), torch.nn.Linear(64, 64)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = varstudy.torch.audit(model, inputs())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert found.layers[0].facts.layer.formula is Formula.FUSED
    assert varstudy.torch.audit(model.eval(), inputs()).layers[0].facts.layer.formula is Formula.RUNNING


@pytest.mark.parametrize(
    ("module", "shape", "kind", "rows"),
    [
        (lambda: torch.nn.GroupNorm(4, 64), (3, 64, 5), "group", (12, 80)),
        (lambda: torch.nn.InstanceNorm1d(64), (3, 64, 5), "instance", (192, 5)),
        (lambda: torch.nn.RMSNorm(64), (3, 5, 64), "rms", (15, 64)),
        (lambda: torch.nn.LayerNorm((5, 64)), (3, 5, 64), "layer", (3, 320)),
        (lambda: torch.nn.BatchNorm2d(64), (3, 64, 5, 2), "batch", (64, 30)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_norm_is_known(module, shape, kind, rows, dtype):
    model = torch.nn.Sequential(module()).to(getattr(torch, dtype))
    (layer,) = varstudy.torch.audit(model, inputs(shape).to(getattr(torch, dtype))).layers
    assert layer.facts.layer.kind == kind
    assert (layer.facts.rows, layer.facts.values) == (rows[0], {rows[1]})


def test_a_norm_of_one_s_own_is_audited_on_the_user_s_word():
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), HalfNorm())
    assert varstudy.torch.audit(model, inputs()).verdict == "No normalisation layer was found."
    for kinds in ({"HalfNorm": "layer"}, {"1": "layer"}):
        (layer,) = varstudy.torch.audit(model, inputs(), kinds=kinds).layers
        assert (layer.facts.layer.name, layer.facts.layer.epsilon) == ("1", 1e-5)
    with pytest.raises(ValueError, match="'softmax' is unknown"):
        varstudy.torch.audit(model, inputs(), kinds={"HalfNorm": "softmax"})
    with pytest.raises(ValueError, match="'Other' is neither a module nor a class"):
        varstudy.torch.audit(model, inputs(), kinds={"Other": "layer"})


def test_layers_that_no_data_reached_and_shared_ones_are_told():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle, self.once = (torch.nn.LayerNorm(64) for _ in range(3))

        def forward(self, x):
            return self.once(self.used(self.used(x)))

    found = varstudy.torch.audit(Net(), inputs())
    assert any("No data reached idle" in note for note in found.notes)
    assert any("Called more often than others, all calls joined: used" in note for note in found.notes)


def test_a_model_that_fails_leaves_no_hook_behind():
    model = torch.nn.Sequential(torch.nn.LayerNorm(64))
    with pytest.raises(RuntimeError):
        varstudy.torch.audit(model, inputs((8, 63)))
    assert not model[0]._forward_hooks
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        varstudy.torch.audit("model", inputs())


class OwnRMSNorm(torch.nn.Module):  # type: ignore[name-defined]
    """As Gemma has it: the weight is what 1 is added to."""

    def __init__(self, n, lost=0.0):
        super().__init__()
        self.weight, self.eps, self.lost = torch.nn.Parameter(torch.linspace(-1, 1, n)), 1e-6, lost

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * (1 + self.weight) + self.lost


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_replaced_norms_reach_the_output(dtype):
    kind = getattr(torch, dtype)
    model = torch.nn.Sequential(torch.nn.LayerNorm(64), torch.nn.Linear(64, 64), OwnRMSNorm(64)).to(kind)
    x = (300 + inputs()).to(kind)
    found = varstudy.torch.audit(model, x, sensitivity="each")
    by = {(each.layer, each.way): each for each in found.effects}
    assert len(by) == 27
    assert not any("Not replaced" in note for note in found.notes)
    assert by["2", "stored in float16, exact statistics"].error < 2**-9 if dtype == "float32" else 2**-6
    # 300^2 is beyond float16; a running sum of 64 values of 300 rounds to 16 in bfloat16.
    assert by["0", "naive in float16"].outcome is Outcome.NOT_FINITE
    assert by["2", "naive in float16"].outcome is Outcome.ERROR
    assert by["", "naive in float16"].outcome is Outcome.NOT_FINITE
    assert not model[0]._forward_hooks


def test_what_is_no_norm_by_its_weights_is_not_replaced():
    model = torch.nn.Sequential(torch.nn.LayerNorm(64), OwnRMSNorm(64, lost=0.5))
    found = varstudy.torch.audit(model, inputs(), sensitivity="all")
    assert len(found.effects) == 9
    assert any(note.startswith("Not replaced") and note.endswith(": 1.") for note in found.notes)
    with pytest.raises(ValueError, match="give its inputs"):
        varstudy.torch.audit(model, sensitivity="all")
    with pytest.raises(ValueError, match="'all' or 'each'"):
        varstudy.torch.audit(model, inputs(), sensitivity="some")


def test_dropout_is_the_same_in_every_run_and_running_statistics_stay():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 8)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = varstudy.torch.audit(model, inputs(), sensitivity="all")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert found.effects[0].error < 1e-3


def test_channels_last_memory_has_the_same_rows():
    model = torch.nn.Sequential(torch.nn.GroupNorm(2, 4), torch.nn.BatchNorm2d(4).train())
    x = torch.randn(2, 4, 5, 3)
    plain, last = (varstudy.torch.audit(model, each) for each in (x, x.to(memory_format=torch.channels_last)))
    for one, other in zip(plain.layers, last.layers, strict=True):
        assert (one.facts.rows, one.facts.squares) == (other.facts.rows, pytest.approx(other.facts.squares, rel=1e-6))
        assert 0 < other.runtime < 1e-5
