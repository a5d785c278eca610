"""Read Bicep templates without the compiler: parse with tree-sitter, then work out what each resource will say.

What a template can know before a deployment (literals, variables, defaults, given parameters, loops over known lists,
module parameters) becomes a Python value; what only Azure knows stays an `Unknown` that carries its source text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

PARSER = Parser(Language(tree_sitter_bicep.language()))
AZURE_KNOWS = {"environment", "guid", "resourceGroup", "subscription", "tenant", "toLower", "uniqueString"}
OFFLINE = {
    *("concat", "empty", "fail", "filter", "indexOf", "join", "length", "map"),
    *("resourceId", "subscriptionResourceId", "toObject", "union"),
}
OUTER = {"scope", "parent", "dependsOn"}


class BicepError(Exception):
    """The compiler would refuse this template, or one of its own guards did."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only Azure knows; `text` is its source, with known parts filled in."""

    text: str


@dataclass(frozen=True, slots=True)
class Either:
    """One of two values, by a condition that only Azure knows."""

    options: tuple["Value", "Value"]


type Value = bool | int | str | list[Value] | dict[str, Value] | Unknown | Either | Lambda | None
type Scope = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Lambda:
    """A lambda expression with the names that it was written among."""

    parameter: str
    body: Node
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as it would be deployed.

    Attributes:
        file: Path of its template below `infra/`.
        symbol: Its name in the template.
        type: Resource type without the version.
        version: API version.
        existing: True when the template only refers to it.
        body: Its members, without `scope`, `parent` and `dependsOn`.
        outer: Those three.
    """

    file: str
    symbol: str
    type: str
    version: str
    existing: bool
    body: dict[str, Value]
    outer: dict[str, Value]

    def get(self, path: str) -> Value:
        """Find a value by dotted path, or None."""
        node: Value = self.body
        for part in path.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node


@dataclass(slots=True)
class Deployment:
    """Every resource of a template and its modules, and the values of its outputs."""

    resources: list[Resource] = field(default_factory=list[Resource])
    outputs: dict[str, Value] = field(default_factory=dict[str, Value])


def parse(source: str) -> Node:
    """Parse a template or parameter file."""
    return PARSER.parse(source.encode()).root_node


def walk(node: Node) -> list[Node]:
    """List a node and all below it."""
    return [node, *(below for child in node.children for below in walk(child))]


def text_of(node: Node) -> str:
    """Answer the source of a node, on one line."""
    return " ".join((node.text or b"").decode().split())


def expand(files: Mapping[str, str], file: str, given: Mapping[str, Value]) -> Deployment:
    """Work out what a template deploys.

    Args:
        files: Text of every file below `infra/`, by path.
        file: The template.
        given: Parameters; a required one that is missing becomes an `Unknown` at the root.

    Raises:
        BicepError: A name, function, parameter or file does not exist, or a guard of the template refused.
    """
    return _Template(files, file).expand(given)


def _name_of(node: Node) -> str:
    return text_of(next(child for child in node.children if child.type in {"identifier", "property_identifier"}))


def _last(node: Node) -> Node:
    return node.named_children[-1]


class _Template:
    def __init__(self, files: Mapping[str, str], file: str) -> None:
        if file not in files:
            raise BicepError(f"{file} does not exist")
        self.files, self.file = files, file
        self.root = parse(files[file])
        self.symbols: Scope = {}
        self.deployment = Deployment()

    def declarations(self, kind: str) -> list[Node]:
        return [node for node in self.root.children if node.type == kind]

    def expand(self, given: Mapping[str, Value]) -> Deployment:
        self.read_imports()
        self.read_parameters(given)
        for kind in ("resource_declaration", "module_declaration"):
            for node in self.declarations(kind):
                self.symbols[_name_of(node)] = Unknown(_name_of(node))
        for node in self.declarations("variable_declaration"):
            self.symbols[_name_of(node)] = self.value(_last(node), {})
        for node in self.declarations("resource_declaration"):
            self.add_resource(node, "")
        for node in self.declarations("module_declaration"):
            self.add_module(node)
        for node in self.declarations("output_declaration"):
            self.deployment.outputs[_name_of(node)] = self.value(_last(node), {})
        return self.deployment

    def read_imports(self) -> None:
        for node in self.declarations("import_functionality"):
            source = _Template(self.files, self.path(text_of(_last(node)).strip("'")))
            exported = {_name_of(var): var for var in source.declarations("variable_declaration")}
            for child in node.children:
                if child.type == "identifier":
                    name = text_of(child)
                    if name not in exported:
                        raise BicepError(f"{self.file}: {source.file} exports no {name}")
                    self.symbols[name] = source.value(_last(exported[name]), {})

    def read_parameters(self, given: Mapping[str, Value]) -> None:
        declared = self.declarations("parameter_declaration")
        if foreign := set(given) - {_name_of(node) for node in declared}:
            raise BicepError(f"{self.file}: no parameter {', '.join(sorted(foreign))}")
        for node in declared:
            name = _name_of(node)
            has_default = any(child.type == "=" for child in node.children)
            if name in given:
                self.symbols[name] = given[name]
            else:
                self.symbols[name] = self.value(_last(node), {}) if has_default else Unknown(name)

    def required(self) -> set[str]:
        return {
            _name_of(node)
            for node in self.declarations("parameter_declaration")
            if not any(child.type == "=" for child in node.children)
        }

    def path(self, reference: str) -> str:
        return str(PurePosixPath(self.file).parent / reference)

    def add_resource(self, node: Node, parent_type: str) -> None:
        kind, _, version = text_of(next(c for c in node.children if c.type == "string")).strip("'").partition("@")
        type_name = f"{parent_type}/{kind}" if parent_type else kind
        existing = any(child.type == "existing" for child in node.children)
        for body_node, scope in self.bodies(_last(node), {}):
            body = self.object(body_node, scope)
            resource = Resource(
                file=self.file,
                symbol=_name_of(node),
                type=type_name,
                version=version,
                existing=existing,
                body={k: v for k, v in body.items() if k not in OUTER},
                outer={k: v for k, v in body.items() if k in OUTER},
            )
            self.deployment.resources.append(resource)
            for member in body_node.named_children:
                if member.named_children and member.named_children[0].type == "resource_declaration":
                    self.add_resource(member.named_children[0], type_name)

    def add_module(self, node: Node) -> None:
        module = self.path(text_of(next(c for c in node.children if c.type == "string")).strip("'"))
        for body_node, scope in self.bodies(_last(node), {}):
            parameters = self.object(body_node, scope).get("params", {})
            assert isinstance(parameters, dict)
            template = _Template(self.files, module)
            if missing := template.required() - set(parameters):
                raise BicepError(f"{self.file}: {_name_of(node)} does not give {', '.join(sorted(missing))}")
            self.deployment.resources += template.expand(parameters).resources

    def bodies(self, node: Node, scope: Scope) -> list[tuple[Node, Scope]]:
        """List the objects that a declaration makes: none or one for a condition, one a round for a loop."""
        if node.type == "if_statement":
            condition = self.value(node.named_children[0].named_children[0], scope)
            return [] if condition is False else self.bodies(_last(node), scope)
        if node.type == "for_statement":
            return [found for inner in self.rounds(node, scope) for found in self.bodies(_last(node), inner)]
        return [(node, scope)]

    def rounds(self, node: Node, scope: Scope) -> list[Scope]:
        names, items = text_of(node.named_children[0]).strip("()"), self.value(node.named_children[1], scope)
        name, _, index = (part.strip() for part in names.partition(","))
        if isinstance(items, list):
            return [{**scope, name: item, **({index: i} if index else {})} for i, item in enumerate(items)]
        return [{**scope, name: Unknown(name), **({index: Unknown(index)} if index else {})}]

    def object(self, node: Node, scope: Scope) -> dict[str, Value]:
        if node.type != "object":
            raise BicepError(f"{self.file}: not an object: {text_of(node)[:60]}")
        found: dict[str, Value] = {}
        for member in node.named_children:
            if member.type != "object_property" or len(member.named_children) != 2:
                continue
            key = member.named_children[0]
            name = self.value(key, scope) if key.type == "string" else text_of(key)
            label = name.text if isinstance(name, Unknown) else str(name)
            if label in found:
                raise BicepError(f"{self.file}: {label} is given twice")
            found[label] = self.value(member.named_children[1], scope)
        return found

    def value(self, node: Node, scope: Scope) -> Value:
        """Work out an expression."""
        evaluate = getattr(self, f"_{node.type}", None)
        if evaluate is None:
            raise BicepError(f"{self.file}: cannot read {node.type}: {text_of(node)[:60]}")
        found: Value = evaluate(node, scope)
        return found

    def _null(self, _node: Node, _scope: Scope) -> Value:
        return None

    def _boolean(self, node: Node, _scope: Scope) -> Value:
        return text_of(node) == "true"

    def _number(self, node: Node, _scope: Scope) -> Value:
        return int(text_of(node))

    def _identifier(self, node: Node, scope: Scope) -> Value:
        name = text_of(node)
        if name not in scope and name not in self.symbols:
            raise BicepError(f"{self.file}: nothing is called {name}")
        return scope[name] if name in scope else self.symbols[name]

    def _string(self, node: Node, scope: Scope) -> Value:
        parts, unknown = "", False
        for child in node.named_children:
            if child.type == "interpolation":
                part = self.value(child.named_children[0], scope)
                unknown |= isinstance(part, Unknown | Either)
                parts += f"${{{text_of(child.named_children[0])}}}" if isinstance(part, Unknown | Either) else str(part)
            else:
                parts += (child.text or b"").decode().removeprefix("\\" if child.type == "escape_sequence" else "")
        return Unknown(parts) if unknown else parts

    def _array(self, node: Node, scope: Scope) -> Value:
        return [self.value(child, scope) for child in node.named_children if child.type != "comment"]

    def _object(self, node: Node, scope: Scope) -> Value:
        return self.object(node, scope)

    def _for_statement(self, node: Node, scope: Scope) -> Value:
        return [self.value(_last(node), inner) for inner in self.rounds(node, scope)]

    def _parenthesized_expression(self, node: Node, scope: Scope) -> Value:
        return self.value(node.named_children[0], scope)

    def _member_expression(self, node: Node, scope: Scope) -> Value:
        base, name = self.value(node.named_children[0], scope), text_of(node.named_children[1])
        if isinstance(base, dict):
            if name not in base:
                raise BicepError(f"{self.file}: no member {name} in {text_of(node)}")
            return base[name]
        return Unknown(f"{base.text}.{name}") if isinstance(base, Unknown) else Unknown(text_of(node))

    def _subscript_expression(self, node: Node, scope: Scope) -> Value:
        base, index = (self.value(child, scope) for child in node.named_children)
        if isinstance(base, list) and isinstance(index, int):
            return base[index]
        return Unknown(f"{base.text}[{index}]") if isinstance(base, Unknown) else Unknown(text_of(node))

    def _resource_expression(self, node: Node, _scope: Scope) -> Value:
        return Unknown(text_of(node))

    def _lambda_expression(self, node: Node, scope: Scope) -> Value:
        return Lambda(text_of(node.named_children[0]), _last(node), scope)

    def _unary_expression(self, node: Node, scope: Scope) -> Value:
        inner = self.value(node.named_children[0], scope)
        return not inner if isinstance(inner, bool) else Unknown(text_of(node))

    def _binary_expression(self, node: Node, scope: Scope) -> Value:
        left, right = (self.value(child, scope) for child in node.named_children)
        if isinstance(left, Unknown) or isinstance(right, Unknown) or text_of(node.children[1]) != "==":
            return Unknown(text_of(node))
        return left == right

    def _ternary_expression(self, node: Node, scope: Scope) -> Value:
        condition = self.value(node.named_children[0], scope)
        if isinstance(condition, bool):
            return self.value(node.named_children[1 if condition else 2], scope)
        return Either((self.value(node.named_children[1], scope), self.value(node.named_children[2], scope)))

    def _call_expression(self, node: Node, scope: Scope) -> Value:
        name = text_of(node.named_children[0])
        arguments = [self.value(child, scope) for child in node.named_children[1].named_children]
        if name not in AZURE_KNOWS | OFFLINE:
            raise BicepError(f"{self.file}: no function {name}")
        if name in AZURE_KNOWS or (name != "resourceId" and any(isinstance(item, Unknown) for item in arguments)):
            return Unknown(text_of(node))
        return self.apply(name, arguments)

    def apply(self, name: str, arguments: list[Value]) -> Value:  # noqa: C901, PLR0911, PLR0912  a case each
        """Apply a function whose result is known before a deployment."""
        match name, arguments:
            case "concat", lists:
                return [item for part in lists for item in _items(part)]
            case "empty", [value]:
                return not value
            case "filter", [items, keep]:
                return [item for item in _items(items) if self.call(keep, item)]
            case "indexOf", [items, item]:
                return _items(items).index(item)
            case "join", [items, separator]:
                return _join(_items(items), _label(separator))
            case "length", [items]:
                return len(_items(items))
            case "map", [items, change]:
                return [self.call(change, item) for item in _items(items)]
            case "resourceId", [kind, own_name]:
                return Unknown(f"{_label(kind)}/{_label(own_name)}")
            case "subscriptionResourceId", [kind, own_name]:
                return f"{_label(kind)}/{_label(own_name)}"
            case "toObject", [items, key, change]:
                return {_label(self.call(key, item)): self.call(change, item) for item in _items(items)}
            case "union", parts:
                return _merge(parts)
            case "fail", [message]:
                raise BicepError(f"{self.file}: {message}")
            case _:
                raise BicepError(f"{self.file}: wrong number of arguments for {name}")

    def call(self, function: Value, argument: Value) -> Value:
        assert isinstance(function, Lambda)
        return self.value(function.body, {**function.scope, function.parameter: argument})


def _label(value: Value) -> str:
    return value.text if isinstance(value, Unknown) else str(value)


def _items(value: Value) -> list[Value]:
    assert isinstance(value, list)
    return value


def _join(items: list[Value], separator: str) -> Value:
    joined = separator.join(_label(item) for item in items)
    return Unknown(joined) if any(isinstance(item, Unknown) for item in items) else joined


def _merge(parts: list[Value]) -> Value:
    merged: dict[str, Value] = {}
    for part in parts:
        assert isinstance(part, dict)
        merged |= part
    return merged
