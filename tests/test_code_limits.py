"""A module is one idea, a function fits a screen, and many values have a name: limits of the source, kept true."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
MODULES = sorted(SOURCE.rglob("*.py"))
#: Lines of a module; lines of a function without its docstring; parameters of a function.
LINES, BODY, PARAMETERS = 300, 60, 8
#: The promised signature: every setting of a detection as a typed keyword, so that editors and type checkers know it.
PROMISED = {"friedel/pipeline.py:detect", "friedel/pipeline.py:iter_detect"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def body_lines(node: Function) -> int:
    """Lines of a function from ``def`` on, less those of its docstring."""
    first, last = node.body[0], node.end_lineno or node.lineno
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return last - node.lineno + 1 - ((first.end_lineno or 0) - first.lineno + 1 if told else 0)


def parameters(node: Function) -> list[str]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [one.arg for one in every if one.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_and_its_functions_keep_the_limits(path):
    name = path.relative_to(SOURCE).as_posix()
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES
    for node in functions(path):
        assert body_lines(node) <= BODY, f"{node.name} is too long"
        if f"{name}:{node.name}" not in PROMISED:
            assert len(parameters(node)) <= PARAMETERS, f"{node.name} takes too much; give the values a name"


def test_the_exceptions_are_needed():
    wide = {
        f"{path.relative_to(SOURCE).as_posix()}:{node.name}"
        for path in MODULES
        for node in functions(path)
        if len(parameters(node)) > PARAMETERS
    }
    assert wide == PROMISED


def test_lines_are_counted_without_the_docstring():
    text = 'def f(a, *, b):\n    """One.\n\n    Two.\n    """\n    return a\n'
    node = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))
    assert body_lines(node) == 2 and parameters(node) == ["a", "b"]
