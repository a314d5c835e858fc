"""The five mistakes that keep class-style plugins from working, found in their source without running it.

What the source does not tell for certain counts as right: a name that cannot be followed, an element made elsewhere.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pipulate.workflows.findings import Finding

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Found = Iterator[tuple[int, str, str]]
_Bound = dict[str, list[ast.expr | None]]

_IDENTITY = {"NAME", "APP_NAME", "DISPLAY_NAME", "name", "app_name", "display_name"}
_HANDLERS = ("landing", "init", "finalize", "unfinalize", "handle_revert")
_FINALIZE, _TARGET, _KEY = "finalize", "_revert_target", "pipeline_id"
_CLICKED = {"A", "Button", "Form", "Input", "Label", "Li", "Option", "Select", "Summary", "Td", "Textarea", "Tr"}
_BOXES = {"Article", "Card", "Container", "Div", "Fieldset", "Footer", "Grid", "Group", "Header", "Main", "Section"}
_TEXT = {
    "A", "B", "Br", "Button", "Code", "Em", "H1", "H2", "H3", "H4", "H5", "H6", "Hr", "I", "Img", "Input", "Label",
    "Li", "Ol", "P", "Pre", "Small", "Span", "Strong", "Ul",
}  # fmt: skip
_HELPERS = {"display_revert_header", "display_revert_widget", "finalized_content", "fmt", "get_style", "tree_display"}
_RETURNERS = {"display_revert_header", "display_revert_widget", "chain_reverter"}
_ASKS = ("hx_get", "hx_post", "hx_put", "hx_patch", "hx_delete", "hx_trigger", "hx_ext")
_MOST = 16  # Texts an expression can have until it counts as unknown.

_LOAD = "hx_trigger='load'"
_LOADER = f"Div(id=next_step_id, hx_get=f'/{{app_name}}/{{next_step_id}}', {_LOAD})"
_NO_TRIGGER = f"This element asks for a step and never does it, so the chain ends here. Give it {_LOAD}."
_NO_LOADER = f"Nothing in this answer loads the next step, so the chain ends here. Put in {_LOADER}."
_NO_REFRESH = (
    "An empty key is not taken for a new one. Where pipeline_id is empty, return Response('', headers={'HX-Refresh':"
    " 'true'}); the page then offers the next free key."
)
_LATE = (
    "This comes before the question whether the run is locked, so a locked step is not shown as one. Ask in this"
    " order: is it finalized; is there a value, and _revert_target is another step; else show the form."
)


def find(source: str, path: str) -> tuple[Finding, ...]:
    """Return the mistakes in a class-style plugin, by line; none in any other file.

    Args:
        source: The text of the file.
        path: Where it is, for the findings.
    """
    try:
        tree = ast.parse(source)
        plugin = _plugin(tree, source)
        found = [each for check in _CHECKS for each in check(plugin)] if plugin is not None else []
    except (SyntaxError, ValueError, RecursionError):  # Its import says what is wrong.
        return ()
    return tuple(Finding(code, message, path, line) for line, code, message in sorted(found))


# The plugin, and what its expressions can be


@dataclass(frozen=True, slots=True)
class _Plugin:
    """The class of a plugin.

    Attributes:
        source: The text of its file.
        tree: All of its file.
        methods: Its methods, with those of base classes in the same file.
        functions: Functions beside the class.
        constants: Names bound beside or in the class -> what they are bound to.
        attributes: `self.NAME` -> what it is bound to, and the method in which.
        steps: Ids of its steps, in order; empty where they are not written out.
    """

    source: str
    tree: ast.Module
    methods: Mapping[str, _Function]
    functions: Mapping[str, _Function]
    constants: _Bound
    attributes: Mapping[str, list[tuple[ast.expr | None, _Function | None]]]
    steps: Sequence[str]

    @property
    def step_handlers(self) -> list[str]:
        """Methods that show a step: those named in its steps, and those with a partner that takes the form."""
        return [
            name for name in self.methods if name != _FINALIZE and (name in self.steps or f"{name}_submit" in self.methods)
        ]

    @property
    def step_ids(self) -> set[str]:
        """Every id a step has."""
        return {*self.steps, *self.step_handlers, _FINALIZE}


def _plugin(tree: ast.Module, source: str) -> _Plugin | None:
    """Return the class the host would take: the first, by name, that has a landing page and a name."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for _, kind in sorted(classes.items()):
        family = _family(kind, classes)
        names = {name for each in family for name in _members(each)}
        if "landing" in names and names & _IDENTITY:
            return _read(tree, source, family)
    return None


def _family(kind: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return a class with its bases in the same file, bases first."""
    found = [kind]
    for each in found:
        bases = [classes[base.id] for base in each.bases if isinstance(base, ast.Name) and base.id in classes]
        found += [base for base in bases if base not in found]
    return found[::-1]


def _members(kind: ast.ClassDef) -> set[str]:
    functions = {node.name for node in kind.body if isinstance(node, _Function)}
    return functions | {name for name, values in _bound(kind.body).items() if any(values)}


def _read(tree: ast.Module, source: str, family: Sequence[ast.ClassDef]) -> _Plugin:
    methods = {node.name: node for kind in family for node in kind.body if isinstance(node, _Function)}
    constants, attributes = _bound(tree.body), defaultdict(list)
    for kind in family:
        for name, values in _bound(kind.body).items():
            constants[name] = values
            attributes[name] = [(value, None) for value in values]
    for method in methods.values():
        for target, value in _pairs(ast.walk(method)):
            if isinstance(target, ast.Attribute) and _is_self(target.value):
                attributes[target.attr].append((value, method))
    functions = {node.name: node for node in tree.body if isinstance(node, _Function)}
    return _Plugin(source, tree, methods, functions, constants, attributes, _steps(family))


def _steps(family: Sequence[ast.ClassDef]) -> Sequence[str]:
    """Return the ids of steps that are written out, none where one of them is not or where the order is made."""
    ids: list[str] = []
    for kind in family:
        for call in _calls(kind):
            if _name(call) == "insert":
                return ()
            if not (_name(call).endswith("Step") or {"id", "done"} <= {each.arg for each in call.keywords}):
                continue
            given = _keyword(call, "id") or (call.args[0] if call.args else None)
            if not isinstance(given, ast.Constant) or not isinstance(given.value, str) or given.value in ids:
                return ()
            ids.append(given.value)
    return ids


def _bound(body: Iterable[ast.AST]) -> _Bound:
    """Return the names that statements bind, with every value each is given; None for a value that is not written."""
    found: _Bound = defaultdict(list)
    for target, value in _pairs(body):
        if isinstance(target, ast.Name):
            found[target.id].append(value)
    return found


def _pairs(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _unpacked(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            yield node.target, node.value
        elif isinstance(node, ast.AugAssign):
            yield node.target, None


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
        return
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    is_even = len(parts) == len(target.elts) and not any(isinstance(each, ast.Starred) for each in target.elts)
    for number, each in enumerate(target.elts):
        if is_even:
            yield from _unpacked(each, parts[number])
        else:
            yield each, None


class _Scope:
    """What the names and expressions of a function can be; of no function: those beside and in the class."""

    def __init__(self, plugin: _Plugin, function: _Function | None) -> None:
        self.plugin, self.function = plugin, function
        self.names = self._names(function) if function is not None else {}
        self._ends: dict[int, list[tuple[ast.expr, _Scope]]] = {}
        self._texts: dict[int, frozenset[str] | None] = {}

    def _names(self, function: _Function) -> _Bound:
        names = _bound(ast.walk(function))
        written = {id(target) for target, _ in _pairs(ast.walk(function))}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in written:
                names[node.id].append(None)  # Of a loop, a `with`, or a tuple.
        positional = [*function.args.posonlyargs, *function.args.args]
        defaults = dict(zip([each.arg for each in positional][::-1], function.args.defaults[::-1], strict=False))
        for each in _parameters(function):
            # The host hands in nothing that has a default, unless it knows its name.
            names[each.arg].append(defaults.get(each.arg) if function.name == "__init__" else None)
        return names

    def ends(self, node: ast.expr) -> list[tuple[ast.expr, _Scope]]:
        """Return what an expression can be once names and choices are followed; itself where they lead nowhere."""
        if id(node) not in self._ends:
            self._ends[id(node)] = [(node, self)]  # For one that leads back to itself.
            found = [end for value, scope in self._steps_from(node) for end in scope.ends(value)]
            if 0 < len(found) <= _MOST:
                self._ends[id(node)] = found
        return self._ends[id(node)]

    def _steps_from(self, node: ast.expr) -> list[tuple[ast.expr, _Scope]]:
        if isinstance(node, ast.IfExp):
            return [(node.body, self), (node.orelse, self)]
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return [(each, self) for each in node.values]
        if isinstance(node, ast.NamedExpr | ast.Await):
            return [(node.value, self)]
        values: list[tuple[ast.expr | None, _Scope]] = []
        if isinstance(node, ast.Name) and node.id in self.names:
            values = [(value, self) for value in self.names[node.id]]
        elif isinstance(node, ast.Name):
            values = [(value, _Scope(self.plugin, None)) for value in self.plugin.constants.get(node.id, [])]
        elif isinstance(node, ast.Attribute) and _is_self(node.value):
            values = [(value, _Scope(self.plugin, where)) for value, where in self.plugin.attributes.get(node.attr, [])]
        known = [(value, scope) for value, scope in values if value is not None]
        return known if len(known) == len(values) else []

    def texts(self, node: ast.expr | None) -> frozenset[str] | None:
        """Return the texts an expression can be, or None where they are not known."""
        if node is None:
            return None
        if id(node) not in self._texts:
            self._texts[id(node)] = None  # For one that leads back to itself.
            self._texts[id(node)] = self._texts_of(node)
        return self._texts[id(node)]

    def _texts_of(self, node: ast.expr) -> frozenset[str] | None:
        ends = self.ends(node)
        if ends != [(node, self)]:
            return _union(scope.texts(end) for end, scope in ends)
        if isinstance(node, ast.Constant):
            return frozenset({node.value}) if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            return self._joined([each.value if isinstance(each, ast.FormattedValue) else each for each in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right])
        if isinstance(node, ast.Attribute) and node.attr == "id":
            return self.step_of(node.value)
        return None

    def _joined(self, parts: Sequence[ast.expr]) -> frozenset[str] | None:
        every = [self.texts(part) for part in parts]
        if any(each is None for each in every):
            return None
        return _few("".join(each) for each in product(*[each or () for each in every]))

    def step_of(self, node: ast.expr) -> frozenset[str] | None:
        """Return the ids of the steps an expression can be."""
        return _union(scope._step(end) for end, scope in self.ends(node))

    def _step(self, node: ast.expr) -> frozenset[str] | None:
        if isinstance(node, ast.Subscript):
            places = self._places(node.slice)
            steps = self.plugin.steps
            return _few(steps[each] for each in places if -len(steps) <= each < len(steps)) if places else None
        if isinstance(node, ast.Call) and _name(node) == "next" and node.args:
            for each in ast.walk(node.args[0]):
                if isinstance(each, ast.Compare) and isinstance(each.left, ast.Attribute) and each.left.attr == "id":
                    return self.texts(each.comparators[0])
        return self.texts(_keyword(node, "id")) if isinstance(node, ast.Call) else None

    def _places(self, node: ast.expr) -> set[int]:
        """Return the places in the list of steps an index can mean; none where they are not known."""
        places = [scope._place(end) for end, scope in self.ends(node)]
        return {each for some in places for each in some} if all(places) else set()

    def _place(self, node: ast.expr) -> set[int]:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return {node.value}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return {-each for each in self._places(node.operand)}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            sign = 1 if isinstance(node.op, ast.Add) else -1
            right = self._places(node.right)
            return {left + sign * each for left in self._places(node.left) for each in right}
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("steps_indices"):
            steps = self.plugin.steps
            return {steps.index(each) for each in self.texts(node.slice) or () if each in steps}
        return set()
