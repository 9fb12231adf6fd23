"""How soon a lost read permission is found, by source and by the way it was lost: `make bench-drift`.

The stack of template.yaml, deployed in the sandbox, with a grace period of one second. A time is that from the call
which changes the role to the recorded finding: event bus, queue, two checks with the grace period between them,
table. A resolution takes one check and does not wait. Beside it the sandbox's own time: from the event bus to a
queue, with nothing of the bot.

On AWS the trail adds its own minutes before the bus, and the grace period is 120 seconds by default.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from sandbox.client import configuration
from sandbox.client.drift import SOURCES, WAYS, Reader
from sandbox.client.engineer import Engineer
from sandbox.client.process import ACCOUNT, REGION, Sandbox, SandboxError
from sandbox.client.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIES = 5
_ROUND_TRIPS = 30
_GRACE_PERIOD = 1
_DEADLINE = 20.0
_SOURCE = "benchmark.drift"


def round_trip(aws: Sandbox) -> Callable[[], float]:
    """Make a rule to a queue; return what measures the seconds from PutEvents until the queue hands the event out."""
    events, sqs = aws.client("events"), aws.client("sqs")
    url = sqs.create_queue(QueueName="round-trip")["QueueUrl"]
    events.put_rule(Name="round-trip", EventPattern=json.dumps({"source": [_SOURCE]}))
    target = {"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:round-trip"}
    events.put_targets(Rule="round-trip", Targets=[target])

    def measured() -> float:
        began = time.monotonic()
        events.put_events(Entries=[{"Source": _SOURCE, "DetailType": "trip", "Detail": "{}"}])
        while not (messages := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")):
            if time.monotonic() - began > _DEADLINE:
                raise TimeoutError("the event did not reach the queue")
        took = time.monotonic() - began
        sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
        return took

    return measured


def measure(aws: Sandbox) -> None:
    """Print a row for each source and way, and then the yardstick."""
    document = {"version": 1, "grace_period_seconds": _GRACE_PERIOD}
    outputs = configuration.deploy(aws, "permission-guard", {"FixMode": "off"}, document)
    engineer, watcher = Engineer(aws), Watcher(aws, outputs)
    trip = round_trip(aws)
    print(f"{'source':<8} {'way':<20} {'opened':>8} {'resolved':>9}   median of {_TRIES}, seconds")
    for source in SOURCES:
        reader = Reader(engineer, watcher, f"reads-a-{source}", source)
        for way in WAYS:
            opened, resolved = [], []
            for _ in range(_TRIES):
                opened.append(reader.seconds(way.lose, "open", deadline=_DEADLINE))
                resolved.append(reader.seconds(way.regain, "resolved", deadline=_DEADLINE))
            print(f"{source:<8} {way.name:<20} {median(opened):>8.2f} {median(resolved):>9.2f}", flush=True)
    trips = median(trip() for _ in range(_ROUND_TRIPS))
    print(f"\nopened: includes {_GRACE_PERIOD} s of grace period.")
    print(f"EventBridge to SQS alone, in the same sandbox: {trips:.3f} s.")
    print("On AWS the trail adds its own minutes, and the grace period is 120 seconds by default.")


def main() -> int:
    """Start a sandbox and measure in it; return 1 when it cannot be done."""
    try:
        with Sandbox.start() as aws:
            measure(aws)
    except (SandboxError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
