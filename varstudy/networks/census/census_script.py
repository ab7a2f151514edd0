"""Audits one network in the environment that has it, by the packages of the calling process: NET ROOTS --out FILE.

ROOTS are the folders with varstudy and varkernels, joined by the path separator; they come after the environment's own
packages, so that only what it lacks is taken from there.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def _audits(name: str, training: bool, sensitive: bool) -> dict[str, Any]:
    builders = importlib.import_module("varstudy.networks.census.builders")
    first, inputs = builders.BUILDERS[name]()
    found: dict[str, Any] = {}
    if isinstance(first, Path):
        models = importlib.import_module("varstudy.networks.onnx_models")
        found["runtime"] = f"onnxruntime {importlib.import_module('onnxruntime').__version__}"

        def audit(fmt: str, mode: str | None) -> Any:
            return models.audit_onnx(first, [inputs], fmt, sensitivity=mode)
    else:
        torch = importlib.import_module("torch")
        modules = importlib.import_module("varstudy.networks.torch_modules")
        found["runtime"] = f"torch {torch.__version__}"

        def audit(fmt: str, mode: str | None) -> Any:
            return modules.audit(first, *inputs, format=fmt, sensitivity=mode)

    for fmt in ("float16", "bfloat16"):
        start = time.process_time()
        found[fmt] = audit(fmt, None).record()
        found.setdefault("seconds", time.process_time() - start)
    if sensitive:
        if training:
            for module in first.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.train()
        found["effects"] = {fmt: audit(fmt, "all").record()["sensitivity"] for fmt in ("float16", "bfloat16")}
    return found


def main(words: list[str]) -> None:
    """Audit, and write the records: NaN and infinities as Python writes them, which Python reads."""
    name, roots, training, sensitive, _, out = words
    sys.path += roots.split(os.pathsep)
    Path(out).write_text(json.dumps(_audits(name, training == "True", sensitive == "True")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
