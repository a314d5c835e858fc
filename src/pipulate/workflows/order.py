"""Start-up checks of the order of steps: steps nobody can reach, and steps that read what comes later.

What a function reads is found in its source: `run["name"]`, `run[step]`, `run.get(...)`, `run.answers(...)`, and
`... in run`. What is worked out at run time is not seen, and nothing is reported that might be right.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from pipulate._syntax import parsed
from pipulate.findings import Finding, at

if TYPE_CHECKING:
    from pipulate.workflows.definition import Step

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_READERS = frozenset({"answers", "get"})  # `earlier` may be asked of the step itself: what it was before.


def order_findings(steps: Sequence[Step[..., Any]]) -> Iterator[Finding]:
    """Yield what is wrong with the order of the steps of a workflow."""
    position = {step.name: index for index, step in enumerate(steps)}
    names = Counter(step.name for step in steps)
    for index, step in enumerate(steps):
        yield from _check_goto(step, index, position)
        for function in _functions(step):
            for line, name in _reads(function, steps):
                if position.get(name, -1) >= index and names[name] == 1:  # Else the names have to be put right first.
                    when = "itself" if name == step.name else f"step {name!r}, which comes later"
                    message = f"Step {step.name!r} reads {when}, so it finds nothing there. Read an earlier step."
                    yield Finding("W031", message, function.__code__.co_filename, line)
    yield from _unreachable(steps, position)


def _check_goto(step: Step[..., Any], index: int, position: dict[str, int]) -> Iterator[Finding]:
    if isinstance(step.goto, str) and position.get(step.goto, -1) <= index:
        message = f"Step {step.name!r}: goto= names {step.goto!r}, which is no later step of this workflow."
        yield at(step.function, "W032", message)


def _unreachable(steps: Sequence[Step[..., Any]], position: dict[str, int]) -> Iterator[Finding]:
    """Yield the steps that a `goto` always leads past, unless something before might lead to them."""
    for index, step in enumerate(steps):
        if callable(step.goto):
            return  # From here on only a run can tell.
        if not isinstance(step.goto, str) or step.when is not None or position.get(step.goto, -1) <= index:
            continue
        between = range(index + 1, position[step.goto])
        targets = {
            position[each.goto] for each in steps[:index] if isinstance(each.goto, str) and each.goto in position
        }
        if targets.intersection(between):
            continue
        for each in between:
            message = f"Step {steps[each].name!r} is never reached: step {step.name!r} always goes to {step.goto!r}."
            yield at(steps[each].function, "W032", message)


def _functions(step: Step[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a step that are called before it has a value."""
    yield step.function
    for each in (step.when, step.suggest):
        if callable(each):
            yield each


def _reads(function: Callable[..., Any], steps: Sequence[Step[..., Any]]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each step that a function reads."""
    code = getattr(function, "__code__", None)
    node = _node_of(code) if code is not None else None
    if node is None:
        return
    runs = _runs(function, node)
    known = {step.name for step in steps}
    names = {name: value.name for name, value in _globals(function).items() if _is_step(value, steps)}
    for each in ast.walk(node):
        read = _read_by(each, runs)
        if isinstance(read, ast.Constant) and read.value in known:
            yield read.lineno, str(read.value)
        elif isinstance(read, ast.Name) and read.id in names:
            yield read.lineno, names[read.id]


def _read_by(node: ast.AST, parameters: set[str]) -> ast.expr | None:
    """Return what is read from a run by an expression, or None where nothing is."""
    match node:
        case ast.Subscript(value=ast.Name(id=run), slice=read) if run in parameters:
            return read
        case ast.Call(func=ast.Attribute(value=ast.Name(id=run), attr=name), args=[read, *_]) if run in parameters:
            return read if name in _READERS else None
        case ast.Compare(left=read, ops=[ast.In() | ast.NotIn()], comparators=[ast.Name(id=run)]) if run in parameters:
            return read
        case _:
            return None


def _node_of(code: CodeType) -> _Definition | None:
    """Return the function in the source of its file, or None where that does not tell which one it is."""
    try:
        defined = _definitions(code.co_filename, Path(code.co_filename).stat().st_mtime_ns)
    except (OSError, ValueError, SyntaxError):  # Made at run time, or changed since.
        return None
    alike = defined.get((code.co_firstlineno, code.co_name), ())
    return alike[0] if len(alike) == 1 else None


@lru_cache(maxsize=8)
def _definitions(path: str, _changed: int) -> dict[tuple[int, str], list[_Definition]]:
    """Return the functions of a file by the line they begin at and their name."""
    found: dict[tuple[int, str], list[_Definition]] = {}
    for node in ast.walk(parsed(Path(path).read_bytes())):
        if isinstance(node, _Definition):
            found.setdefault((_begins(node), getattr(node, "name", "<lambda>")), []).append(node)
    return found


def _begins(node: _Definition) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min((each.lineno for each in decorators), default=node.lineno)


def _runs(function: Callable[..., Any], node: _Definition) -> set[str]:
    """Return the parameters that are the run: those annotated so, and the first one of a condition."""
    from pipulate.workflows.run import Run  # noqa: PLC0415 - it imports the definition of workflows for its types

    given = node.args.args
    annotated = {name for name, kind in getattr(function, "__annotations__", {}).items() if kind in (Run, "Run")}
    first = {given[0].arg} if given and given[0].annotation is None else set()
    return annotated | first


def _globals(function: Callable[..., Any]) -> dict[str, Any]:
    return getattr(inspect.unwrap(function), "__globals__", {})


def _is_step(value: Any, steps: Sequence[Step[..., Any]]) -> bool:
    return any(value is step for step in steps)
