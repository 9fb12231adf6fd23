"""Keys: who manages them, their policy, and the grants that add to it.

A key can be used only if its key policy, an IAM policy or a grant allows it, and no policy denies it. A grant can only
allow. https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.iam.arn import require_arn
from permission_guard.model.state import SourceState, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON, FunctionTarget

_PAGE: Final = 100
"""The maximum page size of ListGrants."""

_MAX_PAGES: Final = 20

_ENVIRONMENT_CONTEXT_KEY: Final = "aws:lambda:functionarn"
"""The encryption context key of Lambda's grants for environment variables. Sources and destinations never send it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
"""


def key_arn(key: str, resource: str, function: FunctionTarget) -> str:
    """Return the ARN of a key or alias that a resource names in any of the four forms.

    A form without region and account means those of the resource, or those of the function where its ARN has none.
    https://docs.aws.amazon.com/kms/latest/developerguide/find-cmk-id-arn.html
    """
    if key.startswith("arn:"):
        return key
    named_by = require_arn(resource)
    path = key if key.startswith("alias/") else f"key/{key}"
    region, account = named_by.region or function.region, named_by.account or function.account
    return f"arn:{named_by.partition}:kms:{region}:{account}:{path}"


def metadata(client: Any, arn: str) -> SourceReading:
    """Read the ARN of a customer managed key. For an AWS managed key the state has none."""
    found = client.describe_key(KeyId=arn)["KeyMetadata"]
    return SourceReading(SourceState(None if found.get("KeyManager") == "AWS" else found["Arn"], exists=True))


def policy(client: Any, arn: str) -> SourceReading:
    """Read the policy of a key. Every key has one, named `default`."""
    return SourceReading(policy=client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])


def grants(client: Any, arn: str) -> SourceReading | Unread:
    """Read the grants of a key to roles and role sessions, as policy statements.

    A key can have 50,000 grants. More than 2,000 are Unread, so that a check does not take minutes.
    """
    pages = client.get_paginator("list_grants").paginate(KeyId=arn, PaginationConfig={"PageSize": _PAGE})
    found: list[dict[str, JSON]] = []
    for number, page in enumerate(pages, start=1):
        if number > _MAX_PAGES:
            return Unread("kms:ListGrants", "TooMany", f"{arn} has over {_MAX_PAGES * _PAGE} grants", denied=True)
        found += [_statement(grant) for grant in page["Grants"] if _may_apply(grant)]
    return SourceReading(grants=tuple(found))


def _may_apply(grant: Mapping[str, Any]) -> bool:
    grantee = grant.get("GranteePrincipal", "")
    is_of_a_role = ":role/" in grantee or ":assumed-role/" in grantee
    return is_of_a_role and _ENVIRONMENT_CONTEXT_KEY not in {name.lower() for name in _encryption_context(grant)}


def _statement(grant: Mapping[str, Any]) -> dict[str, JSON]:
    """Return a grant as a statement. Its encryption context becomes conditions, whose values are unknown."""
    source = grant.get("Constraints", {}).get("SourceArn")
    context = {f"kms:EncryptionContext:{name}": value for name, value in _encryption_context(grant).items()}
    conditions = {"StringEquals": context, "ArnLike": {"aws:SourceArn": source} if source else {}}
    return {
        "Sid": f"Grant{grant['GrantId']}",
        "Effect": "Allow",
        "Principal": {"AWS": grant["GranteePrincipal"]},
        "Action": [f"kms:{operation}" for operation in grant["Operations"]],
        "Resource": "*",
        "Condition": {operator: keys for operator, keys in conditions.items() if keys},
    }


def _encryption_context(grant: Mapping[str, Any]) -> dict[str, str]:
    """Return the encryption context that a grant requires, whether as a subset or as the whole context."""
    constraints = grant.get("Constraints", {})
    return {**constraints.get("EncryptionContextSubset", {}), **constraints.get("EncryptionContextEquals", {})}


DESCRIPTION = SourceRead("kms:DescribeKey", metadata)

KMS = SourceService(
    "kms",
    "kms",
    state=DESCRIPTION,
    policy=SourceRead("kms:GetKeyPolicy", policy, same_account_only=True),
    grants=SourceRead("kms:ListGrants", grants, same_account_only=True),
)
