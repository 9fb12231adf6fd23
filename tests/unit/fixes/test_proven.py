"""Proven calls: what a trigger's service sends, and only what the policy allows now."""

from __future__ import annotations

from permission_guard.fixes.certificate import narrow
from permission_guard.fixes.proven import calls_of, proven_calls
from permission_guard.iam import parse_policy
from permission_guard.model.state import Trigger
from tests.fakes import ACCOUNT, FUNCTION_ARN

BUCKET = "arn:aws:s3:::uploads"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/nightly"


def trigger(principal: str, *arns: str) -> Trigger:
    """Return a trigger with the ARNs that its service may send."""
    return Trigger(principal, arns[0], arns, ACCOUNT, FUNCTION_ARN, "a trigger")


def test_a_call_has_the_keys_that_the_service_sends() -> None:
    """S3 sends the ARN and the account of the bucket."""
    (call,) = calls_of(trigger("s3.amazonaws.com", BUCKET), FUNCTION_ARN)
    assert (call.principal, call.source_arn, call.source_account) == ("s3.amazonaws.com", BUCKET, ACCOUNT)


def test_a_key_that_a_service_may_not_send_gives_two_calls() -> None:
    """A statement that requires the account would deny one of them. AWS contradicts itself on EventBridge."""
    assert {call.source_account for call in calls_of(trigger("events.amazonaws.com", RULE), FUNCTION_ARN)} == {
        ACCOUNT,
        "",
    }


def test_each_principal_and_each_arn_is_a_call() -> None:
    """If AWS does not document which one the service sends."""
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:a:*"
    found = {call.principal for call in calls_of(trigger("logs.amazonaws.com", group), FUNCTION_ARN)}
    assert found == {"logs.amazonaws.com", "logs.us-east-1.amazonaws.com"}
    two = calls_of(trigger("s3.amazonaws.com", BUCKET, f"{BUCKET}-2"), FUNCTION_ARN)
    assert [call.source_arn for call in two] == [BUCKET, f"{BUCKET}-2"]


def test_only_what_the_policy_allows_now_is_proven() -> None:
    """And each call once."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
    }
    policy = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    triggers = [trigger("s3.amazonaws.com", BUCKET), trigger("events.amazonaws.com", RULE)] * 2
    assert [call.source_arn for call in proven_calls(triggers, policy, FUNCTION_ARN)] == [BUCKET]


def test_a_call_that_is_too_much_to_decide_is_not_lost() -> None:
    """So the change is refused, with that reason."""
    services = [f"service-{one}.amazonaws.com" for one in range(100_000)]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "*", "Resource": "*"}
    policy = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    calls = proven_calls([trigger("s3.amazonaws.com", BUCKET)], policy, FUNCTION_ARN)
    assert [call.source_arn for call in calls] == [BUCKET]
    assert narrow(policy, (), policy, calls).grounds == (
        f"Whether {BUCKET} is allowed by the policy before is undecided: too much would have to be compared.",
        f"Whether {BUCKET} is allowed by the new policy is undecided: too much would have to be compared.",
    )
