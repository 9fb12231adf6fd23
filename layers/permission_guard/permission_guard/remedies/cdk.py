"""Calls of the AWS CDK, in TypeScript. Only this module writes them, so that every value stays a string.

`fn` is the function's construct, and `iam`, `lambda` and the others are the modules of `aws-cdk-lib`.
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_lambda.Function.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import is_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.targets import JSON

_NAMES: Final = {
    "source_arn": "sourceArn",
    "source_account": "sourceAccount",
    "principal_org_id": "organizationId",
    "event_source_token": "eventSourceToken",
    "invoked_via_function_url": "invokedViaFunctionUrl",
}
_GRANTS: Final[tuple[tuple[frozenset[str], str, str], ...]] = (
    (
        frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}),
        "sqs.Queue.fromQueueArn",
        "grantConsumeMessages",
    ),
    (frozenset({"sqs:SendMessage"}), "sqs.Queue.fromQueueArn", "grantSendMessages"),
    (frozenset({"sns:Publish"}), "sns.Topic.fromTopicArn", "grantPublish"),
    (
        frozenset(
            {
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
            }
        ),
        "kinesis.Stream.fromStreamArn",
        "grantRead",
    ),
    (frozenset({"kms:Decrypt"}), "kms.Key.fromKeyArn", "grantDecrypt"),
    (frozenset({"secretsmanager:GetSecretValue"}), "secretsmanager.Secret.fromSecretCompleteArn", "grantRead"),
    (frozenset({"events:PutEvents"}), "events.EventBus.fromEventBusArn", "grantPutEventsTo"),
    (frozenset({"lambda:InvokeFunction"}), "lambda.Function.fromFunctionArn", "grantInvoke"),
)
"""The actions that a grant covers, how the resource is named by its ARN, and the grant."""
_WHOLE_ARN: Final = re.compile(r"arn:(?!\S*:secret:)[^*?]+|arn:[^*?]+:secret:[^*?]+-\w{6}", re.ASCII)
"""The constructs are found by whole ARNs: that of a secret ends in six random characters."""
SERVICE: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
"""The form of a service principal."""


def add_permission(function: str, statement_id: str, principal: str, action: str, values: Mapping[str, JSON]) -> str:
    """Return the call of `addPermission` for the parameters of AddPermission."""
    lines = [f"  principal: {_principal(principal)},", f"  action: {_string(action)},"]
    lines += [f"  {name}: {_value(values[key])}," for key, name in _NAMES.items() if values.get(key)]
    if auth_type := values.get("function_url_auth_type"):
        lines.append(f"  functionUrlAuthType: lambda.FunctionUrlAuthType.{auth_type},")
    return "\n".join([f"// fn is {comment(function)}", f"fn.addPermission({_string(statement_id)}, {{", *lines, "});"])


def add_managed_policy(role: str, policy: str) -> str:
    """Return the call that attaches an AWS managed policy, given as path and name, to a role."""
    managed = f"iam.ManagedPolicy.fromAwsManagedPolicyName({_string(policy)})"
    return f"// fn is a function with the role {comment(role)}\nfn.role?.addManagedPolicy({managed});"


def managed_policy(arn: str) -> str:
    """Return the construct of a managed policy."""
    _, by_aws, name = arn.partition(":iam::aws:policy/")
    if by_aws:
        return f"iam.ManagedPolicy.fromAwsManagedPolicyName({_string(name)})"
    return f"iam.ManagedPolicy.fromManagedPolicyArn(this, {_string(_id(arn))}, {_string(arn)})"


def new_role(name: str, path: str, services: Sequence[str], boundary: str) -> str:
    """Return the construct of a role that services can assume."""
    principals = [f"new iam.ServicePrincipal({_string(service)})" for service in services]
    by = principals[0] if len(principals) == 1 else f"new iam.CompositePrincipal({', '.join(principals)})"
    lines = [f"  roleName: {_string(name)},", f"  path: {_string(path)},", f"  assumedBy: {by},"]
    lines += [f"  permissionsBoundary: {managed_policy(boundary)},"] if boundary else []
    return "\n".join([f"const role = new iam.Role(this, {_string(_id(name))}, {{", *lines, "});"])


def inline_policy(name: str, document: JSON) -> str:
    """Return the call that adds an inline policy to the construct `role`."""
    policy = f"iam.PolicyDocument.fromJson({json.dumps(document)})"
    properties = f"{{ policyName: {_string(name)}, document: {policy} }}"
    return f"role.attachInlinePolicy(new iam.Policy(this, {_string(_id(name))}, {properties}));"


def grants(role: str, statements: Sequence[Mapping[str, JSON]]) -> str:
    """Return the calls that allow a role what the statements allow: a resource's own grant where one exists."""
    lines = [f"// fn is a function with the role {comment(role)}"]
    for statement in statements:
        lines += _granted(statement["Action"], statement["Resource"])
    return "\n".join(lines)


def _granted(actions: Sequence[str], resources: Sequence[str]) -> list[str]:
    known = next(((found, method) for needed, found, method in _GRANTS if needed.issuperset(actions)), None)
    if known and all(map(_WHOLE_ARN.fullmatch, resources)):
        found, method = known
        return [f"{found}(this, {_string(_id(arn))}, {_string(arn)}).{method}(fn);" for arn in resources]
    return [
        "fn.addToRolePolicy(new iam.PolicyStatement({",
        f"  actions: {_list(actions)},",
        f"  resources: {_list(resources)},",
        "}));",
    ]


def _principal(text: str) -> str:
    if text == "*":
        return "new iam.AnyPrincipal()"
    if is_account_id(text):
        return f"new iam.AccountPrincipal({_string(text)})"
    kind = "ServicePrincipal" if SERVICE.fullmatch(text) else "ArnPrincipal"
    return f"new iam.{kind}({_string(text)})"


def _value(value: JSON) -> str:
    return "true" if value is True else _string(str(value))


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _string(text: str) -> str:
    """Return a string literal: JSON's, in ASCII, is one of TypeScript."""
    return json.dumps(text)


def comment(text: str) -> str:
    """Return a text for a comment; it stays on one line."""
    return _string(text)[1:-1]


def _id(arn: str) -> str:
    """Return the id of a construct: only what follows the account, without the slashes that ids cannot contain."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", arn.split(":", 5)[-1]).strip("-")
