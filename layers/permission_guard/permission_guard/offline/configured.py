"""A resource of a template as it is configured in one scenario, and the triggers that are read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.offline.physical_names import attribute, physical_name, reference
from permission_guard.offline.unresolved import begins_with, fill, listed, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.invokers import Invoker
    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver


RETURN_ANYTHING: Final = ("AWS::CloudFormation::", "AWS::Serverless::", "AWS::ServiceCatalog::", "AWS::SSM::Parameter")
"""Resource types whose attributes can be the name of a function: they return what someone else put there."""

_ARN_SERVICE: Final = 2


@dataclass(frozen=True, slots=True)
class TemplateTrigger:
    """A resource of a template that invokes a function, with its unresolved values.

    `source` is the ARN of the resource, and `source_arns` are those that it sends if they differ. `function` is the
    name or the ARN of the function. `description` is for sentences: `the rule nightly`. `disputed_source_arns` are
    those on which AWS's documentation and reports disagree.
    """

    inventory: str
    invoker: Invoker
    source: str
    function: str
    description: str
    source_arns: tuple[str, ...] = ()
    disputed_source_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configured:
    """A resource in one scenario, from which its triggers are read.

    `unread` collects what may invoke a function, and does not say in the file whether it does.
    """

    resolver: Resolver
    logical_id: str
    properties: dict[str, Any] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The ARN of the resource."""
        return text(attribute(self.resolver, self.logical_id, "Arn"))

    @property
    def reference(self) -> str:
        """The result of `!Ref` for the resource."""
        return text(reference(self.resolver, self.logical_id))

    @property
    def name(self) -> str:
        """The name of the resource."""
        return physical_name(self.resolver, self.logical_id)

    def part(self, *names: str) -> Any:
        """Return a property inside others, an empty dict if there is none."""
        found: JSON = self.properties
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return {} if found is None else found

    def objects(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of a list."""
        for item in listed(self.part(*names) or None):
            if isinstance(item, dict):
                yield item
            elif unresolved_in(item):
                self.skip(text(item))

    def function(self, value: JSON) -> str | None:
        """Return a value that is the ARN of a function, None if it is not or if that cannot be resolved."""
        if is_function(value):
            return text(value)
        if self._may_be_function(value):
            self.skip(text(value))
        return None

    def skip(self, what: str) -> None:
        """Record that something was not read."""
        self.unread.append(f"{self.logical_id} ({fill(what, {})})")

    def _may_be_function(self, value: JSON) -> bool:
        if not isinstance(value, str):
            return False
        name, parts = begins_with(value), value.split(":")
        if name is None:
            return parts[0] == "arn" and len(parts) > _ARN_SERVICE and bool(unresolved_in(parts[_ARN_SERVICE]))
        kind = self.resolver.type_of(name.partition(".")[0])
        return not kind.startswith("AWS::") or kind.startswith(RETURN_ANYTHING)

    def text(self, *names: str) -> str:
        """Return a property as a text, empty if there is none."""
        return text(self.part(*names) or "")

    def own_arn(self, service: str, resource: str) -> str:
        """Return an ARN in the account and region of the stack."""
        place = self.resolver.place
        return f"arn:{place.partition}:{service}:{place.region}:{place.account}:{resource}"


def is_function(value: JSON) -> bool:
    """Return whether a resolved value is the ARN of a function, a version or an alias."""
    return isinstance(value, str) and value.startswith("arn:") and ":lambda:" in value and ":function:" in value
