"""CloudFormation's intrinsic functions, resolved without AWS.

A value that the file does not contain (a parameter without a default, an import, an attribute that only AWS assigns)
stays an *unresolved value* in the text, under the name of its reference. `unresolved_in` lists these names, and `fill`
replaces the values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from permission_guard.offline.physical_names import Place, attribute, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.targets import JSON

NO_VALUE: Final = object()
"""The value of `AWS::NoValue`: the property does not exist."""

_OPEN, _CLOSE = "\ue000", "\ue001"
_UNRESOLVED: Final = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_MARKS: Final = str.maketrans(dict.fromkeys((_OPEN, _CLOSE), "\ufffd"))
_VARIABLE: Final = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")
_DYNAMIC: Final = re.compile(rf"\{{\{{resolve:(?:[^}}{_OPEN}]|{_OPEN}[^{_CLOSE}]*{_CLOSE})*\}}\}}")

_DECIDED_BY: Final = {"Fn::And": False, "Fn::Or": True}
"""The value of one operand that decides the whole function."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A value that the file does not contain.

    `own`: it belongs to a resource that the same stack creates, and so to the own account. `allowed` has the possible
    values if the template lists them.
    """

    name: str
    own: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(slots=True)
class Resolver:
    """Resolve the values of one template.

    `parameters` has the given values of parameters, `choices` the assumed values of conditions that the file does not
    decide. `found` collects the unresolved values, `undecided` those conditions.
    """

    template: Mapping[str, Any]
    place: Place
    parameters: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, bool] = field(default_factory=dict)
    found: dict[str, Unresolved] = field(default_factory=dict)
    undecided: dict[str, None] = field(default_factory=dict)
    _in_progress: set[str] = field(default_factory=set)

    def value(self, raw: JSON) -> JSON:
        """Resolve a value as far as possible. Return NO_VALUE if the property does not exist."""
        if isinstance(raw, str):
            return _DYNAMIC.sub(lambda match: self.unresolved(fill(match[0], {})), raw)
        if isinstance(raw, list):
            return [item for item in map(self.value, raw) if item is not NO_VALUE]
        if not isinstance(raw, dict):
            return raw
        if len(raw) == 1:
            name, argument = next(iter(raw.items()))
            if name == "Ref" or str(name).startswith("Fn::"):
                return self._call(name, argument)
        return {
            key: item for key, item in ((key, self.value(item)) for key, item in raw.items()) if item is not NO_VALUE
        }

    def properties(self, logical_id: str) -> dict[str, JSON]:
        """Return the resolved properties of a resource, an empty dict if it has none."""
        resource = self.resources.get(logical_id)
        found = self.value(resource.get("Properties", {})) if isinstance(resource, dict) else {}
        return found if isinstance(found, dict) else {}

    @property
    def resources(self) -> Mapping[str, Any]:
        """The template's resources by logical id."""
        found = self.template.get("Resources")
        return found if isinstance(found, dict) else {}

    def type_of(self, logical_id: str) -> str:
        """Return the type of a resource, empty if the resource does not exist."""
        resource = self.resources.get(logical_id)
        return str(resource.get("Type", "")) if isinstance(resource, dict) else ""

    def unresolved(self, name: str, *, own: bool = False, allowed: tuple[str, ...] = ()) -> str:
        """Return the text that stands for an unresolved value."""
        self.found.setdefault(name, Unresolved(name, own, allowed))
        return f"{_OPEN}{name}{_CLOSE}"

    def condition(self, name: str) -> bool | None:
        """Return whether a condition of the template is true, None if the file does not decide it."""
        conditions = self.template.get("Conditions")
        raw = conditions.get(name) if isinstance(conditions, dict) else None
        decided = self.once(f"condition {name}", lambda: self._evaluate(raw))
        if decided is None:
            self.undecided.setdefault(name)
            return self.choices.get(name)
        return decided

    # ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _evaluate(self, raw: JSON) -> bool | None:
        if not isinstance(raw, dict) or len(raw) != 1:
            return None
        name, argument = next(iter(raw.items()))
        if name == "Condition":
            return self.condition(str(argument))
        parts = argument if isinstance(argument, list) else []
        if name == "Fn::Equals" and len(parts) == 2:  # noqa: PLR2004 - Fn::Equals compares two values
            return _equal(self.value(parts[0]), self.value(parts[1]))
        operands = [self._evaluate(part) for part in parts]
        if name == "Fn::Not" and operands:
            return None if operands[0] is None else not operands[0]
        if name in _DECIDED_BY:
            deciding = _DECIDED_BY[name]
            return deciding if deciding in operands else None if None in operands else not deciding
        return None

    def once(self, key: str, resolve: Callable[[], T]) -> T | None:
        """Return the result of `resolve`, None if it refers to itself."""
        if key in self._in_progress:
            return None
        self._in_progress.add(key)
        try:
            return resolve()
        finally:
            self._in_progress.discard(key)

    # ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, name: str, argument: JSON) -> JSON:
        functions: dict[str, Callable[[JSON], JSON]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": self._import,
        }
        function = functions.get(name)
        found = function(argument) if function else None
        return self.unresolved(name) if found is None else found

    def _ref(self, name: JSON) -> JSON:
        if not isinstance(name, str):
            return None
        if name.startswith("AWS::"):
            return self._pseudo(name)
        parameters = self.template.get("Parameters")
        if isinstance(parameters, dict) and name in parameters:
            return self._parameter(name, parameters[name])
        return reference(self, name) if self.type_of(name) else self.unresolved(name)

    def _pseudo(self, name: str) -> JSON:
        place = self.place
        stack = f"arn:{place.partition}:cloudformation:{place.region}:{place.account}:stack/my-stack/0a1b2c3d-4e5f-6a7b"
        values = {
            "AWS::AccountId": place.account,
            "AWS::Region": place.region,
            "AWS::Partition": place.partition,
            "AWS::URLSuffix": place.url_suffix,
            "AWS::StackName": "my-stack",
            "AWS::StackId": stack,
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }
        return values.get(name)

    def _parameter(self, name: str, raw: JSON) -> JSON:
        parameter = raw if isinstance(raw, dict) else {}
        kind = str(parameter.get("Type", "String"))
        given = self.parameters.get(name)
        found = given if given is not None else parameter.get("Default")
        if found is None or (given is None and kind.startswith("AWS::SSM::Parameter::")):
            allowed = parameter.get("AllowedValues")
            return self.unresolved(name, allowed=tuple(map(text, allowed)) if isinstance(allowed, list) else ())
        if "List" in kind:
            return [part.strip() for part in text(found).split(",")]
        return self.value(text(found))

    def _get_att(self, argument: JSON) -> JSON:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
            return None
        logical_id, name = parts[0], ".".join(parts[1:])
        return (
            attribute(self, logical_id, name) if self.type_of(logical_id) else self.unresolved(f"{logical_id}.{name}")
        )

    def _sub(self, argument: JSON) -> JSON:
        template, given = argument if _is_pair(argument) else (argument, {})
        if not isinstance(template, str) or not isinstance(given, dict):
            return None

        def replacement(match: re.Match[str]) -> str:
            literal, name = match[1], match[2]
            if literal:
                return f"${{{name}}}"
            raw = given.get(name, {"Fn::GetAtt": name} if "." in name else {"Ref": name})
            found = self.value(raw)
            return text(found) if _is_scalar(found) else self.unresolved(name)

        return self.value(_VARIABLE.sub(replacement, template))

    def _join(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        delimiter, parts = argument[0], self.value(argument[1])
        if not isinstance(parts, list) or not all(map(_is_scalar, parts)):
            return parts if isinstance(parts, str) and _UNRESOLVED.fullmatch(parts) else None
        return self.value(str(delimiter).join(map(text, parts)))

    def _select(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        index, items = text(self.value(argument[0])), self.value(argument[1])
        if isinstance(items, list) and index.isdigit() and int(index) < len(items):
            return items[int(index)]
        return items if isinstance(items, str) and _UNRESOLVED.fullmatch(items) else None

    def _split(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        delimiter, whole = str(argument[0]), self.value(argument[1])
        if not isinstance(whole, str) or not delimiter:
            return None
        first = next(iter(unresolved_in(whole)), None)
        return whole.split(delimiter) if first is None else self._part_of(first)

    def _part_of(self, name: str) -> str:
        """Return the text that stands for a part of an unresolved value."""
        return self.unresolved(name, own=self.found[name].own)

    def _if(self, argument: JSON) -> JSON:
        if not isinstance(argument, list) or len(argument) != 3:  # noqa: PLR2004 - a condition and two branches
            return None
        is_true = self.condition(str(argument[0]))
        return self.value(argument[2] if is_true is False else argument[1])

    def _find_in_map(self, argument: JSON) -> JSON:
        if not isinstance(argument, list):
            return None
        found: JSON = self.template.get("Mappings")
        for key in map(self.value, argument[:3]):
            found = found.get(text(key)) if isinstance(found, dict) and _is_scalar(key) else None
        if found is None and len(argument) > 3 and isinstance(argument[3], dict):  # noqa: PLR2004 - and a default
            found = argument[3].get("DefaultValue")
        return None if found is None else self.value(found)

    def _import(self, argument: JSON) -> JSON:
        name = self.value(argument)
        return self.unresolved(f"import of {fill(text(name), {})}" if _is_scalar(name) else "an import")


def text(value: JSON) -> str:
    """Return a scalar as CloudFormation writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def unresolved_in(value: JSON) -> dict[str, None]:
    """Return the names of the unresolved values in a value, in order of appearance."""
    if isinstance(value, str):
        return dict.fromkeys(_UNRESOLVED.findall(value))
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name: None for part in parts for name in unresolved_in(part)}


def without_marks(value: JSON) -> JSON:
    """Return a document without the two private characters that mark unresolved values."""
    if isinstance(value, str):
        return value.translate(_MARKS) if _OPEN in value or _CLOSE in value else value
    if isinstance(value, list):
        return [without_marks(item) for item in value]
    return (
        {without_marks(key): without_marks(item) for key, item in value.items()} if isinstance(value, dict) else value
    )


def sole_unresolved(value: JSON) -> str | None:
    """Return the name of the unresolved value that is the whole text, None if there is none."""
    match = _UNRESOLVED.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def begins_with(value: str) -> str | None:
    """Return the name of the unresolved value at the beginning of a text, None if there is none."""
    match = _UNRESOLVED.match(value)
    return match[1] if match else None


def fill(value: JSON, fills: Mapping[str, str]) -> JSON:
    """Replace unresolved values by texts; one without a text becomes `${NAME}`."""
    if isinstance(value, str):
        return _UNRESOLVED.sub(lambda match: fills.get(match[1], f"${{{match[1]}}}"), value)
    if isinstance(value, list):
        return [fill(item, fills) for item in value]
    if isinstance(value, dict):
        return {fill(key, fills): fill(item, fills) for key, item in value.items()}
    return value


def _equal(left: JSON, right: JSON) -> bool | None:
    if not (_is_scalar(left) and _is_scalar(right)):
        return None
    if text(left) == text(right):
        return True
    return None if unresolved_in(text(left)) or unresolved_in(text(right)) else False


def _is_scalar(value: JSON) -> bool:
    return isinstance(value, (str, int, float))


def _is_pair(value: JSON) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - a pair
