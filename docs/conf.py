"""The pages: ``nox -s docs``, or ``sphinx-build -W docs build/docs`` with the extra ``docs``. No network is needed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import varstudy

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"

project = "varstudy"
author = "The varstudy maintainers"
project_copyright = author
version = release = varstudy.__version__

extensions = ["commands", "formula_pages", "mathml", "myst_nb", "prose", "signatures", "surveyed", "worst_table"]
exclude_patterns = ["extensions"]
nb_execution_mode = "off"  # notebooks/build.py runs them

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"
add_module_names = False
autodoc_default_options = {"members": True, "member-order": "bysource"}
smartquotes = False  # formulas and commands are to be copied
maximum_signature_line_length = 80

nitpicky = True
nitpick_ignore_regex = [
    # Annotations name classes of Python's and of numpy's, whose inventories would have to be fetched.
    ("py:class", r".*"),
    # In docstrings backticks name arguments and names of the module's own as well as what has a page here.
    ("py:obj", r".*"),
]

html_theme = "furo"
html_title = f"varstudy {release}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_extra_path = ["../reports/reference"]  # the report of the committed study, next to the pages
html_css_files = ["formulas.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False


def annotations_mean_their_own_module(app: Any, doctree: nodes.document) -> None:
    """A class named without its module is looked for in the module that names it, not in all of them."""
    for node in doctree.findall(pending_xref):
        if node.get("refdomain") == "py" and node.get("reftype") == "class":
            node.attributes.pop("refspecific", None)


def bring_the_notebooks(app: Any) -> None:
    """Copy the notebooks in among the pages, where Sphinx and links look for them."""
    here = Path(app.srcdir) / "notebooks"
    here.mkdir(exist_ok=True)
    for path in (*NOTEBOOKS.glob("0*.ipynb"), NOTEBOOKS / "README.md"):
        shutil.copy2(path, here)


def setup(app: Any) -> None:
    app.connect("builder-inited", bring_the_notebooks)
    app.connect("doctree-read", annotations_mean_their_own_module)
