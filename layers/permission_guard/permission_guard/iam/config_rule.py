"""The result of AWS Config's rule `lambda-function-public-access-prohibited` (Security Hub's control Lambda.1).

The rule evaluates only the text of a policy. A policy is public if a principal is empty or contains a wildcard and no
condition requires fixed values, or if it allows Amazon S3 and no condition names an account. Values with a wildcard or
a policy variable are not fixed. Deny statements have no effect.
"""

from __future__ import annotations

from permission_guard.iam.conditions import FOR_ALL
from permission_guard.iam.networks import is_wide
from permission_guard.iam.scopes import KeyKind
from permission_guard.iam.scoping import SCOPING_KEYS
from permission_guard.iam.values import ip_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from permission_guard.iam.conditions import Condition
    from permission_guard.iam.statements import Statement

_OWNED: Final = frozenset({KeyKind.ACCOUNT, KeyKind.ORGANIZATION, KeyKind.PATH})
_S3: Final = "s3.amazonaws.com"


def is_public_to_config(allows: Iterable[Statement]) -> bool:
    """Return whether the rule reports one of these Allow statements as public."""
    return any(_is_public(statement) for statement in allows)


def _is_public(statement: Statement) -> bool:
    limits = [SCOPING_KEYS[item.key] for item in statement.conditions if item.key in SCOPING_KEYS and _is_fixed(item)]
    principals = statement.principals
    if principals is None or principals.negated or principals.empty or not principals.entries:
        return not limits
    for kind, value in principals.entries:
        if any(sign in value for sign in ("*", "?", "${")) and not limits:
            return True
        if kind == "Service" and value == _S3 and not _OWNED.intersection(limits):
            return True
    return False


def _is_fixed(condition: Condition) -> bool:
    if condition.operator is None or condition.negated or condition.if_exists or condition.qualifier == FOR_ALL:
        return False
    if condition.key == "aws:sourceip":
        networks = [ip_network(text) for text in condition.texts]
        return None not in networks and not is_wide(filter(None, networks))
    return not any(sign in text for text in condition.texts for sign in ("*", "?", "${"))
