"""Format names and conditions for the sentences of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import is_account_id, parse_arn, require_arn
from permission_guard.iam.principals import ANY_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam.conditions import Condition
    from permission_guard.invokers import Invoker

_MOST_NAMES: Final = 3
_SOURCES: Final = {
    "s3:": "bucket",
    "sns:": "topic",
    "execute-api:": "API",
    "events:rule/": "rule",
    "iot:rule/": "IoT rule",
    "iot:authorizer/": "IoT authorizer",
    "config:config-rule/": "Config rule",
    "logs:log-group:": "log group",
    "secretsmanager:secret:": "secret",
    "cloudwatch:alarm:": "alarm",
    "cognito-idp:userpool/": "user pool",
    "elasticloadbalancing:targetgroup/": "target group",
}
"""The kinds of sources, by the service and the start of the resource in its ARN."""


def unlisted_services(invokers: Iterable[Invoker]) -> str:
    """Return a sentence, with a space before it, about services that are not in `invokers/`; empty if all are."""
    names = [invoker.principal for invoker in invokers if not invoker.is_known and invoker.principal != ANY_SERVICE[1]]
    return f" Not in the list of known services, evaluated like any other: {listed(names)}." if names else ""


def service_name(value: str) -> str:
    """Format a service principal for a sentence; `*` stands for every service that satisfies the conditions."""
    return "any AWS service" if value == ANY_SERVICE[1] else value


def written_conditions(conditions: Iterable[Condition]) -> str:
    """Format conditions for a sentence: `StringLike aws:SourceArn "arn:..."`."""
    return listed(
        [
            f"{condition.name} {condition.spelled} " + " or ".join(f'"{text}"' for text in condition.texts)
            for condition in conditions
        ]
    )


def listed(names: Iterable[str]) -> str:
    """Format names for a sentence: `a`, `a and b`, `a, b and c`."""
    found = list(names)
    return " and ".join([part for part in (", ".join(found[:-1]), found[-1]) if part])


def some(names: Iterable[str]) -> str:
    """Format the first names for a sentence, followed by the number of the others: `a, b, c and 2 more`."""
    found = list(names)
    more = len(found) - _MOST_NAMES
    return listed([*found[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])


def counted(names: Iterable[str], plural: str) -> str:
    """Format names for a title: the only name, or how many there are: `a`, `3 services`."""
    found = list(dict.fromkeys(names))
    return found[0] if len(found) == 1 else f"{len(found)} {plural}"


def source_kind_and_name(source: str) -> tuple[str, str]:
    """Return the kind of a source and its name, for a title: `topic` and `new-orders`."""
    arn = require_arn(source)
    named = f"{arn.service}:{arn.resource}"
    start, kind = next(
        ((start, kind) for start, kind in _SOURCES.items() if named.startswith(start)), (f"{arn.service}:", "source")
    )
    name = named.removeprefix(start)
    return kind, name.partition("/")[0] if kind == "target group" else name


def principal_name(value: str, own_account: str = "") -> str:
    """Format a principal for a title: `role deploy`, `account 111122223333`; an identity provider by its URL.

    If the own account is given, a principal of another account is named with its account.
    """
    arn = parse_arn(value)
    if arn is None:
        return f"account {value}" if is_account_id(value) else value
    kind, _, name = arn.resource.partition("/")
    if kind == "root":
        return f"account {arn.account}"
    if kind == "oidc-provider":
        return name
    shown = {"saml-provider": "SAML provider", "assumed-role": "role session"}.get(kind, kind)
    owner = f" of account {arn.account}" if own_account not in ("", arn.account) else ""
    return f"{shown} {name.rpartition('/')[2]}{owner}"
