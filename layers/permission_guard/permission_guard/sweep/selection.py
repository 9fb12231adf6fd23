"""Which rules a bulk evaluation includes, and which IAM actions they need. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.targets import Direction
from permission_guard.records import record
from permission_guard.rules import rules_of
from permission_guard.sweep.gaps import Gap, GapKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.rules.base import Rule

URLS: Final = "lambda:ListFunctionUrlConfigs"

_LISTS: Final = frozenset({"lambda:ListFunctions", "sts:GetCallerIdentity", "tag:GetResources"})
_ROLES: Final = frozenset(
    {"iam:GetAccountAuthorizationDetails", "lambda:ListEventSourceMappings", "lambda:ListFunctionEventInvokeConfigs"}
)
"""What every rule on the execution role needs: the roles of versions that mappings and destinations name count too."""


@record
class Selection:
    """The selected rules: those with some ids, None for all. `full` also reads each function's URLs and state."""

    ids: frozenset[str] | None = None
    full: bool = False

    def rules(self, direction: Direction) -> tuple[type[Rule], ...]:
        """Return the rules of a direction that are evaluated, in the order of their ids."""
        return tuple(rule for rule in self._selected(direction) if self._why_not(rule) is None)

    def includes(self, direction: Direction) -> bool:
        """Whether a rule of a direction is evaluated."""
        return bool(self.rules(direction))

    @property
    def reads(self) -> frozenset[str]:
        """The IAM actions that the rules need, as the rules name them."""
        return frozenset(action for direction in Direction for rule in self.rules(direction) for action in rule.reads)

    @property
    def actions(self) -> frozenset[str]:
        """The IAM actions that the evaluation needs, with those of its lists.

        GetFunctionConfiguration is needed for versions that a list does not have, too.
        """
        lists = _LISTS | (_ROLES if self.includes(Direction.EXECUTION_ROLE) else frozenset())
        return lists | self.reads

    @property
    def reads_urls(self) -> bool:
        """Whether a rule depends on function URLs."""
        return URLS in self.reads

    @property
    def reads_all_aliases(self) -> bool:
        """Whether the aliases of functions without published versions are listed: a call for each function.

        Such an alias can only be one of $LATEST. Where the rules on resource-based policies are selected alone, these
        would be most of all calls.
        """
        return self.full or self.includes(Direction.EXECUTION_ROLE)

    def gaps(self) -> Iterator[Gap]:
        """Yield what the selection leaves out of the selected rules."""
        for direction in Direction:
            for rule in self._selected(direction):
                reason = self._why_not(rule)
                if reason is not None:
                    yield Gap(
                        kind=GapKind.NOT_SELECTED,
                        what=f"{rule.id} {rule.name}",
                        reason=reason,
                        remedy="" if rule.of_denied_calls else "Use --full.",
                        rules=(rule.id,),
                    )
        if self.includes(Direction.INVOKE_POLICY) and not self.reads_all_aliases:
            yield Gap(
                kind=GapKind.NOT_SELECTED,
                what="aliases of $LATEST of functions without published versions",
                reason="Listing them takes a call for each function. An alias that a trigger names is evaluated.",
                remedy="Use --full.",
                rules=tuple(rule.id for rule in self.rules(Direction.INVOKE_POLICY)),
            )
        urls = tuple(rule.id for rule in self.rules(Direction.INVOKE_POLICY) if rule.id == "PG112")
        if urls and not self.full:
            yield Gap(
                kind=GapKind.NOT_SELECTED,
                what="PG112 on function URLs that no statement refers to",
                reason="Reading the URLs takes a call for each function.",
                remedy="Use --full.",
                rules=urls,
            )

    def _selected(self, direction: Direction) -> Iterator[type[Rule]]:
        return (rule for rule in rules_of(direction) if self.ids is None or rule.id in self.ids)

    def _why_not(self, rule: type[Rule]) -> str | None:
        """Return why a selected rule is not evaluated, None if it is."""
        if rule.of_denied_calls:
            return "It evaluates calls that AWS denied, from CloudTrail: only the deployed bot receives them."
        if rule.of_function_state and not self.full:
            return (
                "ListFunctions does not return the state of a function: reading it takes a call for each function. "
                "Whether the organization denies what a failed function needs depends on it too."
            )
        return None
