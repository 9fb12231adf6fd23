"""From AWS's replies to the finding, for the types of event sources that the sandbox does not run.

Every reply is held to botocore's model of its operation. The reader, the rules and the checker are the real ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.bootstrap import checks
from permission_guard.checks.batch import CheckBatch
from permission_guard.checks.checker import Checker, CheckRequest, CheckResult
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
ONCE_SETTLED = CheckRequest(after_grace_period=True, full=True)
EACH = pytest.mark.parametrize("source", SOURCES, ids=str)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return an account that is to be set up; every client of the checker's is one of its own."""
    made = Aws()
    monkeypatch.setattr(checks, "client", made.client)
    yield made
    made.close()


def poll(aws: Aws, source: Source, grants: Iterable[Grant]) -> None:
    """Let the function poll a source with a role that is allowed what is granted, and writing its logs."""
    aws.replies = {**function(source.mapping), **role((*LOGGING, *grants)), **source.replies}


def checker(aws: Aws, store: InMemoryFindings, *, grace_period: bool = True) -> Checker:
    """Return a checker with every rule of the scope, put together as the function does."""
    reader = checks.state_reader(FunctionReader(aws.client("lambda")), RoleReader(aws.client("iam")))
    rules = [rule(TrustSet(frozenset())) for rule in RULES]
    return Checker(SCOPE, rules, reader, store, Clock(), users=store, grace_period=grace_period)


def look(aws: Aws, store: InMemoryFindings) -> CheckResult:
    """Look at the function once what was changed has settled."""
    looked = checker(aws, store)
    return looked.look(TARGET, looked.begin(TARGET), ONCE_SETTLED)


def findings_of(store: InMemoryFindings) -> list[Finding]:
    """Return what was told."""
    return list(store.findings_of(TARGET))


def missing(finding: Finding) -> list[Grant]:
    """Return what a finding says that the role is not allowed."""
    return [(one["action"], one["resource"]) for one in finding.evidence["missing"]]


def unknowns(looked: CheckResult) -> list[tuple[str, str | None]]:
    """Return of which rules a look cannot tell, and of what."""
    return [(verdict.rule_id, verdict.subject) for verdict in looked.report.unknowns]


def without(source: Source, *lacking: Grant) -> list[Grant]:
    """Return what a role is allowed that lacks something, and nothing that is only advised."""
    assert set(lacking) <= set(source.needed)
    return [grant for grant in source.needed if grant not in lacking]


def short_of(kind: str) -> list[Any]:
    """Return each source with each thing that its role may lack."""
    return [
        pytest.param(source, grant, id=f"{source}-{grant[0]}-{number}")
        for source in SOURCES
        for number, grant in enumerate(getattr(source, kind))
    ]


# ── What the role allows ────────────────────────────────────────────────────────────────────────────────────────────


@EACH
@pytest.mark.parametrize("with_advice", [True, False], ids=["as-documented", "the-least"])
def test_a_complete_role_is_told_nothing_and_nothing_stays_unknown(aws: Aws, source: Source, with_advice: bool) -> None:
    """With what AWS lists for the type, for this very source; what it lists and does not ask for may be left out."""
    store = InMemoryFindings()
    poll(aws, source, [*source.needed, *(source.advised if with_advice else ())])
    looked = look(aws, store)
    assert [*looked.report.violations, *looked.report.unknowns] == []
    assert findings_of(store) == []
    logged = {verdict.rule_id for verdict in looked.report.passes if verdict.subject == MAPPING_SUBJECT}
    assert {"PG201", "PG202"} <= logged


@pytest.mark.parametrize(("source", "grant"), short_of("reading"))
def test_a_role_without_one_action_of_reading_is_told_by_pg201(aws: Aws, source: Source, grant: Grant) -> None:
    """It names the action and the resource, and nothing else is told."""
    store = InMemoryFindings()
    poll(aws, source, without(source, grant))
    looked = look(aws, store)
    finding = store.one()
    assert (finding.rule_id, finding.subject, missing(finding)) == ("PG201", MAPPING_SUBJECT, [grant])
    assert f"{ROLE_ARN} is not allowed {grant[0]} on {grant[1]}." in finding.reason
    assert unknowns(looked) == []


@pytest.mark.parametrize(("source", "grant"), short_of("dependencies"))
def test_a_role_without_one_dependency_is_told_by_pg202(aws: Aws, source: Source, grant: Grant) -> None:
    """It names the secret, the key, the network interfaces or the inside of the cluster, and nothing else is told."""
    store = InMemoryFindings()
    poll(aws, source, without(source, grant))
    looked = look(aws, store)
    finding = store.one()
    assert (finding.rule_id, finding.subject, missing(finding)) == ("PG202", MAPPING_SUBJECT, [grant])
    assert f"{ROLE_ARN} is not allowed {grant[0]} on {grant[1]}." in finding.reason
    assert unknowns(looked) == []


@EACH
def test_a_role_that_only_writes_logs_is_told_all_that_it_lacks_and_that_it_is_mended(aws: Aws, source: Source) -> None:
    """At most one finding of each rule; what is granted afterwards resolves them."""
    store = InMemoryFindings()
    poll(aws, source, [])
    look(aws, store)
    logged = {finding.rule_id: set(missing(finding)) for finding in findings_of(store)}
    expected = {"PG201": set(source.reading), "PG202": set(source.dependencies)}
    assert logged == {rule: grants for rule, grants in expected.items() if grants}
    poll(aws, source, source.needed)
    look(aws, store)
    assert {finding.status for finding in findings_of(store)} <= {Status.RESOLVED}


def test_the_older_way_to_describe_a_provisioned_cluster_does(aws: Aws) -> None:
    """AWS's managed policy had it alone for years."""
    store = InMemoryFindings()
    older = ("kafka:DescribeCluster", MSK_IAM.reading[0][1])
    poll(aws, MSK_IAM, [*without(MSK_IAM, MSK_IAM.reading[0]), older])
    looked = look(aws, store)
    assert (unknowns(looked), findings_of(store)) == ([], [])


def test_the_older_way_does_not_describe_a_serverless_cluster(aws: Aws) -> None:
    """`kafka:DescribeCluster` is of provisioned clusters alone."""
    store = InMemoryFindings()
    newer, older = MSK_SERVERLESS.reading[0], ("kafka:DescribeCluster", SERVERLESS)
    poll(aws, MSK_SERVERLESS, [*without(MSK_SERVERLESS, newer), older])
    look(aws, store)
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
"""A key's policy that leaves nothing to the policies of the account."""


@pytest.mark.parametrize("source", [MSK_SCRAM, KAFKA_IN_VPC, DOCUMENTDB], ids=str)
def test_a_key_that_does_not_let_the_account_in_is_told_though_the_role_allows_it(aws: Aws, source: Source) -> None:
    """It is certain: without its own policy nobody may use a key, and the finding says whose policy has to change."""
    store = InMemoryFindings()
    poll(aws, source, source.needed)
    aws.replies.update(key(OTHERS_ONLY))
    looked = look(aws, store)
    assert (store.one().rule_id, missing(store.one())) == ("PG202", [OF_KEY])
    assert f"The policy of {KEY} has to let in the role or its account." in store.one().reason
    assert unknowns(looked) == []
    aws.replies.update(key(KEY_POLICY))
    look(aws, store)
    assert store.one().status is Status.RESOLVED


@pytest.mark.parametrize("source", [MSK_SCRAM, KAFKA_IN_VPC, DOCUMENTDB], ids=str)
def test_a_key_that_lets_the_role_itself_in_needs_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """In one account, either policy does where the key's names the role."""
    store = InMemoryFindings()
    (others,) = OTHERS_ONLY["Statement"]
    let_in = {"Effect": "Allow", "Principal": {"AWS": ROLE_ARN}, "Action": "kms:Decrypt", "Resource": "*"}
    poll(aws, source, without(source, OF_KEY))
    aws.replies.update(key({"Version": "2012-10-17", "Statement": [others, let_in]}))
    looked = look(aws, store)
    assert (unknowns(looked), findings_of(store)) == ([], [])


@pytest.mark.parametrize("source", [MSK_SCRAM, DOCUMENTDB], ids=str)
def test_a_key_that_is_granted_to_the_role_needs_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """A grant lets in whom no policy does."""
    store = InMemoryFindings()
    grant = {"KeyId": KEY, "GrantId": "a" * 64, "GranteePrincipal": ROLE_ARN, "Operations": ["Decrypt", "DescribeKey"]}
    poll(aws, source, without(source, OF_KEY))
    aws.replies.update(key(OTHERS_ONLY, grant))
    looked = look(aws, store)
    assert (unknowns(looked), findings_of(store)) == ([], [])


@pytest.mark.parametrize("source", [RABBITMQ_PRIVATE, DOCUMENTDB], ids=str)
def test_a_secret_that_lets_the_role_in_needs_nothing_of_the_role(aws: Aws, source: Source) -> None:
    """The secret's own policy allows what the role's does not."""
    store = InMemoryFindings()
    let_in = {"Effect": "Allow", "Principal": {"AWS": ROLE_ARN}, "Action": OF_SECRET[0], "Resource": "*"}
    poll(aws, source, without(source, OF_SECRET))
    aws.replies["GetResourcePolicy", SECRET] = {
        **aws.replies["GetResourcePolicy", SECRET],
        "ResourcePolicy": json.dumps({"Version": "2012-10-17", "Statement": [let_in]}),
    }
    looked = look(aws, store)
    assert (unknowns(looked), findings_of(store)) == ([], [])


# ── What the bot may not read ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Hidden:
    """A reply that the bot may not have, without which one rule cannot tell; the role lacks something, or nothing."""

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
        """Let the function poll the source; operations are refused with codes."""
        poll(aws, self.source, [*without(self.source, *self.lacking), *self.instead])
        aws.refused = refused


_V2 = MSK_SERVERLESS.reading[0]
_OLDER = (("kafka:DescribeCluster", SERVERLESS),)
(_READ_DATA,) = (grant for grant in MSK_IAM.dependencies if grant[0] == "kafka-cluster:ReadData")
_INTERFACE = ("ec2:CreateNetworkInterface", "*")
_CLUSTER_ACTION = ("DescribeClusterV2", "kafka:DescribeClusterV2")
_BROKER_ACTION = ("DescribeBroker", "mq:DescribeBroker")

_FOR_IAM = "it was not read whether the cluster asks its clients for IAM"
_SERVERLESS = "it was not read whether the cluster is serverless"
_PUBLIC = "it was not read whether the broker is publicly accessible"
_KEY = f"it was not read whether {SECRET} is encrypted with a key that you manage"

HIDDEN = (
    Hidden(MSK_UNAUTHENTICATED, *_CLUSTER_ACTION, "PG202", _FOR_IAM),
    Hidden(MSK_IAM, *_CLUSTER_ACTION, "PG202", _FOR_IAM, lacking=(_READ_DATA,)),
    Hidden(MSK_SERVERLESS, *_CLUSTER_ACTION, "PG201", _SERVERLESS, lacking=(_V2,), instead=_OLDER),
    Hidden(ACTIVEMQ_PRIVATE, *_BROKER_ACTION, "PG202", _PUBLIC, lacking=(_INTERFACE,)),
    Hidden(RABBITMQ_PUBLIC, *_BROKER_ACTION, "PG202", _PUBLIC),
    Hidden(DOCUMENTDB, "DescribeDBClusters", "rds:DescribeDBClusters", "PG201", "it is not known which of"),
    Hidden(MSK_SCRAM, "DescribeSecret", "secretsmanager:DescribeSecret", "PG202", _KEY, lacking=(OF_KEY,)),
    Hidden(KAFKA_IN_VPC, "DescribeSecret", "secretsmanager:DescribeSecret", "PG202", _KEY, lacking=(OF_KEY,)),
    Hidden(KAFKA_IN_VPC, "GetResourcePolicy", "secretsmanager:GetResourcePolicy", "PG202",
           "secretsmanager:GetResourcePolicy failed", lacking=(OF_SECRET,)),
    Hidden(DOCUMENTDB, "GetKeyPolicy", "kms:GetKeyPolicy", "PG202", "kms:GetKeyPolicy failed"),
)  # fmt: skip
EACH_HIDDEN = pytest.mark.parametrize("hidden", HIDDEN, ids=str)


@EACH_HIDDEN
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ForbiddenException"])
def test_what_the_bot_may_not_read_is_unknown_and_nobody_is_told(aws: Aws, hidden: Hidden, code: str) -> None:
    """Somebody has to allow it: the look has nothing that another try would read."""
    store = InMemoryFindings()
    hidden.set_up(aws, **{hidden.operation: code})
    looked = look(aws, store)
    assert hidden.operation in aws.calls
    assert unknowns(looked) == [(hidden.rule, MAPPING_SUBJECT)]
    assert hidden.why in looked.report.unknowns[0].reason
    assert findings_of(store) == []
    assert looked.unread == ()


@EACH_HIDDEN
@pytest.mark.parametrize(("code", "again"), [("AccessDeniedException", []), ("ThrottlingException", ["m0"])])
def test_only_what_fails_in_passing_has_the_message_come_again(
    aws: Aws, hidden: Hidden, code: str, again: list[str]
) -> None:
    """What is denied is not tried for ever; nobody is told of what was not read, whichever it is."""
    store = InMemoryFindings()
    hidden.set_up(aws, **{hidden.operation: code})
    metrics = Metrics(namespace="PermissionGuard", service="other-sources")
    batch = CheckBatch(
        SCOPE,
        checker(aws, store, grace_period=False),
        store,
        RoleReader(aws.client("iam")),
        NoRequests(),
        logger=Logger(service="other-sources", level="CRITICAL"),
        metrics=metrics,
    )
    event = sqs_event(cloudtrail("create_event_source_mapping"))
    answer = batch.handle(event, lambda: 180_000)
    metrics.clear_metrics()  # what Powertools counts, every test would count
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == again
    assert hidden.operation in aws.calls
    assert findings_of(store) == []
    assert any(line.startswith(f"{hidden.rule}: ") for line in store.unknowns)


@pytest.mark.parametrize("hidden", [hidden for hidden in HIDDEN if hidden.lacking], ids=str)
def test_a_finding_stays_as_long_as_nobody_can_tell(aws: Aws, hidden: Hidden) -> None:
    """What was told while all could be read is neither told again nor resolved by a look that may not read it."""
    store = InMemoryFindings()
    hidden.set_up(aws)
    look(aws, store)
    logged = store.one()
    assert (logged.rule_id, logged.status) == (hidden.rule, Status.OPEN)
    aws.refused[hidden.operation] = "AccessDeniedException"
    look(aws, store)
    assert findings_of(store) == [logged]


class NoRequests:
    """Stands in for the queue on which looks are requested; nothing here asks for one."""

    def again(self, *_: object) -> None:
        """Fail: nothing has to settle."""
        pytest.fail("a look was requested again")

    def now(self, *_: object) -> None:
        """Fail: nobody shares the role."""
        pytest.fail("looks were requested")

    changed = now
