"""The keys of `fixes` in `guard.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.config.document import Fixes, ManagedElsewhere, ManagingTool, Policies
from permission_guard.config.forms import Choice, Flag, Integer, Key, ListOf, ObjectOf
from permission_guard.config.narrowing import FUNCTIONS, FUNCTIONS_DESCRIPTION, MAX_ITEMS, TAGS, why_not_narrow
from permission_guard.config.settings import FixMode
from permission_guard.config.texts import CALLER, FUNCTION, ROLE

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WATCH_HOURS: Final = 168
"""CloudWatch keeps the metrics of a minute for 15 days: those of twice this time are needed."""

MANAGED_NARROWING: Final = ("functions", "roles", "tags", "callers")
"""The keys that narrow an entry of `fixes.managed_elsewhere`."""


def _managed_mistake(given: Mapping[str, Any]) -> str | None:
    return why_not_narrow(given, MANAGED_NARROWING, "this entry would stop all fixes")


MANAGED_ELSEWHERE: Final = ObjectOf(
    record=ManagedElsewhere,
    mistake=_managed_mistake,
    keys=(
        Key(
            name="tool",
            form=Choice(ManagingTool),
            is_required=True,
            description="The tool that manages them. Its remedy is shown first.",
        ),
        Key(name="functions", form=FUNCTIONS, description=FUNCTIONS_DESCRIPTION),
        Key(
            name="roles",
            form=ListOf(ROLE, "roles", MAX_ITEMS, least=1),
            description="Only these execution roles: names or globs, without the path.",
        ),
        Key(
            name="tags",
            form=TAGS,
            description="Only where the function or its role has all of these tags. A value is a glob.",
        ),
        Key(
            name="callers",
            form=ListOf(CALLER, "callers", MAX_ITEMS, least=1),
            description="Only if one of these principals changed the function or its role in the last 400 days: ARNs "
            "as CloudTrail has them, or globs.",
        ),
    ),
)

FIXES: Final = ObjectOf(
    record=Fixes,
    keys=(
        Key(
            name="mode",
            form=Choice(FixMode),
            description="The mode of fixes for rules without the key fix, but never more than the stack's "
            "parameter FixMode. The default auto follows FixMode.",
        ),
        Key(
            name="policies",
            form=Choice(Policies),
            description="Which policies fixes attach: aws, only AWS managed policies; own, only the stack's own for "
            "each service that these can be for, and AWS's for other services; any, AWS's, and the stack's own where "
            "AWS's do not suffice.",
        ),
        Key(
            name="simulate",
            form=Flag(),
            description="Whether IAM's policy simulator evaluates the role after each fix. The fix then says whether "
            "the role is allowed what was missing.",
        ),
        Key(
            name="enable_mappings",
            form=Flag(),
            description="Whether a fix of PG201 also enables an event source mapping that AWS disabled because of the "
            "missing permission. A mapping that a person disabled stays disabled.",
        ),
        Key(
            name="no_external_sources",
            form=ListOf(FUNCTION, "functions", MAX_ITEMS),
            description="Functions that no source of another account invokes: names, globs or full ARNs. The bot "
            "cannot see such sources: for other functions, a fix that narrows a statement needs an approval in the "
            "mode auto too, unless CloudTrail's Invoke events show that there is none.",
        ),
        Key(
            name="watch_hours",
            form=Integer(1, MAX_WATCH_HOURS),
            description="How many hours after a fix that narrows a statement the bot watches whether the function is "
            "still invoked.",
        ),
        Key(
            name="managed_elsewhere",
            form=ListOf(MANAGED_ELSEWHERE, "entries", MAX_ITEMS),
            description="Functions and roles that a tool outside CloudFormation manages: the bot does not fix them, "
            "and shows what to change there. They must match every key of an entry.",
        ),
    ),
)
