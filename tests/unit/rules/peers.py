"""The criteria by which other tools flag a statement, as each tool documents them.

A case with `flagged_by` passes here and is flagged by another tool. `PEERS` maps the name of that tool's rule to a
predicate for its criterion. The criteria were read in November 2026:

- AWS Config, the same as Security Hub's Lambda.1:
  https://docs.aws.amazon.com/config/latest/developerguide/lambda-function-public-access-prohibited.html
- Checkov, for the properties of AWS::Lambda::Permission and `aws_lambda_permission`:
  https://github.com/bridgecrewio/checkov/blob/main/checkov/terraform/checks/resource/aws/LambdaServicePermission.py
  https://github.com/bridgecrewio/checkov/blob/main/checkov/terraform/checks/resource/aws/LambdaFunctionIsNotPublic.py
- Trivy, for the same resources:
  https://github.com/aquasecurity/trivy-checks/blob/main/checks/cloud/aws/lambda/restrict_source_arn.rego
- cfn_nag, for AWS::Lambda::Permission:
  https://github.com/stelligent/cfn_nag/blob/master/lib/cfn-nag/custom_rules/LambdaPermissionWildcardPrincipalRule.rb
  https://github.com/stelligent/cfn_nag/blob/master/lib/cfn-nag/custom_rules/LambdaPermissionInvokeFunctionActionRule.rb
- Prowler, `is_policy_public` in
  https://github.com/prowler-cloud/prowler/blob/master/prowler/providers/aws/services/iam/lib/policy.py
- Cloud Custodian, `PolicyChecker` in
  https://github.com/cloud-custodian/cloud-custodian/blob/main/c7n/filters/iamaccess.py

Tools that read templates see only statements that AddPermission can express.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import TrustSet, exposure, parse_policy
from permission_guard.remedies.permission import Permission, permissions_of
from tests.fakes import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Raw = dict[str, Any]


def config_public(statement: Raw) -> bool:
    """Return whether AWS Config finds a policy with this statement public."""
    document = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    return exposure(document, TrustSet(frozenset({ACCOUNT}))).config_rule_public


def ckv_aws_364(permission: Permission) -> bool:
    """Return whether the second and third label name a service, without a source ARN or a source account."""
    of_aws = permission.principal.split(".")[1:3] == ["amazonaws", "com"]
    return of_aws and not permission.source_arn and not permission.source_account


def ckv_aws_301(permission: Permission) -> bool:
    """Return whether the principal is `*`, whatever the conditions."""
    return permission.principal == "*"


def aws_0067(permission: Permission) -> bool:
    """Return whether a service is named without a source ARN; an account is not enough."""
    return permission.principal.endswith(".amazonaws.com") and not permission.source_arn


def f13(permission: Permission) -> bool:
    """Return whether the principal contains `*`, whatever the conditions."""
    return "*" in permission.principal


def w24(permission: Permission) -> bool:
    """Return whether the action differs from this text; the comparison is case-sensitive."""
    return permission.action != "lambda:InvokeFunction"


def prowler_public(statement: Raw) -> bool:
    """Return whether everyone is allowed without a condition.

    Prowler also flags some statements with conditions, which this predicate does not cover. It ignores Deny statements.
    """
    return statement["Effect"] == "Allow" and "*" in _callers(statement) and not statement.get("Condition")


_READ_OPERATORS: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_READ_KEYS: Final = frozenset(
    {
        *("aws:sourceaccount", "aws:sourcearn", "aws:sourceowner", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce"),
        *("aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:userid"),
        *("aws:resourceorgid", "aws:username", "kms:calleraccount", "s3:dataaccesspointaccount"),
    }
)


def custodian_cross_account(statement: Raw) -> bool:
    """Return whether the filter, with its default settings, flags a statement as access from another account.

    It flags such a caller without a condition, or with a condition on a key that the filter does not know. This
    predicate does not cover other conditions. The filter ignores services and Deny statements.
    """
    others = any(caller == "*" or _account(caller) != ACCOUNT for caller in _callers(statement))
    block = statement.get("Condition", {})
    read = [key.lower() for operator, keys in block.items() if operator in _READ_OPERATORS for key in keys]
    return statement["Effect"] == "Allow" and others and (not block or not _READ_KEYS.issuperset(read))


def _account(principal: str) -> str:
    return principal.split(":", 5)[4] if ":" in principal else principal


def _callers(statement: Raw) -> list[str]:
    """Return the accounts, users, roles and `*` among the principals."""
    principal = statement.get("Principal", {})
    values = ["*"] if principal == "*" else principal.get("AWS", [])
    return [values] if isinstance(values, str) else values


def _in_a_template(criterion: Callable[[Permission], bool]) -> Callable[[Raw], bool]:
    """Convert a criterion on permissions to one on the statement that AddPermission writes."""
    return lambda statement: any(map(criterion, permissions_of(statement, str(statement["Resource"]))))


PEERS: Final[Mapping[str, Callable[[Raw], bool]]] = {
    "AWS Config lambda-function-public-access-prohibited": config_public,
    "Checkov CKV_AWS_364": _in_a_template(ckv_aws_364),
    "Checkov CKV_AWS_301": _in_a_template(ckv_aws_301),
    "Trivy AWS-0067": _in_a_template(aws_0067),
    "cfn_nag F13": _in_a_template(f13),
    "cfn_nag W24": _in_a_template(w24),
    "Prowler awslambda_function_not_publicly_accessible": prowler_public,
    "Cloud Custodian cross-account": custodian_cross_account,
}
"""For each name in `flagged_by`: whether the tool flags a statement, as GetPolicy returns it."""
