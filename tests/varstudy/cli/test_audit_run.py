"""``audit`` refuses in one sentence what it cannot audit, and writes what it was asked for."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from varstudy.cli import declarations


def call(*words: object):
    return CliRunner().invoke(declarations.commands, ["audit", *map(str, words)], prog_name="varstudy")


def refused(*words: object) -> str:
    done = call(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("varstudy: ")
    return done.stderr.replace("\n", " ")


def test_a_model_is_needed_and_one_alone(tmp_path: Path) -> None:
    assert "give an .onnx file, or --torch MODULE:FUNCTION" in refused()
    assert "give an .onnx file, or --torch MODULE:FUNCTION" in refused("m.onnx", "--torch", "a:b")
    assert "--data batch.npz" in refused("m.onnx")
    assert "--data is for an .onnx file" in refused("--torch", "math:sqrt", "--data", "b.npz")


def test_a_function_that_gives_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def build():\n    return 3\n")
    assert "let it return (model, input)" in refused("--torch", f"{tmp_path}/mine.py:build")


@pytest.mark.skipif(importlib.util.find_spec("onnx") is not None, reason="onnx is installed")
def test_the_extra_is_named_where_it_is_missing() -> None:
    assert "pip install 'varstudy[onnx]'" in refused("m.onnx", "--data", "b.npz")


@pytest.mark.peers
def test_an_audit_from_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    model = torch.nn.Sequential(torch.nn.LayerNorm(8), torch.nn.LayerNorm(8))\n"
        "    return model, 1e5 * torch.randn(4, 8)\n"
    )
    files = {"--keep": tmp_path / "keep.json", "--html": tmp_path / "audit.html"}
    done = call("--torch", f"{tmp_path}/mine.py:build", *(word for pair in files.items() for word in pair))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 of 2 layers overflows in float16: 0; keep it in float32.")
    assert json.loads(files["--keep"].read_text()) == ["0"]
    page = files["--html"].read_text()
    assert "1 of 2 layers overflows in float16" in page
    found = json.loads(call("--torch", f"{tmp_path}/mine.py:build", "--json").stdout)
    assert [layer["risks"][0]["level"] if layer["risks"] else "" for layer in found["layers"]] == ["breaks", ""]


@pytest.mark.peers
def test_an_onnx_file_from_the_command_line(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    values = [helper.make_tensor_value_info(name, kind, ["N", 8]) for name in "xy"]
    weight = helper.make_tensor("w", kind, [8], [1.0] * 8)
    node = helper.make_node("LayerNormalization", ["x", "w"], ["y"], name="norm")
    graph = helper.make_graph([node], "net", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "b.npz", x=np.random.default_rng(0).normal(0, 1, (5, 8)).astype(np.float32))
    words = ("--data", tmp_path / "b.npz", "--sensitivity", "each", "--html", tmp_path / "audit.html")
    done = call(tmp_path / "m.onnx", "--data", tmp_path / "b.npz", *words)
    assert "error of the output" in done.stdout
    assert "What reaches the output" in (tmp_path / "audit.html").read_text()
    found = json.loads(call(tmp_path / "m.onnx", *words[:4], "--json").stdout)
    assert [len(found[key]) for key in ("layers", "sensitivity")] == [1, 18]
    assert done.stdout.startswith("None of 1 layer is at risk in float16 on this data.")
    assert "is no file" in refused(tmp_path / "n.onnx", "--data", tmp_path / "b.npz")
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "x.npy", np.ones((5, 8), np.float32))
    found = json.loads(call(tmp_path / "m.onnx", "--data", folder, "--samples", 2, "--json").stdout)
    assert found["layers"][0]["rows"] == 5
    np.save(folder / "z.npy", np.ones((4, 8), np.float32))
    assert "their first axes differ: x has 5, z has 4" in refused(tmp_path / "m.onnx", "--data", folder, "--samples", 2)
    assert "'z' is no input" in refused(tmp_path / "m.onnx", "--data", folder)
    np.save(tmp_path / "b.npy", np.zeros(3))
    assert "is no .npz file" in refused(tmp_path / "m.onnx", "--data", tmp_path / "b.npy")
