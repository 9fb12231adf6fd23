"""From AWS's replies to the finding, for the types of event sources that the sandbox does not run.

Every reply is validated by botocore's models. The reader, the rules and the checker are the real ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.time_limit import TimeLimit
from permission_guard.bootstrap import snapshots
from permission_guard.checks.batch import CheckBatch
from permission_guard.checks.checker import Checker
from permission_guard.checks.requests import CheckRequest, CheckResult
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Status
from permission_guard.model.targets import Direction
from permission_guard.rules.execution_role import RULES
from tests.fakes import ACCOUNT, MAPPING_SUBJECT, ROLE_ARN, TARGET, Clock, InMemoryFindings
from tests.integration.conftest import cloudtrail, sqs_event
from tests.integration.other_sources import (
    ACTIVEMQ_PRIVATE,
    DOCUMENTDB,
    KAFKA_IN_VPC,
    LOGGING,
    MSK_IAM,
    MSK_SCRAM,
    MSK_SERVERLESS,
    MSK_UNAUTHENTICATED,
    OF_KEY,
    OF_SECRET,
    RABBITMQ_PRIVATE,
    RABBITMQ_PUBLIC,
    SECRET,
    SERVERLESS,
    SOURCES,
    Source,
)
from tests.integration.replies import KEY, KEY_POLICY, Aws, Grant, function, key, role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.findings import Finding

SCOPE = Direction.EXECUTION_ROLE
AFTER_GRACE_PERIOD = CheckRequest(after_grace_period=True, full=True)
EACH = pytest.mark.parametrize("source", SOURCES, ids=str)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return an account to set up, with its clients in place of the checker's."""
    made = Aws()
    monkeypatch.setattr(snapshots, "client", made.client)
    yield made
    made.close()


def poll(aws: Aws, source: Source, grants: Iterable[Grant]) -> None:
    """Set up a function that polls a source; its role has the grants, and writes its logs."""
    aws.replies = {**function(source.mapping), **role((*LOGGING, *grants)), **source.replies}


def checker(aws: Aws, store: InMemoryFindings, *, grace_period: bool = True) -> Checker:
    """Return a checker with every rule of the scope, put together as the function does."""
    reader = snapshots.state_reader(FunctionReader(aws.client("lambda")), RoleReader(aws.client("iam")))
    rules = [rule(TrustSet(frozenset())) for rule in RULES]
    return Checker(SCOPE, rules, reader, store, Clock(), users=store, grace_period=grace_period)


def check(aws: Aws, store: InMemoryFindings) -> CheckResult:
    """Check the function after the grace period."""
    used = checker(aws, store)
    return used.check(TARGET, used.start(TARGET), AFTER_GRACE_PERIOD)


def findings_of(store: InMemoryFindings) -> list[Finding]:
    """Return the recorded findings."""
    return list(store.findings_of(TARGET).findings)


def missing(finding: Finding) -> list[Grant]:
    """Return the missing actions of a finding."""
    return [(one["action"], one["resource"]) for one in finding.evidence["missing"]]


def unknowns(result: CheckResult) -> list[tuple[str, str | None]]:
    """Return the rules and subjects of the unknown verdicts."""
    return [(verdict.rule_id, verdict.subject) for verdict in result.report.unknowns]


def without(source: Source, *lacking: Grant) -> list[Grant]:
    """Return the grants that a source requires, without some of them."""
    assert set(lacking) <= set(source.needed)
    return [grant for grant in source.needed if grant not in lacking]


def short_of(kind: str) -> list[Any]:
    """Return each source with each grant that its role can lack."""
    return [
        pytest.param(source, grant, id=f"{source}-{grant[0]}-{number}")
        for source in SOURCES
        for number, grant in enumerate(getattr(source, kind))
    ]


# ── What the role allows ────────────────────────────────────────────────────────────────────────────────────────────


@EACH
@pytest.mark.parametrize("with_advice", [True, False], ids=["as-documented", "the-least"])
def test_a_complete_role_has_no_finding_and_no_unknown(aws: Aws, source: Source, with_advice: bool) -> None:
    """With what AWS lists for the type, for exactly this source; recommended actions can be omitted."""
    store = InMemoryFindings()
    poll(aws, source, [*source.needed, *(source.advised if with_advice else ())])
    result = check(aws, store)
    assert [*result.report.violations, *result.report.unknowns] == []
    assert findings_of(store) == []
    passed = {verdict.rule_id for verdict in result.report.passes if verdict.subject == MAPPING_SUBJECT}
    assert {"PG201", "PG202"} <= passed


@pytest.mark.parametrize(("source", "grant"), short_of("reading"))
def test_pg201_reports_a_role_without_one_action_for_reading(aws: Aws, source: Source, grant: Grant) -> None:
    """It names the action and the resource, and no other rule reports."""
    store = InMemoryFindings()
    poll(aws, source, without(source, grant))
    result = check(aws, store)
    finding = store.one()
    assert (finding.rule_id, finding.subject, missing(finding)) == ("PG201", MAPPING_SUBJECT, [grant])
    assert f"{ROLE_ARN} is not allowed {grant[0]} on {grant[1]}." in finding.reason
    assert unknowns(result) == []


@pytest.mark.parametrize(("source", "grant"), short_of("dependencies"))
def test_pg202_reports_a_role_without_one_dependency(aws: Aws, source: Source, grant: Grant) -> None:
    """It names the secret, the key, the network interfaces or the cluster's data plane, and no other rule reports."""
    store = InMemoryFindings()
    poll(aws, source, without(source, grant))
    result = check(aws, store)
    finding = store.one()
    assert (finding.rule_id, finding.subject, missing(finding)) == ("PG202", MAPPING_SUBJECT, [grant])
    assert f"{ROLE_ARN} is not allowed {grant[0]} on {grant[1]}." in finding.reason
    assert unknowns(result) == []


@EACH
def test_the_findings_of_a_role_that_only_writes_logs_name_everything_and_resolve(aws: Aws, source: Source) -> None:
    """At most one finding of each rule; granting what is missing resolves them."""
    store = InMemoryFindings()
    poll(aws, source, [])
    check(aws, store)
    reported = {finding.rule_id: set(missing(finding)) for finding in findings_of(store)}
    expected = {"PG201": set(source.reading), "PG202": set(source.dependencies)}
    assert reported == {rule: grants for rule, grants in expected.items() if grants}
    poll(aws, source, source.needed)
    check(aws, store)
    assert {finding.status for finding in findings_of(store)} <= {Status.RESOLVED}


def test_the_older_action_suffices_for_a_provisioned_cluster(aws: Aws) -> None:
    """The AWS managed policy had only that one for years."""
    store = InMemoryFindings()
    older = ("kafka:DescribeCluster", MSK_IAM.reading[0][1])
    poll(aws, MSK_IAM, [*without(MSK_IAM, MSK_IAM.reading[0]), older])
    result = check(aws, store)
    assert (unknowns(result), findings_of(store)) == ([], [])


def test_the_older_action_does_not_suffice_for_a_serverless_cluster(aws: Aws) -> None:
    """`kafka:DescribeCluster` only describes provisioned clusters."""
    store = InMemoryFindings()
    newer, older = MSK_SERVERLESS.reading[0], ("kafka:DescribeCluster", SERVERLESS)
    poll(aws, MSK_SERVERLESS, [*without(MSK_SERVERLESS, newer), older])
    check(aws, store)
    assert (store.one().rule_id, missing(store.one())) == ("PG201", [newer])


# ── What others decide: the policy of a key ─────────────────────────────────────────────────────────────────────────

OTHERS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/keeper"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}
"""A key policy that does not delegate to the account."""


@pytest.mark.parametrize("source", [MSK_SCRAM, KAFKA_IN_VPC, DOCUMENTDB], ids=str)
def test_a_key_that_does_not_allow_the_account_is_reported_although_the_role_allows_it(
    aws: Aws, source: Source
) -> None:
    """Without its key policy no principal can use a key; the finding names the policy to change."""
    store = InMemoryFindings()
    poll(aws, source, source.needed)
    aws.replies.update(key(OTHERS_ONLY))
    result = check(aws, store)
    assert (store.one().rule_id, missing(store.one())) == ("PG202", [OF_KEY])
    assert f"The policy of {KEY} must allow the role or its account." in store.one().reason
    assert unknowns(result) == []
    aws.replies.update(key(KEY_POLICY))
    check(aws, store)
    assert store.one().status is Status.RESOLVED


@pytest.mark.parametrize("source", [MSK_SCRAM, KAFKA_IN_VPC, DOCUMENTDB], ids=str)
def test_a_key_that_allows_the_role_itself_requires_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """In one account, a key policy that names the role suffices."""
    store = InMemoryFindings()
    (others,) = OTHERS_ONLY["Statement"]
    allowing = {"Effect": "Allow", "Principal": {"AWS": ROLE_ARN}, "Action": "kms:Decrypt", "Resource": "*"}
    poll(aws, source, without(source, OF_KEY))
    aws.replies.update(key({"Version": "2012-10-17", "Statement": [others, allowing]}))
    result = check(aws, store)
    assert (unknowns(result), findings_of(store)) == ([], [])


@pytest.mark.parametrize("source", [MSK_SCRAM, DOCUMENTDB], ids=str)
def test_a_key_with_a_grant_to_the_role_requires_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """A grant allows what no policy allows."""
    store = InMemoryFindings()
    grant = {"KeyId": KEY, "GrantId": "a" * 64, "GranteePrincipal": ROLE_ARN, "Operations": ["Decrypt", "DescribeKey"]}
    poll(aws, source, without(source, OF_KEY))
    aws.replies.update(key(OTHERS_ONLY, grant))
    result = check(aws, store)
    assert (unknowns(result), findings_of(store)) == ([], [])


@pytest.mark.parametrize("source", [RABBITMQ_PRIVATE, DOCUMENTDB], ids=str)
def test_a_secret_that_allows_the_role_requires_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """The secret's own policy allows what the role's policies do not."""
    store = InMemoryFindings()
    allowing = {"Effect": "Allow", "Principal": {"AWS": ROLE_ARN}, "Action": OF_SECRET[0], "Resource": "*"}
    poll(aws, source, without(source, OF_SECRET))
    aws.replies["GetResourcePolicy", SECRET] = {
        **aws.replies["GetResourcePolicy", SECRET],
        "ResourcePolicy": json.dumps({"Version": "2012-10-17", "Statement": [allowing]}),
    }
    result = check(aws, store)
    assert (unknowns(result), findings_of(store)) == ([], [])


# ── What the bot is not allowed to read ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Hidden:
    """A read that AWS denies the bot, without which one rule's outcome is unknown; the role can lack something."""

    source: Source
    operation: str
    action: str
    rule: str
    why: str
    lacking: tuple[Grant, ...] = ()
    instead: tuple[Grant, ...] = ()

    def __str__(self) -> str:
        return f"{self.source}-{self.operation}-{len(self.lacking)}"

    def set_up(self, aws: Aws, **refused: str) -> None:
        """Set up the function that polls the source; operations fail with error codes."""
        poll(aws, self.source, [*without(self.source, *self.lacking), *self.instead])
        aws.refused = refused


_V2 = MSK_SERVERLESS.reading[0]
_OLDER = (("kafka:DescribeCluster", SERVERLESS),)
(_READ_DATA,) = (grant for grant in MSK_IAM.dependencies if grant[0] == "kafka-cluster:ReadData")
_INTERFACE = ("ec2:CreateNetworkInterface", "*")
_CLUSTER_ACTION = ("DescribeClusterV2", "kafka:DescribeClusterV2")
_BROKER_ACTION = ("DescribeBroker", "mq:DescribeBroker")

_FOR_IAM = "it depends on whether the cluster uses IAM authentication, which was not read"
_SERVERLESS = "kafka:DescribeCluster suffices unless the cluster is serverless, which was not read"
_PUBLIC = "it depends on whether the broker is publicly accessible, which was not read"
_KEY = f"it depends on whether {SECRET} has a customer managed key, which was not read"

HIDDEN = (
    Hidden(MSK_UNAUTHENTICATED, *_CLUSTER_ACTION, "PG202", _FOR_IAM),
    Hidden(MSK_IAM, *_CLUSTER_ACTION, "PG202", _FOR_IAM, lacking=(_READ_DATA,)),
    Hidden(MSK_SERVERLESS, *_CLUSTER_ACTION, "PG201", _SERVERLESS, lacking=(_V2,), instead=_OLDER),
    Hidden(ACTIVEMQ_PRIVATE, *_BROKER_ACTION, "PG202", _PUBLIC, lacking=(_INTERFACE,)),
    Hidden(RABBITMQ_PUBLIC, *_BROKER_ACTION, "PG202", _PUBLIC),
    Hidden(DOCUMENTDB, "DescribeDBClusters", "rds:DescribeDBClusters", "PG201", "it depends on which of"),
    Hidden(MSK_SCRAM, "DescribeSecret", "secretsmanager:DescribeSecret", "PG202", _KEY, lacking=(OF_KEY,)),
    Hidden(KAFKA_IN_VPC, "DescribeSecret", "secretsmanager:DescribeSecret", "PG202", _KEY, lacking=(OF_KEY,)),
    Hidden(KAFKA_IN_VPC, "GetResourcePolicy", "secretsmanager:GetResourcePolicy", "PG202",
           "secretsmanager:GetResourcePolicy failed", lacking=(OF_SECRET,)),
    Hidden(DOCUMENTDB, "GetKeyPolicy", "kms:GetKeyPolicy", "PG202", "kms:GetKeyPolicy failed"),
)  # fmt: skip
EACH_HIDDEN = pytest.mark.parametrize("hidden", HIDDEN, ids=str)


@EACH_HIDDEN
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ForbiddenException"])
def test_what_the_bot_is_not_allowed_to_read_is_unknown_and_not_reported(aws: Aws, hidden: Hidden, code: str) -> None:
    """The owner must allow the read: another check would not read more."""
    store = InMemoryFindings()
    hidden.set_up(aws, **{hidden.operation: code})
    result = check(aws, store)
    assert hidden.operation in aws.calls
    assert unknowns(result) == [(hidden.rule, MAPPING_SUBJECT)]
    assert hidden.why in result.report.unknowns[0].reason
    assert findings_of(store) == []
    assert result.unread == ()


@EACH_HIDDEN
@pytest.mark.parametrize(("code", "recheck"), [("AccessDeniedException", []), ("ThrottlingException", ["m0"])])
def test_only_a_temporary_failure_returns_the_message_to_the_queue(
    aws: Aws, hidden: Hidden, code: str, recheck: list[str]
) -> None:
    """A denied read is not retried forever; no finding is reported in either case."""
    store = InMemoryFindings()
    hidden.set_up(aws, **{hidden.operation: code})
    metrics = Metrics(namespace="PermissionGuard", service="other-sources")
    batch = CheckBatch(
        SCOPE,
        checker(aws, store, grace_period=False),
        store,
        RoleReader(aws.client("iam")),
        NoRequests(),
        time_limit=TimeLimit(),
        logger=Logger(service="other-sources", level="CRITICAL"),
        metrics=metrics,
    )
    event = sqs_event(cloudtrail("create_event_source_mapping"))
    response = batch.handle(event, lambda: 180_000)
    metrics.clear_metrics()  # Powertools shares its metrics between tests
    assert [failure["itemIdentifier"] for failure in response["batchItemFailures"]] == recheck
    assert hidden.operation in aws.calls
    assert findings_of(store) == []
    assert any(line.startswith(f"{hidden.rule}: ") for line in store.unknowns)


@pytest.mark.parametrize("hidden", [hidden for hidden in HIDDEN if hidden.lacking], ids=str)
def test_a_finding_stays_open_while_the_outcome_is_unknown(aws: Aws, hidden: Hidden) -> None:
    """A check that cannot read everything neither repeats nor resolves it."""
    store = InMemoryFindings()
    hidden.set_up(aws)
    check(aws, store)
    recorded = store.one()
    assert (recorded.rule_id, recorded.status) == (hidden.rule, Status.OPEN)
    aws.refused[hidden.operation] = "AccessDeniedException"
    check(aws, store)
    assert findings_of(store) == [recorded]


class NoRequests:
    """A queue of check requests that must not be used."""

    def recheck(self, *_: object) -> None:
        """Fail: nothing waits for the grace period."""
        pytest.fail("a check was requested again")

    def request_full(self, *_: object, **__: object) -> None:
        """Fail: the role is not shared."""
        pytest.fail("checks were requested")

    request_again = request_full
