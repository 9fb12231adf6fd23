"""CloudFormation's intrinsic functions, resolved without AWS.

A value that the file does not contain (a parameter without a default, an import, an attribute that only AWS assigns)
stays an *unresolved value* in the text, under the name of its expression: two expressions are two values, even if they
are of the same parameter. `unresolved_in` lists these names, and `fill` replaces the values.

What the file does not decide is assumed: a comparison with an unresolved value is a `Question`, which each scenario
answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from permission_guard.offline.physical_names import Place, attribute, reference
from permission_guard.offline.unresolved import (
    CLOSE,
    OPEN,
    Assumptions,
    Question,
    Unresolved,
    fill,
    marked,
    named,
    question_of,
    shortened,
    sole_unresolved,
    text,
    unresolved_in,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from permission_guard.model.targets import JSON

NO_VALUE: Final = object()
"""The value of `AWS::NoValue`: the property does not exist."""

_VARIABLE: Final = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")
_MARKED: Final = f"{OPEN}[^{CLOSE}]*{CLOSE}"
_DYNAMIC: Final = re.compile(rf"{_MARKED}|\{{\{{resolve:(?:{_MARKED}|[^}}{OPEN}])*\}}\}}")

_MAX_ALLOWED: Final = 64

_DECIDED_BY: Final = {"Fn::And": False, "Fn::Or": True}
"""The value of one operand that decides the whole function."""

T = TypeVar("T")


@dataclass(slots=True)
class Resolver:
    """Resolve the values of one template, with the given values of parameters and what a scenario assumes.

    `found` collects the unresolved values, `undecided` the questions that the assumptions do not answer, and `assumed`
    the conditions and the references whose values are assumed. `known` has the properties that are the same in all
    scenarios, and is shared by their resolvers.
    """

    template: Mapping[str, Any]
    place: Place
    parameters: Mapping[str, str] = field(default_factory=dict)
    assumptions: Assumptions = field(default_factory=Assumptions)
    found: dict[str, Unresolved] = field(default_factory=dict)
    undecided: dict[Question, None] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)
    known: dict[str, dict[str, JSON]] = field(default_factory=dict)
    _properties: dict[str, dict[str, JSON]] = field(default_factory=dict)
    _in_progress: set[str] = field(default_factory=set)
    _conditions: int = 0
    _assumptions_used: int = 0
    _left_open: int = 0

    def value(self, raw: JSON) -> JSON:
        """Resolve a value as far as possible. Return NO_VALUE if the property does not exist."""
        if isinstance(raw, str):
            return self._dynamic(raw)
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
        if logical_id in self.known:
            return dict(self.known[logical_id])
        if logical_id not in self._properties:
            left_open = self._left_open
            resource = self.resources.get(logical_id)
            found = self.value(resource.get("Properties", {})) if isinstance(resource, dict) else {}
            self._properties[logical_id] = found if isinstance(found, dict) else {}
            if self._left_open == left_open:
                self.known[logical_id] = self._properties[logical_id]
        return dict(self._properties[logical_id])

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
        """Return the text that stands for an unresolved value, or its assumed value."""
        name = fill(name, {})  # the name of an attribute can be unresolved itself
        self._left_open += 1
        if name in self.assumptions.values:
            self._assumptions_used += 1
            if not self._conditions:
                self.assumed[name] = self.assumptions.values[name]
            return self.assumptions.values[name]
        self.found.setdefault(name, Unresolved(name, own, allowed))
        return marked(name)

    # ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def condition(self, name: str) -> bool | None:
        """Return whether a condition of the template is true, None if neither file nor assumptions decide it."""
        conditions = self.template.get("Conditions")
        raw = conditions.get(name) if isinstance(conditions, dict) else None
        used = self._assumptions_used
        self._conditions += 1
        is_known = isinstance(raw, dict) and f"condition {name}" not in self._in_progress
        decided = self.once(f"condition {name}", lambda: self._evaluate(raw)) if is_known else self._ask(name)
        self._conditions -= 1
        if decided is not None and self._assumptions_used > used:
            self.assumed[f"the condition {name}"] = str(decided)
        return decided

    def branches(self, question: Question) -> Iterator[Assumptions]:
        """Yield the assumptions for both answers to a question, that the texts are equal last.

        If one text is an unresolved value, it then has that value everywhere. If the template lists its values, an
        answer can leave only one of them, or none.
        """
        names = [sole_unresolved(side) for side in (question.left, question.right)]
        name = next((one for one in names if one), None)
        other = question.right if names[0] else question.left
        if name is None or unresolved_in(other):
            yield from (self.assumptions.answering(question, answer=answer) for answer in (False, True))
            return
        allowed = self.found[name].allowed
        left = [value for value in allowed if value != other and self.assumptions.admit({name: value})]
        if len(left) == 1:
            yield self.assumptions.binding({name: left[0]})
        elif left or not allowed:
            yield self.assumptions.answering(question, answer=False)
        if other in allowed or not allowed:
            yield self.assumptions.binding({name: other})

    def _ask(self, left: str, right: str = "") -> bool | None:
        """Return the answer to a question, None if it is not answered."""
        self._left_open += 1
        question = question_of(left, right)
        answer = self.assumptions.answers.get(question)
        if answer is None:
            self.undecided.setdefault(question)
        else:
            self._assumptions_used += 1
        return answer

    def _evaluate(self, raw: JSON) -> bool | None:
        name, argument = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else ("", None)
        if name == "Condition":
            return self.condition(str(argument))
        parts = argument if isinstance(argument, list) else []
        if name == "Fn::Equals" and len(parts) == 2:  # noqa: PLR2004 - Fn::Equals compares two values
            return self._equals(self.value(parts[0]), self.value(parts[1]))
        asked = dict(self.undecided)
        operands = [self._evaluate(part) for part in parts]
        if name == "Fn::Not" and operands:
            return None if operands[0] is None else not operands[0]
        if name in _DECIDED_BY:
            deciding = _DECIDED_BY[name]
            decided = deciding if deciding in operands else None if None in operands else not deciding
            if decided is not None:
                self.undecided = asked  # the other operands do not matter
            return decided
        return self._ask(written(self.value(raw)))

    def _equals(self, left: JSON, right: JSON) -> bool | None:
        if not (_is_scalar(left) and _is_scalar(right)):
            return self._ask(written(left), written(right))
        if text(left) == text(right):
            return True
        return self._ask(text(left), text(right)) if unresolved_in([text(left), text(right)]) else False

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
        return self._expression(name, argument) if found is None else found

    def _expression(self, name: str, argument: JSON, allowed: tuple[str, ...] = ()) -> str:
        """Return an unresolved value with the name of a function and its argument.

        It belongs to the own account if everything does that it is made of.
        """
        resolved = self.value(argument)
        parts = [self.found[part].own for part in unresolved_in(resolved) if part in self.found]
        return self.unresolved(
            shortened(f"{name} {written(resolved)}"), own=bool(parts) and all(parts), allowed=allowed
        )

    def _dynamic(self, found: str) -> str:
        """Replace the dynamic references in a text, also those that contain an unresolved value."""

        def replacement(match: re.Match[str]) -> str:
            return match[0] if match[0].startswith(OPEN) else self.unresolved(shortened(named(match[0])))

        return _DYNAMIC.sub(replacement, found) if "{{resolve:" in found else found

    def _ref(self, name: JSON) -> JSON:
        if not isinstance(name, str) or not name:
            return None
        if name.startswith("AWS::"):
            found = self._pseudo(name)
            return self.unresolved(name) if found is None else found
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
            listed = allowed if isinstance(allowed, list) and "List" not in kind and "SSM" not in kind else []
            return self.unresolved(name, allowed=tuple(dict.fromkeys(map(text, listed))) if _few(listed) else ())
        if "List" in kind:
            return [part.strip() for part in text(found).split(",")]
        return self.value(text(found))

    def _get_att(self, argument: JSON) -> JSON:
        parts = argument.split(".", 1) if isinstance(argument, str) else self.value(argument)
        if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
            return None
        if unresolved_in(parts):
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
            if _is_scalar(found):
                return text(found)
            return self._expression("Fn::Sub", raw) if name in given else self.unresolved(name)

        # A dynamic reference can contain a value: CloudFormation replaces the value first.
        return self._dynamic(_VARIABLE.sub(replacement, template))

    def _join(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        delimiter, parts = argument[0], self.value(argument[1])
        if not isinstance(parts, list) or not all(map(_is_scalar, parts)):
            return None
        return self._dynamic(str(delimiter).join(map(text, parts)))

    def _select(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        index, listed = text(self.value(argument[0])), argument[1]
        if not (index.isascii() and index.isdigit()):
            return None
        items = self._parts_of(listed) if _is_split(listed) else self.value(listed)
        return items[int(index)] if isinstance(items, list) and int(index) < len(items) else None

    def _parts_of(self, split: Mapping[str, JSON]) -> list[str]:
        """Return the parts of a text that are certain: those before the first unresolved value."""
        delimiter, whole = split["Fn::Split"]
        resolved = self.value(whole)
        if not isinstance(resolved, str) or not isinstance(delimiter, str) or not delimiter:
            return []
        known, is_open, _ = resolved.partition(OPEN)
        parts = known.split(delimiter)
        return parts[:-1] if is_open else parts

    def _split(self, argument: JSON) -> JSON:
        if not _is_pair(argument):
            return None
        delimiter, whole = str(argument[0]), self.value(argument[1])
        if not isinstance(whole, str) or not delimiter or unresolved_in(whole):
            return None
        return whole.split(delimiter)

    def _if(self, argument: JSON) -> JSON:
        if not isinstance(argument, list) or len(argument) != 3:  # noqa: PLR2004 - a condition and two branches
            return None
        is_true = self.condition(str(argument[0]))
        return self.value(argument[2] if is_true is False else argument[1])

    def _find_in_map(self, argument: JSON) -> JSON:
        if not isinstance(argument, list):
            return None
        keys = [text(key) if _is_scalar(key) else "" for key in map(self.value, argument[:3])]
        found: JSON = self.template.get("Mappings")
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is None and len(argument) > 3 and isinstance(argument[3], dict):  # noqa: PLR2004 - and a default
            found = argument[3].get("DefaultValue")
        if found is None and len(keys) == 3 and unresolved_in(keys[1]):  # noqa: PLR2004 - map, first and second key
            return self._expression("Fn::FindInMap", argument, self._values_in_map(keys[0], keys[2]))
        return None if found is None else self.value(found)

    def _values_in_map(self, name: str, second_key: str) -> tuple[str, ...]:
        """Return the values of a mapping for every first key; none if one is missing or not a text."""
        mappings = self.template.get("Mappings")
        mapping = mappings.get(name) if isinstance(mappings, dict) else None
        rows = mapping.values() if isinstance(mapping, dict) else ()
        values = [row.get(second_key) if isinstance(row, dict) else None for row in rows]
        return tuple(dict.fromkeys(map(text, values))) if _few(values) and all(map(_is_scalar, values)) else ()

    def _import(self, argument: JSON) -> JSON:
        name = self.value(argument)
        return self.unresolved(shortened(f"import of {named(text(name)) if _is_scalar(name) else written(name)}"))


def _few(values: JSON) -> bool:
    return isinstance(values, list) and 0 < len(values) <= _MAX_ALLOWED


def _is_split(raw: JSON) -> bool:
    return isinstance(raw, dict) and len(raw) == 1 and _is_pair(raw.get("Fn::Split"))


def _is_scalar(value: JSON) -> bool:
    return isinstance(value, (str, int, float))


def _is_pair(value: JSON) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - a pair
