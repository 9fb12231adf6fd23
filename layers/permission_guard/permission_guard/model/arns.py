"""Names of functions, roles and policies, in every form in which AWS takes and returns them."""

from __future__ import annotations

import re

from permission_guard.model.targets import FunctionTarget, PolicyTarget, RoleTarget

# The pattern of FunctionName in Lambda's API: a bare name, a partial ARN or a full ARN, each with or without a
# qualifier. https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
_FUNCTION_NAME = re.compile(
    r"(?:arn:(?P<partition>aws[a-z-]*):lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-[a-z]+)+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]{1,140})"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?",
    re.ASCII,
)

# A managed policy's ARN, its path included; AWS's own are of the account `aws`.
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
    """Return the partition a region belongs to: `aws`, `aws-cn` or `aws-us-gov`."""
    return next((partition for prefix, partition in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def parse_function_name(text: str, *, region: str, account: str) -> tuple[FunctionTarget, str | None]:
    """Read what a caller may pass as FunctionName; return the function and its qualifier, None where it has none.

    `region` and `account` are those of the call, for the forms that leave them out. ValueError when AWS itself
    would not take the text.
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
    """Read a full function ARN; ValueError when it is anything else."""
    target, qualifier = parse_function_name(arn, region="", account="")
    # The pattern leaves `function:` out as well, so that a layer's ARN would pass for the function `layer`.
    if not (arn.startswith("arn:") and ":function:" in arn and target.region and target.account):
        raise ValueError(f"not a Lambda function ARN: {arn!r:.200}")
    return target, qualifier


def role_name(role_arn: str) -> str:
    """Return the name of a role from its ARN, without its path; ValueError when it is no role ARN."""
    parts = role_arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):  # noqa: PLR2004 - an ARN has six parts
        raise ValueError(f"not a role ARN: {role_arn!r:.200}")
    return parts[5].rsplit("/", 1)[-1]


def role_account(role_arn: str) -> str:
    """Return the account of a role from its ARN."""
    return role_arn.split(":", 5)[4]


def role_target(role_arn: str) -> RoleTarget:
    """Return what a role's ARN names, as events name it: without its path; ValueError when it is no role ARN."""
    return RoleTarget(role_account(role_arn), role_name(role_arn))


def parse_policy_arn(arn: str) -> PolicyTarget:
    """Read a managed policy's ARN; ValueError when it is anything else."""
    match = _POLICY_ARN.fullmatch(arn)
    if match is None:
        raise ValueError(f"not a managed policy's ARN: {arn!r:.200}")
    return PolicyTarget(match["account"], arn)
