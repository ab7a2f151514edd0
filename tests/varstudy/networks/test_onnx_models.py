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
from varstudy.networks.onnx_models import audit_onnx  # noqa: E402

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


def test_an_operator_that_nobody_knows_is_said(tmp_path):
    node = helper.make_node("Mystery", ["x"], ["y"], domain="nobody")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", C]) for name in "xy"]
    graph = helper.make_graph([node], "net", value[:1], value[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("nobody", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="ONNX Runtime cannot load"):
        audit_onnx(tmp_path / "m.onnx", [{"x": data()}])
