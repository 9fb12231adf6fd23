"""Deliveries of services to queues, buses and functions, which fail if a policy does not allow them.

MiniStack delivers from a rule, a schedule and a failed invocation without asking a policy, and knows no dead-letter
queue of a rule's target. On AWS a delivery without permission is not retried.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id
from ministack.services.cloudwatch import record_metric

from sandbox.server import admission, inside, invocations
from sandbox.server.bus_policy import bus_arn
from sandbox.server.queue_policy import SEND, put_message, service_may_send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EVENTS = "events.amazonaws.com"
_SCHEDULER = "scheduler.amazonaws.com"
_FUNCTION = "arn:aws:lambda:"
_NO_PERMISSIONS = "NO_PERMISSIONS"
_NO_RESOURCE = "NO_RESOURCE"
_MESSAGES = {
    _NO_PERMISSIONS: "Lack of permissions to invoke the target.",
    _NO_RESOURCE: "The target does not exist.",
}


def wrap_invoke_target(inner: Callable[..., None]) -> Callable[..., None]:
    """Send an event to the target's dead-letter queue if the target's policy does not allow the delivery."""

    def invoke_target(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], view: Any = None) -> None:
        code, arn = _failure(target, rule), str(target.get("Arn", ""))
        _count("Invocations", rule)
        if not code:
            if arn.startswith(_FUNCTION):
                invocations.count(arn)
            inner(target, event, rule, view)
            return
        _count("FailedInvocations", rule)
        if (target.get("DeadLetterConfig") or {}).get("Arn"):
            _dead_letter(target, _undelivered(target, event, rule, view), rule, code)
        if arn.startswith(_FUNCTION):
            service = _SCHEDULER if _is_schedule(rule) else _EVENTS
            invocations.refuse(arn, service, str(rule.get("Arn", "")))

    return invoke_target


def _failure(target: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """Return the error code of a delivery, empty for one that is allowed or that nothing is asked for."""
    arn, role = str(target.get("Arn", "")), str(target.get("RoleArn") or "")
    if arn.startswith("arn:aws:sqs:"):
        if inside.queue_by_arn(arn) is None:
            return _NO_RESOURCE
        return "" if _may_send(arn, rule, role) else _NO_PERMISSIONS
    if arn.startswith(_FUNCTION):
        if inside.function_by_arn(arn)[0] is None:
            return _NO_RESOURCE
        return "" if _may_invoke(arn, rule, role) else _NO_PERMISSIONS
    if ":event-bus/" in arn and role:
        return "" if admission.is_allowed(role, "events:PutEvents", bus_arn(arn)) else _NO_PERMISSIONS
    return ""


def _may_send(queue_arn: str, rule: Mapping[str, Any], role: str) -> bool:
    """Return whether a role, or without one EventBridge for the rule, may send to a queue."""
    if role:
        return admission.is_allowed(role, SEND, queue_arn)
    return service_may_send(queue_arn, _EVENTS, str(rule.get("Arn", "")), get_account_id())


def _may_invoke(function_arn: str, rule: Mapping[str, Any], role: str) -> bool:
    """Return whether a role, or without one EventBridge for the rule, may invoke a function."""
    if role:
        return admission.is_allowed(role, invocations.INVOKE, function_arn)
    return invocations.may_invoke(function_arn, _EVENTS, str(rule.get("Arn", "")))


def _is_schedule(rule: Mapping[str, Any]) -> bool:
    return str(rule.get("Arn", "")).startswith("arn:aws:scheduler:")


def _undelivered(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], view: Any) -> str:
    """Return what the dead-letter queue gets: the event of a rule, the input of a schedule."""
    if _is_schedule(rule):
        return str(target.get("Input") or "{}")
    return json.dumps((view or inside.event_view(event)).event_with_detail())


def _dead_letter(target: Mapping[str, Any], body: str, rule: Mapping[str, Any], code: str) -> None:
    """Send to the target's dead-letter queue: as EventBridge for a rule, as the role of a schedule."""
    arn = str(target["DeadLetterConfig"]["Arn"])
    queue = inside.queue_by_arn(arn)
    role = str(target.get("RoleArn") or "") if _is_schedule(rule) else ""
    if queue is None or not _may_send(arn, rule, role):
        _count("InvocationsFailedToBeSentToDlq", rule)
        return
    texts = {
        "SCHEDULE_ARN" if _is_schedule(rule) else "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": _MESSAGES[code],
    }
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
    put_message(queue, body, attributes, {})
    _count("InvocationsSentToDlq", rule)


def _count(metric: str, rule: Mapping[str, Any]) -> None:
    if _is_schedule(rule):  # has other metrics, which nothing here reads
        return
    bus = rule.get("EventBusName", "default")
    on_bus = {} if bus == "default" else {"EventBusName": bus}
    record_metric("AWS/Events", metric, 1, "Count", {**on_bus, "RuleName": rule["Name"]})


def wrap_async_failure(inner: Callable[..., None]) -> Callable[..., None]:
    """Drop a failed asynchronous invocation if the function's role may not send to its destination."""

    def route_async_failure(target_arn: str, func_name: str, event: Any, result: Any) -> None:
        if admission.may_deliver(admission.role_of(func_name), target_arn):
            inner(target_arn, func_name, event, result)
            return
        dead_letter_queue = (inside.functions[func_name]["config"].get("DeadLetterConfig") or {}).get("TargetArn")
        metric = "DeadLetterErrors" if target_arn == dead_letter_queue else "DestinationDeliveryFailures"
        record_metric("AWS/Lambda", metric, 1, "Count", {"FunctionName": func_name})

    return route_async_failure


def wrap_stream_failure(inner: Callable[..., None]) -> Callable[..., None]:
    """Drop a failed batch of a stream if the function's role may not send to the mapping's destination."""

    def send_failure(esm: Mapping[str, Any], func_rec: Mapping[str, Any], *rest: Any) -> None:
        target = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or ""
        config = func_rec.get("config") or func_rec
        if admission.may_deliver(str(config.get("Role", "")), target):
            inner(esm, func_rec, *rest)

    return send_failure
