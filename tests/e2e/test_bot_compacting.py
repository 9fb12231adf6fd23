"""The deployed stack with AtomicNarrowing=true: a full policy is compacted by one call, and takes permissions again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.iam import EvalDecision, PolicySet, evaluate, parse_policy
from permission_guard.invokers.trigger_calls import requests_of
from permission_guard.model.state import ResourcePolicy, Trigger
from sandbox.client.process import ACCOUNT, REGION
from tests.e2e.bot import WITHOUT_TICKETS, Bot, deployed
from tests.e2e.deciding import Person, has_fix
from tests.e2e.triggers import INVOKE

if TYPE_CHECKING:
    from collections.abc import Iterator

Statement = dict[str, Any]

SERVICE = "apigateway.amazonaws.com"
RULES, MORE, BYTES, LIMIT = 60, 10, 20_300, 20_480


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    """The stack that may replace policies, and compacts them without an approval."""
    document = {**WITHOUT_TICKETS, "rules": {"PG113": {"fix": "auto"}}}
    with deployed(document, FixMode="auto", AtomicNarrowing="true", TicketSystem="none") as running:
        yield running


@pytest.fixture(scope="module")
def api(bot: Bot) -> str:
    """Return the ARN of an API, as the beginning of what it sends as the source."""
    made = bot.aws.client("apigateway").create_rest_api(name="orders")
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{made['id']}"


def route(api: str, number: int) -> str:
    """Return the source ARN of a route of an API."""
    return f"{api}/*/GET/orders/{number:02}/{'items/' * 4}list"


def full_policy(function_arn: str, api: str) -> list[Statement]:
    """Return the statements of a policy of 20,300 bytes: each rule allows a route of one API."""
    given = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": INVOKE, "Resource": function_arn}
    rules: list[Statement] = [
        {"Sid": f"api-rule-{number:02}", **given, "Condition": {"ArnLike": {"AWS:SourceArn": route(api, number)}}}
        for number in range(RULES)
    ]
    rules[-1]["Sid"] += "x" * (BYTES - len(text(rules)))
    return rules


def text(statements: list[Statement]) -> str:
    """Return a policy as Lambda stores it, without spaces."""
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements}, separators=(",", ":"))


def policy(bot: Bot, name: str) -> str:
    """Return the policy of a function."""
    return str(bot.engineer.functions.get_policy(FunctionName=name)["Policy"])


def is_allowed(function_arn: str, source_arn: str, document: str) -> bool:
    """Return whether a policy allows every request of a route, by the project's own evaluator."""
    given = ResourcePolicy(function_arn, None, parse_policy(document))
    source = Trigger(SERVICE, source_arn, (source_arn,), ACCOUNT, function_arn, "a route")
    requests = requests_of(source, INVOKE, given, None)
    found = {evaluate(request, PolicySet(resource=given.document)).decision for request in requests}
    assert found in ({EvalDecision.ALLOWED}, {EvalDecision.IMPLICIT_DENY})
    return found == {EvalDecision.ALLOWED}


def add(bot: Bot, name: str, api: str, number: int) -> None:
    """Add the permission for another route."""
    bot.engineer.permit(name, f"more-{number}", SERVICE, SourceArn=f"{api}/*/POST/orders/{number}")


def test_a_full_policy_is_compacted_and_takes_ten_more_permissions(bot: Bot, api: str, unique: str) -> None:
    """Each route is allowed as before, and no other one is."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    before = full_policy(arn, api)
    assert (len(before), len(text(before))) == (RULES, BYTES)
    bot.aws.deliver(hold=True)
    bot.engineer.functions.put_resource_policy(ResourceArn=arn, Policy=text(before))
    full = policy(bot, unique)
    with pytest.raises(bot.engineer.functions.exceptions.PolicyLengthExceededException, match=str(LIMIT)):
        add(bot, unique, api, 0)
    bot.aws.deliver(hold=False)

    bot.watcher.finding(arn, "PG113", has_fix("applied"))
    finding = bot.watcher.finding(arn, "PG113", lambda one: bool(one["status"] == "resolved"))
    fix, compact = finding["fix"], policy(bot, unique)
    assert (fix["certificate"]["kind"], fix["certificate"]["holds"]) == ("compact", True)
    assert [call["operation"] for call in fix["calls"]] == ["lambda:PutResourcePolicy"]
    assert len(json.loads(compact)["Statement"]) < RULES
    assert len(compact) < BYTES / 2
    others = (f"{api}/*/PUT/orders", route(api, RULES), route(f"{api}x", 0))
    expected = {**{route(api, number): True for number in range(RULES)}, **dict.fromkeys(others, False)}
    for document in (full, compact):
        assert {source: is_allowed(arn, source, document) for source in expected} == expected

    for number in range(MORE):
        add(bot, unique, api, number)
    assert len(json.loads(policy(bot, unique))["Statement"]) == len(json.loads(compact)["Statement"]) + MORE
    assert len(policy(bot, unique)) < LIMIT


def test_one_call_narrows_a_statement_and_one_restores_it(bot: Bot, unique: str) -> None:
    """There is no moment with both statements, and none without any."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    sns = bot.aws.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    bot.wait_for_checks()
    bot.aws.end_environments()  # they have listed the topics before
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    before = policy(bot, unique)

    person = Person(bot, f"{unique}-person")
    person.approve(bot.watcher.finding(arn, "PG102", has_fix("proposed")))
    finding = bot.watcher.finding(arn, "PG102", has_fix("applied"))
    assert [call["operation"] for call in finding["fix"]["calls"]] == ["lambda:PutResourcePolicy"]
    (statement,) = json.loads(policy(bot, unique))["Statement"]
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": topic}}
    finding = bot.watcher.finding(arn, "PG102", lambda one: bool(one["status"] == "resolved"))
    person.undo(finding)
    undone = bot.watcher.finding(arn, "PG102", has_fix("undone"))
    assert [call["operation"] for call in undone["fix"]["undo_record"]["calls"]] == ["lambda:PutResourcePolicy"]
    assert json.loads(policy(bot, unique)) == json.loads(before)


def test_the_role_still_adds_statements_for_the_services_on_its_list_only(bot: Bot, unique: str) -> None:
    """What PutResourcePolicy needs besides is no right to call AddPermission for others."""
    bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    functions = bot.fixer()("lambda")
    grant = {"FunctionName": unique, "StatementId": "given", "Action": INVOKE}
    for principal in ("*", ACCOUNT, "ses.amazonaws.com"):
        with pytest.raises(functions.exceptions.ClientError, match="AccessDenied"):
            functions.add_permission(**grant, Principal=principal)
    functions.add_permission(**grant, Principal=SERVICE)
