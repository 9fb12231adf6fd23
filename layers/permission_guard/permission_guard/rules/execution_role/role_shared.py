"""PG209 role-shared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import Unread
from permission_guard.model.targets import including
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies import cloudformation
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import commented
from permission_guard.remedies.execution_role import document_of, free_name, statements
from permission_guard.remedies.new_role import INLINE_NAME, NewRole, created
from permission_guard.remedies.trust_policy import LAMBDA, statements_of
from permission_guard.rules.execution_role.needs_of_role import unmet_needs
from permission_guard.rules.execution_role.role_overprivileged import is_overprivileged
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict

_MAX_NAMED: Final = 5
_MAX_IN_EVIDENCE: Final = 50
_MAX_ROLE_NAME_LENGTH: Final = 64
_ASSUMING: Final = (LAMBDA, "edgelambda.amazonaws.com")
"""What can assume the new role: Lambda, and Lambda at CloudFront's edge locations if the shared role names it."""
_CHANGES_NOTHING: Final = "Nothing: the command lists the functions that use the role."
_RESERVED: Final = "/aws-"
"""The prefix of the paths in which only AWS can create roles."""


class RoleShared(RoleRule):
    """Allow each function an execution role of its own.

    ## What it flags

    A role that several functions of the account and region use. Each role has one finding, which names its functions.

    ## Why it matters

    The role must allow what any of its functions needs, so each function has all of these permissions. An attacker in
    one function has the permissions of all. A permission that one function does not need cannot be removed if another
    function needs it.

    ## How to fix

    Create a role for each function but one, with the permissions that the function needs, and set it on the function.
    The commands create a role for the first function with all permissions of the shared role, so that nothing breaks:
    narrow it afterwards. Only Lambda can assume the new role. If PG210 reports the shared role, correct that first: a
    copy would have the same excess permissions. With AWS SAM, omit the property `Role`, and SAM creates a role for each
    function.

    ## Fix safety

    Not fixed automatically: an owner must decide what each function needs.

    ## Limits

    - The functions are those of the account and region that use the role, unpublished or in a version with an event
      source mapping. PG208 reports other principals that can assume the role.
    - In a template, the functions are those of the file. Functions with the same expression for their role share it,
      also if the role is not in the file.
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
    of_role = True
    reads = RoleRule.reads | {"lambda:ListFunctions"}
    subjects = "shared-role"

    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag a role that other functions use too."""
        target, subject = snapshot.target, self.about(role_arn)
        users = snapshot.role_users.get(role_arn)
        reason = ""
        if role is None:
            reason = f"{role_arn} does not exist; PG207 reports it."
        elif users is None:
            reason = f"Unknown: the functions that use {role_arn} were not read."
        elif isinstance(users, Unread):
            reason = str(users)
        if role is None or users is None or isinstance(users, Unread):
            yield self.unknown(target.arn, subject, reason, role_arn=role_arn)
            return
        functions = including(users, target)
        if len(functions) == 1:
            yield self.passed(target.arn, subject, f"Only {target.name} uses {role_arn}.", role_arn=role_arn)
        else:
            yield self._shared(role, role_arn, functions, snapshot)

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
            remedies=_remedies(role, _moved(functions, role_arn, snapshot), snapshot),
            role_arn=role_arn,
        )


def _moved(functions: Sequence[FunctionTarget], role_arn: str, snapshot: Snapshot) -> FunctionTarget:
    """Return the function that gets the new role: the first, unless only a version of it uses the shared role."""
    own = snapshot.target
    return own if snapshot.role_arns.get(own.arn) == role_arn else next(one for one in functions if one != own)


def _remedies(role: Role, moved: FunctionTarget, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return how to give a function a role with the same policies, or how to list the functions that share the role."""
    query = f"Functions[?Role=={_jmespath(role.arn)}].FunctionName"
    list_functions = aws("lambda", "list-functions", moved.region, query=query, output="text")
    copy, why = _copy_of(role, moved, snapshot)
    if copy is None:
        text = f"{list_functions}\n{commented(f'{why} Then create a role for each function.')}"
        return (Remedy("aws-cli", text, needs_decision=True, changes=_CHANGES_NOTHING),)
    stays = "The shared role stays as it is."
    changes = f"It then has a role of its own with the same permissions. {stays}"
    return (
        *created(copy, moved.region, moved.arn, changes),
        *cloudformation.sam(_sam(copy), changes=f"SAM creates a role for {moved.name}. {stays}"),
    )


def _copy_of(role: Role, function: FunctionTarget, snapshot: Snapshot) -> tuple[NewRole | None, str]:
    """Return a copy of a role for one function, which only Lambda can assume, or what to do before.

    It also has what the shared role lacks, if that is known. Without a policy that was not read, the function would
    fail. A copy of excess permissions would be a new finding.
    """
    inline = {name: None if isinstance(policy, Unread) else policy.document for name, policy in role.inline.items()}
    if not all(isinstance(document, dict) for document in inline.values()):
        return None, "An inline policy of the role could not be read: read it first."
    if is_overprivileged(role, snapshot):
        return None, "PG210 reports excess permissions of the role: remove them first."
    unmet = unmet_needs(role, snapshot) if function == snapshot.target else ()
    missing = dict.fromkeys(need for need, decision in unmet if decision.denied)
    if missing:
        inline[free_name(INLINE_NAME, role)] = document_of(statements(list(missing)))
    taken = {arn.rpartition("/")[2] for arn in snapshot.roles}
    path = "/" if role.path.startswith(_RESERVED) else role.path
    arn = f"{role.arn.partition(':role/')[0]}:role{path}{_free_name(function.name, taken)}"
    services = [service for service in _ASSUMING if service == LAMBDA or service in json.dumps(statements_of(role))]
    return NewRole(arn, tuple(role.attached), inline, role.boundary_arn or "", services), ""


def _free_name(function: str, taken: Collection[str]) -> str:
    """Return a name for the function's role that no known role has, in any path."""
    endings = ("-role", "-execution-role", *(f"-execution-role-{number}" for number in range(2, len(taken) + 2)))
    names = (function[: _MAX_ROLE_NAME_LENGTH - len(ending)] + ending for ending in endings)
    return next(name for name in names if name not in taken)


def _sam(copy: NewRole) -> str:
    """Return the properties of a function for which SAM creates a role."""
    boundary = {"PermissionsBoundary": copy.boundary} if copy.boundary else {}
    policies = [*copy.attached, *copy.inline.values()]
    function = cloudformation.resource("AWS::Serverless::Function", {**boundary, "Policies": policies})
    return f"{cloudformation.comment('Instead of the property Role:')}\n{function}"


def _jmespath(text: str) -> str:
    """Return a JSON literal of JMESPath; its other literals have no escape for every text."""
    literal = json.dumps(text).replace("`", r"\u0060")
    return f"`{literal}`"
