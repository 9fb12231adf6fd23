"""Remedies that create an execution role: only Lambda can assume it, and it has the permissions that it is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import function_name, require_arn
from permission_guard.iam.documents import VARIABLES_VERSION
from permission_guard.model.verdicts import Remedy
from permission_guard.records import field, record
from permission_guard.remedies import cdk, terraform
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.execution_role import by_aws, document_of, put_policy, statements
from permission_guard.remedies.trust_policy import LAMBDA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need

INLINE_NAME: Final = "needs-of-the-functions"
"""The name of the inline policy with what no managed policy allows."""
_SECONDS: Final = 10
"""Until Lambda can assume a role that exists: IAM has to propagate it."""


@record
class NewRole:
    """A role to create. `attached` are the ARNs of managed policies, and `inline` are documents by name.

    `services` can assume the role; `boundary` is the ARN of its permissions boundary, empty if there is none.
    """

    arn: str
    attached: Sequence[str] = ()
    inline: Mapping[str, JSON] = field(default_factory=dict)
    boundary: str = ""
    services: Sequence[str] = (LAMBDA,)

    @property
    def name(self) -> str:
        """The name without the path."""
        return self.arn.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The path, which starts and ends with a slash."""
        return self.arn.partition(":role")[2].removesuffix(self.name)

    @property
    def trust(self) -> dict[str, JSON]:
        """The trust policy."""
        services = self.services[0] if len(self.services) == 1 else list(self.services)
        statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        return {"Version": VARIABLES_VERSION, "Statement": [statement]}


def needed_role(role_arn: str, policies: Sequence[str], needs: Sequence[Need]) -> NewRole:
    """Return a role with AWS managed policies, given as paths and names, and a policy with the needs."""
    inline = {INLINE_NAME: document_of(statements(needs))} if needs else {}
    return NewRole(role_arn, tuple(by_aws(policy, role_arn) for policy in policies), inline)


def created(role: NewRole, region: str, function_arn: str, changes: str) -> tuple[Remedy, ...]:
    """Return the remedies that create a role, and set it on a function; without a function, only the first."""
    commands = list(_commands(role, region))
    if function_arn:
        commands += [f"sleep {_SECONDS}", set_role(function_arn, role.arn)]
    texts = {"aws-cli": " &&\n".join(commands), "cdk": _cdk(role), "terraform": _terraform(role)}
    if function_arn:
        name = function_name(function_arn)
        changes = f"Lambda updates {name}. {changes}"
        texts["cdk"] += f"\n// Set it as the property role of {cdk.comment(name)}."
        argument = terraform.change("aws_lambda_function", f"the function {name}", role=_reference(role, "arn"))
        texts["terraform"] += f"\n\n{argument}"
    return tuple(Remedy(kind, text, changes=changes) for kind, text in texts.items())


def set_role(function_arn: str, role_arn: str) -> str:
    """Return the AWS CLI command that sets the execution role of a function."""
    region, name = require_arn(function_arn).region, function_name(function_arn)
    return aws("lambda", "update-function-configuration", region, function_name=name, role=role_arn)


def _commands(role: NewRole, region: str) -> Iterator[str]:
    """Yield the commands that create the role, to be joined by `&&`."""
    yield aws(
        "iam",
        "create-role",
        region,
        role_name=role.name,
        path=role.path,
        permissions_boundary=role.boundary,
        assume_role_policy_document=json.dumps(role.trust),
    )
    yield aws("iam", "wait role-exists", region, role_name=role.name)
    for arn in role.attached:
        yield aws("iam", "attach-role-policy", region, role_name=role.name, policy_arn=arn)
    for name, document in role.inline.items():
        yield put_policy(role.name, name, document, region)


def _cdk(role: NewRole) -> str:
    lines = [cdk.new_role(role.name, role.path, role.services, role.boundary)]
    lines += [f"role.addManagedPolicy({cdk.managed_policy(arn)});" for arn in role.attached]
    return "\n".join([*lines, *(cdk.inline_policy(name, document) for name, document in role.inline.items())])


def _terraform(role: NewRole) -> str:
    blocks = [_terraform_role(role)]
    reference = _reference(role, "name")
    blocks += [
        terraform.resource(
            "aws_iam_role_policy_attachment", (role.name, arn.rpartition("/")[2]), role=reference, policy_arn=arn
        )
        for arn in role.attached
    ]
    for name, document in role.inline.items():
        policy = terraform.jsonencode(document)
        block = terraform.resource("aws_iam_role_policy", (role.name, name), name=name, role=reference, policy=policy)
        blocks.append(block)
    return "\n\n".join(blocks)


def _terraform_role(role: NewRole) -> str:
    return terraform.resource(
        "aws_iam_role",
        (role.name,),
        name=role.name,
        path=role.path,
        permissions_boundary=role.boundary,
        assume_role_policy=terraform.jsonencode(role.trust),
    )


def _reference(role: NewRole, attribute: str) -> terraform.Expression:
    return terraform.reference(_terraform_role(role), attribute)
