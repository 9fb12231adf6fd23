"""The sources of an account that can invoke functions, and how the ARNs of a policy name them."""

from __future__ import annotations

import re
from collections.abc import Iterable  # noqa: TC003 - Mapping is the type of a field
from typing import TYPE_CHECKING

from permission_guard.iam.arn import parse_arn, split_arn

if TYPE_CHECKING:
    from permission_guard.model.state import Inventory


def source_named(pattern: str) -> str | None:
    """Return the ARN of the single source that a value of `aws:SourceArn` names, or None.

    The ARN of an API ends with its id, without stage, method and path. The ARN of a log group has no `:*` at its end.
    Returns None for a pattern that matches several sources, a text that is not an ARN, and a policy variable.
    """
    arn = parse_arn(pattern)
    if arn is None or (arn.service == "s3" and "/" in arn.resource):  # an object is not a source
        return None
    named = pattern
    if arn.service == "execute-api":
        named = pattern.partition("/")[0]
    elif arn.service == "logs" and arn.resource.count(":") > 1:
        named = pattern.removesuffix(":*")
    return None if "*" in named or "?" in named or "${" in named else named


def own_source(inventories: Iterable[Inventory], pattern: str) -> bool | None:
    """Return whether the single source that an ARN names exists in this account, or None if that is unknown.

    It is unknown if the sources of this kind were not read, or if the ARN names several sources.
    """
    source = source_named(pattern)
    kinds = inventories_of(inventories, source) if source else ()
    lists = [inventory.sources for inventory in kinds if isinstance(inventory.sources, frozenset)]
    if any(source in sources or source in _plain_names(sources) for sources in lists):
        return True
    return False if kinds and len(lists) == len(kinds) else None


# The ARNs of the sources in each inventory, after `arn:PARTITION:`. A service also has other resources.
_FORMS = {
    "s3": re.compile(r"s3:::[^/:]+"),
    "events": re.compile(r"events:[^:]*:\d*:rule/.+"),
    "sns": re.compile(r"sns:[^:]*:\d*:[^:]+"),
    "apigateway": re.compile(r"execute-api:[^:]*:\d*:[^/:]+"),
    "apigatewayv2": re.compile(r"execute-api:[^:]*:\d*:[^/:]+"),
    "logs": re.compile(r"logs:[^:]*:\d*:log-group:[^:]+"),
    "elbv2": re.compile(r"elasticloadbalancing:[^:]*:\d*:targetgroup/.+"),
    "cognito-idp": re.compile(r"cognito-idp:[^:]*:\d*:userpool/.+"),
    "config": re.compile(r"config:[^:]*:\d*:config-rule/.+"),
    "iot": re.compile(r"iot:[^:]*:\d*:(rule|authorizer)/.+"),
    "secretsmanager": re.compile(r"secretsmanager:[^:]*:\d*:secret:.+"),
    "cloudwatch": re.compile(r"cloudwatch:[^:]*:\d*:alarm:.+"),
}

# A policy can name a secret without the six characters that AWS appends to its name.
_SECRET = re.compile(r"(?P<plain>arn:[^:]+:secretsmanager:.+)-[A-Za-z0-9]{6}")


def inventories_of(inventories: Iterable[Inventory], source: str) -> tuple[Inventory, ...]:
    """Return the inventories that would contain the source with this ARN if it existed."""
    kind = "".join(split_arn(source, 3)[2:])
    return tuple(inventory for inventory in inventories if _FORMS[inventory.name].fullmatch(kind))


def _plain_names(sources: frozenset[str]) -> set[str]:
    return {match["plain"] for match in map(_SECRET.fullmatch, sources) if match}
