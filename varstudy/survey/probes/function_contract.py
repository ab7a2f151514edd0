"""What an adapter and the child that runs it agree on. Python 3.8 and numpy only.

An adapter is the ``adapter.py`` of a library's folder, with

    versions()          {"package": "1.2.3"}, asked of the library itself
    set_threads(n)      optional: what limits the library's threads, apart from the environment's variables
    FUNCTIONS           {key: function}

A function is called as ``function(x, storage, ddof)``. `x` is a numpy array of float16, float32 or float64, of the
shape that the catalogue says the function eats; bfloat16 values come as the float32 values that they are, and `storage`
says so. `ddof` is None for the function's own default. It answers a number for each row, and `Answer` where numpy has
no dtype for it.
"""


class Fixed(Exception):
    """The function lets nobody choose the correction asked for."""


class Answer(object):  # noqa: UP004 - the children run on old Pythons
    """Numbers in a format that numpy does not know: the values, widened exactly, and the format's name."""

    def __init__(self, values, format):
        self.values = values
        self.format = format


def keyword(ddof, name="ddof"):
    """The keyword arguments that ask for a correction; none for the default."""
    return {} if ddof is None else {name: ddof}


def only(ddof, fixed):
    """For a function without a choice: refuses all but its own correction."""
    if ddof not in (None, fixed):
        raise Fixed(f"it has no choice of the correction: it is {fixed}")


def fixed(correction, function):
    """An adapter's function of one that takes the values alone and has no choice of the correction."""

    def call(x, storage, ddof):
        only(ddof, correction)
        return function(x)

    return call


def chunks(x, size=1000):
    """A one-dimensional array in parts of so many values; an empty array is one empty part."""
    return [x[k : k + size] for k in range(0, max(1, len(x)), size)]
