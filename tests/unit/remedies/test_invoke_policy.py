"""The remedies for resource-based policies: AWS's API accepts them, and they name the actual sources."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules import RULES
from tests import shell
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, a_function
from tests.rule_cases import INVOKE_CASES, kind_of, snapshot_of, trust_of
from tests.unit.remedies.snippets import uncommented
from tests.unit.remedies.test_guard import applied, ways

if TYPE_CHECKING:
    from pathlib import Path

FAILING = [path for path in INVOKE_CASES if kind_of(path) == "fail"]
EACH_CASE = pytest.mark.parametrize("path", FAILING, ids=lambda path: f"{path.parent.name}-{path.stem}")
OPERATIONS = {
    "add-permission": "AddPermission",
    "remove-permission": "RemovePermission",
    "get-resource-policy": "GetResourcePolicy",
    "put-resource-policy": "PutResourcePolicy",
    "delete-resource-policy": "DeleteResourcePolicy",
}


@cache
def input_of(operation: str) -> Any:
    """Return the parameters of an operation in the SDK's model of Lambda."""
    return get_session().get_service_model("lambda").operation_model(operation).input_shape


def parse(words: list[str]) -> tuple[str, dict[str, str]]:
    """Return the operation of a command and its options by name; a flag is `true`."""
    assert words[:2] == ["aws", "lambda"]
    given: dict[str, str] = {}
    rest = words[3:]
    while rest:
        name = rest.pop(0)
        assert name.startswith("--")
        given[name[2:]] = "true" if not rest or rest[0].startswith("--") else rest.pop(0)
    assert given.pop("region")
    return words[2], given


def commands(verdict: Verdict) -> list[tuple[str, dict[str, str]]]:
    """Return a finding's commands on resource-based policies, in order."""
    lines = [shlex.split(line.removesuffix(" &&")) for line in text_of(verdict).splitlines() if line[:4] == "aws "]
    return [parse(words) for words in lines if words[2] in OPERATIONS]


def text_of(verdict: Verdict) -> str:
    """Return a finding's commands as text, also those that a person must complete."""
    found = [remedy for remedy in verdict.remedies if remedy.kind == "aws-cli"]
    return "\n".join(uncommented(remedy.text) if remedy.needs_decision else remedy.text for remedy in found)


def violations(snapshot: Snapshot, rules: list[Any]) -> list[Verdict]:
    """Return the violations of a snapshot."""
    return [item for item in evaluate(snapshot, rules).verdicts if item.outcome is Outcome.VIOLATION]


@EACH_CASE
def test_the_api_accepts_every_command(path: Path) -> None:
    """Required parameters are present, and each is valid in the SDK's model."""
    case = json.loads(path.read_text())
    rule = next(rule for rule in RULES if rule.id == path.parent.name)(trust_of(case))
    for verdict in violations(snapshot_of(case), [rule]):
        for texts in ways([remedy for remedy in verdict.remedies if remedy.kind == "aws-cli"]):
            for words in applied(case, texts).calls:
                if words[1] == "lambda" and words[2] in OPERATIONS:
                    check_call(*parse(words))


def check_call(name: str, given: dict[str, str]) -> None:
    """Compare a call with the SDK's model."""
    shape = input_of(OPERATIONS[name])
    values = {"".join(word.capitalize() for word in key.split("-")): value for key, value in given.items()}
    values = {{"PrincipalOrgId": "PrincipalOrgID"}.get(key, key): value for key, value in values.items()}
    assert values.pop("Output", "json") == "json"
    assert set(shape.required_members) <= values.keys() <= shape.members.keys()
    for key, value in values.items():
        assert accepts(shape.members[key], value), (key, value)


def accepts(member: Any, value: str) -> bool:
    """Return whether a value is valid for a parameter."""
    limits = member.metadata
    in_pattern = re.fullmatch(limits.get("pattern", ".*"), value, re.DOTALL)
    return bool(in_pattern) and len(value) <= limits.get("max", len(value)) and value in limits.get("enum", [value])


# ── Actual sources ──────────────────────────────────────────────────────────────────────────────────────────────────


def trigger(arn: str, principal: str, account: str = ACCOUNT, *sent: str, function: str = FUNCTION_ARN) -> Trigger:
    """Return a trigger that is configured to invoke the function."""
    return Trigger(principal, arn, sent or (arn,), account, function, f"the source {arn}")


def found(
    principal: str, condition: dict[str, Any] | None, *triggers: Trigger, action: Any = "lambda:InvokeFunction"
) -> Verdict:
    """Return the finding of PG102 or PG104 on a statement, with the configured triggers."""
    statement = {
        "Sid": "source",
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": action,
        "Resource": FUNCTION_ARN,
        **({"Condition": condition} if condition else {}),
    }
    policy = ResourcePolicy(FUNCTION_ARN, None, parse_policy({"Version": "2012-10-17", "Statement": [statement]}))
    inventory = Inventory("any", principal, frozenset(item.source for item in triggers), triggers)
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(policy,), inventories=(inventory,))
    trust = TrustSet(frozenset({"111122223333"}))
    (verdict,) = violations(snapshot, [rule(trust) for rule in RULES if rule.id in {"PG102", "PG104"}])
    return verdict


def replacement(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the statements by which a command replaces the statement of the finding."""
    *_, arn, old, new = shlex.split(text_of(verdict))
    assert arn == FUNCTION_ARN
    assert json.loads(old) == [verdict.evidence["statement"]]
    statements: list[dict[str, Any]] = json.loads(new)
    return statements


def sources(verdict: Verdict) -> list[tuple[str, str]]:
    """Return ARN and account of the statements that the commands add."""
    return [
        (given.get("source-arn", ""), given.get("source-account", ""))
        for name, given in commands(verdict)
        if name == "add-permission"
    ]


SNS, S3, API, EVENTS = "sns.amazonaws.com", "s3.amazonaws.com", "apigateway.amazonaws.com", "events.amazonaws.com"
ORDERS = "arn:aws:sns:us-east-1:123456789012:orders"
RETURNS = "arn:aws:sns:us-east-1:123456789012:returns"
ANY_ORDERS = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*:orders"}}


def test_each_configured_trigger_is_allowed_once() -> None:
    """Two notifications of one bucket are one source."""
    bucket = "arn:aws:s3:::example-uploads"
    verdict = found(S3, None, trigger(bucket, S3), trigger(bucket, S3), trigger("arn:aws:s3:::example-invoices", S3))
    assert sources(verdict) == [(bucket, ACCOUNT), ("arn:aws:s3:::example-invoices", ACCOUNT)]


def test_a_trigger_of_another_function_or_alias_is_not_allowed() -> None:
    """Each has its own policy; $LATEST uses the function's."""
    verdict = found(
        SNS,
        None,
        trigger(RETURNS, SNS, function=f"{FUNCTION_ARN}:live"),
        trigger(ORDERS, SNS, function=f"{FUNCTION_ARN}:$LATEST"),
    )
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_an_api_that_may_send_several_arns_is_allowed_with_all_of_them() -> None:
    """By a pattern. No account is required, because AWS does not document that one is sent."""
    api = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
    verdict = found(
        API, None, trigger(f"{api}/*/GET/orders", API, ACCOUNT, f"{api}/prod/GET/orders", f"{api}/dev/GET/orders")
    )
    assert sources(verdict) == [(f"{api}/*/GET/orders", "")]


def test_all_of_many_triggers_are_allowed() -> None:
    """By a common pattern, so that the policy does not exceed AWS's maximum size."""
    rules = [f"arn:aws:events:us-east-1:123456789012:rule/rule-{number}" for number in range(11)]
    assert len(sources(found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules[:10])))) == 10
    verdict = found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules))
    assert sources(verdict) == [("arn:aws:events:us-east-1:123456789012:*", "")]
    buckets = [trigger(f"arn:aws:s3:::example-{number}", S3) for number in range(11)]
    assert sources(found(S3, None, *buckets)) == [("arn:aws:s3:::*", ACCOUNT)]


def test_only_triggers_that_the_present_statement_allows_stay_allowed() -> None:
    """Another statement allows the others, or none should."""
    verdict = found(SNS, ANY_ORDERS, trigger(ORDERS, SNS), trigger(RETURNS, SNS))
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_a_named_source_is_kept_and_restricted_to_this_account() -> None:
    """If the statement allows no configured trigger."""
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS))] == [ORDERS]
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS, trigger(RETURNS, SNS)))] == [ORDERS]


def test_a_trusted_account_keeps_its_source() -> None:
    """An untrusted account is replaced by this account."""
    arns = [f"arn:aws:sns:us-east-1:{account}:orders" for account in ("111122223333", "999999999999", "*")]
    verdict = found(SNS, {"ArnLike": {"aws:SourceArn": arns}})
    assert [arn for arn, _ in sources(verdict)] == [arns[0], ORDERS]


def test_a_statement_without_an_arn_gets_a_placeholder() -> None:
    """The placeholder is in an ARN of the right form."""
    for condition in (None, {"StringLike": {"aws:SourceArn": "*"}}, {"Null": {"aws:SourceArn": "false"}}):
        assert [arn for arn, _ in sources(found(SNS, condition))] == ["arn:aws:sns:us-east-1:123456789012:<TOPIC-NAME>"]


def test_no_source_is_required_if_the_account_suffices() -> None:
    """One function rotates many secrets."""
    assert sources(found("secretsmanager.amazonaws.com", None)) == [("", ACCOUNT)]


def test_other_conditions_are_kept() -> None:
    """AddPermission cannot express them, so the statement is replaced."""
    verdict = found(S3, {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    (statement,) = replacement(verdict)
    assert statement["Condition"] == {
        "Bool": {"aws:SecureTransport": "true"},
        "StringEquals": {"aws:RequestedRegion": "us-east-1", "AWS:SourceAccount": ACCOUNT},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::<BUCKET-NAME>"},
    }
    assert {remedy.kind for remedy in verdict.remedies} == {"aws-cli", "policy-statement"}


@pytest.mark.parametrize(
    ("principal", "action", "expected"),
    [
        (S3, "lambda:*", ["lambda:InvokeFunction"]),
        (S3, "lambda:invokefunction", ["lambda:InvokeFunction"]),
        ("cloudfront.amazonaws.com", "lambda:InvokeFunctionUrl", ["lambda:InvokeFunctionUrl"]),
        ("cloudfront.amazonaws.com", "lambda:Invoke*", ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]),
    ],
)
def test_the_actions_are_those_that_are_granted_or_that_the_service_needs(
    principal: str, action: str, expected: list[str]
) -> None:
    """CloudFront calls through the URL, which requires both actions."""
    verdict = found(principal, None, action=action)
    assert [given["action"] for name, given in commands(verdict) if name == "add-permission"] == expected


def test_a_sid_that_the_policy_contains_is_not_used_again() -> None:
    """AddPermission rejects it. The scoped statement may have been added before, without removing the broad one."""
    case = {
        "Sid": "uploads-scoped",
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "lambda:InvokeFunction",
    }
    narrow = {**case, "Resource": FUNCTION_ARN, "Condition": {"ArnLike": {"AWS:SourceArn": ORDERS}}}
    wide = {**case, "Sid": "uploads", "Principal": {"Service": [S3, EVENTS]}, "Resource": FUNCTION_ARN}
    document = parse_policy({"Version": "2012-10-17", "Statement": [narrow, wide]})
    policy = ResourcePolicy(FUNCTION_ARN, None, document)
    rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
    (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
    names = [given["statement-id"] for name, given in commands(verdict) if name == "add-permission"]
    assert names == ["uploads-scoped-2", "uploads-scoped-3"]


def test_the_version_of_the_policy_is_kept(tmp_path: Path) -> None:
    """In another version, a text with a policy variable has another meaning."""
    for version in ("2008-10-17", "2012-10-17"):
        raw = {
            "Effect": "Allow",
            "Principal": {"Service": S3},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION_ARN,
        }
        document = parse_policy({"Version": version, "Id": "default", "Statement": raw})
        policy = ResourcePolicy(FUNCTION_ARN, None, document)
        rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
        (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
        _, program, rest = text_of(verdict).partition("python3 ")
        ran = shell.change_policy(program + rest, FUNCTION_ARN, document.document, tmp_path)
        assert (ran.code, ran.errors) == (0, "")
        assert ran.policy == {"Version": version, "Id": "default", "Statement": replacement(verdict)}
