"""The deployed stack, and how its end-to-end tests reach into it."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.client import configuration
from sandbox.client.engineer import Engineer, document
from sandbox.client.process import ACCOUNT, REGION, Sandbox, poll
from sandbox.client.watcher import DEADLINE, Watcher
from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STACK = "permission-guard"
OPERATORS = f"arn:aws:iam::{ACCOUNT}:role/operators"
"""The role that may send messages to the queues: an operator redrives from dead-letter queues with it."""
READERS = {
    "ExecutionRole": "CheckExecutionRole",
    "InvokePolicy": "CheckInvokePolicy",
    "Alert": "SendAlert",
    "Ticket": "OpenTicket",
    "Fix": "ApplyFix",
}
"""The function that reads each queue, by the beginning of its logical id."""
GRACE_PERIOD = 1
"""The grace period in seconds, unless a test sets another one: short, to keep the tests fast."""
# A stack of many tests has more messages and tickets than people would want.
CONFIGURATION = {
    "version": 1,
    "grace_period_seconds": GRACE_PERIOD,
    "baseline": "alert-each",
    "alerts": {"limit": {"messages": 1000, "minutes": 1}},
    "tickets": {"limit": {"tickets": 1000, "hours": 1}},
}
"""The configuration document of the stack, unless a test pushes another one."""

WITHOUT_TICKETS = {name: value for name, value in CONFIGURATION.items() if name != "tickets"}
"""The document of a stack that opens no tickets: its validator rejects limits of tickets."""


class _Waiting(NamedTuple):
    """How many messages wait in a queue. It is truthy, also for none."""

    left: int


@dataclass(frozen=True, slots=True)
class Bot:
    """A sandbox with the real template deployed, an engineer who works in it and a watcher who sees what comes."""

    aws: Sandbox
    outputs: dict[str, str]
    engineer: Engineer
    watcher: Watcher

    def resource(self, logical_id: str) -> str:
        """Return the physical id of one of the stack's resources."""
        reply = self.aws.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(reply["StackResourceDetail"]["PhysicalResourceId"])

    def principal(self, name: str, *statements: dict[str, Any]) -> Callable[..., Any]:
        """Create a role with these permissions; return what creates its clients, by service."""
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        role = self.engineer.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        self.engineer.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return self.session(role)

    def session(self, role_arn: str) -> Callable[..., Any]:
        """Return what creates clients of a session of a role, by service."""
        session = self.aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return lambda service, **options: self.aws.client(service, session, **options)

    def fixer(self) -> Callable[..., Any]:
        """Return what creates clients with the fixer's role, by service; its trust policy is widened for that."""
        iam, role = self.engineer.iam, self.resource("ApplyFixRole")
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        trust["Statement"].append({"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"})
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        return self.session(self.outputs["ApplyFixRoleArn"])

    def deciding_person(self, name: str) -> dict[str, str]:
        """Create a role that may read findings and decide; return the variables of a session of it, for commands.

        The account's root in the sandbox has an access key as AWS has none, so `decide_fix` accepts no signature of it.
        """
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.outputs['FindingsTableName']}"
        reads = {"Action": ["dynamodb:Query", "dynamodb:BatchGetItem"], "Resource": [table, f"{table}/index/by-status"]}
        person = self.principal(
            name,
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": self.outputs["DecideFixFunctionArn"]},
            {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"},
            {"Effect": "Allow", **reads},
        )
        keys = person("sts")._request_signer._credentials.get_frozen_credentials()
        return {
            **self.aws.exports(),
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token,
        }

    def restart(self, function: str, **variables: str) -> None:
        """Change the environment of one of the stack's functions, so that it reads its configuration anew."""
        name = self.resource(function)
        environment = self.engineer.functions.get_function_configuration(FunctionName=name)["Environment"]
        environment["Variables"] |= {"RESTARTED": uuid.uuid4().hex, **variables}
        self.engineer.functions.update_function_configuration(FunctionName=name, Environment=environment)

    def close_breaker(self) -> None:
        """Forget the fixes that were undone: three within an hour stop all fixing, and tests undo more."""
        key = {"finding_id": {"S": "BREAKER"}, "revision": {"N": "0"}}
        self.aws.client("dynamodb").delete_item(TableName=self.resource("DecisionsTable"), Key=key)

    def send(self, queue: str, *bodies: str) -> None:
        """Put messages into one of the stack's queues, by its logical id, as an operator."""
        sqs = self.session(OPERATORS)("sqs")
        for body in bodies:
            sqs.send_message(QueueUrl=self.resource(queue), MessageBody=body)

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue, are delayed or are being worked on."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
        reply = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.resource(queue), AttributeNames=names)
        return sum(int(reply["Attributes"][name]) for name in names)

    def wait_until_empty(self, queue: str, *, deadline: float = DEADLINE) -> None:
        """Wait until everything in a queue was worked off. TimeoutError if nothing was for `deadline` seconds."""
        try:
            left = self.waiting(queue)
            while left:
                left = poll(partial(self._fewer_than, left, queue), deadline=deadline, what=f"progress in {queue}").left
        except TimeoutError as error:
            kind = queue.removeprefix("Sweep").removesuffix("Queue")
            if kind in READERS:
                failed = [line for line in self.log_lines(READERS[kind]) if line.get("level") == "ERROR"]
                error.add_note("\n".join(["the last errors of its reader:", *map(json.dumps, failed[-3:])]))
            raise

    def _fewer_than(self, before: int, queue: str) -> _Waiting | None:
        left = self.waiting(queue)
        return _Waiting(left) if left < before else None

    def log_lines(self, function: str) -> list[dict[str, Any]]:
        """Return the structured log lines of one of the stack's functions, by the prefix of its logical ids."""
        logs = self.aws.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=self.resource(f"{function}Logs"))
        lines = []
        for page in pages:
            for event in page["events"]:
                text = event["message"].splitlines()
                lines += [json.loads(line) for line in text if line.startswith("{")]
        return lines

    def wait_for_log(self, function: str, *, event_id: str = "", **expected: Any) -> dict[str, Any]:
        """Wait for a log line of a function that has all these values, about an event where one is given.

        A check can have several events: those whose messages came in one batch.
        """

        def probe() -> dict[str, Any]:
            lines = self.log_lines(function)
            about = (line for line in lines if not event_id or event_id in line.get("cloudtrail_event_ids", ()))
            return next((line for line in about if all(line.get(k) == v for k, v in expected.items())), {})

        try:
            return poll(probe, deadline=DEADLINE, what=f"log line of {function} with {expected} about {event_id}")
        except TimeoutError as error:
            error.add_note("\n".join(["its last lines:", *map(json.dumps, self.log_lines(function)[-10:])]))
            raise

    @contextmanager
    def events_lost(self) -> Iterator[None]:
        """Deliver none of the events that are caused meanwhile; the checks of earlier ones are over before."""
        self.wait_for_checks()
        self.aws.deliver(copies=0)
        try:
            yield
            self.wait_for_delivery()
        finally:
            self.aws.deliver(copies=1)

    def wait_for_checks(self) -> None:
        """Wait until everything that was recorded was delivered and checked; delayed checks included."""
        self.wait_for_delivery()
        for queue in ("InvokePolicyQueue", "ExecutionRoleQueue"):
            self.wait_until_empty(queue)

    def wait_for_delivery(self) -> None:
        """Wait until the trail has delivered everything that was recorded."""

        def probe() -> bool:
            health = self.aws.health()
            return bool(health["recorded"] == health["delivered"])

        poll(probe, deadline=DEADLINE, what="trail that has delivered everything")


def envelope(record: dict[str, Any]) -> str:
    """Return a CloudTrail record as EventBridge puts it into a queue."""
    source = "aws." + record["eventSource"].split(".")[0]
    return json.dumps(
        {
            "version": "0",
            "id": record["eventID"],
            "detail-type": "AWS API Call via CloudTrail",
            "source": source,
            "account": record["recipientAccountId"],
            "time": record["eventTime"],
            "region": record["awsRegion"],
            "resources": [],
            "detail": record,
        }
    )


def deployed_statements(role: str) -> list[dict[str, Any]]:
    """Return what the template allows one of its roles, as far as it is about no other resource of it."""
    template = Template(REPOSITORY / "template.yaml", **EVERYTHING)
    values = {"${AWS::Partition}": "aws", "${AWS::Region}": REGION, "${AWS::AccountId}": ACCOUNT}

    def rendered(resource: Any) -> str:
        text = resource if isinstance(resource, str) else str(resource.get("Fn::Sub", ""))
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    statements = template.statements(role)
    texts = [{**one, "Resource": [rendered(resource) for resource in listed(one["Resource"])]} for one in statements]
    return [one for one in texts if all(one["Resource"])]


@contextmanager
def deployed(document: Mapping[str, Any] = CONFIGURATION, **parameters: str) -> Iterator[Bot]:
    """Start a sandbox of its own and deploy the stack in it.

    The grace period is one second: a finding is unknown at first, as on AWS, and the delayed check reports it. The
    first sweep sends an alert for each finding, unless the `document` says otherwise.
    """
    with Sandbox.start() as aws:
        given = {"OperatorRoleArns": OPERATORS, **parameters}
        outputs = configuration.deploy(aws, STACK, given, document)
        bot = Bot(aws, outputs, Engineer(aws), Watcher(aws, outputs))
        bot.principal("operators", {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
        yield bot
