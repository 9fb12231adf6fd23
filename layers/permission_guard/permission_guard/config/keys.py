"""Every key of `guard.yaml`: its form, and the description that editors and the documentation show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from permission_guard.config.alert_keys import ALERTS
from permission_guard.config.destination_keys import CHANNELS, OWNERS, ROUTES, TICKET_SYSTEMS
from permission_guard.config.document import (
    Baseline,
    ExceptionEntry,
    Exclusion,
    FunctionTags,
    GuardConfig,
    RuleConfig,
    Tickets,
    Trust,
)
from permission_guard.config.fix_keys import FIXES
from permission_guard.config.forms import Choice, Flag, Integer, Key, ListOf, MapOf, ObjectOf
from permission_guard.config.narrowing import (
    ACCOUNTS,
    ACCOUNTS_DESCRIPTION,
    FUNCTIONS,
    FUNCTIONS_DESCRIPTION,
    MAX_ITEMS,
    TAGS,
    TAGS_DESCRIPTION,
    narrows,
    why_not_narrow,
)
from permission_guard.config.rule_names import ROLE_RULES
from permission_guard.config.settings import FixMode
from permission_guard.config.special_forms import Expiry, FunctionRuleReference, RuleReference
from permission_guard.config.texts import (
    ACCOUNT,
    ID,
    ORGANIZATION,
    OWNER,
    QUALIFIER,
    REASON,
    ROLE,
    SID,
    SUBJECT,
)
from permission_guard.config.ticket_keys import TICKET_LIMIT
from permission_guard.model.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EXCEPTIONS: Final = 1_000
MAX_EXCLUSIONS: Final = 1_000
MAX_TRUSTED: Final = 1_000
MAX_GRACE_PERIOD_SECONDS: Final = 900
"""The maximum DelaySeconds of an SQS message."""

NARROWING: Final = ("functions", "roles", "accounts", "subject", "sid", "tags")
"""The keys that narrow an exception to some of the findings of its rules."""
OF_FUNCTIONS: Final = ("qualifiers", "tags")
"""The keys of an exception that no finding about a role matches."""
EXCLUSION_NARROWING: Final = ("functions", "accounts", "tags")
"""The keys that narrow an exclusion to some of the functions."""


_RULE: Final = RuleReference()


def _narrowing_value(key: str, value: object) -> object:
    """Return what narrows in a value. A subject with a wildcard narrows by the name that is written after its kind.

    `statement/*`, `s*` and `*t*` are every statement; `trust/shop-role/*` is one role.
    """
    if key != "subject" or not isinstance(value, str) or not re.search("[*?]", value):
        return value
    return re.split("[*?]", value)[0].partition("/")[2].strip("/")


def _exception_mistake(given: Mapping[str, Any]) -> str | None:
    if "subject" in given and "sid" in given:
        return (
            "both subject and sid are given. Remove one: sid: photos matches the subjects statement/photos and, "
            "of any role, trust/<role>/photos."
        )
    if any(narrows(_narrowing_value(key, given[key])) for key in NARROWING if key in given):
        return _never_matches(given)
    rules = ", ".join(given.get("rules") or ["its rules"])
    return f"this exception would hide all findings of {rules}. Add one of {', '.join(NARROWING)}, narrower than *."


def _never_matches(given: Mapping[str, Any]) -> str | None:
    """Return why an exception matches no finding: roles are of findings about a role, qualifiers and tags of others."""
    rules = given.get("rules")
    of_functions = [key for key in OF_FUNCTIONS if given.get(key)]
    if rules is None:
        return None
    if given.get("roles") and not ROLE_RULES.intersection(rules):
        known = " or ".join(sorted(ROLE_RULES))
        return f"roles never matches: only {known} are about roles. Remove roles, or add one of these rules."
    if of_functions and given.get("roles"):
        return f"roles and {of_functions[0]} never match together. Write two exceptions, one of them for roles."
    if of_functions and ROLE_RULES.issuperset(rules):
        return f"{of_functions[0]} never matches findings about roles ({', '.join(rules)}). Write roles or functions."
    return None


def _exclusion_mistake(given: Mapping[str, Any]) -> str | None:
    return why_not_narrow(given, EXCLUSION_NARROWING, "this exclusion would stop all checks")


TRUST: Final = ObjectOf(
    record=Trust,
    keys=(
        Key(
            name="accounts",
            form=ListOf(ACCOUNT, "account IDs", MAX_TRUSTED),
            description="Other accounts that may use the functions here: IDs of twelve digits.",
        ),
        Key(
            name="organizations",
            form=ListOf(ORGANIZATION, "organization IDs", MAX_TRUSTED),
            description="Organizations all of whose accounts may use the functions here.",
        ),
    ),
)

RULE: Final = ObjectOf(
    record=RuleConfig,
    keys=(
        Key(name="enabled", form=Flag(), description="Whether the rule is evaluated."),
        Key(
            name="severity",
            form=Choice(Severity),
            description="The severity of all findings of the rule. Without this key the rule decides it.",
        ),
        Key(
            name="fix",
            form=Choice(FixMode),
            description="The mode of fixes of the rule's findings: off, plan, approve or auto, but never more than the "
            "stack's parameter FixMode. Without this key fixes.mode applies.",
        ),
    ),
)

EXCEPTION: Final = ObjectOf(
    record=ExceptionEntry,
    mistake=_exception_mistake,
    keys=(
        Key(
            name="id",
            form=ID,
            is_required=True,
            description="The name of the exception, once in the document: lowercase letters, digits and hyphens.",
        ),
        Key(
            name="rules",
            form=ListOf(_RULE, "rules", MAX_ITEMS, least=1),
            is_required=True,
            description="The rules whose findings are suppressed: ids or names, at least one.",
        ),
        Key(name="functions", form=FUNCTIONS, description=FUNCTIONS_DESCRIPTION),
        Key(
            name="roles",
            form=ListOf(ROLE, "roles", MAX_ITEMS, least=1),
            description="Only findings about these roles (PG208, PG209): names or globs, without the path.",
        ),
        Key(name="accounts", form=ACCOUNTS, description=ACCOUNTS_DESCRIPTION),
        Key(
            name="qualifiers",
            form=ListOf(QUALIFIER, "qualifiers", MAX_ITEMS, least=1),
            description="Only these qualifiers: $LATEST, the number of a version, or the name of an alias. Findings "
            "about roles have none.",
        ),
        Key(
            name="subject",
            form=SUBJECT,
            description="Only findings with this subject, as findings show it. A glob.",
        ),
        Key(
            name="sid",
            form=SID,
            description=(
                "Only findings about the statement with this Sid, "
                "of a resource-based policy or of a trust policy (PG208). A glob."
            ),
        ),
        Key(name="tags", form=TAGS, description=TAGS_DESCRIPTION),
        Key(
            name="reason",
            form=REASON,
            is_required=True,
            description="Why the findings are accepted. Alerts, tickets and lists show it.",
        ),
        Key(
            name="owner",
            form=OWNER,
            is_required=True,
            description="The person or team that accepts the findings, and is named before the exception expires.",
        ),
        Key(
            name="expires",
            form=Expiry(),
            is_required=True,
            description="When the exception ends, at most a year from now: a date such as 2027-01-31 (its first moment "
            "in UTC), or a time with an offset such as 2027-01-31T09:00:00Z.",
        ),
    ),
)

EXCLUSION: Final = ObjectOf(
    record=Exclusion,
    mistake=_exclusion_mistake,
    keys=(
        Key(name="functions", form=FUNCTIONS, description=FUNCTIONS_DESCRIPTION),
        Key(name="accounts", form=ACCOUNTS, description=ACCOUNTS_DESCRIPTION),
        Key(name="tags", form=TAGS, description=TAGS_DESCRIPTION),
        Key(name="reason", form=REASON, is_required=True, description="Why these functions are not evaluated."),
    ),
)

GUARD: Final = ObjectOf(
    record=GuardConfig,
    keys=(
        Key(name="version", form=Integer(1, 1), description="The version of the form of this document."),
        Key(name="trust", form=TRUST, description="Who may use the functions, besides their own account."),
        Key(
            name="grace_period_seconds",
            form=Integer(0, MAX_GRACE_PERIOD_SECONDS),
            description="How many seconds after a change its findings are checked again before alerting; 0 alerts at "
            "once.",
        ),
        Key(
            name="rules",
            form=MapOf(_RULE, RULE, "rules", MAX_ITEMS),
            description="What is set for single rules: the id or name of a rule, with enabled, severity and fix.",
        ),
        Key(
            name="exceptions",
            form=ListOf(EXCEPTION, "exceptions", MAX_EXCEPTIONS),
            description="Findings that are suppressed until a date. A finding must match every key of an exception.",
        ),
        Key(
            name="exclusions",
            form=ListOf(EXCLUSION, "exclusions", MAX_EXCLUSIONS),
            description="Functions that are not evaluated at all. A function must match every key of an exclusion.",
        ),
        Key(
            name="function_tags",
            form=ObjectOf(
                record=FunctionTags,
                keys=(
                    Key(
                        name="enabled",
                        form=Flag(),
                        description="Whether tags on functions suppress findings (permission-guard:ignore, "
                        "permission-guard:ignore-until). Whoever may tag a function can then hide its findings.",
                    ),
                    Key(
                        name="rules",
                        form=ListOf(FunctionRuleReference(), "rules", MAX_ITEMS),
                        description="The rules whose findings tags may suppress: not PG208 and PG209, which are about "
                        "roles. An empty list means all others.",
                    ),
                ),
            ),
            description="Whether the tags of a function may suppress its findings.",
        ),
        Key(
            name="alerts",
            form=ALERTS,
            description="Which findings send an alert, how many messages a channel gets, and when digests are sent.",
        ),
        Key(
            name="tickets",
            form=ObjectOf(
                record=Tickets,
                keys=(
                    Key(
                        name="min_severity",
                        form=Choice(Severity),
                        description="The lowest severity of findings that open a ticket.",
                    ),
                    Key(
                        name="systems",
                        form=TICKET_SYSTEMS,
                        description="Named ticket systems besides the stack's own: the name that routes use, with type "
                        "and secret.",
                    ),
                    Key(
                        name="limit",
                        form=TICKET_LIMIT,
                        description="How many tickets are opened. The findings above the limit have one ticket "
                        "together, and one each once there is room. It does not apply to Security Hub.",
                    ),
                ),
            ),
            description="Which findings open a ticket, in which systems, and how many tickets are opened.",
        ),
        Key(
            name="channels",
            form=CHANNELS,
            description="Named alert channels besides the stack's own: the name that routes use, with type, and "
            "secret, topic or channel.",
        ),
        Key(
            name="owners",
            form=OWNERS,
            description="Whom Slack messages mention: the value of a function's tag owner or team, with the ID of a "
            "Slack user or user group.",
        ),
        Key(
            name="routes",
            form=ROUTES,
            description="Findings that also go to named channels and ticket systems. All routes that match a finding "
            "apply.",
        ),
        Key(
            name="fixes",
            form=FIXES,
            description="What the bot does about findings that it can fix.",
        ),
        Key(
            name="baseline",
            form=Choice(Baseline),
            description="How the findings of the first sweep are sent: digest, all of them in one message; alert-each, "
            "an alert and a ticket each.",
        ),
    ),
)
