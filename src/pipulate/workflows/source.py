"""The code of a step as people may read it beside the step: its function, and what of its file that needs."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from pipulate._syntax import parsed

if TYPE_CHECKING:
    from pipulate.workflows.definition import Step

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_WIDEST = 100  # characters of an import; longer ones get a line for each name


def code_of(step: Step[..., Any], steps: Sequence[Step[..., Any]]) -> str:
    """Return the code of a step, or "" where its file does not tell.

    That is its function with decorators, the views, rules, live parts and addresses that belong to it, whatever
    else at the top of the file it names, and the imports of all that. What other steps are made of is left out.
    """
    compiled: CodeType | None = getattr(step.function, "__code__", None)
    file = _file(compiled.co_filename) if compiled is not None else None
    if file is None or compiled is None or (own := file.defined_at(compiled.co_firstlineno)) is None:
        return ""
    others = {each.function.__code__.co_firstlineno for each in steps if hasattr(each.function, "__code__")}
    return file.extract(own, others)


def file_digest(path: Path | str) -> str | None:
    """Return what changes whenever the content of a file does, 16 hexadecimal characters; None where it has none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError:
        return None


class _File:
    """A source file, taken apart into what stands at its top level."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._nodes = parsed(text).body

    def defined_at(self, line: int) -> _Definition | None:
        """Return the function that begins at a line."""
        found = (each for each in self._nodes if isinstance(each, _Definition) and _begins(each) == line)
        return next(found, None)

    def extract(self, own: _Definition, others: set[int]) -> str:
        """Return what a function needs; functions that begin at one of `others` are left out."""
        free = [each for each in self._nodes if each is own or _begins(each) not in others]
        taken: list[ast.stmt] = [own]
        for node in taken:  # It grows while it is gone through.
            names, texts = _names(node), _texts(node)
            taken += [
                each for each in free if each not in taken and (_is_named(each, names) or _belongs(each, own, texts))
            ]
        used = set().union(*(_names(node) for node in taken))
        text, last = "", None
        for node in self._nodes:
            part = _import(node, used) or (self._text(node) if node in taken else "")
            if part:
                text += self._gap(last, node) + part
                last = node
        return text

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self._lines[_begins(node) - 1 : node.end_lineno])

    def _gap(self, last: ast.stmt | None, node: ast.stmt) -> str:
        """Return the line breaks between two statements: as in the file, and two empty lines around definitions."""
        if last is None:
            return ""
        if isinstance(last, _Definition) or isinstance(node, _Definition):
            return "\n\n\n"
        return "\n" if all(self._lines[last.end_lineno : _begins(node) - 1]) else "\n\n"


def _file(path: str) -> _File | None:
    try:
        return _read(path, Path(path).stat().st_mtime_ns)
    except (OSError, ValueError, SyntaxError):  # Made at run time, or changed since.
        return None


@lru_cache(maxsize=8)
def _read(path: str, _changed: int) -> _File:
    return _File(Path(path).read_text(encoding="utf-8"))


def _begins(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    return min((each.lineno for each in decorators), default=node.lineno)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _texts(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def _is_named(node: ast.stmt, names: set[str]) -> bool:
    """Tell whether a statement defines one of some names; the workflow itself is no part of its steps."""
    if isinstance(node, _Definition):
        return node.name in names
    if isinstance(node, ast.Assign | ast.AnnAssign) and not _is_workflow(node.value):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(each, ast.Name) and each.id in names for each in targets)
    return False


def _is_workflow(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Workflow"


def _belongs(node: ast.stmt, own: _Definition, texts: set[str]) -> bool:
    """Tell whether a function is declared for a step: `@step.done`, or an address or live part that is named there."""
    for each in node.decorator_list if isinstance(node, _Definition) else ():
        match each:
            case ast.Attribute(value=ast.Name(id=owner)) if owner == own.name:
                return True
            case ast.Call(func=ast.Attribute(attr="live" | "get" | "post"), args=[ast.Constant(value=str(name)), *_]):
                return name in texts or ("{" in name and name.partition("{")[0] in texts)
    return False


def _import(node: ast.stmt, used: set[str]) -> str:
    """Return an import with nothing but what is used of it, or "" where that is nothing."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return ""
    kept = [each for each in node.names if (each.asname or each.name.partition(".")[0]) in used]
    if not kept:
        return ""
    text = ast.unparse(
        ast.ImportFrom(node.module, kept, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(kept)
    )
    if len(text) <= _WIDEST:
        return text
    head, _, names = text.partition(" import ")
    return f"{head} import (\n    " + ",\n    ".join(names.split(", ")) + ",\n)"
