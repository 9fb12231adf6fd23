"""How fast a function that does nothing handles messages of a queue in the same sandbox: the rest is `send_alert`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sandbox.client.engineer import SQS_POLICY

if TYPE_CHECKING:
    from tests.e2e.bot import Bot

_NAME: Final = "yardstick"
_AT_ONCE: Final = 10
_DEADLINE: Final = 300.0


def yardstick(bot: Bot, count: int) -> float:
    """Return the seconds for as many messages, with a mapping like that of `send_alert`, from the first one on."""
    sqs, functions = bot.aws.client("sqs"), bot.engineer.functions
    arn = bot.engineer.queue(_NAME)
    url = sqs.get_queue_url(QueueName=_NAME)["QueueUrl"]
    bot.engineer.function(_NAME, bot.engineer.role(f"{_NAME}-role", SQS_POLICY))
    (of_alerts,) = functions.list_event_source_mappings(FunctionName=bot.resource("SendAlertFunction"))[
        "EventSourceMappings"
    ]
    same = ("BatchSize", "MaximumBatchingWindowInSeconds", "ScalingConfig")
    functions.create_event_source_mapping(
        FunctionName=_NAME, EventSourceArn=arn, **{name: of_alerts[name] for name in same}
    )
    began = time.monotonic()
    for first in range(0, count, _AT_ONCE):
        ids = range(first, min(first + _AT_ONCE, count))
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(one), "MessageBody": str(one)} for one in ids])
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible")]
    while any(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())):
        if time.monotonic() - began > _DEADLINE:
            raise TimeoutError(f"the yardstick did not handle {count} messages in {_DEADLINE:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began
