"""AWS's decisions on the calls that a trigger may make."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from permission_guard.iam import FUNCTION_URL_KEYS, Context, Decision, PolicySet, Principal, Request, evaluate
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES
from permission_guard.invokers import Sent, cloudfront, invoker_of
from permission_guard.model.arns import parse_function_arn
from permission_guard.records import record

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


def url_keys(auth_type: str) -> dict[str, str | bool]:
    """Return the condition keys of a call through a function URL."""
    return {"lambda:FunctionUrlAuthType": auth_type, "lambda:InvokedViaFunctionUrl": True}


def decisions(trigger: Trigger, action: str, policy: ResourcePolicy, own_organization: object) -> list[Decision]:
    """Return the decision on each call that a trigger may make.

    An empty source ARN or source account is unknown.
    """
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
    sent = _sent(call, policy, own_organization)
    decision = _decided(sent.request({}), policy)
    if decision.allowed or decision.denied:
        return decision
    possible = [_decided(request, policy) for request in sent.requests()]
    is_certain = all(one.denied for one in possible) or all(one.allowed for one in possible)
    return possible[0] if is_certain else decision


def requests_of(trigger: Trigger, action: str, policy: ResourcePolicy, own_organization: object) -> list[Request]:
    """Return all requests that a trigger may make: also those that only a disputed report names.

    Where AWS does not document whether the service sends a key, there is one request with the key and one without it.
    """
    arns = (*trigger.source_arns, *trigger.disputed_source_arns)
    return [
        request
        for call in _calls(trigger, action, arns)
        for request in _sent(call, policy, own_organization).requests()
    ]


def _decided(request: Request, policy: ResourcePolicy) -> Decision:
    return evaluate(request, PolicySet(resource=policy.document))


@record
class _Sent:
    """What a call sends: the keys that are known, those that may be absent, and those that it never has."""

    call: _Call
    resource: str
    known: Mapping[str, str | bool | None]
    undocumented: Mapping[str, str | bool | None]
    absent: frozenset[str]

    def request(self, stated: Mapping[str, str | bool | None]) -> Request:
        """Return the request with some of the undocumented keys stated; the others are unknown."""
        context = Context({**self.known, **stated}, absent=self.absent)
        return Request(Principal.service(self.call.principal), self.call.action, self.resource, context)

    def requests(self) -> list[Request]:
        """Return the request with and without each of the undocumented keys."""
        options = product(*((value, None) for value in self.undocumented.values()))
        return [self.request(dict(zip(self.undocumented, values, strict=True))) for values in options]


def _sent(call: _Call, policy: ResourcePolicy, own_organization: object) -> _Sent:
    invoker, trigger = invoker_of(call.principal), call.trigger
    account = parse_function_arn(policy.resource_arn)[0].account
    known: dict[str, str | bool | None] = {
        "aws:PrincipalIsAWSService": True,
        "aws:PrincipalServiceName": call.principal,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": True,  # Lambda's endpoints accept only TLS
    }
    undocumented: dict[str, str | bool | None] = {}
    if call.source_arn and invoker.sends_source_arn is Sent.YES:
        known["aws:SourceArn"] = call.source_arn
    elif call.source_arn and invoker.sends_source_arn is Sent.UNKNOWN:
        undocumented["aws:SourceArn"] = call.source_arn
    if trigger.source_account and invoker.sends_source_account is not Sent.NO:
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
    return _Sent(call, policy.resource_arn, known, undocumented, frozenset(absent))
