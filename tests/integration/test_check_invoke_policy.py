"""The invoke policy scope: from a CloudTrail event to the finding in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.model.findings import Status
from permission_guard.model.state import ManagedBy
from tests.fakes import FUNCTION_ARN
from tests.integration.conftest import cloudtrail, sqs_event

if TYPE_CHECKING:
    import pytest

    from permission_guard.model.state import ResourcePolicy, Unread
    from permission_guard.model.targets import FunctionTarget
    from tests.integration.conftest import Account


def open_to_s3(account: Account, **more: str) -> None:
    """Allow S3 to invoke the function."""
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="uploads",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        **more,  # type: ignore[arg-type]
    )


def test_a_broad_permission_becomes_a_finding(account: Account) -> None:
    """The finding is about the statement that was just added."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert run.failed == []
    finding = account.finding
    assert (finding.rule_id, finding.status, finding.revision) == ("PG102", Status.OPEN, 1)
    assert (finding.function_arn, finding.subject) == (FUNCTION_ARN, "statement/uploads")
    assert finding.title == "orders allows any account's bucket to invoke it"
    assert finding.event_ids == ("704f34be-8e02-4fd4-ba8e-d4ddfed2d00b",)
    assert finding.evidence["statement"]["Principal"] == {"Service": "s3.amazonaws.com"}
    assert run.line("Finding Opened")["cloudtrail_event_ids"] == ["704f34be-8e02-4fd4-ba8e-d4ddfed2d00b"]
    assert run.counts == {"MessagesReceived": 1, "FindingsOpened": 1, "FunctionsChecked": 1}


def test_a_check_takes_few_calls(account: Account) -> None:
    """There are five calls to Lambda, one of them for the owner of a new finding, and two to the table."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert sorted(run.calls) == [
        "dynamodb:Query",
        "dynamodb:TransactWriteItems",
        "lambda:GetFunctionConfiguration",
        "lambda:GetPolicy",
        "lambda:ListAliases",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
    ]


def test_a_statement_with_a_source_resolves_the_finding(account: Account) -> None:
    """The statement is replaced, and the event of the removal alone is enough."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    account.lambda_.remove_permission(FunctionName="orders", StatementId="uploads")
    open_to_s3(account, SourceArn="arn:aws:s3:::example-uploads", SourceAccount="123456789012")
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("remove_permission")))
    assert (account.finding.status, account.finding.revision) == (Status.RESOLVED, 2)
    assert account.finding.resolution == "No service may invoke the function for an arbitrary source."
    assert run.counts["FindingsResolved"] == 1


def test_findings_of_a_deleted_function_are_resolved(account: Account) -> None:
    """The last call finds that the function was deleted."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    account.lambda_.delete_function(FunctionName="orders")
    run = account.run("check_invoke_policy", sqs_event(cloudtrail("delete_function")))
    assert account.finding.resolution == "The function was deleted."
    calls = [call for call in run.calls if call.startswith("lambda:")]
    assert calls == [
        "lambda:ListAliases",
        "lambda:ListVersionsByFunction",
        "lambda:GetPolicy",
        "lambda:GetFunctionConfiguration",
    ]


def test_a_function_that_is_deleted_during_the_check_is_not_one_without_a_policy(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS answers GetPolicy in the same way for both."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    read = FunctionReader.resource_policies

    def deleted_before_it(reader: FunctionReader, target: FunctionTarget) -> tuple[ResourcePolicy | Unread, ...]:
        account.lambda_.delete_function(FunctionName="orders")
        return read(reader, target)

    monkeypatch.setattr(FunctionReader, "resource_policies", deleted_before_it)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission_full_arn")))
    assert account.finding.resolution == "The function was deleted."


def test_a_batch_of_changes_of_one_function_causes_one_check(account: Account) -> None:
    """The sample events name the function `orders` in several forms; one event is ignored."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    names = ["add_permission", "add_permission_full_arn", "add_permission_partial_arn", "update_function_configuration"]
    run = account.run("check_invoke_policy", sqs_event(*(cloudtrail(name) for name in names)))
    assert run.failed == []
    assert run.calls.count("lambda:GetFunctionConfiguration") == 1
    assert len(account.finding.event_ids) == 3
    assert run.counts["EventsIgnored"] == 1


def test_the_stack_of_a_function_is_named_and_the_remedy_for_its_template_comes_first(account: Account) -> None:
    """CloudFormation tags its resources, and only CloudFormation can set such tags."""
    account.make_role()
    account.make_function(**{"aws:cloudformation:stack-name": "shop"})
    open_to_s3(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert account.finding.managed_by == ManagedBy("cloudformation", "shop")
    assert [remedy.kind for remedy in account.finding.remedies] == ["sam", "cdk", "aws-cli", "terraform"]


def test_a_function_of_sam_is_recognized_by_its_tag(account: Account) -> None:
    """SAM adds it to each function of its templates."""
    account.make_role()
    account.make_function(**{"aws:cloudformation:stack-name": "shop", "lambda:createdBy": "SAM"})
    open_to_s3(account)
    account.run("check_invoke_policy", sqs_event(cloudtrail("add_permission")))
    assert account.finding.managed_by == ManagedBy("sam", "shop")
    assert [remedy.kind for remedy in account.finding.remedies] == ["sam", "cdk", "aws-cli", "terraform"]


def test_terraform_is_recognized_in_the_event_of_its_call(account: Account) -> None:
    """Terraform sets no tag, but the user agent names it."""
    account.make_role()
    account.make_function()
    open_to_s3(account)
    event = cloudtrail("add_permission")
    event["detail"]["userAgent"] = "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io)"
    account.run("check_invoke_policy", sqs_event(event))
    assert account.finding.managed_by == ManagedBy("terraform")
    assert account.finding.remedies[0].kind == "terraform"
