"""What the ``sync.py`` of every framework needs: the ranks' batches, and the file of observations.

It asks the framework of the ``adapter.py`` next to it: ``python probes/sync.py SCRIPT --out FILE``. Each rank has its
own batch, (N, C) with two channels, of small integers. A run is one training step of one synchronised layer on all
ranks:

``mechanism``, ``what``
    a few words, and a sentence. Of several layers of a framework each has its own.
``sizes``, ``world``
    "unequal" or "equal", and the number of ranks.
``epsilon``, ``momentum``
    the arguments; a momentum of one half weighs old and new alike, whichever of them it multiplies.
``x``, ``y``
    for each rank, the batch and what came out.
``before``, ``after``
    for each rank, the running statistics {"mean", "var"}; null where none are kept.
``error``
    "Type: first sentence" in the place of ``y`` and ``after``; ``unsupported``, a sentence, where the layer can't be
    asked this at all.
"""

import argparse
import os
import platform
import time

import numpy as np

try:
    import adapters
except ImportError:
    from . import adapters

FORMAT = 1
EPSILON = 2.0**-10
MOMENTUM = 0.5
CHANNELS = 2
WORLDS = (2, 3)
SIZES = {"unequal": (2, 6, 4), "equal": (4, 4, 4)}


def shards(sizes, world):
    """The batches of `world` ranks, float32: mean and spread differ from rank to rank."""
    found = []
    for rank in range(world):
        step = np.arange(SIZES[sizes][rank])
        first = 10 * rank * rank + (step * step + rank) % 7 + 2 * step
        second = 3 - 8 * rank + (2 + rank) * (step - 1)
        found.append(np.stack([first, second], axis=1).astype(np.float32))
    return found


def named(problem):
    """An exception in one line: its type and its first sentence."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return f"{type(problem).__name__}: {(lines or [''])[0].partition('. ')[0]}"[:400]


class NotMet(Exception):
    """The processes of several ranks did not find each other: nothing was asked of a layer yet."""


def patiently(together, pauses=(1, 2)):
    """What `together()` found; again after each of the `pauses`, in seconds, where it raises NotMet.

    Gloo's connection of the processes breaks off now and then on a busy machine (pytorch/pytorch issue 53270), which
    says nothing about a layer.
    """
    for pause in pauses:
        try:
            return together()
        except NotMet:
            time.sleep(pause)
    return together()


def plain(value):
    """Lists of numbers from arrays, and from lists and dicts of them."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return np.asarray(value, dtype=np.float64).tolist()


def run(mechanism, what, sizes, world, step):
    """The record of one run. `step(shards)` gives (y, before, after), each a list with an entry for each rank."""
    x = shards(sizes, world)
    found = {"mechanism": mechanism, "what": what, "sizes": sizes, "world": world}
    found.update(epsilon=EPSILON, momentum=MOMENTUM, x=plain(x))
    try:
        y, before, after = step(x)
        found.update(y=plain(y), before=plain(before), after=plain(after))
    except Exception as problem:
        unsupported = type(problem).__name__ == "Unsupported"
        found["unsupported" if unsupported else "error"] = str(problem) if unsupported else named(problem)
    return found


def joined(mechanism, what, sizes, world, answers):
    """The record of one run whose ranks are processes: each answered [y, before, after], or says what went wrong."""

    def step(_):
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(answer)
        return tuple(zip(*answers))

    one = run(mechanism, what, sizes, world, step)
    if "error" in one:
        one["error"] = one["error"].partition(": ")[2]
    return one


def out():
    """The file that the command line asks for."""
    parser = argparse.ArgumentParser(description="Observe a framework's synchronised batch normalisation on the CPU.")
    parser.add_argument("--out", required=True, help="the JSON file to write")
    return os.path.abspath(parser.parse_args().out)


def write(path, script, runs):
    """Write the observations, under the name and the versions of the adapter next to `script`, the caller's file."""
    adapter = adapters.load(os.path.join(os.path.dirname(os.path.abspath(script)), "adapter.py"))
    said = {"format": FORMAT, "framework": adapter.FRAMEWORK, "versions": adapter.versions()}
    said["python"] = platform.python_version()
    said.update(date=time.strftime("%Y-%m-%d", time.gmtime()), runs=runs)
    adapters.write(path, said)  # NaN as NaN: a result of the framework's


def main(script, mechanism, what, step):
    """Observe a layer in every world; `step` as of `run`, `script` as of `write`."""
    path = out()
    write(path, script, [run(mechanism, what, sizes, world, step) for world in WORLDS for sizes in SIZES])
