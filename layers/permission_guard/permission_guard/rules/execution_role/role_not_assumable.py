"""PG207 role-not-assumable."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Context, EvalDecision, PolicySet, Principal, Request, TrustSet, evaluate, exposure
from permission_guard.iam.arn import require_arn
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies.new_role import created
from permission_guard.remedies.trust_policy import (
    LAMBDA,
    LAMBDA_STATEMENT,
    changed,
    except_lambda,
    statements_of,
    trust_policy_of,
    unreadable,
)
from permission_guard.rules.execution_role.needs_of_role import required_role
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.iam import Decision
    from permission_guard.iam.context import ContextValue
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

_NAME_OF_LAMBDA: Final = re.compile(r"lambda(\.[a-z]{2,}(-[a-z]+)+-\d)?\.amazonaws\.com(\.cn)?")
_NO_TRUST: Final = TrustSet(frozenset())
_NEVER_SENT: Final = ("aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "sts:ExternalId")
"""Condition keys that only principals with an MFA device or an external ID send, and AWS services do not."""


class RoleNotAssumable(RoleRule):
    """Allow Lambda to assume the function's execution role.

    ## What it flags

    An execution role that does not exist, or whose trust policy does not allow `lambda.amazonaws.com` to assume it: no
    statement allows Lambda, a statement denies it, or a condition requires what Lambda does not send, such as an
    `aws:SourceAccount` that is not the function's. The rule checks the role of the function, and of each version with
    an event source mapping. It checks each role once.

    ## Why it matters

    Lambda assumes this role to get the function's credentials. AWS checks the trust policy only when the role is set on
    the function. If the policy changes later, or the role is deleted, invocations fail when Lambda needs new
    credentials, which can be long after the change. Event source mappings stop without an error.

    ## How to fix

    - Add a statement to the trust policy that allows `sts:AssumeRole` to `lambda.amazonaws.com`.
    - If the finding names a Deny as the cause, exclude Lambda from it: another Allow does not help.
    - If the role does not exist, create a role with the same name and the policies that the function needs. Then set it
      on the function again: until then, Lambda keeps the identity of the deleted role.
    - A published version cannot change its role: publish another version.

    ## Fix safety

    Not fixed automatically: an owner must decide who can assume a role.

    ## Limits

    - Service control and resource control policies are not read.
    - AWS documents that Lambda sends `aws:SourceAccount` and `aws:SourceArn`, but not the form of the latter. If a
      condition allows only some of the ARNs of the function, its versions and its event source mappings, the outcome
      is unknown.
    - A Lambda@Edge function also needs `edgelambda.amazonaws.com`. Only the function's resource-based policy identifies
      it, by a statement for `replicator.lambda.amazonaws.com`. This rule does not read that policy, so it never
      requires `edgelambda.amazonaws.com`.
    - The roles of versions without an event source mapping are not read.
    - A role that was deleted and recreated also locks Lambda out. The rule does not detect it.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html
    """

    id = "PG207"
    name = "role-not-assumable"
    severity = Severity.HIGH
    grace_period = True

    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag a role that does not exist, or whose trust policy does not allow Lambda."""
        arn, subject = snapshot.target.arn, f"role/{role_arn}"
        if role is None:
            yield self._not_found(role_arn, snapshot)
            return
        if role.trust_policy.unreadable:
            yield self.unknown(arn, subject, unreadable(role))
            return
        sources = _sources(role_arn, snapshot)
        decisions = [assumed(role, LAMBDA, source, snapshot) for source in sources]
        if all(decision.allowed for decision in decisions):
            yield self.passed(arn, subject, f"{LAMBDA} is allowed to assume {role_arn}.")
        elif all(decision.denied for decision in decisions):
            other = other_name(role, snapshot)
            if other:
                form = (
                    f"Unknown: {other} is allowed to assume {role_arn}, and AWS does not document whether it is Lambda."
                )
                yield self.unknown(arn, subject, form)
            else:
                yield self._denied(role, decisions[0], snapshot)
        else:
            unclear = [decision.explain() for decision in decisions if not decision.allowed and not decision.denied]
            form = (
                "Unknown: AWS does not say which aws:SourceArn Lambda sends, and the trust policy allows only some of "
            )
            yield self.unknown(arn, subject, unclear[0] if unclear else f"{form}{', '.join(sources)}.")

    def _not_found(self, role_arn: str, snapshot: Snapshot) -> Verdict:
        own, names, arns = snapshot.target.arn, _names(role_arn, snapshot), _users_of(role_arn, snapshot)
        return self.violation(
            function_arn=own,
            subject=f"role/{role_arn}",
            title=f"The execution role of {_counted(names, snapshot)} does not exist",
            reason=f"{role_arn} does not exist.",
            impact=_IMPACT.format(name=some(names)),
            evidence={"role_arn": role_arn, "exists": False},
            remedies=created(
                required_role(role_arn, snapshot), snapshot.target.region, own if own in arns else "", RECREATED
            ),
        )

    def _denied(self, role: Role, decision: Decision, snapshot: Snapshot) -> Verdict:
        names = _names(role.arn, snapshot)
        denied_by = decision.statement if decision.decision is EvalDecision.EXPLICIT_DENY else None
        cause = (
            f"It is explicitly denied by statement {denied_by.sid or denied_by.index + 1}."
            if denied_by
            else "No statement of its trust policy that applies to Lambda allows it."
        )
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=f"role/{role.arn}",
            title=f"Lambda cannot assume the execution role of {_counted(names, snapshot)}",
            reason=f"{LAMBDA} is not allowed sts:AssumeRole on {role.arn}. {cause}",
            impact=_IMPACT.format(name=some(names)),
            evidence={"role_arn": role.arn, "exists": True, "trust_policy": role.trust_policy.document},
            remedies=_remedy(role, snapshot),
        )


ONLY_REQUIRED: Final = (
    "The role allows only what the configurations that were read require: allow what the code and other functions need."
)
"""What a remedy that creates a missing role says about its permissions."""
RECREATED: Final = f"{ONLY_REQUIRED} Published versions keep the identity of the deleted role: publish another version."
"""What else a remedy that creates a deleted role changes."""
_CHANGES: Final = "Lambda can assume the role for every function that uses it. All other statements stay as they are."
_IMPACT: Final = (
    "Without this role Lambda has no credentials to run {name}: every invocation fails, and its event sources are not "
    "polled."
)


def _users_of(role_arn: str, snapshot: Snapshot) -> list[str]:
    """Return the ARNs of the function and of those of its versions and aliases that were read and use a role."""
    return [arn for arn in sorted(snapshot.versions) if snapshot.role_arns.get(arn) == role_arn]


def _names(role_arn: str, snapshot: Snapshot) -> list[str]:
    """Return the function's name, or those of its versions and aliases if only they use a role."""
    arns = _users_of(role_arn, snapshot)
    of_others = [arn.partition(":function:")[2] for arn in arns if arn != snapshot.target.arn]
    return [snapshot.target.name] if snapshot.target.arn in arns or not of_others else of_others


def _counted(names: list[str], snapshot: Snapshot) -> str:
    """Format the names for a title."""
    return counted(names, f"versions of {snapshot.target.name}")


def _sources(role_arn: str, snapshot: Snapshot) -> list[str]:
    """Return the possible values of `aws:SourceArn` when Lambda assumes a role: AWS does not say which it sends."""
    function = snapshot.target.arn
    mappings = [
        mapping.uuid
        for mapping in (snapshot.mappings if not isinstance(snapshot.mappings, Unread) else ())
        if snapshot.role_arns.get(mapping.function_arn) == role_arn
    ]
    prefix = function.partition(":function:")[0]
    return [function, f"{function}:1", *(f"{prefix}:event-source-mapping:{uuid}" for uuid in mappings)]


def assumed(role: Role, service: str, source: str, snapshot: Snapshot) -> Decision:
    """Decide whether the trust policy allows a service to assume a role for one source."""
    known: dict[str, ContextValue | None] = {
        "aws:SourceAccount": snapshot.target.account,
        "aws:SourceArn": source,
        "aws:SecureTransport": True,
        "aws:ResourceAccount": require_arn(role.arn).account,
    }
    request = Request(
        principal=Principal.service(service),
        action="sts:AssumeRole",
        resource=role.arn,
        context=Context(known, absent=_NEVER_SENT),
    )
    return evaluate(request, PolicySet(resource=role.trust_policy))


def names_lambda(service: str) -> bool:
    """Return whether a service principal is Lambda's, in a regional form or with the domain of China, too."""
    return _NAME_OF_LAMBDA.fullmatch(service) is not None


def other_name(role: Role, snapshot: Snapshot) -> str | None:
    """Return another name of Lambda, such as a regional service principal, that is allowed to assume the role."""
    entries = [entry for item in role.trust_policy.statements if item.principals for entry in item.principals.entries]
    names = [value for kind, value in entries if kind == "Service" and names_lambda(value) and value != LAMBDA]
    source = snapshot.target.arn
    return next((name for name in names if not assumed(role, name, source, snapshot).denied), None)


def _remedy(role: Role, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return the trust policy with Lambda excluded from each Deny, and allowed.

    An Allow that only these Denys close would open to others: it allows nobody now, and is removed.
    """
    statements = statements_of(role)
    for index in _denying(role, snapshot):
        statements[index] = except_lambda(statements[index])
    opened = _closed(role) - _closed(_with(role, statements))
    left = [None if index in opened else raw for index, raw in enumerate(statements)]
    is_denied = assumed(_with(role, left), LAMBDA, snapshot.target.arn, snapshot).denied
    added = [dict(LAMBDA_STATEMENT)] if is_denied else []
    return (
        *changed(role, left, added, snapshot.target.region, _CHANGES),
        Remedy(
            "policy-statement",
            json.dumps(LAMBDA_STATEMENT, indent=2),
            changes="Lambda can then assume the role for every function that has it.",
        ),
    )


def _denying(role: Role, snapshot: Snapshot) -> Iterator[int]:
    """Yield the indexes of the statements that deny Lambda."""
    for index, raw in enumerate(statements_of(role)):
        alone = assumed(_with(role, [raw]), LAMBDA, snapshot.target.arn, snapshot)
        if alone.decision is EvalDecision.EXPLICIT_DENY:
            yield index


def _closed(role: Role) -> set[int]:
    """Return the indexes of the statements that allow others than Lambda, and that a Deny closes."""
    policy = role.trust_policy
    closed = {one.index for one in exposure(policy, _NO_TRUST).statements if one.closed_by is not None}
    return {index for index in closed if statements_of(role)[index].get("Principal") != LAMBDA_STATEMENT["Principal"]}


def _with(role: Role, statements: Sequence[JSON | None]) -> Role:
    """Return a role with other statements in its trust policy."""
    return replace(role, trust_policy=trust_policy_of(role, [raw for raw in statements if raw is not None]))
