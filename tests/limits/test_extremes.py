"""Accounts at AWS's limits: every finding reaches the table, the bus, the topic and OpsCenter."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.tables.role_index import entry_of
from permission_guard.checks.engine import MAX_VIOLATIONS
from permission_guard.model.state import ManagedBy
from permission_guard.model.targets import RoleTarget
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION, ROLE_ARN, TARGET
from tests.integration.conftest import cloudtrail
from tests.limits.extremes import Extreme, Lambda, answer
from tests.limits.test_large_policies import MAX_POLICY, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.conftest import Account

VERSIONS, ALIASES = 75, 20


@pytest.fixture
def extreme(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    record_testsuite_property: Any,
) -> Iterator[Extreme]:
    """Return an account at AWS's limits. Its figures are in the report that `--junitxml` writes, with `-n 0`."""
    found = Extreme(account, monkeypatch)
    yield found
    record_testsuite_property(request.node.name, json.dumps(asdict(found.figures)))


def permission_changed(name: str) -> dict[str, Any]:
    """Return the event of a change of a function's policy."""
    return cloudtrail("add_permission", functionName=name)


def mapping_created(name: str) -> dict[str, Any]:
    """Return the event of a new event source mapping of a function."""
    event = cloudtrail("create_event_source_mapping", functionName=name)
    event["detail"]["responseElements"]["functionArn"] = replace(TARGET, name=name).arn
    return event


def policy(*statements: Mapping[str, Any]) -> str:
    """Return a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def mapping(number: int, function_arn: str, queue_arn: str) -> dict[str, Any]:
    """Return an event source mapping."""
    uuid = f"0e6f4d9c-7c5b-4c5b-9a53-{number:012}"
    return {"UUID": uuid, "FunctionArn": function_arn, "EventSourceArn": queue_arn, "State": "Enabled"}


def test_the_largest_policy(extreme: Extreme) -> None:
    """One statement allows seven services, with a condition that fills the policy."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SERVICES},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
        "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": ""}},
    }
    room = MAX_POLICY - len(policy(statement))
    statement["Condition"] = {"StringNotEquals": {"aws:PrincipalTag/team": "x" * room}}
    assert len(policy(statement)) == MAX_POLICY
    Lambda({TARGET.name: ROLE_ARN}, policies={None: policy(statement)})
    extreme.check("check_invoke_policy", permission_changed(TARGET.name))
    assert sorted(finding.rule_id for finding in extreme.deliver()) == ["PG102", "PG113"]
    assert extreme.figures.largest_document > MAX_POLICY


def test_the_most_findings_of_one_policy(extreme: Extreme) -> None:
    """Each statement violates six rules, and there are as many as the policy can have."""
    name = "f"
    arn = replace(TARGET, name=name).arn

    def statement(number: int) -> dict[str, Any]:
        services = ["s3.amazonaws.com", "sqs.amazonaws.com", "alexa-appkit.amazon.com"]
        principal = {"AWS": ["*", f"{999999999999 - number}"], "Service": services}
        return {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": arn}

    count = next(count for count in range(200) if len(policy(*map(statement, range(count + 1)))) > MAX_POLICY)
    Lambda({name: ROLE_ARN}, policies={None: policy(*map(statement, range(count)))})
    extreme.check("check_invoke_policy", permission_changed(name))
    found = Counter(finding.rule_id for finding in extreme.deliver())
    assert found.pop("PG113") == 1
    assert found == dict.fromkeys(("PG101", "PG102", "PG105", "PG106", "PG108", "PG109"), count)
    assert count > 90


def test_the_most_findings_of_one_function(extreme: Extreme) -> None:
    """Each version and alias has thirty statements. Each rule reports two hundred findings, and that there are more."""
    versions, aliases = [str(number + 1) for number in range(VERSIONS)], [f"a{number}" for number in range(ALIASES)]
    arns: dict[str | None, str] = {one: f"{FUNCTION_ARN}:{one}" for one in (*versions, *aliases)}
    arns[None] = FUNCTION_ARN

    def statement(arn: str, number: int) -> dict[str, Any]:
        services = ["s3.amazonaws.com", "sqs.amazonaws.com", "alexa-appkit.amazon.com"]
        principal = {"AWS": ["*", f"{999999999999 - number}"], "Service": services}
        return {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": arn}

    Lambda(
        {TARGET.name: ROLE_ARN},
        versions=["$LATEST", *versions],
        aliases=aliases,
        policies={one: policy(*(statement(arn, number) for number in range(30))) for one, arn in arns.items()},
    )
    run = extreme.check("check_invoke_policy", permission_changed(TARGET.name), expected=["verdict is unknown"])
    found = Counter(finding.rule_id for finding in extreme.account.findings)
    rules = ("PG101", "PG102", "PG105", "PG106", "PG108", "PG109")
    assert found == dict.fromkeys(rules, MAX_VIOLATIONS)
    assert run.counts["VerdictsUnknown"] == len(rules)


def test_versions_and_aliases_with_policies_of_their_own(extreme: Extreme) -> None:
    """Each policy allows any bucket, and each alias polls a queue that the role may not read."""
    versions, aliases = [str(number + 1) for number in range(VERSIONS)], [f"live-{number}" for number in range(ALIASES)]
    arns: dict[str | None, str] = {one: f"{FUNCTION_ARN}:{one}" for one in (*versions, *aliases)}
    arns[None] = FUNCTION_ARN
    anybody = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction"}
    extreme.account.make_role()
    for number in range(ALIASES):
        extreme.account.queue(f"orders-{number}")
    queues = [f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-{number}" for number in range(ALIASES)]
    Lambda(
        {TARGET.name: ROLE_ARN},
        versions=["$LATEST", *versions],
        aliases=aliases,
        # The same statement on a version would be part of the function's finding.
        policies={
            one: policy({**anybody, "Sid": f"any{number}", "Resource": arn})
            for number, (one, arn) in enumerate(arns.items())
        },
        mappings=[mapping(number, arns[aliases[number]], queue) for number, queue in enumerate(queues)],
    )
    extreme.check("check_invoke_policy", permission_changed(TARGET.name))
    extreme.check("check_execution_role", mapping_created(TARGET.name))
    findings = extreme.deliver()
    assert Counter(finding.rule_id for finding in findings) == {"PG102": 1 + VERSIONS + ALIASES, "PG201": ALIASES}
    assert {one.function_arn for one in findings if one.rule_id == "PG102"} == set(arns.values())
    assert {one.evidence["event_source_arn"] for one in findings if one.rule_id == "PG201"} == set(queues)


@pytest.mark.parametrize(("name", "alias"), [("f" * 64, "a" * 128), ("f" * 140, "a" * 68)], ids=["created", "accepted"])
def test_names_of_the_maximum_length(extreme: Extreme, name: str, alias: str) -> None:
    """Lambda creates functions with 64 characters, and its API accepts 140 but at most 256 for the whole ARN."""
    role_name, queue, stack = "r" * 64, "q" * 80, "s" * 128
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/{'p' * 510}/{role_name}"
    function_arn = replace(TARGET, name=name).arn
    extreme.account.make_role(role_arn)
    extreme.account.queue(queue)
    anybody = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction"}
    policies = {
        one: policy({**anybody, "Sid": "i" * 100, "Resource": arn})
        for one, arn in ((None, function_arn), (alias, f"{function_arn}:{alias}"))
    }
    Lambda(
        {name: role_arn},
        aliases=[alias],
        policies=policies,
        mappings=[mapping(1, f"{function_arn}:{alias}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")],
        tags={"aws:cloudformation:stack-name": stack, **{f"{number:02}{'k' * 126}": "v" * 256 for number in range(49)}},
    )
    extreme.check("check_invoke_policy", permission_changed(name))
    extreme.check("check_execution_role", mapping_created(name))
    findings = extreme.deliver()
    assert Counter(finding.rule_id for finding in findings) == {"PG102": 2, "PG201": 1}
    (unreadable,) = [finding for finding in findings if finding.rule_id == "PG201"]
    assert (unreadable.evidence["role_arn"], unreadable.managed_by) == (role_arn, ManagedBy("cloudformation", stack))
    (alert,) = [alert for alert in extreme.alerts if alert["MessageAttributes"]["rule_id"]["StringValue"] == "PG201"]
    assert all(text in alert["Message"] for text in (f"{name}:{alias}", role_arn, queue, stack))


def test_a_role_of_ten_thousand_functions(extreme: Extreme) -> None:
    """A change of the role checks fifty functions and requests the others; its finding counts them all."""
    role = RoleTarget(ACCOUNT, ROLE_ARN.rpartition("/")[2])
    targets = [replace(TARGET, name=f"{number:05}{'f' * 59}") for number in range(10_000)]
    entries = [entry_of(role, target) for target in targets]
    extreme.account.make_role()
    Lambda({target.name: ROLE_ARN for target in targets})

    def query(params: dict[str, Any]) -> dict[str, Any] | None:
        return {"Items": entries} if params["ExpressionAttributeValues"].get(":pk") == {"S": "ROLES"} else None

    def get_item(params: dict[str, Any]) -> dict[str, Any] | None:
        return {"Item": params["Key"]} if params["Key"].get("pk") == {"S": "ROLES"} else None

    answer("dynamodb", Query=query, GetItem=get_item)
    run = extreme.check("check_execution_role", cloudtrail("put_role_policy", roleName=role.name))
    assert (run.counts["FunctionsChecked"], run.counts["ChecksRequested"]) == (50, 9_950)
    requested = Counter(arn for body in extreme.requests for arn in body["detail"]["functions"])
    assert requested == dict.fromkeys((target.arn for target in targets[50:]), 1)
    assert run.calls.count("sqs:SendMessageBatch") == 995
    (finding,) = extreme.deliver()
    assert (finding.rule_id, finding.target_arn, finding.evidence["count"]) == ("PG209", ROLE_ARN, 10_000)
