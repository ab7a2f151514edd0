"""What is known of a framework's batch norm: from the measured findings, else from its documentation.

No convention of a framework is written in this package: the rows are the only source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..._io.matching import nearest, unique
from ..findings.documented import Documented
from ..findings.measured import FindingRow
from ..findings.properties import (
    EpsilonInRunning,
    EpsilonPlace,
    Evaluation,
    FindingStatus,
    MomentumSide,
    RunningLaw,
    is_number,
)
from ..frameworks.catalogue import FRAMEWORKS
from .aliases import meaning
from .maths import FORMS, LAWS, SIDES, PortError, correction_for, exact, weight_of

__all__ = ["PROPERTIES", "Convention", "ConventionFact", "choose", "conventions"]

# From the strongest to the weakest.
EVIDENCE = MEASURED, SOURCE, DOCUMENTED, UNKNOWN = (
    "measured",
    "read in the source, not measured",
    "documented, not measured",
    "not measured",
)
# Of a framework's variants the first of these, else its first: feature maps, the newest operators, the default mode.
PREFERRED = ("nchw", "4-d", "channels-last", "nhwc", "opset 15", "ema")
# What the conversion of a state hangs on.
CARRIED = (
    "correction.running",
    "running.keeps",
    "running.update",
    "momentum.multiplies",
    "momentum.default",
    "epsilon.default",
    "epsilon.place",
    "epsilon.in_running",
)
# What a port tells.
PROPERTIES = (
    "correction.normalise",
    *CARRIED,
    "initial.mean",
    "initial.var",
    "one_value.output",
    "one_value.running",
    "evaluation",
    "training.statistics",
    "running.when",
)
# Told by another part: the weight of a framework that has no momentum argument.
WEIGHT = "running.weight"


@dataclass(frozen=True)
class ConventionFact:
    """One property of one framework.

    Attributes
    ----------
    value : in the vocabulary of the findings; None where it is not known.
    evidence : one of `EVIDENCE`.
    detail : a sentence of the finding or of the documentation.
    """

    value: Any = None
    evidence: str = UNKNOWN
    detail: str = ""


@dataclass(frozen=True)
class Convention:
    """A framework's batch norm.

    Attributes
    ----------
    framework, variant, version : of the measured row; a variant is an input rank, a layout or an operator set.
    facts : property -> ConventionFact, for every name in PROPERTIES, and for `running.weight`.
    note : a sentence on what else goes by the name and differs; empty where nothing does.
    named : whether the variant was asked for by its name.
    cumulative : whether the layer keeps a plain average in place of its framework's law.
    apart : ranks of inputs for which the framework keeps another running variance.
    """

    framework: str
    variant: str
    version: str
    facts: Mapping[str, ConventionFact]
    note: str = ""
    named: bool = False
    cumulative: bool = False
    apart: tuple[int, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.facts[name].value

    def number(self, name: str) -> Fraction | None:
        """A property that is a number, as it was written down; None where it is not known or is no number.

        Parameters
        ----------
        name : one of PROPERTIES.

        Raises
        ------
        KeyError
            It is none of these.
        """
        return exact(self[name]) if is_number(self[name]) else None

    @property
    def layout(self) -> tuple[int | None, int | None]:
        """The rank of the inputs and the axis of their channels, 1 or -1; None where the variant fixes none."""
        words = self.variant.replace(",", " ").split()
        fixed: dict[str, tuple[int, int | None]] = {
            "2-D": (2, None), "NCHW": (4, 1), "channels-last": (4, 1), "NHWC": (4, -1)
        }  # fmt: skip
        return next((fixed[word] for word in words if word in fixed), (None, None))

    @property
    def place(self) -> EpsilonPlace | None:
        """Where epsilon goes; None where it is not known."""
        return EpsilonPlace(self["epsilon.place"]) if self["epsilon.place"] in tuple(EpsilonPlace) else None

    @property
    def form(self) -> str | None:
        """What is kept in place of the variance, in the words of `maths.FORMS`; not known is taken for the variance."""
        keeps = self["running.keeps"]
        return "variance" if keeps is None else keeps if keeps in FORMS else None

    @property
    def law(self) -> str | None:
        """How the running statistics that an evaluation uses move, in the words of `maths.LAWS`.

        None where it is not known, and where an evaluation uses others than those that are kept.
        """
        if self["evaluation"] == Evaluation.OTHER:
            return None
        return self["running.update"] if self["running.update"] in LAWS else None

    @property
    def epsilon_kept(self) -> str:
        """How the running variance has epsilon in it, an `EpsilonInRunning`.

        Not known is taken for no, and the plan says so.
        """
        found = self["epsilon.in_running"]
        return found if found in tuple(EpsilonInRunning) else EpsilonInRunning.NO

    def correction(self, epsilon: Fraction | None) -> Fraction | None:
        """The c of what is kept, S / (n - c), under an epsilon; None where it is not known.

        Parameters
        ----------
        epsilon : the layer's; None if that is not known.
        """
        measured = self.number("correction.running")
        if measured is None:
            return None
        return correction_for(measured, self.number("epsilon.default"), epsilon, self.epsilon_kept)

    @property
    def momentum(self) -> Fraction | None:
        """The momentum argument's default; None where it is not known, or is not known to be a weight."""
        if self.cumulative or self["momentum.multiplies"] not in SIDES:
            return None
        return self.number("momentum.default")

    def with_law(self, law: RunningLaw) -> Convention:
        """The same layer with the plain average, or with its framework's exponential one."""
        facts = {**self.facts, "running.update": replace(self.facts["running.update"], value=str(law))}
        return replace(self, facts=facts, cumulative=law == RunningLaw.PLAIN)

    @property
    def fixed_weight(self) -> Fraction | None:
        """The weight of the new batch where no argument sets it; None where one does, or it is not known."""
        weights = self.facts[WEIGHT].value if WEIGHT in self.facts else None
        if self["momentum.multiplies"] != MomentumSide.NONE or self.law != RunningLaw.EXPONENTIAL or not weights:
            return None
        return exact(weights[0]) if len(set(weights)) == 1 else None

    @property
    def initial_counts(self) -> bool | None:
        """Whether the initial values have a weight in the running statistics; None where the law is not known."""
        return None if self.law in (None, RunningLaw.WEIGHTED) else self.law == RunningLaw.EXPONENTIAL

    def weight(self, argument: Fraction | None = None) -> Fraction | None:
        """The weight of the new batch for a momentum argument; None where this, or what it multiplies, is not known.

        Parameters
        ----------
        argument : as the framework takes it; by default its own default. It does not matter where the weight is fixed.
        """
        if self.fixed_weight is not None:
            return self.fixed_weight
        given = self.momentum if argument is None else argument
        multiplies = self["momentum.multiplies"]
        return None if given is None or multiplies not in SIDES else weight_of(given, multiplies)


def conventions(rows: Iterable[FindingRow], lookup: Any = None, more: Iterable[str] = ()) -> list[Convention]:
    """Every framework's and variant's batch norm that the rows speak of, in their order, then those of `more`.

    Parameters
    ----------
    rows : the findings.
    lookup : (framework, kind, variant, property) -> a `documented.Documented` or None; used where a finding has no
        value. What was read in the source goes before the documentation's word.
    more : frameworks to look up that no row speaks of; their variant and version are empty.
    """
    found: dict[tuple[str, str], dict[str, ConventionFact]] = {}
    versions: dict[tuple[str, str], str] = {}
    # Where a property hangs on the number of threads, the fewest count: they come first.
    for row in sorted(rows, key=lambda each: each.threads):
        if row.kind != "batch" or row.property in found.get((row.framework, row.variant), {}):
            continue
        key = row.framework, row.variant
        facts = found.setdefault(key, {})
        versions.setdefault(key, row.version)
        if row.property in (*PROPERTIES, WEIGHT):
            facts[row.property] = _of_row(row)
    for framework in more:
        if not any(known == framework for known, _ in found):
            found[framework, ""], versions[framework, ""] = {}, ""
    made = []
    for (framework, variant), facts in found.items():
        for name in (*PROPERTIES, WEIGHT):
            fact = facts.get(name, ConventionFact())
            if fact.value is None and lookup is not None:
                fact = _looked_up(lookup(framework, "batch", variant, name)) or fact
            facts[name] = fact
        made.append(Convention(framework, variant, versions[framework, variant], facts))
    return made


def _of_row(row: FindingRow) -> ConventionFact:
    if row.status == FindingStatus.MEASURED and row.value:
        return ConventionFact(json.loads(row.value), MEASURED, row.detail)
    if row.status == FindingStatus.NOT_APPLICABLE:  # there is no such value: an answer, too
        return ConventionFact(None, MEASURED, row.detail)
    return ConventionFact(None, UNKNOWN, f"{row.status}: {row.detail}".rstrip(": "))


def _looked_up(documented: Documented | None) -> ConventionFact | None:
    if documented is None:
        return None
    if documented.source_value is not None:
        return ConventionFact(documented.source_value, SOURCE, documented.source)
    return None if documented.value is None else ConventionFact(documented.value, DOCUMENTED, documented.sentence)


def choose(name: str, known: Sequence[Convention]) -> Convention:
    """The convention that a name means: FRAMEWORK, FRAMEWORK:VARIANT, or the beginning of several frameworks' names.

    Without a variant the first of `PREFERRED` is taken, else the first. `keras` means keras-tensorflow, keras-torch and
    the others where these agree in what a conversion hangs on.

    Parameters
    ----------
    name : upper and lower case are one.
    known : the conventions to choose from, as `conventions` gives them.

    Raises
    ------
    PortError
        Nothing has that name, or what it means does not agree.
    """
    typed, _, variant = (part.strip() for part in name.partition(":"))
    wanted, said = meaning(typed.lower(), {each.framework for each in known})
    here = [each for each in known if each.framework.lower() == wanted]
    if not here:
        here = _family(name, wanted, known)
        members = list(dict.fromkeys(each.framework for each in here))
        if len(members) > 1:
            said = f"{typed} is taken for {members[0]}; {', '.join(members[1:])} keep the same state."
    if not variant:
        first = min(here, key=lambda each: (each.framework != here[0].framework, _rank(each.variant.lower())))
        return replace(first, note=" ".join(filter(None, (said, _others(first, here)))), apart=_apart(first, here))
    for each in here:
        if each.variant.lower() == variant.lower():
            return replace(each, named=True, note=said, apart=_apart(each, here))
    variants = [each.variant for each in here if each.framework == here[0].framework]
    advice = nearest(variant, variants, f"use one of {', '.join(variants)}")
    raise PortError(f"{here[0].framework} has no variant {variant!r}: {advice}")


def _apart(chosen: Convention, here: Sequence[Convention]) -> tuple[int, ...]:
    """The ranks whose variant, the first of the framework that has it, keeps another running variance."""
    mine = [each for each in here if each.framework == chosen.framework]
    firsts = {each.layout[0]: each for each in reversed(mine)}
    kept = ("correction.running", "running.keeps", "epsilon.in_running")
    return tuple(
        rank
        for rank, each in sorted(firsts.items(), key=lambda item: item[0] or 0)
        if rank is not None and rank != chosen.layout[0] and any(each[name] != chosen[name] for name in kept)
    )


def _others(chosen: Convention, here: Sequence[Convention]) -> str:
    """What else goes by the name and differs, in one sentence."""
    found = []
    for each in here:
        parts = [p for p in PROPERTIES if None not in (chosen[p], each[p]) and chosen[p] != each[p]]
        if parts:
            found.append(f"{each.framework}:{each.variant} differs in {', '.join(parts)}")
    return f"This is {chosen.framework}:{chosen.variant}; {'; '.join(found)}." if found else ""


def _rank(variant: str) -> int:
    return PREFERRED.index(variant) if variant in PREFERRED else len(PREFERRED)


def _family(name: str, wanted: str, known: Sequence[Convention]) -> list[Convention]:
    members = [each for each in known if each.framework.lower().startswith(wanted + "-")] if wanted else []
    if not members:
        names = dict.fromkeys(each.framework for each in known)
        titles = {each: FRAMEWORKS[each].title if each in FRAMEWORKS else "" for each in names}
        listed = f"use one of {', '.join(titles)}" if titles else "no framework was measured yet"
        try:
            one = unique(wanted, titles, what="framework", fallback=listed)
        except LookupError as problem:
            raise PortError(str(problem)) from problem
        members = [each for each in known if each.framework == one]
    firsts = {each.framework: each for each in sorted(members, key=lambda each: -_rank(each.variant.lower()))}
    if len({FRAMEWORKS[each].state for each in firsts if each in FRAMEWORKS}) > 1:
        raise PortError(f"{name} is {', '.join(sorted(firsts))}, which keep their state in different ways: name one")
    for prop in CARRIED:
        values = {json.dumps(each[prop], sort_keys=True) for each in firsts.values() if each[prop] is not None}
        if len(values) > 1:
            raise PortError(
                f"{name} is {', '.join(sorted(firsts))}, which differ in {prop}: name the one that you mean"
            )
    return members
