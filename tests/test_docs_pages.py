"""The documentation's pages, which build without a warning, and the citation, which validates."""

from __future__ import annotations

import ast
import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from public_names import public

from varstudy.cli import commands

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built with warnings as errors."""
    for needed in ("sphinx", "furo", "myst_nb", "latex2mathml"):
        pytest.importorskip(needed, reason="the pages need the extra docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(out / "doctrees"), str(DOCS)]
    done = subprocess.run([*command, str(out / "html")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


class Loads(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") not in ("next", "prev", "index", "search", "genindex", "canonical"):
            self.found.append(given.get("href") or "")
        elif tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.found += [given.get("src") or "", given.get("data") or ""]
        self.handle_data(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        self.found += in_style(data)


def in_style(text: str) -> list[str]:
    """What a style sheet makes a browser fetch; an address inside of a data: address is none."""
    return re.findall(r"""(?:url\(|@import\s+(?!url))\s*["']?([^"')\s]+)""", text)


def elsewhere(address: str) -> bool:
    return bool(re.match(r"\s*(?:[a-z]+:)?//", address))


def test_what_is_elsewhere_is_seen() -> None:
    page = Loads()
    page.feed(
        '<link rel="stylesheet" href="https://a/b.css"><script src="//c/d.js"></script><img src="e.svg">'
        "<style>@import url(http://f/g.css); p { background: url('data:x') }</style><a href='https://h'>h</a>"
    )
    assert [address for address in page.found if elsewhere(address)] == [
        "https://a/b.css",
        "//c/d.js",
        "http://f/g.css",
    ]


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    loads: dict[str, list[str]] = {}
    for path in site.rglob("*.html"):
        page = Loads()
        page.feed(path.read_text("utf-8"))
        loads[path.name] = page.found
    for path in site.rglob("*.css"):
        loads[path.name] = in_style(path.read_text("utf-8"))
    assert sum(map(len, loads.values())) > 50
    assert {name: address for name, found in loads.items() for address in found if elsewhere(address)} == {}


def test_every_public_name_has_its_place(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile  # noqa: PLC0415 - the extra docs

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    known = {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}
    missing = []
    for package, module, name in public():
        thing = getattr(module, name)
        # A constant may go without; a name that another module or package lends may stand with that.
        source = getattr(thing, "__module__", None) or package
        homes = {f"{package}.{name}", f"{source}.{name}", f"{source.partition('.')[0]}.{name}"}
        if callable(thing) and not homes & known:
            missing.append(f"{package}.{name}")
    assert missing == []


def test_every_formula_has_its_section(site: Path) -> None:
    text = (site / "api" / "formulas.html").read_text("utf-8")
    names = {path.stem for path in (ROOT / "kernels" / "varkernels" / "formulas").glob("*.py")} - {"__init__", "base"}
    assert len(names) > 10
    assert {name for name in names if f'id="module-varkernels.formulas.{name}"' not in text} == set()


def test_the_commands_page_is_what_help_says(site: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", "", (site / "commands.html").read_text("utf-8")))
    with click.Context(commands, info_name="varstudy") as above:
        names = commands.list_commands(above)
        assert len(names) > 10
        for name in names:
            command = commands.get_command(above, name)
            assert command is not None
            assert f"Usage: varstudy {name} " in text
            for option in command.params:
                assert all(word in text for word in option.opts if word.startswith("--"))


def test_no_page_is_left_out_of_the_contents(site: Path) -> None:
    start = (site / "index.html").read_text("utf-8")
    pages = [path for path in DOCS.rglob("*") if path.suffix in (".md", ".rst") and path.stem != "index"]
    assert len(pages) > 10
    for path in pages:
        assert f'href="{path.relative_to(DOCS).with_suffix(".html").as_posix()}"' in start


# --------------------------------------------------------------------------------------------- the citation


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_citation_validates(tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="the citation's schema needs the extra docs")
    done = validated(ROOT / "CITATION.cff")
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "CITATION.cff"
    broken.write_text((ROOT / "CITATION.cff").read_text("utf-8").replace("authors:", "writers:"), "utf-8")
    assert validated(broken).returncode == 1


def test_the_docs_need_no_more_than_their_extra() -> None:
    """What conf.py and its extensions import is the standard library, this package, or in the extra docs."""
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    extra = re.search(r"^docs = \[(.*?)\]", pyproject, re.M | re.S)
    assert extra is not None
    known = {re.split(r"[>=\[]", each)[0].replace("-", "_") for each in re.findall(r'"([^"]+)"', extra[1])}
    known |= {
        "docutils",
        "click",
        "varkernels",
        "varstudy",
        *sys.stdlib_module_names,
    }  # docutils is Sphinx's, click is ours
    for path in [DOCS / "conf.py", *(DOCS / "extensions").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= known, path.name
