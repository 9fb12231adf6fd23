"""Replay: each call that a source stands for, against each policy before, between and after a narrowing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import ABSENT, Context, PolicySet, Principal, Request, evaluate, parse_policy

if TYPE_CHECKING:
    from permission_guard.fixes.certificate import Call
    from tests.proof.plans import Plan


def denied(plan: Plan) -> list[str]:
    """Return the calls that a policy of the plan does not allow.

    A Deny of the policy before may depend on keys that are not replayed: then it stays as it is.
    """
    documents = [parse_policy(document) for document in (plan.old, *plan.between, plan.new)]
    limited = any(statement.effect != "Allow" for statement in documents[0].statements)
    failures = []
    for call in plan.proven:
        allowed = [evaluate(request_of(call), PolicySet(resource=document)).allowed for document in documents]
        if not all(allowed) and not (limited and not any(allowed)):
            failures.append(f"{plan.name}: {call.source} is denied by policy {allowed.index(False)} of {len(allowed)}")
    return failures


def request_of(call: Call) -> Request:
    """Return one request of a source: a name in place of each wildcard, and only the keys that the service sends."""
    known = {
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": call.principal,
        "aws:SecureTransport": "true",
        "aws:ResourceAccount": call.function_arn.split(":")[4],
    }
    if call.source_arn:
        known["aws:SourceArn"] = call.source_arn.replace("*", "name").replace("?", "n")
    if call.source_account:
        known["aws:SourceAccount"] = call.source_account
    return Request(Principal.service(call.principal), call.action, call.function_arn, Context(known, default=ABSENT))
