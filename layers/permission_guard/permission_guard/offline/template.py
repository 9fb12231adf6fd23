"""A CloudFormation template: its resources, its functions, and its scenarios."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from permission_guard.errors import InputError
from permission_guard.model.arns import parse_function_name
from permission_guard.model.placeholders import placeholder
from permission_guard.model.targets import FunctionTarget
from permission_guard.offline.candidates import Candidates
from permission_guard.offline.intrinsics import Resolver
from permission_guard.offline.physical_names import generated_names, physical_name
from permission_guard.offline.scenarios import not_in_file
from permission_guard.offline.unresolved import Assumptions, fill, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from permission_guard.iam import TrustSet
    from permission_guard.model.targets import JSON
    from permission_guard.offline.physical_names import Place

FUNCTION: Final = "AWS::Lambda::Function"
_QUALIFIED: Final = frozenset({"AWS::Lambda::Alias", "AWS::Lambda::Version"})

OFFLINE_ORGANIZATION: Final = not_in_file("--trusted-organization sets your organization")
TOO_MANY: Final = not_in_file("Unknown: it depends on too many values that cannot be resolved from the file.")

_MAX_SCENARIOS: Final = 64
_MAX_BRANCHES: Final = 1024

T = TypeVar("T")

_SUB_OF_RESOURCE: Final = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.Arn)?\}(?::[\w$-]+)?")


class TooManyConditionsError(InputError):
    """A resource depends on more conditions than can be evaluated."""


@dataclass(frozen=True)
class Template:
    """A CloudFormation template, the place to which it is deployed, and the given values of its parameters.

    `source_ids` has the resources of the file itself, without those that SAM adds. `unread_triggers` collects what may
    invoke a function, and does not say in the file whether it does.
    """

    body: Mapping[str, Any]
    place: Place
    trust: TrustSet
    parameters: Mapping[str, str] = field(default_factory=dict)
    source_ids: frozenset[str] = frozenset()
    tokens: dict[str, str] = field(default_factory=dict)
    known: dict[str, dict[str, JSON]] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)
    unread_triggers: dict[str, None] = field(default_factory=dict)

    def resolver(self, assumptions: Assumptions | None = None) -> Resolver:
        """Return a resolver of the template's values in a scenario."""
        return Resolver(self.body, self.place, self.parameters, assumptions or Assumptions(), known=self.known)

    @cached_property
    def _ids(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, raw in self.resolver().resources.items():
            if isinstance(raw, dict) and isinstance(raw.get("Type"), str):
                found.setdefault(raw["Type"], []).append(name)
        return found

    def ids_of(self, kind: str) -> list[str]:
        """Return the logical ids of the resources of a type."""
        return self._ids.get(kind, [])

    def raw(self, logical_id: str, name: str) -> JSON:
        """Return a property of a resource as it is written."""
        properties = self.body["Resources"][logical_id].get("Properties")
        return properties.get(name) if isinstance(properties, dict) else None

    def token(self, name: str) -> str:
        """Return a unique text that can replace a reference anywhere."""
        return self.tokens.setdefault(name, placeholder(len(self.tokens)))

    def tokens_in(self, resolver: Resolver) -> dict[str, str]:
        """Return the tokens of all values that were not resolved."""
        return {name: self.token(name) for name in resolver.found}

    @cached_property
    def candidates(self) -> Candidates:
        """The candidates for unresolved values."""
        known = {self.place.account, *self.trust.accounts}
        stranger = next(account for account in _strangers() if account not in known)
        return Candidates(self.place, stranger, tuple(sorted(self.trust.organizations)))

    def shown(self, fills: Mapping[str, str]) -> dict[str, str]:
        """Return the texts to print in place of the assumed values of references."""
        candidates = self.candidates
        pairs = {**self._generated(), **{self.token(name): f"${{{name}}}" for name in fills}}
        return pairs | {
            candidate: f"${{{name}}}" for name, candidate in fills.items() if candidates.is_artificial(candidate)
        }

    def with_references(self, text: str) -> str:
        """Return a text with references in place of the generated names in it."""
        for generated, name in self._generated().items():
            text = text.replace(generated, f"${{{name}}}")
        return text

    def _generated(self) -> dict[str, str]:
        if not self.generated:
            self.generated.update(generated_names(self.body["Resources"]))
        return self.generated

    def is_created(self, resolver: Resolver, logical_id: str) -> bool:
        """Return whether a resource is created in a scenario."""
        name = resolver.resources[logical_id].get("Condition")
        return not isinstance(name, str) or resolver.condition(name) is not False

    def when_created(self, logical_id: str, explore: Callable[[Resolver], T]) -> Callable[[Resolver], T | None]:
        """Return a function for `explored` that evaluates only the scenarios in which a resource is created."""

        def explore_if_created(resolver: Resolver) -> T | None:
            # The questions of the condition come first: the others do not matter if it is false.
            is_created = self.is_created(resolver, logical_id)
            return explore(resolver) if is_created and not resolver.undecided else None

        return explore_if_created

    def created(self, resolver: Resolver, kind: str) -> list[str]:
        """Return the logical ids of the resources of a type that are created in a scenario."""
        return [name for name in self.ids_of(kind) if self.is_created(resolver, name)]

    def explored(
        self, logical_id: str, explore: Callable[[Resolver], T | None], assumptions: Assumptions | None = None
    ) -> Iterator[T]:
        """Yield what `explore` returns in each scenario. It returns None if there is nothing to evaluate.

        The scenarios differ in the answers to the questions that the file does not decide, and that `explore` meets.
        """
        pending = [assumptions or Assumptions()]
        count = branches = 0
        while pending:
            branches += 1
            if count >= _MAX_SCENARIOS or branches > _MAX_BRANCHES:
                raise TooManyConditionsError(
                    f"{logical_id} depends on too many conditions. Set the parameters of some with --parameter"
                )
            resolver = self.resolver(pending.pop())
            found = explore(resolver)
            question = next(iter(resolver.undecided), None)
            if question is not None:
                pending += resolver.branches(question)
            elif found is not None:
                count += 1
                yield found

    # ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def function_of(self, value: JSON, fills: Mapping[str, str] | None = None) -> tuple[FunctionTarget, str | None]:
        """Return the function that a resolved value names, and its qualifier."""
        written = text(value)
        name = fill(written, {**{name: self.token(name) for name in unresolved_in(written)}, **(fills or {})})
        place = self.place
        try:
            target, qualifier = parse_function_name(name, region=place.region, account=place.account)
        except ValueError:
            name = re.sub(r"[^a-zA-Z0-9-_]+", "-", name).strip("-")[:64] or "function"
            return FunctionTarget(place.partition, place.region, place.account, name), None
        target = target if name.startswith("arn:") else replace(target, partition=place.partition)
        return target, None if qualifier == "$LATEST" else qualifier

    def target_of(self, resolver: Resolver, function_id: str) -> FunctionTarget:
        """Return a function of the template."""
        return self.function_of(physical_name(resolver, function_id))[0]

    def function_id(self, resolver: Resolver, raw: JSON) -> str | None:
        """Return the function of the template that a written value names, None if it is outside the file.

        A reference names its own function, even if another one has the same name.
        """
        referenced = self.referenced(resolver, raw)
        if referenced is not None and resolver.type_of(referenced) == FUNCTION:
            return referenced
        if referenced is not None and resolver.type_of(referenced) in _QUALIFIED:
            key = f"function of {referenced}"
            return resolver.once(key, lambda: self.function_id(resolver, self.raw(referenced, "FunctionName")))
        target, _ = self.function_of(resolver.value(raw))
        return next(
            (name for name in self.created(resolver, FUNCTION) if self.target_of(resolver, name) == target), None
        )

    def may_name(self, resolver: Resolver, logical_id: str, function_id: str | None) -> bool:
        """Return whether a permission or a policy can be of a function, without resolving it."""
        raw = self.raw(logical_id, "FunctionName") or self.raw(logical_id, "ResourceArn")
        if not isinstance(raw, dict) or "Fn::If" in raw:
            return True
        referenced = self.referenced(resolver, raw)
        return referenced is None or resolver.type_of(referenced) != FUNCTION or referenced == function_id

    def referenced(self, resolver: Resolver, raw: JSON) -> str | None:
        """Return the resource that an expression refers to: `!Ref`, its ARN, or either of them with a qualifier."""
        if not isinstance(raw, dict) or len(raw) != 1:
            return None
        function, argument = next(iter(raw.items()))
        found: JSON = None
        if function == "Ref":
            found = argument
        elif function == "Fn::GetAtt":
            found = argument.split(".", 1)[0] if isinstance(argument, str) else _first(argument)
        elif function == "Fn::Sub" and isinstance(argument, str):
            match = _SUB_OF_RESOURCE.fullmatch(argument)
            found = match[1] if match else None
        elif function == "Fn::Join" and isinstance(argument, list) and argument[:1] == [":"]:
            return self.referenced(resolver, _first(argument[-1]))
        elif function == "Fn::If" and isinstance(argument, list) and len(argument) == 3:  # noqa: PLR2004 - and two branches
            chosen = argument[2] if resolver.condition(str(argument[0])) is False else argument[1]
            return self.referenced(resolver, chosen)
        return found if isinstance(found, str) and resolver.type_of(found) else None


def _first(value: JSON) -> JSON:
    return value[0] if isinstance(value, list) and value else None


def _strangers() -> Iterator[str]:
    return (digit * 12 for digit in "9876543210")
