"""What the commands wrote to roles, and what the snippets for the AWS CDK and Terraform declare of roles, as facts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests import hcl

if TYPE_CHECKING:
    from collections.abc import Iterator

Fact = tuple[str, ...]
_GRANTS: Final = {
    "grantConsumeMessages": "sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:GetQueueUrl sqs:DeleteMessage "
    "sqs:GetQueueAttributes",
    "grantSendMessages": "sqs:SendMessage sqs:GetQueueAttributes sqs:GetQueueUrl",
    "grantPublish": "sns:Publish",
    "grantRead": "kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards "
    "kinesis:SubscribeToShard kinesis:DescribeStream kinesis:DescribeStreamConsumer secretsmanager:GetSecretValue "
    "secretsmanager:DescribeSecret",
    "grantDecrypt": "kms:Decrypt",
    "grantPutEventsTo": "events:PutEvents",
    "grantInvoke": "lambda:InvokeFunction",
}
"""What the grants allow: https://github.com/aws/aws-cdk/tree/main/packages/aws-cdk-lib"""
_GRANT: Final = re.compile(r'^\w+\.\w+\.from\w+\(this, ".*?", "(.*?)"\)\.(\w+)\(fn\);$', re.MULTILINE)
_STATEMENT: Final = re.compile(
    r"^fn\.addToRolePolicy\(new iam\.PolicyStatement\(\{\n  actions: (\[.*\]),\n  resources: (\[.*\]),\n\}\)\);$",
    re.MULTILINE,
)
_MANAGED: Final = re.compile(
    r'\.addManagedPolicy\(iam\.ManagedPolicy\.from(Aws|ManagedPolicyArn)\w*\((?:this, ".*?", )?"(.*?)"\)\);'
)
_INLINE: Final = re.compile(
    r'\{ policyName: "(.*?)", document: iam\.PolicyDocument\.fromJson\((.*)\) \}\)\);$', re.MULTILINE
)
_SERVICE: Final = re.compile(r'new iam\.ServicePrincipal\("(.*?)"\)')


def text_of(document: Any) -> str:
    """Return a document as comparable text."""
    return json.dumps(document, sort_keys=True)


def written(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> set[Fact]:
    """Return what was added to roles: trust policies, managed policies, and inline policies with new names."""
    names = {entry["Role"]["RoleName"]: entry for entry in before if not entry.get("Deleted") and "Unread" not in entry}
    facts: set[Fact] = set()
    for entry in after:
        if entry.get("Deleted") or "Unread" in entry:
            continue
        role = entry["Role"]
        old = names.get(role["RoleName"], {"Role": {}})
        trust = role.get("AssumeRolePolicyDocument")
        if trust != old["Role"].get("AssumeRolePolicyDocument"):
            facts.add(("trust", text_of(trust)))
        facts |= {
            ("attached", arn) for arn in entry.get("AttachedPolicies", {}).keys() - old.get("AttachedPolicies", {})
        }
        inline, known = entry.get("RolePolicies", {}), old.get("RolePolicies", {})
        facts |= {("inline", name, text_of(inline[name])) for name in inline.keys() - known}
    return facts


def in_terraform(text: str) -> set[Fact]:
    """Return what blocks, and arguments for an existing role, declare."""
    facts: set[Fact] = set()
    for kind, _, arguments in hcl.blocks(text):
        if kind == "aws_iam_role":
            facts.add(("trust", text_of(arguments["assume_role_policy"])))
        elif kind == "aws_iam_role_policy_attachment":
            facts.add(("attached", arguments["policy_arn"]))
        elif kind == "aws_iam_role_policy":
            facts.add(("inline", arguments["name"], text_of(arguments["policy"])))
    return facts


def attached_in_cdk(text: str) -> set[Fact]:
    """Return the managed policies that calls attach."""
    by_aws = "arn:aws:iam::aws:policy/"
    return {("attached", f"{by_aws if kind[0] == 'A' else ''}{name}") for kind, name in _MANAGED.findall(text)}


def new_in_cdk(text: str) -> set[Fact]:
    """Return the services that can assume a new role, and its inline policies."""
    facts: set[Fact] = {("inline", name, text_of(json.loads(document))) for name, document in _INLINE.findall(text)}
    services = _SERVICE.findall(text)
    principal = {"Service": services[0] if len(services) == 1 else services}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return facts | {("trust", text_of({"Version": "2012-10-17", "Statement": [trust]}))}


def granted_in_cdk(text: str) -> tuple[set[Fact], set[Fact]]:
    """Return the actions with their resources that statements allow, and those that grants allow."""
    stated: set[Fact] = {
        (action, resource)
        for actions, resources in _STATEMENT.findall(text)
        for action in json.loads(actions)
        for resource in json.loads(resources)
    }
    granted: set[Fact] = {(action, arn) for arn, grant in _GRANT.findall(text) for action in _GRANTS[grant].split()}
    return stated, granted


def pairs(facts: set[Fact]) -> Iterator[Fact]:
    """Yield the actions with their resources that inline policies allow."""
    for kind, *_, document in facts:
        for statement in json.loads(document)["Statement"] if kind == "inline" else ():
            yield from ((action, resource) for action in statement["Action"] for resource in statement["Resource"])
