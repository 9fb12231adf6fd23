"""What is set up to call functions: the other side of a resource-based policy."""

from __future__ import annotations

import re
from collections.abc import Iterable  # noqa: TC003 - Mapping is the type of a field
from typing import TYPE_CHECKING

from permission_guard.iam.arn import parse_arn

if TYPE_CHECKING:
    from permission_guard.model.state import Inventory


def source_named(pattern: str) -> str | None:
    """Return the ARN of the one source that a value of `aws:SourceArn` names; None for a pattern of several.

    An API is named by its id, whatever the stage, method and path; a log group without the `:*` at its end. None as
    well for what is no ARN, and for one that waits for the value of a policy variable.
    """
    arn = parse_arn(pattern)
    if arn is None or (arn.service == "s3" and "/" in arn.resource):  # an object is no source
        return None
    named = pattern
    if arn.service == "execute-api":
        named = pattern.partition("/")[0]
    elif arn.service == "logs" and arn.resource.count(":") > 1:
        named = pattern.removesuffix(":*")
    return None if "*" in named or "?" in named or "${" in named else named


def own_source(inventories: Iterable[Inventory], pattern: str) -> bool | None:
    """Tell whether the one source that an ARN names is among those that were read; None when that is not known.

    It is not known where nobody has read the sources of this kind, or where the ARN names several.
    """
    source = source_named(pattern)
    kinds = inventories_of(inventories, source) if source else ()
    lists = [inventory.sources for inventory in kinds if isinstance(inventory.sources, frozenset)]
    if any(source in sources or source in _plain_names(sources) for sources in lists):
        return True
    return False if kinds and len(lists) == len(kinds) else None


# What the ARNs of an inventory's sources are like, after `arn:PARTITION:`; a service has other resources besides.
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

# A secret is also named without the six signs that AWS puts to its name.
_SECRET = re.compile(r"(?P<plain>arn:[^:]+:secretsmanager:.+)-[A-Za-z0-9]{6}")


def inventories_of(inventories: Iterable[Inventory], source: str) -> tuple[Inventory, ...]:
    """Return the inventories in one of which a source, named by its ARN, would be if it existed."""
    kind = "".join(source.split(":", 2)[2:])
    return tuple(inventory for inventory in inventories if _FORMS[inventory.name].fullmatch(kind))


def _plain_names(sources: frozenset[str]) -> set[str]:
    return {match["plain"] for match in map(_SECRET.fullmatch, sources) if match}
