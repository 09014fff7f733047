"""Formulas as MathML, made while the pages are built: they need no script from elsewhere and no network to be read.

A formula that cannot be set is a warning, which the build takes for an error. An exception would be lost: a page that
is written in another process would be missing, and the build would succeed.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml


def _render(text: str, block: bool) -> str:
    try:
        return str(tex2mathml(text, as_block=block))
    except MathError as error:
        warn(text, error)
        return escape(text)


def warn(text: str, error: MathError) -> None:
    """Tell the build of a formula that cannot be set."""
    from sphinx.util import logging

    logging.getLogger(__name__).warning("the formula %r cannot be set: %s", text, error)


def visit_inline(self: Any, node: nodes.math) -> None:
    self.body.append(_render(node.astext(), block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    text = node.astext()
    number = re.search(r"\\tag\{([^}]*)\}", text)
    formula = _render(re.sub(r"\\tag\{[^}]*\}", "", text).strip(), block=True)
    label = f'<span class="equation-number">({number[1]})</span>' if number else ""
    self.body.append(f'<div class="equation">{formula}{label}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True}
