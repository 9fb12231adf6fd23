"""The bot narrows statements: the true source still invokes, others do not, and an undo restores the statement.

All functions are made and all statements broadened at once, so that the tests share the time until the fixes.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.iam import EvalDecision, PolicySet, evaluate, parse_policy
from permission_guard.invokers.trigger_calls import requests_of
from permission_guard.model.state import ResourcePolicy
from permission_guard.model.state import Trigger as Configured
from sandbox.client import configuration
from sandbox.client.process import ACCOUNT, REGION, poll
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import CONFIGURATION, Bot
from tests.e2e.deciding import Person, has_fix
from tests.e2e.sources import Sources
from tests.e2e.triggers import INVOKE, Bucket, Rule, Target, Topic, Trigger, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.client.watcher import Finding

Statement = dict[str, Any]

BROAD = "broad"
OTHER_ACCOUNT = "111122223333"
MORE_THAN_ENOUGH = "500"
"""The limit of fixes an hour: the tests of this stack make more than the default of 20."""
NO_EXTERNAL_SOURCES = ("narrowed-rule", "listed-*", "watched")
"""The functions that no source of another account invokes: their statements are narrowed without an approval."""
NARROWED: dict[str, type[Trigger]] = {"bucket": Bucket, "topic": Topic, "rule": Rule}
OF_ACCOUNT = {"StringEquals": {"AWS:SourceAccount": ACCOUNT}}


def arn(service: str, resource: str) -> str:
    """Return an ARN of this account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def by_arn(service: str, resource: str, *, with_account: bool = False) -> Statement:
    """Return the condition on a source, as Lambda writes it for AddPermission."""
    condition: Statement = {"ArnLike": {"AWS:SourceArn": arn(service, resource)}}
    return {**condition, **OF_ACCOUNT} if with_account else condition


@dataclass(frozen=True)
class Listed:
    """A service whose invocations the sandbox does not refuse: its principal, and the right conditions by its ids."""

    kind: str
    principal: str
    conditions: Callable[[dict[str, str]], list[Statement]]

    @property
    def source(self) -> str:
        """The name of its source."""
        return f"listed{self.kind.replace('_', '')}"


LISTED = (
    Listed(
        "rest_api",
        "apigateway",
        lambda ids: [
            by_arn("execute-api", f"{ids['rest']}/live/GET/"),
            by_arn("execute-api", f"{ids['rest']}/authorizers/{ids['authorizer']}"),
        ],
    ),
    Listed(
        "http_api",
        "apigateway",
        lambda ids: [
            by_arn("execute-api", f"{ids['http']}/$default/GET/orders"),
            by_arn("execute-api", f"{ids['http']}/authorizers/{ids['authorizer']}"),
        ],
    ),
    Listed("logs", "logs", lambda _: [by_arn("logs", "log-group:listedlogs:*", with_account=True)]),
    Listed(
        "target_group",
        "elasticloadbalancing",
        lambda ids: [by_arn("elasticloadbalancing", ids["group"].split(":", 5)[5], with_account=True)],
    ),
    Listed(
        "iot",
        "iot",
        lambda _: [
            by_arn("iot", "rule/listediot", with_account=True),
            by_arn("iot", "authorizer/listediot", with_account=True),
        ],
    ),
    Listed("pool", "cognito-idp", lambda ids: [by_arn("cognito-idp", f"userpool/{ids['pool']}", with_account=True)]),
    Listed("config", "config", lambda _: [OF_ACCOUNT]),
    Listed("secret", "secretsmanager", lambda _: [OF_ACCOUNT]),
)


@dataclass(frozen=True)
class Prepared:
    """What was made: the sources of the functions that are narrowed, and the ids of the others."""

    true: dict[str, Trigger]
    other: dict[str, Trigger]
    ids: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def bot(fixing_bot: Bot) -> Iterator[Bot]:
    """The stack that fixes by itself, which several modules share. Some functions have no external sources here."""

    def push(**changes: Any) -> None:
        configuration.push(fixing_bot.aws, fixing_bot.outputs, {**CONFIGURATION, **changes})
        fixing_bot.restart("ApplyFixFunction", MAX_FIXES_AN_HOUR=MORE_THAN_ENOUGH)

    push(fixes={"no_external_sources": list(NO_EXTERNAL_SOURCES)})
    yield fixing_bot
    push()


@pytest.fixture(scope="module")
def person(bot: Bot) -> Person:
    """Return a person who may read findings and decide."""
    return Person(bot, "policy-person")


@pytest.fixture(scope="module")
def prepared(bot: Bot) -> Prepared:
    """Connect sources and broaden statements, before the bot is notified of any of it.

    Another source invokes each function, too, while it may. It is disconnected before the bot lists the sources, or it
    would be a true one.
    """
    bot.wait_for_checks()
    bot.aws.deliver(hold=True)
    try:
        made = Prepared(*_narrowed(bot), _listed(bot))
        bot.aws.end_environments()  # the inventories that they have read are kept for a minute
    finally:
        bot.aws.deliver(hold=False)
    bot.wait_for_checks()
    return made


def _narrowed(bot: Bot) -> tuple[dict[str, Trigger], dict[str, Trigger]]:
    """Return the true and the other sources of the functions for which the sandbox refuses invocations."""
    true: dict[str, Trigger] = {}
    other: dict[str, Trigger] = {}
    for name, kind in NARROWED.items():
        target = recording(bot.engineer, f"narrowed-{name}")
        true[name], other[name] = (kind(bot.aws, f"{target.name}-{which}") for which in ("true", "other"))
        target.permit(BROAD, {"Principal": kind.service})
        for source in (true[name], other[name]):
            source.connect(target.arn)
            assert target.is_invoked_by(source)
        other[name].disconnect()
    target, true["watched"] = recording(bot.engineer, "watched"), Rule(bot.aws, "watched")
    target.permit(BROAD, {"Principal": Rule.service})
    true["watched"].connect(target.arn)
    return true, other


def _listed(bot: Bot) -> dict[str, dict[str, str]]:
    """Return the ids of the sources of the other functions."""
    ids = {}
    for one in LISTED:
        target = recording(bot.engineer, f"listed-{one.kind}")
        target.permit(BROAD, {"Principal": f"{one.principal}.amazonaws.com"})
        ids[one.kind] = Sources(bot.aws, target.arn, one.kind, name=one.source).ids
    return ids


def statements(bot: Bot, name: str) -> list[Statement]:
    """Return the statements of a function's policy."""
    document = json.loads(bot.engineer.functions.get_policy(FunctionName=name)["Policy"])
    found: list[Statement] = document["Statement"]
    return found


def broad(target: Target, principal: str) -> Statement:
    """Return the statement that allows a service for any source, as Lambda writes it."""
    what = {"Action": INVOKE, "Resource": target.arn}
    return {"Sid": BROAD, "Effect": "Allow", "Principal": {"Service": principal}, **what}


def narrow(target: Target, principal: str, *conditions: Statement) -> list[Statement]:
    """Return the statements that name sources, without their Sids."""
    given = broad(target, principal)
    del given["Sid"]
    return [{**given, "Condition": condition} for condition in conditions]


def decisions(target: Target, principal: str, source_arn: str, by: Sequence[Statement]) -> set[EvalDecision]:
    """Return the decisions of the project's own evaluator on the requests of a source of another account.

    There are several where AWS does not document whether the service's principal has a region.
    """
    policy = ResourcePolicy(target.arn, None, parse_policy({"Version": "2012-10-17", "Statement": list(by)}))
    source = Configured(principal, source_arn, (source_arn,), OTHER_ACCOUNT, target.arn, "their source")
    requests = requests_of(source, INVOKE, policy, None)
    return {evaluate(request, PolicySet(resource=policy.document)).decision for request in requests}


def applied(bot: Bot, target: Target) -> Finding:
    """Wait until the statement is narrowed and the rule passes; return the finding, whose plan was proven."""
    bot.watcher.finding(target.arn, "PG102", has_fix("applied"), deadline=2 * DEADLINE)
    finding = bot.watcher.finding(target.arn, "PG102", lambda one: bool(one["status"] == "resolved"))
    fix, kept = finding["fix"], statements(bot, target.name)
    assert (fix["certificate"]["kind"], fix["certificate"]["holds"]) == ("narrow", True)
    assert fix["certificate"]["grounds"] != []
    added = [("lambda:AddPermission", one["Sid"]) for one in kept]
    assert Counter((call["operation"], call["parameters"]["StatementId"]) for call in fix["calls"]) == Counter(
        [*added, ("lambda:RemovePermission", BROAD)]
    )
    assert fix["calls"][-1]["operation"] == "lambda:RemovePermission"
    assert all(one["Sid"].startswith("permission-guard-") for one in kept)
    return finding


def named(statements: Sequence[Statement]) -> list[Statement]:
    """Return statements without their Sids, in an order of their own."""
    without = [{key: value for key, value in one.items() if key != "Sid"} for one in statements]
    return sorted(without, key=json.dumps)


@pytest.mark.parametrize("name", NARROWED)
def test_the_bot_narrows_a_statement_to_its_source(bot: Bot, prepared: Prepared, person: Person, name: str) -> None:
    """Only the true source still invokes, and no source of another account. The undo restores the statement.

    A person approves it, unless the configuration says that the function has no sources in other accounts.
    """
    target, true, other = Target(bot.aws, f"narrowed-{name}"), prepared.true[name], prepared.other[name]
    before = [broad(target, true.service)]
    if target.name not in NO_EXTERNAL_SOURCES:
        proposed = bot.watcher.finding(target.arn, "PG102", has_fix("proposed"), deadline=2 * DEADLINE)
        assert "Sources of other accounts cannot be seen" in proposed["fix"]["summary"]
        assert statements(bot, target.name) == before
        person.approve(proposed)
    finding = applied(bot, target)
    assert finding["fix"]["decided_by"] == ("" if target.name in NO_EXTERNAL_SOURCES else person.arn)

    after = statements(bot, target.name)
    condition = {"ArnLike": {"AWS:SourceArn": true.arn}, **(OF_ACCOUNT if name == "bucket" else {})}
    assert named(after) == named(narrow(target, true.service, condition))
    theirs = true.arn.replace("-true", "-theirs").replace(ACCOUNT, OTHER_ACCOUNT)
    assert EvalDecision.ALLOWED in decisions(target, true.service, theirs, by=before)
    assert decisions(target, true.service, theirs, by=after) == {EvalDecision.IMPLICIT_DENY}
    other.connect(target.arn)
    assert [target.is_invoked_by(true), target.is_invoked_by(other)] == [True, False]

    person.undo(finding)
    undone = bot.watcher.finding(target.arn, "PG102", has_fix("undone"), deadline=2 * DEADLINE)
    bot.close_breaker()
    assert (undone["status"], undone["fix"]["undo_record"]["by"]) == ("open", person.arn)
    assert statements(bot, target.name) == before
    assert [target.is_invoked_by(true), target.is_invoked_by(other)] == [True, True]


@pytest.mark.parametrize("one", LISTED, ids=lambda one: one.kind)
def test_the_bot_writes_a_statement_for_each_source_of_a_service(bot: Bot, prepared: Prepared, one: Listed) -> None:
    """As AWS itself writes it: with the account where the service sends it, and the account alone where AWS says so."""
    target, principal = Target(bot.aws, f"listed-{one.kind}"), f"{one.principal}.amazonaws.com"
    applied(bot, target)
    conditions = one.conditions(prepared.ids[one.kind])
    after = statements(bot, target.name)
    assert named(after) == named(narrow(target, principal, *conditions))
    for condition in conditions:
        source = condition.get("ArnLike", {}).get("AWS:SourceArn", arn(one.principal, "source"))
        theirs = source.replace(ACCOUNT, OTHER_ACCOUNT)
        assert EvalDecision.ALLOWED in decisions(target, principal, theirs, by=[broad(target, principal)])
        assert decisions(target, principal, theirs, by=after) == {EvalDecision.IMPLICIT_DENY}


def test_failing_deliveries_after_a_narrowing_undo_it(bot: Bot, prepared: Prepared) -> None:
    """More events of the rule fail than before, and the bot itself restores what was before.

    The sandbox lets no event fail while the statement of the fix is there, so the metrics are put.
    """
    target, rule = Target(bot.aws, "watched"), prepared.true["watched"]
    finding = applied(bot, target)
    assert target.is_invoked_by(rule)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    poll(lambda: minute(datetime.now(UTC)) > minute(finding["fix"]["at"]), deadline=65, what="next minute")
    cloudwatch = bot.aws.client("cloudwatch")
    for namespace, name, key, value, at in (
        ("AWS/Lambda", "Invocations", "FunctionName", target.name, an_hour_ago),
        ("AWS/Events", "FailedInvocations", "RuleName", rule.arn.rpartition("/")[2], datetime.now(UTC)),
    ):
        data = {"MetricName": name, "Dimensions": [{"Name": key, "Value": value}], "Timestamp": at, "Value": 5.0}
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])
    reply = bot.engineer.functions.invoke(FunctionName=bot.resource("MaintainFindingsFunction"), Payload=b"{}")
    assert "FunctionError" not in reply, reply["Payload"].read()

    undone = bot.watcher.finding(target.arn, "PG102", has_fix("undone"))
    bot.close_breaker()
    request = undone["fix"]["undo_record"]
    assert (undone["status"], request["by"]) == ("open", "the bot itself")
    assert f"FailedInvocations of {rule.arn} rose from 0 to 5." in request["reason"]
    assert statements(bot, target.name) == [broad(target, Rule.service)]
    assert target.is_invoked_by(rule)
    assert request["reason"] in bot.watcher.alert(finding["id"], "Fix Undone")["Message"]


def minute(time: datetime | str) -> str:
    """Return a time without its seconds, in UTC."""
    return (time if isinstance(time, str) else time.isoformat())[: len("2026-11-30T09:30")]
