"""Norms are found in ONNX graphs, fused or in pieces, and what their audit says comes true."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.peers
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from varstudy.networks.format_risks import Level  # noqa: E402
from varstudy.networks.norm_layers import Formula  # noqa: E402
from varstudy.networks.onnx_graph import OnnxGraph  # noqa: E402
from varstudy.networks.onnx_models import audit_onnx  # noqa: E402
from varstudy.networks.onnx_norms import norms_of  # noqa: E402
from varstudy.networks.onnx_replay import OnnxReplay  # noqa: E402
from varstudy.networks.replaced_norms import EXACT  # noqa: E402
from varstudy.networks.sensitivity import Outcome  # noqa: E402

C = 32


class Net:
    """Builds a graph of blocks, each of which scales, normalises and goes on."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: dict = {}
        self.last = "x"

    def constant(self, name, value):
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def add(self, kind, *inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def scale(self, factor, name):
        self.last = self.add("Mul", self.last, self.constant(f"{name}.k", factor), name=name)

    def norm(self, style, name, epsilon=1e-5):
        x, e, two = self.last, self.constant(f"{name}.e", epsilon), self.constant(f"{name}.2", 2)

        def made(kind, *inputs, what, **attributes):
            return self.add(kind, *inputs, name=f"{name}/{what}", **attributes)

        mean = {"axes": [-1], "keepdims": 1}
        if style == "fused":
            w = self.constant(f"{name}.w", np.ones(C))
            self.last = made("LayerNormalization", x, w, what="LayerNormalization", axis=-1, epsilon=epsilon)
            return
        if style == "rms":
            v = made("ReduceMean", made("Pow", x, two, what="Pow"), what="Mean", **mean)
            root = made("Sqrt", made("Add", v, e, what="Add"), what="Sqrt")
            self.last = made("Mul", x, made("Reciprocal", root, what="Reciprocal"), what="Mul")
            return
        m = made("ReduceMean", x, what="Mean", **mean)
        if style == "two-pass":
            d = made("Sub", x, m, what="Sub")
            v = made("ReduceMean", made("Mul", d, d, what="Square"), what="Mean2", **mean)
        else:
            # keepdims is an input's neighbour from opset 13 on: axes as an input.
            self.constants[f"{name}.axes"] = np.array([-1], np.int64)
            s = made("ReduceSum", made("Mul", x, x, what="Square"), f"{name}.axes", what="Sum", keepdims=1)
            part = made("Mul", s, self.constant(f"{name}.n", 1 / C), what="Part")
            v = made("Sub", part, made("Mul", m, m, what="Square2"), what="Variance")
            v = made("Max", self.constant(f"{name}.0", 0), v, what="Max")
        d = made("Sub", x, m, what="Centre")
        self.last = made("Div", d, made("Sqrt", made("Add", v, e, what="Add"), what="Sqrt"), what="Div")

    def save(self, path):
        graph = helper.make_graph(
            [*self.nodes, helper.make_node("Identity", [self.last], ["y"], name="end")],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", C])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", C])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def data(seed=0, rows=16):
    return np.random.default_rng(seed).normal(1, 1, (rows, C)).astype(np.float32)


STYLES = {
    "fused": (Formula.FUSED, "layer"),
    "two-pass": (Formula.TWO_PASS, "layer"),
    "E[x^2]": (Formula.NAIVE, "layer"),
    "rms": (Formula.SQUARES, "rms"),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_formula_is_named_and_the_runtime_scored(tmp_path, style):
    net = Net()
    net.norm(style, "block/norm", 1e-3)
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": data()}, {"x": data(1)}])
    (layer,) = found.layers
    assert (layer.facts.layer.formula, layer.facts.layer.kind) == STYLES[style]
    assert layer.facts.layer.epsilon == pytest.approx(1e-3, rel=1e-7)
    assert (layer.facts.rows, layer.facts.values, layer.problem) == (32, {C}, "")
    assert 0 < layer.runtime < 1e-5
    assert found.keep() == []
    if style != "fused":
        assert layer.facts.layer.name == "block/norm"
        inside = {node.name for node in net.nodes}
        assert set(layer.facts.layer.nodes) == inside


@pytest.mark.parametrize("style", ["two-pass", "E[x^2]", "rms"])
def test_a_planted_hazard_among_fifty_is_found_and_its_list_mends_the_conversion(tmp_path, style):
    float16 = pytest.importorskip("onnxconverter_common.float16")
    net = Net()
    for k in range(50):
        if k == 31:
            net.scale(300.0, f"block{k}/scale")
        net.norm(style, f"block{k}/norm")
    path = net.save(tmp_path / "m.onnx")
    found = audit_onnx(path, [{"x": data()}])
    assert [each.facts.layer.name for each in found.of(Level.BREAKS)] == ["block31/norm"]
    assert len(found.layers) == 50
    expected = ReferenceEvaluator(str(path)).run(None, {"x": data()})[0]

    def converted(keep):
        model = float16.convert_float_to_float16(onnx.load(path), keep_io_types=True, node_block_list=keep)
        with np.errstate(all="ignore"):
            return ReferenceEvaluator(model).run(None, {"x": data()})[0]

    broken, mended = converted([]), converted(found.keep())
    assert not np.allclose(broken, expected, atol=0.05)
    assert np.allclose(mended, expected, atol=0.05)


def test_a_value_beyond_the_format_keeps_what_makes_it_wide(tmp_path):
    net = Net()
    net.scale(1e5, "big")
    net.norm("two-pass", "norm")
    net.scale(2.0, "small")
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": data()}])
    assert found.layers[0].level is Level.BREAKS
    assert "big" in found.keep()
    assert "small" not in found.keep()
    assert audit_onnx(tmp_path / "m.onnx", [{"x": data()}], "bfloat16").keep() == []


def test_values_that_are_not_finite_are_said_where_they_come_first(tmp_path):
    net = Net()
    net.scale(1.0, "before")
    net.norm("two-pass", "norm")
    x = data()
    x[3, 5] = np.nan
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": x}])
    assert found.layers[0].facts.nonfinite == 1
    assert any("first out of before" in note for note in found.notes)


def test_tensors_without_values_do_not_stop_an_audit(tmp_path):
    net = Net()
    net.constants |= {"from": np.array([0], np.int64), "to": np.array([0], np.int64), "axis": np.array([0], np.int64)}
    empty = net.add("Slice", "x", "from", "to", "axis", name="empty")
    net.last = net.add("Concat", empty, "x", name="joined", axis=0)
    net.norm("two-pass", "norm")
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": data()}])
    assert (found.layers[0].facts.rows, found.keep(), found.notes) == (16, [], [])


def test_more_tensors_than_fit_take_more_runs(tmp_path, monkeypatch):
    net = Net()
    for k in range(5):
        net.norm("two-pass", f"norm{k}")
    path = net.save(tmp_path / "m.onnx")
    whole = audit_onnx(path, [{"x": data()}]).record()
    monkeypatch.setattr("varstudy.networks.onnx_models.TENSORS", 8 * 16 * C * 5)
    assert audit_onnx(path, [{"x": data()}]).record() == whole


@pytest.mark.parametrize("style", STYLES)
def test_a_replaced_norm_is_the_norm_and_a_naive_one_is_not(tmp_path, style):
    net = Net()
    net.scale(3.0, "first")
    for k in range(3):
        net.norm(style, f"norm{k}")
        net.last = net.add("Add", net.last, "x", name=f"skip{k}")
    x = data() + np.float32(100 if style != "rms" else 0)
    path = net.save(tmp_path / "m.onnx")
    found = audit_onnx(path, [{"x": x}], sensitivity="each")
    by = {(each.layer, each.way): each for each in found.effects}
    assert len(by) == 9 * 4
    names = [each.facts.layer.name for each in found.layers]
    assert list(dict.fromkeys(each.layer for each in found.effects)) == ["", *names]
    # The graph adds x, about 100, to each norm's output: storing the norms rounds values of about 1.
    assert by["", "stored in float16, exact statistics"].error < 1e-3 if style == "rms" else 0.1
    assert by["", "pairwise in float32"].error < 0.1
    if style == "rms":
        assert all(each.outcome is Outcome.ERROR for each in found.effects)
    else:
        # 32 squares of 300^2 are beyond float16, one alone too.
        assert by["", "naive in float16"].outcome is Outcome.NOT_FINITE
        assert by[names[0], "naive in float16"].not_finite > 0
    plain = ReferenceEvaluator(str(path)).run(None, {"x": x})[0]
    graph = OnnxGraph(onnx.load(path).graph)
    replay = OnnxReplay(onnx.load(path), graph, norms_of(graph), ["y"])
    assert len(replay.parts) == 4
    (again,) = replay.run({"x": x}, dict.fromkeys(range(3), EXACT))
    assert np.abs(again - plain).max() <= 1e-5 * np.abs(plain).max()


def test_a_norm_whose_output_is_something_else_is_not_replaced(tmp_path):
    """x / sqrt(variance + epsilon) alone, from which the mean is taken elsewhere, as Keras exports it."""
    net = Net()
    net.norm("two-pass", "norm")
    net.nodes[-1].input[0] = "x"
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": data()}], sensitivity="all")
    assert found.effects == []
    assert any(note.startswith("Not replaced") and note.endswith("norm.") for note in found.notes)


def branching():
    """An If with a norm in each branch, and a norm after it."""

    def branch(name):
        mean = helper.make_node("ReduceMean", ["x"], [f"{name}.m"], name=f"{name}/Mean", axes=[-1], keepdims=1)
        centre = helper.make_node("Sub", ["x", f"{name}.m"], [f"{name}.d"], name=f"{name}/Sub")
        square = helper.make_node("Mul", [f"{name}.d", f"{name}.d"], [f"{name}.q"], name=f"{name}/Mul")
        var = helper.make_node("ReduceMean", [f"{name}.q"], [f"{name}.v"], name=f"{name}/Mean2", axes=[-1], keepdims=1)
        add = helper.make_node("Add", [f"{name}.v", "e"], [f"{name}.a"], name=f"{name}/Add")
        root = helper.make_node("Sqrt", [f"{name}.a"], [f"{name}.r"], name=f"{name}/Sqrt")
        last = helper.make_node("Div", [f"{name}.d", f"{name}.r"], [f"{name}.y"], name=f"{name}/Div")
        answer = [helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, None)]
        return helper.make_graph([mean, centre, square, var, add, root, last], name, [], answer)

    return helper.make_node(
        "If", ["flag"], ["chosen"], name="choice", then_branch=branch("one"), else_branch=branch("two")
    )


def test_norms_within_branches_are_named_as_not_audited(tmp_path):
    net = Net()
    net.constant("e", 1e-5)
    net.constants["flag"] = np.array(True)
    net.nodes.append(branching())
    net.last = "chosen"
    net.norm("two-pass", "after")
    found = audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": data()}], sensitivity="all")
    assert [each.facts.layer.name for each in found.layers] == ["after"]
    assert "Not audited, as they are within If choice: two, one." in found.notes
    assert len(found.effects) == 9
    assert all(each.not_finite == 0 for each in found.effects)


@pytest.mark.parametrize("groups", [1, 4])
def test_group_norm_and_its_weights(tmp_path, groups):
    weight, bias = (np.random.default_rng(k).normal(1, 1, 8).astype(np.float32) for k in (1, 2))
    node = helper.make_node("GroupNormalization", ["x", "w", "b"], ["y"], name="norm", num_groups=groups)
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8, 5]) for name in "xy"]
    constants = [numpy_helper.from_array(array, name) for array, name in ((weight, "w"), (bias, "b"))]
    graph = helper.make_graph([node], "net", value[:1], value[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(0, 1, (3, 8, 5)).astype(np.float32)
    found = audit_onnx(tmp_path / "m.onnx", [{"x": x}], sensitivity="all")
    (layer,) = found.layers
    assert (layer.facts.rows, layer.facts.values) == (3 * groups, {40 // groups})
    assert 0 < layer.runtime < 1e-5
    assert found.effects[0].error < 1e-3


def test_a_skip_norm_has_its_weights_and_its_sum(tmp_path):
    g = np.random.default_rng(0)
    constants = {name: g.normal(1, 1, C).astype(np.float32) for name in "wba"}
    node = helper.make_node(
        "SkipLayerNormalization", ["x", "s", "w", "b", "a"], ["y"], name="norm", domain="com.microsoft", epsilon=1e-3
    )
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2, C]) for name in "xsy"]
    initial = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([node], "net", value[:2], value[2:], initial)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    feed = {name: g.normal(0, 1, (3, 2, C)).astype(np.float32) for name in "xs"}
    found = audit_onnx(tmp_path / "m.onnx", [feed], sensitivity="all")
    assert found.layers[0].facts.largest == float(np.abs(feed["x"] + feed["s"] + constants["a"]).max())
    assert 0 < found.layers[0].runtime < 1e-5
    assert found.effects[0].error < 1e-3


def test_a_float16_model_that_overflows_already_is_said_where(tmp_path):
    net = Net()
    net.scale(300.0, "big")
    net.last = net.add("Mul", "big", "big", name="squared")
    net.norm("two-pass", "norm")
    path = net.save(tmp_path / "m.onnx")
    float16 = pytest.importorskip("onnxconverter_common.float16")
    onnx.save(float16.convert_float_to_float16(onnx.load(path)), path)
    found = audit_onnx(path, [{"x": data().astype(np.float16)}])
    assert any("first out of squared, before any conversion" in note for note in found.notes)
    assert found.layers[0].facts.nonfinite > 0


def test_nan_in_the_data_is_said(tmp_path):
    net = Net()
    net.norm("fused", "norm")
    x = data()
    x[3, 5] = np.nan
    assert "Input 'x' holds NaN or infinities." in audit_onnx(net.save(tmp_path / "m.onnx"), [{"x": x}]).notes


def test_external_weights_that_are_missing_are_said(tmp_path):
    net = Net()
    net.norm("fused", "norm")
    net.constant("norm.w", np.ones(C))
    path = net.save(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert audit_onnx(path, [{"x": data()}]).keep() == []
    (tmp_path / "weights.bin").unlink()
    with pytest.raises((OSError, ValueError), match=r"weights\.bin"):
        audit_onnx(path, [{"x": data()}])


def test_batches_are_taken_one_after_the_other_and_none_is_refused(tmp_path):
    net = Net()
    net.norm("two-pass", "norm")
    path = net.save(tmp_path / "m.onnx")
    held = []

    def batches():
        for k in range(4):
            held.append(k)
            yield {"x": data(k)}

    found = audit_onnx(path, batches())
    assert (held, found.layers[0].facts.rows) == ([0, 1, 2, 3], 64)
    with pytest.raises(ValueError, match="no batch"):
        audit_onnx(path, [])


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        ({}, "input 'x' is missing"),
        ({"y": data()}, "'y' is no input"),
        ({"x": data()[:, :5]}, "has shape"),
        ({"x": data().astype(str)}, "holds"),
    ],
)
def test_bad_inputs_are_listed_with_what_the_model_takes(tmp_path, feed, says):
    net = Net()
    net.norm("two-pass", "norm")
    path = net.save(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=says) as caught:
        audit_onnx(path, [feed])
    assert "the model takes x float (N, 32)" in str(caught.value)


def test_files_that_are_no_models_are_said(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="ONNX model"):
        audit_onnx(path, [{"x": data()}])
    with pytest.raises(FileNotFoundError):
        audit_onnx(tmp_path / "none.onnx", [{"x": data()}])


@pytest.mark.parametrize(
    ("operator", "domain", "says"),
    [("Mystery", "nobody", "Mystery"), ("GroupNorm", "com.microsoft", "implementation for GroupNorm")],
)
def test_an_operator_that_the_runtime_lacks_is_said(tmp_path, operator, domain, says):
    node = helper.make_node(operator, ["x", "x", "x"][: 1 if domain == "nobody" else 3], ["y"], domain=domain)
    if domain != "nobody":
        node.attribute.extend([helper.make_attribute("groups", 2), helper.make_attribute("activation", 0)])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", C]) for name in "xy"]
    graph = helper.make_graph([node], "net", value[:1], value[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=f"ONNX Runtime cannot load .*{says}"):
        audit_onnx(tmp_path / "m.onnx", [{"x": data()}])
