"""`permission-guard notify test`: what it sends to whom, what it prints, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber
from typer.testing import CliRunner

from permission_guard.aws import clients
from permission_guard.aws.senders import signed_requests
from permission_guard.bootstrap import configuration, deployment
from permission_guard.cli.app import app
from permission_guard.config.destinations import Channel, ChannelType, NamedTicketSystem, Route, TicketType
from permission_guard.config.document import AlertLimit, Alerts, GuardConfig, Tickets
from permission_guard.errors import ConfigurationUnavailableError, MalformedEventError
from permission_guard.findings.requests import FindingRequest
from tests import sts
from tests.fakes import FUNCTION_ARN
from tests.integration.findings_command import deploy_with_findings
from tests.integration.requests import MANAGE_FINDINGS, Invocations, request
from tests.integration.test_delivery_ops_items import OpsCenter

if TYPE_CHECKING:
    from tests.integration.conftest import Account

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf"


class Done:
    """What the command printed, and its exit code."""

    def __init__(self, *words: str) -> None:
        result = CliRunner().invoke(app, ["notify", "test", *words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    @property
    def results(self) -> dict[str, Any]:
        """The results of JSON, by the names of the destinations."""
        return {one["name"]: one for one in json.loads(self.out)["results"]}


@pytest.fixture
def deployed(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a deployed stack, a topic with a mailbox and OpsCenter."""
    deploy_with_findings(account, monkeypatch)
    for name, variable in (("people", "TOPIC_ARN"), ("team", "")):
        topic = account.sns.create_topic(Name=name)["TopicArn"]
        account.queue(f"mail-{name}")
        endpoint = f"arn:aws:sqs:us-east-1:123456789012:mail-{name}"
        account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
        if variable:
            monkeypatch.setenv(variable, topic)
    account.config = GuardConfig(
        channels={"team": Channel(type=ChannelType.SNS, topic="arn:aws:sns:us-east-1:123456789012:team")},
        routes=(Route(id="payments", channels=("team", "sns")), Route(id="audit", channels=("sns",))),
    )
    return account


@pytest.fixture
def invocations(deployed: Account) -> Invocations:
    """Return what runs the senders."""
    return Invocations(deployed)


@pytest.fixture
def center(deployed: Account, monkeypatch: pytest.MonkeyPatch) -> OpsCenter:
    """Return OpsCenter, where the stack opens tickets."""
    monkeypatch.setenv("TICKET_SYSTEM", "opsitem")
    ssm = clients.prompt_client("ssm")
    moto: Any = botocore_stubber
    ssm.meta.events.unregister("before-send", moto)  # moto has no OpsCenter and rejects its calls
    return OpsCenter(ssm)


def test_every_destination_gets_a_labelled_sample_and_is_in_the_table(
    deployed: Account, invocations: Invocations, center: OpsCenter
) -> None:
    """With its type and the routes that lead to it. Nothing is recorded as a finding, and a closed ticket is left."""
    before = deployed.findings
    done = Done()
    assert (done.code, done.err) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if "│" in line]
    (item,) = center.items.values()
    mails = {name: json.loads(body) for name in ("people", "team") for body in deployed.received(f"mail-{name}")}
    assert rows == [
        ["sns", "alert channel, sns", "default, payments, audit", f"sent ({mails['people']['MessageId']})"],
        ["team", "alert channel, sns", "payments", f"sent ({mails['team']['MessageId']})"],
        ["opsitem", "ticket system, opsitem", "default", f"opened and closed ({item['OpsItemId']})"],
    ]
    assert "All destinations accepted the test." in done.out
    for mail in mails.values():
        assert mail["Subject"] == "[TEST] Permission Guard: test message"
        assert f"{sts.CALLER} (as the request says)" in mail["Message"]
    assert (item["Title"], item["Status"]) == ("[TEST] Permission Guard: test ticket", "Resolved")
    assert deployed.findings == before
    for run in invocations.runs.values():
        assert {line["by"] for line in run.lines if "test_message" in line} == {sts.CALLER}


def test_security_hub_is_tested_besides_the_ticket_system(
    deployed: Account, invocations: Invocations, center: OpsCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are default destinations, and a route can name one of them."""
    monkeypatch.setenv("IMPORT_TO_SECURITY_HUB", "true")
    deployed.config = GuardConfig(routes=(Route(id="audit", tickets=("securityhub",)),))
    results = Done("--format", "json").results
    tickets = {name: one for name, one in results.items() if one["kind"] == "ticket system"}
    assert {name: (one["sent"], one["is_default"], one["routes"]) for name, one in tickets.items()} == {
        "opsitem": (True, True, []),
        "securityhub": (True, True, ["audit"]),
    }
    (imported,) = clients.client("securityhub").get_findings()["Findings"]
    assert (imported["Id"], imported["RecordState"]) == (tickets["securityhub"]["reference"], "ARCHIVED")
    assert [item["Status"] for item in center.items.values()] == ["Resolved"]


def test_the_same_request_again_is_answered_without_another_message(
    deployed: Account, invocations: Invocations, center: OpsCenter
) -> None:
    """A lost answer does no harm."""
    answers = [deployed.run("manage_findings", request(kind="test-message")).answer for _ in range(2)]
    assert [[one["outcome"] for one in answer["results"]] for answer in answers] == [
        ["sent", "sent", "opened and closed"],
        ["already sent"] * 3,
    ]
    assert all(one["sent"] for answer in answers for one in answer["results"])
    assert len(deployed.received("mail-people")) == len(center.items) == 1


def test_one_that_fails_is_named_with_its_reason_and_the_others_are_sent(
    deployed: Account, invocations: Invocations
) -> None:
    """A channel that no route names is tried, too, and the table says so. The exit code is 1."""
    deployed.config = GuardConfig(
        channels={
            "broken": Channel(type=ChannelType.SLACK, secret=SECRET, channel="C0123ABCD"),
            "gone": Channel(type=ChannelType.SNS, topic="arn:aws:sns:us-east-1:123456789012:gone"),
        },
        tickets=Tickets(systems={"shop": NamedTicketSystem(type=TicketType.JIRA, secret=SECRET)}),
    )
    done = Done()
    assert done.code == 1
    assert "3 of 4 destinations failed." in done.out
    assert "none: no route names it" in done.out
    results = Done("--format", "json").results
    assert {name: one["sent"] for name, one in results.items()} == {
        "sns": True, "broken": False, "gone": False, "shop": False,
    }  # fmt: skip
    assert SECRET in results["broken"]["reason"]
    assert "NotFound" in results["gone"]["reason"]
    assert SECRET in results["shop"]["reason"]
    deployed.run("manage_findings", request(kind="test-message"))
    assert invocations.runs["send_alert"].counts == {"DestinationsTested": 3, "DestinationsFailed": 2}
    assert (results["shop"]["type"], results["shop"]["kind"]) == ("jira", "ticket system")


def test_a_channel_whose_limit_is_reached_does_not_get_a_test(deployed: Account, invocations: Invocations) -> None:
    """It has as many messages as it may have."""
    deployed.config = GuardConfig(alerts=Alerts(limit=AlertLimit(messages=2, minutes=10)))
    assert [Done("--format", "json").code for _ in range(3)] == [0, 0, 1]
    assert (
        "sns got 2 messages in 10 minutes, as many as alerts.limit allows"
        in Done("--format", "json").results["sns"]["reason"]
    )
    assert len(deployed.received("mail-people")) == 2


def test_without_a_readable_configuration_the_default_destinations_are_tried(
    deployed: Account, invocations: Invocations, center: OpsCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results say why the others are not, and the exit code is 1."""

    def unread(_settings: Any) -> Any:
        raise ConfigurationUnavailableError("AppConfig denied it")

    monkeypatch.setattr(configuration, "_deployed", unread)
    done = Done("--format", "json")
    assert done.code == 1
    found = [(one["name"], one["kind"], one["sent"]) for one in json.loads(done.out)["results"]]
    assert found == [
        ("sns", "alert channel", True),
        ("guard.yaml", "alert channel", False),
        ("opsitem", "ticket system", True),
        ("guard.yaml", "ticket system", False),
    ]
    assert done.out.count("were not tried: AppConfig denied it") == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {"FunctionError": "Unhandled", "Payload": {"errorType": "Sandbox.Timedout", "errorMessage": "hunter2"}},
            "send_alert did not answer: it failed with Sandbox.Timedout. See its log",
        ),
        (
            {"FunctionError": "Unhandled", "Payload": ["\x1b[2J"]},
            "send_alert did not answer: it failed with an error. See its log",
        ),
        ({"Payload": b"<html>"}, "send_alert did not answer: its answer is not JSON"),
        ({"Payload": {"batchItemFailures": []}}, "send_alert did not answer: the answer has no results of a test"),
        ({"Payload": {"results": [{}]}}, "send_alert did not answer: the result of a test is not readable"),
        (
            {"status": 403, "Error": {"Code": "AccessDeniedException", "Message": "no"}, "Payload": b""},
            "send_alert did not answer: Invoke failed with AccessDeniedException",
        ),
        (ReadTimeoutError(endpoint_url="https://x"), "send_alert did not answer: it took too long. See its log"),
    ],
)
def test_a_function_that_does_not_answer_is_a_result_too(
    deployed: Account, invocations: Invocations, center: OpsCenter, answer: Any, reason: str
) -> None:
    """The other one is tried. What a function says when it fails is not shown: it may have a secret."""
    invocations.answers["send_alert"] = answer
    done = Done("--format", "json")
    assert done.code == 1
    assert (done.results["send_alert"]["reason"], done.results["opsitem"]["sent"]) == (reason, True)
    assert Done().out.count("hunter2") == 0


def test_without_tickets_only_the_channels_are_tested(
    deployed: Account, invocations: Invocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack has no permission to invoke the other function."""
    monkeypatch.setenv("OPEN_TICKET_FUNCTION", "")
    assert Done("--format", "json").code == 0
    assert list(invocations.events) == ["send_alert"]


def test_if_nothing_is_configured_the_command_says_what_to_configure(
    deployed: Account, invocations: Invocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 1: no alert reaches anybody."""
    monkeypatch.setenv("TOPIC_ARN", "")
    deployed.config = GuardConfig()
    for words in ((), ("--format", "json")):
        done = Done(*words)
        assert done.code == 1
        assert done.err.startswith(
            "Nothing is configured: there is no alert channel and no ticket system. Set AlertEmail"
        )
    assert json.loads(done.out) == {"results": []}


@pytest.mark.parametrize("function", ["send_alert", "open_ticket"])
@pytest.mark.parametrize("changed", [{"detail": {}}, {"source": "somebody"}, {"detail": None}])
def test_a_direct_invocation_with_another_event_sends_nothing(
    deployed: Account, invocations: Invocations, center: OpsCenter, function: str, changed: dict[str, Any]
) -> None:
    """It fails, and what was sent is only what was requested before."""
    deployed.run("manage_findings", request(kind="test-message"))
    deployed.received("mail-people")
    with pytest.raises(MalformedEventError):
        deployed.run(function, {**invocations.events[function], **changed})
    assert deployed.received("mail-people") == []
    assert len(center.items) == 1


def test_the_command_waits_longer_than_the_functions_and_sends_the_request_once(
    account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request is repeated: its effect is the same."""
    configs: list[Any] = []
    created: Any = boto3.Session.client

    def client(session: Any, service: str, **options: Any) -> Any:
        configs.append(options.get("config"))
        return created(session, service, **options)

    monkeypatch.setattr(boto3.Session, "client", client)
    for fields in ({"kind": "test-message"}, {"kind": "recheck", "target_arn": FUNCTION_ARN}):
        with pytest.raises(Exception, match="could not be invoked"):
            signed_requests.send_finding_request(
                FindingRequest.from_document({"nonce": "0" * 32, **fields}), MANAGE_FINDINGS
            )
    assert [(one.read_timeout, one.retries["total_max_attempts"]) for one in configs] == [(85, 1), (35, 3)]


def test_a_refused_request_is_not_done(deployed: Account, server: sts.Sts) -> None:
    """The reason is on standard error."""
    server.caller = "arn:aws:iam::999999999999:user/eve"
    done = Done()
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Not done: arn:aws:iam::999999999999:user/eve is not a principal")


def test_without_a_stack_the_error_says_what_to_name(account: Account, server: sts.Sts) -> None:
    """And an invalid option is a usage error."""
    done = Done("--stack-name", "guard")
    assert (done.code, done.err.startswith("there is no stack guard in us-east-1")) == (1, True)
    assert Done("--stack-name", "1").code == 2
    assert Done("--format", "xml").code == 2


def test_an_answer_of_an_older_stack_is_not_taken_for_a_success(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function only put a message into the queue."""
    monkeypatch.setattr(deployment, "send_finding_request", lambda *_given: {"done": True, "kind": "test-message"})
    done = Done()
    assert (done.code, done.err) == (1, "Not done: the answer has no results of a test\n")
