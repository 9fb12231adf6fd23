"""What fixes solve: functions that need a permission, and the policies that a role loses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.needs.managed_policies import MANAGED_POLICIES
from tests.fakes import ACCOUNT, REGION, SQS_POLICY_ARN, allow
from tests.owned_policies import PREFIX, TAG, arn_of, owned_documents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.account import Account

QUEUE_ARN: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:incoming"
_AWS: Final = "arn:aws:iam::aws:policy"


def _documents() -> dict[str, dict[str, Any]]:
    """Return the managed policies of AWS for execution roles, by their ARNs."""
    return {
        f"{_AWS}/{policy.path}": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": list(grant.actions), "Resource": grant.resource}
                for grant in policy.grants
            ],
        }
        for policy in MANAGED_POLICIES
        if policy.grants
    }


EXECUTION_POLICIES: Final = {**_documents(), **owned_documents(TAG, PREFIX)}
"""AWS's managed policies for execution roles and the stack's own, by their ARNs: all that the stack may attach."""

LOGS_POLICY_ARN: Final = f"{_AWS}/service-role/AWSLambdaBasicExecutionRole"
_INTERFACES_ARN: Final = f"{_AWS}/service-role/AWSLambdaENIManagementAccess"
_VPC_ARN: Final = f"{_AWS}/service-role/AWSLambdaVPCAccessExecutionRole"
_BROKER: Final = f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:orders:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"
_SECRET: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders-1a2B3c"
_SIGNED_IN: Final = {"Queues": ["orders"], "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": _SECRET}]}
_IN_A_VPC: Final = {"VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}}


@dataclass(frozen=True, slots=True)
class Problem:
    """A need of a function, and the policies without which its role lacks it: those that the fix attaches.

    `configuration` or `source`, which the function polls with the members `mapping`, is what needs them. It needs the
    policies `besides` too, which the role keeps. `documents` are managed policies that have another content than
    today's. `stops` is whether AWS disables the mapping when the role loses them, and the fix enables it again.
    """

    words: str
    rule_id: str
    policies: tuple[str, ...]
    configuration: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    besides: tuple[str, ...] = ()
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    stops: bool = False

    def need(self, account: Account, name: str) -> None:
        """Let a function need the permission."""
        account.managed.update(self.documents)
        if self.source:
            account.map_source(name, self.source, **self.mapping)
        if self.configuration:
            account.configure(name, self.configuration)

    def allow(self, account: Account, role: str) -> None:
        """Attach the policies to a role."""
        for policy in (*self.besides, *self.policies):
            account.attach(role, policy)

    def lose(self, account: Account, role: str) -> None:
        """Detach them from a role."""
        for policy in self.policies:
            account.detach(role, policy)
        if self.stops:
            account.stop_polling(role)


PROBLEMS: Final = (
    Problem("poll the queue", "PG201", (SQS_POLICY_ARN,), source=QUEUE_ARN),
    Problem(
        "poll a Kinesis stream",
        "PG201",
        (f"{_AWS}/service-role/AWSLambdaKinesisExecutionRole",),
        source=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks",
    ),
    Problem(
        "poll a DynamoDB stream",
        "PG201",
        (f"{_AWS}/service-role/AWSLambdaDynamoDBExecutionRole",),
        source=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/carts/stream/2026-11-01T00:00:00.000",
    ),
    Problem("poll the queue, which AWS stops", "PG201", (SQS_POLICY_ARN,), source=QUEUE_ARN, stops=True),
    Problem(
        "poll a broker",
        "PG201",
        (arn_of("read-brokers"),),
        source=_BROKER,
        mapping=_SIGNED_IN,
        besides=(arn_of("read-secrets"),),
    ),
    Problem(
        "sign in to a broker",
        "PG202",
        (arn_of("read-secrets"),),
        source=_BROKER,
        mapping=_SIGNED_IN,
        besides=(arn_of("read-brokers"),),
    ),
    Problem(
        "send failed events to a topic",
        "PG203",
        (arn_of("send-to-topics"),),
        {"DeadLetterConfig": {"TargetArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:failed"}},
    ),
    Problem("write its logs", "PG204", (LOGS_POLICY_ARN,)),
    Problem("run in a VPC", "PG205", (_INTERFACES_ARN,), _IN_A_VPC),
    Problem(
        "run in a VPC, which takes two policies",
        "PG205",
        (_INTERFACES_ARN, _VPC_ARN),
        _IN_A_VPC,
        documents={
            _INTERFACES_ARN: allow("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces"),
            _VPC_ARN: allow("ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
        },
    ),
    Problem("be traced", "PG206", (f"{_AWS}/AWSXRayDaemonWriteAccess",), {"TracingConfig": {"Mode": "Active"}}),
    Problem(
        "checkpoint durable executions",
        "PG211",
        (f"{_AWS}/service-role/AWSLambdaBasicDurableExecutionRolePolicy",),
        {"DurableConfig": {"ExecutionTimeout": 3_600}},
    ),
    Problem(
        "mount a file system",
        "PG211",
        (f"{_AWS}/AmazonElasticFileSystemClientReadOnlyAccess",),
        {
            "FileSystemConfigs": [
                {
                    "Arn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0a1b2c3d",
                    "LocalMountPath": "/mnt/data",
                }
            ]
        },
    ),
)
"""At least one for each rule that has a fix. Insights and Application Signals need no more than logs and tracing do, or
are unknown."""


def problems_of(rule_id: str) -> tuple[Problem, ...]:
    """Return the problems that a rule finds."""
    return tuple(problem for problem in PROBLEMS if problem.rule_id == rule_id)
