"""PG102 source-missing."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from typing import TYPE_CHECKING

from permission_guard.iam import StatementExposure, TrustSet, exposure
from permission_guard.invokers import invoker_of
from permission_guard.invokers.base import Sent
from permission_guard.model import Remedy, ResourcePolicy, Scope, Severity, Unread
from permission_guard.rules.base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model import Snapshot, Verdict

_LONGEST_SID = 100


class SourceMissing(Rule):
    """Allow a service to invoke a function only for sources that are named.

    ## What it flags

    A statement of a function's, version's or alias's resource-based policy that lets an AWS service invoke it, and
    that has neither `aws:SourceArn` nor `aws:SourceAccount` nor an equal of them (`aws:SourceOrgID`,
    `aws:SourceOrgPaths`) that restricts it.

    ## Why it matters

    A service acts for all its customers. Without a named source, a bucket, topic or rule in anybody's account can
    make the service call this function: the confused deputy.

    ## How to fix

    Add the statement again with the ARN of the source, and with the account where the ARN has none (S3). Remove the
    broad statement only then, so that no event is lost in between.

    ## Fix safety

    Not fixed automatically yet: the true source has to be found first.

    ## Limits

    Passed over are services that send neither key (Alexa), the replication statements of Lambda@Edge, and services that
    never invoke through the policy: those that Lambda polls with the execution role (SQS, Kinesis, DynamoDB, Kafka,
    MQ), and those that call with a role of their own (EventBridge Scheduler and Pipes, Step Functions and the like).

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
    """

    id = "PG102"
    name = "source-missing"
    severity = Severity.HIGH
    scope = Scope.INVOKE_POLICY
    reads = frozenset({"lambda:GetPolicy", "lambda:ListAliases", "lambda:ListVersionsByFunction"})

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each statement that lets a service invoke the function."""
        for policy in snapshot.resource_policies:
            if isinstance(policy, Unread):
                yield self.unknown(snapshot.target.arn, None, str(policy))
            else:
                yield from self._judge(policy, snapshot.target.account)

    def _judge(self, policy: ResourcePolicy, account: str) -> Iterator[Verdict]:
        trust = TrustSet(self.trust.accounts | {account}, self.trust.organizations)
        exposed = exposure(policy.document, trust)
        if policy.document.unreadable:
            yield self.unknown(policy.resource_arn, None, f"The policy cannot be read: {'; '.join(exposed.unknown)}.")
        for statement in exposed.statements:
            yield self._statement(policy, statement, account)

    def _statement(self, policy: ResourcePolicy, statement: StatementExposure, account: str) -> Verdict:
        name = _statement_name(policy, statement)
        arn, subject = policy.resource_arn, f"statement/{name}"
        services = [service for service in statement.services_open if invoker_of(service).names_its_source]
        if not services or not statement.grants_invoke:
            return self.passed(arn, subject, "No service may invoke the function for a source that is not named.")
        if statement.closed_by is not None:
            return self.passed(arn, subject, f"The Deny statement {statement.closed_by} takes all of it back.")
        parsed = policy.document.statements[statement.index]
        # A condition that cannot be read may restrict the source: AWS may have added its operator.
        if statement.malformed or any(condition.problem for condition in parsed.conditions):
            return self.unknown(arn, subject, f"The statement cannot be read: {'; '.join(statement.problems)}.")
        who = " and ".join(services)
        sources = _sources(services)
        article = invoker_of(services[0]).article
        return self.violation(
            function_arn=arn,
            subject=subject,
            title=f"Anyone's {sources} can have {who} invoke {_name(policy)}",
            reason=(
                f"The statement lets {who} invoke the function and has no aws:SourceArn, no aws:SourceAccount "
                "and no aws:SourceOrgID that restricts it."
            ),
            impact=(
                f"Whoever knows the function's ARN can set up {article} {sources} in an account of their own, and "
                f"{who} will call the function with whatever they send."
            ),
            evidence={"statement": dict(parsed.raw), "services": services, "resource_arn": arn},
            remedies=_remedies(policy, statement, services[0], account, _scoped_sid(name)),
        )


def _statement_name(policy: ResourcePolicy, statement: StatementExposure) -> str:
    """Return a statement's Sid; one without is named by what it says, whatever stands before it."""
    if statement.sid:
        return statement.sid
    raw = policy.document.statements[statement.index].raw
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _scoped_sid(name: str) -> str:
    """Return a Sid for the statement that takes another's place, of a form that AddPermission takes."""
    suffix = "-scoped"
    return re.sub(r"[^a-zA-Z0-9_-]", "-", name)[: _LONGEST_SID - len(suffix)] + suffix


def _name(policy: ResourcePolicy) -> str:
    return policy.resource_arn.split(":function:", 1)[-1]


def _sources(services: Sequence[str]) -> str:
    return " or ".join(invoker_of(service).source for service in services)


def _remedies(
    policy: ResourcePolicy,
    statement: StatementExposure,
    service: str,
    account: str,
    sid: str,
) -> tuple[Remedy, ...]:
    """Return the statement to put in the broad one's place; the source itself is for a person to fill in.

    It asks for no key that the service is not known to send: with that, it would never be called again.
    """
    partition, _, region = policy.resource_arn.split(":")[1:4]
    invoker = invoker_of(service)
    source_arn = invoker.source_arn.format(partition=partition, region=region, account=account)
    needs_account = invoker.account_suffices or not invoker.source_arn_has_account
    function = _name(policy).split(":")[0]
    values = {
        "function_name": function,
        **({"qualifier": policy.qualifier} if policy.qualifier else {}),
        "statement_id": sid,
        "action": "lambda:InvokeFunction",
        "principal": service,
        **({} if invoker.account_suffices else {"source_arn": source_arn}),
        **({"source_account": account} if needs_account or invoker.sends_source_account is Sent.YES else {}),
    }
    return (
        Remedy("aws-cli", _cli(values, statement.sid)),
        Remedy("sam", _sam(values, _name(policy))),
        Remedy("terraform", _terraform(values)),
    )


def _cli(values: Mapping[str, str], broad_sid: str | None) -> str:
    options = [f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in values.items()]
    add = f"aws lambda add-permission {' '.join(options)}"
    if broad_sid is None:  # without a Sid it cannot be removed by name
        return add
    where = [option for option in options if option.startswith(("--function-name", "--qualifier"))]
    return f"{add}\naws lambda remove-permission {' '.join(where)} --statement-id {shlex.quote(broad_sid)}"


def _sam(values: Mapping[str, str], function: str) -> str:
    lines = [
        "Type: AWS::Lambda::Permission",
        "Properties:",
        f"  FunctionName: {function}",
        f"  Action: {values['action']}",
        f"  Principal: {values['principal']}",
    ]
    if "source_arn" in values:
        lines.append(f"  SourceArn: {values['source_arn']}")
    if "source_account" in values:
        lines.append(f'  SourceAccount: "{values["source_account"]}"')
    return "\n".join(lines)


def _terraform(values: Mapping[str, str]) -> str:
    lines = [f"  {name.ljust(14)} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(('resource "aws_lambda_permission" "scoped" {', *lines, "}"))
