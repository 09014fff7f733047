"""Sphinx configuration; `tox -e docs` builds with warnings as errors."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "napari-friedel"
author = "the napari-friedel developers"
copyright = "2026, the napari-friedel developers"
release = version = installed_version("napari-friedel")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "friedel_tables",
    "results",
    "architecture",
    "mathml",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3

nb_execution_mode = "cache"  # a notebook runs again only if it has changed
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_render_image_options = {"align": "center"}

# Links into other projects need their inventories from the network: the public build has it, a laptop need not.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "xarray": ("https://docs.xarray.dev/en/stable", None),
    }
    if os.environ.get("READTHEDOCS")
    else {}
)

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the numpydoc sections give types with shapes and units
autodoc_default_options = {"members": True, "no-value": True}
napoleon_google_docstring = False
napoleon_use_rtype = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "napari-friedel"
html_static_path = ["_static"]
html_css_files = ["friedel.css"]
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"


def _keep_bars(app):
    """Leave `|r − r_w|` in docstrings alone: this project has no reST substitutions, but many moduli."""
    from docutils.parsers.rst.states import Inliner

    def plain(inliner, match, lineno):
        end = match.end("start")
        return match.string[:end], [], match.string[end:], []

    Inliner.dispatch = {**Inliner.dispatch, "|": plain}


def _share_navigation(app, pagename, templatename, context, doctree):
    """Work out the navigation of the pages of source code once per depth: none of them stands in it.

    It is the same but for the way up to the root, and takes as long as the rest of such a page.
    """
    if not pagename.startswith("_modules/"):
        return
    depth, toctree = pagename.count("/"), context["toctree"]

    def shared(**how):
        key = (depth, *sorted(how.items()))
        if key not in _NAVIGATION:
            _NAVIGATION[key] = toctree(**how)
        return _NAVIGATION[key]

    context["toctree"] = shared


_NAVIGATION: dict[tuple, str] = {}


def _mark_promised(app, what, name, obj, options, lines):
    """Say below the summary of a public name by which name it is promised."""
    import friedel

    if not _PROMISED:
        _PROMISED.update((id(getattr(friedel, one)), one) for one in friedel.__all__)
    if what in ("function", "class", "exception") and (one := _PROMISED.get(id(obj))):
        end = lines.index("") if "" in lines else len(lines)
        lines[end:end] = ["", f"*Promised:* ``friedel.{one}``."]


_PROMISED: dict[int, str] = {}


def setup(app):
    app.connect("autodoc-process-docstring", _mark_promised)
    app.connect("builder-inited", _keep_bars)
    app.connect("html-page-context", _share_navigation, priority=400)  # before the theme asks for it
