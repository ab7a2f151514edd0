"""PyTorch's torch.nn.LocalResponseNorm and torch.nn.utils.parametrizations.weight_norm on the CPU."""

import torch


def versions():
    return {"torch": torch.__version__}


def response(x, given):
    return torch.nn.LocalResponseNorm(**given)(torch.tensor(x)).numpy()


def weight(x, given):
    layer = torch.nn.Linear(x.shape[1], x.shape[0], bias=False, dtype=torch.tensor(x).dtype)
    layer.weight.data = torch.tensor(x)
    options = {"dim": given["axis"]} if "axis" in given else {}
    layer = torch.nn.utils.parametrizations.weight_norm(layer, **options)
    g = layer.parametrizations.weight.original0
    if "g" in given:
        g.data.fill_(given["g"])
    return {"y": layer.weight.detach().numpy(), "g": g.detach().numpy()}
