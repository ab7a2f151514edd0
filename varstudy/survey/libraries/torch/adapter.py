"""PyTorch's variances."""

import torch
from function_contract import Answer, keyword


def versions():
    return {"torch": torch.__version__}


def set_threads(n):
    torch.set_num_threads(n)


def tensor(x, storage):
    made = torch.from_numpy(x)
    return made.to(torch.bfloat16) if storage == "bfloat16" else made


def plain(found):
    if found.dtype == torch.bfloat16:
        return Answer(found.to(torch.float32).numpy(), "bfloat16")
    return found.numpy()


def along(function, axis, which=None):
    def call(x, storage, ddof):
        found = function(tensor(x, storage), dim=axis, **keyword(ddof, "correction"))
        return plain(found if which is None else found[which])

    return call


FUNCTIONS = {
    "var": along(torch.var, None),
    "var, dim -1": along(torch.var, -1),
    "var, dim 0": along(torch.var, 0),
    "var_mean": along(torch.var_mean, None, 0),
    "var_mean, dim -1": along(torch.var_mean, -1, 0),
    "var_mean, dim 0": along(torch.var_mean, 0, 0),
}
