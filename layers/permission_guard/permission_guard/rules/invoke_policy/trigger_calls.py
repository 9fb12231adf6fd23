"""AWS's decisions on the calls that a trigger may make."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from permission_guard.iam import FUNCTION_URL_KEYS, Context, Decision, PolicySet, Principal, Request, evaluate
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES
from permission_guard.invokers import Sent, cloudfront, invoker_of
from permission_guard.model.arns import parse_function_arn
from permission_guard.records import record
from permission_guard.rules.invoke_policy.function_url_calls import url_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.state import ResourcePolicy, Trigger


@record
class _Call:
    """A call that a trigger may make: AWS does not always document its principal and its source ARN."""

    trigger: Trigger
    action: str
    principal: str
    source_arn: str


def decisions(trigger: Trigger, action: str, policy: ResourcePolicy, own_organization: object) -> list[Decision]:
    """Return the decision on each call that a trigger may make."""
    return [_decide(call, policy, own_organization) for call in _calls(trigger, action, trigger.source_arns)]


def is_disputed(trigger: Trigger, action: str, policy: ResourcePolicy, own_organization: object) -> bool:
    """Return whether a policy allows, or may allow, a call that a trigger makes only if a disputed report is right."""
    calls = _calls(trigger, action, trigger.disputed_source_arns)
    return any(not _decide(call, policy, own_organization).denied for call in calls)


def principals_of(trigger: Trigger, source_arn: str) -> tuple[str, ...]:
    """Return the principals with which a trigger may call."""
    target, _ = parse_function_arn(trigger.function_arn)
    return invoker_of(trigger.principal).principals_of(source_arn, target.partition, target.region)


def _calls(trigger: Trigger, action: str, source_arns: tuple[str, ...]) -> Iterator[_Call]:
    for arn in source_arns:
        for principal in principals_of(trigger, arn):
            yield _Call(trigger, action, principal, arn)


def _decide(call: _Call, policy: ResourcePolicy, own_organization: object) -> Decision:
    """Return AWS's decision on a call.

    Keys that the service is not documented to send are unknown. They do not matter if the decision is the same with and
    without each of them.
    """
    invoker, trigger = invoker_of(call.principal), call.trigger
    account = parse_function_arn(policy.resource_arn)[0].account
    known: dict[str, str | bool | None] = {
        "aws:PrincipalIsAWSService": True,
        "aws:PrincipalServiceName": call.principal,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": True,  # Lambda's endpoints accept only TLS
    }
    undocumented: dict[str, str | bool | None] = {}
    if invoker.sends_source_arn is Sent.YES:
        known["aws:SourceArn"] = call.source_arn
    elif invoker.sends_source_arn is Sent.UNKNOWN:
        undocumented["aws:SourceArn"] = call.source_arn
    if invoker.sends_source_account is not Sent.NO:
        about_account = known if invoker.sends_source_account is Sent.YES else undocumented
        about_account["aws:SourceAccount"] = trigger.source_account
        if trigger.source_account == account and own_organization is None:
            known |= {"aws:SourceOrgID": None, "aws:SourceOrgPaths": None}
        elif trigger.source_account == account and isinstance(own_organization, str):
            about_account["aws:SourceOrgID"] = own_organization
    absent = {*invoker.never_sends, *NOT_SENT_BY_SERVICES}
    if invoker is cloudfront.INVOKER:
        known |= url_keys("AWS_IAM")
    else:
        absent |= FUNCTION_URL_KEYS

    def decide(stated: Mapping[str, str | bool | None]) -> Decision:
        context = Context({**known, **stated}, absent=absent)
        request = Request(Principal.service(call.principal), call.action, policy.resource_arn, context)
        return evaluate(request, PolicySet(resource=policy.document))

    decision = decide({})
    if decision.allowed or decision.denied:
        return decision
    possible = [
        decide(dict(zip(undocumented, values, strict=True)))
        for values in product(*((value, None) for value in undocumented.values()))
    ]
    is_certain = all(one.denied for one in possible) or all(one.allowed for one in possible)
    return possible[0] if is_certain else decision
