"""What an installer printed, as one sentence that says what went wrong and what to do."""

from __future__ import annotations

import re

__all__ = ["explain"]

DISK = "no space left on device"
NETWORK = (
    "newconnectionerror",
    "connecttimeouterror",
    "readtimeouterror",
    "connection refused",
    "connection reset",
    "temporary failure in name resolution",
    "name or service not known",
    "network is unreachable",
    "failed to establish a new connection",
    "max retries exceeded",
    "cannot connect to proxy",
    "proxyerror",
    "error sending request",
    "dns error",
    "failed to lookup address",
    "failed to fetch",
    "enotfound",
    "eai_again",
    "econnrefused",
    "etimedout",
)
NO_VENV = ("no module named venv", "no module named 'venv'", "ensurepip is not available", "no module named ensurepip")
ABSENT = (
    re.compile(r"No matching distribution found for ([^\s]+)"),
    re.compile(r"Could not find a version that satisfies the requirement ([^\s]+)"),
    re.compile(r"there is no version of ([^\s]+)"),
    re.compile(r"([^\s]+) was not found in the package registry"),
    re.compile(r"No matching version found for ([^\s]+)"),
)


def explain(text: str, name: str, python: str) -> str:
    """The sentence for what pip, uv, npm or venv printed while they made environment `name`."""
    lower = text.lower()
    if DISK in lower:
        return f"{name}: the disk is full: free some space and install it again; what is done is kept"
    if any(each in lower for each in NO_VENV):
        return (
            f"{name}: Python {python} has no venv module: install it (Debian: python{python}-venv), or another "
            f"Python {python}, or uv"
        )
    # First: pip without a network says, too, that it found no version.
    if any(each in lower for each in NETWORK):
        return f"{name}: the package index does not answer: check the network and install it again"
    for pattern in ABSENT:
        found = pattern.search(text)
        if found:
            what = found[1].rstrip(".,;:")
            # pip that may not try again says nothing of the network.
            silent = ", or does not answer" if "(from versions: none)" in text else ""
            return (
                f"{name}: the package index has no {what} for Python {python} on this machine{silent}: it was not "
                "installed"
            )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    said = (errors or lines or ["it printed nothing"])[-1]
    return f"{name}: the installer failed ({said[:300]}): install it again, or look into its log"
