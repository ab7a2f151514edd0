"""PyTorch's norms as functions, on the CPU, eager: outputs and gradients."""

import torch
import torch.nn.functional as F
from layer_contract import Unsupported

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def versions():
    return {"torch": torch.__version__}


def set_threads(n):
    torch.set_num_threads(n)


def tensor(values, dtype):
    return None if values is None else torch.tensor(values).to(DTYPES[dtype])


def entered(x, asked):
    x = tensor(x, asked["dtype"])
    return x.contiguous(memory_format=torch.channels_last) if asked["memory"] == "channels-last" else x


def kept(asked):
    """Scale, shift, mean and variance."""
    dtype = "float32" if asked["parameters"] == "float32" else asked["dtype"]
    return [tensor(asked[name], dtype) for name in ("weight", "bias", "mean", "variance")]


def normalised(kind, x, weight, bias, mean, variance, asked):
    epsilon = asked["epsilon"]
    if kind == "batch":
        return F.batch_norm(x, mean, variance, weight, bias, asked["training"], 0.1, epsilon)
    if not asked["training"]:
        raise Unsupported("Only batch norm has another output in evaluation.")
    if kind == "layer":
        return F.layer_norm(x, x.shape[1:], weight, bias, epsilon)
    if kind == "group":
        return F.group_norm(x, asked["groups"], weight, bias, epsilon)
    if kind == "instance":
        return F.instance_norm(x, None, None, weight, bias, True, 0.1, epsilon)
    return F.rms_norm(x, x.shape[1:], weight, epsilon)


def given(y):
    return y.detach().float().contiguous().numpy(), str(y.dtype).replace("torch.", "")


def forward(kind, x, asked):
    with torch.no_grad():
        return {"y": given(normalised(kind, entered(x, asked), *kept(asked), asked))}


def backward(kind, x, dy, asked):
    x = entered(x, asked).requires_grad_(True)
    weight, bias, mean, variance = kept(asked)
    parameters = {"dweight": weight, "dbias": None if kind == "rms" else bias}
    for each in parameters.values():
        if each is not None:
            each.requires_grad_(True)
    normalised(kind, x, weight, bias, mean, variance, asked).backward(entered(dy, asked))
    found = {"dx": given(x.grad)}
    found.update({name: given(each.grad) for name, each in parameters.items() if each is not None})
    return found
