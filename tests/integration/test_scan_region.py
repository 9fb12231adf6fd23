"""A scan of one account and region, through boto3: its verdicts, its calls, and what it names as unread."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.bootstrap.scan import RegionScan
from permission_guard.checks.engine import evaluate, merge_versions
from permission_guard.config.document import Exclusion, GuardConfig
from permission_guard.errors import ConfigurationError
from permission_guard.model.state import ManagedBy
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome
from permission_guard.rules import RULES
from permission_guard.rules.configured import configured
from permission_guard.sweep.bulk import BulkOptions, GapKind
from tests.fakes import ACCOUNT, REGION, TARGET, TRUST_LAMBDA
from tests.integration.conftest import LOGS_POLICY_ARN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from permission_guard.model.verdicts import Verdict
    from permission_guard.sweep.bulk import Evaluation, Gap, Progress
    from tests.integration.conftest import Account

INVOKE = frozenset(rule.id for rule in RULES if rule.direction is Direction.INVOKE_POLICY)
DENIED = "AccessDeniedException"
NOT_IN_MOTO: dict[str, dict[str, Any]] = {
    "iot.ListAuthorizers": {"authorizers": []},
    "lambda.ListFunctionUrlConfigs": {"FunctionUrlConfigs": []},
    "cloudwatch-logs.DescribeAccountPolicies": {"accountPolicies": []},
}
"""Calls that moto does not implement, with their replies."""


class Calls:
    """A session whose calls are counted, and of which some fail."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.session = boto3.Session()
        events: Any = self.session.events
        events.register("before-call", self._count)
        for operation in ("ListAliases", "ListVersionsByFunction"):
            events.register(f"provide-client-params.lambda.{operation}", _by_name)
        for operation, reply in NOT_IN_MOTO.items():
            events.register_last(f"before-call.{operation}", _replying(200, reply))

    def deny(self, operation: str, code: str = DENIED, *, only: str = "") -> None:
        """Fail a call, or only those whose URL or body has a text."""
        reply = {"Error": {"Code": code, "Message": f"not allowed: {operation.rpartition('.')[2]}"}}
        self.session.events.register(f"before-call.{operation}", _replying(403, reply, only))

    def _count(self, model: Any, **_more: Any) -> None:
        self.made[f"{model.service_model.endpoint_prefix}:{model.name}"] += 1

    @property
    def of_lambda(self) -> Counter[str]:
        """The calls to Lambda's control plane besides GetPolicy."""
        return Counter({name: n for name, n in self.made.items() if name.startswith("lambda:") and name != GET_POLICY})


GET_POLICY = "lambda:GetPolicy"


def _replying(status: int, reply: dict[str, Any], only: str = "") -> Callable[..., Any]:
    def answer(params: dict[str, Any], **_more: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        if only and only not in f"{params['url_path']} {params['body']!r}":
            return None
        return AWSResponse("", status, HTTPHeaders(), None), {**reply, "ResponseMetadata": {"HTTPStatusCode": status}}

    return answer


def _by_name(params: dict[str, Any], **_more: Any) -> dict[str, Any]:
    return {**params, "FunctionName": params["FunctionName"].rsplit(":", 1)[-1]}


@pytest.fixture
def calls(account: Account) -> Calls:
    """Return a session for the scan."""
    return Calls()


def scanned(calls: Calls, **options: Any) -> tuple[list[Evaluation], tuple[Gap, ...]]:
    """Scan the region. moto is quick, so few threads are enough."""
    scan = RegionScan(
        calls.session, REGION, BulkOptions(rate=None, policy_rate=None, workers=2, inventory_seconds=600, **options)
    )
    return list(scan), scan.gaps


def verdicts_of(found: Iterable[Evaluation]) -> list[Verdict]:
    """Return all verdicts."""
    return [verdict for one in found for verdict in one.report.verdicts]


def unread(gaps: Iterable[Gap]) -> list[Gap]:
    """Return what makes a scan incomplete."""
    return [gap for gap in gaps if gap.is_incomplete]


def make_functions(account: Account, count: int) -> None:
    """Create functions that share a few roles."""
    for number in range(count):
        role = f"arn:aws:iam::{ACCOUNT}:role/role-{number % 5}"
        if number < 5:
            account.iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
        account.make_function(f"function-{number:03}", role)
        account.lambda_.add_permission(
            FunctionName=f"function-{number:03}",
            StatementId="bucket",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
        )


def make_an_account_of_all_kinds(account: Account) -> None:
    """Create functions with versions, aliases, mappings, topics and policies of each kind."""
    account.make_role()
    account.make_function(tags="x")
    account.map_queue()
    account.make_function("payments", **{"aws:cloudformation:stack-name": "shop", "team": "pay"})
    account.make_role("arn:aws:iam::123456789012:role/missing")
    account.make_function("reports", "arn:aws:iam::123456789012:role/missing")
    account.iam.detach_role_policy(RoleName="missing", PolicyArn=LOGS_POLICY_ARN)
    account.iam.delete_role(RoleName="missing")
    for name in ("payments", "reports"):
        account.lambda_.publish_version(FunctionName=name)
    account.lambda_.create_alias(FunctionName="payments", Name="live", FunctionVersion="1")
    account.lambda_.create_alias(FunctionName="reports", Name="dev", FunctionVersion="$LATEST")
    account.lambda_.create_alias(FunctionName="orders", Name="dev", FunctionVersion="$LATEST")
    for name, qualifier in (("orders", None), ("orders", "dev"), ("payments", "live"), ("payments", "1")):
        account.lambda_.add_permission(
            FunctionName=name,
            StatementId="topic",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            **cast("Any", {"Qualifier": qualifier} if qualifier else {}),
        )
    account.attach_new_policy(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    )
    account.iam.put_role_policy(
        RoleName="orders-role",
        PolicyName="inline",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
        ),
    )
    topic = account.sns.create_topic(Name="news")["TopicArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"{TARGET.arn}:dev")
    account.queue("incoming-orders")
    account.lambda_.create_event_source_mapping(
        FunctionName="payments:live", EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:incoming-orders"
    )


def as_the_checkers(session: boto3.Session, names: Iterable[str]) -> list[str]:
    """Return the verdicts of the checkers on each function, but those on roles."""
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        return made.setdefault(service, session.client(service, region_name=REGION))  # type: ignore[call-overload]

    inventories = InventoryReader(client)
    reader = StateReader(
        FunctionReader(client("lambda")),
        RoleReader(client("iam")),
        SourceReader(client),
        lambda: inventories,
        OrganizationReader(lambda: client("organizations"), lambda: client("iam")),
    )
    rules = [rule for rule in configured(RULES, GuardConfig()) if not rule.of_denied_calls]
    found = []
    for name in names:
        for direction in Direction:
            snapshot = reader.snapshot(replace(TARGET, name=name), direction)
            report = merge_versions(evaluate(snapshot, [rule for rule in rules if rule.direction is direction]))
            found += [verdict for verdict in report.verdicts if not verdict.role_arn]
    return sorted(map(repr, found))


def test_a_full_scan_has_the_verdicts_of_the_checkers(account: Account, calls: Calls) -> None:
    """Through the replies of moto: with versions, aliases, mappings, triggers, policies and a role that is missing."""
    make_an_account_of_all_kinds(account)
    found, gaps = scanned(calls, full=True)
    of_functions = [verdict for verdict in verdicts_of(found) if not verdict.role_arn]
    assert sorted(map(repr, of_functions)) == as_the_checkers(calls.session, ["orders", "payments", "reports"])
    assert {verdict.rule_id for verdict in of_functions if verdict.outcome is Outcome.VIOLATION} >= {"PG102", "PG207"}
    assert unread(gaps) == []
    assert calls.made["lambda:ListVersionsByFunction"] == 3, "only the checkers list versions"
    shared = {one.role_arn: one for one in found if one.role_arn}
    orders_role = shared["arn:aws:iam::123456789012:role/service-role/orders-role"]
    assert orders_role.report.target == TARGET
    assert [arn.rpartition(":")[2] for arn in orders_role.functions] == ["orders", "payments"]
    assert [verdict.rule_id for verdict in orders_role.report.violations] == ["PG209"]


def test_an_evaluation_has_the_tags_and_the_stack_and_no_environment_variables(account: Account, calls: Calls) -> None:
    """The command line filters by tags, and saves what was read."""
    make_an_account_of_all_kinds(account)
    found, _ = scanned(calls)
    by_name = {one.report.target.name: one for one in found if not one.role_arn}
    assert by_name["payments"].report.managed_by == ManagedBy("cloudformation", "shop")
    assert by_name["payments"].tags == {"aws:cloudformation:stack-name": "shop", "team": "pay"}
    assert by_name["payments"].report.tags == {"team": "pay"}
    assert set(by_name["orders"].snapshots) == set(Direction)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("options", "most"),
    [({}, 2.05), ({"full": True}, 4.05), ({"rules": INVOKE}, 0.1)],
    ids=["all rules", "full", "rules on policies"],
)
def test_a_scan_of_a_hundred_functions_makes_few_calls(
    account: Account, calls: Calls, options: dict[str, Any], most: float
) -> None:
    """Calls to Lambda's control plane a function, besides GetPolicy."""
    make_functions(account, 100)
    found, gaps = scanned(calls, **options)
    assert unread(gaps) == []
    assert len([one for one in found if not one.role_arn]) == 100
    assert sum(calls.of_lambda.values()) / 100 <= most, calls.of_lambda
    assert calls.made[GET_POLICY] == 100
    assert calls.made["iam:GetRole"] == 0
    others = {name: made for name, made in calls.made.items() if not name.startswith("lambda:")}
    assert max(others.values()) <= 5, others
    violations = [verdict for verdict in verdicts_of(found) if verdict.rule_id == "PG102"]
    assert len(violations) == 100
    assert {verdict.outcome for verdict in violations} == {Outcome.VIOLATION}


def test_the_selected_rules_decide_what_is_read(account: Account, calls: Calls) -> None:
    """A rule on statements needs no role, no inventory and no destination; a rule on roles needs no policy."""
    make_functions(account, 3)
    found, _ = scanned(calls, rules=frozenset({"PG101"}))
    assert set(calls.made) == {"sts:GetCallerIdentity", "tagging:GetResources", "lambda:ListFunctions", GET_POLICY}
    assert {verdict.rule_id for verdict in verdicts_of(found)} == {"PG101"}
    calls.made.clear()
    found, _ = scanned(calls, rules=frozenset({"PG207"}))
    assert set(calls.made) == {
        "sts:GetCallerIdentity",
        "tagging:GetResources",
        "iam:GetAccountAuthorizationDetails",
        "lambda:ListFunctions",
        "lambda:ListEventSourceMappings",
        "lambda:ListFunctionEventInvokeConfigs",
    }
    assert {verdict.rule_id for verdict in verdicts_of(found)} == {"PG207"}


def test_functions_are_selected_by_their_names_and_tags(account: Account, calls: Calls) -> None:
    """All functions count as users of a role, whatever is selected."""
    make_an_account_of_all_kinds(account)
    found, _ = scanned(calls, functions=("pay*", "rep*"), tags={"team": "p*"})
    assert {one.report.target.name for one in found} == {"payments"}
    (of_role,) = [one for one in found if one.role_arn]
    assert [arn.rpartition(":")[2] for arn in of_role.functions] == ["orders", "payments"]


def test_the_configuration_excludes_functions(account: Account, calls: Calls) -> None:
    """By name nothing is read of them; by tag only the rules on their roles are evaluated."""
    make_an_account_of_all_kinds(account)
    by_name = Exclusion(reason="old", functions=("orders",))
    by_tag = Exclusion(reason="another team", tags={"team": "pay"})
    found, _ = scanned(calls, config=GuardConfig(exclusions=(by_name, by_tag)))
    reports = {one.report.target.name: one.report for one in found if not one.role_arn}
    assert reports["orders"].verdicts == ()
    assert reports["orders"].not_evaluated["PG209"] == "The configuration excludes the function: old"
    assert reports["payments"].verdicts == ()
    assert "PG101" in reports["payments"].not_evaluated
    assert "PG209" not in reports["payments"].not_evaluated
    assert reports["reports"].verdicts
    (of_role,) = [one for one in found if one.role_arn.endswith("/orders-role")]
    assert of_role.report.target.name == "payments"


def test_an_alias_of_latest_is_evaluated_if_a_trigger_names_it_and_else_named_as_not_evaluated(
    account: Account, calls: Calls
) -> None:
    """Where only the rules on policies are selected, aliases are not listed of functions without versions."""
    make_an_account_of_all_kinds(account)
    account.make_function("other")
    found, gaps = scanned(calls, rules=INVOKE)
    assert f"{TARGET.arn}:dev" in {verdict.function_arn for verdict in verdicts_of(found)}
    assert calls.made["lambda:ListAliases"] == 3, "not of the function other"
    (gap,) = [gap for gap in gaps if "aliases" in gap.what]
    assert (gap.kind, gap.remedy, gap.is_incomplete) == (GapKind.NOT_SELECTED, "Use --full.", False)


def test_a_policy_that_aws_denies_is_unknown_and_named(account: Account, calls: Calls) -> None:
    """It is never a pass, and the other functions are evaluated."""
    make_functions(account, 3)
    calls.deny("lambda.GetPolicy", only="function-001")
    found, gaps = scanned(calls, rules=INVOKE)
    by_name = {one.report.target.name: one.report for one in found}
    assert {verdict.outcome for verdict in by_name["function-001"].verdicts} == {Outcome.UNKNOWN}
    assert all("lambda:GetPolicy failed with AccessDenied" in one.reason for one in by_name["function-001"].verdicts)
    assert {verdict.rule_id for verdict in by_name["function-000"].violations} == {"PG102"}
    assert unread(gaps) == []


def test_a_denied_list_of_roles_falls_back_to_one_by_one(account: Account, calls: Calls) -> None:
    """Each role once, however many functions use it."""
    make_functions(account, 20)
    calls.deny("iam.GetAccountAuthorizationDetails", "AccessDenied")
    found, gaps = scanned(calls, rules=frozenset({"PG207", "PG210"}))
    assert calls.made["iam:GetRole"] == 5
    assert {verdict.outcome for verdict in verdicts_of(found)} == {Outcome.PASS}
    assert unread(gaps) == []


def test_roles_that_aws_denies_are_named_once(account: Account, calls: Calls) -> None:
    """Nothing passes, and after a few denied calls no other role is tried."""
    for number in range(12):
        account.iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
        account.make_function(f"function-{number}", f"arn:aws:iam::{ACCOUNT}:role/role-{number}")
    calls.deny("iam.GetAccountAuthorizationDetails", "AccessDenied")
    calls.deny("iam.GetRole", "AccessDenied")
    found, gaps = scanned(calls, rules=frozenset({"PG204", "PG207", "PG208", "PG209"}))
    assert verdicts_of(found) == []
    (gap,) = unread(gaps)
    assert (gap.what, gap.action, gap.is_denied) == ("the roles", "iam:GetAccountAuthorizationDetails", True)
    assert gap.rules == ("PG204", "PG207", "PG208", "PG209")
    assert gap.remedy == "Allow iam:GetAccountAuthorizationDetails."
    assert calls.made["iam:GetRole"] <= 5


@pytest.mark.parametrize(
    ("operation", "rule", "what"),
    [
        ("lambda.ListEventSourceMappings", "PG204", "the event source mappings"),
        ("sns.ListTopics", "PG112", "the triggers of sns.amazonaws.com"),
        ("cloudwatch-logs.DescribeLogGroups", "PG112", "the triggers of logs.amazonaws.com"),
    ],
)
def test_a_denied_list_is_named_once_and_the_rest_goes_on(
    account: Account, calls: Calls, operation: str, rule: str, what: str
) -> None:
    """One service that AWS denies does not stop the others."""
    make_functions(account, 3)
    calls.deny(operation)
    found, gaps = scanned(calls)
    gap = next(gap for gap in unread(gaps) if gap.what == what)
    assert gap.is_denied
    assert rule in gap.rules
    assert gap.functions == 3
    assert not [one for one in verdicts_of(found) if one.outcome is Outcome.UNKNOWN and "not allowed" in one.reason]
    assert len([verdict for verdict in verdicts_of(found) if verdict.rule_id == "PG102"]) == 3


def test_denied_tags_are_named_and_exclude_nothing_by_guessing(account: Account, calls: Calls) -> None:
    """While the tags could exclude a function, nothing of it is evaluated."""
    make_functions(account, 2)
    calls.deny("resource-groups-tagging-api.GetResources")
    found, gaps = scanned(calls, rules=frozenset({"PG102"}))
    assert len(verdicts_of(found)) == 2
    assert [(gap.what, gap.action) for gap in unread(gaps)] == [("the tags of the functions", "tag:GetResources")]
    config = GuardConfig(exclusions=(Exclusion(reason="another team", tags={"team": "pay"}),))
    found, gaps = scanned(calls, rules=frozenset({"PG102"}), config=config)
    assert verdicts_of(found) == []
    assert len(unread(gaps)) == 1


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("lambda.ListFunctions", DENIED, "AWS denied lambda:ListFunctions on region us-east-1"),
        ("sts.GetCallerIdentity", "ExpiredToken", "the AWS credentials have expired"),
        ("sts.GetCallerIdentity", "InvalidClientTokenId", "AWS does not know the credentials"),
    ],
)
def test_what_prevents_the_scan_is_one_line(
    account: Account,
    calls: Calls,
    operation: str,
    code: str,
    message: str,
) -> None:
    """The command line prints it, and goes on with the next account."""
    calls.deny(operation, code)
    with pytest.raises(ConfigurationError, match=message):
        scanned(calls)


def test_a_stopped_scan_gives_what_was_found_and_says_that_it_is_incomplete(account: Account, calls: Calls) -> None:
    """Ctrl-C sets the event."""
    make_functions(account, 30)
    stop = Event()
    options = BulkOptions(rate=None, policy_rate=None, workers=1, rules=frozenset({"PG102", "PG209"}))
    scan = RegionScan(calls.session, REGION, options, stop=stop)
    found = []
    for one in scan:
        found.append(one)
        if len(found) == 5:
            stop.set()
    assert 5 <= len(found) < 30
    assert not [one for one in found if one.role_arn], "who uses a role is not known"
    (gap,) = unread(scan.gaps)
    assert gap.kind is GapKind.STOPPED
    assert gap.reason.startswith(f"The scan was stopped: {len(found)} of ")


def test_the_progress_says_how_far_the_scan_is(account: Account, calls: Calls) -> None:
    """The command line shows it."""
    make_functions(account, 4)
    seen: list[Progress] = []
    options = BulkOptions(rate=None, policy_rate=None, workers=1, rules=frozenset({"PG102"}))
    scan = RegionScan(calls.session, REGION, options, on_progress=seen.append)
    assert (scan.progress.listed, unread(scan.gaps)) == (0, [])
    assert (scan.account, len(list(scan))) == (ACCOUNT, 4)
    last = seen[-1]
    assert (last.listed, last.is_listed, last.done, last.findings, last.waits_for) == (4, True, 4, 4, "")
    assert last.seconds_left == 0
    assert {rate.name: rate.calls for rate in last.rates}[GET_POLICY] == 4


def test_the_calls_are_within_the_limits_of_the_options(account: Account, calls: Calls) -> None:
    """A scan that is told to make two calls a second takes its time."""
    make_functions(account, 4)
    options = BulkOptions(rate=None, policy_rate=4.0, workers=4, rules=frozenset({"PG102"}))
    scan = RegionScan(calls.session, REGION, options)
    assert len(list(scan)) == 4
    assert scan.progress.seconds > 3 / 4


def test_threads_share_what_they_read(account: Account, calls: Calls) -> None:
    """With many threads each source, role and list is read once."""
    make_functions(account, 40)
    for number in range(40):
        account.map_queue(f"function-{number:03}")
    options = BulkOptions(rate=None, policy_rate=None, workers=16)
    list(RegionScan(calls.session, REGION, options))
    assert calls.made["iam:GetAccountAuthorizationDetails"] == 1
    assert calls.made["sqs:GetQueueAttributes"] <= 2
    assert calls.made["lambda:ListEventSourceMappings"] == 1
