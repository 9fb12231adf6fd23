"""What is not evaluated in a file, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from permission_guard.model.targets import Direction
from permission_guard.offline.scenarios import RULES_ON_POLICIES
from permission_guard.offline.template import FUNCTION
from permission_guard.offline.template_functions import MAPPING, outside_destinations
from permission_guard.offline.template_statements import PERMISSION, RESOURCE_POLICY
from permission_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.offline.template import Template
    from permission_guard.rules import Rule

NO_ROLE: Final = "no execution role in the file"
ACCOUNT: Final = "need account access"
UNRESOLVED: Final = "cannot be resolved from the file"

_STATEMENTS: Final = (PERMISSION, RESOURCE_POLICY)
_IN_ACCOUNT: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "PG110": ("whether the sources exist that the statements name", _STATEMENTS),
    "PG112": ("triggers and URLs outside the file", (FUNCTION, *_STATEMENTS)),
    "PG113": ("the size of the policies after deployment", _STATEMENTS),
    "PG202": ("the secrets, keys, networks and clusters of event sources", (MAPPING,)),
    "PG209": ("functions outside the file with the same role", (FUNCTION,)),
    "PG212": ("what AWS reports on the event source mappings", (MAPPING,)),
    "PG213": ("the calls that AWS denied", (FUNCTION,)),
    "PG214": ("what AWS reports on the state of the functions", (FUNCTION,)),
}
"""What a rule cannot read from a template, and the types of resources for which it would."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule, or a part of it, that was not evaluated: `why` is the kind of reason, and `what` was not read."""

    rule: type[Rule]
    why: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.rule.id} {self.rule.name}" + (f" ({self.what})" if self.what else "")

    @property
    def reason(self) -> str:
        """The reason as one text."""
        return f"{self.why}: {self.what}" if self.what else self.why


def skipped_in_policy() -> tuple[Skipped, ...]:
    """Return what is not evaluated in a file with a resource-based policy alone."""
    return tuple(_in_policy())


def _in_policy() -> Iterator[Skipped]:
    for rule in RULES:
        if rule.direction is Direction.EXECUTION_ROLE:
            yield Skipped(rule, NO_ROLE)
        elif rule.id in _IN_ACCOUNT and rule.id not in RULES_ON_POLICIES:
            what = "the triggers and URLs of the function" if rule.id == "PG112" else _IN_ACCOUNT[rule.id][0]
            yield Skipped(rule, ACCOUNT, what)
        elif not rule.offline:
            yield Skipped(rule, ACCOUNT)


def skipped_in_template(template: Template) -> tuple[Skipped, ...]:
    """Return what is not evaluated in a template, of the resources that it has."""
    return tuple(_in_template(template))


def _in_template(template: Template) -> Iterator[Skipped]:
    for rule in RULES:
        if rule.id == "PG112" and template.unread_triggers:
            yield Skipped(rule, UNRESOLVED, f"whether these invoke functions: {', '.join(template.unread_triggers)}")
        what, kinds = _IN_ACCOUNT.get(rule.id, ("", (FUNCTION, MAPPING, *_STATEMENTS)))
        concerns = any(template.ids_of(kind) for kind in kinds)
        if concerns and (rule.id in _IN_ACCOUNT or not rule.offline):
            yield Skipped(rule, ACCOUNT, what)
        elif rule.id == "PG203" and (outside := outside_destinations(template)):
            yield Skipped(rule, ACCOUNT, f"the keys of destinations outside the file: {', '.join(outside)}")
