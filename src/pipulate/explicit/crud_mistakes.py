"""What a class on `BaseCrud` lacks, found in its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

_BASES = {"BaseCrud", "BaseApp"}
_NEEDED: Mapping[str, str] = {"prepare_insert_data": "insert_item", "prepare_update_data": "update_item"}
_DRAWN = "render_item"


def lacking(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and message for each class over a table that lacks what its answers are made with.

    A class that others of the file build on need not have everything; one that answers itself needs no hook for that.
    """
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    built_on = {name for each in classes.values() for name in _bases(each)}
    for name, kind in classes.items():
        family = _family(kind, classes)
        if name in built_on or not any(_BASES & _bases(each) for each in family):
            continue
        if any(_bases(each) - _BASES - set(classes) for each in family):
            continue  # What else it builds on is not in this file, and may have it.
        has = {member for each in family for member in _members(each)}
        missing = [hook for hook, answer in _NEEDED.items() if not {hook, answer} & has]
        if _DRAWN not in has and not set(_NEEDED.values()) <= has:
            missing.append(_DRAWN)
        if missing:
            yield kind.lineno, f"{name} lacks {', '.join(missing)}. {_HOW}"


_HOW = (
    "Write: prepare_insert_data(self, form) and prepare_update_data(self, form), which return the values to be stored,"
    " and render_item(self, item), which returns how a row looks."
)


def _bases(kind: ast.ClassDef) -> set[str]:
    return {each.id if isinstance(each, ast.Name) else ast.unparse(each).rpartition(".")[2] for each in kind.bases}


def _family(kind: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    found = [kind]
    for each in found:
        found += [classes[name] for name in sorted(_bases(each)) if name in classes and classes[name] not in found]
    return found


def _members(kind: ast.ClassDef) -> set[str]:
    functions = {node.name for node in kind.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return functions | {
        target.id
        for node in kind.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
