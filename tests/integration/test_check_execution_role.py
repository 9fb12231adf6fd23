"""The execution role scope: from a CloudTrail event to the finding in the table."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse

from permission_guard.aws import clients
from permission_guard.intake.check_requests import check_request_body
from permission_guard.model.findings import Status
from tests.fakes import FUNCTION_ARN, NOW, OTHER, QUEUE_ARN, ROLE_ARN, SQS_POLICY, SQS_POLICY_ARN, TARGET, allow
from tests.integration.conftest import cloudtrail, sqs_event
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

ROLE = "orders-role"


def polling(account: Account) -> str:
    """Create a function that polls a queue with a role that may only write logs; return the mapping's UUID."""
    account.make_role()
    account.make_function()
    account.attach_new_policy(allow("logs:*"))
    return account.map_queue()


def test_a_mapping_whose_role_lacks_read_permissions_becomes_a_finding(account: Account) -> None:
    """The finding names the actions, the role, the queue and a sufficient policy."""
    uuid = polling(account)
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert run.failed == []
    finding = account.finding
    assert (finding.rule_id, finding.status) == ("PG201", Status.OPEN)
    assert finding.subject == f"event-source-mapping/{uuid}"
    assert finding.title == "orders cannot read its SQS queue"
    assert finding.reason == (
        f"{ROLE_ARN} is not allowed sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on {QUEUE_ARN}. "
        "Implicitly denied: no identity-based policy allows it."
    )
    assert finding.evidence["managed_policy_arn"] == SQS_POLICY_ARN
    assert finding.remedies[0].text.startswith(f"aws iam attach-role-policy --region us-east-1 --role-name {ROLE}")
    assert run.counts == {"MessagesReceived": 1, "FindingsOpened": 1, "FunctionsChecked": 1}


def test_one_mapping_with_one_managed_policy_takes_ten_calls_at_most(account: Account) -> None:
    """The calls in a warm environment include those to the table and for the queue's policy."""
    account.make_role()
    account.make_function()
    account.map_queue()
    account.iam.attach_role_policy(RoleName=ROLE, PolicyArn=SQS_POLICY_ARN.replace("SQSQueue", "Kinesis"))
    cold = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert account.finding.status is Status.OPEN
    assert Counter(call for call in cold.calls if call.startswith("iam:GetPolicy")) == {
        "iam:GetPolicy": 2,
        "iam:GetPolicyVersion": 2,
    }
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert len(run.calls) <= 10
    assert sorted(run.calls) == [
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "lambda:GetFunctionConfiguration",
        "lambda:ListEventSourceMappings",
        "lambda:ListFunctionEventInvokeConfigs",
        "sqs:GetQueueAttributes",
    ]


def test_an_unchanged_check_makes_at_most_two_reads_and_one_conditional_write_to_the_table(account: Account) -> None:
    """The check of an event has one read, the full one of a sweep also reads who uses the role.

    Once in its life, an execution environment reads whether the role index is complete.
    """
    polling(account)
    account.make_role(f"{ROLE_ARN}-2")
    account.make_function("invoices", f"{ROLE_ARN}-2")
    complete = {"pk": {"S": "ROLES"}, "sk": {"S": "COMPLETE"}}
    boto3.client("dynamodb").put_item(TableName=TABLE_NAME, Item=complete)  # as after the first sweep
    event = sqs_event(cloudtrail("create_event_source_mapping"))
    full = sqs_event(*(json.loads(check_request_body([target], NOW)) for target in (TARGET, OTHER)))
    for first in (event, full):
        account.run("check_execution_role", first)
    assert {finding.status for finding in account.findings} == {Status.OPEN}
    for unchanged, expected in (
        (full, {"dynamodb:Query": 2 * 2, "dynamodb:UpdateItem": 2, "dynamodb:GetItem": 1}),
        (event, {"dynamodb:Query": 1, "dynamodb:UpdateItem": 1}),
        (full, {"dynamodb:Query": 2 * 2, "dynamodb:UpdateItem": 2, "dynamodb:GetItem": 1}),
    ):
        calls = account.run("check_execution_role", unchanged).calls
        assert Counter(call for call in calls if call.startswith("dynamodb:")) == expected


def test_a_queue_whose_policy_allows_the_role_is_no_finding(account: Account) -> None:
    """Within one account the queue's policy is sufficient."""
    polling(account)
    document = allow("sqs:*", resource=QUEUE_ARN, Principal={"AWS": ROLE_ARN})
    url = account.queue(QUEUE_ARN.rsplit(":", 1)[-1])
    account.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert run.failed == []
    assert account.findings == []
    account.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert account.finding.status is Status.OPEN


def test_only_the_key_of_a_queue_is_read_if_its_policy_does_not_matter(account: Account) -> None:
    """The role allows everything, but the policy of a customer managed key could still deny."""
    polling(account)
    account.iam.attach_role_policy(RoleName=ROLE, PolicyArn=SQS_POLICY_ARN)
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert [call for call in run.calls if call.startswith(("sqs:", "kms:"))] == ["sqs:GetQueueAttributes"]


def test_functions_and_mappings_are_listed_once_in_a_batch(account: Account) -> None:
    """The number of functions with the role does not matter."""
    polling(account)
    account.make_function("invoices")
    account.map_queue("invoices", QUEUE_ARN.replace("orders", "invoices"))
    run = account.run("check_execution_role", sqs_event(cloudtrail("detach_role_policy", roleName=ROLE)))
    assert sorted(finding.rule_id for finding in account.findings) == ["PG201", "PG201", "PG209"]
    assert run.calls.count("lambda:ListEventSourceMappings") == 1
    assert run.calls.count("lambda:ListFunctions") == 1


def test_a_change_of_a_role_checks_every_function_that_uses_it(account: Account) -> None:
    """The event only names the role. A function with another role is not checked."""
    polling(account)
    account.make_role(f"{ROLE_ARN}-2")
    account.make_function("invoices")
    account.make_function("returns", f"{ROLE_ARN}-2")
    account.map_queue("invoices", QUEUE_ARN.replace("orders", "invoices"))
    account.map_queue("returns", QUEUE_ARN.replace("orders", "returns"))
    run = account.run("check_execution_role", sqs_event(cloudtrail("detach_role_policy", roleName=ROLE)))
    found = sorted((finding.rule_id, finding.target_arn) for finding in account.findings)
    invoices = FUNCTION_ARN.replace("orders", "invoices")
    assert found == [("PG201", invoices), ("PG201", FUNCTION_ARN), ("PG209", ROLE_ARN)]
    assert run.calls.count("iam:GetRole") == 1
    assert run.counts["FunctionsChecked"] == 2


def test_attaching_a_policy_resolves_the_finding_and_detaching_it_reopens_it(account: Account) -> None:
    """The events are about the role and not the function."""
    polling(account)
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    account.iam.put_role_policy(RoleName=ROLE, PolicyName="queue", PolicyDocument=json.dumps(SQS_POLICY))
    account.run("check_execution_role", sqs_event(cloudtrail("put_role_policy", roleName=ROLE)))
    assert account.finding.status is Status.RESOLVED
    assert account.finding.resolution == f"{ROLE_ARN} is allowed to read {QUEUE_ARN}."
    account.iam.delete_role_policy(RoleName=ROLE, PolicyName="queue")
    account.run("check_execution_role", sqs_event(cloudtrail("delete_role_policy", roleName=ROLE)))
    assert (account.finding.status, account.finding.revision) == (Status.OPEN, 3)


def test_a_new_version_of_a_policy_checks_every_role_that_has_it(account: Account) -> None:
    """The event names no role. The version that removes the permission opens the finding, the next resolves it."""
    polling(account)
    policy = account.attach_new_policy(SQS_POLICY, "read-queue")
    for document, event, status in (
        (allow("logs:*"), "create_policy_version", Status.OPEN),
        (SQS_POLICY, "create_policy_version", Status.RESOLVED),
    ):
        account.iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(document), SetAsDefault=True)
        account.run("check_execution_role", sqs_event(cloudtrail(event, policyArn=policy)))
        assert account.finding.status is status
    account.iam.set_default_policy_version(PolicyArn=policy, VersionId="v2")
    account.run("check_execution_role", sqs_event(cloudtrail("set_default_policy_version", policyArn=policy)))
    assert (account.finding.status, account.finding.revision) == (Status.OPEN, 3)


def test_the_aws_managed_policy_is_sufficient(account: Account) -> None:
    """Its current version is read from IAM and evaluated like any other policy."""
    polling(account)
    account.iam.attach_role_policy(RoleName=ROLE, PolicyArn=SQS_POLICY_ARN)
    account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert account.findings == []


def test_a_missing_permission_of_the_bot_is_an_error_that_names_it(account: Account) -> None:
    """The message is retried, a metric with an alarm is counted, and the log names action and event."""
    polling(account)

    def refuse(request: Any, **_more: Any) -> Any:
        if "Action=GetRole&" not in request.body:
            return None
        text = (
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"
        )
        body = type("Body", (), {"stream": lambda *_args, **_options: [text.encode()]})()
        return AWSResponse(request.url, 403, {}, body)  # type: ignore[arg-type]

    clients.client("iam").meta.events.register_first("before-send.iam", refuse)
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    assert run.failed == ["m0"]
    assert account.findings == []
    line = run.line("state could not be read")
    assert (line["level"], line["action"], line["code"]) == ("ERROR", "iam:GetRole", "AccessDenied")
    assert line["cloudtrail_event_ids"] == ["4dcbd35d-6886-4ebe-a4b9-34fca51162d5"]
    assert run.counts["ReadsDenied"] == 1


def test_environment_variables_are_not_in_log_table_or_answer(account: Account) -> None:
    """The configuration that the bot reads includes them."""
    polling(account)
    run = account.run("check_execution_role", sqs_event(cloudtrail("create_event_source_mapping")))
    stored = json.dumps(account.dynamodb.scan(TableName="findings")["Items"])
    assert "hunter2" not in run.log + stored + json.dumps(run.answer)


def test_malformed_messages_are_retried_and_the_valid_one_is_handled(account: Account) -> None:
    """The sample event has one valid message among malformed ones."""
    polling(account)
    bad: list[str | dict[str, Any]] = ["{", cloudtrail("unknown_api"), {"detail": None}]
    run = account.run("check_execution_role", sqs_event(*bad, cloudtrail("create_event_source_mapping")))
    assert run.failed == ["m0", "m1", "m2"]
    assert account.finding.status is Status.OPEN
    assert run.counts["MessagesUnreadable"] == 3
