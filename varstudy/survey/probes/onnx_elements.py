"""Outputs of one ONNX normalisation operator, for the runtimes that run ONNX models."""

from layer_contract import Unsupported


def forward(adapter, kind, x, asked):
    """The output of a layer of an adapter of `onnx_models`, with the scale and shift that are asked for."""
    if asked["parameters"] == "absent":
        raise Unsupported("The operator has no form without scale and shift.")
    if asked["memory"] != "contiguous":
        raise Unsupported("ONNX has no memory format.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    wide = asked["parameters"] == "float32"
    if wide and kind not in ("batch", "rms"):
        raise Unsupported("The operator takes scale and shift in the input's dtype alone.")
    variant = "2-D" if x.ndim == 2 else "NCHW"
    if kind == "batch":
        variant = "opset 15" if wide else "opset 14"
    layer = adapter.layer(
        kind, variant, x.shape[1], asked["dtype"], asked["epsilon"], None, asked["groups"], x.shape[2:]
    )
    layer.kept_dtype = "float32" if wide else asked["dtype"]
    layer.parameters["scale"] = asked["weight"].astype("float32")
    if kind != "rms":
        layer.parameters["shift"] = asked["bias"].astype("float32")
    if asked["training"]:
        return {"y": (layer.train(x.astype("float32")), asked["dtype"])}
    layer.set_running(asked["mean"].astype("float32"), asked["variance"].astype("float32"))
    return {"y": (layer.evaluate(x.astype("float32")), asked["dtype"])}


def backward(kind, x, dy, asked):
    """ONNX has operators for outputs alone."""
    raise Unsupported("An ONNX runtime has no gradients.")
