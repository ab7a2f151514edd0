"""Asks one framework every question, in the framework's own interpreter, and writes down what it observed.

``python probe.py --adapter ADAPTER.py --out FILE [--threads N] [--only KIND] [--variant NAME] [--question ID]
[--skip "KIND, VARIANT: ID"]``

Python 3.6 to 3.12, numpy only. The file is JSON: numbers as their shortest repr that reads back the same, NaN and
infinities as the strings "nan", "inf" and "-inf". It is written whole before each question, with the question under
way in "asking", so that a process that dies tells where; at the end "asking" is null. A question that fails holds
{"error": "Type: first line"} (or {"unsupported": sentence}) and the next one is asked.
"""

import argparse
import contextlib
import math
import os
import platform
import sys
import time
import warnings

import numpy as np

try:
    import adapters
    import questions
except ImportError:
    from . import adapters, questions

FORMAT = 1


def record(values):
    """Plain lists, numbers and strings of an array or a number."""
    if isinstance(values, (list, tuple)):
        return [record(value) for value in values]
    if values is None or isinstance(values, (str, bool)):
        return values
    array = np.asarray(values)
    if array.ndim:
        return [record(value) for value in array]
    value = array.item()
    if isinstance(value, (bool, int, str)):
        return value
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def first_line(problem):
    """The first line that tells something: no rule of dashes, no place in a source; of a traceback the last."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip(" -=\t")]
    if lines and lines[0].startswith("Traceback"):
        lines.reverse()
    telling = [line for line in lines if not line.startswith(("Exception from ", "Check '", "FrontEnd API failed"))]
    return (telling or lines or [""])[0][:400]


@contextlib.contextmanager
def note(into, key="error"):
    """Keeps an exception in a dict and goes on."""
    try:
        yield
    except (Exception, SystemExit) as problem:
        if type(problem).__name__ == "Unsupported":
            into["unsupported"] = first_line(problem)
            into.setdefault(key, "Unsupported: " + first_line(problem))
        else:
            into[key] = "%s: %s" % (type(problem).__name__, first_line(problem))


def arguments(words):
    parser = argparse.ArgumentParser(description="Ask one framework's normalisation layers every question.")
    parser.add_argument("--adapter", required=True, help="the adapter's file")
    parser.add_argument("--out", required=True, help="the JSON file to write")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", help="a kind: batch, layer, group, instance, rms; may be repeated")
    parser.add_argument("--variant", action="append", help="a variant's name; may be repeated")
    parser.add_argument("--question", action="append", help="a question's id; may be repeated")
    parser.add_argument("--skip", action="append", default=[], help='"KIND, VARIANT: ID", left out; may be repeated')
    return parser.parse_args(words)


def begin(threads):
    """What is known before the adapter is imported."""
    return {
        "format": FORMAT,
        "asking": "import",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": threads,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "variants": [],
    }


def observe(options):
    """All of it; returns the observations, which are on disk too."""
    start = time.time()
    observed = begin(options.threads)
    out = os.path.abspath(options.out)

    def save():
        adapters.write(out, observed, allow_nan=False)

    save()
    with note(observed):
        adapter = adapters.load(options.adapter)
        observed["framework"] = adapter.FRAMEWORK
        with note(observed, "versions_error"):
            observed["versions"] = {str(key): str(value) for key, value in adapter.versions().items()}
        if hasattr(adapter, "set_threads"):
            with note(observed, "threads_error"):
                adapter.set_threads(options.threads)
        observed["import_seconds"] = round(time.time() - start, 3)
        ask_all(adapter, options, observed, save)
    observed["seconds"] = round(time.time() - start, 3)
    observed["asking"] = None
    save()
    return observed


def ask_all(adapter, options, observed, save):
    """Every question of every kind and variant; `save` is called before each."""
    for kind, variants in adapter.VARIANTS.items():
        if options.only and kind not in options.only:
            continue
        for variant, title in variants.items():
            if options.variant and variant not in options.variant:
                continue
            ask = questions.Asking(adapter, kind, variant, record, note)
            answers = {}
            observed["variants"].append({"kind": kind, "variant": variant, "title": title, "answers": answers})
            for name, kinds, run in questions.QUESTIONS:
                asked = not options.question or name in options.question
                if kind not in kinds or not (asked or name == "order"):
                    continue
                label = "%s, %s: %s" % (kind, variant, name)
                if label in options.skip:
                    continue
                observed["asking"] = label
                save()
                answer = answers[name] = {}
                start = time.time()
                with note(answer), warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    answer["events"] = ask.answer(run)
                answer["seconds"] = round(time.time() - start, 3)


def main(words=None):
    options = arguments(words)
    sys.stdout.flush()
    os.dup2(2, 1)  # whatever a framework prints is no result
    observed = observe(options)
    problem = observed.get("error")
    if problem:
        sys.stderr.write("probe: %s\n" % problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
