"""Names and ARNs of functions, roles and policies, in every form that AWS accepts and returns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from permission_guard.iam.arn import parse_arn
from permission_guard.model.names import (
    FUNCTION_NAME,
    IAM_ARN,
    LONGEST_FUNCTION_NAME,
    LONGEST_QUALIFIER,
    PATH,
    POLICY_NAME,
    ROLE_ARN,
    ROLE_NAME,
)
from permission_guard.model.targets import FunctionTarget, NamedRole, PolicyTarget, RoleTarget

if TYPE_CHECKING:
    from permission_guard.iam.arn import Arn
    from permission_guard.model.targets import FindingTarget

_MANAGED_POLICY = re.compile(
    r"arn:aws[a-z-]*:iam::(?P<account>\d{12}|aws):policy(?P<path>/(?:.*/)?)(?P<name>[^/]+)", re.ASCII
)
"""AWS managed policies have the account `aws`. https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html"""

_EXECUTION_ROLE = re.compile(r"arn:[^:]+:iam::(?P<account>\d{12}):role(?P<path>/(?:.*/)?)(?P<name>[^/]+)", re.ASCII)

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


PARTITIONS = ("aws", *_PARTITIONS.values())


def partition_of(region: str) -> str:
    """Return the partition of a region, such as `aws`, `aws-cn` or `aws-us-gov`."""
    return next((partition for prefix, partition in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def parse_function_name(text: str, *, region: str, account: str) -> tuple[FunctionTarget, str | None]:
    """Parse a FunctionName parameter. Return the function and its qualifier, None if it has none.

    `region` and `account` are those of the call, for the forms without them. ValueError if the Lambda API rejects the
    text.
    """
    match = FUNCTION_NAME.match(text)
    if match is None or len(match["name"]) > LONGEST_FUNCTION_NAME or len(match["qualifier"] or "") > LONGEST_QUALIFIER:
        raise ValueError(f"not a Lambda function name or ARN: {text!r:.200}")
    found_region = (match["region"] or region).removesuffix(":")
    target = FunctionTarget(
        partition=match["partition"] or partition_of(found_region),
        region=found_region,
        account=(match["account"] or account).removesuffix(":"),
        name=match["name"],
    )
    return target, match["qualifier"]


def parse_function_arn(arn: str) -> tuple[FunctionTarget, str | None]:
    """Parse a full function ARN. ValueError for any other text."""
    target, qualifier = parse_function_name(arn, region="", account="")
    # `function:` is optional in the pattern, so that it also matches a layer's ARN, as the function `layer`.
    if not (arn.startswith("arn:") and ":function:" in arn and target.region and target.account):
        raise ValueError(f"not a Lambda function ARN: {arn!r:.200}")
    return target, qualifier


def finding_target(arn: str) -> FindingTarget:
    """Return what findings with this target are about: the function, without a qualifier, or the role.

    ValueError if the text is neither the ARN of a function nor that of a role.
    """
    if (parsed := parse_arn(arn)) is None or parsed.service != "iam":
        return parse_function_arn(arn)[0]
    if not (ROLE_ARN.match(arn) and IAM_ARN.match(arn)):
        raise ValueError(f"not a role ARN: {arn!r:.200}")
    return NamedRole(arn)


def role_name(role_arn: str) -> str:
    """Return the name of a role, without its path. ValueError if the text is not a role ARN."""
    arn = _parse_role_arn(role_arn)
    return arn.resource.rsplit("/", 1)[-1]


def role_account(role_arn: str) -> str:
    """Return the account of a role. ValueError if the text is not a role ARN."""
    return _parse_role_arn(role_arn).account


def role_target(role_arn: str) -> RoleTarget:
    """Return the role that an ARN names, without its path, as events name it. ValueError if it is not a role ARN."""
    return RoleTarget(role_account(role_arn), role_name(role_arn))


def is_execution_role(role_arn: str, account: str) -> bool:
    """Return whether Lambda accepts an ARN as that of an execution role in an account."""
    match = _EXECUTION_ROLE.fullmatch(role_arn) if ROLE_ARN.match(role_arn) and IAM_ARN.match(role_arn) else None
    return (
        match is not None
        and match["account"] == account
        and bool(PATH.match(match["path"]) and ROLE_NAME.match(match["name"]))
    )


def _parse_role_arn(role_arn: str) -> Arn:
    arn = parse_arn(role_arn)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
        raise ValueError(f"not a role ARN: {role_arn!r:.200}")
    return arn


def parse_policy_arn(arn: str) -> PolicyTarget:
    """Parse the ARN of a managed policy. ValueError for any other text."""
    match = _MANAGED_POLICY.fullmatch(arn) if IAM_ARN.match(arn) else None
    if match is None or not (PATH.match(match["path"]) and POLICY_NAME.match(match["name"])):
        raise ValueError(f"not a managed policy's ARN: {arn!r:.200}")
    return PolicyTarget(match["account"], arn)


def is_policy_arn(text: str) -> bool:
    """Return whether a text is the ARN of a managed policy."""
    try:
        parse_policy_arn(text)
    except ValueError:
        return False
    return True
