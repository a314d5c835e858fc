"""The source files, as text and as syntax trees, with the name of the function that everything stands in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipulate._syntax import parsed

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "pipulate"


class Place(NamedTuple):
    """A node, and where it is: `ui/run.py:_shown`."""

    node: ast.AST
    where: str


@cache
def sources(folder: Path = SRC) -> tuple[Path, ...]:
    """Return the Python files below a folder."""
    return tuple(sorted(folder.rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return parsed(path.read_text())


def nodes(folder: Path = SRC) -> Iterator[Place]:
    """Yield every node of every file below a folder."""
    for path in sources(folder):
        yield from _within(tree_of(path), path.relative_to(folder).as_posix(), "")


def _within(node: ast.AST, file: str, name: str) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        inner = name
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{name}.{child.name}" if name else child.name
        yield Place(child, f"{file}:{inner}")
        yield from _within(child, file, inner)


def docstrings(folder: Path = SRC) -> frozenset[int]:
    """Return the ids of the constants that are docstrings, or strings that stand alone."""
    return frozenset(id(place.node.value) for place in nodes(folder) if isinstance(place.node, ast.Expr))


def name_of(call: ast.Call) -> str:
    """Return what is called, as it is written."""
    return ast.unparse(call.func)
