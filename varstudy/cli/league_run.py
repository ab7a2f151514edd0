"""What ``libraries`` does: score functions and layers, write their league, show tables."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..survey.frameworks.observing import place
from ..survey.league import (
    Function,
    LeagueProblem,
    LeagueStanding,
    chosen,
    interpreters,
    layers,
    league_record,
    measure,
    together,
)
from ..survey.league.comparing import compare
from ..survey.league.league_record import LeagueFact
from ..survey.league.league_rows import MAX_ROWS, MAX_VALUES, rows
from ..survey.libraries.declaring import LONG
from .console import Problem, dump, listed, many, paragraph, progress, say, shown
from .output_folder import prepared, writing
from .program import REGRESSION, alone, sentences
from .tables import show_table, wide, wrong

__all__ = ["libraries"]


def libraries(
    listing: bool,
    as_layers: bool,
    storages: tuple[str, ...],
    threads: tuple[int, ...],
    before: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Score the libraries, or list them."""
    asked = Asked(**given)
    if as_layers:
        if listing or storages or threads or before:
            raise click.UsageError("--layers goes without --list, --storage, --threads and --compare")
        _layers(asked, as_json)
        return
    with sentences():
        functions = chosen(asked.only)
    if listing:
        others = {
            "--install": asked.install, "--all": asked.everywhere, "--quick": asked.quick, "--storage": storages,
            "--threads": threads, "--once": asked.once, "--out": asked.out, "--compare": before,
        }  # fmt: skip
        alone("--list measures and compares nothing", "--list", others)
        _list(functions, as_json)
        return
    earlier = _earlier(before)
    matrices, left_out = asked.cases(storages)
    league = measure(
        functions,
        matrices,
        interpreters.pinned(asked.install, say) if asked.install or asked.everywhere else interpreters.here,
        threads=tuple(dict.fromkeys(threads)) or (1, 2),
        repeats=asked.repeats,
        progress=progress("measuring"),
    )
    limits = {"max_length": LONG, "max_rows": MAX_ROWS, "max_values": MAX_VALUES, "left_out": left_out}
    league.settings = {"level": asked.level, "seed": asked.seed, "only": asked.only, **limits}
    content = league.content(["varstudy", *sys.argv[1:]])
    asked.keep(league_record.NAME, league_record.write, content)
    if earlier is not None:
        _compare(earlier, content, as_json)
    elif as_json:
        dump(content)
    else:
        _show(content)


@dataclass(frozen=True)
class Asked:
    """The options that functions and layers share."""

    everywhere: bool
    install: bool
    only: str | None
    quick: bool
    once: bool
    seed: int
    out: str | None

    @property
    def level(self) -> str:
        return "quick" if self.quick else "default"

    @property
    def repeats(self) -> int:
        return 1 if self.once else 2

    def cases(self, storages: tuple[str, ...]) -> tuple[Any, Any]:
        """The rows of the study's cases and what is left out of them; the output folder is prepared first."""
        if self.out is not None:
            prepared(self.out)
        with sentences():
            return rows(self.level, storages=storages, seed=self.seed)

    def keep(self, name: str, write: Callable[[Path, Mapping[str, Any]], None], content: Mapping[str, Any]) -> None:
        """Write what was measured into the output folder, if there is one."""
        if self.out is not None:
            path = Path(self.out) / name
            with writing(self.out):
                write(path, content)
            say(str(path))


# Cases of up to so many values: those that every function gets.
EVERYONE = 20_000


def _layers(asked: Asked, as_json: bool) -> None:
    """The frameworks' layers instead of functions."""
    with sentences():
        named = layers.chosen(asked.only)
    matrices, left_out = asked.cases(("float32",))
    isolated = asked.install or asked.everywhere
    found = layers.measure(
        named,
        matrices,
        where=lambda framework: place(framework, make=asked.install, isolated=isolated, say=say),
        repeats=asked.repeats,
        progress=progress("measuring"),
    )
    found.settings |= {
        "level": asked.level, "seed": asked.seed, "only": asked.only, "repeats": asked.repeats, "left_out": left_out,
    }  # fmt: skip
    content = found.content(["varstudy", *sys.argv[1:]])
    asked.keep(layers.NAME, layers.write, content)
    if as_json:
        dump(content)
        return
    try:
        league = league_record.committed()
        alone = league["cases"]["float32"] != content["cases"]["float32"]
    except (FileNotFoundError, league_record.LeagueProblem):
        alone = True
    if alone:
        lines = together(
            {**content, "facts": [], "rows": []}, "float32", max_length=EVERYONE, more=layers.rows(content)
        )
    else:
        lines = layers.ranked(league, content, EVERYONE)
    paragraph(_answer("float32", [each for each in lines if each.library.startswith(layers.LAYER)], "layer"))
    click.echo()
    kept = _listed(lines)
    show_table(
        f"float32: rows of up to {EVERYONE:,} values; fewest wrong cases, then most digits",
        ["place", "function", "cases", "wrong", "median", "fewest", "what it is"],
        [
            [
                str(each.place), _name(each), str(each.cases),
                wrong(str(each.wrong), each.wrong > 0), shown(max(0.0, each.digits_median)),
                shown(max(0.0, each.digits_worst)),
                "a layer" if each.library.startswith(layers.LAYER) else each.identity,
            ]
            for each in kept
        ],
        left=2,
        more=("what it is", "cases"),
        least=WIDTHS,
        note=f"{_ours(len(lines) - len(kept))} A layer's digits are those that its outputs show, at least.",
    )  # fmt: skip
    for fact in layers.facts(content):
        if fact.status != "measured":
            click.echo(f"{fact.function}: {fact.status}: {fact.reason}")


def _earlier(before: str | None) -> dict[str, Any] | None:
    if before is None:
        return None
    try:
        return league_record.committed() if before == "committed" else league_record.read(before)
    except LeagueProblem as problem:
        raise Problem(str(problem)) from problem
    except FileNotFoundError as error:
        raise Problem(f"{before} does not exist: give a league.json, or 'committed'") from error


def _list(functions: Sequence[Function], as_json: bool) -> None:
    try:
        league = league_record.committed()
        known = {fact.function: fact for fact in league_record.facts(league)}
        scored = together(league, "float32", max_length=EVERYONE)
    except (FileNotFoundError, LeagueProblem) as problem:
        say(f"No committed results can be shown next to these: {problem}")
        known, scored = {}, []
    if as_json:
        dump([
            {
                "function": each.name, "library": each.library, "environment": each.environment, "eats": each.eats,
                "storages": each.storages, "max_length": each.max_length, "note": each.note,
                "committed": known[each.name].record() if each.name in known else None,
            }
            for each in functions
        ])  # fmt: skip
        return
    measured = [known[each.name] for each in functions if each.name in known and known[each.name].status == "measured"]
    divisors = Counter(fact.default_correction.partition(":")[0] for fact in measured)
    counts = {"n": divisors["0"], "n - 1": divisors["1"]}
    counts["another number"] = len(measured) - sum(counts.values())
    by_default = ", ".join(f"{count} divide by {what}" for what, count in counts.items() if count)
    paragraph(
        f"{many(len(functions), 'function')}, {len(measured)} of them measured."
        + (f" By default {by_default}." if by_default else "")
    )
    names = {each.name for each in functions}
    lines = [each for each in scored if not each.ours and each.name in names]
    if lines:
        paragraph(_answer("float32", lines))
    wrongs: dict[str, LeagueStanding] = {}
    for line in lines:  # of several numbers of threads the worst
        if line.name not in wrongs or line.wrong > wrongs[line.name].wrong:
            wrongs[line.name] = line
    click.echo()
    show_table(
        "By default, and for one value where n = ddof, as committed; wrong: of the study's cases in float32",
        ["function", "measured with", "ddof", "wrong", "one value", "n = ddof", "no value", "1, NaN, 4, 9"],
        [_list_line(each, known.get(each.name), wrongs.get(each.name)) for each in functions],
        left=8,
        more=("no value", "1, NaN, 4, 9", "n = ddof", "measured with"),
        least=WIDTHS,
    )


def _list_line(function: Function, fact: LeagueFact | None, line: LeagueStanding | None) -> list[str]:
    if fact is None or fact.status != "measured":
        why = "" if fact is None else f" ({fact.reason})"
        status = fact.status if fact else "not measured"
        return [function.name, f"{status}{why}", status, "", "", "", "", ""]
    answers = (fact.one_value, fact.at_correction, fact.empty, fact.with_nan)
    versions = fact.version.split(", ")
    version = next((each for each in versions if each.startswith(f"{fact.library.lower()} ")), versions[0])
    cases = "-" if line is None else wrong(f"{line.wrong} of {line.cases}", line.wrong > 0)
    return [function.name, version, fact.default_correction.partition(":")[0], cases, *map(_short, answers)]


def _short(text: str) -> str:
    """What was raised, by its type alone; a number in five digits."""
    if text.startswith("raises "):
        return text.partition(":")[0]
    try:
        return f"{float(text):.5g}" if text != "NaN" else text
    except ValueError:
        return text


# The tables' columns of sentences are no narrower.
WIDTHS = {"function": 34, "what it is": 30}
# Our algorithms that the tables have without --wide, by their names.
FAMOUS = ("naive", "two_pass", "welford", "chan", "pairwise", "exact")
# Functions that the answer names.
NAMED = 3


def _listed(lines: Sequence[LeagueStanding]) -> list[LeagueStanding]:
    """The lines to show: all functions, and the best-known of our algorithms."""
    return [each for each in lines if wide() or not each.ours or each.name.partition(" ")[0] in FAMOUS]


def _name(line: LeagueStanding) -> str:
    return ("* " if line.ours else "") + line.name


def _ours(left_out: int) -> str:
    return "*: our algorithms" + (f"; --wide adds {left_out} more." if left_out else ".")


def _answer(storage: str, lines: Sequence[LeagueStanding], what: str = "function") -> str:
    """Which functions are never wrong, and which most often, in one sentence."""
    if not lines:
        return f"{storage}: no {what} was measured."
    most = max(each.wrong for each in lines)
    sound = dict.fromkeys(each.name for each in lines if not each.wrong)
    worst = dict.fromkeys(each.name for each in lines if each.wrong == most)
    of = many(len({each.name for each in lines}), what)
    if not most:
        return f"{storage}: none of {of} is ever wrong on the study's cases."
    first = next(each for each in lines if each.wrong == most)
    never = f"{len(sound)} of {of} are never wrong on the study's cases" + (
        f" ({listed(list(sound), NAMED)})" if sound else ""
    )
    most_often = f"{listed(list(worst), NAMED)} ({first.wrong} of {many(first.cases, 'case')})"
    return f"{storage}: {never}; most often wrong: {most_often}."


def _show(content: Mapping[str, Any]) -> None:
    absent = [fact for fact in league_record.facts(content) if fact.status != "measured"]
    measured = len(content["facts"]) - len(absent)
    tables = {storage: together(content, storage, max_length=EVERYONE) for storage in content["cases"]}
    paragraph(f"{many(measured, 'function')} measured{f', {len(absent)} not' if absent else ''}.")
    for storage, lines in tables.items():
        paragraph(_answer(storage, [each for each in lines if not each.ours]))
    click.echo()
    for storage, lines in tables.items():
        kept = _listed(lines)
        show_table(
            f"{storage}: rows of up to {EVERYONE:,} values; fewest wrong cases, then most digits",
            ["place", "function", "threads", "ddof", "cases", "wrong", "median", "fewest", "what it is"],
            [
                [
                    str(each.place), _name(each), each.threads, each.default_correction,
                    str(each.cases), wrong(str(each.wrong), each.wrong > 0), shown(max(0.0, each.digits_median)),
                    shown(max(0.0, each.digits_worst)), each.identity,
                ]
                for each in kept
            ],
            left=4,
            more=("threads", "what it is", "cases", "ddof"),
            least=WIDTHS,
            note=f"{_ours(len(lines) - len(kept))} Digits are those of each case's worst row.",
        )  # fmt: skip
    for row in league_record.rows(content):
        if row.refused:
            paragraph(f"{row.function} refuses {row.storage}: {row.refused}")
    reasons: dict[str, list[str]] = {}
    for fact in absent:
        reasons.setdefault(f"{fact.status}: {fact.reason}", []).append(fact.function)
    for reason, names in reasons.items():
        paragraph(f"{', '.join(names)}: {reason}")
    unlike = [fact for fact in league_record.facts(content) if fact.repeated.endswith("differ")]
    for fact in unlike:
        paragraph(f"{fact.function} answers other bits when it runs again: {fact.repeated}.")


def _compare(before: Mapping[str, Any], after: Mapping[str, Any], as_json: bool) -> None:
    changes = compare(before, after)
    worse = sum(change.worse for change in changes)
    if as_json:
        dump({"worse": worse, "changes": [asdict(change) for change in changes]})
        if worse:
            raise click.exceptions.Exit(REGRESSION)
        return
    paragraph(f"{many(len(changes), 'change')}, {worse} for the worse.", wrong=bool(worse))
    if changes:
        click.echo()
        show_table(
            "What changed, the worse first",
            ["function", "storage", "what", "before", "after"],
            [[each.function, each.storage, each.what, each.before, each.after] for each in changes],
            left=5,
        )
    if worse:
        raise click.exceptions.Exit(REGRESSION)
