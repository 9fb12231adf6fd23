"""`permission-guard check` says for which account and region a template was checked, and what was skipped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.rules import RULES
from tests.unit.cli.conftest import run
from tests.unit.cli.test_check_functions import function, role, template

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = "arn:aws:lambda:us-east-1:111122223333:function:f"
LOGS = {"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:*:*"}


def permission(principal: Any = "logs.amazonaws.com", **properties: Any) -> dict[str, Any]:
    """Return a permission."""
    defaults = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": principal}
    return {"Type": "AWS::Lambda::Permission", "Properties": {**defaults, **properties}}


@pytest.mark.parametrize("options", [(), ("--account", "999999999999")])
def test_the_account_of_the_stack_is_not_untrusted(check: Callable[..., Any], options: tuple[str, ...]) -> None:
    """A function of another account may allow the account in which the template is deployed."""
    own: dict[str, Any] = {"SourceArn": LOGS, "SourceAccount": {"Ref": "AWS::AccountId"}}
    body = {"Resources": {"Permit": permission(FunctionName=OTHER, **own)}}
    assert (check(body, *options).code, check(body, *options).findings) == (0, [])
    caller = {"Resources": {"Permit": permission({"Ref": "AWS::AccountId"}, FunctionName=OTHER)}}
    assert check(caller, *options).findings == []
    partner = {"Resources": {"Permit": permission("444455556666", FunctionName=OTHER)}}
    assert check(partner, *options).findings == [("PG106", "Permit")]


def test_an_account_that_a_role_names_is_the_own(check: Callable[..., Any]) -> None:
    """The same account in a permission is not another one."""
    permit = permission("sns.amazonaws.com", SourceArn="arn:aws:sns:eu-west-1:111122223333:orders")
    fixed = function(Role="arn:aws:iam::111122223333:role/x", FunctionName="f")
    result = check({"Resources": {"Permit": permit, "Orders": fixed}}, "--rule", "PG106")
    assert result.code == 0
    assert result.document["deployments"][0]["account"] == {
        "value": "111122223333",
        "from": "arn:aws:iam::111122223333:role/x",
    }
    assert result.document["deployments"][0]["region"] == {"value": "us-east-1", "from": "assumed"}
    assert check({"Resources": {"Permit": permit}}, "--rule", "PG106").findings == [("PG106", "Permit")]


def test_the_account_of_a_source_that_the_stack_creates_is_the_own(check: Callable[..., Any]) -> None:
    """A literal SourceAccount, or an ARN with a literal account and region, of a bucket or topic of the file."""
    bucket: dict[str, Any] = {"Type": "AWS::S3::Bucket"}
    permit = permission("s3.amazonaws.com", SourceArn={"Fn::GetAtt": ["Uploads", "Arn"]}, SourceAccount="111122223333")
    result = check({"Resources": {"Uploads": bucket, "Permit": permit}}, "--rule", "PG106")
    assert result.code == 0
    assert result.document["deployments"][0]["account"] == {"value": "111122223333", "from": "SourceAccount of Permit"}
    arn = {"Fn::Sub": "arn:aws:sns:eu-west-1:111122223333:${Orders.TopicName}"}
    topic = {"Orders": {"Type": "AWS::SNS::Topic"}, "Permit": permission("sns.amazonaws.com", SourceArn=arn)}
    result = check({"Resources": topic}, "--rule", "PG106")
    assert (result.code, result.document["deployments"][0]["region"]["value"]) == (0, "eu-west-1")
    other = permission("s3.amazonaws.com", SourceArn="arn:aws:s3:::orders-uploads", SourceAccount="111122223333")
    assert check({"Resources": {"Uploads": bucket, "Permit": other}}, "--rule", "PG106").findings == [
        ("PG106", "Permit")
    ]


def test_a_role_in_the_account_of_literal_resources_is_evaluated_there(check: Callable[..., Any]) -> None:
    """The policy names the log group of the inferred account and region."""
    logs = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/Orders:*"
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": logs}
    own = role({"Version": "2012-10-17", "Statement": [statement]}, attached=())
    assert check(template({"Role": own})).code == 0
    assert check(template({"Role": own}), "--account", "123456789012").findings == [("PG204", "logging")]


def test_a_finding_that_depends_on_the_assumed_place_is_unknown(check: Callable[..., Any]) -> None:
    """A role that names each of its regions, a topic of an opt-in region: the region can be the one that is named."""
    logs = [f"arn:aws:logs:{region}:111122223333:*" for region in ("eu-west-1", "eu-central-1")]
    own = role(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": logs}]}, attached=()
    )
    result = check(template({"Role": own}))
    assert (result.code, result.findings) == (3, [])
    reason = (
        "Unknown: it depends on the region of the stack. It is a problem in us-east-1, which is assumed, but not in "
    )
    assert result.unknowns == [("PG204", f"{reason}eu-west-1. Set --region.")]
    assert check(template({"Role": own}), "--region", "us-east-1").findings == [("PG204", "logging")]
    topic = permission("sns.amazonaws.com", SourceArn="arn:aws:sns:eu-south-1:123456789012:orders")
    body = template({"Permit": topic})
    assert [rule for rule, _ in check(body, "--rule", "PG105").unknowns] == ["PG105"]
    assert check(body, "--rule", "PG105", "--region", "eu-south-1").code == 0
    assert check(body, "--rule", "PG105", "--region", "us-east-1").findings == [("PG105", "Permit")]


def test_a_finding_of_every_possible_place_stays(check: Callable[..., Any]) -> None:
    """It is shown for the assumed one."""
    admin = role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    rule = permission("events.amazonaws.com", SourceArn="arn:aws:events:eu-west-1:123456789012:rule/default/nightly")
    result = check(template({"Role": admin, "Permit": rule}))
    assert {found for found, _ in result.findings} == {"PG105", "PG210"}
    assert result.unknowns == []


def test_the_footer_says_what_was_assumed_and_skipped_for_each_file(tmp_path: Path) -> None:
    """Files with the same are listed together, and only the first of them by name."""
    names = [str(tmp_path / f"{number}.json") for number in range(5)]
    for name in names:
        (tmp_path / name).write_text(json.dumps(template({})))
    policy = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "lambda:*", "Resource": OTHER}
    policy.write_text(json.dumps({"Statement": [statement]}))
    _, output = run(*names, str(policy))
    files = f"{', '.join(names[:3])} and 2 more files:"
    assert f"{files} checked for account 123456789012 (assumed). Set your account with --account." in output
    assert f"{files} checked for region us-east-1 (assumed). Set your region with --region." in output
    assert f"{files}\nSkipped (need account access): PG112 invoke-permission-missing (triggers" in output
    assert f"{policy}:\nSkipped (need account access): PG110 source-deleted (whether the sources exist" in output
    assert "Skipped (no execution role in the file): PG201 event-source-read-missing, PG202" in output
    assert "checked for" not in run(names[0], "--account", "123456789012", "--region", "us-east-1")[1]


def test_what_is_skipped_depends_on_the_resources_of_the_file(check: Callable[..., Any]) -> None:
    """Each entry has the file, the rule and the reason."""
    only_role = check({"Resources": {"Role": role()}}).document["skipped"]
    assert only_role == []
    names = {one["rule_id"] for one in check(template({})).document["skipped"]}
    assert {"PG112", "PG209", "PG213"} <= names
    assert not {"PG110", "PG202", "PG203", "PG212"} & names
    mapping = {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    polled = {"Poll": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}, "Permit": permission()}
    skipped = check(template(polled)).document["skipped"]
    assert {"PG110", "PG202", "PG212"} <= {one["rule_id"] for one in skipped}
    assert all(one["file"].endswith("input") and one["reason"].startswith("need account access") for one in skipped)
    assert {one["rule_name"] for one in skipped} <= {rule.name for rule in RULES}
    assert check(template(polled), "--rule", "PG102").document["skipped"] == []
