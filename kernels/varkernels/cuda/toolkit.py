"""NVIDIA's offline tools: where ptxas and nvdisasm are, and one call of each."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["Refused", "ToolkitMissing", "assemble", "disassemble", "tool", "version"]

# Where the wheels of CUDA 13 put their programs, below the namespace package `nvidia`.
_FOLDERS = ("cu13/bin",)
_PACKAGES = {"ptxas": "nvidia-cuda-nvcc==13.0.*", "nvdisasm": "nvidia-cuda-nvdisasm"}


class ToolkitMissing(RuntimeError):
    """A program is not installed; the message says which, and how to get it."""


class Refused(RuntimeError):
    """A program refused its input; the message ends with its own words."""


@cache
def tool(name: str) -> str:
    """The path of ``ptxas`` or ``nvdisasm``: the one among Python's packages, else the machine's.

    Raises
    ------
    ToolkitMissing
        It is in neither place.
    """
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for folder in _FOLDERS:
            found = shutil.which(name, path=str(Path(place) / folder))
            if found:
                return found
    found = shutil.which(name)
    if not found:
        raise ToolkitMissing(
            f'{name} is not installed: run pip install "varstudy[cuda-offline]" (its package is {_PACKAGES[name]}), '
            "or put the folder bin of a CUDA 13.0 toolkit on the PATH"
        )
    return found


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # nvdisasm writes its input's symbols, in whatever bytes these have.
    return subprocess.run([tool(name), *arguments], capture_output=True, text=True, errors="replace", check=False)


@cache
def version(name: str) -> str:
    """The version that a tool says it is, such as ``13.0.88``.

    Raises
    ------
    ToolkitMissing
        It is not installed.
    """
    found = re.search(r"release [\d.]+, V([\d.]+)", _run(name, "--version").stdout)
    return found[1] if found else "unknown"


def assemble(text: str, target: str, folder: Path, stem: str, *, options: tuple[str, ...] = ()) -> tuple[Path, str]:
    """Assemble PTX for a target: the cubin, written into the folder, and what ptxas says of it.

    Raises
    ------
    ToolkitMissing
        ptxas is not installed.
    Refused
        ptxas does not take the text for this target.
    """
    source, cubin = folder / f"{stem}.{target}.ptx", folder / f"{stem}.{target}.cubin"
    source.write_text(text, encoding="utf-8")
    done = _run("ptxas", f"-arch={target}", "-v", *options, str(source), "-o", str(cubin))
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).replace(str(source), stem).split())
        raise Refused(f"ptxas {version('ptxas')} refuses {stem} for {target}: {said[:600]}")
    return cubin, done.stderr + done.stdout


def disassemble(cubin: Path) -> str:
    """The instructions of a cubin.

    Raises
    ------
    ToolkitMissing
        nvdisasm is not installed.
    Refused
        nvdisasm does not read the file.
    """
    done = _run("nvdisasm", "-c", "-ndf", str(cubin))
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise Refused(f"nvdisasm {version('nvdisasm')} does not read {cubin.name}: {said[:600]}")
    return done.stdout
