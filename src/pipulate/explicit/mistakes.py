"""The six mistakes that keep class-style plugins from working, found in their source without running it.

What cannot be told for certain counts as right: a name that leads nowhere, an element that is made elsewhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeGuard

from pipulate.explicit.crud_mistakes import lacking
from pipulate.explicit.source import (
    FINALIZE,
    Function,
    Plugin,
    Scope,
    calls_in,
    keyword,
    name_of,
    parameters,
    plugin_in,
)
from pipulate.findings import Finding

_Found = Iterator[tuple[int, str, str]]

_HANDLERS = ("landing", "init", "finalize", "unfinalize", "handle_revert")
_BOXES = {"Article", "Card", "Container", "Div", "Fieldset", "Footer", "Grid", "Group", "Header", "Main", "Section"}
_TEXT = {
    "A", "B", "Br", "Code", "Em", "H1", "H2", "H3", "H4", "H5", "H6", "Hr", "I", "Img", "Label", "Li", "P", "Pre",
    "Small", "Span", "Strong", "Ul",
}  # fmt: skip
_DONE = {"display_revert_header", "display_revert_widget"}
_ELEMENTS = _BOXES | _TEXT | {"Response", "HTMLResponse"}
_ASKS = ("hx_", "_hx_", "data_hx_", "href", "onclick")

_NO_TRIGGER = "Nothing makes this element ask for its step, so the chain ends here. Add hx_trigger='load' to it."
_NO_LOADER = (
    "Nothing in this answer loads the next step, so the chain ends here. Put in"
    " Div(id=next_step_id, hx_get=f'/{app_name}/{next_step_id}', hx_trigger='load')."
)
_NO_REFRESH = (
    "An empty pipeline_id is not answered with HX-Refresh, so the page does not offer the next free key. Return"
    " Response('', headers={'HX-Refresh': 'true'}) where it is empty."
)
_TOO_EARLY = (
    "This is asked before it is asked whether the run is locked, so a locked step does not look like one. Ask in this"
    " order: is it finalized; has it a value, with another _revert_target; and only then show the form."
)


def find(source: str, path: str) -> tuple[Finding, ...]:
    """Return the mistakes in a class-style plugin, by line; none in any other file.

    Args:
        source: The text of the file.
        path: Where it is, for the findings.
    """
    try:
        plugin = plugin_in(source)
        checks = (_no_load, _no_request, _wrong_target, _no_refresh, _wrong_order, _no_hooks)
        found = {each for check in checks for each in check(plugin)} if plugin is not None else set()
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # The last is what the parser says of deep nesting.
        return ()
    return tuple(Finding(code, message, path, line) for line, code, message in sorted(found))


# E001: a step that is done does not load the next one


def _no_load(plugin: Plugin) -> _Found:
    handlers = _expected(plugin) | _handed_out(plugin)
    for name, function in plugin.methods.items():
        scope = plugin.scope(function)
        excused = _cells_after_the_first(scope, plugin, function) | _changed_later(function)
        if name not in handlers:  # What it returns, others can go on with.
            excused |= {id(each) for each in _answers(function.body)}
        for call in calls_in(function):
            if id(call) not in excused and _is_silent(scope, plugin, call):
                yield call.lineno, "E001", _NO_TRIGGER
    for name in plugin.step_handlers:
        if name in plugin.steps[:-1]:  # After the last there is nothing to load.
            yield from _no_loader(plugin, name)


def _is_silent(scope: Scope, plugin: Plugin, call: ast.Call) -> bool:
    """Tell whether an element is a placeholder of a step that never asks for it."""
    address = keyword(call, "hx_get")
    if address is None or call.args or name_of(call) not in _BOXES or _is_open(call):
        return False
    trigger = keyword(call, "hx_trigger")
    return (trigger is None or (isinstance(trigger, ast.Constant) and not trigger.value)) and _is_of_step(
        scope, plugin, call, address
    )


def _is_of_step(scope: Scope, plugin: Plugin, call: ast.Call, address: ast.expr) -> bool:
    """Tell whether an element asks for a step: by the step's address, or by one that ends in its own id."""
    addresses = scope.texts(address)
    if addresses:
        return all(each.rpartition("/")[2] in plugin.step_ids for each in addresses)
    own, last = keyword(call, "id"), address.values[-1] if isinstance(address, ast.JoinedStr) else None
    return own is not None and isinstance(last, ast.FormattedValue) and ast.dump(last.value) == ast.dump(own)


def _cells_after_the_first(scope: Scope, plugin: Plugin, function: Function) -> set[int]:
    """Return cells that stand behind one that loads: the first brings the others with it."""
    found: set[int] = set()
    for parent in calls_in(function):
        loads = False
        for child in parent.args:
            if loads:
                found |= {id(each) for each in calls_in(child)}
            address = keyword(child, "hx_get") if isinstance(child, ast.Call) else None
            if address is not None and isinstance(child, ast.Call) and keyword(child, "hx_trigger") is not None:
                loads = loads or _is_of_step(scope, plugin, child, address)
    return found


def _changed_later(function: Function) -> set[int]:
    """Return elements that get a name by which something is done to them, so that they are not all there is."""
    used = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Attribute | ast.Subscript)}
    used |= {id(call.func) for call in calls_in(function)}
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and id(node) in used}
    return {
        id(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and any(isinstance(each, ast.Name) and each.id in names for each in node.targets)
    }


def _no_loader(plugin: Plugin, name: str) -> _Found:
    """Find answers that show a step as done or locked, and end there."""
    handler, submit = plugin.methods[name], plugin.methods.get(f"{name}_submit")
    locked = {id(each) for each in _locked_answers(plugin.scope(handler), handler)}
    for function in (handler, submit):
        scope = plugin.scope(function)
        for answer in _answers(function.body) if function is not None else ():
            shows = any(name_of(call) in _DONE for call in calls_in(answer)) or id(answer) in locked
            if shows and not _goes_on(scope, answer):
                yield answer.lineno, "E001", _NO_LOADER


def _locked_answers(scope: Scope, handler: Function) -> Iterator[ast.expr]:
    """Yield the elements that a step answers with in a locked run."""
    for decision in _decisions(handler.body):
        if _asks_if_locked(scope, decision.test) and not _is_denied(decision.test):
            yield from (each for each in _answers(decision.body) if _is_box(each))
            return


def _is_box(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and name_of(node) in _BOXES


def _goes_on(scope: Scope, answer: ast.expr) -> bool:
    """Tell whether something in an answer loads, waits for a person, or is not known; text does none of it."""
    waiting, seen = [(answer, scope)], set()
    while waiting:
        node, inner = waiting.pop()
        for each, where in inner.ends(node) if id(node) not in seen else ():
            parts = _parts(each)
            if parts is None:
                return True
            waiting += [(part, where) for part in parts]
        seen.add(id(node))
    return False


def _parts(node: ast.expr) -> Sequence[ast.expr] | None:
    """Return what in a part of an answer is to be looked at; None where it goes on from here, or may."""
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts
    if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
        return None if "hx-" in ast.unparse(node) else ()
    if not isinstance(node, ast.Call) or "no-chain-reaction" in ast.unparse(node):
        return None
    name, given = name_of(node), {each.arg or "": each.value for each in node.keywords}
    if any(each.startswith(_ASKS) for each in given) or _is_open(node) or "next_step_id" in given:
        return None
    if name in _DONE:
        return [*node.args[4:5], *(given[each] for each in ("widget", "finalized_content") if each in given)]
    if name in _TEXT:
        return None if "hx_" in ast.unparse(node) else ()
    return [*node.args, *(given[each] for each in ("header", "footer") if each in given)] if name in _BOXES else None


# E002: a handler does not take the request


def _no_request(plugin: Plugin) -> _Found:
    expected = _expected(plugin)
    for name in expected | _handed_out(plugin):
        method = plugin.methods[name]
        if _lacks_request(plugin, method, is_expected=name in expected):
            written = f"{'async ' * isinstance(method, ast.AsyncFunctionDef)}def {name}(self, request):"
            yield method.lineno, "E002", f"{name} does not take the request that the host hands to it. Write: {written}"


def _expected(plugin: Plugin) -> set[str]:
    """Return the methods that are handlers by their names."""
    if not plugin.steps and not plugin.step_handlers:
        return {"landing"} & set(plugin.methods)
    steps = plugin.step_handlers
    return {*_HANDLERS, *steps, *(f"{name}_submit" for name in steps)} & set(plugin.methods)


def _handed_out(plugin: Plugin) -> set[str]:
    """Return methods that are handed to somebody who calls them: most likely they are registered."""
    called = {id(call.func) for method in plugin.methods.values() for call in calls_in(method)}
    return {
        node.attr
        for method in plugin.methods.values()
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and id(node) not in called and ast.unparse(node.value) == "self"
    } & set(plugin.methods)


def _lacks_request(plugin: Plugin, method: Function, *, is_expected: bool) -> bool:
    if method.decorator_list:
        return False
    own = parameters(method)[1:]
    positional = [*method.args.posonlyargs, *method.args.args][1:]
    if method.name == "landing":  # Called with the request alone, whatever its parameter is called.
        return not positional and method.args.vararg is None
    return _uses_request(plugin, method) or (is_expected and not own)


def _uses_request(plugin: Plugin, method: Function) -> bool:
    """Tell whether a method uses the name without having it from anywhere."""
    if "request" in plugin.constants or re.search(r"\bimport\b.*\brequest\b", plugin.source):
        return False
    names = [node for node in ast.walk(method) if isinstance(node, ast.Name) and node.id == "request"]
    inner = {
        each.arg for node in ast.walk(method) if isinstance(node, Function | ast.Lambda) for each in parameters(node)
    }
    return bool(names) and all(isinstance(node.ctx, ast.Load) for node in names) and "request" not in inner


# E003: the answer to a form goes to the wrong place


def _wrong_target(plugin: Plugin) -> _Found:
    inherits = _inherits_targets(plugin)
    for function in plugin.methods.values():
        scope = plugin.scope(function)
        for call in calls_in(function):
            steps = _submitted(scope, plugin, call)
            if not steps or _is_open(call):
                continue
            right = " or ".join(repr(f"#{step}") for step in sorted(steps))
            target = keyword(call, "hx_target")
            targets = scope.texts(target or keyword(call, "target_id"))
            if target is None and keyword(call, "target_id") is None:
                if name_of(call) == "Form" and not inherits and keyword(call, "hx_swap") is None:
                    message = f"The answer to this form is put into the form itself. Add hx_target={right}."
                    yield call.lineno, "E003", message
            elif targets and all(_is_elsewhere(plugin, each, steps, is_id=target is None) for each in targets):
                shown = " or ".join(sorted(map(repr, targets)))
                message = f"The answer to this form goes to {shown}, not to its step. Write hx_target={right}."
                yield (target or call).lineno, "E003", message


def _submitted(scope: Scope, plugin: Plugin, call: ast.Call) -> set[str]:
    """Return the steps an element sends its form to; none where one of its addresses is another or not known."""
    addresses = scope.texts(keyword(call, "hx_post")) or ()
    ends = {each.rpartition("/")[2] for each in addresses}
    steps = {end.removesuffix("_submit") for end in ends if end.endswith("_submit")}
    return steps if len(steps) == len(ends) and steps <= plugin.step_ids else set()


def _is_elsewhere(plugin: Plugin, target: str, steps: Iterable[str], *, is_id: bool) -> bool:
    """Tell whether a target is another step, a step's name without its sign, or nowhere in the file."""
    name = target if is_id else target.removeprefix("#")
    if name in steps:
        return not is_id and target == name  # Without the sign it means a tag.
    if name in plugin.step_ids:
        return True
    is_plain = (is_id or target != name) and re.fullmatch(r"[\w-]+", name) is not None
    return is_plain and not name.endswith(("-container", "-content")) and not _has_id(plugin, name)


def _has_id(plugin: Plugin, name: str) -> bool:
    """Tell whether something in the file may have an id."""
    if re.search(rf"""\bid\s*=\s*["'\\]*({re.escape(name)}\b|\{{)""", plugin.source):  # In markup that is text, too.
        return True
    for function in [*plugin.methods.values(), *plugin.functions.values()]:
        scope = plugin.scope(function)
        for call in calls_in(function):
            given = keyword(call, "id")
            texts = scope.texts(given) if given is not None else frozenset()
            if texts is None or name in texts or (name_of(call).istitle() and _is_open(call)):
                return True
    return False


def _inherits_targets(plugin: Plugin) -> bool:
    """Tell whether a target can come from elsewhere: from an element around the form, or with the answer."""
    sends = {"hx_get", "hx_post", "hx_put", "hx_patch", "hx_delete"}
    for call in calls_in(plugin.tree):
        given = {each.arg or "" for each in call.keywords}
        if given & {"hx_target", "target_id"} and not given & sends:
            return True
    return "hx-retarget" in plugin.source.lower().replace("_", "-")


# E004: an empty key is not answered with HX-Refresh


def _no_refresh(plugin: Plugin) -> _Found:
    init = plugin.methods.get("init")
    if init is None or any(_refreshes(plugin, each) for each in _reached(plugin, init)):
        return
    scope = plugin.scope(init)
    asked = [each for each in ast.walk(init) if _is_key_of_form(each)]
    empty = {each.lineno: _when_empty(scope, each) for each in ast.walk(init) if isinstance(each, ast.If)}
    handled = {line: branch for line, branch in empty.items() if branch is not None}
    if asked and not _makes_in_passing(init) and not any(_may_help(plugin, each) for each in handled.values()):
        yield min(handled, default=min(each.lineno for each in asked)), "E004", _NO_REFRESH


def _reached(plugin: Plugin, start: Function) -> list[Function]:
    """Return a method with those of the same file that it calls."""
    found = [start]
    for function in found:
        for call in calls_in(function):
            known = plugin.methods if _holder(call) == "self" else plugin.functions
            called = known.get(name_of(call))
            if called is not None and called not in found:
                found.append(called)
    return found


def _refreshes(plugin: Plugin, function: Function) -> bool:
    """Tell whether a function has the header, or something that stands for it, in its hands."""
    told = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and (node.arg or "").lower() in ("refresh", "hx_refresh"):
            return True
        if isinstance(node, ast.Constant | ast.Name | ast.Attribute) and id(node) not in told:
            ends = [end for end, _ in plugin.scope(function).ends(node)]
            if any("hx-refresh" in ast.unparse(end).lower().replace("_", "-") for end in ends):
                return True
    return False


def _is_key_of_form(node: ast.AST) -> TypeGuard[ast.expr]:
    """Tell whether this takes the key out of what was sent."""
    if isinstance(node, ast.Call) and name_of(node) == "get" and node.args:
        holder, key = _holder(node), node.args[0]
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        holder, key = ast.unparse(node.value), node.slice
    else:
        return False
    return isinstance(key, ast.Constant) and key.value == "pipeline_id" and holder.rpartition(".")[2] != "db"


def _when_empty(scope: Scope, question: ast.If) -> list[ast.stmt] | None:
    """Return what is done where there is no key; None for another question."""
    whole = question.test
    for test in whole.values if isinstance(whole, ast.BoolOp) and isinstance(whole.op, ast.Or) else [whole]:
        asked, branch = test, question.orelse
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            asked, branch = test.operand, question.body
        elif isinstance(test, ast.Compare) and not any(getattr(each, "value", None) for each in test.comparators):
            asked = test.left
            branch = question.orelse if isinstance(test.ops[0], ast.NotEq | ast.IsNot | ast.NotIn) else question.body
        is_call = isinstance(asked, ast.Call) and name_of(asked) in ("get", "strip", "len")
        if (is_call or isinstance(asked, ast.Name | ast.NamedExpr | ast.Subscript)) and any(
            _is_key_of_form(each) for each in _looked_into(scope, asked)
        ):
            return branch
    return None


def _may_help(plugin: Plugin, branch: Sequence[ast.stmt]) -> bool:
    """Tell whether a branch makes a key, or leaves the answer to something that is not in this file."""
    for statement in branch:
        if any(isinstance(node, ast.Assign) and _makes_key(node) for node in ast.walk(statement)):
            return True
    return any(
        _is_foreign(plugin, answer.value if isinstance(answer, ast.Await) else answer) for answer in _answers(branch)
    )


def _makes_key(node: ast.Assign) -> bool:
    """Tell whether an assignment is of a key, and not of the parts of an answer."""
    return not isinstance(node.value, ast.Call) or name_of(node.value) not in _ELEMENTS


def _is_foreign(plugin: Plugin, answer: ast.expr) -> bool:
    if not isinstance(answer, ast.Call) or name_of(answer) in _ELEMENTS:
        return False
    holder, name = _holder(answer), name_of(answer)
    if holder == "self":
        return name not in plugin.methods
    return holder.rpartition(".")[2] not in ("pip", "pipulate") and (bool(holder) or name not in plugin.functions)


def _makes_in_passing(init: Function) -> bool:
    """Tell whether a new key is made in the midst of an expression: `typed or make()`, `make(typed or None)`."""
    choices = [node for node in ast.walk(init) if isinstance(node, ast.BoolOp | ast.IfExp)]
    chosen = {id(call) for node in choices for call in calls_in(node)}
    return any(
        id(call) in chosen or any(each in choices for each in call.args)
        for call in calls_in(init)
        if name_of(call) == "generate_pipeline_key"
    )


# E005: the phases of a step are in the wrong order


def _wrong_order(plugin: Plugin) -> _Found:
    for name in plugin.step_handlers:
        scope = plugin.scope(plugin.methods[name])
        early: ast.expr | None = None
        for decision in _decisions(plugin.methods[name].body):
            if not any(_answers(decision.body)):
                continue
            if _asks_if_locked(scope, decision.test):
                if early is not None and not _is_denied(decision.test):
                    yield early.lineno, "E005", _TOO_EARLY
                break
            if early is None and _is_later_phase(scope, name, decision):
                early = decision.test


def _decisions(body: Sequence[ast.stmt]) -> Iterator[ast.If]:
    """Yield what a function asks, in the order it asks it, without what it asks inside of an answer."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield statement
            yield from _decisions(statement.orelse)
        elif isinstance(statement, ast.Try | ast.With | ast.AsyncWith):
            yield from _decisions(statement.body)


def _is_later_phase(scope: Scope, step: str, decision: ast.If) -> bool:
    """Tell whether a branch shows a step as done, or its form."""
    for end, where in scope.ends(decision.test):
        parts = end.values if isinstance(end, ast.BoolOp) and isinstance(end.op, ast.And) else []
        if len({_asks_if_reverted(where, each) for each in parts}) == 2:  # One for the value, one for the target.
            return True
    for call in (call for each in decision.body for call in calls_in(each)):
        if name_of(call) in _DONE or name_of(call) == "chain_reverter":
            return True
        posts = scope.texts(keyword(call, "hx_post"))
        if posts and all(each.endswith(f"/{step}_submit") for each in posts):
            return True
    return False


def _asks_if_reverted(scope: Scope, test: ast.expr) -> bool:
    return any(isinstance(each, ast.Constant) and each.value == "_revert_target" for each in _looked_into(scope, test))


def _asks_if_locked(scope: Scope, test: ast.expr) -> bool:
    compared = {
        id(each)
        for node in ast.walk(test)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        for each in (node.left, *node.comparators)
    }  # Of `step.done == 'finalized'`, which asks what kind of step it is.
    for node in _looked_into(scope, test):
        if isinstance(node, ast.Constant) and node.value in (FINALIZE, "finalized") and id(node) not in compared:
            return True
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if "finalized" in name or "locked" in name:
            return True
    return False


def _is_denied(test: ast.expr) -> bool:
    """Tell whether a question is whether something is not so."""
    return any(isinstance(node, ast.Not | ast.NotIn | ast.Is) for node in ast.walk(test))


# E006: a class over a table lacks a hook


def _no_hooks(plugin: Plugin) -> _Found:
    for line, message in lacking(plugin.tree):
        yield line, "E006", message


# Parts


def _looked_into(scope: Scope, test: ast.expr) -> Iterator[ast.AST]:
    """Yield the parts of a question, with those of the names of the function that it uses."""
    waiting, seen = [test], set()
    while waiting:
        for node in ast.walk(waiting.pop()):
            yield node
            if isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                waiting += [value for value in scope.names.get(node.id, []) if value is not None]


def _answers(body: Sequence[ast.stmt]) -> Iterator[ast.expr]:
    """Yield what statements return, without functions inside of them."""
    for statement in body:
        if isinstance(statement, ast.Return) and statement.value is not None:
            yield statement.value
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for part in ("body", "orelse", "finalbody"):
                yield from _answers(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from _answers(handler.body)


def _holder(call: ast.Call) -> str:
    """Return what a method is called of, or "" where a plain name is called."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _is_open(call: ast.Call) -> bool:
    """Tell whether an element has attributes that are not written out."""
    return any(each.arg is None for each in call.keywords) or any(isinstance(each, ast.Dict) for each in call.args)
