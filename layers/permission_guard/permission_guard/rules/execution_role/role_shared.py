"""PG209 role-shared."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.records import record
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON, FunctionTarget
    from permission_guard.model.verdicts import Verdict

_MOST_TOLD: Final = 5
_MOST_LISTED: Final = 50
_LONGEST_ROLE_NAME: Final = 64
_RESERVED: Final = "/aws-"
"""How the paths begin in which AWS alone makes roles."""


class RoleShared(RoleRule):
    """Allow each function an execution role of its own.

    ## What it flags

    A role that several functions of the account and region run with. It is one finding a role, recorded at the first
    of its functions by name.

    ## Why it matters

    The role has to allow what any of the functions needs, so that each of them can do all of it: whoever gets into
    one has what the others have. And none of them can be given less, since what is taken from one is taken from all.

    ## How to fix

    Make a role for each of the functions but one, with what that function needs, and set it. The commands make one for
    the first function that has all that the shared role has, so that nothing breaks: narrow it then. With AWS SAM,
    leave the property `Role` away, and each function gets a role of its own.

    ## Fix safety

    Not fixed automatically: what each of the functions needs is for a person to say.

    ## Limits

    The functions are those of the account and region that run with the role, unpublished or in a version that an event
    source mapping is for. Others that may assume the role are PG208's. When the first function by name changes, the
    finding moves at the next look at the function that had it. A role that several functions are meant to share,
    since they are one application in parts, is found as well. Where the role does not exist, PG207 tells it, and this
    is unknown.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/lambda/latest/dg/security-iam.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html
    """

    id = "PG209"
    name = "role-shared"
    severity = Severity.LOW
    offline = False
    full_check_only = True
    reads = RoleRule.reads | {"lambda:ListFunctions"}
    subjects = "shared-role"

    def judge(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag a role that others run with as well, at the first of its functions."""
        target, subject = snapshot.target, self.about(role_arn)
        if role is None:
            yield self.unknown(target.arn, subject, f"{role_arn} does not exist, as PG207 tells.")
            return
        users = snapshot.role_users.get(role_arn)
        if users is None:
            yield self.unknown(target.arn, subject, f"Which functions run with {role_arn} was not read.")
            return
        if isinstance(users, Unread):
            yield self.unknown(target.arn, subject, str(users))
            return
        own = snapshot.versions.get(target.arn)
        runs_with_it = own is not None and not isinstance(own, Unread) and own.role_arn == role_arn
        found = sorted({*users, target} if runs_with_it else users)
        everyone = sorted({*found, target})
        # A function of which but a version runs with the role is not seen by the looks at the others.
        anchor = found[0] if len(found) > 1 else target
        if len(everyone) == 1:
            yield self.passed(target.arn, subject, f"{target.name} alone runs with {role_arn}.")
        elif anchor == target:
            yield self._shared(role, role_arn, everyone, snapshot)
        else:
            reason = f"{len(everyone)} functions run with {role_arn}; the finding is at {anchor.name}."
            yield self.passed(target.arn, subject, reason)

    def _shared(self, role: Role, role_arn: str, everyone: Sequence[FunctionTarget], snapshot: Snapshot) -> Verdict:
        names = [user.name for user in everyone]
        more = len(names) - _MOST_TOLD
        told = [*names[:_MOST_TOLD], *([f"{more} more"] if more > 0 else [])]
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=self.about(role_arn),
            title=f"{len(names)} functions share the execution role {role_arn.rpartition('/')[2]}",
            reason=f"{listed(told)} run with {role_arn}.",
            impact=(
                "Each of these functions can do what any of them may, and so can whoever gets into one of them. A "
                "permission that is taken from one is taken from all."
            ),
            evidence={"role_arn": role_arn, "functions": names[:_MOST_LISTED], "count": len(names)},
            remedies=_remedies(role, role_arn, snapshot.target),
        )


@record
class _Copy:
    """A role for one function that may what the shared one may: `trust` and `inline` are documents."""

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
    """Return how to see who runs with the role, and how to give one of them a role with the same policies."""
    who = shlex.quote(f"Functions[?Role=='{role_arn}'].FunctionName")
    look = f"aws lambda list-functions --region {target.region} --query {who} --output text"
    copy = _copy_of(role, target.name)
    if copy is None:
        return (Remedy("aws-cli", look),)
    return (
        Remedy("aws-cli", "\n".join([look, " &&\n".join(_commands(copy, target))])),
        Remedy("sam", _sam(copy)),
        Remedy("terraform", _terraform(copy)),
    )


def _copy_of(role: Role, function: str) -> _Copy | None:
    """Return a copy of a role; None where a policy was not read, for without it the function would fail."""
    inline = {name: None if isinstance(policy, Unread) else policy.document for name, policy in role.inline.items()}
    trust = role.trust_policy.document
    if not all(isinstance(document, dict) for document in (trust, *inline.values())):
        return None
    names = (function[: _LONGEST_ROLE_NAME - len(ending)] + ending for ending in ("-role", "-execution-role"))
    name = next(name for name in names if name != role.name)
    path = "/" if role.path.startswith(_RESERVED) else role.path
    arn = f"{role.arn.partition(':role/')[0]}:role{path}{name}"
    return _Copy(arn, trust, list(role.attached), inline, role.boundary_arn or "")


def _commands(copy: _Copy, target: FunctionTarget) -> Iterator[str]:
    """Yield the commands that make the role and set it, each of which waits for the one before."""
    boundary = f" --permissions-boundary {copy.boundary}" if copy.boundary else ""
    role = f"--role-name {copy.name}"
    yield f"aws iam create-role {role} --path {copy.path}{boundary} --assume-role-policy-document {_quoted(copy.trust)}"
    yield f"aws iam wait role-exists {role}"
    for arn in copy.attached:
        yield f"aws iam attach-role-policy {role} --policy-arn {arn}"
    for name, document in copy.inline.items():
        named = f"--policy-name {shlex.quote(name)}"
        yield f"aws iam put-role-policy {role} {named} --policy-document {_quoted(document)}"
    function = f"--region {target.region} --function-name {target.name}"
    yield f"aws lambda update-function-configuration {function} --role {copy.arn}"


def _sam(copy: _Copy) -> str:
    """Return the properties of a function for which SAM makes a role; JSON is YAML as well."""
    lines = ["# Instead of the property Role:", "Type: AWS::Serverless::Function", "Properties:"]
    lines += [f"  PermissionsBoundary: {copy.boundary}"] if copy.boundary else []
    lines += [f"  Policies: {json.dumps([*copy.attached, *copy.inline.values()])}"]
    return "\n".join(lines)


def _terraform(copy: _Copy) -> str:
    """Return the role with its policies, and what the function says of it."""
    own = [f'  name                 = "{copy.name}"', f'  path                 = "{copy.path}"']
    own += [f'  permissions_boundary = "{copy.boundary}"'] if copy.boundary else []
    blocks = [_block("aws_iam_role", "own", *own, f"  assume_role_policy   = {_encoded(copy.trust)}")]
    if copy.attached:
        arns = json.dumps(copy.attached)
        lines = (f"  for_each   = toset({arns})", "  role       = aws_iam_role.own.name", "  policy_arn = each.value")
        blocks.append(_block("aws_iam_role_policy_attachment", "own", *lines))
    for number, (name, document) in enumerate(copy.inline.items(), start=1):
        lines = (f'  name   = "{name}"', "  role   = aws_iam_role.own.id", f"  policy = {_encoded(document)}")
        blocks.append(_block("aws_iam_role_policy", f"own_{number}", *lines))
    return "\n\n".join([*blocks, "# In the aws_lambda_function:\n# role = aws_iam_role.own.arn"])


def _block(kind: str, label: str, *lines: str) -> str:
    return "\n".join([f'resource "{kind}" "{label}" {{', *lines, "}"])


def _encoded(document: JSON) -> str:
    # What Terraform would take for an expression of its own is IAM's.
    written = json.dumps(document, indent=2).replace("${", "$${").replace("\n", "\n  ")
    return f"jsonencode({written})"


def _quoted(document: JSON) -> str:
    return shlex.quote(json.dumps(document))
