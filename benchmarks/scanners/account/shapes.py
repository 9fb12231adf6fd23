"""The shapes of functions: what each has, and which rules of Permission Guard it violates.

Correct shapes come in the ways that AWS's consoles, SAM and careful authors write them. Some of them look wrong to a
check that only searches for `*` or for foreign account ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.scanners.account.model import ACCOUNT, FOREIGN, ORGANIZATION, REGION, allow, arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scanners.account.builder import Builder

_INVOKE: Final = "lambda:InvokeFunction"
_QUEUE_READ: Final = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
_STREAM_READ: Final = ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape.

    `share` is that of all functions in percent. `rules` are those that the function violates. `kind` groups the shapes
    by what a check must read to find them.
    """

    name: str
    share: float
    make: Callable[[Builder], None]
    rules: frozenset[str] = frozenset()
    kind: str = "correct"


def _api(function: Builder) -> None:
    api = function.shared("api", every=80)
    function.sources.apis.setdefault(api, []).append(function.arn)
    path = f"{arn('execute-api', api)}/*/GET/{function.name}"
    function.permission("apigateway.amazonaws.com", {"ArnLike": {"AWS:SourceArn": path}})


def _bucket(function: Builder) -> None:
    bucket = f"{function.name}-uploads"
    function.sources.buckets[bucket] = [function.arn]
    function.permission(
        "s3.amazonaws.com",
        {
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
            "ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{bucket}"},
        },
    )


def _topic(function: Builder) -> None:
    topic = arn("sns", function.shared("events", every=20))
    function.sources.topics.setdefault(topic, []).append(function.arn)
    function.permission("sns.amazonaws.com", {"ArnLike": {"AWS:SourceArn": topic}})


def _rule(function: Builder) -> None:
    rule = arn("events", f"rule/{function.name}-schedule")
    function.sources.rules[rule] = [function.arn]
    function.permission("events.amazonaws.com", {"ArnLike": {"AWS:SourceArn": rule}})


def _rules_by_pattern(function: Builder) -> None:
    """Allow several rules by one pattern, which keeps a policy below its size limit."""
    for number in range(3):
        function.sources.rules[arn("events", f"rule/{function.name}-{number}")] = [function.arn]
    function.permission(
        "events.amazonaws.com", {"ArnLike": {"AWS:SourceArn": arn("events", f"rule/{function.name}-*")}}
    )


def _queue(function: Builder) -> None:
    queue = _queue_mapping(function)
    if function.chance(0.5):
        function.role.attached.append("arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole")
    else:
        function.role.inline["queue"] = {"Version": "2012-10-17", "Statement": [allow(_QUEUE_READ, queue)]}


def _queue_mapping(function: Builder) -> str:
    queue = arn("sqs", f"{function.name}-jobs")
    function.sources.queues.append(queue)
    function.mapping(queue, BatchSize=10)
    return queue


def _table_stream(function: Builder) -> None:
    stream = _table_mapping(function)
    actions = [f"dynamodb:{action}" for action in _STREAM_READ]
    function.role.inline["stream"] = {"Version": "2012-10-17", "Statement": [allow(actions, stream)]}


def _table_mapping(function: Builder) -> str:
    table = function.shared("table", every=25)
    if table not in function.sources.tables:
        function.sources.tables.append(table)
    stream = arn("dynamodb", f"table/{table}/stream/2026-01-15T09:30:00.000")
    function.mapping(stream, BatchSize=100, StartingPosition="LATEST")
    return stream


def _kinesis_stream(function: Builder) -> None:
    stream = function.shared("stream", every=100)
    if stream not in function.sources.streams:
        function.sources.streams.append(stream)
    function.mapping(arn("kinesis", f"stream/{stream}"), BatchSize=100, StartingPosition="LATEST")
    function.role.attached.append("arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole")


def _invoked_by_name(_function: Builder) -> None:
    """No trigger and no policy: a caller of the account invokes it with its own permissions."""


def _own_role(function: Builder) -> None:
    function.statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/deployment"})


def _own_organization(function: Builder) -> None:
    function.statement("*", {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})


def _own_account_by_condition(function: Builder) -> None:
    function.statement("*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})


def _public(function: Builder) -> None:
    function.statement("*")


def _public_alias(function: Builder) -> None:
    function.publish(1)
    function.alias("live", "1")
    function.statement("*", qualifier="live")


def _public_but_one(function: Builder) -> None:
    """All accounts but one: the condition does not restrict who may invoke."""
    function.statement("*", {"StringNotEquals": {"aws:PrincipalAccount": FOREIGN}})


def _public_url(function: Builder) -> None:
    function.url("NONE")
    function.statement("*", {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}, action="lambda:InvokeFunctionUrl")
    function.statement("*", {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}})


def _source_missing_bucket(function: Builder) -> None:
    bucket = f"{function.name}-uploads"
    function.sources.buckets[bucket] = [function.arn]
    function.permission("s3.amazonaws.com")


def _source_missing_rule(function: Builder) -> None:
    function.sources.rules[arn("events", f"rule/{function.name}-schedule")] = [function.arn]
    function.permission("events.amazonaws.com")


def _source_of_any_account(function: Builder) -> None:
    function.permission("sns.amazonaws.com", {"ArnLike": {"AWS:SourceArn": f"arn:aws:sns:{REGION}:*:orders"}})


def _source_account_missing(function: Builder) -> None:
    bucket = f"{function.name}-uploads"
    function.sources.buckets[bucket] = [function.arn]
    function.permission("s3.amazonaws.com", {"ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{bucket}"}})


def _cross_account(function: Builder) -> None:
    function.statement({"AWS": f"arn:aws:iam::{FOREIGN}:root"})


def _cross_account_version(function: Builder) -> None:
    function.publish(1)
    function.statement({"AWS": f"arn:aws:iam::{FOREIGN}:role/partner"}, qualifier="1")


def _queue_read_missing(function: Builder) -> None:
    queue = _queue_mapping(function)
    function.role.inline["queue"] = {"Version": "2012-10-17", "Statement": [allow(["sqs:SendMessage"], queue)]}


def _stream_read_of_other_table(function: Builder) -> None:
    _table_mapping(function)
    actions = [f"dynamodb:{action}" for action in _STREAM_READ]
    other = arn("dynamodb", "table/archive/stream/*")
    function.role.inline["stream"] = {"Version": "2012-10-17", "Statement": [allow(actions, other)]}


def _administrator(function: Builder) -> None:
    function.role.attached.append("arn:aws:iam::aws:policy/AdministratorAccess")


def _destination(function: Builder) -> None:
    queue = _destination_queue(function)
    function.role.inline["failures"] = {"Version": "2012-10-17", "Statement": [allow(["sqs:SendMessage"], queue)]}


def _destination_denied(function: Builder) -> None:
    _destination_queue(function)


def _destination_queue(function: Builder) -> str:
    queue = arn("sqs", f"{function.name}-failures")
    function.sources.queues.append(queue)
    function.destination(queue)
    return queue


CORRECT: Final = (
    Shape("REST API", 16, _api),
    Shape("bucket", 10, _bucket),
    Shape("topic", 12, _topic),
    Shape("rule", 14, _rule),
    Shape("rules by a pattern", 2, _rules_by_pattern),
    Shape("queue", 12, _queue),
    Shape("table stream", 5, _table_stream),
    Shape("Kinesis stream", 3, _kinesis_stream),
    Shape("no trigger", 5, _invoked_by_name),
    Shape("failure destination", 3, _destination),
    Shape("role of the account", 2, _own_role),
    Shape("`*` of the own organization", 1, _own_organization),
    Shape("`*` of the own account", 1, _own_account_by_condition),
)
"""Functions without a problem."""

KINDS: Final = {
    "correct": "correct",
    "public": "anyone can invoke it",
    "account": "another account can invoke it",
    "source": "a service can invoke it for any account",
    "role": "its role allows too little or too much",
}
"""The kinds of shapes, in words."""

DEFECTS: Final = (
    Shape("public", 1, _public, frozenset({"PG101"}), "public"),
    Shape("public alias", 1, _public_alias, frozenset({"PG101"}), "public"),
    Shape("public but for one account", 1, _public_but_one, frozenset({"PG101"}), "public"),
    Shape("public function URL", 1, _public_url, frozenset({"PG107"}), "public"),
    Shape("S3 without a source", 1, _source_missing_bucket, frozenset({"PG102"}), "source"),
    Shape("EventBridge without a source", 1, _source_missing_rule, frozenset({"PG102"}), "source"),
    Shape("topic of any account", 1, _source_of_any_account, frozenset({"PG104"}), "source"),
    Shape("bucket without its account", 1, _source_account_missing, frozenset({"PG103"}), "source"),
    Shape("other account", 1, _cross_account, frozenset({"PG106"}), "account"),
    Shape("other account on a version", 1, _cross_account_version, frozenset({"PG106"}), "account"),
    Shape("queue read missing", 1, _queue_read_missing, frozenset({"PG201"}), "role"),
    Shape("stream read of another table", 1, _stream_read_of_other_table, frozenset({"PG201"}), "role"),
    Shape("administrator", 1, _administrator, frozenset({"PG210"}), "role"),
    Shape("failure destination denied", 1, _destination_denied, frozenset({"PG203"}), "role"),
)
"""Functions with one problem each."""
