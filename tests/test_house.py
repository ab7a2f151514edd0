"""The rules of the house: which package may import which, what a module may be called, and how long it may be.

Everything is read from the sources, so an import counts wherever it stands: at the top of a module, under
TYPE_CHECKING or in a function. A rule that does not hold yet is marked xfail and names what breaks it.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "varstudy", ROOT / "kernels" / "varkernels", ROOT / "kernels" / "varptx")
OURS = tuple(folder.name for folder in SOURCES)

# Which packages each package may import. A package is the first two parts of a name in varstudy, the first elsewhere.
ARROWS: dict[str, set[str]] = {
    "varptx": set(),
    "varkernels": {"varptx"},
    "varstudy._io": {"varkernels"},
    "varstudy.study": {"varkernels", "varstudy._io"},
    "varstudy.survey": {"varkernels", "varstudy._io", "varstudy.study"},
    "varstudy.bench": {"varkernels", "varstudy._io", "varstudy.study"},
    "varstudy.vectors": {"varkernels", "varstudy._io", "varstudy.study", "varstudy.survey"},
    "varstudy.testing": {"varkernels", "varstudy.vectors"},
    "varstudy.networks": {"varkernels", "varstudy._io", "varstudy.study", "varstudy.survey"},
    "varstudy.torch": {"varstudy.networks"},
    "varstudy.report": {"varkernels", "varstudy", "varstudy._io", "varstudy.study", "varstudy.survey",
                        "varstudy.networks", "varstudy.bench"},
    "varstudy.cli": {"varkernels", "varstudy", "varstudy._io", "varstudy.study", "varstudy.survey", "varstudy.bench",
                     "varstudy.networks", "varstudy.report", "varstudy.vectors"},
    "varstudy": {"varkernels", "varstudy.study", "varstudy.survey"},
    "varstudy.__main__": {"varstudy.cli"},
}  # fmt: skip

# Where an arrow is narrower than the two packages: the only modules at its tail, and the only ones at its head.
ANY = ""
NARROW = {
    # One executes the committed PTX; the other makes machine code of the committed IR, as varptx does of its own.
    ("varkernels", "varptx"): (("varkernels.cuda.devices", "varkernels.shipped"), (ANY,)),
    # The census of networks runs in an environment of the survey's kind.
    ("varstudy.networks", "varstudy.survey"): (("varstudy.networks.census",), ("varstudy.survey.environments",)),
    # The survey scores other people's software on the study's cases, and reads files of weights.
    ("varstudy.survey", "varstudy.study"): (
        (ANY,),
        (
            "varstudy.study.algorithm_answers",
            "varstudy.study.array_files",
            "varstudy.study.element_score",
            "varstudy.study.featuremaps",
            "varstudy.study.gradient_orders",
            "varstudy.study.norm_orders",
            "varstudy.study.response_orders",
            "varstudy.study.ground_truth",
            "varstudy.study.kept_spread",
            "varstudy.study.measuring",
            "varstudy.study.score",
        ),
    ),
}

# Imports within functions, by package: at most so many lines, and why they are there. A number may only become smaller.
IN_FUNCTIONS = {
    "varstudy.cli": (2, "a quick study does without the survey of what is installed, a comparison without figures"),
    "varstudy.survey": (3, "a probe tells what it cannot load; a league compiles what it does not know"),
    "varkernels": (3, "each device of the CUDA kernels loads what it needs"),
}

LINES = 400
# Longer modules, and why each is read at one go all the same.
LONG = {
    "varstudy.survey.probes.questions": "a list of questions; Python 3.6 syntax, and imports nothing",
}


@dataclass(frozen=True)
class Import:
    """One imported name: by which module and in which line, of which module, and whether a function imports it."""

    by: str
    line: int
    module: str
    name: str
    alias: str
    in_function: bool

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass
class Module:
    """A module as its source has it."""

    name: str
    path: Path
    imports: list[Import] = field(default_factory=list)
    defines: set[str] = field(default_factory=set)
    exports: set[str] = field(default_factory=set)

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "kernels" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _nodes(node: ast.AST, in_function: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, in_function
        yield from _nodes(child, in_function or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module that an import names, with its leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*parts, node.module] if node.module else parts)


def parse(path: Path) -> Module:
    """One module's imports, and the names that it defines and exports."""
    module = Module(_name(path), path)
    tree = ast.parse(path.read_text("utf-8"))
    for node, within in _nodes(tree):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            module.imports += [
                Import(module.name, node.lineno, base, each.name, each.asname or each.name, within)
                for each in node.names
            ]
        elif isinstance(node, ast.Import):
            module.imports += [
                Import(module.name, node.lineno, each.name, "", each.asname or "", within) for each in node.names
            ]
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            module.defines.add(statement.name)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(statement, ast.Assign):
                module.exports |= set(ast.literal_eval(statement.value))
            elif isinstance(target, ast.Name):
                module.defines.add(target.id)
    return module


@cache
def modules() -> dict[str, Module]:
    """Every module of the three packages, by its name."""
    found = [parse(path) for folder in SOURCES for path in sorted(folder.rglob("*.py"))]
    return {module.name: module for module in found}


def _target(each: Import) -> str | None:
    """The module of ours that an import loads, None for other people's."""
    known = modules()
    return each.full if each.full in known else each.module if each.module in known else None


def _imports() -> Iterator[tuple[Import, str]]:
    """Each import of a module of ours, with that module's name."""
    for module in modules().values():
        for each in module.imports:
            target = _target(each)
            if target is not None and target != module.name:
                yield each, target


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _graph() -> dict[str, set[str]]:
    """What each module loads: the modules that it imports, and the packages that these are in but it is not."""
    edges: dict[str, set[str]] = {name: set() for name in modules()}
    for each, target in _imports():
        edges[each.by] |= {target, *_parents(target)} - {each.by, *_parents(each.by)}
        edges[each.by].add(target)
    return edges


def package(name: str) -> str:
    """The package of a module: varstudy's parts are packages of their own."""
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if first == "varstudy" and rest else first


def rings(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node (Tarjan 1972, doi:10.1137/0201010), sorted."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in edges[node]:
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            place = stack.index(node)
            ring = stack[place:]
            del stack[place:]
            if len(ring) > 1:
                found.append(sorted(ring))

    for node in edges:
        if node not in number:
            visit(node)
    return sorted(found)


def _within(name: str, parents: Iterable[str]) -> bool:
    return any(parent in (ANY, name) or name.startswith(f"{parent}.") for parent in parents)


def test_the_search_for_rings_finds_them_all_and_nothing_else() -> None:
    chain = {"a": ["b"], "b": ["c"], "c": []}
    assert rings(chain) == []
    assert rings({**chain, "c": ["a"]}) == [["a", "b", "c"]]
    two = {"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["e"], "e": ["c"], "f": ["a", "c"]}
    assert rings(two) == [["a", "b"], ["c", "d", "e"]]


def test_imports_are_resolved_to_the_modules_that_they_load() -> None:
    """A package, a plain module, a relative import of two dots, an import in a function and one under TYPE_CHECKING."""
    known = modules()
    assert known["varkernels"].is_package
    assert not known["varkernels.formats"].is_package
    graph = _graph()
    assert "varkernels.formats" in graph["varkernels"]
    assert "varkernels.dispatch" in graph["varkernels"], "imported for types only"
    assert "varstudy._io.record_file" in graph["varstudy.study.results"]
    assert "varstudy.report.report_page" in graph["varstudy.report"], "imported in a function"
    assert not any(each.in_function for each in known["varstudy._io.atomic"].imports)


def test_no_ring_of_imports() -> None:
    found = rings(_graph())
    assert not found, "\n".join("a ring: " + ", ".join(ring) for ring in found)


def test_packages_import_in_one_direction() -> None:
    wrong = []
    for each, target in _imports():
        tail, head = package(each.by), package(target)
        tails, heads = NARROW.get((tail, head), ((ANY,), (ANY,)))
        if tail != head and not (head in ARROWS[tail] and _within(each.by, tails) and _within(target, heads)):
            wrong.append(f"{each.by}:{each.line} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_module_shares_its_name_with_something_it_defines() -> None:
    """`package.name` would be the module or the thing, by the order of imports."""
    wrong = []
    for module in modules().values():
        imported = {
            each.alias for each in module.imports
            if each.name and not each.in_function and each.full not in modules() and not each.alias.startswith("_")
        }  # fmt: skip
        has = module.defines | module.exports | imported
        own = module.name.rpartition(".")[2]
        if own in has:
            wrong.append(f"{module.name} has a name {own}")
        if module.is_package:
            parts = {name.rpartition(".")[2] for name in modules() if name.rpartition(".")[0] == module.name}
            homes = {each.alias for each in module.imports if each.full in modules()}
            wrong += [f"{module.name} has a module and a name {part}" for part in sorted((has - homes) & parts)]
    assert not wrong, "\n".join(wrong)


def test_no_private_name_is_imported_from_another_package() -> None:
    """`varstudy._io` is private to varstudy as a whole."""
    wrong = []
    for each, target in _imports():
        if package(each.by) == package(target):
            continue
        parts = each.full.removeprefix("varstudy._io" if each.by.startswith("varstudy") else "").split(".")
        if any(part.startswith("_") and not part.startswith("__") for part in parts):
            wrong.append(f"{each.by}:{each.line} imports {each.full}")
    assert not wrong, "\n".join(wrong)


def test_functions_import_our_own_modules_only_for_start_up_time() -> None:
    lines: Counter[str] = Counter()
    where: dict[str, list[str]] = {}
    for place in sorted({(each.by, each.line) for each, _ in _imports() if each.in_function}):
        lines[package(place[0])] += 1
        where.setdefault(package(place[0]), []).append(f"{place[0]}:{place[1]}")
    wrong = [
        f"{name}: {lines[name]} imports within functions, {IN_FUNCTIONS.get(name, (0, ''))[0]} allowed: "
        + ", ".join(where[name])
        for name in lines
        if lines[name] > IN_FUNCTIONS.get(name, (0, ""))[0]
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_are_short_enough_to_read_at_one_go() -> None:
    lengths = {name: len(module.path.read_text("utf-8").splitlines()) for name, module in modules().items()}
    wrong = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > LINES and name not in LONG]
    wrong += [f"{name} has {lengths.get(name, 0)} lines: strike it from the list" for name in LONG
              if lengths.get(name, 0) <= LINES]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_every_package_has_its_arrows() -> None:
    assert {package(name) for name in modules()} == set(ARROWS)
    assert set(OURS) <= set(ARROWS)


def test_the_installed_command_is_there() -> None:
    """What pyproject.toml names as the command `varstudy` can be loaded and called."""
    (line,) = re.findall(r'^varstudy = "(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    home, _, name = line.partition(":")
    assert callable(getattr(importlib.import_module(home), name))
