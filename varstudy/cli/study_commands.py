"""What the commands of the study take: run, report, list, compare, explain, check, score, bench, gpu, worst and env."""

from __future__ import annotations

import click

from varkernels.layouts import LAYOUTS, NORMS

from .command_group import command
from .options import (
    ACCUMULATOR,
    ALGORITHM,
    CORRECTION,
    JSON,
    ONLY,
    SEED,
    STORAGE,
    STORAGE_OPTION,
    Known,
    joined,
    level_options,
    sizes,
)
from .tables import WIDE

__all__: list[str] = []


@command("study_run")
@level_options
@ONLY
@SEED
@click.option(
    "--out", metavar="DIR", default="reports", show_default=True, help="Folder of the results and the report."
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(min=1),
    help="Worker processes; as many as there are CPUs by default.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "ptx", "cuda"]),
    default="auto",
    show_default=True,
    help="Also measure the CUDA kernels: on a GPU, by their PTX without one, or whichever there is. "
    "PTX takes maps of at most 2^20 values; with --full, all.",
)
@click.option(
    "--installed/--no-installed",
    default=None,
    help="Measure the frameworks and libraries that are installed here too; by default in a whole study.",
)
@click.option("--parquet", is_flag=True, help="Write results.parquet too (needs pyarrow).")
@click.option("--force", is_flag=True, help="Measure again what an earlier run has left in DIR.")
@WIDE
@JSON
def run() -> None:
    """Run the study and write its report.

    The report's path is printed last. What is measured is kept in DIR/cells: an interrupted run continues where it
    stopped. A long run draws the report of what is measured so far, now and then.
    """


@command("study_run")
@click.argument("results", default="reports")
@click.option("--out", metavar="DIR", help="Folder of the report; that of the results by default.")
@JSON
def report() -> None:
    """Draw the report again from RESULTS.

    RESULTS is a results.json or its folder; reports by default.
    """


@command("list_run", "list")
@click.argument("pattern", nargs=-1, metavar="[PATTERN]", callback=joined)
@click.option("--cases", "sections", flag_value="cases", help="Only the cases.")
@click.option("--algorithms", "sections", flag_value="algorithms", help="Only the algorithms.")
@click.option("--norms", "sections", flag_value="norms", help="Only the norms.")
@level_options
@JSON
def list_() -> None:
    """List the cases, algorithms and norms that match PATTERN.

    PATTERN is a name, a part of one or a glob. Where no name matches, it is words of the description, such as negative,
    rolling or "group norm". All cases are listed, or those of one level with --quick; each with one sentence that says
    why it is here.
    """


@command("compare_run")
@click.argument("before")
@click.argument("after")
@click.option(
    "--tolerance", type=float, default=0.0, show_default=True, help="Ignore relative changes below this, such as 0.01."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Lines of each kind to show.",
)
@click.option("--html", metavar="FILE", help="Write a page with both side by side, regressions first.")
@WIDE
@JSON
def compare() -> None:
    """Compare two results, regressions first.

    BEFORE and AFTER are folders or results.json files. Exit code 1 if anything became worse in AFTER.
    """


@command("check_run")
@click.argument("case", nargs=-1, required=True, metavar="CASE", callback=joined)
@click.option("--norm", type=Known("norm", NORMS), help="One of the case's norms; its first one by default.")
@click.option("--storage", type=STORAGE, help="Only this storage format.")
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@SEED
@WIDE
@JSON
def explain() -> None:
    """Explain CASE: each algorithm's answer and the exact one.

    CASE is a name, or a part or words of the description that only one case has. Each answer is the one for the row
    that the algorithm gets most wrong.
    """


@command("check_run")
@click.argument("file")
@click.option("--norm", type=Known("norm", NORMS), default="flat", show_default=True, help="What shares a variance.")
@click.option("--groups", metavar="N", type=click.IntRange(min=1), help="Number of groups, for --norm group.")
@click.option(
    "--layout",
    type=Known("layout", LAYOUTS),
    help="What the axes are; by default NC, NLC, NCHW or NCDHW, by their number.",
)
@click.option("--storage", type=STORAGE, help="Say bfloat16 to read two-byte values as bfloat16.")
@click.option("--epsilon", type=float, help="What is added to the variance under the root, such as 1e-5.")
@click.option(
    "--max-unpacked", metavar="MIB", type=click.IntRange(min=1), help="Largest compressed array to unpack; 256 MiB."
)
@ACCUMULATOR
@CORRECTION
@ALGORITHM
@click.option("--verbose", is_flag=True, help="Add what each algorithm loses, and the worst-conditioned rows.")
@WIDE
@JSON
def check() -> None:
    """Check your own array in FILE: which algorithm to use.

    FILE is a .npy file, or a .npz or .safetensors file as FILE:NAME. The first line says which algorithm and which
    formats to use; the lines below say why.
    """


@command("audit_run")
@click.argument("model", required=False)
@click.option(
    "--data",
    metavar="FILE",
    multiple=True,
    help="The inputs by name: an .npz file, or a folder of .npy files; repeat it for more batches.",
)
@click.option(
    "--torch",
    "build",
    metavar="MODULE:FUNCTION",
    help="Instead of MODEL: FUNCTION() gives a torch model and its inputs.",
)
@click.option(
    "--format",
    "to",
    type=click.Choice(["float16", "bfloat16"]),
    default="float16",
    show_default=True,
    help="What the model may be converted to.",
)
@click.option(
    "--sensitivity",
    type=click.Choice(["all", "each"]),
    help="Also replace the norms, all together or also one at a time: what reaches the output.",
)
@click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(min=1),
    help="Cut the first axis of every input into batches of N, for data larger than memory.",
)
@click.option("--strict", is_flag=True, help="Keep what depends on the accumulator in float32, too.")
@click.option(
    "--keep", metavar="FILE", help="Write what to keep in float32: a JSON list for a converter's node_block_list."
)
@click.option("--html", metavar="FILE", help="Write a page with all of it.")
@WIDE
@JSON
def audit() -> None:
    """Audit MODEL's norm layers: which fails in float16.

    MODEL is an .onnx file (pip install 'varstudy[onnx]'). It is run on your data by ONNX Runtime as it stands, and each
    normalisation layer is looked at: fused operators, and those that an exporter took apart. The first line says which
    layers break, the lines below why, and what to keep in float32.
    """


@command("score_run")
@click.argument("function")
@level_options
@ONLY
@STORAGE_OPTION
@click.option("--correction", metavar="N", type=click.IntRange(0, 1), help="0 or 1, for a function that can do both.")
@click.option(
    "--max-length",
    metavar="N",
    type=click.IntRange(min=1),
    default=20000,
    show_default=True,
    help="Leave out longer rows.",
)
@click.option(
    "--max-rows",
    metavar="N",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Rows to try of each case.",
)
@SEED
@WIDE
@JSON
def score() -> None:
    """Score FUNCTION, your own or a library's variance.

    FUNCTION is written MODULE:FUNCTION, such as numpy:var, or FILE:FUNCTION, such as ./mine.py:f. It is called with one
    row after the other, as a flat array or, if it refuses that, a list or a torch tensor. It is ranked among our
    algorithms on the same rows, and tried on easy rows of many lengths.
    """


@command("bench_run")
@click.option("--quick", is_flag=True, help="Small arrays, one thread: half a minute.")
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 64),
    multiple=True,
    help="Threads a library may use; may be repeated.  [1 and 2]",
)
@click.option("--sizes", metavar="LIST", callback=sizes, help="Numbers of values, such as 1000,2^10..2^27.")
@click.option("--only", metavar="PATTERN", help="Only the contenders whose name matches a glob or contains this text.")
@click.option(
    "--rounds", metavar="N", type=click.IntRange(min=1), help="Rounds in which each contender takes its turn."
)
@click.option("--no-norms", is_flag=True, help="Leave the feature map, the rows and the columns out.")
@SEED
@click.option("--out", metavar="DIR", default="reports", show_default=True, help="Folder of bench.json and the report.")
@WIDE
@JSON
def bench() -> None:
    """Time this library's variance and other libraries'.

    Their answers are compared with the exact one. What is installed is measured: pip install 'varstudy[peers]' for all.
    DIR/bench.json is written, and the report is drawn again where DIR holds a study's results. Ratios within one run
    are worth more than the numbers themselves.
    """


@command("gpu_run")
@click.option("--quick", is_flag=True, help="One feature map and fewer checks.")
@click.option("--kernels", metavar="PATTERN", help="Only the kernels whose name matches a glob or contains this text.")
@SEED
@click.option("--out", metavar="DIR", default="reports", show_default=True, help="Folder of gpu.json and the report.")
@WIDE
@JSON
def gpu() -> None:
    """Check the CUDA kernels on this machine's GPU, and time them.

    Their answers are compared with the exact ones, and in every bit with the executed PTX; their speed with a
    device-to-device copy and, where it is installed, PyTorch. DIR/gpu.json is written, and the report is drawn again
    where DIR holds a study's results. Ends with exit code 3 where there is no GPU, 1 where a check failed.
    """


@command("worst_run")
@click.option("--formula", metavar="NAME", help="Only this formula.")
@click.option("--order", metavar="NAME", help="Only this order, such as running, pairwise or lanes8.")
@click.option("--dtype", type=STORAGE, help="Only this format, of the values and of the accumulator.")
@click.option("--n", metavar="N", type=click.IntRange(2, 64), help="Only rows of this many values, 2 to 64.")
@click.option("--generations", metavar="N", type=click.IntRange(min=1), help="How long to climb.  [200]")
@SEED
@click.option("--committed", "stored", is_flag=True, help="Show the committed rows; search nothing.")
@click.option("--out", metavar="FILE", help="Write the committed rows, and what is worse, to this JSON file.")
@WIDE
@JSON
def worst() -> None:
    """Search for the rows on which a formula errs most.

    The worst error of M2 in units of u at kappa <= 2, and the largest share of the rigorous bound, by formula, order,
    format and number of values. A search begins with the committed rows and takes a few seconds a cell; pairs of
    float16 or bfloat16 values are all tried. Exit code 1 if a share is above 1: the bound is wrong.
    """


@command("list_run")
@JSON
def env() -> None:
    """Show versions, processor, kernel cache and installed extras."""


@command("vectors_run")
@click.argument("action", type=click.Choice(["export", "check"]))
@click.argument("folder", metavar="DIR")
@click.option(
    "--norm",
    type=click.Choice(["layer", "rms", "group", "instance", "batch", "sync", "variance", "all"]),
    default="all",
    show_default=True,
    help="One norm; sync is the merge of a batch's parts.",
)
@click.option("--dtype", type=STORAGE, help="One format of the arrays.")
@click.option(
    "--profile",
    type=click.Choice(["single", "running", "two-stage", "low-precision"]),
    help="What the kernel does, and so how far it may be off; single by default.",
)
@click.option("--size", type=click.Choice(["small", "full"]), default="small", show_default=True, help="How many rows.")
@click.option("--answers", metavar="OUT", help="With check: the folder of the kernel's answers.")
@JSON
def vectors() -> None:
    """Write test vectors for norm kernels, or check answers to them.

    "export DIR" writes binary files, manifest.json and cases.txt into DIR. "check DIR --answers OUT" reads the answers
    OUT/NAME.OUTPUT.bin, such as layer.float16.length-33.y.bin; exit code 1 where one is beyond its limit. In Python use
    varstudy.testing.assert_norm.
    """
