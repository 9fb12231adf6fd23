"""Invocations by S3, SNS and EventBridge, which fail if the function's resource-based policy does not allow them.

MiniStack invokes without asking the policy. Here its own evaluator decides, for each delivery anew, with what the
service sends: S3 the ARN of the bucket and its owner's account, SNS and EventBridge the ARN of the topic or rule.
Whether these two send an account is unknown. Here they do not, so that nothing relies on a condition on it.
https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, request_scope
from ministack.services.cloudwatch import record_metric

from sandbox.server import inside
from sandbox.server.authorization import allows_service, resource_policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.server.reply import Response

INVOKE = "lambda:InvokeFunction"
KEPT_REFUSALS = 1_000
_S3 = "s3.amazonaws.com"
_SNS = "sns.amazonaws.com"

_log = logging.getLogger("ministack")
_refused: deque[dict[str, str]] = deque(maxlen=KEPT_REFUSALS)


def may_invoke(function_arn: str, service: str, source_arn: str, source_account: str = "") -> bool:
    """Return whether the policy of a function, version or alias allows a service to invoke it for a resource.

    An empty account is not sent. A function that does not exist allows nothing.
    """
    arn = function_arn.removesuffix(":$LATEST")  # the policy of $LATEST is the function's
    _, _, _, region, account, _ = arn.split(":", 5)
    keys = {"aws:sourcearn": source_arn}
    if source_account:
        keys["aws:sourceaccount"] = source_account
    with request_scope(account, region):
        found = resource_policy_of("lambda", arn)
        return found is not None and allows_service(found[0], service, INVOKE, arn, keys)


def count(function_arn: str) -> None:
    """Count an invocation in the function's metrics, where MiniStack counts only those by callers."""
    _, _, _, region, account, resource = function_arn.split(":", 5)
    with request_scope(account, region):
        record_metric("AWS/Lambda", "Invocations", 1, "Count", {"FunctionName": resource.split(":")[1]})


def refuse(function_arn: str, service: str, source_arn: str) -> None:
    """Log and store an invocation that did not happen."""
    _log.warning("Lambda: %s is not allowed to invoke %s for %s", service, function_arn, source_arn)
    _refused.append({"function": function_arn, "service": service, "source": source_arn})


def refused() -> list[dict[str, str]]:
    """Return the last refused invocations, oldest first. `function` and `source` are ARNs."""
    return list(_refused)


def reset() -> None:
    """Remove the stored refusals."""
    _refused.clear()


def wrap_validate_notifications(inner: Callable[..., Response | None]) -> Callable[..., Response | None]:
    """Reject a notification configuration with a function that does not exist or may not be invoked for the bucket."""

    def validate(
        configs: Sequence[Mapping[str, Any]],
        bucket_region: str,
        bucket_name: str = "",
        skip_destination_validation: bool = False,
    ) -> Response | None:
        error = inner(configs, bucket_region, bucket_name, skip_destination_validation)
        if error or skip_destination_validation:
            return error
        functions = [str(one["arn"]) for one in configs if one["type"] == "lambda"]
        closed = [arn for arn in functions if not _bucket_may_invoke(arn, bucket_name)]
        if not closed:
            return None
        text = f"Unable to validate the following destination configurations: {', '.join(closed)}"
        rejected: Response = inside.notification_error(text)
        return rejected

    return validate


def wrap_deliver_from_bucket(inner: Callable[..., None]) -> Callable[..., None]:
    """Drop a notification whose function the bucket may not invoke."""

    def deliver(arn: str, event_payload: Mapping[str, Any], bucket_region: str) -> None:
        bucket = str(event_payload["Records"][0]["s3"]["bucket"]["name"])
        if _bucket_may_invoke(arn, bucket):
            count(arn)
            inner(arn, event_payload, bucket_region)
        else:
            refuse(arn, _S3, _bucket_arn(bucket))

    return deliver


def _bucket_may_invoke(function_arn: str, bucket: str) -> bool:
    owner = inside.bucket_owner(bucket) or get_account_id()
    return may_invoke(function_arn, _S3, _bucket_arn(bucket), owner)


def _bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def wrap_deliver_from_topic(inner: Callable[..., None]) -> Callable[..., None]:
    """Drop a message whose function the topic may not invoke, and count both outcomes. SNS does not try again.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
    """

    def deliver(endpoint: str, envelope: str, topic_arn: str, *rest: Any) -> None:
        allowed = may_invoke(endpoint, _SNS, topic_arn)
        metric = "NumberOfNotificationsDelivered" if allowed else "NumberOfNotificationsFailed"
        record_metric("AWS/SNS", metric, 1, "Count", {"TopicName": topic_arn.rpartition(":")[2]})
        if allowed:
            count(endpoint)
            inner(endpoint, envelope, topic_arn, *rest)
        else:
            refuse(endpoint, _SNS, topic_arn)

    return deliver
