"""Keys: whose they are, the policy without which no role may use one, and the grants that add to it.

Nobody may use a key unless a key policy, an IAM policy or a grant allows it, and none of them denies it; a grant only
ever allows. https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.model.state import SourceState, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON, FunctionTarget

_PAGE: Final = 100
"""The most that ListGrants returns at a time."""

_MAX_PAGES: Final = 20

_OF_ENVIRONMENTS: Final = "aws:lambda:functionarn"
"""What Lambda's grants for environment variables ask for: nothing that a source, a secret or a destination sends.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
"""


def key_arn(key: str, resource: str, function: FunctionTarget) -> str:
    """Return the ARN of a key, or of its alias, that a resource names in any of the four ways.

    Without a region or an account, it is in those of the resource, and in the function's where that names none.
    https://docs.aws.amazon.com/kms/latest/developerguide/find-cmk-id-arn.html
    """
    if key.startswith("arn:"):
        return key
    partition, _, region, account = resource.split(":", 5)[1:5]
    path = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{partition}:kms:{region or function.region}:{account or function.account}:{path}"


def metadata(client: Any, arn: str) -> SourceReading:
    """Read the ARN of a key that a customer manages; AWS's own key has none here."""
    found = client.describe_key(KeyId=arn)["KeyMetadata"]
    return SourceReading(SourceState(None if found.get("KeyManager") == "AWS" else found["Arn"], exists=True))


def policy(client: Any, arn: str) -> SourceReading:
    """Read the policy of a key: each has one, called `default`."""
    return SourceReading(policy=client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])


def grants(client: Any, arn: str) -> SourceReading | Unread:
    """Read the grants of a key to roles, and to sessions of roles, as statements that its policy might have.

    A key may have fifty thousand of them, and a look at a function is not to take minutes.
    """
    pages = client.get_paginator("list_grants").paginate(KeyId=arn, PaginationConfig={"PageSize": _PAGE})
    found: list[dict[str, JSON]] = []
    for number, page in enumerate(pages, start=1):
        if number > _MAX_PAGES:
            return Unread("kms:ListGrants", "TooMany", f"{arn} has over {_MAX_PAGES * _PAGE} grants", denied=True)
        found += [_statement(grant) for grant in page["Grants"] if _may_serve(grant)]
    return SourceReading(grants=tuple(found))


def _may_serve(grant: Mapping[str, Any]) -> bool:
    grantee = grant.get("GranteePrincipal", "")
    is_of_a_role = ":role/" in grantee or ":assumed-role/" in grantee
    return is_of_a_role and _OF_ENVIRONMENTS not in {name.lower() for name in _encryption_context(grant)}


def _statement(grant: Mapping[str, Any]) -> dict[str, JSON]:
    """Return what a grant allows; what it asks of the encryption context is not known of any call."""
    source = grant.get("Constraints", {}).get("SourceArn")
    asked = {f"kms:EncryptionContext:{name}": value for name, value in _encryption_context(grant).items()}
    conditions = {"StringEquals": asked, "ArnLike": {"aws:SourceArn": source} if source else {}}
    return {
        "Sid": f"Grant{grant['GrantId']}",
        "Effect": "Allow",
        "Principal": {"AWS": grant["GranteePrincipal"]},
        "Action": [f"kms:{operation}" for operation in grant["Operations"]],
        "Resource": "*",
        "Condition": {operator: keys for operator, keys in conditions.items() if keys},
    }


def _encryption_context(grant: Mapping[str, Any]) -> dict[str, str]:
    """Return what a grant asks of the encryption context, be that the whole of it or a part."""
    constraints = grant.get("Constraints", {})
    return {**constraints.get("EncryptionContextSubset", {}), **constraints.get("EncryptionContextEquals", {})}


DESCRIPTION = SourceRead("kms:DescribeKey", metadata)

KMS = SourceService(
    "kms",
    "kms",
    state=DESCRIPTION,
    policy=SourceRead("kms:GetKeyPolicy", policy, own=True),
    grants=SourceRead("kms:ListGrants", grants, own=True),
)
