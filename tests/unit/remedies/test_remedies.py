"""The remedies of a finding can be copied unchanged, or with what a person fills in."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import yaml

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import ResourcePolicy, Snapshot
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.invoke_policy.source_missing import SourceMissing
from tests.fakes import (
    FUNCTION_ARN,
    MAPPING_UUID,
    QUEUE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    a_function,
    a_mapping,
    a_role,
    polling,
)
from tests.unit.remedies.snippets import to_fill_in

NO_TRUST = TrustSet(frozenset())


def open_to_s3(sid: str | None, qualifier: str | None = None) -> Verdict:
    """Return the finding on a statement that allows every bucket."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
    }
    if sid is not None:
        statement["Sid"] = sid
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    document = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    policy = ResourcePolicy(arn, qualifier, document)
    (verdict,) = evaluate(
        Snapshot(TARGET, a_function(), resource_policies=(policy,)), [SourceMissing(NO_TRUST)]
    ).verdicts
    assert verdict.outcome is Outcome.VIOLATION
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return one remedy."""
    found = next(item for item in verdict.remedies if item.kind == kind)
    return to_fill_in(found.text) if found.needs_decision else found.text


def options(command: str) -> dict[str, str]:
    """Return the options of a command except the region; `&&` at its end runs the next command only after success."""
    words = shlex.split(command.removesuffix(" &&"))[3:]
    found = dict(zip(words[::2], words[1::2], strict=True))
    assert found.pop("--region") == "us-east-1"
    return found


def replacement(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the statements by which the only command replaces the statement."""
    python, _, _, _, arn, old, new = shlex.split(remedy(verdict, "aws-cli"))
    assert (python, arn) == ("python3", FUNCTION_ARN)
    assert json.loads(old) == [verdict.evidence["statement"]]
    statements: list[dict[str, Any]] = json.loads(new)
    return statements


def test_the_narrow_statement_is_added_before_the_broad_one_is_removed() -> None:
    """No event is lost in between."""
    add, remove = remedy(open_to_s3("uploads"), "aws-cli").splitlines()
    assert add.startswith("aws lambda add-permission ")
    assert options(add) == {
        "--function-name": "orders",
        "--statement-id": "uploads-scoped",
        "--action": "lambda:InvokeFunction",
        "--principal": "s3.amazonaws.com",
        "--source-arn": "arn:aws:s3:::<BUCKET-NAME>",
        "--source-account": "123456789012",
    }
    assert remove.startswith("aws lambda remove-permission ")
    assert options(remove) == {"--function-name": "orders", "--statement-id": "uploads"}


def test_the_policy_of_an_alias_is_changed_on_the_alias() -> None:
    """Both commands name it."""
    add, remove = remedy(open_to_s3("uploads", "live"), "aws-cli").splitlines()
    assert options(add)["--qualifier"] == "live"
    assert options(remove) == {"--function-name": "orders", "--qualifier": "live", "--statement-id": "uploads"}
    assert 'qualifier      = "live"' in remedy(open_to_s3("uploads", "live"), "terraform")


def test_the_broad_statement_is_removed_only_if_the_narrow_one_was_added() -> None:
    """The commands stop after a failure."""
    add, remove = remedy(open_to_s3("uploads"), "aws-cli").splitlines()
    assert add.endswith(" &&")
    assert not remove.endswith("&&")


@pytest.mark.parametrize("sid", [None, "", "a; rm -rf $HOME", "Straße", "a" * 101])
def test_a_statement_that_cannot_be_removed_by_name_is_replaced_in_the_policy(sid: str | None) -> None:
    """RemovePermission does not accept such a Sid, and the text of a policy is untrusted input."""
    (statement,) = replacement(open_to_s3(sid))
    assert statement["Condition"]["StringEquals"] == {"AWS:SourceAccount": "123456789012"}


def test_a_sid_with_a_leading_dash_is_not_read_as_an_option() -> None:
    """RemovePermission accepts it."""
    _, remove = remedy(open_to_s3("--uploads"), "aws-cli").splitlines()
    assert shlex.split(remove)[5:] == ["--function-name", "orders", "--statement-id=--uploads"]


@pytest.mark.parametrize("sid", ["uploads", "a" * 100, "dots.and.dots", "-uploads"])
def test_aws_accepts_the_suggested_sid(sid: str) -> None:
    """RemovePermission accepts dots, AddPermission does not."""
    add = remedy(open_to_s3(sid), "aws-cli").splitlines()[0]
    assert re.fullmatch(r"[a-zA-Z0-9-_]{1,93}-scoped", options(add)["--statement-id"], re.ASCII)


@pytest.mark.parametrize("sid", [None, "", "Straße", "a; rm -rf $HOME", "a" * 101])
def test_a_statement_that_is_put_can_be_removed_by_its_sid(sid: str | None) -> None:
    """PutResourcePolicy accepts any Sid, and the present statement may have one."""
    (statement,) = replacement(open_to_s3(sid))
    assert re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9-_]{0,92}-scoped", statement["Sid"], re.ASCII)


def test_a_statement_without_a_sid_is_named_by_a_hash_of_its_content() -> None:
    """Subject and suggested Sid contain the same hash; another statement has another hash."""
    verdict = open_to_s3(None)
    assert re.fullmatch(r"statement/[0-9a-f]{12}", str(verdict.subject))
    assert replacement(verdict)[0]["Sid"] == f"{str(verdict.subject).split('/')[1]}-scoped"
    assert open_to_s3("").subject != verdict.subject


def test_the_sam_resource_is_valid_yaml() -> None:
    """The account stays a string."""
    resource = yaml.safe_load(remedy(open_to_s3("uploads", "live"), "sam"))
    assert resource == {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": "orders:live",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::<BUCKET-NAME>",
            "SourceAccount": "123456789012",
        },
    }


def unreadable_queue(*statements: dict[str, Any], **mapping: str) -> Verdict:
    """Return the finding of a role that is not allowed to read its queue."""
    state = polling(a_role(*statements), mappings=(a_mapping(**mapping),))
    (verdict,) = evaluate(state, [EventSourceReadMissing(NO_TRUST)]).verdicts
    return verdict


BY_AWS = {"state": "Disabled", "state_transition_reason": "Lambda does not have required permissions"}
ENABLE = f"aws lambda update-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID} --enabled"


def test_a_mapping_that_aws_disabled_is_enabled_and_nothing_else() -> None:
    """If the role is allowed to read again, the remedy has no policy."""
    verdict = unreadable_queue(SQS_POLICY, **BY_AWS)
    assert verdict.outcome is Outcome.VIOLATION
    assert [(item.kind, item.text) for item in verdict.remedies] == [("aws-cli", ENABLE)]


def test_a_mapping_that_aws_disabled_is_enabled_after_the_policy_is_attached() -> None:
    """In the other order AWS would deny the call, or disable the mapping again."""
    attach, enable = remedy(unreadable_queue(**BY_AWS), "aws-cli").splitlines()
    assert attach.startswith("aws iam attach-role-policy ")
    assert enable == ENABLE


def test_the_managed_policy_is_attached_to_the_role_by_its_name() -> None:
    """The role's path is not part of its name."""
    verdict = unreadable_queue()
    assert remedy(verdict, "aws-cli") == (
        f"aws iam attach-role-policy --region us-east-1 --role-name orders-role --policy-arn {SQS_POLICY_ARN}"
    )
    assert f'policy_arn = "{SQS_POLICY_ARN}"' in remedy(verdict, "terraform")
    assert 'role       = "orders-role"' in remedy(verdict, "terraform")


def test_the_policy_statement_has_only_what_is_missing() -> None:
    """Pasted into a policy of the role, it resolves the finding."""
    receive = {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": QUEUE_ARN}
    first = {"Version": "2012-10-17", "Statement": [receive]}
    statement = json.loads(remedy(unreadable_queue(first), "policy-statement"))
    assert statement == {
        "Effect": "Allow",
        "Action": ["sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": [QUEUE_ARN],
    }
    assert unreadable_queue(first, {"Version": "2012-10-17", "Statement": [statement]}).outcome is Outcome.PASS


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_the_evidence_contains_the_present_statement(qualifier: str | None) -> None:
    """A removed statement can be restored from it."""
    verdict = open_to_s3("uploads", qualifier)
    assert verdict.evidence["statement"]["Sid"] == "uploads"
    assert verdict.evidence["resource_arn"] == verdict.function_arn
