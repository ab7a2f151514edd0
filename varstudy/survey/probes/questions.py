"""The experiments: their inputs, tiny and made to be solved exactly, and what is done with a fresh layer.

A *table* holds groups of values that share statistics, (groups, values); `place` lays it out as the array that a kind
and variant of layer normalises group by group, and `gather` reads it back. Inference makes its tables with the same
functions. Nothing here knows an answer.
"""

import inspect

import numpy as np

try:
    from layer_contract import Unsupported
except ImportError:
    from .layer_contract import Unsupported

__all__ = ["OFFSETS", "QUESTIONS", "Asking", "batches", "gather", "gradient_out", "groups_of", "place", "positions"]

EPSILON = 0.25
MOMENTUM = 0.25
MOMENTA = {"momentum": MOMENTUM, "momentum_high": 0.9, "momentum_low": 0.1}
SCALES = range(-13, 5)  # powers of 4
STEPS = 5
LONG = 2000  # 1 / LONG is below the momentum of anybody who averages until a momentum is the larger weight
SIZES = (2, 8, 3)
OFFSETS = {"1e4": 1e4, "1e5": 1e5, "1e6": 1e6}
HALF_MEANS = (0, 4, 100)
MANY = 25088  # 32 x 28 x 28
BASE_MEAN, IMPULSE_MEAN = 4.0, 64.0
BASE_SCALE, IMPULSE_SCALE = 1.0, 16.0


# --- layout -----------------------------------------------------------------------------------------------------


def flat(variant):
    """Whether a variant takes (N, C)."""
    return "2-D" in variant


def groups_of(kind):
    """The `groups` argument of a kind of layer."""
    return 2 if kind == "group" else None


def _axes(kind, variant, count, values):
    """A shape, and which of its axes make up the group number and which the values, in that order."""
    many = values == MANY
    even = values % 2 == 0
    if flat(variant):
        if kind == "batch":
            return (values, count), (1,), (0,)
        if kind == "group":
            return (count // 2, 2, values), (0, 1), (2,)
        if kind == "instance":
            raise Unsupported("an instance of a 2-D array has one value")
        return (count, values), (0,), (1,)
    outer, height, width = (32, 28, 28) if many else (values // 2, 1, 2) if even else (values, 1, 1)
    if kind == "batch":
        return (outer, count, height, width), (1,), (0, 2, 3)
    if kind == "instance":
        height, width = (128, 196) if many else (2, values // 2) if even else (1, values)
        return (count // 2, 2, height, width), (0, 1), (2, 3)
    if kind == "group":
        return (count // 2, 2, outer, height, width), (0, 1), (2, 3, 4)
    if variant.startswith("channels"):
        return (count // 2, values, 1, 2), (0, 3), (2, 1)
    return (count, outer, height, width), (0,), (1, 2, 3)


def _moved(kind, variant, count, values):
    shape, group, value = _axes(kind, variant, count, values)
    order = group + value
    order += tuple(axis for axis in range(len(shape)) if axis not in order)
    return shape, order


def place(kind, variant, table):
    """The array whose groups are a table's rows. Raises Unsupported for a kind that has none in this rank."""
    shape, order = _moved(kind, variant, *table.shape)
    array = table.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))
    if kind == "group":
        array = array.reshape((shape[0], shape[1] * shape[2]) + shape[3:])
    return np.ascontiguousarray(array)


def gather(kind, variant, array, count, values):
    """The table (count, values) of an array that `place` has laid out."""
    shape, order = _moved(kind, variant, count, values)
    return np.asarray(array).reshape(shape).transpose(order).reshape(count, values)


# --- inputs -----------------------------------------------------------------------------------------------------


def pattern(values):
    """Odd integers (even for an odd count) of mean 0, deviations as far apart as float arithmetic keeps exact."""
    return 2.0 * np.arange(values) - (values - 1)


def _small(kind, variant):
    return 4 if flat(variant) else 8


def _scales(kind, variant):
    """Groups of every magnitude, a constant one, and one with a mean."""
    unit = pattern(_small(kind, variant))
    rows = [unit * 4.0**k for k in SCALES]
    return np.array(rows + [np.zeros_like(unit), unit + 8.0])


def _impulses(batch, steps, values):
    """Channel j has another mean and another variance in batch j alone; the last channel never has."""
    unit = pattern(values)
    rows = [
        (IMPULSE_MEAN if j == batch else BASE_MEAN) + (IMPULSE_SCALE if j == batch else BASE_SCALE) * unit
        for j in range(steps + 1)
    ]
    return np.array(rows)


def _random(seed, mean, dtype):
    """Two groups of many normal values about a mean, rounded to the format."""
    table = mean + np.random.RandomState(seed).standard_normal((2, MANY))
    if dtype == "float16":
        return table.astype(np.float16).astype(np.float64)
    table = table.astype(np.float32)
    if dtype == "bfloat16":  # to nearest, ties to even; no value is near the largest
        bits = table.view(np.uint32)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        table = bits.astype(np.uint32).view(np.float32)
    return table.astype(np.float64)


def _gradient(kind, variant):
    unit = pattern(_small(kind, variant))
    rows = [2.0 + unit * scale for scale in (0.0625, 0.25, 1.0, 4.0)]
    return np.array(rows)


def gradient_out(kind, variant):
    """The table of dy: small integers, neither even nor odd in the deviations."""
    values = _small(kind, variant)
    return np.array([[(3 * i * i + 5 * i + r) % 7 + i - 4.0 for i in range(values)] for r in range(4)])


def batches(question, kind, variant):
    """The tables (float64, exact in the layer's dtype) that a question hands over, in order."""
    values = _small(kind, variant)
    if question in ("scales", "epsilon", "set_running"):
        return [_scales(kind, variant)]
    if question in ("steps", "order") or question in MOMENTA:
        count = STEPS if question == "steps" else 3
        return [_impulses(t, count, values) for t in range(count)] + [_evaluated(count + 1, values)]
    if question == "sizes":
        per = 1 if flat(variant) else 2
        return [_impulses(t, len(SIZES), per * size) for t, size in enumerate(SIZES)]
    if question == "long":
        return [_impulses(t, 1, values) for t in (0, -1)]
    if question == "one_value":
        return [np.array([[3.0], [-5.0]]), _scales(kind, variant)[[13, 14]] + 1.0]
    if question == "constant":
        return [np.tile(np.array([[np.float64(np.float32(0.1))], [1000.0]]), (1, 7))]
    if question == "gradient":
        return [_gradient(kind, variant)]
    name, _, rest = question.partition("_")
    if name == "offset":
        return [_random(20240, OFFSETS[rest], "float32")]
    return [_random(20250, float(rest), name)]


def _evaluated(count, values):
    return np.array([3.0 * pattern(values) + 5.0 + row for row in range(count)])


def set_statistics(count):
    """The running statistics that "set_running" puts in: of the magnitude of each group, and not its own."""
    scales = [4.0**k for k in SCALES] + [0.0, 1.0]
    mean = [(row % 5 - 2.0) * scale for row, scale in enumerate(scales)]
    var = [scale * scale for scale in scales]
    return np.array(mean[:count], np.float32), np.array(var[:count], np.float32)


def positions(row):
    """Where the outputs of a long group are recorded: its extremes and some others, evenly spread."""
    row = np.asarray(row)
    chosen = {int(np.argmin(row)), int(np.argmax(row)), 0, row.size - 1}
    order = np.argsort(row, kind="mergesort")
    chosen.update(int(i) for i in order[:8])
    chosen.update(int(i) for i in order[-8:])
    chosen.update(range(0, row.size, row.size // 100))
    return sorted(chosen)


# --- what is done -----------------------------------------------------------------------------------------------


class Asking(object):
    """One (kind, variant) of an adapter under question. `record` makes plain lists of arrays, `note` keeps errors."""

    def __init__(self, adapter, kind, variant, record, note):
        self.adapter, self.kind, self.variant = adapter, kind, variant
        self.record, self.note = record, note
        self.mover = "train"
        self.alike = False
        self.parameters = None
        self.events = []

    def layer(self, table, dtype="float32", **arguments):
        x = place(self.kind, self.variant, table)
        if self.parameters is None:
            self.parameters = inspect.signature(self.adapter.layer).parameters
        if "spatial" in self.parameters:
            arguments["spatial"] = None if x.ndim == 2 else x.shape[2:]
        if "batch" in self.parameters:
            arguments["batch"] = x.shape[0]
        made = self.adapter.layer(
            self.kind, self.variant, x.shape[1], dtype=dtype, groups=groups_of(self.kind), **arguments
        )
        made.dtype_asked = dtype
        return made

    def array(self, layer, table):
        x = place(self.kind, self.variant, table)
        return x.astype(np.float16 if layer.dtype_asked == "float16" else np.float32)

    def running(self, layer):
        found = layer.running() if hasattr(layer, "running") else None
        return None if found is None else {key: self.record(value) for key, value in found.items()}

    def out(self, table, array, at):
        array = np.asarray(array)
        got = gather(self.kind, self.variant, array, *table.shape)
        event = {"dtype": str(array.dtype), "shape": list(array.shape)}
        if at is None:
            event["values"] = self.record(got)
        else:
            event["at"] = at
            event["values"] = [self.record(got[r][where]) for r, where in enumerate(at)]
        return event

    def answer(self, question):
        """The events of a question: each call of a layer, and what came of it."""
        self.events = []
        question(self)
        return self.events

    def start(self, table, **arguments):
        """A fresh layer and its running statistics; None if it can't be made."""
        event = {"do": "layer"}
        if arguments:
            event["arguments"] = dict(arguments)
        self.events.append(event)
        layer = None
        with self.note(event):
            layer = self.layer(table, **arguments)
            event["signature"] = dict(getattr(layer, "arguments", None) or {})
            # What the adapter had to set, since the framework leaves it to its caller.
            event["chosen"] = dict(getattr(layer, "chosen", None) or {})
        if layer is not None:
            with self.note(event, "running_error"):
                event["running"] = self.running(layer)
        return layer

    def event(self, do, layer, batch=None, table=None, at=None, dy=None, seen=True):
        """One call of the layer, what came of it and the running statistics after it. False if it failed.

        What came of it is written down only if it is seen, or failed.
        """
        event = {"do": do}
        self.events.append(event)
        if batch is not None:
            event["batch"] = batch
        with self.note(event):
            if not hasattr(layer, do):
                raise Unsupported("the adapter has no " + do)
            if do in ("train", "evaluate"):
                y = getattr(layer, do)(self.array(layer, table))
                if seen:
                    event["y"] = self.out(table, y, at)
            elif do == "backward":
                dx = layer.backward(self.array(layer, table), self.array(layer, dy))
                if seen:
                    event["dx"] = self.out(table, dx, at)
            elif do == "update":
                layer.update()
            elif do == "set_running":
                layer.set_running(*set_statistics(table.shape[0]))
        if seen or "error" in event:
            with self.note(event, "running_error"):
                event["running"] = self.running(layer)
        return "error" not in event

    def step(self, layer, batch, table, at=None, seen=True):
        """A training step, in the way in which this layer's running statistics move."""
        if not self.event("train", layer, batch, table, at, seen=seen):
            return False
        if self.mover == "backward":
            return self.event("backward", layer, batch, table, at, dy=table, seen=seen)
        if hasattr(layer, "update"):
            return self.event("update", layer, seen=seen)
        return True


def ask_order(ask):
    """When do running statistics move? Forward, forward, backward, and the separate call if there is one."""
    first, second, third, _ = batches("order", ask.kind, ask.variant)
    layer = ask.start(first)
    if layer is None:
        return
    if ask.event("train", layer, 0, first):
        if hasattr(layer, "update"):
            ask.event("update", layer)
        ask.event("train", layer, 1, second)
        ask.event("backward", layer, 2, third, dy=third)
    seen = [event.get("running") for event in ask.events]
    if len(seen) > 3 and seen[-1] is not None and seen[0] == seen[1] == seen[2] and seen[-1] != seen[0]:
        ask.mover = "backward"


def _one_pass(question, **arguments):
    def run(ask):
        table = batches(question, ask.kind, ask.variant)[0]
        layer = ask.start(table, **arguments)
        if layer is not None and ask.step(layer, 0, table):
            ask.event("evaluate", layer, 0, table)

    return run


def _steps(question, **arguments):
    def run(ask):
        tables = batches(question, ask.kind, ask.variant)
        evaluated = None if question == "sizes" else tables.pop()
        layer = ask.start(tables[0], **arguments)
        if layer is None or not all(ask.step(layer, t, table) for t, table in enumerate(tables)):
            return
        if question == "steps":
            with ask.note({}):  # what cannot be read weighs nothing alike
                ask.alike = _alike(ask.events[-1].get("running"))
        if evaluated is not None:
            ask.event("evaluate", layer, len(tables), evaluated)

    return run


def _alike(running):
    """Whether all batches but the last, which may not be in yet, weigh the same in the running mean."""
    mean = np.array([] if running is None else running["mean"], np.float64).reshape(-1)
    if mean.size != STEPS + 1 or not np.isfinite(mean).all():
        return False
    moved = mean[: STEPS - 1] - mean[-1]
    return bool(np.ptp(moved) <= 1e-4 * np.abs(moved).max() > 0)


def _of_averages(run):
    """A question for those alone whose running statistics weigh the batches alike, as after "steps"."""

    return lambda ask: run(ask) if ask.alike else None


def ask_long(ask):
    """What is left of the first batch after many others; the last step is written down."""
    first, other = batches("long", ask.kind, ask.variant)
    layer = ask.start(first)
    if layer is None:
        return
    for t in range(LONG):
        del ask.events[1:]
        if not ask.step(layer, min(t, 1), other if t else first, [[], []], seen=t == LONG - 1):
            return


def ask_one_value(ask):
    """One value a group: with a fresh layer, and with one that has seen a batch."""
    single, usual = batches("one_value", ask.kind, ask.variant)
    layer = ask.start(single)
    if layer is not None:
        ask.step(layer, 0, single)
    layer = ask.start(usual) if ask.kind == "batch" else None
    if layer is not None and ask.step(layer, 1, usual):
        ask.step(layer, 0, single)


def ask_set_running(ask):
    """Evaluation with statistics that were put in, under the default epsilon and under the argument."""
    table = batches("set_running", ask.kind, ask.variant)[0]
    for arguments in ({}, {"epsilon": EPSILON}):
        layer = ask.start(table, **arguments)
        if layer is not None and ask.event("set_running", layer, table=table):
            ask.event("evaluate", layer, 0, table)


def ask_gradient(ask):
    """The gradient of sum(y * dy)."""
    table = batches("gradient", ask.kind, ask.variant)[0]
    for arguments in ({}, {"epsilon": EPSILON}):
        layer = ask.start(table, **arguments)
        if layer is not None:
            ask.event("backward", layer, 0, table, dy=gradient_out(ask.kind, ask.variant))


def _accuracy(question, dtype="float32"):
    def run(ask):
        table = batches(question, ask.kind, ask.variant)[0]
        at = [positions(row) for row in table]
        trials = [{}]
        if ask.kind == "batch" and dtype == "float32":
            trials += [{"momentum": 0.0}, {"momentum": 1.0}]  # one of them gives the new batch the weight 1
        for arguments in trials:
            if dtype != "float32":
                arguments["dtype"] = dtype
            layer = ask.start(table, **arguments)
            if layer is not None:
                ask.step(layer, 0, table, [[] for _ in at] if "momentum" in arguments else at)

    return run


_BATCH = ("batch",)
_ALL = ("batch", "layer", "group", "instance", "rms")

# (id, kinds, what is done), in the order in which they are asked; "order" first, since it finds what moves statistics
QUESTIONS = [
    ("order", _BATCH, ask_order),
    ("scales", _ALL, _one_pass("scales")),
    ("epsilon", _ALL, _one_pass("epsilon", epsilon=EPSILON)),
    ("steps", _BATCH, _steps("steps")),
    ("momentum", _BATCH, _steps("momentum", momentum=MOMENTUM)),
    ("sizes", _BATCH, _steps("sizes")),
    ("momentum_high", _BATCH, _of_averages(_steps("momentum_high", momentum=MOMENTA["momentum_high"]))),
    ("momentum_low", _BATCH, _of_averages(_steps("momentum_low", momentum=MOMENTA["momentum_low"]))),
    ("long", _BATCH, _of_averages(ask_long)),
    ("set_running", _BATCH, ask_set_running),
    ("one_value", _ALL, ask_one_value),
    ("constant", _BATCH, _one_pass("constant")),
    ("gradient", _ALL, ask_gradient),
]
QUESTIONS += [("offset_" + name, _ALL, _accuracy("offset_" + name)) for name in OFFSETS]
QUESTIONS += [
    (name, _ALL, _accuracy(name, name.partition("_")[0]))
    for name in ["%s_%d" % (dtype, mean) for dtype in ("float16", "bfloat16") for mean in HALF_MEANS]
]
