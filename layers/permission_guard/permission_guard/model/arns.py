"""Names and ARNs of functions, roles and policies, in every form that AWS accepts and returns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from permission_guard.iam.arn import parse_arn
from permission_guard.model.targets import FunctionTarget, PolicyTarget, RoleTarget

if TYPE_CHECKING:
    from permission_guard.iam.arn import Arn

# The pattern of FunctionName in the Lambda API: a name, a partial ARN or a full ARN, each with or without a qualifier.
# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
_FUNCTION_NAME = re.compile(
    r"(?:arn:(?P<partition>aws[a-z-]*):lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-[a-z]+)+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]{1,140})"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?",
    re.ASCII,
)

# The ARN of a managed policy, including its path. AWS managed policies have the account `aws`.
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html
_POLICY_ARN = re.compile(
    r"arn:aws[a-z-]*:iam::(?P<account>\d{12}|aws):policy/(?:[!-~]{1,510}/)?[\w+=,.@-]{1,128}",
    re.ASCII,
)

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def partition_of(region: str) -> str:
    """Return the partition of a region, such as `aws`, `aws-cn` or `aws-us-gov`."""
    return next((partition for prefix, partition in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def parse_function_name(text: str, *, region: str, account: str) -> tuple[FunctionTarget, str | None]:
    """Parse a FunctionName parameter. Return the function and its qualifier, None if it has none.

    `region` and `account` are those of the call, for the forms without them. ValueError if the Lambda API rejects the
    text.
    """
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a Lambda function name or ARN: {text!r:.200}")
    found_region = match["region"] or region
    target = FunctionTarget(
        partition=match["partition"] or partition_of(found_region),
        region=found_region,
        account=match["account"] or account,
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


def _parse_role_arn(role_arn: str) -> Arn:
    arn = parse_arn(role_arn)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
        raise ValueError(f"not a role ARN: {role_arn!r:.200}")
    return arn


def parse_policy_arn(arn: str) -> PolicyTarget:
    """Parse the ARN of a managed policy. ValueError for any other text."""
    match = _POLICY_ARN.fullmatch(arn)
    if match is None:
        raise ValueError(f"not a managed policy's ARN: {arn!r:.200}")
    return PolicyTarget(match["account"], arn)
