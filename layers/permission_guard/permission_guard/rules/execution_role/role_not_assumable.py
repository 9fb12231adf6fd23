"""PG207 role-not-assumable."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Context, EvalDecision, PolicySet, Principal, Request, evaluate
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies.trust_policy import (
    LAMBDA,
    LAMBDA_STATEMENT,
    created,
    replaced,
    sparing_lambda,
    statements_of,
    trust_policy_of,
    unreadable,
)
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Decision
    from permission_guard.iam.context import ContextValue
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.verdicts import Verdict

_NEVER_SENT: Final = ("aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "sts:ExternalId")
"""Keys of callers with a device or an agreement of their own, which a service is not."""


class RoleNotAssumable(RoleRule):
    """Allow Lambda to assume the function's execution role.

    ## What it flags

    An execution role that does not exist any more, or whose trust policy does not let `lambda.amazonaws.com` assume
    it: no statement names it, one denies it, or a condition asks for what Lambda does not send, such as an
    `aws:SourceAccount` that is not the function's. The role of the function is judged, and that of each of its
    versions that an event source mapping is for; each role once.

    ## Why it matters

    Lambda runs a function with credentials that it gets by assuming this role. AWS looks at the trust policy when the
    role is set, and not again. When it changes later, or the role is deleted, invocations fail as soon as Lambda needs
    new credentials, at an hour that has nothing to do with the change; event source mappings stop without a word.

    ## How to fix

    Add a statement to the trust policy that allows `sts:AssumeRole` to `lambda.amazonaws.com`. Where a Deny is named
    as the cause, except Lambda from it: another Allow does not help. Where the role is gone, make one of the same name
    and give it the policies that the function needs, then set it at the function once more: Lambda holds on to the
    deleted role's identity until then. A published version keeps its role for good: publish another one.

    ## Fix safety

    Not fixed automatically: who may assume a role is for a person to say.

    ## Limits

    Service control and resource control policies are not read. That Lambda sends `aws:SourceAccount` and
    `aws:SourceArn` is documented, in which form it sends the latter is not: where a condition admits the ARN of the
    function, of one of its versions or of its event source mappings and not all of them, it is unknown. A Lambda@Edge
    function also needs `edgelambda.amazonaws.com`. Nothing of the function or its role says that it is one: its
    policy does, by a statement of `replicator.lambda.amazonaws.com`, and is not read here; so that is never asked
    for. Of the versions that no event source mapping is for, the roles are not read. That a role was deleted and made
    anew, which locks Lambda out as well, is not seen.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html
    """

    id = "PG207"
    name = "role-not-assumable"
    severity = Severity.HIGH

    def judge(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag a role that is gone, and one whose trust policy does not let Lambda in."""
        arn, subject = snapshot.target.arn, f"role/{role_arn}"
        if role is None:
            yield self._gone(role_arn, snapshot)
            return
        if role.trust_policy.unreadable:
            yield self.unknown(arn, subject, unreadable(role))
            return
        sources = _sources(role_arn, snapshot)
        decisions = [assumed(role, LAMBDA, source, snapshot) for source in sources]
        if all(decision.allowed for decision in decisions):
            yield self.passed(arn, subject, f"{LAMBDA} may assume {role_arn}.")
        elif all(decision.denied for decision in decisions):
            other = _other_name(role, snapshot)
            if other:
                yield self.unknown(arn, subject, f"{other} may assume {role_arn}; whether that is Lambda is not known.")
            else:
                yield self._shut(role, decisions[0], snapshot)
        else:
            unclear = [decision.explain() for decision in decisions if not decision.allowed and not decision.denied]
            form = "AWS does not say with which aws:SourceArn Lambda assumes a role, and the trust policy tells apart "
            yield self.unknown(arn, subject, unclear[0] if unclear else f"{form}{', '.join(sources)}.")

    def _gone(self, role_arn: str, snapshot: Snapshot) -> Verdict:
        own, name, arns = snapshot.target.arn, _name(role_arn, snapshot), _runs_with(role_arn, snapshot)
        return self.violation(
            function_arn=own,
            subject=f"role/{role_arn}",
            title=f"The execution role of {name} does not exist",
            reason=f"{role_arn} does not exist.",
            impact=_IMPACT.format(name=name),
            evidence={"role_arn": role_arn, "exists": False},
            remedies=created(role_arn, own if own in arns else ""),
        )

    def _shut(self, role: Role, decision: Decision, snapshot: Snapshot) -> Verdict:
        name = _name(role.arn, snapshot)
        denied_by = decision.statement if decision.decision is EvalDecision.EXPLICIT_DENY else None
        cause = (
            f"It is explicitly denied by statement {denied_by.sid or denied_by.index + 1}."
            if denied_by
            else "No statement of its trust policy that holds for Lambda allows it."
        )
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=f"role/{role.arn}",
            title=f"Lambda cannot assume the execution role of {name}",
            reason=f"{LAMBDA} is not allowed sts:AssumeRole on {role.arn}. {cause}",
            impact=_IMPACT.format(name=name),
            evidence={"role_arn": role.arn, "exists": True, "trust_policy": role.trust_policy.document},
            remedies=_remedy(role, snapshot),
        )


_IMPACT: Final = (
    "Without this role Lambda has no credentials to run {name} with: every invocation fails, and nothing polls its "
    "event sources."
)


def _runs_with(role_arn: str, snapshot: Snapshot) -> list[str]:
    """Return the function, or those of its versions and aliases that were read, that run with a role."""
    return [arn for arn in sorted(snapshot.versions) if snapshot.role_arns.get(arn) == role_arn]


def _name(role_arn: str, snapshot: Snapshot) -> str:
    """Return the function's name, or those of its versions and aliases where only they run with a role."""
    arns = _runs_with(role_arn, snapshot)
    of_others = [arn.partition(":function:")[2] for arn in arns if arn != snapshot.target.arn]
    return snapshot.target.name if snapshot.target.arn in arns or not of_others else some(of_others)


def _sources(role_arn: str, snapshot: Snapshot) -> list[str]:
    """Return what Lambda may send as `aws:SourceArn` when it assumes a role: AWS does not say which."""
    function = snapshot.target.arn
    served = [
        mapping.uuid
        for mapping in (snapshot.mappings if not isinstance(snapshot.mappings, Unread) else ())
        if snapshot.role_arns.get(mapping.function_arn) == role_arn
    ]
    prefix = function.partition(":function:")[0]
    return [function, f"{function}:1", *(f"{prefix}:event-source-mapping:{uuid}" for uuid in served)]


def assumed(role: Role, service: str, source: str, snapshot: Snapshot) -> Decision:
    """Decide whether a service may assume a role for one source."""
    known: dict[str, ContextValue | None] = {
        "aws:SourceAccount": snapshot.target.account,
        "aws:SourceArn": source,
        "aws:SecureTransport": True,
        "aws:ResourceAccount": role.arn.split(":")[4],
    }
    request = Request(
        principal=Principal.service(service),
        action="sts:AssumeRole",
        resource=role.arn,
        context=Context(known, absent=_NEVER_SENT),
    )
    return evaluate(request, PolicySet(resource=role.trust_policy))


def _other_name(role: Role, snapshot: Snapshot) -> str | None:
    """Return a service principal that may be Lambda by another name, such as a region's, and that may assume it."""
    entries = [entry for item in role.trust_policy.statements if item.principals for entry in item.principals.entries]
    names = [value for kind, value in entries if kind == "Service" and value.startswith("lambda.") and value != LAMBDA]
    source = snapshot.target.arn
    return next((name for name in names if not assumed(role, name, source, snapshot).denied), None)


def _remedy(role: Role, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return the trust policy with Lambda excepted from what denies it, and allowed."""
    statements = statements_of(role)
    cured = role
    for _ in range(len(statements) + 1):
        decision = assumed(cured, LAMBDA, snapshot.target.arn, snapshot)
        if decision.decision is EvalDecision.EXPLICIT_DENY and decision.statement:
            index = decision.statement.index
            statements[index] = sparing_lambda(statements[index])
        elif decision.denied:
            statements.append(dict(LAMBDA_STATEMENT))
        cured = replace(role, trust_policy=trust_policy_of(role, statements))
    return (*replaced(role, statements), Remedy("policy-statement", json.dumps(LAMBDA_STATEMENT, indent=2)))
