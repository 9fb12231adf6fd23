"""PG209 role-shared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import Unread
from permission_guard.model.targets import including
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.records import record
from permission_guard.remedies import cloudformation, terraform
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.trust_policy import set_role
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.model.verdicts import Verdict

_MAX_NAMED: Final = 5
_MAX_IN_EVIDENCE: Final = 50
_MAX_ROLE_NAME_LENGTH: Final = 64
_RESERVED: Final = "/aws-"
"""The prefix of the paths in which only AWS can create roles."""


class RoleShared(RoleRule):
    """Allow each function an execution role of its own.

    ## What it flags

    A role that several functions of the account and region use. Each role has one finding, recorded for the first of
    its functions by name.

    ## Why it matters

    The role must allow what any of its functions needs, so each function has all of these permissions. An attacker in
    one function has the permissions of all. A permission that one function does not need cannot be removed if another
    function needs it.

    ## How to fix

    Create a role for each function but one, with the permissions that the function needs, and set it on the function.
    The commands create a role for the first function with all permissions of the shared role, so that nothing breaks:
    narrow it afterwards. With AWS SAM, omit the property `Role`, and SAM creates a role for each function.

    ## Fix safety

    Not fixed automatically: an owner must decide what each function needs.

    ## Limits

    - The functions are those of the account and region that use the role, unpublished or in a version with an event
      source mapping. PG208 reports other principals that can assume the role.
    - In a template, the functions are those of the file. Functions with the same expression for their role share it,
      also if the role is not in the file.
    - When another function becomes the first by name, the finding moves at the next check of the previous one.
    - A role that the functions of one application share on purpose is flagged too.
    - If the role does not exist, PG207 reports it, and the outcome of this rule is unknown.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/lambda/latest/dg/security-iam.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html
    """

    id = "PG209"
    name = "role-shared"
    severity = Severity.LOW
    full_check_only = True
    reads = RoleRule.reads | {"lambda:ListFunctions"}
    subjects = "shared-role"

    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag a role that other functions use too, for the first of its functions by name."""
        target, subject = snapshot.target, self.about(role_arn)
        if role is None:
            yield self.unknown(target.arn, subject, f"{role_arn} does not exist; PG207 reports it.")
            return
        users = snapshot.role_users.get(role_arn)
        if users is None:
            yield self.unknown(target.arn, subject, f"Unknown: the functions that use {role_arn} were not read.")
            return
        if isinstance(users, Unread):
            yield self.unknown(target.arn, subject, str(users))
            return
        own = snapshot.versions.get(target.arn)
        uses_it = own is not None and not isinstance(own, Unread) and own.role_arn == role_arn
        functions = including(users, target)
        found = functions if uses_it else users
        # If only a version of this function uses the role, the checks of the other functions do not see this function.
        first = found[0] if len(found) > 1 else target
        if len(functions) == 1:
            yield self.passed(target.arn, subject, f"Only {target.name} uses {role_arn}.")
        elif first == target:
            yield self._shared(role, role_arn, functions, snapshot)
        else:
            reason = f"{len(functions)} functions use {role_arn}; the finding is recorded for {first.name}."
            yield self.passed(target.arn, subject, reason)

    def _shared(self, role: Role, role_arn: str, functions: Sequence[FunctionTarget], snapshot: Snapshot) -> Verdict:
        names = [user.name for user in functions]
        more = len(names) - _MAX_NAMED
        shown = [*names[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])]
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=self.about(role_arn),
            title=f"{len(names)} functions share the execution role {role_arn.rpartition('/')[2]}",
            reason=f"{listed(shown)} use {role_arn}.",
            impact=(
                "Each of these functions has the permissions of all of them, and so has an attacker in one of them. "
                "Removing a permission from one removes it from all."
            ),
            evidence={"role_arn": role_arn, "functions": names[:_MAX_IN_EVIDENCE], "count": len(names)},
            remedies=_remedies(role, role_arn, snapshot.target),
        )


@record
class _Copy:
    """A role for one function with the permissions of the shared role; `trust` and `inline` are documents."""

    arn: str
    trust: JSON
    attached: Sequence[str]
    inline: Mapping[str, JSON]
    boundary: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def path(self) -> str:
        return self.arn.partition(":role")[2].removesuffix(self.name)


def _remedies(role: Role, role_arn: str, target: FunctionTarget) -> tuple[Remedy, ...]:
    """Return how to list the functions that use the role, and how to give one of them a role with the same policies."""
    query = f"Functions[?Role=={_jmespath(role_arn)}].FunctionName"
    list_functions = aws("lambda", "list-functions", target.region, query=query, output="text")
    copy = _copy_of(role, target.name)
    if copy is None:
        return (Remedy("aws-cli", list_functions),)
    return (
        Remedy("aws-cli", "\n".join([list_functions, " &&\n".join(_commands(copy, target))])),
        *cloudformation.sam(_sam(copy)),
        Remedy("terraform", _terraform(copy)),
    )


def _copy_of(role: Role, function: str) -> _Copy | None:
    """Return a copy of a role, None if a policy was not read: without that policy the function would fail."""
    inline = {name: None if isinstance(policy, Unread) else policy.document for name, policy in role.inline.items()}
    trust = role.trust_policy.document
    if not all(isinstance(document, dict) for document in (trust, *inline.values())):
        return None
    names = (function[: _MAX_ROLE_NAME_LENGTH - len(ending)] + ending for ending in ("-role", "-execution-role"))
    name = next(name for name in names if name != role.name)
    path = "/" if role.path.startswith(_RESERVED) else role.path
    arn = f"{role.arn.partition(':role/')[0]}:role{path}{name}"
    return _Copy(arn, trust, list(role.attached), inline, role.boundary_arn or "")


def _commands(copy: _Copy, target: FunctionTarget) -> Iterator[str]:
    """Yield the commands that create the role and set it on the function, to be joined by `&&`."""
    trust = json.dumps(copy.trust)
    yield aws(
        "iam",
        "create-role",
        target.region,
        role_name=copy.name,
        path=copy.path,
        permissions_boundary=copy.boundary,
        assume_role_policy_document=trust,
    )
    yield aws("iam", "wait role-exists", target.region, role_name=copy.name)
    for arn in copy.attached:
        yield aws("iam", "attach-role-policy", target.region, role_name=copy.name, policy_arn=arn)
    for name, document in copy.inline.items():
        text = json.dumps(document)
        yield aws("iam", "put-role-policy", target.region, role_name=copy.name, policy_name=name, policy_document=text)
    yield set_role(target.arn, copy.arn)


def _sam(copy: _Copy) -> str:
    """Return the properties of a function for which SAM creates a role."""
    boundary = {"PermissionsBoundary": copy.boundary} if copy.boundary else {}
    policies = [*copy.attached, *copy.inline.values()]
    function = cloudformation.resource("AWS::Serverless::Function", {**boundary, "Policies": policies})
    return f"{cloudformation.comment('Instead of the property Role:')}\n{function}"


def _terraform(copy: _Copy) -> str:
    """Return the role with its policies, and the argument of the function."""
    trust, attached = terraform.jsonencode(copy.trust), terraform.toset(copy.attached)
    role = {"name": copy.name, "path": copy.path, "permissions_boundary": copy.boundary}
    blocks = [terraform.resource("aws_iam_role", "own", **role, assume_role_policy=trust)]
    if copy.attached:
        each = {"role": terraform.Expression("aws_iam_role.own.name"), "policy_arn": terraform.Expression("each.value")}
        blocks.append(terraform.resource("aws_iam_role_policy_attachment", "own", for_each=attached, **each))
    for number, (name, document) in enumerate(copy.inline.items(), start=1):
        policy = {"role": terraform.Expression("aws_iam_role.own.id"), "policy": terraform.jsonencode(document)}
        blocks.append(terraform.resource("aws_iam_role_policy", f"own_{number}", name=name, **policy))
    return "\n\n".join([*blocks, "# In the aws_lambda_function:\n# role = aws_iam_role.own.arn"])


def _jmespath(text: str) -> str:
    """Return a JSON literal of JMESPath; its other literals have no escape for every text."""
    literal = json.dumps(text).replace("`", r"\u0060")
    return f"`{literal}`"
