"""The command line: ``python -m varstudy``.

Only click is imported here; each command loads what it needs when it runs, so that help costs nothing.
"""

from __future__ import annotations

import errno
import io
import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__
from .console import Problem, dump, matches, nearest, number, progress, say, show_table, shown

if TYPE_CHECKING:
    from .callables import Scorecard
    from .results import Results

    _Type = click.ParamType[str]
else:
    _Type = click.ParamType

__all__ = ["cli", "main"]

NORMS = ("batch", "layer", "instance", "group", "flat")
LAYOUTS = ("NCHW", "NHWC", "NC")
STORAGES = ("float16", "bfloat16", "float32", "float64")
# What this package cannot do without.
NEEDED = ("varkernels", "numpy", "numba", "ml_dtypes", "mpmath", "pandas", "matplotlib", "rich", "jinja2")
REGRESSION, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


class Known(_Type):
    """One of a few names; a wrong one is answered with the nearest."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        self.name = what
        self.names = tuple(names)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[" + "|".join(self.names) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for name in self.names:
            if str(value).lower() == name.lower():
                return name
        raise Problem(
            f"{self.name} {value!r} is unknown: "
            + nearest(str(value), self.names, f"use one of {', '.join(self.names)}")
        )


class Program(click.Group):
    """The command group: without a command it runs the study; failures are one sentence and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        if "--quick" in args and "--full" in args:
            raise Problem("--quick and --full are two levels of the study: choose one of them")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            known = list(self.commands)
            raise Problem(
                f"command {args[0]!r} is unknown: {nearest(args[0], known, 'use one of ' + ', '.join(known))}"
            )
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run the command line and exit: 0, 1 regression, 2 bad input, 130 interrupted, 141 broken pipe."""
        given = list(sys.argv[1:] if args is None else args)
        code = 0
        try:
            with self.make_context(prog_name or "varstudy", given, **extra) as ctx:
                self.invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.Exit as request:
            code = _flushed(request.exit_code)
        except SystemExit as request:
            # click's own way out of a broken pipe while it prints help
            code = BROKEN_PIPE if request.code == 1 else int(request.code or 0)
        except (KeyboardInterrupt, click.Abort):
            code = INTERRUPTED
            say("Interrupted.")
        except Exception as error:
            code = _explain(error)
        sys.exit(code)


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _explain(error)
    return code


def _silence() -> None:
    """Nothing more can be written: what is left in the buffers must not make the interpreter complain."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass


def _explain(error: Exception) -> int:
    """One sentence for the failures that are the user's to mend; others are bugs and keep their traceback."""
    if isinstance(error, BrokenPipeError):
        _silence()
        return BROKEN_PIPE
    sentence = _sentence(error)
    if sentence is None:
        raise error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _silence()
    say(f"varstudy: {sentence}")
    return BAD_INPUT


def _sentence(error: Exception) -> str | None:
    if isinstance(error, click.ClickException):
        where = getattr(error, "ctx", None)
        path = where.command_path if where is not None else "varstudy"
        return f"{error.format_message().rstrip('.')} (see {path} --help)"
    if isinstance(error, Problem):
        return str(error)
    if isinstance(error, OSError):
        return None if _ours(error) else _about(error, error.filename)
    if isinstance(error, ModuleNotFoundError) and error.name in NEEDED:
        return f"{error.name} is not installed: run pip install -e . in the checkout, or pip install varstudy"
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: use a smaller array or a smaller level of the study"
    # Loaded by now if one of them was raised.
    module = type(error).__module__
    if module.startswith("varstudy.") and isinstance(error, (ValueError, LookupError)):
        return _tidy(str(error))
    if type(error).__name__ == "WorkerFailed" and str(error).startswith("a worker ended"):
        return str(error)
    return None


def _ours(error: OSError) -> bool:
    """Whether the trouble is with a file of this package: a broken installation, or a bug."""
    if not isinstance(error.filename, str):
        return False
    return Path(error.filename).resolve().is_relative_to(Path(__file__).resolve().parent)


def _about(error: OSError, path: object) -> str:
    where = "the output" if path is None else str(path)
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return f"{where} cannot be written ({reason}): free some space, or choose another folder with --out"
    return f"{where} cannot be used ({reason}): check the path and its permissions, or choose another"


# --------------------------------------------------------------------------------------------------- the options

JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON to the standard output, all else to stderr.")
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the values.")
LEVEL = (
    click.option("--quick", "level", flag_value="quick", help="The smallest set of cases."),
    click.option("--full", "level", flag_value="full", help="Every case, the very long ones too."),
)


def level_options(function: Any) -> Any:
    return LEVEL[0](LEVEL[1](function))


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="varstudy")
def cli() -> None:
    """What is a computed variance worth?

    Variance algorithms on adversarial, historical and real feature maps, scored against exact truth.
    Without a command, the default study runs and its report is written to reports/.

    Exit codes: 0 done, 1 a regression was found, 2 bad input, 130 interrupted.
    """


# --------------------------------------------------------------------------------------------------- run, report


@cli.command()
@level_options
@click.option("--only", metavar="PATTERN", help="Only the cases whose name matches a glob or contains this text.")
@SEED
@click.option(
    "--out", metavar="DIR", default="reports", show_default=True, help="Folder of the results and the report."
)
@click.option("--processes", type=click.IntRange(min=1), help="Worker processes; as many as there are CPUs by default.")
@click.option("--parquet", is_flag=True, help="Write results.parquet too (needs pyarrow).")
@click.option("--force", is_flag=True, help="Measure again what an earlier run has left in DIR.")
@JSON
def run(
    level: str | None,
    only: str | None,
    seed: int,
    out: str,
    processes: int | None,
    parquet: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Run the study, write its report, and print the report's path last.

    What is measured is kept in DIR/cells: an interrupted run goes on where it stopped.
    """
    _writable(out)
    from . import results as table  # noqa: PLC0415
    from .study import run as measure  # noqa: PLC0415

    if parquet:
        _needs("pyarrow", "parquet")
    try:
        found = measure(
            level or "default",
            only=only,
            seed=seed,
            out=out,
            force=force,
            processes=processes,
            progress=progress("measured"),
            parquet=parquet,
            argv=_command(),
        )
        page = _draw(found, out)
    except KeyboardInterrupt:
        again = [arg for arg in _command() if arg != "--force"]
        say(f"Interrupted: what is measured is kept in {Path(out) / 'cells'}; go on with: {shlex.join(again)}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    except OSError as error:
        if _ours(error):
            raise
        raise Problem(_about(error, error.filename or out)) from error
    if as_json:
        click.echo(table.to_json(found), nl=False)
        say(str(page))
        return
    _summary(found)
    click.echo(str(page))


def _writable(out: str) -> None:
    """Refuse an output folder that cannot be written, before anything is loaded or measured."""
    import tempfile  # noqa: PLC0415

    try:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Problem(
            f"{out or 'the empty path'} cannot be written ({reason}): choose another folder with --out"
        ) from error


def _needs(module: str, extra: str) -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec(module) is None:
        raise Problem(f"{module} is not installed: run pip install 'varstudy[{extra}]'")


def _command() -> list[str]:
    ctx = click.get_current_context()
    words = [*ctx.find_root().command_path.split(), "run"]
    for name in ("quick", "full"):
        if ctx.params["level"] == name:
            words.append(f"--{name}")
    for name in ("only", "seed", "out", "processes"):
        source = ctx.get_parameter_source(name)
        if source is not None and source is not click.core.ParameterSource.DEFAULT:
            words += [f"--{name}", str(ctx.params[name])]
    words += [f"--{name}" for name in ("parquet", "force") if ctx.params[name]]
    return words + (["--json"] if ctx.params["as_json"] else [])


def _draw(found: Results, folder: str) -> Path:
    from . import report as drawing  # noqa: PLC0415

    say("drawing the report")
    return drawing.write(found, folder)


def _summary(found: Results) -> None:
    """Every algorithm in one line, where it accumulates in the format that the values are stored in."""
    frame = found.frame
    same = frame[(frame["storage"] == frame["accumulator"]) & (frame["rows_scored"] > 0)]
    rows = []
    for name, part in same.groupby("algorithm", sort=False):
        error = part["var_error_worst"]
        median = float(part["var_digits_worst"].median())
        rows.append(
            (
                median,
                [
                    str(name),
                    str(len(part)),
                    shown(median),
                    f"{100 * float((error >= 1).mean()):.0f} %",
                    str(int(part["var_negative"].sum())),
                    str(int((part["var_nan"] + part["var_inf"]).sum())),
                ],
            )
        )
    show_table(
        "Correct digits of the worst row, accumulated in the storage's own format",
        ["algorithm", "measurements", "median digits", "no digit right", "negative", "NaN or inf"],
        [cells for _, cells in sorted(rows, key=lambda row: -row[0])],
    )


@cli.command()
@click.argument("results", default="reports")
@click.option("--out", metavar="DIR", help="Folder of the report; beside the results by default.")
@JSON
def report(results: str, out: str | None, as_json: bool) -> None:
    """Draw the report again from RESULTS, a results.json or its folder (default: reports)."""
    from . import results as table  # noqa: PLC0415

    found = table.read(results)
    folder = out or str(Path(results) if Path(results).is_dir() else Path(results).parent)
    _writable(folder)
    try:
        page = str(_draw(found, folder))
    except OSError as error:
        if _ours(error):
            raise
        raise Problem(_about(error, error.filename or folder)) from error
    if as_json:
        dump({"report": page})
    else:
        click.echo(page)


# --------------------------------------------------------------------------------------------------------- list

SECTIONS = ("cases", "algorithms", "norms")


@cli.command("list")
@click.argument("pattern", default="")
@click.option("--cases", "sections", flag_value="cases", help="Only the cases.")
@click.option("--algorithms", "sections", flag_value="algorithms", help="Only the algorithms.")
@click.option("--norms", "sections", flag_value="norms", help="Only the norms.")
@level_options
@JSON
def list_(pattern: str, sections: str | None, level: str | None, as_json: bool) -> None:
    """List cases, algorithms and norms whose name matches PATTERN, a glob or a part of the name.

    All cases are listed, or those of one level with --quick; each with one sentence that says why it is here.
    """
    wanted = SECTIONS if sections is None else (sections,)
    found: dict[str, list[dict[str, Any]]] = {}
    if "cases" in wanted:
        from . import featuremaps  # noqa: PLC0415

        found["cases"] = [
            {
                "name": case.name,
                "group": case.group,
                "level": next(name for name in featuremaps.LEVELS if name in case.levels),
                "shape": list(case.shape),
                "layout": case.layout,
                "norms": list(case.norms),
                "storages": list(case.storages),
                "rationale": case.rationale,
                "source": case.source,
                "observed": case.observed,
            }
            for case in featuremaps.cases(level or "full")
            if matches(case.name, pattern)
        ]
    if "algorithms" in wanted:
        import varkernels  # noqa: PLC0415

        found["algorithms"] = [
            {
                "name": name,
                "title": algorithm.title,
                "formula": algorithm.formula,
                "order": algorithm.order,
                "summary": algorithm.summary,
                "source": algorithm.source,
                "accumulators": list(algorithm.accumulators),
            }
            for name, algorithm in varkernels.algorithms().items()
            if matches(name, pattern)
        ]
    if "norms" in wanted:
        found["norms"] = [{"name": n, "summary": s} for n, s in NORM_SUMMARIES.items() if matches(n, pattern)]
    if not any(found.values()):
        names = _all_names(wanted)
        raise Problem(f"nothing matches {pattern!r}: {nearest(pattern, names, 'list without a pattern shows all')}")
    if as_json:
        dump(found)
        return
    for section, entries in found.items():
        if not entries:
            continue
        click.echo(f"{section} ({len(entries)})\n")
        for entry in entries:
            about = f" [{entry['group']}, {entry['level']}]" if section == "cases" else ""
            click.echo(f"  {entry['name']}{about}\n      {entry.get('rationale') or entry.get('summary', '')}")
        click.echo()


NORM_SUMMARIES = {
    "batch": "One variance a channel, over the samples and pixels.",
    "layer": "One variance a sample, over its channels and pixels.",
    "instance": "One variance a sample and channel, over its pixels.",
    "group": "One variance a sample and group of channels, over their pixels.",
    "flat": "One variance of all values.",
}


def _all_names(wanted: Sequence[str]) -> list[str]:
    names: list[str] = list(NORMS) if "norms" in wanted else []
    if "cases" in wanted:
        from . import featuremaps  # noqa: PLC0415

        names += [case.name for case in featuremaps.cases("full")]
    if "algorithms" in wanted:
        import varkernels  # noqa: PLC0415

        names += list(varkernels.algorithms())
    return names


# ------------------------------------------------------------------------------------------------------ compare


@cli.command()
@click.argument("before")
@click.argument("after")
@click.option(
    "--tolerance", type=float, default=0.0, show_default=True, help="Relative change that is let pass, such as 0.01."
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Lines of each kind to show.")
@JSON
def compare(before: str, after: str, tolerance: float, limit: int, as_json: bool) -> None:
    """Compare two results (folders or results.json files), regressions first.

    Exit code 1 if anything became worse in AFTER.
    """
    from . import results as table  # noqa: PLC0415

    first, second = table.read(before), table.read(after)
    from .compare import compare as contrast  # noqa: PLC0415

    found = contrast(first, second, tolerance=tolerance)
    missing = [dict(zip(table.KEY, key, strict=True)) for key in found.missing]
    added = [dict(zip(table.KEY, key, strict=True)) for key in found.added]
    if as_json:
        dump(
            {
                "before": before,
                "after": after,
                "shared": found.shared,
                "regressions": [change.record() for change in found.regressions],
                "improvements": [change.record() for change in found.improvements],
                "missing": missing,
                "added": added,
                "settings": {name: {"before": x, "after": y} for name, x, y in found.settings},
            }
        )
    else:
        _show_comparison(found, before, after, limit)
    if not found.shared:
        raise Problem(f"{before} and {after} have no measurement in common: compare studies of the same cases")
    if found.regressions:
        raise click.exceptions.Exit(REGRESSION)


def _show_comparison(found: Any, before: str, after: str, limit: int) -> None:
    def label(key: tuple[Any, ...]) -> list[str]:
        case, norm, groups, storage, accumulator, algorithm, device, correction = key
        where = f"{norm}({groups})" if groups else str(norm)
        ending = "" if device == "cpu" else f" {device}"
        return [case, f"{where} {storage}/{accumulator}{ending} -{correction:g}", algorithm]

    for title, changes in (("Regressions", found.regressions), ("Improvements", found.improvements)):
        if changes:
            show_table(
                f"{title}: {len(changes)}",
                ["case", "norm, storage/accumulator, correction", "algorithm", "metric", "before", "after"],
                [[*label(c.key), c.metric, number(c.before, 6), number(c.after, 6)] for c in changes[:limit]],
                left=4,
                note=f"... and {len(changes) - limit} more: see --limit" if len(changes) > limit else "",
            )
    for title, keys in ((f"Only in {before}", found.missing), (f"Only in {after}", found.added)):
        if keys:
            show_table(
                f"{title}: {len(keys)}",
                ["case", "norm, storage/accumulator, correction", "algorithm"],
                [label(key) for key in keys[:limit]],
                left=3,
                note=f"... and {len(keys) - limit} more: see --limit" if len(keys) > limit else "",
            )
    for name, x, y in found.settings:
        click.echo(f"The studies differ in {name}: {x!r} and {y!r}.")
    verdict = _many(len(found.regressions), "regression")
    if found.regressions:
        verdict += f" in {_many(len({change.key for change in found.regressions}), 'measurement')}"
    better = _many(len(found.improvements), "improvement")
    click.echo(f"{_many(found.shared, 'measurement')} in both: {verdict}, {better}.")


# ------------------------------------------------------------------------------------------------ explain, check

ALGORITHM = click.option(
    "--algorithm", "algorithms", metavar="NAME", multiple=True, help="Only this algorithm; may be repeated."
)
STORAGE = Known("storage", STORAGES)
ACCUMULATOR = click.option(
    "--accumulator",
    type=Known("accumulator", STORAGES),
    help="Format of every operation; those of the study by default.",
)
CORRECTION = click.option("--correction", type=float, help="The variance is M2 / (count - CORRECTION).")


@contextmanager
def _sentences() -> Iterator[None]:
    """What a function of this package refuses in one sentence is bad input."""
    try:
        yield
    except (ValueError, TypeError, LookupError) as error:
        text = str(error)
        if isinstance(error, (IndexError, KeyError, UnicodeError)) or not text or "\n" in text:
            raise
        raise Problem(_tidy(text)) from error


def _tidy(text: str) -> str:
    """A sentence of the library in the words of the command line."""
    return text.replace("the cases of a level are listed by cases()", "see 'python -m varstudy list'")


@cli.command()
@click.argument("case")
@click.option("--norm", type=Known("norm", NORMS), help="One of the case's norms; its first one by default.")
@click.option("--storage", type=STORAGE, help="Only this storage format.")
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@SEED
@JSON
def explain(
    case: str,
    norm: str | None,
    storage: str | None,
    accumulator: str | None,
    correction: float | None,
    algorithms: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Explain CASE: what it is, and each algorithm's answer beside the exact one.

    Each answer is the one for the row that the algorithm gets most wrong.
    """
    from . import featuremaps  # noqa: PLC0415
    from .check import decimal  # noqa: PLC0415
    from .explain import explain as measure  # noqa: PLC0415

    with _sentences():
        found = measure(
            featuremaps.find(case),
            norm=norm,
            storage=storage,
            accumulator=accumulator,
            correction=correction,
            seed=seed,
            algorithms=algorithms,
        )
    if as_json:
        dump(found.record())
        return
    about = found.case
    click.echo(f"{about.name}\n\n{about.rationale}")
    if about.observed:
        click.echo(f"Observed: {about.observed}")
    if about.source:
        click.echo(f"Source: {about.source}")
    groups = f", {about.groups} groups" if about.groups else ""
    shape = "x".join(map(str, about.shape))
    click.echo(f"An array {shape} ({about.layout}) under {', '.join(about.norms)} norm{groups}; seed {seed}.")
    if about.kappa_requested is not None:
        click.echo(f"Condition number asked for: {number(about.kappa_requested)}.")
    click.echo()
    for part in found.parts:
        kappa = f"kappa {number(part.kappa_worst, 6)} at worst, {number(part.kappa_median, 6)} in the median"
        bad = f"; {_many(part.nonfinite, 'row')} with NaN or infinities left out" if part.nonfinite else ""
        title = (
            f"{part.storage} under {part.norm} norm, M2 / (n - {part.correction:g}): {_many(part.rows, 'row')} of "
            f"{_many(part.values, 'value')}, {kappa}{bad}"
        )
        show_table(
            title,
            ["algorithm", "accumulator", "worst row", "computed", "exact", "digits", "ulp", "digits guaranteed"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    part.names.get(a.row, "-"),
                    a.text,
                    decimal(Fraction(a.exact)) if a.exact else "-",
                    _digits(a.digits_worst, a.constant_worst),
                    "-" if math.isnan(a.ulps_worst) else number(a.ulps_worst),
                    _guaranteed(a.digits_bound),
                ]
                for a in part.answers
            ],
            left=3,
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _digits(digits: float, constant: float = math.nan) -> str:
    """Correct digits; where every row is constant, whether the answer is the right one, zero."""
    if not math.isnan(digits):
        return shown(max(digits, 0.0))
    return "-" if math.isnan(constant) else "exact" if constant == 0 else "none" if math.isinf(constant) else "0.0"


def _guaranteed(digits: float) -> str:
    return "-" if math.isnan(digits) else "none" if digits <= 0 else shown(digits)


@cli.command()
@click.argument("file")
@click.option("--norm", type=Known("norm", NORMS), default="flat", show_default=True, help="What shares a variance.")
@click.option("--groups", type=click.IntRange(min=1), help="Number of groups, for --norm group.")
@click.option("--layout", type=Known("layout", LAYOUTS), default="NCHW", show_default=True, help="What the axes are.")
@click.option("--storage", type=STORAGE, help="Say bfloat16 to read two-byte values as bfloat16.")
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@JSON
def check(
    file: str,
    norm: str,
    groups: int | None,
    layout: str,
    storage: str | None,
    accumulator: str | None,
    correction: float | None,
    algorithms: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check your own array in FILE, a .npy file, or .npz as FILE.npz:NAME.

    Says how ill-conditioned each row's variance is, what each algorithm loses on it, measured and
    guaranteed, and which one to use.
    """
    if (norm == "group") != (groups is not None):
        raise Problem(
            "--norm group needs the number of groups: add --groups, such as --groups 32"
            if norm == "group"
            else f"--groups {groups} is for group norm only: add --norm group, or leave it out"
        )
    from . import featuremaps  # noqa: PLC0415
    from .check import check as measure  # noqa: PLC0415

    loaded = featuremaps.load(file, storage=storage)
    with _sentences():
        found = measure(
            loaded.array,
            norm,
            layout=layout,
            groups=groups,
            correction=0.0 if correction is None else correction,
            accumulator=accumulator,
            algorithms=algorithms,
            how=loaded.how,
        )
    if as_json:
        dump({"file": file, **found.record()})
        return
    click.echo(
        f"{file}: {'x'.join(map(str, found.shape))} values in {found.storage}"
        + (f" ({found.how})" if found.how else "")
        + f"; {norm} norm takes {_many(found.values, 'value')} together in "
        + ("its only row." if found.rows == 1 else f"each of {found.rows} rows.")
    )
    if found.nonfinite:
        more = ", ..." if found.nonfinite > len(found.nonfinite_named) else ""
        click.echo(
            f"{_many(found.nonfinite, 'row')} with a NaN or an infinity, which has no variance: "
            + "; ".join(found.nonfinite_named)
            + more
        )
    if found.constant:
        click.echo(f"{_many(found.constant, 'constant row')}, with the exact variance 0.")
    if found.undefined:
        click.echo(f"{_many(found.undefined, 'row')} of no more than {found.correction:g} values, without a variance.")
    if found.worst:
        click.echo(
            f"Condition number of the variance: {number(found.kappa_worst, 4)} at worst, "
            f"{number(found.kappa_median, 4)} in the median.\n"
        )
        show_table(
            "The worst-conditioned rows",
            ["row", "what it is", "kappa", "exact variance"],
            [[str(each.row), each.what, number(each.kappa, 4), each.exact] for each in found.worst],
            left=2,
        )
    if found.answers:
        show_table(
            f"Correct digits of {found.available:.1f} that {found.storage} has, over the rows that vary",
            ["algorithm", "accumulator", "worst row", "median", "guaranteed", "negative", "NaN or inf", "on constants"],
            [
                [
                    a.algorithm,
                    a.accumulator,
                    _digits(a.digits_worst),
                    _digits(a.digits_median),
                    _guaranteed(a.digits_bound),
                    str(a.negative),
                    str(a.nan + a.infinite),
                    "-" if math.isnan(a.constant_worst) else number(a.constant_worst),
                ]
                for a in found.answers
            ],
            left=2,
        )
    click.echo(found.advice)


# --------------------------------------------------------------------------------------------------------- score


@cli.command()
@click.argument("function")
@level_options
@click.option("--only", metavar="PATTERN", help="Only the cases whose name matches a glob or contains this text.")
@click.option("--storage", "storages", type=STORAGE, multiple=True, help="Only this storage format; may be repeated.")
@click.option("--correction", type=click.IntRange(0, 1), help="0 or 1, for a function that can do both.")
@click.option(
    "--max-length", type=click.IntRange(min=1), default=20000, show_default=True, help="Leave out longer rows."
)
@click.option("--max-rows", type=click.IntRange(min=1), default=4, show_default=True, help="Rows to try of each case.")
@SEED
@JSON
def score(
    function: str,
    level: str | None,
    only: str | None,
    storages: tuple[str, ...],
    correction: int | None,
    max_length: int,
    max_rows: int,
    seed: int,
    as_json: bool,
) -> None:
    """Score FUNCTION, any variance written MODULE:FUNCTION, such as numpy:var or statistics:variance.

    It is called with one row after the other, as a flat array, and ranked among our algorithms on the same rows.
    """
    from . import callables  # noqa: PLC0415

    found = callables.resolve(function)
    with _sentences():
        card = callables.score(
            found,
            function,
            level=level or "default",
            only=only,
            storages=storages or None,
            seed=seed,
            correction=correction,
            max_length=max_length,
            max_rows=max_rows,
            progress=progress("scored"),
        )
    if as_json:
        dump(card.record())
        return
    _show_scorecard(card)


def _show_scorecard(card: Scorecard) -> None:
    click.echo(f"{card.name}, called {card.convention}. {card.convention.note}\n")
    parts: dict[tuple[str, str], list[Any]] = {}
    for each in card.scores:
        parts.setdefault((each.group, each.storage), []).append(each)
    lines = []
    for (group, storage), scores in parts.items():
        scored = [each for each in scores if each.rows]
        worst = min(scored, key=lambda each: each.digits_worst, default=None)
        middle = sorted(each.digits_worst for each in scored)
        lines.append(
            [
                group,
                storage,
                str(len(scores)),
                "-" if worst is None else shown(max(middle[(len(middle) - 1) // 2], 0.0)),
                "-" if worst is None else shown(max(worst.digits_worst, 0.0)),
                str(sum(each.wrong for each in scored)),
                *(str(sum(getattr(each, name) for each in scores)) for name in ("negative", "nan", "infinite")),
                str(sum(each.failures for each in scores)),
                "-" if worst is None else worst.case,
            ]
        )
    show_table(
        "Correct digits of each case's worst row, and rows that came out wrong",
        [
            "group",
            "storage",
            "cases",
            "median",
            "fewest",
            "no digit right",
            "negative",
            "NaN",
            "inf",
            "raised",
            "worst case",
        ],
        lines,
        left=2,
    )
    raised = {each.failure: each.case for each in reversed(card.scores) if each.failure}
    for text, case in raised.items():
        click.echo(f"Raised, first on {case}: {text}")
    missed = sum(each.nonfinite_missed for each in card.scores)
    if missed:
        click.echo(f"{missed} rows with a NaN or an infinity got a finite answer.")
    show_table(
        "Ranking on the same rows: fewest cases without a correct digit, then most digits in the median",
        ["place", "algorithm", "accumulated and answered in", "measurements", "no digit right", "median digits"],
        [
            [
                str(1 + sum((s.wrong, -s.digits_median) < (each.wrong, -each.digits_median) for s in card.ranking)),
                each.name,
                each.accumulator or "its own way",
                str(each.cases),
                str(each.wrong),
                shown(max(each.digits_median, 0.0)),
            ]
            for each in card.ranking
        ],
        left=3,
    )
    for name, why in card.left_out.items():
        if name.startswith("every case"):
            click.echo(f"Left out: {name}, since {why}.")
    longer = [name for name in card.left_out if not name.startswith("every case")]
    if longer:
        click.echo(f"Left out: {len(longer)} cases with longer rows; raise --max-length to try them.")
    if card.shortened:
        click.echo(f"Of {len(card.shortened)} cases only the first rows were tried; raise --max-rows to try more.")
    click.echo(f"{card.name} takes place {card.rank} of {len(card.ranking)}.")


# ----------------------------------------------------------------------------------------------------------- env


@cli.command()
@JSON
def env(as_json: bool) -> None:
    """Show versions, the processor, the folder of compiled kernels, and which extras are installed."""
    from importlib.util import find_spec  # noqa: PLC0415

    from varkernels.jit import cache_folder  # noqa: PLC0415

    from . import provenance  # noqa: PLC0415

    found = provenance.collect()
    extras = {extra: find_spec(module) is not None for extra, module in EXTRAS.items()}
    facts = {
        "versions": found["versions"],
        "python": sys.executable,
        "system": found["system"],
        "cpu": found["cpu"],
        "commit": found["commit"],
        "cache": str(cache_folder()),
        "extras": extras,
    }
    if as_json:
        dump(facts)
        return
    for name, version in found["versions"].items():
        click.echo(f"{name:<14}{version}")
    click.echo(f"{'executable':<14}{sys.executable}")
    click.echo(f"{'system':<14}{found['system']}")
    cpu = found["cpu"]
    click.echo(f"{'processor':<14}{cpu['model']}, {cpu['cores']} usable cores")
    vector = [flag for flag in cpu["flags"] if flag.startswith(("avx", "fma", "f16c", "sse4", "neon", "asimd", "sve"))]
    click.echo(f"{'vector units':<14}{' '.join(vector) or 'unknown'}")
    click.echo(f"{'commit':<14}{found['commit'] or 'not run from a checkout'}")
    click.echo(f"{'kernel cache':<14}{cache_folder()}")
    for extra, there in extras.items():
        state = "installed" if there else f"missing: pip install 'varstudy[{extra}]'"
        click.echo(f"{'extra':<14}{extra}: {state}")


EXTRAS = {"parquet": "pyarrow", "photos": "sklearn", "fast-truth": "gmpy2", "test": "pytest"}


# --------------------------------------------------------------------------------------------------------- main


def main() -> None:
    """The entry point of ``varstudy`` and ``python -m varstudy``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets its answer
    as_module = Path(sys.argv[0]).name == "__main__.py"
    cli.main(prog_name="python -m varstudy" if as_module else "varstudy")


if __name__ == "__main__":
    main()
