"""``gpu``: the CUDA kernels on a GPU, checked against truth and the executed PTX, timed against a copy and PyTorch."""

from __future__ import annotations

from typing import Any

import click

from .options import JSON, SEED

__all__ = ["gpu"]


@click.command()
@click.option("--quick", is_flag=True, help="One feature map and fewer checks.")
@click.option("--kernels", metavar="PATTERN", help="Only the kernels whose name matches a glob or contains this text.")
@SEED
@click.option("--out", metavar="DIR", default="reports", show_default=True, help="Folder of gpu.json and the report.")
@JSON
def gpu(**given: Any) -> None:
    """Check the CUDA kernels on this machine's GPU, and time them.

    Their answers are compared with the exact ones, and in every bit with the executed PTX; their speed with a
    device-to-device copy and, where it is installed, PyTorch. DIR/gpu.json is written, and the report is drawn again
    where DIR holds a study's results. Ends with exit code 3 where there is no GPU, 1 where a check failed.
    """
    from .gpu_run import run_gpu  # noqa: PLC0415

    run_gpu(**given)
