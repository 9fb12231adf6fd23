"""A resource of a template as it is configured in one scenario, and the triggers that are read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from permission_guard.offline.physical_names import attribute, physical_name, reference
from permission_guard.offline.unresolved import listed, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.invokers import Invoker
    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver


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
    """A resource in one scenario, from which its triggers are read."""

    resolver: Resolver
    logical_id: str
    properties: dict[str, Any] = field(default_factory=dict)

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
        yield from (item for item in listed(self.part(*names) or None) if isinstance(item, dict))

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
