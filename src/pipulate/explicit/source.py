"""A class-style plugin as its source has it: its methods and steps, and what its expressions can be.

Nothing is run, and what the source does not tell for certain is unknown.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from pipulate._syntax import parsed

Function = ast.FunctionDef | ast.AsyncFunctionDef
Texts = frozenset[str] | None
"""The texts an expression can be, or None where they are not known."""

FINALIZE = "finalize"
_IDENTITY = {"NAME", "APP_NAME", "DISPLAY_NAME", "name", "app_name", "display_name"}
_MOST = 16  # Values an expression can have until it counts as unknown.
_Bound = defaultdict[str, list[ast.expr | None]]


@dataclass(frozen=True, slots=True)
class Plugin:
    """The class of a plugin.

    Attributes:
        source: The text of its file.
        tree: All of its file.
        methods: Its methods, with those of base classes in the same file.
        functions: The functions beside the class.
        constants: Names bound beside or in the class -> what they are bound to, None for what is not written out.
        attributes: `self.NAME` -> the same, each with the method it is bound in.
        steps: Ids of its steps, in order; empty where they are not written out.
        scopes: Function -> what its names are, made when it is asked for.
    """

    source: str
    tree: ast.Module
    methods: Mapping[str, Function]
    functions: Mapping[str, Function]
    constants: _Bound
    attributes: Mapping[str, list[tuple[ast.expr | None, Function | None]]]
    steps: Sequence[str]
    scopes: dict[int, Scope] = field(default_factory=dict)

    @property
    def step_handlers(self) -> list[str]:
        """Methods that show a step: those a step is named after, and those with a partner that takes the form."""
        return [
            name
            for name in self.methods
            if name != FINALIZE and (name in self.steps or f"{name}_submit" in self.methods)
        ]

    @property
    def step_ids(self) -> set[str]:
        """Every id a step has, the last one's included."""
        return {*self.steps, *self.step_handlers, FINALIZE}

    def scope(self, function: Function | None) -> Scope:
        """Return what the names of a function are; of no function: those beside and in the class."""
        if id(function) not in self.scopes:
            self.scopes[id(function)] = Scope(self, function)
        return self.scopes[id(function)]


def plugin_in(source: str) -> Plugin | None:
    """Return the class the host would take: the first, by name, that has a landing page and a name; None without one.

    Raises:
        SyntaxError, ValueError: If this is no Python.
        RecursionError, MemoryError: If it is nested too deep to be looked at.
    """
    tree = parsed(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for _, kind in sorted(classes.items()):
        family = _family(kind, classes)
        names = {name for each in family for name in _members(each)}
        if "landing" in names and names & _IDENTITY:
            return _read(source, tree, family)
    return None


def _family(kind: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return a class with its bases in the same file, bases first."""
    found = [kind]
    for each in found:
        bases = [classes[base.id] for base in each.bases if isinstance(base, ast.Name) and base.id in classes]
        found += [base for base in bases if base not in found]
    return found[::-1]


def _members(kind: ast.ClassDef) -> set[str]:
    functions = {node.name for node in kind.body if isinstance(node, Function)}
    return functions | {name for name, values in _bound(kind.body).items() if any(values)}


def _read(source: str, tree: ast.Module, family: Sequence[ast.ClassDef]) -> Plugin:
    methods = {node.name: node for kind in family for node in kind.body if isinstance(node, Function)}
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    constants = _bound(tree.body)
    attributes: dict[str, list[tuple[ast.expr | None, Function | None]]] = defaultdict(list)
    for kind in family:
        for name, values in _bound(kind.body).items():
            constants[name] = values
            attributes[name] = [(value, None) for value in values]
    for method in methods.values():
        for target, value in _pairs(ast.walk(method)):
            if isinstance(target, ast.Attribute) and is_self(target.value):
                attributes[target.attr].append((value, method))
    return Plugin(source, tree, methods, functions, constants, attributes, _steps(family))


def _steps(family: Iterable[ast.ClassDef]) -> Sequence[str]:
    """Return the ids of the steps, none where one is not written out or where their order is made by code."""
    ids: list[str] = []
    for call in (call for kind in family for call in calls_in(kind)):
        if ast.unparse(call.func).endswith("steps.insert"):
            return ()
        if not name_of(call).endswith("Step") and not {"id", "done"} <= {each.arg for each in call.keywords}:
            continue
        given = keyword(call, "id") or next(iter(call.args), None)
        if not isinstance(given, ast.Constant) or not isinstance(given.value, str) or given.value in ids:
            return ()
        ids.append(given.value)
    return ids


class Scope:
    """What the names and expressions of a function can be."""

    def __init__(self, plugin: Plugin, function: Function | None) -> None:
        self._plugin = plugin
        self.names = _names(function) if function is not None else {}
        self._ends: dict[int, list[tuple[ast.expr, Scope]]] = {}
        self._texts: dict[int, Texts] = {}
        self._places: dict[int, set[int]] = {}

    def ends(self, node: ast.expr) -> list[tuple[ast.expr, Scope]]:
        """Return what an expression can be once names and choices are followed; itself where they lead nowhere."""
        if id(node) not in self._ends:
            self._ends[id(node)] = [(node, self)]  # For one that leads back to itself.
            ends = (end for value, scope in self._next(node) for end in scope.ends(value))
            found = list(islice(ends, _MOST + 1))
            if 0 < len(found) <= _MOST:
                self._ends[id(node)] = found
        return self._ends[id(node)]

    def _next(self, node: ast.expr) -> list[tuple[ast.expr, Scope]]:
        if isinstance(node, ast.IfExp):
            return [(node.body, self), (node.orelse, self)]
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return [(each, self) for each in node.values]
        if isinstance(node, ast.NamedExpr | ast.Await):
            return [(node.value, self)]
        values: list[tuple[ast.expr | None, Scope]] = []
        if isinstance(node, ast.Name) and node.id in self.names:
            values = [(value, self) for value in self.names[node.id]]
        elif isinstance(node, ast.Name):
            values = [(value, self._plugin.scope(None)) for value in self._plugin.constants.get(node.id, [])]
        elif isinstance(node, ast.Attribute) and is_self(node.value):
            bound = self._plugin.attributes.get(node.attr, [])
            values = [(value, self._plugin.scope(where)) for value, where in bound]
        known = [(value, scope) for value, scope in values if value is not None]
        return known if len(known) == len(values) else []

    def texts(self, node: ast.expr | None) -> Texts:
        """Return the texts an expression can be."""
        if node is None:
            return None
        if id(node) not in self._texts:
            self._texts[id(node)] = None  # For one that leads back to itself.
            self._texts[id(node)] = self._texts_of(node)
        return self._texts[id(node)]

    def _texts_of(self, node: ast.expr) -> Texts:
        ends = self.ends(node)
        if ends != [(node, self)]:
            return _union(scope.texts(end) for end, scope in ends)
        if isinstance(node, ast.Constant):
            return (
                frozenset({node.value}) if isinstance(node.value, str) else frozenset() if node.value is None else None
            )
        if isinstance(node, ast.JoinedStr):
            return self._joined([each.value if isinstance(each, ast.FormattedValue) else each for each in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right])
        if isinstance(node, ast.Attribute) and node.attr == "id":
            return _union(scope.step(end) for end, scope in self.ends(node.value))
        return None

    def _joined(self, parts: Iterable[ast.expr]) -> Texts:
        every = [self.texts(part) for part in parts]
        known = [each for each in every if each is not None]
        return _few("".join(each) for each in product(*known)) if len(known) == len(every) else None

    def step(self, node: ast.expr) -> Texts:
        """Return the ids of the steps that the end of an expression can be."""
        if isinstance(node, ast.Subscript):
            steps = self._plugin.steps
            return _few(steps[each] for each in self.places(node.slice) if -len(steps) <= each < len(steps)) or None
        if not isinstance(node, ast.Call):
            return None
        if name_of(node) == "next" and node.args:
            compared = [each for each in ast.walk(node.args[0]) if isinstance(each, ast.Compare)]
            return self.texts(compared[0].comparators[0]) if len(compared) == 1 else None
        return self.texts(keyword(node, "id"))

    def places(self, node: ast.expr) -> set[int]:
        """Return the places in the list of steps that an index can mean; none where they are not known."""
        if id(node) not in self._places:
            self._places[id(node)] = set()  # For one that leads back to itself.
            self._places[id(node)] = self._places_of(node)
        return self._places[id(node)]

    def _places_of(self, node: ast.expr) -> set[int]:
        ends = self.ends(node)
        if ends != [(node, self)]:
            places = [scope.places(end) for end, scope in ends]
            return {each for some in places for each in some} if all(places) else set()
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return {node.value}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return {-each for each in self.places(node.operand)}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            sign = 1 if isinstance(node.op, ast.Add) else -1
            right = self.places(node.right)
            return {left + sign * each for left in self.places(node.left) for each in right}
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("steps_indices"):
            steps = self._plugin.steps
            return {steps.index(each) for each in self.texts(node.slice) or () if each in steps}
        return set()


def parameters(function: Function | ast.Lambda) -> list[ast.arg]:
    """Return the parameters that have a name, in order, `self` included."""
    given = function.args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [each for each in every if each is not None]


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in a part of the source."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def name_of(call: ast.Call) -> str:
    """Return the last name of what is called, or ""."""
    called = call.func
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return what is given under a name, or None; FastHTML takes `_name` and `data_name` for the same."""
    names = (name, f"_{name}", f"data_{name}")
    return next((each.value for each in call.keywords if each.arg in names), None)


def is_self(node: ast.expr) -> bool:
    """Tell whether an expression is the plugin itself, or its class by way of it."""
    return ast.unparse(node) in ("self", "self.__class__", "type(self)", "cls")


def _names(function: Function) -> _Bound:
    names = _bound(ast.walk(function))
    written = {id(target) for target, _ in _pairs(ast.walk(function))}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in written:
            names[node.id].append(None)  # Of a loop, of `with`, or one of several.
    positional = [*function.args.posonlyargs, *function.args.args]
    defaults = dict(zip((each.arg for each in positional[::-1]), function.args.defaults[::-1], strict=False))
    for each in parameters(function):  # What has a default is not handed in by the host.
        names[each.arg].append(defaults.get(each.arg) if function.name == "__init__" else None)
    return names


def _bound(nodes: Iterable[ast.AST]) -> _Bound:
    """Return the names that statements bind, with every value each is given."""
    found: _Bound = defaultdict(list)
    for target, value in _pairs(nodes):
        if isinstance(target, ast.Name):
            found[target.id].append(value)
    return found


def _pairs(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield what is bound, with its value; None for a value that is not written out."""
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
    if len(parts) != len(target.elts) or any(isinstance(each, ast.Starred) for each in (*target.elts, *parts)):
        yield from ((each, None) for each in target.elts)
        return
    for each, part in zip(target.elts, parts, strict=True):
        yield from _unpacked(each, part)


def _union(texts: Iterable[Texts]) -> Texts:
    every = list(texts)
    known = [each for each in every if each is not None]
    return _few(text for each in known for text in each) if len(known) == len(every) else None


def _few(texts: Iterable[str]) -> Texts:
    found = list(islice(texts, _MOST + 1))
    return frozenset(found) if len(found) <= _MOST else None
